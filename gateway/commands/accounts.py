"""Accounts, credits, keys and plans."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import click

import models.account
import models.key
import models.plan
from models.base import session
from models.ledger import MOST_GRANTED, TooMuch
from models.writer import write

from .. import clock, ids, money
from ..access.keys import digest, split_patterns
from ..billing import ledger
from ._say import Failure, Misuse, house, say, table, verb

_SPANS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_LONGEST = 36_500 * _SPANS["d"]
_NAME = re.compile(r"[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,99}")
_PATTERN = re.compile(r"[A-Za-z0-9._:@+/*?\[\]!-]{1,200}")


@click.group()
def accounts() -> None:
    """The tenants: who owns keys, credits and receipts."""


@accounts.command("create")
@click.argument("name")
@click.option("--plan", default="unlimited", show_default=True, help="Name of a plan.")
@verb
def accounts_create(name: str, plan: str) -> None:
    """Make an account."""
    house()
    made = create_account(name, plan)
    say(made, f"Account {name} ({made['id']}) on plan {plan}. Give it credits: python -m gateway credits add {name} 10")


def create_account(name: str, plan: str) -> dict[str, Any]:
    """A new account. Raises Failure."""
    if not _NAME.fullmatch(name):
        raise Misuse(f"{name!r} is no account name. It has 1 to 100 characters and no control characters.")
    _plan(plan)
    with session():
        if models.account.find(name):
            raise Failure(f"There is an account {name!r} already. See: python -m gateway accounts list")
    account_id = ids.new("acc_")
    write(models.account.create, account_id, name, plan, clock.now_ms())
    return {"id": account_id, "name": name, "plan": plan}


@accounts.command("list")
@verb
def accounts_list() -> None:
    """All accounts."""
    house()
    with session():
        found = models.account.everyone()
    rows = [
        {**models.account.row(account), "balance_usd": money.usd(account.granted_nanos - account.spent_nanos)}
        for account in found
    ]
    table(
        rows, ("name", "plan", "balance_usd", "id"), "No accounts yet. Add one: python -m gateway accounts create NAME"
    )


@accounts.command("set")
@click.argument("name")
@click.option("--plan", required=True, help="Name of a plan.")
@verb
def accounts_set(name: str, plan: str) -> None:
    """Move an account to another plan; holds within a second."""
    house()
    account = find_account(name)
    _plan(plan)
    write(models.account.set_plan, account.id, plan)
    say({**models.account.row(account), "plan": plan}, f"Account {account.name} is on plan {plan}.")


def find_account(name: str) -> models.account.Account:
    """An account by name or id. Raises Failure."""
    with session():
        account = models.account.find(name)
    if account is None:
        raise Failure(f"There is no account {name!r}. See: python -m gateway accounts list")
    return account


@click.group()
def credits() -> None:
    """What accounts may spend."""


@credits.command("add")
@click.argument("account")
@click.argument("usd")
@click.option("--note", help="Why, for the ledger.")
@verb
def credits_add(account: str, usd: str, note: str | None) -> None:
    """Add credit, in dollars."""
    house()
    found = find_account(account)
    amount = _dollars("The amount", usd)
    try:
        ledger.grant(found.id, amount, note)
    except TooMuch:
        raise Failure(
            f"${usd} more is too much for {account}. Add less: all its credits together may be"
            f" ${money.usd(MOST_GRANTED)}."
        ) from None
    _show_credits(found)


def _dollars(label: str, text: str) -> int:
    """Nano-dollars of an amount above 0. Raises Misuse."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise Misuse(f"{label} {text!r} is no amount of dollars. Write it as in 10.50.")
    if amount <= 0:
        raise Misuse(f"{label} {text!r} must be above 0.")
    if amount > MOST_GRANTED // money.NANOS:
        raise Misuse(f"{label} {text!r} is too large: give at most {money.usd(MOST_GRANTED)} dollars.")
    if amount != round(amount, 9):
        raise Misuse(f"{label} {text!r} is finer than a nano-dollar. Write at most nine decimals.")
    return money.nanos(text)


@credits.command("show")
@click.argument("account")
@verb
def credits_show(account: str) -> None:
    """What an account has left."""
    house()
    _show_credits(find_account(account))


def _show_credits(account: models.account.Account) -> None:
    with session():
        granted, spent, held = models.account.wallet(account.id)
    values = {
        "account": account.name, "balance_usd": money.usd(granted - spent), "granted_usd": money.usd(granted),
        "spent_usd": money.usd(spent), "held_usd": money.usd(held),
    }  # fmt: skip
    text = f"{account.name}: ${values['balance_usd']} left of ${values['granted_usd']}, ${values['held_usd']} held."
    say(values, text)


@click.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@click.option("--account", required=True, help="Whose key.")
@click.option("--name", required=True, help="What it is for.")
@click.option("--models", "patterns", help="Only these models: 'openai/*,sandbox/echo'.")
@click.option("--expires", help="After this time: 12h, 30d, 8w.")
@click.option("--limit-usd", help="Spend at most so much, ever.")
@click.option("--plan", help="A plan beside the account's.")
@verb
def keys_create(
    account: str, name: str, patterns: str | None, expires: str | None, limit_usd: str | None, plan: str | None
) -> None:
    """Make a key. It is shown this once."""
    settings = house()
    made = create_key(
        find_account(account), name, ids.new_key(settings.key_prefix), patterns=patterns, expires=expires,
        limit_usd=limit_usd, plan=plan,
    )  # fmt: skip
    say(made, f"{made['key']}\n\nThis is the only time that the key of {account} for {name} is shown.")


