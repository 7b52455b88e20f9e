"""Accounts, credits, keys and plans."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import click

import models.account
import models.budget
import models.key
import models.plan
from models.base import session
from models.file import MOST_MB
from models.ledger import MOST_GRANTED, TooMuch
from models.media import DAYS
from models.writer import write

from .. import clock, config, ids, money
from ..access.keys import SURFACES, digest, networks, split_patterns
from ..billing import ledger
from ..routing import catalogue
from ..routing import channels as live
from ._say import Failure, Misuse, house, say, table, verb, wants_json
from .channels import open_rooms

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
    mend = f"python -m gateway credits add {shlex.quote(name)} 10"
    say(made, f"Account {name} ({made['id']}) on plan {plan}. Give it credits: {mend}")


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


def _narrowing(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which a key may do less than its account."""
    for option in reversed((
        click.option("--models", "patterns", help="Only these models: 'openai/*,sandbox/echo'; '*' for all."),
        click.option("--endpoints", help="Only these, by name or path: 'chat,/v1/models*'; '*' for all."),
        click.option("--addresses", help="Only from these networks: '10.0.0.0/8,203.0.113.9'; '*' for all."),
        click.option("--expires", help="After this time: 12h, 30d, 8w; 'never'."),
        click.option("--limit-usd", help="Spend at most so much, ever; `keys set` takes 0 for no limit."),
        click.option("--budget-usd", help="Spend at most so much in a period; `keys set` takes 0 for no budget."),
        click.option("--per", type=click.Choice(models.budget.PERIODS), help="The budget's period."),
        click.option("--plan", help="A plan beside the account's."),
    )):  # fmt: skip
        command = option(command)
    return command


@keys.command("create")
@click.option("--account", required=True, help="Whose key.")
@click.option("--name", required=True, help="What it is for.")
@_narrowing
@verb
def keys_create(account: str, name: str, **narrowing: str | None) -> None:
    """Make a key. It is shown this once."""
    settings = house()
    made = create_key(find_account(account), name, ids.new_key(settings.key_prefix), **narrowing)
    notes = _unmatched(split_patterns(made["models"]))
    say(
        {**made, "notes": notes},
        "\n".join([f"{made['key']}\n\nThis is the only time that the key of {account} for {name} is shown.", *notes]),
    )


def create_key(account: models.account.Account, name: str, key: str, **narrowing: str | None) -> dict[str, Any]:
    """A new key. narrowing: as the options of `keys create` are named. Raises Failure."""
    if not _NAME.fullmatch(name):
        raise Misuse(f"--name {name!r} must have 1 to 100 characters and no control characters, as in laptop.")
    fields, budget = _narrowed(None, **narrowing)
    key_id = ids.new("key_")

    def make() -> None:
        models.key.create(
            id=key_id, account_id=account.id, name=name, hash=digest(key), tail=key[-4:], created_at=clock.now_ms(),
            **fields,
        )  # fmt: skip
        if budget is not None:
            models.budget.put(key_id, account.id, *budget)

    write(make)
    made = _find_key(key_id)
    return {"id": key_id, "key": key, "name": name, "account": account.name, **_row(made)}


@keys.command("set")
@click.argument("key_id")
@_narrowing
@verb
def keys_set(key_id: str, **narrowing: str | None) -> None:
    """Change what a key may do; holds within a second."""
    house()
    key = _find_key(key_id)
    fields, budget = _narrowed(key, **narrowing)

    def change() -> None:
        models.key.change(key_id, **fields)
        if budget is not None:
            models.budget.put(key_id, key.account_id, *budget)

    write(change)
    row = _row(_find_key(key_id))
    notes = _unmatched(split_patterns(fields.get("models")))
    said = ", ".join(f"{name} {value}" for name, value in row.items() if value is not None)
    say(
        {"id": key_id, "name": key.name, **row, "notes": notes},
        "\n".join([f"{key_id}: {said or 'no limits'}.", *notes]),
    )


