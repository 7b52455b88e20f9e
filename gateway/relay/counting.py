"""Counting what a request weighs: by a provider that speaks the dialect of the caller, where one does. It is free."""

from __future__ import annotations

from collections.abc import Callable

import gevent

from .. import config
from ..call import Call, Fault, Leg, Outbound
from ..providers import pool
from ..routing import plan
from .attempts import attempts, noted, raise_for_status, read, verdict

_MOST_BODY = 1 << 16


def ask(call: Call, path: Callable[[Leg], str], body: Callable[[Leg], bytes]) -> bytes | None:
    """A provider's own answer; None where none speaks the caller's dialect, or none has answered.

    Raises GatewayError for a model that nobody serves and for what a provider finds wrong with the request.
    """
    legs = [leg for leg in plan.legs(call) if leg.dialect == call.dialect]
    faults: list[Fault] = []
    for leg, left_s in attempts(call, legs, faults):
        outbound = Outbound(
            channel=leg.channel, dialect=leg.dialect, path=path(leg), body=body(leg), headers=call.headers,
            stream=False, account_id=call.caller.account_id,
        )  # fmt: skip
        try:
            with noted(call, leg), gevent.Timeout(min(config.current().whole_s, left_s), Fault("timeout")):
                wire = pool.send(outbound)
                try:
                    raise_for_status(wire, leg)
                    return read(wire, _MOST_BODY)
                finally:
                    wire.close()
        except Fault as fault:
            faults.append(fault)
    if faults and faults[-1].cause == "request":
        raise verdict(faults, legs)
    return None
