"""The media store: what calls made, kept for its account until its plan's time is over, and then removed.

`put` takes bytes as they come and keeps them in the folder `media` of GATEWAY_DATA, or in a bucket; `of` says what an
account has by an id; `read` gives the bytes, or some of them, as they are asked for. None of it holds more than a piece
in memory or keeps the event loop waiting for a disk. `tick` removes what is over and what a crash has left: a row comes
before its bytes, so nothing is ever there without one.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterable, Iterator

from models import media, writer
from models.base import session
from models.media import Found as Stored

from ..call import Fault, content_url
from ..clock import now_ms
from ..config import Settings, current
from ..providers.buckets import Bucket
from .folder import Folder, TooLarge
from .spool import Spool

__all__ = [
    "Spool",
    "FAMILIES",
    "Lost",
    "MOST",
    "Stored",
    "TooLarge",
    "etag",
    "forget",
    "of",
    "open",
    "put",
    "read",
    "tick",
    "url",
]

FAMILIES = ("images", "videos", "audio")
"""Where media are fetched: the part of the path behind `/v1/`, and their `kind`."""

MOST = 2 << 30
"""Most bytes of one file."""

_log = logging.getLogger("gateway.store")
_FOLDER, _BUCKET = "folder", "bucket"
_folder: Folder | None = None
_bucket: Bucket | None = None


class Lost(Exception):
    """The bytes of a file cannot be had or kept now: the disk or the bucket fails."""


def open(settings: Settings) -> None:
    """Set the process's store up. Call once."""
    global _folder, _bucket
    _folder = Folder(settings.data / "media")
    _bucket = Bucket(settings.media_url) if settings.media_url else None


def put(
    account_id: str,
    identity: str,
    number: int,
    kind: str,
    media_type: str,
    chunks: Iterable[bytes],
    most_bytes: int = MOST,
) -> Stored:
    """Keep a file as result `number` of a call or task; one that is there by that number is replaced. It can be fetched
    once this returns.

    kind: one of FAMILIES. Raises TooLarge, Lost, models.writer.Busy and what `chunks` raises; then nothing is kept.
    """
    assert _folder is not None and kind in FAMILIES
    blob = os.urandom(16).hex()
    place = _BUCKET if _bucket is not None else _FOLDER
    writer.write(media.begin, account_id, identity, number, kind, media_type, place, blob, now_ms(), order=account_id)
    try:
        arrived = _folder.take(blob, chunks, most_bytes)
        if _bucket is not None:
            try:
                _bucket.put(blob, arrived, arrived.digest, media_type)
            finally:
                arrived.remove()
        else:
            _folder.keep(arrived)
    except BaseException as error:
        if _bucket is None:  # of a bucket nobody knows what has arrived, until the row is due
            with contextlib.suppress(OSError):
                _folder.remove(blob)
                writer.submit(media.drop, account_id, blob, order=account_id)
        if isinstance(error, OSError | Fault) and not isinstance(error, TooLarge):
            _log.error("media cannot be kept: %s", type(error).__name__)
            raise Lost from error
        raise
    found: Stored | None = writer.write(media.finish, account_id, blob, len(arrived), now_ms(), order=account_id)
    if found is None:
        raise Lost
    return found


def of(account_id: str, identity: str) -> list[Stored]:
    """The files of a call or task of this account, by number; with what was removed, which has `removed_at`. Unknown
    and foreign ids have none."""
    with session():
        return media.of(account_id, identity)


def read(stored: Stored, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The bytes of a file from `start` to before `end`, in pieces. Raises Lost, before the first piece where it can."""
    assert _folder is not None
    end = stored.bytes if end is None else end
    if stored.place == _BUCKET and _bucket is None:
        raise Lost
    if start >= end:
        return iter(())
    if stored.place == _BUCKET and _bucket is not None:
        return _Begun(_bucket.get(stored.blob, start, end))
    return _Begun(_folder.read(stored.blob, start, end))


class _Begun:
    """The same pieces, the first of which is here already. Closed when the client leaves."""

    def __init__(self, found: Iterator[bytes]) -> None:
        self._found = found
        self._first = self._next()

    def _next(self) -> bytes:
        try:
            return next(self._found, b"")
        except (OSError, Fault) as error:
            _log.error("media cannot be read: %s", type(error).__name__)
            raise Lost from error

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece, self._first = self._first or self._next(), b""
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        close = getattr(self._found, "close", None)
        if close is not None:
            close()


def forget(account_id: str, identity: str) -> bool:
    """Remove the files of a call or task of this account; False where there are none."""
    rest = writer.write(media.forget, account_id, identity, now_ms(), order=account_id)
    for one in rest:
        _remove(one)
    return bool(rest)


def url(stored: Stored) -> str:
    """Where a file is fetched by who owns it."""
    return content_url(current().public_url, stored.kind, stored.id, stored.number)


def etag(stored: Stored) -> str:
    """Tells a file from any other, quoted as in the header."""
    return f'"{hashlib.sha256(stored.blob.encode()).hexdigest()[:32]}"'


def tick() -> None:
    """Remove what is over. Every worker may: of an installation only one gets each file."""
    assert _folder is not None
    with session():
        due = media.due(now_ms())
    while due:
        rest = writer.write(media.claim, now_ms(), order="~")
        for one in rest:
            _remove(one)
        due = len(rest) == media.BATCH
    _folder.sweep()


def _remove(rest: media.Rest) -> None:
    """Take a file from its place, and say so. What cannot be removed now is tried again."""
    assert _folder is not None
    try:
        if rest.place == _FOLDER:
            _folder.remove(rest.blob)
        elif _bucket is not None:
            _bucket.remove(rest.blob)
        else:
            raise Lost
    except (OSError, Fault, Lost) as error:
        _log.warning("media cannot be removed, which is tried again: %s", type(error).__name__)
    else:
        writer.write(media.gone, rest.blob)
