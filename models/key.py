"""API keys: stored as SHA-256, looked up by hash, shown once.

A key may be narrower than its account's plan: models, endpoints and addresses, an expiry, a spending limit, a budget
(`budget.py`), a plan of its own.
"""

from typing import Any

from .base import BigIntegerField, CharField, Row, TextField, rows, run
from .change import touch


class Key(Row):
    id = CharField(primary_key=True)
    account_id = CharField(index=True)
    name = CharField()
    hash = CharField(unique=True)
    tail = CharField()
    models = TextField(null=True)
    endpoints = TextField(null=True)
    addresses = TextField(null=True)
    plan = CharField(null=True)
    limit_nanos = BigIntegerField(null=True)
    spent_nanos = BigIntegerField(default=0)
    held_nanos = BigIntegerField(default=0)
    created_at = BigIntegerField()
    expires_at = BigIntegerField(null=True)
    revoked_at = BigIntegerField(null=True)

    class Meta:
        table_name = "api_key"


def create(**fields: Any) -> None:
    Key.create(**fields)
    touch()


def find(key_id: str) -> Key | None:
    return Key.get_or_none(Key.id == key_id)


def change(key_id: str, **fields: Any) -> None:
    """Change what a key may."""
    if fields:
        Key.update(**fields).where(Key.id == key_id).execute()
    touch()


_FACTS = (
    "SELECT k.id, k.account_id, a.name, k.models, k.endpoints, k.addresses, k.plan, k.expires_at, k.revoked_at,"
    " a.plan, b.limit_nanos FROM api_key k JOIN account a ON a.id = k.account_id LEFT JOIN budget b ON b.key_id = k.id"
)
_BY_HASH, _BY_ID = f"{_FACTS} WHERE k.hash = ?", f"{_FACTS} WHERE k.id = ?"


def by_hash(digest: str) -> tuple[Any, ...] | None:
    """The key with this hash and its account's plan: id, account_id, account name, models, endpoints, addresses, plan,
    expires_at, revoked_at, account plan, budget in nano-dollars."""
    found = rows(_BY_HASH, digest)
    return found[0] if found else None


def by_id(key_id: str) -> tuple[Any, ...] | None:
    """The same of the key with this id."""
    found = rows(_BY_ID, key_id)
    return found[0] if found else None


def listed(account_id: str | None) -> list[tuple[Key, str]]:
    """Keys with their accounts' names, oldest first."""
    from .account import Account

    names = {account.id: account.name for account in Account.select(Account.id, Account.name)}
    query = Key.select().order_by(Key.created_at)
    if account_id:
        query = query.where(Key.account_id == account_id)
    return [(key, names.get(key.account_id, "")) for key in query]


def revoke(key_id: str, at: int) -> bool:
    """True if there was such a key that was not revoked yet."""
    done = run("UPDATE api_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", at, key_id).rowcount
    touch()
    return bool(done)
