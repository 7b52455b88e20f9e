"""What becomes of a task, decided without doing anything: what was seen goes in, what is to be done comes out.

No clock, no chance, no I/O: the moment and a number from 0 to 1 are given.
"""

from __future__ import annotations

from typing import NamedTuple

from ..call import Fault
from ..modalities.jobs import CANCELLED, COMPLETED, FAILED, Seen

LEAST_MS, MOST_MS = 2_000, 20_000
"""Between two looks at a provider, while all goes well."""

LEAST_HERE_MS = 250
"""The same for the embedded provider, which costs nobody anything."""

MOST_PAUSE_MS = 120_000
"""Between two looks, however often the last ones failed."""

MOST_MISSING = 3
"""How often a provider may say that it does not know the work before that is believed."""


class State(NamedTuple):
    """What a decision needs of a task. Moments are Unix ms; polls and failures are counts since the last answer."""

    created_at: int
    deadline_at: int
    status: str
    progress: int
    polls: int
    failures: int
    here: bool


class Wait(NamedTuple):
    """Look again then."""

    next_at: int
    polls: int
    failures: int
    status: str
    progress: int


class Collect(NamedTuple):
    """It is done: take what was made."""

    seen: Seen


class End(NamedTuple):
    """It is over, and delivered nothing. status: failed or cancelled."""

    status: str
    error: str


Decision = Wait | Collect | End


def advance(state: State, event: Seen | Fault, at: int, chance: float) -> Decision:
    """The decision on what was seen. What a provider has made is taken even late; else the deadline holds."""
    if isinstance(event, Seen):
        if event.status == COMPLETED:
            return Collect(event)
        if event.status in (FAILED, CANCELLED):
            return End(FAILED if event.status == FAILED else CANCELLED, event.error or "provider_failed")
    if at >= state.deadline_at:
        return End(FAILED, "deadline")
    if isinstance(event, Fault):
        return _failed(state, event, at, chance)
    progress = max(state.progress, event.progress)
    pause = pause_ms(state, at, chance)
    return Wait(min(at + pause, state.deadline_at), state.polls + 1, 0, event.status, progress)


def _failed(state: State, fault: Fault, at: int, chance: float) -> Decision:
    """A look in vain says nothing of the work itself, unless the provider keeps saying that it knows none."""
    failures = state.failures + 1
    if fault.cause == "request" and failures >= MOST_MISSING:
        return End(FAILED, "gone")
    pause = int(LEAST_MS * 2 ** min(failures, 10) * (0.75 + chance / 2))
    if fault.retry_after is not None:
        pause = max(pause, int(fault.retry_after * 1_000))
    next_at = min(at + min(pause, MOST_PAUSE_MS), state.deadline_at)
    return Wait(next_at, state.polls, failures, state.status, state.progress)


def pause_ms(state: State, at: int, chance: float) -> int:
    """How long to leave a provider alone: an eighth of how long it has worked, spread by up to a quarter."""
    least = LEAST_HERE_MS if state.here else LEAST_MS
    return int(min(MOST_MS, max(least, (at - state.created_at) // 8)) * (0.75 + chance / 2))
