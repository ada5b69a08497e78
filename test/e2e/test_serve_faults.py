#!/usr/bin/env python3
"""The server when something around it breaks: certificates, a full disk, a database that can only be read, clients that
do not read; and what keys limit, over HTTP."""

import contextlib
import json
import os
import resource
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import Server  # noqa: E402
from silex import MODEL, Case, run  # noqa: E402

ASK = {"prompt": "One, two,", "max_tokens": 4, "temperature": 0}


def until(test, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if test():
            return True
        time.sleep(0.05)
    return False


@unittest.skipUnless(os.path.exists(MODEL), "no default model")
class Faults(Case):
    def setUp(self):
        super().setUp()
        self.db = os.path.join(self.dir, "s", "server.db")

    def add_key(self, *options):
        return self.ok("keys", "add", "ann", "--db", self.db, *options).strip()

    key = None

    def serve(self, *options, **more):
        s = Server("--slots", 4, "--ctx", 512, *options, **more)
        s.__enter__()
        self.addCleanup(s.stop)
        s.key = self.key
        return s

    def db_with_key(self, *options):
        self.key = self.add_key(*options)
        return self.db


class Tls(Faults):
    def make(self, name):
        if not shutil.which("openssl"):
            self.skipTest("no openssl here")
        key, cert = (os.path.join(self.dir, name + end) for end in (".key", ".pem"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
            + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
            check=True,
            capture_output=True,
        )
        return cert, key

    def test_answers_are_the_same_over_tls(self):
        cert, key = self.make("a")
        s = self.serve("--cert", cert, "--key", key)
        self.assertTrue(s.url.startswith("https://"))
        trust = ssl.create_default_context(cafile=cert)

        def post(stream):
            r = urllib.request.Request(
                f"https://localhost:{s.port}/v1/completions",
                json.dumps({**ASK, "stream": stream}).encode(),
                {"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(r, context=trust, timeout=60) as f:
                return f.read().decode()

        whole = json.loads(post(False))["choices"][0]["text"]
        events = [x[6:] for x in post(True).splitlines() if x.startswith("data: {")]
        self.assertEqual("".join(json.loads(e)["choices"][0]["text"] for e in events), whole)
        # who speaks plain HTTP, old TLS or nonsense gets nothing, and disturbs nobody
        for data in (b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", os.urandom(400), b"\x16\x03\x01\x00\x00"):
            c = socket.create_connection(("127.0.0.1", s.port), timeout=5)
            c.sendall(data)
            try:
                self.assertNotIn(b"200 OK", c.recv(4096))
            except (TimeoutError, ConnectionError):
                pass
            c.close()
        with self.assertRaises(urllib.error.URLError):  # nobody this client trusts has signed it
            urllib.request.urlopen(f"https://localhost:{s.port}/health", timeout=10)
        self.assertEqual(json.loads(post(False))["choices"][0]["text"], whole)

    def test_files_that_do_not_fit(self):
        cert, key = self.make("a")
        other = self.make("b")[1]
        junk = self.file("junk.pem", "no certificate\n")
        for c, k, place in [
            (os.path.join(self.dir, "none.pem"), key, "none.pem"),
            (cert, os.path.join(self.dir, "none.key"), "none.key"),
            (junk, key, "junk.pem"),
            (cert, junk, "a.pem"),
            (cert, other, "a.pem"),
            (key, cert, "a.key"),
        ]:
            with self.subTest(cert=c, key=k):
                argv = ["serve", MODEL, "--no-auth", "--port", 0, "--cert", c, "--key", k]
                self.refused(*argv, place=os.path.join(self.dir, place))


class Ledger(Faults):
    def full(self, s, more):
        """The files of this server may grow by `more` bytes from here on; None = as they like."""
        now = os.path.getsize(self.db + "-wal") if more is not None else 0
        soft = resource.RLIM_INFINITY if more is None else now + more
        resource.prlimit(s.process.pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))

    def test_a_full_disk_loses_no_usage(self):
        s = self.serve(db=self.db_with_key())
        first = s.ask("/v1/completions", ASK)
        self.assertEqual(first.status, 200)
        self.full(s, 100)
        second = s.ask("/v1/completions", ASK)  # begun before anybody knew: it ends as ever
        self.assertEqual(second.json["choices"], first.json["choices"])
        self.assertEqual(s.ask("/ready").status, 503)
        self.assertNotIn(self.dir, s.ask("/ready").body.decode())
        refused = s.ask("/v1/completions", ASK)
        self.assertEqual((refused.status, refused.error()["code"]), (503, "ledger_unavailable"))
        self.assertIn("Retry-After", refused.headers)
        self.assertEqual(s.ask("/health").status, 200)
        self.assertEqual(s.ask("/v1/models").status, 200)  # what needs no ledger goes on
        self.assertEqual(s.ask("/tokenize", {"prompt": "a"}).status, 200)
        self.full(s, None)
        self.assertTrue(until(lambda: s.ask("/ready").status == 200))
        self.assertEqual(s.ask("/v1/completions", ASK).json["choices"], first.json["choices"])
        self.assertEqual(s.stop(), 0)
        ids = {a.headers["X-Request-Id"] for a in (first, second)}
        c = sqlite3.connect(self.db)
        self.assertEqual(c.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        kept = {row[0] for row in c.execute("SELECT request FROM usage")}
        c.close()
        self.assertLessEqual(ids, kept)
        self.assertEqual(len(kept), 3)

    def test_a_database_that_can_only_be_read(self):
        self.add_key()
        os.chmod(self.db, 0o444)
        os.chmod(os.path.dirname(self.db), 0o555)
        os.chmod(self.dir, 0o755)
        self.addCleanup(os.chmod, os.path.dirname(self.db), 0o755)
        more = {}
        if os.geteuid() == 0:  # root may write anything: be somebody else
            more = {"user": 65534, "group": 65534}
            if run("--version", **more)[0]:
                self.skipTest("this tree cannot be read by other users")
        for verb in (["serve", MODEL, "--port", 0, "--db", self.db], ["keys", "add", "bob", "--db", self.db]):
            self.refused(*verb, place=self.db, says=["read"], **more)

    def test_no_database(self):
        self.refused("serve", MODEL, "--db", self.file("junk.db", b"x" * 5000), place=os.path.join(self.dir, "junk.db"))
        self.refused("serve", MODEL, "--db", self.dir, place=self.dir)


class Limits(Faults):
    def test_requests_a_minute(self):
        key, free = self.add_key("--per-minute", "3"), self.add_key()
        s = self.serve(db=self.db)
        s.key = key
        codes = [s.ask("/v1/completions", ASK) for _ in range(4)]
        self.assertEqual([a.status for a in codes], [200, 200, 200, 429])
        self.assertEqual(codes[3].error()["code"], "rate_limit_exceeded")
        self.assertTrue(1 <= int(codes[3].headers["Retry-After"]) <= 21)
        s.key = free  # another key is not limited by this one
        self.assertEqual(s.ask("/v1/completions", ASK).status, 200)

    def test_tokens_a_day_and_usage(self):
        s = self.serve(db=self.db_with_key("--day-tokens", "60", "--team", "blue"))
        key, spent = self.key, 0
        for _ in range(40):
            a = s.ask("/v1/completions", ASK)
            if a.status != 200:
                break
            spent += a.json["usage"]["total_tokens"]
        self.assertEqual((a.status, a.error()["code"]), (429, "insufficient_quota"))
        self.assertGreaterEqual(int(a.headers["Retry-After"]), 1)
        self.assertLessEqual(spent, 60)
        self.assertGreater(spent, 60 - 12)  # what one of these may take at most
        # a request that could go over is refused before it begins; one that fits is not
        self.assertEqual(s.ask("/v1/completions", {**ASK, "max_tokens": 50}).status, 429)
        never = s.ask("/v1/completions", {**ASK, "max_tokens": 400})  # nor tomorrow
        self.assertEqual((never.status, never.error()["param"]), (400, "max_tokens"))
        self.assertIn("60 a day", never.error()["message"])
        self.ok("keys", "quota", key[4:16], "--day-tokens", "10000", "--db", self.db)
        more = s.ask("/v1/completions", ASK)  # a running server sees it
        self.assertEqual(more.status, 200)
        spent += more.json["usage"]["total_tokens"]
        self.ok("keys", "revoke", key[4:16], "--db", self.db)
        self.assertEqual(s.ask("/v1/completions", ASK).status, 401)
        self.assertEqual(s.stop(), 0)
        out = self.ok("usage", "--db", self.db, "--by", "user,team", "--json")
        row = json.loads(out)["usage"][0]
        self.assertEqual((row["user"], row["team"]), ("ann", "blue"))
        self.assertEqual(row["prompt_tokens"] + row["completion_tokens"], spent)

    def test_an_answer_without_a_length_fits_the_quota(self):
        s = self.serve(db=self.db_with_key("--day-tokens", "60"))
        chat = {"messages": [{"role": "user", "content": "Count to one hundred."}], "ignore_eos": True}
        a = s.ask("/v1/chat/completions", chat)
        self.assertEqual((a.status, a.json["choices"][0]["finish_reason"]), (200, "length"))
        self.assertEqual(a.json["usage"]["total_tokens"], 60)
        a = s.ask("/v1/chat/completions", chat)  # nothing is left, tomorrow there is
        self.assertEqual((a.status, a.error()["code"]), (429, "insufficient_quota"))
        self.ok("keys", "quota", self.key[4:16], "--day-tokens", "20", "--db", self.db)
        a = s.ask("/v1/chat/completions", chat)  # the prompt alone is longer
        self.assertEqual((a.status, a.error()["code"]), (400, "quota_too_small"))

    def test_users_are_seen_by_administrators(self):
        ann, bob, boss = self.add_key(), self.add_key(), self.add_key("--admin")
        with contextlib.closing(sqlite3.connect(self.db)) as c:
            c.executescript(f"UPDATE key SET user='bob' WHERE name='{bob[4:16]}'; "
                            f"UPDATE key SET user='boss' WHERE name='{boss[4:16]}'")
        s = self.serve(db=self.db)
        for s.key in (ann, bob):
            self.assertEqual(s.ask("/v1/completions", ASK).status, 200)
        for key, users in ((ann, ["ann"]), (bob, ["bob"]), (boss, ["ann", "bob"])):
            s.key = key
            live = s.ask("/live").json
            self.assertEqual([u["user"] for u in live["users"]], users)
            self.assertEqual(live["total"]["answers"], 2)
        listed = json.loads(self.ok("keys", "list", "--db", self.db, "--json"))["keys"]
        self.assertEqual([k["admin"] for k in listed], [False, False, True])
        self.refused("keys", "quota", ann[4:16], "--admin", "--db", self.db, place="silex keys: --admin", says="add")

    def test_models_of_a_key(self):
        s = self.serve(db=self.db_with_key("--models", "other"))
        for path, body in (("/tokenize", {"prompt": "a"}), ("/detokenize", {"tokens": [1]})):
            a = s.ask(path, body)
            self.assertEqual((a.status, a.error()["code"]), (404, "model_not_found"))
        self.assertEqual(s.ask("/v1/models").json["data"], [])
        self.assertEqual(s.ask("/v1/completions", ASK).status, 404)


class Readers(Faults):
    def test_who_does_not_read_costs_the_memory_of_an_answer(self):
        s = self.serve()
        alone = s.ask("/v1/completions", {**ASK, "max_tokens": 100}).json["choices"]
        # The chip's steps are timed by then, which takes memory of its own.
        self.assertTrue(until(lambda: s.ask("/v1/completions", ASK).json["x_silex"]["ttft_s"] is not None, 120))
        body = json.dumps({**ASK, "max_tokens": 400, "stream": True, "ignore_eos": True, "logprobs": 20}).encode()
        request = (
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        before, held = s.rss(), []
        for _ in range(12):
            c = socket.socket()
            c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.connect(("127.0.0.1", s.port))
            c.sendall(request)
            held.append(c)
        self.assertTrue(until(lambda: s.ask("/live").json["batch"]["running"] == 0, 120))
        self.assertEqual(s.ask("/v1/completions", {**ASK, "max_tokens": 100}).json["choices"], alone)
        self.assertLess(s.rss() - before, 12 * 4e6)
        for c in held:
            c.close()

    def test_a_connection_without_progress_is_closed(self):
        s = self.serve("--timeout", 1)
        half = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
        half += b"Content-Type: application/json\r\n"
        for data in (b"", half, half + b"\r\n{"):
            c = socket.create_connection(("127.0.0.1", s.port), timeout=60)
            c.sendall(data)
            try:
                got = c.recv(4096)
            except ConnectionError:
                got = b""
            self.assertNotIn(b" 200 ", got)
            c.close()
        # whoever is waited for by the engine is not without progress
        self.assertEqual(s.ask("/v1/completions", {**ASK, "max_tokens": 300, "ignore_eos": True}).status, 200)


if __name__ == "__main__":
    unittest.main()
