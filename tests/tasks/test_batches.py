"""The run of a batch: no line is lost because the database is away for a moment, or because of a bug."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import peewee
import pytest

import models.account
import models.key
from gateway.clock import now_ms
from gateway.errors import GatewayError
from gateway.tasks.batches import run
from models import batch, ledger, task
from models.writer import Busy, write

LINES = [json.dumps({"custom_id": str(number), "body": "a fox"}).encode() for number in range(6)]


class Kept:
    """Outcomes that are kept here. away: what is raised in place of keeping the next ones."""

    away: ClassVar[list[Exception]] = []
    done: ClassVar[set[int]] = set()
    ended: ClassVar[list[str]] = []

    def __init__(self, row: Any) -> None:
        self.facts = {"total": len(LINES), "input": "file_1", "endpoint": "/v1/embeddings"}

    def left(self, identity: str) -> Iterator[tuple[int, bytes]]:
        yield from [(number, text) for number, text in enumerate(LINES) if number not in self.done]

    def refused(self, number: int, name: str, error: GatewayError) -> None:
        if self.away:
            raise self.away.pop()
        self.done.add(number)

    def finish(self, how: str) -> None:
        self.ended.append(how)


@pytest.fixture(autouse=True)
def placed(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, empty in (("away", list), ("done", set), ("ended", list)):
        monkeypatch.setattr(Kept, name, empty())
    monkeypatch.setattr(run, "Outcomes", Kept)
    write(models.account.create, "acc_1", "one", "unlimited", 1)
    write(lambda: models.key.create(id="key_1", account_id="acc_1", name="k", hash="h", tail="", created_at=1))
    row = dict.fromkeys(task.COLUMNS) | {
        "id": "batch_1", "account_id": "acc_1", "key_id": "key_1", "kind": batch.KIND, "model": "m", "told": 0,
        "status": task.IN_PROGRESS, "progress": 0, "created_at": 1, "changed_at": 1, "deadline_at": 10**15, "claim": 0,
        "next_at": 1, "polls": 0, "failures": 0, "facts": "{}", "upstream_id": "batch_1",
    }  # fmt: skip
    assert isinstance(write(batch.place, row, "batch_1", "acc_1", "key_1", "wk_1", 1, 0, 0, 0, 0, ()), ledger.Held)


def _carry_out() -> None:
    at = now_ms() + 5_000
    (row,) = write(task.claim, "wk_1", at, at, 8)
    run.Run(row).carry_out()


@pytest.mark.parametrize("error", [Busy(True), peewee.OperationalError("locked"), peewee.InterfaceError("gone")])
def test_a_batch_whose_outcomes_could_not_be_kept_is_claimed_again(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: Exception
) -> None:
    monkeypatch.setattr(run.Run, "_call", lambda *_: GatewayError(400, "no"))
    Kept.away.append(error)
    _carry_out()
    assert not Kept.ended and len(Kept.done) < len(LINES)
    _carry_out()
    assert Kept.ended == ["completed"] and Kept.done == set(range(len(LINES)))
    assert "fox" not in capfd.readouterr().err


def test_a_database_that_is_away_during_a_call_loses_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[Exception] = [Busy(False)]

    def call(*_: Any) -> GatewayError:
        if errors:
            raise errors.pop()
        return GatewayError(400, "no")

    monkeypatch.setattr(run.Run, "_call", call)
    _carry_out()
    assert not Kept.ended
    _carry_out()
    assert Kept.ended == ["completed"] and len(Kept.done) == len(LINES)


def test_a_bug_is_the_outcome_of_its_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr(run, "TRIES", 1)
    monkeypatch.setattr(run.Run, "_call", broken)
    _carry_out()
    assert Kept.ended == ["completed"] and len(Kept.done) == len(LINES)
    assert "fox" not in capfd.readouterr().err
