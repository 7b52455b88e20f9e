"""Rows of genai-prices (https://github.com/pydantic/genai-prices) as entries.

Its tiers are what our `above` means: the whole call at the rate of the highest tier that its input exceeds. Prices that
begin on a day hold from that day; of prices by the hour the dearest is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from .entry import Entry, Rates, Usd
from .sources import GENAI

KINDS = {
    "openai": "openai", "anthropic": "anthropic", "google": "google", "azure": "azure", "x-ai": "xai",
    "deepseek": "deepseek", "mistral": "mistral", "groq": "groq", "together": "together", "fireworks": "fireworks",
    "openrouter": "openrouter", "perplexity": "perplexity", "cohere": "cohere", "cerebras": "cerebras",
    "moonshotai": "moonshot", "zai": "zai", "minimax": "minimax", "novita": "novita", "aws": "bedrock",
    "cloudflare": "cloudflare",
}  # fmt: skip

CLASSES = {
    "input_mtok": "input", "cache_read_mtok": "cached_read", "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h", "input_audio_mtok": "audio_in", "cache_audio_read_mtok": "cached_audio",
    "input_image_mtok": "image_in", "cache_image_read_mtok": "cached_image", "output_mtok": "output",
    "output_reasoning_mtok": "reasoning", "output_audio_mtok": "audio_out", "output_image_mtok": "image_out",
}  # fmt: skip
FEES = {"web_searches_kcount": "web_search", "storage_searches_kcount": "file_search", "requests_kcount": "request"}
UNITS = {"audio_hours": ("second", 3600), "input_audio_hours": ("second", 3600), "input_mchars": ("character", 10**6),
         "input_document_kpages": ("page", 1000)}  # fmt: skip
TIERS = {("processing", "batch"): "batch", ("service_tier", "flex"): "flex", ("service_tier", "priority"): "priority"}

_DIGITS = Context(prec=12, rounding=ROUND_HALF_EVEN)
"""A second of a price by the hour has no end of digits: twelve are kept, the only rounding there is."""


class Genai:
    """Its models by our kinds of providers. on: the day whose prices are meant."""

    def __init__(self, providers: Iterable[Any], on: date) -> None:
        self._on = on
        self._by_kind: dict[str, Any] = {}
        self._routed: list[tuple[str, Any]] = []
        for provider in providers:
            if provider.id in KINDS:
                self._by_kind[KINDS[provider.id]] = provider
            elif provider.id.startswith("huggingface_"):
                self._routed.append((provider.id.removeprefix("huggingface_"), provider))

    def entries(self) -> Iterator[Entry]:
        """All models under the names that it spells out."""
        for kind, provider in self._by_kind.items():
            for model in provider.models:
                entry = self._entry(kind, provider, model)
                for name in dict.fromkeys([model.id, *_spelled_out(model.match)]):
                    yield from _called(entry, name)
        yield from self._router()

    def _router(self) -> Iterator[Entry]:
        """Hugging Face's router: `org/model:provider`; of each model the cheapest provider."""
        cheapest: dict[str, Entry] = {}
        for maker, provider in self._routed:
            for model in provider.models:
                entry = replace(self._entry("huggingface", provider, model), name=f"{model.id}:{maker}")
                known = cheapest.get(model.id.lower())
                if entry.rates and (known is None or _worth(entry) < _worth(known)):
                    cheapest[model.id.lower()] = entry
        yield from cheapest.values()

    def routed(self) -> list[str]:
        """OpenRouter's ids, which name the models of the book."""
        return [model.id for model in self._by_kind["openrouter"].models if re.fullmatch(r"[^~:/]+/[^:]+", model.id)]

    def find(self, kind: str, name: str) -> Entry | None:
        """The entry of a family that a provider's name falls into."""
        provider = self._by_kind.get("google" if kind == "vertex" and "claude" in name else kind)
        name = name.rpartition("/")[2] if kind == "fireworks" else name
        model = provider.find_model(name) if provider is not None else None
        if model is None:
            return None
        return replace(self._entry(kind, provider, model), name=name, loose=True)

    def _entry(self, kind: str, provider: Any, model: Any) -> Entry:
        prices = self._in_force(model.prices)
        entry = Entry(
            provider=kind, name=model.id, source=(provider.pricing_urls or ["https://github.com/pydantic/genai-prices"])[0],
            date=GENAI[2], title=model.name, context=model.context_window,
        )  # fmt: skip
        entry.rates = _rates(prices)
        entry.fees = {fee: _plain(prices[key]) / 1000 for key, fee in FEES.items() if key in prices}
        for key, (unit, count) in UNITS.items():
            if key in prices:
                entry.units[unit] = _DIGITS.divide(_plain(prices[key]), Decimal(count))
        if "input_annotated_document_kpages" in prices:
            entry.variants["page"] = {"annotated": _plain(prices["input_annotated_document_kpages"]) / 1000}
        for variant in model.price_variants or ():
            tier = TIERS.get(next(iter(variant.when.items()))) if len(variant.when) == 1 else None
            if tier and self._active(variant.constraint):
                entry.tiers[tier] = _rates(_set(variant.prices))
        return entry

    def _in_force(self, prices: Any) -> dict[str, Any]:
        if not isinstance(prices, list):
            return _set(prices)
        by_day = [one for one in prices if not hasattr(one.constraint, "start_time") and self._active(one.constraint)]
        by_hour = [one for one in prices if hasattr(one.constraint, "start_time")]
        rows = [_set(one.prices) for one in [*by_day[-1:], *by_hour]]
        return max(rows, key=lambda row: _plain(row.get("input_mtok", Decimal(0)))) if rows else {}

    def _active(self, constraint: Any) -> bool:
        if hasattr(constraint, "start_time"):
            return True
        return constraint is None or bool(constraint.active(datetime(self._on.year, self._on.month, self._on.day)))  # noqa: DTZ001


