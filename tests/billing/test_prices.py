"""Prices: exact costs that sum, ceilings that no settlement of text can pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import models.price
from gateway import book
from gateway.billing import prices
from gateway.call import Ask, Hosted, Leg, Price, Weight
from gateway.dialects import anthropic
from gateway.dialects.openai_chat.usage import usage as openai_chat_usage
from gateway.errors import GatewayError
from gateway.neutral.reply import Usage
from models import base, change, margin
from tests import made

RATES = st.dictionaries(
    st.sampled_from(sorted(prices.PARENT)), st.decimals("0", "99999", places=4, allow_nan=False), max_size=8
)
ASK = Ask(model="m")
TOKENS = st.integers(0, 10**6)
USAGES = st.builds(
    Usage, input=TOKENS, cached=TOKENS, cached_audio=TOKENS, cache_written=TOKENS, cache_written_1h=TOKENS,
    audio_in=TOKENS, image_in=TOKENS, output=TOKENS, reasoning=TOKENS, audio_out=TOKENS, image_out=TOKENS,
)  # fmt: skip


def price(rates: dict[str, Decimal]) -> Price:
    return Price(rates=rates, context=128_000, max_output=16_384, version="t")


@given(USAGES)
def test_buckets_are_disjoint_and_sum_to_the_whole(usage: Usage) -> None:
    counts = usage.counts()
    out = sum(counts.get(name, 0) for name in ("output", "reasoning", "audio_out", "image_out"))
    assert out == usage.output and sum(counts.values()) - out == usage.input
    assert all(tokens > 0 for tokens in counts.values())


@given(RATES, USAGES)
def test_the_parts_of_a_cost_sum_to_it_and_it_is_rounded_up_once(rates: dict[str, Decimal], usage: Usage) -> None:
    total, parts = prices.cost(price(rates), usage, ASK)
    exact = sum((prices.rate(rates, bucket) * n for bucket, n in usage.counts().items()), Decimal(0))
    assert sum(parts.values()) == total and exact <= total < exact + 1
    assert all(part > 0 for part in parts.values())


def leg(rates: dict[str, Decimal], dialect: str = "chat") -> Leg:
    return made.leg(dialect, "m", price(rates))


@given(
    RATES, st.integers(0, 100_000), st.integers(0, 50), st.none() | st.integers(1, 10**12), st.integers(1, 4), st.data()
)
def test_no_settlement_of_text_passes_its_hold(
    rates: dict[str, Decimal], text: int, messages: int, limit: int | None, n: int, data: st.DataObject
) -> None:
    ask = Ask(model="m", n=n, limit=limit, weight=Weight(text=text, messages=messages))
    ceiling = prices.ceiling([leg(rates)], ask, 16_384)
    bound = ask.weight.bound(0)
    given_tokens = data.draw(st.integers(0, min(bound, 128_000)))
    taken = data.draw(st.integers(0, n * min(limit or ceiling.default or 0, 16_384)))
    usage = Usage(
        input=given_tokens, output=taken, cached=data.draw(st.integers(0, given_tokens)), reasoning=taken // 2
    )
    assert prices.cost(price(rates), usage, ask)[0] <= ceiling.want <= max(ceiling.room, ceiling.want)
    assert ceiling.floor <= ceiling.want


def test_a_light_wallet_covers_an_answer_behind_the_thoughts() -> None:
    """Anthropic refuses a `max_tokens` that is not above `budget_tokens`."""
    body = {"model": "m", "max_tokens": 20_000, "messages": [{"role": "user", "content": "hi"}]}
    plain = anthropic.ask(body)
    thinks = anthropic.ask(body | {"thinking": {"type": "enabled", "budget_tokens": 16_000}})
    one = leg({"input": Decimal(0), "output": Decimal(10)})
    light, heavy = (prices.ceiling([one], ask, 16_384) for ask in (plain, thinks))
    assert (light.floor, heavy.floor, heavy.want) == (2_560, 162_560, 163_840)
    assert prices.affordable_output([one], thinks, heavy.floor) > 16_000


@given(RATES, st.integers(0, 10**9))
def test_what_is_affordable_costs_no_more(rates: dict[str, Decimal], amount: int) -> None:
    ask = Ask(model="m", weight=Weight(text=100, messages=1))
    one = leg(rates)
    output = prices.affordable_output([one], ask, amount)
    if output >= 0:
        assert prices.most(price(rates), ask, output) <= max(amount, prices.most(price(rates), ask, 0))


def test_a_short_call_counts_as_the_least_that_its_provider_bills() -> None:
    """Groq's Whisper bills ten seconds at least; elsewhere a second is a second."""
    sold = {"second": Decimal(100)}
    one = Price(rates={}, context=1, max_output=0, version="t", units=sold, least={"second": 10})
    for seconds, billed in ((0, 10), (3, 10), (10, 10), (11, 11)):
        assert prices.cost(one, Usage(units={"second": seconds}), ASK) == (100 * billed, {"second": 100 * billed})
        asked = Ask(model="m", units={"second": seconds + 1}, rigid=True)
        assert prices.ceiling([made.leg("transcriptions", "m", one)], asked, 0).want >= 100 * billed
    plain = replace(one, least={})
    assert prices.cost(plain, Usage(units={"second": 3}), ASK)[0] == 300
    model = book.built_in().models["openai/whisper-large-v3-turbo"]
    for offer in model.offers:
        assert prices.from_book(model, offer).least == ({"second": 10} if offer.provider == "groq" else {})


