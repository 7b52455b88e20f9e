"""Pins: (account, kind, id made upstream) → the channel that made it.

An id that a reply carried can be referred to later only by the account that got it, and only at its maker.
"""

from peewee import CompositeKey

from .base import BigIntegerField, CharField, Row, rows, run


class Pin(Row):
    account_id = CharField()
    kind = CharField()
    upstream_id = CharField()
    channel_id = CharField()
    at = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("account_id", "kind", "upstream_id")


def put(account_id: str, kind: str, upstream_id: str, channel_id: str, at: int) -> None:
    """Part of the write that settles the reply which carried the id."""
    run(
        "INSERT INTO pin (account_id, kind, upstream_id, channel_id, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (account_id, kind, upstream_id) DO NOTHING",
        account_id,
        kind,
        upstream_id,
        channel_id,
        at,
    )


def channel(account_id: str, kind: str, upstream_id: str) -> str | None:
    """The channel that made an object of this account, or None: unknown and foreign look the same."""
    found = rows(
        "SELECT channel_id FROM pin WHERE account_id = ? AND kind = ? AND upstream_id = ?",
        account_id,
        kind,
        upstream_id,
    )
    return str(found[0][0]) if found else None
