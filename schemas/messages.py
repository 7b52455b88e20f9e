"""The gates of `/v1/messages` and its `count_tokens` (https://platform.claude.com/docs/en/api/messages)."""

from __future__ import annotations

from typing import Any

from .base import (
    MOST_TOKENS,
    OBJECT,
    ROLE,
    TEXT,
    Found,
    Json,
    Like,
    WireSchema,
    every,
    flag,
    having,
    messages,
    names,
    obj,
    role,
    text,
    texts,
    tools,
    where,
    whole,
)
from .steering import steering


def _wrong_message(message: Any) -> Found:
    """An object with a role; content is text or blocks."""
    if type(message) is not dict:
        return "must be an object"
    if not role(message.get("role")):
        return {"role": "must be a role such as user, assistant or system"}
    wrong = _wrong_content(message.get("content"))
    return None if wrong is None else {"content": wrong}


def _wrong_content(content: Any) -> Found:
    if content is None or type(content) is str:
        return None
    return every(_wrong_block)(content) if type(content) is list else "must be a string or an array of blocks"


def _wrong_block(block: Any) -> Found:
    if type(block) is not dict:
        return "must be an object"
    if type(block.get("type")) is not str:
        return {"type": "must be a string"}
    return {"text": "must be a string"} if block["type"] == "text" and type(block.get("text")) is not str else None


def _wrong_tool(tool: dict[str, Any]) -> Found:
    """With a name where it has no type of the vendor's."""
    kind = tool.get("type")
    if kind is not None and type(kind) is not str:
        return {"type": "must be a string"}
    return {"name": "must be a string"} if kind in (None, "custom") and type(tool.get("name")) is not str else None


def _objects(value: list[Any]) -> bool:
    return all(type(one) is dict for one in value)


_BLOCKS: Like = {"items": {"type": "object", **having(type=TEXT), **where("type", "text", having(text=TEXT))}}
_MESSAGE: Like = {
    "type": "object",
    "required": ["role"],
    "properties": {"role": ROLE, "content": {"type": ["string", "array", "null"], **_BLOCKS}},
}
_TOOL: Like = {
    "type": "object",
    "properties": {"type": {"type": ["string", "null"]}},
    "if": {"properties": {"type": {"enum": ["custom", None]}}},
    "then": having(name=TEXT),
}


class CountSchema(WireSchema):
    """The fields that the gateway reads, and the types of those that it knows."""

    model = text(required=True)
    messages = messages(_wrong_message, _MESSAGE)
    system = Json(str, list, words="a string or an array of blocks", inside=_wrong_content, like=_BLOCKS)
    max_tokens = whole(0, MOST_TOKENS)
    stream = flag()
    stop_sequences = texts()
    temperature = Json(int, float, words="a number")
    top_p = Json(int, float, words="a number")
    top_k = Json(int, words="an integer")
    tools = tools(_wrong_tool, _TOOL)
    tool_choice = obj()
    thinking = obj()
    output_config = obj()
    output_format = obj()
    metadata = obj()
    cache_control = obj()
    context_management = obj()
    diagnostics = obj()
    container = Json(str, dict, words="a string or an object")
    mcp_servers = Json(list, words="an array of objects", test=_objects, like={"items": OBJECT})
    service_tier = text()
    speed = text()
    inference_geo = text()
    models = names()
    provider = steering()
    computer_id = text()
    max_steps = whole(1, 1_000)


class MessagesSchema(CountSchema):
    """The same, and the output limit, which this dialect demands; 0 fills the prompt cache and answers nothing."""

    max_tokens = whole(0, MOST_TOKENS, required=True)
