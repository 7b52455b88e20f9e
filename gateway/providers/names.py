"""Looking names up without waiting for those that cannot be: in threads of their own, a name in one thread at a time.

The system's look-up knows no time limit, and gevent does it in the few threads that files and the database need, too: a
name whose servers are silent would keep all others waiting.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent
from gevent.monkey import get_original
from gevent.resolver.thread import Resolver
from gevent.threadpool import ThreadPool

MOST_AT_ONCE = 32
"""Names that are looked up at the same time."""

_look_up: Callable[..., list[tuple[Any, ...]]] = get_original("socket", "getaddrinfo")


class Names(Resolver):  # type: ignore[misc]
    """gevent's look-up, no longer than `most_s`."""

    def __init__(self, most_s: float) -> None:
        super().__init__()
        self._most_s = most_s
        self._threads = ThreadPool(MOST_AT_ONCE)
        self._running: dict[tuple[Any, ...], Any] = {}

    def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[Any, ...]]:
        with suppress(socket.gaierror):  # an address needs no look-up
            return _look_up(host, port, family, type, proto, flags | socket.AI_NUMERICHOST)
        asked = (host, port, family, type, proto, flags)
        with gevent.Timeout(self._most_s, socket.gaierror(socket.EAI_AGAIN, "the name was not looked up in time")):
            running = self._running.get(asked)
            if running is None:
                running = self._running[asked] = self._threads.spawn(_look_up, *asked)
                running.rawlink(lambda _: self._running.pop(asked, None))
            return running.get()  # type: ignore[no-any-return]


def use(most_s: float) -> None:
    """Look names up so from now on, in this thread's event loop."""
    gevent.get_hub().resolver = Names(most_s)
