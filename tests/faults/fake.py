"""A provider that fails on demand while it carries load: one asyncio process, told what to do on a port of its own.

It speaks Chat, whole and streamed, and always reports the same usage, so that each charge is known beforehand. `Provider`
starts it and talks to it; `python -m tests.faults.fake` is the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
from typing import Any

import requests

from tests.gateway import ROOT, free_port

TOKENS_IN, TOKENS_OUT = 40, 24
"""What every good answer reports to have used."""

NONCE = re.compile(rb"nonce[-:= ]+([0-9A-Za-z_-]+)")
"""How a prompt says which call of the client it belongs to."""

SECRET = "sk-provider-key-that-nobody-may-see"


class Provider:
    """The process, as the catalogue holds it. `fault` says what all further requests meet; `heal` ends it."""

    def __init__(self, seed: int) -> None:
        self.port, self._control = free_port(), free_port()
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        self._tell = requests.Session()
        words = [sys.executable, "-m", "tests.faults.fake", str(self.port), str(self._control), str(seed)]
        self.process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.process.stdout.readline()  # it says when it listens

    def fault(self, kind: str, **more: Any) -> None:
        """What requests meet from now on. share: of them, the rest is answered well; more: as `_Answer` says."""
        self._say({"kind": kind, **more})

    def heal(self, **more: Any) -> None:
        self._say({"kind": "ok", **more})

    def _say(self, told: dict[str, Any]) -> None:
        answer = self._tell.post(f"http://127.0.0.1:{self._control}/", data=json.dumps(told), timeout=30)
        assert answer.status_code == 200, answer.text

    def seen(self) -> dict[str, Any]:
        """asked: requests so far · nonces: requests of each call · open: connections now · left: clients that left
        before their answer's end · writing: answers being sent now."""
        found: dict[str, Any] = self._tell.get(f"http://127.0.0.1:{self._control}/", timeout=30).json()
        return found

    @contextlib.contextmanager
    def stopped(self) -> Any:
        """SIGSTOP for as long as it lasts: connections stay open and nothing comes."""
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class _State:
    """What the process was told, and what it has seen."""

    def __init__(self, port: int, seed: int) -> None:
        self.port = port
        self.told: dict[str, Any] = {"kind": "ok"}
        self.chance = random.Random(seed)
        self.asked = self.left = self.open = self.writing = 0
        self.nonces: dict[str, int] = {}
        self.server: asyncio.Server | None = None

    async def listen(self) -> None:
        if self.server is None:
            self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=2048)

    async def tell(self, told: dict[str, Any]) -> None:
        self.told = told
        if told["kind"] == "refused":
            if self.server is not None:
                self.server.close()
                self.server = None
        else:
            await self.listen()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One exchange; True to keep the connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
        body = await reader.readexactly(int(length[1])) if length else b""
        if head.startswith(b"GET"):
            _whole(writer, 200, b'{"object":"list","data":[]}')
            return True
        self.asked += 1
        if found := NONCE.search(body):
            nonce = found[1].decode()
            self.nonces[nonce] = self.nonces.get(nonce, 0) + 1
        told = self.told
        if self.chance.random() >= told.get("share", 1.0):
            told = {**told, "kind": "ok"}
        self.writing += 1
        try:
            return await _Answer(reader, writer, told, b'"stream":true' in body.replace(b" ", b"")).play()
        except ConnectionError:
            self.left += 1
            raise
        finally:
            self.writing -= 1

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
                body = await reader.readexactly(int(length[1])) if length else b""
                if body:
                    await self.tell(json.loads(body))
                seen = {name: getattr(self, name) for name in ("asked", "left", "open", "writing", "nonces")}
                _whole(writer, 200, json.dumps({} if body else seen).encode())


