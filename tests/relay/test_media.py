"""What callers' URLs point to, on its way into a call."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from gateway import config
from gateway.call import Ask, Call, Fault
from gateway.dialects import bridge
from gateway.errors import GatewayError
from gateway.neutral.parts import Bytes, Media
from gateway.relay import media
from tests import made
from tests.upstream import Asked, Script, Upstream, upstream

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
LEG = made.leg("gemini", "m")
FILES = {
    "/a.png": Script(200, {"content-type": "image/png"}, [PNG]),
    "/untold": Script(200, {}, [PNG]),
    "/stream": Script(200, {"content-type": "application/octet-stream"}, [b"RIFF\0\0\0\0WEBPVP8 "]),
    "/page": Script(200, {"content-type": "text/html; charset=utf-8"}, [b"<html>"]),
    "/none": Script(404, {"content-type": "text/plain"}, [b"secret of this host"]),
    "/in": Script(302, {"location": "http://10.0.0.1/"}, []),
}


@pytest.fixture
def site() -> Iterator[Upstream]:
    config.use(config.load({"GATEWAY_FETCH_ALLOW": "127.0.0.0/8"}))

    def answer(asked: Asked) -> Script:
        return FILES.get(asked.path) or Script(200, {"content-type": "image/png"}, [asked.path.encode()])

    with upstream() as server:
        server.answer = answer
        yield server


def asked_for(*urls: str) -> Call:
    named = tuple((url, f"messages[{place}].image_url") for place, url in enumerate(urls))
    return made.call("chat", "chatcmpl-1", b"{}", Ask(model="far/m", urls=named))


def fetched(monkeypatch: pytest.MonkeyPatch, kind: str, *urls: str) -> Call:
    monkeypatch.setattr(bridge, "to_fetch", lambda call, leg: dict.fromkeys(urls, kind))
    call = asked_for(*urls)
    media.fetch(call, LEG)
    return call


def test_files_come_with_their_types(site: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = [site.url + path for path in ("/a.png", "/untold", "/stream")]
    call = fetched(monkeypatch, "image", *urls)
    assert [call.fetched[url].media_type for url in urls] == ["image/png", "image/png", "image/webp"]
    picture = call.fetched[urls[0]]
    assert picture == Media(kind="image", source=Bytes(base64=base64.b64encode(PNG).decode()), media_type="image/png")
    media.fetch(call, LEG)
    assert len(site.asked) == 3, "once is enough, for all legs"
    assert fetched(monkeypatch, "file", site.url + "/page").fetched[site.url + "/page"].media_type == "text/html"


def test_many_files(site: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = [f"{site.url}/{number}" for number in range(20)]
    call = fetched(monkeypatch, "image", *urls)
    got = [call.fetched[url].source for url in urls]
    assert got == [Bytes(base64=base64.b64encode(f"/{number}".encode()).decode()) for number in range(20)]


@pytest.mark.parametrize("path", ["/none", "/page", "/in"])
def test_what_cannot_be_had_names_its_field(site: Upstream, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    with pytest.raises(Fault) as raised:
        fetched(monkeypatch, "image", site.url + "/a.png", site.url + path)
    fault = raised.value
    assert (fault.cause, fault.status, fault.param) == ("request", 400, "messages[1].image_url")
    assert fault.message.startswith("messages[1].image_url ") and "secret" not in fault.message


def test_too_much_in_all(site: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MOST_FILES", 25)
    with pytest.raises(Fault) as raised:
        fetched(monkeypatch, "image", site.url + "/a.png", site.url + "/untold")
    assert raised.value.param == "messages[1].image_url"


def test_screening(site: Upstream) -> None:
    media.screen(asked_for(site.url + "/x", "http://unknown.invalid/x", "http://8.8.8.8/"))
    assert not site.asked, "nothing is fetched to look at an address"
    for url in ("http://192.168.0.1/", "ftp://8.8.8.8/", "not a url"):
        for urls in ((url,), ("http://8.8.8.8/", url, "http://10.0.0.1/")):
            with pytest.raises(GatewayError) as raised:
                media.screen(asked_for(*urls))
            where = f"messages[{urls.index(url)}].image_url"
            assert (raised.value.status, raised.value.param) == (400, where)
            assert raised.value.message.startswith(where)
    with pytest.raises(GatewayError):
        media.screen(asked_for(*(f"http://8.8.8.8/{number}" for number in range(media.MOST_URLS + 1))))
