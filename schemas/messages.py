"""The gates of `/v1/messages` and its `count_tokens` (https://platform.claude.com/docs/en/api/messages)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from .base import Json, WireSchema, flag, obj, role, text, whole

MOST_TOOLS = 2_048


class Messages(Json):
    """A conversation: not empty, each message an object with a role; content is text or blocks."""

    def __init__(self) -> None:
        super().__init__(list, words="an array of at least one message", test=bool, required=True)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        super()._deserialize(value, attr, data)
        for index, message in enumerate(value):
            if type(message) is not dict:
                raise ValidationError({index: "must be an object"})
            if not role(message.get("role")):
                raise ValidationError({index: {"role": "must be a role such as user, assistant or system"}})
            wrong = _wrong_content(message.get("content"))
            if wrong:
                raise ValidationError({index: {"content": wrong}})
        return value


class System(Json):
    """Text or blocks of text."""

    def __init__(self) -> None:
        super().__init__(str, list, words="a string or an array of blocks")

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        super()._deserialize(value, attr, data)
        wrong = _wrong_content(value)
        if wrong:
            raise ValidationError(wrong)
        return value


def _wrong_content(content: Any) -> dict[Any, Any] | str | None:
    if content is None or type(content) is str:
        return None
    if type(content) is not list:
        return "must be a string or an array of blocks"
    for index, block in enumerate(content):
        if type(block) is not dict:
            return {index: "must be an object"}
        if type(block.get("type")) is not str:
            return {index: {"type": "must be a string"}}
        if block["type"] == "text" and type(block.get("text")) is not str:
            return {index: {"text": "must be a string"}}
    return None


class Tools(Json):
    """Tools: objects; with a name where they have no type of the vendor's."""

    def __init__(self) -> None:
        super().__init__(list, words=f"an array of at most {MOST_TOOLS} tools", test=lambda v: len(v) <= MOST_TOOLS)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        super()._deserialize(value, attr, data)
        for index, tool in enumerate(value):
            if type(tool) is not dict:
                raise ValidationError({index: "must be an object"})
            kind = tool.get("type")
            if kind is not None and type(kind) is not str:
                raise ValidationError({index: {"type": "must be a string"}})
            if kind in (None, "custom") and type(tool.get("name")) is not str:
                raise ValidationError({index: {"name": "must be a string"}})
        return value


def _texts(value: list[Any]) -> bool:
    return all(type(word) is str for word in value)


def _objects(value: list[Any]) -> bool:
    return all(type(one) is dict for one in value)


class CountSchema(WireSchema):
    """The fields that the gateway reads, and the types of those that it knows."""

    model = text(required=True)
    messages = Messages()
    system = System()
    max_tokens = whole(0)
    stream = flag()
    stop_sequences = Json(list, words="an array of strings", test=_texts)
    temperature = Json(int, float, words="a number")
    top_p = Json(int, float, words="a number")
    top_k = Json(int, words="an integer")
    tools = Tools()
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
    models = Json(list, words="an array of model names", test=_texts)
    provider = obj()
    computer_id = text()
    max_steps = whole(1, 1_000)


class MessagesSchema(CountSchema):
    """The same, and the output limit, which this dialect demands; 0 fills the prompt cache and answers nothing."""

    max_tokens = Json(int, words="an integer of at least 0", test=lambda value: value >= 0, required=True)
