#!/usr/bin/env python3
"""Clients that others wrote, unmodified: the official openai packages of Python and JavaScript, and curl."""

import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import clients  # noqa: E402
from serving import Server  # noqa: E402
from silex import MODEL, ROOT, TOOL_TEMPLATE, Case, run  # noqa: E402

USE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "use")


def add_key(db, *options):
    code, out, err = run("keys", "add", "ann", "--db", db, *options)
    if code:
        raise RuntimeError(err)
    return out.strip()


@unittest.skipUnless(os.path.exists(MODEL), "no default model")
class Clients(Case):
    def check(self, p):
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        self.assertNotIn("not ok", p.stdout)
        self.assertIn("ok 5", p.stdout)

    def test_python(self):
        clients.python()
        db = os.path.join(self.dir, "s", "server.db")
        key, limited = add_key(db), add_key(db, "--per-minute", "60")
        with Server(db=db) as s, Server("--chat-template", TOOL_TEMPLATE) as t:
            self.check(clients.run_python(os.path.join(USE, "openai_client.py"), s.url, key, t.url, limited))

    def test_javascript(self):
        clients.node()
        db = os.path.join(self.dir, "s", "server.db")
        key = add_key(db)
        with Server(db=db) as s:
            self.check(clients.run_node(os.path.join(USE, "openai_client.mjs"), s.url, key))

    @unittest.skipUnless(shutil.which("curl"), "no curl here")
    def test_curl(self):
        with Server() as s:
            body = {
                "messages": [{"role": "user", "content": "What is the capital of Japan?"}],
                "stream": True,
                "temperature": 0,
            }
            p = subprocess.run(
                [
                    "curl",
                    "-sN",
                    s.url + "/v1/chat/completions",
                    "-H",
                    "Content-Type: application/json",
                    "-d",
                    json.dumps(body),
                ],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        lines = [line for line in p.stdout.split("\n") if line]
        self.assertEqual(lines[-1], "data: [DONE]")
        self.assertIn(
            "Tokyo", "".join(json.loads(line[6:])["choices"][0]["delta"].get("content", "") for line in lines[:-1])
        )


if __name__ == "__main__":
    unittest.main()
