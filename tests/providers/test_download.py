"""Fetching what callers point to: what may be named, what is connected to, what is kept."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import config
from gateway.providers import download
from gateway.providers.download import Failed, Forbidden, check, safe_fetch
from tests.providers.test_transport import secure
from tests.upstream import Asked, Script, Upstream, upstream

HERE = (ipaddress.ip_network("127.0.0.0/8"),)
PUBLIC = "93.184.216.34"


@pytest.fixture(autouse=True)
def settings() -> None:
    config.use(config.load({}))
    download._tls.cache_clear()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """A resolver of the test's own: name → its addresses at the first look-up, at the second, …; unknown: none."""
    known: dict[str, list[list[str]]] = {}

    real = socket.getaddrinfo

    def look_up(host: str, *rest: Any, **more: Any) -> list[Any]:
        if host.strip("[]").replace(".", "").isdecimal() or ":" in host:
            return real(host, *rest, **more)  # for who connects
        answers = known.get(host)
        if not answers:
            raise socket.gaierror(-2, "unknown")
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET6 if ":" in a else socket.AF_INET, 1, 6, "", (a, 0)) for a in addresses]

    monkeypatch.setattr(download.socket, "getaddrinfo", look_up)
    return known


@pytest.fixture
def site() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://example.com/x", "gopher://example.com/", "javascript:alert(1)", "//example.com/x",
        "example.com/x.png", "", "http://", "http:///x", "http://user@example.com/", "http://user:pw@example.com/",
        "http://example.com@127.0.0.1/", "http://example.com\\@127.0.0.1/", "http://exa mple.com/",
        "http://example.com/\r\nHost: x", "http://example.com:22/", "http://example.com:0/", "http://example.com:99999/",
        "http://example.com:x/", "http://.example.com/", "http://a..b/", "http://exam%70le.com/", "http://-x.com/",
        "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/",
        "http://0177.0.0.1/", "http://017700000001/", "http://127.0.0.1./", "http://1.2.3/", "http://134744072/",
        "http://010.8.8.8/", "http://256.1.1.1/", "http://1.2.3.4.5/", "http://0x/", "http://8.8.8.0x8/",
        "http://0.0.0.0/", "http://0/", "http://10.1.2.3/", "http://100.64.0.1/", "http://100.127.255.254/",
        "http://169.254.169.254/latest/meta-data", "http://172.16.0.1/", "http://172.31.255.255/",
        "http://192.168.1.1/", "http://192.0.0.192/", "http://198.18.0.1/", "http://192.0.2.1/", "http://224.0.0.1/",
        "http://240.0.0.1/", "http://255.255.255.255/", "http://168.63.129.16/", "http://192.88.99.1/",
        "http://[::]/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[64:ff9b::10.0.0.1]/",
        "http://[64:ff9b:1::808:808]/", "http://[2002:7f00:1::]/", "http://[2002:808:808::1]/",
        "http://[2001:0:7f00:1::]/", "http://[2001:db8::1]/", "http://[fe80::1]/", "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/", "http://[fc00::1]/", "http://[fd00:ec2::254]/", "http://[ff02::1]/",
        "http://[fec0::1]/", "http://[3fff::1]/", "http://[100::1]/", "http://[::1/", "http://[2606:4700::1]x/",
        "http://localhost/", "http://LOCALHOST:8080/", "http://a.localhost/", "http://printer/",
        "http://metadata.google.internal/", "http://nas.local/", "http://router.home.arpa/",
        "http://１２７.0.0.1/", "http://①②⑦.0.0.1/", "http://127。0。0。1/", "http://ⓛocalhost/",
        "http://" + "a." * 130 + "com/", "http://" + "a" * 64 + ".com/", "http://example.com/" + "x" * 9_000,
    ],
)  # fmt: skip
def test_what_may_not_be_named(url: str, names: dict[str, list[list[str]]]) -> None:
    with pytest.raises(Forbidden):
        check(url)


def test_what_may_be_named(names: dict[str, list[list[str]]]) -> None:
    names |= {"example.com": [[PUBLIC]], "xn--bcher-kva.example": [[PUBLIC]], "six.example": [["2606:2800::1"]]}
    found = check("HTTPS://Example.COM./a b".replace(" ", "%20") + "?q=ü#part")
    assert found == ("https", "example.com", 443, "/a%20b?q=%C3%BC", (ipaddress.ip_address(PUBLIC),))
    assert check("http://bücher.example").host == "xn--bcher-kva.example"
    assert check("http://six.example:8080/").port == 8080
    assert check("http://8.8.8.8/").addresses == (ipaddress.ip_address("8.8.8.8"),)
    assert check("http://[2606:4700:4700::1111]/").host == "[2606:4700:4700::1111]"
    assert check("http://[::ffff:8.8.8.8]/").addresses and check("http://[64:ff9b::808:808]/").addresses
    assert check("http://unknown.example/x").addresses == (), "a provider may know it"


