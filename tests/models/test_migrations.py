"""The frozen migrations make what the models say, on either database."""

from __future__ import annotations

import peewee
import pytest

from models import base, migrations
from models.account import Account
from models.batch import BatchLine
from models.budget import Budget
from models.change import Change
from models.channel import Channel
from models.discovery import Discovery
from models.file import File
from models.health import Health
from models.idempotency import Idempotency
from models.key import Key
from models.ledger import Hold, Ledger
from models.margin import Margin
from models.media import Media
from models.pin import Pin
from models.plan import Plan, PlanLimit
from models.price import Price
from models.pricebook import Pricebook
from models.receipt import Daily, Receipt
from models.route import Route
from models.tally import Tally
from models.task import Task
from models.window import Window
from models.worker import Worker

TABLES = (
    Account, BatchLine, Budget, Change, Channel, Daily, Discovery, File, Health, Hold, Idempotency, Key, Ledger, Margin,
    Media, Pin, Plan, PlanLimit, Price, Pricebook, Receipt, Route, Tally, Task, Window, Worker,
)  # fmt: skip
OWNED = (BatchLine, Budget, Daily, File, Hold, Idempotency, Key, Ledger, Media, Pin, Receipt, Tally, Task)


def shape() -> dict[str, object]:
    """Columns (name, nullable), keys and indexes of every table, as the database itself tells them."""
    with base.session():
        return {
            table._meta.table_name: (
                sorted((c.name, c.null) for c in base.database.get_columns(table._meta.table_name)),
                sorted(base.database.get_primary_keys(table._meta.table_name)),
                sorted(
                    (sorted(i.columns), i.unique)
                    for i in base.database.get_indexes(table._meta.table_name)
                    if sorted(i.columns) != sorted(base.database.get_primary_keys(table._meta.table_name))
                ),
            )
            for table in TABLES
        }


def test_fresh_schema_is_migrated_schema(db: str) -> None:
    migrated = shape()
    with base.session():
        tables = set(base.database.get_tables()) - {"sqlite_sequence"}
        for table in TABLES:
            base.database.execute_sql(f"DROP TABLE {table._meta.table_name}")
        base.database.create_tables(TABLES)
    assert shape() == migrated
    assert tables == {table._meta.table_name for table in TABLES} | {"migration"}


def test_down_and_up_again(db: str) -> None:
    with base.session():
        assert migrations.up() == []
        names = [migration.name for migration in migrations.MIGRATIONS]
        assert migrations.down("0002_pin_ids") == names[:0:-1]
        assert migrations.up() == names[1:]
        assert migrations.down("0001_first") == names[::-1]
        assert set(base.database.get_tables()) - {"sqlite_sequence"} == {"migration"}
        assert migrations.up() == names
        with pytest.raises(migrations.UnknownMigration):
            migrations.down("0099_none")


def test_every_owned_table_has_an_account() -> None:
    for table in OWNED:
        assert isinstance(table.account_id, peewee.CharField)
