"""The gates of `/v1/messages` and its `count_tokens` (https://platform.claude.com/docs/en/api/messages)."""

from __future__ import annotations

from typing import Any

from .base import Found, Json, WireSchema, every, flag, messages, names, obj, role, text, texts, tools, whole


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


class CountSchema(WireSchema):
    """The fields that the gateway reads, and the types of those that it knows."""

    model = text(required=True)
    messages = messages(_wrong_message)
    system = Json(str, list, words="a string or an array of blocks", inside=_wrong_content)
    max_tokens = whole(0)
    stream = flag()
    stop_sequences = texts()
    temperature = Json(int, float, words="a number")
    top_p = Json(int, float, words="a number")
    top_k = Json(int, words="an integer")
    tools = tools(_wrong_tool)
    tool_choice = obj()
    thinking = obj()
    output_config = obj()
    output_format = obj()
    metadata = obj()
    cache_control = obj()
    context_management = obj()
    diagnostics = obj()
    container = Json(str, dict, words="a string or an object")
    mcp_servers = Json(list, words="an array of objects", test=_objects)
    service_tier = text()
    speed = text()
    inference_geo = text()
    models = names()
    provider = obj()
    computer_id = text()
    max_steps = whole(1, 1_000)


class MessagesSchema(CountSchema):
    """The same, and the output limit, which this dialect demands; 0 fills the prompt cache and answers nothing."""

    max_tokens = Json(int, words="an integer of at least 0", test=lambda value: value >= 0, required=True)
