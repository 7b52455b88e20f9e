"""Servers of others as channels: all four surfaces by the official SDKs, whole and streamed, and the money behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic
from google import genai
from openai import OpenAI

from tests.gateway import Gateway
from tests.peers import servers

ASKED = "Say something."


def _chat(gateway: Gateway, model: str, stream: bool) -> str:
    client = OpenAI(api_key=gateway.key, base_url=gateway.base_url)
    asked: Any = {"model": model, "messages": [{"role": "user", "content": ASKED}], "max_tokens": 24}
    if not stream:
        reply = client.chat.completions.create(**asked)
        assert reply.usage.completion_tokens > 0 and reply.model == model
        return str(reply.choices[0].message.content)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert any(chunk.choices and chunk.choices[0].finish_reason for chunk in chunks)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def _responses(gateway: Gateway, model: str, stream: bool) -> str:
    client = OpenAI(api_key=gateway.key, base_url=gateway.base_url)
    asked: Any = {"model": model, "input": ASKED, "max_output_tokens": 24, "store": False}
    if not stream:
        return str(client.responses.create(**asked).output_text)
    events = list(client.responses.create(**asked, stream=True))
    assert events[-1].type in ("response.completed", "response.incomplete"), events[-1]
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def _messages(gateway: Gateway, model: str, stream: bool) -> str:
    client = Anthropic(api_key=gateway.key, base_url=gateway.url)
    asked: Any = {"model": model, "messages": [{"role": "user", "content": ASKED}], "max_tokens": 24}
    if not stream:
        message = client.messages.create(**asked)
        assert message.stop_reason in ("end_turn", "max_tokens")
        return "".join(block.text for block in message.content if block.type == "text")
    with client.messages.stream(**asked) as events:
        return "".join(events.text_stream)


def _gemini(gateway: Gateway, model: str, stream: bool) -> str:
    client = genai.Client(api_key=gateway.key, http_options={"base_url": gateway.url})
    asked: Any = {"model": model, "contents": ASKED, "config": {"max_output_tokens": 24}}
    if not stream:
        return str(client.models.generate_content(**asked).text)
    return "".join(chunk.text or "" for chunk in client.models.generate_content_stream(**asked))


SURFACES: dict[str, Callable[[Gateway, str, bool], str]] = {
    "chat": _chat, "responses": _responses, "messages": _messages, "gemini": _gemini,
}  # fmt: skip


@pytest.fixture(scope="module")
def llama(sqlite_gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with servers.llama(tmp_path_factory.mktemp("llama")) as url:
        yield from _channel(sqlite_gateway, "llama", "llama.cpp", url)


@pytest.fixture(scope="module")
def litellm(sqlite_gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with servers.litellm(tmp_path_factory.mktemp("litellm")) as url:
        yield from _channel(sqlite_gateway, "litellm", "openai-compatible", url)


def _channel(gateway: Gateway, name: str, kind: str, url: str) -> Iterator[Gateway]:
    gateway.cli("channels", "add", "--provider", kind, "--name", name, "--base-url", url)
    gateway.cli("prices", "set", f"{name}/*", "--input-mtok", "1", "--output-mtok", "2")
    gateway.settle_in()
    yield gateway
    gateway.cli("channels", "disable", name)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("surface", SURFACES)
def test_llama_cpp(llama: Gateway, surface: str, stream: bool) -> None:
    before = llama.credits()
    assert SURFACES[surface](llama, "llama/tiny", stream).strip()
    assert llama.credits()["total_usage"] > before["total_usage"] and llama.credits()["held"] == 0


def test_what_llama_cpp_does_not_count_is_estimated(llama: Gateway) -> None:
    answer = llama.chat("llama/tiny", stream=True, max_tokens=24)
    assert answer.content.endswith(b"data: [DONE]\n\n")
    receipt = llama.get("/v1/generation", params={"id": answer.headers["x-generation-id"]}).json()["data"]
    assert receipt["usage_source"] == "estimated" and receipt["cost_usd"] > 0 and receipt["tokens"]["output"] > 0


def test_llama_cpp_is_tested_in_words(llama: Gateway) -> None:
    said = llama.cli("channels", "test", "llama")
    assert {one["dialect"]: one["wrong"] for one in said["tried"] if not one["streamed"]}["chat"] is None
    assert next(row["id"] for row in llama.cli("models", "list", "--search", "llama/")).startswith("llama/")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("surface", SURFACES)
def test_litellm(litellm: Gateway, surface: str, stream: bool) -> None:
    assert SURFACES[surface](litellm, "litellm/mock", stream) == servers.ANSWER
    assert litellm.books()["ok"]


@pytest.mark.parametrize(
    ("surface", "stream"),
    [("chat", False), ("chat", True), ("responses", False), ("messages", False), ("messages", True)],
)  # made-up answers do not stream as Responses: the proxy itself fails then (HTTP 500)
def test_litellm_in_its_own_dialects(
    sqlite_gateway: Gateway, litellm: Gateway, tmp_path: Path, surface: str, stream: bool
) -> None:
    """What it speaks itself is passed on in the caller's own words."""
    name = f"litellm-{surface}-{int(stream)}"
    url = next(row["base_url"] for row in litellm.cli("channels", "list") if row["name"] == "litellm")
    litellm.cli("channels", "add", "--provider", "openai-compatible", "--name", name, "--base-url", url, "--free",
                "--dialects", surface)  # fmt: skip
    litellm.settle_in()
    assert SURFACES[surface](litellm, f"{name}/mock", stream) == servers.ANSWER
    litellm.cli("channels", "disable", name)
