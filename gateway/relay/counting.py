"""How many input tokens a request has: by its provider's own count, else by estimate. Nothing is held or charged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import gevent
import orjson

from .. import config
from ..call import Call, ClientGone, Fault, Leg, Outbound, Reply
from ..dialects import bridge
from ..dialects.passing import parsed
from ..providers import pool
from ..routing import plan
from . import filed, media
from .attempts import CLIENT_GONE, Failed, raise_for_status, read, verdict
from .orders import MOST_ATTEMPTS, healthy_first
from .watch import ClientWatch

_MOST_BODY = 1 << 16


@dataclass(frozen=True, slots=True)
class Way:
    """How a dialect asks for a count. path: by the upstream model, below the base URL · encode: the body for a leg ·
    member: of the answer, that has the number · beside: members that an answer has beside it."""

    path: Callable[[str], str]
    encode: Callable[[Call, Leg], bytes]
    member: str
    beside: Mapping[str, str] = field(default_factory=dict)


def run(call: Call, watch: ClientWatch, way: Way) -> Reply:
    """The count. Only a leg that gets the caller's own words can tell; what is wrong with them is told as it is.
    Raises GatewayError."""
    if call.ask.references:
        filed.bring(call)
    if call.ask.urls:
        media.screen(call)
    legs = healthy_first(plan.legs(call), set())
    try:
        for leg in [leg for leg in legs if _counts(call, leg)][:MOST_ATTEMPTS]:
            try:
                with watch, gevent.Timeout(config.current().first_byte_s, Fault("timeout")):
                    return _reply(_ask(call, leg, way))
            except Fault as fault:
                if _told(fault):
                    raise verdict([Failed(leg, fault)], call.dialect) from None
    except ClientGone:
        return Reply(status=CLIENT_GONE, content_type="text/plain", headers=[], body=b"")
    finally:
        watch.close()
    return _reply(orjson.dumps({**way.beside, way.member: max(1, call.ask.weight.guess())}), estimated=True)


def _counts(call: Call, leg: Leg) -> bool:
    return bridge.passes(call, leg) and leg.channel.provider != "sandbox"


def _told(fault: Fault) -> bool:
    """Whether the caller must mend something. A path that a provider lacks is no such thing, a model is."""
    return fault.cause == "request" and (fault.status != 404 or fault.code in _NO_MODEL)


_NO_MODEL = frozenset({"not_found_error", "NOT_FOUND", "model_not_found"})


def _ask(call: Call, leg: Leg, way: Way) -> bytes:
    """A provider's own answer. Raises Fault."""
    wire = pool.send(
        Outbound(
            channel=leg.channel,
            dialect=leg.dialect,
            model=leg.model,
            path=way.path(leg.model),
            body=way.encode(call, leg),
            headers=call.headers,
            stream=False,
            account_id=call.caller.account_id,
        )
    )
    try:
        raise_for_status(wire, leg)
        answer = read(wire, _MOST_BODY)
    finally:
        wire.close()
    counted = parsed(answer).get(way.member)
    if not isinstance(counted, int) or isinstance(counted, bool) or counted < 0:
        raise Fault("malformed")
    return answer


def _reply(body: bytes, *, estimated: bool = False) -> Reply:
    headers: Sequence[tuple[str, str]] = [("x-gateway-estimated", "1")] if estimated else []
    return Reply(status=200, content_type="application/json", headers=list(headers), body=body)
