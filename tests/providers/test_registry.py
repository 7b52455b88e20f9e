"""Every provider's row, against what its vendor documents: where each dialect's request arrives, and with what key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway import config
from gateway.call import Channel, Outbound
from gateway.modalities import words
from gateway.providers import pool, registry
from gateway.providers.registry import KINDS, Missing
from tests import made
from tests.gateway import ROOT
from tests.upstream import Script, Upstream, upstream

KEY = "k-0123456789"
BEARER = ("authorization", f"Bearer {KEY}")
CHAT, COMPLETIONS, EMBEDDINGS = "/chat/completions", "/completions", "/embeddings"
SPEECH, TRANSCRIPTIONS, TRANSLATIONS = AUDIO = ("/audio/speech", "/audio/transcriptions", "/audio/translations")
MODERATIONS, RERANK, IMAGES = "/moderations", "/rerank", "/images/generations"


def openai(base: str, *paths: str, **others: str) -> dict[str, str]:
    """Addresses of OpenAI's paths below a base, and others in full."""
    names = {
        CHAT: "chat", "/responses": "responses", COMPLETIONS: "completions", EMBEDDINGS: "embeddings",
        SPEECH: "speech", TRANSCRIPTIONS: "transcriptions", TRANSLATIONS: "translations", MODERATIONS: "moderations",
        RERANK: "rerank", IMAGES: "images",
    }  # fmt: skip
    return {**{names[path]: base + path for path in paths}, **others}


