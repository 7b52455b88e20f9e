"""The gates of `/v1/audio/…` (https://platform.openai.com/docs/api-reference/audio)."""

from __future__ import annotations

from .base import Json, WireSchema, names, number, text
from .steering import steering

_FORMS = ("audio", "sse")


class SpeechSchema(WireSchema):
    """OpenAI's fields for speech."""

    model = text(required=True)
    input = text(required=True)
    voice = Json(str, dict, words="a string or an object with an id")
    instructions = text()
    response_format = text()
    speed = number(0.25, 4)
    stream_format = Json(
        str, words="audio or sse", test=lambda value: value in _FORMS, like={"enum": [*_FORMS, None]}
    )  # fmt: skip
    models = names()
    provider = steering()
