"""Tasks: work that a provider does for minutes, from the intent that stands before it is asked to the last webhook.

One row a task. It is open while it is queued or in progress; its hold stays as long. Status and money move in one
write: whoever takes a task out of an open status settles it, and nobody else can. `next_at` is when somebody has to
look at it again: who does claims it, which moves `next_at` a lease ahead, so that a claim whose holder died is due
again by itself; `claim` counts the claims, and what an earlier one still writes is void. A row knows no prompt.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from . import idempotency, ledger, media, pin, window
from .base import BigIntegerField, BlobField, CharField, IntegerField, Row, TextField, is_postgres, marks, rows, run

QUEUED, IN_PROGRESS, COMPLETED, FAILED, CANCELLED = "queued", "in_progress", "completed", "failed", "cancelled"
OPEN = (QUEUED, IN_PROGRESS)

APART = ("batch", "response")
"""Kinds that have lists, or ways to be found, of their own."""

NOBODY = ""
"""The worker on the hold of a task that its provider has: no worker's death ends it."""


class Task(Row):
    """One task.

    id: as the view that made it spells it · kind: video, music, image, mj, suno · progress: percent · worker: who is
    asking its provider to begin, or claimed it last · polls: how often it was looked at since something changed ·
    failures: how often in vain since the last answer · channel_id, dialect, upstream_model, upstream_id: where it runs;
    None until its provider has taken it · facts: JSON, what its views show of the request and its results, no words of
    the caller's · bill: JSON, what it will cost (`billing.later`) · results: sealed, what they say in text · error: a
    code · webhook: sealed, the address to tell · told: how often that was tried · expires_at: until when results are
    kept.
    """

    id = CharField(primary_key=True)
    account_id = CharField()
    key_id = CharField()
    kind = CharField()
    model = CharField()
    status = CharField()
    progress = IntegerField()
    created_at = BigIntegerField()
    changed_at = BigIntegerField()
    done_at = BigIntegerField(null=True)
    expires_at = BigIntegerField(null=True)
    deadline_at = BigIntegerField()
    worker = CharField(null=True)
    claim = BigIntegerField()
    next_at = BigIntegerField(null=True, index=True)
    polls = IntegerField()
    failures = IntegerField()
    channel_id = CharField(null=True)
    dialect = CharField(null=True)
    upstream_model = CharField(null=True)
    upstream_id = TextField(null=True)
    facts = TextField()
    bill = TextField(null=True)
    results = BlobField(null=True)
    error = CharField(null=True)
    webhook = BlobField(null=True)
    told = IntegerField()

    class Meta:
        indexes = ((("account_id", "created_at", "id"), False), (("account_id", "kind", "created_at", "id"), False))


COLUMNS = tuple(Task._meta.sorted_field_names)
_ALL = ", ".join(COLUMNS)
_INSERT = f"INSERT INTO task ({_ALL}) VALUES ({marks(len(COLUMNS))}) ON CONFLICT (id) DO NOTHING"
_CHANGES = f"status IN ({marks(len(OPEN))})"

_WANT = 5
"""Where the arguments of `ledger.place` say how much to hold."""

Values = dict[str, Any]


def _read(found: list[tuple[Any, ...]]) -> list[Values]:
    return [
        {**dict(zip(COLUMNS, row, strict=True)), **{name: _bytes(row[COLUMNS.index(name)]) for name in _BLOBS}}
        for row in found
    ]


_BLOBS = ("results", "webhook")


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def place(values: Values, *hold: Any) -> ledger.Held | ledger.Short | ledger.Limited | idempotency.Found:
    """The intent: a hold (`ledger.place`), and where it stands its task, before any provider is asked."""
    if rows(f"SELECT 1 FROM task WHERE id = ? AND NOT {_CHANGES}", values["id"], *OPEN):
        return ledger.Held(hold[_WANT], False, ())  # this runs twice, and it was claimed and ended in between
    done = ledger.place(*hold)
    if isinstance(done, ledger.Held):
        run(_INSERT, *(values[column] for column in COLUMNS))
    return done


