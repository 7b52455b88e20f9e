"""Rows of litellm's table (https://github.com/BerriAI/litellm, model_prices_and_context_window.json) as entries.

Its keys are `<what>[_above_200k_tokens][_batches|_flex|_priority]`, in dollars a token; a step above is for the whole
call. Searches are dollars each. Rows of a size or quality (`hd/1024-x-1792/dall-e-3`) are variants of their model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from .entry import Entry, Rates
from .sources import LITELLM

KINDS = {
    "openai": "openai", "text-completion-openai": "openai", "anthropic": "anthropic", "gemini": "google",
    "azure": "azure", "azure_ai": "azure", "azure_text": "azure", "xai": "xai", "deepseek": "deepseek",
    "mistral": "mistral", "groq": "groq", "together_ai": "together", "fireworks_ai": "fireworks",
    "fireworks_ai-embedding-models": "fireworks", "perplexity": "perplexity", "cohere": "cohere",
    "cohere_chat": "cohere", "cerebras": "cerebras", "moonshot": "moonshot", "zai": "zai", "minimax": "minimax",
    "dashscope": "alibaba", "novita": "novita", "nvidia_nim": "nvidia", "sambanova": "sambanova",
    "cloudflare": "cloudflare", "bedrock": "bedrock", "bedrock_converse": "bedrock", "bedrock_mantle": "bedrock",
}  # fmt: skip

MODES = {
    "chat": "chat", "responses": "chat", "completion": "completion", "embedding": "embedding", "rerank": "rerank",
    "moderation": "moderation", "image_generation": "image", "image_edit": "image", "audio_speech": "speech",
    "audio_transcription": "transcription", "video_generation": "video", "realtime": "realtime", "ocr": "ocr",
}  # fmt: skip

CLASSES = {
    "input_cost_per_token": "input", "cache_read_input_token_cost": "cached_read",
    "cache_creation_input_token_cost": "cache_write", "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "input_cost_per_audio_token": "audio_in", "cache_read_input_audio_token_cost": "cached_audio",
    "input_cost_per_image_token": "image_in", "cache_read_input_image_token_cost": "cached_image",
    "output_cost_per_token": "output", "output_cost_per_reasoning_token": "reasoning",
    "output_cost_per_audio_token": "audio_out", "output_cost_per_image_token": "image_out",
}  # fmt: skip
TIERS = {"": "", "_batches": "batch", "_flex": "flex", "_priority": "priority"}
_STEP = re.compile(r"(.+?)(?:_above_(\d+)k_tokens)?(_batches|_flex|_priority)?$")
_SIZED = re.compile(r"^(?:(low|medium|high|hd|standard)/)?(\d+)-x-(\d+)/(?:max-steps/|\d+-steps/)?(.+)$")

CAN = {
    "supports_function_calling": "tools", "supports_parallel_function_calling": "parallel_tools",
    "supports_response_schema": "schema", "supports_reasoning": "reasoning", "supports_prompt_caching": "caching",
    "supports_native_streaming": "streaming", "supports_web_search": "web_search", "supports_computer_use": "computer",
    "supports_assistant_prefill": "prefill",
}  # fmt: skip
TAKES = {"supports_vision": "image", "supports_image_input": "image", "supports_embedding_image_input": "image",
         "supports_pdf_input": "file", "supports_audio_input": "audio", "supports_video_input": "video"}  # fmt: skip
_MAKES = {
    "image": ("image",),
    "speech": ("audio",),
    "video": ("video",),
    "music": ("audio",),
    "embedding": ("embedding",),
}

_NOT_NAMES = re.compile(
    r"^(ft:|together-ai-|fireworks-ai-|container$|preset/|bedrock/|speech/|doc-intelligence/|model.router$|search$)"
    r"|^(eu|us|apac|global|global-standard|us-gov)/|^[a-z]{2}(-gov)?-[a-z]+-\d/|^us-gov\.|^\*/|-commitment/|:\d+k$"
    r"|^claude_platform/|^invoke/|^max-x-max/|^anthropic\.claude-3-7-sonnet-20240620"
)
"""Rows that are no names for a caller: fine-tunes, classes of size, deployments of a region, meters."""


def entries(table: Mapping[str, Mapping[str, Any]]) -> Iterator[Entry]:
    """All rows of the providers that the book covers."""
    for key, row in table.items():
        kind = _kind(row.get("litellm_provider") or "")
        mode = MODES.get(row.get("mode") or "")
        if kind is None or mode is None:
            continue
        name = _name(key, str(row["litellm_provider"]))
        sized = _SIZED.match(name)
        if _NOT_NAMES.search(name) or (kind == "perplexity" and "/" in name):  # those are its agents' models
            continue
        if sized:
            yield from _variant(kind, sized, row)
        elif row.get("mode") and "-sized" not in name:
            yield _entry(kind, name, "music" if "lyria" in name else mode, row)


def _kind(provider: str) -> str | None:
    return "vertex" if provider.startswith("vertex_ai") else KINDS.get(provider)


def _name(key: str, provider: str) -> str:
    """The provider's own name: litellm puts its own word for the provider first, mostly."""
    for prefix in (provider.split("-")[0], "vertex_ai", "azure", "bedrock", "openai" if provider == "openai" else "\0"):
        if key.startswith(prefix + "/"):
            key = key.removeprefix(prefix + "/")
            break
    if provider.startswith("fireworks") and not key.startswith(("accounts/", "fireworks-ai")):
        return f"accounts/fireworks/models/{key}"
    return key


