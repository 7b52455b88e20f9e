"""How fast each model of each channel answers, as this worker has seen it: moving averages, of streams and of whole
answers apart, for callers who want the fastest."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from ..call import Leg

SHARE = 0.3
"""How much the newest answer counts."""

MOST = 4_096


class Pace(NamedTuple):
    """latency_s: to the first event of a stream, or to all of a whole answer · tokens_s: output tokens a second."""

    latency_s: float
    tokens_s: float | None = None


_paces: OrderedDict[tuple[str, str, bool], Pace] = OrderedDict()


def of(leg: Leg, streamed: bool) -> Pace | None:
    """What is known of a leg; None where nothing is."""
    return _paces.get((leg.channel.id, leg.model, streamed))


def note(leg: Leg, streamed: bool, latency_s: float, tokens: int, seconds: float) -> None:
    """A leg has answered, with so many tokens of output in so long."""
    key = (leg.channel.id, leg.model, streamed)
    known = _paces.get(key)
    tokens_s = tokens / seconds if tokens and seconds > 0 else None
    if known is not None:
        latency_s = _moved(known.latency_s, latency_s)
        tokens_s = known.tokens_s if tokens_s is None else _moved(known.tokens_s or tokens_s, tokens_s)
    _paces[key] = Pace(latency_s, tokens_s)
    _paces.move_to_end(key)
    if len(_paces) > MOST:
        _paces.popitem(last=False)


def _moved(old: float, new: float) -> float:
    return old + (new - old) * SHARE
