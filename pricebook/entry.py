"""One name at one provider, as one source tells of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

Usd = dict[str, Decimal]
"""Dollars a million tokens, by class."""


@dataclass(slots=True)
class Rates:
    """above: by tokens of input, what all of a call costs that has more."""

    usd: Usd = field(default_factory=dict)
    above: dict[int, Usd] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.usd)


@dataclass(slots=True)
class Entry:
    """See `gateway.book` for what the fields mean there. loose: the source told of a family, and the name fits it."""

    provider: str
    name: str
    source: str
    date: str
    loose: bool = False
    mode: str | None = None
    title: str | None = None
    context: int | None = None
    max_output: int | None = None
    takes: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    can: tuple[str, ...] = ()
    retires: str | None = None
    rates: Rates = field(default_factory=Rates)
    tiers: dict[str, Rates] = field(default_factory=dict)
    fees: Usd = field(default_factory=dict)
    units: Usd = field(default_factory=dict)
    least: dict[str, int] = field(default_factory=dict)
    variants: dict[str, Usd] = field(default_factory=dict)

    @property
    def priced(self) -> bool:
        """Whether anything at all costs something; an embedding or a moderation may be free, a chat for nothing is a
        preview without a price."""
        worth = [*self.rates.usd.values(), *self.units.values(), self.fees.get("request", Decimal(0))]
        worth += [dollars for kinds in self.variants.values() for dollars in kinds.values()]
        return any(worth) or (self.mode == "moderation" and bool(self.rates.usd))
