"""Files that callers send to be kept, and what batches write for them: whose they are, what for, and until when. Their
bytes are media (`media.py`) of the same id; their names are sealed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import idempotency, ledger
from .base import BigIntegerField, BlobField, CharField, Row, is_postgres, rows, run

MOST_MB = 10_000
"""Megabytes of files that an account may keep where its plan says nothing."""

MADE = "batch_output"
"""The purpose of what batches write. It takes room, and is written however little is left."""

_MB = 1_000_000


class File(Row):
    """One file. name: as it was sent, sealed · expires_at: Unix ms."""

    id = CharField(primary_key=True)
    account_id = CharField()
    purpose = CharField()
    name = BlobField()
    bytes = BigIntegerField()
    created_at = BigIntegerField()
    expires_at = BigIntegerField(index=True)

    class Meta:
        indexes = ((("account_id", "created_at", "id"), False), (("account_id", "purpose", "created_at", "id"), False))


class Found(NamedTuple):
    """A file that is still kept."""

    id: str
    account_id: str
    purpose: str
    name: bytes
    bytes: int
    created_at: int
    expires_at: int


class Room(NamedTuple):
    """Bytes that an account's files take, and may."""

    used: int
    most: int


_COLUMNS = ", ".join(Found._fields)


def _read(found: list[tuple[Any, ...]]) -> list[Found]:
    return [Found(row[0], row[1], row[2], bytes(row[3]), *row[4:]) for row in found]


def room(account_id: str) -> Room:
    """How much an account keeps, and may."""
    most = rows(
        "SELECT plan.file_mb FROM account JOIN plan ON plan.name = account.plan WHERE account.id = ?", account_id
    )
    used = rows("SELECT coalesce(sum(bytes), 0) FROM file WHERE account_id = ?", account_id)
    return Room(int(used[0][0]), _MB * int(most[0][0] if most and most[0][0] is not None else MOST_MB))


def put(
    file: Found, settlement: tuple[Any, ...] | None = None, outcome: tuple[str, bytes] | None = None
) -> Room | None:
    """Keep a file, settle what it costs, and keep the outcome of its claim (`ledger.settle`). Where it has no room
    nothing is done, and that is told."""
    if is_postgres():  # elsewhere the write lock keeps others out between look and take
        rows("SELECT 1 FROM account WHERE id = ? FOR UPDATE", file.account_id)
    if file.purpose != MADE and not rows("SELECT 1 FROM file WHERE id = ?", file.id):
        left = room(file.account_id)
        if left.used + file.bytes > left.most:
            return left
    run(
        f"INSERT INTO file ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " bytes = excluded.bytes, created_at = excluded.created_at, expires_at = excluded.expires_at",
        *file,
    )
    if settlement is not None:
        ledger.settle(*(*settlement, outcome))
    elif outcome is not None:  # what costs nothing has no receipt
        ledger.release(file.id)
        idempotency.keep(file.account_id, outcome[0], file.id, outcome[1])
    return None


def find(account_id: str, identity: str, at: int) -> Found | None:
    """A file of this account, or None: unknown and foreign look the same."""
    found = rows(
        f"SELECT {_COLUMNS} FROM file WHERE id = ? AND account_id = ? AND expires_at > ?", identity, account_id, at
    )
    return _read(found)[0] if found else None


class Page(NamedTuple):
    """Which files are listed. after: the (created_at, id) of the last of the page before · newest: first, else last."""

    purpose: str | None
    after: tuple[int, str] | None
    newest: bool
    limit: int


_PAGE = {
    (purpose, newest, after): f"SELECT {_COLUMNS} FROM file WHERE account_id = ?"
    + (" AND purpose = ?" if purpose else "")
    + (f" AND (created_at, id) {'<' if newest else '>'} (?, ?)" if after else "")
    + f" AND expires_at > ? ORDER BY created_at {'DESC' if newest else 'ASC'}, id {'DESC' if newest else 'ASC'} LIMIT ?"
    for purpose in (False, True)
    for newest in (False, True)
    for after in (False, True)
}


def page(account_id: str, wanted: Page, at: int) -> list[Found]:
    """The files of an account, a page of them; by an index, so it costs the same however many there are."""
    purposes = () if wanted.purpose is None else (wanted.purpose,)
    statement = _PAGE[bool(purposes), wanted.newest, wanted.after is not None]
    return _read(rows(statement, account_id, *purposes, *(wanted.after or ()), at, wanted.limit))


def remove(account_id: str, identity: str) -> bool:
    """Forget a file of this account. Its bytes are the store's to remove."""
    return bool(run("DELETE FROM file WHERE id = ? AND account_id = ?", identity, account_id).rowcount)


def due(at: int) -> bool:
    """Whether any file's time is over."""
    return bool(rows("SELECT 1 FROM file WHERE expires_at <= ? LIMIT 1", at))


def expire(at: int) -> None:
    """Forget the files whose time is over."""
    run("DELETE FROM file WHERE expires_at <= ?", at)
