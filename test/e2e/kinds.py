"""One request of every kind that a server answers, and some that it refuses: for tests of what it keeps afterwards."""

TEXT = "One, two, three, four, five, six, seven, eight. "
CALL = {
    "type": "function",
    "function": {"name": "count", "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}}},
}
NUMBER = {"type": "json_schema", "json_schema": {"name": "n", "schema": CALL["function"]["parameters"]}}


def kinds(i, new=4):
    """(path, body or None, status) of each; i makes them differ. The server has a template with tools."""
    user = [{"role": "user", "content": f"{i}: {TEXT}"}]
    chat = {"messages": user, "max_tokens": new, "temperature": 0}
    lines = {"prompt": f"{i}: {TEXT}", "max_tokens": new, "temperature": 0}
    answer = {"input": f"{i}: {TEXT}", "max_output_tokens": 16, "temperature": 0}
    tools = {**chat, "tools": [CALL], "tool_choice": "required"}
    told = {"include": ["message.output_text.logprobs"], "top_logprobs": 20}
    called = {**answer, "tools": [{"type": "function", **CALL["function"]}], "tool_choice": "required"}
    return [
        ("/v1/chat/completions", chat, 200),
        ("/v1/chat/completions", {**chat, "stream": True, "logprobs": True, "top_logprobs": 20}, 200),
        ("/v1/chat/completions", {**chat, "n": 2, "logprobs": True, "top_logprobs": 20, "temperature": 1}, 200),
        ("/v1/chat/completions", {**chat, "response_format": NUMBER}, 200),
        ("/v1/chat/completions", tools, 200),
        ("/v1/chat/completions", {**tools, "stream": True}, 200),
        ("/v1/completions", {**lines, "logprobs": 5, "stop": ["ine"]}, 200),
        ("/v1/completions", {**lines, "stream": True, "stream_options": {"include_usage": True}}, 200),
        ("/v1/responses", {**answer, **told}, 200),
        ("/v1/responses", {**answer, **told, "stream": True}, 200),
        ("/v1/responses", called, 200),
        ("/v1/responses", {**called, "stream": True}, 200),
        ("/tokenize", {"prompt": TEXT * 20}, 200),
        ("/detokenize", {"tokens": list(range(100, 300))}, 200),
        ("/v1/models", None, 200),
        ("/live", None, 200),
        ("/metrics", None, 200),
        ("/v1/chat/completions", {**chat, "temperature": "hot"}, 400),
        ("/v1/completions", {**lines, "prompt": TEXT * 2000}, 400),
        ("/v1/responses", {**answer, "tools": [{"type": "web_search"}]}, 400),
    ]
