"""The connections of a worker between two requests, and refusals by a worker that is full.

Such a worker's loop takes long for one turn, and a refusal that waited for its turn would come no sooner than an
answer. So while there is a bound (`relay.load`), each switch from one greenlet to another may look at the connections
that wait for nothing but a request, and answer what came on them at once, unparsed: it costs a fiftieth of a call.
"""

from __future__ import annotations

import logging
import re
import select
from collections.abc import Callable, Iterator
from contextlib import suppress
from socket import MSG_PEEK
from typing import Any

import greenlet
from gevent import monkey

from . import counts, ids
from .clock import monotonic
from .dialects import anthropic, gemini, openai_chat
from .inbound import READ_BYTES
from .relay.load import load, refusal

_log = logging.getLogger("gateway.turnstile")

_LOOK_S = 0.005
"""Time between two looks of a full worker at those who wait."""

_MOST_A_LOOK = 64
"""Connections that are looked at."""

_LENGTH = re.compile(rb"\ncontent-length: *(\d{1,8}) *(?:\r|$)")

_SPOKEN = ((b"/v1/messages", anthropic), (b"/v1beta/", gemini))
"""Beginnings of paths whose errors are not OpenAI's."""

_epoll = monkey.get_original("select", "epoll")  # gevent hides it: who waits by it stops all. Nobody waits here


class Turnstile:
    """Connections between two requests: `wait` for one, and `take` once it comes."""

    def __init__(self) -> None:
        load.tell = self.bound
        self._waiting: dict[int, tuple[Any, float]] = {}  # socket, and since when
        self._listens, self._accept = -1, _no_one
        self._ready: Any = None  # tells which of them have something to say, while there is a bound
        self._called: set[int] = set()  # those that have a place, and whose readers have not come yet
        self._look_at = 0.0

    def listen(self, handle: int, accept: Callable[[], bool]) -> None:
        """handle: the socket of new connections · accept: takes some of them, has each `wait` here, and says whether
        there may be more."""
        self._listens, self._accept = handle, accept

    def close(self) -> None:
        """Before that socket is closed: the master has it too, so it would be told of for ever."""
        self._leave(self._listens)
        self._listens, self._accept = -1, _no_one

    def wait(self, client: Any) -> None:
        """Nothing of the next request was read yet."""
        handle = client.fileno()
        self._waiting[handle] = client, monotonic()
        if self._ready is not None:
            self._ready.register(handle, select.EPOLLIN)

    def welcome(self, handle: int) -> bool:
        """Whether there is a place for its call."""
        return handle in self._called or not load.full

    def take(self, handle: int) -> None:
        """Its next request is read by who calls this, or it is to be closed."""
        self._waiting.pop(handle, None)
        self._called.discard(handle)
        self._leave(handle)

    def _leave(self, handle: int) -> None:
        if self._ready is not None:
            with suppress(OSError, ValueError):  # it was not there
                self._ready.unregister(handle)

    def since(self, moment: float) -> Iterator[Any]:
        """Those that have waited since then, by the monotonic clock."""
        return (client for client, since in list(self._waiting.values()) if since < moment)

    def bound(self, there_is: bool) -> None:
        """Told by `load`: there is a bound now, or none any more. Who came before it is not refused any more."""
        if not there_is:
            greenlet.settrace(None)
            self._ready.close()
            self._ready = None
            self._called.clear()
            return
        while self._accept():
            pass
        self._ready = _epoll()
        for handle in (self._listens, *self._waiting) if self._listens >= 0 else self._waiting:
            self._ready.register(handle, select.EPOLLIN)
        for handle, _ in self._ready.poll(0):
            if handle != self._listens:
                self._called.add(handle)
                self._leave(handle)
        greenlet.settrace(self._switched)

    def _switched(self, *_: object) -> None:
        """Called at each switch between greenlets. It must not switch itself."""
        if (now := monotonic()) >= self._look_at:
            self._look_at = now + _LOOK_S
            try:
                self.look()
            except Exception:
                _log.exception("those who wait for a full worker are not refused")

    def look(self) -> None:
        """Call in those who have a place, and refuse the others. What is no plain call is left to who reads it."""
        places = load.most - load.running - len(self._called)
        for handle, _ in self._ready.poll(0, _MOST_A_LOOK):
            if handle == self._listens:
                self._accept()
                continue
            if places > 0:
                places -= 1
                self._called.add(handle)
                self._leave(handle)
                continue
            client = self._waiting[handle][0]
            try:
                data = client._sock.recv(READ_BYTES, MSG_PEEK)
                answer = refused(data)
                if answer is None:
                    self._leave(handle)
                    continue
                client._sock.recv(len(data))
                if client._sock.send(answer) < len(answer):
                    client.shutdown(2)  # it takes nothing
            except OSError:
                self._leave(handle)  # it has left, as its reader will see


def _no_one() -> bool:
    """There are no new connections."""
    return False


def refused(data: bytes) -> bytes | None:
    """The answer to a request that a full worker does not take, or None where it must be read first.

    Only what has come whole and could not be read in two ways; of all else the head is read before it is refused.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    lowered = head.lower()
    length = _LENGTH.findall(lowered)
    if (
        not (end and head.startswith(b"POST /v1") and head.find(b" HTTP/1.1\r\n") == head.find(b"\r\n") - 9)
        or len(length) != 1 or lowered.count(b"content-length") != 1 or int(length[0]) != len(body)
        or any(word in lowered for word in (b"transfer-encoding", b"\nconnection:", b"\nexpect:", b"\nupgrade:"))
    ):  # fmt: skip
        return None
    return refusal_at(head[5:])


def spares(method: str, path: str) -> bool:
    """Whether a full worker answers this all the same: what is no call, and costs next to nothing."""
    return method == "OPTIONS" or not path.startswith("/v1")


def refusal_at(path: bytes) -> bytes:
    """What a call is told, in the words that are spoken there."""
    counts.REFUSALS.add(("none", "503"))
    error = refusal()
    words = next((words for beginning, words in _SPOKEN if path.startswith(beginning)), openai_chat)
    request_id = ids.new("req_")
    said = words.error(error, request_id)
    return (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
        b"Access-Control-Allow-Origin: *\r\nRetry-After: %d\r\nx-should-retry: true\r\nx-request-id: %s\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (error.retry_after or 1, request_id.encode(), len(said), said)
    )
