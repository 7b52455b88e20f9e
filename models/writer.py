"""Every write runs here: one ordered writer a process, its work committed in groups.

`write(fn, …)` hands `fn` over and gives back its result once the group that it ran in is committed. `fn` issues SQL
only and must be harmless to run twice: when one of a group fails, the group is rolled back and each runs alone, and
after a lost Postgres connection nobody knows whether the last commit arrived.

SQLite: a group is one short transaction inside the event loop, without an fsync (a thread hop costs more than the
whole commit; a locked database is awaited by sleeping). What must survive a power cut is synced by a second thread
within 20 ms, or before the writer returns (`durability="power"`). Postgres: the same groups on a connection of the
writer's own, ordered by account so that two machines never lock rows crosswise; only groups that must be durable
wait for the disk.

Without `start()` (the command line) each write is a transaction of its own.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import AsyncResult, Event

from .base import AWAY, database, is_postgres, run, sqlite_path

GROUP = 64
"""Most writes in one transaction: bounds how long the loop is held."""

SYNC_S = 0.01
"""How long synced writes are collected before the disk is asked; with the sync itself under 20 ms."""

_log = logging.getLogger("gateway.writer")
_STORAGE = (*AWAY, OSError)


Write = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function that issues SQL, and its arguments."""


class Busy(Exception):
    """The database took no write in time: it is locked, full, slow or gone. doubtful: it may take it all the same, for
    the write had begun, or has taken it, for the connection broke during the commit. Both are over before any later
    write of the same order begins."""

    def __init__(self, doubtful: bool) -> None:
        super().__init__("the database takes no writes now")
        self.doubtful = doubtful


class Ticket:
    """One write that was handed over."""

    __slots__ = ("fn", "args", "order", "durable", "otherwise", "started", "abandoned", "doubtful", "_result")

    def __init__(
        self, fn: Callable[..., Any], args: tuple[Any, ...], order: str, durable: bool, otherwise: Write | None
    ) -> None:
        self.fn, self.args, self.order, self.durable, self.otherwise = fn, args, order, durable, otherwise
        self.started = self.abandoned = self.doubtful = False
        self._result: AsyncResult = AsyncResult()

    def wait(self, seconds: float | None) -> bool:
        """Whether the write is done, after at most so long. A `gevent.Timeout` around it is safe."""
        self._result.wait(seconds)
        return self.done()

    def result(self) -> Any:
        """What `fn` returned; raises what it raised."""
        return self._result.get()

    def written(self) -> bool:
        """Whether the write, which is done, was made."""
        return bool(self._result.successful())

    def abandon(self) -> bool:
        """Drop the write if it has not begun. True if it will never run."""
        if not self.started:
            self.abandoned = True
        return self.abandoned

    def done(self) -> bool:
        return bool(self._result.ready())

    def finish(self, result: Any) -> None:
        self._result.set(result)

    def fail(self, error: BaseException) -> None:
        self._result.set_exception(error)


