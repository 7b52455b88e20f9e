"""The sweeper tells the dead from the living by beats, not by clocks."""

from __future__ import annotations

import pytest

import models.account
import models.key
from gateway.billing import books, ledger
from gateway.billing.sweep import DEAD_BEATS, Sweeper
from models import ledger as book
from models import worker
from models.base import session
from models.writer import write


@pytest.fixture
def other(db: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Another worker with one hold."""
    monkeypatch.setattr(ledger, "WORKER", "wk_me")
    write(models.account.create, "acc_1", "one", "unlimited", 1)
    write(lambda: models.key.create(id="key_1", account_id="acc_1", name="k", hash="h", tail="", created_at=1))
    write(book.grant, "acc_1", 100, "g", None, 1)
    write(book.place, "h1", "acc_1", "key_1", "wk_other", 1, 40, 40, 40, 5, ())
    write(book.place, "h2", "acc_1", "key_1", "wk_me", 1, 10, 10, 10, 5, ())
    write(worker.beat, "wk_other", 1, 1)
    return "wk_other"


def held() -> int:
    with session():
        return models.account.wallet("acc_1")[2]


def test_the_holds_of_the_dead_come_back_and_our_own_stay(other: str) -> None:
    sweeper = Sweeper()
    assert [sweeper.tick() for _ in range(DEAD_BEATS)] == [0] * DEAD_BEATS and held() == 50
    assert sweeper.tick() == 1 and held() == 10
    assert sweeper.tick() == 0
    with session():
        assert set(worker.beats()) == {"wk_me"}
    assert not [line for line in books.check(10**9)[1] if not line.startswith("I5")]


def test_a_beat_in_time_saves(other: str) -> None:
    sweeper = Sweeper()
    for number in range(2, 30):
        assert sweeper.tick() == 0
        if number % (DEAD_BEATS - 1) == 0:
            write(worker.beat, other, number, 1)
    assert held() == 50


def test_two_sweepers_release_once(other: str) -> None:
    one, two = Sweeper(), Sweeper()
    for _ in range(DEAD_BEATS + 2):
        one.tick()
        two.tick()
    assert held() == 10


def test_a_worker_that_never_beat_is_buried_too(other: str) -> None:
    write(worker.forget, other)
    sweeper = Sweeper()
    assert sum(sweeper.tick() for _ in range(DEAD_BEATS + 1)) == 1
