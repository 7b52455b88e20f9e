"""What a provider has written of the lines of a batch, and their settlement: each is metered as if it had answered the
call alone, and charged at the rates of batches, at the price that stood when the batch began.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import orjson

from models import batch
from models.base import session
from models.writer import Ticket

from ... import crash, ids, journal, store
from ...billing import later, ledger
from ...bodies import Kept, cut
from ...call import Attempt, Caller, Fault, Leg, Meter, Reply, Share
from ...clock import monotonic, now_ms
from ...dialects import shapes
from ...modalities import words
from ...relay import exchange
from ...relay.attempts import Failed, sensible, verdict
from ...relay.making import MOST_BODY
from ...routing import catalogue, channels
from ...splice import scan
from ..leases import Keeper
from .choice import TIER
from .lines import BadLine, Line, read, split
from .outcomes import EXPIRED, Outcomes, named
from .service import Said, Service

LOST = {"code": "no_answer", "message": "The provider did not answer this request, so it was not charged."}
"""The error of a line of which a provider says nothing."""

_MOST_LINE = MOST_BODY + (1 << 20)
_AT_ONCE = 64
"""Settlements on their way to the database at once."""

Row = dict[str, Any]


class Answers:
    """Lines that a provider has written, by their numbers: on disk, but for where each is."""

    def __init__(self) -> None:
        self._spool, self._end = store.Spool(), 0
        self._places: dict[int, int] = {}
        self._starts, self._sizes = array("q"), array("q")
        self._content: bytes | Kept | None = None

    def take(self, chunks: Iterator[bytes]) -> None:
        """All lines of a file; of a number the first counts. Raises Fault."""
        try:
            for _, text in split(chunks, _MOST_LINE):
                number = orjson.loads(text)["custom_id"]
                if not isinstance(number, str) or not number.isdecimal() or int(number) in self._places:
                    continue
                self._places[int(number)] = len(self._starts)
                self._starts.append(self._end)
                self._sizes.append(len(text))
                self._end += len(text)
                self._spool.write(text)
                if self._end > store.MOST:
                    raise Fault("malformed")
        except (BadLine, ValueError, LookupError, TypeError):
            raise Fault("malformed") from None

    def of(self, number: int) -> bytes | None:
        """The line of a number."""
        if self._content is None:
            self._content = self._spool.body()
        place = self._places.get(number)
        return None if place is None else cut(self._content, self._starts[place], self._sizes[place])


class _Charged(NamedTuple):
    """A line whose settlement is on its way."""

    ticket: Ticket
    line: Line
    settlement: ledger.Settlement


class Settling:
    """The settlement of a batch that is over there."""

    def __init__(self, row: Row, outcomes: Outcomes, keeper: Keeper, service: Service) -> None:
        self._row, self._outcomes, self._keeper, self._service = row, outcomes, keeper, service
        self._price = later.price_of(row["bill"])
        self._caller = Caller(  # whatever became of the key: it could when they were sent
            account_id=row["account_id"], account="", key_id=row["key_id"], models=(), expires_at=None, limits=()
        )
        self._charged: deque[_Charged] = deque()
        with session():
            standing = batch.standing(row["id"])
        self._held = standing[3] if standing is not None else 0

    def settle(self, said: Said) -> None:
        """Give each line that has none its outcome, in the order of the lines. Raises Fault, outcomes.Gone."""
        answers, outcomes = Answers(), self._outcomes
        for file in (said.output, said.errors):
            if file is not None:
                answers.take(self._keeper.around(self._service.read(file)))
        for number, text in self._keeper.around(outcomes.left(self._row["id"])):
            answer = answers.of(number)
            if answer is not None:
                self._take(number, text, answer)
            elif said.status != "cancelled":
                outcomes.failed(number, named(text), EXPIRED if said.status == "expired" else LOST)
        self._wait(0)

    def _take(self, number: int, text: bytes, answer: bytes) -> None:
        """One line and what was answered to it."""
        try:
            line = read(self._caller, ids.new("req_"), self._outcomes.facts["endpoint"], number, text)
        except BadLine:  # it was none when the batch began
            self._outcomes.failed(number, named(text), LOST)
            return
        call = line.call
        call.leg = leg = Leg(
            channel=self._service.channel, model=self._row["upstream_model"], dialect=call.dialect,
            public=call.ask.model, price=self._price,
        )  # fmt: skip
        age = timedelta(milliseconds=now_ms() - self._row["created_at"])
        call.created_ms, call.started = self._row["created_at"], monotonic() - age.total_seconds()
        call.ask, call.held = replace(call.ask, tier=TIER), self._held
        call.names = catalogue.names(channels.current(), call.ask.model)
        meter = Meter()
        try:
            with sensible():
                told = _parted(answer)
                if told.body is not None:
                    call.attempts = [Attempt(leg.channel.name, told.status, 0)]
                    if not 200 <= told.status < 300:
                        raise words.UPSTREAM[leg.dialect].fault(told.status, {}, told.body)
                    reply = words.whole(call, leg, (told.body,), meter)
        except Fault as fault:
            error = verdict([Failed(leg, fault)], call.dialect)
            exchange.close_without_charge(call, error.status)
            self._outcomes.refused(number, line.name, error)
            return
        if told.body is None:
            self._outcomes.failed(number, line.name, _why(told.code))
        else:
            self._charge(line, leg, meter, reply)

    def _charge(self, line: Line, leg: Leg, meter: Meter, body: bytes) -> None:
        """A good answer: its receipt, its charge and what it says in one write."""
        call = line.call
        if meter.usage is not None:  # its answer calls the tier as if it had been asked alone
            meter.usage = replace(meter.usage, tier=call.ask.tier)
        settlement = ledger.reckon(call, leg, meter, status=200, partial=False, first_event_ms=None)
        call.share = Share(
            batch_id=self._row["id"], number=line.number, take=self._draw,
            keep=lambda reply: self._outcomes.answered(line, reply),
        )  # fmt: skip
        call.share.take(settlement.cost)
        call.share.amount = settlement.cost
        reply = Reply(status=200, content_type="application/json", headers=[], body=body)
        self._charged.append(_Charged(ledger.settle_share(call, settlement, reply), line, settlement))
        self._wait(_AT_ONCE)

    def _draw(self, nanos: int) -> None:
        """What a line costs is held for the batch, and not for others any more."""
        self._held = max(0, self._held - nanos)

    def _wait(self, most: int) -> None:
        """Until no more than so many settlements are on their way."""
        while len(self._charged) > most:
            ticket, line, settlement = self._charged.popleft()
            ticket.result()
            crash.here("after_settle")
            self._outcomes.done.add(line.number)
            tokens = (settlement.tokens_in, settlement.tokens_out)
            journal.write(line.call, status=200, tokens=tokens, cost=settlement.cost)


class _Told(NamedTuple):
    """What is said of a line: status and body of an answer, or the code of why there is none."""

    status: int
    body: bytes | None
    code: str | None


def _parted(line: bytes) -> _Told:
    """A line of a provider's. Raises what is wrong with it."""
    told = scan(line)
    response = told.values.get("response")
    if response is None:
        return _Told(0, None, shapes.word(shapes.members(told.values.get("error")).get("code")))
    return _Told(int(response["status_code"]), scan(told.raw("response").encode()).raw("body").encode(), None)


def _why(code: str | None) -> Row:
    """Why there was no answer: the provider's code, in words of ours."""
    return EXPIRED if code == EXPIRED["code"] else {**LOST, "code": code or LOST["code"]}
