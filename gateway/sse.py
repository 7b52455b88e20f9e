"""Server-sent events as bytes (https://html.spec.whatwg.org/multipage/server-sent-events.html).

`Splitter` cuts a stream of chunks into frames without changing a byte; `read` takes one frame apart; `write` makes
one. A frame is everything up to and including its blank line, and the blank lines that follow at once.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_FRAME = 16 << 20
"""Longest frame in bytes; a stream with a longer one is broken or hostile."""

PING = b": ping\n\n"
"""A comment frame: keeps proxies and clients awake and means nothing."""

_BLANK = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)+")
_LINE = re.compile(rb"\r\n|\n|\r")
_FIELD = re.compile(rb"(?:\A|[\r\n])(?:data|event|id|retry)\b")
_ID = re.compile(rb"(?:\A|(?<=[\r\n]))id:[^\r\n]*(?:\r\n|\r|\n)")


class Overlong(ValueError):
    """A frame exceeds MAX_FRAME."""


class Splitter:
    """Cuts chunks into frames. The frames' bytes, in order, are the chunks' bytes, in order."""

    __slots__ = ("_rest", "_scanned", "_after_cr")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._scanned = 0  # bytes of the rest in which no boundary begins
        self._after_cr = False  # the last frame ended in CR: a LF that follows belongs to it

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames that are whole now. Raises Overlong."""
        frames: list[bytes] = []
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[:1] == b"\n":
                frames.append(b"\n")
                chunk = chunk[1:]
        rest = self._rest
        plain = b"\r" not in chunk and b"\n\n\n" not in chunk
        if plain and not rest and not frames:  # as nearly always
            *whole, left = chunk.split(b"\n\n")
            if not left:
                return [frame + b"\n\n" for frame in whole]
        rest += chunk
        start = 0
        for match in _BLANK.finditer(rest, self._scanned):
            frames.append(bytes(rest[start : match.end()]))
            start = match.end()
        if start:
            self._after_cr = start == len(rest) and rest[-1] == 13
            self._rest = rest[start:]
        self._scanned = max(0, len(self._rest) - 3)
        if len(self._rest) > MAX_FRAME:
            raise Overlong(f"a frame is longer than {MAX_FRAME} bytes")
        return frames

    def end(self) -> bytes:
        """What is left when the stream has ended: a last frame without its blank line, or nothing."""
        rest, self._rest, self._scanned = bytes(self._rest), bytearray(), 0
        return rest


class Event(NamedTuple):
    """One frame taken apart. data is None for a frame that carries nothing: comments, a name alone, empty data."""

    name: str
    data: bytes | None


def read(frame: bytes) -> Event:
    """The event in a frame: its name (`message` where none is given) and its data lines joined by newlines."""
    if frame.startswith(b"data: ") and frame.find(b"\n") >= len(frame) - 2 and b"\r" not in frame[:-4]:
        return Event("message", frame[6:].rstrip(b"\r\n") or None)
    name = "message"
    data: list[bytes] = []
    for line in _LINE.split(frame):
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return Event(name, b"\n".join(data) if any(data) else None)


def unnumbered(frame: bytes) -> bytes:
    """The frame without its `id`: where one stands, OpenAI's clients make an event of a comment that follows
    (https://github.com/openai/openai-python/issues/2722)."""
    return _ID.sub(b"", frame) if b"id:" in frame else frame


def silent(frame: bytes) -> bool:
    """Whether a frame has no field, only comments: of any other, some clients make an event, even without data."""
    return _FIELD.search(frame) is None


def write(data: bytes, name: str | None = None) -> bytes:
    """A frame with one line of data (which holds no line break) and, for dialects that name them, its name."""
    return (b"event: " + name.encode() + b"\n" if name else b"") + b"data: " + data + b"\n\n"
