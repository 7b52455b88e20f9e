"""What a key stands for, as hold and receipt tell it, on both databases; and how it is forgotten."""

from __future__ import annotations

from typing import Any

import pytest

import models.account
import models.key
from models import idempotency, ledger, receipt
from models.base import rows, session
from models.idempotency import BATCH, KEPT_MS, Found
from models.writer import write

NOW = 1_800_000_000_000


@pytest.fixture
def purse(db: str) -> None:
    write(models.account.create, "acc_1", "one", "unlimited", 1)
    write(lambda: models.key.create(id="key_1", account_id="acc_1", name="k", hash="h", tail="", created_at=1))
    write(ledger.grant, "acc_1", 100, "g", None, 1)


def place(call: str, name: str = "i", at: int = NOW, want: int = 10) -> Any:
    return write(ledger.place, call, "acc_1", "key_1", "wk", at, want, want, want, 1, (), (name, f"print {call}"))


def settle(call: str, status: int = 200, cost: int = 0, sealed: bytes | None = None) -> None:
    values = {
        **dict.fromkeys(receipt.COLUMNS), "id": call, "account_id": "acc_1", "key_id": "key_1", "created_at": NOW,
        "surface": "chat", "model": "m", "streamed": False, "status": status, "cost_nanos": cost, "reported": True,
        "partial": False, "overrun": False, "latency_ms": 1, "detail": "{}",
    }  # fmt: skip
    write(ledger.settle, values, "2026-01-01", 1, 1, [], ("i", sealed) if sealed is not None else None)


def find(at: int = NOW, account: str = "acc_1") -> Found | None:
    with session():
        return idempotency.find(account, "i", at)


def test_a_key_stands_for_its_call_while_that_runs(purse: None) -> None:
    assert isinstance(place("c1"), ledger.Held) and isinstance(place("c1"), ledger.Held), "the same write, twice"
    assert find() == place("c2") == Found("c1", "print c1", True, None)
    assert find(account="acc_2") is None, "Law 8"
    with session():
        assert models.account.wallet("acc_1")[2] == 10, "who came second held nothing"
    write(ledger.release, "c1")
    assert find() is None and isinstance(place("c2"), ledger.Held)


def test_a_key_without_a_hold_stands_for_nothing(purse: None) -> None:
    assert isinstance(place("c1", want=1_000), ledger.Short) and find() is None


@pytest.mark.parametrize(
    ("status", "cost", "sealed", "stands"),
    [(200, 0, None, True), (502, 5, None, True), (499, 0, None, False), (502, 0, None, False), (400, 0, b"x", True)],
)
def test_what_is_done_stands_if_it_was_kept_delivered_or_paid(
    purse: None, status: int, cost: int, sealed: bytes | None, stands: bool
) -> None:
    place("c1")
    settle("c1", status, cost, sealed)
    settle("c1", status, cost, b"once only")
    assert find() == (Found("c1", "print c1", False, sealed) if stands else None)


def test_who_was_taken_for_dead_changes_nothing_for_who_came_after(purse: None) -> None:
    place("c1")
    write(ledger.release, "c1")
    place("c2")
    settle("c1", sealed=b"late")
    assert find() == Found("c2", "print c2", True, None)
    settle("c2", sealed=b"mine")
    assert find() == Found("c2", "print c2", False, b"mine")


def test_after_a_day_it_is_free_and_forgotten(purse: None) -> None:
    place("c1")
    settle("c1", sealed=b"x")
    assert find(NOW + KEPT_MS - 1) is not None and find(NOW + KEPT_MS) is None
    for number in range(BATCH):
        place(f"d{number}", f"n{number}", want=0)
    place("young", "young", NOW + 1, want=0)
    with session():
        assert not idempotency.old(NOW + KEPT_MS - 1) and idempotency.old(NOW + KEPT_MS)
    assert [write(idempotency.forget, NOW + KEPT_MS) for _ in range(3)] == [BATCH, 1, 0]
    with session():
        assert rows("SELECT id FROM idempotency") == [("young",)]
