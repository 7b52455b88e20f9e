"""Sounds as files: their types, the header of a wav, and how formats are called.

RIFF/WAVE: https://learn.microsoft.com/windows/win32/xaudio2/resource-interchange-file-format--riff-;
types: https://developer.mozilla.org/docs/Web/Media/Guides/Formats/Containers.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

TYPES: Mapping[str, str] = {
    "mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav",
    "pcm": "audio/pcm",
}  # fmt: skip
"""The formats that OpenAI's API speaks in, and what a reply in them is."""

UNENDING = 0xFFFFFFFF
"""The length in a header that was written before anybody knew it."""

_PCM = re.compile(r"audio/(?:l16|pcm|raw)\b", re.IGNORECASE)
_RATE = re.compile(r"rate=(\d{3,6})", re.IGNORECASE)


def wav(rate: int, length: int | None, *, channels: int = 1, extra: bytes = b"") -> bytes:
    """The header of 16-bit samples. rate: a second · length: their bytes, None where nobody knows yet · extra: chunks
    that stand before them."""
    block = 2 * channels
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * block, block, 16) + extra
    whole = UNENDING if length is None else 4 + len(form) + 8 + length + length % 2
    return (
        b"RIFF" + struct.pack("<I", whole) + b"WAVE" + form
        + b"data" + struct.pack("<I", UNENDING if length is None else length)
    )  # fmt: skip


def pcm_rate(media_type: str) -> int | None:
    """Samples a second of what is headerless, by its type (`audio/L16;rate=24000`); None for any other."""
    if not _PCM.match(media_type):
        return None
    found = _RATE.search(media_type)
    return int(found[1]) if found else 24_000
