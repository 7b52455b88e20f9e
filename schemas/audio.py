"""The gates of `/v1/audio/…` (https://platform.openai.com/docs/api-reference/audio)."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any, ClassVar

from .base import TEXT, Found, Json, Like, WireSchema, file, flag, having, names, number, text, texts
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


_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$"


def _sound(value: Any) -> Found:
    data, form = value.get("data"), value.get("format")
    if not isinstance(data, str) or not _is_base64(data):
        return {"data": "must be the base64 of a sound"}
    return None if isinstance(form, str) and form else {"format": "must be a string, such as wav or mp3"}


def _is_base64(data: str) -> bool:
    try:
        return bool(binascii.a2b_base64(data, strict_mode=True))
    except ValueError:
        return False


class TranscriptionSchema(WireSchema):
    """OpenAI's fields for transcriptions and translations; and `input_audio`, as a chat has it, instead of a file."""

    LIKE: ClassVar[Like] = {"allOf": [having(input_audio={"type": "object"})]}

    model = text(required=True)
    file = file()
    input_audio = Json(
        dict, words="an object with data and format", inside=_sound,
        like=having(data={"type": "string", "pattern": _BASE64}, format={"type": "string", "minLength": 1}),
    )  # fmt: skip
    language = text()
    prompt = text()
    response_format = text()
    temperature = number(0, 2)
    stream = flag()
    timestamp_granularities = texts()
    include = texts()
    chunking_strategy = Json(str, dict, words="a string or an object")
    known_speaker_names = texts()
    known_speaker_references = texts()
    models = names()
    provider = steering()

    def validate(self, data: Any, **_: Any) -> dict[str, Any]:
        """There must be a sound."""
        wrong = super().validate(data)
        if wrong:
            return wrong
        if data.get("file") is None and data.get("input_audio") is None:
            return {"file": ["must be a sound, in a multipart form; or send input_audio as JSON"]}
        if data.get("file") is not None and not len(data["file"].content):
            return {"file": ["is empty"]}
        return {}


NAMED: Mapping[str, Like] = {
    "TranscriptionForm": {
        "type": "object",
        "required": ["model", "file"],
        "properties": {
            "model": {"type": "string"}, "file": {"type": "string", "format": "binary"},
            **{name: {"type": "string"} for name in ("language", "prompt", "response_format")},
            "temperature": {"type": "number"}, "stream": {"type": "boolean"},
            **{f"{name}[]": {"type": "array", "items": TEXT} for name in ("timestamp_granularities", "include")},
        },
    },
}  # fmt: skip
"""Forms by the names that the document gives them."""
