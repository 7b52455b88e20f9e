"""When a worker takes no more calls, and how it says so."""

from __future__ import annotations

import json
import socket
import time

import gevent
import pytest
from gunicorn.config import Config

from gateway import inbound, server
from gateway.relay.load import MOST, Load


def long_turn(load: Load) -> None:
    def compute() -> None:
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            pass

    gevent.spawn(compute)
    load.look()


def test_long_turns_bound_the_calls_and_short_ones_free_them() -> None:
    load = Load()
    load.running = 500
    long_turn(load)
    assert not load.full, "a burst is no overload"
    long_turn(load)
    assert load.full and load.over and load.most < 500
    bound = load.most
    while load.most < MOST:
        load.look()
    assert bound < load.most and not load.full


def test_a_pause_is_no_overload() -> None:
    load = Load()
    load.running = 500
    for _ in range(3):
        gevent.spawn(time.sleep, 0.2)
        load.look()
    assert not load.full


def test_few_calls_are_never_too_many() -> None:
    load = Load()
    load.running = 20
    for _ in range(3):
        long_turn(load)
    assert not load.full


BODY = b'{"model": "m", "messages": []}'


def ask(sock: socket.socket, path: str, body: bytes = BODY, extra: str = "") -> None:
    sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n{extra}\r\n".encode() + body)


@pytest.mark.parametrize(
    ("path", "error_type"),
    [("/v1/chat/completions", "api_error"), ("/v1/messages", "api_error"), ("/v1beta/models/m:x", None)],
)
def test_a_full_worker_refuses_before_it_parses(path: str, error_type: str | None) -> None:
    ours, clients = socket.socketpair()
    with ours, clients:
        parser = inbound.Parser(Config(), ours, ("127.0.0.1", 1))
        ask(clients, path)
        assert server._comes(parser, ours, 1)
        assert server._refused(parser, ours)
        head, _, body = clients.recv(4096).decode().partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 503 ") and "Retry-After: 1" in head and "x-should-retry: true" in head
        assert f"Content-Length: {len(body)}" in head
        error = json.loads(body)["error"]
        assert error["message"] and (error_type is None or error["type"] == error_type)


@pytest.mark.parametrize(
    ("body", "extra"),
    [
        (BODY[:5], ""),  # not all is here
        (BODY + b"POST /v1/chat/completions HTTP/1.1\r\n", ""),  # more than one is
        (BODY, "Transfer-Encoding: chunked\r\n"),
        (BODY, "Content-Length: 5\r\n"),
        (BODY, "Content-Length : 5\r\n"),
        (BODY, "Connection: close\r\n"),
    ],
)
def test_what_could_be_read_in_two_ways_is_left_to_the_parser(body: bytes, extra: str) -> None:
    ours, clients = socket.socketpair()
    with ours, clients:
        parser = inbound.Parser(Config(), ours, ("127.0.0.1", 1))
        ask(clients, "/v1/chat/completions", body, extra)
        assert server._comes(parser, ours, 1)
        assert not server._refused(parser, ours)
        assert parser.unreader.held.startswith(b"POST /v1/chat/completions"), "nothing of it is lost"
