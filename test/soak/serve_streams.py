#!/usr/bin/env python3
"""Many streams for minutes: every greedy answer equals its solo run bit for bit, and memory stays flat.

  test/soak/serve_streams.py [--seconds 300] [--streams 64] [--pages N] [--ctx N] [--no-prefix-cache]

Solo answers come from a server with one slot and no prefix cache. Then `streams` clients ask at once, again and again,
prompts of mixed lengths, streamed and whole; some leave in the middle. --pages 20 --ctx 2048 forces preemption."""

import argparse
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from serving import Server  # noqa: E402

WORDS = (
    "river stone light wind paper glass copper garden winter signal market engine harbor letter silver forest".split()
)


def bodies(n):
    r = random.Random(1)
    made = []
    for i in range(n):
        prompt = " ".join(r.choice(WORDS) for _ in range(r.choice([3, 10, 40, 150, 300])))
        if i % 4 == 0:  # a common beginning, longer than a page
            prompt = " ".join(WORDS * 12) + " " + prompt
        made.append(
            {
                "messages": [{"role": "user", "content": prompt}],
                "temperature": 0,
                "max_tokens": r.choice([4, 16, 48, 120]),
            }
        )
    return made


def whole(server, body):
    a = server.ask("/v1/chat/completions", body, timeout=600)
    assert a.status == 200, a.body[:300]
    return a.json["choices"][0]["message"]["content"]


def streamed(server, body):
    events, text = server.stream("/v1/chat/completions", body)
    assert text.endswith("data: [DONE]\n\n"), text[-200:]
    return "".join(e["choices"][0]["delta"].get("content") or "" for e in events)


def leave(server, body):
    c = server.connect()
    c.request("POST", "/v1/chat/completions", json.dumps({**body, "stream": True}).encode(), server.headers())
    c.getresponse().read(300)
    c.sock.close()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=float, default=300)
    p.add_argument("--streams", type=int, default=64)
    p.add_argument("--pages", type=int, default=0)
    p.add_argument("--ctx", type=int, default=0, help="positions of a sequence; with few pages it forces preemption")
    p.add_argument("--no-prefix-cache", action="store_true")
    a = p.parse_args()
    asks = bodies(48)
    with Server("--slots", 1, "--no-prefix-cache", "--quiet") as alone:
        want = [whole(alone, b) for b in asks]
    options = ["--slots", 64, "--quiet", "--kv-pages", a.pages]
    if a.ctx:
        options += ["--ctx", a.ctx]
    if a.no_prefix_cache:
        options.append("--no-prefix-cache")
    done, wrong, left, tokens = [0], [], [0], [0]
    with Server(*options) as server:
        end = time.monotonic() + a.seconds

        def client(k):
            r = random.Random(k)
            while time.monotonic() < end:
                i = r.randrange(len(asks))
                try:
                    if r.random() < 0.03:
                        leave(server, asks[i])
                        left[0] += 1
                        continue
                    got = (streamed if r.random() < 0.7 else whole)(server, asks[i])
                except Exception as e:  # whatever a broken server makes a client see
                    wrong.append((i, repr(e)))
                    return
                done[0] += 1
                if got != want[i]:
                    wrong.append((i, got))

        threads = [threading.Thread(target=client, args=(k,)) for k in range(a.streams)]
        for t in threads:
            t.start()
        time.sleep(min(30, a.seconds / 4))
        early = server.rss()
        for t in threads:
            t.join()
        late = server.rss()
        text = server.ask("/metrics").body.decode()
        value = {line.split("{")[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[0] != "#"}
    steps, own = value["silex:engine_step_seconds_total"], value["silex:scheduler_seconds_total"]
    print(f"{done[0]} answers, {len(wrong)} wrong, {left[0]} clients left")
    print(
        f"{value['silex:generation_tokens_total']:.0f} tokens, {value['silex:num_preemptions_total']:.0f} preemptions, "
        f"{value['silex:prefix_cache_hits_total']:.0f} of {value['silex:prompt_tokens_total']:.0f} prompt tokens cached"
    )
    print(f"between steps {own / steps * 100:.2f} % of step time")
    print(f"memory {early / 1e6:.0f} MB early, {late / 1e6:.0f} MB late")
    for i, got in wrong[:3]:
        print(f"wrong: ask {i}: {got!r}\n  alone: {want[i]!r}")
    return 1 if wrong or not done[0] else 0


sys.exit(main())
