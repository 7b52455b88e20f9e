"""The real ledger as a state machine, on both databases: money adds up after every step, and is never overspent."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import models.account
import models.key
from gateway.billing import books
from gateway.clock import now_ms
from models import ledger, receipt, window
from models.base import rows, session
from models.window import Rule
from models.writer import write

AMOUNT = st.integers(0, 1_000)


class Money(RuleBasedStateMachine):
    """Holds, settlements and releases in any order, some twice, against a model in plain integers."""

    @initialize(limit=st.none() | st.integers(1, 3_000))
    def open(self, limit: int | None) -> None:
        self.account, self.key = f"acc_{uuid.uuid4().hex}", f"key_{uuid.uuid4().hex}"
        write(models.account.create, self.account, self.account, "unlimited", 1)
        write(
            lambda: models.key.create(
                id=self.key, account_id=self.account, name="k", hash=self.key, tail="", limit_nanos=limit, created_at=1
            )
        )
        self.limit = limit
        self.granted = self.spent = self.made = 0
        self.holds: dict[str, int] = {}
        self.closed: list[str] = []

    def free(self) -> int:
        open_holds = sum(self.holds.values())
        purses = [self.granted - self.spent - open_holds]
        if self.limit is not None:
            purses.append(self.limit - self.spent - open_holds)
        return min(purses)

    @rule(amount=st.integers(1, 2_000), again=st.booleans())
    def grant(self, amount: int, again: bool) -> None:
        ref = uuid.uuid4().hex
        for _ in range(1 + again):
            write(ledger.grant, self.account, amount, ref, None, 1)
        self.granted += amount

    @rule(want=AMOUNT, part=st.integers(0, 100), again=st.booleans())
    def hold(self, want: int, part: int, again: bool) -> None:
        self.made += 1
        hold_id, floor, free = f"{self.account}-{self.made:04d}", want * part // 100, self.free()
        done: Any = None
        for _ in range(1 + again):
            done = write(ledger.place, hold_id, self.account, self.key, "wk_1", now_ms(), want, floor, want, 5, ())
        if free >= want:
            assert done.amount == want
        elif free >= floor:
            assert done.amount == free
        else:
            assert isinstance(done, ledger.Short) and done.free == free
            return
        self.holds[hold_id] = done.amount

    @rule(data=st.data(), cost=AMOUNT, again=st.booleans())
    def settle(self, data: st.DataObject, cost: int, again: bool) -> None:
        if not self.holds:
            return
        hold_id = sorted(self.holds)[data.draw(st.integers(0, len(self.holds) - 1))]
        cost = min(cost, self.holds.pop(hold_id))
        for _ in range(1 + again):
            write(ledger.settle, self.values(hold_id, cost), "2026-01-01", 3, 2, [("audio", hold_id, None, "ch_1")])
        self.spent += cost
        self.closed.append(hold_id)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if not self.holds:
            return
        hold_id = sorted(self.holds)[data.draw(st.integers(0, len(self.holds) - 1))]
        assert write(ledger.release, hold_id) == self.holds.pop(hold_id)
        assert write(ledger.release, hold_id) is None
        self.closed.append(hold_id)

    def values(self, hold_id: str, cost: int) -> dict[str, Any]:
        return {
            **dict.fromkeys(receipt.COLUMNS), "id": hold_id, "account_id": self.account, "key_id": self.key,
            "created_at": 1, "surface": "chat", "model": "m", "streamed": False, "status": 200, "cost_nanos": cost,
            "reported": True, "partial": False, "overrun": False, "latency_ms": 1, "detail": "{}",
        }  # fmt: skip

    @invariant()
    def adds_up(self) -> None:
        if not hasattr(self, "account"):
            return
        with session():
            granted, spent, held = models.account.wallet(self.account)
            open_holds = rows("SELECT count(*) FROM hold WHERE account_id = ?", self.account)[0][0]
        assert (granted, spent, held) == (self.granted, self.spent, sum(self.holds.values()))
        assert open_holds == len(self.holds) and spent + held <= max(granted, 0)

    def teardown(self) -> None:
        assert books.check(60)[1] == []


def test_the_ledger_as_a_state_machine(db: str) -> None:
    run_state_machine_as_test(
        Money,
        settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.fixture
def purse(db: str) -> tuple[str, str]:
    """An account with 100 nano-dollars and a key of it."""
    write(models.account.create, "acc_1", "one", "unlimited", 1)
    write(lambda: models.key.create(id="key_1", account_id="acc_1", name="k", hash="h", tail="", created_at=1))
    write(ledger.grant, "acc_1", 100, "g", None, 1)
    return "acc_1", "key_1"


def place(hold_id: str, at: int, *rules: Rule, tokens: int = 10) -> Any:
    """A hold placed at a moment of the windows' clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "now", lambda: at)
        return write(ledger.place, hold_id, "acc_1", "key_1", "wk", at, 1, 1, 1, tokens, rules)


