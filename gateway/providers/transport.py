"""HTTP/1.1 under requests: connections that urllib3 opens, one exchange on each at a time, parsed in C by httptools.

`Adapter` is a requests transport adapter whose `send` is the library's own, so mocks of it hold; it swaps what lies
below: `Line` keeps alive connections to one origin, `Answer` reads a response as it arrives. Two things are gained
over urllib3's own reading: a read may be interrupted by a `gevent.Timeout` and resumed without losing a byte, and an
exchange costs a third of the CPU. Redirects are not followed, content is not decoded: `identity` is asked for and
anything else is refused by the pool.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections import deque
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any
from urllib.parse import unquote, urlsplit

import certifi
import httptools
import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import PoolManager, ProxyManager
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError, ProtocolError
from urllib3.util import make_headers

from ..bodies import Body

READ = 1 << 16
MOST_HEADER_BYTES = 1 << 16
"""Most bytes of headers, and of anything else that comes at once and is no body."""

BREATH_S = 0.01
"""How long reading what has come already may hold the event loop. Receiving waits only where nothing is there, so who
sends faster than it can be read would keep all others waiting, and their timeouts too."""

MOST_IDLE = 256
"""Connections kept alive to one origin."""

MOST_IDLE_S = 50.0
"""Longest that one is kept idle: less than what servers and address translators commonly allow."""

KEEPALIVE = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]
"""A provider that vanishes without a word is noticed within a minute, also in the middle of a long silence."""


class Broken(ProtocolError):
    """The peer closed early, or spoke no HTTP."""


class Answer:
    """One response: status and headers at once, the body by `read1` as it arrives."""

    reason = ""
    version = 11

    def __init__(self, line: Line, connection: HTTPConnection) -> None:
        self.status = 0
        self.headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        self.touched = False  # whether a byte of it has come
        self._line, self._connection = line, connection
        self._pieces: deque[bytes] = deque()
        self._parser = httptools.HttpResponseParser(self)
        self._headed = self._done = False
        self._bounded = False  # a length or chunks say where the body ends
        self._keep_alive = False
        self._header_bytes = 0
        self._busy, self._since = 0.0, monotonic()  # time without a wait, up to when
        self._unsaid = 0  # bytes since the last ones of the body: the parser tells of a header once it is whole
        self._names: list[tuple[str, str]] = []

    # what the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MOST_HEADER_BYTES:
            raise Broken("the headers are too long")
        self._names.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            return
        self.status = status
        for name, value in self._names:
            self.headers[name] = value
        if self.headers.get("transfer-encoding", "chunked").lower() != "chunked":
            raise Broken("the coding of the transfer is not known here")
        self._bounded = "content-length" in self.headers or "transfer-encoding" in self.headers or status in (204, 304)
        self._keep_alive = self._bounded and self._parser.should_keep_alive()
        self._headed = True

    def on_body(self, data: bytes) -> None:
        self._unsaid = 0
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        if self._headed:
            self._done = True
        else:  # an interim answer such as 100 Continue
            self._names.clear()

    # what the pool calls

    def read_head(self) -> None:
        """Wait until status and headers are here. Raises Broken, OSError."""
        while not self._headed:
            self._feed()

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """Some bytes of the body, b"" at its end. Raises Broken, OSError."""
        while not self._pieces:
            if self._done:
                self._release()
                return b""
            self._feed()
        data = self._pieces.popleft() if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        if self._done:
            self._release()
        return data

    def _feed(self) -> None:
        sock = self._connection.sock
        if sock is None:
            raise Broken("the connection is closed")
        if self._busy > BREATH_S:
            self._busy = 0.0
            sleep(1e-6)  # gevent's, where the process serves; before reading, as a timeout may end it
        began = monotonic()
        data = sock.recv(READ)
        now = monotonic()
        self._busy = 0.0 if now - began > BREATH_S / 10 else self._busy + now - self._since
        self._since = now
        if data:
            self.touched = True
            self._unsaid += len(data)
            if self._unsaid > MOST_HEADER_BYTES + READ:
                raise Broken("the headers are too long")
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserError as error:
                cause = error.__context__
                raise Broken(str(cause) if isinstance(cause, Broken) else f"no HTTP: {error}") from None
        elif self._headed and not self._bounded and not self._done:
            self._done = True
            self.close()
        else:
            raise Broken("the connection was closed early")

    def _release(self) -> None:
        connection, self._connection = self._connection, _CLOSED
        if connection is not _CLOSED:
            if self._keep_alive:
                self._line.give_back(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close the connection if the body has not been read to its end."""
        if self._done:
            self._release()
        else:
            self._connection.close()

    release_conn = close


class _Closed:
    """Stands where a connection was."""

    sock = None

    def close(self) -> None:
        pass


_CLOSED: Any = _Closed()


