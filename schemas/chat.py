"""The gate of `/v1/chat/completions` (https://platform.openai.com/docs/api-reference/chat/create)."""

from __future__ import annotations

from typing import Any

from .base import (
    MOST_TOKENS,
    MOST_TOOLS,
    OBJECT,
    ROLE,
    TEXT,
    Found,
    Json,
    Like,
    WireSchema,
    an_object,
    array,
    every,
    flag,
    having,
    messages,
    names,
    number,
    obj,
    role,
    stops,
    text,
    tools,
    where,
    whole,
)
from .steering import steering


def _wrong_message(message: Any) -> Found:
    """An object with a role; content is text, parts or null."""
    if type(message) is not dict:
        return "must be an object"
    if not role(message.get("role")):
        return {"role": "must be a role such as system, user, assistant or tool"}
    content = message.get("content")
    if content is not None and type(content) is not str:
        wrong = every(_wrong_part)(content) if type(content) is list else "must be a string or an array of parts"
        if wrong is not None:
            return {"content": wrong}
    calls = message.get("tool_calls")
    if calls is not None:
        wrong = every(an_object(lambda call: None))(calls) if type(calls) is list else "must be an array"
        if wrong is not None:
            return {"tool_calls": wrong}
    return None


def _wrong_part(part: Any) -> Found:
    if type(part) is str:
        return None
    if type(part) is not dict:
        return "must be an object"
    if type(part.get("type")) is not str:
        return {"type": "must be a string"}
    return {"text": "must be a string"} if part["type"] == "text" and type(part.get("text")) is not str else None


def _wrong_tool(tool: dict[str, Any]) -> Found:
    """With a type; functions with a name."""
    if type(tool.get("type")) is not str:
        return {"type": "must be a string"}
    function = tool.get("function")
    if tool["type"] == "function" and (type(function) is not dict or type(function.get("name")) is not str):
        return {"function": "must be an object with a name"}
    return None


_PART: Like = {"type": ["string", "object"], **having(type=TEXT), **where("type", "text", having(text=TEXT))}
_MESSAGE: Like = {
    "type": "object",
    "required": ["role"],
    "properties": {
        "role": ROLE,
        "content": {"type": ["string", "array", "null"], "items": _PART},
        "tool_calls": {"type": ["array", "null"], "items": OBJECT},
    },
}
_TOOL: Like = {
    "type": "object",
    **having(type=TEXT),
    **where("type", "function", having(function={"type": "object", **having(name=TEXT)})),
}


class ChatSchema(WireSchema):
    """The fields that the gateway reads, and the types of those that it knows."""

    model = text(required=True)
    messages = messages(_wrong_message, _MESSAGE)
    stream = flag()
    stream_options = obj()
    max_tokens = whole(1, MOST_TOKENS)
    max_completion_tokens = whole(1, MOST_TOKENS)
    n = whole(1, 128)
    temperature = number(0, 2)
    top_p = number(0, 1)
    stop = stops()
    tools = tools(_wrong_tool, _TOOL)
    functions = array(f"an array of at most {MOST_TOOLS} functions", MOST_TOOLS)
    tool_choice = Json(str, dict, words="a string or an object")
    parallel_tool_calls = flag()
    response_format = obj()
    modalities = array()
    audio = obj()
    seed = Json(int, words="an integer")
    user = text()
    metadata = obj()
    logprobs = flag()
    top_logprobs = Json(int, words="an integer")
    logit_bias = obj()
    presence_penalty = Json(int, float, words="a number")
    frequency_penalty = Json(int, float, words="a number")
    reasoning_effort = text()
    service_tier = text()
    store = flag()
    models = names()
    provider = steering()
    computer_id = text()
    max_steps = whole(1, 1_000)
