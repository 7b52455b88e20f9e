"""Files in a folder: written under another name and renamed, so that a file is whole or not there.

Disks wait, so each piece is read and written in a thread; it opens the file by itself, so that nothing is left open
where a wait is broken off.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..apart import apart

PIECE = 1 << 18
"""Bytes that are read or written at once."""

_STALE_S = 6 * 3_600
"""How old a file that nobody writes any more is, at least."""


class TooLarge(Exception):
    """More bytes came than may."""


class Folder:
    """A folder of files by name, in folders of 256 by the first letters, and the folder `arriving`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._arriving = root / "arriving"

    def path(self, name: str) -> Path:
        return self._root / name[:2] / name[2:4] / name

    def take(self, name: str, chunks: Iterable[bytes], most: int) -> Arrived:
        """Write what comes to a file that is not in its place yet. Raises TooLarge, OSError and what `chunks` raises;
        then nothing is left."""
        path = self._arriving / name
        apart(_begin, path)
        try:
            size, digest = 0, hashlib.sha256()
            for piece in gathered(chunks):
                size += len(piece)
                if size > most:
                    raise TooLarge
                digest.update(piece)
                apart(_append, path, piece)
            return Arrived(path, size, digest.hexdigest())
        except BaseException:
            apart(path.unlink, True)
            raise

    def keep(self, arrived: Arrived) -> None:
        """Put what has come in its place, for good."""
        apart(_settle, arrived.path, self.path(arrived.path.name))

    def read(self, name: str, start: int, end: int) -> Iterator[bytes]:
        """The bytes of a file from `start` to before `end`. Raises OSError."""
        return pieces(self.path(name), start, end)

    def remove(self, name: str) -> None:
        """Remove a file, and what is left of its arrival."""
        for path in (self.path(name), self._arriving / name):
            apart(path.unlink, True)

    def sweep(self) -> None:
        """Remove what began to arrive, and was left by a crash."""
        apart(_sweep, self._arriving)


class Arrived:
    """A file that has come and is not in its place yet: a body that can be sent. digest: its SHA-256."""

    def __init__(self, path: Path, size: int, digest: str) -> None:
        self.path, self.digest = path, digest
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return pieces(self.path, 0, self._size)

    def remove(self) -> None:
        apart(self.path.unlink, True)


def pieces(path: Path, start: int, end: int) -> Iterator[bytes]:
    """The bytes of a file from `start` to before `end`, as they are asked for. Raises OSError."""
    while start < end:
        piece = apart(_read, path, start, min(PIECE, end - start))
        if not piece:
            raise OSError("the file is shorter than it was")
        start += len(piece)
        yield piece


def gathered(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are worth a thread."""
    kept = bytearray()
    for chunk in chunks:
        kept += chunk
        if len(kept) >= PIECE:
            yield bytes(kept)
            kept.clear()
    if kept:
        yield bytes(kept)


def _begin(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _append(path: Path, piece: bytes) -> None:
    """Where the file was removed meanwhile it is not made again."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        left = memoryview(piece)
        while left:
            left = left[os.write(handle, left) :]
    finally:
        os.close(handle)


def _read(path: Path, start: int, size: int) -> bytes:
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.pread(handle, size, start)
    finally:
        os.close(handle)


def _settle(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sync(path)
    path.replace(place)
    _sync(place.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    if folder.is_dir():
        for path in folder.iterdir():
            if path.stat().st_mtime < time.time() - _STALE_S:
                path.unlink(missing_ok=True)
