"""What the workers of an installation know of their channels' health, and tell each other.

Each keeps a `Health` of its own. What turns there is told in the log, in one line, and put up in the database, where
the others look twice a second. Nothing is written while all is well.
"""

from __future__ import annotations

import logging
from collections import Counter

import models.health
from models import writer
from models.base import session

from .. import counts
from ..call import Fault, Leg
from ..clock import monotonic, now_ms
from ..config import Settings
from .health import Budget, Health, Notice, Trial, Turn

POLL_S = 0.5

_log = logging.getLogger("gateway.health")
_health = Health(monotonic, 60)
_budget = Budget(monotonic)

_WHY = {
    "account": "our account there is refused", "limited": "it is at its rate limit", "timeout": "it does not answer"
    " in time", "server": "it fails", "malformed": "its answers make no sense", "unreachable": "it cannot be reached",
}  # fmt: skip


def open(settings: Settings) -> None:
    """Begin anew. Call once, before the first call."""
    global _health, _budget
    _health, _budget = Health(monotonic, settings.rest_max_s), Budget(monotonic)


def tick() -> None:
    """Look what the others have put up."""
    with session():
        rows = models.health.everyone()
    now = now_ms()
    _health.learn(
        Notice(row.channel, row.model, row.cause, max(0, row.until - now) / 1000, row.ejections, row.changed_at)
        for row in rows
    )


def admits(leg: Leg) -> bool:
    """Whether a call may go to a leg as to any healthy one."""
    return _health.admits(leg.channel.id, leg.model)


def cause(leg: Leg) -> str:
    """Why a leg rests; "" where it does not."""
    return _health.cause(leg.channel.id, leg.model)


def rests_until(leg: Leg) -> tuple[bool, float]:
    """To put resting legs in order: a refused account of ours behind all others, then by when their rests end."""
    return _health.rests_until(leg.channel.id, leg.model)


def resting() -> Counter[tuple[str, str]]:
    """How many models of a channel rest for a cause, by (channel's id, cause)."""
    return Counter(_health.resting())


def begin(leg: Leg) -> Trial:
    """A call goes to a leg; what `end` and the others want to know."""
    return _health.begin(leg.channel.id, leg.model)


def end(trial: Trial) -> None:
    """The attempt is over."""
    _health.end(trial)


def failed(leg: Leg, trial: Trial, fault: Fault) -> None:
    """A leg failed."""
    _tell(leg, _health.failed(trial, fault.cause, fault.retry_after))


def forgiven(leg: Leg) -> None:
    """It was not the leg that failed, but the body."""
    _tell(leg, _health.forgiven(leg.channel.id, leg.model))


def answered(leg: Leg, trial: Trial) -> None:
    """A leg begins to answer."""
    _tell(leg, _health.answered(trial))


def succeeded(leg: Leg, trial: Trial) -> None:
    """A leg has answered."""
    _tell(leg, _health.succeeded(trial))


def count(leg: Leg) -> None:
    """A call goes to a leg: a fifth of all may be repeated."""
    _budget.count(leg.channel.id, leg.model)


def may_repeat(leg: Leg) -> bool:
    """Whether an attempt may be made at a leg that was tried already, or that rests."""
    return _budget.take(leg.channel.id, leg.model)


def _tell(leg: Leg, turns: list[Turn]) -> None:
    for turn in turns:
        whose = f"channel {leg.channel.name}" + (f", model {turn.model}" if turn.model else "")
        if not turn.cause:
            _log.warning("%s serves again", whose)
            writer.submit(models.health.drop, turn.channel, turn.model)
            continue
        _log.warning("%s rests for %.3g s: %s", whose, turn.rest_s, _WHY[turn.cause])
        counts.RESTS.add((leg.channel.name, turn.cause))
        at = now_ms()
        _health.sent(turn, at)
        until = at + int(turn.rest_s * 1000)
        writer.submit(models.health.put, turn.channel, turn.model, turn.cause, until, turn.rests, at)
