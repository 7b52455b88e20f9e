"""The plan of a call: its legs in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .. import book
from ..call import Call, Channel, Leg
from ..clock import day, now_ms
from ..dialects import bridge
from ..errors import GatewayError
from ..modalities import words
from ..providers import profiles
from ..providers.registry import KINDS, spoken
from . import affinity, catalogue, channels, steering
from .pins import bound_to, sealed_at
from .steering import Way


def legs(call: Call) -> list[Leg]:
    """The legs of a call, best first: those of its model, then of each model that it falls back to.

    Raises GatewayError 404 for a model that nobody serves, 400 where no channel can be told what the caller means; []
    where none has what `call.below` asks for.
    """
    snapshot = channels.current()
    draw = affinity.lots(call)
    served = [_ordered(snapshot, name, draw) for name in (call.model, *call.ask.fallbacks)]
    if not any(served):
        raise GatewayError(404, _nobody(call.model), param="model")
    found = [way for ways in served for way in steering.chosen(call.steer, ways)]
    if not found:
        names = ", ".join(dict.fromkeys(channel.name for ways in served for _, channel, _ in ways))
        wish = "provider" if call.body.values.get("provider") else steering.HEADER
        raise GatewayError(
            400, f"Nobody whom {wish} allows serves {call.model[:200]!r}. These do: {names}.", param=wish
        )
    maker = bound_to(call)
    if maker is not None:
        found = [way for way in found if way[1].id == maker]
        if not found:
            reference = call.ask.references[0]
            raise GatewayError(
                400,
                f"The {reference.kind} {reference.id[:80]!r} was made by another provider than those of"
                f" {call.model[:200]!r}. Use the model that made it, or send the content instead.",
                param=reference.param,
            )
    return _to_its_maker(call, _speaking(call, found))


def _to_its_maker(call: Call, legs: list[Leg]) -> list[Leg]:
    """Without the legs that would be sent a thought which only another account of their vendor can open."""
    maker = sealed_at(call)
    if not any(leg.channel.id == maker for leg in legs):
        return legs
    return [leg for leg in legs if leg.channel.id == maker or leg.dialect != call.dialect]


def _nobody(model: str) -> str:
    """Why a name cannot be called, and what mends it."""
    known = book.current().find(model)
    kinds = [offer.provider for offer in known.model.offers if offer.provider in KINDS] if known is not None else []
    if not kinds:
        return f"The model {model[:200]!r} does not exist here. GET /v1/models lists what can be called."
    return (
        f"No enabled channel serves the model {model[:200]!r}. GET /v1/models lists what can be called. The operator"
        f" can add one: python -m gateway channels add --provider {kinds[0]} --key -"
    )


def _speaking(call: Call, found: list[Way]) -> list[Leg]:
    """The legs in words that their channels know: the caller's own where possible. Those that could not be told what
    the caller means are left out (Law 2); raises GatewayError 400 if none is left."""
    legs: list[Leg] = []
    problem: bridge.Refused | None = None
    lost: tuple[str, ...] = ()
    for public, channel, upstream in found:
        ways = words.carrier(call).ways(call, spoken(channel, upstream))
        lacks = channel.provider == "sandbox" and call.dialect not in words.JOBS
        if call.below and (lacks or call.dialect not in ways):
            continue
        for dialect in ways:
            profile = profiles.of(channel.provider, upstream, dialect)
            leg = Leg(channel=channel, model=upstream, dialect=dialect, public=public, profile=profile)
            try:
                losses = words.screen(call, leg)
                if losses and call.steer.require_parameters:
                    lost = lost or losses
                    continue
                legs.append(replace(leg, losses=losses))
                break
            except bridge.Refused as refused:
                problem = problem or refused
    if not legs and lost:
        raise GatewayError(
            400,
            f"Nobody takes all that is asked of {call.model[:200]!r}: {', '.join(lost)}. Leave that out, or do not set"
            " provider.require_parameters.",
            param="provider.require_parameters",
        )
    if not legs and problem is None and not call.below:
        raise GatewayError(
            400,
            f"No provider of {call.model[:200]!r} answers this API. Use another model, or another API.",
            param="model",
        )
    if not legs and problem is not None:
        mend = "Use another model or API." if problem.param == "model" else "Leave it out, or use another model or API."
        raise GatewayError(400, f"{problem.message} {mend}", param=problem.param)
    return legs


def _ordered(snapshot: channels.Snapshot, model: str, draw: Callable[[Channel], float]) -> list[Way]:
    """The ways to serve a name: a route's in its own order; else low priority numbers first, inside one the model's own
    namespace before hosts of others' models, and there drawn by weight without replacement. Providers that have ended
    it come last. draw: from 0 to 1."""
    found = [(model, channel, upstream) for channel, upstream in catalogue.legs(snapshot, model)]
    if len(found) < 2 or model in snapshot.routes:
        return found
    author = catalogue.owner(catalogue.canonical(snapshot, model))
    today = day(now_ms())

    def rank(way: Way) -> tuple[bool, int, bool, float]:
        _, channel, upstream = way
        offered = book.current().offer(channel.provider, upstream)
        ends = offered[1].retires or offered[0].retires if offered is not None else None
        drawn = -(draw(channel) ** (1 / max(channel.weight, 1e-9)))
        return ends is not None and ends < today, channel.priority, channel.namespace != author, drawn

    return sorted(found, key=rank)
