"""Migrations: an ordered list of (name, up, down); applied names are kept in the table `migration`.

Each step is frozen SQL, written once and never changed after a release; what differs between the databases is filled
in from `_WORDS`. A test holds the result against the models.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from .base import DatabaseError, database, is_postgres, rows, run

_WORDS = {
    False: {"blob": "BLOB", "serial": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT"},
    True: {"blob": "BYTEA", "serial": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"},
}

_LOCK = 7_301_927  # Postgres advisory lock: two gateways started at once migrate one after the other


class Migration(NamedTuple):
    name: str
    up: str
    down: str


FIRST = """
CREATE TABLE change (id INTEGER NOT NULL PRIMARY KEY, n BIGINT NOT NULL);
INSERT INTO change (id, n) VALUES (1, 1);
CREATE TABLE account (
    id VARCHAR(255) NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, plan VARCHAR(255) NOT NULL,
    granted_nanos BIGINT NOT NULL, spent_nanos BIGINT NOT NULL, held_nanos BIGINT NOT NULL, created_at BIGINT NOT NULL);
CREATE UNIQUE INDEX account_name ON account (name);
CREATE TABLE api_key (
    id VARCHAR(255) NOT NULL PRIMARY KEY, account_id VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL,
    hash VARCHAR(255) NOT NULL, tail VARCHAR(255) NOT NULL, models TEXT, plan VARCHAR(255), limit_nanos BIGINT,
    spent_nanos BIGINT NOT NULL, held_nanos BIGINT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT,
    revoked_at BIGINT);
CREATE UNIQUE INDEX api_key_hash ON api_key (hash);
CREATE INDEX api_key_account_id ON api_key (account_id);
CREATE TABLE plan (
    name VARCHAR(255) NOT NULL PRIMARY KEY, rpm BIGINT, tpm BIGINT, rpd BIGINT, parallel BIGINT, models TEXT);
INSERT INTO plan (name) VALUES ('unlimited');
INSERT INTO plan (name, rpm, rpd, parallel) VALUES ('free', 20, 500, 4);
CREATE TABLE ledger (
    id {serial}, account_id VARCHAR(255) NOT NULL, kind VARCHAR(255) NOT NULL, amount_nanos BIGINT NOT NULL,
    ref VARCHAR(255) NOT NULL, note TEXT, at BIGINT NOT NULL);
CREATE UNIQUE INDEX ledger_kind_ref ON ledger (kind, ref);
CREATE INDEX ledger_account_id_id ON ledger (account_id, id);
CREATE TABLE hold (
    id VARCHAR(255) NOT NULL PRIMARY KEY, account_id VARCHAR(255) NOT NULL, key_id VARCHAR(255) NOT NULL,
    amount_nanos BIGINT NOT NULL, worker VARCHAR(255) NOT NULL, at BIGINT NOT NULL, tokens BIGINT NOT NULL,
    windows TEXT);
CREATE INDEX hold_account_id ON hold (account_id);
CREATE INDEX hold_key_id ON hold (key_id);
CREATE INDEX hold_worker ON hold (worker);
CREATE TABLE rate_window (
    scope VARCHAR(255) NOT NULL, rule VARCHAR(255) NOT NULL, opened_at BIGINT NOT NULL, used BIGINT NOT NULL,
    PRIMARY KEY (scope, rule));
CREATE TABLE worker (id VARCHAR(255) NOT NULL PRIMARY KEY, beat BIGINT NOT NULL, at BIGINT NOT NULL);
CREATE TABLE channel (
    id VARCHAR(255) NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, provider VARCHAR(255) NOT NULL,
    namespace VARCHAR(255) NOT NULL, base_url TEXT, secret {blob}, secret_env VARCHAR(255), models TEXT NOT NULL,
    dialects TEXT, priority INTEGER NOT NULL, weight INTEGER NOT NULL, free BOOLEAN NOT NULL,
    enabled BOOLEAN NOT NULL, source VARCHAR(255) NOT NULL, created_at BIGINT NOT NULL);
