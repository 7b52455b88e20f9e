"""Tasks in the database: claimed by one, ended once, and their money with them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import pytest

import models.account
import models.key
import models.receipt
from gateway.billing import books, ledger
from gateway.billing.prices import Ceiling
from gateway.billing.sweep import DEAD_BEATS, Sweeper
from gateway.call import Ask
from gateway.errors import GatewayError
from gateway.tasks import runner
from models import batch, task, worker, writer
from models import ledger as book
from models.base import run, session
from models.writer import write
from tests.made import CALLER, call


def values(task_id: str, **changes: Any) -> dict[str, Any]:
    """A row as it stands before anybody is asked."""
    return {
        **dict.fromkeys(task.COLUMNS), "id": task_id, "account_id": "acc_1", "key_id": "key_1", "kind": "video",
        "model": "m", "status": "queued", "progress": 0, "created_at": 1, "changed_at": 1, "deadline_at": 10**15,
        "worker": "wk_other", "claim": 0, "next_at": 10**15, "polls": 0, "failures": 0, "facts": "{}", "told": 0,
        **changes,
    }  # fmt: skip


def begin(task_id: str, amount: int = 10, **changes: Any) -> None:
    hold = (task_id, "acc_1", "key_1", "wk_other", 1, amount, amount, amount, 0, ())
    assert isinstance(write(task.place, values(task_id, **changes), *hold), book.Held)


def submit(task_id: str, next_at: int = 5) -> bool:
    return bool(write(task.submitted, task_id, "ch_1", "videos", "m", "up_1", "{}", "{}", next_at, 2))


def settlement(task_id: str, cost: int) -> tuple[Any, ...]:
    receipt = dict.fromkeys(models.receipt.COLUMNS) | {
        "id": task_id,
        "account_id": "acc_1",
        "key_id": "key_1",
        "created_at": 1,
        "surface": "videos",
        "model": "m",
        "streamed": False,
        "status": 200,
        "cost_nanos": cost,
        "reported": True,
        "partial": False,
        "overrun": False,
        "latency_ms": 1,
        "detail": json.dumps({}),
    }
    return receipt, "2026-01-01", 0, 0, []


@pytest.fixture(autouse=True)
def account(db: str) -> None:
    write(models.account.create, "acc_1", "one", "unlimited", 1)
    write(lambda: models.key.create(id="key_1", account_id="acc_1", name="k", hash="h", tail="", created_at=1))
    write(book.grant, "acc_1", 1000, "g", None, 1)


def wallet() -> tuple[int, int]:
    """Spent and held."""
    with session():
        return models.account.wallet("acc_1")[1:]


def wrong() -> list[str]:
    return [line for line in books.check(10**9)[1] if not line.startswith("I5")]


def test_status_and_money_move_together_and_once() -> None:
    begin("vid_1")
    assert submit("vid_1") and wallet() == (0, 10) and not wrong()
    (row,) = write(task.claim, "wk_a", 5, 100, 8)
    done = [
        write(task.finish, "vid_1", claim, status, 9, settlement("vid_1", cost))
        for claim, status, cost in (
            (row["claim"] - 1, "failed", 0),
            (row["claim"], "completed", 7),
            (row["claim"], "completed", 7),
            (None, "cancelled", 0),
        )
    ]
    assert done == [False, True, False, False] and wallet() == (7, 0) and not wrong()


def test_a_purse_too_light_leaves_no_task() -> None:
    hold = ("vid_1", "acc_1", "key_1", "wk_other", 1, 5000, 5000, 5000, 0, ())
    assert isinstance(write(task.place, values("vid_1"), *hold), book.Short)
    with session():
        assert task.find("acc_1", "vid_1") is None


def test_what_is_claimed_is_claimed_once_until_the_lease_is_over() -> None:
    for number in range(5):
        begin(f"vid_{number}")
        submit(f"vid_{number}", next_at=number)
    first = [row["id"] for row in write(task.claim, "wk_a", 3, 100, 2)]
    second = [row["id"] for row in write(task.claim, "wk_b", 3, 100, 8)]
    assert (first, sorted(second)) == (["vid_0", "vid_1"], ["vid_2", "vid_3"]), "the longest due first, none twice"
    assert write(task.claim, "wk_b", 99, 200, 8)[0]["id"] == "vid_4"
    again = write(task.claim, "wk_c", 100, 200, 8)
    assert len(again) == 4 and {row["claim"] for row in again} == {2}
    assert not write(task.again, "vid_0", 1, 5, 1, 0, "in_progress", 10, 9), "the earlier claim is void"
    assert write(task.again, "vid_0", 2, 5, 1, 0, "in_progress", 10, 9)


def test_a_clock_that_goes_back_keeps_nobody_waiting() -> None:
    hour = 3_600_000
    begin("vid_asking", next_at=hour)
    for name in ("vid_taken", "vid_soon"):
        begin(name)
        submit(name, next_at=hour + 5 if name == "vid_taken" else 60_000)
    with session():
        assert task.due(9)
    assert [row["id"] for row in write(task.claim, "wk_a", 9, 100, 8)] == ["vid_taken"]
    with session():
        assert not task.due(9)


def test_a_clock_that_leaps_ahead_makes_nothing_late(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wall, since_start = 1_000, 50.0
    monkeypatch.setattr(runner, "now_ms", lambda: wall)
    monkeypatch.setattr(runner, "monotonic", lambda: since_start)
    monkeypatch.setattr(runner, "see_to", lambda row: None)
    begin("vid_asking", deadline_at=9_000, next_at=8_000)
    begin("vid_taken", deadline_at=9_000)
    submit("vid_taken", next_at=8_000)
    one = runner.Runner(tmp_path)
    one.tick()
    wall, since_start = wall + 7_200_000 + 250, since_start + 0.25
    one.tick()
    with session():
        asking, taken = (task.find("acc_1", name) for name in ("vid_asking", "vid_taken"))
    assert asking and taken and asking["deadline_at"] == taken["deadline_at"] == 7_209_000
    assert (asking["claim"], taken["claim"]) == (0, 1), "who asks is not given up"


def test_the_death_of_a_worker_ends_what_it_was_handing_over_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "WORKER", "wk_me")
    begin("vid_asking")
    begin("vid_taken")
    submit("vid_taken", next_at=1)
    write(task.claim, "wk_other", 1, 10**15, 8)
    write(worker.beat, "wk_other", 1, 1)
    sweeper = Sweeper()
    for _ in range(DEAD_BEATS + 1):
        sweeper.tick()
    with session():
        lost, taken = task.find("acc_1", "vid_asking"), task.find("acc_1", "vid_taken")
    assert lost and (lost["status"], lost["error"]) == ("failed", "lost")
    assert taken and taken["status"] == "queued" and taken["next_at"] < 10**15, "due for whoever lives"
    assert wallet() == (0, 10) and not wrong()
    assert not submit("vid_asking"), "what is lost stays so, though its provider answered after all"


@pytest.mark.parametrize("surface", ["tasks", "videos", "batches"])
def test_a_hold_that_came_too_late_leaves_neither_hold_nor_task(monkeypatch: pytest.MonkeyPatch, surface: str) -> None:
    def slow(*placed: Any) -> Any:
        gevent.sleep(0.5)
        return (batch if surface == "batches" else task).place(*placed)

    caller = replace(CALLER, account_id="acc_1", key_id="key_1")
    made = call("chat", "vid_1", b"{}", Ask(model="m"), caller=caller, surface=surface)
    upstream_id = "vid_1" if surface == "batches" else None
    writer.start("process")
    try:
        monkeypatch.setattr(writer, "write", partial(write, patience=0.1))
        with pytest.raises(GatewayError) as refused:
            ledger.hold(made, (), Ceiling(10, 10, 10, 0, None), (), values("vid_1", upstream_id=upstream_id), slow)
        assert refused.value.status == 503
    finally:
        writer.stop()
    with session():
        assert task.find("acc_1", "vid_1") is None
    assert wallet() == (0, 0) and not wrong()


def test_what_is_claimed_by_now_is_not_retracted() -> None:
    begin("vid_1", upstream_id="vid_1", next_at=1)
    assert write(task.claim, "wk_a", 5, 100, 8)
    write(task.retract, "vid_1")
    with session():
        assert task.find("acc_1", "vid_1") and wallet() == (0, 10)


def test_a_batch_of_bad_lines_is_over_when_it_is_placed() -> None:
    row = values("batch_1", kind=batch.KIND, status="failed", error="invalid_lines", done_at=1, next_at=None)
    hold = (row, "batch_1", "acc_1", "key_1", "wk_other", 1, 0, 0, 0, 0, ())
    for _ in range(2):
        assert isinstance(write(batch.place_failed, settlement("batch_1", 0), *hold), book.Held)
    assert not write(task.claim, "wk_a", 10**16, 10**16, 8)
    with session():
        found = task.find("acc_1", "batch_1")
        assert found and found["status"] == "failed" and models.receipt.find("acc_1", "batch_1")
        assert book.open_holds() == (0, 0)
    assert wallet() == (0, 0) and not wrong()


def test_a_batch_that_is_placed_twice_and_ended_in_between_holds_nothing() -> None:
    """A commit on Postgres may have arrived though its connection broke; then the write is made again."""
    hold = (
        values("batch_1", kind=batch.KIND, next_at=1),
        "batch_1",
        "acc_1",
        "key_1",
        "wk_other",
        1,
        10,
        10,
        10,
        0,
        (),
    )
    write(batch.place, *hold)
    claimed = write(task.claim, "wk_a", 5, 100, 8)
    assert write(batch.finish, "batch_1", claimed[0]["claim"], "completed", 9, settlement("batch_1", 0))
    assert isinstance(write(batch.place, *hold), book.Held)
    assert wallet() == (0, 0) and not wrong()


def test_what_nobody_took_leaves_a_receipt_and_no_row() -> None:
    begin("vid_1")
    write(task.withdraw, "vid_1", settlement("vid_1", 0))
    with session():
        assert task.find("acc_1", "vid_1") is None and models.receipt.find("acc_1", "vid_1")
    assert wallet() == (0, 0) and not wrong()


def test_pages_go_through_all_whatever_comes_meanwhile() -> None:
    for number in range(7):
        begin(f"vid_{number}", created_at=number // 2, kind="music" if number == 3 else "video")
    for newest in (True, False):
        seen: list[str] = []
        after = None
        while True:
            with session():
                rows = task.page("acc_1", task.Page("video", after, newest, 2))
            if not rows:
                break
            seen += [row["id"] for row in rows]
            after = rows[-1]["created_at"], rows[-1]["id"]
        assert sorted(seen) == [f"vid_{number}" for number in (0, 1, 2, 4, 5, 6)]
        assert seen == sorted(seen, reverse=newest)
    with session():
        assert task.page("acc_2", task.Page(None, None, True, 9)) == []


def test_the_books_see_a_task_without_its_hold() -> None:
    begin("vid_1")
    submit("vid_1")
    write(book.release, "vid_1")
    assert wrong() == ["I2 vid_1: is queued, without a hold and without a receipt"]


def test_a_page_is_found_by_an_index(kind: str) -> None:
    begin("vid_1")
    for kinds in (False, True):
        statement = task._PAGE[kinds, True, True]
        given = ("acc_1", *(("video",) if kinds else ()), 5, "vid", 20)
        with session():
            if kind == "postgres":
                run("SET enable_seqscan = off")
            explain = "EXPLAIN QUERY PLAN " if kind == "sqlite" else "EXPLAIN "
            plan = " ".join(str(row) for row in run(explain + statement, *given).fetchall())
        name = "task_account_id_kind_created_at_id" if kinds else "task_account_id_created_at_id"
        assert name in plan and "B-TREE" not in plan and "Sort" not in plan, plan
