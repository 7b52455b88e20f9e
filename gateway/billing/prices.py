"""Prices: what a model costs, what a call may cost at most, what it did cost.

A rate is nano-dollars a token (a dollar a million tokens is 1,000 of them). A class of tokens without a rate of its
own takes its parent's: cached reads and cache writes are input, reasoning is output. Sound and made pictures have no
such parent: where they are asked for and have no rate, the call is refused. What is sold by the character, the second
or the search has a price each. What an operator set goes before the book.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from typing import Any, NamedTuple

import models.margin
import models.price
from models import change
from models.base import session

from .. import book
from ..call import Ask, Hosted, Leg, Piece, Price, Rates
from ..dialects import bridge, openai_responses
from ..dialects.gemini.parts import NAME as GEMINI
from ..errors import GatewayError
from ..money import NANOS
from ..neutral.reply import Usage, Variant
from ..providers.registry import PROVIDERS

PARENT = {
    "input": "input", "cached_read": "input", "cache_write": "input", "cache_write_1h": "cache_write",
    "audio_in": "input", "cached_audio": "audio_in", "image_in": "input", "output": "output", "reasoning": "output",
    "audio_out": "output", "image_out": "output",
}  # fmt: skip
"""Every class of tokens and the class whose rate it takes where it has none of its own."""

UNKNOWN_OUTPUT = 131_072
UNKNOWN_CONTEXT = 1_048_576
"""Assumed for models whose limits nobody told: large, so that a hold is not too small."""

FREE = Price(rates={}, context=UNKNOWN_CONTEXT, max_output=UNKNOWN_OUTPUT, version="free")


def per_mtok(dollars: str | Decimal) -> Decimal:
    """Dollars a million tokens as nano-dollars a token."""
    return Decimal(dollars) * 1_000


def each(dollars: str | Decimal) -> Decimal:
    """Dollars for one of something as nano-dollars."""
    return Decimal(dollars) * NANOS


_SANDBOX_RATES = {"input": "0.15", "cached_read": "0.075", "output": "0.60", "audio_in": "10", "audio_out": "20"}
_SANDBOX_UNITS = {"image": "0.01", "second": "0.01", "song": "0.05"}
_SANDBOX_SIZED = {"image": {"low": "0.005", "medium": "0.01", "high": "0.04"}}
_PIECES = Price(
    rates={}, context=UNKNOWN_CONTEXT, max_output=0, version="sandbox",
    units={unit: each(usd) for unit, usd in _SANDBOX_UNITS.items()},
    sized={unit: {name: each(usd) for name, usd in sized.items()} for unit, sized in _SANDBOX_SIZED.items()},
)  # fmt: skip
_SANDBOX = {
    "": replace(
        _PIECES, rates={name: per_mtok(usd) for name, usd in _SANDBOX_RATES.items()}, max_output=UNKNOWN_OUTPUT,
        idle_hosted=True,
    ),
    "image": _PIECES,
    "embed": Price(
        rates={"input": per_mtok("0.02"), "output": Decimal(0)}, context=UNKNOWN_CONTEXT, max_output=0,
        version="sandbox",
    ),
    "moderation": Price(rates={"input": Decimal(0)}, context=UNKNOWN_CONTEXT, max_output=0, version="sandbox"),
    "rerank": Price(rates={}, units={"query": each("0.001")}, context=UNKNOWN_CONTEXT, max_output=0, version="sandbox"),
    "stt": Price(rates={}, units={"second": each("0.0001")}, context=UNKNOWN_CONTEXT, max_output=0, version="sandbox"),
    "tts": Price(
        rates={}, units={"character": each("0.000015")}, context=UNKNOWN_CONTEXT, max_output=0, version="sandbox"
    ),
}  # fmt: skip
"""What the sandbox costs: made up, like a small real model; `embed` like a small embedding model, and so on."""

_IMAGE_TOKENS = (
    (re.compile(r"gpt-4o-mini"), 48_169),
    (re.compile(r"gpt-4\.1-nano|gpt-5-nano"), 3_779),
    (re.compile(r"gpt-4\.1-mini|gpt-5-mini|o4-mini"), 2_642),
    (re.compile(r"claude-(?:opus|sonnet|fable|mythos)-?(?:4[.-][7-9]|5)"), 4_784),
)
"""The most tokens that one image takes, where it is more than 1,600; of one in low detail a sixteenth (85 of 1,445;
2,833 of 48,169). https://platform.openai.com/docs/guides/images-vision#calculating-costs,
https://platform.claude.com/docs/en/build-with-claude/vision#evaluate-image-size"""


