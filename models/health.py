"""Legs that rest, as the worker that found it tells all others; one that serves has no row.

Polled often and written only when something turns, so these changes do not go through the change counter.
"""

from peewee import CompositeKey

from .base import BigIntegerField, CharField, IntegerField, Row, run

KEPT_MS = 86_400_000
"""Nobody has called such a leg for so long: nothing is known of it any more."""

MOST = 1_000


class Health(Row):
    """channel: its id · model: the upstream name, "" for all of the channel · until: when the rest ends, Unix ms ·
    ejections: how many rests followed each other."""

    channel = CharField()
    model = CharField()
    cause = CharField()
    until = BigIntegerField()
    ejections = IntegerField()
    changed_at = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("channel", "model")


def put(channel: str, model: str, cause: str, until: int, ejections: int, at: int) -> None:
    """A leg goes to rest."""
    run("DELETE FROM health WHERE changed_at < ?", at - KEPT_MS)
    run(
        "INSERT INTO health (channel, model, cause, until, ejections, changed_at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (channel, model) DO UPDATE SET cause = excluded.cause, until = excluded.until,"
        " ejections = excluded.ejections, changed_at = excluded.changed_at",
        channel,
        model,
        cause,
        until,
        ejections,
        at,
    )


def drop(channel: str, model: str) -> None:
    """It serves again."""
    run("DELETE FROM health WHERE channel = ? AND model = ?", channel, model)


def everyone() -> list[Health]:
    return list(Health.select().order_by(Health.changed_at.desc()).limit(MOST))


def of(channel: str) -> list[Health]:
    """What rests of a channel."""
    return list(Health.select().where(Health.channel == channel).order_by(Health.model))
