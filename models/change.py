"""The change counter: how a change made by one process reaches the caches of all others within a second.

Every write to a table that is cached (keys, plans, channels, routes, prices) calls `touch`. Each worker polls the
counter several times a second; a cache is good as long as `seen()` is the number that it was filled at.
"""

from .base import BigIntegerField, IntegerField, Row, rows, run


class Change(Row):
    id = IntegerField(primary_key=True)
    n = BigIntegerField(default=0)


_seen = 0


def touch() -> None:
    """Count a change; part of the write that makes it."""
    run("UPDATE change SET n = n + 1 WHERE id = 1")


def seen() -> int:
    """The counter as last polled. Costs nothing."""
    return _seen


def poll() -> None:
    """Read the counter; the caller holds a session."""
    global _seen
    found = rows("SELECT n FROM change WHERE id = 1")
    _seen = found[0][0] if found else 0