class Line:
    """Kept-alive connections to one origin: what requests calls a connection pool."""

    def __init__(self, pool: Any, connect_s: float, headers: dict[str, str]) -> None:
        self._pool = pool  # urllib3's, which knows how to open one: TLS, proxy tunnel, socket options
        self._connect_s = connect_s
        self._headers = headers  # for a proxy that forwards
        self._idle: list[tuple[HTTPConnection, float]] = []  # and since when

    def urlopen(self, method: str, url: str, body: Any, headers: Any, timeout: Any = None, **_: Any) -> Answer:
        """Send one request and wait for the head of its answer. Raises Broken, OSError, urllib3's errors.

        A peer may hang up a kept connection just as it is taken. What only asks is sent again then, on a new one; a
        POST may have been read, so whether it is sent again is for the one loop that counts attempts.
        """
        head = _head(method, url, {**headers, **self._headers} if self._headers else headers)
        request = _Whole(head, body)
        read_s = getattr(timeout, "read_timeout", None)
        for connection in (self._take(), None):
            fresh = connection is None
            connection = connection or self._open()
            answer = Answer(self, connection)
            try:
                connection.sock.settimeout(read_s)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may have answered already
                    for piece in request:
                        connection.sock.sendall(piece)
                answer.read_head()
                return answer
            except (Broken, ConnectionError):
                connection.close()
                if fresh or answer.touched or method == "POST":
                    raise
            except BaseException:
                connection.close()
                raise
        raise AssertionError("the second connection is always new")

    def _take(self) -> HTTPConnection | None:
        while self._idle:
            connection, since = self._idle.pop()
            if monotonic() - since < MOST_IDLE_S and connection.sock is not None and _is_quiet(connection.sock):
                return connection
            connection.close()
        return None

    def _open(self) -> HTTPConnection:
        connection = self._pool._new_conn()
        connection.timeout = self._connect_s
        try:
            if self._pool.proxy is not None and self._pool.scheme == "https":
                self._pool._prepare_proxy(connection)
            else:
                connection.connect()
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):  # in the handshake, or by the proxy
                raise NewConnectionError(connection, "the connection broke off before it could be used") from error
            raise
        return connection  # type: ignore[no-any-return]

    def give_back(self, connection: HTTPConnection) -> None:
        if len(self._idle) < MOST_IDLE:
            self._idle.append((connection, monotonic()))
        else:
            connection.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[0].close()


def _is_quiet(sock: socket.socket) -> bool:
    """Whether an idle connection is open and silent; what a peer says unasked is its farewell."""
    with contextlib.suppress(OSError, ValueError):
        return not _poll(sock.fileno())
    return False


def _poll(handle: int) -> bool:
    poller = _Poll()
    poller.register(handle, select.POLLIN)
    return bool(poller.poll(0))


try:  # gevent's poll goes through the event loop; a look without waiting need not
    from gevent.monkey import get_original

    _Poll = get_original("select", "poll")
except ImportError:  # pragma: no cover
    _Poll = select.poll


class _Whole:
    """A request as it is sent: in one piece where its body is one, else its head before its body's pieces; and again,
    where it is sent again."""

    def __init__(self, head: bytes, body: Body | None) -> None:
        self._head, self._body = head, body

    def __iter__(self) -> Iterator[bytes]:
        if isinstance(self._body, bytes | None):
            yield self._head + (self._body or b"")
        else:
            yield self._head
            yield from self._body


def _head(method: str, url: str, headers: Any) -> bytes:
    """The head of a request. Raises ValueError for a header that would break out of its line."""
    lines = [f"{method} {url} HTTP/1.1"]
    for name, value in headers.items():
        if "\r" in value or "\n" in value or "\0" in value:
            raise ValueError(f"the header {name} holds a line break")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Adapter(HTTPAdapter):
    """A requests adapter over Lines. verify and certificates: one TLS context for all, `proxy` for all."""

    def __init__(self, *, connect_s: float, ca_file: str | None, proxy: str | None) -> None:
        self._connect_s = connect_s
        self._proxy = proxy
        context = ssl.create_default_context(cafile=ca_file or certifi.where())
        options: dict[str, Any] = {"ssl_context": context, "maxsize": 1, "socket_options": KEEPALIVE}
        self._proxy_headers: dict[str, str] = {}
        if proxy and "@" in proxy:
            user = unquote(urlsplit(proxy).netloc.rpartition("@")[0])
            self._proxy_headers = dict(make_headers(proxy_basic_auth=user))
            proxy = proxy.replace(urlsplit(proxy).netloc.rpartition("@")[0] + "@", "", 1)
        self._manager: PoolManager = (
            ProxyManager(proxy, proxy_headers=self._proxy_headers, **options) if proxy else PoolManager(**options)
        )
        self._lines: dict[tuple[str, str], Line] = {}
        super().__init__()

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        parts = urlsplit(request.url)
        origin = (parts.scheme, parts.netloc)
        line = self._lines.get(origin)
        if line is None:
            pool = self._manager.connection_from_url(f"{parts.scheme}://{parts.netloc}")
            forwarded = self._proxy_headers if parts.scheme == "http" else {}
            line = self._lines[origin] = Line(pool, self._connect_s, forwarded)
        return line

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: the TLS context decides."""

    def request_url(self, request: Any, proxies: Any) -> str:
        plain = self._proxy is not None and request.url.startswith("http:")
        return str(request.url if plain else request.path_url)

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = resp.status
        response.headers = resp.headers
        response.raw = resp
        response.request = req
        response.url = req.url
        return response

    def close(self) -> None:
        for line in self._lines.values():
            line.close()
        self._manager.clear()
