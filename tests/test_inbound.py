"""What is plain is read as gunicorn would read it; and how answers are framed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import get_parser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway import inbound


class Sock:
    """A connection: what comes on it, in pieces, and what was written. room: how much it takes before it must wait."""

    def __init__(self, *pieces: bytes, room: int = 1 << 20) -> None:
        self.pieces, self.written, self.room = list(pieces), list[bytes](), room

    def recv(self, size: int) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if len(piece) > size:
            self.pieces.insert(0, piece[size:])
        return piece[:size]

    def send(self, data: bytes) -> int:
        self.written.append(data[: self.room])
        return min(len(data), self.room)

    def sendall(self, data: bytes) -> None:
        self.written.append(bytes(data))


def config() -> Any:
    made = Config()
    for name, value in (("forwarded_allow_ips", ""), ("forwarder_headers", ""), ("secure_scheme_headers", {})):
        made.set(name, value)
    return made


CONFIG = config()
ADDRESS = ("127.0.0.1", 1)


def told(parser: Any, ours: bool) -> Any:
    """What a parser makes of the next request: how it is refused, or what it says."""
    try:
        request = next(parser)
    except Exception as error:
        return type(error).__name__
    fields: dict[str, list[str]] = {}
    if ours:
        named = request.fields
    else:
        for name, value in request.headers:
            key = name.replace("-", "_")
            fields.setdefault(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", []).append(value)
        named = {key: ",".join(values) for key, values in fields.items()}
    try:
        body = request.body.read()
    except Exception as error:
        body = type(error).__name__
    return (
        request.method,
        request.uri,
        request.path,
        request.query,
        request.version,
        named,
        request.should_close(),
        body,
    )


NAMES = st.sampled_from([
    "Host", "host", "Content-Length", "content-length", "Content-Type", "Connection", "X-A", "x_a", "X A", "", "Expect",
    "Transfer-Encoding", "Cookie", "X-\xe4", "Content_Length", "Upgrade", "X\t",
])  # fmt: skip
VALUES = st.one_of(
    st.sampled_from([
        "x", "3", "03", "+3", "3 ", "\u00b2", "", " \t3\t", "close", "Close", "keep-alive", "chunked", "100-continue", "a\0", "a\rb",
        "a\nb", "\xe4", "\xa0", "a\x7f", "a" * 5_000, "a\r\n b",
    ]),
    st.text(st.characters(max_codepoint=255), max_size=8),
)  # fmt: skip
LINES = st.one_of(
    st.sampled_from([
        "GET /a HTTP/1.1", "POST /v1/chat/completions?a=b%20c HTTP/1.1", "GET /%e4?x#y HTTP/1.1", "GET //a HTTP/1.1",
        "GET http://x/a HTTP/1.1", "OPTIONS * HTTP/1.1", "GET /a HTTP/1.0", "get /a HTTP/1.1", "GET /a  HTTP/1.1",
        "GET /\xe4 HTTP/1.1", "GET /a\tb HTTP/1.1", "CONNECT a:1 HTTP/1.1", "GET /a HTTP/2.0", "", "GET /" + "a" * 5_000 + " HTTP/1.1",
        "HEAD /a?b?c HTTP/1.1", "DELETE /a;b=c HTTP/1.1", "GET /a HTTP/1.1 ", " GET /a HTTP/1.1",
    ]),
    st.text(st.characters(max_codepoint=255), max_size=20),
)  # fmt: skip
ENDS = st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", "\r"])


@st.composite
def heads(draw: Any) -> bytes:
    text = draw(LINES) + draw(ENDS)
    for _ in range(draw(st.integers(0, 6))):
        text += draw(NAMES) + draw(st.sampled_from([":", ": ", ":  ", "", " :"])) + draw(VALUES) + draw(ENDS)
    return text.encode("latin-1") + b"\r\nabcGET /next HTTP/1.1\r\n\r\n"


@given(heads())
@example(b"GET /a HTTP/1.1\r\n" + b"X-A: b\r\n" * 101 + b"\r\n")
@example(b"GET /a HTTP/1.1\r\n" + b"X-A: b\r\n" * 100 + b"\r\n")
@example(b"\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n")
@settings(max_examples=500, deadline=None)
def test_what_is_plain_is_read_as_gunicorn_reads_it(head: bytes) -> None:
    theirs, ours = get_parser(CONFIG, Sock(head), ADDRESS), inbound.Parser(CONFIG, Sock(head), ADDRESS)
    for _ in range(2):  # the second begins where the first ends
        expected = told(theirs, False)
        assert told(ours, True) == expected
        if isinstance(expected, str):
            return


BODY = b"0123456789"


@pytest.mark.parametrize("cut", range(1, 60, 7))
@pytest.mark.parametrize(
    "framed",
    [b"Content-Length: 10\r\n\r\n" + BODY, b"Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n"],
)
def test_a_body_is_given_as_it_arrives(framed: bytes, cut: int) -> None:
    data = b"POST /a HTTP/1.1\r\nHost: x\r\n" + framed + b"GET /b HTTP/1.1\r\n\r\n"
    parser = inbound.Parser(CONFIG, Sock(data[:cut], data[cut:]), ADDRESS)
    first = next(parser)
    assert b"".join(iter(first.body.arrived, b"")) == BODY
    assert parser.finish_body()
    assert next(parser).path == "/b"


def test_what_is_left_of_a_body_is_no_request() -> None:
    parser = inbound.Parser(
        CONFIG,
        Sock(b"POST /a HTTP/1.1\r\nContent-Length: 19\r\n\r\nGET /x", b" HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"),
        ADDRESS,
    )
    assert next(parser).path == "/a"
    assert parser.finish_body()
    assert next(parser).path == "/b"


def answered(
    request: bytes, status: str, headers: list[tuple[str, str]], *pieces: bytes, room: int = 1 << 20
) -> tuple[bytes, list[bytes], inbound.Answer]:
    """All that was written, in its writes."""
    sock = Sock(request, room=room)
    parser = inbound.Parser(CONFIG, sock, ADDRESS)
    answer = inbound.Answer(next(parser), sock)

    def app(environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        start(status, headers)
        return iter(pieces)

    inbound.serve(app, inbound.base(CONFIG, ("127.0.0.1", 80), ADDRESS), parser.mesg, answer)
    return b"".join(sock.written), sock.written, answer


GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


def test_a_whole_answer_is_one_write() -> None:
    _, writes, answer = answered(GET, "200 OK", [("Content-Length", "3")], b"abc")
    assert len(writes) == 1 and writes[0].endswith(b"\r\n\r\nabc") and not answer.closes


def test_an_answer_leaves_whole_where_the_connection_takes_a_part_of_it() -> None:
    whole, _, _ = answered(GET, "200 OK", [], b"abc", b"defg")
    got, writes, _ = answered(GET, "200 OK", [], b"abc", b"defg", room=2)
    assert got.partition(b"\r\n\r\n")[2] == whole.partition(b"\r\n\r\n")[2] and len(writes[0]) == 2


def test_an_answer_is_no_longer_than_it_said() -> None:
    got, _, answer = answered(GET, "200 OK", [("Content-Length", "3")], b"ab", b"cdef", b"g")
    assert got.endswith(b"\r\n\r\nabc") and not answer.closes
    got, _, answer = answered(GET, "200 OK", [("Content-Length", "9")], b"abc")
    assert answer.closes, "the client waits for the rest"


def test_a_stream_is_chunked_and_an_empty_piece_is_no_end() -> None:
    got, writes, answer = answered(GET, "200 OK", [], b"", b"abc", b"", b"d")
    assert writes[0].endswith(b"Transfer-Encoding: chunked\r\n\r\n")
    assert got.partition(b"\r\n\r\n")[2] == b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n" and not answer.closes


def test_a_stream_to_an_old_client_ends_with_the_connection() -> None:
    got, _, answer = answered(GET.replace(b"1.1", b"1.0"), "200 OK", [], b"abc")
    assert got.startswith(b"HTTP/1.0 200") and b"chunked" not in got and got.endswith(b"\r\n\r\nabc") and answer.closes


@pytest.mark.parametrize(("request_", "status"), [(GET.replace(b"GET", b"HEAD"), "200 OK"), (GET, "204 NO CONTENT")])
def test_what_has_no_body_has_none(request_: bytes, status: str) -> None:
    got, _, answer = answered(request_, status, [("Content-Length", "3")], b"abc")
    assert got.endswith(b"\r\n\r\n") and not answer.closes
    assert (b"Content-Length" in got) is ("204" not in status)


@pytest.mark.parametrize("value", ["a\r\nX-B: c", "a\nb", "a\rb", "a\0b", "\u20ac"])
def test_no_header_breaks_out_of_its_line(value: str) -> None:
    with pytest.raises(ValueError):
        answered(GET, "200 OK", [("X-A", value)], b"")


def test_names_that_nobody_knows_do_not_fill_the_memory() -> None:
    for number in range(5_000):
        next(inbound.Parser(CONFIG, Sock(b"GET /a HTTP/1.1\r\nX-%d: b\r\n\r\n" % number), ADDRESS))
    assert len(inbound._names) <= inbound._names.MOST


def test_the_client_is_asked_for_what_it_waits_to_send() -> None:
    got, _, _ = answered(
        b"POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", "200 OK", [("Content-Length", "0")]
    )
    assert re.match(rb"HTTP/1\.1 100 Continue\r\n\r\nHTTP/1\.1 200 OK\r\n", got)
