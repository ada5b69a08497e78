#!/usr/bin/env python3
"""The server against hostile HTTP: framing that two readers could read differently, targets that lead elsewhere,
headers without end, bodies that stop, and hundreds of requests that are one byte off. It answers with a refusal or
closes the connection, never with what was smuggled, and serves the next client."""

import concurrent.futures
import json
import os
import random
import re
import resource
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import Server  # noqa: E402
from silex import MODEL, ROOT, Case, run  # noqa: E402

BODY = b'{"prompt":"a","max_tokens":1}'
GOOD = (
    b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer KEY\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


def talk(port, data, wait=5, leave=True):
    """What comes back until the server closes, or nothing more comes. leave: this side says that it sends no more,
    which the server takes for a client that is gone."""
    s = socket.create_connection(("127.0.0.1", port), timeout=wait)
    got = b""
    try:
        s.sendall(data)
        if leave:
            s.shutdown(socket.SHUT_WR)
        while more := s.recv(65536):
            got += more
    except OSError:  # closed by the server, or silent
        pass
    s.close()
    return got


def statuses(got):
    return [int(x) for x in re.findall(rb"HTTP/1\.[01] (\d\d\d) ", got)]


@unittest.skipUnless(os.path.exists(MODEL), "no default model")
class Http(Case):
    @classmethod
    def setUpClass(cls):
        import tempfile

        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        db = os.path.join(folder.name, "s", "server.db")
        cls.key = run("keys", "add", "ann", "--db", db)[1].strip()
        cls.server = Server("--slots", 4, "--ctx", 512, db=db)
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.stop)
        cls.server.key = cls.key

    def setUp(self):
        super().setUp()
        self.addCleanup(self.alive)

    def alive(self):
        self.assertIsNone(self.server.process.poll(), "the server is gone")
        self.assertEqual(self.server.ask("/health").status, 200)
        self.assertEqual(self.server.ask("/v1/completions", {"prompt": "a", "max_tokens": 1}).status, 200)

    def raw(self, data, wait=5, leave=True):
        return talk(self.server.port, data.replace(b"KEY", self.key.encode()), wait, leave)

    def lines(self, *lines, body=BODY):
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    def post(self, *headers, body=BODY, target=b"/v1/completions", leave=True):
        return self.raw(
            leave=leave,
            data=self.lines(
                b"POST " + target + b" HTTP/1.1",
                b"Host: localhost",
                b"Authorization: Bearer KEY",
                b"Content-Type: application/json",
                *headers,
                body=body,
            )
        )

    def test_the_base_request_is_good(self):
        last = GOOD.replace(b"Host", b"Connection: close\r\nHost")
        self.assertEqual(statuses(self.raw(last, 60, False)), [200])
        self.assertEqual(statuses(self.raw(GOOD + last, 60, False)), [200, 200])  # one behind the other

    def test_no_host(self):
        """HTTP/1.1 asks for one: one answer says so, in JSON, and the connection is closed."""
        start = time.monotonic()
        got = self.raw(b"GET /health HTTP/1.1\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 20, False)
        self.assertLess(time.monotonic() - start, 5)  # closed, not waited for
        self.assertEqual(statuses(got), [400])
        head, body = got.split(b"\r\n\r\n", 1)
        self.assertIn(b"Connection: close", head)
        self.assertEqual(json.loads(body)["error"]["code"], "bad_request")
        self.assertEqual(statuses(self.raw(b"GET /health HTTP/1.0\r\n\r\n", 20, False)), [200])

    def test_framing_that_two_readers_could_read_differently(self):
        n = b"Content-Length: %d" % len(BODY)
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
        got = self.post(b"Transfer-Encoding: chunked", b"Connection: close", body=chunked, leave=False)
        self.assertEqual(statuses(got), [200])
        for headers, body in [
            ([n, b"Transfer-Encoding: chunked"], chunked),
            ([b"Transfer-Encoding: chunked", n], chunked),
            ([n, b"Content-Length: 5"], BODY),
            ([b"Content-Length: 5", n], BODY),
            ([n, n], BODY),
            ([b"Content-Length: %d, 5" % len(BODY)], BODY),
            ([b"Content-Length: +%d" % len(BODY)], BODY),
            ([b"Content-Length: -1"], BODY),
            ([b"Content-Length: 0x1d"], BODY),
            ([b"Content-Length: 99999999999999999999999"], BODY),
            ([b"Content-Length : %d" % len(BODY)], BODY),
            ([b"Transfer-Encoding: xchunked"], chunked),
            ([b"Transfer-Encoding: gzip, chunked"], chunked),
            ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"], chunked),
            ([b"Transfer-Encoding:\x0bchunked"], chunked),
            ([b"Transfer-Encoding : chunked"], chunked),
            ([b"Transfer-Encoding: chunked"], b"zz\r\n" + chunked),
            ([b"Transfer-Encoding: chunked"], b"-1\r\n" + chunked),
            ([b"Transfer-Encoding: chunked"], b"ffffffffffffffff0\r\n" + chunked),
            ([n, b"Host: localhost"], BODY),
            ([n, b"Authorization: Bearer other"], BODY),
        ]:
            with self.subTest(headers=headers, body=body[:20]):
                # a smuggled request would ask for the models behind this one
                got = self.post(
                    *headers,
                    body=body + b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer KEY\r\n\r\n",
                )
                self.assertNotIn(200, statuses(got)[:1], got[:300])
                self.assertNotIn(b'"object":"list"', got)

    def test_a_body_that_stops_begins_nothing(self):
        before = self.made()
        for data in (
            GOOD[:-1],
            GOOD[: GOOD.index(b"\r\n\r\n") + 4],
            GOOD[:40],
            self.lines(
                b"POST /v1/completions HTTP/1.1",
                b"Host: localhost",
                b"Authorization: Bearer KEY",
                b"Content-Type: application/json",
                b"Transfer-Encoding: chunked",
                body=b"ff\r\n" + BODY,
            ),
        ):
            self.assertNotIn(200, statuses(self.raw(data, wait=1)))
        self.assertEqual(self.made(), before)

    def made(self):
        text = self.server.ask("/metrics").body.decode()
        return [x for x in text.splitlines() if x.startswith("silex:generation_tokens_total")]

    def test_targets_lead_nowhere_else(self):
        for target in [
            b"/../../etc/passwd",
            b"/%2e%2e/%2e%2e/etc/passwd",
            b"/..%2f..%2fetc/passwd",
            b"//etc/passwd",
            b"/style.css/../../../etc/passwd",
            b"/style.css%00.html",
            b"/health%00/../v1/models",
            b"/v1/models%00",
            b"/v1//models",
            b"/V1/MODELS",
            b"/v1/models/..%2f..%2f..%2fetc%2fpasswd",
            b"http://other.example/v1/models",
            b"*",
            b"/" + b"a" * 20000,
            b"/%ff%fe%c0%af..%c0%af",
            b"/v1/embeddings",
            b"/v1/files",
        ]:
            with self.subTest(target=target[:60]):
                head = b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n"
                got = self.raw(head + b"Authorization: Bearer KEY\r\n\r\n")
                self.assertNotIn(200, statuses(got), got[:200])
                self.assertNotIn(b"root:", got)
                got = self.raw(head + b"\r\n")  # nor without a key
                self.assertTrue(set(statuses(got)) <= {400, 401, 414, 431}, got[:200])

    def test_who_has_no_key_learns_nothing(self):
        """Open are /health, /ready, and the files of the page, which are the same for everybody."""
        page = ["/", "/style.css", "/app.js", "/api.js", "/chat.js", "/live.js", "/icon.svg", "/chart.js"]
        for path in ["/health", "/ready", *page]:
            self.assertEqual(self.server.ask(path, headers={"Authorization": ""}).status, 200, path)
        for path in page:
            body = self.server.ask(path, headers={"Authorization": ""}).body
            for secret in (self.key, self.server.ask("/v1/models").json["data"][0]["id"]):
                self.assertNotIn(secret.encode(), body, path)
        closed = [
            "/metrics",
            "/live",
            "/v1/models",
            "/v1/models/x",
            "/v1/chat/completions",
            "/v1/completions",
            "/v1/responses",
            "/tokenize",
            "/detokenize",
            "/v1/embeddings",
            "/index.html",
            "/favicon.ico",
            "/.git/config",
            "/docs",
            "/nothing",
        ]
        for path in closed:
            for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"):
                for key in ("", "Bearer", "Bearer ", "Bearer slx_0", "Basic YTpi", "Bearer " + self.key[:-1] + "0"):
                    raw = b"" if method in ("POST", "PUT", "PATCH") else None
                    a = self.server.ask(path, raw=raw, method=method, headers={"Authorization": key})
                    self.assertEqual(a.status, 401, (path, method, key))
        with open(os.path.join(ROOT, "packaging", "openapi.json"), encoding="utf-8") as f:
            paths = json.load(f)["paths"]
        for path in paths:
            if path not in ("/health", "/ready"):
                self.assertIn(path.replace("{name}", "x"), closed, "a path of openapi.json that is not tried here")

    def test_headers_without_end(self):
        start = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
        long = b"b" * 200000
        for more in (b"X-A: b\r\n" * 20000, b"X-A: " + long + b"\r\n", long + b": b\r\n", b"\r" * 100000):
            got = self.raw(start + more + b"\r\n")
            self.assertTrue(not got or statuses(got)[0] in (400, 413, 431), got[:100])

    def test_many_silent_connections(self):
        """Two thousand that say nothing, or half a request: the others are served, and memory stays in bounds."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < 3000 <= hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3000, hard))
        before = self.server.rss()
        held = []
        try:
            for i in range(2000):
                s = socket.create_connection(("127.0.0.1", self.server.port))
                if i % 2:
                    s.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nX-A: ")
                held.append(s)
        except OSError as e:
            self.skipTest(f"this process may not open so many: {e}")
        finally:
            try:
                if len(held) == 2000:
                    self.alive()
                    self.assertLess(self.server.rss() - before, 200e6)
            finally:
                for s in held:
                    s.close()

    def test_one_byte_off(self):
        """Requests changed at random places: whatever comes back is HTTP, and no 5xx."""
        r = random.Random(7)
        for _ in range(400):
            data = bytearray(GOOD.replace(b"KEY", self.key.encode()))
            for _ in range(r.randrange(1, 4)):
                at = r.randrange(len(data))
                change = r.randrange(4)
                if change == 0:
                    data[at] = r.randrange(256)
                elif change == 1:
                    del data[at : at + r.randrange(1, 20)]
                elif change == 2:
                    data[at:at] = bytes(r.randrange(256) for _ in range(r.randrange(1, 6)))
                else:
                    data[at:at] = data[r.randrange(len(data)) :][: r.randrange(1, 60)]
            got = talk(self.server.port, bytes(data), wait=1)
            self.assertTrue(not got or got.startswith(b"HTTP/1."), (bytes(data), got[:200]))
            self.assertFalse([s for s in statuses(got) if s >= 500], (bytes(data), got[:400]))
        logged = "".join(self.server.log)
        self.assertNotIn(self.key, logged)
        self.assertNotIn(self.key[17:], logged)



def drip(port, first, rest, piece, every_s, limit_s):
    """Sends `first`, then `rest` in pieces. (What came back, seconds until the server closed; None: it did not.)"""
    start, got = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.settimeout(every_s)
        try:
            s.sendall(first)
            while time.monotonic() - start < limit_s:
                if rest:
                    s.sendall(rest[:piece])
                    rest = rest[piece:]
                try:
                    more = s.recv(65536)
                    if not more:
                        return got, time.monotonic() - start
                    got += more
                    if not rest:
                        return got, None
                except TimeoutError:
                    pass
        except OSError:  # reset: closed as well
            return got, time.monotonic() - start
    return got, None


@unittest.skipUnless(os.path.exists(MODEL), "no default model")
class Drips(Case):
    """A byte now and then is progress to a library; a request has its time all the same."""

    def test_who_drips_is_closed_and_who_is_only_slow_is_not(self):
        text = b'{"prompt":"a","max_tokens":1,"user":"%s"}' % (b"x" * 60000)
        head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += b"Content-Length: %d\r\n\r\n" % len(text)
        with Server("--timeout", 3, "--slots", 2, "--ctx", 512) as s:
            headers = (s.port, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: ", b"x" * 5000, 1, 0.5, 30)
            again = (s.port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /", b"x" * 5000, 1, 0.5, 40)
            body = (s.port, head, text, 100, 0.5, 30)  # 200 bytes a second
            slow = (s.port, head, text, 6000, 0.5, 30)  # 12,000 bytes a second: longer than 3 s in all
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                of_headers, of_next, of_body, of_slow = pool.map(lambda a: drip(*a), (headers, again, body, slow))
            for got, closed in (of_headers, of_body):
                self.assertEqual(got, b"")
                self.assertIsNotNone(closed)
                self.assertGreater(closed, 2.5)
            self.assertEqual(statuses(of_next[0]), [200])  # the first request was whole
            self.assertIsNotNone(of_next[1])
            self.assertGreater(of_next[1], 5.5)
            self.assertEqual((statuses(of_slow[0]), of_slow[1]), ([200], None))
            self.assertEqual(s.ask("/health").status, 200)


if __name__ == "__main__":
    unittest.main()
