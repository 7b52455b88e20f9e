"""Legacy completions as clients see them: a provider's own, or one message of a chat with a provider that has none."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from openai import OpenAI

from tests.conftest import Lab
from tests.gateway import Gateway, frames
from tests.google import GeminiLab, gemini_lab
from tests.upstream import Script


def complete(gateway: Gateway, key: str | None = None, model: str = "sandbox/echo", **body: Any) -> Any:
    return gateway.post("/v1/completions", {"model": model, **body}, key)


def test_whole(gateway: Gateway) -> None:
    answer = complete(gateway, prompt="once upon a time")
    body = answer.json()
    assert body["object"] == "text_completion" and body["model"] == "sandbox/echo" and body["created"] > 0
    assert body["id"].startswith("cmpl-") and body["id"] == answer.headers["x-generation-id"]
    assert body["choices"] == [
        {"text": "once upon a time", "index": 0, "logprobs": None, "finish_reason": "stop"}
    ]  # fmt: skip
    assert body["usage"]["completion_tokens"] == 4 and body["usage"]["total_tokens"] > 4
    receipt = gateway.get("/v1/generation", params={"id": body["id"]}).json()["data"]
    assert receipt["surface"] == "completions" and Decimal(str(receipt["cost_usd"])) > 0


@pytest.mark.parametrize("asks", [False, True])
def test_streamed(gateway: Gateway, asks: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if asks else {}
    answer = complete(gateway, prompt="once upon a time", stream=True, n=2, **options)
    *some, last = frames(answer)
    chunks = [json.loads(data) for data in some]
    assert last == "[DONE]" and {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert {chunk["id"] for chunk in chunks} == {answer.headers["x-generation-id"]}
    if asks:
        usage = chunks.pop()
        assert usage["choices"] == [] and usage["usage"]["completion_tokens"] == 8
        assert all(chunk["usage"] is None for chunk in chunks)
    choices = [chunk["choices"][0] for chunk in chunks]
    for index in (0, 1):
        mine = [choice for choice in choices if choice["index"] == index]
        assert "".join(choice["text"] for choice in mine) == "once upon a time"
        assert [choice["finish_reason"] for choice in mine if choice["finish_reason"]] == ["stop"]


def test_limits_and_stops_are_told_on(sqlite_gateway: Gateway) -> None:
    cut = complete(sqlite_gateway, prompt="one two three four", max_tokens=2).json()["choices"][0]
    assert (cut["text"], cut["finish_reason"]) == ("one two", "length")
    stopped = complete(sqlite_gateway, prompt="one two three four", stop=" three").json()["choices"][0]
    assert (stopped["text"], stopped["finish_reason"]) == ("one two", "stop")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"), ({"prompt": [1, 2, 3]}, "prompt"), ({"prompt": [[1], [2]]}, "prompt"),
        ({"prompt": "a", "suffix": "z"}, "suffix"), ({"prompt": "a", "echo": True}, "echo"),
        ({"prompt": "a", "best_of": 2}, "best_of"), ({"prompt": "a", "logprobs": 0}, "logprobs"),
        ({}, "prompt"), ({"prompt": None}, "prompt"), ({"prompt": []}, "prompt"), ({"prompt": [1, "a"]}, "prompt"),
        ({"prompt": {"a": 1}}, "prompt"), ({"prompt": "a", "max_tokens": -1}, "max_tokens"),
        ({"prompt": "a", "n": 129}, "n"), ({"prompt": "a", "best_of": 10**9}, "best_of"),
        ({"prompt": "a", "echo": "yes"}, "echo"), ({"prompt": "a", "temperature": 3}, "temperature"),
    ],
)  # fmt: skip
def test_what_no_chat_can_be_told_names_its_field(
    sqlite_gateway: Gateway, body: dict[str, Any], param: str, stream: bool
) -> None:
    answer = complete(sqlite_gateway, **body, stream=stream)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_what_changes_nothing_is_no_obstacle(sqlite_gateway: Gateway) -> None:
    plain = {"suffix": None, "echo": False, "best_of": 1, "logprobs": None, "logit_bias": {}, "prompt": ["a lone one"]}
    answer = complete(sqlite_gateway, **plain)
    assert answer.status_code == 200 and "x-gateway-losses" not in answer.headers


def test_several_prompts_hold_for_all_of_them(lab: Lab) -> None:
    """A provider that has completions gets all; what is held is for each prompt and each candidate."""
    choices = [{"text": "x", "index": place, "logprobs": None, "finish_reason": "stop"} for place in range(2)]
    usage = {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}
    model = lab.model(Script.json({"id": "u", "object": "text_completion", "choices": choices, "usage": usage}))
    body = {"prompt": ["a", "b"], "max_tokens": 1_000, "best_of": 5}
    _, light = lab.gateway.account("0.004")  # 2 prompts × 5 candidates × 1,000 tokens cost 0.006
    answer = complete(lab.gateway, light, model, **body)
    assert answer.status_code == 200, "a wallet that carries less lowers the limit"
    assert 256 <= lab.provider.last().json["max_tokens"] < 700
    _, empty = lab.gateway.account("0.001")
    assert complete(lab.gateway, empty, model, **body).status_code == 402
    _, rich = lab.gateway.account("1")
    assert complete(lab.gateway, rich, model, **body).json()["choices"] == choices
    assert lab.provider.last().json["max_tokens"] == 1_000
    assert lab.gateway.credits(rich)["held"] == 0


def test_a_light_wallet_names_the_default_limit(lab: Lab) -> None:
    """Without a limit a provider gives 16 tokens; a limit that the wallet forces does not raise that."""
    choices = [{"text": "x", "index": 0, "logprobs": None, "finish_reason": "length"}]
    usage = {"prompt_tokens": 1, "completion_tokens": 16, "total_tokens": 17}
    model = lab.model(Script.json({"id": "u", "object": "text_completion", "choices": choices, "usage": usage}))
    _, light = lab.gateway.account("0.001")
    assert complete(lab.gateway, light, model, prompt="a").status_code == 200
    assert lab.provider.last().json["max_tokens"] == 16


@pytest.fixture(scope="module")
def google(sqlite_gateway: Gateway) -> Any:
    yield from gemini_lab(sqlite_gateway, free=True)


@pytest.mark.parametrize("stream", [False, True])
def test_through_another_dialect(google: GeminiLab, stream: bool) -> None:
    reply = {
        "candidates": [
            {
                "content": {"parts": [{"text": "secret", "thought": True}, {"text": " time"}], "role": "model"},
                "finishReason": "MAX_TOKENS",
            }
        ],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4},
    }
    frame = b"data: " + json.dumps(reply).encode() + b"\r\n\r\n"
    model = google.model(Script.sse(frame) if stream else Script.json(reply))
    answer = complete(google.gateway, None, model, prompt="Once upon a", max_tokens=1, seed=5, stream=stream)
    (asked,) = google.asked(model)
    assert asked.json["contents"] == [{"role": "user", "parts": [{"text": "Once upon a"}]}]
    assert asked.json["generationConfig"]["maxOutputTokens"] == 1
    if stream:
        chunks = [json.loads(data)["choices"][0] for data in frames(answer)[:-1]]
        assert "".join(chunk["text"] for chunk in chunks) == " time" and chunks[-1]["finish_reason"] == "length"
    else:
        (choice,) = answer.json()["choices"]
        assert (choice["text"], choice["finish_reason"]) == (" time", "length")


def test_a_provider_that_answers_whole_is_cut_into_frames(lab: Lab) -> None:
    choices = [{"text": "all at once", "index": 0, "logprobs": None, "finish_reason": "stop"}]
    usage = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
    model = lab.model(Script.json({"id": "u", "object": "text_completion", "choices": choices, "usage": usage}))
    answer = complete(lab.gateway, None, model, prompt="a", stream=True, stream_options={"include_usage": True})
    first, told, done = frames(answer)
    assert json.loads(first)["choices"] == choices and json.loads(told)["usage"] == usage and done == "[DONE]"


@pytest.mark.parametrize(("sent", "told"), [(400, 400), (401, 503), (429, 429), (500, 500)])
def test_errors(sqlite_gateway: Gateway, sent: int, told: int) -> None:
    for stream in (False, True):
        answer = complete(sqlite_gateway, None, f"sandbox/error-{sent}", prompt="a", stream=stream)
        assert (answer.status_code, answer.json()["error"]["code"]) == (told, told)


def test_the_official_sdk(gateway: Gateway) -> None:
    client = OpenAI(api_key=gateway.key, base_url=gateway.base_url)
    made = client.completions.create(model="sandbox/echo", prompt="Say this", max_tokens=7)
    assert made.choices[0].text == "Say this" and made.usage and made.usage.total_tokens > 0
    with client.completions.create(model="sandbox/echo", prompt="Say this", stream=True) as stream:
        assert "".join(chunk.choices[0].text for chunk in stream) == "Say this"
