"""HTTP/1.1 as it comes in: requests read off a connection, answers written to it.

A request whose head has come whole and is plain, which is nearly every one, is read here, at a sixth of what gunicorn
takes. What is plain is a part of what gunicorn takes, and is read as gunicorn reads it; all else it reads itself, for
it knows best what must be refused (RFC 9112). An answer leaves with its head in one write.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from types import TracebackType
from typing import Any

from gunicorn import SERVER, util
from gunicorn.http import message, parser
from gunicorn.http.body import Body as _Body
from gunicorn.http.body import LengthReader
from gunicorn.http.unreader import SocketUnreader
from gunicorn.http.wsgi import base_environ

READ_BYTES = 1 << 16
"""Most that is read of a connection at once, where nothing says how much is to come."""

_PLAIN_BYTES = 4_094
"""Longest plain head: below gunicorn's limits of its lines."""

_PLAIN_FIELDS = 100

_LINE = re.compile(r"(GET|POST|DELETE|OPTIONS|HEAD) (/(?!/)[!\"$-~]*) HTTP/1\.1")
_NAME = re.compile(r"[!#$%&'*+\-.^`|~0-9A-Za-z]+")
"""A token without underscores: `a_b` and `a-b` would be the same to the app."""

_LENGTH = re.compile(r"[0-9]{1,15}")

_APART = frozenset({"EXPECT", "TRANSFER-ENCODING"})
"""Fields that make a request less than plain."""