class _Set(NamedTuple):
    """What the operator set: prices by name, as facts and since when, and margins by what they are for."""

    prices: dict[str, tuple[dict[str, Any], int]]
    margins: dict[str, Decimal]


_set = _Set({}, {})
_set_at = -1
_made: dict[tuple[str, ...], Price] = {}
_made_of: book.Book | None = None


def by_operator() -> _Set:
    """What `prices set` and `prices margin` said, reloaded when the change counter moves."""
    global _set, _set_at
    if _set_at != change.seen():
        version = change.seen()
        with session():
            rows = models.price.everyone()
            margins = models.margin.everyone()
        found = _Set(rows, {target: Decimal(percent) for target, percent in margins.items()})
        if found != _set:
            _set = found
            _made.clear()
        _set_at = version
    return _set


def from_facts(
    facts: Mapping[str, Any], changed_at: int, model: book.Model | None = None, offer: book.Offer | None = None
) -> Price:
    """A price as the operator set it: `rates` in dollars a million tokens by class, `fees` in dollars, and limits.
    Where he set none, they are the book's."""
    window, most = (model.context, model.max_output) if model is not None else (None, None)
    if offer is not None:
        window, most = offer.context or window, offer.max_output or most
    rates = {name: per_mtok(str(facts[name])) for name in PARENT if name in facts}
    return Price(
        rates=rates,
        context=int(facts.get("context") or window or UNKNOWN_CONTEXT),
        max_output=int(facts.get("max_output") or most or UNKNOWN_OUTPUT),
        version=f"operator-{changed_at}",
        fees={kind: each(usd) for kind, usd in facts.get("fees", {}).items()},
        units={unit: each(usd) for unit, usd in facts.get("units", {}).items()},
        image_tokens=_image_tokens(model),
    )


def _image_tokens(model: book.Model | None) -> int:
    """The most tokens that one image takes."""
    figures = (tokens for pattern, tokens in _IMAGE_TOKENS if model is not None and pattern.search(model.id))
    return next(figures, 1_600)


def from_book(model: book.Model, offer: book.Offer, percent: Decimal = Decimal(0)) -> Price:
    """A price as the book in force has it, with a margin."""
    factor = 1 + percent / 100
    heard = _heard(model) if "audio" in model.takes else {}

    def rates(usd: Mapping[str, str]) -> Rates:
        found = {name: per_mtok(dollars) * factor for name, dollars in usd.items() if name in PARENT}
        if "audio" in model.takes and "input" in found and "audio_in" not in found:  # nobody hears for nothing
            found |= {"audio_in": found["input"], **{name: per_mtok(usd) * factor for name, usd in heard.items()}}
        if model.mode == "transcription" and "audio_in" in found:  # nor does the text beside the sound come free
            found.setdefault("input", found["audio_in"])
        if model.mode == "image" and "image_out" in found:  # nor what is said beside the image
            found.setdefault("output", found["image_out"])
        return found

    def steps(tier: book.Tier) -> tuple[tuple[int, Rates], ...]:
        return tuple((tokens, {**rates(tier.usd), **rates(usd)}) for tokens, usd in tier.above)

    tiers = {name: (rates(tier.usd), steps(tier)) for name, tier in offer.tiers.items()}
    usual, above = tiers.pop("")
    context = offer.context or model.context or UNKNOWN_CONTEXT
    sized = {
        kind: {size: each(usd) * factor for size, usd in sizes.items()}
        for kind, sizes in offer.variants.items()
        if kind in offer.fees or kind in _SIZED
    }
    units = {unit: each(usd) * factor for unit, usd in offer.units.items()}
    return Price(
        rates=usual,
        context=context,
        max_output=offer.max_output or model.max_output or (UNKNOWN_OUTPUT if usual.get("output") else 0),
        version=book.current().version + (f" {percent:+f}%" if percent else ""),
        above=above,
        tiers=tiers,
        fees={kind: each(usd) * factor for kind, usd in offer.fees.items()},
        sized=sized,
        units={**{unit: max(sized[unit].values()) for unit in _SIZED if sized.get(unit)}, **units},
        least=offer.least,
        image_tokens=_image_tokens(model),
    )


