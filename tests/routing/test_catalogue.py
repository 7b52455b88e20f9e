"""Which channels serve a name: by the book, by their namespace, by a route."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway import book
from gateway.call import Channel
from gateway.routing import catalogue
from gateway.routing.channels import Snapshot
from tests import made

ROWS: tuple[dict[str, Any], ...] = (
    {"version": "t"},
    {"id": "anthropic/claude-sonnet-4.5", "mode": "chat", "offers": [
        {"provider": "anthropic", "names": ["claude-sonnet-4-5", "claude-sonnet-4-5-20250929"]},
        {"provider": "openrouter", "names": ["anthropic/claude-sonnet-4.5"]},
        {"provider": "bedrock", "names": ["anthropic.claude-sonnet-4-5-20250929-v1:0",
                                          "us.anthropic.claude-sonnet-4-5-20250929-v1:0"]}]},
    {"id": "openai/gpt-4o", "mode": "chat", "offers": [
        {"provider": "openai", "names": ["gpt-4o", "gpt-4o-2024-08-06"]},
        {"provider": "openrouter", "names": ["openai/gpt-4o"]}]},
    {"id": "x-ai/grok-2", "mode": "chat", "offers": [{"provider": "xai", "names": ["grok-2"]}]},
    {"id": "cloudflare/tiny", "mode": "chat", "offers": [{"provider": "cloudflare", "names": ["@cf/tiny"]}]},
    {"id": "cohere/tiny", "mode": "chat", "offers": [{"provider": "cohere", "names": ["tiny"]}]},
)  # fmt: skip


@pytest.fixture(autouse=True)
def small_book() -> Iterator[None]:
    head, *rows = ROWS
    for row in rows:
        for offer in row["offers"]:
            offer.update(usd={"input": "1", "output": "1"}, source="x", date="2026-01-01")
    book.use(book.read("\n".join(json.dumps(row) for row in (head, *rows)).encode()))
    yield
    book.use(None)


def channel(name: str, provider: str, namespace: str | None = None, models: tuple[str, ...] | None = None) -> Channel:
    return made.channel(id=name, name=name, provider=provider, namespace=namespace or name, models=models)


OPENAI = channel("openai", "openai")
OPENROUTER = channel("openrouter", "openrouter")
ANTHROPIC = channel("anthropic", "anthropic")
LISTS = channel("second", "anthropic", "anthropic", ("claude-sonnet-4-5-20250929",))
BEDROCK = channel("bedrock", "bedrock")
XAI = channel("grok", "xai", "x-ai")
LAB = channel("lab", "openai-compatible")
CLOUDFLARE = channel("cloudflare", "cloudflare")


def house(
    *channels: Channel, routes: dict[str, tuple[tuple[str, str], ...]] | None = None, **heard: tuple[str, ...]
) -> Snapshot:
    def grouped(name: str) -> dict[str, tuple[Channel, ...]]:
        values = {getattr(one, name) for one in channels}
        return {value: tuple(one for one in channels if getattr(one, name) == value) for value in values}

    return Snapshot(
        "", {one.id: one for one in channels}, grouped("namespace"), grouped("provider"), routes or {}, heard
    )


ALL = house(OPENAI, OPENROUTER, ANTHROPIC, LISTS, BEDROCK, XAI, LAB, CLOUDFLARE)


def legs(snapshot: Snapshot, name: str) -> dict[str, str]:
    return {channel.name: upstream for channel, upstream in catalogue.legs(snapshot, name)}


EVERYWHERE = {
    "anthropic": "claude-sonnet-4-5", "second": "claude-sonnet-4-5-20250929",
    "openrouter": "anthropic/claude-sonnet-4.5", "bedrock": "anthropic.claude-sonnet-4-5-20250929-v1:0",
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5-latest",
     "Anthropic/Claude-Sonnet-4.5", "claude-sonnet-4.5", "claude-sonnet-4-5"],
)  # fmt: skip
def test_every_spelling_finds_every_channel_by_its_own_name(name: str) -> None:
    assert legs(ALL, name) == EVERYWHERE and catalogue.canonical(ALL, name) == "anthropic/claude-sonnet-4.5"


def test_a_dated_release_is_asked_for_where_it_is_known() -> None:
    assert legs(ALL, "openai/gpt-4o-2024-08-06") == {"openai": "gpt-4o-2024-08-06"}
    found = legs(ALL, "claude-sonnet-4-5-20250929")
    assert found["anthropic"] == found["second"] == "claude-sonnet-4-5-20250929" and "openrouter" not in found
    assert found["bedrock"] == "anthropic.claude-sonnet-4-5-20250929-v1:0"


def test_a_namespace_pins_the_provider_and_knows_all_spellings() -> None:
    assert legs(ALL, "openrouter/openai/gpt-4o") == {"openrouter": "openai/gpt-4o"}
    assert legs(ALL, "openrouter/gpt-4o") == {"openrouter": "openai/gpt-4o"}
    assert legs(ALL, "bedrock/claude-sonnet-4.5") == {"bedrock": EVERYWHERE["bedrock"]}
    assert legs(ALL, "x-ai/grok-2") == legs(ALL, "xai/grok-2") == legs(ALL, "grok-2") == {"grok": "grok-2"}
    assert legs(ALL, "openai/gpt-99-new") == {"openai": "gpt-99-new"}, "a model that no book knows yet"
    assert legs(ALL, "lab/gpt-4o") == {"lab": "gpt-4o"}, "a generic channel's names are its own"
    assert legs(ALL, "openai-compatible/gpt-4o") == {} == legs(ALL, "tiny") == legs(ALL, "nobody/gpt-4o")


def test_names_that_only_the_book_can_say() -> None:
    assert legs(ALL, "cloudflare/tiny") == {"cloudflare": "@cf/tiny"}
    assert legs(ALL, "cloudflare/@cf/tiny") == {"cloudflare": "@cf/tiny"}
    assert legs(ALL, "cloudflare/@cf/../tiny") == {} == legs(ALL, "lab/@x")


def test_a_route_goes_before_the_book() -> None:
    snapshot = house(OPENAI, LAB, routes={"openai/gpt-4o": (("lab", "mine"), ("gone", "x"))})
    assert legs(snapshot, "openai/gpt-4o") == {"lab": "mine"}
    assert catalogue.canonical(snapshot, "openai/gpt-4o") == "openai/gpt-4o"
    assert catalogue.canonical(house(routes={"gpt-4o": ()}), "gpt-4o") == "gpt-4o"


def test_what_is_listed() -> None:
    assert catalogue.listed(house()) == []
    assert catalogue.listed(house(LISTS, XAI)) == ["anthropic/claude-sonnet-4.5", "x-ai/grok-2"]
    some = channel("some", "openai", "openai", ("gpt-4o", "ft:ours"))
    snapshot = house(
        some, LAB, lab=("tiny-llama", "qwen:3"), routes={"fast": (("lab", "a"),), "dead": (("gone", "a"),)}
    )
    assert catalogue.listed(snapshot) == ["fast", "lab/qwen:3", "lab/tiny-llama", "openai/ft:ours", "openai/gpt-4o"]
    assert catalogue.listed(house(channel("lab", "openai-compatible", models=("a",)), lab=("b",))) == ["lab/a"]


def test_a_hosts_own_word_has_the_models_id_too() -> None:
    for name, known in (
        ("xai/grok-2", "x-ai/grok-2"), ("cloudflare/@cf/tiny", "cloudflare/tiny"), ("lab/grok-2", "lab/grok-2"),
        ("openai/openai/gpt-4o", "openai/gpt-4o"), ("OpenAI/GPT-4o", "openai/gpt-4o"), ("nobody/knows", "nobody/knows"),
    ):  # fmt: skip
        assert catalogue.names(ALL, name) == (name, known)
    assert (
        catalogue.names(house(XAI, routes={"xai/grok-2": (("grok", "grok-2"),)}), "xai/grok-2") == ("xai/grok-2",) * 2
    )
