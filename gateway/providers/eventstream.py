"""AWS's binary frames, `application/vnd.amazon.eventstream`
(https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html, and Smithy's specification of them).

A frame is its length and that of its headers, a checksum of these, the headers, a payload, and a checksum of it all.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

from ..sse import MAX_FRAME

_PRELUDE = 12
_AROUND = _PRELUDE + 4
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value, by its type."""

_BYTES, _TEXT = 6, 7
"""Types of values that begin with their length."""


class Frame(NamedTuple):
    """kind: `event`, `exception` or `error` · name: of the event, exception or error code · message: of an `error`."""

    kind: str
    name: str
    message: str
    payload: bytes


class Frames:
    """Cuts chunks into frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that are whole now. Raises ValueError for what is none."""
        rest = self._rest
        rest += chunk
        found: list[Frame] = []
        start = 0
        while len(rest) - start >= _PRELUDE:
            total, headers, checksum = struct.unpack_from(">III", rest, start)
            if crc32(rest[start : start + 8]) != checksum:
                raise ValueError("the checksum of a frame's prelude is wrong")
            if not _AROUND + headers <= total <= MAX_FRAME:
                raise ValueError("a frame's length makes no sense")
            if len(rest) - start < total:
                break
            found.append(_frame(bytes(rest[start : start + total]), headers))
            start += total
        del rest[:start]
        return found

    def end(self) -> None:
        """The stream has ended. Raises ValueError inside of a frame."""
        if self._rest:
            raise ValueError("the stream ended inside of a frame")


def _frame(data: bytes, headers: int) -> Frame:
    if crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
        raise ValueError("the checksum of a frame is wrong")
    named = _headers(data[_PRELUDE : _PRELUDE + headers])
    kind = named.get(":message-type", "event")
    name = named.get({"exception": ":exception-type", "error": ":error-code"}.get(kind, ":event-type"), "")
    return Frame(kind, name, named.get(":error-message", ""), data[_PRELUDE + headers : -4])


def _headers(data: bytes) -> dict[str, str]:
    """The headers that are texts. Raises ValueError."""
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            name = data[at + 1 : at + 1 + data[at]].decode()
            at += 1 + data[at]
            kind = data[at]
            at += 1
            length = _FIXED.get(kind)
            if length is None:
                if kind not in (_BYTES, _TEXT):
                    raise ValueError("a frame's header has a type that does not exist")
                length = int.from_bytes(data[at : at + 2], "big")
                at += 2
            if at + length > len(data):
                raise ValueError("a frame's headers are longer than they say")
            if kind == _TEXT:
                found[name] = data[at : at + length].decode()
            at += length
    except IndexError:
        raise ValueError("a frame's headers end early") from None
    return found