def test_input_that_is_not_in_the_body_is_held_as_the_whole_window() -> None:
    ask = Ask(model="m", weight=Weight(text=5, unseen=True))
    assert prices.bound_input(price({}), ask) == 128_000


@pytest.mark.parametrize(("dialect", "full"), [("chat", 0), ("responses", 0), ("messages", 3), ("gemini", 3)])
def test_a_small_look_is_held_as_a_full_one_where_it_cannot_be_asked_for(dialect: str, full: int) -> None:
    one = leg({"input": Decimal(1), "output": Decimal(0)}, dialect)
    ask = Ask(model="m", limit=1, weight=Weight(images=3, small_images=3))
    assert prices.ceiling([one], ask, 1).want == 128 + full * 1_600 + (3 - full) * 100


def test_what_responses_cannot_ask_for_is_held() -> None:
    one = leg({"input": Decimal(0), "output": Decimal(1)}, "responses")
    assert prices.ceiling([one], Ask(model="m", limit=1), 1).want == 16


STEPPED = Price(
    rates={"input": Decimal(1_000), "output": Decimal(10_000)}, context=1_000_000, max_output=64_000, version="t",
    above=((200_000, {"input": Decimal(2_000), "output": Decimal(15_000)}),),
    tiers={"flex": ({"input": Decimal(500), "output": Decimal(5_000)}, ())},
    fees={"web_search": Decimal(10_000_000), "request": Decimal(5_000_000)},
    sized={"request": {"high": Decimal(12_000_000)}},
)  # fmt: skip


@pytest.mark.parametrize(
    ("used", "ask", "nanos"),
    [
        (Usage(input=200_000, output=1), ASK, 200_000_000 + 10_000 + 5_000_000),
        (Usage(input=200_001, output=1), ASK, 400_002_000 + 15_000 + 5_000_000),
        (Usage(input=10, output=1, tier="flex"), ASK, 5_000 + 5_000 + 5_000_000),
        (Usage(input=10, output=1, tier="default"), Ask(model="m", tier="flex"), 10_000 + 10_000 + 5_000_000),
        (Usage(input=10, output=1), Ask(model="m", tier="flex"), 5_000 + 5_000 + 5_000_000),
        (Usage(input=10, output=1, tier="priority"), ASK, 10_000 + 10_000 + 5_000_000),
        (Usage(input=0, output=1, tools={"web_search": 3}), ASK, 10_000 + 30_000_000 + 5_000_000),
        (Usage(input=0, output=1), Ask(model="m", search_size="high"), 10_000 + 12_000_000),
        (
            Usage(input=0, output=1), Ask(model="m", hosted=(Hosted("web_search_options", "web_search"),)),
            10_000 + 10_000_000 + 5_000_000,
        ),
    ],
)  # fmt: skip
def test_steps_tiers_and_fees(used: Usage, ask: Ask, nanos: int) -> None:
    """A step holds for the whole call; the tier that was given counts, not the one asked for; a fee each time."""
    total, parts = prices.cost(STEPPED, used, ask)
    assert total == nanos == sum(parts.values())


def test_deep_research_costs_what_its_maker_bills() -> None:
    """The example of https://docs.perplexity.ai: $0.091 said, $0.038 read, $0.582 thought, $0.105 for searches."""
    said = {
        "prompt_tokens": 33, "completion_tokens": 11_395, "total_tokens": 11_428, "citation_tokens": 19_028,
        "num_search_queries": 21, "reasoning_tokens": 193_947,
    }  # fmt: skip
    found = book.built_in().find("perplexity/sonar-deep-research")
    assert found is not None
    own = found.model.at("perplexity")
    used = openai_chat_usage({"usage": said})
    assert own is not None and used is not None
    total, parts = prices.cost(prices.from_book(found.model, own), used, ASK)
    assert total == 816_123_000 and parts["reasoning"] == 581_841_000 and parts["web_search"] == 105_000_000
    of_others = openai_chat_usage({"usage": {**said, "reasoning_tokens": None}})
    assert of_others is not None and (of_others.input, of_others.output) == (33, 11_395), "that is not billed there"


