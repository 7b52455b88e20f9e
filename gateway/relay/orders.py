"""The order in which the legs of a call are tried, after what the caller wants and what is known of them.

`plan.legs` has them by the operator's priorities and the caller's names; here prices, paces and health come to it.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from decimal import Decimal

from ..billing import prices
from ..call import Call, Leg
from ..errors import GatewayError
from ..money import plain
from ..routing import bulletin, pace
from ..routing.steering import goes_by

MOST_ATTEMPTS = 3


def tried(call: Call, legs: Sequence[Leg]) -> Sequence[Leg]:
    """The legs that a call tries at most, of all that have a price: those that rest come last, but for one of each
    model. Where it names models to fall back to, the last attempt is kept for one of them.

    Raises GatewayError 400 where all are dearer than the caller wants.
    """
    legs = healthy_first(_sorted(call, _affordable(call, legs)), set())
    if not call.steer.allow_fallbacks and not call.steer.order:
        firsts: dict[str, Leg] = {}
        for leg in legs:
            firsts.setdefault(leg.public, leg)
        legs = list(firsts.values())
    first, others = legs[:MOST_ATTEMPTS], legs[MOST_ATTEMPTS:]
    if all(leg.public == legs[0].public for leg in first):
        other = next((leg for leg in others if leg.public != legs[0].public), None)
        if other is not None:
            return (*first[:-1], other)
    return first


def healthy_first(legs: Sequence[Leg], served: Set[str]) -> Sequence[Leg]:
    """The legs in their order, those that rest last, but for one of a model that nothing else serves: that whose rest
    ends first. served: models of which some leg was tried."""
    healthy = [bulletin.admits(leg) for leg in legs]
    if all(healthy):
        return legs
    well = served | {leg.public for leg, admitted in zip(legs, healthy, strict=True) if admitted}
    last_ones: dict[str, Leg] = {}
    for leg in sorted(legs, key=bulletin.rests_until):
        if leg.public not in well:
            last_ones.setdefault(leg.public, leg)
    first: list[Leg] = []
    last: list[Leg] = []
    for leg, admitted in zip(legs, healthy, strict=True):
        (first if admitted or last_ones.get(leg.public) is leg else last).append(leg)
    return (*first, *last)


def _affordable(call: Call, legs: Sequence[Leg]) -> Sequence[Leg]:
    wanted = call.steer.max_price
    if not wanted:
        return legs
    found = [leg for leg in legs if all(_costs(call, leg, name) <= most for name, most in wanted.items())]
    if not found:
        least = {name: min(_costs(call, leg, name) for leg in legs) for name in wanted}
        told = ", ".join(f"{name} from ${plain(cost)}" for name, cost in least.items())
        raise GatewayError(
            400,
            f"Nobody serves {call.model[:200]!r} within provider.max_price. There is: {told}. Allow more, or use"
            " another model.",
            param="provider.max_price",
        )
    return found


def _costs(call: Call, leg: Leg, name: str) -> Decimal:
    """Dollars: for a million tokens, or for a request."""
    assert leg.price is not None
    return prices.told(leg.price, call.ask)[name]


def _sorted(call: Call, legs: Sequence[Leg]) -> Sequence[Leg]:
    """Each model's legs by what the caller wants of them, behind those that it names; who is not known yet comes first,
    to become known."""
    by = call.steer.sort
    if by is None:
        return legs
    publics = {public: place for place, public in enumerate(dict.fromkeys(leg.public for leg in legs))}

    def rank(placed: tuple[int, Leg]) -> tuple[int, float, Decimal | float, int]:
        place, leg = placed
        named = goes_by(leg.channel, call.steer.order)
        if named is not None:
            return publics[leg.public], named, place, 0
        return publics[leg.public], len(call.steer.order), _worth(call, leg, by), place

    return [leg for _, leg in sorted(enumerate(legs), key=rank)]


def _worth(call: Call, leg: Leg, by: str) -> Decimal | float:
    if by == "price":
        assert leg.price is not None
        return prices.expected(leg.price, call.ask)
    known = pace.of(leg, call.ask.stream)
    if known is None:
        return float("-inf")
    if by == "latency":
        return known.latency_s
    return float("-inf") if known.tokens_s is None else -known.tokens_s
