"""Where a batch is made: by a provider as one, if that is open to all of its lines."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from ...call import Call, Leg
from ...providers.registry import KINDS

TIER = "batch"
"""What the book calls the prices of batches."""

MOST_INPUTS = 50_000
"""Texts to be embedded that OpenAI takes in one (https://platform.openai.com/docs/guides/batch)."""


class Choice:
    """The way on which a provider can make all lines of a batch as one. `narrow` it by each."""

    def __init__(self) -> None:
        self._legs: dict[tuple[str, str], Leg] | None = None
        self._inputs = 0

    def narrow(self, call: Call, legs: Sequence[Leg]) -> None:
        """One more line, and the legs that would be tried for it."""
        self._inputs += call.ask.batch
        ways = {(leg.channel.id, leg.model): leg for leg in _ways(call, legs)}
        known = ways if self._legs is None else self._legs
        self._legs = {place: leg for place, leg in known.items() if place in ways}

    @property
    def leg(self) -> Leg | None:
        """The way; None where there is none."""
        return next(iter((self._legs or {}).values()), None) if self._inputs <= MOST_INPUTS else None


def _ways(call: Call, legs: Sequence[Leg]) -> Sequence[Leg]:
    """The legs of a line whose provider has batches for it, as far as none that has not comes before: what the operator
    or the caller put first stays first. Who asks for a tier wants that, and tools that run there are not known to run
    in batches."""
    if call.ask.tier is not None or call.ask.hosted:
        return ()
    return list(takewhile(lambda leg: leg.public == legs[0].public and _has_batches(call, leg), legs))


def _has_batches(call: Call, leg: Leg) -> bool:
    known = leg.price is not None and TIER in leg.price.tiers
    return known and leg.dialect == call.dialect and KINDS[leg.channel.provider].batches
