"""Entries of all sources → models with an offer for each provider that has them.

Of two sources that price a name, genai-prices holds; litellm does where the name is one that moves (`-latest`), or
where genai-prices told of a family only and the two differ. What one lacks the other fills in, unless they differ in
what both have: then the prices beside it may be of another day too. Names that mean one model are one offer while they
cost the same; a dated release at another price is a model of its own, any other name at another price is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from . import names as spelling
from .entry import Entry, Rates, Usd
from .names import MAKERS, Names
from .read_genai import Genai

KINDS = (
    "openai", "anthropic", "google", "xai", "deepseek", "mistral", "cohere", "perplexity", "moonshot", "zai", "minimax",
    "alibaba", "openrouter", "azure", "vertex", "bedrock", "groq", "together", "fireworks", "cerebras", "sambanova",
    "novita", "nvidia", "cloudflare", "huggingface",
)  # fmt: skip
"""Makers first: their spellings and facts hold."""

MOVED = {("mistral", "mistral-medium"), ("mistral", "mistral-small"), ("mistral", "mistral-large"),
         ("deepseek", "deepseek-chat"), ("deepseek", "deepseek-reasoner")}  # fmt: skip
"""Names that mean another model than when genai-prices read their price."""


@dataclass
class Notes:
    """For people. differ: provider, name, class, genai-prices', litellm's · left_out: provider, name, why"""

    differ: list[tuple[str, str, str, Decimal, Decimal]] = field(default_factory=list)
    left_out: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass
class Offer:
    """An entry under all its names, the default first."""

    entry: Entry
    names: list[str]


@dataclass
class Model:
    """A model and its offers by provider."""

    id: str
    offers: dict[str, Offer] = field(default_factory=dict)

    @property
    def told(self) -> list[Entry]:
        """The entries by how far they may speak for the model: the maker's first."""
        author = self.id.partition("/")[0]
        return [
            offer.entry
            for kind, offer in sorted(
                self.offers.items(), key=lambda item: (maker(item[0]) != author, KINDS.index(item[0]))
            )
        ]


def maker(kind: str) -> str:
    """The author whose models a provider's own are."""
    return MAKERS.get(kind, kind)


def by_name(litellm: Iterable[Entry], genai: Genai, notes: Notes) -> dict[tuple[str, str], Entry]:
    """One entry for each name of each provider."""
    told: dict[tuple[str, str], Entry] = {}
    for entry in litellm:
        where = (entry.provider, entry.name.lower())
        told[where] = _beside(told[where], entry) if where in told else entry
    curated: dict[tuple[str, str], Entry] = {}
    for entry in genai.entries():
        curated.setdefault((entry.provider, entry.name.lower()), entry)
    for where, entry in told.items():
        found = curated.pop(where, None) or (genai.find(entry.provider, entry.name) if entry.rates else None)
        if found is not None:
            told[where] = _both(entry, found, notes)
    return {**told, **curated}


def _beside(one: Entry, other: Entry) -> Entry:
    """Two rows of litellm's for one name: a size or quality of its images, or the same twice."""
    one, other = (one, other) if one.priced and (one.rates or one.units or not other.rates) else (other, one)
    variants = {
        unit: {**other.variants.get(unit, {}), **one.variants.get(unit, {})}
        for unit in {**one.variants, **other.variants}
    }
    return replace(one, variants=variants, units=one.units or other.units)


def _both(litellm: Entry, genai: Entry, notes: Notes) -> Entry:
    """One entry of a name that both sources tell of."""
    mine, theirs = litellm.rates.usd, genai.rates.usd
    differ = [name for name in theirs if name in mine and theirs[name] != mine[name]]
    notes.differ += [(litellm.provider, litellm.name, name, theirs[name], mine[name]) for name in differ]
    newer = genai.loose or litellm.name.endswith("-latest") or (litellm.provider, litellm.name) in MOVED
    if not genai.rates or (differ and newer):
        return litellm if genai.loose else replace(litellm, title=genai.title, units=litellm.units or genai.units)
    rates = _reachable(genai.rates, litellm)
    tiers = {name: _reachable(tier, litellm) for name, tier in genai.tiers.items()}
    if not differ:
        rates = _over(litellm.rates, rates)
        tiers = {name: _over(litellm.tiers.get(name), tiers.get(name)) for name in {**litellm.tiers, **tiers}}
    variants = {unit: {**genai.variants.get(unit, {}), **sizes} for unit, sizes in litellm.variants.items()}
    return replace(
        litellm, source=genai.source, date=genai.date, title=genai.title, context=litellm.context or genai.context,
        rates=rates, tiers=tiers, fees=_fees(litellm, genai), units={**litellm.units, **genai.units},
        variants={**genai.variants, **variants},
    )  # fmt: skip


def _over(below: Rates | None, over: Rates | None) -> Rates:
    """What the upper says, and beside it what only the lower says."""
    below, over = below or Rates(), over or Rates()
    steps = {
        tokens: {**below.above.get(tokens, {}), **over.above.get(tokens, {})}
        for tokens in {**below.above, **over.above}
    }
    return Rates({**below.usd, **over.usd}, steps)


def _reachable(rates: Rates, litellm: Entry) -> Rates:
    """Without the steps that the context cannot reach: those of a retired window stay in the curated history."""
    window = litellm.context
    if window is None or litellm.rates.above:
        return rates
    return Rates(rates.usd, {tokens: step for tokens, step in rates.above.items() if tokens < window})