def _heard(model: book.Model) -> Mapping[str, str]:
    """What sound costs at a model's own maker, {} where it says nothing: hosts that name no price for it take that."""
    for offer in model.offers:
        usd = offer.tiers[""].usd
        if _is_maker(offer, model) and "audio_in" in usd:
            return {name: usd[name] for name in ("audio_in", "cached_audio") if name in usd}
    return {}


_SIZED = ("image", "second", "video")
"""What is sold by the piece in variants. Where none fits, it costs what stands for all of them, else the dearest."""


def find(model: str) -> Price | None:
    """What stands for a name that no channel is asked about: the operator's price, else the book's, at the model's own
    maker if that offers it."""
    namespace, _, rest = model.partition("/")
    found = book.current().find(model)
    price = _of_operator((model, f"{namespace}/*"), found.model if found is not None else None, None)
    if price is not None:
        return price
    if namespace == "sandbox":
        return _SANDBOX.get(rest, _SANDBOX[""])
    return _public(found.model) if found is not None else None


def _public(model: book.Model) -> Price | None:
    """What a model costs at its own maker, else where it comes first."""
    priced = [offer for offer in model.offers if offer.tiers[""].usd or offer.units or offer.variants or offer.fees]
    own = [offer for offer in priced if _is_maker(offer, model)]
    return _from_book(model, (own or priced)[0], "") if priced else None


def _is_maker(offer: book.Offer, model: book.Model) -> bool:
    return offer.provider in (model.author, _MAKERS.get(model.author))


_MAKERS = {
    provider.author: provider.kind for provider in PROVIDERS if provider.author and provider.author != provider.kind
}


def known() -> set[str]:
    """All names that the operator has set a price for, `namespace/*` among them."""
    return set(by_operator().prices)


def of_leg(leg: Leg, public_name: str) -> Price | None:
    """What a leg costs: nothing on a free channel; else what the operator set for the public name, the leg's own or the
    model; else what the book says of that provider; else what the public name costs at its maker."""
    if leg.channel.free:
        return FREE
    known_as = book.current().find(public_name)
    offered = book.current().offer(leg.channel.provider, leg.model)
    names = (
        public_name,
        *((known_as.model.id,) if known_as is not None else ()),
        leg.name,
        *((offered[0].id,) if known_as is None and offered is not None else ()),
        f"{leg.channel.namespace}/*",
    )
    model = known_as.model if known_as is not None else None
    if offered is None and model is not None:
        here = model.at(leg.channel.provider)
        offered = (model, here) if here is not None else None
    price = _of_operator(names, *(offered or (model, None)))
    if price is not None:
        return price
    if leg.channel.provider == "sandbox":
        return _SANDBOX.get(leg.model, _SANDBOX[""])
    if offered is not None:
        return _from_book(*offered, leg.channel.id)
    return find(public_name)


def _of_operator(names: Iterable[str], model: book.Model | None, offer: book.Offer | None) -> Price | None:
    """As `from_facts`, made once: what was set for the first of these names."""
    own = by_operator().prices
    name = next((name for name in names if name in own), None)
    if name is None:
        return None
    key = ("set", name, model.id if model is not None else "", offer.provider if offer is not None else "")
    price = _current().get(key)
    if price is None:
        price = _made[key] = from_facts(*own[name], model, offer)
    return price


def _from_book(model: book.Model, offer: book.Offer, channel_id: str) -> Price:
    """As `from_book`, made once: with the channel's margin, else its author's."""
    margins = by_operator().margins
    key = (model.id, offer.provider, channel_id)
    price = _current().get(key)
    if price is None:
        percent = margins.get(f"channel:{channel_id}", margins.get(f"author:{model.author}", Decimal(0)))
        price = _made[key] = from_book(model, offer, percent)
    return price


def _current() -> dict[tuple[str, ...], Price]:
    """The prices that were made of the book in force."""
    global _made_of
    if _made_of is not book.current():
        _made_of = book.current()
        _made.clear()
    return _made


