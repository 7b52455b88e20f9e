"""SQLite's write-ahead log is moved into the database by one process only, and never beside a writer.

SQLite before 3.51.3 can corrupt a database when a checkpoint starts just as another connection restarts the log
(https://sqlite.org/wal.html#walresetbug). So every connection has automatic checkpoints off, one process holds a file
lock for the job, and it checkpoints in TRUNCATE mode, which keeps the write lock for its whole duration. It runs on a
connection of its own in a thread, and writes a row right after: the fsync that the first write to a restarted log
costs is paid there and not in an event loop.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from time import monotonic

from .base import sqlite_path

LOG_BYTES = 4 << 20
"""A log larger than this is checkpointed."""

WAIT_S = 0.03
"""How long a checkpoint waits for readers, and all writers with it."""

PAUSE_S = 1.0
"""Pause after one that waited in vain; doubled each time."""


class Checkpointer:
    """The job of one process. Give `tick` to a thread whenever it is `due`."""

    def __init__(self) -> None:
        self._lock: int | None = None
        self._connection: sqlite3.Connection | None = None
        self._again_at = 0.0
        self._pause = PAUSE_S

    def due(self) -> bool:
        """Whether the log is long enough. Costs one stat call."""
        path = sqlite_path()
        try:
            return path is not None and monotonic() >= self._again_at and os.stat(path + "-wal").st_size > LOG_BYTES
        except OSError:
            return False

    def tick(self) -> bool:
        """Checkpoint, if this process has the job or can get it. True when the log was moved whole."""
        path = sqlite_path()
        if path is None or not self._take_job(path):
            return False
        if self._connection is None:
            self._connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA synchronous=normal")
            self._connection.execute("PRAGMA wal_autocheckpoint=0")
        busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:  # somebody reads an old state, and writers would wait with us: leave them in peace for a while
            self._again_at, self._pause = monotonic() + self._pause, min(2 * self._pause, 60.0)
            return False
        self._pause = PAUSE_S
        with contextlib.suppress(sqlite3.OperationalError):  # a writer was faster, and paid
            self._connection.execute("UPDATE change SET n = n WHERE id = 1")
        return True

    def _take_job(self, path: str) -> bool:
        if self._lock is None:
            handle = os.open(path + ".checkpoint", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                return False
            self._lock = handle
        return True
