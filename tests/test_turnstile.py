"""How a full worker refuses, and those that it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import gevent
import pytest
from gevent import socket
from gunicorn.config import Config

from gateway import inbound, server, turnstile
from gateway.relay import load as loads
from gateway.turnstile import Turnstile, refused

BODY = b'{"model": "m", "messages": []}'


def call(path: str = "/v1/chat/completions", body: bytes = BODY, extra: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n{extra}\r\n".encode() + body


@pytest.fixture
def stile(monkeypatch: pytest.MonkeyPatch) -> Turnstile:
    """The worker's."""
    stile = Turnstile()
    monkeypatch.setattr(server, "turnstile", stile)
    return stile


@pytest.fixture
def full(stile: Turnstile) -> Iterator[Turnstile]:
    """The same, of a worker that takes no more."""
    loads.load.most = loads.load.running
    stile.bound(True)
    yield stile
    stile.bound(False)
    loads.load.most = loads.MOST


@pytest.mark.parametrize(
    ("path", "error_type"),
    [("/v1/chat/completions", "api_error"), ("/v1/messages", "api_error"), ("/v1beta/models/m:x", None)],
)
def test_a_full_worker_refuses_in_the_callers_dialect(path: str, error_type: str | None) -> None:
    answer = refused(call(path))
    assert answer is not None
    head, _, body = answer.decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 503 ") and "Retry-After: 1" in head and "x-should-retry: true" in head
    assert f"Content-Length: {len(body)}" in head
    error = json.loads(body)["error"]
    assert error["message"] and (error_type is None or error["type"] == error_type)


UNSURE = [
    (BODY[:5], ""),  # not all is here
    (BODY + b"POST /v1/chat/completions HTTP/1.1\r\n", ""),  # more than one is
    (BODY, "Transfer-Encoding: chunked\r\n"),
    (BODY, "Content-Length: 5\r\n"),
    (BODY, "Content-Length : 5\r\n"),
    (BODY, "Connection: close\r\n"),
]


@pytest.mark.parametrize(("body", "extra"), UNSURE)
def test_what_could_be_read_in_two_ways_is_left_to_the_parser(body: bytes, extra: str, full: Turnstile) -> None:
    request = call(body=body, extra=extra)
    assert refused(request) is None
    ours, client = socket.socketpair()
    with ours, client:
        full.wait(ours)
        client.sendall(request)
        full.look()
        parser = inbound.Parser(Config(), ours, ("127.0.0.1", 1))
        assert server._comes(parser, ours, 1)
        assert parser.unreader.held == request, "nothing of it is lost"
        full.take(ours.fileno())


def test_who_waits_is_refused_while_others_compute_and_then_goes_on(full: Turnstile) -> None:
    ours, client = socket.socketpair()
    with ours, client:
        full.wait(ours)
        parser = inbound.Parser(Config(), ours, ("127.0.0.1", 1))
        reader = gevent.spawn(server._comes, parser, ours, 5)
        gevent.sleep(0.01)
        client.sendall(call())
        gevent.spawn(lambda: None)
        full.look()  # as a switch between others does, before the reader is told
        assert client._sock.recv(4096).startswith(b"HTTP/1.1 503 ")
        gevent.sleep(0.01)
        assert not reader.ready(), "the reader waits for the next request"
        loads.load.most = loads.MOST
        client.sendall(call())
        reader.join(2)
        assert reader.value is True and parser.unreader.held == call()
        full.take(ours.fileno())


def test_a_connection_whose_request_is_being_read_is_not_looked_at(full: Turnstile) -> None:
    """What looks like a call may be the body of another: refusing it would be smuggling."""
    ours, client = socket.socketpair()
    with ours, client:
        full.wait(ours)
        full.take(ours.fileno())
        client.sendall(call())
        full.look()
        with pytest.raises(BlockingIOError):
            client._sock.recv(1, turnstile.MSG_PEEK)


def test_who_came_before_there_was_a_bound_is_taken(stile: Turnstile) -> None:
    pairs = [socket.socketpair() for _ in range(3)]
    for ours, client in pairs[:2]:
        stile.wait(ours)
        client.sendall(call())
    loads.load.most = loads.load.running
    stile.bound(True)
    try:
        ours, client = pairs[2]
        stile.wait(ours)
        client.sendall(call())
        stile.look()
        assert client._sock.recv(4096).startswith(b"HTTP/1.1 503 ")
        for ours, _ in pairs[:2]:
            parser = inbound.Parser(Config(), ours, ("127.0.0.1", 1))
            assert server._comes(parser, ours, 1) and parser.unreader.held == call()
    finally:
        stile.bound(False)
        loads.load.most = loads.MOST
