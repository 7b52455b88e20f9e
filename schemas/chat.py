"""The gate of `/v1/chat/completions` (https://platform.openai.com/docs/api-reference/chat/create)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from .base import Json, WireSchema, array, flag, number, obj, role, text, whole

MOST_TOOLS = 2_048


class Messages(Json):
    """A conversation: not empty, each message an object with a role; content is text, parts or null."""

    def __init__(self) -> None:
        super().__init__(list, words="an array of at least one message", test=bool, required=True)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        super()._deserialize(value, attr, data)
        for index, message in enumerate(value):
            wrong = _wrong_message(message)
            if wrong:
                raise ValidationError({index: wrong})
        return value


def _wrong_message(message: Any) -> dict[str, Any] | str | None:
    if type(message) is not dict:
        return "must be an object"
    if not role(message.get("role")):
        return {"role": "must be a role such as system, user, assistant or tool"}
    content = message.get("content")
    if content is not None and type(content) is not str:
        if type(content) is not list:
            return {"content": "must be a string or an array of parts"}
        for index, part in enumerate(content):
            if type(part) is not dict:
                if type(part) is not str:
                    return {"content": {index: "must be an object"}}
            elif type(part.get("type")) is not str:
                return {"content": {index: {"type": "must be a string"}}}
            elif part["type"] == "text" and type(part.get("text")) is not str:
                return {"content": {index: {"text": "must be a string"}}}
    calls = message.get("tool_calls")
    if calls is not None:
        if type(calls) is not list:
            return {"tool_calls": "must be an array"}
        for index, call in enumerate(calls):
            if type(call) is not dict:
                return {"tool_calls": {index: "must be an object"}}
    return None


class Tools(Json):
    """Tools: objects with a type; functions with a name."""

    def __init__(self) -> None:
        super().__init__(list, words=f"an array of at most {MOST_TOOLS} tools", test=lambda v: len(v) <= MOST_TOOLS)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        super()._deserialize(value, attr, data)
        for index, tool in enumerate(value):
            if type(tool) is not dict:
                raise ValidationError({index: "must be an object"})
            if type(tool.get("type")) is not str:
                raise ValidationError({index: {"type": "must be a string"}})
            function = tool.get("function")
            if tool["type"] == "function" and (type(function) is not dict or type(function.get("name")) is not str):
                raise ValidationError({index: {"function": "must be an object with a name"}})
        return value


class ChatSchema(WireSchema):
    """The fields that the gateway reads, and the types of those that it knows."""

    model = text(required=True)
    messages = Messages()
    stream = flag()
    stream_options = obj()
    max_tokens = whole(1)
    max_completion_tokens = whole(1)
    n = whole(1, 128)
    temperature = number(0, 2)
    top_p = number(0, 1)
    stop = Json(
        str,
        list,
        words="a string or an array of strings",
        test=lambda value: type(value) is str or all(type(word) is str for word in value),
    )
    tools = Tools()
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
    models = Json(list, words="an array of model names", test=lambda value: all(type(name) is str for name in value))
    provider = obj()
    computer_id = text()
    max_steps = whole(1, 1_000)
