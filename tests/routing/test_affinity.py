"""Prompts that begin alike go to one channel, in proportion to weights, without anything kept."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from gateway.call import Ask, Caller
from gateway.routing import affinity
from tests import made

CHANNELS = [made.channel(id="ch_a", weight=3), made.channel(id="ch_b", weight=1)]
LONG = "You are a careful assistant. " * 200


def first(values: dict[str, Any], account: str = "a", channels: Any = CHANNELS) -> str:
    body = json.dumps({"model": "m", **values}).encode()
    caller = Caller(account_id=account, account="", key_id="k", models=(), expires_at=None, limits=())
    draw = affinity.lots(made.call("chat", "x", body, Ask(model="m"), caller=caller))
    return max(channels, key=lambda channel: draw(channel) ** (1 / channel.weight)).id  # type: ignore[no-any-return]


def talk(system: str, *turns: str) -> dict[str, Any]:
    said = [{"role": "user" if place % 2 == 0 else "assistant", "content": turn} for place, turn in enumerate(turns)]
    return {"messages": [{"role": "system", "content": system}, *said]}


def test_a_conversation_stays_where_it_began() -> None:
    for place in range(20):
        system = f"{place} {LONG}"
        homes = {first(talk(system, *"abcde"[:turns])) for turns in range(1, 6)}
        assert len(homes) == 1


def test_weights_hold_over_many_prompts_and_accounts() -> None:
    prompts = Counter(first(talk(f"{place} {LONG}", "hi")) for place in range(2_000))
    assert 0.7 < prompts["ch_a"] / 2_000 < 0.8
    accounts = Counter(first(talk(LONG, "hi"), f"account-{place}") for place in range(2_000))
    assert 0.7 < accounts["ch_a"] / 2_000 < 0.8


def test_one_channel_less_moves_only_what_was_there() -> None:
    more = [*CHANNELS, made.channel(id="ch_c", weight=2)]
    for place in range(200):
        prompt = talk(f"{place} {LONG}", "hi")
        home = first(prompt, channels=more)
        assert home == "ch_c" or first(prompt) == home


def test_what_is_too_short_to_be_cached_is_left_to_chance() -> None:
    homes = Counter(first(talk("Be brief.", "hi")) for _ in range(400))
    assert len(homes) == 2
    named = {**talk("Be brief.", "hi"), "prompt_cache_key": "mine"}
    assert len({first(named) for _ in range(50)}) == 1
