"""Idempotency: what became of a call that its caller named by a key of his own, kept for a day.

A row says which call a key stands for; whether that call runs, is done or came to nothing is told by its hold and its
receipt, so nobody has to clean up after a dead worker. Neither key nor body is in it: the id and the fingerprint are
derived by a secret that only the caller has, and the outcome is sealed by another.
"""

from __future__ import annotations

from typing import NamedTuple

from .base import BigIntegerField, BlobField, CharField, Row, is_postgres, rows, run

KEPT_MS = 86_400_000
"""How long a key stands for its call, from when that came."""

BATCH = 8
"""Most rows forgotten in one write: each may be a megabyte, and the event loop waits meanwhile."""


class Idempotency(Row):
    """One key. sealed: the outcome; None while the call runs, and where it is not kept."""

    id = CharField(primary_key=True)
    account_id = CharField()
    call_id = CharField()
    fingerprint = CharField()
    at = BigIntegerField(index=True)
    sealed = BlobField(null=True)


class Found(NamedTuple):
    """The call that a key stands for: it runs, or its outcome is `sealed`, or there is only its receipt."""

    call_id: str
    fingerprint: str
    running: bool
    sealed: bytes | None


def find(account_id: str, identity: str, at: int) -> Found | None:
    """What a key stands for at a moment, Unix ms. None when it is free: it is new or a day old, or its call delivered
    and cost nothing."""
    found = rows(
        "SELECT i.call_id, i.fingerprint, i.sealed, h.id, r.id FROM idempotency i"
        " LEFT JOIN hold h ON h.id = i.call_id"
        " LEFT JOIN receipt r ON r.id = i.call_id AND (r.status = 200 OR r.cost_nanos > 0)"
        " WHERE i.id = ? AND i.account_id = ? AND i.at > ?",
        identity,
        account_id,
        at - KEPT_MS,
    )
    if not found or not any(found[0][2:]):
        return None
    call_id, fingerprint, sealed, hold, _ = found[0]
    return Found(call_id, fingerprint, hold is not None, bytes(sealed) if sealed is not None else None)


def take(account_id: str, identity: str, fingerprint: str, call_id: str, at: int) -> None:
    """Let a key that is free stand for a call. Part of the write that places its hold."""
    run(
        "INSERT INTO idempotency (id, account_id, call_id, fingerprint, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET call_id = excluded.call_id, fingerprint = excluded.fingerprint,"
        " at = excluded.at, sealed = NULL",
        identity,
        account_id,
        call_id,
        fingerprint,
        at,
    )


def keep(account_id: str, identity: str, call_id: str, sealed: bytes) -> None:
    """Keep a call's outcome, if its key still stands for it. Part of the write that settles it."""
    run(
        "UPDATE idempotency SET sealed = ? WHERE id = ? AND account_id = ? AND call_id = ?",
        sealed,
        identity,
        account_id,
        call_id,
    )


def old(at: int) -> bool:
    """Whether there is anything to forget."""
    return bool(rows("SELECT 1 FROM idempotency WHERE at <= ? LIMIT 1", at - KEPT_MS))


def forget(at: int) -> int:
    """Remove some that are a day old; how many. What another call is just taking over is left to it."""
    statement = _FORGET_UNLOCKED if is_postgres() else _FORGET
    return int(run(statement, at - KEPT_MS, BATCH).rowcount)


_FORGET = "DELETE FROM idempotency WHERE id IN (SELECT id FROM idempotency WHERE at <= ? ORDER BY at LIMIT ?)"
_FORGET_UNLOCKED = _FORGET[:-1] + " FOR UPDATE SKIP LOCKED)"
