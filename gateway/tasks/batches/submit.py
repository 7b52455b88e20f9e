"""How a batch begins: each line of its file is read and made a call as the door would, and priced; a hold over all of
them stands before any is made. Where lines are bad there is a failed batch that says which, and costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from models import batch, task, writer
from models.idempotency import Found
from models.idempotency import keep as keep_outcome

from ... import ids, store
from ...access import idempotency, limits
from ...billing import later, ledger
from ...billing.prices import Ceiling
from ...call import Ask, Call, Caller, Claim, Leg, Reply
from ...clock import monotonic, now_ms
from ...errors import GatewayError
from ...relay import exchange
from ...relay.attempts import ERROR_WAIT_S
from ...splice import Scan
from ...store import files
from .. import seals
from .choice import Choice
from .lines import MOST_LINES, BadLine, read, refused, split

PREFIX = "batch_"
WINDOW_S = 24 * 3_600
MOST_PROBLEMS = 100
"""Bad lines that are told of."""

Row = dict[str, Any]


class Wanted(NamedTuple):
    """What a batch shall be. keep_s: how long what it writes is kept, None for as long as is usual."""

    endpoint: str
    file: files.Found
    metadata: dict[str, Any] | None
    keep_s: int | None


class _Sum(NamedTuple):
    """All lines of a batch together. names: of models that may answer them · leg: where a provider makes them as
    one."""

    lines: int
    nanos: int
    model: str
    names: tuple[str, ...]
    leg: Leg | None


def create(
    caller: Caller, request_id: str, wanted: Wanted, claim: Claim | None, shown: Callable[[Row], bytes]
) -> Reply:
    """A batch, begun or failed, as `shown` has it. claim: to be begun once only. Raises GatewayError; then there is
    none."""
    call = Call(
        id=ids.new(PREFIX), request_id=request_id, caller=caller, surface="batches", dialect="chat",
        body=Scan("", {}, []), ask=Ask(model="batch"), created_ms=now_ms(), started=monotonic(), headers={},
        claim=claim,
    )  # fmt: skip
    again = idempotency.earlier(call)
    if again is not None:
        return again
    problems: list[Row] = []
    total = _priced(caller, request_id, wanted, problems)
    call.ask, call.names, call.created_ms = Ask(model=total.model), total.names, now_ms()
    row = _row(call, wanted, total, problems)
    reply = Reply(status=200, content_type="application/json", headers=[], body=shown(row))
    nanos, rules, placing = total.nanos, _rules(call, total.lines), batch.place
    if problems:
        settlement = later.settlement(row["bill"], status=400, finish="failed", at=call.created_ms)
        nanos, rules, placing = 0, (), partial(batch.place_failed, settlement)
    denied = ledger.hold(call, (), Ceiling(nanos, nanos, nanos, 0, None), rules, row, placing)
    if isinstance(denied, Found):
        return idempotency.replay(call, denied)
    if denied is not None:
        raise limits.refuse(denied.use)
    kept = idempotency.outcome(call, reply)
    if kept is not None:  # the batch stands, whether the database takes this now or in a while
        account = caller.account_id
        writer.submit(keep_outcome, account, kept[0], call.id, kept[1], order=account).wait(ERROR_WAIT_S)
    return reply


def _rules(call: Call, lines: int) -> tuple[Any, ...]:
    """The limits that a batch counts in: as one request of a minute, and each line as one of the day. The gateway
    paces the rest by itself."""
    found = limits.rules(call.caller, 0, call.names)
    return tuple(
        rule._replace(amount=lines if rule.name == "rpd" else 1) for rule in found if rule.name in ("rpm", "rpd")
    )


def _priced(caller: Caller, request_id: str, wanted: Wanted, problems: list[Row]) -> _Sum:
    """All lines, read; what is wrong goes to `problems`. Raises GatewayError 503."""
    names: dict[str, int] = {}
    models: dict[str, None] = {}
    public: dict[str, None] = {}
    choice = Choice()
    nanos = lines = 0
    try:
        for number, text in split(_bytes(wanted.file)):
            lines += 1
            if lines > MOST_LINES:
                raise BadLine("too_many_lines", f"The file has more than {MOST_LINES} lines. Make several batches.")
            try:
                line = read(caller, request_id, wanted.endpoint, number, text)
                if names.setdefault(line.name, number) != number:
                    raise BadLine(
                        "duplicate_custom_id", f"Line {names[line.name]} has this custom_id, too.", "custom_id"
                    )
                try:
                    legs, ceiling = exchange.planned(line.call)
                except GatewayError as error:
                    raise refused(error) from None
                choice.narrow(line.call, legs)
                nanos += ceiling.want
                models[line.call.ask.model] = None
                public.update(dict.fromkeys(line.call.names))
            except BadLine as problem:
                if len(problems) < MOST_PROBLEMS:
                    problems.append(_told(problem, number))
    except BadLine as problem:
        problems.append(_told(problem, None))
    except store.Lost:
        raise GatewayError(503, "The media store does not answer now. Retry in a while.", retry_after=5) from None
    if not lines:
        problems.append(
            _told(BadLine("empty_file", "The file has no lines. Send one line of JSON for each call."), None)
        )
    return _Sum(lines, nanos, next(iter(models)) if len(models) == 1 else "batch", tuple(public), choice.leg)


def _bytes(file: files.Found) -> Any:
    stored = next(iter(store.of(file.account_id, file.id)), None)
    if stored is None or stored.removed_at is not None:
        raise store.Lost
    return store.read(stored)


def _told(problem: BadLine, number: int | None) -> Row:
    return {"code": problem.code, "line": number, "message": problem.message, "param": problem.param}


def _row(call: Call, wanted: Wanted, total: _Sum, problems: list[Row]) -> Row:
    at, bill = call.created_ms, later.bill(call, None)
    facts: Row = {"endpoint": wanted.endpoint, "input": wanted.file.id, "total": total.lines, "keep_s": wanted.keep_s}
    there = {"channel_id": "", "dialect": "", "upstream_model": ""}
    if total.leg is not None and total.leg.price is not None and not problems:
        bill, leg = later.priced(call, total.leg.price), total.leg
        there = {"channel_id": leg.channel.id, "dialect": leg.dialect, "upstream_model": leg.model}
        facts["there"] = {}
    sealed = {"metadata": wanted.metadata, "errors": problems}
    over = {"status": task.FAILED, "error": "invalid_lines", "done_at": at, "next_at": None} if problems else {}
    return dict.fromkeys(task.COLUMNS) | {
        "id": call.id, "account_id": call.caller.account_id, "key_id": call.caller.key_id, "kind": batch.KIND,
        "model": call.ask.model[:255], "status": task.IN_PROGRESS, "progress": 0,
        "created_at": at, "changed_at": at, "deadline_at": at + WINDOW_S * 1_000, "claim": 0, "next_at": at,
        "polls": 0, "failures": 0, "told": 0, "upstream_id": call.id, **there,
        "facts": json.dumps(facts), "bill": bill,
        "results": seals.seal(json.dumps(sealed), call.id), **over,
    }  # fmt: skip