def attach(legs: Sequence[Leg], ask: Ask, dialect: str) -> list[Leg]:
    """The legs that have a price for all that is asked of them in a request of this dialect. Raises GatewayError 400 if
    none has."""
    priced: list[Leg] = []
    problem: GatewayError | None = None
    for leg in legs:
        price = of_leg(leg, leg.public or ask.model)
        unpriced = _unpriced(leg, price, ask, dialect)
        if price is not None and unpriced is None:
            priced.append(replace(leg, price=price))
        problem = problem or unpriced
    if not priced and problem is not None:
        raise problem
    return priced


_TOKENS_ONLY = frozenset({"web_fetch", "url_context", "mcp", "tool_search", "function"})
"""What providers run without a fee of its own: what it brings is input."""

_BILLED_AS = {"web_search": ("web_search", "grounding", "request")}
"""Under which fees a hosted tool may stand; all others stand under their own kind."""

_STANDARD = frozenset({None, "", "auto", "default", "standard", "standard_only", "on_demand", "unspecified"})


def _unpriced(leg: Leg, price: Price | None, ask: Ask, dialect: str) -> GatewayError | None:
    if price is None or not _covers(leg, price, ask):
        name = leg.public or ask.model
        vendors = book.current().providers  # all of whose models should be known
        unheard = price is None and leg.channel.provider in vendors
        said = "is not known here and has no price" if unheard else "has no price"
        return GatewayError(
            404 if unheard else 400,
            f"The model {name[:200]!r} {said}, so it cannot be called. The operator can set one:"
            f" python -m gateway prices set {leg.name} {_option(ask)}",
            param="model",
        )
    if price.free:
        return None
    for hosted in _billed(leg, price, ask, dialect):
        if not _fees(price, hosted.kind) and hosted.kind not in _TOKENS_ONLY:
            return GatewayError(
                400,
                f"{hosted.param} ({hosted.kind}) has no price for {ask.model!r}, so it cannot be used. Leave it out."
                f" The operator can set one: python -m gateway prices set {leg.name} … --fee {hosted.kind}=USD",
                param=hosted.param,
            )
    if _tier(ask.tier) and _tier(ask.tier) not in price.tiers:
        field = "serviceTier" if dialect == GEMINI else "service_tier"
        return GatewayError(
            400, f"The service tier {str(ask.tier)[:40]!r} has no price for {ask.model!r}. Leave {field} out.",
            param=field,
        )  # fmt: skip
    for wanted, bucket, option, param in (
        (ask.audio_in, "audio_in", "--audio-in-mtok", "messages"),
        (ask.audio_out, "audio_out", "--audio-out-mtok", "modalities"),
        (ask.image_out, "image_out", "--image-out-mtok", "modalities"),
    ):
        if wanted and not ask.units and bucket not in price.rates:  # who only speaks does it at the usual rate
            what = "Images have" if bucket == "image_out" else "Sound has"
            return GatewayError(
                400,
                f"{what} no price for {ask.model!r}, so it cannot be used. The operator can set one: python -m"
                f" gateway prices set {leg.name} … {option} USD",
                param=param,
            )
    return None


def _option(ask: Ask) -> str:
    """How an operator says what a call's model costs."""
    piece = next(iter((*ask.units, *(one.unit for one in ask.makes))), None)
    return "--input-mtok USD --output-mtok USD" if piece is None else f"--unit {piece}=USD"


def _covers(leg: Leg, price: Price, ask: Ask) -> bool:
    """Whether what a call takes has a price, as this leg's dialect counts it: by tokens, by what is sold by the piece,
    or, where pieces are made, by the request. What is sold by the image only has none for a chat, and is not free for
    it."""
    if price is FREE or any(unit in price.units for unit in (*ask.units, *(one.unit for one in ask.makes))):
        return True
    if ask.makes:
        return "request" in price.fees
    answers = leg.dialect in bridge.SURFACES or leg.dialect in bridge.NAMED or ask.rigid
    return all(bucket in price.rates for bucket in (("input", "output") if answers else ("input",)))


def _billed(leg: Leg, price: Price, ask: Ask, dialect: str) -> tuple[Hosted, ...]:
    """What a leg's provider does beside answering. A leg of another dialect is not told of it; where it is offered
    beside the caller's own tools, the sandbox runs none."""
    beside = price.idle_hosted and ask.weight.tools > len(ask.hosted)
    return ask.hosted if leg.dialect == dialect and not beside else ()