def test_a_hold_covers_steps_tiers_and_fees() -> None:
    one = made.leg("chat", "m", STEPPED)
    long = Ask(model="m", limit=1, weight=Weight(text=300_000))
    assert prices.ceiling([one], long, 1).want == 300_128 * 2_000 + 15_000 + 5_000_000
    searched = Ask(model="m", limit=1, hosted=(Hosted("tools[0]", "web_search", 2),), weight=Weight(text=5))
    assert prices.ceiling([one], searched, 1).want == 1_000_000 * 2_000 + 15_000 + 2 * 10_000_000 + 5_000_000
    flexed = Ask(model="m", limit=1, tier="flex", weight=Weight(text=0))
    assert prices.ceiling([one], flexed, 1).want == 128 * 500 + 5_000 + 5_000_000


BOOK = b"""{"version":"2026-01-01"}
{"id":"maker/one","mode":"chat","context":1000,"max_output":100,"offers":[
{"provider":"maker","names":["one","one-2025-01-01"],"usd":{"input":"1","output":"2"},"fees":{"web_search":"0.01"},"tiers":{"flex":{"usd":{"input":"0.5"}}},"source":"x","date":"2026-01-01"},
{"provider":"host","names":["Maker/One"],"usd":{"input":"3","output":"4"},"source":"x","date":"2026-01-01"}]}
{"id":"maker/gpt-4o-mini","mode":"chat","context":2000,"max_output":300,"offers":[
{"provider":"maker","names":["mini"],"usd":{"input":"1","output":"2"},"source":"x","date":"2026-01-01"},
{"provider":"host","names":["Maker/Mini"],"max_output":200,"usd":{"input":"3","output":"4"},"source":"x","date":"2026-01-01"}]}
""".replace(b"[\n", b"[").replace(b"},\n", b"},")


@pytest.fixture
def small_book(db: str) -> Iterator[book.Book]:
    read = book.read(BOOK)
    book.use(read)
    yield read
    book.use(None)


def at(provider: str, model: str, **more: Any) -> Leg:
    return made.leg("chat", model, provider=provider, namespace=provider, **more)


def test_a_leg_costs_what_its_own_provider_asks(small_book: book.Book) -> None:
    def rates(leg: Leg, name: str = "maker/one") -> tuple[Decimal, Decimal] | None:
        price = prices.of_leg(leg, name)
        return None if price is None else (price.rates["input"], price.rates["output"])

    assert rates(at("maker", "one")) == rates(at("maker", "one-2025-01-01")) == (1_000, 2_000)
    assert rates(at("host", "Maker/One")) == rates(at("host", "a-deployment-of-ours")) == (3_000, 4_000)
    assert rates(at("nobody", "m")) == (1_000, 2_000), "elsewhere it costs what its maker asks"
    assert rates(at("nobody", "m"), "nobody/m") is None
    free = prices.of_leg(at("maker", "one", free=True), "maker/one")
    assert free is not None and free.free


def test_a_price_that_was_set_leaves_the_limits_as_they_are(small_book: book.Book) -> None:
    def limits(leg: Leg, name: str) -> tuple[str, int, int, int]:
        price = prices.of_leg(leg, name)
        assert price is not None
        return price.version, price.context, price.max_output, price.image_tokens

    with base.session():
        models.price.put("maker/one", {"input": "5", "output": "6"}, 1)
        models.price.put("maker/gpt-4o-mini", {"input": "5", "output": "6", "context": 500}, 2)
        models.price.put("lab/*", {"input": "5", "output": "6"}, 3)
        change.poll()
    assert limits(at("maker", "one"), "maker/one") == ("operator-1", 1000, 100, 1_600)
    assert limits(at("maker", "mini"), "maker/gpt-4o-mini") == ("operator-2", 500, 300, 48_169)
    assert limits(at("host", "Maker/Mini"), "maker/gpt-4o-mini") == ("operator-2", 500, 200, 48_169)
    assert limits(at("lab", "m"), "lab/m") == ("operator-3", prices.UNKNOWN_CONTEXT, prices.UNKNOWN_OUTPUT, 1_600)
    public = prices.find("maker/one")
    assert public is not None and (public.version, public.context) == ("operator-1", 1000)


