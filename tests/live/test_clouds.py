"""Claude on Bedrock and Gemini on Vertex AI through a live gateway: their ways of signing and framing are nobody's
business in front."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import anthropic
import pytest

from tests.conftest import Lab
from tests.gateway import Gateway
from tests.providers.test_bedrock import IDENTITY, SECRET, chunk, credentials, frame
from tests.providers.test_vertex import Cloud, account
from tests.sdk.test_anthropic_python import message
from tests.upstream import Asked, Script, upstream

MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "eu.amazon.nova-lite-v1:0"
BODY: dict[str, Any] = {"max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
USAGE = {"input_tokens": 9, "output_tokens": 3}
START = {
    "type": "message_start",
    "message": {
        "id": "msg_bdrk_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1},
    },
}  # fmt: skip
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grüße"}}
END = [
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 3},
    },
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 9, "outputTokenCount": 3}},
]


def script(*frames: bytes) -> Script:
    return Script(200, {"content-type": "application/vnd.amazon.eventstream"}, list(frames), "chunked")


@pytest.fixture(scope="module")
def cloud(sqlite_gateway: Gateway) -> Iterator[Lab]:
    """A scripted Bedrock; a model's script is found by its path."""
    with upstream() as provider:

        def answer(asked: Asked) -> Script:
            return provider.scripts["stream" if asked.path.endswith("-stream") else "whole"]

        provider.answer = answer
        sqlite_gateway.cli(
            "channels", "add", "--provider", "bedrock", "--name", "cloud", "--namespace", "cloud", "--base-url",
            provider.url, "--key", f"{IDENTITY}:{SECRET}", "--models", f"{MODEL},{NOVA}",
        )  # fmt: skip
        sqlite_gateway.cli("prices", "set", "cloud/*", "--input-mtok", "3", "--output-mtok", "15")
        sqlite_gateway.settle_in()
        yield Lab(sqlite_gateway, provider, "cloud")
        sqlite_gateway.cli("channels", "disable", "cloud")


@pytest.fixture
def client(cloud: Lab) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=cloud.gateway.url, api_key=cloud.gateway.key, max_retries=0)


def test_a_message_of_claudes_on_bedrock(cloud: Lab, client: anthropic.Anthropic) -> None:
    cloud.provider.scripts["whole"] = Script.json({**message(), "usage": USAGE})
    got = client.messages.create(model=f"cloud/{MODEL}", **BODY)
    assert got.model == f"cloud/{MODEL}" and got.usage.input_tokens == 9
    asked = cloud.provider.last()
    assert asked.path == f"/model/{MODEL.replace(':', '%3A')}/invoke"
    assert asked.json == {**BODY, "anthropic_version": "bedrock-2023-05-31"}
    assert credentials(asked)["Credential"].startswith(IDENTITY)


def test_a_stream_of_claudes_on_bedrock(cloud: Lab, client: anthropic.Anthropic) -> None:
    cloud.provider.scripts["stream"] = script(*map(chunk, [START, BLOCK, DELTA, *END]))
    before = cloud.gateway.credits()["balance"]
    with client.messages.stream(model=f"cloud/{MODEL}", **BODY) as stream:
        assert "".join(stream.text_stream) == "Grüße"
        got = stream.get_final_message()
    assert (got.model, got.usage.output_tokens, got.stop_reason) == (f"cloud/{MODEL}", 3, "end_turn")
    assert "stream" not in cloud.provider.last().json
    assert before - cloud.gateway.credits()["balance"] == Decimal("0.000072")


def test_whoever_speaks_chat_reads_it_too(cloud: Lab) -> None:
    cloud.provider.scripts["stream"] = script(*map(chunk, [START, BLOCK, DELTA, *END]))
    answer = cloud.gateway.chat(f"cloud/{MODEL}", stream=True)
    assert answer.status_code == 200 and "Grüße" in answer.content.decode()
    assert answer.content.endswith(b"data: [DONE]\n\n")


def test_an_exception_in_place_of_a_stream_and_inside_of_one(cloud: Lab, client: anthropic.Anthropic) -> None:
    slow = frame(b'{"message":"slow"}', exception_type="throttlingException", message_type="exception")
    cloud.provider.scripts["stream"] = script(slow)
    with pytest.raises(anthropic.RateLimitError):
        client.messages.create(model=f"cloud/{MODEL}", stream=True, **BODY)
    cloud.provider.scripts["stream"] = script(*map(chunk, [START, BLOCK, DELTA]), slow)
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.stream(model=f"cloud/{MODEL}", **BODY) as stream,
    ):
        for _ in stream.text_stream:
            pass
    assert "slow" not in str(caught.value), "what is said of our account is ours"


def test_a_model_of_others_on_bedrock_by_converse(cloud: Lab) -> None:
    events = [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Grüße"}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": {"inputTokens": 9, "outputTokens": 3, "totalTokens": 12}}),
    ]
    cloud.provider.scripts["stream"] = script(
        *(frame(json.dumps(values).encode(), event_type=name, message_type="event") for name, values in events)
    )
    answer = cloud.gateway.chat(f"cloud/{NOVA}", stream=True, stream_options={"include_usage": True})
    assert (
        answer.status_code == 200 and "Grüße" in answer.content.decode() and b'"completion_tokens":3' in answer.content
    )
    asked = cloud.provider.last()
    assert asked.path == "/model/eu.amazon.nova-lite-v1%3A0/converse-stream" and "model" not in asked.json
    assert asked.headers["accept"] == "application/vnd.amazon.eventstream"


def test_gemini_on_vertex_with_a_token_of_its_account(sqlite_gateway: Gateway) -> None:
    with upstream() as provider:
        google = Cloud(provider)
        tokens = provider.answer
        reply = {
            "candidates": [{"content": {"role": "model", "parts": [{"text": "hello"}]}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1, "totalTokenCount": 5},
            "modelVersion": "gemini-2.5-flash", "responseId": "r1",
        }  # fmt: skip
        provider.answer = lambda asked: tokens(asked) if asked.path == "/token" else Script.json(reply)
        sqlite_gateway.cli(
            "channels", "add", "--provider", "vertex", "--namespace", "vertex", "--base-url",
            f"{provider.url}/v1/projects/acme/locations/global", "--key", "-", "--free", stdin=account(google),
        )  # fmt: skip
        sqlite_gateway.settle_in()
        answers = [sqlite_gateway.chat("vertex/gemini-2.5-flash") for _ in range(2)]
        sqlite_gateway.cli("channels", "disable", "vertex")
    assert [answer.json()["choices"][0]["message"]["content"] for answer in answers] == ["hello"] * 2
    asked = [one for one in provider.asked if one.path != "/token"]
    assert (
        asked[0].path == "/v1/projects/acme/locations/global/publishers/google/models/gemini-2.5-flash:generateContent"
    )
    assert all(one.headers["authorization"].startswith("Bearer token-") for one in asked)