@pytest.mark.parametrize("bad", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"])
def test_one_private_address_spoils_a_name(bad: str, names: dict[str, list[list[str]]]) -> None:
    names["two.example"] = [[PUBLIC, bad]]
    with pytest.raises(Forbidden):
        check("http://two.example/")


def test_networks_that_the_operator_allows(names: dict[str, list[list[str]]]) -> None:
    names["localhost"] = [["127.0.0.1"]]
    names["nas.local"] = [["192.168.7.2", "192.168.8.2"]]
    for url in ("http://127.0.0.1:9000/", "http://localhost:9000/", "http://[::ffff:127.0.0.1]:9000/"):
        assert check(url, allow=HERE).addresses
    for url in ("http://10.0.0.1/", "http://[::1]/", "http://nas.local/"):
        with pytest.raises(Forbidden):
            check(url, allow=(*HERE, ipaddress.ip_network("192.168.7.0/24")))


def fetch(url: str, **more: Any) -> tuple[str, bytes]:
    return safe_fetch(url, **{"most_bytes": 1_000, "allow": HERE, "timeout_s": 5.0, **more})


def test_content_and_its_type(site: Upstream, names: dict[str, list[list[str]]]) -> None:
    names["pictures.example"] = [["127.0.0.1"]]
    site.answer = lambda asked: Script(200, {"content-type": "image/png; x=1"}, [b"abc", b"def"], "chunked")
    assert fetch(f"http://pictures.example:{site.port}/a.png?b=c") == ("image/png; x=1", b"abcdef")
    asked = site.last()
    assert (asked.method, asked.path, asked.body) == ("GET", "/a.png?b=c", b"")
    assert asked.headers["host"] == f"pictures.example:{site.port}"
    assert not {"authorization", "cookie", "x-api-key", "referer", "proxy-authorization"} & set(asked.headers)
    site.answer = lambda asked: Script(200, {}, [b"abc"], "close")
    assert fetch(f"{site.url}/") == ("", b"abc")


def test_a_name_cannot_change_its_mind(site: Upstream, names: dict[str, list[list[str]]]) -> None:
    """Looked up once: what was checked is what is connected to, whatever the name says a moment later."""
    site.answer = lambda asked: Script(200, {}, [b"secret"], "length")
    names["turncoat.example"] = [["127.9.9.9"], ["127.0.0.1"]]
    with pytest.raises(Failed):
        fetch(f"http://turncoat.example:{site.port}/")  # nobody listens at the first address
    assert not site.asked


def test_each_redirect_is_checked(site: Upstream, names: dict[str, list[list[str]]]) -> None:
    def answer(asked: Asked) -> Script:
        left = int(asked.path[1:])
        to = {"location": f"/{left - 1}"} if left else {}
        return Script(302 if left else 200, to, [b"there"], "length")

    site.answer = answer
    assert fetch(f"{site.url}/3")[1] == b"there"
    with pytest.raises(Failed):
        fetch(f"{site.url}/4")
    for place in ("http://10.0.0.1/", "http://[::1]/", "file:///etc/passwd", "http://u@127.0.0.1/", "http://0x7f.1/"):
        site.answer = lambda asked, place=place: Script(307, {"location": place}, [b"x"], "length")
        with pytest.raises(Forbidden):
            fetch(f"{site.url}/")


@pytest.mark.parametrize(
    "script",
    [
        Script(404, {}, [b"none"]), Script(204, {}, []), Script(206, {}, [b"x"]), Script(302, {}, [b"no place"]),
        Script(200, {"content-encoding": "gzip"}, [b"x"]), Script(200, {}, [b"x" * 1_001]),
        Script(200, {}, [b"x" * 600, b"y" * 600], "chunked"), Script(200, {}, [b"x" * 1_001], "close"),
        Script(200, {"content-length": "100"}, [b"x"], "chunked", "reset"), Script(framing="raw", pieces=[b"SSH-2.0\r\n"]),
    ],
)  # fmt: skip
def test_what_cannot_be_taken(site: Upstream, script: Script) -> None:
    site.answer = lambda asked: script
    with pytest.raises(Failed) as failed:
        fetch(f"{site.url}/")
    assert str(site.port) not in str(failed.value)


def test_no_proxy_of_the_environment(site: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    site.answer = lambda asked: Script(200, {}, [b"straight"])
    assert fetch(f"{site.url}/")[1] == b"straight"
    assert site.last().path == "/"


def test_through_the_operators_proxy(site: Upstream, names: dict[str, list[list[str]]]) -> None:
    names["far.example"] = [[PUBLIC]]
    config.use(config.load({"GATEWAY_PROXY": f"http://me:pass@127.0.0.1:{site.port}"}))
    site.answer = lambda asked: Script(200, {}, [b"far"])
    assert fetch("http://far.example/x")[1] == b"far"
    asked = site.last()
    assert asked.path == f"http://{PUBLIC}:80/x" and asked.headers["host"] == "far.example"
    assert asked.headers["proxy-authorization"].startswith("Basic ")


def test_tls_is_held_against_the_name(site: Upstream, certificate: Path, names: dict[str, list[list[str]]]) -> None:
    secure(site, certificate)
    site.answer = lambda asked: Script(200, {}, [b"safe"])
    names |= {"secure.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]}
    with pytest.raises(Failed):
        fetch(f"https://secure.example:{site.port}/")  # nobody vouches for it
    config.use(config.load({"GATEWAY_CA_FILE": str(certificate)}))
    download._tls.cache_clear()
    assert fetch(f"https://secure.example:{site.port}/")[1] == b"safe"
    assert fetch(f"https://127.0.0.1:{site.port}/")[1] == b"safe"
    with pytest.raises(Failed):
        fetch(f"https://other.example:{site.port}/")
