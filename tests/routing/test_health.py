"""The breaker as a table of what comes in and what it does, under a clock of the test's own."""

from __future__ import annotations

import random

import pytest

from gateway.call import Cause
from gateway.routing.health import FAILURES, FORGETS_S, LEAST, MOST, SHARE, WINDOW_S, Budget, Health, Notice, Turn


class Ward:
    """A `Health` with a clock that stands still until it is moved."""

    def __init__(self, rest_max_s: float = 60) -> None:
        self.now = 1_000.0
        self.health = Health(lambda: self.now, rest_max_s)

    def fail(
        self, cause: Cause = "server", times: int = 1, model: str = "m", channel: str = "a", after: float | None = None
    ) -> list[Turn]:
        turns: list[Turn] = []
        for _ in range(times):
            trial = self.health.begin(channel, model)
            turns += self.health.failed(trial, cause, after)
            self.health.end(trial)
        return turns

    def pass_(self, model: str = "m", channel: str = "a") -> list[Turn]:
        trial = self.health.begin(channel, model)
        turns = self.health.succeeded(trial)
        self.health.end(trial)
        return turns

    def admits(self, model: str = "m", channel: str = "a") -> bool:
        return self.health.admits(channel, model)


def test_the_fifth_failure_opens() -> None:
    """Envoy's own table: four do not, the fifth does; a success between begins anew."""
    ward = Ward()
    assert ward.fail(times=4) == [] and ward.admits()
    assert ward.pass_() == []
    assert ward.fail(times=4) == [] and ward.admits()
    (turn,) = ward.fail()
    assert turn == Turn("a", "m", "server", 5.0, 1) and not ward.admits()
    assert ward.admits(model="other") and ward.admits(channel="b")


@pytest.mark.parametrize(
    ("cause", "opens_at"), [("server", 5), ("malformed", 5), ("unreachable", 5), ("timeout", 3), ("account", 1)]
)
def test_causes_weigh_apart(cause: Cause, opens_at: int) -> None:
    ward = Ward()
    assert ward.fail(cause, opens_at - 1) == [] and ward.admits()
    assert [turn.cause for turn in ward.fail(cause)] == [cause] and not ward.admits()


def test_a_request_blames_nobody() -> None:
    ward = Ward()
    assert ward.fail("request", 50) == [] and ward.admits()


def test_rests_end_to_the_millisecond_and_grow_to_their_most() -> None:
    ward = Ward(rest_max_s=30)
    ward.fail(times=5)
    for rest_s in (5.0, 10.0, 20.0, 30.0, 30.0):
        ward.now += rest_s - 0.001
        assert not ward.admits()
        ward.now += 0.002
        assert ward.admits()
        (turn,) = ward.fail()
        assert turn.rest_s == min(30.0, rest_s * 2), "one failure of the probe is enough"


def test_rests_are_forgotten_after_a_while() -> None:
    ward = Ward()
    for after_s, rests in ((0.0, 1), (1.0, 2), (FORGETS_S + 1, 1)):
        ward.now += after_s
        (turn,) = ward.fail(times=FAILURES)
        assert turn.rests == rests
        ward.now += 60
        ward.pass_()


def test_exactly_one_call_finds_out() -> None:
    ward = Ward()
    ward.fail(times=5)
    ward.now += 5
    probe = ward.health.begin("a", "m")
    assert probe.probes and not ward.admits(), "all others go elsewhere meanwhile"
    ward.health.end(probe)  # its client left: nobody knows
    assert ward.admits()
    second = ward.health.begin("a", "m")
    assert ward.health.answered(second) == [Turn("a", "m", "")] and ward.admits(), "the first frame tells"
    ward.health.end(second)
    assert ward.fail(times=4) == [] and ward.admits()


def test_a_limit_rests_as_long_as_it_says_and_no_longer_than_the_most() -> None:
    ward = Ward()
    assert ward.fail("limited", after=2.0)[0].rest_s == 2.0
    ward.now += 2.0
    assert ward.fail("limited", after=86_400.0)[0].rest_s == 60.0
    ward.now += 59.9
    assert not ward.admits()
    ward.now += 0.2
    ward.pass_()
    ward.now += FORGETS_S
    for rest_s in (1.0, 2.0, 4.0):
        assert ward.fail("limited")[0].rest_s == rest_s
        ward.now += rest_s


def test_what_began_before_a_rest_says_nothing_of_it() -> None:
    """Fifty calls are on their way when one hears of the limit: neither their answers nor their refusals change it."""
    ward = Ward()
    early = [ward.health.begin("a", "m") for _ in range(3)]
    ward.now += 1
    ward.fail("limited", after=30.0)
    assert ward.health.succeeded(early[0]) == [] and not ward.admits()
    ward.now += 31
    assert ward.health.failed(early[1], "timeout") == [] and ward.admits()
    assert ward.health.succeeded(early[2]) == []


