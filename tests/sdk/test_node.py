"""The official SDKs for Node (20 or newer), current and older, against a live gateway's sandbox."""

from __future__ import annotations

import re

import pytest

from tests.gateway import Gateway
from tests.sdk.packages import OPENAI_FOR_NODE, for_node, run


def checked(gateway: Gateway, script: str, package: str, url: str) -> list[str]:
    """The names of the checks that a script made; it ends at the first that fails."""
    return re.findall(r"^ok (\w+)$", run(script, url, gateway.key, for_node(package)), re.M)


@pytest.mark.parametrize("package", [OPENAI_FOR_NODE, "openai@6"])
def test_openai(sqlite_gateway: Gateway, package: str) -> None:
    assert checked(sqlite_gateway, "openai.mjs", package, sqlite_gateway.base_url) == [
        "chat", "stream", "tools", "streamed_tools", "runner", "vision", "schema", "responses", "streamed_responses",
        "responses_tools", "responses_schema", "count", "embeddings", "images", "completions", "models",
        "exceptions", "broken_streams",
    ]  # fmt: skip


@pytest.mark.parametrize("package", ["@anthropic-ai/sdk@1", "@anthropic-ai/sdk@0"])
def test_anthropic(sqlite_gateway: Gateway, package: str) -> None:
    assert checked(sqlite_gateway, "anthropic.mjs", package, sqlite_gateway.url) == [
        "message", "stream", "tools", "streamed_tools", "runner", "vision", "schema", "thinking", "count", "models",
        "exceptions", "broken_streams",
    ]  # fmt: skip


@pytest.mark.parametrize("package", ["@google/genai@3", "@google/genai@2", "@google/genai@1"])
def test_google(sqlite_gateway: Gateway, package: str) -> None:
    assert checked(sqlite_gateway, "google.mjs", package, sqlite_gateway.url) == [
        "content", "stream", "tools", "streamed_tools", "chat", "vision", "schema", "thinking", "count", "embeddings",
        "models", "exceptions", "broken_streams",
    ]  # fmt: skip
