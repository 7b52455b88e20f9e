"""The books: whether every account's money adds up, checked on the live database in one consistent view.

I1 balance = sum of the ledger, and of what it is the sum in days and budgets · I2 held = sum of the open holds, and so
are the places that they take in limits; a task has a hold as long as it is open, and then a receipt, unless it was lost
as it began · I3 every receipt has exactly its charge · I5 no hold is older than any call can be, or than its task may ·
I6 no charge without a receipt · I10 the database is sound.
"""

from __future__ import annotations

import json
from collections import Counter

from models.base import database, is_postgres, rows, run, session

from ..clock import now_ms

GRACE_S = 60


def check(deadline_s: float) -> tuple[int, list[str]]:
    """The number of accounts, and what is wrong, a line each. deadline_s: the longest that a call may take."""
    with session():
        run("BEGIN ISOLATION LEVEL REPEATABLE READ" if is_postgres() else "BEGIN")
        try:
            wrong = [
                *_accounts(),
                *_keys(),
                *_budgets(),
                *_places(),
                *_receipts(),
                *_tasks(),
                *_old_holds(deadline_s),
                *_database(),
            ]
            return int(rows("SELECT count(*) FROM account")[0][0]), wrong
        finally:
            run("ROLLBACK")


def _accounts() -> list[str]:
    wrong = []
    for account_id, granted, spent, held, entered, grants, holds, days in rows(
        "SELECT a.id, a.granted_nanos, a.spent_nanos, a.held_nanos,"
        " (SELECT coalesce(sum(amount_nanos), 0) FROM ledger l WHERE l.account_id = a.id),"
        " (SELECT coalesce(sum(amount_nanos), 0) FROM ledger l WHERE l.account_id = a.id AND kind = 'grant'),"
        " (SELECT coalesce(sum(amount_nanos), 0) FROM hold h WHERE h.account_id = a.id),"
        " (SELECT coalesce(sum(cost_nanos), 0) FROM daily d WHERE d.account_id = a.id) FROM account a"
    ):
        if granted - spent != entered or granted != grants:
            wrong.append(f"I1 {account_id}: granted {granted} - spent {spent}, but its ledger sums to {entered}")
        if held != holds:
            wrong.append(f"I2 {account_id}: held {held}, but its open holds sum to {holds}")
        if spent != days:
            wrong.append(f"I1 {account_id}: spent {spent}, but its days sum to {days}")
    return wrong


def _keys() -> list[str]:
    return [
        f"I2 {key_id}: held {held}, but its open holds sum to {holds}"
        for key_id, held, holds in rows(
            "SELECT k.id, k.held_nanos, (SELECT coalesce(sum(amount_nanos), 0) FROM hold h WHERE h.key_id = k.id)"
            " FROM api_key k"
        )
        if held != holds
    ]


def _budgets() -> list[str]:
    """Budgets against the holds of their period, and against the receipts that are theirs for sure: those of calls that
    began well after the first that counted. A batch's line counts in the period of the batch, whenever it is made."""
    wrong = []
    for key_id, spent, held, holds, receipts, ever in rows(
        "SELECT b.key_id, b.spent_nanos, b.held_nanos,"
        " (SELECT coalesce(sum(amount_nanos), 0) FROM hold h WHERE h.key_id = b.key_id AND h.budget = b.serial),"
        " (SELECT coalesce(sum(cost_nanos), 0) FROM receipt r WHERE r.account_id = b.account_id"
        " AND r.key_id = b.key_id AND r.created_at > b.counted_at + ? AND r.surface NOT LIKE ?),"
        " k.spent_nanos FROM budget b JOIN api_key k ON k.id = b.key_id"
        " WHERE b.limit_nanos IS NOT NULL AND b.since > 0",
        GRACE_S * 1000, "%.batch",
    ):  # fmt: skip
        if held != holds:
            wrong.append(f"I2 {key_id}: its budget holds {held}, but its open holds sum to {holds}")
        if not receipts <= spent <= ever:
            wrong.append(
                f"I1 {key_id}: its budget has spent {spent}, but its receipts sum to {receipts}, and to {ever} ever"
            )
    return wrong


def _places() -> list[str]:
    """The limits of calls at once, against the open holds."""
    taken: Counter[tuple[str, str]] = Counter()
    for (windows,) in rows("SELECT windows FROM hold WHERE windows IS NOT NULL"):
        taken.update((scope, rule) for scope, rule, _ in json.loads(windows))
    return [
        f"I2 {scope}: {used} calls are counted at once, but {taken[scope, rule]} holds are open"
        for scope, rule, used in rows("SELECT scope, rule, used FROM rate_window WHERE rule = 'parallel'")
        if used != taken[scope, rule]
    ]


def _receipts() -> list[str]:
    uncharged = rows(
        "SELECT r.id, r.cost_nanos, coalesce(-l.amount_nanos, 0) FROM receipt r"
        " LEFT JOIN ledger l ON l.kind = 'charge' AND l.ref = r.id AND l.account_id = r.account_id"
        " WHERE r.cost_nanos <> coalesce(-l.amount_nanos, 0) LIMIT 100"
    )
    orphans = rows(
        "SELECT l.ref, l.amount_nanos FROM ledger l LEFT JOIN receipt r ON r.id = l.ref"
        " WHERE l.kind = 'charge' AND r.id IS NULL LIMIT 100"
    )
    return [
        *(f"I3 {receipt}: costs {cost}, but was charged {charged}" for receipt, cost, charged in uncharged),
        *(f"I6 {ref}: a charge of {-amount} without a receipt" for ref, amount in orphans),
    ]


def _old_holds(deadline_s: float) -> list[str]:
    oldest = now_ms() - int((deadline_s + GRACE_S) * 1000)
    return [
        f"I5 {hold}: open since {(now_ms() - at) // 1000} s"
        for hold, at in rows(
            "SELECT h.id, h.at FROM hold h LEFT JOIN task t ON t.id = h.id AND t.status IN ('queued', 'in_progress')"
            " WHERE h.at < ? AND (t.id IS NULL OR t.deadline_at < ?)",
            oldest,
            now_ms() - GRACE_S * 1000,
        )
    ]


def _tasks() -> list[str]:
    unlike = rows(
        "SELECT t.id, t.status, t.error, h.id, r.id FROM task t LEFT JOIN hold h ON h.id = t.id"
        " LEFT JOIN receipt r ON r.id = t.id WHERE CASE WHEN t.status IN ('queued', 'in_progress')"
        " THEN h.id IS NULL OR r.id IS NOT NULL"
        " ELSE h.id IS NOT NULL OR (r.id IS NULL AND coalesce(t.error, '') <> 'lost') END LIMIT 100"
    )
    return [
        f"I2 {task}: is {status}, {'without' if hold is None else 'with'} a hold and"
        f" {'without' if receipt is None else 'with'} a receipt"
        for task, status, _, hold, receipt in unlike
    ]


def _database() -> list[str]:
    if is_postgres():
        return []
    found = [str(row[0]) for row in database.execute_sql("PRAGMA integrity_check").fetchall()]
    return [] if found == ["ok"] else [f"I10 the database file is damaged: {found[0]}"]