RESPONSES, ALL = "/responses", (CHAT, "/responses", COMPLETIONS, EMBEDDINGS)
AZURE, ACCOUNT = "https://res.openai.azure.com", "https://api.cloudflare.com/client/v4/accounts/acc"
VENDORS: dict[str, tuple[tuple[str, str], dict[str, str]]] = {
    "openai": (
        BEARER, openai("https://api.openai.com/v1", *ALL, *AUDIO, MODERATIONS, IMAGES, videos="https://api.openai.com/v1/videos")
    ),
    "anthropic": (("x-api-key", KEY), {"messages": "https://api.anthropic.com/v1/messages"}),
    "google": (
        ("x-goog-api-key", KEY),
        {
            "gemini": "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent",
            "veo": "https://generativelanguage.googleapis.com/v1beta/models/m:predictLongRunning",
        },
    ),
    "azure": (("api-key", KEY), openai(
        f"{AZURE}/openai/v1", *ALL, *AUDIO, IMAGES, messages=f"{AZURE}/anthropic/v1/messages",
        videos=f"{AZURE}/openai/v1/videos",
    )),
    "xai": (BEARER, openai(
        "https://api.x.ai/v1", CHAT, RESPONSES, **{"xai-videos": "https://api.x.ai/v1/videos/generations", "xai-images": "https://api.x.ai/v1/images/generations"},
    )),
    "midjourney-proxy": (("mj-api-secret", KEY), {"midjourney": "http://127.0.0.1:8080/mj/submit"}),
    "suno-api": (BEARER, {"suno": "http://127.0.0.1:8000/suno/submit"}),
    "deepseek": (
        BEARER,
        openai("https://api.deepseek.com", CHAT, RESPONSES, messages="https://api.deepseek.com/anthropic/v1/messages"),
    ),
    "mistral": (BEARER, openai(
        "https://api.mistral.ai/v1", CHAT, EMBEDDINGS, SPEECH, TRANSCRIPTIONS,
        **{"moderations:mistral": "https://api.mistral.ai/v1/moderations"},
    )),
    "groq": (BEARER, openai("https://api.groq.com/openai/v1", CHAT, RESPONSES, *AUDIO)),
    "together": (
        BEARER,
        openai(
            "https://api.together.ai/v1", CHAT, COMPLETIONS, EMBEDDINGS, *AUDIO, RERANK,
            messages="https://api.together.ai/v1/messages",
        ),
    ),
    "fireworks": (
        BEARER,
        openai(
            "https://api.fireworks.ai/inference/v1", *ALL, RERANK,
            messages="https://api.fireworks.ai/inference/v1/messages",
        ),
    ),
    "openrouter": (
        BEARER, openai(
            "https://openrouter.ai/api/v1", *ALL, TRANSCRIPTIONS, messages="https://openrouter.ai/api/v1/messages"
        ),
    ),
    "perplexity": (
        BEARER,
        {
            "chat": "https://api.perplexity.ai/chat/completions",
            "responses": "https://api.perplexity.ai/v1/responses",
            "embeddings": "https://api.perplexity.ai/v1/embeddings",
        },
    ),
    "cohere": (BEARER, openai(
        "https://api.cohere.ai/compatibility/v1", CHAT, EMBEDDINGS,
        **{"rerank:cohere": "https://api.cohere.ai/v2/rerank"},
    )),
    "cerebras": (BEARER, openai("https://api.cerebras.ai/v1", CHAT, COMPLETIONS)),
    "moonshot": (
        BEARER,
        openai("https://api.moonshot.ai/v1", CHAT, messages="https://api.moonshot.ai/anthropic/v1/messages"),
    ),
    "zai": (
        BEARER,
        openai("https://api.z.ai/api/paas/v4", CHAT, messages="https://api.z.ai/api/anthropic/v1/messages"),
    ),
    "minimax": (
        BEARER,
        openai("https://api.minimax.io/v1", CHAT, messages="https://api.minimax.io/anthropic/v1/messages"),
    ),
    "alibaba": (
        BEARER,
        openai(
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", CHAT, EMBEDDINGS,
            responses="https://dashscope-intl.aliyuncs.com/api/v2/apps/protocols/compatible-mode/v1/responses",
            messages="https://dashscope-intl.aliyuncs.com/apps/anthropic/v1/messages",
        ),
    ),
    "novita": (BEARER, openai(
        "https://api.novita.ai/openai", CHAT, COMPLETIONS, EMBEDDINGS, rerank="https://api.novita.ai/openai/v1/rerank"
    )),
    "nvidia": (BEARER, openai("https://integrate.api.nvidia.com/v1", CHAT, EMBEDDINGS)),
    "huggingface": (BEARER, openai("https://router.huggingface.co/v1", CHAT, RESPONSES)),
    "sambanova": (
        BEARER, openai("https://api.sambanova.ai/v1", *ALL, messages="https://api.sambanova.ai/v1/messages")
    ),
    "github": (BEARER, openai("https://models.github.ai/inference", CHAT, EMBEDDINGS)),
    "cloudflare": (BEARER, openai(f"{ACCOUNT}/ai/v1", CHAT, RESPONSES, EMBEDDINGS)),
    "ollama": (BEARER, openai("http://127.0.0.1:11434/v1", *ALL, messages="http://127.0.0.1:11434/v1/messages")),
    "vllm": (BEARER, openai("http://127.0.0.1:8000/v1", *ALL, TRANSCRIPTIONS, TRANSLATIONS, RERANK, messages="http://127.0.0.1:8000/v1/messages")),
    "sglang": (BEARER, openai("http://127.0.0.1:30000/v1", CHAT, COMPLETIONS, EMBEDDINGS)),
    "lm-studio": (BEARER, openai("http://127.0.0.1:1234/v1", *ALL, messages="http://127.0.0.1:1234/v1/messages")),
    "llama.cpp": (BEARER, openai("http://127.0.0.1:8080/v1", CHAT, COMPLETIONS, EMBEDDINGS, RERANK)),
    "tgi": (BEARER, openai("http://127.0.0.1:3000/v1", CHAT, COMPLETIONS)),
    "openai-compatible": (BEARER, openai(
        "http://own.example/v1", CHAT, COMPLETIONS, EMBEDDINGS, *AUDIO, MODERATIONS, RERANK, IMAGES
    )),
    "responses-compatible": (BEARER, openai("http://own.example/v1", RESPONSES)),
    "anthropic-compatible": (("x-api-key", KEY), {"messages": "http://own.example/v1/messages"}),
    "gemini-compatible": (
        ("x-goog-api-key", KEY), {"gemini": "http://own.example/v1beta/models/m:generateContent"}
    ),
}  # fmt: skip
OWN = {"openai-compatible": "http://own.example/v1", "responses-compatible": "http://own.example/v1"}
ENVIRON = {"AZURE_OPENAI_ENDPOINT": f"{AZURE}/", "CLOUDFLARE_ACCOUNT_ID": "acc"}
ODD = {"sandbox", "bedrock", "vertex"}
"""Those that are tested where their own code is."""


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    settings = config.load({})
    config.use(settings)
    pool.open(settings)
    with upstream() as made:
        made.answer = lambda asked: Script.json({})
        yield made


