"""Money: the append-only ledger, the open holds, and the only statements that move a wallet.

Everything here runs inside `writer.write`, is atomic there, and is harmless to run twice. Amounts are nano-dollars.
"""

from typing import Any, NamedTuple

from . import idempotency, pin, receipt, window
from .base import BigIntegerField, CharField, Row, TextField, is_postgres, rows, run


class Ledger(Row):
    """One movement: a grant (above 0) or a charge (below 0). `ref` names its cause, once."""

    id = BigIntegerField(primary_key=True)
    account_id = CharField()
    kind = CharField()
    amount_nanos = BigIntegerField()
    ref = CharField()
    note = TextField(null=True)
    at = BigIntegerField()

    class Meta:
        indexes = ((("kind", "ref"), True), (("account_id", "id"), False))


class Hold(Row):
    """Credit set aside for one running call by one worker. tokens: reserved in the token windows, and since when."""

    id = CharField(primary_key=True)
    account_id = CharField(index=True)
    key_id = CharField(index=True)
    amount_nanos = BigIntegerField()
    worker = CharField(index=True)
    at = BigIntegerField()
    tokens = BigIntegerField()
    windows = TextField(null=True)


class Held(NamedTuple):
    """The hold stands, over this amount. roomy: the purses could carry `room` as well."""

    amount: int
    roomy: bool
    uses: tuple[window.Use, ...]


class Short(NamedTuple):
    """Nothing was held: the purse (`account` or `key`) has too little free; running calls hold `held` of it."""

    purse: str
    free: int
    held: int


class Limited(NamedTuple):
    """Nothing was held: a rule admits no more now."""

    use: window.Use
    uses: tuple[window.Use, ...]


MOST_GRANTED = 9 * 10**18
"""All grants of one account, ever: nine billion dollars, which still fits the databases' integers."""


class TooMuch(Exception):
    """An account would have been granted more than MOST_GRANTED."""


def grant(account_id: str, amount: int, ref: str, note: str | None, at: int) -> None:
    """Add credit, once per `ref`. Raises TooMuch."""
    if not _enter(account_id, "grant", amount, ref, note, at):
        return
    done = run(
        "UPDATE account SET granted_nanos = granted_nanos + ? WHERE id = ? AND granted_nanos <= ?",
        amount,
        account_id,
        MOST_GRANTED - amount,
    ).rowcount
    if not done:
        raise TooMuch


def place(
    hold_id: str,
    account_id: str,
    key_id: str,
    worker: str,
    at: int,
    want: int,
    floor: int,
    room: int,
    tokens: int,
    rules: tuple[window.Rule, ...],
    claim: tuple[str, str] | None = None,
) -> Held | Short | Limited | idempotency.Found:
    """Hold `want`, or all that is free if that is at least `floor`, if every rule admits the call.

    One conditional statement decides, so that parallel calls cannot overspend. at: when the call came, Unix ms; the
    windows go by their own clock, read here, where calls stand in line. claim: (id, fingerprint) of an idempotency key;
    if it stands for another call, nothing is held and that is returned.
    """
    if (rules or claim) and is_postgres():  # elsewhere the write lock already keeps others out between look and take
        rows("SELECT 1 FROM account WHERE id = ? FOR UPDATE", account_id)
    if claim is not None:
        first = idempotency.find(account_id, claim[0], at)
        if first is not None and first.call_id != hold_id:
            return first
    looks = [window.look(rule, window.now()) for rule in rules]
    uses = tuple(use for use, _ in looks)
    for use in uses:
        if use.left < use.rule.amount:
            return Limited(use, uses)
    opened = ",".join(f"{use.rule.scope}:{since}" for use, since in looks if use.rule.name == "tpm") or None
    made = run(
        "INSERT INTO hold (id, account_id, key_id, amount_nanos, worker, at, tokens, windows)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        hold_id,
        account_id,
        key_id,
        want,
        worker,
        at,
        tokens,
        opened,
    ).rowcount
    if not made:
        return Held(int(rows("SELECT amount_nanos FROM hold WHERE id = ?", hold_id)[0][0]), False, uses)
    amount = want
    if not _set_aside(account_id, key_id, want):
        short = _free(account_id, key_id)
        amount = min(want, short.free)
        if amount < floor or not _set_aside(account_id, key_id, amount):
            run("DELETE FROM hold WHERE id = ?", hold_id)
            return short
        run("UPDATE hold SET amount_nanos = ? WHERE id = ?", amount, hold_id)
    for use, since in looks:
        if use.rule.ms:
            window.take(use.rule, since)
    if claim is not None:
        idempotency.take(account_id, *claim, hold_id, at)
    roomy = amount == want and (room <= want or _free(account_id, key_id).free >= room - want)
    return Held(amount, roomy, tuple(use._replace(left=use.left - use.rule.amount) for use in uses))