CREATE UNIQUE INDEX channel_name ON channel (name);
CREATE TABLE route (model VARCHAR(255) NOT NULL PRIMARY KEY, legs TEXT NOT NULL);
CREATE TABLE price (model VARCHAR(255) NOT NULL PRIMARY KEY, facts TEXT NOT NULL, changed_at BIGINT NOT NULL);
CREATE TABLE receipt (
    id VARCHAR(255) NOT NULL PRIMARY KEY, account_id VARCHAR(255) NOT NULL, key_id VARCHAR(255) NOT NULL,
    created_at BIGINT NOT NULL, surface VARCHAR(255) NOT NULL, model VARCHAR(255) NOT NULL, provider VARCHAR(255),
    channel VARCHAR(255), upstream_model VARCHAR(255), upstream_id VARCHAR(255), streamed BOOLEAN NOT NULL,
    status INTEGER NOT NULL, finish VARCHAR(255), cost_nanos BIGINT NOT NULL, reported BOOLEAN NOT NULL,
    partial BOOLEAN NOT NULL, overrun BOOLEAN NOT NULL, price_version VARCHAR(255), latency_ms INTEGER NOT NULL,
    first_event_ms INTEGER, detail TEXT NOT NULL);
CREATE INDEX receipt_account_id_created_at ON receipt (account_id, created_at);
CREATE TABLE daily (
    account_id VARCHAR(255) NOT NULL, day VARCHAR(255) NOT NULL, key_id VARCHAR(255) NOT NULL,
    model VARCHAR(255) NOT NULL, calls BIGINT NOT NULL, input_tokens BIGINT NOT NULL, output_tokens BIGINT NOT NULL,
    cost_nanos BIGINT NOT NULL, PRIMARY KEY (account_id, day, key_id, model));
CREATE TABLE pin (
    account_id VARCHAR(255) NOT NULL, kind VARCHAR(255) NOT NULL, upstream_id VARCHAR(255) NOT NULL,
    channel_id VARCHAR(255) NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (account_id, kind, upstream_id));
CREATE TABLE tally (
    account_id VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL, opened_at BIGINT NOT NULL, n BIGINT NOT NULL,
    PRIMARY KEY (account_id, name))
"""
_FIRST_TABLES = (
    "change", "account", "api_key", "plan", "ledger", "hold", "rate_window", "worker", "channel", "route", "price",
    "receipt", "daily", "pin", "tally",
)  # fmt: skip

_PIN_IDS = """
ALTER TABLE pin RENAME COLUMN upstream_id TO id;
ALTER TABLE pin ADD COLUMN upstream_id VARCHAR(255);
CREATE INDEX pin_account_id_upstream_id ON pin (account_id, upstream_id)
"""
_NO_PIN_IDS = """
DROP INDEX pin_account_id_upstream_id;
ALTER TABLE pin DROP COLUMN upstream_id;
ALTER TABLE pin RENAME COLUMN id TO upstream_id
"""

_BOOK = """
CREATE TABLE margin (target VARCHAR(255) NOT NULL PRIMARY KEY, percent VARCHAR(255) NOT NULL);
CREATE TABLE pricebook (id INTEGER NOT NULL PRIMARY KEY, digest VARCHAR(255) NOT NULL, body {blob} NOT NULL);
CREATE TABLE discovery (channel_id VARCHAR(255) NOT NULL PRIMARY KEY, names TEXT NOT NULL, due_at BIGINT NOT NULL)
"""

_LIMITS = """
ALTER TABLE rate_window ADD COLUMN serial BIGINT NOT NULL DEFAULT 0;
ALTER TABLE hold ADD COLUMN budget BIGINT;
UPDATE hold SET windows = NULL;
ALTER TABLE api_key ADD COLUMN endpoints TEXT;
ALTER TABLE api_key ADD COLUMN addresses TEXT;
CREATE TABLE plan_limit (
    plan VARCHAR(255) NOT NULL, pattern VARCHAR(255) NOT NULL, rpm BIGINT, tpm BIGINT, rpd BIGINT, parallel BIGINT,
    PRIMARY KEY (plan, pattern));
