"""Windows and budgets under a clock that runs, stands and goes back: nobody gets more than a limit, nobody waits for
ever, and what comes back moves only what it was taken from."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import models.account
import models.budget
import models.key
from gateway.billing import books
from models import batch, ledger, receipt, task, window
from models.base import rows, run, session
from models.window import Rule
from models.writer import write

MS = 60_000
REQUESTS, TOKENS, PLACES = 4, 100, 3


@dataclass
class Taken:
    """A call that was admitted, and in which windows."""

    reserved: int
    used: int | None = None
    requests: int = 0
    tokens: int = 0


class Windows(RuleBasedStateMachine):
    """Calls that come and end while time passes and the clock is set back. `true` is the time that really passes."""

    @initialize()
    def open(self) -> None:
        self.account, self.key = f"acc_{uuid.uuid4().hex}", f"key_{uuid.uuid4().hex}"
        write(models.account.create, self.account, self.account, "unlimited", 1)
        write(
            lambda: models.key.create(
                id=self.key, account_id=self.account, name="k", hash=self.key, tail="", created_at=1
            )
        )
        write(ledger.grant, self.account, 10**6, self.account, None, 1)
        self.clock, self.true = 10**12, 0
        self.refused: dict[tuple[str, int], int] = {}
        self.calls: dict[str, Taken] = {}
        self.opened: dict[tuple[str, int], int] = {}

    @rule(ms=st.sampled_from([0, 1, 10, MS // 2, MS - 1, MS, 2 * MS]))
    def pass_time(self, ms: int) -> None:
        self.clock += ms
        self.true += ms

    @rule(ms=st.sampled_from([1, 1_000, MS - 1, MS, 10 * MS, 10**9]))
    def set_back(self, ms: int) -> None:
        self.clock -= ms
        self.refused.clear()

    def found(self, name: str) -> tuple[int, int]:
        """The number of a rule's window and what is used of it, as stored."""
        with session():
            row = rows("SELECT serial, used FROM rate_window WHERE scope = ? AND rule = ?", self.account, name)
        return (int(row[0][0]), int(row[0][1])) if row else (0, 0)

    @rule(tokens=st.integers(1, TOKENS))
    def call(self, tokens: int) -> None:
        rules = (
            Rule(self.account, "rpm", REQUESTS, 1, MS), Rule(self.account, "tpm", TOKENS, tokens, MS),
            Rule(self.account, "parallel", PLACES, 1, 0),
        )  # fmt: skip
        before = {name: self.found(name) for name in ("rpm", "tpm", "parallel")}
        hold_id = f"{self.account}-{len(self.calls)}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(window, "now", lambda: self.clock)
            done: Any = write(ledger.place, hold_id, self.account, self.key, "wk", 1, 1, 1, 1, tokens, rules)
        if isinstance(done, ledger.Limited):
            use = done.use
            serial, used = before[use.rule.name]
            assert used + use.rule.amount > use.rule.limit, "refused though there was room"
            if use.rule.ms:
                assert 0 < use.resets_at - self.clock <= MS, "nobody waits longer than a window"
                since = self.refused.setdefault((use.rule.name, serial), self.true)
                assert self.true - since < MS, "who waited as long as was said is admitted"
            return
        self.calls[hold_id] = taken = Taken(tokens)
        taken.requests, taken.tokens = self.found("rpm")[0], self.found("tpm")[0]
        for name, serial in (("rpm", taken.requests), ("tpm", taken.tokens)):
            if (name, serial) not in self.opened:
                if (name, serial - 1) in self.opened:
                    assert self.true - self.opened[name, serial - 1] >= MS, "opened before the last one was over"
                self.opened[name, serial] = self.true

    @rule(data=st.data(), part=st.integers(0, 120))
    def end(self, data: st.DataObject, part: int) -> None:
        running = sorted(hold for hold, taken in self.calls.items() if taken.used is None)
        if running:
            hold_id = data.draw(st.sampled_from(running))
            self.calls[hold_id].used = self.calls[hold_id].reserved * part // 100
            for _ in range(2):  # the second changes nothing
                write(ledger.release, hold_id, self.calls[hold_id].used)

    @invariant()
    def adds_up(self) -> None:
        if not hasattr(self, "account"):
            return
        taken = self.calls.values()
        serial, used = self.found("rpm")
        assert used == sum(one.requests == serial for one in taken) <= REQUESTS
        serial, used = self.found("tpm")
        mine = [one for one in taken if one.tokens == serial]
        assert used == sum(one.reserved if one.used is None else one.used for one in mine)
        assert self.found("parallel")[1] == sum(one.used is None for one in taken) <= PLACES

    def teardown(self) -> None:
        assert books.check(10**10)[1] == []


