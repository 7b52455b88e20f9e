"""Our own rows: what neither source has, or has wrong. Each with the page that says so and the day it was read."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal as D
from typing import NamedTuple

from .entry import Entry

READ = "2026-11-27"

_OPENAI = "https://developers.openai.com/api/docs/pricing"
_OPENAI_ENDS = "https://developers.openai.com/api/docs/deprecations"
_CLAUDE_ENDS = "https://platform.claude.com/docs/en/about-claude/model-deprecations"
_GOOGLE = "https://ai.google.dev/gemini-api/docs/pricing"
_GOOGLE_ENDS = "https://ai.google.dev/gemini-api/docs/deprecations"
_XAI_ENDS = "https://docs.x.ai/developers/migration/may-15-retirement"


def _image(**sizes: str) -> dict[str, dict[str, D]]:
    return {"image": {size: D(each) for size, each in sizes.items()}}


ROWS = [
    Entry(provider="openai", name="dall-e-3", source=_OPENAI, date=READ, mode="image", title="DALL·E 3",
          makes=("image",), units={"image": D("0.04")}, retires="2026-05-12",
          variants=_image(**{"standard/1024x1024": "0.04", "standard/1024x1792": "0.08", "standard/1792x1024": "0.08",
                             "hd/1024x1024": "0.08", "hd/1024x1792": "0.12", "hd/1792x1024": "0.12"})),
    Entry(provider="openai", name="dall-e-2", source=_OPENAI, date=READ, mode="image", title="DALL·E 2",
          takes=("text", "image"), makes=("image",), units={"image": D("0.02")}, retires="2026-05-12",
          variants=_image(**{"256x256": "0.016", "512x512": "0.018", "1024x1024": "0.02"})),
    Entry(provider="google", name="veo-3.0-generate-001", source=_GOOGLE, date=READ, mode="video", title="Veo 3",
          takes=("text", "image"), makes=("video", "audio"), units={"second": D("0.4")}, retires="2026-06-30"),
    Entry(provider="google", name="veo-3.0-fast-generate-001", source=_GOOGLE, date=READ, mode="video",
          title="Veo 3 Fast", takes=("text", "image"), makes=("video", "audio"), units={"second": D("0.1")},
          retires="2026-06-30"),
    Entry(provider="google", name="veo-2.0-generate-001", source=_GOOGLE, date=READ, mode="video", title="Veo 2",
          takes=("text", "image"), makes=("video",), units={"second": D("0.35")}, retires="2026-06-30"),
    Entry(provider="google", name="imagen-4.0-generate-001", source=_GOOGLE, date=READ, mode="image", title="Imagen 4",
          makes=("image",), units={"image": D("0.04")}, retires="2026-08-17"),
    Entry(provider="google", name="imagen-4.0-fast-generate-001", source=_GOOGLE, date=READ, mode="image",
          title="Imagen 4 Fast", makes=("image",), units={"image": D("0.02")}, retires="2026-08-17"),
    Entry(provider="google", name="imagen-4.0-ultra-generate-001", source=_GOOGLE, date=READ, mode="image",
          title="Imagen 4 Ultra", makes=("image",), units={"image": D("0.06")}, retires="2026-08-17"),
]  # fmt: skip
"""Models that no source has at their maker."""


class Names(NamedTuple):
    """A provider's further names for what it calls `name` too, and when it ended that."""

    provider: str
    name: str
    names: tuple[str, ...]
    retires: str | None
    source: str
    max_output: int | None = None


