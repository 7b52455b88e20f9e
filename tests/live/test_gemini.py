"""Gemini's paths as any HTTP client sees them, on a live gateway."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.gateway import Gateway
from tests.google import GeminiLab, gemini_lab
from tests.upstream import Script

HI = {"contents": [{"parts": [{"text": "one two three four"}]}]}


@pytest.fixture(scope="module")
def lab(sqlite_gateway: Gateway) -> Iterator[GeminiLab]:
    yield from gemini_lab(sqlite_gateway, free=False)


def texts(chunks: list[dict[str, Any]]) -> str:
    return "".join(part.get("text", "") for c in chunks for part in c["candidates"][0]["content"]["parts"])


def chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}}
    return {
        "candidates": [{**candidate, **({"finishReason": finish} if finish else {})}],
        "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 2, "totalTokenCount": 6},
        "responseId": "theirs",
    }


def sse(*chunks: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in chunks)


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/sandbox/echo", "/v1beta/models/sandbox%2Fecho", "/v1/models/sandbox/echo", "/v1alpha/models/sandbox/echo",
        "/v1beta/sandbox/echo", "/v1beta/publishers/sandbox/models/echo", "/v1beta/publishers/google/models/sandbox/echo",
        "/v1/models%2Fsandbox%2Fecho",
    ],
)  # fmt: skip
def test_every_way_to_name_a_model(sqlite_gateway: Gateway, path: str) -> None:
    answer = sqlite_gateway.post(f"{path}:generateContent", HI)
    body = answer.json()
    assert answer.status_code == 200 and texts([body]) == "one two three four"
    assert body["modelVersion"] == "sandbox/echo" and body["responseId"] == answer.headers["x-generation-id"]
    assert body["responseId"].startswith("gen_") and float(answer.headers["x-gateway-cost-usd"]) > 0
    assert body["usageMetadata"]["totalTokenCount"] > 0


def test_methods_and_models_that_are_none(sqlite_gateway: Gateway) -> None:
    for path in ("/v1beta/models/sandbox/echo:paint", "/v1beta/models/sandbox/echo", "/v1beta/nothing"):
        answer = sqlite_gateway.post(path, HI)
        assert answer.status_code in (404, 405) and answer.json()["error"]["status"] in ("NOT_FOUND", "UNIMPLEMENTED")
    answer = requests.post(
        f"{sqlite_gateway.url}/v1/cachedContents", json=HI, headers={"x-goog-api-key": sqlite_gateway.key}, timeout=60
    )
    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND"), (
        "to Google's client its own words"
    )
    for model in ("nobody/none", "tunedModels/none", "sandbox/none"):
        error = sqlite_gateway.post(f"/v1beta/{model}:generateContent", HI).json()["error"]
        assert (error["code"], error["status"]) == (404, "NOT_FOUND")
    assert sqlite_gateway.get("/v1/models/sandbox/echo").json()["object"] == "model"


def test_keys_in_all_their_places(sqlite_gateway: Gateway) -> None:
    path, key = f"{sqlite_gateway.url}/v1beta/models/sandbox/echo:generateContent", sqlite_gateway.key
    for headers, query in (({"x-goog-api-key": key}, {}), ({"Authorization": f"Bearer {key}"}, {}), ({}, {"key": key})):
        assert requests.post(path, json=HI, headers=headers, params=query, timeout=30).status_code == 200
    for headers, query in (({}, {}), ({"x-goog-api-key": "no"}, {}), ({}, {"key": "no-such-key-in-the-query"})):
        answer = requests.post(path, json=HI, headers=headers, params=query, timeout=30)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["status"]) == (401, 401, "UNAUTHENTICATED")
        (request_id,) = [d["requestId"] for d in error["details"] if "requestId" in d]
        assert request_id == answer.headers["x-request-id"]
    chat = f"{sqlite_gateway.url}/v1/chat/completions"
    assert requests.post(chat, json={}, params={"key": key}, timeout=30).status_code == 401, "Gemini's paths only"
    log = sqlite_gateway.log.read_text()
    assert key not in log and "no-such-key-in-the-query" not in log


def test_a_stream_as_sse(sqlite_gateway: Gateway) -> None:
    for options in ({"params": {"alt": "sse"}}, {"headers": {"Accept": "text/event-stream"}}):
        _, key = sqlite_gateway.account("1")
        path = "/v1beta/models/sandbox/echo:streamGenerateContent"
        answer = sqlite_gateway.post(path, HI, key, **options)
        assert answer.headers["content-type"].startswith("text/event-stream")
        frames = answer.content.split(b"\r\n\r\n")
        assert frames.pop() == b"" and all(frame.startswith(b"data: {") and b"\n" not in frame for frame in frames)
        chunks = [json.loads(frame[6:]) for frame in frames]
        assert len(chunks) > 2 and texts(chunks) == "one two three four"
        assert [c["candidates"][0].get("finishReason") for c in chunks] == [None] * (len(chunks) - 1) + ["STOP"]
        assert {(c["responseId"], c["modelVersion"]) for c in chunks} == {
            (answer.headers["x-generation-id"], "sandbox/echo")
        }
        left = sqlite_gateway.credits(key)
        assert left["held"] == 0 and left["balance"] < 1, "the last frame came after the charge"


def test_a_stream_as_an_array(lab: GeminiLab) -> None:
    model = lab.model(Script.sse(sse(chunk("a")), 0.8, sse(chunk("b", "STOP"))))
    url = f"{lab.gateway.url}/v1beta/models/{model}:streamGenerateContent"
    with requests.post(url, json=HI, headers={"x-goog-api-key": lab.gateway.key}, stream=True, timeout=30) as answer:
        assert answer.headers["content-type"].startswith("application/json")
        pieces = [piece for piece in answer.iter_content(None) if piece]
    assert len(pieces) > 1 and pieces[0].startswith(b'[{"candidates"'), "it comes piecemeal"
    chunks = json.loads(b"".join(pieces))
    assert texts(chunks) == "ab" and chunks[1]["candidates"][0]["finishReason"] == "STOP"
    assert {c["responseId"] for c in chunks} == {answer.headers["x-generation-id"]}
    assert lab.asked(model)[0].path.endswith(":streamGenerateContent?alt=sse")


def test_errors_in_an_array(lab: GeminiLab) -> None:
    answer = lab.post("sandbox/error-503", "streamGenerateContent", HI)
    assert answer.status_code == 503 and answer.json()[0]["error"]["status"] == "UNAVAILABLE"
    assert lab.post("sandbox/error-503", "streamGenerateContent?alt=sse", HI).json()["error"]["code"] == 503
    broken = lab.post(lab.model(Script.sse(sse(chunk("a")))), "streamGenerateContent", HI)
    first, error = broken.json()
    assert broken.status_code == 200 and texts([first]) == "a" and error["error"]["code"] == 502
    no_key = requests.post(f"{lab.gateway.url}/v1beta/models/sandbox/echo:streamGenerateContent", json=HI, timeout=30)
    assert no_key.status_code == 401 and no_key.json()[0]["error"]["status"] == "UNAUTHENTICATED"


def test_silence_in_an_array_is_space(lab: GeminiLab) -> None:
    model = lab.model(Script.sse(5.5, sse(chunk("a", "STOP"))))
    answer = lab.post(model, "streamGenerateContent", HI)
    assert answer.content.startswith(b"\n") and texts(answer.json()) == "a"


def test_a_light_wallet_lowers_the_nested_limit(lab: GeminiLab) -> None:
    _, key = lab.gateway.account("0.001")
    model = lab.model(Script.json(chunk("a", "STOP")))
    answer = lab.gateway.post(
        f"/v1beta/models/{model}:generateContent", {**HI, "generation_config": {"temperature": 1, "max_output_tokens": 9_000}}, key
    )  # fmt: skip
    assert answer.status_code == 200
    sent = lab.asked(model)[0].json
    assert (
        256 <= sent["generation_config"]["max_output_tokens"] < 9_000 and sent["generation_config"]["temperature"] == 1
    )


def test_counting(lab: GeminiLab) -> None:
    body = {"totalTokens": 7, "promptTokensDetails": []}
    model = lab.model(Script.json({}), count=Script.json(body))
    answer = lab.post(model, "countTokens", {"generateContentRequest": {"model": f"models/{model}", **HI}})
    assert answer.json() == body and "x-gateway-estimated" not in answer.headers
    assert lab.asked(model)[0].json["generateContentRequest"]["model"] == f"models/{model.split('/')[1]}"
    for other in ("sandbox/echo", lab.model(Script.json({}), count=Script.json({"error": {"message": "no"}}, 404))):
        guess = lab.post(other, "countTokens", HI)
        assert guess.json()["totalTokens"] > 4 and guess.headers["x-gateway-estimated"] == "1"
    refused = Script.json({"error": {"code": 400, "message": "what is that", "status": "INVALID_ARGUMENT"}}, 400)
    told = lab.post(lab.model(Script.json({}), count=refused), "countTokens", HI)
    assert (told.status_code, told.json()["error"]["message"]) == (400, "what is that")
    assert lab.post("nobody/none", "countTokens", HI).status_code == 404
    assert lab.post(model, "countTokens", {}).status_code == 400


def test_what_is_wrong_is_named_as_it_was_spelled(sqlite_gateway: Gateway) -> None:
    for body, field in (
        ({}, "contents"), ({**HI, "generation_config": {"max_output_tokens": 0}}, "generation_config.max_output_tokens"),
        ({**HI, "fileData": 1, "contents": [{"parts": [{"file_data": {"file_uri": "gs://b/o"}}]}]}, "contents[0].parts[0].file_data.file_uri"),
    ):  # fmt: skip
        error = sqlite_gateway.post("/v1beta/models/sandbox/echo:generateContent", body).json()["error"]
        (violation,) = [d["fieldViolations"][0] for d in error["details"] if "fieldViolations" in d]
        assert violation["field"] == field and error["code"] in (400, 404)


def test_hosted_tools_have_no_price(lab: GeminiLab) -> None:
    model = lab.model(Script.json(chunk("a", "STOP")))
    error = lab.post(model, "generateContent", {**HI, "tools": [{"google_search": {}}]}).json()["error"]
    assert error["code"] == 400 and re.search(r"tools\[0\]\.googleSearch", error["message"]) and not lab.asked(model)