def test_windows_open_at_the_first_call_and_never_admit_more(purse: tuple[str, str]) -> None:
    rule = Rule("acc_1", "rpm", 3, 1, 60_000)
    left = [place(f"h{n}", 1_000 + n, rule) for n in range(5)]
    assert [type(done).__name__ for done in left] == ["Held"] * 3 + ["Limited"] * 2
    assert [done.uses[0].left for done in left[:3]] == [2, 1, 0]
    assert left[4].use.resets_at == 61_000
    assert isinstance(place("h6", 60_999, rule), ledger.Limited)
    assert isinstance(place("h7", 61_000, rule), ledger.Held), "a minute after the first call"


def test_a_clock_that_goes_back_frees_and_freezes_nobody(purse: tuple[str, str]) -> None:
    rule = Rule("acc_1", "rpm", 1, 1, 60_000)
    assert isinstance(place("h1", 10_000_000, rule), ledger.Held)
    assert isinstance(place("h2", 9_990_000, rule), ledger.Limited), "ten seconds back: still the same window"
    assert isinstance(place("h3", 5_000_000, rule), ledger.Limited), "far back: what is used stays used"
    assert isinstance(place("h4", 5_049_999, rule), ledger.Limited)
    assert isinstance(place("h5", 5_060_000, rule), ledger.Held), "for a minute at most"


def test_reserved_tokens_come_back(purse: tuple[str, str]) -> None:
    rule = Rule("acc_1", "tpm", 100, 60, 60_000)
    assert isinstance(place("h1", 1_000, rule, tokens=60), ledger.Held)
    assert isinstance(place("h2", 1_001, rule, tokens=60), ledger.Limited)
    write(ledger.release, "h1", 15)
    assert place("h3", 1_002, rule, tokens=60).uses[0].left == 100 - 15 - 60


def test_books_find_what_is_wrong(purse: tuple[str, str]) -> None:
    assert books.check(60)[1] == []
    values = {
        **dict.fromkeys(receipt.COLUMNS), "id": "r", "account_id": "acc_1", "key_id": "key_1", "created_at": now_ms(),
        "surface": "chat", "model": "m", "streamed": False, "status": 200, "cost_nanos": 4, "reported": True,
        "partial": False, "overrun": False, "latency_ms": 1, "detail": "{}",
    }  # fmt: skip
    write(ledger.settle, values, "2026-01-01", 1, 1, [])
    assert books.check(60)[1] == []
    for damage, mark in (
        ("UPDATE account SET granted_nanos = granted_nanos + 1", "I1 acc_1: granted"),
        ("UPDATE account SET spent_nanos = spent_nanos + 1", "I1 acc_1: spent"),
        ("UPDATE account SET held_nanos = 7", "I2 acc_1"),
        ("UPDATE api_key SET held_nanos = 7", "I2 key_1"),
        ("UPDATE receipt SET cost_nanos = 5", "I3 r"),
        (
            "INSERT INTO ledger (account_id, kind, amount_nanos, ref, at) VALUES ('acc_1', 'charge', -5, 'none', 1)",
            "I6",
        ),
        (
            "INSERT INTO hold (id, account_id, key_id, amount_nanos, worker, at, tokens)"
            " VALUES ('h', 'acc_1', 'key_1', 0, 'w', 1, 0)",
            "I5",
        ),
    ):
        assert not any(line.startswith(mark) for line in books.check(60)[1]), "not yet"
        write(_damage, damage)
        assert any(line.startswith(mark) for line in books.check(60)[1]), damage


def _damage(sql: str) -> None:
    from models.base import run

    run(sql)
