"""The writer: groups, failures inside a group, and a database that is busy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from models import base, writer
from models.base import rows, run, session


@pytest.fixture
def running(db: str) -> Iterator[str]:
    """A writer greenlet, and a table to write into."""
    with session():
        run("CREATE TABLE note (n BIGINT NOT NULL PRIMARY KEY)")
    writer.start("process")
    yield db
    writer.stop()


def add(n: int) -> int:
    run("INSERT INTO note (n) VALUES (?)", n)
    return n * 2


def fail_after(n: int) -> None:
    add(n)
    raise ValueError("no")


def notes() -> list[int]:
    with session():
        return [row[0] for row in rows("SELECT n FROM note ORDER BY n")]


def test_results_come_back_to_their_callers(running: str) -> None:
    jobs = [gevent.spawn(writer.write, add, n, order=str(n % 3)) for n in range(200)]
    gevent.joinall(jobs)
    assert [job.value for job in jobs] == [n * 2 for n in range(200)]
    assert notes() == list(range(200))


def test_one_that_fails_takes_no_other_with_it(running: str) -> None:
    def caught(fn: Any, n: int) -> Any:
        try:
            return writer.write(fn, n)
        except Exception as error:
            return type(error)

    jobs = [gevent.spawn(caught, fail_after if n % 4 == 0 else add, n) for n in range(20)]
    gevent.joinall(jobs)
    assert [job.value for job in jobs] == [ValueError if n % 4 == 0 else n * 2 for n in range(20)]
    assert notes() == [n for n in range(20) if n % 4]
    assert isinstance(caught(add, 1), type), "a number twice is refused"


def test_tickets_are_kept_until_they_are_written(running: str) -> None:
    tickets = [writer.submit(add, n, durable=True) for n in range(10)]
    assert all(ticket.wait(5) for ticket in tickets) and notes() == list(range(10))


def test_busy_means_not_written_and_never_will_be(running: str) -> None:
    if not running.startswith("sqlite"):
        pytest.skip("only SQLite has one write lock for all")
    other = sqlite3.connect(running.removeprefix("sqlite:///"), isolation_level=None)
    base.database.execute_sql("PRAGMA busy_timeout = 0")
    other.execute("BEGIN IMMEDIATE")
    kept = writer.submit(add, 1)
    with pytest.raises(writer.Busy):
        writer.write(add, 2, patience=0.1)
    assert not kept.wait(0.1)
    other.execute("ROLLBACK")
    assert kept.wait(5) and notes() == [1]


def test_power_durability_and_the_end(db: str) -> None:
    with session():
        run("CREATE TABLE note (n BIGINT NOT NULL PRIMARY KEY)")
    writer.start("power")
    tickets = [writer.submit(add, n, durable=True) for n in range(100)]
    writer.stop()
    assert all(ticket.wait(0) for ticket in tickets), "what was handed over is written before the end"
    assert len(notes()) == 100
