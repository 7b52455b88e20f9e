"""The book that comes with the gateway: complete, plausible, and found by the names that people use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import orjson
import pytest

from gateway import book
from gateway.book import Offer

BOOK = book.built_in()
MODELS = list(BOOK.models.values())
OFFERS = [(model, offer) for model in MODELS for offer in model.offers]
MAKERS = {"openai": "openai", "anthropic": "anthropic", "google": "google", "x-ai": "xai"}

LEAST = {
    "chat": 1100, "image": 60, "embedding": 40, "transcription": 25, "realtime": 22, "speech": 22, "video": 22, "rerank": 15,
    "ocr": 10, "completion": 10, "music": 5, "moderation": 2,
}  # fmt: skip
"""Models of a mode: a little less than there are, so that a source that falls away is seen."""

PROVIDERS = {
    "openai", "anthropic", "google", "azure", "xai", "deepseek", "mistral", "groq", "together", "fireworks", "openrouter",
    "perplexity", "cohere", "cerebras", "moonshot", "zai", "minimax", "alibaba", "novita", "huggingface", "sambanova",
    "bedrock", "vertex", "cloudflare",
}  # fmt: skip


def test_models_of_every_mode() -> None:
    modes = Counter(model.mode for model in MODELS)
    assert {mode: count for mode, count in LEAST.items() if modes[mode] < count} == {}
    assert modes.keys() == LEAST.keys()


def test_every_provider() -> None:
    assert {offer.provider for _, offer in OFFERS} == PROVIDERS


def test_every_offer_says_where_and_when_it_was_read() -> None:
    for model, offer in OFFERS:
        assert offer.source.startswith("https://"), model.id
        assert "2026-01-01" < offer.date <= BOOK.version, model.id
        assert "subscriptions/" not in offer.source, model.id


def test_no_name_stands_twice() -> None:
    lines = book.FILE.read_bytes().splitlines()[1:]
    ids = [orjson.loads(line)["id"] for line in lines]
    assert ids == sorted(set(ids))
    names = Counter((offer.provider, name) for _, offer in OFFERS for name in offer.names)
    assert [name for name, count in names.items() if count > 1] == []
    assert [(model.id, offer.provider) for model, offer in OFFERS if not offer.names] == []
    providers = Counter((model.id, offer.provider) for model, offer in OFFERS)
    assert max(providers.values()) == 1


def _token_rates(offer: Offer) -> Iterator[tuple[str, str, Decimal]]:
    for name, tier in offer.tiers.items():
        for rates in (tier.usd, *(step for _, step in tier.above)):
            for token, dollars in rates.items():
                yield name, token, Decimal(dollars)


def _each(offer: Offer) -> Iterator[Decimal]:
    for prices in (offer.fees, offer.units, *offer.variants.values()):
        yield from map(Decimal, prices.values())


def test_every_price_is_plausible() -> None:
    for model, offer in OFFERS:
        rates = list(_token_rates(offer))
        each = list(_each(offer))
        assert rates or each, (model.id, offer.provider)
        assert all(0 <= dollars <= 1000 for _, _, dollars in rates), (model.id, offer.provider)
        assert all(0 <= dollars < 2 for dollars in each), (model.id, offer.provider)
        assert any(dollars for _, _, dollars in rates) or any(each) or model.mode == "moderation", (
            model.id,
            offer.provider,
        )


def test_prices_are_plain_text() -> None:
    for model, offer in OFFERS:
        texts = [
            *offer.fees.values(),
            *offer.units.values(),
            *(text for tier in offer.tiers.values() for text in tier.usd.values()),
        ]
        assert all(set(text) <= set("0123456789.") for text in texts), model.id


def test_a_tier_has_all_classes_and_a_step_all_of_its_tier() -> None:
    for model, offer in OFFERS:
        standard = offer.tiers[""].usd
        for tier in offer.tiers.values():
            assert standard.keys() - {"reasoning"} <= tier.usd.keys(), model.id
            for tokens, rates in tier.above:
                assert tokens > 0 and tier.usd.keys() - {"reasoning"} <= rates.keys(), model.id


def test_a_step_is_no_cheaper_than_what_is_below_it() -> None:
    for model, offer in OFFERS:
        for name, tier in offer.tiers.items():
            for _, rates in tier.above:
                assert Decimal(rates["input"]) >= Decimal(tier.usd["input"]), (model.id, offer.provider, name)


@pytest.mark.parametrize(
    ("name", "one"),
    [
        ("gpt-4o", "openai/gpt-4o"),
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("openai/gpt-4o-mini", "openai/gpt-4o-mini"),
        ("openai/gpt-4-turbo", "openai/gpt-4-turbo"),
        ("openai/gpt-3.5-turbo", "openai/gpt-3.5-turbo"),
        ("claude-3-5-sonnet", "anthropic/claude-3.5-sonnet"),
        ("anthropic/claude-3.5-sonnet", "anthropic/claude-3.5-sonnet"),
        ("anthropic/claude-3-5-sonnet-latest", "anthropic/claude-3.5-sonnet"),
        ("anthropic/claude-3-opus", "anthropic/claude-3-opus"),
        ("anthropic/claude-3-haiku", "anthropic/claude-3-haiku"),
        ("anthropic/claude-sonnet-4", "anthropic/claude-sonnet-4"),
        ("anthropic/claude-sonnet-4-0", "anthropic/claude-sonnet-4"),
        ("anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-4.5"),
        ("claude-sonnet-4-5", "anthropic/claude-sonnet-4.5"),
        ("anthropic/claude-opus-4.1", "anthropic/claude-opus-4.1"),
        ("anthropic/claude-opus-4.5", "anthropic/claude-opus-4.5"),
        ("google/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("google/gemini-2.0-flash", "google/gemini-2.0-flash"),
        ("google/gemini-2.0-flash-001", "google/gemini-2.0-flash"),
        ("google/gemini-1.5-pro", "google/gemini-1.5-pro"),
        ("google/gemini-pro-1.5", "google/gemini-1.5-pro"),
        ("google/gemini-1.5-flash", "google/gemini-1.5-flash"),
        ("x-ai/grok-2", "x-ai/grok-2"),
        ("openai/text-embedding-3-small", "openai/text-embedding-3-small"),
        ("text-embedding-3-small", "openai/text-embedding-3-small"),
        ("dall-e-3", "openai/dall-e-3"),
        ("openai/gpt-image-1", "openai/gpt-image-1"),
        ("openai/tts-1", "openai/tts-1"),
        ("openai/whisper-1", "openai/whisper-1"),
        ("google/veo-3", "google/veo-3"),
        ("openai/gpt-realtime", "openai/gpt-realtime"),
    ],
)
def test_what_the_reference_names_is_found_at_its_maker(name: str, one: str) -> None:
    found = BOOK.find(name)
    assert found is not None and found.model.id == one
    offer = found.model.at(MAKERS[found.model.author])
    assert offer is not None and found.name_at(offer) is not None


@pytest.mark.parametrize(
    ("name", "provider", "there"),
    [
        ("gpt-4o", "openai", "gpt-4o"),
        ("openai/gpt-4o-2024-08-06", "openai", "gpt-4o-2024-08-06"),
        ("gpt-4o-2024-08-06", "azure", "gpt-4o-2024-08-06"),
        ("anthropic/claude-sonnet-4.5", "anthropic", "claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-4.5", "bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("anthropic/claude-sonnet-4-5-20250929", "anthropic", "claude-sonnet-4-5-20250929"),
        ("claude-sonnet-4-5-20250929", "bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-sonnet-4-5-20250929", "vertex", "claude-sonnet-4-5@20250929"),
        ("claude-3-5-sonnet-20240620", "anthropic", "claude-3-5-sonnet-20240620"),
        ("claude-3-5-sonnet-20241022", "bedrock", "us.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("google/veo-3", "google", "veo-3.0-generate-001"),
        ("meta-llama/llama-3.3-70b-instruct", "groq", "llama-3.3-70b-versatile"),
        ("deepseek/deepseek-v3.2", "fireworks", "accounts/fireworks/models/deepseek-v3p2"),
        ("gpt-3.5-turbo-0125", "openai", "gpt-3.5-turbo-0125"),
    ],
)
def test_a_name_and_its_release_at_a_provider(name: str, provider: str, there: str) -> None:
    found = BOOK.find(name)
    assert found is not None
    offer = found.model.at(provider)
    assert offer is not None and found.name_at(offer) == there


def test_a_release_that_a_provider_has_not_is_not_called_there() -> None:
    found = BOOK.find("claude-3-5-sonnet-20241022")
    assert found is not None
    offer = found.model.at("openrouter")
    assert offer is not None and found.name_at(offer) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("openai/gpt-4o", "openai/gpt-4o-2024-05-13"),
        ("openai/gpt-3.5-turbo", "openai/gpt-3.5-turbo-1106"),
        ("openai/gpt-4", "openai/gpt-4-turbo"),
        ("openai/gpt-5", "openai/gpt-5-chat"),
        ("openai/gpt-4o", "openai/gpt-4o-audio-preview"),
        ("anthropic/claude-opus-4", "anthropic/claude-opus-4.1"),
        ("google/gemini-2.5-flash", "google/gemini-2.5-flash-lite"),
        ("google/gemini-2.5-flash", "google/gemini-2.5-flash-image"),
        ("google/gemini-pro", "google/gemini-pro-latest"),
        ("google/gemini-embedding-001", "google/gemini-embedding-2"),
        ("deepseek/deepseek-r1", "deepseek/deepseek-r1-0528"),
        ("deepseek/deepseek-chat", "deepseek/deepseek-chat-v3.1"),
        ("deepseek/deepseek-v4-pro", "deepseek/deepseek-v4-pro-0813"),
        ("meta-llama/llama-3.1-8b-instruct", "meta-llama/llama-3.1-8b-instruct-fp8"),
        ("mistralai/mistral-small-2603", "mistralai/mistral-small-3.1-24b-instruct"),
        ("qwen/qwen3-235b-a22b", "qwen/qwen3-235b-a22b-thinking-2507"),
        ("qwen/qwen3-coder-480b-a35b-instruct", "qwen/qwen3-coder-30b-a3b-instruct"),
        ("moonshotai/kimi-k2", "moonshotai/kimi-k2-thinking"),
        ("z-ai/glm-4.5", "z-ai/glm-4.5-air"),
        ("x-ai/grok-4-fast-reasoning", "x-ai/grok-4-fast-non-reasoning"),
    ],
)
def test_models_that_look_alike_are_two(one: str, other: str) -> None:
    assert one in BOOK.models and other in BOOK.models


def test_a_release_of_another_price_is_no_name_of_its_model() -> None:
    newer, first = BOOK.models["openai/gpt-4o"].at("openai"), BOOK.models["openai/gpt-4o-2024-05-13"].at("openai")
    assert newer is not None and first is not None
    assert "gpt-4o-2024-05-13" not in newer.names and first.names == ("gpt-4o-2024-05-13",)
    assert (newer.tiers[""].usd["input"], first.tiers[""].usd["input"]) == ("2.5", "5")


def test_a_bare_name_of_two_authors_means_nobody() -> None:
    bare: dict[str, set[str]] = {}
    for model in MODELS:
        bare.setdefault(book.spelled(model.id.partition("/")[2]), set()).add(model.id)
    shared = [name for name, ids in bare.items() if len({one.partition("/")[0] for one in ids}) > 1]
    assert all(BOOK.find(name) is None for name in shared)


def test_every_id_and_every_name_of_a_provider_finds_its_own_model() -> None:
    for model, offer in OFFERS:
        found = BOOK.find(model.id)
        assert found is not None and found.model is model and found.pinned is None, model.id
        for name in offer.names:
            known = BOOK.offer(offer.provider, name)
            assert known is not None and known == (model, offer)


def test_prices_of_what_is_no_token() -> None:
    def offer(one: str, provider: str) -> Offer:
        found = BOOK.models[one].at(provider)
        assert found is not None
        return found

    assert offer("openai/dall-e-3", "openai").variants["image"]["hd/1024x1792"] == "0.12"
    images = offer("openai/gpt-image-1", "openai")
    assert images.variants["image"]["low/1024x1024"] == "0.011" and images.tiers[""].usd["image_out"] == "40"
    assert offer("openai/whisper-1", "openai").units == {"second": "0.0001"}
    assert offer("openai/tts-1", "openai").units == {"character": "0.000015"}
    assert offer("google/veo-3", "google").units == {"second": "0.4"}
    assert offer("cohere/rerank-v3.5", "cohere").units == {"query": "0.002"}
    assert offer("perplexity/sonar-pro", "perplexity").variants["request"] == {
        "low": "0.006",
        "medium": "0.01",
        "high": "0.014",
    }
    assert offer("openai/gpt-5", "openai").fees == {
        "web_search": "0.01",
        "file_search": "0.0025",
        "code_interpreter": "0.03",
    }


def test_a_long_call_costs_more() -> None:
    offer = BOOK.models["google/gemini-2.5-pro"].at("google")
    assert offer is not None
    assert offer.tiers[""].usd == {"input": "1.25", "cached_read": "0.125", "output": "10"}
    assert offer.tiers[""].above == ((200_000, {"input": "2.5", "cached_read": "0.25", "output": "15"}),)
    assert offer.tiers["batch"].usd["output"] == "5"
