"""Postgres as the gateway connects to it: peewee's pool with psycopg 3, made fit for a server that may go away.

peewee's own asks the server at every use whether the connection still lives, and keeps everybody waiting while one
connects. Here a look at the socket tells: on an idle connection nothing comes but its end.
"""

from __future__ import annotations

import heapq
import select
import time
from typing import Any

import peewee
from gevent.monkey import get_original
from playhouse.pool import MaxConnectionsExceeded, PoolConnection
from playhouse.postgres_ext import PooledPsycopg3Database, Psycopg3Database

_poll = get_original("select", "poll")  # gevent's would switch to others, and there is nothing to wait for


class Pool(PooledPsycopg3Database):
    """Connections, at most so many. Raises DatabaseError where none can be had in time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lock = peewee._NoopLock()  # what it would guard belongs to each greenlet alone

    def connect(self, reuse_if_open: bool = False) -> bool:
        try:
            return bool(super().connect(reuse_if_open))
        except MaxConnectionsExceeded as error:
            raise peewee.OperationalError("all connections to Postgres were in use for too long") from error

    def _connect(self) -> Any:
        place = object()
        with self._pool_lock:
            while self._connections:
                since, _, kept = heapq.heappop(self._connections)
                if not _ended(kept) and not self._is_stale(since):
                    self._in_use[id(kept)] = PoolConnection(since, kept, time.time())
                    return kept
                self._close_raw(kept)
            if len(self._in_use) >= self._max_connections:
                raise MaxConnectionsExceeded
            self._in_use[id(place)] = place
        made = None
        try:
            made = Psycopg3Database._connect(self)
        finally:
            with self._pool_lock:
                del self._in_use[id(place)]
                if made is None:
                    self._pool_available.notify()
                else:
                    self._in_use[id(made)] = PoolConnection(time.time(), made, time.time())
        return made


def _ended(connection: Any) -> bool:
    """Whether an idle connection is of no use any more."""
    if connection.closed:
        return True
    look = _poll()
    look.register(connection.fileno(), select.POLLIN)
    return bool(look.poll(0))