def sent(channel: Channel, dialect: str, provider: Upstream) -> tuple[str, dict[str, str]]:
    """Path and headers of a request as they arrive."""
    path = words.UPSTREAM[dialect].path("m", False)
    pool.send(
        Outbound(
            channel=channel, dialect=dialect, model="m", path=path, body=b"{}", headers={}, stream=False, account_id="a"
        )
    ).close()  # fmt: skip
    return provider.last().path, provider.last().headers


def moved(url: str, provider: Upstream) -> str:
    return provider.url + urlsplit(url).path


def test_every_row_is_tried() -> None:
    assert set(VENDORS) | ODD == set(KINDS)


@pytest.mark.parametrize("kind", VENDORS)
def test_a_request_arrives_where_its_vendor_says_with_the_key_as_it_says(kind: str, provider: Upstream) -> None:
    row = KINDS[kind]
    (header, value), addresses = VENDORS[kind]
    base = registry.filled(row.base_url or OWN.get(kind, "http://own.example"), ENVIRON)
    channel = made.channel(provider=kind, base_url=moved(base, provider), secret=KEY, dialects=row.dialects)
    assert set(addresses) == set(row.dialects)
    for dialect, address in addresses.items():
        assert urlsplit(address).netloc == urlsplit(base).netloc
        path, headers = sent(channel, dialect, provider)
        assert path == urlsplit(address).path, dialect
        assert headers[header] == value
        assert headers.keys() & {"authorization", "x-api-key", "x-goog-api-key", "api-key", "mj-api-secret"} == {header}
        assert ("anthropic-version" in headers) == (dialect == "messages")


@pytest.mark.parametrize(
    ("kind", "dialect", "path"),
    [
        ("deepseek", "chat", "/x/v1/chat/completions"), ("deepseek", "messages", "/x/anthropic/v1/messages"),
        ("moonshot", "messages", "/x/anthropic/v1/messages"), ("zai", "messages", "/anthropic/v1/messages"),
        ("openrouter", "messages", "/x/v1/messages"), ("openrouter", "responses", "/x/v1/responses"),
        ("perplexity", "responses", "/x/v1/responses"), ("azure", "messages", "/anthropic/v1/messages"),
    ],
)  # fmt: skip
def test_another_base_url_moves_all_dialects(kind: str, dialect: str, path: str, provider: Upstream) -> None:
    channel = made.channel(provider=kind, base_url=f"{provider.url}/x/v1", secret=None, dialects=KINDS[kind].dialects)
    assert sent(channel, dialect, provider)[0] == path


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("openai", "/v1/models"), ("anthropic", "/v1/models"), ("google", "/v1beta/models"),
        ("zai", "/api/paas/v4/models"), ("openrouter", "/api/v1/key"), ("cohere", "/v1/models"),
        ("github", "/catalog/models"), ("cloudflare", "/client/v4/accounts/acc/ai/models/search"),
        ("perplexity", "/async/chat/completions"), ("azure", "/openai/v1/models"), ("ollama", "/v1/models"),
    ],
)  # fmt: skip
def test_what_a_probe_asks(kind: str, path: str, provider: Upstream) -> None:
    row = KINDS[kind]
    base = moved(registry.filled(row.base_url or "", ENVIRON), provider)
    channel = made.channel(provider=kind, base_url=base, secret=KEY, dialects=row.dialects)
    assert pool.probe(channel, row.probe)[0] == 200
    asked = provider.listings[-1] if path.endswith("/models") else provider.last()
    assert (asked.method, asked.path) == ("GET", path)


