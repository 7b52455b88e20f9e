"""Periodic work: the one loop for all of it, once in each worker, and what a round does beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import gevent
from gevent.pool import Pool

_log = logging.getLogger("gateway.rounds")
_beside = Pool(16)


class Round(NamedTuple):
    """name · period in seconds · what is done, quickly: it runs in the event loop unless `in_thread`."""

    name: str
    period_s: float
    work: Callable[[], object]
    in_thread: bool = False


def start(rounds: tuple[Round, ...]) -> None:
    """Begin all rounds. One that fails is logged and goes on at its next time."""
    for one in rounds:
        gevent.spawn(_forever, one)


def _forever(one: Round) -> None:
    failing = False
    while True:
        try:
            if one.in_thread:
                gevent.get_hub().threadpool.apply(one.work)
            else:
                one.work()
            failing = False
        except Exception as error:
            if not failing:  # once, not at every turn
                _log.warning("%s fails and is tried again: %s: %s", one.name, type(error).__name__, error)
            failing = True
        gevent.sleep(one.period_s)


def beside(name: str, work: Callable[..., object], *args: Any) -> None:
    """Do one piece of a round's work for itself: if it waits long, no other piece does. What it raises is logged."""
    _beside.spawn(_once, name, work, args)


def _once(name: str, work: Callable[..., object], args: tuple[Any, ...]) -> None:
    try:
        work(*args)
    except Exception as error:
        _log.warning("%s fails: %s: %s", name, type(error).__name__, error)
