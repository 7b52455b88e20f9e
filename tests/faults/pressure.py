"""Calls at a fixed rate, whatever becomes of them: an overload does not wait until it is answered.

`python -m tests.faults.pressure` is a process of its own, so that its clients cost the catalogue's no time; `press` runs
it. The time of a call counts from the moment when it was due, so a late start counts too. rate 0: a number of clients
that each ask again as soon as they are answered, which finds what a gateway can carry.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.gateway import ROOT

MOST_CONNECTIONS = 2_000


class Pressed(NamedTuple):
    """What one run came to. good and refused: seconds of each call that was answered with 200, and with 429 or 503;
    lost: other statuses and broken connections, by name; late: calls that no connection was left for."""

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
    """rate: calls a second, or 0 · clients: how many there are then · share: streams among the calls."""
    told = json.dumps([url, key, model, rate, seconds, clients, share])
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.pressure", told], cwd=ROOT, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return Pressed(*json.loads(done.stdout))


class _Line(asyncio.Protocol):
    """One connection; it knows an answer's end by its length or its last chunk."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._answer: asyncio.Future[int] | None = None
        self.open = True

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def ask(self, request: bytes) -> asyncio.Future[int]:
        self._kept.clear()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        kept = self._kept
        kept += data
        head = kept.find(b"\r\n\r\n")
        if head < 0 or self._answer is None:
            return
        lowered = bytes(kept[:head]).lower()
        place = lowered.find(b"content-length: ")
        if place >= 0:
            whole = len(kept) - head - 4 >= int(lowered[place + 16 :].split(b"\r\n", 1)[0])
        else:
            whole = kept.endswith(b"\r\n0\r\n\r\n")
        if whole and not self._answer.done():
            if b"connection: close" in lowered:
                self.open = False
                self._transport.close()
            self._answer.set_result(int(kept[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())

    def close(self) -> None:
        self._transport.close()


class _Run:
    def __init__(self, url: str, key: str, model: str, share: float) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.idle: list[_Line] = []
        self.connections = self.late = self.number = 0
        self.good: list[float] = []
        self.refused: list[float] = []
        self.lost: dict[str, int] = {}
        self.share = share
        self.requests = [self._request(key, model, stream) for stream in (False, True)]

    def _request(self, key: str, model: str, stream: bool) -> bytes:
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "word " * 200}]}
        if stream:
            body["stream"] = True
        data = json.dumps(body).encode()
        return (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        ).encode() + data

    async def call(self, due: float) -> int:
        self.number += 1
        stream = int(self.number * self.share) != int((self.number - 1) * self.share)
        line = None
        try:
            while self.idle:
                line = self.idle.pop()
                if line.open:
                    break
                line, self.connections = None, self.connections - 1
            if line is None:
                if self.connections >= MOST_CONNECTIONS:
                    self.late += 1
                    return 0
                self.connections += 1
                _, line = await asyncio.get_running_loop().create_connection(_Line, self.host, self.port)
            async with asyncio.timeout(60):
                status = await line.ask(self.requests[stream])
        except (OSError, TimeoutError) as error:
            self.connections -= 1
            if line is not None:
                line.close()
            name = type(error).__name__
            self.lost[name] = self.lost.get(name, 0) + 1
            return 0
        took = time.monotonic() - due
        self.idle.append(line)
        if status == 200:
            self.good.append(took)
        elif status in (429, 503):
            self.refused.append(took)
        else:
            self.lost[str(status)] = self.lost.get(str(status), 0) + 1
        return status


async def _main(url: str, key: str, model: str, rate: float, seconds: float, clients: int, share: float) -> None:
    run = _Run(url, key, model, share)
    began = time.monotonic()
    tasks: set[asyncio.Task[int]] = set()
    if rate:
        for place in range(int(rate * seconds)):
            due = began + place / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            elif place % 16 == 0:
                await asyncio.sleep(0)
            task = asyncio.create_task(run.call(due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
    else:

        async def client() -> None:
            while time.monotonic() - began < seconds:
                await run.call(time.monotonic())

        tasks |= {asyncio.create_task(client()) for _ in range(clients)}
    over = time.monotonic()
    good = len(run.good)
    if rate:  # what is answered after the last call was due is counted apart: it is no rate
        while tasks and time.monotonic() - over < 30:
            await asyncio.sleep(0.05)
        run.good[good:], after = [], len(run.good) - good
        run.lost["after the end"] = after
        span = over - began
    else:
        await asyncio.gather(*tasks)
        span = time.monotonic() - began
    print(json.dumps([span, run.good, run.refused, run.lost, run.late]))


if __name__ == "__main__":
    asyncio.run(_main(*json.loads(sys.argv[1])))
