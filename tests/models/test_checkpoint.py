"""SQLite's log is moved by one process, which never keeps writers waiting for a reader."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from models import base, checkpoint, migrations
from models.base import run


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A database with a log that is due."""
    base.connect(f"sqlite:///{tmp_path / 'test.db'}", serving=True)
    migrations.up()
    run("CREATE TABLE filler (x BLOB)")
    yield tmp_path / "test.db"
    base.disconnect()


def fill(path: Path) -> int:
    while os.stat(f"{path}-wal").st_size <= checkpoint.LOG_BYTES:
        run("INSERT INTO filler VALUES (zeroblob(500000))")
    return os.stat(f"{path}-wal").st_size


def test_nobody_checkpoints_by_himself(path: Path) -> None:
    size = fill(path)
    run("INSERT INTO filler VALUES (zeroblob(500000))")
    assert os.stat(f"{path}-wal").st_size > size


def test_one_has_the_job(path: Path) -> None:
    one, two = checkpoint.Checkpointer(), checkpoint.Checkpointer()
    assert not one.due()
    fill(path)
    assert one.due() and two.due()
    assert one.tick() and not one.due()
    assert os.stat(f"{path}-wal").st_size < 100_000
    fill(path)
    assert not two.tick() and one.tick()


def test_a_reader_is_not_waited_for(path: Path) -> None:
    one = checkpoint.Checkpointer()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM filler").fetchone()
    fill(path)
    assert not one.tick() and not one.due(), "it pauses"
    run("INSERT INTO filler VALUES (x'00')")
    other.execute("ROLLBACK")
    assert one.tick()
