"""Tasks that a worker makes itself: they are made whatever becomes of the writes beside."""

from __future__ import annotations

import logging
from typing import Any

import peewee
import pytest

from gateway.call import Ask, Call, Claim
from gateway.tasks import submit
from tests.made import call


def _made_here(monkeypatch: pytest.MonkeyPatch, whole: Any) -> int:
    monkeypatch.setattr(submit.exchange, "whole", whole)
    claim = Claim(id="i", fingerprint="f", secret=bytes(32))
    made = call("chat", "task_1", b'{"prompt":"a fox"}', Ask(model="m"), surface="tasks", claim=claim)
    reply = submit._made_here(made, (), {}, lambda row: b"{}")
    submit._here.join()
    return reply.status


def test_a_task_is_made_though_its_outcome_cannot_be_kept(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise peewee.OperationalError("locked")

    made: list[Call] = []
    monkeypatch.setattr(submit, "keep_outcome", away)
    assert _made_here(monkeypatch, lambda call, legs, watch: made.append(call)) == 200
    assert [one.claim for one in made] == [None], "the claim stands for the task"


def test_no_error_of_a_task_shows_its_call(
    db: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("a fox")

    with caplog.at_level(logging.INFO):
        assert _made_here(monkeypatch, broken) == 200
    told = caplog.text + capfd.readouterr().err
    assert "task_1 was not made: KeyError" in told and "fox" not in told