def _set_aside(account_id: str, key_id: str, amount: int) -> bool:
    done = run(
        "UPDATE account SET held_nanos = held_nanos + ? WHERE id = ? AND granted_nanos - spent_nanos - held_nanos >= ?",
        amount,
        account_id,
        amount,
    ).rowcount
    if not done:
        return False
    done = run(
        "UPDATE api_key SET held_nanos = held_nanos + ? WHERE id = ?"
        " AND (limit_nanos IS NULL OR limit_nanos - spent_nanos - held_nanos >= ?)",
        amount,
        key_id,
        amount,
    ).rowcount
    if not done:
        run("UPDATE account SET held_nanos = held_nanos - ? WHERE id = ?", amount, account_id)
    return bool(done)


def _free(account_id: str, key_id: str) -> Short:
    """The lighter of the two purses."""
    account = rows("SELECT granted_nanos - spent_nanos - held_nanos, held_nanos FROM account WHERE id = ?", account_id)
    key = rows("SELECT limit_nanos - spent_nanos - held_nanos, held_nanos FROM api_key WHERE id = ?", key_id)
    purses = [Short("account", int(account[0][0]), int(account[0][1]))]
    if key and key[0][0] is not None:
        purses.append(Short("key", int(key[0][0]), int(key[0][1])))
    return min(purses, key=lambda purse: purse.free)


def purse(account_id: str, key_id: str) -> Short:
    """What a hold could take now, and of whom."""
    return _free(account_id, key_id)


def release(hold_id: str, used_tokens: int = 0) -> int | None:
    """Close a hold and give its amount back to the purses; the amount, or None if it is closed already."""
    found = rows("SELECT account_id, key_id, amount_nanos, tokens, windows FROM hold WHERE id = ?", hold_id)
    if not found or not run("DELETE FROM hold WHERE id = ?", hold_id).rowcount:
        return None
    account_id, key_id, amount, tokens, windows = found[0]
    run("UPDATE account SET held_nanos = held_nanos - ? WHERE id = ?", amount, account_id)
    run("UPDATE api_key SET held_nanos = held_nanos - ? WHERE id = ?", amount, key_id)
    for part in windows.split(",") if windows else ():
        scope, since = part.rsplit(":", 1)
        window.give_back(scope, "tpm", int(since), tokens - used_tokens)
    return int(amount)


def settle(
    values: dict[str, Any],
    day: str,
    tokens_in: int,
    tokens_out: int,
    pins: list[tuple[str, str, str | None, str]],
    outcome: tuple[str, bytes] | None = None,
) -> None:
    """Close a call: its receipt, its charge, its day, its pins (kind, id, upstream id, channel id) and its hold.

    outcome: (id of its idempotency key, what is kept under it).
    """
    if not receipt.put(values):
        return
    account_id, key_id, cost, at = values["account_id"], values["key_id"], values["cost_nanos"], values["created_at"]
    release(values["id"], tokens_in + tokens_out)
    if cost:
        run("UPDATE account SET spent_nanos = spent_nanos + ? WHERE id = ?", cost, account_id)
        run("UPDATE api_key SET spent_nanos = spent_nanos + ? WHERE id = ?", cost, key_id)
        _enter(account_id, "charge", -cost, values["id"], None, at)
    receipt.count(account_id, day, key_id, values["model"], tokens_in, tokens_out, cost)
    for kind, known, upstream_id, channel_id in pins:
        pin.put(account_id, kind, known, upstream_id, channel_id, at)
    if outcome is not None:
        idempotency.keep(account_id, outcome[0], values["id"], outcome[1])


def _enter(account_id: str, kind: str, amount: int, ref: str, note: str | None, at: int) -> bool:
    return bool(
        run(
            "INSERT INTO ledger (account_id, kind, amount_nanos, ref, note, at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (kind, ref) DO NOTHING",
            account_id,
            kind,
            amount,
            ref,
            note,
            at,
        ).rowcount
    )


def orphans(worker: str) -> list[tuple[str, str]]:
    """(id, account id) of the open holds of a worker."""
    return [
        (str(hold), str(account)) for hold, account in rows("SELECT id, account_id FROM hold WHERE worker = ?", worker)
    ]


def hold_workers() -> set[str]:
    """All workers that have open holds."""
    return {str(row[0]) for row in rows("SELECT DISTINCT worker FROM hold")}
