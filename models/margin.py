"""Margins: what the operator adds to the book's prices, in percent, for `channel:<id>` or `author:<name>`."""

from .base import CharField, Row
from .change import touch


class Margin(Row):
    target = CharField(primary_key=True)
    percent = CharField()


def put(target: str, percent: str) -> None:
    Margin.insert(target=target, percent=percent).on_conflict(
        conflict_target=[Margin.target], update={Margin.percent: percent}
    ).execute()
    touch()


def remove(target: str) -> bool:
    gone = Margin.delete().where(Margin.target == target).execute() == 1
    touch()
    return bool(gone)


def everyone() -> dict[str, str]:
    """Target → percent, as decimal text."""
    return {margin.target: margin.percent for margin in Margin.select()}
