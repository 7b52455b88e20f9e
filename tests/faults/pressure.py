"""Calls at a fixed rate, whatever becomes of them: an overload does not wait until it is answered.

`python -m tests.faults.pressure` is a process of its own, so that its clients cost the catalogue's no time; `press` runs
it. The time of a call counts from the moment when it was due, so a late start counts too. rate 0: a number of clients
that each ask again as soon as they are answered, which finds what a gateway can carry.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.gateway import ROOT

MOST_CONNECTIONS = 2_000
_PATIENCE_S = 60.0
_FILL_S = 1.0
"""Before a rate is counted: what is taken then and answered later would be missing."""


class Pressed(NamedTuple):
    """What one run came to. good and refused: seconds of each call that was answered with 200, and with 429 or 503;
    lost: other statuses and broken connections, by name, and «aside» those answered while a rate was not counted; late: calls that no connection was left for."""

    seconds: float
    good: list[float]
    refused: list[float]
    lost: dict[str, int]
    late: int

    @property
    def goodput(self) -> float:
        return len(self.good) / self.seconds


def press(
    url: str, key: str, model: str, *, rate: float, seconds: float, clients: int = 32, share: float = 0.5
) -> Pressed:
    """rate: calls a second, counted after the first one, or 0 · clients: how many there are then · share: streams among the calls."""
    told = json.dumps([url, key, model, rate, seconds, clients, share])
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.pressure", told], cwd=ROOT, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return Pressed(*json.loads(done.stdout))


class _Line:
    """One connection; it knows an answer's end by its length or its last chunk. due: when its call was due."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.sock = socket.create_connection(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.due = 0.0
        self._head, self._tail = b"", b""
        self._left: int | None = None  # of the body, where its length was told

    def ask(self, request: bytes, due: float) -> None:
        """Send a request, which must go out at once: what is small does. Raises OSError."""
        self.due, self._head, self._tail = due, b"", b""
        if self.sock.send(request) < len(request):
            raise BlockingIOError("a small request does not go out")

    def heard(self) -> int | None:
        """What has come. The status once an answer is whole, negative where the connection ends with it. Raises OSError
        for one that breaks off."""
        data = self.sock.recv(1 << 16)
        if not data:
            raise ConnectionResetError
        if not self._tail:  # nothing of the body is here
            self._head += data
            head, mark, body = self._head.partition(b"\r\n\r\n")
            if not mark:
                return None
            self._head, data = head.lower(), body
            place = self._head.find(b"content-length: ")
            self._left = int(self._head[place + 16 :].split(b"\r\n", 1)[0]) if place >= 0 else None
        self._tail = (self._tail + data)[-7:] or b" "
        if self._left is None:
            whole = self._tail == b"\r\n0\r\n\r\n"
        else:
            self._left -= len(data)
            whole = self._left <= 0
        if not whole:
            return None
        status = int(self._head[9:12])
        return -status if b"connection: close" in self._head else status


class _Run:
    """Calls, one loop for all of them. A task and a timer for each would take from the gateway what it is tried with."""

    def __init__(self, url: str, key: str, model: str, share: float) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None and parts.port is not None
        self.address = (parts.hostname, parts.port)
        self.idle: list[_Line] = []
        self.busy: dict[int, _Line] = {}
        self.late = self.number = 0
        self.good: list[float] = []
        self.refused: list[float] = []
        self.lost: dict[str, int] = {}
        self.share = share
        self.requests = [self._request(key, model, stream) for stream in (False, True)]
        self._poll = select.epoll()

    def _request(self, key: str, model: str, stream: bool) -> bytes:
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "word " * 200}]}
        if stream:
            body["stream"] = True
        data = json.dumps(body).encode()
        return (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        ).encode() + data

    def call(self, due: float) -> None:
        """Begin a call."""
        self.number += 1
        stream = int(self.number * self.share) != int((self.number - 1) * self.share)
        line = None
        try:
            if self.idle:
                line = self.idle.pop()
            elif len(self.busy) >= MOST_CONNECTIONS:
                self.late += 1
                return
            else:
                line = _Line(self.address)
                self._poll.register(line.sock, select.EPOLLIN)
            self.busy[line.sock.fileno()] = line
            line.ask(self.requests[stream], due)
        except OSError as error:
            if line is not None:
                self._close(line)
            self._lose(type(error).__name__)

    def hear(self, seconds: float) -> int:
        """Wait for answers at most so long, and take those that come. How many have ended."""
        ended = 0
        for handle, _ in self._poll.poll(max(0.0, seconds)):
            line = self.busy.get(handle)
            try:
                if line is None:
                    self._close(next(one for one in self.idle if one.sock.fileno() == handle))
                    continue
                status = line.heard()
            except OSError as error:
                self._close(line)
                self._lose(type(error).__name__)
                ended += 1
                continue
            if status is not None:
                ended += 1
                self._ended(line, status)
        return ended

    def _ended(self, line: _Line, status: int) -> None:
        took = time.monotonic() - line.due
        if status < 0:
            self._close(line)
        else:
            self.idle.append(self.busy.pop(line.sock.fileno()))
        match abs(status):
            case 200:
                self.good.append(took)
            case 429 | 503:
                self.refused.append(took)
            case other:
                self._lose(str(other))

    def _lose(self, name: str) -> None:
        self.lost[name] = self.lost.get(name, 0) + 1

    def _close(self, line: _Line) -> None:
        """Forget a connection. An idle one was hung up by the gateway, as it may."""
        self._poll.unregister(line.sock)
        self.busy.pop(line.sock.fileno(), None)
        if line in self.idle:
            self.idle.remove(line)
        line.sock.close()


def _main(url: str, key: str, model: str, rate: float, seconds: float, clients: int, share: float) -> None:
    run = _Run(url, key, model, share)
    began = time.monotonic()
    if rate:
        filling = 0
        for place in range(int(rate * (_FILL_S + seconds))):
            due = began + place / rate
            if due - began < _FILL_S:
                filling = len(run.good)
            while (wait := due - time.monotonic()) > 0:
                run.hear(wait)
            if place % 16 == 0:
                run.hear(0)
            run.call(due)
        over = time.monotonic()
        good = len(run.good)
        while run.busy and time.monotonic() - over < _PATIENCE_S:
            run.hear(0.05)
        run.lost["aside"] = len(run.good) - (good - filling)
        run.good = run.good[filling:good]
        began += _FILL_S
    else:
        for _ in range(clients):
            run.call(time.monotonic())
        while (over := time.monotonic()) - began < seconds:
            for _ in range(run.hear(0.05)):
                run.call(time.monotonic())
        while run.busy and time.monotonic() - over < _PATIENCE_S:
            run.hear(0.05)
        over = time.monotonic()
    if run.busy:
        run.lost["no answer"] = len(run.busy)
    print(json.dumps([over - began, run.good, run.refused, run.lost, run.late]))


if __name__ == "__main__":
    _main(*json.loads(sys.argv[1]))
