"""The gates of `/v1/responses` (https://platform.openai.com/docs/api-reference/responses/create)."""

from __future__ import annotations

from typing import Any, ClassVar

from .base import (
    MOST_TOKENS,
    ROLE,
    TEXT,
    Found,
    Json,
    Like,
    WireSchema,
    an_object,
    every,
    flag,
    having,
    names,
    number,
    obj,
    role,
    text,
    texts,
    tools,
    where,
    whole,
)
from .steering import steering

_ELSEWHERE = ("prompt", "previous_response_id", "conversation")
"""Members that bring input of their own."""


def _wrong_input(value: Any) -> Found:
    return every(_wrong_item)(value) if type(value) is list else None


def _wrong_item(item: Any) -> Found:
    """An object; a message with a role."""
    if type(item) is not dict:
        return "must be an object"
    kind = item.get("type")
    if kind is not None and type(kind) is not str:
        return {"type": "must be a string"}
    if (kind == "message" or (kind is None and "content" in item)) and not role(item.get("role")):
        return {"role": "must be a role such as system, developer, user or assistant"}
    for name in ("content", "output"):
        wrong = every(an_object(_wrong_part))(item[name]) if type(item.get(name)) is list else None
        if wrong is not None:
            return {name: wrong}
    if kind in (None, "message") and item.get("content") is not None and type(item["content"]) not in (str, list):
        return {"content": "must be a string or an array of parts"}
    return None


def _wrong_part(part: dict[str, Any]) -> Found:
    kind = part.get("type")
    return None if kind is None or type(kind) is str else {"type": "must be a string"}


def _wrong_tool(tool: dict[str, Any]) -> Found:
    """With a type; functions with a name."""
    if type(tool.get("type")) is not str:
        return {"type": "must be a string"}
    return {"name": "must be a string"} if tool["type"] == "function" and type(tool.get("name")) is not str else None


def _prompt(value: Any) -> bool:
    return value.get("variables") is None or type(value["variables"]) is dict


_NULL_OR_TEXT: Like = {"type": ["string", "null"]}
_PARTS: Like = {"items": {"type": "object", "properties": {"type": _NULL_OR_TEXT}}}
_ITEM: Like = {
    "type": "object",
    "properties": {"type": _NULL_OR_TEXT, "content": _PARTS, "output": _PARTS},
    "allOf": [
        where("type", "message", having(role=ROLE)),
        {"if": {"properties": {"type": {"const": None}}, "required": ["content"]}, "then": having(role=ROLE)},
        {
            "if": {"properties": {"type": {"enum": ["message", None]}}},
            "then": {"properties": {"content": {"type": ["string", "array", "null"]}}},
        },
    ],
}
_TOOL: Like = {"type": "object", **having(type=TEXT), **where("type", "function", having(name=TEXT))}


class _Asked(WireSchema):
    """The fields that the gateway reads, and the types of those that it knows: what all three gates share."""

    model = text(required=True)
    input = Json(str, list, words="a string or an array of items", inside=_wrong_input, like={"items": _ITEM})
    instructions = text()
    previous_response_id = text()
    conversation = Json(str, dict, words="an id or an object with one")
    prompt = Json(
        dict,
        words="an object, its variables too",
        test=_prompt,
        like={"properties": {"variables": {"type": ["object", "null"]}}},
    )
    tools = tools(_wrong_tool, _TOOL)
    tool_choice = Json(str, dict, words="a string or an object")
    parallel_tool_calls = flag()
    reasoning = obj()
    truncation = text()
    prompt_cache_key = text()
    service_tier = text()
    stream = flag()
    stream_options = obj()
    max_output_tokens = whole(1, MOST_TOKENS)
    max_tool_calls = Json(int, words="an integer")
    temperature = number(0, 2)
    top_p = number(0, 1)
    top_logprobs = Json(int, words="an integer")
    include = texts()
    user = text()
    safety_identifier = text()
    metadata = obj()
    store = flag()
    models = names()
    provider = steering()
    computer_id = text()
    max_steps = whole(1, 1_000)
    text = obj()


class ResponsesSchema(_Asked):
    """An answer is wanted."""

    LIKE: ClassVar[Like] = {
        "anyOf": [
            having(input={"type": ["string", "array"], "minLength": 1, "minItems": 1}),
            *(having(**{name: {"not": {"type": "null"}}}) for name in _ELSEWHERE),
        ]
    }

    background = flag()

    def validate(self, data: Any, **_: Any) -> dict[str, Any]:
        """Something must be asked."""
        wrong = super().validate(data)
        if not wrong and not data.get("input") and all(data.get(name) is None for name in _ELSEWHERE):
            return {"input": ["must be a string or an array of at least one item"]}
        return wrong


class CompactSchema(_Asked):
    """`/v1/responses/compact`: a conversation to be made shorter."""


class InputTokensSchema(_Asked):
    """`/v1/responses/input_tokens`: input to be counted."""
