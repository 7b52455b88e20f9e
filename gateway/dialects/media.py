"""Media in a body: data URLs, and what base64 text tells of itself."""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote_to_bytes

from ..neutral.parts import Bytes

_BEGINNINGS = (("iVBOR", "image/png"), ("/9j/", "image/jpeg"), ("R0lG", "image/gif"), ("UklG", "image/webp"))

_SOUNDS = (
    (re.compile("UklGR"), "audio/wav"), (re.compile("SUQz|//[I-Po-v]"), "audio/mpeg"),
    (re.compile("T2dnU"), "audio/ogg"), (re.compile("ZkxhQ"), "audio/flac"), (re.compile("//[E-Hk-n]"), "audio/aac"),
)  # fmt: skip
_SAMPLES = "audio/L16;codec=pcm;rate=24000"
"""Bare samples as Google names them; what OpenAI streams are such, too
(https://platform.openai.com/docs/guides/audio: `pcm16`)."""


def from_data_url(url: str) -> tuple[Bytes, str | None] | None:
    """What a data URL holds, and its media type where it names one; None for what is no data URL."""
    head, comma, data = url.partition(",")
    if not head.startswith("data:") or not comma:
        return None
    media_type, *options = head.removeprefix("data:").split(";")
    if "base64" not in options:
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return Bytes(base64=data), media_type or None


def data_url(media_type: str, data: str) -> str:
    """Base64 text as a data URL."""
    return f"data:{media_type};base64,{data}"


def image_type(data: str) -> str | None:
    """The type of an image by how its base64 text begins."""
    return next((kind for start, kind in _BEGINNINGS if data.startswith(start)), None)


def sound_type(data: str) -> str:
    """The type of a sound by how its base64 text begins: what has no head is bare samples."""
    return next((kind for start, kind in _SOUNDS if start.match(data)), _SAMPLES)


def sound_format(media_type: str | None) -> str:
    """What OpenAI calls the format of a sound; `wav` where nothing was said."""
    kind = (media_type or "audio/wav").partition(";")[0].rpartition("/")[2]
    return {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav"}.get(kind, kind)


def text_in(data: str) -> str:
    """The text that base64 stands for; itself where it is no base64."""
    try:
        return base64.b64decode(data).decode("utf-8", "replace")
    except ValueError:
        return data
