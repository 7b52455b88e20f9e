"""Files that callers send, for as long as their call lasts: short ones in memory, long ones in a file without a name,
so that nobody can find it and no crash leaves it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .. import config
from ..apart import apart
from ..bodies import Kept
from .folder import PIECE

HELD = 1 << 20
"""Bytes of one file that are held in memory."""


class Spool:
    """Takes a file's bytes as they come. See `bodies.Sink`."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._file: IO[bytes] | None = None
        self._size = 0

    def write(self, data: bytes) -> None:
        self._held += data
        self._size += len(data)
        if self._size > HELD and len(self._held) >= PIECE:
            self._flush()

    def _flush(self) -> None:
        if self._file is None:
            self._file = apart(_nameless, config.current().data)
        piece, self._held = bytes(self._held), bytearray()
        apart(_append, self._file, piece)

    def body(self) -> bytes | Kept:
        if self._file is None:
            return bytes(self._held)
        self._flush()
        return Spooled(self._file, self._size)


class Spooled:
    """A long file. It is closed when nobody has it any more, a thread that reads it among them. See `bodies.Pieces`."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        at = 0
        while at < self._size:
            piece: bytes = apart(_read, self._file, at, min(PIECE, self._size - at))
            if not piece:
                raise OSError("the file is shorter than it was")
            at += len(piece)
            yield piece

    def read(self, start: int, most: int) -> bytes:
        found: bytes = apart(_read, self._file, start, max(0, min(most, self._size - start)))
        return found


def _nameless(folder: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(buffering=0, dir=folder)


def _append(file: IO[bytes], piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[os.write(file.fileno(), left) :]


def _read(file: IO[bytes], start: int, size: int) -> bytes:
    return os.pread(file.fileno(), size, start)
