"""Prices: exact costs that sum, ceilings that no settlement of text can pass."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.billing import prices
from gateway.call import Ask, Leg, Price, Weight
from gateway.neutral.reply import Usage
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


@given(RATES, st.integers(0, 10**9))
def test_what_is_affordable_costs_no_more(rates: dict[str, Decimal], amount: int) -> None:
    ask = Ask(model="m", weight=Weight(text=100, messages=1))
    one = leg(rates)
    output = prices.affordable_output([one], ask, amount)
    if output >= 0:
        assert prices.most(price(rates), ask, output) <= max(amount, prices.most(price(rates), ask, 0))


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