_ALONE = frozenset({"HTTP_HOST", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_CONNECTION"})
"""Fields of which there is one at most."""


class _Names(dict[str, str]):
    """Names of fields as they are written, and what WSGI calls them; "" for one that is not plain."""

    MOST = 2_000

    def __missing__(self, name: str) -> str:
        upper = name.upper()
        plain = _NAME.fullmatch(name) is not None and upper not in _APART
        key = upper.replace("-", "_") if plain else ""
        if key and key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        if len(name) <= 64:
            if len(self) >= self.MOST:
                self.clear()
            self[name] = key
        return key


_names = _Names()


class Unreader(SocketUnreader):  # type: ignore[misc]
    """What has come on a connection and was not read yet is `held`."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.held = b""

    def chunk(self, size_hint: int | None = None) -> bytes:
        size = READ_BYTES if not size_hint else min(max(size_hint, READ_BYTES), self.max_body_chunk)
        return self.sock.recv(size)  # type: ignore[no-any-return]

    def take_buffered(self) -> bytes:
        data, self.held = self.held, b""
        return data

    def read(self, size: int | None = None, read_ahead: int | None = None) -> bytes:
        if size is None or size < 0:
            return self.take_buffered() if self.held else self.chunk(read_ahead)
        if len(self.held) < size:
            pieces = [self.held]
            have = len(self.held)
            while have < size and (piece := self.chunk(max(size, read_ahead or 0) - have)):
                pieces.append(piece)
                have += len(piece)
            self.held = b"".join(pieces)
        data, self.held = self.held[:size], self.held[size:]
        return data

    def unread(self, data: bytes) -> None:
        self.held = data + self.held if self.held else data


class Body(_Body):  # type: ignore[misc]
    """`wsgi.input`. Beside what WSGI wants of it, `arrived` says what is here."""

    def arrived(self) -> bytes:
        """What has come and was not read yet, at least a byte; b"" at the end. `read` waits until it has all it was
        asked for, so a slow client and a silent one look the same to it."""
        reader = self.reader
        if isinstance(reader, LengthReader):
            left = reader.length
            if not left:
                return b""
            try:
                data: bytes = reader.unreader.read(None, read_ahead=left)
            except Exception:
                self.failed = True
                raise
            if len(data) > left:
                reader.unreader.unread(data[left:])
                data = data[:left]
            reader.length -= len(data)
            return data
        first: bytes = self._read_reader(1)
        more = reader.buf.tell() if first else 0
        return first + self._read_reader(more) if more else first

    @property
    def held(self) -> int:
        """How much can be read without a wait, at least, and of what comes after it."""
        return len(self.reader.unreader.held) if isinstance(self.reader, LengthReader) else 0

    @property
    def ended(self) -> bool:
        """Whether nothing is left of it."""
        return isinstance(self.reader, LengthReader) and not self.reader.length and not self.buf.tell()


class Request(message.Request):  # type: ignore[misc]
    """One request. fields: its headers as WSGI names them · closes: it is the last one · expects: the client waits for
    a word before it sends the body (RFC 9110, section 10.1.1)."""

    body: Any
    path: str
    query: str

    def __init__(self, cfg: Any, unreader: Unreader, peer_addr: Any, req_number: int = 1) -> None:
        data = unreader.read()
        if not data:
            raise StopIteration
        if self._plain(data, unreader):
            return
        unreader.unread(data)
        super().__init__(cfg, unreader, peer_addr, req_number)
        self.body = Body(self.body.reader)
        self.fields = _fields(self.headers)
        self.closes = super().should_close()
        self.expects = self._expected_100_continue

    def _plain(self, data: bytes, unreader: Unreader) -> bool:
        """Take a head that is plain and whole; else nothing."""
        end = data.find(b"\r\n\r\n", 0, _PLAIN_BYTES)
        if end < 0:
            return False
        line, *lines = data[:end].decode("latin-1").split("\r\n")
        found = _LINE.fullmatch(line)
        if found is None or not "".join(lines).isprintable() or len(lines) > _PLAIN_FIELDS:
            return False
        fields: dict[str, str] = {}
        for one in lines:
            name, colon, value = one.partition(":")
            key = _names[name]
            if not key or not colon:
                return False
            value = value.strip(" ")
            if key in fields:
                if key in _ALONE:
                    return False
                value = f"{fields[key]},{value}"
            fields[key] = value
        length = fields.get("CONTENT_LENGTH", "0")
        if _LENGTH.fullmatch(length) is None:
            return False
        self.method, self.uri = found.groups()
        self.path, _, self.query = self.uri.partition("?")
        self.version = (1, 1)
        self.expects = False
        self.fields = fields
        self.closes = self.must_close = fields.get("HTTP_CONNECTION", "").lower() == "close"
        self.body = Body(LengthReader(unreader, int(length)))
        unreader.unread(data[end + 4 :])
        return True

    def should_close(self) -> bool:
        return bool(self.closes)


def _fields(headers: list[tuple[str, str]]) -> dict[str, str]:
    """As gunicorn names them for the app: fields of one name are one list."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        key = name.replace("-", "_")
        found.setdefault(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", []).append(value)
    return {key: ",".join(values) for key, values in found.items()}


class Parser(parser.RequestParser):  # type: ignore[misc]
    """The requests of one connection, one after another."""

    mesg_class = Request

    def __init__(self, cfg: Any, sock: Any, addr: Any) -> None:
        super().__init__(cfg, sock, addr)
        self.unreader = Unreader(sock)

    @property
    def headed(self) -> bool:
        """Whether the head of the next request is here."""
        return b"\r\n\r\n" in self.unreader.held

    def finish_body(self, deadline: float | None = None, max_bytes: int | None = None) -> bool:
        """As gunicorn's; at no cost where the body was read."""
        body = self.mesg.body if self.mesg else None
        if body is not None and body.ended and not body.failed:
            return True
        return bool(super().finish_body(deadline, max_bytes))


def base(cfg: Any, listener: Any, addr: Any) -> dict[str, Any]:
    """What all requests of a connection have in common. listener, addr: the names of both ends."""
    inet = isinstance(listener, tuple)
    client = {"REMOTE_ADDR": addr[0], "REMOTE_PORT": str(addr[1])} if isinstance(addr, tuple) else {"REMOTE_ADDR": addr}
    return {
        **base_environ(cfg),
        **client,
        "wsgi.multithread": True,
        "wsgi.url_scheme": "http",
        "SCRIPT_NAME": "",
        "SERVER_NAME": listener[0] if inet else str(listener),
        "SERVER_PORT": str(listener[1]) if inet else "",
    }


_HEAD = re.compile(r"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [ \t\x21-\x7e\x80-\xff]*\r\n)*")
_STATUS = re.compile(r"[1-5][0-9]{2} [ \x21-\x7e]*")

_TOGETHER = 1 << 16
"""Longest piece that is copied to leave in one write with its head."""

_CHUNKED = "Transfer-Encoding: chunked\r\n"

_now = (0, "")


def _date() -> str:
    """The time for a head, made once a second."""
    global _now
    second = int(time.time())
    if _now[0] != second:
        _now = second, formatdate(second, usegmt=True)
    return _now[1]


class Answer:
    """What is written in answer to a request. closes: the connection ends with it."""

    def __init__(self, request: Request, sock: Any, *, closes: bool = False) -> None:
        self._request, self.sock = request, sock
        self._head: bytes | None = None  # until it is sent
        self.begun = False  # whether anything was sent
        self.closes = closes or request.should_close()
        self._bodiless = self._chunked = False
        self._left: int | None = None  # of what was announced

    def start(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: tuple[type[BaseException], BaseException, TracebackType] | None = None,
    ) -> Callable[[bytes], None]:
        """WSGI's `start_response`."""
        if exc_info is not None and self.begun:
            raise exc_info[1]
        if self._head is not None and exc_info is None:
            raise AssertionError("the answer has begun already")
        if _STATUS.fullmatch(status) is None:
            raise ValueError("an invalid status")
        code, version = int(status[:3]), self._request.version
        self._bodiless = self._request.method == "HEAD" or code < 200 or code in (204, 304)
        lines = []
        self._left = None
        for name, value in headers:
            lower = name.lower()
            if lower == "content-length":
                if code == 204 or code < 200:
                    continue
                self._left = int(value)
            elif lower in util.hop_headers:
                continue
            lines.append(f"{name}: {value}\r\n")
        told = "".join(lines)
        if _HEAD.fullmatch(told) is None or told.count("\n") != len(lines):
            raise ValueError("an invalid header")  # a value that breaks out of its line
        self._chunked = self._left is None and not self._bodiless and version >= (1, 1)
        self.closes = self.closes or (self._left is None and not self._bodiless and not self._chunked)
        self._head = (
            f"HTTP/{version[0]}.{version[1]} {status}\r\nServer: {SERVER}\r\nDate: {_date()}\r\n"
            f"Connection: {'close' if self.closes else 'keep-alive'}\r\n"
            f"{_CHUNKED if self._chunked else ''}{told}\r\n"
        ).encode("latin-1")
        return self.write

    def write(self, piece: bytes) -> None:
        """Send a piece of the body; b"" sends the head alone."""
        if self._bodiless:
            piece = b""
        elif self._left is not None:
            piece = piece[: self._left]
            self._left -= len(piece)
        if self._chunked and piece:
            piece = b"%X\r\n%b\r\n" % (len(piece), piece)
        self._send(piece)

    def end(self) -> None:
        """Nothing more comes."""
        self._send(b"0\r\n\r\n" if self._chunked else b"")
        if self._left and not self._bodiless:
            self.closes = True  # less than was announced: the client may wait for the rest

    def _send(self, data: bytes) -> None:
        if not self.begun:
            assert self._head is not None
            self.begun = True
            if len(data) > _TOGETHER:
                self.sock.sendall(self._head)
            else:
                data = self._head + data
        if data:
            sent = self.sock.send(data)  # as a rule it takes all, and gevent's `sendall` does much before it tries
            if sent < len(data):
                self.sock.sendall(memoryview(data)[sent:])


def serve(app: Callable[..., Iterable[bytes]], common: dict[str, Any], request: Request, answer: Answer) -> None:
    """Have the app answer a request (PEP 3333). common: what `base` gave. Raises what the app raises."""
    path = request.path
    told = {
        **common,
        **request.fields,
        "wsgi.input": request.body,
        "gunicorn.socket": answer.sock,
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query,
        "RAW_URI": request.uri,
        "SERVER_PROTOCOL": "HTTP/{}.{}".format(*request.version),
        "PATH_INFO": util.unquote_to_wsgi_str(path) if "%" in path else path,
    }
    if request.expects:
        answer.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    pieces = app(told, answer.start)
    try:
        for piece in pieces:
            answer.write(piece)
        answer.end()
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