NAMES = (
    Names("anthropic", "claude-3-5-sonnet",
          ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022", "claude-3-5-sonnet-20240620"),
          "2025-10-28", _CLAUDE_ENDS, 8192),
    Names("anthropic", "claude-3-7-sonnet-latest", ("claude-3-7-sonnet-20250219",), "2026-02-19", _CLAUDE_ENDS, 64000),
    Names("anthropic", "claude-3-5-haiku-latest", ("claude-3-5-haiku-20241022",), "2026-02-19", _CLAUDE_ENDS, 8192),
    Names("anthropic", "claude-3-haiku", ("claude-3-haiku-20240307",), "2026-04-20", _CLAUDE_ENDS, 4096),
    Names("anthropic", "claude-3-opus-latest", ("claude-3-opus-20240229",), "2026-01-05", _CLAUDE_ENDS, 4096),
    Names("anthropic", "claude-3-sonnet", ("claude-3-sonnet-20240229",), "2025-07-21", _CLAUDE_ENDS, 4096),
    Names("anthropic", "claude-2", ("claude-2.1", "claude-2.0"), "2025-07-21", _CLAUDE_ENDS, 4096),
    Names("anthropic", "claude-opus-4-0", ("claude-opus-4-20250514",), "2026-06-15", _CLAUDE_ENDS, 32000),
    Names("anthropic", "claude-sonnet-4-0", ("claude-sonnet-4-20250514",), "2026-06-15", _CLAUDE_ENDS, 64000),
    Names("anthropic", "claude-opus-4-1", ("claude-opus-4-1-20250805",), None, _CLAUDE_ENDS, 32000),
    Names("openai", "gpt-4o", ("gpt-4o-2024-11-20", "gpt-4o-2024-08-06"), None, _OPENAI_ENDS),
    Names("openai", "o1-mini", ("o1-mini-2024-09-12",), "2025-10-27", _OPENAI_ENDS),
    Names("openai", "o1-preview", ("o1-preview-2024-09-12",), "2025-07-28", _OPENAI_ENDS),
    Names("openai", "gpt-4.5-preview", ("gpt-4.5-preview-2025-02-27",), "2025-07-14", _OPENAI_ENDS),
    Names("openai", "gpt-4o-realtime-preview", ("gpt-4o-realtime-preview-2024-12-17",), None, _OPENAI_ENDS),
    Names("vertex", "claude-3-opus", ("claude-3-opus@20240229",), None, _CLAUDE_ENDS),
    Names("vertex", "claude-opus-4", ("claude-opus-4@20250514",), None, _CLAUDE_ENDS),
    Names("vertex", "claude-sonnet-4", ("claude-sonnet-4@20250514",), None, _CLAUDE_ENDS),
    Names("vertex", "claude-3-7-sonnet", ("claude-3-7-sonnet@20250219",), None, _CLAUDE_ENDS),
    Names("openai", "chatgpt-4o-latest", (), "2026-02-17", _OPENAI_ENDS),
    Names("google", "gemini-1.5-pro", ("gemini-1.5-pro-002", "gemini-1.5-pro-001"), "2025-09-24", _GOOGLE_ENDS, 8192),
    Names("google", "gemini-1.5-flash", ("gemini-1.5-flash-002", "gemini-1.5-flash-001"), "2025-09-24", _GOOGLE_ENDS,
          8192),
    Names("google", "gemini-2.5-pro", ("gemini-2.5-pro-preview-05-06",), None, _GOOGLE_ENDS),
    Names("google", "gemini-2.0-flash", ("gemini-2.0-flash-001", "gemini-2.0-flash-exp"), "2026-06-01", _GOOGLE_ENDS,
          8192),
    Names("google", "gemini-2.0-flash-lite", ("gemini-2.0-flash-lite-001",), "2026-06-01", _GOOGLE_ENDS, 8192),
    Names("google", "gemini-3-pro-preview", (), "2026-03-09", _GOOGLE_ENDS, 65536),
    Names("xai", "grok-2-1212", ("grok-2", "grok-2-latest"), None, _XAI_ENDS),
    Names("xai", "grok-3", (), "2026-05-15", _XAI_ENDS),
    Names("xai", "grok-4-0709", (), "2026-05-15", _XAI_ENDS),
    Names("xai", "grok-4-fast-reasoning", (), "2026-05-15", _XAI_ENDS),
    Names("xai", "grok-4-fast-non-reasoning", (), "2026-05-15", _XAI_ENDS),
    Names("xai", "grok-4-1-fast-reasoning", (), "2026-05-15", _XAI_ENDS),
    Names("xai", "grok-4-1-fast-non-reasoning", (), "2026-05-15", _XAI_ENDS),
)  # fmt: skip
"""What a source tells of as a family, or without its end."""

FOREIGN = {
    "openai": r"gpt-oss.*|gpt-5(\.4)?-image.*|o[34]-mini-high|gpt-5\.1-mini|gpt-5\.3|gpt-5\.5-(chat|codex)"
              r"|gpt-5(\.\d)?-chat|gpt-chat-latest|gpt-4-turbo-(0125|vision)-preview|text-embedding-ada-002-v2",
    "anthropic": r"claude-(2|3-haiku|3-sonnet|3-5-sonnet|opus-4|sonnet-4|v1)",
    "google": r"gemini-(flash|pro)-1\.5.*|gemini-3-pro-text-preview|gemini-2\.5-flash-lite-preview-tts|gemini-gemma.*"
              r"|gemini-live-2\.5-flash|gemma-4-26b-a4b-it-maas",
    "vertex": r"claude-(4-opus|4-sonnet|opus-4|sonnet-4|3-7-sonnet|3-opus)",
    "deepseek": r"deepseek-(v3.*|r1.*|coder|chat-v3.*)",
    "mistral": r"mi[sx]tral-.*-instruct|mistral-small-24b.*|mistral-7b|mixtral-8x7b|mistral-(large|nemo|saba)|codestral"
               r"|devstral-small|magistral-(medium|small)|ministral-[38]b|pixtral-large|voxtral-small-24b-2507"
               r"|mistral-ocr-.*-completion",
    "perplexity": r".*(llama|mistral|mixtral).*|pplx-\d+b.*|sonar-(small|medium).*|sonar-pro-search",
    "cohere": r"command-a|command-r7b",
    "moonshot": r"kimi-k2",
    "azure": r"ada|babbage|curie|davinci|text-(ada|curie|davinci).*|text-embedding-ada(-002-v2)?|phi-3.*"
             r"|phi-4-reasoning-plus|wizardlm.*",
}  # fmt: skip
"""Spellings that a source understands and the provider does not, and models that it lists for others' sake."""

