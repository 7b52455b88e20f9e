"""Work that would keep the event loop waiting, for a disk or for long sums, done in a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent


def apart(work: Callable[..., Any], *args: Any) -> Any:
    """What some work gives back, or raises. gevent would print what is raised in a thread, though somebody here waits
    for it and knows what to do."""
    found, error = gevent.get_hub().threadpool.apply(_done, (work, args))
    if error is not None:
        raise error
    return found


def _done(work: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
    try:
        return work(*args), None
    except BaseException as error:
        return None, error