CREATE TABLE budget (
    key_id VARCHAR(255) NOT NULL PRIMARY KEY, account_id VARCHAR(255) NOT NULL, per VARCHAR(255) NOT NULL,
    limit_nanos BIGINT, since BIGINT NOT NULL, counted_at BIGINT NOT NULL, spent_nanos BIGINT NOT NULL,
    held_nanos BIGINT NOT NULL, serial BIGINT NOT NULL)
"""
_NO_LIMITS = """
DROP TABLE budget;
DROP TABLE plan_limit;
ALTER TABLE api_key DROP COLUMN addresses;
ALTER TABLE api_key DROP COLUMN endpoints;
UPDATE hold SET windows = NULL;
ALTER TABLE hold DROP COLUMN budget;
DELETE FROM rate_window WHERE rule = 'parallel';
ALTER TABLE rate_window DROP COLUMN serial
"""

_HEALTH = """
CREATE TABLE health (
    channel VARCHAR(255) NOT NULL, model VARCHAR(255) NOT NULL, cause VARCHAR(255) NOT NULL, until BIGINT NOT NULL,
    ejections INTEGER NOT NULL, changed_at BIGINT NOT NULL, PRIMARY KEY (channel, model))
"""

_IDEMPOTENCY = """
CREATE TABLE idempotency (
    id VARCHAR(255) NOT NULL PRIMARY KEY, account_id VARCHAR(255) NOT NULL, call_id VARCHAR(255) NOT NULL,
    fingerprint VARCHAR(255) NOT NULL, at BIGINT NOT NULL, sealed {blob});
CREATE INDEX idempotency_at ON idempotency (at)
"""

_MEDIA = """
CREATE TABLE media (
    blob VARCHAR(255) NOT NULL PRIMARY KEY, id VARCHAR(255) NOT NULL, number INTEGER NOT NULL,
    account_id VARCHAR(255) NOT NULL, kind VARCHAR(255) NOT NULL, media_type VARCHAR(255) NOT NULL,
    place VARCHAR(255) NOT NULL, bytes BIGINT, created_at BIGINT NOT NULL, expires_at BIGINT, removed_at BIGINT,
    due_at BIGINT);
CREATE INDEX media_id ON media (id);
CREATE INDEX media_due_at ON media (due_at);
ALTER TABLE plan ADD COLUMN media_days BIGINT
"""
_NO_MEDIA = """
ALTER TABLE plan DROP COLUMN media_days;
DROP TABLE media
"""

_TASKS = """
CREATE TABLE task (
    id VARCHAR(255) NOT NULL PRIMARY KEY, account_id VARCHAR(255) NOT NULL, key_id VARCHAR(255) NOT NULL,
    kind VARCHAR(255) NOT NULL, model VARCHAR(255) NOT NULL, status VARCHAR(255) NOT NULL, progress INTEGER NOT NULL,
    created_at BIGINT NOT NULL, changed_at BIGINT NOT NULL, done_at BIGINT, expires_at BIGINT,
    deadline_at BIGINT NOT NULL, worker VARCHAR(255), claim BIGINT NOT NULL, next_at BIGINT, polls INTEGER NOT NULL,
    failures INTEGER NOT NULL, channel_id VARCHAR(255), dialect VARCHAR(255), upstream_model VARCHAR(255),
    upstream_id TEXT, facts TEXT NOT NULL, bill TEXT, results {blob}, error VARCHAR(255), webhook {blob},
    told INTEGER NOT NULL);
CREATE INDEX task_next_at ON task (next_at);
CREATE INDEX task_account_id_created_at_id ON task (account_id, created_at, id);
CREATE INDEX task_account_id_kind_created_at_id ON task (account_id, kind, created_at, id)
"""

_FILES = """
CREATE TABLE file (
    id VARCHAR(255) NOT NULL PRIMARY KEY, account_id VARCHAR(255) NOT NULL, purpose VARCHAR(255) NOT NULL,
    name {blob} NOT NULL, bytes BIGINT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL);
