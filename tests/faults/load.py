"""Clients that load a gateway and keep a log of what each of their calls came to.

A run is told by its seed: which client asks which model when, and whether as a stream. Every call says a nonce of its
own, by which a provider can be asked how often it saw the call.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

COMPLETE, REFUSED, BROKEN, LOST = "complete", "refused", "broken", "lost"
"""What a call may come to: seen to its last byte or terminal frame · an error status, whole · begun, and then cut or
ended by an error frame · no status at all: the connection was refused or reset."""


@dataclass
class Outcome:
    """One call as its client saw it. Times are seconds, `at` by the monotonic clock; id: the generation, where it was
    told. stall_s: the longest silence between two frames, the terminal one left out."""

    nonce: str
    model: str
    stream: bool
    key: str = field(repr=False)
    at: float = 0.0
    came_to: str = LOST
    status: int | None = None
    id: str | None = None
    bytes: int = 0
    frames: int = 0
    seconds: float = 0.0
    stall_s: float = 0.0
    usage: dict[str, Any] | None = None
    why: str = ""


ModelFor = Callable[[random.Random], str]
"""Which model a client asks next."""


def run(
    url: str, key: str, model_for: ModelFor, clients: int, seconds: float, stream_share: float, seed: int
) -> list[Outcome]:
    """Load the gateway at `url` for so long; every call that was made, once the last of them has ended."""
    return Load(url, key, model_for, clients, stream_share, seed).start().stop(after_s=seconds)


class Load:
    """The same, to be stopped by who started it."""

    def __init__(
        self,
        url: str,
        key: str,
        model_for: ModelFor,
        clients: int,
        stream_share: float,
        seed: int,
        pause_s: float = 0.0,
    ) -> None:
        self._url, self._key, self._model_for = url, key, model_for
        self._share, self._seed, self._pause_s = stream_share, seed, pause_s
        self._over = threading.Event()
        self._logs: list[list[Outcome]] = [[] for _ in range(clients)]
        self._threads = [threading.Thread(target=self._client, args=(place,), daemon=True) for place in range(clients)]

    def start(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def stop(self, after_s: float = 0.0) -> list[Outcome]:
        """Make no further calls, and wait for the running ones."""
        self._over.wait(after_s)
        self._over.set()
        for thread in self._threads:
            thread.join()
        return [outcome for log in self._logs for outcome in log]

    def _client(self, place: int) -> None:
        chance = random.Random(f"{self._seed}-{place}")
        line = Line(self._url)
        number = 0
        while not self._over.is_set():
            number += 1
            stream = chance.random() < self._share
            outcome = line.ask(self._key, self._model_for(chance), stream, f"{self._seed}-{place}-{number}")
            self._logs[place].append(outcome)
            if outcome.came_to == LOST:
                self._over.wait(0.05)  # a gateway that is not there is not asked a thousand times a second
            elif self._pause_s:
                self._over.wait(self._pause_s * 2 * chance.random())
        line.close()


class Line:
    """One client's connection, made anew when it breaks."""

    def __init__(self, url: str, timeout_s: float = 90.0) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)

    def close(self) -> None:
        self._connection.close()

    def ask(self, key: str, model: str, stream: bool, nonce: str, **more: Any) -> Outcome:
        """One Chat call."""
        outcome = Outcome(nonce, model, stream, key, at=time.monotonic())
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": f"nonce {nonce}"}], **more}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        try:
            self._connection.request(
                "POST", "/v1/chat/completions", json.dumps(body).encode(),
                {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            )  # fmt: skip
            answer = self._connection.getresponse()
            outcome.status, outcome.id = answer.status, answer.getheader("x-generation-id")
            outcome.came_to = BROKEN
            (_stream if stream and answer.status == 200 else _whole)(answer, outcome)
        except (OSError, http.client.HTTPException, ValueError) as error:
            outcome.why = outcome.why or type(error).__name__
            self._connection.close()
        outcome.seconds = time.monotonic() - outcome.at
        return outcome


def _whole(answer: http.client.HTTPResponse, outcome: Outcome) -> None:
    raw = answer.read()
    outcome.bytes = len(raw)
    values = json.loads(raw)
    if answer.status == 200:
        outcome.usage, outcome.came_to = values.get("usage"), COMPLETE
    else:
        outcome.why, outcome.came_to = str(values["error"]["message"])[:200], REFUSED


def _stream(answer: http.client.HTTPResponse, outcome: Outcome) -> None:
    last, rest = time.monotonic(), b""
    while piece := answer.read1(
        1 << 16
    ):  # what has come: a line at a time would cost more than the gateway takes for it
        now = time.monotonic()
        outcome.bytes += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        for line in filter(None, (line.rstrip(b"\r") for line in lines)):
            if line.startswith(b"data: [DONE]"):
                outcome.came_to = COMPLETE
                answer.read()  # so that the connection can be used again
                return
            if outcome.frames:
                outcome.stall_s = max(outcome.stall_s, now - last)
            last = now
            if not line.startswith(b"data: "):
                continue
            outcome.frames += 1
            if b'"usage":{' in line:
                outcome.usage = json.loads(line[6:]).get("usage")
            if line.startswith(b'data: {"error"'):
                outcome.why = str(json.loads(line[6:])["error"]["message"])[:200]
    outcome.why = outcome.why or "cut"
