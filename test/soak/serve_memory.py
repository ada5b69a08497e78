#!/usr/bin/env python3
"""Memory over many requests: ten thousand of every kind that there is, some of them refused; resident memory after the
first fifth and at the end.

  test/soak/serve_memory.py [--requests 10000]"""

import argparse
import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from kinds import kinds  # noqa: E402
from serving import Server  # noqa: E402
from silex import TOOL_TEMPLATE  # noqa: E402


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--requests", type=int, default=10000)
    a = p.parse_args()
    # few pages, so that all of them are in use early
    few = ("--slots", 16, "--ctx", 1024, "--kv-pages", 60, "--quiet", "--chat-template", TOOL_TEMPLATE)
    with Server(*few) as server:

        def client(k, n):
            c = server.connect()
            for i in range(n):
                of = kinds(1000 * k + i, new=1 if i % 4 else 4)
                path, body, status = of[i % len(of)]
                c.request("POST" if body else "GET", path, json.dumps(body) if body else None, server.headers())
                r = c.getresponse()
                r.read()
                assert r.status == status, (path, body, r.status)
                if i % 50 == 49:
                    c.close()
                    c = server.connect()
            c.close()

        def some(n):
            threads = [threading.Thread(target=client, args=(k, n // 16)) for k in range(16)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()

        some(a.requests // 5)
        early = server.rss()
        some(a.requests - a.requests // 5)
        late = server.rss()
    print(f"{a.requests} requests: {early / 1e6:.1f} MB after a fifth, {late / 1e6:.1f} MB at the end")
    print(f"grown by {(late / early - 1) * 100:.1f} %")
    return 1 if late > early * 1.05 else 0


sys.exit(main())
