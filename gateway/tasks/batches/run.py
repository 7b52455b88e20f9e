"""Making the calls of a batch: a few at once, each in the way of every call, by whoever has claimed it.

A line is done when its outcome is stored, in the write that charges it; what a death leaves running is made again, and
was not charged. When all lines are done, or the time is over, or the owner wants it to end, outcomes become files.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore
from gevent.pool import Pool

from models import batch, task, writer
from models import ledger as book
from models.base import AWAY, session

from ... import config, ids
from ...access import keys
from ...call import Share
from ...clock import now_ms
from ...errors import GatewayError
from ...relay import exchange
from ...relay.load import load
from ...relay.watch import ClientWatch, Stopping
from ..leases import LEASE_MS, Moved
from . import native
from .lines import BadLine, read
from .outcomes import EXPIRED, Gone, Outcomes, named

AT_ONCE = 4
"""Calls of one batch at once."""

MOST_AT_ONCE = 16
"""Calls of all batches at once, in one process."""

TRIES = 6
MOST_PAUSE_S = 60.0
_AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
_LOOK_S = 1.0
_RENEW = 20
"""Looks between two renewals of a claim."""

_PAUSE_MS = 1_000
"""After so long a batch that was stopped is claimed again."""

_log = logging.getLogger("gateway.tasks")
_places = BoundedSemaphore(MOST_AT_ONCE)
Row = dict[str, Any]


class Purse:
    """What a batch holds, as its one runner counts it: in the database, and of that for calls that run now."""

    def __init__(self, row: Row, held: int) -> None:
        self._row, self._held, self._running = row, held, 0

    def take(self, nanos: int) -> None:
        """Make sure that so much more is held for a call. Raises GatewayError 402."""
        more = nanos - (self._held - self._running)
        if more > 0:  # prices or channels have changed since the batch began
            zone = config.current().timezone
            done = writer.write(book.extend, self._row["id"], more, zone, order=self._row["account_id"])
            if done is None:
                raise GatewayError(402, "The credits do not suffice for this line any more. Add credits.")
            self._held += more
        self._running += nanos

    def done(self, nanos: int, *, drawn: bool) -> None:
        """A call is over. drawn: what it took is not held any more."""
        self._running -= nanos
        if drawn:
            self._held -= min(nanos, self._held)


class Run:
    """One claim of a batch. stop: why no further line is begun: moved, stopping, cancelled, expired, gone."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._outcomes = Outcomes(row)
        self._pool = Pool(AT_ONCE)
        self.stop: str | None = None
        with session():
            standing = batch.standing(row["id"])
        assert standing is not None
        self._note(standing)
        self._purse = Purse(row, standing[3])

    def carry_out(self) -> None:
        """Go on until there is nothing more to do here. Raises leases.Moved."""
        keeper = gevent.spawn(self._keep)
        try:
            for number, text in self._left():
                self._pool.spawn(self._line, number, text)
                if self.stop:
                    break
            self._pool.join()
            if self.stop is None and len(self._outcomes.done) < self._outcomes.facts["total"]:
                self.stop = "stopping"
            if self.stop == "moved":
                raise Moved
            if self.stop == "stopping":
                row = self._row
                writer.write(
                    task.again, row["id"], row["claim"], now_ms() + _PAUSE_MS, 0, 0, row["status"], 0, now_ms(),
                    order=row["account_id"],
                )  # fmt: skip
                return
            if self.stop == "expired":
                for number, text in self._left():
                    self._outcomes.failed(number, named(text), EXPIRED)
            self._outcomes.finish(self.stop or "completed")
        finally:
            keeper.kill()
            self._pool.kill()

    def _keep(self) -> None:
        """Hold on to the claim, and hear what the owner wants."""
        looks = 0
        while self.stop != "moved":
            looks += 1
            try:
                if looks % _RENEW == 0:
                    until = now_ms() + LEASE_MS
                    writer.write(task.hold_on, self._row["id"], self._row["claim"], until, order="~")
                with session():
                    standing = batch.standing(self._row["id"])
                if standing is None:
                    self.stop = "moved"
                else:
                    self._note(standing)
            except Exception as error:  # whoever needs the database will say so, too
                _log.warning("batch %s cannot be looked at: %s", self._row["id"], type(error).__name__)
            gevent.sleep(_LOOK_S)
        self._pool.kill(block=False)

    def _note(self, standing: tuple[str, int, str | None, int]) -> None:
        status, claim, wish, _ = standing
        if status not in task.OPEN or claim != self._row["claim"]:
            self.stop = "moved"
        elif wish == batch.CANCELLING:
            self.stop = self.stop or "cancelled"
        elif now_ms() >= self._row["deadline_at"]:
            self.stop = self.stop or "expired"

    def _left(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are not done."""
        try:
            yield from self._outcomes.left(self._outcomes.facts["input"])
        except Gone:
            self.stop = self.stop or "gone"

    def _line(self, number: int, text: bytes) -> None:
        """Make one line. No error leaves here: gevent would print the line with it."""
        try:
            self._made(number, text)
        except Exception as error:  # what has no outcome now gets one when the batch is claimed again
            _log.error("line %d of batch %s: %s", number, self._row["id"], type(error).__name__)
            if self.stop != "moved":
                self.stop = "stopping"

    def _made(self, number: int, text: bytes) -> None:
        """Make the call of one line, again after a pause where that may help."""
        for attempt in range(TRIES):
            with _places:
                while load.full and not self.stop:
                    gevent.sleep(_LOOK_S)
                if self.stop:
                    return
                error = self._try(number, text)
            if error is None:
                return
            if isinstance(error, Stopping):
                self.stop = self.stop or "stopping"
                return
            if error.status not in _AGAIN or attempt == TRIES - 1:
                self._outcomes.refused(number, named(text), error)
                return
            pause_s = max(2.0**attempt * (0.75 + random.random() / 2), error.retry_after or 0)
            gevent.sleep(min(MOST_PAUSE_S, pause_s))

    def _try(self, number: int, text: bytes) -> GatewayError | None:
        """Make the call of a line once. What went wrong, None where it is done. Raises what says that the database is
        away."""
        try:
            return self._call(number, text)
        except (writer.Busy, *AWAY):
            raise
        except Exception as error:  # a bug of ours, which would be there the next time, too
            _log.error("line %d of batch %s crashed", number, self._row["id"], exc_info=error)
            return GatewayError(500, "The gateway failed at this line.")

    def _call(self, number: int, text: bytes) -> GatewayError | None:
        try:
            caller = keys.named(self._row["key_id"])  # it may be narrower now, or revoked
            line = read(caller, ids.new("req_"), self._outcomes.facts["endpoint"], number, text)
        except GatewayError as refused:
            return refused
        except BadLine as problem:  # it was none when the batch began
            return GatewayError(403, problem.message, param=problem.param)
        batch_id = self._row["id"]
        share = Share(
            batch_id=batch_id,
            number=number,
            take=self._purse.take,
            keep=lambda reply: self._outcomes.answered(line, reply),
        )
        line.call.share = share
        drawn = False
        try:
            exchange.run(line.call, ClientWatch(None))
            drawn = True
            self._outcomes.done.add(number)
        except GatewayError as error:
            return error
        finally:
            self._purse.done(share.amount, drawn=drawn)
        return None


def see_to(row: Row) -> None:
    """Go on with a batch that was claimed."""
    if not native.see_to(row):
        Run(row).carry_out()
