"""What differs between two books: what an operator sees before taking a newer one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from . import Book, Offer


class Change(NamedTuple):
    """One difference. model: its id · provider: who offers it · what: a class, step, tier, fee or unit of the price, or
    `offer` · old, new: dollars as text; None where there was, or is, nothing."""

    model: str
    provider: str
    what: str
    old: str | None
    new: str | None


def changes(old: Book, new: Book) -> Iterator[Change]:
    """All differences in who offers what for how much, by model and provider."""
    before, after = _offers(old), _offers(new)
    for model, provider in sorted(before.keys() | after.keys()):
        was, now = before.get((model, provider)), after.get((model, provider))
        if was is None or now is None:
            yield Change(model, provider, "offer", _told(was), _told(now))
            continue
        paid, pays = dict(figures(was)), dict(figures(now))
        for what in sorted(paid.keys() | pays.keys()):
            if paid.get(what) != pays.get(what):
                yield Change(model, provider, what, paid.get(what), pays.get(what))


def _offers(book: Book) -> dict[tuple[str, str], Offer]:
    return {(model.id, offer.provider): offer for model in book.models.values() for offer in model.offers}


def _told(offer: Offer | None) -> str | None:
    if offer is None:
        return None
    usd = offer.tiers[""].usd
    found = [f"{usd[name]} {name}" for name in ("input", "output") if name in usd]
    return ", ".join(found or [f"{price} a {unit}" for unit, price in offer.units.items()]) or "-"


def figures(offer: Offer) -> Iterator[tuple[str, str]]:
    """Every figure of an offer's price by a name of its own: `input`, `input above 200000`, `flex output`,
    `web_search`, `image 1024x1024`."""
    for name, tier in offer.tiers.items():
        head = f"{name} " if name else ""
        for bucket, usd in tier.usd.items():
            yield f"{head}{bucket}", usd
        for tokens, rates in tier.above:
            for bucket, usd in rates.items():
                yield f"{head}{bucket} above {tokens}", usd
    for kind, usd in (*offer.fees.items(), *offer.units.items()):
        yield kind, usd
    for unit, count in offer.least.items():
        yield f"{unit} at least", str(count)
    for unit, variants in offer.variants.items():
        for variant, usd in variants.items():
            yield f"{unit} {variant}", usd
