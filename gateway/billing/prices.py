"""Prices: what a model costs, what a call may cost at most, what it did cost.

A rate is nano-dollars a token (a dollar a million tokens is 1,000 of them). A class of tokens without a rate of its
own takes its parent's: cached reads and cache writes are input, reasoning is output. Sound has no such parent: where
it is asked for and has no rate, the call is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple

import models.price
from models import change
from models.base import session

from ..call import Ask, Leg, Price
from ..dialects import bridge, openai_responses
from ..errors import GatewayError

VERSION = "2026-11-22"

PARENT = {
    "input": "input", "cached_read": "input", "cache_write": "input", "cache_write_1h": "cache_write",
    "audio_in": "input", "output": "output", "reasoning": "output", "audio_out": "output",
}  # fmt: skip
"""Every class of tokens and the class whose rate it takes where it has none of its own."""

UNKNOWN_OUTPUT = 131_072
UNKNOWN_CONTEXT = 1_048_576
"""Assumed for models whose limits nobody told: large, so that a hold is not too small."""

FREE = Price(rates={}, context=UNKNOWN_CONTEXT, max_output=UNKNOWN_OUTPUT, version="free")


class Row(NamedTuple):
    """Dollars a million tokens, and limits in tokens. source: where they were read · idle_hosted: see `Price` ·
    image_tokens: the most of one image; of one in low detail a sixteenth (85 of 1,445; 2,833 of 48,169)."""

    model: str
    input: str
    cached: str | None
    output: str
    context: int
    max_output: int
    source: str
    audio_in: str | None = None
    audio_out: str | None = None
    idle_hosted: bool = False
    image_tokens: int = 1_600


_OPENAI = "https://platform.openai.com/docs/pricing"
TABLE = (
    Row("sandbox/*", "0.15", "0.075", "0.60", 1_048_576, 131_072, "made up: a small real one", "10.00", "20.00", True),
    Row("sandbox/embed", "0.02", None, "0", 1_048_576, 0, "made up: a small embedding model's"),
    Row("openai/gpt-4o", "2.50", "1.25", "10.00", 128_000, 16_384, _OPENAI),
    Row("openai/gpt-4o-mini", "0.15", "0.075", "0.60", 128_000, 16_384, _OPENAI, image_tokens=48_169),
    Row("openai/gpt-4-turbo", "10.00", None, "30.00", 128_000, 4_096, _OPENAI),
    Row("openai/gpt-3.5-turbo", "0.50", None, "1.50", 16_385, 4_096, _OPENAI),
    Row("openai/gpt-3.5-turbo-instruct", "1.50", None, "2.00", 4_096, 4_096, _OPENAI),
    Row("openai/davinci-002", "2.00", None, "2.00", 16_384, 16_384, _OPENAI),
    Row("openai/babbage-002", "0.40", None, "0.40", 16_384, 16_384, _OPENAI),
    Row("openai/text-embedding-3-small", "0.02", None, "0", 8_192, 0, _OPENAI),
    Row("openai/text-embedding-3-large", "0.13", None, "0", 8_192, 0, _OPENAI),
    Row("openai/text-embedding-ada-002", "0.10", None, "0", 8_192, 0, _OPENAI),
)
"""Until the price book comes: the sandbox, and what the first steps of the reference call."""


def per_mtok(dollars: str | Decimal) -> Decimal:
    """Dollars a million tokens as nano-dollars a token."""
    return Decimal(dollars) * 1_000


def _from_row(row: Row) -> Price:
    rates = {"input": per_mtok(row.input), "output": per_mtok(row.output)}
    others = {"cached_read": row.cached, "audio_in": row.audio_in, "audio_out": row.audio_out}
    rates |= {name: per_mtok(dollars) for name, dollars in others.items() if dollars is not None}
    return Price(
        rates=rates, context=row.context, max_output=row.max_output, version=VERSION, idle_hosted=row.idle_hosted,
        image_tokens=row.image_tokens,
    )  # fmt: skip


_BOOK = {row.model: _from_row(row) for row in TABLE}
_set: dict[str, Price] = {}
_set_at = -1


def _by_operator() -> dict[str, Price]:
    """What `prices set` said, reloaded when the change counter moves."""
    global _set, _set_at
    if _set_at != change.seen():
        version = change.seen()
        with session():
            rows = models.price.everyone()
        _set = {model: from_facts(facts, changed_at) for model, (facts, changed_at) in rows.items()}
        _set_at = version
    return _set


def from_facts(facts: Mapping[str, str | int], changed_at: int) -> Price:
    """A price as the operator set it: `rates` in dollars a million tokens by class, and limits."""
    rates = {name: per_mtok(str(facts[name])) for name in PARENT if name in facts}
    return Price(
        rates=rates,
        context=int(facts.get("context", UNKNOWN_CONTEXT)),
        max_output=int(facts.get("max_output", UNKNOWN_OUTPUT)),
        version=f"operator-{changed_at}",
    )


def find(model: str) -> Price | None:
    """The price of one name: the operator's, else the table's."""
    by_operator = _by_operator()
    namespace = model.partition("/")[0] + "/*"
    for book in (by_operator, _BOOK):
        price = book.get(model) or book.get(namespace)
        if price is not None:
            return price
    return None


def known() -> set[str]:
    """All names that have a price, `namespace/*` among them."""
    return {*_by_operator(), *_BOOK}


def of_leg(leg: Leg, public_name: str) -> Price | None:
    """What a leg costs: nothing on a free channel; else what the operator set for the public name; else the price of
    the leg's own name; else of the public name."""
    if leg.channel.free:
        return FREE
    return _by_operator().get(public_name) or find(leg.name) or find(public_name)


