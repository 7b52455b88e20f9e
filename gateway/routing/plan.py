"""The plan of a call: its legs in the order in which they are tried."""

from __future__ import annotations

import random
from dataclasses import replace

from ..call import Call, Channel, Leg
from ..dialects import bridge
from ..errors import GatewayError
from ..modalities import words
from ..providers import profiles
from ..providers.registry import spoken
from . import catalogue, channels
from .pins import bound_to


def legs(call: Call) -> list[Leg]:
    """The legs of a call, best first: a route's in its own order, else by priority and, within one, by weight.

    Raises GatewayError 404 for a model that nobody serves, 400 where no channel can be told what the caller means; []
    where none has what `call.below` asks for.
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
    return _speaking(call, found)


def _speaking(call: Call, found: list[tuple[Channel, str]]) -> list[Leg]:
    """The legs in words that their channels know: the caller's own where possible. Those that could not be told what
    the caller means are left out (Law 2); raises GatewayError 400 if none is left."""
    legs: list[Leg] = []
    problem: bridge.Refused | None = None
    for channel, upstream in found:
        dialects = spoken(channel, upstream)
        if call.below and (call.dialect not in dialects or channel.provider == "sandbox"):
            continue
        for dialect in words.ways(call, dialects):
            profile = profiles.of(channel.provider, upstream, dialect)
            leg = Leg(channel=channel, model=upstream, dialect=dialect, profile=profile)
            try:
                legs.append(replace(leg, losses=words.screen(call, leg)))
                break
            except bridge.Refused as refused:
                problem = problem or refused
    if not legs and problem is None and not call.below:
        raise GatewayError(
            400,
            f"No provider of {call.model[:200]!r} answers this API. Use another model, or another API.",
            param="model",
        )
    if not legs and problem is not None:
        raise GatewayError(
            400, f"{problem.message} Leave it out, or use another model or API.", param=problem.param
        )  # fmt: skip
    return legs


def _ordered(found: list[tuple[Channel, str]]) -> list[tuple[Channel, str]]:
    """Low priority numbers first; inside one, drawn by weight without replacement."""
    if len(found) == 1:
        return found
    return sorted(found, key=lambda leg: (leg[0].priority, -(random.random() ** (1 / max(leg[0].weight, 1e-9)))))
