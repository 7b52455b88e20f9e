"""The change counter: how a change made by one process reaches the caches of all others within a second.

Every write to a table that is cached (keys, plans, channels, routes, prices) calls `touch`. Each worker polls the
counter several times a second; a cache is good as long as `seen()` is the number that it was filled at.
"""

import contextlib

from .base import BigIntegerField, DatabaseError, IntegerField, Row, is_postgres, rows, run


class Change(Row):
    id = IntegerField(primary_key=True)
    n = BigIntegerField(default=0)


_seen = 0


def touch() -> None:
    """Count a change; part of the write that makes it."""
    run("UPDATE change SET n = n + 1 WHERE id = 1")


def rehearse() -> None:
    """Write, and take it back. Raises DatabaseError where the database can only be read; the caller holds a session."""
    run("BEGIN" if is_postgres() else "BEGIN IMMEDIATE")
    try:
        touch()
    finally:
        with contextlib.suppress(DatabaseError):  # it is rolled back already
            run("ROLLBACK")


def seen() -> int:
    """The counter as last polled. Costs nothing."""
    return _seen


def poll() -> None:
    """Read the counter; the caller holds a session."""
    global _seen
    found = rows("SELECT n FROM change WHERE id = 1")
    _seen = found[0][0] if found else 0
