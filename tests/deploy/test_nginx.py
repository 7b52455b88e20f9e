"""The gateway behind a real nginx with the settings of `deploy/nginx.conf`."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests.conftest import scripted
from tests.gateway import ROOT, Gateway, free_port
from tests.upstream import Script

WORD = b'data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
END = (
    b'data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}\n\ndata: [DONE]\n\n'
)
MOST = 21 << 20


def program() -> str:
    unpacked = ROOT / ".cache" / "nginx" / "usr" / "sbin" / "nginx"
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or (unpacked.exists() and str(unpacked))
    if not found:
        pytest.skip("no nginx here (make test fetches it on Debian): the gateway behind it is not tried")
    return str(found)


@contextmanager
def nginx(folder: Path, certificate: Path, gateway_port: int) -> Iterator[str]:
    """nginx with the site as it is shipped, on other ports and with a certificate of the tests'; its URL."""
    port = free_port()
    site = (ROOT / "deploy" / "nginx.conf").read_text()
    for pattern, here in (
        (r"server 127\.0\.0\.1:8080;", f"server 127.0.0.1:{gateway_port};"),
        (r"listen 80;", f"listen 127.0.0.1:{free_port()};"),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        (r"(ssl_certificate|ssl_certificate_key) .*;", rf"\1 {certificate};"),
        (r"/var/log/nginx/", f"{folder}/"),
    ):
        site, changed = re.subn(pattern, here, site)
        assert changed, pattern
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""
    main = f"{user}\ndaemon off;\npid {folder}/pid;\nerror_log {folder}/main.log;\nevents {{}}\nhttp {{\n{temporary}{site}}}\n"
    (folder / "nginx.conf").write_text(main)
    running = subprocess.Popen(
        [program(), "-p", str(folder), "-e", f"{folder}/main.log", "-c", f"{folder}/nginx.conf"], start_new_session=True
    )
    try:
        end = time.monotonic() + 20
        while True:
            assert running.poll() is None and time.monotonic() < end, (folder / "main.log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"https://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(20)


class Site:
    """A client's view: the gateway at nginx's address."""

    def __init__(self, gateway: Gateway, url: str, certificate: Path) -> None:
        self.gateway, self.url = gateway, url
        self.session = requests.Session()
        self.session.trust_env = False  # which would put other certificate authorities above ours
        self.session.verify = str(certificate)
        self.session.headers["Authorization"] = f"Bearer {gateway.key}"

    def chat(self, model: str, **more: Any) -> requests.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}], **more}
        return self.session.post(
            f"{self.url}/v1/chat/completions", data=json.dumps(body), stream=bool(more.get("stream")), timeout=60
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[Site]:
    program()
    with Gateway(tmp_path_factory.mktemp("behind"), GATEWAY_MAX_BODY=str(MOST)) as gateway:
        with nginx(tmp_path_factory.mktemp("nginx"), certificate, gateway.port) as url:
            yield Site(gateway, url, certificate)


def wait_until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def test_whole_calls_share_connections(site: Site) -> None:
    for _ in range(30):
        answer = site.chat("sandbox/echo")
        assert answer.status_code == 200 and answer.json()["choices"][0]["message"]["content"]
        assert answer.headers["x-generation-id"] == answer.json()["id"]
    port = site.gateway.port
    opened = [one for one in psutil.net_connections("tcp") if one.raddr and one.raddr.port == port]
    assert 1 <= len(opened) <= 8, "nginx opens a connection for each call"


def test_frames_come_one_by_one(site: Site) -> None:
    """The provider says the next one only when the client has read the last one."""
    read = threading.Semaphore(0)

    def spoken() -> Iterator[bytes]:
        for _ in range(20):
            yield WORD
            assert read.acquire(timeout=20), "a frame was kept back"
        yield END

    with scripted(site.gateway, "openai-compatible", free=True) as (provider, name):
        provider.scripts["m"] = Script.sse()
        provider.scripts["m"].pieces = spoken()  # type: ignore[assignment]
        answer = site.chat(f"{name}/m", stream=True)
        frames = []
        for line in answer.iter_lines(chunk_size=1):
            if line:
                frames.append(line)
                read.release()
        assert len(frames) == 22 and frames[-1] == b"data: [DONE]"


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_ends_its_call(site: Site, stream: bool) -> None:
    with scripted(site.gateway, "openai-compatible", free=True) as (provider, name):
        provider.scripts["m"] = Script.sse(WORD, 30.0) if stream else Script(pieces=[30.0], framing="raw")
        if stream:
            answer = site.chat(f"{name}/m", stream=True)
            assert next(answer.iter_lines())
            answer.close()
        else:
            with pytest.raises(requests.ReadTimeout):
                body = {"model": f"{name}/m", "messages": [{"role": "user", "content": "Hello!"}]}
                site.session.post(f"{site.url}/v1/chat/completions", json=body, timeout=1)
        wait_until(lambda: bool(provider.asked) and provider.asked[0].closed_at is not None, "the call went on")


def test_a_body_of_20_mb_goes_through(site: Site) -> None:
    with scripted(site.gateway, "openai-compatible", free=True) as (provider, name):
        reply = {"id": "x", "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}}]}
        provider.scripts["m"] = Script.json(reply)
        answer = site.chat(f"{name}/m", user="u" * 10, metadata={"x": "y"}, prediction="x" * (20 << 20))
        assert answer.status_code == 200, answer.text[:300]
        assert len(provider.last().body) > 20 << 20


@pytest.mark.parametrize("way", ["length", "chunked"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_body_that_is_too_large_is_refused_in_the_callers_words(site: Site, path: str, way: str) -> None:
    piece = b"x" * (1 << 20)
    body: Any = piece * 25 if way == "length" else iter([piece] * 25)
    answer = site.session.post(f"{site.url}{path}", data=body, timeout=60)
    assert answer.status_code == 413 and answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert str(MOST) in error["message"]
    assert error["type"] == ("request_too_large" if path.endswith("messages") else "invalid_request_error")


def test_errors_of_the_gateway_pass_as_they_are(site: Site) -> None:
    for path, status in (("/v1/nothing", 404), ("/v1/models/nothing", 404), ("/nothing", 404)):
        answer = site.session.get(f"{site.url}{path}", timeout=10)
        assert answer.status_code == status and answer.json()["error"]["code"] == status
    failing = site.chat("sandbox/error-502")
    assert failing.status_code == 502 and failing.json()["error"]["request_id"]


def test_a_handshake_of_a_websocket_reaches_the_gateway(site: Site) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "eA==",
    }
    answer = site.session.get(f"{site.url}/v1/realtime", headers=headers, timeout=10)
    assert answer.status_code == 404 and answer.headers["x-request-id"], "nothing is there yet, and the gateway says so"


def test_what_comes_through_nginx_is_not_this_machine(site: Site) -> None:
    refused = requests.get(f"{site.url}/metrics", verify=site.session.verify, timeout=10)
    assert refused.status_code == 401
    assert site.session.get(f"{site.url}/metrics", timeout=10).status_code == 200


def test_a_key_bound_to_addresses_sees_the_client(site: Site) -> None:
    _, near = site.gateway.account("1", addresses="127.0.0.0/8")
    _, far = site.gateway.account("1", addresses="192.0.2.0/24")
    url, verify = f"{site.url}/v1/models", site.session.verify
    statuses = []
    for key in (near, far):
        headers = {"Authorization": f"Bearer {key}"}
        statuses.append(requests.get(url, headers=headers, verify=verify, timeout=10).status_code)
        headers["X-Forwarded-For"] = "192.0.2.7"
        statuses.append(requests.get(url, headers=headers, verify=verify, timeout=10).status_code)
    assert statuses[:3] == [200, 403, 403], "the last address that is no proxy's counts"


def test_nothing_of_a_request_is_written_down(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    site.session.get(f"{site.url}/v1beta/models?key=sk-canary-in-a-query", timeout=10)
    folders = [path for path in tmp_path_factory.getbasetemp().glob("nginx*") if path.is_dir()]
    texts = [path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert texts and not any(b"sk-canary-in-a-query" in text for text in texts)


def test_without_a_gateway_nginx_says_so_in_json(certificate: Path, tmp_path: Path) -> None:
    program()
    with nginx(tmp_path, certificate, free_port()) as url:
        answer = requests.get(f"{url}/v1/models", verify=str(certificate), timeout=10)
        assert answer.status_code == 503 and answer.headers["retry-after"] == "2"
        assert answer.headers["content-type"] == "application/json" and answer.json()["error"]["code"] == 503
