#!/usr/bin/env python3
"""Calls of tools over plain HTTP: streams and whole answers say the same, also where an answer is cut in a call."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import Server  # noqa: E402
from silex import MODEL, ROOT, Case  # noqa: E402

TEMPLATE = os.path.join(ROOT, "test", "vectors", "chat", "templates", "Qwen-Qwen2.5-7B-Instruct.jinja")
WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}, "unit": {"enum": ["C", "F"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
}
CHAT_TOOLS = [{"type": "function", "function": WEATHER}]
FLAT_TOOLS = [{"type": "function", **WEATHER}]


def gather_chat(events):
    """What a client makes of the chunks: (content, calls, finish_reason, arguments pieces)."""
    content, calls, finish, pieces = "", [], None, 0
    for e in events:
        for c in e["choices"]:
            content += c["delta"].get("content") or ""
            finish = c["finish_reason"] or finish
            for d in c["delta"].get("tool_calls", []):
                if d["index"] == len(calls):
                    calls.append({"name": d["function"]["name"], "arguments": ""})
                calls[d["index"]]["arguments"] += d["function"].get("arguments", "")
                pieces += 1
    return content, calls, finish, pieces


def gather_responses(events):
    """Items as the events build them, in the order of output_index; every event must fit those before it."""
    items, closed = [], 0
    for i, e in enumerate(events):
        assert e["sequence_number"] == i, e
        kind = e["type"].removeprefix("response.")
        if kind == "output_item.added":
            assert e["output_index"] == len(items) == closed, "an item begins before the last one is done"
            assert e["item"]["status"] == "in_progress", e
            items.append({**e["item"], "text": "", "arguments": e["item"].get("arguments")})
            assert not items[-1]["arguments"], "arguments before their deltas"
        if kind in ("output_text.delta", "function_call_arguments.delta"):
            assert e["item_id"] == items[e["output_index"]]["id"] and e["output_index"] == closed
            key = "text" if kind == "output_text.delta" else "arguments"
            items[-1][key] += e["delta"]
            items[-1]["pieces"] = items[-1].get("pieces", 0) + 1
        if kind == "output_text.done":
            assert e["text"] == items[-1]["text"]
        if kind == "function_call_arguments.done":
            assert e["arguments"] == items[-1]["arguments"]
        if kind == "output_item.done":
            closed += 1
            items[-1]["final"] = e["item"]
    assert closed == len(items)
    return items


@unittest.skipUnless(os.path.exists(MODEL), "no default model")
class Tools(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--slots", "4", "--chat-template", TEMPLATE)
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.stop)

    def chat(self, **more):
        return {"messages": [{"role": "user", "content": "Weather in Paris?"}], "tools": CHAT_TOOLS, "seed": 3, **more}

    def respond(self, **more):
        return {"input": "Weather in Paris?", "tools": FLAT_TOOLS, "temperature": 0, **more}

    def test_text_of_responses_streams_beside_tools(self):
        body = self.respond(input="Tell me a joke", tool_choice="auto", max_output_tokens=30)
        whole = self.server.ask("/v1/responses", body).json
        events, _ = self.server.stream("/v1/responses", body)
        kinds = [e["type"].removeprefix("response.") for e in events]
        items = gather_responses(events)
        self.assertEqual([x["type"] for x in items], ["message"])
        self.assertGreater(items[0]["pieces"], 5)
        for kind in ("content_part.added", "output_text.done", "content_part.done"):
            self.assertEqual(kinds.count(kind), 1)
        self.assertEqual(items[0]["text"], whole["output"][0]["content"][0]["text"])
        self.assertEqual(items[0]["final"]["content"], whole["output"][0]["content"])

    def test_calls_of_responses_stream_once(self):
        body = self.respond(tool_choice="required", max_output_tokens=200)
        events, _ = self.server.stream("/v1/responses", body)
        items = gather_responses(events)
        self.assertEqual([x["type"] for x in items], ["function_call"])
        self.assertGreater(items[0]["pieces"], 3)
        self.assertEqual(set(json.loads(items[0]["arguments"])), {"city", "unit"})
        self.assertEqual(items[0]["final"]["status"], "completed")
        self.assertNotEqual(items[0]["id"], items[0]["call_id"])
        self.assertEqual(events[-1]["response"]["output"], [x["final"] for x in items])
        whole = self.server.ask("/v1/responses", body).json["output"]
        self.assertEqual(
            [(x["name"], x["arguments"]) for x in whole], [(x["name"], x["arguments"]) for x in items]
        )

    def test_a_call_that_is_cut_is_a_call(self):
        """At every length: the same, whole and streamed, and never a mark of the template as content."""
        full = self.server.ask("/v1/chat/completions", self.chat(tool_choice="required", max_tokens=200)).json
        want = full["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
        partial = 0
        for n in (1, 2, 4, 8, 12, 16, 20, 24):
            body = self.chat(tool_choice="required", max_tokens=n)
            c = self.server.ask("/v1/chat/completions", body).json["choices"][0]
            m = c["message"]
            content, calls, finish, _ = gather_chat(self.server.stream("/v1/chat/completions", body)[0])
            self.assertFalse(m["content"], (n, m))
            self.assertEqual(content, "")
            whole = [x["function"] for x in m.get("tool_calls", [])]
            self.assertEqual(whole, calls)
            self.assertEqual((c["finish_reason"], finish), ("length", "length"))
            for call in calls:
                self.assertEqual(call["name"], "get_weather")
                self.assertTrue(want.startswith(call["arguments"]), (want, call))
                partial += call["arguments"] != want
        self.assertGreater(partial, 1)

    def test_a_call_of_responses_that_is_cut(self):
        for n in (4, 20):
            body = self.respond(tool_choice="required", max_output_tokens=n)
            whole = self.server.ask("/v1/responses", body).json
            events, _ = self.server.stream("/v1/responses", body)
            items = gather_responses(events)
            self.assertEqual(events[-1]["type"], "response.incomplete")
            self.assertEqual(whole["status"], "incomplete")
            self.assertEqual([x["type"] for x in items], [x["type"] for x in whole["output"]])
            self.assertNotIn("tool_call>", json.dumps(whole["output"]))
            if n == 20:
                self.assertEqual(whole["output"][0]["type"], "function_call")
                self.assertEqual(whole["output"][0]["status"], "incomplete")
                self.assertEqual(items[0]["arguments"], whole["output"][0]["arguments"])

    def test_a_stop_string_within_a_call(self):
        body = self.chat(tool_choice="required", max_tokens=200, stop=['"unit"'])
        c = self.server.ask("/v1/chat/completions", body).json["choices"][0]
        call = c["message"]["tool_calls"][0]["function"]
        self.assertEqual(c["finish_reason"], "stop")
        self.assertIn('"city"', call["arguments"])
        self.assertNotIn("unit", call["arguments"])
        _, calls, finish, _ = gather_chat(self.server.stream("/v1/chat/completions", body)[0])
        self.assertEqual((calls, finish), ([call], "stop"))

    def test_what_stands_beside_tools_only(self):
        for more in ({"tool_choice": "auto"}, {"tool_choice": "none"}, {"parallel_tool_calls": True}):
            a = self.server.ask("/v1/chat/completions", {**self.chat(max_tokens=1), "tools": None, **more})
            self.assertEqual((a.status, a.error()["param"]), (400, next(iter(more))))
        a = self.server.ask("/v1/responses", {"input": "hi", "max_output_tokens": 1, "tool_choice": "auto"})
        self.assertEqual((a.status, a.json["tool_choice"]), (200, "auto"))

    def test_a_tool_message_answers_a_call(self):
        call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
        user, asked = {"role": "user", "content": "hi"}, {"role": "assistant", "content": None, "tool_calls": [call]}
        told = {"role": "tool", "tool_call_id": "c1", "content": "18 C"}
        for messages, ok in [
            ([user, asked, told], True),
            ([user, {**asked, "tool_calls": [call, {**call, "id": "c2"}]}, {**told, "tool_call_id": "c2"}, told], True),
            ([user, told], False),
            ([user, asked, {**told, "tool_call_id": "c2"}], False),
            ([user, asked, {"role": "tool", "content": "18 C"}], False),
            ([user, asked, user, told], False),
        ]:
            a = self.server.ask("/v1/chat/completions", {"messages": messages, "max_tokens": 1})
            self.assertEqual(a.status, 200 if ok else 400, (messages, a.body))
            if not ok:
                self.assertEqual(a.error()["param"], "messages")
                self.assertIn("tool", a.error()["message"])
        items = [
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "1"},
        ]
        body = {"input": [user, *items], "max_output_tokens": 1}
        self.assertEqual(self.server.ask("/v1/responses", body).status, 200)
        a = self.server.ask("/v1/responses", {**body, "input": [user, items[1]]})
        self.assertEqual((a.status, a.error()["param"]), (400, "input"))


if __name__ == "__main__":
    unittest.main()
