#!/usr/bin/env python3
"""Aggregate decode beside llama.cpp's own server: the same model file, the same requests, in turns, two threads each.

  test/soak/serve_beside.py PYTHON [--streams 16] [--tokens 96] [--rounds 5] [--cpu avx2]

PYTHON has the package xllamacpp (llama.cpp's server as a library; its wheels are built for AVX2). --cpu holds Silex
to a level of instructions (SLX_CPU)."""

import argparse
import concurrent.futures
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from serving import Server  # noqa: E402
from silex import MODEL  # noqa: E402

OTHER = """
import sys, time, xllamacpp as x
p = x.CommonParams()
p.model.path = sys.argv[1]
p.n_parallel, p.n_ctx, p.n_gpu_layers = int(sys.argv[2]), int(sys.argv[2]) * 512, 0
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 2
p.port = int(sys.argv[3])
s = x.Server(p)
print("at", s.listening_address, flush=True)
sys.stdin.read()
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(url, i, tokens):
    body = {"prompt": f"Story number {i}: once", "max_tokens": tokens, "temperature": 0, "ignore_eos": True}
    r = urllib.request.Request(url + "/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(r, timeout=600) as f:
        return json.load(f)["usage"]["completion_tokens"]


def rate(url, streams, tokens):
    """Tokens a second of all streams together."""
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(streams) as pool:
        made = sum(pool.map(lambda i: ask(url, i, tokens), range(streams)))
    assert made == streams * tokens, made
    return made / (time.monotonic() - start)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("python")
    p.add_argument("--streams", type=int, default=16)
    p.add_argument("--tokens", type=int, default=96)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--cpu")
    a = p.parse_args()
    argv = [a.python, "-c", OTHER, MODEL, str(a.streams), str(free_port())]
    env = {"SLX_CPU": a.cpu} if a.cpu else {}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(argv, text=True, **pipes) as o:
        other = next(line.split()[1] for line in o.stdout if line.startswith("at ")).rstrip("/")
        with Server("--slots", a.streams, "--threads", 2, "--quiet", env=env) as server:
            for url in (other, server.url):  # warm
                rate(url, a.streams, 8)
            rows = [(rate(server.url, a.streams, a.tokens), rate(other, a.streams, a.tokens)) for _ in range(a.rounds)]
        o.stdin.close()
        o.kill()
    ours, theirs = (statistics.median(column) for column in zip(*rows))
    ratio = statistics.median(x / y for x, y in rows)
    print(f"{a.streams} streams: {ours:.0f} tokens/s, llama.cpp's server {theirs:.0f} tokens/s: x {ratio:.2f}")


main()
