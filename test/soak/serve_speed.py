#!/usr/bin/env python3
"""How fast the server is beside itself and beside `silex run`: tokens a second at 1 and at 16 streams, time to the
first byte at idle, time between steps.

  test/soak/serve_speed.py [--tokens 96] [--repeat 3]

Ratios within one run, each the median; absolute figures depend on the host and what else it does."""

import argparse
import json
import os
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from serving import Server  # noqa: E402
from silex import MODEL, run  # noqa: E402

QUESTION = "Write a long story about a lighthouse and its keeper."


def decode_rate(server, streams, tokens):
    """Tokens a second of all streams together, from the first token of the last one to the end of the first."""
    times = [[] for _ in range(streams)]

    def one(k):
        c = server.connect()
        body = {"messages": [{"role": "user", "content": f"{QUESTION} Number {k}."}], "temperature": 0, "stream": True}
        ids = {str(i): -100 for i in range(17)}  # no control token: every answer is as long as asked
        c.request(
            "POST",
            "/v1/chat/completions",
            json.dumps({**body, "max_tokens": tokens, "logit_bias": ids}),
            server.headers(),
        )
        for line in c.getresponse():
            if line.startswith(b"data: ") and b'"content":"' in line:
                times[k].append(time.monotonic())
        c.close()

    threads = [threading.Thread(target=one, args=(k,)) for k in range(streams)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    start, end = max(t[1] for t in times), min(t[-1] for t in times)
    return sum(sum(start < x <= end for x in t) for t in times) / (end - start)


def first_byte(server):
    c = server.connect()
    c.connect()
    body = {"messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "stream": True, "max_tokens": 2}
    start = time.monotonic()
    c.request("POST", "/v1/chat/completions", json.dumps(body), server.headers())
    for line in c.getresponse():
        if b'"content":"' in line and b'"role"' not in line:
            break
    took = time.monotonic() - start
    c.close()
    return took


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tokens", type=int, default=96)
    p.add_argument("--repeat", type=int, default=3)
    a = p.parse_args()
    ratios, ones, sixteens, firsts = [], [], [], []
    with Server("--slots", 16, "--quiet", "--no-prefix-cache") as server:
        first_byte(server)
        time.sleep(5)  # the chip's steps are being timed
        for _ in range(a.repeat):
            one, sixteen = decode_rate(server, 1, a.tokens), decode_rate(server, 16, a.tokens)
            ones.append(one)
            sixteens.append(sixteen)
            ratios.append(sixteen / one)
            served = statistics.median(first_byte(server) for _ in range(5))
            alone = []
            for _ in range(5):
                _, out, _ = run("run", MODEL, "-p", QUESTION, "-n", "2", "--json")
                j = json.loads(out)
                alone.append(j["prompt_tokens"] / j["host"]["prefill_tok_s"])
            firsts.append(served / statistics.median(alone))
        text = server.ask("/metrics").body.decode()
        value = {x.split("{")[0]: float(x.rsplit(" ", 1)[1]) for x in text.splitlines() if x[0] != "#"}
    own = value["silex:scheduler_seconds_total"] / value["silex:engine_step_seconds_total"]
    one, sixteen = statistics.median(ones), statistics.median(sixteens)
    print(f"1 stream {one:.0f} tokens/s, 16 streams {sixteen:.0f} tokens/s: x {statistics.median(ratios):.2f}")
    print(f"first byte {statistics.median(firsts):.2f} x the first token of silex run")
    print(f"between steps {own * 100:.1f} % of step time")


main()
