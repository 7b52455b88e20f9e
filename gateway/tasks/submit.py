"""How a task begins: the intent is written with its hold, a provider is asked inside the caller's own request, and once
it has taken the work the task is nobody's any more: any machine may look after it.

Where nobody knows whether a provider has begun, it is not asked again, and no other is: the task has failed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import gevent
from gevent.pool import Pool

from models import task as table
from models import writer
from models.base import session
from models.idempotency import keep as keep_outcome

from .. import config, crash, journal, store
from ..access import idempotency
from ..billing import later, ledger
from ..call import Call, ClientGone, Fault, Leg, Reply, Wire
from ..clock import now_ms
from ..errors import GatewayError
from ..modalities import words
from ..modalities.jobs import Seen
from ..providers import pool
from ..relay import exchange
from ..relay.attempts import (
    CLIENT_GONE,
    ERROR_WAIT_S,
    SETTLE_S,
    Failed,
    attempts,
    call_headers,
    noted,
    outbound,
    raise_for_status,
    read,
    sensible,
    verdict,
)
from ..relay.watch import ClientWatch, Stopping
from . import seals
from .machine import LEAST_HERE_MS, LEAST_MS

_log = logging.getLogger("gateway.tasks")

MOST_ANSWER = 1 << 20
"""Longest answer to the asking, in bytes."""

Row = dict[str, Any]
_T = TypeVar("_T")


def run(
    call: Call,
    watch: ClientWatch,
    kind: str,
    facts: Row,
    webhook: str | None,
    shown: Callable[[Row], bytes],
    here: bool = False,
) -> Reply:
    """Begin a task. facts: what its views show of the request · webhook: whom to tell · shown: it, for its maker ·
    here: its provider answers at once, so this worker makes it, behind its caller's back, and it ends with the worker.

    Raises GatewayError; then there is no task, and nothing was charged.
    """
    again = idempotency.earlier(call)
    if again is not None:
        return again
    if here and not _here.free_count():
        raise GatewayError(503, "This worker makes as many tasks as it can. Retry in a while.", retry_after=5)
    legs, most = exchange.planned(call)
    if call.dry:
        watch.close()
        return exchange.would(call, legs, most)
    row = intent(call, kind, facts, webhook)
    if here:
        row["status"] = table.IN_PROGRESS
    legs, first = exchange.hold(call, legs, most, row)
    if first is not None:
        return first
    crash.here("after_hold")
    if here:
        watch.close()
        return _made_here(call, legs, row, shown)
    try:
        return submitted(
            call, legs, watch, lambda leg, wire: words.JOBS[leg.dialect].begun(whole(wire)),
            lambda leg, seen: _taken(call, leg, seen, row, shown),
        )  # fmt: skip
    finally:
        watch.close()


def intent(call: Call, kind: str, facts: Row, webhook: str | None) -> Row:
    """The row that stands before anybody is asked. Should whoever asks neither end it nor die, it is due by itself."""
    settings = config.current()
    row = dict.fromkeys(table.COLUMNS)
    return row | {
        "id": call.id, "account_id": call.caller.account_id, "key_id": call.caller.key_id, "kind": kind,
        "model": call.ask.model[:255], "status": table.QUEUED, "progress": 0, "created_at": call.created_ms,
        "changed_at": call.created_ms, "deadline_at": call.created_ms + int(settings.task_s * 1000),
        "worker": ledger.WORKER, "claim": 0, "polls": 0, "failures": 0, "told": 0,
        "next_at": call.created_ms + int((settings.deadline_s + SETTLE_S) * 1000),
        "facts": json.dumps(facts, separators=(",", ":")), "bill": later.bill(call, None),
        "webhook": seals.seal(webhook, call.id) if webhook else None,
    }  # fmt: skip


def submitted(
    call: Call,
    legs: Sequence[Leg],
    watch: ClientWatch,
    begun: Callable[[Leg, Wire], _T],
    taken: Callable[[Leg, _T], Reply],
) -> Reply:
    """Ask the legs in turn. Who has been asked is heard out, whether the client stays or not. begun: reads an answer
    that is no error, and closes it when it is done with it; may raise Fault · taken: the reply, once what was begun is
    written."""
    past: list[Failed] = []
    settings = config.current()
    try:
        for leg, left_s in attempts(call, legs, past, watch):
            try:
                with noted(call, leg, past), gevent.Timeout(min(settings.whole_s, left_s), Fault("timeout")):
                    seen = _begun(call, leg, begun)
            except Fault as fault:
                if _doubtful(fault):
                    break
                continue
            return taken(leg, seen)
    except ClientGone:
        _withdraw(call, CLIENT_GONE)
        return Reply(status=CLIENT_GONE, content_type="text/plain", headers=[], body=b"")
    except Stopping as stopping:
        _withdraw(call, stopping.status).wait(ERROR_WAIT_S)
        raise
    except BaseException:
        _withdraw(call, 500)
        raise
    error = verdict(past, call.dialect)
    _withdraw(call, error.status).wait(ERROR_WAIT_S)
    raise error


MOST_HERE = 64
"""Tasks that one worker makes at once."""

_here = Pool(MOST_HERE)


def _made_here(call: Call, legs: Sequence[Leg], row: Row, shown: Callable[[Row], bytes]) -> Reply:
    """The reply, while the call goes on as any other does."""
    reply = Reply(status=200, content_type="application/json", headers=call_headers(call, None), body=shown(row))
    kept = idempotency.outcome(call, reply)
    call.claim = None  # it stands for the task, not for what that will make
    _here.spawn(_make, call, legs)
    if kept is not None:  # the task stands, whether the database takes this now or in a while
        account = call.caller.account_id
        writer.submit(keep_outcome, account, kept[0], call.id, kept[1], order=account).wait(ERROR_WAIT_S)
    return reply


def _make(call: Call, legs: Sequence[Leg]) -> None:
    """Make a task. No error leaves here: gevent would print the call with it."""
    try:
        _carry(call, legs)
    except Exception as error:
        _log.error("task %s was not made: %s", call.id, type(error).__name__)


def _carry(call: Call, legs: Sequence[Leg]) -> None:
    """Carry the call of a task to its end. What was made for one that was cancelled meanwhile is not kept."""
    account = call.caller.account_id
    try:
        exchange.whole(call, legs, ClientWatch(None))
    except GatewayError as error:
        _log.info("task %s came to nothing: %s", call.id, error.status)
    with session():
        row = table.find(account, call.id)
    if row is None or row["status"] != table.COMPLETED:
        store.forget(account, call.id)


def _begun(call: Call, leg: Leg, begun: Callable[[Leg, Wire], _T]) -> _T:
    """The provider's answer to the asking. Raises Fault."""
    wire = pool.send(outbound(call, leg))
    crash.here("after_dispatch")
    try:
        raise_for_status(wire, leg)
        with sensible():
            return begun(leg, wire)
    except BaseException:
        wire.close()
        raise