def _called(entry: Entry, name: str) -> Iterator[Entry]:
    """An entry under a name, as the provider itself writes it; nothing for names that are none of its own."""
    kind = entry.provider
    if "$" in name or name.startswith(("ft:", "~")) or name.endswith("-") or (":" in name and kind != "bedrock"):
        return
    if (kind == "openrouter") != ("/" in name) and kind in ("openrouter", "openai", "perplexity", "xai"):
        return
    if kind == "openai" and re.match(r"gpt-\d-\d|gpt-35|gpt-3.5-0|text-embedding-ada$|computer-use$", name):
        return  # others' spellings
    if kind == "google" and "/" in name:
        return
    if kind == "google" and name.startswith("claude"):
        entry = replace(entry, provider="vertex", loose=True)
    if kind == "bedrock" and (name.startswith(("regional.", "us-gov.")) or "." not in name):
        return
    if kind == "fireworks" and not name.startswith("accounts/"):
        name = f"accounts/fireworks/models/{name}"
    if kind == "zai":
        name = name.lower()
    yield replace(entry, name=name)


def _spelled_out(match: Any) -> list[str]:
    """The names that a rule names itself."""
    if hasattr(match, "equals"):
        return [match.equals]
    return [name for part in getattr(match, "or_", ()) for name in _spelled_out(part)]


def _set(prices: Any) -> dict[str, Any]:
    return {key: value for key, value in vars(prices).items() if value is not None and not key.startswith("_")}


def _plain(price: Any) -> Decimal:
    return price if isinstance(price, Decimal) else price.base


def _rates(prices: dict[str, Any]) -> Rates:
    usd: Usd = {}
    above: dict[int, Usd] = {}
    for key, name in CLASSES.items():
        if key in prices:
            usd[name] = _plain(prices[key])
            for tier in getattr(prices[key], "tiers", ()):
                above.setdefault(tier.start, {})[name] = tier.price
    return Rates(usd, {tokens: {**usd, **step} for tokens, step in sorted(above.items())})


def _worth(entry: Entry) -> Decimal:
    return entry.rates.usd.get("input", Decimal(0)) + entry.rates.usd.get("output", Decimal(0))
