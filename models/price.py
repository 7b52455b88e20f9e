"""Prices that the operator set: model → rates, over the gateway's own table. Rates are decimal text."""

import json
from typing import Any

from .base import BigIntegerField, CharField, Row, TextField
from .change import touch


class Price(Row):
    model = CharField(primary_key=True)
    facts = TextField()
    changed_at = BigIntegerField()


def put(model: str, facts: dict[str, Any], at: int) -> None:
    text = json.dumps(facts)
    Price.insert(model=model, facts=text, changed_at=at).on_conflict(
        conflict_target=[Price.model], update={Price.facts: text, Price.changed_at: at}
    ).execute()
    touch()


def remove(model: str) -> bool:
    gone = Price.delete().where(Price.model == model).execute() == 1
    touch()
    return bool(gone)


def everyone() -> dict[str, tuple[dict[str, Any], int]]:
    """Model → (facts, changed_at)."""
    return {price.model: (json.loads(price.facts), price.changed_at) for price in Price.select()}