def whole(wire: Wire) -> bytes:
    """All of an answer to the asking. Raises Fault."""
    try:
        return read(wire, MOST_ANSWER)
    finally:
        wire.close()


def _doubtful(fault: Fault) -> bool:
    """Whether a provider may have begun all the same: it was asked, and what it said cannot be understood or did not
    come."""
    return fault.cause in ("timeout", "malformed")


def _taken(call: Call, leg: Leg, seen: Seen, row: Row, shown: Callable[[Row], bytes]) -> Reply:
    """The reply, once it is written where the work is being done."""
    at = now_ms()
    job_id = seen.id
    assert job_id is not None
    facts = json.dumps({**seen.facts, **json.loads(row["facts"])}, separators=(",", ":"))
    row |= {"channel_id": leg.channel.id, "model": call.model[:255], "progress": seen.progress, "facts": facts}
    reply = Reply(
        status=200, content_type="application/json", headers=call_headers(call, leg), body=shown(row)
    )  # fmt: skip
    kept = idempotency.outcome(call, reply)
    ticket = writer.submit(
        table.submitted, call.id, leg.channel.id, leg.dialect, leg.model, job_id, later.bill(call, leg, job_id[:255]),
        facts,
        at + (LEAST_HERE_MS if leg.channel.provider == "sandbox" else LEAST_MS), at,
        (call.caller.account_id, *kept) if kept else None, order=call.caller.account_id, durable=True,
    )  # fmt: skip
    stands(call, ticket, "task", "Look for it at /v1/tasks in a while.")
    return reply


def stands(call: Call, ticket: writer.Ticket, what: str, advice: str) -> None:
    """Wait until it is written where work is being done. Raises GatewayError, whose caller is given the advice."""
    if not ticket.wait(SETTLE_S):  # it is written when the database takes it: the provider is at work
        raise GatewayError(
            503, f"The gateway's database takes no writes now, and the {what} has begun. {advice}", retry_after=30
        )
    if not ticket.result():
        raise GatewayError(503, f"The {what} was given up while its provider was being asked. Retry.", retry_after=1)
    crash.here("after_settle")
    journal.write(call, status=200, tokens=(0, 0), cost=0, note=what)


def _withdraw(call: Call, status: int) -> writer.Ticket:
    """End a task that nobody has taken: a receipt of zero, the hold comes back, and no row stays."""
    settlement = later.settlement(later.bill(call, None), status=status, finish=None, at=now_ms())
    journal.write(call, status=status, tokens=(0, 0), cost=0)
    return writer.submit(
        table.withdraw, call.id, settlement, order=call.caller.account_id, durable=True,
        otherwise=(table.bury, (call.id, now_ms())),
    )  # fmt: skip