def retract(task_id: str) -> None:
    """Undo `place`, of which nobody knows whether it was made: no hold and no task, unless somebody has claimed it
    since and goes on with both."""
    run("DELETE FROM task WHERE id = ? AND claim = 0", task_id)
    if not rows(f"SELECT 1 FROM task WHERE id = ? AND {_CHANGES}", task_id, *OPEN):
        ledger.release(task_id)


def submitted(
    task_id: str,
    channel_id: str,
    dialect: str,
    upstream_model: str,
    upstream_id: str,
    bill: str,
    facts: str,
    next_at: int,
    at: int,
    outcome: tuple[str, str, bytes] | None = None,
    pins: tuple[tuple[str, str, str, str | None, str], ...] = (),
) -> bool:
    """A provider has taken it: from now on it outlives the worker that asked. False if it is not open any more.

    outcome: what is kept for the caller's own name for it: account, id of the name, and the sealed answer · pins: what
    can be asked of the provider already: account, kind, id, id there, channel.
    """
    done = run(
        "UPDATE task SET channel_id = ?, dialect = ?, upstream_model = ?, upstream_id = ?, bill = ?, facts = ?,"
        " next_at = ?, changed_at = ?, worker = NULL WHERE id = ? AND status = ? AND upstream_id IS NULL",
        channel_id, dialect, upstream_model, upstream_id, bill, facts, next_at, at, task_id, QUEUED,
    ).rowcount  # fmt: skip
    if not done:  # this may run twice
        return bool(rows("SELECT 1 FROM task WHERE id = ? AND upstream_id = ?", task_id, upstream_id))
    run("UPDATE hold SET worker = ? WHERE id = ?", NOBODY, task_id)
    if outcome is not None:
        idempotency.keep(outcome[0], outcome[1], task_id, outcome[2])
    for made in pins:
        pin.put(*made, at)
    return True


def withdraw(task_id: str, settlement: tuple[Any, ...]) -> None:
    """No provider has taken it, and its caller is told so at once: there never was a task, only a receipt of zero."""
    ledger.settle(*settlement)
    run("DELETE FROM task WHERE id = ? AND upstream_id IS NULL", task_id)


def finish(
    task_id: str,
    claim: int | None,
    status: str,
    at: int,
    settlement: tuple[Any, ...],
    error: str | None = None,
    facts: str | None = None,
    results: bytes | None = None,
    expires_at: int | None = None,
) -> bool:
    """End a task and settle it, once: False if it was ended already, or another has claimed it since. claim: None for
    who needs none, as its owner who cancels it."""
    done = run(
        "UPDATE task SET status = ?, progress = CASE WHEN ? = 'completed' THEN 100 ELSE progress END, error = ?,"
        " facts = coalesce(?, facts), results = ?, done_at = ?, changed_at = ?, expires_at = ?, worker = NULL,"
        " next_at = CASE WHEN webhook IS NULL THEN NULL ELSE ? END"
        " WHERE id = ? AND status IN (?, ?) AND (? < 0 OR claim = ?)",
        status, status, error, facts, results, at, at, expires_at, at, task_id, *OPEN,
        -1 if claim is None else claim, -1 if claim is None else claim,
    ).rowcount  # fmt: skip
    if done:
        ledger.settle(*settlement)
    return bool(done)


