"""A stream as Google sends it without `alt=sse`: one JSON array, its elements as they come."""

from __future__ import annotations

from collections.abc import Iterator

from ...sse import Splitter, read


class Elements(Iterator[bytes]):
    """The pieces of a stream, whole frames each, as pieces of an array. A ping is a line break; an error, the last
    element."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._splitter = Splitter()
        self._begun = self._over = False

    def __next__(self) -> bytes:
        if self._over:
            raise StopIteration
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._over = True
            return self._element(self._splitter.end()) + (b"]" if self._begun else b"[]")
        return b"".join(map(self._element, self._splitter.feed(piece))) or b"\n"

    def close(self) -> None:
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()

    def _element(self, frame: bytes) -> bytes:
        data = read(frame).data
        if data is None:
            return b""
        mark, self._begun = b",\r\n" if self._begun else b"[", True
        return mark + data