class _Answer:
    """One answer. told: kind · frames, gap (seconds) of a stream · wait before the first byte · seconds that a slow
    one waits · status, headers and body of an error · usage that is reported instead of the true one · size of a huge
    one."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, told: dict[str, Any], stream: bool
    ) -> None:
        self.reader, self.writer, self.told, self.stream = reader, writer, told, stream
        self.frames = int(told.get("frames", TOKENS_OUT))
        self.gap = float(told.get("gap", 0))
        self.usage = told.get("usage") or {
            "prompt_tokens": TOKENS_IN, "completion_tokens": TOKENS_OUT, "total_tokens": TOKENS_IN + TOKENS_OUT,
        }  # fmt: skip

    async def play(self) -> bool:
        if wait := self.told.get("wait"):
            await asyncio.sleep(wait)
        kind = self.told["kind"]
        return await getattr(self, f"_{kind}")()

    async def _ok(self) -> bool:
        if not self.stream:
            if self.gap:
                await asyncio.sleep(self.gap * self.frames)
            _whole(self.writer, 200, self._reply())
            await self.writer.drain()
            return True
        await self._stream(self.frames)
        self.writer.write(b"0\r\n\r\n")
        return True

    def _reply(self) -> bytes:
        text = " ".join(["word"] * TOKENS_OUT)
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        reply = {"id": "up-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        return json.dumps({**reply, "usage": self.usage}).encode()

    async def _stream(self, frames: int) -> None:
        """A stream's head and so many frames; its end too when those are all."""
        self.writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for place in range(frames):
            self._frame([{"index": 0, "delta": {"content": "word "}, "finish_reason": None}])
            if self.gap:
                await asyncio.sleep(self.gap)
            elif place % 16 == 15:
                await self.writer.drain()
                await asyncio.sleep(0)
            if self._left():
                raise ConnectionResetError
        if frames == self.frames:
            self._frame([{"index": 0, "delta": {}, "finish_reason": "stop"}])
            self._frame([], usage=self.usage)
            self._chunk(b"data: [DONE]\n\n")
        await self.writer.drain()

    def _frame(self, choices: list[Any], **more: Any) -> None:
        frame = {"id": "up-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
        self._chunk(b"data: " + json.dumps({**frame, **more}).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))

    async def _refused(self) -> bool:
        return await self._reset()  # a connection from before the port closed

    async def _reset(self) -> bool:
        """RST before the headers."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        return False

    async def _fin(self) -> bool:
        """A polite end before the headers."""
        return False

    async def _half(self) -> None:
        if self.stream:
            await self._stream(self.frames // 2)
        else:
            reply = self._reply()
            self.writer.write(_head(200, len(reply)) + reply[: len(reply) // 2])
            await self.writer.drain()
        await asyncio.sleep(0.05)  # so that the half is read before the end comes

    async def _reset_mid(self) -> bool:
        await self._half()
        return await self._reset()

    async def _fin_mid(self) -> bool:
        await self._half()
        return False

    async def _hang(self) -> bool:
        await self._gone()
        return False

    async def _hang_mid(self) -> bool:
        await self._half()
        await self._gone()
        return False

    async def _slow(self) -> bool:
        await asyncio.sleep(self.told["seconds"])
        return await self._ok()

    async def _trickle(self) -> bool:
        """A byte a second, of a stream's comment or of a whole answer."""
        self.writer.write(_head(200, 1 << 20, "text/event-stream" if self.stream else "application/json"))
        while not self._left():
            self.writer.write(b" " if not self.stream else b":")
            await asyncio.sleep(1)
        raise ConnectionResetError

    def _left(self) -> bool:
        return self.reader.at_eof() or self.writer.is_closing()

    async def _gone(self) -> None:
        while not self._left():
            await asyncio.sleep(0.1)
        raise ConnectionResetError

    async def _error(self) -> bool:
        said = {"error": {"message": f"told to fail, key {SECRET}", "type": "told", "code": self.told.get("code")}}
        body = self.told.get("body", json.dumps(said)).encode()
        _whole(self.writer, self.told["status"], body, self.told.get("headers"))
        return True

    async def _words(self) -> bool:
        """A success whose words are wrong: `body` as it stands, as `type`; gzipped where told."""
        body = self.told["body"].encode()
        headers = {}
        if self.told.get("gzip"):
            body, headers = gzip.compress(body * int(self.told["gzip"])), {"content-encoding": "gzip"}
        _whole(self.writer, 200, body, headers, self.told.get("type", "application/json"))
        return True

    async def _huge(self) -> bool:
        size = int(self.told["size"])
        piece = b" " * (1 << 18)
        self.writer.write(_head(200, size, "text/event-stream" if self.stream else "application/json"))
        for _ in range(size // len(piece)):
            self.writer.write(piece)
            await self.writer.drain()
        return False


def _head(status: int, length: int, kind: str = "application/json", headers: dict[str, str] | None = None) -> bytes:
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return f"HTTP/1.1 {status} Told\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{more}\r\n".encode()


def _whole(
    writer: asyncio.StreamWriter, status: int, body: bytes, headers: dict[str, str] | None = None,
    kind: str = "application/json",
) -> None:  # fmt: skip
    writer.write(_head(status, len(body), kind, headers) + body)


async def _main(port: int, control: int, seed: int) -> None:
    state = _State(port, seed)
    await state.listen()
    await asyncio.start_server(state.control, "127.0.0.1", control)
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(*(int(word) for word in sys.argv[1:4])))
