"""What the tests of the command share: where it is, how to run it, and the shape of a refusal."""
import os
import re
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SILEX = os.path.join(ROOT, os.environ.get("SLX_BUILD", "build"), "silex")
TOOL_TEMPLATE = os.path.join(ROOT, "test", "vectors", "chat", "templates", "Qwen-Qwen2.5-7B-Instruct.jinja")
MODEL = os.path.join(ROOT, "models", "SmolLM2-135M-Instruct.Q4_1.gguf")


def run(*args, stdin=b"", timeout=120, **more):
    """(exit code, stdout, stderr) as text; run from the root of the tree."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    p = subprocess.run([SILEX, *map(str, args)], input=stdin, capture_output=True, cwd=ROOT, timeout=timeout,
                       check=False, **more)
    return p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace")


@unittest.skipUnless(os.access(SILEX, os.X_OK), f"{SILEX} is not built")
class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = folder.name

    def file(self, name, content):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(content.encode() if isinstance(content, str) else content)
        return path

    def ok(self, *args, **more):
        code, out, err = run(*args, **more)
        self.assertEqual((code, err if code else ""), (0, ""), f"silex {args}")
        return out

    def refused(self, *args, place, says=(), **more):
        """Exit 2, nothing on stdout, one line on stderr that begins with the place; below it at most the source line
        and its caret. No file is left behind."""
        before = sorted(os.listdir(self.dir))
        code, out, err = run(*args, **more)
        what = f"silex {args}: {err!r}"
        self.assertEqual(code, 2, what)
        self.assertEqual(out, "", what)
        lines = err.splitlines()
        self.assertTrue(lines and lines[0].startswith(place), what)
        if len(lines) > 1:
            self.assertEqual(len(lines), 3, what)
            self.assertRegex(lines[1], r"^ *\d+ \| ")
            self.assertRegex(lines[2], r"^ +\| *\^$")
        for word in [says] if isinstance(says, str) else says:
            self.assertIn(word, lines[0], what)
        self.assertFalse(re.search(r"[\x00-\x09\x0b-\x1f\x7f]", err), what)
        self.assertEqual(sorted(os.listdir(self.dir)), before, what)
        return lines[0]
