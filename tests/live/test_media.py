"""URLs in calls, on a live gateway: nobody is led into a private network, and what a leg needs is fetched."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Lab
from tests.gateway import Gateway
from tests.google import GeminiLab, gemini_lab
from tests.upstream import Script, Upstream, upstream

REPLY = {
    "id": "x", "model": "x", "choices": [{"index": 0, "message": {"role": "assistant", "content": "seen"},
    "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1},
}  # fmt: skip


def looking_at(url: str) -> list[dict[str, Any]]:
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    return [{"role": "user", "content": content}]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/x.png", "http://localhost:{port}/", "http://[::1]/", "x.png"])
def test_private_addresses_are_refused_before_anything_else(lab: Lab, url: str, stream: bool) -> None:
    _, key = lab.gateway.account("1")
    model = lab.model(Script.json(REPLY))
    before = len(lab.provider.asked)
    body = {"model": model, "messages": looking_at(url.format(port=lab.provider.port)), "stream": stream}
    answer = lab.gateway.post("/v1/chat/completions", body, key)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"] == "messages[0].content[1].image_url"
    assert len(lab.provider.asked) == before
    left = lab.gateway.credits(key)
    assert (left["balance"], left["held"]) == (1, 0)


INNER = "http://10.0.0.1/x"
_SOUND = {"data": base64.b64encode(b"RIFF" + bytes(60)).decode(), "format": "wav"}


def _seen(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize(
    ("path", "model", "body", "field"),
    [
        ("chat/completions", "echo", {"messages": [{"role": "user", "content": "a", "image_url": INNER}]},
         "messages[0].image_url"),
        ("chat/completions", "echo", {"messages": [{"role": "user", "content": "a", "images": [INNER]}]},
         "messages[0].images[0]"),
        ("chat/completions", "echo", _seen({"type": "image", "image": INNER}), "messages[0].content[0].image"),
        ("chat/completions", "echo", _seen({"type": "file", "file": {"url": INNER}}), "messages[0].content[0].file.url"),
        ("chat/completions", "echo", _seen({"type": "input_audio", "input_audio": {"data": INNER}}),
         "messages[0].content[0].input_audio.data"),
        ("chat/completions", "echo", _seen({"type": "text", "text": "a", "image_url": {"url": INNER}}),
         "messages[0].content[0].image_url.url"),
        ("chat/completions", "echo", {**_seen({"type": "text", "text": "a"}), "documents": [{"file_url": INNER}]},
         "documents[0].file_url"),
        ("chat/completions", "echo", {**_seen({"type": "text", "text": "a"}), "tools": [{"type": "mcp", "url": INNER}]},
         "tools[0].url"),
        ("responses", "echo", {"input": [{"role": "user", "content": [{"type": "input_file", "file_data": INNER}]}]},
         "input[0].content[0].file_data"),
        ("responses", "echo", {"input": "a", "audio": {"audio_url": INNER}}, "audio.audio_url"),
        ("messages", "echo", {"max_tokens": 9, **_seen({"type": "text", "text": "a"}), "files": [{"file_url": INNER}]},
         "files[0].file_url"),
        ("models/sandbox/echo:generateContent", "echo", {"contents": [{"parts": [{"text": "a"}]}], "x": {"fileUri": INNER}},
         "x.fileUri"),
        ("completions", "echo", {"prompt": "a", "image_url": INNER}, "image_url"),
        ("embeddings", "embed", {"input": "a", "images": [INNER]}, "images[0]"),
        ("audio/speech", "tts", {"input": "a", "voice": INNER}, "voice"),
        ("audio/transcriptions", "stt", {"input_audio": _SOUND, "url": INNER}, "url"),
        ("moderations", "moderation", {"input": "a", "image": {"at": INNER}}, "image.at"),
        ("moderations", "moderation", {"input": [{"type": "text", "text": "a", "image": INNER}]}, "input[0].image"),
    ],
)  # fmt: skip
def test_no_field_leads_a_provider_into_a_private_network(
    sqlite_gateway: Gateway, path: str, model: str, body: dict[str, Any], field: str
) -> None:
    """Whatever it is called: servers of one's own look at more than vendors list."""
    refused = sqlite_gateway.post(f"/v1/{path}", {"model": f"sandbox/{model}", **body})
    assert refused.status_code == 400 and refused.json()["error"]["message"].startswith(f"{field} must not"), (
        refused.text
    )


