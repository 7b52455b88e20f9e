"""What is known of the world's models: names, facts, who offers them, and for how much.

`models.jsonl` is made by `make pricebook` from published data and read here; an operator may take a newer one
(`prices update`). Nothing here knows channels, accounts or what an operator has set: routing finds its legs here and
billing its prices.

The first line is the head, `{"version", "sources"}`; each other line a model:

    id        canonical `author/model`, as OpenRouter spells it where it lists the model
    name      for people
    mode      chat, completion, embedding, rerank, moderation, image, speech, transcription, video, realtime, ocr, music
    aliases   further full ids that mean this model; dotted, dashed, `-latest` and bare spellings are found without
    context, max_output                 tokens
    in, out   modalities of text, image, file, audio, video, embedding
    can       of tools, parallel_tools, schema, reasoning, caching, streaming, web_search, computer, prefill
    retires   the day on which its author ends it (ISO 8601)
    offers    a row for each provider that has it:
        provider  a kind of `providers.registry`      names   its own names for it there, the default first
        context, max_output, retires                  where they differ from the model's
        usd       dollars a million tokens, by class: input, cached_read, cache_write, cache_write_1h, audio_in,
                  cached_audio, image_in, cached_image, output, reasoning, audio_out, image_out
        above     {tokens of input: classes}: what a call with more input than that costs, all of it
        tiers     {flex | priority | batch: {"usd", "above"}}
        fees      dollars each, for what the provider does on the way: web_search, grounding (an answer with searches,
                  however many), file_search, code_interpreter, maps, request
        units     dollars each: image, second, character, page, query, megapixel
        least     {unit: count}: as so many of it a call counts at least
        variants  {unit: {variant: dollars each}}: sizes and qualities of images, resolutions of video
        source, date                                  where and when this was read
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

FILE = Path(__file__).with_name("models.jsonl")

Rates = Mapping[str, str]
"""Dollars a million tokens by class, as decimal text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Rates, and the steps above which others hold: (tokens of input, rates), the lowest first."""

    usd: Rates
    above: tuple[tuple[int, Rates], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model at a provider. See the module; `tiers` has the default one under ""."""

    provider: str
    names: tuple[str, ...]
    context: int | None
    max_output: int | None
    retires: str | None
    tiers: Mapping[str, Tier]
    fees: Mapping[str, str]
    units: Mapping[str, str]
    least: Mapping[str, int]
    variants: Mapping[str, Mapping[str, str]]
    source: str
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model, whoever offers it. See the module."""

    id: str
    name: str
    mode: str
    aliases: tuple[str, ...]
    context: int | None
    max_output: int | None
    takes: tuple[str, ...]
    makes: tuple[str, ...]
    can: tuple[str, ...]
    retires: str | None
    offers: tuple[Offer, ...]

    @property
    def author(self) -> str:
        return self.id.partition("/")[0]

    def at(self, provider: str) -> Offer | None:
        """Its offer at a provider."""
        return next((offer for offer in self.offers if offer.provider == provider), None)


@dataclass(frozen=True, slots=True)
class Found:
    """A name that means a model. pinned: the very release that was named, if it was a dated one."""

    model: Model
    pinned: str | None

    def name_at(self, offer: Offer) -> str | None:
        """What the offer's provider calls it; None where that has not the release that was named."""
        if self.pinned is None:
            return offer.names[0]
        day = _day(self.pinned)
        return next((name for name in offer.names if _day(_stem(offer.provider, name)) == day), None)


