"""Media: what calls made, kept for its account until its plan's time is over. Here is what is kept and where; the bytes
are in the store.

A row comes before its bytes and is whole once `bytes` says how many they are, so that whatever a crash leaves has a row
that leads to it. `due_at` is when somebody must look at a row again: one that never became whole is thrown away, one
whose time is over is removed and says so.
"""

from __future__ import annotations

from typing import NamedTuple

from .base import BigIntegerField, CharField, IntegerField, Row, is_postgres, rows, run

DAYS = 30
"""How long media are kept where a plan says nothing."""

ARRIVING_MS = 6 * 3_600_000
"""How long bytes may take to arrive."""

AGAIN_MS = 600_000
"""When somebody else removes what one has begun to remove and did not."""

BATCH = 32
"""Most that are removed at once."""

_DAY_MS = 86_400_000


class Media(Row):
    """One file. id, number: the call or task that made it, and which of its results · kind: the family of paths that it
    is fetched at: images, videos, audio · place, blob: where its bytes are, by a name of their own."""

    blob = CharField(primary_key=True)
    id = CharField(index=True)
    number = IntegerField()
    account_id = CharField()
    kind = CharField()
    media_type = CharField()
    place = CharField()
    bytes = BigIntegerField(null=True)
    created_at = BigIntegerField()
    expires_at = BigIntegerField(null=True)
    removed_at = BigIntegerField(null=True)
    due_at = BigIntegerField(null=True, index=True)


class Found(NamedTuple):
    """A file that was whole once. Times are Unix ms."""

    id: str
    number: int
    kind: str
    media_type: str
    place: str
    blob: str
    bytes: int
    created_at: int
    expires_at: int
    removed_at: int | None


_COLUMNS = ", ".join(Found._fields)


class Rest(NamedTuple):
    """What is to be removed."""

    blob: str
    place: str


def begin(
    account_id: str, identity: str, number: int, kind: str, media_type: str, place: str, blob: str, at: int
) -> None:
    """Announce a file."""
    run(
        "INSERT INTO media (blob, id, number, account_id, kind, media_type, place, created_at, due_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (blob) DO NOTHING",
        blob, identity, number, account_id, kind, media_type, place, at, at + ARRIVING_MS,
    )  # fmt: skip


def until(account_id: str, at: int) -> int:
    """Until when what an account has made or sent now is kept, as its plan says."""
    days = rows(
        "SELECT plan.media_days FROM account JOIN plan ON plan.name = account.plan WHERE account.id = ?", account_id
    )
    return at + _DAY_MS * int(days[0][0] if days and days[0][0] is not None else DAYS)


def finish(account_id: str, blob: str, size: int, at: int, expires_at: int | None = None) -> Found | None:
    """A file is whole, and takes the place of an earlier one of its id and number. None where it took too long, and is
    gone. expires_at: where that is not for the plan to say."""
    run(
        "UPDATE media SET bytes = NULL, due_at = ? WHERE account_id = ? AND blob <> ? AND removed_at IS NULL"
        " AND bytes IS NOT NULL AND (id, number) = (SELECT id, number FROM media WHERE blob = ?)",
        at, account_id, blob, blob,
    )  # fmt: skip
    expires_at = until(account_id, at) if expires_at is None else expires_at
    run(
        "UPDATE media SET bytes = ?, expires_at = ?, due_at = ? WHERE blob = ? AND account_id = ?",
        size, expires_at, expires_at, blob, account_id,
    )  # fmt: skip
    found = rows(f"SELECT {_COLUMNS} FROM media WHERE blob = ? AND account_id = ?", blob, account_id)
    return Found(*found[0]) if found else None


def drop(account_id: str, blob: str) -> None:
    """A file never came, and nothing of it is left."""
    run("DELETE FROM media WHERE blob = ? AND account_id = ? AND bytes IS NULL", blob, account_id)


def of(account_id: str, identity: str) -> list[Found]:
    """The files of a call or task of this account, those that were removed among them; none for unknown and foreign
    ids alike."""
    found = rows(
        f"SELECT {_COLUMNS} FROM media WHERE id = ? AND account_id = ? AND bytes IS NOT NULL"
        " ORDER BY number, created_at",
        identity,
        account_id,
    )
    latest = {row[1]: Found(*row) for row in found}
    return list(latest.values())


def forget(account_id: str, identity: str, at: int) -> list[Rest]:
    """Remove the files of a call or task of this account; what of them is to be taken from the store now."""
    mine = rows(
        "SELECT blob, place FROM media WHERE id = ? AND account_id = ? AND bytes IS NOT NULL AND removed_at IS NULL",
        identity,
        account_id,
    )
    for blob, _ in mine:
        run("UPDATE media SET removed_at = ?, due_at = ? WHERE blob = ?", at, at + AGAIN_MS, blob)
    return [Rest(*row) for row in mine]


def due(at: int) -> bool:
    """Whether anything is to be removed."""
    return bool(rows("SELECT 1 FROM media WHERE due_at <= ? LIMIT 1", at))


def claim(at: int) -> list[Rest]:
    """Some files whose time is over, for whoever asks first to take them from the store."""
    found = rows(_DUE_UNLOCKED if is_postgres() else _DUE, at, BATCH)
    for blob, _ in found:
        run(
            "UPDATE media SET due_at = ?, removed_at = CASE WHEN bytes IS NULL THEN NULL ELSE COALESCE(removed_at, ?)"
            " END WHERE blob = ?",
            at + AGAIN_MS, at, blob,
        )  # fmt: skip
    return [Rest(*row) for row in found]


_DUE = "SELECT blob, place FROM media WHERE due_at <= ? ORDER BY due_at LIMIT ?"
_DUE_UNLOCKED = _DUE + " FOR UPDATE SKIP LOCKED"


def gone(blob: str) -> None:
    """A file's bytes are removed. Its row says so; that of one that was never whole goes, too."""
    run("DELETE FROM media WHERE blob = ? AND bytes IS NULL", blob)
    run("UPDATE media SET due_at = NULL WHERE blob = ? AND removed_at IS NOT NULL", blob)
