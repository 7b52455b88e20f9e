"""Windows: how much of a rate limit is used. One row a (scope, rule), so bounded and flat in cost.

A window opens at the first call that it counts and closes `ms` later; it never admits more than its limit. `look` and
`take` run inside the write that places a hold, where calls of one account stand in line, so all workers and machines
share it exactly. What a call reserved comes back to the window that it was taken from, and to none after it: each
window of a row has a number of its own, `serial`.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

from peewee import CompositeKey

from .base import BigIntegerField, CharField, Row, is_postgres, marks, rows, run


class Window(Row):
    scope = CharField()
    rule = CharField()
    opened_at = BigIntegerField()
    used = BigIntegerField()
    serial = BigIntegerField(default=0)

    class Meta:
        table_name = "rate_window"
        primary_key = CompositeKey("scope", "rule")


class Rule(NamedTuple):
    """One limit: whose, which, how much at most, how much this call takes, and for how long (0: while it runs)."""

    scope: str
    name: str
    limit: int
    amount: int
    ms: int


class Use(NamedTuple):
    """Where a rule stands: its limit, what is left, when the window closes, and when that was (Unix ms)."""

    rule: Rule
    left: int
    resets_at: int
    at: int


class Look(NamedTuple):
    """Where a rule stands, and its window: when it opened (`at` if it opens now), what is used, its number.

    late: the row says that it opened later than now, because the clock went back.
    """

    use: Use
    opened_at: int
    used: int
    serial: int
    late: bool


def now() -> int:
    """Unix milliseconds by the one clock that all who share the windows have: on Postgres the database's."""
    if is_postgres():
        return int(rows("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")[0][0])
    return time.time_ns() // 1_000_000


def look(rules: Sequence[Rule], at: int) -> list[Look]:
    """Where rules stand at a moment."""
    scopes = sorted({rule.scope for rule in rules})
    if not scopes:
        return []
    found = {
        (scope, rule): (int(opened), int(used), int(serial))
        for scope, rule, opened, used, serial in rows(
            f"SELECT scope, rule, opened_at, used, serial FROM rate_window WHERE scope IN ({marks(len(scopes))})",
            *scopes,
        )
    }
    return [_stands(rule, found.get((rule.scope, rule.name), (at, 0, 0)), at) for rule in rules]


def _stands(rule: Rule, row: tuple[int, int, int], at: int) -> Look:
    opened, used, serial = row
    if rule.ms and at >= opened + rule.ms:
        opened, used, serial = at, 0, serial + 1
    late = opened > at
    opened = min(opened, at)  # what is used stays used, and the window lasts `ms` from now
    return Look(Use(rule, rule.limit - used, opened + rule.ms if rule.ms else at, at), opened, used, serial, late)


def rewind(looks: Sequence[Look]) -> None:
    """Write down that windows of a clock that went back last from now; for a call that is refused."""
    for one in looks:
        if one.late:
            run("UPDATE rate_window SET opened_at = ? WHERE scope = ? AND rule = ?", one.opened_at, *one.use.rule[:2])


def take(looks: Sequence[Look]) -> None:
    """Count this call in the windows that `look` found."""
    if not looks:
        return
    values = [(*one.use.rule[:2], one.opened_at, one.used + one.use.rule.amount, one.serial) for one in looks]
    run(
        "INSERT INTO rate_window (scope, rule, opened_at, used, serial)"
        f" VALUES {marks(len(values), '(?, ?, ?, ?, ?)')}"
        " ON CONFLICT (scope, rule) DO UPDATE SET"
        " opened_at = excluded.opened_at, used = excluded.used, serial = excluded.serial",
        *(value for row in values for value in row),
    )


def give_back(scope: str, rule: str, serial: int, amount: int) -> None:
    """Give back what was reserved and not used, if its window is still the same."""
    run(
        "UPDATE rate_window SET used = used - ? WHERE scope = ? AND rule = ? AND serial = ?",
        amount,
        scope,
        rule,
        serial,
    )