def settle(values: dict[str, Any], *rest: Any) -> None:
    """`ledger.settle` for a call that is a task of the worker which makes it: if it is open still, both end at once."""
    made = [one for one in media.of(values["account_id"], values["id"]) if one.removed_at is None]
    done, at = values["status"] == 200, values["created_at"] + values["latency_ms"]
    found = rows("SELECT facts FROM task WHERE id = ?", values["id"])
    facts = json.loads(found[0][0]) if found else {}
    if done:
        facts["results"] = [{"content_type": one.media_type, "bytes": one.bytes} for one in made]
    error = None if done else "refused" if values["status"] in (400, 413, 422) else "provider_failed"
    ended = run(
        "UPDATE task SET status = ?, progress = CASE WHEN ? = 'completed' THEN 100 ELSE progress END, error = ?,"
        " facts = ?, done_at = ?, changed_at = ?, expires_at = ?, worker = NULL,"
        " next_at = CASE WHEN webhook IS NULL THEN NULL ELSE ? END WHERE id = ? AND status IN (?, ?)",
        COMPLETED if done else FAILED, COMPLETED if done else FAILED, error, json.dumps(facts, separators=(",", ":")),
        at, at, made[0].expires_at if done and made else None, at, values["id"], *OPEN,
    ).rowcount  # fmt: skip
    if ended:
        ledger.settle(values, *rest)


def drop(task_id: str) -> None:
    """A call that is a task came to nothing, and its receipt could not be written: the hold at least comes back."""
    ledger.release(task_id)
    lost(task_id, window.now())


def lost(hold_id: str, at: int) -> None:
    """The worker that was asking a provider to begin has died: nobody knows whether that began, so it has failed.
    Part of the write that releases its hold."""
    run(
        "UPDATE task SET status = ?, error = 'lost', done_at = ?, changed_at = ?, worker = NULL,"
        " next_at = CASE WHEN webhook IS NULL THEN NULL ELSE ? END WHERE id = ? AND upstream_id IS NULL"
        " AND status IN (?, ?)",
        FAILED, at, at, at, hold_id, *OPEN,
    )  # fmt: skip


def bury(hold_id: str, at: int) -> None:
    """Release the hold of a dead worker; if it was a task's, that has failed."""
    ledger.release(hold_id)
    lost(hold_id, at)


def free(worker: str, at: int) -> None:
    """What a dead worker had claimed is due at once."""
    run(f"UPDATE task SET next_at = ?, worker = NULL WHERE worker = ? AND upstream_id IS NOT NULL AND {_CHANGES}",
        at, worker, *OPEN)  # fmt: skip


MOST_AHEAD_MS = 900_000
"""Nobody leaves what its provider has alone for so long: a look that is due later was written down before the clock
went back."""

_DUE = f"(next_at <= ? OR (next_at > ? AND upstream_id IS NOT NULL AND {_CHANGES}))"


def _due(at: int) -> tuple[Any, ...]:
    return at, at + MOST_AHEAD_MS, *OPEN


def due(at: int) -> bool:
    """Whether anybody has to look at any task."""
    return bool(rows(f"SELECT 1 FROM task WHERE {_DUE} LIMIT 1", *_due(at)))


def postpone(by: int) -> None:
    """The clock has leapt ahead: what is under way is not late for that, nor lost by who asks for it."""
    run(
        "UPDATE task SET deadline_at = deadline_at + ?,"
        f" next_at = CASE WHEN upstream_id IS NULL THEN next_at + ? ELSE next_at END WHERE {_CHANGES}",
        by, by, *OPEN,
    )  # fmt: skip


_CLAIM = (
    "UPDATE task SET worker = ?, claim = claim + 1, next_at = ? WHERE id IN"
    f" (SELECT id FROM task WHERE {_DUE} ORDER BY next_at LIMIT ?{{lock}}) AND {_DUE}"
    f" RETURNING {_ALL}"
)
_CLAIM_SQLITE = _CLAIM.replace("{lock}", "")
_CLAIM_POSTGRES = _CLAIM.replace("{lock}", " FOR UPDATE SKIP LOCKED")


def claim(worker: str, at: int, until: int, most: int) -> list[Values]:
    """Claim tasks that are due, at most so many, until a moment; those that another claims meanwhile are left to it."""
    return _read(rows(_CLAIM_POSTGRES if is_postgres() else _CLAIM_SQLITE, worker, until, *_due(at), most, *_due(at)))


