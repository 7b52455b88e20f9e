"""A batch that its provider makes as one, at the price that it has for batches: where all lines can go to one model
behind one channel whose provider has a batch service (`service`). `choice` finds that out while lines are priced.

What is known of it there stands in the row's facts, in `there`: each step is noted before the next, and that a batch is
about to be asked for before it is asked for. So who goes on after a death looks for it first, and it is made once; what
is surely not begun there is made here (`run`), as any other. The lines are kept a second time until all are settled,
for whoever sent them may remove his file.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from models import batch, task, writer

from ... import crash, ids, store
from ...access import keys
from ...bodies import Kept, cut, joined, pieces
from ...call import Call, Channel, Fault
from ...clock import now_ms
from ...dialects import shapes
from ...errors import GatewayError
from ...modalities.jobs import Seen
from ...relay import exchange
from ...relay.attempts import outbound
from ...routing import channels
from ...store import files
from ..leases import Keeper
from ..machine import End, State, Wait, advance
from .answers import LOST, Settling
from .lines import BadLine, read
from .outcomes import EXPIRED, Gone, Outcomes, named
from .service import Said, Service

MOST_BYTES = 200_000_000
"""Of a file that the service takes (https://platform.openai.com/docs/guides/batch)."""

MOST_TRIES = 6
"""How often it is tried to send the lines and to have a batch made of them."""

UNSURE_MS = 30_000
"""After so long whoever has died asking for a batch has asked: longer than an answer is waited for."""

GRACE_MS = 3_600_000
"""How long after a batch's time its provider may take to say that it is over."""

_KEPT_MS = 86_400_000
_OVER = "over"

_log = logging.getLogger("gateway.tasks")
Row = dict[str, Any]


def see_to(row: Row) -> bool:
    """Go on with a batch that was claimed. False where it is to be made here."""
    return bool(row["channel_id"]) and There(row).go_on()


class _NotThere(Exception):
    """Nothing of the batch was begun there, and nothing will be: why."""


class There:
    """One claim of a batch that a provider makes."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._outcomes = Outcomes(row)
        self._at: Row = self._outcomes.facts["there"]
        self._keeper = Keeper(row)
        self._ended = row["error"] == batch.CANCELLING

    def go_on(self) -> bool:
        """Do what is to be done now, and no more. False where the batch is to be made here. Raises leases.Moved."""
        if "refused" in self._at:
            return False
        row, channel = self._row, channels.current().by_id.get(self._row["channel_id"])
        event: Seen | Fault = Seen(status="in_progress")
        try:
            said = self._said(channel)
            if said is not None and said.over:
                self._settle(Service(_there(channel), row["dialect"]), said)
                return True
        except _NotThere as problem:
            self._give_up(channel, str(problem))
            return False
        except Fault as fault:
            event = fault
        state = State(
            row["created_at"], row["deadline_at"] + GRACE_MS, row["status"], 0, row["polls"], row["failures"], False
        )
        decision = advance(state, event, now_ms(), random.random())
        match decision:
            case Wait(next_at=next_at, polls=polls, failures=failures, status=status):
                writer.write(
                    task.again, row["id"], row["claim"], next_at, polls, failures, status, 0, now_ms(),
                    order=row["account_id"],
                )  # fmt: skip
            case End(error=error):
                self._lose(channel, error)
        return True

    def _said(self, channel: Channel | None) -> Said | None:
        """How the batch is there; None as long as nobody can know. Raises Fault, _NotThere."""
        at = self._at
        if "asked_at" not in at and "id" not in at:
            self._worth_it(channel)
        service = Service(_there(channel), self._row["dialect"])
        if "id" not in at:
            self._begin(service)
            return None
        if self._ended and "cancelled_at" not in at:
            self._cancel(service)
        said = service.look(at["id"])
        if said.status == "failed" and said.output is None:
            raise _NotThere(said.code or said.status)  # it has found the file wrong, or too much for now
        shown = {"status": said.status, "done": list(said.done)}
        if any(at.get(name) != value for name, value in shown.items()):
            at |= shown
            self._outcomes.note()
        return said

    def _worth_it(self, channel: Channel | None) -> None:
        """Raises _NotThere where it shall not be begun any more."""
        if channel is None:
            raise _NotThere("no_channel")
        if self._ended or now_ms() >= self._row["deadline_at"]:
            raise _NotThere(_OVER)
        if self._at.get("tries", 0) >= MOST_TRIES:
            raise _NotThere("no_answer")

    def _begin(self, service: Service) -> None:
        """Have the batch made, or find it. Raises Fault, _NotThere."""
        at = self._at
        if "asked_at" in at:
            found = service.find(at["file"], self._keeper)
            if found is not None:
                self._begun(service, found)
                return
            if now_ms() < at["asked_at"] + UNSURE_MS:
                return
            del at["asked_at"]
            self._outcomes.note()
            self._worth_it(service.channel)
        at["tries"] = at.get("tries", 0) + 1
        if "file" not in at:
            self._outcomes.note()
            content = self._lines(service.channel)
            at["file"] = _asked(lambda: service.send(_Sent(content, self._keeper)))
            self._outcomes.note()
        at["asked_at"] = now_ms()
        self._outcomes.note()
        crash.here("after_hold")
        try:
            made = _asked(lambda: service.create(at["file"], self._outcomes.facts["endpoint"], self._row["id"]))
        except Fault as fault:
            if fault.cause in ("limited", "unreachable"):  # it is not being made
                del at["asked_at"]
                self._outcomes.note()
            raise
        crash.here("after_dispatch")
        self._begun(service, made)

    def _begun(self, service: Service, identity: str) -> None:
        """It is being made there, by that id."""
        self._at["id"] = identity
        self._outcomes.note()
        _log.info("batch %s is made at channel %s as %s", self._row["id"], service.channel.name, identity)

    def _lines(self, channel: Channel) -> bytes | Kept:
        """What is sent: each line as its call would be sent to that channel, with its number for a name. Raises
        _NotThere."""
        row, spool = self._row, store.Spool()
        try:
            stored = next(iter(store.of(row["account_id"], self._outcomes.facts["input"])), None)
            if stored is None or stored.removed_at is not None:
                raise Gone
            kept = self._keeper.around(store.read(stored))
            until = row["deadline_at"] + GRACE_MS + _KEPT_MS
            store.put(row["account_id"], row["id"], 0, files.FAMILY, "application/jsonl", kept, expires_at=until)
            caller = keys.named(row["key_id"])  # it may be narrower now, or revoked
            for number, text in self._keeper.around(self._outcomes.left(row["id"])):
                line = read(caller, ids.new("req_"), self._outcomes.facts["endpoint"], number, text)
                spool.write(self._told(channel, number, line.call) + b"\n")
        except Gone:
            raise _NotThere("input_file_removed") from None
        except (BadLine, GatewayError) as problem:  # it was none when the batch began; its own outcome will say so
            if isinstance(problem, GatewayError) and problem.status >= 500:
                raise Fault("server") from problem
            raise _NotThere("lines") from None
        content = spool.body()
        if len(content) > MOST_BYTES:
            raise _NotThere("too_large")
        return content

    def _told(self, channel: Channel, number: int, call: Call) -> bytes:
        legs, ceiling = exchange.planned(call)
        wanted = (channel.id, self._row["upstream_model"], call.dialect)
        leg = next((leg for leg in legs if (leg.channel.id, leg.model, leg.dialect) == wanted), None)
        if leg is None:
            raise _NotThere("lines")
        call.cap = ceiling.default  # more than that is not held
        body = joined(outbound(call, leg).body).replace(b"\n", b" ").replace(b"\r", b" ")
        endpoint = self._outcomes.facts["endpoint"]
        return orjson.dumps(
            {"custom_id": str(number), "method": "POST", "url": endpoint, "body": orjson.Fragment(body)}
        )

    def _cancel(self, service: Service) -> None:
        """Ask for its end, once it is heard; what was answered until then is settled."""
        try:
            service.cancel(self._at["id"])
        except Fault as fault:
            if fault.cause != "request":
                raise
        self._at["cancelled_at"] = now_ms()
        self._outcomes.note()

    def _settle(self, service: Service, said: Said) -> None:
        """Settle what was answered, and end the batch. Raises Fault."""
        outcomes = self._outcomes
        outcomes.finalizing()
        lines = True
        try:
            if len(outcomes.done) < outcomes.facts["total"]:
                Settling(self._row, outcomes, self._keeper, service).settle(said)
        except Gone:
            lines = False
        for file in (self._at["file"], said.output, said.errors):
            _remove(service, file)
        self._end("gone" if not lines else "cancelled" if self._ended else said.status)

    def _lose(self, channel: Channel | None, why: str) -> None:
        """Its provider does not know it any more, or does not say in time that it is over."""
        outcomes, row, late = self._outcomes, self._row, why == "deadline"
        _log.warning("batch %s is given up: %s at its provider", row["id"], why)
        if channel is not None and "id" in self._at:
            try:
                Service(channel, row["dialect"]).cancel(self._at["id"])
            except Fault as fault:
                _log.warning("batch %s: its provider could not be told to stop: %s", row["id"], fault)
        try:
            for number, text in self._keeper.around(outcomes.left(row["id"])):
                outcomes.failed(number, named(text), EXPIRED if late else LOST)
        except Gone:
            self._end("gone")
        else:
            self._end("cancelled" if self._ended else "expired" if late else "completed")

    def _end(self, how: str) -> None:
        self._outcomes.finish(how)
        store.forget(self._row["account_id"], self._row["id"])

    def _give_up(self, channel: Channel | None, why: str) -> None:
        """It is made here, if it still is to be made."""
        if why != _OVER:
            _log.warning("batch %s is not made by its provider but call by call: %s", self._row["id"], why)
        file = self._at.pop("file", None)
        self._at["refused"] = why
        self._outcomes.note()
        store.forget(self._row["account_id"], self._row["id"])
        if channel is not None:
            _remove(Service(channel, self._row["dialect"]), file)


class _Sent:
    """A body whose sending keeps the claim. See `bodies.Kept`."""

    def __init__(self, content: bytes | Kept, keeper: Keeper) -> None:
        self._content, self._keeper = content, keeper

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        return self._keeper.around(pieces(self._content))

    def read(self, start: int, most: int) -> bytes:
        return cut(self._content, start, most)


def _there(channel: Channel | None) -> Channel:
    """Raises Fault where a channel is disabled or removed: it may come back."""
    if channel is None:
        raise Fault("account")
    return channel


def _asked(ask: Callable[[], str]) -> str:
    """What a provider answers that is asked to begin. Raises _NotThere where it says no."""
    try:
        return ask()
    except Fault as fault:
        if fault.cause in ("request", "account"):
            raise _NotThere(shapes.word(fault.code) or f"HTTP {fault.status}") from None
        raise


def _remove(service: Service, file: str | None) -> None:
    """Remove a file there, if that can be done: it would go by itself in a month."""
    if file is None:
        return
    try:
        service.remove(file)
    except Fault as fault:
        _log.info("a file of a batch could not be removed at channel %s: %s", service.channel.name, fault)
