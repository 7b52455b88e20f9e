"""Looking after tasks: one process of a machine claims what is due, looks at it, takes what was made and settles.

The processes of a machine agree by a file lock, which ends with its holder; machines agree by claims in the database.
A claim is for a while only, so what a killed runner held is due again by itself, at once where its death is noticed.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import random
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from gevent.pool import Pool

from models import batch, writer
from models import task as table
from models.base import session

from .. import crash, store
from ..billing import later, ledger
from ..call import Channel, Fault
from ..clock import monotonic, now_ms
from ..modalities import words
from ..modalities.jobs import COMPLETED, At, Job, Seen
from ..relay.attempts import sensible
from ..routing import channels
from . import asking, background, seals, webhooks
from .batches import run as batches
from .leases import LEASE_MS, Keeper, Moved
from .machine import Collect, End, State, Wait, advance
from .views import FAMILIES

TICK_S = 0.25
MOST_AT_ONCE = 64
MOST_A_TICK = 16
"""Tasks that are seen to from one tick to the next: 64 a second, so that a thousand of them neither take much of
a core nor flood a provider. The longest due come first."""

LEAP_MS = 10_000
"""How far the clock leaps ahead before deadlines move with it."""

_NO_WORD = "application/octet-stream"

_log = logging.getLogger("gateway.tasks")
Row = dict[str, Any]


class Runner:
    """The job of one process of a machine. `tick` whenever something may be due."""

    def __init__(self, data: Path) -> None:
        self._path = data / "tasks.lock"
        self._lock: int | None = None
        self._pool = Pool(MOST_AT_ONCE)
        self._clocks = now_ms(), monotonic()

    def tick(self) -> None:
        """Claim what is due, if this process has the job or can get it, and see to each of it."""
        has_job = self._take_job()
        clocks = now, since_start = now_ms(), monotonic()
        leapt = now - self._clocks[0] - int((since_start - self._clocks[1]) * 1_000)
        if has_job and leapt > LEAP_MS:
            writer.write(table.postpone, leapt, order="~")
        self._clocks = clocks
        free = min(self._pool.free_count(), MOST_A_TICK)
        if not free or not has_job:
            return
        with session():
            due = table.due(now)
        if due:
            for row in writer.write(table.claim, ledger.WORKER, now, now + LEASE_MS, free, order="~"):
                self._pool.spawn(see_to, row)

    def _take_job(self) -> bool:
        if self._lock is None:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                return False
            self._lock = handle
        return True


def see_to(row: Row) -> None:
    """One claimed task. Whatever goes wrong here, it is due again when its lease is over."""
    try:
        if row["status"] not in table.OPEN:
            webhooks.tell(row)
        elif row["kind"] == batch.KIND:
            batches.see_to(row)
        elif row["upstream_id"] is None:
            _end(row, End("failed", "lost"))
        elif row["kind"] == background.KIND:
            _look_at_response(row)
        else:
            _look(row)
    except Moved:
        _tidy(row)
    except Exception as error:
        _log.error("task %s cannot be seen to, and is tried again: %s", row["id"], type(error).__name__)


def _tidy(row: Row) -> None:
    """Somebody else has ended or claimed this task: what was made for one that is not there any more is not kept."""
    with session():
        now = table.find(row["account_id"], row["id"])
    if now is None or now["status"] in (table.FAILED, table.CANCELLED):
        store.forget(row["account_id"], row["id"])
    _log.info("task %s was taken over", row["id"])


def _look(row: Row) -> None:
    """Ask its provider, and do what follows."""
    channel = channels.current().by_id.get(row["channel_id"])
    job = words.JOBS[row["dialect"]]
    event: Seen | Fault
    try:
        if channel is None:  # disabled or removed: it may come back
            raise Fault("account")
        event = asking.look(channel, job, At(row["upstream_id"], row["upstream_model"]))
    except Fault as fault:
        event = fault
    decision = advance(_state(row, channel), event, now_ms(), random.random())
    match decision:
        case Wait():
            _wait(row, decision)
        case End():
            _end(row, decision)
        case Collect(seen=seen):
            assert channel is not None
            _collect(row, channel, job, seen)


def _look_at_response(row: Row) -> None:
    """The same for a response in the background, which its provider keeps."""
    channel = channels.current().by_id.get(row["channel_id"])
    event: Seen | Fault
    values: Mapping[str, Any] = {}
    try:
        if channel is None:
            raise Fault("account")
        with sensible():
            values = background.ask(channel, row)
            event = background.seen(values)
    except Fault as fault:
        event = fault
    decision = advance(_state(row, channel), event, now_ms(), random.random())
    match decision:
        case Wait():
            _wait(row, decision)
        case End():
            _end(row, decision)
        case Collect(seen=seen):
            assert channel is not None
            if not background.settle(row, row["claim"], channel, values, seen):
                raise Moved


def _state(row: Row, channel: Channel | None) -> State:
    return State(
        row["created_at"], row["deadline_at"], row["status"], row["progress"], row["polls"], row["failures"],
        channel is not None and channel.provider == "sandbox",
    )  # fmt: skip


def _wait(row: Row, wait: Wait) -> None:
    writer.write(
        table.again, row["id"], row["claim"], wait.next_at, wait.polls, wait.failures, wait.status, wait.progress,
        now_ms(), order=row["account_id"],
    )  # fmt: skip


def _end(row: Row, end: End) -> None:
    """It is over without a result: the hold comes back, and the receipt says so."""
    settlement = later.settlement(row["bill"], status=502, finish=end.error, at=now_ms())
    _finish(row, end.status, settlement, error=end.error)


def _collect(row: Row, channel: Channel, job: Job, seen: Seen) -> None:
    """Take what was made, and settle for it."""
    kept: list[Row] = []
    expires_at = None
    keeper = Keeper(row)
    try:
        for number, result in enumerate(seen.results):
            kind = result.media_type or _NO_WORD
            pieces = keeper.around(asking.fetch(channel, job, result))
            stored = store.put(row["account_id"], row["id"], number, FAMILIES[row["kind"]], kind, pieces)
            named = {"id": result.id} if result.id else {}
            kept.append({**named, "content_type": stored.media_type, "bytes": stored.bytes})
            expires_at = stored.expires_at
    except store.TooLarge:
        store.forget(row["account_id"], row["id"])
        _end(row, End("failed", "too_large"))
        return
    except (Fault, store.Lost) as problem:
        fault = problem if isinstance(problem, Fault) else Fault("server")
        again = advance(_state(row, channel), fault, now_ms(), random.random())
        if isinstance(again, Wait):
            _wait(row, again)
        else:
            store.forget(row["account_id"], row["id"])
            _end(row, End("failed", "no_result"))
        return
    if not kept and not seen.said:
        _end(row, End("failed", "no_result"))
        return
    facts = {**json.loads(row["facts"]), **seen.facts}
    asked = max(1, int(facts.get("n") or 1))
    share = min(Decimal(1), Decimal(len(kept)) / asked) if kept else Decimal(1)
    if seen.made is not None and seen.made.get("second"):
        facts["seconds"] = f"{seen.made['second'] / max(1, len(kept)):f}"
    if kept:
        facts["results"] = kept
    pins: list[tuple[str, str, str | None, str]] = [
        (row["kind"], row["id"], row["upstream_id"][:255], row["channel_id"]),
        *(("clip", result.id, None, row["channel_id"]) for result in seen.results if result.id),
    ]
    settlement = later.settlement(
        row["bill"], status=200, finish="stop", at=now_ms(), share=share, made=seen.made, pins=pins
    )
    crash.here("before_settle")
    _finish(row, COMPLETED, settlement, facts=facts, said=seen.said, expires_at=expires_at)
    crash.here("after_settle")


def _finish(
    row: Row, status: str, settlement: tuple[Any, ...], *, error: str | None = None, facts: Row | None = None,
    said: Any = None, expires_at: int | None = None,
) -> None:  # fmt: skip
    sealed = seals.seal(json.dumps(said), row["id"]) if said else None
    written = json.dumps(facts, separators=(",", ":")) if facts is not None else None
    done = writer.write(
        table.finish, row["id"], row["claim"], status, now_ms(), settlement, error, written, sealed, expires_at,
        order=row["account_id"], durable=True,
    )  # fmt: skip
    if not done:
        raise Moved
    _log.info("task %s is %s", row["id"], status if error is None else f"{status}: {error}")