def create_key(
    account: models.account.Account,
    name: str,
    key: str,
    *,
    patterns: str | None = None,
    expires: str | None = None,
    limit_usd: str | None = None,
    plan: str | None = None,
) -> dict[str, Any]:
    """A new key. Raises Failure."""
    if not _NAME.fullmatch(name):
        raise Misuse(f"--name {name!r} must have 1 to 100 characters and no control characters, as in laptop.")
    if patterns is not None:
        patterns = _patterns(patterns)
    now = clock.now_ms()
    expires_at = None if expires is None else now + _span(expires)
    limit = None if limit_usd is None else _dollars("--limit-usd", limit_usd)
    if plan is not None:
        _plan(plan)
    key_id = ids.new("key_")
    write(
        lambda: models.key.create(
            id=key_id, account_id=account.id, name=name, hash=digest(key), tail=key[-4:], models=patterns, plan=plan,
            limit_nanos=limit, created_at=now, expires_at=expires_at,
        )
    )  # fmt: skip
    return {
        "id": key_id, "key": key, "name": name, "account": account.name, "models": patterns,
        "expires_at": None if expires_at is None else clock.iso(expires_at),
        "limit_usd": None if limit is None else money.usd(limit), "plan": plan,
    }  # fmt: skip


def _patterns(text: str) -> str:
    """Model patterns as they are stored. Nothing would mean all, so nothing is refused. Raises Misuse."""
    parts = split_patterns(text)
    if not parts or not all(_PATTERN.fullmatch(part) for part in parts):
        raise Misuse(
            f"--models {text!r} names no models. Write names or patterns, separated by commas: 'openai/*,sandbox/echo',"
            " or '*' for all."
        )
    return ",".join(parts)


def _span(text: str) -> int:
    """Milliseconds from now. Raises Misuse."""
    match = re.fullmatch(r"([0-9]{1,9})([mhdw])", text)
    span = int(match[1]) * _SPANS[match[2]] if match else 0
    if not 0 < span <= _LONGEST:
        raise Misuse(f"--expires {text!r} is no time up to 100 years. Write it as 45m, 12h, 30d or 8w.")
    return span


@keys.command("list")
@click.option("--account", help="Only this account's.")
@verb
def keys_list(account: str | None) -> None:
    """All keys, by their last four characters."""
    house()
    wanted = find_account(account).id if account else None
    now = clock.now_ms()
    with session():
        found = models.key.listed(wanted)
    rows = [
        {
            "id": key.id, "name": key.name, "account": owner, "tail": f"…{key.tail}", "state": _state(key, now),
            "expires_at": None if key.expires_at is None else clock.iso(key.expires_at),
            "plan": key.plan, "models": key.models, "spent_usd": money.usd(key.spent_nanos),
            "limit_usd": None if key.limit_nanos is None else money.usd(key.limit_nanos),
        }
        for key, owner in found
    ]  # fmt: skip
    columns = (
        "name", "account", "tail", "state", "expires_at", "plan", "models", "spent_usd", "limit_usd", "id",
    )  # fmt: skip
    table(rows, columns, "No keys yet. Make one: python -m gateway keys create --account NAME --name NAME")


def _state(key: models.key.Key, now: int) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "active"


@keys.command("revoke")
@click.argument("key_id")
@verb
def keys_revoke(key_id: str) -> None:
    """Refuse a key from now on; all workers know within a second."""
    house()
    if not write(models.key.revoke, key_id, clock.now_ms()):
        raise Failure(f"There is no active key {key_id!r}. See: python -m gateway keys list")
    say({"id": key_id, "revoked": True}, f"{key_id} is revoked.")


@click.group()
def plans() -> None:
    """What accounts and keys may use at most."""


def _limit(name: str, text: str, most: int = 10**9) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(f"--{name}", type=click.IntRange(0, most), help=f"{text}; 0 for no limit.")


@plans.command("set")
@click.argument("name")
@_limit("rpm", "Requests a minute")
@_limit("tpm", "Tokens a minute", most=10**12)
@_limit("rpd", "Requests a day")
@_limit("parallel", "Calls at once")
@click.option("--models", "patterns", help="Only these models: 'openai/*,sandbox/echo'; '*' for all.")
@verb
def plans_set(name: str, patterns: str | None, **limits: int | None) -> None:
    """Make a plan, or change what is named of it; holds at once."""
    house()
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        raise Misuse(f"{name!r} is no plan name. Use lower-case letters, digits, - and _.")
    changes: dict[str, Any] = {limit: value or None for limit, value in limits.items() if value is not None}
    if patterns is not None:
        changes["models"] = None if patterns == "*" else _patterns(patterns)
    write(lambda: models.plan.put(name, **changes))
    with session():
        plan = models.plan.find(name)
    assert plan is not None
    row = models.plan.row(plan)
    limited = ", ".join(f"{limit} {value}" for limit, value in row.items() if value is not None and limit != "name")
    say(row, f"Plan {name}: {limited or 'no limits'}.")


@plans.command("list")
@verb
def plans_list() -> None:
    """All plans."""
    house()
    with session():
        rows = [models.plan.row(plan) for plan in models.plan.everyone()]
    table(rows, ("name", "rpm", "tpm", "rpd", "parallel", "models"), "No plans.")


def _plan(name: str) -> None:
    with session():
        if models.plan.find(name) is None:
            raise Failure(f"There is no plan {name!r}. See: python -m gateway plans list")
