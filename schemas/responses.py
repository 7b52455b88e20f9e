"""The gates of `/v1/responses` (https://platform.openai.com/docs/api-reference/responses/create)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, validates_schema

from .base import Json, WireSchema, flag, number, obj, role, text, whole

MOST_TOOLS = 2_048
_ELSEWHERE = ("prompt", "previous_response_id", "conversation")
"""Members that bring input of their own."""


class Input(Json):
    """What is asked: a text, or items; each an object, a message with a role."""

    def __init__(self) -> None:
        super().__init__(str, list, words="a string or an array of items")

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        super()._deserialize(value, attr, data)
        for index, item in enumerate(value if type(value) is list else ()):
            wrong = _wrong_item(item)
            if wrong:
                raise ValidationError({index: wrong})
        return value


def _wrong_item(item: Any) -> dict[str, Any] | str | None:
    if type(item) is not dict:
        return "must be an object"
    kind = item.get("type")
    if kind is not None and type(kind) is not str:
        return {"type": "must be a string"}
    if (kind == "message" or (kind is None and "content" in item)) and not role(item.get("role")):
        return {"role": "must be a role such as system, developer, user or assistant"}
    for name in ("content", "output"):
        inner = item.get(name)
        for index, part in enumerate(inner if type(inner) is list else ()):
            if type(part) is not dict:
                return {name: {index: "must be an object"}}
            if part.get("type") is not None and type(part["type"]) is not str:
                return {name: {index: {"type": "must be a string"}}}
    if kind in (None, "message") and item.get("content") is not None and type(item["content"]) not in (str, list):
        return {"content": "must be a string or an array of parts"}
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
            if tool["type"] == "function" and type(tool.get("name")) is not str:
                raise ValidationError({index: {"name": "must be a string"}})
        return value


def _prompt(value: Any) -> bool:
    return value.get("variables") is None or type(value["variables"]) is dict


class _Asked(WireSchema):
    """The fields that the gateway reads, and the types of those that it knows: what all three gates share."""

    model = text(required=True)
    input = Input()
    instructions = text()
    previous_response_id = text()
    conversation = Json(str, dict, words="an id or an object with one")
    prompt = Json(dict, words="an object, its variables too", test=_prompt)
    tools = Tools()
    tool_choice = Json(str, dict, words="a string or an object")
    parallel_tool_calls = flag()
    reasoning = obj()
    truncation = text()
    prompt_cache_key = text()
    service_tier = text()
    stream = flag()
    stream_options = obj()
    max_output_tokens = whole(1)
    max_tool_calls = Json(int, words="an integer")
    temperature = number(0, 2)
    top_p = number(0, 1)
    top_logprobs = Json(int, words="an integer")
    include = Json(list, words="an array of strings", test=lambda value: all(type(name) is str for name in value))
    user = text()
    safety_identifier = text()
    metadata = obj()
    store = flag()
    models = Json(list, words="an array of model names", test=lambda value: all(type(name) is str for name in value))
    provider = obj()
    computer_id = text()
    max_steps = whole(1, 1_000)
    text = obj()


class ResponsesSchema(_Asked):
    """An answer is wanted."""

    background = Json(
        bool,
        words="false: answers in the background are not offered until this gateway has tasks",
        test=lambda value: value is False,
    )

    @validates_schema(skip_on_field_errors=True)
    def asks_something(self, values: Mapping[str, Any], **_: Any) -> None:
        if not values.get("input") and all(values.get(name) is None for name in _ELSEWHERE):
            raise ValidationError("must be a string or an array of at least one item", "input")


class CompactSchema(_Asked):
    """`/v1/responses/compact`: a conversation to be made shorter."""


class InputTokensSchema(_Asked):
    """`/v1/responses/input_tokens`: input to be counted."""
