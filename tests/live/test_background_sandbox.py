"""Responses in the background without any key: the sandbox, through the official OpenAI SDK."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal

import openai
import pytest
from openai import OpenAI

from tests.faults import checker
from tests.gateway import Gateway


@pytest.fixture
def mine(gateway: Gateway) -> Iterator[OpenAI]:
    _, key = gateway.account()
    with OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0) as client:
        yield client


def test_it_is_made_in_its_time_and_paid_for(gateway: Gateway, mine: OpenAI) -> None:
    made = mine.responses.create(model="sandbox/slow-2500", input="Hello from the background.", background=True)
    assert (made.status, made.background, made.store) == ("queued", True, True)
    seen = {made.status}
    while (found := mine.responses.retrieve(made.id)).status in ("queued", "in_progress"):
        seen.add(found.status)
        time.sleep(0.05)
    assert "in_progress" in seen and (found.status, found.id) == ("completed", made.id)
    assert found.output_text == "This was made in the" and found.usage is not None and found.usage.output_tokens == 5
    took = Decimal("0.15") * found.usage.input_tokens / 10**6 + Decimal("0.60") * found.usage.output_tokens / 10**6
    left = gateway.credits(mine.api_key)
    assert (left["balance"], left["held"]) == (10 - took, 0) and gateway.books()["ok"], gateway.books()


def test_a_stream_is_left_and_read_on(gateway: Gateway, mine: OpenAI) -> None:
    asked = {"model": "sandbox/slow-1500", "input": "one two three four five six seven", "background": True}
    with mine.responses.create(**asked, stream=True) as events:  # type: ignore[call-overload]
        seen = [next(events) for _ in range(6)]
    identity = seen[0].response.id
    assert mine.responses.retrieve(identity).status == "in_progress"
    rest = list(mine.responses.retrieve(identity, stream=True, starting_after=seen[-1].sequence_number))
    numbers = [event.sequence_number for event in (*seen, *rest)]
    assert numbers == list(range(len(numbers)))
    deltas = [event.delta for event in (*seen, *rest) if event.type == "response.output_text.delta"]
    last = rest[-1]
    assert last.type == "response.completed" and last.response.output_text == "".join(deltas) and len(deltas) == 7
    assert gateway.credits(mine.api_key)["held"] == 0


def test_one_is_cancelled_and_forgotten(gateway: Gateway, mine: OpenAI) -> None:
    made = mine.responses.create(model="sandbox/hang", input="x", background=True)
    assert mine.responses.cancel(made.id).status == "cancelled"
    for _ in range(4):  # whichever worker is asked
        assert mine.responses.retrieve(made.id).status == "cancelled"
    left = gateway.credits(mine.api_key)
    assert (left["balance"], left["held"]) == (10, 0)
    assert mine.responses.input_items.list(made.id).data == [], "no word of it is kept"
    mine.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        mine.responses.retrieve(made.id)


def test_a_stream_that_breaks_is_read_on(mine: OpenAI) -> None:
    numbers, identity = [], ""
    with pytest.raises(openai.APIError, match="starting_after"):
        for event in mine.responses.create(model="sandbox/cut", input="a b c d e f", background=True, stream=True):
            numbers.append(event.sequence_number)
            identity = event.response.id if event.type == "response.created" else identity
    rest = list(mine.responses.retrieve(identity, stream=True, starting_after=numbers[-1]))
    assert rest[0].sequence_number == numbers[-1] + 1
    assert rest[-1].type == "response.completed" and len(rest[-1].response.output_text.split()) == 6


def test_one_fails_half_way_and_costs_nothing(gateway: Gateway, mine: OpenAI) -> None:
    *_, last = mine.responses.create(model="sandbox/mid-stream-error", input="a b c", background=True, stream=True)
    assert last.type == "response.failed"
    assert mine.responses.retrieve(last.response.id).status == "failed"
    assert gateway.credits(mine.api_key)["balance"] == 10


def test_no_word_of_it_is_kept(gateway: Gateway, mine: OpenAI) -> None:
    words = " ".join(f"{number * 7919:x}" for number in range(500))
    for model, asked, many in (("slow-0", words, 500), ("tokens-3000", "x", 3_000)):
        *_, last = mine.responses.create(model=f"sandbox/{model}", input=asked, background=True, stream=True)
        assert last.type == "response.completed" and last.response.usage is not None
        assert last.response.usage.output_tokens == many and "7919" not in last.response.output_text
    *_, last = mine.responses.create(
        model="sandbox/slow-0", input=words, background=True, stream=True, max_output_tokens=20
    )  # fmt: skip
    assert last.type == "response.incomplete"
    ids = checker.query(gateway, "SELECT upstream_id FROM task WHERE kind = 'response'")
    assert ids and all(len(identity) < 140 for (identity,) in ids), "they hold figures only"


def test_what_was_not_made_in_the_background_is_not_streamed_again(mine: OpenAI) -> None:
    made = mine.responses.create(model="sandbox/echo", input="x")
    with pytest.raises(openai.NotFoundError):
        mine.responses.retrieve(made.id, stream=True)
