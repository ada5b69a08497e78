"""Packages of other people that tests talk to the server with: installed once under the build folder, by pip and npm.
Where they cannot be had the tests that need them are skipped, and say so."""

import os
import shutil
import subprocess
import sys
import unittest

from silex import ROOT

HOME = os.path.join(ROOT, os.environ.get("SLX_BUILD", "build"), "clients")
PYTHON = ["openai==3.57.0", "jsonschema==4.25.1"]
NODE = ["openai@6.49.0", "playwright-core@1.65.1", "axe-core@4.14.1"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def _run(*argv, cwd=None):
    p = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)
    if p.returncode:
        raise unittest.SkipTest(f"{' '.join(argv[:4])}: {(p.stderr or p.stdout).strip()[-200:]}")


def _once(name, wanted, make):
    """The folder, made anew when what is wanted has changed."""
    folder, stamp = os.path.join(HOME, name), os.path.join(HOME, name + ".stamp")
    try:
        with open(stamp, encoding="utf-8") as f:
            if f.read() == wanted:
                return folder
    except FileNotFoundError:
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    make(folder)
    with open(stamp, "w", encoding="utf-8") as f:
        f.write(wanted)
    return folder


def python():
    """A Python with the packages above."""

    def make(folder):
        _run(sys.executable, "-m", "venv", folder)
        _run(os.path.join(folder, "bin", "pip"), "install", "-q", "--disable-pip-version-check", *PYTHON)

    try:
        return os.path.join(_once("python", " ".join(PYTHON), make), "bin", "python")
    except OSError as e:
        raise unittest.SkipTest(str(e)) from e


def node():
    """A folder whose node_modules has the packages above."""

    def make(folder):
        with open(os.path.join(folder, "package.json"), "w", encoding="utf-8") as f:
            f.write('{"private": true}')
        _run("npm", "install", "--no-fund", "--no-audit", *NODE, cwd=folder)

    if not shutil.which("npm"):
        raise unittest.SkipTest("no npm here")
    return _once("node", " ".join(NODE), make)


def run_python(script, *args, timeout=300):
    return subprocess.run([python(), script, *args], capture_output=True, text=True, timeout=timeout, check=False)


def run_node(script, *args, timeout=300):
    env = {**os.environ, "CLIENTS": node()}
    return subprocess.run(
        ["node", script, *args], capture_output=True, text=True, timeout=timeout, env=env, check=False
    )
