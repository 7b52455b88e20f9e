"""URLs in calls, on a live gateway: nobody is led into a private network, and what a leg needs is fetched."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Lab
from tests.upstream import Script

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


def test_names_unknown_here_are_the_providers_business(lab: Lab) -> None:
    model = lab.model(Script.json(REPLY))
    for url in ("https://pictures.invalid/cat.png", "https://8.8.8.8/cat.png"):
        body = {"model": model, "messages": looking_at(url)}
        assert lab.gateway.post("/v1/chat/completions", body).status_code == 200
        assert lab.provider.last().json["messages"] == body["messages"]
