"""The gate of `/v1/moderations` (https://platform.openai.com/docs/api-reference/moderations)."""

from __future__ import annotations

from typing import Any

from .base import TEXT, Found, Json, WireSchema, every, names
from .steering import steering


def _input(value: Any) -> Found:
    if type(value) is str:
        return None
    if type(value) is not dict:
        return "must be a string or an object with a type"
    match value.get("type"):
        case "text":
            return None if type(value.get("text")) is str else {"text": "must be a string"}
        case "image_url":
            image = value.get("image_url")
            fits = type(image) is dict and type(image.get("url")) is str
            return None if fits else {"image_url": "must be an object with a url"}
        case _:
            return {"type": "must be text or image_url"}


_PARTS = [
    {"type": "string"},
    {"type": "object", "required": ["type", "text"], "properties": {"type": {"const": "text"}, "text": TEXT}},
    {
        "type": "object",
        "required": ["type", "image_url"],
        "properties": {
            "type": {"const": "image_url"},
            "image_url": {"type": "object", "required": ["url"], "properties": {"url": TEXT}},
        },
    },
]


class ModerationsSchema(WireSchema):
    """OpenAI's fields. Without a model, OpenAI's own default is meant."""

    model = Json(str, words="a string that is not empty", test=bool, like={"minLength": 1})
    input = Json(
        str, list, words="a string, or an array of at least one string, text or image", test=lambda value: value != [],
        inside=lambda value: every(_input)(value) if type(value) is list else None, required=True,
        like={"minItems": 1, "items": {"anyOf": _PARTS}},
    )  # fmt: skip
    models = names()
    provider = steering()
