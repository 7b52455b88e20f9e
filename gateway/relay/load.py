"""How much this worker carries now, and when it takes no more.

A call that is waited for costs little; what runs out is the event loop. `look` sees how long one turn of it takes. A
loop whose turns have been long for a while has more to do than time: then the calls at that moment are the bound, which
is lowered as long as turns stay long and raised while they are short. A burst makes them long for a moment and bounds
nothing. Refusing costs a small part of a call, so what was taken is served by a worker that is full, not drowned.
"""

from __future__ import annotations

import gevent

from ..clock import monotonic
from ..errors import GatewayError

MOST = 4_000
"""Calls that one worker carries at once, however idle it is; below `config.CONNECTIONS`, so that who comes after them
can still be told so. What callers without limits are told as theirs."""

LOOK_S = 0.05
"""Time between two looks at the loop."""

_LONG_S = 0.1
"""A turn that takes longer is a long one."""

_PATIENCE_S = 0.3
"""Time of two or more long turns in a row that makes the first bound."""

_LEAST = 64
"""Calls that are always taken: so few make no loop slow, so if it is, the machine is busy with something else."""


class Load:
    """Calls in hand, and the most that are taken. `look` is done every LOOK_S; `with load:` counts a call."""

    def __init__(self) -> None:
        self.running = 0
        self.most = MOST
        self._long: list[float] = []  # the long turns in a row, in seconds

    def __enter__(self) -> None:
        self.running += 1

    def __exit__(self, *_: object) -> None:
        self.running -= 1

    @property
    def full(self) -> bool:
        """Whether there is no room for one more call."""
        return self.running >= self.most

    @property
    def over(self) -> bool:
        """Whether there was none for the last one, which is counted already."""
        return self.running > self.most

    def look(self) -> None:
        """See how long a turn of the loop takes, and move the bound."""
        began = monotonic()
        gevent.sleep(0)
        turn_s = monotonic() - began
        if turn_s <= _LONG_S:
            self._long.clear()
            self.most = min(MOST, self.most + max(1, self.most // 20))
            return
        self._long = [*self._long[-9:], turn_s]
        if self.most < MOST or (len(self._long) > 1 and sum(self._long) > _PATIENCE_S):
            self.most = max(_LEAST, int(self.running * _LONG_S / turn_s))  # a turn is as long as there are calls


load = Load()


def refusal() -> GatewayError:
    """What a call is told that a full worker does not begin."""
    return GatewayError(
        503,
        "The gateway has more calls than it can carry now and has not begun this one. Wait for Retry-After seconds.",
        retry_after=1,
        headers=(("x-should-retry", "true"),),
    )