def _fees(price: Price, kind: str) -> tuple[str, ...]:
    """The fees under which a hosted tool is billed."""
    return tuple(name for name in billed_as(kind) if name in price.fees)


def billed_as(kind: str) -> tuple[str, ...]:
    """The fees under which a hosted tool may stand."""
    return _BILLED_AS.get(kind, (kind,))


def _fee(price: Price, kind: str, size: str | None) -> Decimal:
    """Nano-dollars for one time. size: how much a search shall find."""
    return price.sized.get(kind, {}).get(size or "", price.fees[kind])


def _tier(name: str | None) -> str:
    """A service tier by the book's word for it; "" for the usual one."""
    return "" if name in _STANDARD else str(name).lower()


def in_force(price: Price, tokens: int, tier: str | None = None) -> Rates:
    """The rates for a call with so many tokens of input, in a service tier. One that has no price is the usual one: it
    was refused if it was asked for, and is a committed capacity if it was not."""
    rates, above = price.tiers.get(_tier(tier), (price.rates, price.above))
    for step, higher in above:
        if tokens > step:
            rates = higher
    return rates


def tier(price: Price, used: Usage, ask: Ask) -> str:
    """The service tier whose rates hold for what was used; "" for the usual one."""
    name = _tier(used.tier if used.tier is not None else ask.tier)
    return name if name in price.tiers else ""


def rate(rates: Rates, bucket: str) -> Decimal:
    """Nano-dollars for one token of a class."""
    while bucket not in rates and PARENT[bucket] != bucket:
        bucket = PARENT[bucket]
    return rates.get(bucket, Decimal(0))


_OUTPUTS = ("output", "reasoning", "audio_out", "image_out")
_INPUTS = tuple(bucket for bucket in PARENT if bucket not in _OUTPUTS)


def cost(price: Price, used: Usage, ask: Ask) -> tuple[int, dict[str, int]]:
    """What was used costs: the total, rounded up once, and its parts by class and fee, which sum to it."""
    counts = used.counts()
    tokens = sum(counts.get(bucket, 0) for bucket in _INPUTS)
    rates = in_force(price, tokens, tier(price, used, ask))
    pieces = _pieces(price, used)
    charges = [(bucket, rate(rates, bucket) * amount) for bucket, amount in counts.items() if not pieces]
    charges += [(unit, _piece(price, unit, used.variant, dearest=False) * amount) for unit, amount in pieces.items()]
    charges += [(kind, _fee(price, kind, ask.search_size) * times) for kind, times in _times(price, used, ask)]
    exact = Decimal(0)
    total = 0
    parts: dict[str, int] = {}
    for name, charge in charges:
        exact += charge
        upto = int(exact.to_integral_value(ROUND_CEILING))
        if upto > total:
            parts[name] = upto - total
        total = upto
    return total, parts


def _pieces(price: Price, used: Usage) -> Mapping[str, int]:
    """What is charged by the piece instead of by tokens: what is sold so, unless tokens were counted and have a
    price."""
    if used.input is not None and "input" in price.rates:
        return {}
    return {unit: max(amount, price.least.get(unit, 0)) for unit, amount in used.units.items() if unit in price.units}


def _times(price: Price, used: Usage, ask: Ask) -> Iterable[tuple[str, int]]:
    """How often each fee is due. A search that Chat does not count is one: it comes with the model."""
    for kind in price.fees:
        times = 1 if kind == "request" else used.tools.get(kind, 0)
        if kind == "web_search" and not times and any(one.param == "web_search_options" for one in ask.hosted):
            times = 1
        if times:
            yield kind, times


def told(price: Price, ask: Ask) -> dict[str, Decimal]:
    """Dollars for a million tokens of `prompt` and `completion`, and for a `request`, as they hold for a call."""
    rates = in_force(price, bound_input(price, ask), ask.tier)
    fee = price.fees.get("request", Decimal(0)) / NANOS
    return {"prompt": rate(rates, "input") / 1_000, "completion": rate(rates, "output") / 1_000, "request": fee}


_USUAL_OUTPUT = 1_000