def spoken(kind: str, model: str, dialects: tuple[str, ...] | None = None) -> tuple[str, ...]:
    return registry.spoken(made.channel(provider=kind, dialects=dialects or KINDS[kind].dialects), model)


@pytest.mark.parametrize(
    ("kind", "model", "dialects"),
    [
        ("openai", "gpt-4o-mini", ("chat", "responses")), ("openai", "gpt-5.1-codex", ("responses",)),
        ("openai", "o3-pro-2025-06-10", ("responses",)), ("openai", "gpt-5.2-pro", ("responses",)),
        ("openai", "o3-deep-research", ("responses",)), ("openai", "gpt-3.5-turbo-instruct", ("completions",)),
        ("openai", "text-embedding-3-small", ("embeddings",)), ("openai", "gpt-4o-search-preview", ("chat",)),
        ("openai", "next-thing", KINDS["openai"].dialects),
        ("azure", "claude-sonnet-4-5", ("messages",)), ("azure", "gpt-5-codex", ("responses",)),
        ("azure", "our-own-name", ("chat", "responses", "completions", "embeddings")),
        ("perplexity", "sonar-pro", ("chat",)), ("perplexity", "openai/gpt-5", ("responses",)),
        ("cloudflare", "@cf/openai/gpt-oss-120b", ("chat", "responses")),
        ("cloudflare", "@cf/meta/llama-3.1-8b-instruct", ("chat", "embeddings")),
        ("alibaba", "qwen-plus", ("chat", "responses", "messages")), ("alibaba", "deepseek-v3", ("chat", "embeddings")),
        ("groq", "anything", ("chat", "responses")),
    ],
)  # fmt: skip
def test_how_a_model_is_spoken_to_may_depend_on_the_model(kind: str, model: str, dialects: tuple[str, ...]) -> None:
    assert spoken(kind, model) == dialects


def test_what_the_operator_says_a_channel_speaks_holds() -> None:
    assert spoken("openai", "gpt-4o", ("chat",)) == ("chat",)
    assert spoken("openai", "gpt-5-codex", ("chat",)) == ("chat",)


def test_blanks_of_a_base_url_are_filled_or_named() -> None:
    assert registry.filled("https://{A|B=eu}.example", {}) == "https://eu.example"
    assert registry.filled("https://{A|B}.example", {"B": "us", "A": ""}) == "https://us.example"
    with pytest.raises(Missing, match=re.escape("A or B")):
        registry.filled("https://{A|B}.example", {})
    assert {"AZURE_OPENAI_ENDPOINT", "CLOUDFLARE_ACCOUNT_ID", "GOOGLE_API_KEY"} <= registry.variables()


def test_the_page_for_operators_names_every_kind_and_variable() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    section = page.partition("### Providers")[2].partition("\n## ")[0]
    named = {*KINDS, *registry.variables()} - {"sandbox", "AWS_DEFAULT_REGION"}
    assert {word for word in named if f"`{word}`" not in section} == set()


def test_namespaces_and_names_of_rows() -> None:
    named: Any = {kind: row.namespace(row.channel_name) for kind, row in KINDS.items()}
    assert (named["xai"], named["zai"], named["mistral"], named["alibaba"]) == ("x-ai", "z-ai", "mistralai", "qwen")
    assert (named["groq"], named["azure"], named["sandbox"]) == ("groq", "azure", "sandbox")
    assert (named["llama.cpp"], named["openai-compatible"]) == ("llama-cpp", "openai-compatible")
