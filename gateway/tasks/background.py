"""Responses in the background: a provider that can makes them, and keeps them until they are fetched there; here stands
what they will cost, until they are over (https://platform.openai.com/docs/guides/background).

What was made is in nobody's hands before it is settled: whoever sees first that one is over, the runner or its owner
who asks for it, settles it, and once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from models import task as table
from models import writer
from models.base import session

from .. import crash
from ..access import idempotency
from ..billing import later
from ..call import Ask, Call, Caller, Channel, ClientGone, Fault, Leg, Meter, Reply, Wire
from ..clock import monotonic, now_ms
from ..dialects import openai_responses, shapes
from ..dialects.openai_responses import reply as responses
from ..dialects.passing import scanned
from ..errors import GatewayError
from ..modalities.jobs import CANCELLED, COMPLETED, IN_PROGRESS, QUEUED, Request, Seen, Status
from ..relay import exchange, streams
from ..relay.attempts import CLIENT_GONE, call_headers
from ..relay.watch import ClientWatch
from ..routing import channels
from ..routing.pins import ours
from ..splice import Scan
from . import asking, following, submit
from .machine import LEAST_HERE_MS, LEAST_MS

KIND = "response"
NATIVE = frozenset({"openai", "azure", "responses-compatible", "sandbox"})
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
    if call.body.values.get("store") is False:
        raise _refused("store", "A response in the background is kept by its provider. Leave store out.")
    planned, _ = exchange.planned(call)
    legs = [leg for leg in planned if leg.dialect == openai_responses.name and leg.channel.provider in NATIVE]
    if not legs:
        raise _refused(
            "background",
            f"No provider of {call.model[:200]!r} works in the background. Leave background out, or use a model of one"
            " that does, such as OpenAI.",
        )
    most = exchange.ceiling(call, legs)
    if call.dry:
        watch.close()
        return exchange.would(call, legs, most)
    row = submit.intent(call, KIND, {}, None)
    held, first = exchange.hold(call, legs, most, row)
    if first is not None:
        return first
    crash.here("after_hold")
    try:
        if call.ask.stream:
            reply = submit.submitted(
                call, held, watch, lambda _, wire: following.begun(call, wire),
                lambda leg, told: _followed(call, leg, told, watch),
            )  # fmt: skip
        else:
            reply = submit.submitted(
                call, held, watch, lambda _, wire: _begun(submit.whole(wire)), lambda leg, body: _taken(call, leg, body)
            )
    except BaseException:
        watch.close()
        raise
    if isinstance(reply.body, bytes):  # a stream closes it when it ends
        watch.close()
    return reply


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
    account_id, values = call.caller.account_id, scanned(body).values
    reply = Reply(
        status=200, content_type="application/json", headers=call_headers(call, leg),
        body=openai_responses.kept(body, call.id, call.model, lambda other: ours(account_id, "response", other)),
    )  # fmt: skip
    _write(call, leg, str(values["id"]), reply)
    looked(account_id, call.id, values)  # a provider may not wait, and answer at once
    return reply


def _followed(call: Call, leg: Leg, told: following.Told, watch: ClientWatch) -> Reply:
    """The same for a stream. Sent again under its name, the call is told how it began, and where it goes on."""
    stream = following.Following(call, told, watch, lambda last: looked(call.caller.account_id, call.id, last))
    kind = told.feed.content_type
    try:
        _write(call, leg, told.identity, streams.reply(call, leg, kind, stream.beginning()))
    except BaseException:
        told.wire.close()
        raise
    return streams.reply(call, leg, kind, streams.Body(stream.pieces()))


def follow(caller: Caller, request_id: str, row: Row, open_at: Callable[[], Wire], watch: ClientWatch) -> Reply:
    """A response that was begun before, as its provider tells it to who comes back. open_at: asks for that; raises
    GatewayError, ClientGone."""
    call = Call(
        id=row["id"], request_id=request_id, caller=caller, surface="responses", dialect=openai_responses.name,
        body=Scan("", {}, []), ask=Ask(model=json.loads(row["facts"])["served"]), created_ms=row["created_at"],
        started=monotonic(), headers={},
    )  # fmt: skip
    feed = openai_responses.feed(call, lambda theirs: ours(caller.account_id, "response", theirs))
    try:
        told = following.Told(open_at(), feed, row["upstream_id"])
    except ClientGone:
        watch.close()
        return Reply(status=CLIENT_GONE, content_type="text/plain", headers=[], body=b"")
    except BaseException:
        watch.close()
        raise
    stream = following.Following(call, told, watch, lambda last: looked(caller.account_id, row["id"], last))
    return streams.reply(call, None, feed.content_type, streams.Body(stream.pieces()))


def _write(call: Call, leg: Leg, theirs: str, kept: Reply) -> None:
    """Write where a response is being made, before its caller hears of it. kept: what the call is answered when it is
    sent again. Raises GatewayError."""
    at, account_id = now_ms(), call.caller.account_id
    outcome = idempotency.outcome(call, kept)
    look_ms = LEAST_HERE_MS if leg.channel.provider == "sandbox" else LEAST_MS
    ticket = writer.submit(
        table.submitted, call.id, leg.channel.id, leg.dialect, leg.model, theirs, later.terms(call, leg, theirs[:255]),
        json.dumps({"served": call.model}), at + look_ms, at, (account_id, *outcome) if outcome else None,
        ((account_id, "response", call.id, theirs, leg.channel.id),), order=account_id, durable=True,
    )  # fmt: skip
    submit.stands(call, ticket, "response", "Do not ask for it again.")


def ask(channel: Channel, row: Row) -> Mapping[str, Any]:
    """What its provider says of a response now. Raises Fault."""
    path = f"/responses/{quote(row['upstream_id'], safe='')}"
    return scanned(asking.ask(channel, openai_responses.name, row["upstream_model"], Request("GET", path))).values


def seen(values: Mapping[str, Any]) -> Seen:
    """How a response is. Raises Fault for what is none."""
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
    if not identity.isprintable():  # Postgres has no NUL in texts
        return None
    with session():
        row = table.find(account_id, identity)
    return row if row is not None and row["kind"] == KIND else None


def looked(account_id: str, identity: str, values: Mapping[str, Any]) -> None:
    """Its owner, too, has seen how a response is: one that is over is settled before he is told what it says. Raises
    GatewayError 503."""
    row = find(account_id, identity)
    if row is None or row["status"] not in table.OPEN:
        return
    how = seen(values)
    if how.status in (QUEUED, IN_PROGRESS):
        return
    channel = channels.current().by_id.get(row["channel_id"])
    if channel is not None:
        try:
            settle(row, None, channel, values, how)
        except writer.Busy:
            raise GatewayError(
                503, "The gateway's database takes no writes now. Retry in a while.", retry_after=5
            ) from None


def settle(row: Row, claim: int | None, channel: Channel, values: Mapping[str, Any], how: Seen) -> bool:
    """End a response that is over: charged for what it took, or free where it failed. False if it was ended before."""
    error = None
    if how.status == COMPLETED:
        meter = Meter()
        responses.read(values, meter, True)
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
