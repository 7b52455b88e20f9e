"""What an image says of itself in its first bytes: its type and its size. Nothing is decoded.

https://www.w3.org/TR/png-3, ITU-T T.81 (JPEG), https://www.rfc-editor.org/rfc/rfc9649 (WebP).
"""

from __future__ import annotations

from typing import NamedTuple

UNKNOWN = "application/octet-stream"


class Look(NamedTuple):
    """The media type; width and height in pixels, 0 where they are not told."""

    media_type: str
    width: int = 0
    height: int = 0


def look(data: bytes) -> Look:
    """The type and size of an image. What begins like none is UNKNOWN."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return Look("image/png", _big(data[16:20]), _big(data[20:24]))
    if data.startswith(b"\xff\xd8\xff"):
        return Look("image/jpeg", *_of_jpeg(data))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return Look("image/webp", *_of_webp(data))
    if data.startswith((b"GIF87a", b"GIF89a")):
        return Look("image/gif", _little(data[6:8]), _little(data[8:10]))
    return Look(UNKNOWN)


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _of_jpeg(data: bytes) -> tuple[int, int]:
    """Of the first frame header (SOF), behind segments that say how long they are."""
    at = 2
    while at + 9 < len(data):
        if data[at] != 0xFF:
            return 0, 0
        kind = data[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            return _big(data[at + 7 : at + 9]), _big(data[at + 5 : at + 7])
        at += 1 if kind == 0xFF else 2 + max(2, _big(data[at + 2 : at + 4]))
    return 0, 0


def _of_webp(data: bytes) -> tuple[int, int]:
    match data[12:16]:
        case b"VP8 ":
            return _little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF
        case b"VP8L":
            bits = _little(data[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return _little(data[24:27]) + 1, _little(data[27:30]) + 1
    return 0, 0