def expected(price: Price, ask: Ask) -> Decimal:
    """Nano-dollars that a call may well cost, to compare legs by: its input as guessed, and its output limit or a
    thousand tokens."""
    rates = in_force(price, ask.weight.guess(), ask.tier)
    output = min(_USUAL_OUTPUT if ask.limit is None else ask.limit, price.max_output) * ask.n
    fee = price.fees.get("request", Decimal(0))
    tokens = rate(rates, "input") * ask.weight.guess() + rate(rates, "output") * output
    return max(tokens, _dearest_pieces(price, ask)) + fee


def saved(price: Price, used: Usage, ask: Ask) -> int:
    """Nano-dollars that a provider's cache has saved: what was read from it would have cost so much more as input."""
    if not used.cached:
        return 0
    counts = used.counts()
    rates = in_force(price, sum(counts.get(bucket, 0) for bucket in _INPUTS), used.tier or ask.tier)
    cached = ("cached_read", "cached_audio")
    return int(sum((rate(rates, PARENT[one]) - rate(rates, one)) * counts.get(one, 0) for one in cached))


class Ceiling(NamedTuple):
    """The most that a call can cost, over all its legs.

    want: with the output limit that it asked for, or the default · floor: the least that is worth a try ·
    room: with the model's own maximum, if the wallet can carry that no limit need be sent · tokens: input and output
    that `want` covers · default: the output limit that `want` assumes where the caller gave none.
    """

    want: int
    floor: int
    room: int
    tokens: int
    default: int | None


LEAST_OUTPUT = 256
"""Output tokens that a light wallet must still cover, behind those of thoughts."""

NO_WALLET = 1 << 62
"""More `room` than any has: the default is a limit that must be sent."""


def ceiling(legs: Sequence[Leg], ask: Ask, default_output: int) -> Ceiling:
    """What to hold for a call."""
    want = floor = room = tokens = 0
    default: int | None = None
    for leg in legs:
        assert leg.price is not None
        price, told = leg.price, _as_told(leg, ask)
        asked = told.limit if told.limit is not None else min(price.max_output, default_output)
        output = min(asked, price.max_output)
        if ask.limit is None:
            default = output if default is None else min(default, output)
        dearest = _dearest(price, told)
        want = max(want, dearest.at(output))
        floor = max(floor, dearest.at(output if ask.rigid else min(output, ask.thoughts + LEAST_OUTPUT)))
        room = max(room, dearest.at(price.max_output))
        tokens = max(tokens, dearest.given + ask.n * output)
    return Ceiling(want, floor, room, tokens, default)


def _as_told(leg: Leg, ask: Ask) -> Ask:
    """What is asked as this leg will be told: not every dialect can ask for a small look at an image, or for only a
    few tokens."""
    dialect = bridge.NAMED.get(leg.dialect)
    if ask.weight.small_images and dialect is not None and dialect.CAN["image_detail"] != "express":
        ask = replace(ask, weight=replace(ask.weight, small_images=0))
    if leg.dialect == openai_responses.name and ask.limit:
        ask = replace(ask, limit=max(ask.limit, openai_responses.LEAST_LIMIT))
    return ask


def bound_input(price: Price, ask: Ask) -> int:
    """Input tokens from above: never above the context window of each input, and that where it is not in the body, or
    where tools that the provider runs bring more."""
    window = price.context * ask.batch
    brings = ask.hosted and not price.idle_hosted
    return window if ask.weight.unseen or brings else min(ask.weight.bound(price.image_tokens), window)


_MOST_RUNS = 10
"""How often a hosted tool is assumed to run where the body sets no bound."""


def most(price: Price, ask: Ask, output: int) -> int:
    """The dearest outcome with so many output tokens a choice."""
    return _dearest(price, ask).at(output)


class _Dearest(NamedTuple):
    """The dearest outcome of a call. given: its input tokens · base, one: what these cost, and what a token of output
    adds over all choices · least: what it costs by the piece, where that is more · fees: what comes on top."""

    given: int
    base: Decimal
    one: Decimal
    least: Decimal
    fees: Decimal

    def at(self, output: int) -> int:
        """With so many output tokens a choice."""
        exact = max(self.base + self.one * output, self.least) + self.fees
        return int(exact.to_integral_value(ROUND_CEILING))


