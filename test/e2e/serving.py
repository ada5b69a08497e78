"""A server of one's own for tests: `with Server() as s:` on a free port of 127.0.0.1, and requests with the standard
library alone."""

import http.client
import json
import os
import signal
import subprocess
import threading
import time

from silex import MODEL, ROOT, SILEX


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def error(self):
        return self.json["error"]


class Server:
    """options: more of `silex serve`. db: a database, else --no-auth."""

    def __init__(self, *options, db=None, model=MODEL, env=None):
        self.argv = [
            SILEX,
            "serve",
            model,
            "--port",
            "0",
            *(["--db", db] if db else ["--no-auth"]),
            *map(str, options),
        ]
        self.env = {**os.environ, **(env or {})}
        self.key = None

    def __enter__(self):
        self.log_read, log_write = os.pipe()
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE, stderr=log_write, cwd=ROOT, env=self.env)
        os.close(log_write)
        self.log = []
        self._reader = _drain(self.log_read, self.log)
        line = self.process.stdout.readline().decode()
        if not line:
            self.process.wait()
            self._reader.join()
            raise RuntimeError("no server: " + "".join(self.log))
        self.url = line.strip().rstrip("/")
        self.port = int(self.url.rsplit(":", 1)[1])
        return self

    def __exit__(self, *error):
        self.stop()

    def stop(self, sig=signal.SIGTERM, timeout=60):
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.process.stdout.close()
        self._reader.join()
        report = "".join(self.log)
        if "Sanitizer: " in report or "runtime error: " in report:  # of a build with SAN
            raise AssertionError(report[max(0, report.find("Sanitizer: ") - 200) :][:20000])
        return code

    def connect(self, timeout=120):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def headers(self, more=None):
        h = {"Content-Type": "application/json"}
        if self.key:
            h["Authorization"] = f"Bearer {self.key}"
        return {**h, **(more or {})}

    def ask(self, path, body=None, headers=None, method=None, raw=None, timeout=120):
        c = self.connect(timeout)
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        c.request(method or ("POST" if data is not None else "GET"), path, data, self.headers(headers))
        r = c.getresponse()
        a = Answer(r.status, r.headers, r.read())
        c.close()
        return a

    def chat(self, text, **more):
        return self.ask("/v1/chat/completions", {"messages": [{"role": "user", "content": text}], **more})

    def stream(self, path, body):
        """(events as objects, the text of the whole stream)."""
        a = self.ask(path, {**body, "stream": True})
        text = a.body.decode()
        events = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
        return [json.loads(e) for e in events if e != "[DONE]"], text

    def rss(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def logged(self):
        out = []
        for line in "".join(self.log).splitlines():
            try:
                out.append(json.loads(line))
            except ValueError:
                pass
        return out

    def wait_logged(self, test, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [r for r in self.logged() if test(r)]
            if found:
                return found
            time.sleep(0.02)
        return []


def _drain(fd, into):
    def read():
        with os.fdopen(fd, "r", encoding="utf-8", errors="replace") as f:
            for line in f:
                into.append(line)

    t = threading.Thread(target=read, daemon=True)
    t.start()
    return t
