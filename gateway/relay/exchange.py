"""The one orchestrator of HTTP exchanges: plan, hold, attempt, settle, deliver.

`run` takes a call that the door has opened. A whole answer is read, metered and settled before its first byte goes
out; a stream is handed to `streams`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gevent

from models.idempotency import Found
from models.window import Rule
from models.writer import Ticket

from .. import config, crash, journal
from ..access import idempotency, limits
from ..billing import ledger, prices
from ..call import Call, ClientGone, Fault, Leg, Meter, Reply
from ..errors import GatewayError
from ..modalities import words
from ..money import usd
from ..providers import headers
from ..routing import pace, plan
from . import dry, filed, making, media, streams
from .attempts import (
    CLIENT_GONE,
    ERROR_WAIT_S,
    SETTLE_S,
    Failed,
    attempts,
    call_headers,
    noted,
    sensible,
    told,
    verdict,
)
from .orders import tried
from .watch import ClientWatch, Stopping


def run(call: Call, watch: ClientWatch) -> Reply:
    """Carry a call to its reply. Raises GatewayError; then nothing was charged."""
    again = idempotency.earlier(call)
    if again is not None:
        return again
    legs, most = planned(call)
    if call.dry:
        watch.close()
        return would(call, legs, most)
    legs, first = hold(call, legs, most)
    if first is not None:
        return first
    crash.here("after_hold")
    if call.ask.stream:
        return streams.start(call, legs, watch)
    try:
        return whole(call, legs, watch)
    finally:
        watch.close()


def planned(call: Call) -> tuple[Sequence[Leg], prices.Ceiling]:
    """The legs that a call tries, and what it may cost at most. Raises GatewayError."""
    if call.ask.references:
        filed.bring(call)
    if call.ask.urls:
        media.screen(call)
    found = plan.legs(call)
    if not found:
        wanted = f"offers {call.below[1:]}" if call.below else "can do this"
        raise GatewayError(400, f"No provider of {call.model[:200]!r} {wanted}. Name another model.", param="model")
    legs = tried(call, prices.attach(found, call.ask, call.dialect))
    return legs, ceiling(call, legs)


def hold(
    call: Call, legs: Sequence[Leg], most: prices.Ceiling, intent: dict[str, Any] | None = None
) -> tuple[Sequence[Leg], Reply | None]:
    """Hold for a call: the legs that it is held for, those that its purses can carry; and the reply of an earlier call
    of the same name, if there is one. Raises GatewayError."""
    try:
        refused = ledger.hold(call, legs, most, _rules(call, most), intent)
    except ledger.TooDear as short:
        if len(legs) == 1:
            raise
        legs = _carried(call, legs, short.free)
        most = ceiling(call, legs)
        refused = ledger.hold(call, legs, most, _rules(call, most), intent)
    if isinstance(refused, Found):
        return legs, idempotency.replay(call, refused)
    if refused is not None:
        raise limits.refuse(refused.use)
    return legs, None


def _rules(call: Call, most: prices.Ceiling) -> tuple[Rule, ...]:
    return limits.rules(call.caller, most.tokens, call.names)


def _carried(call: Call, legs: Sequence[Leg], free: int) -> Sequence[Leg]:
    """The legs that so much can pay for; where there is none the cheapest, so that the 402 tells the least."""

    def least(leg: Leg) -> int:
        found = ceiling(call, [leg])
        return found.want if call.below else found.floor

    return [leg for leg in legs if least(leg) <= free] or [min(legs, key=least)]


def would(call: Call, legs: Sequence[Leg], most: prices.Ceiling) -> Reply:
    """What a dry run tells."""
    short = ledger.refusal(call, most)
    if short is not None:
        legs = _carried(call, legs, short.free)
        most = ceiling(call, legs)
    return dry.told(call, legs, most)


def ceiling(call: Call, legs: Sequence[Leg]) -> prices.Ceiling:
    """What to hold for a call. One that names no output limit, and would take more tokens than its caller has in a
    minute, is given a limit, so that it takes half of them, or as few as are worth a try."""
    found = prices.ceiling(legs, call.ask, config.current().hold_output_tokens)
    most = limits.most_tokens(call.caller, call.names)
    if found.default is None or most is None or found.tokens <= most or call.ask.rigid or call.below:
        return found
    half = found.default - -(-(found.tokens - most // 2) // call.ask.n)
    fitting = prices.ceiling(legs, call.ask, max(half, prices.LEAST_OUTPUT))._replace(room=prices.NO_WALLET)
    return fitting if fitting.tokens <= most else found


def whole(call: Call, legs: Sequence[Leg], watch: ClientWatch) -> Reply:
    """Carry a call that is held for to its whole answer. Raises GatewayError."""
    past: list[Failed] = []
    settings = config.current()
    try:
        for leg, left_s in attempts(call, legs, past, watch):
            meter = Meter()
            whole_s = min(max(settings.whole_s, leg.profile.whole_s), left_s)
            try:
                with noted(call, leg, past), watch, gevent.Timeout(whole_s, Fault("timeout")):
                    told_back = making.answers(call, leg)
                    making.copy(call, leg, told_back.bodies)
                    with sensible():
                        body = words.whole(call, leg, told_back.bodies, meter)
                    making.keep(call, meter.files)
            except Fault:
                continue
            return _settled(call, leg, meter, body, told_back.headers)
    except ClientGone:
        close_without_charge(call, CLIENT_GONE)
        return Reply(status=CLIENT_GONE, content_type="text/plain", headers=[], body=b"")
    except Stopping as stopping:
        close_without_charge(call, stopping.status).wait(ERROR_WAIT_S)
        raise
    except BaseException:
        ledger.release(call)
        raise
    error = verdict(past, call.dialect)
    close_without_charge(call, error.status, told(call, past, error)).wait(ERROR_WAIT_S)
    raise error


def _settled(call: Call, leg: Leg, meter: Meter, body: bytes, said: Mapping[str, str]) -> Reply:
    """The reply, once its settlement is committed."""
    settlement = ledger.reckon(call, leg, meter, status=200, partial=False, first_event_ms=None)
    reply = Reply(
        status=200,
        content_type=call.ask.answers,
        headers=[
            *call_headers(call, leg, meter), ("x-gateway-cost-usd", usd(settlement.cost)), *headers.for_client(said),
        ],
        body=body,
    )  # fmt: skip
    if call.share is not None:
        ticket = ledger.settle_share(call, settlement, reply)
    else:
        ticket = ledger.settle(settlement, idempotency.outcome(call, reply))
    if ticket.wait(SETTLE_S):
        ticket.result()
    elif not ticket.doubtful and ticket.abandon():
        ledger.release(call)
        making.forget(call, meter.files)
        raise GatewayError(503, "The gateway's database takes no writes now. Retry in a while.", retry_after=30)
    # else it may stand already, and is tried until it does: who pays is given his answer
    crash.here("after_settle")
    took_s = call.attempts[-1].ms / 1000
    pace.note(leg, False, took_s, settlement.tokens_out, took_s)
    journal.write(call, status=200, tokens=(settlement.tokens_in, settlement.tokens_out), cost=settlement.cost)
    crash.here("before_last_byte")
    return reply


def close_without_charge(call: Call, status: int, outcome: tuple[str, bytes] | None = None) -> Ticket:
    """End a call that delivered nothing: a receipt of zero, and the hold comes back. outcome: what its claim keeps."""
    settlement = ledger.reckon(call, None, Meter(), status=status, partial=False, first_event_ms=None)
    ticket = ledger.settle(settlement, outcome)
    journal.write(call, status=status, tokens=(0, 0), cost=0)
    return ticket
