"""Tallies: how often an account called something lately. The memory of sandbox models that count, and of what they were
told to forget."""

from peewee import CompositeKey

from .base import BigIntegerField, CharField, Row, rows, run


class Tally(Row):
    account_id = CharField()
    name = CharField()
    opened_at = BigIntegerField()
    n = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("account_id", "name")


def count(account_id: str, name: str, at: int, ms: int) -> int:
    """Count one call and give its number in the period of `ms` that the first one opened. Runs in a write."""
    run(
        "INSERT INTO tally (account_id, name, opened_at, n) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (account_id, name) DO UPDATE SET"
        " n = CASE WHEN excluded.opened_at - tally.opened_at < ? THEN tally.n + 1 ELSE 1 END,"
        " opened_at = CASE WHEN excluded.opened_at - tally.opened_at < ? THEN tally.opened_at"
        " ELSE excluded.opened_at END",
        account_id,
        name,
        at,
        ms,
        ms,
    )
    return int(rows("SELECT n FROM tally WHERE account_id = ? AND name = ?", account_id, name)[0][0])


def mark(owner: str, name: str, at: int, ms: int) -> None:
    """Remember a name for `ms`. Runs in a write."""
    run("DELETE FROM tally WHERE account_id = ? AND opened_at < ?", owner, at - ms)
    run(
        "INSERT INTO tally (account_id, name, opened_at, n) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (account_id, name) DO NOTHING",
        owner,
        name,
        at,
    )


def marked(owner: str, name: str) -> bool:
    """Whether a name is remembered."""
    return bool(rows("SELECT 1 FROM tally WHERE account_id = ? AND name = ?", owner, name))
