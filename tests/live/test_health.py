"""Breakers at work: who is asked when a channel fails, for how long it is left alone, and how it comes back."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.gateway import Gateway
from tests.live.test_failover import GOOD, STREAM, error
from tests.live.test_faults import wait_until
from tests.upstream import Asked, Script, Upstream, upstream

REST_S = 2.0
"""The longest rest, so that tests see its end soon."""


class Pool:
    """Channels of one namespace, each a scripted provider: tried in their order."""

    def __init__(self, gateway: Gateway, stack: ExitStack, count: int) -> None:
        self.gateway = gateway
        self.name = f"pool-{uuid.uuid4().hex[:8]}"
        self.providers = [stack.enter_context(upstream()) for _ in range(count)]
        self.channels = [f"{self.name}-{place}" for place in range(count)]
        for place, provider in enumerate(self.providers):
            provider.answer = lambda asked: self._good(asked)
            gateway.cli(
                "channels", "add", "--provider", "openai-compatible", "--name", self.channels[place], "--namespace",
                self.name, "--base-url", provider.base_url, "--priority", str(place), "--free",
            )  # fmt: skip
            stack.callback(gateway.cli, "channels", "disable", self.channels[place])
        gateway.settle_in()

    @staticmethod
    def _good(asked: Asked) -> Script:
        return STREAM if asked.body and asked.json.get("stream") else GOOD

    def ill(self, script: Script, place: int = 0, when: Callable[[Asked], bool] = lambda _: True) -> Upstream:
        """Make one answer by a script, as long as `when` says so."""
        provider = self.providers[place]
        provider.answer = lambda asked: script if when(asked) else self._good(asked)
        return provider

    def well(self, place: int = 0) -> None:
        self.providers[place].answer = self._good

    def chat(self, model: str = "m", text: str = "hi", stream: bool = False) -> tuple[int, str]:
        """Status, and the channel that served."""
        answer = self.gateway.chat(f"{self.name}/{model}", text, stream=stream)
        assert answer.content
        return answer.status_code, answer.headers.get("x-gateway-channel", "")

    def resting(self) -> dict[str, list[str]]:
        rows = self.gateway.cli("channels", "list")
        return {row["name"]: row["resting"] for row in rows if row["name"] in self.channels}


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {"GATEWAY_REST_MAX_S": str(REST_S), "GATEWAY_FIRST_BYTE_S": "1", "GATEWAY_IDLE_S": "1"}
    with Gateway(tmp_path_factory.mktemp("one"), workers=1, **settings) as live:
        yield live


@pytest.fixture
def pool(one_worker: Gateway) -> Iterator[Pool]:
    with ExitStack() as stack:
        yield Pool(one_worker, stack, 2)


@pytest.mark.parametrize("stream", [False, True])
def test_a_failing_channel_is_left_alone_and_comes_back(pool: Pool, stream: bool) -> None:
    first, second = pool.channels
    sick = pool.ill(error(503))
    for _ in range(20):
        assert pool.chat(stream=stream) == (200, second)
    assert len(sick.asked) == 5
    assert pool.resting()[first] == ["m: server"]
    wait_until(lambda: pool.chat(stream=stream) == (200, second) and len(sick.asked) > 5, 30, "nobody found out")
    assert len(sick.asked) == 6, "one call does"
    pool.well()
    wait_until(lambda: pool.chat(stream=stream) == (200, first), 30, "it did not come back")
    assert pool.resting()[first] == [] and pool.chat(stream=stream) == (200, first)
    log = pool.gateway.log.read_text()
    assert log.count(f"channel {first}, model m rests for") == 2 and f"channel {first}, model m serves again" in log


def test_a_rate_limit_rests_as_told_but_not_longer_than_the_most(pool: Pool) -> None:
    first, second = pool.channels
    limited = pool.ill(error(429, retry_after="86400"))
    began = time.monotonic()
    served = 0
    while time.monotonic() - began < REST_S / 2:
        assert pool.chat() == (200, second)
        served += 1
    assert served > 1 and len(limited.asked) == 1
    pool.well()
    wait_until(lambda: pool.chat() == (200, first), 30, "a day is too long a rest")


def test_timeouts_weigh_more(pool: Pool) -> None:
    _, second = pool.channels
    slow = pool.ill(Script.sse(30.0))
    for _ in range(4):
        assert pool.chat(stream=True) == (200, second)
    assert len(slow.asked) == 3


def test_slow_reasoners_get_their_time(pool: Pool) -> None:
    """Which is longer than what the settings give to all."""
    first, second = pool.channels
    for stream in (True, False):
        good = STREAM if stream else GOOD
        pool.ill(Script(good.status, good.headers, [1.5, *good.pieces], good.framing))
        assert pool.chat("o3-pro", stream=stream) == (200, first)
    pool.ill(Script.sse(1.5, *STREAM.pieces))
    assert pool.chat(stream=True) == (200, second)


def test_an_account_is_refused_at_one_model_until_two_show_it(pool: Pool) -> None:
    first, second = pool.channels
    pool.ill(error(403), when=lambda asked: b'"m2"' not in asked.body and b'"m4"' not in asked.body)
    assert pool.chat("m1") == (200, second)
    assert pool.chat("m2") == (200, first), "the other model goes on"
    assert pool.resting()[first] == ["m1: account"]
    assert pool.chat("m3") == (200, second)
    assert pool.chat("m4") == (200, second), "now the channel rests"
    assert pool.resting()[first] == ["*: account", "m1: account", "m3: account"]
    found = json.loads(pool.gateway.cli("doctor", ok=False).stdout)["findings"]
    told = [one["what"] for one in found if f"{first}:" in one["what"] and one["level"] == "warning"]
    assert len(told) == 3 and all("refuse our account" in what for what in told)
    wait_until(lambda: pool.chat("m4") == (200, first), 30, "it did not come back")


def test_the_last_channel_is_always_tried(one_worker: Gateway) -> None:
    with ExitStack() as stack:
        pool = Pool(one_worker, stack, 1)
        sick = pool.ill(error(401))
        for calls in range(1, 8):
            assert pool.chat()[0] == 503 and len(sick.asked) == calls
        pool.well()
        assert pool.chat() == (200, pool.channels[0]), "at once, though it should have rested"


def test_a_body_that_two_channels_fail_on_blames_neither(pool: Pool) -> None:
    first, _ = pool.channels
    for place in (0, 1):
        pool.ill(error(500), place, when=lambda asked: b"poison" in asked.body)
    for _ in range(8):
        assert pool.chat(text="poison")[0] == 500
    assert pool.chat() == (200, first) and pool.resting() == {name: [] for name in pool.channels}
    assert [len(provider.asked) for provider in pool.providers] == [9, 8]


def test_two_that_fail_on_many_bodies_rest(pool: Pool) -> None:
    sick = [pool.ill(error(500), place) for place in (0, 1)]
    for n in range(12):
        assert pool.chat(text=f"hello {n}")[0] == 500
    assert all(pool.resting().values()), "it is not the body"
    asked = sum(len(provider.asked) for provider in sick)
    for n in range(6):
        assert pool.chat(text=f"bye {n}")[0] in (500, 503)
    assert sum(len(provider.asked) for provider in sick) - asked <= 9, "mostly one is tried, as the last one"
    pool.well(0)
    pool.well(1)
    wait_until(lambda: pool.chat()[0] == 200, 5, "the last one is always tried")


def test_several_that_fail_rest_and_the_healthy_one_is_found(one_worker: Gateway) -> None:
    with ExitStack() as stack:
        pool = Pool(one_worker, stack, 4)
        for place in range(3):
            pool.ill(error(500), place)
        seen = [pool.chat() for _ in range(15)]
        assert seen[-8:] == [(200, pool.channels[3])] * 8, seen
        assert [len(provider.asked) for provider in pool.providers[:3]] == [5, 5, 5]


def test_one_that_is_dead_does_not_stand_before_one_that_only_rests(pool: Pool) -> None:
    _, second = pool.channels
    pool.ill(error(401), 0)
    pool.ill(error(503), 1)
    for _ in range(6):
        assert pool.chat()[0] == 503
    pool.well(1)
    assert pool.chat() == (200, second), "it is the last one that may be well"


def test_a_probe_that_breaks_off_is_a_failure(pool: Pool) -> None:
    first, second = pool.channels
    broken = pool.ill(Script.sse(*STREAM.pieces[:2], ending="reset"), when=lambda asked: b"stream" in asked.body)
    while pool.resting()[first] == []:
        pool.chat(stream=True)
    before = len(broken.asked)
    wait_until(lambda: pool.chat(stream=True) is not None and len(broken.asked) > before, 30, "nobody found out")
    for _ in range(4):
        assert pool.chat(stream=True) == (200, second)
    assert len(broken.asked) == before + 1, "one stream broke, not five more"


def test_a_lone_channel_is_asked_again_within_its_budget(one_worker: Gateway) -> None:
    """Every other answer an error: a fifth more calls at most go there, and those that are repeated help."""
    with ExitStack() as stack:
        pool = Pool(one_worker, stack, 1)
        turns = itertools.count()
        flapping = pool.ill(error(500), when=lambda _: next(turns) % 2 == 0)
        calls = 150
        good = sum(pool.chat()[0] == 200 for _ in range(calls))
        assert calls < len(flapping.asked) <= 1.2 * calls
        assert good > calls / 2


def test_what_may_have_been_done_is_not_repeated(one_worker: Gateway) -> None:
    with ExitStack() as stack:
        pool = Pool(one_worker, stack, 1)
        for script, attempts in (
            (Script.sse(30.0), 1), (error(401), 1), (error(400), 1), (Script(pieces=[b"<html>"]), 1),
            (error(429, retry_after="30"), 1), (error(429, retry_after="0"), 3),
        ):  # fmt: skip
            before = len(pool.ill(script).asked)
            status, _ = pool.chat(f"m{before}", stream=script.headers["content-type"] == "text/event-stream")
            assert status >= 400 and len(pool.providers[0].asked) - before == attempts, script
        reset = Script(framing="raw", ending="reset")
        seen = len(pool.providers[0].asked)
        pool.ill(reset, when=lambda _: len(pool.providers[0].asked) == seen + 1)
        assert pool.chat("reset") == (200, pool.channels[0])


def test_all_workers_hear_of_it(sqlite_gateway: Gateway) -> None:
    with ExitStack() as stack:
        pool = Pool(sqlite_gateway, stack, 2)
        sick = pool.ill(error(429, retry_after="60"))
        assert pool.chat() == (200, pool.channels[1])
        wait_until(lambda: pool.resting()[pool.channels[0]] == ["m: limited"], 10, "it was not put up")
        sqlite_gateway.settle_in(1.5)
        seen = len(sick.asked)
        for _ in range(20):
            assert pool.chat() == (200, pool.channels[1])
        assert len(sick.asked) == seen <= 2
