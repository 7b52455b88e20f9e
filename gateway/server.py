"""gunicorn as this gateway runs it: gevent workers that stop politely, errors and logs in our own shape.

What gunicorn would log of a request that is none (its line, its headers, the client's address) may be a piece of a
prompt or a key, so nothing of it is logged.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import gevent
from gevent import socket
from gevent.server import StreamServer
from gunicorn import glogging, util
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.http import errors as http
from gunicorn.workers import ggevent
from gunicorn.workers.ggevent import GeventWorker

from . import config, counts, ids, inbound
from .clock import monotonic
from .dialects import openai_chat
from .errors import GatewayError
from .relay import watch
from .relay.load import load
from .turnstile import Turnstile, refusal_at, refused, spares

_log = logging.getLogger("gateway.server")

_LINGER_S, _LINGER_BYTES = 5.0, 64 << 20
"""How long, and how much, is still read of a client that was refused, so that it can read why: a socket that is closed
with bytes unread takes its last answer with it."""

_UNREAD_BYTES = 1 << 16
"""Most of a body that nobody wanted which is read to get to the next request."""


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


turnstile = Turnstile()


class _Listener(StreamServer):  # type: ignore[misc]
    """A listener that takes a few connections at a turn of the loop, so that idle workers get their share, and twice as
    many each time when more were waiting. gunicorn would set it to one."""

    FEW, MANY = 8, 64
    max_accept = FEW
    _taken = 0

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "max_accept" or value > 1:  # as gunicorn does, in vain
            super().__setattr__(name, value)

    def start(self) -> None:
        super().start()
        turnstile.listen(self.socket.fileno(), self._do_read)

    def close(self) -> None:
        turnstile.close()
        super().close()

    def _do_read(self) -> bool:
        """Take some; True where more may be waiting."""
        self._taken = 0
        super()._do_read()
        more = self._taken == self.max_accept
        self.max_accept = min(2 * self.max_accept, self.MANY) if more else self.FEW
        return more

    def do_handle(self, client: Any, addr: Any) -> None:
        self._taken += 1
        turnstile.wait(client)
        super().do_handle(client, addr)


ggevent.StreamServer = _Listener


class Worker(GeventWorker):  # type: ignore[misc]
    """A gevent worker that finishes what runs when it stops, and does not wait for idle connections. seat: where it
    counts (`counts`)."""

    seat = 0
    sockets: Any

    def patch(self) -> None:
        """As gunicorn's, but the master has patched for gevent already (`gunicorn.conf.py`)."""
        self.sockets = [socket.socket(one.FAMILY, socket.SOCK_STREAM, fileno=one.sock.detach()) for one in self.sockets]

    def init_signals(self) -> None:
        """As gunicorn's, but Ctrl-C in a terminal, and the end of one, which reach all processes, are for the master
        alone to answer."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

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
        name = listener.getsockname()  # now: a worker that stops closes it before its connections
        parser = inbound.Parser(self.cfg, client, addr)
        common = inbound.base(self.cfg, name, addr)
        refused = False
        try:
            while _comes(parser, client, self.cfg.keepalive):
                welcome = turnstile.welcome(handle)
                turnstile.take(handle)
                if parser.headed:
                    req = next(parser)
                else:
                    with gevent.Timeout(config.current().body_s, _Late()):
                        req = next(parser)
                if not welcome and not spares(req.method, req.path):
                    client.sendall(refusal_at(req.path.encode("latin-1")))
                    goes_on = not req.closes
                else:
                    goes_on = self.answered(common, req, client)
                if not goes_on:
                    refused = req.body.failed or not welcome
                    break
                refused = not parser.finish_body(monotonic() + config.current().body_s, _UNREAD_BYTES)
                if refused:
                    break
                turnstile.wait(client)
        except (StopIteration, http.NoMoreData):
            refused = bool(getattr(getattr(parser.mesg, "body", None), "failed", False))
        except OSError:
            pass  # the client has left, or takes nothing
        except Exception as error:
            self.handle_error(None, client, addr, error)
            refused = True
        finally:
            turnstile.take(handle)
            if refused:
                _linger(client)
            util.close(client)

    def answered(self, common: dict[str, Any], request: inbound.Request, sock: Any) -> bool:
        """Have the app answer a request. Whether the connection goes on. Raises OSError, and what happened below the
        app before anything was said."""
        sock.settimeout(config.current().whole_s)  # for an answer that nobody takes
        answer = inbound.Answer(request, sock, closes=not self.alive)
        try:
            with load:
                inbound.serve(self.wsgi, common, request, answer)
        except OSError:
            raise
        except (gevent.GreenletExit, SystemExit):  # this worker ends
            return False
        except Exception as error:
            if not answer.begun:
                raise
            _log.error("an answer broke off: %s", type(error).__name__, exc_info=error)
            return False
        return not answer.closes

    def _stop_politely(self) -> None:
        while self.alive:
            gevent.sleep(0.1)
        grace_s = self.cfg.graceful_timeout
        tell_at = monotonic() + grace_s - min(TOLD_S, grace_s / 2)
        told = False
        while True:
            now = monotonic()
            for client in turnstile.since(now - IDLE_S):
                try:
                    client.shutdown(2)
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
    """Wait for the beginning of a request that is to be read; False if none comes. What was sent with the last one is
    here already."""
    handle = client.fileno()
    while not parser.unreader.held:
        client.settimeout(keepalive_s)
        try:
            data = client.recv(inbound.READ_BYTES)  # waits on where what came was refused before its turn
        except TimeoutError:
            return False
        if not data:
            return False
        if not turnstile.welcome(handle) and (answer := refused(data)):
            turnstile.take(handle)
            client.sendall(answer)
            turnstile.wait(client)
        else:
            parser.unreader.held = data
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
        before = config.current()
        try:
            config.load()
            self.app.reload()
            self.setup(self.app)
            self.cfg.on_reload(self)
        except Exception as error:
            config.use(before)
            _log.error("the settings are not read again, and all goes on as before: %s", error)
            return
        self._last_going = self.worker_age
        self.manage_workers()

    def manage_workers(self) -> None:
        """As gunicorn's, but old workers are told to go once all new ones serve, and one that still finishes long calls
        takes no other's place. New ones start one after another: a start computes for a second, and calls go on."""
        going = [pid for pid, worker in self.WORKERS.items() if worker.age <= self._last_going]
        if not going:
            super().manage_workers()
            return
        new = [worker for pid, worker in self.WORKERS.items() if pid not in going]
        if not all(_serves(worker) for worker in new):
            return
        if len(new) < self.num_workers:
            self.spawn_worker()
        else:
            for pid in going:
                self.kill_worker(pid, signal.SIGTERM)  # again and again: one that was just starting did not hear it


def _serves(worker: Any) -> bool:
    """Whether a worker's heart has begun to beat: its mark has the time of its making, and then the monotonic one."""
    return bool(worker.tmp.last_update() <= monotonic())


def forked(work: Callable[[], bool]) -> bool:
    """Do something in a process of its own, so that nothing of it stays in this one. Whether it succeeded."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    done = False
    try:
        gevent.reinit()
        done = work()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0 if done else 1)


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
