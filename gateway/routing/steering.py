"""Which channels a caller wants, by their names. What needs prices and paces is `relay.orders`'s."""

from __future__ import annotations

from collections.abc import Sequence

from ..call import Channel, Steer

HEADER = "x-gateway-route"
"""The header that says the same as the body's `provider`."""

Way = tuple[str, Channel, str]
"""A public name, a channel that serves it, and what its provider calls it."""


def goes_by(channel: Channel, names: Sequence[str]) -> int | None:
    """The place among these names of the first that a channel goes by: its own, its provider's, its namespace."""
    own = (channel.name, channel.provider, channel.namespace)
    return next((place for place, name in enumerate(names) if name in own), None)


def chosen(steer: Steer, ways: Sequence[Way]) -> list[Way]:
    """The ways that the caller wants, those that it names first."""
    alone = steer.order if not steer.allow_fallbacks else ()
    found = [
        way
        for way in ways
        if (not steer.only or goes_by(way[1], steer.only) is not None)
        and (not alone or goes_by(way[1], alone) is not None)
        and goes_by(way[1], steer.ignore) is None
    ]
    if steer.order:
        last = len(steer.order)
        found.sort(key=lambda way: last if (place := goes_by(way[1], steer.order)) is None else place)
    return found
