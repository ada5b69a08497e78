#!/usr/bin/env python3
"""The server over plain HTTP with the default model: shapes, exact answers under load, refusals, faults of clients."""

import concurrent.futures
import datetime
import json
import os
import signal
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import Server  # noqa: E402
from silex import MODEL, Case, run  # noqa: E402

QUESTION = "What is the capital of Japan?"


def text_of(events):
    return "".join(c["delta"].get("content") or "" for e in events for c in e["choices"])


@unittest.skipUnless(os.path.exists(MODEL), "no default model")
class Served(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--slots", "16", "--queue", "32")
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.stop)


class Answers(Served):
    def test_chat_says_what_run_says(self):
        code, out, _ = run("run", MODEL, "-p", QUESTION, "--json")
        alone = json.loads(out)
        self.assertEqual(code, 0)
        a = self.server.chat(QUESTION, temperature=0).json
        self.assertEqual(a["object"], "chat.completion")
        self.assertEqual(a["choices"][0]["message"], {"role": "assistant", "content": alone["text"], "refusal": None})
        self.assertEqual(a["choices"][0]["finish_reason"], "stop")
        self.assertEqual(a["usage"]["prompt_tokens"], alone["prompt_tokens"])
        self.assertEqual(a["usage"]["completion_tokens"], len(alone["tokens"]))
        self.assertEqual(a["usage"]["total_tokens"], alone["prompt_tokens"] + len(alone["tokens"]))

    def test_stream_is_the_whole_answer_in_pieces(self):
        body = {"messages": [{"role": "user", "content": QUESTION}], "temperature": 0}
        whole = self.server.ask("/v1/chat/completions", body).json["choices"][0]["message"]["content"]
        events, text = self.server.stream("/v1/chat/completions", {**body, "stream_options": {"include_usage": True}})
        self.assertEqual(text_of(events), whole)
        self.assertTrue(text.endswith("data: [DONE]\n\n"))
        self.assertEqual(events[0]["choices"][0]["delta"]["role"], "assistant")
        self.assertEqual(events[-2]["choices"][0]["finish_reason"], "stop")
        self.assertEqual(events[-1]["choices"], [])
        self.assertGreater(events[-1]["usage"]["completion_tokens"], 3)
        self.assertEqual({e["object"] for e in events}, {"chat.completion.chunk"})
        self.assertEqual(len({e["id"] for e in events}), 1)

    def test_stop_strings_end_it_before_them(self):
        whole = self.server.chat(QUESTION, temperature=0).json["choices"][0]["message"]["content"]
        self.assertIn(" of Japan", whole)
        for stop in (" of Japan", ["zzz", "f Ja"], "capital of"):
            first = [whole.index(s) for s in ([stop] if isinstance(stop, str) else stop) if s in whole]
            body = {"messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "stop": stop}
            a = self.server.ask("/v1/chat/completions", body).json["choices"][0]
            self.assertEqual((a["message"]["content"], a["finish_reason"]), (whole[: min(first)], "stop"))
            events, _ = self.server.stream("/v1/chat/completions", body)
            self.assertEqual(text_of(events), whole[: min(first)])

    def test_completions_take_text_lists_and_tokens(self):
        texts = ["The sky is", "One, two,"]
        ids = [self.server.ask("/tokenize", {"prompt": t}).json["tokens"] for t in texts]
        for t, i in zip(texts, ids):
            self.assertEqual(self.server.ask("/detokenize", {"tokens": i}).json["prompt"], t)
        ask = {"max_tokens": 6, "temperature": 0}
        by_text = self.server.ask("/v1/completions", {"prompt": texts, **ask}).json
        by_ids = self.server.ask("/v1/completions", {"prompt": ids, **ask}).json
        self.assertEqual([c["text"] for c in by_text["choices"]], [c["text"] for c in by_ids["choices"]])
        self.assertEqual([c["index"] for c in by_text["choices"]], [0, 1])
        self.assertEqual(by_text["usage"]["prompt_tokens"], sum(map(len, ids)))
        one = self.server.ask("/v1/completions", {"prompt": ids[1], **ask}).json
        self.assertEqual(one["choices"][0]["text"], by_text["choices"][1]["text"])

    def test_seeds_repeat_and_answers_of_one_request_differ(self):
        def ask(**more):
            a = self.server.chat("Tell me a story.", max_tokens=12, temperature=1.2, **more).json
            return [c["message"]["content"] for c in a["choices"]]

        self.assertEqual(ask(seed=7), ask(seed=7))
        self.assertNotEqual(ask(seed=7), ask(seed=8))
        two = ask(seed=7, n=2)
        self.assertNotEqual(two[0], two[1])
        self.assertEqual(two[0], ask(seed=7)[0])
        self.assertNotEqual(ask(), ask())  # without a seed, each its own

    def test_logprobs_are_of_the_tokens(self):
        a = self.server.chat(QUESTION, temperature=0, logprobs=True, top_logprobs=3, max_tokens=5).json["choices"][0]
        entries = a["logprobs"]["content"]
        self.assertEqual(len(entries), 5)
        self.assertEqual("".join(e["token"] for e in entries), a["message"]["content"])
        for e in entries:
            self.assertEqual(bytes(e["bytes"]).decode(), e["token"])
            self.assertEqual(e["top_logprobs"][0]["logprob"], e["logprob"])  # greedy: the best was taken
            self.assertLessEqual(sum(2.718281828 ** t["logprob"] for t in e["top_logprobs"]), 1 + 1e-9)
            self.assertEqual(len(e["top_logprobs"]), 3)

    def test_logprobs_end_where_the_text_does(self):
        """A stop string takes its tokens' entries with it; one that begins before it stays whole."""
        ask = {"messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "logprobs": True, "seed": 1}
        free = self.server.ask("/v1/chat/completions", ask).json["choices"][0]["logprobs"]["content"]
        tokens, ends = [e["token"] for e in free], []
        for e in free:
            ends.append(len("".join(tokens[: len(ends) + 1])))
        whole = "".join(tokens)
        for at in range(3, len(tokens) - 2):
            for inside in (0, 1):  # the stop begins with a token, or within one
                begin = ends[at - 1] + inside
                stop = whole[begin : begin + 6]
                text = whole[: whole.index(stop)]
                want = [t for t, end in zip(tokens, ends) if end - len(t) < len(text)]
                body = {**ask, "stop": [stop]}
                c = self.server.ask("/v1/chat/completions", body).json["choices"][0]
                self.assertEqual(c["message"]["content"], text)
                self.assertEqual([e["token"] for e in c["logprobs"]["content"]], want)
                told, seen = [], ""
                for e in self.server.stream("/v1/chat/completions", body)[0]:
                    for choice in e["choices"]:
                        seen += choice["delta"].get("content") or ""
                        told += [x["token"] for x in (choice["logprobs"] or {"content": []})["content"]]
                        self.assertTrue("".join(told[:-1]) == "" or len("".join(told[:-1])) <= len(seen))
                self.assertEqual(told, want)
        body = {"prompt": "One, two,", "temperature": 0, "logprobs": 1, "stop": [" four"]}
        c = self.server.ask("/v1/completions", body).json["choices"][0]
        self.assertEqual("".join(c["logprobs"]["tokens"]), c["text"])
        for key in ("token_logprobs", "top_logprobs", "text_offset"):
            self.assertEqual(len(c["logprobs"][key]), len(c["logprobs"]["tokens"]), key)

    def test_bias_and_penalties_change_the_draw(self):
        a = self.server.chat(QUESTION, temperature=0, max_tokens=1).json["choices"][0]["message"]["content"]
        token = self.server.ask("/tokenize", {"prompt": a}).json["tokens"][0]
        b = self.server.chat(QUESTION, temperature=0, max_tokens=1, logit_bias={str(token): -100}).json
        self.assertNotEqual(b["choices"][0]["message"]["content"], a)
        loop = {"prompt": "one two one two one two one two one two", "max_tokens": 12, "temperature": 0}
        plain = self.server.ask("/v1/completions", loop).json["choices"][0]["text"].split()
        fresh = self.server.ask("/v1/completions", {**loop, "frequency_penalty": 2, "presence_penalty": 2}).json
        fresh = fresh["choices"][0]["text"].split()
        self.assertLess(max(map(fresh.count, fresh)), max(map(plain.count, plain)))

    def test_x_silex_tells_what_the_chip_would_take(self):
        end = time.monotonic() + 60
        while True:
            a = self.server.chat(QUESTION, temperature=0).json
            if a["x_silex"]["ttft_s"] is not None or time.monotonic() > end:
                break
            self.assertIn("timed", a["x_silex"]["ttft_s_why"])
            time.sleep(0.2)
        _, out, _ = run("run", MODEL, "-p", QUESTION, "--json")
        chip, x = json.loads(out)["chip_time"], a["x_silex"]
        self.assertLess(abs(x["ttft_s"] / chip["ttft_s"] - 1), 0.15)
        self.assertLess(abs(x["tpot_s"] / chip["tpot_s"] - 1), 0.15)
        self.assertGreater(x["energy_j"], 0)
        self.assertGreater(x["usd"], 0)

    def test_models_health_metrics(self):
        models = self.server.ask("/v1/models").json
        name = models["data"][0]["id"]
        self.assertEqual(self.server.ask(f"/v1/models/{name}").json["id"], name)
        self.assertEqual(self.server.ask("/v1/models/other").status, 404)
        self.assertEqual(self.server.ask("/health").json, {"status": "ok"})
        self.assertEqual(self.server.ask("/ready").json, {"status": "ready"})
        before = self.metrics()
        self.server.chat(QUESTION, temperature=0, max_tokens=3)
        after = self.metrics()
        grown = {k: after[k] - before.get(k, 0) for k in after}
        end = time.monotonic() + 10  # its place in the batch is given back after the answer's last byte
        while self.server.ask("/live").json["batch"]["running"] and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(self.server.ask("/live").json["chip_now"]["memory_bytes_per_s"], 0)
        made = f'silex:generation_tokens_total{{model_name="{name}"}}'
        self.assertEqual(grown[made], 3)
        self.assertEqual(grown[f'silex:time_to_first_token_seconds_count{{model_name="{name}"}}'], 1)

    def test_tokens_and_joules_count_while_they_come(self):
        self.test_x_silex_tells_what_the_chip_would_take()  # the chip's steps are timed by now
        seen = []
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            before = self.server.ask("/live").json
            body = {"prompt": "a", "max_tokens": 300, "ignore_eos": True}
            job = pool.submit(self.server.ask, "/v1/completions", body)
            while not job.done():
                seen.append(self.server.ask("/live").json)
                time.sleep(0.1)
        running = [x for x in seen if x["batch"]["running"]]
        for key in ("made_tokens", "chip_j", "chip_usd"):
            grown = {x["latency"][key] for x in running}
            self.assertGreater(len(grown), 3, key)
            self.assertGreater(max(grown), before["latency"][key])
        busy = running[len(running) // 2]
        self.assertTrue(busy["chip_now"]["busy"])
        self.assertEqual(busy["chip_last_step"]["sequences"], 1)
        self.assertEqual(busy["chip_now"]["watts"], busy["chip_last_step"]["watts"])
        parts = busy["chip_last_step"]["parts"]  # 30 layers of this model
        self.assertEqual([p["part"] for p in parts], ["before", *map(str, range(30)), "behind"])
        for p in parts:
            for share in (p["tiles_busy"], *p["engines_busy"].values()):
                self.assertTrue(0 <= share <= 1, p)
        self.assertGreater(min(p["tiles_busy"] for p in parts[1:-1]), 0.05)
        after = self.server.ask("/live").json
        self.assertEqual(after["latency"]["made_tokens"] - before["latency"]["made_tokens"], 300)
        now = after["chip_now"]
        self.assertEqual((now["busy"], now["memory_bytes_per_s"], set(now["engines_busy"].values())), (False, 0, {0}))
        self.assertLess(now["watts"], busy["chip_now"]["watts"])
        self.assertGreater(now["watts"], 0)

    def metrics(self):
        text = self.server.ask("/metrics").body.decode()
        return {k: float(v) for k, v in (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")}


class Forms(Served):
    """Answers held to a form, and to a length."""

    def test_no_end_before_it_may_come(self):
        ask = {"prompt": "The capital of Japan is Tokyo.", "temperature": 0, "max_tokens": 60}
        # a bias that makes the end come at once
        end = self.server.ask("/tokenize", {"messages": [{"role": "user", "content": "x"}]}).json["tokens"]
        text = self.server.ask("/detokenize", {"tokens": end}).json["prompt"]
        self.assertIn("<|im_end|>", text)
        ids = [t for t in end if self.server.ask("/detokenize", {"tokens": [t]}).json["prompt"] == "<|im_end|>"]
        ask["logit_bias"] = {str(ids[0]): 100}
        self.assertEqual(self.server.ask("/v1/completions", ask).json["usage"]["completion_tokens"], 0)
        some = self.server.ask("/v1/completions", {**ask, "min_tokens": 7}).json
        self.assertEqual((some["usage"]["completion_tokens"], some["choices"][0]["finish_reason"]), (7, "stop"))
        all_of_them = self.server.ask("/v1/completions", {**ask, "ignore_eos": True}).json
        self.assertEqual(all_of_them["usage"]["completion_tokens"], 60)
        self.assertEqual(all_of_them["choices"][0]["finish_reason"], "length")

    def test_patterns_formats_and_ranges(self):
        schema = {
            "type": "object",
            "properties": {
                "day": {"type": "string", "format": "date"},
                "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{2}$"},
                "age": {"type": "integer", "minimum": 18, "maximum": 65},
                "share": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
                "pair": {
                    "type": "array",
                    "prefixItems": [{"type": "null"}, {"const": 1}],
                    "items": False,
                    "minItems": 2,
                },
            },
            "required": ["day", "code", "age", "share", "pair"],
        }
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
        for seed in range(6):
            a = self.server.chat("Describe.", seed=seed, temperature=1.5, max_tokens=300, response_format=form).json
            self.assertEqual(a["choices"][0]["finish_reason"], "stop")
            got = json.loads(a["choices"][0]["message"]["content"])
            datetime.date.fromisoformat(got["day"])
            self.assertRegex(got["code"], "^[A-Z]{3}-[0-9]{2}$")
            self.assertTrue(18 <= got["age"] <= 65 and 0 <= got["share"] < 1 and got["pair"] == [None, 1], got)

    def test_a_response_says_what_was_asked(self):
        asked = {
            "instructions": "Be brief.",
            "user": "u1",
            "safety_identifier": "s",
            "prompt_cache_key": "k",
            "top_logprobs": 2,
            "temperature": 0.5,
            "top_p": 0.25,
            "max_output_tokens": 2,
            "metadata": {"a": "b"},
        }
        body = {**asked, "input": "hi", "service_tier": "auto", "background": False, "reasoning": {"effort": None}}
        events, _ = self.server.stream("/v1/responses", body)
        for a in (self.server.ask("/v1/responses", body).json, events[0]["response"], events[-1]["response"]):
            self.assertEqual({k: a[k] for k in asked}, asked)
            self.assertEqual((a["service_tier"], a["background"], a["reasoning"]["effort"]), ("default", False, None))
        plain = self.server.ask("/v1/responses", {"input": "hi", "max_output_tokens": 1}).json
        self.assertEqual((plain["instructions"], plain["user"], plain["top_logprobs"]), (None, None, 0))

    def test_logprobs_of_responses(self):
        ask = {"input": QUESTION, "temperature": 0, "max_output_tokens": 5, "top_logprobs": 2}
        part = self.server.ask("/v1/responses", ask).json["output"][0]["content"][0]
        self.assertEqual("".join(x["token"] for x in part["logprobs"]), part["text"])
        self.assertEqual([len(x["top_logprobs"]) for x in part["logprobs"]], [2] * 5)
        events, _ = self.server.stream("/v1/responses", ask)
        told = [x for e in events if e["type"] == "response.output_text.delta" for x in e["logprobs"]]
        self.assertEqual(told, part["logprobs"])


class Exact(Served):
    """Whatever runs beside it, an answer is the one it has alone."""

    def test_many_streams_at_once(self):
        prompts = [f"Write about the number {i}." + " More words." * (i * 7 % 50) for i in range(24)]
        lengths = [3 + i * 5 % 30 for i in range(24)]
        bodies = [
            {"messages": [{"role": "user", "content": p}], "temperature": 0, "max_tokens": n}
            for p, n in zip(prompts, lengths)
        ]
        with Server("--slots", 1, "--no-prefix-cache", "--threads", 1) as alone:
            want = [alone.ask("/v1/chat/completions", b).json["choices"][0]["message"]["content"] for b in bodies]

        def ask(server, i):
            if i % 2:
                return text_of(server.stream("/v1/chat/completions", bodies[i])[0])
            return server.ask("/v1/chat/completions", bodies[i]).json["choices"][0]["message"]["content"]

        def all_of(server):
            with concurrent.futures.ThreadPoolExecutor(24) as pool:
                return list(pool.map(lambda i: ask(server, i), range(24)))

        self.assertEqual(all_of(self.server), want)

    def test_preempted_ones_go_on_where_they_were(self):
        bodies = [
            {"prompt": f"A long story about {w}." + " And so on." * 25, "temperature": 0, "max_tokens": 150}
            for w in ("bees", "rain", "iron", "glass")
        ]
        want = [self.server.ask("/v1/completions", b).json["choices"][0]["text"] for b in bodies]
        # a sequence takes up to three pages, so five are too few for four of them
        with Server("--slots", 4, "--kv-pages", 5, "--ctx", 512) as tight:
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                got = list(pool.map(lambda b: tight.ask("/v1/completions", b).json["choices"][0]["text"], bodies))
            text = tight.ask("/metrics").body.decode()
        self.assertEqual(got, want)
        preempted = [
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith("silex:num_preemptions_total{")
        ]
        self.assertGreater(preempted[0], 0)

    def test_prefix_cache_gives_the_same(self):
        long = "Remember these words: " + " ".join(f"word{i}" for i in range(120))
        first = self.server.chat(long, temperature=0, max_tokens=8).json
        second = self.server.chat(long, temperature=0, max_tokens=8).json
        self.assertEqual(first["choices"], second["choices"])
        cached = second["usage"]["prompt_tokens_details"]["cached_tokens"]
        self.assertGreaterEqual(cached, 128)
        self.assertEqual(cached % 128, 0)


class Refusals(Served):
    def refuse(self, body, status, param, says, path="/v1/chat/completions"):
        base = {} if path == "/v1/completions" else {"messages": [{"role": "user", "content": "hi"}]}
        a = self.server.ask(path, {**base, **body})
        self.assertEqual(a.status, status, a.body)
        e = a.error()
        self.assertEqual(set(e), {"message", "type", "param", "code"})
        self.assertEqual(e["param"], param)
        self.assertIn(says, e["message"])

    def test_by_name(self):
        for body, param, says in [
            ({"temperature": "hot"}, "temperature", "expected a number"),
            ({"temperature": -1}, "temperature", "from 0"),
            ({"temperature": 2.1}, "temperature", "to 2"),
            ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", "both"),
            ({"max_tokens": 100000}, "max_tokens", "8192"),
            ({"max_completion_tokens": 100000}, "max_completion_tokens", "8192"),
            ({"min_tokens": 100000}, "min_tokens", "8192"),
            ({"n": 49}, "n", "48 at once"),
            ({"response_format": {"type": "text", "foo": 1}}, "response_format", "foo"),
            ({"response_format": {"type": "json_schema", "json_schema": {"foo": 1}}}, "response_format", "foo"),
            ({"tools": [{"type": "function", "function": {"name": "f"}, "foo": 1}]}, "tools", "foo"),
            ({"tools": [{"type": "function", "function": {"name": "f", "foo": 1}}]}, "tools", "foo"),
            (
                {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "foo": 1}]}]},
                "messages",
                "foo",
            ),
            ({"top_p": 0}, "top_p", "above 0"),
            ({"n": 0}, "n", "from 1"),
            ({"n": 65}, "n", "64"),
            ({"max_tokens": 0}, "max_tokens", "from 1"),
            ({"stop": [""]}, "stop", "not empty"),
            ({"stop": ["a"] * 17}, "stop", "at most 16"),
            ({"logit_bias": {"x": 1}}, "logit_bias", '"x"'),
            ({"logit_bias": {"5": 101}}, "logit_bias", "-100 to 100"),
            ({"top_logprobs": 2}, "top_logprobs", "logprobs"),
            ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "20"),
            ({"frequency_penalty": 3}, "frequency_penalty", "-2"),
            ({"functions": []}, "functions", "tools"),
            ({"audio": {}}, "audio", "not supported"),
            ({"store": True}, "store", "false"),
            ({"service_tier": "flex"}, "service_tier", "auto"),
            ({"verbosity": "high"}, "verbosity", "medium"),
            ({"modalities": ["text", "audio"]}, "modalities", "text"),
            ({"metadata": {"a": 1}}, "metadata", "text"),
            ({"metadata": {str(i): "" for i in range(17)}}, "metadata", "16"),
            ({"reasoning_effort": "high"}, "reasoning_effort", "template"),
            ({"chat_template_kwargs": {"enable_thinking": True}}, "chat_template_kwargs", "template"),
            ({"min_tokens": 5, "max_tokens": 4}, "min_tokens", "at most"),
            ({"ignore_eos": True, "response_format": {"type": "json_object"}}, "ignore_eos", "JSON"),
            ({"tool_choice": "required"}, "tool_choice", "no tools"),
            ({"prediction": {}}, "prediction", "not supported"),
            ({"stream_options": {"include_usage": True}}, "stream_options", "stream"),
            ({"frobnicate": 1}, "frobnicate", "frobnicate"),
            ({"messages": []}, "messages", "not empty"),
            ({"messages": [{"role": "king", "content": "x"}]}, "messages", "role"),
            (
                {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
                "messages",
                "image_url",
            ),
            ({"messages": [{"role": "user", "content": "x", "zap": 1}]}, "messages", "zap"),
        ]:
            with self.subTest(body=body):
                self.refuse(body, 400, param, says)
        for body, param, says in [
            ({"prompt": "x", "echo": True}, "echo", "false"),
            ({"prompt": "x", "best_of": 2}, "best_of", "n"),
            ({"prompt": "x", "suffix": "y"}, "suffix", "fill"),
            ({}, "prompt", "missing"),
            ({"prompt": []}, "prompt", "expected"),
            ({"prompt": [1, -2]}, "prompt", "whole"),
            ({"prompt": [10**9]}, "prompt", "below"),
            ({"prompt": ""}, "prompt", "empty"),
        ]:
            with self.subTest(body=body):
                self.refuse(body, 400, param, says, "/v1/completions")
        self.refuse({"model": "gpt-4"}, 404, "model", "gpt-4")
        for path, body in (("/tokenize", {"prompt": "x"}), ("/detokenize", {"tokens": [1]})):
            for more, status, param in (({"foo": 1}, 400, "foo"), ({"model": "gpt-4"}, 404, "model")):
                a = self.server.ask(path, {**body, **more})
                self.assertEqual((a.status, a.error()["param"]), (status, param))

    def test_the_last_token_that_fits(self):
        n = self.server.ask("/v1/completions", {"prompt": "a", "max_tokens": 1}).json["usage"]["prompt_tokens"]
        with Server("--ctx", 128, "--slots", 1) as s:
            fits = {"prompt": "a", "max_tokens": 129 - n, "ignore_eos": True}
            self.assertEqual(s.ask("/v1/completions", fits).json["usage"]["completion_tokens"], 129 - n)
            a = s.ask("/v1/completions", {**fits, "max_tokens": 130 - n})
            self.assertEqual((a.status, a.error()["code"]), (400, "context_length_exceeded"))
            self.assertIn(f"may have {129 - n}", a.error()["message"])

    def test_what_clients_send_by_themselves_passes(self):
        """Values that mean what happens anyway, and labels for what OpenAI would store."""
        for more in [
            {"user": "u", "store": False, "metadata": {"run": "1"}, "service_tier": "default"},
            {"n": 1, "logit_bias": None, "stop": None, "tools": None, "tool_choice": None, "seed": None},
            {"modalities": ["text"], "verbosity": "medium", "safety_identifier": "x", "prompt_cache_key": "k"},
            {"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": False}},
            {"messages": [{"role": "user", "content": "hi", "name": None, "tool_calls": None, "audio": None}]},
        ]:
            with self.subTest(more=more):
                body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1, **more}
                self.assertEqual(self.server.ask("/v1/chat/completions", body).status, 200)
        body = {"prompt": "a", "max_tokens": 1, "best_of": 1, "echo": False, "suffix": None}
        self.assertEqual(self.server.ask("/v1/completions", body).status, 200)
        body = {
            "input": "hi",
            "max_output_tokens": 1,
            "metadata": {"run": "1"},
            "include": ["reasoning.encrypted_content"],
            "reasoning": {"effort": None, "summary": "auto"},
            "truncation": "disabled",
            "text": {"format": {"type": "text"}, "verbosity": "medium"},
        }
        self.assertEqual(self.server.ask("/v1/responses", body).json["metadata"], {"run": "1"})

    def test_what_is_cut_in_a_message_stays_text(self):
        """A name that is cut in the middle of a character, and a path that is none, still make an error in JSON."""
        for n in range(56, 62):
            name = "x" * n + "\u20ac" * 4
            a = self.server.ask("/v1/completions", {"prompt": "x", name: 1})
            self.assertEqual((a.status, a.error()["code"]), (400, "unknown_parameter"))
        self.assertEqual(self.server.ask("/%ff%fe").error()["code"], "unknown_url")
        self.assertEqual(self.server.ask("/v1/models/" + "%e2%82%ac" * 40).error()["code"], "model_not_found")

    def test_too_long_a_prompt(self):
        a = self.server.ask("/v1/completions", {"prompt": "word " * 9000})
        self.assertEqual((a.status, a.error()["code"]), (400, "context_length_exceeded"))
        self.assertIn("8192", a.error()["message"])

    def test_bodies(self):
        path = "/v1/chat/completions"
        for raw, says in [
            (b"", "not JSON"),
            (b"{", "not JSON"),
            (b"[]", "not an object"),
            (b'{"a":1,"a":2}', "duplicate"),
            (b'{"messages":[{"role":"user","content":"\xff\xfe"}]}', "decode byte 0xff"),
            (b'{"messages":' + b"[" * 100000 + b"]" * 100000 + b"}", "depth"),
            (b"\0" * 50, "not JSON"),
        ]:
            with self.subTest(raw=raw[:40]):
                a = self.server.ask(path, raw=raw)
                self.assertEqual(a.status, 400, a.body[:200])
                self.assertIn(says, a.error()["message"])
        a = self.server.ask(path, raw=b"x" * (10 * 1024 * 1024 + 1))
        self.assertEqual(a.status, 413)
        fit = json.dumps({"messages": [{"role": "user", "content": "x" * (9 * 1024 * 1024)}]}).encode()
        self.assertEqual(self.server.ask(path, raw=fit).error()["code"], "context_length_exceeded")
        a = self.server.ask(path, raw=b"{}", headers={"Content-Type": "text/plain"})
        self.assertEqual(a.status, 415)

    def test_paths_and_methods(self):
        self.assertEqual(self.server.ask("/v1/nothing").status, 404)
        self.assertEqual(self.server.ask("/../../etc/passwd").status, 404)
        self.assertEqual(self.server.ask("/%2e%2e/%2e%2e/etc/passwd").status, 404)
        self.assertEqual(self.server.ask("/v1/chat/completions").status, 405)
        self.assertEqual(self.server.ask("/health", method="DELETE").status, 405)
        self.assertEqual(self.server.ask("/v1/models", headers={"Host": "evil.example"}).status, 403)

    def raw(self, data, wait=5):
        s = socket.create_connection(("127.0.0.1", self.server.port), timeout=wait)
        s.sendall(data)
        got = b""
        try:
            while True:
                more = s.recv(65536)
                if not more:
                    break
                got += more
                if b"\r\n\r\n" in got and got.split(b" ", 2)[1] >= b"400":
                    break
        except (TimeoutError, ConnectionResetError):
            pass
        s.close()
        return got

    def test_smuggling_and_nonsense(self):
        both = (
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        got = self.raw(both)
        self.assertNotIn(b"200 OK", got)
        self.assertTrue(got == b"" or got.startswith(b"HTTP/1.1 400"), got[:100])
        got = self.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: b\r\n" * 20000 + b"\r\n")
        self.assertTrue(got == b"" or got.split(b" ")[1] in (b"431", b"413", b"400"), got[:100])
        self.raw(b"\x16\x03\x01" + os.urandom(500))
        self.assertEqual(self.server.ask("/health").status, 200)


class Clients(Served):
    """Clients that leave, stall or never finish; the others go on."""

    def test_gone_in_the_middle_gives_its_place_back(self):
        body = json.dumps(
            {
                "messages": [{"role": "user", "content": "Count to one thousand in words."}],
                "max_tokens": 4000,
                "stream": True,
            }
        ).encode()
        for stream in (True, False):
            c = self.server.connect()
            c.request(
                "POST",
                "/v1/chat/completions",
                body if stream else body.replace(b"true", b"false"),
                self.server.headers(),
            )
            if stream:
                c.getresponse().read(200)
            else:
                time.sleep(0.5)
            c.sock.close()
            c.close()
            end = time.monotonic() + 10
            while self.running() and time.monotonic() < end:
                time.sleep(0.05)
            self.assertEqual(self.running(), 0, f"stream {stream}")
        self.assertTrue(self.server.wait_logged(lambda r: r.get("end") == "client left"))

    def running(self):
        return self.server.ask("/live").json["batch"]["running"]

    def test_slow_and_silent_ones_hold_nobody_up(self):
        silent = [socket.create_connection(("127.0.0.1", self.server.port)) for _ in range(40)]
        half = []
        for s in silent[:20]:
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n")
        for _ in range(4):  # ask for a stream and never read it
            s = socket.create_connection(("127.0.0.1", self.server.port))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            body = b'{"messages":[{"role":"user","content":"hi"}],"stream":true,"max_tokens":30}'
            s.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            half.append(s)
        start = time.monotonic()
        self.assertEqual(self.server.chat(QUESTION, temperature=0).status, 200)
        self.assertLess(time.monotonic() - start, 20)
        for s in silent + half:
            s.close()


@unittest.skipUnless(os.path.exists(MODEL), "no default model")
class Life(Case):
    def test_full_queue_is_refused(self):
        with Server("--slots", 1, "--queue", 1, "--ctx", 512) as s:

            def ask(_):
                return s.ask("/v1/completions", {"prompt": "a", "max_tokens": 150, "temperature": 0})

            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                answers = list(pool.map(ask, range(6)))
            codes = [a.status for a in answers]
            self.assertIn(200, codes)
            self.assertIn(429, codes)
            a = s.ask("/v1/completions", {"prompt": "a", "max_tokens": 1, "n": 3})  # never: not later either
            self.assertEqual((a.status, a.error()["param"]), (400, "n"))
            self.assertIn("2 at once", a.error()["message"])
            refused = answers[codes.index(429)]
            self.assertEqual(refused.error()["code"], "queue_full")
            self.assertGreaterEqual(int(refused.headers["Retry-After"]), 1)

    def test_sigterm_finishes_what_has_begun(self):
        s = Server()
        s.__enter__()
        got = {}

        def ask():
            got["text"] = s.stream("/v1/completions", {"prompt": "a", "max_tokens": 60, "temperature": 0})[1]

        t = threading.Thread(target=ask)
        t.start()
        time.sleep(0.4)
        code = s.stop()
        t.join()
        self.assertEqual(code, 0)
        self.assertTrue(got["text"].endswith("data: [DONE]\n\n"))
        self.assertEqual(s.logged()[-1]["event"], "stopped")

    def test_while_it_drains_it_says_so(self):
        s = Server()
        s.__enter__()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            body = {"prompt": "a", "max_tokens": 400, "ignore_eos": True}
            job = pool.submit(s.ask, "/v1/completions", body)
            while not s.ask("/live").json["batch"]["running"]:
                time.sleep(0.02)
            s.process.send_signal(signal.SIGTERM)
            self.assertTrue(s.wait_logged(lambda r: r.get("event") == "draining"))
            health, ready = s.ask("/health"), s.ask("/ready")
            asked = s.ask("/v1/completions", {"prompt": "a", "max_tokens": 1})
            self.assertFalse(job.done(), "drained too early to see anything")
            self.assertEqual(job.result().json["usage"]["completion_tokens"], 400)
        self.assertEqual((health.status, ready.status, asked.status), (200, 503, 503))
        for a in (ready, asked):
            self.assertEqual((a.error()["code"], a.headers["Connection"]), ("server_stopping", "close"))
        self.assertGreaterEqual(int(asked.headers["Retry-After"]), 1)
        self.assertEqual(s.stop(), 0)

    def test_port_taken_and_bad_options(self):
        with Server() as s:
            self.refused("serve", MODEL, "--no-auth", "--port", s.port, place="--port:", says="in use")
        self.refused("serve", MODEL, "--no-auth", "--host", "0.0.0.0", place="--no-auth:", says="loopback")
        self.refused("serve", MODEL, "--no-auth", "--host", "example.org", place="--no-auth:", says="loopback")
        self.refused("serve", MODEL, "--no-auth", "--cert", "x.pem", place="--cert:", says="both")
        self.refused(
            "serve",
            MODEL,
            "--db",
            os.path.join(self.dir, "none.db"),
            place=os.path.join(self.dir, "none.db"),
            says="silex keys add",
        )


if __name__ == "__main__":
    unittest.main()
