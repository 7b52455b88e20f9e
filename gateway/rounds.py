"""Periodic work: the one loop for all of it, once in each worker."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import gevent

_log = logging.getLogger("gateway.rounds")


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
