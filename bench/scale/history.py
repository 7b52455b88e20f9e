"""A gateway with years behind it: a million receipts, ten thousand keys, two thousand models.

The rows are copies of those that a gateway has made itself, under other names, so that whatever columns there are, they
hold what they would. Only SQLite is filled so.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from contextlib import closing

from tests.gateway import Gateway

from ..programs import Provider
from ..subjects import restart

DAYS = 90
"""How long it goes back; a key has some days of ten calls each, and three models."""

MODELS = 2_000
ROUTED = 500
"""Of the models: names of their own, that a route leads on."""

ACCOUNTS = 100
"""Of a hundred the first is the one that calls."""


def fill(live: Gateway, to: Provider, receipts: int, keys: int, models: int) -> None:
    """Stop a gateway that has answered a call, give it a history, and start it again."""
    named = models - min(ROUTED, models // 4)
    names = ",".join(f"model-{number}" for number in range(named))
    live.cli(
        "channels", "add", "--provider", "openai-compatible", "--name", "shop", "--base-url", to.url, "--key", "-",
        "--models", names, stdin="sk-of-the-provider",
    )  # fmt: skip
    live.cli("routes", "set", "team/route", "lab:bench")
    live.cli("prices", "set", "shop/*", "--input-mtok", "0.15", "--output-mtok", "0.60")
    live.stop()
    with closing(sqlite3.connect(live.folder / "data" / "gateway.db")) as database:
        database.executescript("PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA cache_size = -400000")
        database.create_function("digest", 1, lambda number: hashlib.sha256(str(number).encode()).hexdigest())
        with database:
            copy(database, "account", ACCOUNTS - 1, id="'acc_' || n", name="'account-' || n")
            copy(
                database, "api_key", keys - 1, id="'key_' || n", account_id=_account("n"), name="'key-' || n",
                hash="digest(n)",
            )  # fmt: skip
            copy(database, "price", named, "model = 'shop/*'", model="'shop/model-' || (n - 1)")
            copy(database, "route", models - named - 1, model="'team/route-' || n")
            key, turn = f"(1 + n % {keys - 1})", f"(n / {keys})"
            copy(
                database, "receipt", receipts, id="'chatcmpl-' || lower(hex(randomblob(12)))", account_id=_account(key),
                key_id=f"'key_' || {key}", model=f"'shop/model-' || ((7 * {key} + {turn} % 3) % {named})",
                created_at=f"created_at - ((13 * {key} + {turn} / 10) % {DAYS}) * 86400000 - n % 3600000",
            )  # fmt: skip
            _charge(database)
            _sum_up(database)
        database.execute("PRAGMA journal_mode = wal")
    restart(live, "full")


def _account(number: str) -> str:
    """An account's id by a number: one in ten rows is the caller's own."""
    return f"CASE WHEN {number} % 10 = 0 THEN account_id ELSE 'acc_' || (1 + {number} % {ACCOUNTS - 1}) END"


def copy(database: sqlite3.Connection, name: str, times: int, where: str = "1", /, **other: str) -> None:
    """Copies of one row, with some columns made anew by an expression of `n`, which counts from 1."""
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({name})")]
    taken = ", ".join(other.get(column, column) for column in columns)
    database.execute(
        f"WITH RECURSIVE counted (n) AS (SELECT 1 WHERE ? > 0 UNION ALL SELECT n + 1 FROM counted WHERE n < ?)"
        f" INSERT INTO {name} ({', '.join(columns)}) SELECT {taken} FROM"
        f" (SELECT * FROM {name} WHERE {where} LIMIT 1) CROSS JOIN counted",
        (times, times),
    )


def _charge(database: sqlite3.Connection) -> None:
    """A charge in the ledger for each receipt that has none."""
    database.execute(
        "INSERT INTO ledger (account_id, kind, amount_nanos, ref, at) SELECT account_id, 'charge', -cost_nanos, id,"
        " created_at FROM receipt WHERE TRUE ON CONFLICT (kind, ref) DO NOTHING"
    )
    database.execute(
        "UPDATE account SET granted_nanos = 1000000000000000, spent_nanos ="
        " (SELECT coalesce(-sum(amount_nanos), 0) FROM ledger WHERE account_id = account.id AND kind = 'charge')"
    )


def _sum_up(database: sqlite3.Connection) -> None:
    """The daily sums of all receipts."""
    database.execute("DELETE FROM daily")
    database.execute(
        "INSERT INTO daily (account_id, day, key_id, model, calls, input_tokens, output_tokens, cost_nanos)"
        " SELECT account_id, date(created_at / 1000, 'unixepoch') AS day, key_id, model, count(*), 24 * count(*),"
        " 16 * count(*), sum(cost_nanos) FROM receipt GROUP BY account_id, day, key_id, model"
    )


def counts(live: Gateway) -> dict[str, int]:
    """How many rows the tables have."""
    with closing(sqlite3.connect(live.folder / "data" / "gateway.db")) as database:
        return {
            name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("receipt", "api_key", "account", "ledger", "daily", "price", "route")
        }


def by_day_ms(live: Gateway) -> float:
    """How long the database alone takes for the caller's sums by day: what an answer with them takes at least."""
    with closing(sqlite3.connect(live.folder / "data" / "gateway.db")) as database:
        began = time.perf_counter()
        database.execute(
            "SELECT day, sum(calls), sum(cost_nanos) FROM daily WHERE account_id ="
            " (SELECT id FROM account WHERE name = 'operator') GROUP BY day ORDER BY day"
        ).fetchall()
        return (time.perf_counter() - began) * 1e3
