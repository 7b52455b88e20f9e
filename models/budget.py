"""Budgets: what a key may spend in a day, week or month of the calendar. One row a key, for the period that it is in.

`look` and `take` run inside the write that places a hold. A call counts in the period that it was held in; each period
of a row has a number of its own, `serial`, so that what comes later moves no other. Amounts are nano-dollars.
"""

from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from .base import BigIntegerField, CharField, Row, rows, run
from .change import touch

PERIODS = ("day", "week", "month")


class Budget(Row):
    """limit_nanos: null where there is none any more · since: the period's start · counted_at: its first call."""

    key_id = CharField(primary_key=True)
    account_id = CharField()
    per = CharField()
    limit_nanos = BigIntegerField(null=True)
    since = BigIntegerField(default=0)
    counted_at = BigIntegerField(default=0)
    spent_nanos = BigIntegerField(default=0)
    held_nanos = BigIntegerField(default=0)
    serial = BigIntegerField(default=0)


class Standing(NamedTuple):
    """A budget at a moment: of what period (Unix ms), and how much of it is spent and held."""

    key_id: str
    per: str
    limit: int
    since: int
    until: int
    counted_at: int
    spent: int
    held: int
    serial: int

    @property
    def free(self) -> int:
        return self.limit - self.spent - self.held


def period(per: str, zone: tzinfo, at: int) -> tuple[int, int]:
    """The calendar period in which a moment lies: its start and its end, Unix ms. Weeks begin on Monday."""
    day = datetime.fromtimestamp(at / 1000, zone).date()
    if per == "day":
        first, after = day, day + timedelta(days=1)
    elif per == "week":
        first = day - timedelta(days=day.weekday())
        after = first + timedelta(days=7)
    else:
        first = day.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
    return _midnight(first, zone), _midnight(after, zone)


def _midnight(day: date, zone: tzinfo) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def put(key_id: str, account_id: str, per: str, limit: int | None) -> None:
    """Give a key a budget, or change its limit or period; None takes it away. Another period counts anew."""
    run(
        "INSERT INTO budget (key_id, account_id, per, limit_nanos, since, counted_at, spent_nanos, held_nanos, serial)"
        " VALUES (?, ?, ?, ?, 0, 0, 0, 0, 0) ON CONFLICT (key_id) DO UPDATE SET"
        " since = CASE WHEN budget.per = excluded.per AND excluded.limit_nanos IS NOT NULL"
        " THEN budget.since ELSE 0 END,"
        " per = excluded.per, limit_nanos = excluded.limit_nanos",
        key_id,
        account_id,
        per,
        limit,
    )
    touch()


def find(key_id: str) -> tuple[str, int] | None:
    """Period and limit of a key's budget; None if it has none."""
    found = rows("SELECT per, limit_nanos FROM budget WHERE key_id = ? AND limit_nanos IS NOT NULL", key_id)
    return (str(found[0][0]), int(found[0][1])) if found else None


def look(key_id: str, zone: tzinfo, at: int) -> Standing | None:
    """Where a key's budget stands at a moment; None if it has none."""
    found = rows(
        "SELECT per, limit_nanos, since, counted_at, spent_nanos, held_nanos, serial FROM budget"
        " WHERE key_id = ? AND limit_nanos IS NOT NULL",
        key_id,
    )
    if not found:
        return None
    per, limit, since, counted_at, spent, held, serial = found[0]
    begins, ends = period(per, zone, at)
    if not begins <= since <= ends:  # it is over; or the clock was far ahead, and no period lasts for ever
        return Standing(key_id, per, int(limit), begins, ends, at, 0, 0, int(serial) + 1)
    if since > begins:  # the clock went back over the edge: nothing is free again
        ends = period(per, zone, int(since))[1]
    return Standing(key_id, per, int(limit), int(since), ends, int(counted_at), int(spent), int(held), int(serial))


def take(standing: Standing, amount: int) -> None:
    """Hold an amount in the period that `look` found."""
    run(
        "UPDATE budget SET since = ?, counted_at = ?, spent_nanos = ?, held_nanos = ?, serial = ? WHERE key_id = ?",
        standing.since,
        standing.counted_at,
        standing.spent,
        standing.held + amount,
        standing.serial,
        standing.key_id,
    )


def give_back(key_id: str, serial: int, amount: int) -> None:
    """A hold is over, if its period is still the same."""
    run("UPDATE budget SET held_nanos = held_nanos - ? WHERE key_id = ? AND serial = ?", amount, key_id, serial)


def spend(key_id: str, cost: int, serial: int | None = None) -> None:
    """A call is charged: in its period if that is still the same, or in whichever it is now."""
    run(
        "UPDATE budget SET spent_nanos = spent_nanos + ? WHERE key_id = ? AND serial = coalesce(?, serial)",
        cost,
        key_id,
        serial,
    )