def test_windows_as_a_state_machine(db: str) -> None:
    run_state_machine_as_test(
        Windows,
        settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


ZONES = st.sampled_from(["UTC", "Europe/Zurich", "America/Sao_Paulo", "Africa/Cairo", "Asia/Kathmandu", "Pacific/Apia"])


@given(st.sampled_from(models.budget.PERIODS), ZONES, st.integers(0, 4 * 10**12))
@settings(deadline=None, max_examples=500)
def test_periods_follow_each_other_without_a_gap(per: str, name: str, at: int) -> None:
    zone = ZoneInfo(name)
    begins, ends = models.budget.period(per, zone, at)
    assert begins <= at < ends
    assert models.budget.period(per, zone, begins) == models.budget.period(per, zone, ends - 1) == (begins, ends)
    assert models.budget.period(per, zone, ends)[0] == ends


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def test_periods_are_the_calendars_of_a_place() -> None:
    zurich = ZoneInfo("Europe/Zurich")
    at = ms("2026-10-25T22:30:00+00:00")  # a Sunday of 25 hours, half an hour before its end
    assert models.budget.period("day", zurich, at) == (ms("2026-10-24T22:00:00+00:00"), ms("2026-10-25T23:00:00+00:00"))
    assert models.budget.period("week", zurich, at) == (
        ms("2026-10-18T22:00:00+00:00"),
        ms("2026-10-25T23:00:00+00:00"),
    )
    assert models.budget.period("month", zurich, at) == (
        ms("2026-09-30T22:00:00+00:00"),
        ms("2026-10-31T23:00:00+00:00"),
    )


DAY = 86_400_000
MONDAY = ms("2026-11-23T00:00:00+00:00")


@pytest.fixture
def key(db: str) -> str:
    """A key with a budget of 100 nano-dollars a day, of an account with a thousand."""
    write(models.account.create, "acc_1", "one", "unlimited", 1)
    write(lambda: models.key.create(id="key_1", account_id="acc_1", name="k", hash="h", tail="", created_at=1))
    write(ledger.grant, "acc_1", 1_000, "g", None, 1)
    write(models.budget.put, "key_1", "acc_1", "day", 100)
    return "key_1"


def hold(hold_id: str, at: int, amount: int, floor: int | None = None) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "now", lambda: at)
        return write(
            ledger.place,
            hold_id,
            "acc_1",
            "key_1",
            "wk",
            at,
            amount,
            amount if floor is None else floor,
            amount,
            5,
            (),
            None,
            UTC,
        )


def settled(hold_id: str, cost: int, at: int = 1) -> tuple[Any, ...]:
    values = {
        **dict.fromkeys(receipt.COLUMNS), "id": hold_id, "account_id": "acc_1", "key_id": "key_1", "created_at": at,
        "surface": "chat", "model": "m", "streamed": False, "status": 200, "cost_nanos": cost, "reported": True,
        "partial": False, "overrun": False, "latency_ms": 1, "detail": "{}",
    }  # fmt: skip
    return values, "2026-01-01", 3, 2, []


def settle(hold_id: str, cost: int, at: int = 1) -> None:
    write(ledger.settle, *settled(hold_id, cost, at))


def standing(at: int) -> tuple[int, int]:
    with session():
        found = models.budget.look("key_1", UTC, at)
    assert found is not None
    return found.spent, found.held


def test_a_budget_is_held_spent_and_given_back(key: str) -> None:
    assert hold("a", MONDAY, 60).amount == 60
    assert hold("b", MONDAY + 1, 60, floor=10).amount == 40, "what is left of it"
    short = hold("c", MONDAY + 2, 1)
    assert isinstance(short, ledger.Short) and min(short.purses, key=lambda purse: purse.free).name == "budget"
    assert short.purses[-1] == ledger.Purse("budget", 100, 0, 100, "day", MONDAY + DAY)
    settle("a", 25)
    write(ledger.release, "b")
    assert standing(MONDAY + 3) == (25, 0)
    assert hold("d", MONDAY + 4, 75).amount == 75 and isinstance(hold("e", MONDAY + 5, 1), ledger.Short)
    assert books.check(10**9)[1] == []


def test_a_call_counts_in_the_period_that_it_was_held_in(key: str) -> None:
    hold("late", MONDAY + DAY - 1, 100)
    assert hold("early", MONDAY + DAY, 30).amount == 30, "a new day"
    settle("late", 80)
    assert standing(MONDAY + DAY) == (0, 30), "yesterday's charge is yesterday's"
    settle("early", 20)
    assert standing(MONDAY + DAY + 1) == (20, 0)
    assert books.check(10**9)[1] == []


def test_a_batch_over_midnight_counts_in_the_day_that_it_began_in(key: str) -> None:
    late, soon = MONDAY + DAY - 1, MONDAY + DAY + 120_000
    facts = {
        **dict.fromkeys(task.COLUMNS), "id": "batch_1", "account_id": "acc_1", "key_id": "key_1", "kind": batch.KIND,
        "model": "m", "status": task.IN_PROGRESS, "progress": 0, "created_at": late, "changed_at": late,
        "deadline_at": late + DAY, "claim": 0, "polls": 0, "failures": 0, "told": 0, "facts": "{}",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "now", lambda: late)
        write(batch.place, facts, "batch_1", "acc_1", "key_1", "wk", late, 100, 100, 100, 0, (), None, UTC)
    assert hold("new", MONDAY + DAY, 100).amount == 100, "a new day"
    for number in (1, 2):
        values, *rest = settled(f"line_{number}", 50, at=soon)
        values["surface"] = "chat.batch"
        write(batch.settle, "batch_1", number, b"{}", 50, values, *rest)
        assert standing(soon) == (0, 100), "yesterday's charge is yesterday's"
    settle("new", 100, at=soon)
    assert standing(soon) == (100, 0)
    assert not [line for line in books.check(10**9)[1] if line.startswith("I1")]