CONTEXTS = {("google", "gemini-1.5-pro"): 2_097_152, ("google", "gemini-1.5-flash"): 1_048_576,
            ("google", "gemini-2.0-flash"): 1_048_576, ("google", "gemini-2.0-flash-lite"): 1_048_576,
            ("openai", "gpt-3.5-turbo"): 16_385}  # fmt: skip


class Fee(NamedTuple):
    """What a provider takes for each use of a tool of its own, for all its chat models that say no other price."""

    provider: str
    fee: str
    usd: D
    source: str
    only_with: str | None = None


FEES = (
    Fee("openai", "web_search", D("0.01"), _OPENAI, "tools"),
    Fee("openai", "file_search", D("0.0025"), _OPENAI, "tools"),
    Fee("openai", "code_interpreter", D("0.03"), _OPENAI, "tools"),
    Fee("anthropic", "web_search", D("0.01"), "https://platform.claude.com/docs/en/about-claude/pricing"),
    Fee("xai", "web_search", D("0.005"), "https://docs.x.ai/docs/models", "tools"),
    Fee("xai", "code_interpreter", D("0.005"), "https://docs.x.ai/docs/models", "tools"),
    Fee("xai", "file_search", D("0.0025"), "https://docs.x.ai/docs/models", "tools"),
)

LEAST = {("groq", "second"): 10}
"""As how many of a unit a provider bills the shortest call of any model that it sells by it.
https://console.groq.com/docs/speech-to-text#audio-file-limitations"""

HEARD = {("openrouter", "openai/gpt-audio-mini"): D("0.6")}
"""What sound costs where that is less than at its maker, and no source says so. https://openrouter.ai/openai/gpt-audio-mini"""

_A_GROUNDED_ANSWER = D("0.035")
"""What Gemini before 3 takes for an answer that is grounded in searches, however many; later ones take less, for each
search. https://ai.google.dev/gemini-api/docs/pricing#gemini-grounding"""


_CLAUDE_FOR_AN_HOUR = 2
"""Times the input's price: what a write to the cache for an hour costs of any Claude, and hosts do not always tell.
https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing"""


def apply(entries: dict[tuple[str, str], Entry]) -> None:
    """Put our rows among the sources' (by provider and lower-case name)."""
    for row in ROWS:
        if not entries.setdefault((row.provider, row.name), row).priced:
            entries[row.provider, row.name] = row
    for family in NAMES:
        known = entries.get((family.provider, family.name))
        if known is None:
            raise SystemExit(f"corrections: {family.provider} has no {family.name} any more")
        for name in (family.name, *family.names):
            entry = entries.setdefault((family.provider, name), replace(known, name=name))
            entry.retires = entry.retires or family.retires
            entry.max_output = entry.max_output or family.max_output
    for provider, name in list(entries):
        if re.fullmatch(FOREIGN.get(provider, ""), name):
            del entries[provider, name]
    for where, context in CONTEXTS.items():
        entry = entries[where]
        entry.context = entry.context or context
    for where, rate in HEARD.items():
        entries[where].rates.usd.setdefault("audio_in", rate)
    for entry in entries.values():
        if "claude" in entry.name and "cache_write" in entry.rates.usd:
            for usd in (entry.rates.usd, *entry.rates.above.values()):
                if "input" in usd:
                    usd.setdefault("cache_write_1h", _CLAUDE_FOR_AN_HOUR * usd["input"])
        if entry.provider in ("google", "vertex") and entry.fees.get("web_search") == _A_GROUNDED_ANSWER:
            entry.fees["grounding"] = entry.fees.pop("web_search")
        if entry.provider == "perplexity" and "web_search" in entry.fees:  # who pays for searches pays for no request
            del entry.fees["request"]
        for (kind, unit), count in LEAST.items():
            if kind == entry.provider and unit in entry.units:
                entry.least[unit] = count
        for fee in FEES:
            if (
                entry.provider == fee.provider
                and entry.mode in ("chat", None)
                and (fee.only_with is None or fee.only_with in entry.can)
            ):
                entry.fees.setdefault(fee.fee, fee.usd)
