"""gunicorn as this gateway runs it: gevent workers that stop politely, errors and logs in our own shape.

What gunicorn would log of a request that is none (its line, its headers, the client's address) may be a piece of a
prompt or a key, so nothing of it is logged.
"""

from __future__ import annotations

import logging
import os
import re
import signal
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import gevent
from gevent.server import StreamServer
from gevent.socket import wait_read
from gunicorn import glogging, util
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.http import errors as http
from gunicorn.http import get_parser
from gunicorn.workers import ggevent
from gunicorn.workers.ggevent import GeventWorker

from . import config, counts, ids
from .clock import monotonic
from .dialects import anthropic, gemini, openai_chat
from .errors import GatewayError
from .relay import watch
from .relay.load import load, refusal

_log = logging.getLogger("gateway.server")

_LINGER_S, _LINGER_BYTES = 2.0, 4 << 20
"""How long, and how much, is still read of a client that was refused, so that it can read why: a socket that is closed
with bytes unread takes its last answer with it."""

_UNREAD_BYTES = 1 << 16
"""Most of a body that nobody wanted which is read to get to the next request."""


_LENGTH = re.compile(rb"\ncontent-length: *(\d{1,8}) *(?:\r|$)")

_SPOKEN = ((b"/v1/messages", anthropic), (b"/v1beta/", gemini))
"""Beginnings of paths whose errors are not OpenAI's."""


class _Late(Exception):
    """A request's head began, and did not end in time."""


_REFUSALS: tuple[tuple[type[Exception], int, str], ...] = (
    (_Late, 408, "The head of the request did not arrive in time. Send it again, in one piece."),
    (http.LimitRequestLine, 414, "The request line is too long. Put parameters into the body."),
    (http.LimitRequestHeaders, 431, "The headers are too long. Send fewer or shorter ones."),
    (http.ExpectationFailed, 417, "Only `Expect: 100-continue` can be met. Leave the header out."),
    (http.UnsupportedTransferCoding, 501, "Only the transfer coding `chunked` is taken. Use it, or Content-Length."),
    (http.ParseException, 400, "This is no HTTP request that can be read. Check its first line, headers and length."),
)


TOLD_S = 10.0
"""How long before it is cut a call is told that it will be."""

IDLE_S = 1.0
"""How long a connection of a stopping worker must have been idle to be hung up: on a busy one the next request may be
on its way, and its answer says that the connection closes."""


class _Listener(StreamServer):  # type: ignore[misc]
    """A listener that takes a few connections at each turn of the loop, so that idle workers get their share, and many
    when the worker is full, so that they are refused soon. gunicorn would set it to one."""

    @property
    def max_accept(self) -> int:
        return 100 if load.full else 8

    @max_accept.setter
    def max_accept(self, _: int) -> None:
        """As gunicorn does, in vain."""


ggevent.StreamServer = _Listener


