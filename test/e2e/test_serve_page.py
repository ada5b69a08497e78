#!/usr/bin/env python3
"""The page in a real Chromium: streams, charts, keyboard, dark, phone width, accessibility, and not one fault in the
console or against its own policy. SLX_SHOTS=FOLDER keeps the screenshots."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import clients  # noqa: E402
from serving import Server  # noqa: E402
from silex import MODEL, Case  # noqa: E402
from test_serve_clients import USE, add_key  # noqa: E402


@unittest.skipUnless(os.path.exists(MODEL), "no default model")
@unittest.skipUnless(clients.CHROMIUM, "no chromium here")
class Page(Case):
    def test_in_chromium(self):
        clients.node()
        os.environ["CHROMIUM"] = clients.CHROMIUM
        db = os.path.join(self.dir, "s", "server.db")
        key = add_key(db)
        with Server(db=db) as s:
            p = clients.run_node(os.path.join(USE, "page.mjs"), s.url, key, os.environ.get("SLX_SHOTS", ""))
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        self.assertEqual(p.stdout.count("ok "), 5)


if __name__ == "__main__":
    unittest.main()
