"""What becomes of a task, as dialogues: something was seen, and that follows."""

from __future__ import annotations

import pytest

from gateway.call import Fault
from gateway.modalities.jobs import Result, Seen
from gateway.tasks.machine import (
    LEAST_HERE_MS,
    LEAST_MS,
    MOST_MS,
    MOST_PAUSE_MS,
    Collect,
    Decision,
    End,
    State,
    Wait,
    advance,
)

NEW = State(created_at=0, deadline_at=600_000, status="queued", progress=0, polls=0, failures=0, here=False)
DONE = Seen(status="completed", results=(Result("/videos/1/content"),))


def after(state: State, decision: Decision) -> State:
    assert isinstance(decision, Wait)
    return state._replace(
        status=decision.status, progress=decision.progress, polls=decision.polls, failures=decision.failures
    )


def test_a_film_is_made() -> None:
    state, at, looks = NEW, 2_000, 0
    while at < 60_000:
        decision = advance(state, Seen(status="in_progress", progress=at // 700), at, 0.5)
        state, looks = after(state, decision), looks + 1
        assert isinstance(decision, Wait) and decision.next_at > at
        at = decision.next_at
    assert looks < 20, "a minute's work is not asked for more often"
    assert advance(state, DONE, at, 0.5) == Collect(DONE)


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_pauses_grow_with_the_work_and_differ(chance: float) -> None:
    def pause(at: int, here: bool = False) -> int:
        decision = advance(NEW._replace(here=here), Seen(status="in_progress"), at, chance)
        assert isinstance(decision, Wait)
        return decision.next_at - at

    assert 0.7 * LEAST_MS < pause(100) < 1.3 * LEAST_MS and 0.7 * MOST_MS < pause(400_000) < 1.3 * MOST_MS
    assert pause(100, here=True) < 1.3 * LEAST_HERE_MS


def test_progress_never_goes_back() -> None:
    state = after(NEW, advance(NEW, Seen(status="in_progress", progress=60), 1_000, 0.5))
    assert after(state, advance(state, Seen(status="in_progress", progress=20), 2_000, 0.5)).progress == 60


def test_a_provider_that_fails_to_answer_is_left_alone_longer_each_time() -> None:
    state, at, pauses = NEW, 0, []
    for _ in range(8):
        decision = advance(state, Fault("server", status=500), at, 0.5)
        assert isinstance(decision, Wait)
        pauses.append(decision.next_at - at)
        state = after(state, decision)
    assert pauses == sorted(pauses) and pauses[0] < pauses[3] and pauses[-1] <= MOST_PAUSE_MS
    assert after(state, advance(state, Seen(status="queued"), at, 0.5)).failures == 0, "an answer mends it"


def test_who_says_when_to_come_again_is_heard() -> None:
    decision = advance(NEW, Fault("limited", status=429, retry_after=90), 0, 0.5)
    assert isinstance(decision, Wait) and decision.next_at == 90_000
    decision = advance(NEW, Fault("limited", status=429, retry_after=86_400), 0, 0.5)
    assert isinstance(decision, Wait) and decision.next_at == MOST_PAUSE_MS, "what is done is not left there for a day"


def test_unknown_work_is_believed_to_be_gone_when_it_stays_so() -> None:
    state = NEW
    for _ in range(2):
        state = after(state, advance(state, Fault("request", status=404), 0, 0.5))
    assert advance(state, Fault("request", status=404), 0, 0.5) == End("failed", "gone")


def test_the_deadline_ends_what_is_not_done_and_what_is_done_late_is_taken() -> None:
    late = NEW.deadline_at
    assert advance(NEW, Seen(status="in_progress", progress=99), late, 0.5) == End("failed", "deadline")
    assert advance(NEW, Fault("timeout"), late, 0.5) == End("failed", "deadline")
    assert advance(NEW, DONE, late, 0.5) == Collect(DONE)
    decision = advance(NEW, Seen(status="in_progress"), late - 10, 0.5)
    assert isinstance(decision, Wait) and decision.next_at == late


def test_a_failure_is_told_by_its_code() -> None:
    assert advance(NEW, Seen(status="failed", error="moderation_blocked"), 1, 0.5) == End(
        "failed", "moderation_blocked"
    )
    assert advance(NEW, Seen(status="cancelled"), 1, 0.5) == End("cancelled", "provider_failed")