def _fees(litellm: Entry, genai: Entry) -> Usd:
    """Perplexity's fee for a request is by size: the default size's, which only litellm tells apart."""
    return {**genai.fees, **({"request": litellm.fees["request"]} if "request" in litellm.fees else {}),
            **{fee: usd for fee, usd in litellm.fees.items() if fee not in genai.fees}}  # fmt: skip


def whole(rates: Rates, tiers: Mapping[str, Rates]) -> tuple[Rates, dict[str, Rates]]:
    """Tiers and steps with all their classes: what they do not say costs as it does without them."""
    usd = _parted(rates.usd)
    standard = Rates(usd, _steps(usd, {}, rates.above))
    full = {}
    for name, tier in sorted(tiers.items()):
        own = {**usd, **_parted(tier.usd)}
        if tier.usd and own != usd:
            full[name] = Rates(own, _steps(own, standard.above, tier.above))
    return standard, full


def _steps(usd: Usd, standard: Mapping[int, Usd], above: Mapping[int, Usd]) -> dict[int, Usd]:
    """Steps of the classes that have a price below them too; none that changes neither input nor output."""
    steps = {}
    for tokens in sorted({*standard, *above}):
        beyond = {name: max(rate, usd.get(name, rate)) for name, rate in standard.get(tokens, {}).items()}
        step = {**usd, **beyond, **{name: rate for name, rate in above.get(tokens, {}).items() if name in usd}}
        if any(step.get(name) != usd.get(name) for name in ("input", "output")):
            steps[tokens] = _parted(step)
    return steps


def _parted(usd: Usd) -> Usd:
    """Without a price for reasoning that is the output's anyway."""
    return {name: rate for name, rate in usd.items() if name != "reasoning" or rate != usd.get("output")}


def models(entries: Mapping[tuple[str, str], Entry], seeds: Iterable[str], notes: Notes) -> dict[str, Model]:
    """The book."""
    known = Names(seeds)
    book: dict[str, Model] = {}
    for kind in KINDS:
        grouped: dict[str, list[Entry]] = {}
        mine = [entry for (provider, _), entry in entries.items() if provider == kind]
        for entry in sorted(
            mine, key=lambda entry: (spelling.release(kind, entry.name, "") is not None, len(entry.name), entry.name)
        ):
            if not entry.priced:
                notes.left_out.append((kind, entry.name, "no price"))
                continue
            grouped.setdefault(known.of(kind, entry.name), []).append(entry)
        for one, group in sorted(grouped.items()):
            _offer(book, known, kind, one, group, notes)
    return book


def _offer(book: dict[str, Model], known: Names, kind: str, one: str, group: list[Entry], notes: Notes) -> None:
    alike: dict[str, list[Entry]] = {}
    for entry in sorted(group, key=lambda entry: _rank(kind, entry.name, one)):
        alike.setdefault(_worth(entry), []).append(entry)
    first, *others = alike.values()
    _put(book, kind, one, first)
    for entry in (entry for rest in others for entry in rest):
        own = f"{one}:{_region(entry.name)}" if kind == "bedrock" else _own(kind, entry.name, one)
        if own is None:
            notes.left_out.append((kind, entry.name, f"another price than {first[0].name}"))
            continue
        if own in book and kind in book[own].offers and _worth(book[own].offers[kind].entry) != _worth(entry):
            notes.left_out.append((kind, entry.name, f"another price than {own}"))
            continue
        if kind == "openrouter" or maker(kind) == one.partition("/")[0]:
            known.keep(own)
        _put(book, kind, own, [entry])


def _own(kind: str, name: str, one: str) -> str | None:
    """The id of a release, or of the moving alias, that costs something else than its model."""
    mark = spelling.release(kind, name, one.partition("/")[0]) or ("latest" if name.endswith("-latest") else None)
    return f"{one}-{mark}" if mark else None


def _region(name: str) -> str:
    """Bedrock's dearer ways to a model: in one region (also of the United States), or in another part of the world."""
    return name.partition(".")[0] if name.startswith(_FAR) else "regional"


def _put(book: dict[str, Model], kind: str, one: str, alike: list[Entry]) -> None:
    model = book.setdefault(one, Model(one))
    if kind not in model.offers:
        model.offers[kind] = Offer(alike[0], [])
    model.offers[kind].names += [entry.name for entry in alike if entry.name not in model.offers[kind].names]


_REGIONS = ("global.", "us.", "")
_FAR = ("eu.", "apac.", "jp.", "au.", "ca.", "in.", "sa.")


def _rank(kind: str, name: str, one: str) -> tuple[object, ...]:
    """The default name of an offer first: of Bedrock's the one for all regions; an undated one, spelled as the model;
    then the newest."""
    region = 0
    if kind == "bedrock":
        region = len(_REGIONS) if name.startswith(_FAR) else [name.startswith(begin) for begin in _REGIONS].index(True)
    author, _, stem = one.partition("/")
    dated = spelling.release(kind, name, author)
    newest = [-int(digit) for digit in dated or "" if digit.isdigit()]
    strange = spelling.key(spelling.split(kind, name)[1]) != spelling.key(stem)
    return (region, dated is not None, strange, newest, len(name), name)


def _worth(entry: Entry) -> str:
    """What must be equal for two names to be one offer."""
    named = {
        **{name: entry.rates.usd.get(name) for name in ("input", "output", "audio_in", "audio_out")},
        **entry.units,
    }
    if not entry.rates and not entry.units:
        named |= {f"{unit} {size}": usd for unit, sizes in entry.variants.items() for size, usd in sizes.items()}
    return repr([(name, usd.normalize()) for name, usd in sorted(named.items()) if usd is not None])
