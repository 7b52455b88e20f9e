"""Batches: what their lines have come to, until all of it is written to files. A batch itself is a task
(`task.py`) of the kind `batch`, with one hold for all of its lines.

A line is done once: its outcome and its money move in one write, and a second outcome of the same line does nothing.
What is left of a batch's hold always covers the lines that are not done.
"""

from __future__ import annotations

from typing import Any

from peewee import CompositeKey

from . import ledger, task
from .base import BlobField, BooleanField, CharField, IntegerField, Row, rows, run

KIND = "batch"
CANCELLING = "cancelling"
"""The `error` of an open batch whose owner wants it to end."""


class BatchLine(Row):
    """The outcome of a line that is done. number: its place in the input · good: it was answered · line: of the output
    file or the file of errors, sealed."""

    batch_id = CharField()
    account_id = CharField()
    number = IntegerField()
    good = BooleanField()
    line = BlobField()

    class Meta:
        table_name = "batch_line"
        primary_key = CompositeKey("batch_id", "number")


Values = dict[str, Any]


def place(values: Values, *hold: Any) -> Any:
    """A batch and its hold (`ledger.place`), which is no worker's: whoever claims the batch goes on with it."""
    done = task.place(values, *hold)
    if isinstance(done, ledger.Held):
        run("UPDATE hold SET worker = ? WHERE id = ?", task.NOBODY, values["id"])
    return done


def place_failed(settlement: tuple[Any, ...], values: Values, *hold: Any) -> Any:
    """A batch that has failed, for its lines are bad: over in the write that places it, so that nobody claims it."""
    done = task.place(values, *hold)
    if isinstance(done, ledger.Held):
        ledger.settle(*settlement)
        ledger.release(values["id"])  # this may run twice
    return done


def settle(batch_id: str, number: int, line: bytes, share: int, *settlement: Any) -> None:
    """A line was answered: its receipt and charge, its share of the hold, and what it says, together and once. It
    counts in the period that the batch began in."""
    if _put(batch_id, number, True, line):
        ledger.settle(*settlement, within=batch_id)
        ledger.draw(batch_id, share)


def fail(batch_id: str, number: int, line: bytes, share: int) -> None:
    """A line came to nothing for good."""
    if _put(batch_id, number, False, line):
        ledger.draw(batch_id, share)


def _put(batch_id: str, number: int, good: bool, line: bytes) -> bool:
    return bool(
        run(
            "INSERT INTO batch_line (batch_id, account_id, number, good, line) SELECT id, account_id, ?, ?, ? FROM task"
            " WHERE id = ? AND status IN (?, ?) ON CONFLICT (batch_id, number) DO NOTHING",
            number, good, line, batch_id, *task.OPEN,
        ).rowcount
    )  # fmt: skip


def done(batch_id: str) -> set[int]:
    """The numbers of the lines that are done."""
    return {int(row[0]) for row in rows("SELECT number FROM batch_line WHERE batch_id = ?", batch_id)}


def counts(batch_id: str) -> tuple[int, int]:
    """How many lines were answered, and how many came to nothing."""
    found = {bool(good): int(many) for good, many in rows(_COUNTS, batch_id)}
    return found.get(True, 0), found.get(False, 0)


_COUNTS = "SELECT good, count(*) FROM batch_line WHERE batch_id = ? GROUP BY good"


def outcomes(batch_id: str, good: bool, after: int, most: int) -> list[tuple[int, bytes]]:
    """(number, line) of lines that are done, in their order, at most so many behind one."""
    found = rows(
        "SELECT number, line FROM batch_line WHERE batch_id = ? AND good = ? AND number > ? ORDER BY number LIMIT ?",
        batch_id, good, after, most,
    )  # fmt: skip
    return [(int(number), bytes(line)) for number, line in found]


def standing(batch_id: str) -> tuple[str, int, str | None, int] | None:
    """Status, claim, error and what is held of a batch now."""
    found = rows(
        "SELECT t.status, t.claim, t.error, coalesce(h.amount_nanos, 0) FROM task t LEFT JOIN hold h ON h.id = t.id"
        " WHERE t.id = ?",
        batch_id,
    )
    return (str(found[0][0]), int(found[0][1]), found[0][2], int(found[0][3])) if found else None


def cancel(account_id: str, batch_id: str, at: int) -> bool:
    """Ask for the end of a batch: what runs is heard out, what is done stays done. False if it is over."""
    return bool(
        run(
            "UPDATE task SET error = ?, changed_at = ?, next_at = CASE WHEN worker IS NULL THEN ? ELSE next_at END"
            " WHERE id = ? AND account_id = ? AND status IN (?, ?)",
            CANCELLING, at, at, batch_id, account_id, *task.OPEN,
        ).rowcount
    )  # fmt: skip


def note(batch_id: str, claim: int, facts: str, at: int) -> bool:
    """What the views show of a batch has changed. False if it is another's by now."""
    return bool(
        run("UPDATE task SET facts = ?, changed_at = ? WHERE id = ? AND claim = ?", facts, at, batch_id, claim).rowcount
    )


def finish(task_id: str, *rest: Any) -> bool:
    """End a batch (`task.finish`): what is left of its hold comes back, and its lines are in files by now."""
    ended = task.finish(task_id, *rest)
    if ended:
        run("DELETE FROM batch_line WHERE batch_id = ?", task_id)
    return ended
