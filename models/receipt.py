"""Receipts: what one call used and cost, written once with its settlement; and their daily sums.

A receipt holds no body, no file name, no client address and no value of `user` or `metadata`.
"""

from typing import Any

from peewee import CompositeKey

from .base import BigIntegerField, BooleanField, CharField, IntegerField, Row, TextField, rows, run


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


def find(account_id: str, receipt_id: str) -> dict[str, Any] | None:
    """A receipt of this account, or None: unknown and foreign look the same."""
    found = rows(f"SELECT {', '.join(COLUMNS)} FROM receipt WHERE id = ? AND account_id = ?", receipt_id, account_id)
    return dict(zip(COLUMNS, found[0], strict=True)) if found else None