def _entry(kind: str, name: str, mode: str, row: Mapping[str, Any]) -> Entry:
    entry = Entry(
        provider=kind, name=name, source=_page(row), date=LITELLM[2], mode=mode,
        context=_count(row.get("max_input_tokens")), max_output=_count(row.get("max_output_tokens")),
        can=tuple(can for flag, can in CAN.items() if row.get(flag)), retires=_day(row.get("deprecation_date")),
    )  # fmt: skip
    entry.takes, entry.makes = _modalities(mode, row)
    _tokens(entry, row)
    _fees(entry, row)
    _units(entry, row)
    return entry


def _modalities(mode: str, row: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    takes = dict.fromkeys(
        ["text", *(row.get("supported_modalities") or ()), *(kind for flag, kind in TAKES.items() if row.get(flag))]
    )
    makes = dict.fromkeys(row.get("supported_output_modalities") or _MAKES.get(mode, ("text",)))
    if mode == "transcription":
        takes = dict.fromkeys(["audio", *takes])
    if mode == "realtime" or row.get("supports_audio_output"):
        makes["audio"] = None
    known = ("text", "image", "file", "audio", "video", "embedding")
    return tuple(kind for kind in takes if kind in known), tuple(kind for kind in makes if kind in known)


def _tokens(entry: Entry, row: Mapping[str, Any]) -> None:
    rates: dict[str, Rates] = {}
    for key, value in row.items():
        base, step, tier = _STEP.match(key).groups()  # type: ignore[union-attr]
        name = CLASSES.get(base)
        if name is None or value is None or (name == "cache_write" and not value):
            continue
        found = rates.setdefault(TIERS[tier or ""], Rates())
        into = found.above.setdefault(int(step) * 1000, {}) if step else found.usd
        into[name] = Decimal(value) * 10**6
    for part in row.get("tiered_pricing") or ():
        found = rates.setdefault("", Rates())
        start = int(part["range"][0])
        into = found.above.setdefault(start, {}) if start else found.usd
        into.update({CLASSES[key]: Decimal(value) * 10**6 for key, value in part.items() if key in CLASSES})
    entry.rates = rates.pop("", Rates())
    entry.tiers = rates
    if entry.mode in ("embedding", "rerank", "moderation"):
        entry.rates.usd.pop("output", None)
    if entry.mode not in ("moderation",) and not any(entry.rates.usd.values()):
        entry.rates = Rates()


def _fees(entry: Entry, row: Mapping[str, Any]) -> None:
    """A search's price, by how much of the web it may read; Perplexity's is one for each request."""
    told = row.get("search_context_cost_per_query") or {}
    sizes = {
        size: Decimal(cost) for size in ("low", "medium", "high") if (cost := told.get(f"search_context_size_{size}"))
    }
    if sizes:
        fee, size = ("request", "low") if entry.provider == "perplexity" else ("web_search", "medium")
        entry.fees[fee] = sizes.get(size) or next(iter(sizes.values()))
        if len(set(sizes.values())) > 1:
            entry.variants[fee] = sizes
    if maps := row.get("google_maps_grounding_cost_per_query"):
        entry.fees["maps"] = Decimal(maps)


def _units(entry: Entry, row: Mapping[str, Any]) -> None:
    def first(*keys: str) -> Decimal | None:
        return next((Decimal(row[key]) for key in keys if row.get(key)), None)

    found: dict[str, Decimal | None] = {}
    match entry.mode:
        case "image":
            found["image"] = first("output_cost_per_image", *(() if entry.rates else ("input_cost_per_image",)))
            found["megapixel"] = None if (pixel := first("input_cost_per_pixel")) is None else pixel * 10**6
            sizes = {key.removeprefix("output_cost_per_image_").lower(): Decimal(row[key]) for key in row
                     if re.fullmatch(r"output_cost_per_image_(\d+|[\d.]+K)", key)}  # fmt: skip
            if sizes:
                entry.variants["image"] = sizes
                found["image"] = found["image"] or min(sizes.values())
        case "music":
            found["second"] = first("output_cost_per_second")
            if song := first("output_cost_per_image"):
                entry.fees["request"] = song
        case "video":
            found["second"] = first("output_cost_per_second", "output_cost_per_video_per_second")
            sizes = {key.removeprefix("output_cost_per_second_"): Decimal(row[key]) for key in row
                     if key.startswith("output_cost_per_second_")}  # fmt: skip
            if sizes:
                entry.variants["second"] = sizes
        case "transcription":
            found["second"] = first("input_cost_per_second", "output_cost_per_second")
        case "realtime":
            found["second"] = None if entry.rates else first("input_cost_per_second")
        case "speech":
            found["character"] = first("input_cost_per_character", "output_cost_per_character")
        case "ocr":
            found["page"] = first("ocr_cost_per_page")
            if annotated := first("annotation_cost_per_page"):
                entry.variants["page"] = {"annotated": annotated}
        case "rerank":
            found["query"] = first("input_cost_per_query")
    entry.units = {unit: dollars for unit, dollars in found.items() if dollars is not None}


def _variant(kind: str, sized: re.Match[str], row: Mapping[str, Any]) -> Iterator[Entry]:
    """An image of a size and quality; from a pixel's price to a hundredth of a cent where that alone is known."""
    quality, width, height, name = sized.groups()
    each = row.get("input_cost_per_image") or row.get("output_cost_per_image")
    if not each and row.get("input_cost_per_pixel"):
        each = (Decimal(row["input_cost_per_pixel"]) * int(width) * int(height)).quantize(Decimal("0.0001"))
    if each:
        size = f"{width}x{height}"
        variant = f"{quality}/{size}" if quality else size
        yield Entry(
            provider=kind, name=name.removeprefix("bedrock/"), source=_page(row),
            date=LITELLM[2], mode="image", variants={"image": {variant: Decimal(each)}},
            retires=_day(row.get("deprecation_date")), makes=("image",),
        )  # fmt: skip


def _page(row: Mapping[str, Any]) -> str:
    """The page a row was read from; of Azure's price and management interfaces the address without the question."""
    page = str(row.get("source") or "")
    if page.startswith(("https://management.azure.com/", "https://prices.azure.com/")):
        return "https://prices.azure.com/api/retail/prices"
    return page if page.startswith("https://") else "https://github.com/BerriAI/litellm"


def _count(value: Any) -> int | None:
    return int(value) if isinstance(value, int | Decimal) and value > 0 else None


def _day(value: Any) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) else None
