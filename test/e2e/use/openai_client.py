"""The official Python package, unmodified, against the server at argv[1] with the key argv[2]; argv[3] is the address
of one whose template has tools. Prints TAP."""

import sys
import time
from typing import Literal

import jsonschema
import openai
from pydantic import BaseModel, Field

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key=sys.argv[2])
tools_client = openai.OpenAI(base_url=sys.argv[3] + "/v1", api_key="none")
MODEL = client.models.list().data[0].id
ASK = [{"role": "user", "content": "What is the capital of Japan?"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a city.",
            "strict": True,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "maxLength": 20}, "unit": {"enum": ["C", "F"]}},
                "required": ["city", "unit"],
                "additionalProperties": False,
            },
        },
    }
]


def chat():
    r = client.chat.completions.create(model=MODEL, messages=ASK, temperature=0)
    assert "Tokyo" in r.choices[0].message.content
    assert (
        r.choices[0].finish_reason == "stop"
        and r.usage.total_tokens == r.usage.prompt_tokens + r.usage.completion_tokens
    )
    assert r.x_silex["chip"] == "silex-1"


def streaming():
    whole = client.chat.completions.create(model=MODEL, messages=ASK, temperature=0).choices[0].message.content
    text, usage = "", None
    for chunk in client.chat.completions.create(
        model=MODEL, messages=ASK, temperature=0, stream=True, stream_options={"include_usage": True}
    ):
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
        usage = chunk.usage or usage
    assert text == whole and usage.completion_tokens > 3
    with client.chat.completions.stream(model=MODEL, messages=ASK, temperature=0) as s:
        for _ in s:
            pass
        assert s.get_final_completion().choices[0].message.content == whole


def completions():
    r = client.completions.create(
        model=MODEL, prompt=["The sky is", "One, two,"], max_tokens=6, temperature=0, logprobs=2
    )
    assert [c.index for c in r.choices] == [0, 1]
    for c in r.choices:
        assert "".join(c.logprobs.tokens) == c.text and len(c.logprobs.top_logprobs[0]) == 2
        assert c.logprobs.token_logprobs[0] == max(c.logprobs.top_logprobs[0].values())


def responses():
    r = client.responses.create(model=MODEL, input="What is the capital of Japan?", temperature=0)
    assert "Tokyo" in r.output_text and r.status == "completed"
    whole = r.output_text
    with client.responses.stream(model=MODEL, input="What is the capital of Japan?", temperature=0) as s:
        text = "".join(e.delta for e in s if e.type == "response.output_text.delta")
        assert text == whole and s.get_final_response().output_text == whole
    again = client.responses.create(
        model=MODEL,
        temperature=0,
        max_output_tokens=8,
        instructions="Be brief.",
        input=[
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": "Bye"},
        ],
    )
    assert again.usage.output_tokens <= 8


def logprobs():
    r = client.chat.completions.create(
        model=MODEL, messages=ASK, temperature=0, logprobs=True, top_logprobs=5, max_tokens=4
    )
    entries = r.choices[0].logprobs.content
    assert len(entries) == 4 and all(len(e.top_logprobs) == 5 for e in entries)
    assert "".join(e.token for e in entries) == r.choices[0].message.content


class Person(BaseModel):
    name: str = Field(max_length=20)
    age: int
    likes: list[Literal["tea", "coffee"]] = Field(min_length=1, max_length=2)


def json_schema():
    said = [{"role": "user", "content": "Alice is 30 and likes tea. Describe her as JSON."}]
    for seed in range(3):
        r = client.chat.completions.parse(
            model=MODEL, messages=said, response_format=Person, temperature=1, seed=seed, max_tokens=300
        )
        assert isinstance(r.choices[0].message.parsed, Person)
    r = client.chat.completions.create(
        model=MODEL, messages=said, temperature=0.8, seed=1, max_tokens=300, response_format={"type": "json_object"}
    )
    if r.choices[0].finish_reason == "stop":
        jsonschema.validate(__import__("json").loads(r.choices[0].message.content), {"type": "object"})