CREATE INDEX file_expires_at ON file (expires_at);
CREATE INDEX file_account_id_created_at_id ON file (account_id, created_at, id);
CREATE INDEX file_account_id_purpose_created_at_id ON file (account_id, purpose, created_at, id);
CREATE TABLE batch_line (
    batch_id VARCHAR(255) NOT NULL, account_id VARCHAR(255) NOT NULL, number INTEGER NOT NULL,
    good BOOLEAN NOT NULL, line {blob} NOT NULL, PRIMARY KEY (batch_id, number));
ALTER TABLE plan ADD COLUMN file_mb BIGINT
"""
_NO_FILES = """
ALTER TABLE plan DROP COLUMN file_mb;
DROP TABLE batch_line;
DROP TABLE file
"""

MIGRATIONS = (
    Migration("0001_first", FIRST, ";".join(f"DROP TABLE {table}" for table in reversed(_FIRST_TABLES))),
    Migration("0002_pin_ids", _PIN_IDS, _NO_PIN_IDS),
    Migration("0003_book", _BOOK, "DROP TABLE discovery; DROP TABLE pricebook; DROP TABLE margin"),
    Migration("0004_limits", _LIMITS, _NO_LIMITS),
    Migration("0005_health", _HEALTH, "DROP TABLE health"),
    Migration("0006_idempotency", _IDEMPOTENCY, "DROP TABLE idempotency"),
    Migration("0007_media", _MEDIA, _NO_MEDIA),
    Migration("0008_tasks", _TASKS, "DROP TABLE task"),
    Migration("0009_files", _FILES, _NO_FILES),
)


class UnknownMigration(LookupError):
    """No applied migration has this name."""


class Newer(DatabaseError):
    """The database has migrations that this gateway does not know: it is to be left alone."""


def applied() -> list[str]:
    """Names of the applied migrations, in order. Raises Newer."""
    if not database.table_exists("migration"):
        return []
    names = [row[0] for row in rows("SELECT name FROM migration ORDER BY name")]
    known = {migration.name for migration in MIGRATIONS}
    if unknown := [name for name in names if name not in known]:
        raise Newer(f"the database is a newer gateway's ({', '.join(unknown)})")
    return names


def up() -> list[str]:
    """Apply what is missing, each step in a transaction of its own; the names applied now. Raises Newer."""
    run("CREATE TABLE IF NOT EXISTS migration (name VARCHAR(255) NOT NULL PRIMARY KEY, at BIGINT NOT NULL)")
    done = []
    for migration in MIGRATIONS:
        with _transaction():
            if migration.name in applied():
                continue
            _execute(migration.up)
            run("INSERT INTO migration (name, at) VALUES (?, ?)", migration.name, time.time_ns() // 1_000_000)
        done.append(migration.name)
    return done


def down(name: str) -> list[str]:
    """Undo migrations from the newest down to and including `name`; the names undone.

    Raises UnknownMigration, Newer.
    """
    if name not in applied():
        raise UnknownMigration(name)
    undone = []
    for migration in reversed(MIGRATIONS):
        if migration.name < name:
            break
        with _transaction():
            if migration.name in applied():
                _execute(migration.down)
                run("DELETE FROM migration WHERE name = ?", migration.name)
                undone.append(migration.name)
    return undone


def _execute(script: str) -> None:
    for statement in script.format(**_WORDS[is_postgres()]).split(";"):
        if statement.strip():
            database.execute_sql(statement)


class _transaction:
    """One transaction that nobody else migrates beside."""

    def __enter__(self) -> None:
        run("BEGIN" if is_postgres() else "BEGIN IMMEDIATE")
        if is_postgres():
            run("SELECT pg_advisory_xact_lock(?)", _LOCK)

    def __exit__(self, kind: object, *_: object) -> None:
        run("ROLLBACK" if kind else "COMMIT")