class Book:
    """All that is known, by name. version: of the data, as it stands on receipts · digest: tells it from any other."""

    def __init__(self, head: Mapping[str, Any], models: Iterable[Model], digest: str = "") -> None:
        self.digest = digest
        self.version = str(head["version"])
        self.sources: Mapping[str, str] = head.get("sources") or {}
        self.models = {model.id: model for model in models}
        self.providers = {offer.provider for model in self.models.values() for offer in model.offers}
        self._offers: dict[tuple[str, str], tuple[Model, Offer]] = {}
        self._ids: dict[str, Found] = {}
        self._bare: dict[str, Found | None] = {}
        for model in sorted(self.models.values(), key=lambda model: (model.id.endswith("-latest"), model.id)):
            for name in (model.id, *model.aliases):
                self._ids[name] = self._know(name, Found(model, None))
        for model in self.models.values():
            for offer in model.offers:
                for name in offer.names:
                    self._offers.setdefault((offer.provider, name), (model, offer))
                    if ":" not in model.id:  # a dearer way to a model is found by its id alone
                        self._know_release(model, _stem(offer.provider, name))

    def _know_release(self, model: Model, stem: str) -> None:
        """A provider's own word for a model is one for its author's too. A date in it pins, unless it is the id's."""
        day = _day(stem)
        name = f"{model.author}/{stem}"
        if spelled(name) not in self._ids:
            self._know(name, Found(model, stem if day and day != _day(spelled(model.id)) else None))

    def _know(self, name: str, found: Found) -> Found:
        """Spell a name. Of one author's models the first has a spelling; bare, what two authors have means nobody."""
        self._ids.setdefault(spelled(name), found)
        bare = spelled(name.partition("/")[2])
        known = self._bare.setdefault(bare, found)
        if known is not None and known.model.author != found.model.author:
            self._bare[bare] = None
        return found

    def find(self, name: str) -> Found | None:
        """The model that a public name means: its id, an alias, another spelling, or its bare name if no other author
        has one of that name."""
        if "/" in name:
            return self._ids.get(name) or self._ids.get(spelled(name))
        found = self._bare.get(spelled(name))
        return self._ids.get(f"{found.model.author}/{name}", found) if found else None

    def offer(self, provider: str, name: str) -> tuple[Model, Offer] | None:
        """What a provider calls so."""
        return self._offers.get((provider, name))


_LATEST = re.compile(r"-latest$")
_DAY = re.compile(r"-(20\d\d-?[01]\d-?[0-3]\d|[01]\d-20\d\d|\d{4}|\d\d-\d\d|00\d)(?=$|[-:])")
"""The part of a name that says which release it is: `-2024-08-06`, `-20250929`, `-0613`, `-05-06`, `-001`."""
_BEDROCK = re.compile(r"^(?:[a-z]+\.)?[a-z0-9]+\.(?=[a-z])|-v\d+(?::\d+)?$|:\d+$")
"""What Bedrock puts around a name: `us.anthropic.…-v1:0`."""


@cache
def spelled(name: str) -> str:
    """A name without what spellings differ in: case, dots for dashes, `-latest`."""
    return _LATEST.sub("", name.lower().replace(".", "-").replace("_", "-").replace("@", "-"))


def _stem(provider: str, name: str) -> str:
    """A provider's name without what only it puts there: folders, regions, marks of a version; spelled."""
    stem = name.rpartition("/")[2]
    if provider == "bedrock":
        stem = _BEDROCK.sub("", stem)
    return spelled(stem.partition(":")[0] if provider == "huggingface" else stem)


def _day(stem: str) -> str | None:
    """Which release a name says."""
    found = _DAY.search(stem)
    return found[1].replace("-", "") if found else None


def read(data: bytes) -> Book:
    """A book from its lines. Raises ValueError for what is none."""
    try:
        head, *rows = [orjson.loads(line) for line in data.splitlines() if line.strip()]
        return Book(head, [_model(row) for row in rows], hashlib.sha256(data).hexdigest())
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"this is no price book: {type(error).__name__} {error}") from None


def _model(row: Mapping[str, Any]) -> Model:
    return Model(
        id=row["id"],
        name=row.get("name") or row["id"],
        mode=row["mode"],
        aliases=tuple(row.get("aliases", ())),
        context=row.get("context"),
        max_output=row.get("max_output"),
        takes=tuple(row.get("in", ("text",))),
        makes=tuple(row.get("out", ("text",))),
        can=tuple(row.get("can", ())),
        retires=row.get("retires"),
        offers=tuple(_offer(offer) for offer in row["offers"]),
    )


def _offer(row: Mapping[str, Any]) -> Offer:
    return Offer(
        provider=row["provider"],
        names=tuple(row["names"]),
        context=row.get("context"),
        max_output=row.get("max_output"),
        retires=row.get("retires"),
        tiers={"": _tier(row), **{name: _tier(tier) for name, tier in row.get("tiers", {}).items()}},
        fees=row.get("fees", {}),
        units=row.get("units", {}),
        least=row.get("least", {}),
        variants=row.get("variants", {}),
        source=row["source"],
        date=row["date"],
    )


def _tier(row: Mapping[str, Any]) -> Tier:
    steps = sorted((int(tokens), usd) for tokens, usd in row.get("above", {}).items())
    return Tier(usd=row.get("usd", {}), above=tuple(steps))


_current: Book | None = None


def current() -> Book:
    """The book in force: the one that the operator took, else the one that comes with the gateway."""
    global _current
    if _current is None:
        _current = built_in()
    return _current


@cache
def built_in() -> Book:
    """The book that comes with the gateway."""
    return read(FILE.read_bytes())


def use(book: Book | None) -> None:
    """Put another book in force; None for the built-in one."""
    global _current
    _current = book