def _dearest(price: Price, ask: Ask) -> _Dearest:
    """What is made in minutes has no price by the token."""
    given, none = bound_input(price, ask), Decimal(0)
    if ask.makes:
        fee = price.fees.get("request", none)
        made = sum((rate * piece.amount for piece, rate in by_piece(price, ask.makes)), none)
        return _Dearest(given, none, none, made, fee)
    base, one = _dearest_input(price, ask) * given, _dearest_output(price, ask) * ask.n
    return _Dearest(given, base, one, _dearest_pieces(price, ask), _dearest_fees(price, ask))


def by_piece(price: Price, makes: Sequence[Piece]) -> list[tuple[Piece, Decimal]]:
    """What is made, in the one unit that it is sold by here, with the price of a piece. [] where it is not sold so."""
    unit = next((piece.unit for piece in makes if piece.unit in price.units), None)
    return [
        (piece, price.sized.get(piece.unit, {}).get(piece.variant, price.units[piece.unit]))
        for piece in makes
        if piece.unit == unit
    ]


def _reachable(price: Price, ask: Ask) -> list[Rates]:
    """All rates that may be in force: of the tier that is asked for, at each step that the input may pass."""
    rates, above = price.tiers.get(_tier(ask.tier), (price.rates, price.above))
    given = bound_input(price, ask)
    return [rates, *(higher for step, higher in above if given > step)]


def _dearest_input(price: Price, ask: Ask) -> Decimal:
    """The dearest class that the input can fall into: sound only where there may be some."""
    sound = ask.audio_in or ask.weight.unseen
    kinds = [bucket for bucket in _INPUTS if sound or bucket not in ("audio_in", "cached_audio")]
    return max(rate(rates, bucket) for rates in _reachable(price, ask) for bucket in kinds)


def _dearest_output(price: Price, ask: Ask) -> Decimal:
    """Sound comes only where it is asked for; a model that can make pictures may do so unasked."""
    kinds = [bucket for bucket in _OUTPUTS if ask.audio_out or bucket != "audio_out"]
    return max(rate(rates, bucket) for rates in _reachable(price, ask) for bucket in kinds)


def _dearest_pieces(price: Price, ask: Ask) -> Decimal:
    """What is asked for by the piece, all of it."""
    costs = (
        _piece(price, unit, ask.variant, dearest=True) * max(most, price.least.get(unit, 0))
        for unit, most in ask.units.items()
        if unit in price.units
    )
    return sum(costs, Decimal(0))


_PIXELS = re.compile(r"[0-9]+x[0-9]+")
_RESOLUTION = re.compile(r"[0-9]+k", re.IGNORECASE)


def _piece(price: Price, unit: str, variant: Variant, *, dearest: bool) -> Decimal:
    """Nano-dollars for one piece of a variant. Where not all is known of it, it costs what stands for all, or for a
    hold the dearest that it may be."""
    known = price.sized.get(unit, {})
    fitting: dict[str, Decimal] = {}
    sure: dict[str, Decimal] = {}
    for name, nanos in known.items():
        asked = [
            variant.size if _PIXELS.fullmatch(part) else variant.resolution if _RESOLUTION.fullmatch(part)
            else variant.quality for part in name.split("/")
        ]  # fmt: skip
        if all(one is None or one == part for one, part in zip(asked, name.split("/"), strict=True)):
            fitting[name] = nanos
            if None not in asked:
                sure[name] = nanos
    if sure:
        return sure[max(sure, key=lambda name: name.count("/"))]
    return max(price.units[unit], *fitting.values()) if dearest and fitting else price.units[unit]


def _dearest_fees(price: Price, ask: Ask) -> Decimal:
    if not price.fees:
        return Decimal(0)
    total = _fee(price, "request", ask.search_size) if "request" in price.fees else Decimal(0)
    for hosted in ask.hosted:
        runs = _MOST_RUNS if hosted.most is None else hosted.most
        fees = [_fee(price, kind, ask.search_size) for kind in _fees(price, hosted.kind) if kind != "request"]
        total += max(fees, default=Decimal(0)) * runs
    return total


def affordable_output(legs: Sequence[Leg], ask: Ask, amount: int) -> int:
    """Output tokens a choice that `amount` covers on every leg."""
    least = UNKNOWN_OUTPUT
    for leg in legs:
        assert leg.price is not None
        told = _as_told(leg, ask)
        dearest = _dearest(leg.price, told)
        left, one = amount - dearest.base - dearest.fees, dearest.one
        if one > 0:
            least = min(least, int(left / one))
    return least