def test_our_account_is_refused_at_one_model_until_a_second_shows_it() -> None:
    ward = Ward()
    assert [turn.model for turn in ward.fail("account", model="m1")] == ["m1"]
    assert ward.admits(model="m2") and ward.admits(model="m3")
    assert [turn.model for turn in ward.fail("account", model="m2")] == ["m2", ""]
    assert not ward.admits(model="m3") and ward.admits(model="m3", channel="b")
    assert ward.fail("account", model="m3") == [Turn("a", "m3", "account", 60.0, 1)]
    ward.now += 60
    assert Turn("a", "", "") in ward.pass_(model="m2") and ward.admits(model="m4")


def test_half_of_the_last_twenty_is_too_much() -> None:
    ward = Ward()
    for place in range(19):
        assert (ward.fail() if place % 2 == 0 else ward.pass_()) == []
    assert ward.admits() and [turn.cause for turn in ward.fail()] == ["server"]
    ward = Ward()
    for place in range(200):
        assert (ward.fail() if place % 3 == 0 else ward.pass_()) == []


def test_what_is_forgiven_does_not_count() -> None:
    ward = Ward()
    for _ in range(20):
        ward.fail()
        assert ward.health.forgiven("a", "m") == []
    assert ward.fail(times=4) == [] and ward.admits()
    ward.fail()
    assert not ward.admits()
    assert ward.health.forgiven("a", "m") == [Turn("a", "m", "")] and ward.admits()


def test_a_probe_that_fails_is_not_forgiven() -> None:
    ward = Ward()
    ward.fail(times=5)
    ward.now += 5.1
    ward.fail()
    assert ward.health.forgiven("a", "m") == [] and not ward.admits(), "it failed before, on bodies that others took"


def test_workers_learn_from_each_other() -> None:
    one, other = Ward(), Ward()
    (turn,) = one.fail(times=5)
    one.health.sent(turn, 7)
    one.health.learn([])  # it is not written yet
    assert not one.admits()
    notice = Notice("a", "m", "server", 4.5, 1, 7)
    one.health.learn([notice])
    other.health.learn([notice])
    assert not one.admits() and not other.admits()
    other.now += 4.6
    assert other.admits()
    assert other.fail()[0].rests == 2, "the next rest is a longer one there too"
    one.now += 5
    assert one.pass_() == [Turn("a", "m", "")]
    one.health.learn([notice])  # which is not taken down yet
    assert one.admits()
    one.health.learn([])
    third = Ward()
    third.health.learn([notice._replace(left_s=9e9)])
    assert not third.admits()
    third.now += 60
    assert third.admits(), "a clock that is wrong makes no rest longer"
    third.now -= 30
    third.health.learn([])
    assert third.admits()


def test_memory_is_bounded() -> None:
    ward = Ward()
    for place in range(MOST + 100):
        ward.fail(model=f"m{place}")
    assert len(ward.health._states) == MOST
    ward = Ward()
    ward.fail()
    for _ in range(25):
        ward.pass_()
    assert not ward.health._states, "who has been well for long is forgotten"


@pytest.mark.parametrize("seed", range(5))
def test_the_budget_bounds_amplification(seed: int) -> None:
    """A provider that fails every other time gets a fifth more calls, not half as many again."""
    chance = random.Random(seed)
    now = [0.0]
    budget = Budget(lambda: now[0])
    sent = calls = 0
    for _ in range(400):
        now[0] += 0.2
        calls += 1
        budget.count("a", "m")
        for attempt in range(3):
            if attempt and not budget.take("a", "m"):
                break
            sent += 1
            if chance.random() < 0.5:
                break
    assert 1 < sent / calls <= 1 + SHARE


@pytest.mark.parametrize("seed", range(5))
def test_a_flapping_channel_beside_a_healthy_one_is_soon_left_alone(seed: int) -> None:
    """Every failure costs a second attempt elsewhere; the breaker keeps them few."""
    ward, chance = Ward(), random.Random(seed)
    sent = calls = 0
    for _ in range(400):
        ward.now += 0.05
        calls += 1
        sent += 1
        if not ward.admits():
            continue
        if chance.random() < 0.5:
            ward.fail()
            sent += 1
        else:
            ward.pass_()
    assert 1 < sent / calls <= 1.2


def test_a_small_installation_may_repeat_too() -> None:
    now = [0.0]
    budget = Budget(lambda: now[0])
    budget.count("a", "m")
    assert [budget.take("a", "m") for _ in range(LEAST + 1)] == [True] * LEAST + [False]
    assert budget.take("a", "other")
    now[0] += WINDOW_S
    assert budget.take("a", "m")
