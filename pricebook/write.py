"""The book's lines, and what stands in them counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gateway.book import Book
from gateway.book.changes import figures

from .entry import Entry, Rates, Usd
from .merge import Model, maker, whole

_ORDER = ("input", "cached_read", "cache_write", "cache_write_1h", "audio_in", "cached_audio", "image_in",
          "cached_image", "output", "reasoning", "audio_out", "image_out")  # fmt: skip
_CAN = ("tools", "parallel_tools", "schema", "reasoning", "caching", "streaming", "web_search", "computer", "prefill")
_KINDS = ("text", "image", "file", "audio", "video", "embedding")
_BEGINS = (("embedding", "embed"), ("rerank", "rerank"), ("ocr", "ocr"), ("moderation", "moderation"),
           ("transcription", "whisper"), ("transcription", "transcribe"), ("speech", "tts"), ("speech", "orpheus"),
           ("realtime", "realtime"), ("realtime", "-live"), ("image", "gpt-image"), ("image", "flux"))  # fmt: skip


def lines(book: Mapping[str, Model], version: str, sources: Mapping[str, str]) -> list[str]:
    """The head, and a line for each model."""
    return [_json({"version": version, "sources": dict(sources)}), *(_json(row(book[one])) for one in sorted(book))]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def row(model: Model) -> dict[str, Any]:
    """A model as its line has it."""
    told = model.told
    mode = _mode(model)
    context = next((entry.context for entry in told if entry.context), None)
    most = next((entry.max_output for entry in told if entry.max_output), None)
    ends = _ends(model)
    makes = next((entry.makes for entry in told if entry.makes), ())
    takes = next((entry.takes for entry in told if entry.takes), ())
    can = {can for entry in told[:1] for can in entry.can} or {can for entry in told for can in entry.can}
    offers = sorted(model.offers.items(), key=lambda item: (maker(item[0]) != model.id.partition("/")[0], item[0]))
    return _full({
        "id": model.id,
        "name": _title(model),
        "mode": mode,
        "context": context,
        "max_output": most if mode in ("chat", "completion", "realtime") else None,
        "in": [] if takes in ((), ("text",)) else [kind for kind in _KINDS if kind in takes],
        "out": [] if makes in ((), ("text",)) else [kind for kind in _KINDS if kind in makes],
        "can": [name for name in _CAN if name in can] if mode in ("chat", "completion", "realtime") else [],
        "retires": ends,
        "offers": [_offer(kind, offer.names, offer.entry, context, most, ends) for kind, offer in offers],
    })  # fmt: skip


def _offer(
    kind: str, names: list[str], entry: Entry, context: int | None, most: int | None, ends: str | None
) -> dict[str, Any]:
    standard, tiers = whole(entry.rates, entry.tiers)
    return _full({
        "provider": kind,
        "names": names,
        "context": entry.context if entry.context != context else None,
        "max_output": entry.max_output if entry.max_output != most and entry.mode in ("chat", None) else None,
        "retires": entry.retires if entry.retires != ends else None,
        **_rates(standard),
        "tiers": {name: _rates(rates) for name, rates in tiers.items()},
        "fees": _money(entry.fees),
        "units": _money(entry.units),
        "least": dict(sorted(entry.least.items())),
        "variants": {unit: _money(sizes) for unit, sizes in sorted(entry.variants.items())},
        "source": entry.source,
        "date": entry.date,
    })  # fmt: skip


def _full(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value not in (None, [], {})}


def _rates(rates: Rates) -> dict[str, Any]:
    return _full(
        {"usd": _classes(rates.usd), "above": {str(tokens): _classes(step) for tokens, step in rates.above.items()}}
    )


def _classes(usd: Usd) -> dict[str, str]:
    return {name: text(usd[name]) for name in _ORDER if name in usd}


def _money(usd: Usd) -> dict[str, str]:
    return {name: text(usd[name]) for name in sorted(usd)}


def text(dollars: Decimal) -> str:
    """A price as decimal text, without exponent and idle zeros."""
    plain = f"{dollars:f}"
    return plain.rstrip("0").rstrip(".") or "0" if "." in plain else plain


def _mode(model: Model) -> str:
    """The maker's word; else the most frequent; else by name."""
    author, _, stem = model.id.partition("/")
    told = [(maker(entry.provider) == author, entry.mode) for entry in model.told if entry.mode]
    own = [mode for its, mode in told if its]
    if told:
        return own[0] if own else max(sorted(mode for _, mode in told), key=[mode for _, mode in told].count)
    if stem.startswith(("text-davinci", "davinci", "babbage", "ada", "curie")):
        return "completion"
    return next((mode for mode, part in _BEGINS if part in stem), "chat")


def _title(model: Model) -> str | None:
    """The first that somebody wrote with a capital letter."""
    titles = [entry.title for entry in model.told if entry.title]
    return next((title for title in titles if title != title.lower()), next(iter(titles), None))


def _ends(model: Model) -> str | None:
    """The day its author ends it."""
    author = model.id.partition("/")[0]
    return next((entry.retires for entry in model.told if maker(entry.provider) == author and entry.retires), None)


def summary(made: Book) -> str:
    """Models, offers and prices, counted."""
    modes = Counter(model.mode for model in made.models.values())
    offers = [offer for model in made.models.values() for offer in model.offers]
    count = Counter(offer.provider for offer in offers)
    prices = Counter(offer.provider for offer in offers for _ in figures(offer))
    by_mode = ", ".join(f"{mode} {number}" for mode, number in modes.most_common())
    by_provider = ", ".join(f"{kind} {number} ({prices[kind]})" for kind, number in count.most_common())
    return (
        f"{len(made.models)} models, {len(offers)} offers, {prices.total()} prices\nby mode: {by_mode}\n"
        f"by provider, offers (prices): {by_provider}"
    )
