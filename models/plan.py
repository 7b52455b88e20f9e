"""Plans: what an account, or a key, may use at most. Nothing set means no limit."""

from typing import Any

from .base import BigIntegerField, CharField, Row, TextField
from .change import touch

LIMITS = ("rpm", "tpm", "rpd", "parallel")


class Plan(Row):
    name = CharField(primary_key=True)
    rpm = BigIntegerField(null=True)
    tpm = BigIntegerField(null=True)
    rpd = BigIntegerField(null=True)
    parallel = BigIntegerField(null=True)
    models = TextField(null=True)


def put(name: str, **limits: Any) -> None:
    """Make or change a plan; limits that are not named stay as they are."""
    Plan.insert(name=name).on_conflict_ignore().execute()
    if limits:
        Plan.update(**limits).where(Plan.name == name).execute()
    touch()


def find(name: str) -> Plan | None:
    return Plan.get_or_none(Plan.name == name)


def everyone() -> list[Plan]:
    return list(Plan.select().order_by(Plan.name))


def row(plan: Plan) -> dict[str, Any]:
    return {"name": plan.name, **{limit: getattr(plan, limit) for limit in LIMITS}, "models": plan.models}
