"""Errors in the caller's own dialect: every surface, every status, before and inside a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.conftest import Lab
from tests.upstream import Script

SURFACES = ("chat", "responses", "messages", "gemini")
STATUSES = {
    # provider's status → (ours, OpenAI's type, Anthropic's type, Google's status)
    400: (400, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    401: (503, "api_error", "api_error", "UNAVAILABLE"),
    402: (503, "api_error", "api_error", "UNAVAILABLE"),
    403: (503, "api_error", "api_error", "UNAVAILABLE"),
    404: (404, "not_found_error", "not_found_error", "NOT_FOUND"),
    413: (413, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT"),
    422: (422, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    429: (429, "rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"),
    500: (500, "api_error", "api_error", "INTERNAL"),
    502: (502, "api_error", "api_error", "UNAVAILABLE"),
    503: (503, "api_error", "api_error", "UNAVAILABLE"),
    504: (504, "api_error", "timeout_error", "DEADLINE_EXCEEDED"),
    529: (429, "rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"),
}


def ask(lab: Lab, surface: str, model: str, key: str | None = None, **more: Any) -> requests.Response:
    """The smallest call of a surface. more: `stream`, or further members of the body."""
    stream = more.pop("stream", False)
    said = {"role": "user", "content": "hi"}
    if surface == "gemini":
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        body: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], **more}
        return lab.gateway.post(f"/v1beta/models/{model}:{method}", body, key)
    path, body = {
        "chat": ("/v1/chat/completions", {"messages": [said]}),
        "responses": ("/v1/responses", {"input": "hi"}),
        "messages": ("/v1/messages", {"messages": [said], "max_tokens": 50}),
    }[surface]
    return lab.gateway.post(path, {"model": model, **body, **({"stream": True} if stream else {}), **more}, key)


def check(surface: str, answer: requests.Response, status: int, types: tuple[str, str, str]) -> str:
    """The envelope of a surface; its message."""
    openai, anthropic, google = types
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    body = body[0] if isinstance(body, list) else body
    request_id = answer.headers["x-request-id"]
    if surface == "messages":
        assert body["type"] == "error" and body["error"]["type"] == anthropic, body
        assert body["request_id"] == answer.headers["request-id"] == request_id
    elif surface == "gemini":
        assert body["error"]["code"] == status and body["error"]["status"] == google, body
    else:
        assert body["error"]["code"] == status and body["error"]["type"] == openai, body
        assert body["error"]["request_id"] == request_id
    message: str = body["error"]["message"]
    assert len(message) > 10
    return message


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("surface", SURFACES)
def test_names_that_callers_make_up_are_not_repeated(lab: Lab, surface: str, stream: bool) -> None:
    """They would break the header that tells of losses, and would be kept with the receipt."""
    made_up = {"x\r\nSet-Cookie: a=b": 1, "canary of zebras": 1, "\u4e2d": 1, **{f"m{n}": 1 for n in range(19_000)}}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
             "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}  # fmt: skip
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m",
             "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}  # fmt: skip
    script = (
        Script.sse(b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n") if stream else Script.json(whole)
    )
    answer = ask(lab, surface, lab.model(script), stream=stream, **made_up)
    assert answer.status_code == 200, answer.text
    told = answer.headers.get("x-gateway-losses", "")
    assert "zebra" not in told and "set-cookie" not in answer.headers and len(told) < 3_000
    assert ("other=drop" in told) == (surface != "chat")
    receipt = lab.gateway.get("/v1/generation", params={"id": answer.headers["x-generation-id"]}).text
    assert "zebra" not in receipt and len(receipt) < 10_000


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("surface", SURFACES)
def test_what_a_provider_refuses(lab: Lab, surface: str, stream: bool) -> None:
    """A provider that speaks Chat behind each surface: its status becomes ours, in the caller's envelope."""
    for status, (ours, *types) in STATUSES.items():
        words = {"error": {"message": f"the reason is {status}", "type": "x", "param": None, "code": None}}
        answer = ask(lab, surface, lab.model(Script.json(words, status)), stream=stream)
        if status == 529 and surface == "messages":
            ours, types = 529, ["", "overloaded_error", ""]
        message = check(surface, answer, ours, tuple(types))  # type: ignore[arg-type]
        assert (f"the reason is {status}" in message) == (status in (400, 404, 413, 422))


@pytest.mark.parametrize("surface", SURFACES)
def test_what_the_gateway_refuses(lab: Lab, surface: str) -> None:
    good = lab.model(Script.json({}))
    check(
        surface,
        ask(lab, surface, good, "sk-getgpt-none"),
        401,
        ("authentication_error", "authentication_error", "UNAUTHENTICATED"),
    )
    check(surface, ask(lab, surface, "lab/none"), 404, ("not_found_error", "not_found_error", "NOT_FOUND"))
    _, poor = lab.gateway.account(None)
    check(surface, ask(lab, surface, good, poor), 402, ("insufficient_credits", "billing_error", "RESOURCE_EXHAUSTED"))
    _, narrow = lab.gateway.account("1", models="openai/*")
    check(surface, ask(lab, surface, good, narrow), 403, ("permission_error", "permission_error", "PERMISSION_DENIED"))
    wrong = {"contents": []} if surface == "gemini" else {"input": []} if surface == "responses" else {"messages": []}
    check(
        surface,
        ask(lab, surface, good, **wrong),
        400,
        ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    )
    path = "/v1beta/models/x:generateContent" if surface == "gemini" else {
        "chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}[surface]  # fmt: skip
    broken = lab.gateway.post(path, b"{")
    check(surface, broken, 400, ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"))


@pytest.mark.parametrize("surface", SURFACES)
def test_an_error_within_a_stream(lab: Lab, surface: str) -> None:
    """After a real frame the error is the stream's last event, in the caller's own form, and nothing looks finished."""
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
             "choices": [{"index": 0, "delta": {"role": "assistant", "content": "some words"}, "finish_reason": None}]}  # fmt: skip
    script = Script.sse(
        b"data: " + json.dumps(chunk).encode() + b"\n\n", b'data: {"error":{"message":"gone","code":500}}\n\n'
    )
    text = ask(lab, surface, lab.model(script), stream=True).content.decode()
    assert "some words" in text and "gone" not in text
    events = [part for part in text.replace("\r\n", "\n").split("\n\n") if "data:" in part]
    last = json.loads(events[-1].partition("data:")[2])
    if surface == "messages":
        assert (
            events[-1].startswith("event: error\n") and last["type"] == "error" and last["error"]["type"] == "api_error"
        )
        assert "message_stop" not in text
    elif surface == "responses":
        assert last["type"] in ("error", "response.failed") and "response.completed" not in text
    elif surface == "gemini":
        assert last["error"]["code"] == 500 and "finishReason" not in text
    else:
        assert last["error"]["code"] == 500 and "[DONE]" not in text
