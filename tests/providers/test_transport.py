"""The transport under requests: framing, reuse, interruption, TLS, proxies; and that mocks of requests still hold."""

from __future__ import annotations

import contextlib
import os
import resource
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from gateway import config
from gateway.call import Channel, Fault, Outbound
from gateway.errors import GatewayError
from gateway.providers import pool
from tests import made
from tests.gateway import ROOT
from tests.upstream import Script, Upstream, upstream


@pytest.fixture
def provider() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


def channel(url: str, secret: str | None = "sk-secret-0123456789") -> Channel:
    return made.channel(id="ch_1", provider="openai-compatible", base_url=url, secret=secret, free=True)


def outbound(url: str, body: bytes = b"{}", stream: bool = False) -> Outbound:
    return Outbound(
        channel=channel(url), dialect="chat", model="m", path="/chat/completions", body=body, headers={"accept": "x/y"},
        stream=stream, account_id="acc_1",
    )  # fmt: skip


def opened(**environ: str) -> None:
    settings = config.load({f"GATEWAY_{name.upper()}": value for name, value in environ.items()})
    config.use(settings)
    pool.open(settings)


def whole(wire: Any) -> bytes:
    data = b""
    while piece := wire.read():
        data += piece
    return data


def fault_of(url: str, **options: Any) -> Fault:
    with pytest.raises(Fault) as caught:
        whole(pool.send(outbound(url, **options)))
    return caught.value


def test_what_goes_out(provider: Upstream) -> None:
    opened()
    provider.answer = lambda asked: Script.json({"ok": 1}, 201, x_a="b")
    wire = pool.send(outbound(provider.base_url, b'{"model":"m"}'))
    assert (wire.status, wire.headers["x-a"], whole(wire)) == (201, "b", b'{"ok": 1}')
    asked = provider.last()
    assert (asked.method, asked.path, asked.body) == ("POST", "/v1/chat/completions", b'{"model":"m"}')
    assert asked.headers["authorization"] == "Bearer sk-secret-0123456789"
    assert asked.headers["accept"] == "x/y" and asked.headers["accept-encoding"] == "identity"
    assert asked.headers["host"] == f"127.0.0.1:{provider.port}"


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_every_framing_in_every_piece(provider: Upstream, framing: str, size: int) -> None:
    opened()
    data = bytes(range(256)) * 20
    pieces: list[bytes | float] = [data[at : at + size] for at in range(0, len(data), size)]
    provider.answer = lambda asked: Script(pieces=pieces, framing=framing)
    for _ in range(2):
        assert whole(pool.send(outbound(provider.base_url))) == data


def test_raw_answers_cut_at_every_byte(provider: Upstream) -> None:
    told = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;x=y\r\nabc\r\n5\r\ndefgh\r\n0\r\nTrailer: z\r\n\r\n"
    )
    for cut in range(1, len(told), 3):
        opened()  # a new connection: who is closed on just as it is asked is for the loop that counts attempts
        provider.answer = lambda asked, cut=cut: Script(pieces=[told[:cut], 0.002, told[cut:]], framing="raw")
        wire = pool.send(outbound(provider.base_url))
        assert (wire.status, wire.headers["content-type"], whole(wire)) == (200, "a/b", b"abcdefgh")


def test_connections_are_kept_and_stale_ones_replaced(provider: Upstream) -> None:
    opened()
    provider.answer = lambda asked: Script.json({})
    for _ in range(5):
        whole(pool.send(outbound(provider.base_url)))
    assert {asked.connection for asked in provider.asked} == {1}
    provider.answer = lambda asked: Script(pieces=[b"{}"], ending="close")  # it hangs up after each answer from now on
    for _ in range(5):
        assert asked_again(provider.base_url) == b"{}"
    assert len({asked.connection for asked in provider.asked}) == 5


def asked_again(base_url: str) -> bytes:
    """The answer to a call; asked again, as the loop that counts attempts does, where the provider hangs up just then."""
    for _ in range(2):
        try:
            return whole(pool.send(outbound(base_url)))
        except Fault as fault:
            assert fault.silent
    return whole(pool.send(outbound(base_url)))


def test_a_kept_connection_that_closes_on_a_question_is_tried_once_more(provider: Upstream) -> None:
    """The race of every keep-alive: the provider hangs up just as we send."""
    opened()

    def asking(base_url: str) -> Outbound:
        return replace(outbound(base_url), method="GET")

    provider.answer = lambda asked: (
        Script(framing="raw", ending="close") if len(provider.asked) == 2 else Script.json({"n": len(provider.asked)})
    )
    whole(pool.send(asking(provider.base_url)))
    assert whole(pool.send(asking(provider.base_url))) == b'{"n": 3}'
    provider.answer = lambda asked: (
        Script.json({}) if len(provider.asked) <= 11 else Script(framing="raw", ending="close")
    )
    wires = [pool.send(asking(provider.base_url)) for _ in range(8)]  # eight connections, kept after this
    for wire in wires:
        whole(wire)
    before = len(provider.asked)
    with pytest.raises(Fault):
        pool.send(asking(provider.base_url))
    assert len(provider.asked) - before == 2, "once more, however many are kept"


