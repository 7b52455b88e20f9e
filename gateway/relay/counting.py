"""How many input tokens a request has: by its provider's own count, else by estimate. Nothing is held or charged."""

from __future__ import annotations

from collections.abc import Sequence

import gevent
import orjson

from .. import config
from ..call import Call, ClientGone, Fault, Leg, Outbound, Reply
from ..dialects import bridge
from ..dialects.bridge import NAMED
from ..dialects.passing import parsed
from ..providers import pool
from ..routing import plan
from .attempts import CLIENT_GONE, MOST_ATTEMPTS, raise_for_status, read, verdict
from .watch import ClientWatch

_COUNT = "/count_tokens"
_MOST_BODY = 1 << 16


def run(call: Call, watch: ClientWatch) -> Reply:
    """The count. Only a leg that gets the caller's own words can tell; what is wrong with them is told as it is.
    Raises GatewayError."""
    legs = plan.legs(call)
    try:
        for leg in [leg for leg in legs if bridge.passes(call, leg)][:MOST_ATTEMPTS]:
            try:
                with watch, gevent.Timeout(config.current().first_byte_s, Fault("timeout")):
                    return _reply(_ask(call, leg))
            except Fault as fault:
                if _told(fault):
                    raise verdict(call, [fault], legs) from None
    except ClientGone:
        return Reply(status=CLIENT_GONE, content_type="text/plain", headers=[], body=b"")
    finally:
        watch.close()
    return _reply(call.ask.weight.guess(), estimated=True)


def _told(fault: Fault) -> bool:
    """Whether the caller must mend something. A path that a provider lacks is no such thing, a model is."""
    return fault.cause == "request" and (fault.status != 404 or fault.code == "not_found_error")


def _ask(call: Call, leg: Leg) -> int:
    """A provider's own count. Raises Fault."""
    wire = pool.send(
        Outbound(
            channel=leg.channel,
            dialect=leg.dialect,
            path=NAMED[leg.dialect].path(leg.model, False) + _COUNT,
            body=bridge.encode(call, leg),
            headers=call.headers,
            stream=False,
            account_id=call.caller.account_id,
        )
    )
    try:
        raise_for_status(wire, leg)
        counted = parsed(read(wire, _MOST_BODY)).get("input_tokens")
    finally:
        wire.close()
    if not isinstance(counted, int) or isinstance(counted, bool) or counted < 0:
        raise Fault("malformed")
    return counted


def _reply(tokens: int, *, estimated: bool = False) -> Reply:
    headers: Sequence[tuple[str, str]] = [("x-gateway-estimated", "1")] if estimated else []
    return Reply(
        status=200, content_type="application/json", headers=list(headers), body=orjson.dumps({"input_tokens": tokens})
    )