class Writer:
    """The writer of one process, as a greenlet with a second one that syncs."""

    def __init__(self, durability: str, told: Callable[[int, float], None]) -> None:
        self._told = told
        self._power = durability == "power"
        self._queue: deque[Ticket] = deque()
        self._wake = Event()
        self._unsynced = Event()
        self._wal: int | None = None
        self._closing = False
        self._refused = False  # the database has taken nothing since
        self._greenlets = [gevent.spawn(self._forever, self._work), gevent.spawn(self._forever, self._sync)]

    def submit(self, ticket: Ticket) -> None:
        self._queue.append(ticket)
        self._wake.set()

    def close(self, seconds: float) -> None:
        """Finish what is queued, sync, and stop; at most so long."""
        self._closing = True
        self._wake.set()
        self._greenlets[0].join(seconds)
        gevent.killall(self._greenlets)
        if left := sum(ticket.durable and not ticket.abandoned for ticket in self._queue):
            _log.error("%d writes could not be made before the end", left)
        if not is_postgres():
            self._fdatasync()

    def _forever(self, body: Callable[[], None]) -> None:
        while True:
            try:
                return body()
            except Exception:
                _log.exception("the writer stumbled and goes on")
                gevent.sleep(0.1)

    def _work(self) -> None:
        while True:
            while not self._queue:
                if self._closing:
                    return
                self._wake.clear()
                self._wake.wait()
            taken = [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]
            try:
                self._make([ticket for ticket in taken if not ticket.abandoned])
            except Exception as error:  # a bug of ours: nobody may wait for ever because of it
                for ticket in taken:
                    if not ticket.done():
                        self._fail(ticket, error)
                raise
            gevent.sleep(0)

    def _make(self, group: list[Ticket]) -> None:
        """Commit a group, whenever the database takes it."""
        if is_postgres():
            group.sort(key=lambda ticket: ticket.order)
        pause = 0.02
        while group and not self._commit(group):
            gevent.sleep(pause)
            pause = min(1.0, pause * 2)
            group = [ticket for ticket in group if not ticket.abandoned]
            self._queue = deque(ticket for ticket in self._queue if not ticket.abandoned)  # bounds it meanwhile

    def _commit(self, group: list[Ticket]) -> bool:
        """Run a group in one transaction. False if the database could not take it: try again later."""
        durable = any(ticket.durable for ticket in group)
        began = time.monotonic()
        try:
            _begin(durable)
            group = [ticket for ticket in group if not ticket.abandoned]
            for ticket in group:
                ticket.started = True
            results = [ticket.fn(*ticket.args) for ticket in group]
            synced = durable and self._power and not is_postgres()
            for ticket in group:
                ticket.doubtful |= is_postgres() or synced
            run("COMMIT")
            if synced:
                gevent.get_hub().threadpool.apply(self._fdatasync)
        except Exception as error:
            _rollback()
            if isinstance(error, _STORAGE):
                if not self._refused:
                    self._refused = True
                    _log.warning(
                        "the database takes no writes: %s", (str(error).strip() or repr(error)).splitlines()[0]
                    )
                for ticket in group:
                    ticket.started = False
                self._told(0, time.monotonic() - began)
                return False
            if len(group) == 1:
                self._fail(group[0], error)
                return True
            while group and self._commit(group[:1]):
                group = group[1:]
            self._queue.extendleft(reversed(group))  # none overtakes one that came before it
            return True
        if self._refused:
            self._refused = False
            _log.warning("the database takes writes again")
        if durable and not self._power and not is_postgres():
            self._unsynced.set()
        self._told(len(group), time.monotonic() - began)
        for ticket, result in zip(group, results, strict=True):
            ticket.finish(result)
        return True

    def _fail(self, ticket: Ticket, error: Exception) -> None:
        ticket.fail(error)
        if ticket.otherwise is not None:
            _log.error("a write cannot be made: %s: %s", type(error).__name__, error)
            self.submit(Ticket(*ticket.otherwise, ticket.order, True, None))

    def _sync(self) -> None:
        while True:
            self._unsynced.wait()
            gevent.sleep(SYNC_S)
            self._unsynced.clear()
            gevent.get_hub().threadpool.apply(self._fdatasync)

    def _fdatasync(self) -> None:
        if self._wal is None:
            path = f"{sqlite_path()}-wal"
            if not os.path.exists(path):
                return
            self._wal = os.open(path, os.O_RDONLY)  # SQLite locks other files, so closing this one drops no lock
        os.fdatasync(self._wal)


def _begin(durable: bool) -> None:
    if not is_postgres():
        run("BEGIN IMMEDIATE")
        return
    if database.is_closed():
        database.connect()
    database.execute_sql("BEGIN" if durable else "BEGIN; SET LOCAL synchronous_commit TO off")


def _rollback() -> None:
    try:
        run("ROLLBACK")
    except Exception as error:
        _log.debug("nothing to roll back: %s", error)
        if is_postgres() and not database.is_closed():
            database.manual_close()


_writer: Writer | None = None


def _nobody(size: int, seconds: float) -> None:
    pass


def start(durability: str, told: Callable[[int, float], None] = _nobody) -> None:
    """Give this process its writer. Call once, where an event loop runs. told: of each group, how many writes were
    committed and how long that took; of one that the database did not take, 0."""
    global _writer
    _writer = Writer(durability, told)


def stop(seconds: float = 10) -> None:
    """Finish the queued writes and go back to single transactions."""
    global _writer
    if _writer is not None:
        _writer.close(seconds)
        _writer = None


def submit(
    fn: Callable[..., Any], *args: Any, order: str = "", durable: bool = False, otherwise: Write | None = None
) -> Ticket:
    """Hand over a write and go on. It is tried until the database takes it.

    order: the account it touches · durable: to be synced to disk (settlements), not just committed (holds) ·
    otherwise: what to write instead should `fn` raise.
    """
    ticket = Ticket(fn, args, order, durable, otherwise)
    if _writer is not None:
        _writer.submit(ticket)
        return ticket
    try:
        if is_postgres() and database.is_closed():
            database.connect()
        _begin(durable=True)
        result = fn(*args)
        run("COMMIT")
    except BaseException as error:
        _rollback()
        ticket.fail(error)
    else:
        ticket.finish(result)
    return ticket


def write(fn: Callable[..., Any], *args: Any, order: str = "", durable: bool = False, patience: float = 5.0) -> Any:
    """Run a write and return its result once it is committed.

    Raises what `fn` raises, or Busy when the database took no write for `patience` seconds, or one that had begun for
    twice as long. After a Busy that is not doubtful the write has not run and will not.
    """
    ticket = submit(fn, *args, order=order, durable=durable)
    if not ticket.wait(patience) and (ticket.abandon() or not ticket.wait(patience)):
        raise Busy(not ticket.abandon() or ticket.doubtful)
    return ticket.result()