def test_a_clock_that_goes_back_over_the_edge_makes_nothing_free(key: str) -> None:
    hold("a", MONDAY + DAY + 5, 100)
    assert isinstance(hold("b", MONDAY + DAY - 5, 1), ledger.Short), "ten milliseconds back: still the later day"
    assert hold("c", MONDAY - 3 * DAY, 100).amount == 100, "far back: no day lasts for ever"


def test_a_budget_can_be_changed_and_taken_away(key: str) -> None:
    hold("a", MONDAY, 100)
    write(models.budget.put, "key_1", "acc_1", "day", 150)
    assert isinstance(hold("b", MONDAY, 51), ledger.Short) and hold("b", MONDAY, 50).amount == 50
    write(models.budget.put, "key_1", "acc_1", "week", 150)
    assert hold("c", MONDAY, 150).amount == 150, "another period counts anew"
    write(ledger.release, "a")
    assert standing(MONDAY) == (0, 150), "what was held of the day is not the week's"
    write(models.budget.put, "key_1", "acc_1", "week", None)
    assert hold("d", MONDAY, 500).amount == 500
    assert books.check(10**9)[1] == []


def test_a_charge_after_its_hold_was_given_back_counts_now(key: str) -> None:
    hold("a", MONDAY, 60)
    write(ledger.release, "a")
    settle("a", 50)
    assert standing(MONDAY) == (50, 0)


def test_what_costs_nothing_is_held_for_whatever_the_purses_owe(key: str) -> None:
    hold("a", MONDAY, 100)
    settle("a", 1_200)  # an overrun of account and budget
    write(run, "UPDATE api_key SET limit_nanos = 1")
    assert standing(MONDAY) == (1_200, 0) and isinstance(hold("b", MONDAY, 1), ledger.Short)
    assert hold("c", MONDAY, 0).amount == 0
    assert hold("d", MONDAY + DAY, 0).amount == 0 and standing(MONDAY + DAY) == (0, 0), "the day begins all the same"
    for one in ("c", "d"):
        settle(one, 0)
    assert books.check(10**9)[1] == []


def test_a_hold_that_is_placed_twice_counts_once(key: str) -> None:
    """Whoever loses the connection during a commit writes again."""
    rules = (Rule("acc_1", "rpm", 1, 1, MS), Rule("acc_1", "parallel", 1, 1, 0))
    for _ in range(2):
        done = write(ledger.place, "twice", "acc_1", "key_1", "wk", 1, 10, 10, 10, 5, rules, None, UTC)
        assert isinstance(done, ledger.Held) and done.amount == 10
    with session():
        assert [row[0] for row in rows("SELECT used FROM rate_window")] == [1, 1]
        assert rows("SELECT held_nanos FROM budget") == [(10,)]


def test_of_several_limits_the_longest_is_told(key: str) -> None:
    rules = (Rule("acc_1", "rpm", 1, 1, MS), Rule("acc_1", "rpd", 1, 1, DAY))
    write(ledger.place, "a", "acc_1", "key_1", "wk", 1, 1, 1, 1, 5, rules)
    refused = write(ledger.place, "b", "acc_1", "key_1", "wk", 1, 1, 1, 1, 5, rules)
    assert refused.use.rule.name == "rpd"


def test_books_find_what_is_wrong_with_budgets_and_places(key: str) -> None:
    rules = (Rule("acc_1", "parallel", 5, 1, 0),)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "now", lambda: MONDAY)
        write(ledger.place, "a", "acc_1", "key_1", "wk", MONDAY, 10, 10, 10, 5, rules, None, UTC)
        write(ledger.place, "b", "acc_1", "key_1", "wk", MONDAY, 10, 10, 10, 5, rules, None, UTC)
    settle("a", 7, at=MONDAY + 120_000)
    assert books.check(10**9)[1] == []
    for damage, mark in (
        ("UPDATE budget SET held_nanos = held_nanos + 1", "I2 key_1: its budget"),
        ("UPDATE budget SET spent_nanos = 6", "I1 key_1: its budget"),
        ("UPDATE budget SET spent_nanos = 8", "I1 key_1: its budget"),
        ("UPDATE rate_window SET used = used + 1", "I2 acc_1: 2 calls"),
    ):
        write(run, damage)
        assert any(line.startswith(mark) for line in books.check(10**9)[1]), damage
        write(run, "UPDATE budget SET held_nanos = 10, spent_nanos = 7")
