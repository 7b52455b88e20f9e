"""A scriptable provider: answers over real sockets exactly as told, and keeps what it was asked, byte for byte."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Asked:
    """One request as it came. closed_at: when the client of that connection was seen to leave (monotonic)."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    closed_at: float | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Script:
    """One answer. pieces: bytes to send, or seconds to wait · framing: chunked, length, close (no length), raw ·
    ending: keep, close, reset (RST), or hang until the client leaves."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    pieces: list[bytes | float] = field(default_factory=list)
    framing: str = "length"
    ending: str = "keep"

    @classmethod
    def json(cls, body: Any, status: int = 200, **headers: str) -> Script:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, {"content-type": "application/json", **named}, [json.dumps(body).encode()])

    @classmethod
    def sse(cls, *pieces: bytes | float, framing: str = "chunked", ending: str = "keep") -> Script:
        return cls(200, {"content-type": "text/event-stream"}, list(pieces), framing, ending)


class Upstream:
    """The provider. `answer` decides by request; by default scripts are found by the body's model."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.asked: list[Asked] = []
        self.listings: list[Asked] = []  # what is asked to find out which models there are
        self.answer: Callable[[Asked], Script] = self._by_model
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.base_url = f"{self.url}/v1"
        self._connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _by_model(self, asked: Asked) -> Script:
        if asked.method == "GET":
            return Script.json({"object": "list", "data": []})
        return self.scripts[asked.json["model"]]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._listener.close()

    def last(self) -> Asked:
        return self.asked[-1]

    def of(self, model: str) -> list[Asked]:
        return [asked for asked in list(self.asked) if asked.body and asked.json.get("model") == model]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections += 1
                threading.Thread(target=self._serve, args=(sock, self._connections), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), sock, sock.makefile("rb") as reader:
            while True:
                asked = _read(reader, number)
                if asked is None:
                    return
                lists = asked.method == "GET" and asked.path.partition("?")[0].endswith("/models")
                (self.listings if lists else self.asked).append(asked)
                if not self._play(sock, asked, self.answer(asked)):
                    return

    def _play(self, sock: socket.socket, asked: Asked, script: Script) -> bool:
        """Send an answer; True to keep the connection."""
        try:
            sock.sendall(_head(script))
            for piece in script.pieces:
                if isinstance(piece, float):
                    _wait(sock, piece)
                elif script.framing == "chunked":
                    sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                else:
                    sock.sendall(piece)
            if script.ending == "hang":
                _wait(sock, 60)
                return False
            if script.framing == "chunked" and script.ending == "keep":
                sock.sendall(b"0\r\n\r\n")
            if script.ending == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return script.ending == "keep" and script.framing in ("chunked", "length")
        except OSError:
            asked.closed_at = time.monotonic()
            raise


def _wait(sock: socket.socket, seconds: float) -> None:
    """Wait, but not for a client that has left."""
    if isinstance(sock, ssl.SSLSocket):
        time.sleep(seconds)
        return
    sock.settimeout(seconds)
    try:
        if sock.recv(1, socket.MSG_PEEK) == b"":
            raise ConnectionResetError("the client has left")
    except TimeoutError:
        pass
    finally:
        sock.settimeout(None)


def _head(script: Script) -> bytes:
    if script.framing == "raw":
        return b""
    headers = dict(script.headers)
    if script.framing == "chunked":
        headers["transfer-encoding"] = "chunked"
    elif script.framing == "length":
        headers["content-length"] = str(sum(len(piece) for piece in script.pieces if isinstance(piece, bytes)))
    else:
        headers["connection"] = "close"
    lines = [f"HTTP/1.1 {script.status} Told", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _read(reader: Any, number: int) -> Asked | None:
    line = reader.readline()
    if not line:
        return None
    method, path, _ = line.decode().split(" ", 2)
    headers: dict[str, str] = {}
    while (line := reader.readline().strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return Asked(method, path, headers, reader.read(int(headers.get("content-length", 0))), number)


@contextlib.contextmanager
def upstream() -> Iterator[Upstream]:
    provider = Upstream()
    try:
        yield provider
    finally:
        provider.close()
