"""gunicorn as this gateway runs it: gevent workers that stop politely, errors and logs in our own shape.

What gunicorn would log of a request that is none (its line, its headers, the client's address) may be a piece of a
prompt or a key, so nothing of it is logged.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import gevent
from gunicorn import glogging, util
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.http import errors as http
from gunicorn.workers.ggevent import GeventWorker

from . import config, ids
from .clock import monotonic
from .dialects import openai_chat
from .errors import GatewayError
from .relay import watch

_log = logging.getLogger("gateway.server")

_REFUSALS: tuple[tuple[type[Exception], int, str], ...] = (
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


class Worker(GeventWorker):  # type: ignore[misc]
    """A gevent worker that finishes what runs when it stops, and does not wait for idle connections."""

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
        handle = client.fileno()
        self._idle[handle] = client, monotonic()
        try:
            super().handle(listener, client, addr)
        finally:
            self._idle.pop(handle, None)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        handle = sock.fileno()
        self._idle.pop(handle, None)
        try:
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