def again(
    task_id: str, claim: int, next_at: int, polls: int, failures: int, status: str, progress: int, at: int
) -> bool:
    """It still runs: look again then. False if it was ended or claimed by another meanwhile."""
    return bool(
        run(
            "UPDATE task SET next_at = ?, polls = ?, failures = ?, worker = NULL,"
            " changed_at = CASE WHEN status = ? AND progress = ? THEN changed_at ELSE ? END, status = ?, progress = ?"
            " WHERE id = ? AND claim = ? AND status IN (?, ?)",
            next_at, polls, failures, status, progress, at, status, progress, task_id, claim, *OPEN,
        ).rowcount
    )  # fmt: skip


def hold_on(task_id: str, claim: int, until: int) -> bool:
    """Keep a claim for longer. False if it is another's by now."""
    return bool(run("UPDATE task SET next_at = ? WHERE id = ? AND claim = ?", until, task_id, claim).rowcount)


def told(task_id: str, claim: int, tries: int, next_at: int | None) -> None:
    """A webhook was sent, for the `tries`-th time. next_at: the next time, None where that was the last."""
    run(_TOLD, tries, next_at, task_id, claim)


_TOLD = "UPDATE task SET told = ?, next_at = ?, worker = NULL WHERE id = ? AND claim = ?"


def find(account_id: str, *spellings: str) -> Values | None:
    """A task of this account by any of its spellings, or None: unknown and foreign look the same."""
    found = rows(
        f"SELECT {_ALL} FROM task WHERE id IN ({marks(len(spellings))}) AND account_id = ?", *spellings, account_id
    )
    return _read(found)[0] if found else None


def anybodys(*spellings: str) -> Values | None:
    """A task, for the operator."""
    found = rows(f"SELECT {_ALL} FROM task WHERE id IN ({marks(len(spellings))})", *spellings)
    return _read(found)[0] if found else None


def remove(account_id: str, task_id: str) -> bool:
    """Forget a task that is over. Its receipt stays."""
    return bool(
        run(
            "DELETE FROM task WHERE id = ? AND account_id = ? AND status NOT IN (?, ?)", task_id, account_id, *OPEN
        ).rowcount
    )


class Page(NamedTuple):
    """Which tasks are listed. after: the (created_at, id) of the last of the page before · newest: first, else last."""

    kind: str | None
    after: tuple[int, str] | None
    newest: bool
    limit: int


_PAGE = {
    (kinds, newest, after): f"SELECT {_ALL} FROM task WHERE account_id = ?"
    + (" AND kind = ?" if kinds else f" AND kind NOT IN {APART}")
    + (f" AND (created_at, id) {'<' if newest else '>'} (?, ?)" if after else "")
    + f" ORDER BY created_at {'DESC' if newest else 'ASC'}, id {'DESC' if newest else 'ASC'} LIMIT ?"
    for kinds in (False, True)
    for newest in (False, True)
    for after in (False, True)
}


def page(account_id: str, wanted: Page) -> list[Values]:
    """The tasks of an account, a page of them; by an index, so it costs the same however many there are."""
    kinds = () if wanted.kind is None else (wanted.kind,)
    statement = _PAGE[bool(kinds), wanted.newest, wanted.after is not None]
    return _read(rows(statement, account_id, *kinds, *(wanted.after or ()), wanted.limit))


def latest(limit: int, status: str | None = None) -> list[Values]:
    """The newest tasks of all accounts, for the operator."""
    return _read(rows(_LATEST[status is not None], *(() if status is None else (status,)), limit))


_LATEST = {
    True: f"SELECT {_ALL} FROM task WHERE status = ? ORDER BY created_at DESC, id DESC LIMIT ?",
    False: f"SELECT {_ALL} FROM task ORDER BY created_at DESC, id DESC LIMIT ?",
}


def stamps(ids: list[str]) -> dict[str, tuple[str, int, int]]:
    """(status, progress, when that changed) of tasks, by id."""
    found = rows(f"SELECT id, status, progress, changed_at FROM task WHERE id IN ({marks(len(ids))})", *ids)
    return {str(task_id): (str(status), int(progress), int(at)) for task_id, status, progress, at in found}
