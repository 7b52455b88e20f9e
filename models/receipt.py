"""Receipts: what one call used and cost, written once with its settlement; and their daily sums.

A receipt holds no body, no file name, no client address and no value of `user` or `metadata`.
"""

from typing import Any, NamedTuple

from peewee import CompositeKey

from .base import BigIntegerField, BooleanField, CharField, IntegerField, Row, TextField, marks, rows, run


class Receipt(Row):
    id = CharField(primary_key=True)
    account_id = CharField()
    key_id = CharField()
    created_at = BigIntegerField()
    surface = CharField()
    model = CharField()
    provider = CharField(null=True)
    channel = CharField(null=True)
    upstream_model = CharField(null=True)
    upstream_id = CharField(null=True)
    streamed = BooleanField()
    status = IntegerField()
    finish = CharField(null=True)
    cost_nanos = BigIntegerField()
    reported = BooleanField()
    partial = BooleanField()
    overrun = BooleanField()
    price_version = CharField(null=True)
    latency_ms = IntegerField()
    first_event_ms = IntegerField(null=True)
    detail = TextField()

    class Meta:
        indexes = ((("account_id", "created_at"), False),)


class Daily(Row):
    account_id = CharField()
    day = CharField()
    key_id = CharField()
    model = CharField()
    calls = BigIntegerField()
    input_tokens = BigIntegerField()
    output_tokens = BigIntegerField()
    cost_nanos = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("account_id", "day", "key_id", "model")


COLUMNS = tuple(Receipt._meta.sorted_field_names)
_INSERT = (
    f"INSERT INTO receipt ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) ON CONFLICT (id) DO NOTHING"
)


def put(values: dict[str, Any]) -> bool:
    """Write a receipt. False if it is there already."""
    return bool(run(_INSERT, *(values[column] for column in COLUMNS)).rowcount == 1)


def count(account_id: str, day: str, key_id: str, model: str, tokens_in: int, tokens_out: int, cost: int) -> None:
    """Add one call to its day."""
    run(
        "INSERT INTO daily (account_id, day, key_id, model, calls, input_tokens, output_tokens, cost_nanos)"
        " VALUES (?, ?, ?, ?, 1, ?, ?, ?) ON CONFLICT (account_id, day, key_id, model) DO UPDATE SET"
        " calls = daily.calls + 1, input_tokens = daily.input_tokens + excluded.input_tokens,"
        " output_tokens = daily.output_tokens + excluded.output_tokens,"
        " cost_nanos = daily.cost_nanos + excluded.cost_nanos",
        account_id,
        day,
        key_id,
        model,
        tokens_in,
        tokens_out,
        cost,
    )


def find(account_id: str, *names: str) -> dict[str, Any] | None:
    """A receipt of this account by any of its names, or None: unknown and foreign look the same."""
    if not names:
        return None
    found = rows(
        f"SELECT {', '.join(COLUMNS)} FROM receipt WHERE id IN ({marks(len(names))}) AND account_id = ?",
        *names, account_id,
    )  # fmt: skip
    return dict(zip(COLUMNS, found[0], strict=True)) if found else None


_SUMS = (
    "SUM(calls), SUM(input_tokens), SUM(output_tokens), SUM(cost_nanos) FROM daily"
    " WHERE account_id = ? AND day BETWEEN ? AND ?"
)

BY = {
    "day": "SELECT day, " + _SUMS + " GROUP BY day ORDER BY day",
    "model": "SELECT model, " + _SUMS + " GROUP BY model ORDER BY model",
    "key": "SELECT key_id, " + _SUMS + " GROUP BY key_id ORDER BY key_id",
}
"""What sums of usage may be told by, and how they are asked for."""


class Used(NamedTuple):
    """What was used in all by what is named."""

    name: str
    calls: int
    input_tokens: int
    output_tokens: int
    nanos: int


def usage(account_id: str, first: str, last: str, by: str) -> list[Used]:
    """What an account used on the days from first to last (`2026-11-22`), by one of BY and in its order."""
    return [
        Used(str(name), int(calls), int(tokens_in), int(tokens_out), int(nanos))
        for name, calls, tokens_in, tokens_out, nanos in rows(BY[by], account_id, first, last)
    ]