def _find_key(key_id: str) -> models.key.Key:
    with session():
        key = models.key.find(key_id)
    if key is None:
        raise Failure(f"There is no key {key_id!r}. See: python -m gateway keys list")
    return key


def _narrowed(
    key: models.key.Key | None,
    patterns: str | None = None,
    endpoints: str | None = None,
    addresses: str | None = None,
    expires: str | None = None,
    limit_usd: str | None = None,
    budget_usd: str | None = None,
    per: str | None = None,
    plan: str | None = None,
) -> tuple[dict[str, Any], tuple[str, int | None] | None]:
    """The columns of a key that options change, and its budget (period, nano-dollars) if they change that. key: the
    one that is changed. Raises Failure."""
    fields: dict[str, Any] = {}
    if patterns is not None:
        fields["models"] = _patterns(patterns)
    if endpoints is not None:
        fields["endpoints"] = None if endpoints == "*" else _endpoints(endpoints)
    if addresses is not None:
        fields["addresses"] = None if addresses == "*" else _addresses(addresses)
    if expires is not None:
        fields["expires_at"] = None if expires == "never" else clock.now_ms() + _span(expires)
    if limit_usd is not None:
        fields["limit_nanos"] = None if key and limit_usd == "0" else _dollars("--limit-usd", limit_usd)
    if plan is not None:
        _plan(plan)
        fields["plan"] = plan
    if budget_usd is None and per is None:
        return fields, None
    with session():
        old = models.budget.find(key.id) if key is not None else None
    period = per or (old[0] if old is not None else None)
    if budget_usd is None:
        if old is None:
            raise Misuse("--per says no amount. Add --budget-usd, as in --budget-usd 5 --per week.")
        return fields, (str(period), old[1])
    amount = None if key and budget_usd == "0" else _dollars("--budget-usd", budget_usd)
    if period is None and amount is not None:
        raise Misuse("--budget-usd needs a period. Add --per day, --per week or --per month.")
    return fields, (period or models.budget.PERIODS[0], amount)


def _endpoints(text: str) -> str:
    """Endpoints as they are stored. Raises Misuse."""
    parts = split_patterns(text)
    if not parts or not all(part in SURFACES or (part.startswith("/") and _PATTERN.fullmatch(part)) for part in parts):
        raise Misuse(
            f"--endpoints {text!r} names no endpoints. Write some of {', '.join(SURFACES)}, or paths as in"
            " '/v1/models*', separated by commas, or '*' for all."
        )
    return ",".join(parts)


def _addresses(text: str) -> str:
    """Networks as they are stored. Raises Misuse."""
    try:
        found = networks(text)
    except ValueError:
        found = ()
    if not found:
        raise Misuse(
            f"--addresses {text!r} names no networks. Write them as in '10.0.0.0/8,203.0.113.9', or '*' for all."
        )
    return ",".join(map(str, found))


def _unmatched(patterns: Sequence[str]) -> list[str]:
    """A note for each pattern that no model matches now."""
    if not patterns:
        return []
    open_rooms(config.current())
    snapshot = live.current()
    return [
        f"No model matches {pattern!r} now. See: python -m gateway models list"
        for pattern in patterns
        if not catalogue.matches(snapshot, pattern)
    ]


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
            "spent_usd": money.usd(key.spent_nanos), **_row(key),
        }
        for key, owner in found
    ]  # fmt: skip
    columns = (
        "name", "account", "tail", "state", "expires_at", "plan", "models", "endpoints", "addresses", "spent_usd",
        "limit_usd", "budget_usd", "budget_per", "budget_spent_usd", "id",
    )  # fmt: skip
    table(rows, columns, "No keys yet. Make one: python -m gateway keys create --account NAME --name NAME")


