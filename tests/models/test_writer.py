"""The writer: groups, failures inside a group, and a database that is busy."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import peewee
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


def put(n: int) -> None:
    run("INSERT INTO note (n) VALUES (?) ON CONFLICT (n) DO NOTHING", n)  # harmless to run twice, as all writes must be


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


def test_a_write_that_had_begun_when_nobody_waited_any_more_is_doubtful(running: str) -> None:
    def slow(n: int) -> None:
        gevent.sleep(0.5)
        put(n)

    with pytest.raises(writer.Busy) as raised:
        writer.write(slow, 1, patience=0.1)
    assert raised.value.doubtful
    assert writer.submit(run, "DELETE FROM note WHERE n = ?", 1).wait(5) and notes() == [], "what undoes it comes after"


def test_none_overtakes_one_that_came_before_it(running: str) -> None:
    """One of a group is no good and the database goes away for a moment: the rest keeps its order."""
    failures = [peewee.OperationalError("gone")]

    def put_late(n: int) -> None:
        if seen.count(n) == 1 and failures:
            raise failures.pop()
        seen.append(n)
        put(n)

    seen: list[int] = []
    first = writer.submit(put_late, 1)
    writer.submit(fail_after, 2)
    last = writer.submit(run, "DELETE FROM note WHERE n = ?", 1)
    assert first.wait(5) and last.wait(5) and not failures
    assert notes() == []


@pytest.mark.parametrize("durability", ["process", "power"])
def test_settlements_are_synced_and_holds_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str
) -> None:
    base.connect(f"sqlite:///{tmp_path / 'test.db'}", serving=True)
    run("CREATE TABLE note (n BIGINT NOT NULL PRIMARY KEY)")
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda handle: synced.append(len(notes())))
    writer.start(durability)
    writer.write(add, 1)
    gevent.sleep(0.1)
    assert not synced
    writer.write(add, 2, durable=True)
    assert synced == ([2] if durability == "power" else []), "power: before the caller goes on"
    gevent.sleep(0.2)
    assert synced == [2]
    monkeypatch.undo()
    writer.stop()
    base.disconnect()


def test_what_cannot_be_written_is_replaced(running: str) -> None:
    ticket = writer.submit(fail_after, 1, otherwise=(add, (7,)))
    assert ticket.wait(5) and not ticket.written()
    gevent.sleep(0.1)
    assert notes() == [7]


def test_power_durability_and_the_end(db: str) -> None:
    with session():
        run("CREATE TABLE note (n BIGINT NOT NULL PRIMARY KEY)")
    writer.start("power")
    tickets = [writer.submit(add, n, durable=True) for n in range(100)]
    writer.stop()
    assert all(ticket.wait(0) for ticket in tickets), "what was handed over is written before the end"
    assert len(notes()) == 100


def test_a_disk_that_does_not_sync_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `power` nobody goes on before the disk has it; and nobody waits for ever."""
    base.connect(f"sqlite:///{tmp_path / 'test.db'}", serving=True)
    run("CREATE TABLE note (n BIGINT NOT NULL PRIMARY KEY)")
    failures = [OSError("no"), OSError("no again")]

    def sync(_: int) -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(os, "fdatasync", sync)
    writer.start("power")
    writer.write(put, 1, durable=True)
    assert not failures and notes() == [1]
    writer.stop()
    base.disconnect()


def test_a_bug_in_the_writer_leaves_nobody_waiting(running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> bool:
        monkeypatch.undo()
        raise RuntimeError("a bug")

    monkeypatch.setattr(writer.Writer, "_commit", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        writer.write(add, 1)
    writer.write(add, 2)
    assert notes() == [2], "and it goes on"


def test_what_gave_up_waiting_is_not_kept(running: str) -> None:
    if not running.startswith("sqlite"):
        pytest.skip("only SQLite has one write lock for all")
    other = sqlite3.connect(running.removeprefix("sqlite:///"), isolation_level=None)
    base.database.execute_sql("PRAGMA busy_timeout = 0")
    other.execute("BEGIN IMMEDIATE")
    first = writer.submit(add, 0)
    gevent.sleep(0.05)
    for ticket in [writer.submit(add, n) for n in range(1, 300)]:
        ticket.abandon()
    kept = writer.submit(add, 300)
    with gevent.Timeout(20):
        while len(writer._writer._queue) > 1:  # type: ignore[union-attr]
            gevent.sleep(0.05)
    other.execute("ROLLBACK")
    assert first.wait(5) and kept.wait(5) and notes() == [0, 300]