def test_a_call_is_not_sent_again_below_the_loop_that_counts(provider: Upstream) -> None:
    """The provider may have read it, and charge for it."""
    opened()
    provider.answer = lambda asked: Script.json({})
    whole(pool.send(outbound(provider.base_url)))
    provider.answer = lambda asked: Script(framing="raw", ending="close")
    fault = fault_of(provider.base_url)
    assert len(provider.asked) == 2 and fault.silent, "the loop may ask again"


def test_reading_is_resumed_after_an_interruption(provider: Upstream) -> None:
    """A timeout in the middle of anything, even of a chunk's size line, loses no byte."""
    opened()
    told = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
        b"%x\r\n%s\r\n" % (len(word), word) for word in (b"one", b"twotwo", b"three" * 50)
    )
    pieces: list[bytes | float] = []
    for at in range(0, len(told), 5):
        pieces += [told[at : at + 5], 0.004]
    provider.answer = lambda asked: Script(pieces=[*pieces, b"0\r\n\r\n"], framing="raw")
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, provider.base_url], capture_output=True, timeout=60, check=True, cwd=ROOT
    )
    data, _, interrupted = done.stdout.rpartition(b" ")
    assert data == b"one" + b"twotwo" + b"three" * 50 and int(interrupted) > 10


INTERRUPTED = """
import gevent.monkey; gevent.monkey.patch_all()
import sys, gevent
from tests.providers.test_transport import opened, outbound
from gateway.providers import pool
opened()
wire = pool.send(outbound(sys.argv[1], stream=True))
data, interrupted = b"", 0
while True:
    piece = None
    with gevent.Timeout(0.003, False):
        piece = wire.read()
    if piece is None:
        interrupted += 1
    elif piece:
        data += piece
    else:
        break
sys.stdout.buffer.write(data + b" %d" % interrupted)
"""


