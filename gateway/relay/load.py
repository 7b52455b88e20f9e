"""How much this worker carries now, and when it takes no more.

A call that is waited for costs little; what runs out is the event loop. `look` sees how much one turn of it computes,
in CPU time: a worker that other processes keep from computing is slow, but has no more to do than before. A loop whose
turns stay long has: then the calls at that moment are the bound, which is lowered as long as turns are long and raised
while they are short. A burst makes a long turn or two and bounds nothing. Refusing costs a small part of a call, so
what was taken is served by a worker that is full, not drowned.
"""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time

import gevent

from .. import counts
from ..clock import monotonic
from ..errors import GatewayError

MOST = 4_000
"""Calls that one worker carries at once, however idle it is; below `config.CONNECTIONS`, so that who comes after them
can still be told so. What callers without limits are told as theirs."""

LOOK_S = 0.05
"""Time between two looks at the loop."""

_LONG_S, _EACH_S = 0.05, 2.5e-4
"""A turn that takes longer is a long one, unless it is so because there are many calls, and each does no more than pass
on what its provider sends: a thousand streams share one turn, and are late together instead of being refused."""

_PATIENCE_S = 0.2
"""Time of two or more long turns in a row that makes the first bound."""

_STUCK_S = 0.25
"""One turn of this length makes it at once, at what is carried."""

_LEAST = 128
"""Calls that are always taken."""


class Load:
    """Calls in hand, and the most that are taken. `look` is done every LOOK_S; `with load:` counts a call.

    tell: is told when there begins to be a bound, and when there is none any more.
    """

    def __init__(self) -> None:
        self.running = 0
        self.most = MOST
        self._long_s = 0.0  # of the long turns in a row
        self.tell: Callable[[bool], None] = lambda there_is: None

    def __enter__(self) -> None:
        self.running += 1

    def __exit__(self, *_: object) -> None:
        self.running -= 1

    @property
    def full(self) -> bool:
        """Whether there is no room for one more call."""
        return self.running >= self.most

    def look(self) -> None:
        """See how much a turn of the loop computes, and move the bound."""
        began = thread_time()
        gevent.sleep(0)
        before, self.most = self.most, self._moved(thread_time() - began)
        if (before < MOST) is not (self.most < MOST):
            self.tell(self.most < MOST)

    def _moved(self, turn_s: float) -> int:
        long_s = max(_LONG_S, self.running * _EACH_S)
        if turn_s <= long_s:
            self._long_s = 0.0
            return min(MOST, self.most + max(1, self.most // 20))
        again = self._long_s > 0
        self._long_s += turn_s
        if self.most < MOST or (again and self._long_s > _PATIENCE_S):
            return max(_LEAST, int(self.running * long_s / turn_s))  # a turn is as long as there are calls
        return min(MOST, max(_LEAST, self.running)) if turn_s > _STUCK_S else MOST


load = Load()

PULSE_S = 0.25
"""Time between two beats of the pulse."""


class Pulse:
    """Tells `/metrics` how late the loop is, and what this worker carries. `beat` is done every PULSE_S."""

    def __init__(self) -> None:
        self._at: float | None = None

    def beat(self) -> None:
        now = monotonic()
        if self._at is not None:
            counts.LAG_S.observe((), max(0.0, now - self._at - PULSE_S))
        self._at = now
        counts.put(counts.IN_HAND, load.running)
        counts.put(counts.AT_MOST, load.most)


def refusal() -> GatewayError:
    """What a call is told that a full worker does not begin."""
    return GatewayError(
        503,
        "The gateway has more calls than it can carry now and has not begun this one. Wait for Retry-After seconds.",
        retry_after=1,
        headers=(("x-should-retry", "true"),),
    )
