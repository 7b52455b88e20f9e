"""Pins: (account, kind, id as the account knows it) → the channel that made it, and the maker's own id.

An id that a reply carried can be referred to later only by the account that got it, and only at its maker.
"""

from __future__ import annotations

from typing import NamedTuple

from peewee import CompositeKey

from .base import BigIntegerField, CharField, Row, rows, run


class Pin(Row):
    """One object. upstream_id: the maker's id for it, where ours is another (a reply)."""

    account_id = CharField()
    kind = CharField()
    id = CharField()
    channel_id = CharField()
    at = BigIntegerField()
    upstream_id = CharField(null=True)

    class Meta:
        primary_key = CompositeKey("account_id", "kind", "id")
        indexes = ((("account_id", "upstream_id"), False),)


class Found(NamedTuple):
    """Where an object is, and how it is called there."""

    channel_id: str
    upstream_id: str


def put(account_id: str, kind: str, identity: str, upstream_id: str | None, channel_id: str, at: int) -> None:
    """Part of the write that settles the reply which carried the id."""
    run(
        "INSERT INTO pin (account_id, kind, id, upstream_id, channel_id, at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (account_id, kind, id) DO NOTHING",
        account_id,
        kind,
        identity,
        upstream_id,
        channel_id,
        at,
    )


def find(account_id: str, kind: str, identity: str) -> Found | None:
    """An object of this account, or None: unknown and foreign look the same."""
    found = rows(
        "SELECT channel_id, upstream_id FROM pin WHERE account_id = ? AND kind = ? AND id = ?",
        account_id,
        kind,
        identity,
    )
    return Found(str(found[0][0]), str(found[0][1] or identity)) if found else None


def known(account_id: str, kind: str, upstream_id: str) -> str | None:
    """Our id for what the maker calls so."""
    found = rows(
        "SELECT id FROM pin WHERE account_id = ? AND upstream_id = ? AND kind = ?", account_id, upstream_id, kind
    )
    return str(found[0][0]) if found else None