def test_what_breaks_off_is_no_answer(provider: Upstream) -> None:
    opened()
    for script in (
        Script(framing="raw", pieces=[b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"], ending="close"),
        Script(framing="raw", pieces=[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"], ending="close"),
        Script(
            framing="raw", pieces=[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n"], ending="close"
        ),
        Script(framing="raw", pieces=[b"HTTP/1.1 200 OK\r\nContent-Le"], ending="close"),
        Script(framing="raw", pieces=[b"SSH-2.0-OpenSSH\r\n"], ending="close"),
        Script(framing="raw", pieces=[b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n"], ending="close"),
        Script(framing="raw", pieces=[b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"], ending="reset"),
    ):
        provider.answer = lambda asked, script=script: script
        assert fault_of(provider.base_url).cause == "malformed", script


def test_compressed_answers_are_refused(provider: Upstream) -> None:
    opened()
    provider.answer = lambda asked: Script(headers={"content-encoding": "gzip"}, pieces=[b"\x1f\x8b"])
    assert fault_of(provider.base_url).cause == "malformed"


def test_redirects_are_not_followed(provider: Upstream) -> None:
    opened()
    provider.answer = lambda asked: Script(302, {"location": f"{provider.base_url}/elsewhere"}, [b""])
    wire = pool.send(outbound(provider.base_url))
    assert wire.status == 302 and len(provider.asked) == 1
    wire.close()


def test_nobody_there(provider: Upstream) -> None:
    opened(connect_s="0.5")
    provider.close()
    assert fault_of(provider.base_url).cause == "unreachable"
    assert fault_of("http://nope.invalid/v1").cause == "unreachable"


@pytest.mark.parametrize("hangs", [False, True])
def test_a_handshake_that_comes_to_nothing_asks_nobody(provider: Upstream, hangs: bool) -> None:
    """So it is as if nobody were there: a task may be begun elsewhere."""

    def serve(sock: Any, number: int) -> None:
        sock.recv(1)
        if not hangs:  # with bytes unread this is a reset
            sock.close()
        else:
            time.sleep(1)

    provider._serve = serve  # type: ignore[method-assign]
    opened(connect_s="0.2")
    assert fault_of(f"https://127.0.0.1:{provider.port}/v1").cause == "unreachable"


def test_a_proxy_that_opens_no_tunnel_asks_nobody(provider: Upstream) -> None:
    provider.answer = lambda asked: Script(407, pieces=[b"no"], ending="close")
    opened(proxy=f"http://127.0.0.1:{provider.port}")
    assert fault_of("https://secure.example/v1").cause == "unreachable"


def test_what_this_process_has_not_is_not_the_providers_fault(provider: Upstream) -> None:
    opened()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        with pytest.raises(GatewayError) as caught:
            pool.send(outbound(provider.base_url))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caught.value.status == 503 and caught.value.retry_after and not provider.asked


def test_an_early_refusal_is_read_although_the_body_was_not_taken(provider: Upstream) -> None:
    opened()
    provider.answer = lambda asked: Script.json({"error": {"message": "too big"}}, 413)
    wire = pool.send(outbound(provider.base_url, b'{"a":"' + b"x" * 5_000_000 + b'"}'))
    assert wire.status == 413 and b"too big" in whole(wire)


@responses.activate
def test_mocks_of_requests_hold() -> None:
    opened()
    responses.post("http://mocked.example/v1/chat/completions", json={"mocked": True}, status=200)
    responses.post("http://broken.example/v1/chat/completions", body=requests.ConnectionError("gone"))
    assert whole(pool.send(outbound("http://mocked.example/v1"))) == b'{"mocked": true}'
    assert fault_of("http://broken.example/v1").cause == "malformed"


def secure(provider: Upstream, certificate: Path) -> None:
    """Make a provider speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    plain = provider._serve

    def serve(sock: Any, number: int) -> None:
        with contextlib.suppress(ssl.SSLError):  # a client that does not trust us says so by hanging up
            plain(context.wrap_socket(sock, server_side=True), number)

    provider._serve = serve  # type: ignore[method-assign]


def test_tls_is_verified(provider: Upstream, certificate: Path) -> None:
    secure(provider, certificate)
    provider.answer = lambda asked: Script.sse(b"data: 1\n\n", 0.05, b"data: 2\n\n")
    url = f"https://127.0.0.1:{provider.port}/v1"
    opened(ca_file=str(certificate))
    for _ in range(3):
        assert whole(pool.send(outbound(url))) == b"data: 1\n\ndata: 2\n\n"
    assert {asked.connection for asked in provider.asked} == {1}
    opened()
    assert fault_of(url).cause == "unreachable", "an unknown authority"


class Proxy(Upstream):
    """A forward proxy: tunnels CONNECT, forwards the rest; keeps what it was asked."""

    def _serve(self, sock: Any, number: int) -> None:
        import socket

        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(65536)
        first, *lines = head.split(b"\r\n\r\n")[0].decode().split("\r\n")
        self.heads.append([first, *lines])
        method, target, _ = first.split(" ")
        host = target if method == "CONNECT" else target.split("/")[2]
        peer = socket.create_connection((host.split(":")[0], int(host.split(":")[1])))
        if method == "CONNECT":
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            peer.sendall(head)

        def pump(a: Any, b: Any) -> None:
            try:
                while data := a.recv(65536):
                    b.sendall(data)
            except OSError:
                pass

        threading.Thread(target=pump, args=(sock, peer), daemon=True).start()
        pump(peer, sock)

    heads: list[list[str]]


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    made.heads = []
    yield made
    made.close()


def test_through_a_proxy(provider: Upstream, proxy: Proxy, certificate: Path) -> None:
    provider.answer = lambda asked: Script.json({"via": "proxy"})
    opened(proxy=f"http://user:pass%20word@127.0.0.1:{proxy.port}", ca_file=str(certificate))
    assert whole(pool.send(outbound(provider.base_url))) == b'{"via": "proxy"}'
    first, *headers = proxy.heads[-1]
    assert first == f"POST {provider.base_url}/chat/completions HTTP/1.1"
    assert any(line.lower() == "proxy-authorization: basic dxnlcjpwyxnzihdvcmq=" for line in headers)
    secure(provider, certificate)
    assert whole(pool.send(outbound(f"https://127.0.0.1:{provider.port}/v1"))) == b'{"via": "proxy"}'
    first, *headers = proxy.heads[-1]
    assert first.startswith(f"CONNECT 127.0.0.1:{provider.port} ")
    assert not any("sk-secret" in line for head in proxy.heads[1:] for line in head), "the tunnel hides the key"


def test_header_values_cannot_break_out(provider: Upstream) -> None:
    opened()
    provider.answer = lambda asked: Script.json({})
    evil = replace(outbound(provider.base_url), channel=channel(provider.base_url, "sk\r\nX-Evil: 1"))
    with pytest.raises(Fault):
        pool.send(evil)
    assert not provider.asked


def test_a_provider_that_says_nothing(provider: Upstream) -> None:
    opened(first_byte_s="0.3", whole_s="0.6", connect_s="0.2")
    provider.answer = lambda asked: Script(framing="raw", ending="hang")
    for stream, least in ((True, 0.3), (False, 0.6)):
        began = time.monotonic()
        assert fault_of(provider.base_url, stream=stream).cause == "timeout"
        assert time.monotonic() - began >= least
