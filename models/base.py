"""The database: connecting, reading, and what differs between SQLite and Postgres.

SQLite: one connection a process for reads and for the writer. A statement never waits inside SQLite while serving
(the whole event loop would wait with it): a locked database is tried again after a cooperative sleep. Nobody
checkpoints by himself (`checkpoint.py` says who does, and why). Postgres: psycopg 3, pooled.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import peewee
from peewee import BigIntegerField, BlobField, BooleanField, CharField, DatabaseProxy, IntegerField, Model, TextField

__all__ = [
    "AWAY",
    "BigIntegerField",
    "BlobField",
    "BooleanField",
    "CharField",
    "IntegerField",
    "TextField",
    "DatabaseError",
    "Row",
    "connect",
    "database",
    "disconnect",
    "is_postgres",
    "marks",
    "rows",
    "run",
    "session",
    "sqlite_path",
    "sqlite_version",
]

database: Any = DatabaseProxy()

_lite: sqlite3.Connection | None = None
"""The one connection to SQLite. Statements go to it directly: peewee's own way there costs more than many of them."""

DatabaseError = peewee.PeeweeException
"""What any statement, and `connect`, may raise."""

AWAY = (peewee.OperationalError, peewee.InterfaceError, peewee.InternalError)
"""Of that, what says nothing against the statement: the database is locked, full or gone."""

LOCKED_S = 2.0
"""How long one statement is tried again while another process holds the write lock."""


class Row(Model):
    """What all tables share: the one database, and names as written."""

    class Meta:
        database = database
        legacy_table_names = False


class _Sqlite(peewee.SqliteDatabase):
    """SQLite that sleeps cooperatively while it is locked, instead of inside the library."""

    def _execute_cursor(self, sql: str, params: Any, **options: Any) -> Any:
        end = 0.0
        while True:
            try:
                return super()._execute_cursor(sql, params, **options)  # type: ignore[misc]
            except peewee.OperationalError as error:
                now = time.monotonic()
                end = end or now + LOCKED_S
                if "locked" not in str(error) or now > end:
                    raise
                time.sleep(0.001)  # gevent's where the process serves


def connect(url: str, *, serving: bool = False, most: int = 20) -> None:
    """Bind all models to the database at `url` (`sqlite:///FILE` or `postgresql://…`).

    serving: this process runs an event loop that must not wait · most: connections of the Postgres pool.
    Raises DatabaseError when the database cannot be reached; serving, Postgres is asked when it is needed first.
    """
    parts = urlsplit(url)
    made: Any
    if parts.scheme == "sqlite":
        path = unquote(parts.path[1:])
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = _Sqlite(
            path,
            thread_safe=False,
            check_same_thread=False,
            timeout=5,
            pragmas=(
                ("journal_mode", "wal"),
                ("synchronous", "normal"),
                ("wal_autocheckpoint", 0),
                ("temp_store", "memory"),
                ("cache_size", -16_000),
                ("busy_timeout", 0 if serving else 5_000),
            ),
        )
    else:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict

        from .postgres import Pool  # only here: SQLite needs no driver

        try:
            options = conninfo_to_dict(url)
        except ProgrammingError as error:
            raise peewee.ProgrammingError(str(error)) from error
        made = Pool(
            options.pop("dbname", "postgres"),
            max_connections=most,
            stale_timeout=300,
            timeout=10,
            **{"connect_timeout": 5, "options": "-c statement_timeout=15000 -c lock_timeout=10000", **options},
        )
    global _lite
    database.initialize(made)
    _lite = None
    if not is_postgres():
        made.connect()
        _lite = made.connection()
    elif not serving:  # who serves starts beside a server that is away, and answers when it is back
        made.connect()
        made.close()


def disconnect() -> None:
    """Close every connection of this process."""
    global _lite
    _lite = None
    if database.obj is not None:
        (database.close_all if is_postgres() else database.close)()


def is_postgres() -> bool:
    return _lite is None and not isinstance(database.obj, peewee.SqliteDatabase)


def sqlite_version() -> tuple[int, ...] | None:
    """Version of the SQLite library, or None on Postgres."""
    return None if is_postgres() else sqlite3.sqlite_version_info


def sqlite_path() -> str | None:
    """The SQLite file, or None on Postgres."""
    return None if is_postgres() else str(database.obj.database)


@contextmanager
def session() -> Iterator[None]:
    """A connection for reads. Never open while a provider is awaited."""
    if is_postgres():
        with database.connection_context():
            yield
    else:
        yield


@lru_cache(maxsize=512)
def _postgres(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


def run(sql: str, *params: Any) -> Any:
    """Execute one statement, written with `?`; its cursor. Raises DatabaseError."""
    if _lite is None:
        return database.execute_sql(_postgres(sql), params)
    try:
        return _lite.execute(sql, params)
    except sqlite3.OperationalError as error:
        if "locked" in str(error):  # it did nothing, and no transaction has ended by it
            return database.execute_sql(sql, params)
        raise peewee.OperationalError(*error.args) from error
    except sqlite3.Error as error:
        raise getattr(peewee, type(error).__name__, peewee.DatabaseError)(*error.args) from error


def marks(count: int, each: str = "?") -> str:
    """Places for so many parameters, as they stand in a statement."""
    return ", ".join([each] * count)


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    """All rows of one query, written with `?`."""
    return list(run(sql, *params).fetchall())
