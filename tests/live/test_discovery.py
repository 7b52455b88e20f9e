"""A server that takes any name is asked what it serves, and listed by what it says."""

from __future__ import annotations

import time
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.gateway import Gateway
from tests.upstream import Asked, Script, upstream


def listed(gateway: Gateway, namespace: str) -> list[str]:
    found = gateway.get("/v1/models").json()["data"]
    return [model["id"] for model in found if model["owned_by"] == namespace]


def add(gateway: Gateway, name: str, url: str) -> None:
    gateway.cli("channels", "add", "--provider", "openai-compatible", "--name", name, "--base-url", url, "--free")


def test_what_a_server_lists_can_be_listed_and_called(sqlite_gateway: Gateway) -> None:
    gateway, name = sqlite_gateway, f"heard-{uuid.uuid4().hex[:6]}"
    with upstream() as endless, upstream() as provider:
        endless.answer = lambda asked: Script.sse(*[piece for _ in range(600) for piece in (b" ", 0.1)])
        for number in range(4):  # more than workers
            add(gateway, f"{name}-{number}", endless.base_url)
        end = time.monotonic() + 30
        while len(endless.listings) < 4 and time.monotonic() < end:
            time.sleep(0.1)
        provider.answer = lambda asked: (
            Script.json(
                {"object": "list", "data": [{"id": "tiny"}, {"id": "Qwen/Qwen3"}, {"id": "../etc"}, {"id": 7}, 8]}
            )
            if asked.method == "GET"
            else Script.json({"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}], "usage": None})
        )
        add(gateway, name, provider.base_url)
        end = time.monotonic() + 60
        while not listed(gateway, name) and time.monotonic() < end:
            time.sleep(0.2)
        gateway.settle_in()  # one of the workers knows it
        assert listed(gateway, name) == [f"{name}/7", f"{name}/Qwen/Qwen3", f"{name}/tiny"]
        assert len(provider.listings) == 1, "one of all workers asks"
        assert gateway.chat(f"{name}/tiny").status_code == gateway.chat(f"{name}/unlisted").status_code == 200
    for channel in (name, *(f"{name}-{number}" for number in range(4))):
        gateway.cli("channels", "disable", channel)
    gateway.settle_in()
    assert listed(gateway, name) == []


@pytest.mark.parametrize(
    ("kind", "limit", "usual", "rows", "name"),
    [("anthropic-compatible", "limit", 20, "data", "id"), ("gemini-compatible", "pageSize", 50, "models", "name")],
)
def test_all_that_a_server_lists_in_pages_is_heard(
    kind: str, limit: str, usual: int, rows: str, name: str, sqlite_gateway: Gateway
) -> None:
    gateway, channel = sqlite_gateway, f"pages-{uuid.uuid4().hex[:6]}"
    served: list[Any] = [{name: f"m{number:03}"} for number in range(120)]

    def page(asked: Asked) -> Script:
        most = int(parse_qs(urlsplit(asked.path).query).get(limit, [usual])[0])
        return Script.json({rows: served[:most], "has_more": most < len(served)})

    with upstream() as provider:
        provider.answer = page
        options = ("--name", channel, "--base-url", provider.url, "--free")
        gateway.cli("channels", "add", "--provider", kind, *options)
        end = time.monotonic() + 60
        while not (found := listed(gateway, channel)) and time.monotonic() < end:
            time.sleep(0.2)
        assert len(found) == len(served)
    gateway.cli("channels", "remove", channel)