def attach(legs: Sequence[Leg], ask: Ask, dialect: str) -> list[Leg]:
    """The legs that have a price for all that is asked of them in a request of this dialect. Raises GatewayError 400 if
    none has."""
    priced: list[Leg] = []
    problem: GatewayError | None = None
    for leg in legs:
        price = of_leg(leg, ask.model)
        problem = problem or _unpriced(leg, price, ask, dialect)
        if price is not None and _unpriced(leg, price, ask, dialect) is None:
            priced.append(replace(leg, price=price))
    if not priced and problem is not None:
        raise problem
    return priced


def _unpriced(leg: Leg, price: Price | None, ask: Ask, dialect: str) -> GatewayError | None:
    if price is None:
        return GatewayError(
            400,
            f"The model {ask.model!r} has no price, so it cannot be called. The operator can set one:"
            f" python -m gateway prices set {leg.name} --input-mtok USD --output-mtok USD",
            param="model",
        )
    if price.free:
        return None
    beside = price.idle_hosted and ask.weight.tools > len(ask.hosted)
    if ask.hosted and leg.dialect == dialect and not beside:  # a leg of another dialect is not told of them
        return GatewayError(
            400, f"{ask.hosted[0]} has no price for {ask.model!r}, so it cannot be used. Leave it out.",
            param=ask.hosted[0],
        )  # fmt: skip
    if ask.tier not in (None, "auto", "default", "standard"):
        return GatewayError(
            400, f"The service tier {ask.tier[:40]!r} has no price for {ask.model!r}. Leave service_tier out.",
            param="service_tier",
        )  # fmt: skip
    for wanted, bucket, option, param in (
        (ask.audio_in, "audio_in", "--audio-in-mtok", "messages"),
        (ask.audio_out, "audio_out", "--audio-out-mtok", "modalities"),
    ):
        if wanted and bucket not in price.rates:
            return GatewayError(
                400,
                f"Sound has no price for {ask.model!r}, so it cannot be used. The operator can set one: python -m"
                f" gateway prices set {leg.name} … {option} USD",
                param=param,
            )
    return None


def rate(price: Price, bucket: str) -> Decimal:
    """Nano-dollars for one token of a class."""
    while bucket not in price.rates and PARENT[bucket] != bucket:
        bucket = PARENT[bucket]
    return price.rates.get(bucket, Decimal(0))


def cost(price: Price, counts: Mapping[str, int]) -> tuple[int, dict[str, int]]:
    """What tokens cost: the total, rounded up once, and its parts by class, which sum to it."""
    exact = Decimal(0)
    total = 0
    parts: dict[str, int] = {}
    for bucket, tokens in counts.items():
        exact += rate(price, bucket) * tokens
        upto = int(exact.to_integral_value(ROUND_CEILING))
        if upto > total:
            parts[bucket] = upto - total
        total = upto
    return total, parts


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
"""Output tokens that a light wallet must still cover."""


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
        want = max(want, most(price, told, output))
        floor = max(floor, most(price, told, min(output, LEAST_OUTPUT)))
        room = max(room, most(price, told, price.max_output))
        tokens = max(tokens, bound_input(price, told) + ask.n * output)
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
    """Input tokens from above: never above the context window of each input, and that where it is not in the body."""
    window = price.context * ask.batch
    return window if ask.weight.unseen else min(ask.weight.bound(price.image_tokens), window)


_OUTPUTS = ("output", "reasoning", "audio_out")
_INPUTS = tuple(bucket for bucket in PARENT if bucket not in _OUTPUTS)


def most(price: Price, ask: Ask, output: int) -> int:
    """The dearest outcome with so many output tokens a choice."""
    exact = _dearest_input(price, ask) * bound_input(price, ask) + _dearest_output(price, ask) * ask.n * output
    return int(exact.to_integral_value(ROUND_CEILING))


def _dearest_input(price: Price, ask: Ask) -> Decimal:
    """The dearest class that the input can fall into: sound only where there may be some."""
    sound = ask.audio_in or ask.weight.unseen
    return max(rate(price, bucket) for bucket in _INPUTS if sound or bucket != "audio_in")


def _dearest_output(price: Price, ask: Ask) -> Decimal:
    return max(rate(price, bucket) for bucket in _OUTPUTS if ask.audio_out or bucket != "audio_out")


def affordable_output(legs: Sequence[Leg], ask: Ask, amount: int) -> int:
    """Output tokens a choice that `amount` covers on every leg."""
    least = UNKNOWN_OUTPUT
    for leg in legs:
        assert leg.price is not None
        told = _as_told(leg, ask)
        each = _dearest_output(leg.price, told) * told.n
        left = amount - _dearest_input(leg.price, told) * bound_input(leg.price, told)
        if each > 0:
            least = min(least, int(left / each))
    return least
