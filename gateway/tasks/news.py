"""Waiting for a task to change: one look at the database for all that wait in this process, while any does."""

from __future__ import annotations

import logging
from collections import defaultdict

import gevent
from gevent.event import Event

from models import task as table
from models.base import session

LOOK_S = 0.3
MOST = 500
"""Tasks in one look."""

Stamp = tuple[str, int, int]
"""Status, progress, when either changed."""

_log = logging.getLogger("gateway.tasks")
_waiting: dict[str, set[Event]] = defaultdict(set)
_stamps: dict[str, Stamp] = {}
_looking = False


def wait(task_id: str, seen: Stamp, seconds: float) -> bool:
    """Until a task is not as it was seen, at most so long. Whether it changed."""
    global _looking
    event = Event()
    _waiting[task_id].add(event)
    _stamps.pop(task_id, None)  # who waits already may know less than was seen here; the next look tells all
    if not _looking:
        _looking = True
        gevent.spawn(_look)
    try:
        with gevent.Timeout(seconds, False):
            while _stamps.get(task_id, seen) == seen:
                event.wait()
                event.clear()
            return True
        return False
    finally:
        _waiting[task_id].discard(event)
        if not _waiting[task_id]:
            del _waiting[task_id]
            _stamps.pop(task_id, None)


def _look() -> None:
    global _looking
    try:
        while _waiting:
            ids = list(_waiting)
            for start in range(0, len(ids), MOST):
                try:
                    with session():
                        found = table.stamps(ids[start : start + MOST])
                except Exception as error:  # whoever waits has a limit of his own
                    _log.warning("tasks cannot be looked at: %s", type(error).__name__)
                    break
                for task_id in ids[start : start + MOST]:
                    stamp = found.get(task_id, ("gone", 0, 0))
                    if _stamps.get(task_id) != stamp and task_id in _waiting:
                        _stamps[task_id] = stamp
                        for event in _waiting[task_id]:
                            event.set()
            gevent.sleep(LOOK_S)
    finally:
        _looking = False