def tools():
    import json

    schema = TOOLS[0]["function"]["parameters"]
    for choice in ("required", {"type": "function", "function": {"name": "get_weather"}}):
        r = tools_client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Weather in Paris?"}],
            tools=TOOLS,
            tool_choice=choice,
            temperature=1,
            max_tokens=200,
        )
        call = r.choices[0].message.tool_calls[0]
        assert r.choices[0].finish_reason == "tool_calls" and call.function.name == "get_weather"
        jsonschema.validate(json.loads(call.function.arguments), schema)
    messages = [
        {"role": "user", "content": "Weather in Paris?"},
        r.choices[0].message,
        {"role": "tool", "tool_call_id": call.id, "content": "18 C"},
    ]
    r = tools_client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS, max_tokens=10)
    assert r.choices[0].message.content or r.choices[0].message.tool_calls
    parts = list(
        tools_client.chat.completions.create(
            model=MODEL,
            messages=messages[:1],
            tools=TOOLS,
            tool_choice="required",
            stream=True,
            max_tokens=200,
            stop=["}}\n</tool_call>!"],  # what could become this is held back to the end
        )
    )
    calls = [c for p in parts for c in p.choices[0].delta.tool_calls or []]
    assert calls[0].function.name == "get_weather" and calls[0].id and not calls[0].function.arguments
    assert len(calls) > 4 and all(c.id is None for c in calls[1:])  # arguments come while they are written
    assert parts[-1].choices[0].finish_reason == "tool_calls"
    with tools_client.chat.completions.stream(
        model=MODEL, messages=messages[:1], tools=TOOLS, tool_choice="required", max_tokens=200
    ) as s:
        whole = s.get_final_completion().choices[0].message.tool_calls[0]
    assert set(whole.function.parsed_arguments) == {"city", "unit"}
    r = tools_client.chat.completions.create(  # a strict function beside JSON: one of the two
        model=MODEL, messages=messages[:1], tools=TOOLS, max_tokens=200, response_format={"type": "json_object"}
    ).choices[0]
    assert r.finish_reason in ("tool_calls", "length") or isinstance(json.loads(r.message.content), dict)
    jsonschema.validate(json.loads("".join(c.function.arguments for c in calls)), schema)
    r = tools_client.responses.create(
        model=MODEL,
        input="Weather in Paris?",
        tool_choice="required",
        max_output_tokens=200,
        tools=[{"type": "function", **TOOLS[0]["function"]}],
    )
    assert r.output[0].type == "function_call"
    jsonschema.validate(json.loads(r.output[0].arguments), schema)
    flat = [{"type": "function", **TOOLS[0]["function"]}]
    with tools_client.responses.stream(
        model=MODEL, input="Weather in Paris?", tool_choice="required", max_output_tokens=200, tools=flat, temperature=0
    ) as s:
        deltas = [e for e in s if e.type == "response.function_call_arguments.delta"]
        call = s.get_final_response().output[0]
    # the package gathers the arguments itself: what began an item already whole would be there twice
    assert len(deltas) > 3 and deltas[-1].snapshot == call.arguments == "".join(e.delta for e in deltas)
    jsonschema.validate(json.loads(call.arguments), schema)
    loose = [{**flat[0], "strict": False}]
    for more in ({"tool_choice": "none", "tools": flat}, {"tools": loose}, {"tool_choice": "auto", "tools": flat}):
        with tools_client.responses.stream(
            model=MODEL, input="Tell me a joke.", max_output_tokens=20, temperature=0, **more
        ) as s:
            events = list(s)
        pieces = [e for e in events if e.type == "response.output_text.delta"]
        assert len(pieces) > 4 and pieces[-1].snapshot == "".join(e.delta for e in pieces)
        assert [e.text for e in events if e.type == "response.output_text.done"] == [pieces[-1].snapshot]
        assert events[-1].response.output_text == pieces[-1].snapshot


def errors():
    def refused(kind, call):
        try:
            call()
        except kind as e:
            return e
        raise AssertionError(f"no {kind.__name__}")

    make = client.chat.completions.create
    e = refused(openai.BadRequestError, lambda: make(model=MODEL, messages=ASK, temperature=-1))
    assert e.param == "temperature" and e.code == "invalid_value"
    e = refused(openai.BadRequestError, lambda: make(model=MODEL, messages=ASK, tools=TOOLS))
    assert e.param == "tools"  # this template has none
    e = refused(
        openai.BadRequestError,
        lambda: make(
            model=MODEL,
            messages=ASK,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"not": {"type": "string"}}},
            },
        ),
    )
    assert '"not"' in e.message
    refused(openai.NotFoundError, lambda: make(model="other", messages=ASK))
    refused(
        openai.AuthenticationError,
        lambda: openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="slx_no").models.list(),
    )


def timeouts_and_retries():
    slow = client.with_options(timeout=0.3, max_retries=0)
    start = time.monotonic()
    try:
        slow.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Count to 500."}],
            max_tokens=2000,
            logit_bias={str(i): -100 for i in range(17)},  # no control token: it does not end early
        )
        raise AssertionError("no time-out")
    except openai.APITimeoutError:
        assert time.monotonic() - start < 5
    # argv[4]: a key of one request a second; the package waits as Retry-After says and tries again
    limited = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key=sys.argv[4], max_retries=5)
    for _ in range(3):
        limited.completions.create(model=MODEL, prompt="a", max_tokens=1)
    try:
        for _ in range(100):
            limited.with_options(max_retries=0).completions.create(model=MODEL, prompt="a", max_tokens=1)
        raise AssertionError("no limit")
    except openai.RateLimitError as e:
        assert int(e.response.headers["retry-after"]) >= 1


failed = 0
steps = [chat, streaming, completions, responses, logprobs, json_schema, tools, errors, timeouts_and_retries]
for i, step in enumerate(steps, 1):
    try:
        step()
        print(f"ok {i} - {step.__name__}")
    except Exception as e:  # what a client library may raise is not ours to list
        failed = 1
        import traceback

        traceback.print_exc()
        print(f"not ok {i} - {step.__name__}: {e!r}")
sys.exit(failed)