class Worker(GeventWorker):  # type: ignore[misc]
    """A gevent worker that finishes what runs when it stops, and does not wait for idle connections. seat: where it
    counts (`counts`)."""

    seat = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle: dict[int, tuple[Any, float]] = {}  # socket, and since when

    def init_signals(self) -> None:
        """As gunicorn's, but Ctrl-C in a terminal, which reaches all processes, is for the master alone to answer."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def run(self) -> None:
        gevent.spawn(self._stop_politely)
        super().run()

    def notify(self) -> None:
        """As gunicorn's, but a worker whose master was killed finishes what runs before it goes."""
        super(GeventWorker, self).notify()
        if self.ppid != os.getppid():
            self.alive = False

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """The requests of one connection, one after another. Between them it may be silent for as long as gunicorn's
        `keepalive`; a head that has begun must end within the time in which a body's bytes must come."""
        client.setblocking(1)
        handle = client.fileno()
        self._idle[handle] = client, monotonic()
        name = listener.getsockname()  # now: a worker that stops closes it before its connections
        parser = get_parser(self.cfg, client, addr)
        refused = False
        try:
            while _comes(parser, client, self.cfg.keepalive):
                if load.full and _refused(parser, client):
                    continue
                with gevent.Timeout(config.current().body_s, _Late()):
                    req = next(parser)
                self.handle_request(name, req, client, addr)
                refused = not parser.finish_body(monotonic() + config.current().body_s, _UNREAD_BYTES)
                if refused:
                    break
        except (StopIteration, http.NoMoreData):
            refused = bool(getattr(getattr(parser.mesg, "body", None), "failed", False))
        except OSError:
            pass  # the client has left, or takes nothing
        except Exception as error:
            self.handle_error(None, client, addr, error)
            refused = True
        finally:
            self._idle.pop(handle, None)
            if refused:
                _linger(client)
            util.close(client)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        handle = sock.fileno()
        self._idle.pop(handle, None)
        sock.settimeout(config.current().whole_s)  # for an answer that nobody takes
        try:
            with load:
                return super().handle_request(listener_name, req, sock, addr)
        finally:
            self._idle[handle] = sock, monotonic()

    def _stop_politely(self) -> None:
        while self.alive:
            gevent.sleep(0.1)
        grace_s = self.cfg.graceful_timeout
        tell_at = monotonic() + grace_s - min(TOLD_S, grace_s / 2)
        told = False
        while True:
            now = monotonic()
            for sock, since in list(self._idle.values()):
                if now - since > IDLE_S:
                    try:
                        sock.shutdown(2)
                    except OSError:
                        pass  # it was closed already
            if now >= tell_at and not told:
                told = True
                watch.stop()
            gevent.sleep(0.2)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what is no request, and crashes below the app, in the JSON envelope."""
        status, message = next(
            ((status, message) for kind, status, message in _REFUSALS if isinstance(exc, kind)),
            (500, "The gateway failed. Retry in a moment."),
        )
        if status == 500:
            _log.error("a connection crashed: %s", type(exc).__name__, exc_info=exc)
        counts.REFUSALS.add(("none", str(status)))
        request_id = ids.new("req_")
        body = openai_chat.error(GatewayError(status, message), request_id)
        head = (
            f"HTTP/1.1 {status} Refused\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"X-Content-Type-Options: nosniff\r\nx-request-id: {request_id}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            util.write_nonblock(client, head.encode() + body)
        except OSError:
            pass  # it has left


def _comes(parser: Any, client: Any, keepalive_s: float) -> bool:
    """Wait for the first byte of a request; False if none comes. What was sent with the last one is here already."""
    if not parser.unreader.buf.tell():
        try:
            wait_read(client.fileno(), keepalive_s)
        except TimeoutError:
            return False
    return True


def _refused(parser: Any, client: Any) -> bool:
    """Refuse a call of a full worker before it is even parsed: that costs a fiftieth of a call, and parsing it a sixth.

    Only what has come whole and could not be read in two ways; all else is read, and refused at the door.
    """
    if parser.unreader.buf.tell():
        return False
    data: bytes = client.recv(_UNREAD_BYTES)
    head, end, body = data.partition(b"\r\n\r\n")
    lowered = head.lower()
    length = _LENGTH.findall(lowered)
    if (
        not (end and head.startswith(b"POST /v1") and head.find(b" HTTP/1.1\r\n") == head.find(b"\r\n") - 9)
        or len(length) != 1 or lowered.count(b"content-length") != 1 or int(length[0]) != len(body)
        or any(word in lowered for word in (b"transfer-encoding", b"\nconnection:", b"\nexpect:", b"\nupgrade:"))
    ):  # fmt: skip
        parser.unreader.unread(data)
        return False
    error = refusal()
    counts.REFUSALS.add(("none", "503"))
    words = next((words for path, words in _SPOKEN if head.startswith(path, 5)), openai_chat)
    request_id = ids.new("req_")
    said = words.error(error, request_id)
    client.sendall(
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
        b"Access-Control-Allow-Origin: *\r\nRetry-After: %d\r\nx-should-retry: true\r\nx-request-id: %s\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (error.retry_after or 1, request_id.encode(), len(said), said)
    )
    return True


def _linger(client: Any) -> None:
    """Say that nothing more comes, and wait a little until the client has said the same."""
    try:
        client.shutdown(1)
        with gevent.Timeout(_LINGER_S, False):
            left = _LINGER_BYTES
            while left > 0 and (data := client.recv(_UNREAD_BYTES)):
                left -= len(data)
    except OSError:
        pass  # it has left


class Log(glogging.Logger):  # type: ignore[misc]
    """gunicorn's own messages, by the gateway's log."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in list(self.error_log.handlers):
            self.error_log.removeHandler(handler)
        self.error_log.propagate = True


class _Master(Arbiter):  # type: ignore[misc]
    """gunicorn's master. Ctrl-C lets running calls finish, as SIGTERM does; a second one does not."""

    _last_going = 0
    """gunicorn numbers its workers; all up to this one are to go."""

    def handle_int(self) -> None:
        self.handle_term()

    def reload(self) -> None:
        """Read the settings again and replace all workers; the old ones finish what they run. Settings that are wrong
        are told, and all stays as it was.

        gunicorn's own would wait for the old workers here, deaf to every signal and to the deaths of new ones.
        """
        try:
            config.load()
            self.app.reload()
            self.setup(self.app)
            self.cfg.on_reload(self)
        except Exception as error:
            _log.error("the settings are not read again, and all goes on as before: %s", error)
            return
        self._last_going = self.worker_age
        self.manage_workers()

    def manage_workers(self) -> None:
        """As gunicorn's, but old workers are told to go once all new ones serve, and one that still finishes long calls
        takes no other's place."""
        going = [pid for pid, worker in self.WORKERS.items() if worker.age <= self._last_going]
        if not going:
            super().manage_workers()
            return
        for _ in range(self.num_workers + len(going) - len(self.WORKERS)):
            self.spawn_worker()
        if all(_serves(worker) for pid, worker in self.WORKERS.items() if pid not in going):
            for pid in going:
                self.kill_worker(pid, signal.SIGTERM)  # again and again: one that was just starting did not hear it


def _serves(worker: Any) -> bool:
    """Whether a worker's heart has begun to beat: its mark has the time of its making, and then the monotonic one."""
    return bool(worker.tmp.last_update() <= monotonic())


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with the settings of `gunicorn.conf.py` below `root`; `app` gives the WSGI app, in a worker."""

    def __init__(self, root: Path, app: Callable[[], Any]) -> None:
        self._root, self._app = root, app
        super().__init__()

    def load_config(self) -> None:
        spec = spec_from_file_location("gunicorn_conf", self._root / "gunicorn.conf.py")
        assert spec is not None and spec.loader is not None
        conf = module_from_spec(spec)
        spec.loader.exec_module(conf)
        for name, value in vars(conf).items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        return self._app()

    def run(self) -> None:
        _Master(self).run()