def test_what_only_looks_like_an_address_passes(sqlite_gateway: Gateway) -> None:
    """Texts, notes, arguments and schemas are fetched by nobody."""
    call = {"id": "a", "type": "function", "function": {"name": "open", "arguments": json.dumps({"url": INNER})}}
    schema = {"type": "object", "properties": {"image_url": {"type": "string", "default": INNER}}}
    body = {
        "model": "sandbox/echo", "metadata": {"image_url": INNER}, "user": INNER, "stop": INNER,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": INNER}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "a", "content": INNER},
        ],
        "tools": [{"type": "function", "function": {"name": "open", "parameters": schema}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
    }  # fmt: skip
    answer = sqlite_gateway.post("/v1/chat/completions", body)
    assert answer.status_code == 200, answer.text
    answer = sqlite_gateway.post("/v1/embeddings", {"model": "sandbox/embed", "input": INNER, "user": INNER})
    assert answer.status_code == 200, answer.text


def test_files_by_address_are_screened_and_weighed(lab: Lab) -> None:
    """OpenRouter's clients write an address where others put a file's data; the hold is for a whole window then."""
    model = lab.model(Script.json(REPLY))
    _, light = lab.gateway.account("0.01")
    for data, status in (("http://10.0.0.1/a.pdf", 400), ("https://8.8.8.8/a.pdf", 402), ("JVBERi0xLjQK", 200)):
        content = [{"type": "file", "file": {"filename": "a.pdf", "file_data": data}}]
        body = {"model": model, "messages": [{"role": "user", "content": content}]}
        answer = lab.gateway.post("/v1/chat/completions", body, light)
        assert answer.status_code == status, answer.text
        if status == 400:
            assert answer.json()["error"]["param"] == "messages[0].content[0].file.file_data"


def test_names_unknown_here_are_the_providers_business(lab: Lab) -> None:
    model = lab.model(Script.json(REPLY))
    for url in ("https://pictures.invalid/cat.png", "https://8.8.8.8/cat.png"):
        body = {"model": model, "messages": looking_at(url)}
        assert lab.gateway.post("/v1/chat/completions", body).status_code == 200
        assert lab.provider.last().json["messages"] == body["messages"]


@pytest.fixture(scope="module")
def fetching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, GeminiLab, Upstream]]:
    """A gateway that may fetch from this machine, a provider of Google's behind it, and a site with pictures."""
    with Gateway(tmp_path_factory.mktemp("fetching"), GATEWAY_FETCH_ALLOW="127.0.0.0/8") as gateway, upstream() as site:
        for lab in gemini_lab(gateway, free=False):
            yield gateway, lab, site


PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
GOOGLE_REPLY = {
    "candidates": [{"content": {"parts": [{"text": "seen"}], "role": "model"}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 260, "candidatesTokenCount": 1, "totalTokenCount": 261},
}


@pytest.mark.parametrize("stream", [False, True])
def test_a_leg_that_takes_no_address_gets_the_picture(
    fetching: tuple[Gateway, GeminiLab, Upstream], stream: bool
) -> None:
    gateway, lab, site = fetching
    site.answer = lambda asked: Script(200, {"content-type": "image/png"}, [0.2, PNG])
    frame = b"data: " + json.dumps(GOOGLE_REPLY).encode() + b"\r\n\r\n"
    model = lab.model(Script.sse(frame) if stream else Script.json(GOOGLE_REPLY))
    body = {"model": model, "messages": looking_at(f"{site.url}/cat.png"), "stream": stream}
    answer = gateway.post("/v1/chat/completions", body)
    assert answer.status_code == 200 and "seen" in answer.text
    (asked,) = lab.asked(model)
    parts = asked.json["contents"][0]["parts"]
    assert parts[1]["inlineData"] == {"mimeType": "image/png", "data": base64.b64encode(PNG).decode()}
    assert not {"authorization", "x-goog-api-key", "cookie"} & set(site.last().headers)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "script",
    [
        Script(404, {"content-type": "text/plain"}, [b"inner secret"]),
        Script(200, {"content-type": "text/html"}, [b"<html>inner secret"]),
        Script(302, {"location": "http://10.0.0.1/inner"}, []),
        Script(200, {"content-type": "image/png", "content-length": str(1 << 40)}, [PNG], "close"),
    ],
    ids=["missing", "no picture", "into a private network", "too large"],
)
def test_what_cannot_be_fetched_is_the_callers_to_mend(
    fetching: tuple[Gateway, GeminiLab, Upstream], script: Script, stream: bool
) -> None:
    gateway, lab, site = fetching
    _, key = gateway.account("1")
    site.answer = lambda asked: script
    model = lab.model(Script.json(GOOGLE_REPLY))
    body = {"model": model, "messages": looking_at(f"{site.url}/x"), "stream": stream}
    answer = gateway.post("/v1/chat/completions", body, key)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"] == "messages[0].content[1].image_url" and "secret" not in answer.text
    assert not lab.asked(model)
    left = gateway.credits(key)
    assert (left["balance"], left["held"]) == (1, 0)


def test_a_site_that_trickles_is_given_up(fetching: tuple[Gateway, GeminiLab, Upstream]) -> None:
    """Pings go on meanwhile, so the client sees that it is being served; then the error is told in the stream."""
    gateway, lab, site = fetching
    site.answer = lambda asked: Script(200, {"content-type": "image/png"}, [b"x", 0.5] * 100, "chunked")
    body = {"model": lab.model(Script.json(GOOGLE_REPLY)), "messages": looking_at(f"{site.url}/x"), "stream": True}
    began = time.monotonic()
    answer = gateway.post("/v1/chat/completions", body)
    assert 15 < time.monotonic() - began < 25
    assert answer.status_code == 200 and answer.text.startswith(": ping")
    assert json.loads(answer.text.rpartition("data: ")[2])["error"]["param"] == "messages[0].content[1].image_url"
