"""The plan of a call: its legs in the order in which they are tried."""

from __future__ import annotations

import random

from ..call import Call, Channel, Leg
from ..errors import GatewayError
from . import catalogue, channels
from .pins import bound_to


def legs(call: Call) -> list[Leg]:
    """The legs of a call, best first: a route's in its own order, else by priority and, within one, by weight.

    Raises GatewayError 404 for a model that nobody serves, 400 where no channel speaks the caller's dialect.
    """
    snapshot = channels.current()
    found = catalogue.legs(snapshot, call.model)
    if not found:
        raise GatewayError(
            404,
            f"The model {call.model[:200]!r} does not exist here, or no enabled channel serves it."
            " GET /v1/models lists what can be called.",
            param="model",
        )
    maker = bound_to(call)
    if maker is not None:
        found = [(channel, upstream) for channel, upstream in found if channel.id == maker]
        if not found:
            reference = call.ask.references[0]
            raise GatewayError(
                400,
                f"The {reference.kind} {reference.id[:80]!r} was made by another provider than those of"
                f" {call.model[:200]!r}. Use the model that made it, or send the content instead.",
                param=reference.param,
            )
    if call.model not in snapshot.routes:
        found = _ordered(found)
    speaking = [
        Leg(channel=channel, model=upstream, dialect=call.dialect)
        for channel, upstream in found
        if call.dialect in channel.dialects
    ]
    if not speaking:
        raise GatewayError(
            400,
            f"No channel of the model {call.model[:200]!r} can be called by this API. Use another model or API.",
            param="model",
        )
    return speaking


def _ordered(found: list[tuple[Channel, str]]) -> list[tuple[Channel, str]]:
    """Low priority numbers first; inside one, drawn by weight without replacement."""
    if len(found) == 1:
        return found
    return sorted(found, key=lambda leg: (leg[0].priority, -(random.random() ** (1 / max(leg[0].weight, 1e-9)))))