def _row(key: models.key.Key) -> dict[str, Any]:
    """What narrows a key, as the command line shows it."""
    zone = config.current().timezone
    with session():
        budget = models.budget.look(key.id, zone, clock.now_ms())
    return {
        "models": key.models, "endpoints": key.endpoints, "addresses": key.addresses,
        "expires_at": None if key.expires_at is None else clock.iso(key.expires_at),
        "limit_usd": None if key.limit_nanos is None else money.usd(key.limit_nanos), "plan": key.plan,
        "budget_usd": None if budget is None else money.usd(budget.limit),
        "budget_per": None if budget is None else budget.per,
        "budget_spent_usd": None if budget is None else money.usd(budget.spent),
        "budget_until": None if budget is None else clock.iso(budget.until),
    }  # fmt: skip


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
@click.option("--media-days", type=click.IntRange(0, 36_500), help=f"Days that media are kept; 0 for the usual {DAYS}.")
@click.option("--file-mb", type=click.IntRange(0, 10**9), help=f"MB of files an account keeps; 0 for {MOST_MB}.")
@verb
def plans_set(
    name: str, patterns: str | None, media_days: int | None, file_mb: int | None, **limits: int | None
) -> None:
    """Make a plan, or change what is named of it; holds at once."""
    house()
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        raise Misuse(f"{name!r} is no plan name. Use lower-case letters, digits, - and _.")
    changes = _changes(limits)
    if patterns is not None:
        changes["models"] = None if patterns == "*" else _patterns(patterns)
    if media_days is not None:
        changes["media_days"] = media_days or None
    if file_mb is not None:
        changes["file_mb"] = file_mb or None
    write(lambda: models.plan.put(name, **changes))
    _say_plan(name, split_patterns(changes.get("models")))


@plans.command("limit")
@click.argument("name")
@click.argument("pattern")
@_limit("rpm", "Requests a minute")
@_limit("tpm", "Tokens a minute", most=10**12)
@_limit("rpd", "Requests a day")
@_limit("parallel", "Calls at once")
@verb
def plans_limit(name: str, pattern: str, **limits: int | None) -> None:
    """Limit the models of a pattern further, beside all other limits of a plan; holds at once."""
    house()
    _plan(name)
    if len(split_patterns(pattern)) != 1 or not _PATTERN.fullmatch(pattern):
        raise Misuse(f"{pattern!r} is no pattern of models. Write one, as in 'openai/*' or sandbox/echo.")
    changes = _changes(limits)
    if not changes:
        raise Misuse("Nothing is limited. Name at least one of --rpm, --tpm, --rpd, --parallel; 0 takes one away.")
    write(lambda: models.plan.put_limit(name, pattern, **changes))
    _say_plan(name, [pattern] if any(changes.values()) else [])


def _changes(limits: dict[str, int | None]) -> dict[str, Any]:
    """The columns that options change."""
    return {limit: value or None for limit, value in limits.items() if value is not None}


def _say_plan(name: str, patterns: Sequence[str]) -> None:
    """A plan as it is now. patterns: just saved."""
    with session():
        plan = models.plan.find(name)
        assert plan is not None
        row = models.plan.row(plan)
    notes = _unmatched(patterns)
    kept = f"Media are kept for {row['media_days']} days, and {row['file_mb']} MB of files."
    lines = [f"Plan {name}: {_words(row) or 'no limits'}. {kept}"]
    lines += [f"  {limit['pattern']}: {_words(limit)}" for limit in row["limits"]]
    say({**row, "notes": notes}, "\n".join([*lines, *notes]))


def _words(row: dict[str, Any]) -> str:
    return ", ".join(f"{limit} {row[limit]}" for limit in (*models.plan.LIMITS, "models") if row.get(limit) is not None)


@plans.command("list")
@verb
def plans_list() -> None:
    """All plans."""
    house()
    with session():
        rows = [models.plan.row(plan) for plan in models.plan.everyone()]
    if not wants_json():
        for row in rows:
            row["limits"] = [f"{limit['pattern']}: {_words(limit)}" for limit in row["limits"]] or None
    table(rows, ("name", "rpm", "tpm", "rpd", "parallel", "media_days", "file_mb", "models", "limits"), "No plans.")


def _plan(name: str) -> None:
    with session():
        if models.plan.find(name) is None:
            raise Failure(f"There is no plan {name!r}. See: python -m gateway plans list")
