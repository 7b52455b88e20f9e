"""Responses in the background: a provider that can makes them, and keeps them until they are fetched there; here stands
what they will cost, until they are over (https://platform.openai.com/docs/guides/background).

What was made is in nobody's hands before it is settled: whoever sees first that one is over, the runner or its owner
who asks for it, settles it, and once.
"""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import quote

from models import task as table
from models import writer
from models.base import session
from models.idempotency import Found

from .. import config, crash, journal
from ..access import idempotency, limits
from ..billing import later, ledger, prices
from ..call import Call, Channel, Fault, Leg, Meter, Reply
from ..clock import now_ms
from ..dialects import openai_responses, shapes
from ..dialects.openai_responses import reply as responses
from ..dialects.passing import scanned
from ..errors import GatewayError
from ..modalities.jobs import CANCELLED, COMPLETED, IN_PROGRESS, QUEUED, Request, Seen, Status
from ..relay import dry, exchange
from ..relay.attempts import SETTLE_S, call_headers
from ..relay.watch import ClientWatch
from ..routing import channels
from ..routing.pins import ours
from . import asking, submit
from .machine import LEAST_MS

KIND = "response"
NATIVE = frozenset({"openai", "azure", "responses-compatible"})
"""Providers that work in the background."""

_STATUSES: dict[str, Status] = {
    "queued": "queued", "in_progress": "in_progress", "completed": "completed", "incomplete": "completed",
    "failed": "failed", "cancelled": "cancelled",
}  # fmt: skip

_log = logging.getLogger("gateway.tasks")
Row = dict[str, Any]


def run(call: Call, watch: ClientWatch) -> Reply:
    """Begin a response. Raises GatewayError; then there is none, and nothing was charged."""
    again = idempotency.earlier(call)
    if again is not None:
        return again
    values = call.body.values
    if values.get("stream"):
        raise _refused("stream", "A response in the background is not streamed here. Leave stream out, and ask for it.")
    if values.get("store") is False:
        raise _refused("store", "A response in the background is kept by its provider. Leave store out.")
    planned, _ = exchange.planned(call)
    legs = [leg for leg in planned if leg.dialect == openai_responses.name and leg.channel.provider in NATIVE]
    if not legs:
        raise _refused(
            "background",
            f"No provider of {call.model[:200]!r} works in the background. Leave background out, or use a model of one"
            " that does, such as OpenAI.",
        )
    ceiling = prices.ceiling(legs, call.ask, config.current().hold_output_tokens)
    if call.dry:
        watch.close()
        return dry.told(call, legs, ceiling)
    row = submit.intent(call, KIND, {}, None)
    refused = ledger.hold(call, legs, ceiling, limits.rules(call.caller, ceiling.tokens, call.names), row)
    if isinstance(refused, Found):
        return idempotency.replay(call, refused)
    if refused is not None:
        raise limits.refuse(refused.use)
    crash.here("after_hold")
    try:
        return submit.submitted(
            call, legs, watch, lambda _, body: _begun(body), lambda leg, body: _taken(call, leg, body)
        )
    finally:
        watch.close()


def _refused(param: str, message: str) -> GatewayError:
    return GatewayError(400, message, param=param)


def _begun(body: bytes) -> bytes:
    """Raises Fault for what is no response that has begun."""
    values = scanned(body).values
    responses.check(values)
    if not shapes.short(values.get("id")) or values.get("status") not in _STATUSES:
        raise Fault("malformed")
    return body


def _taken(call: Call, leg: Leg, body: bytes) -> Reply:
    """The reply, once it is written where the work is being done."""
    at, theirs = now_ms(), str(scanned(body).values["id"])
    account_id = call.caller.account_id
    reply = Reply(
        status=200, content_type="application/json", headers=call_headers(call, leg),
        body=openai_responses.kept(body, call.id, call.model, lambda other: ours(account_id, "response", other)),
    )  # fmt: skip
    kept = idempotency.outcome(call, reply)
    ticket = writer.submit(
        table.submitted, call.id, leg.channel.id, leg.dialect, leg.model, theirs, later.terms(call, leg, theirs[:255]),
        json.dumps({"served": call.model}), at + LEAST_MS, at, (account_id, *kept) if kept else None,
        ((account_id, "response", call.id, theirs, leg.channel.id),), order=account_id, durable=True,
    )  # fmt: skip
    if not ticket.wait(SETTLE_S):  # it is written when the database takes it: the provider is at work
        raise GatewayError(
            503, "The gateway's database takes no writes now, and the response has begun. Do not ask for it again.",
            retry_after=30,
        )  # fmt: skip
    if not ticket.result():
        raise GatewayError(503, "The response was given up while its provider was being asked. Retry.", retry_after=1)
    crash.here("after_settle")
    journal.write(call, status=200, tokens=(0, 0), cost=0, note="background")
    looked(account_id, call.id, body)  # a provider may not wait, and answer at once
    return reply


def ask(channel: Channel, row: Row) -> bytes:
    """What its provider says of a response now. Raises Fault."""
    path = f"/responses/{quote(row['upstream_id'], safe='')}"
    return asking.ask(channel, openai_responses.name, row["upstream_model"], Request("GET", path))


def seen(body: bytes) -> Seen:
    """How a response is. Raises Fault for what is none."""
    values = scanned(body).values
    status = _STATUSES.get(str(values.get("status")))
    if status is None:
        raise Fault("malformed")
    error = values.get("error")
    code = shapes.word(error.get("code")) if isinstance(error, dict) else None
    if status == CANCELLED and responses.usage(values) is not None:  # what it said until then was made
        status = "completed"
    return Seen(status=status, error=code)


def find(account_id: str, identity: str) -> Row | None:
    """A response that runs, or ran, in the background."""
    with session():
        row = table.find(account_id, identity)
    return row if row is not None and row["kind"] == KIND else None


def looked(account_id: str, identity: str, body: bytes) -> None:
    """Its owner, too, has seen how a response is: one that is over is settled before he is told what it says. Raises
    GatewayError 503."""
    row = find(account_id, identity)
    if row is None or row["status"] not in table.OPEN:
        return
    how = seen(body)
    if how.status in (QUEUED, IN_PROGRESS):
        return
    channel = channels.current().by_id.get(row["channel_id"])
    if channel is not None:
        try:
            settle(row, None, channel, body, how)
        except writer.Busy:
            raise GatewayError(
                503, "The gateway's database takes no writes now. Retry in a while.", retry_after=5
            ) from None


def settle(row: Row, claim: int | None, channel: Channel, body: bytes, how: Seen) -> bool:
    """End a response that is over: charged for what it took, or free where it failed. False if it was ended before."""
    error = None
    if how.status == COMPLETED:
        meter = Meter()
        responses.read(scanned(body).values, meter, True)
        settlement = later.reckon(row["bill"], channel, meter, now_ms())
    else:
        error = how.error or how.status
        settlement = later.settlement(row["bill"], status=502, finish=error, at=now_ms())
    crash.here("before_settle")
    done = writer.write(
        table.finish, row["id"], claim, how.status, now_ms(), settlement, error, order=row["account_id"], durable=True
    )
    if done:
        _log.info("response %s is %s", row["id"], how.status)
    return bool(done)