@pytest.mark.parametrize(
    ("model", "provider", "usd"),
    [
        ("openai/gpt-audio", "openai", "32"), ("openai/gpt-audio", "openrouter", "32"),
        ("openai/gpt-audio-mini", "openrouter", "0.6"), ("google/gemini-2.5-flash", "openrouter", "1"),
        ("google/gemini-2.5-pro", "openrouter", "1.25"),
    ],
)  # fmt: skip
def test_a_host_that_names_no_price_for_sound_takes_its_makers(model: str, provider: str, usd: str) -> None:
    found = book.built_in().find(model)
    assert found is not None
    offer = found.model.at(provider)
    assert offer is not None
    assert prices.from_book(found.model, offer, Decimal(10)).rates["audio_in"] == prices.per_mtok(usd) * Decimal("1.1")


def test_margins_are_on_the_book_and_not_on_what_was_set(small_book: book.Book) -> None:
    with base.session():
        margin.put("author:maker", "10")
        margin.put("channel:c", "50")
        change.poll()
    own, other = at("maker", "one"), at("maker", "one", id="other")
    price = prices.of_leg(own, "maker/one")
    assert price is not None and price.rates["input"] == 1_500 and price.fees["web_search"] == 15_000_000
    assert price.tiers["flex"][0]["input"] == 750 and price.version == "2026-01-01 +50%"
    price = prices.of_leg(other, "maker/one")
    assert price is not None and price.rates["input"] == 1_100
    with base.session():
        models.price.put("maker/one", {"input": "7", "output": "8"}, 5)
        margin.remove("author:maker")
        change.poll()
    for name in ("maker/one", "one", "Maker/One"):
        price = prices.of_leg(other, name)
        assert price is not None and price.rates["input"] == 7_000 and price.version == "operator-5", name
    hosted = prices.of_leg(at("host", "Maker/One"), "host/Maker/One")
    assert hosted is not None and hosted.version == "operator-5", "a host's own word means the same model"


def test_what_is_sold_by_the_piece_is_not_free_by_the_token(db: str) -> None:
    """A book's model with a price for images, or for input alone, is refused where tokens would cost nothing."""
    row = {"mode": "image", "offers": [{"provider": "maker", "source": "x", "date": "2026-01-01"}]}
    sold = ({"units": {"image": "0.04"}}, {"usd": {"input": "1"}}, {"usd": {"output": "1"}})
    lines: list[dict[str, Any]] = [{"version": "t"}]
    for number, price in enumerate(sold):
        offer = {**row["offers"][0], "names": [f"m{number}"], **price}
        lines.append({**row, "id": f"maker/m{number}", "offers": [offer]})
    book.use(book.read("\n".join(map(json.dumps, lines)).encode()))
    try:
        for number in range(len(sold)):
            with pytest.raises(GatewayError) as refused:
                prices.attach([at("maker", f"m{number}")], Ask(model=f"maker/m{number}"), "chat")
            assert refused.value.status == 400 and "prices set maker/m" in refused.value.message
        embeds = replace(at("maker", "m1"), dialect="embeddings")
        assert prices.attach([embeds], Ask(model="maker/m1"), "embeddings")
        assert prices.attach([at("maker", "m0", free=True)], Ask(model="maker/m0"), "chat")
    finally:
        book.use(None)


def test_what_is_sold_by_the_piece_is_held_and_settled_by_it() -> None:
    """By the character, second or search; by tokens where those were counted and have a price."""
    spoken = Ask(model="m", units={"character": 40, "second": 3}, limit=10, rigid=True, weight=Weight(text=4))
    pieces = replace(price({}), units={"character": Decimal(15_000)})
    both = replace(price({"input": Decimal(600), "output": Decimal(12_000)}), units={"character": Decimal(1)})
    told = replace(leg({}), price=pieces), replace(leg({}), price=both)
    ceiling = prices.ceiling(told[:1], spoken, 16_384)
    assert ceiling.want == ceiling.floor == 600_000 and not pieces.free
    assert prices.cost(pieces, Usage(units={"character": 40}), spoken) == (600_000, {"character": 600_000})
    assert prices.cost(pieces, Usage(units={"character": 40}, input=9, output=9), spoken)[0] == 600_000
    tokens = prices.ceiling(told[1:], spoken, 16_384)
    assert tokens.want == tokens.floor == 600 * spoken.weight.bound(0) + 12_000 * 10
    used = Usage(units={"character": 40}, input=2, output=5, audio_out=5)
    assert prices.cost(both, used, spoken) == (61_200, {"input": 1_200, "audio_out": 60_000})
    assert prices.cost(both, Usage(units={"character": 40}), spoken)[0] == 40
