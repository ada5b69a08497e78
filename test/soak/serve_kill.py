#!/usr/bin/env python3
"""kill -9 at random moments under load: keys and ledger stay whole, and no answer that a client got to its end is
missing.

  test/soak/serve_kill.py [--times 100]"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from serving import Server  # noqa: E402
from silex import SILEX  # noqa: E402


def keys(db):
    argv = [SILEX, "keys", "list", "--db", db, "--json"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def cpu_s(pid):
    """Seconds of CPU that a process has taken."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        field = f.read().rsplit(")", 1)[1].split()
    return (int(field[11]) + int(field[12])) / os.sysconf("SC_CLK_TCK")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--times", type=int, default=100)
    a = p.parse_args()
    r = random.Random(3)
    folder = tempfile.mkdtemp(prefix="silex-kill-")
    db = os.path.join(folder, "server.db")
    key = subprocess.run(
        [SILEX, "keys", "add", "ann", "--db", db], capture_output=True, text=True, check=True
    ).stdout.strip()
    finished, starts, cpu, first_keys = set(), [], [], keys(db)
    for k in range(a.times):
        start = time.monotonic()
        server = Server("--quiet", db=db)
        server.__enter__()
        server.key = key
        assert server.ask("/ready").status == 200
        starts.append(time.monotonic() - start)
        cpu.append(cpu_s(server.process.pid))
        assert server.ask("/v1/models").status == 200, "the key is not known any more"

        def client(i):
            try:
                while True:
                    body = {"prompt": f"{k} {i}", "max_tokens": r.randrange(1, 12), "stream": i % 2 == 0}
                    answer = server.ask("/v1/completions", body, timeout=30)
                    text = answer.body.decode()
                    if answer.status == 200 and (i % 2 or text.endswith("data: [DONE]\n\n")):
                        if i % 2:
                            json.loads(text)
                        finished.add(answer.headers["X-Request-Id"])
            except (OSError, ValueError, __import__("http.client").client.HTTPException):
                pass  # killed

        threads = [threading.Thread(target=client, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        time.sleep(r.uniform(0.05, 1.2))
        server.stop(signal.SIGKILL)
        for t in threads:
            t.join()
        c = sqlite3.connect(db)
        assert c.execute("PRAGMA integrity_check").fetchone() == ("ok",), "the database is corrupt"
        kept = {row[0] for row in c.execute("SELECT request FROM usage")}
        spent = c.execute("SELECT sum(tokens) FROM spent").fetchone()[0] or 0
        used = c.execute("SELECT sum(prompt + made) FROM usage").fetchone()[0] or 0
        assert spent == used, f"{spent} tokens in the day's sums, {used} in the ledger"
        c.close()
        lost = finished - kept
        assert not lost, f"finished and not in the ledger: {lost}"
        assert keys(db) == first_keys, "keys have changed"
    starts.sort()
    cpu.sort()
    print(
        f"{a.times} kills: {len(finished)} answers finished, {len(kept)} in the ledger, none lost, "
        f"database and keys whole; "
        f"ready after {starts[len(starts) // 2]:.2f} s (median), {starts[-1]:.2f} s at most, "
        f"of which {cpu[len(cpu) // 2]:.2f} s of CPU"
    )


main()
