"""Windows: how much of a rate limit is used. One row a (scope, rule), so bounded and flat in cost.

A window opens at the first call that it counts and closes `seconds` later; it never admits more than its limit. Runs
inside the write that places a hold, so all workers and machines share it exactly.
"""

import time
from typing import NamedTuple

from peewee import CompositeKey

from .base import BigIntegerField, CharField, Row, is_postgres, rows, run


class Window(Row):
    scope = CharField()
    rule = CharField()
    opened_at = BigIntegerField()
    used = BigIntegerField()

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
    """Where a rule stands: its limit, what is left, and when the window closes (Unix ms)."""

    rule: Rule
    left: int
    resets_at: int


def now() -> int:
    """Unix milliseconds by the one clock that all who share the windows have: on Postgres the database's."""
    if is_postgres():
        return int(rows("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")[0][0])
    return time.time_ns() // 1_000_000


def look(rule: Rule, at: int) -> tuple[Use, int]:
    """Where the rule stands at a moment, and when its window opened (`at` if it opens now)."""
    if rule.ms == 0:
        running = rows("SELECT count(*) FROM hold WHERE account_id = ? OR key_id = ?", rule.scope, rule.scope)[0][0]
        return Use(rule, rule.limit - int(running), at), at
    found = rows("SELECT opened_at, used FROM rate_window WHERE scope = ? AND rule = ?", rule.scope, rule.name)
    if not found or not found[0][0] - rule.ms < at < found[0][0] + rule.ms:  # closed, or the clock went far back
        return Use(rule, rule.limit, at + rule.ms), at
    opened, used = found[0]
    return Use(rule, rule.limit - int(used), int(opened) + rule.ms), int(opened)


def take(rule: Rule, opened_at: int) -> None:
    """Count this call in the window that `look` found."""
    run(
        "INSERT INTO rate_window (scope, rule, opened_at, used) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (scope, rule) DO UPDATE SET used = CASE WHEN rate_window.opened_at = excluded.opened_at"
        " THEN rate_window.used + excluded.used ELSE excluded.used END, opened_at = excluded.opened_at",
        rule.scope,
        rule.name,
        opened_at,
        rule.amount,
    )


def give_back(scope: str, rule: str, opened_at: int, amount: int) -> None:
    """Give back what was reserved and not used, if its window is still the same."""
    run(
        "UPDATE rate_window SET used = used - ? WHERE scope = ? AND rule = ? AND opened_at = ?",
        amount,
        scope,
        rule,
        opened_at,
    )
