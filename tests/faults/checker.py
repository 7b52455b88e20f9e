"""The checker: the log of the clients held against the books of the gateway, after any fault.

I1 balance = sum of the ledger · I2 held = sum of the open holds, none once all is over · I3 what a client saw whole has
exactly one charge, of the right amount · I4 what a client saw fail has none, or one within its hold · I5 no hold
outlives its call · I6 no charge without a request · I10 the database is sound. I1, I2, I5, I6 and I10 are what
`python -m gateway books` says; I3 and I4 need the clients' own log.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults.load import BROKEN, COMPLETE, LOST, Outcome
from tests.gateway import Gateway

WAIT_S = 60.0
"""Longest wait for the holds of the dead: they come back some fifteen seconds after a death."""


class Receipt(NamedTuple):
    """One receipt, the key that it was written for, and how often it was charged."""

    id: str
    model: str
    cost: int
    status: int
    partial: bool
    overrun: bool
    reported: bool
    key: str
    charges: int


def check(gateway: Gateway, outcomes: Iterable[Outcome], wait_s: float = WAIT_S) -> list[str]:
    """What is wrong, a line each. Waits first until nothing is held any more, and at most so long."""
    outcomes = list(outcomes)
    wrong = holds_back(gateway, wait_s)
    found = gateway.books()
    wrong += [] if found["ok"] else [str(line) for line in found["wrong"]]
    return wrong + _calls(gateway, outcomes)


def holds_back(gateway: Gateway, wait_s: float = WAIT_S) -> list[str]:
    """Wait until no hold is open; the ones that are, if it takes too long."""
    end = time.monotonic() + wait_s
    while left := query(gateway, "SELECT id, worker FROM hold"):
        if time.monotonic() > end:
            return [f"I2 {hold}: still held for {worker} after {wait_s:.0f} s" for hold, worker in left]
        time.sleep(0.2)
    return []


def truncated(gateway: Gateway, outcomes: Iterable[Outcome]) -> int:
    """Calls that were charged in full and not seen to their end: killed between settlement and last byte."""
    outcomes = list(outcomes)
    written = receipts(gateway, {outcome.key for outcome in outcomes})
    whole = {receipt.id for receipt in written.values() if receipt.cost and not receipt.partial}
    return len(whole - {outcome.id for outcome in outcomes if outcome.came_to == COMPLETE})


def _calls(gateway: Gateway, outcomes: list[Outcome]) -> list[str]:
    wrong = []
    prices = _prices(gateway, {outcome.model for outcome in outcomes})
    written = receipts(gateway, {outcome.key for outcome in outcomes})
    twice = [identity for identity, n in Counter(o.id for o in outcomes if o.id).items() if n > 1]
    wrong += [f"I3 {identity}: two calls were told the same id" for identity in twice]
    unseen = dict(written)
    for outcome in outcomes:
        receipt = unseen.pop(outcome.id, None) if outcome.id else None
        if outcome.came_to == COMPLETE:
            wrong += _complete(outcome, receipt, prices)
        elif receipt is not None and receipt.overrun:
            wrong.append(f"I4 {outcome.id}: {outcome.came_to}, and charged more than was held for it")
        elif receipt is not None and receipt.cost and outcome.came_to != BROKEN:
            wrong.append(f"I4 {outcome.id}: refused with {outcome.status}, and charged {receipt.cost}")
    # the whole answers among these never told their id: killed between settlement and first byte
    nameless = sum(1 for outcome in outcomes if outcome.id is None and outcome.came_to in (BROKEN, LOST))
    charged = [identity for identity, receipt in unseen.items() if receipt.cost]
    if len(charged) > nameless:
        wrong.append(f"I6 {len(charged)} receipts with a charge of calls that nobody made, such as {charged[0]}")
    return wrong


def _complete(outcome: Outcome, receipt: Receipt | None, prices: dict[str, tuple[int, int]]) -> list[str]:
    if outcome.id is None:
        return [f"I3 {outcome.nonce}: an answer without x-generation-id"]
    if receipt is None:
        return [f"I3 {outcome.id}: seen whole, and no receipt of it"]
    wrong = []
    if receipt.charges != (1 if receipt.cost else 0):
        wrong.append(f"I3 {outcome.id}: charged {receipt.charges} times")
    if receipt.partial or receipt.status != 200:
        wrong.append(f"I3 {outcome.id}: seen whole, but its receipt says {receipt.status}, partial")
    usage, price = outcome.usage, prices.get(outcome.model)
    if usage is not None and price is not None and all(_counts(usage, name) for name in _COUNTED):
        right = usage["prompt_tokens"] * price[0] + usage["completion_tokens"] * price[1]
        if receipt.reported and right != receipt.cost:
            wrong.append(f"I3 {outcome.id}: charged {receipt.cost} where {right} is right")
    return wrong


_COUNTED = ("prompt_tokens", "completion_tokens")


def _counts(usage: dict[str, Any], name: str) -> bool:
    """Whether a provider's number can be one: what cannot be is clamped or estimated."""
    number = usage.get(name)
    return type(number) is int and 0 <= number < 10**9


def receipts(gateway: Gateway, keys: set[str]) -> dict[str, Receipt]:
    """The receipts of all that these keys called, by id."""
    by_hash = {hashlib.sha256(key.encode()).hexdigest(): key for key in keys}
    found = query(
        gateway,
        "SELECT r.id, r.model, r.cost_nanos, r.status, r.partial, r.overrun, r.reported, k.hash,"
        " (SELECT count(*) FROM ledger l WHERE l.kind = 'charge' AND l.ref = r.id)"
        " FROM receipt r JOIN api_key k ON k.id = r.key_id",
    )
    rows = [Receipt(*row[:7], by_hash[row[7]], row[8]) for row in found if row[7] in by_hash]
    return {row.id: row for row in rows}


def _prices(gateway: Gateway, models: set[str]) -> dict[str, tuple[int, int]]:
    """Model → nano-dollars of an input and an output token."""
    found = {}
    for model in models:
        answer = gateway.get(f"/v1/models/{model}")
        price = answer.json().get("pricing", {}) if answer.status_code == 200 else {}
        if "prompt" in price:
            found[model] = (_nanos(price["prompt"]), _nanos(price["completion"]))
    return found


def _nanos(usd: str) -> int:
    return int(Decimal(str(usd)) * 10**9)


def query(gateway: Gateway, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the gateway's database, read beside it."""
    url = gateway.environ.get("GATEWAY_DATABASE_URL")
    if url is None:
        file = Path(gateway.environ["GATEWAY_DATA"]) / "gateway.db"
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()
    import psycopg

    with psycopg.connect(url) as postgres:
        return postgres.execute(sql.encode()).fetchall()
