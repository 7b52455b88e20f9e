"""Accounts: the tenants. An account owns its wallet, keys, receipts and pins.

The wallet is three counters in nano-dollars: granted (ever), spent (settled charges) and held (open holds). What can
still be held is granted − spent − held. They move only in `ledger.py`.
"""

from typing import Any

from .base import BigIntegerField, CharField, Row, rows, run
from .change import touch


class Account(Row):
    id = CharField(primary_key=True)
    name = CharField(unique=True)
    plan = CharField()
    granted_nanos = BigIntegerField(default=0)
    spent_nanos = BigIntegerField(default=0)
    held_nanos = BigIntegerField(default=0)
    created_at = BigIntegerField()


def create(account_id: str, name: str, plan: str, at: int) -> None:
    Account.create(id=account_id, name=name, plan=plan, created_at=at)
    touch()


def set_plan(account_id: str, plan: str) -> None:
    run("UPDATE account SET plan = ? WHERE id = ?", plan, account_id)
    touch()


def find(name_or_id: str) -> Account | None:
    """By name, else by id."""
    return Account.get_or_none(Account.name == name_or_id) or Account.get_or_none(Account.id == name_or_id)


def everyone() -> list[Account]:
    return list(Account.select().order_by(Account.created_at, Account.name))


def wallet(account_id: str) -> tuple[int, int, int]:
    """Granted, spent and held, in nano-dollars. Raises LookupError."""
    found = rows("SELECT granted_nanos, spent_nanos, held_nanos FROM account WHERE id = ?", account_id)
    if not found:
        raise LookupError(account_id)
    granted, spent, held = found[0]
    return int(granted), int(spent), int(held)


def row(account: Account) -> dict[str, Any]:
    """What the command line shows of an account."""
    return {"id": account.id, "name": account.name, "plan": account.plan}
