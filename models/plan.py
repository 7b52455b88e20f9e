"""Plans: what an account, or a key, may use at most, of all models and of those of a pattern; nothing set means no
limit. And for how many days an account's media are kept, and how many megabytes of files."""

from typing import Any

from peewee import CompositeKey

from .base import BigIntegerField, CharField, Row, TextField
from .change import touch
from .file import MOST_MB
from .media import DAYS

LIMITS = ("rpm", "tpm", "rpd", "parallel")


class Plan(Row):
    name = CharField(primary_key=True)
    rpm = BigIntegerField(null=True)
    tpm = BigIntegerField(null=True)
    rpd = BigIntegerField(null=True)
    parallel = BigIntegerField(null=True)
    models = TextField(null=True)
    media_days = BigIntegerField(null=True)
    file_mb = BigIntegerField(null=True)


class PlanLimit(Row):
    """Further limits of a plan, for calls of models that match a pattern only."""

    plan = CharField()
    pattern = CharField()
    rpm = BigIntegerField(null=True)
    tpm = BigIntegerField(null=True)
    rpd = BigIntegerField(null=True)
    parallel = BigIntegerField(null=True)

    class Meta:
        primary_key = CompositeKey("plan", "pattern")


def put(name: str, **limits: Any) -> None:
    """Make or change a plan; limits that are not named stay as they are."""
    Plan.insert(name=name).on_conflict_ignore().execute()
    if limits:
        Plan.update(**limits).where(Plan.name == name).execute()
    touch()


def put_limit(name: str, pattern: str, **limits: Any) -> None:
    """Make or change a plan's limits for models of a pattern; a row that limits nothing is forgotten."""
    mine = (PlanLimit.plan == name) & (PlanLimit.pattern == pattern)
    PlanLimit.insert(plan=name, pattern=pattern).on_conflict_ignore().execute()
    if limits:
        PlanLimit.update(**limits).where(mine).execute()
    for limit in LIMITS:
        mine &= getattr(PlanLimit, limit).is_null()
    PlanLimit.delete().where(mine).execute()
    touch()


def limits_of(name: str) -> list[PlanLimit]:
    """A plan's limits for models of a pattern."""
    return list(PlanLimit.select().where(PlanLimit.plan == name).order_by(PlanLimit.pattern))


def find(name: str) -> Plan | None:
    return Plan.get_or_none(Plan.name == name)


def everyone() -> list[Plan]:
    return list(Plan.select().order_by(Plan.name))


def row(plan: Plan) -> dict[str, Any]:
    """What the command line shows of a plan."""
    return {
        "name": plan.name,
        **_limits(plan),
        "models": plan.models,
        "media_days": plan.media_days if plan.media_days is not None else DAYS,
        "file_mb": plan.file_mb if plan.file_mb is not None else MOST_MB,
        "limits": [{"pattern": limit.pattern, **_limits(limit)} for limit in limits_of(plan.name)],
    }


def _limits(of: Plan | PlanLimit) -> dict[str, Any]:
    return {limit: getattr(of, limit) for limit in LIMITS}
