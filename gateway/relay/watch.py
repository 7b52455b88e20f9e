"""Watching a client while a provider is awaited for it.

WSGI learns that a client has left only when it writes. While a provider is silent nothing is written, so the client's
socket is watched by the event loop: no greenlet, no polling. `with watch:` around a wait makes the wait end in
ClientGone as soon as the client is gone, and in Stopping when this worker will end before the call does; outside of it
nothing is ever thrown. `with watch.until(at):` is left at that time, too, if it is still waited for something then.
"""

from __future__ import annotations

import socket
from typing import Any
from weakref import WeakSet

import gevent
from gevent import getcurrent

from ..call import ClientGone
from ..clock import monotonic
from ..errors import GatewayError


class Stopping(GatewayError):
    """This worker ends, and the call with it."""

    def __init__(self) -> None:
        super().__init__(503, "The gateway is being stopped or started anew. Retry in a moment.", retry_after=1)


class _Late(BaseException):
    """It is the time until which it was to be waited."""


_watches: WeakSet[ClientWatch] = WeakSet()
_stopping = False


def stop() -> None:
    """End all waiting for providers: the time that this worker may still run is nearly over."""
    global _stopping
    _stopping = True
    for watch in list(_watches):
        gevent.get_hub().loop.run_callback(watch.interrupt)


class ClientWatch:
    """One client's socket, or None where there is none to watch (a test client)."""

    def __init__(self, sock: Any) -> None:
        self.gone = False
        self._client = sock
        self._sock: Any = getattr(sock, "_sock", None)
        self._waiting: Any = None
        self._io: Any = None
        self._patience: float | None = None  # what the client had before it was hurried
        self._until: _Until | None = None
        _watches.add(self)

    def __enter__(self) -> None:
        if self.gone:
            raise ClientGone
        if _stopping:
            raise Stopping
        if self._io is None and self._sock is not None:
            self._io = gevent.get_hub().loop.io(self._sock.fileno(), 1)
            self._io.start(self._readable)
        self._waiting = getcurrent()

    def __exit__(self, *_: object) -> None:
        self._waiting = None

    def until(self, at: float) -> _Until:
        """`with watch.until(at):` waits until then (`monotonic`) and no longer, as by a silent `gevent.Timeout`."""
        until = self._until = self._until or _Until(self)
        until.at = at
        return until

    def interrupt(self, error: BaseException | None = None) -> None:
        """End the wait, if there is one. Runs in the event loop."""
        if self._waiting is not None:
            self._waiting.throw(error or Stopping())

    def hurry(self, seconds: float) -> None:
        """Give up on a client that takes nothing for so long: writing to it then fails, as if it had left."""
        if self._client is not None:
            self._patience = self._client.gettimeout()
            self._client.settimeout(seconds)

    def _readable(self) -> None:
        try:
            gone = self._sock.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return
        except OSError:
            gone = True
        self._io.stop()  # gone, or it has sent its next request early, which makes the socket readable for good
        if gone:
            self.gone = True
            if self._waiting is not None:
                self._waiting.throw(ClientGone())

    def close(self) -> None:
        if self._io is not None:
            self._io.stop()
            self._io.close()
            self._io = self._sock = None
        if self._until is not None:
            self._until.close()
            self._until = None
        if self._patience is not None:
            self._client.settimeout(self._patience)


class _Until:
    """Times until which a watch waits. A stream waits for each event and nearly always for as long again, so one timer
    runs on through many waits, and is set anew where it rings too early or would ring too late."""

    def __init__(self, watch: ClientWatch) -> None:
        self._watch = watch
        self.at = 0.0
        self._waits = False
        self._timer: Any = None
        self._rings_at = 0.0

    def __enter__(self) -> None:
        self._watch.__enter__()
        self._waits = True
        if self._timer is None or self._rings_at > self.at:
            self._set()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._waits = False
        self._watch.__exit__()
        return kind is _Late

    def _set(self) -> None:
        self.close()
        self._rings_at = self.at
        self._timer = gevent.get_hub().loop.timer(max(0.0, self.at - monotonic()))
        self._timer.start(self._ring, update=True)

    def _ring(self) -> None:
        self.close()
        if not self._waits:
            return
        if monotonic() < self.at:
            self._set()
        else:
            self._watch.interrupt(_Late())

    def close(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None
