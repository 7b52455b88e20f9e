"""Money: the append-only ledger, the open holds, and the only statements that move a wallet.

Everything here runs inside `writer.write`, is atomic there, and is harmless to run twice. Amounts are nano-dollars.
"""

import json
from datetime import tzinfo
from typing import Any, NamedTuple

from . import budget, idempotency, pin, receipt, window
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
    """Credit set aside for one running call by one worker.

    tokens: reserved in the token windows · windows: JSON, (scope, rule, serial) of each that something comes back to ·
    budget: the serial of the budget's period.
    """

    id = CharField(primary_key=True)
    account_id = CharField(index=True)
    key_id = CharField(index=True)
    amount_nanos = BigIntegerField()
    worker = CharField(index=True)
    at = BigIntegerField()
    tokens = BigIntegerField()
    windows = TextField(null=True)
    budget = BigIntegerField(null=True)


class Held(NamedTuple):
    """The hold stands, over this amount. roomy: the purses could carry `room` as well."""

    amount: int
    roomy: bool
    uses: tuple[window.Use, ...]


class Purse(NamedTuple):
    """What pays: an `account`, the limit of a `key`, or its `budget` (of what period, until when, Unix ms)."""

    name: str
    limit: int
    spent: int
    held: int
    per: str = ""
    until: int = 0

    @property
    def free(self) -> int:
        return self.limit - self.spent - self.held


class Short(NamedTuple):
    """Nothing was held: one of the purses has too little free. at: the moment for the budget."""

    purses: tuple[Purse, ...]
    at: int

    @property
    def free(self) -> int:
        return min(purse.free for purse in self.purses)


class Limited(NamedTuple):
    """Nothing was held: a rule admits no more now; of several the one that does so longest."""

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
    zone: tzinfo | None = None,
) -> Held | Short | Limited | idempotency.Found:
    """Hold `want`, or all that is free if that is at least `floor`, if every rule admits the call.

    One conditional statement decides, so that parallel calls cannot overspend. at: when the call came, Unix ms; windows
    and budgets go by their own clock, read here, where calls stand in line. claim: (id, fingerprint) of an idempotency
    key; if it stands for another call, nothing is held and that is returned. zone: whose calendar the key's budget goes
    by, if it has one.
    """
    now, of_key = at, None
    if (rules or claim or zone) and is_postgres():  # elsewhere the write lock keeps others out between look and take
        rows("SELECT 1 FROM account WHERE id = ? FOR UPDATE", account_id)
    if claim is not None:
        first = idempotency.find(account_id, claim[0], at)
        if first is not None and first.call_id != hold_id:
            return first
    if rules or zone:
        now = window.now()
    looks = window.look(rules, now)
    uses = tuple(one.use for one in looks)
    over = [use for use in uses if use.left < use.rule.amount]
    if over and not rows("SELECT 1 FROM hold WHERE id = ?", hold_id):  # it stands if this runs twice
        window.rewind(looks)
        return Limited(max(over, key=lambda use: (use.rule.amount > use.rule.limit, use.resets_at)), uses)
    if zone is not None:
        of_key = budget.look(key_id, zone, now)
    returning = [(*one.use.rule[:2], one.serial) for one in looks if one.use.rule.name in RETURNING]
    made = run(
        "INSERT INTO hold (id, account_id, key_id, amount_nanos, worker, at, tokens, windows, budget)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        hold_id,
        account_id,
        key_id,
        want,
        worker,
        at,
        tokens,
        json.dumps(returning) if returning else None,
        of_key.serial if of_key is not None else None,
    ).rowcount
    if not made:
        return Held(int(rows("SELECT amount_nanos FROM hold WHERE id = ?", hold_id)[0][0]), False, uses)
    amount = want
    if not _set_aside(account_id, key_id, of_key, want):
        short = Short(_purses(account_id, key_id, of_key), now)
        amount = min(want, short.free)
        if amount < floor or not _set_aside(account_id, key_id, of_key, amount):
            run("DELETE FROM hold WHERE id = ?", hold_id)
            return short
        run("UPDATE hold SET amount_nanos = ? WHERE id = ?", amount, hold_id)
    window.take(looks)
    if claim is not None:
        idempotency.take(account_id, *claim, hold_id, at)
    roomy = amount == want and (
        room <= want or min(purse.free for purse in _purses(account_id, key_id, of_key, amount)) >= room - want
    )
    return Held(amount, roomy, tuple(use._replace(left=use.left - use.rule.amount) for use in uses))


RETURNING = ("tpm", "parallel")
"""Rules of which a call gives something back when it ends: the tokens that it did not use, its place."""


def _set_aside(account_id: str, key_id: str, of_key: budget.Standing | None, amount: int) -> bool:
    """Hold an amount, if all purses have so much free. Nothing is always there, whatever they owe."""
    if amount and not _taken(account_id, key_id, of_key, amount):
        return False
    if of_key is not None:
        budget.take(of_key, amount)
    return True


def _taken(account_id: str, key_id: str, of_key: budget.Standing | None, amount: int) -> bool:
    if of_key is not None and of_key.free < amount:
        return False
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


def _purses(account_id: str, key_id: str, of_key: budget.Standing | None, taken: int = 0) -> tuple[Purse, ...]:
    """All that a call of this key is paid from. taken: held of the budget since it was looked at."""
    found = rows(
        "SELECT a.granted_nanos, a.spent_nanos, a.held_nanos, k.limit_nanos, k.spent_nanos, k.held_nanos"
        " FROM account a LEFT JOIN api_key k ON k.id = ? WHERE a.id = ?",
        key_id,
        account_id,
    )
    granted, spent, held = map(int, found[0][:3])
    purses = [Purse("account", granted, spent, held)]
    if found[0][3] is not None:
        limit, spent, held = map(int, found[0][3:])
        purses.append(Purse("key", limit, spent, held))
    if of_key is not None:
        purses.append(Purse("budget", of_key.limit, of_key.spent, of_key.held + taken, of_key.per, of_key.until))
    return tuple(purses)


def stand(account_id: str, key_id: str, zone: tzinfo | None) -> Short:
    """What a hold could take now, of whom. Moves nothing."""
    now = window.now()
    of_key = budget.look(key_id, zone, now) if zone is not None else None
    return Short(_purses(account_id, key_id, of_key), now)


def open_holds() -> tuple[int, int]:
    """How many calls are held for now, by all workers, and over how much."""
    count, amount = rows("SELECT COUNT(*), COALESCE(SUM(amount_nanos), 0) FROM hold")[0]
    return int(count), int(amount)


def release(hold_id: str, used_tokens: int = 0) -> int | None:
    """Close a hold and give its amount back to the purses; the amount, or None if it is closed already."""
    closed = _close(hold_id, used_tokens)
    return closed[0] if closed is not None else None


def draw(hold_id: str, amount: int) -> None:
    """Give part of a hold back to the purses, at most all of it: what it was for is paid."""
    found = rows("SELECT account_id, key_id, amount_nanos, budget FROM hold WHERE id = ?", hold_id)
    if found:
        account_id, key_id, held, period = found[0]
        amount = min(amount, int(held))
        run("UPDATE hold SET amount_nanos = amount_nanos - ? WHERE id = ?", amount, hold_id)
        run("UPDATE account SET held_nanos = held_nanos - ? WHERE id = ?", amount, account_id)
        run("UPDATE api_key SET held_nanos = held_nanos - ? WHERE id = ?", amount, key_id)
        if period is not None:
            budget.give_back(key_id, period, amount)


def extend(hold_id: str, amount: int, zone: tzinfo) -> int | None:
    """Hold so much more; what is held in all then, or None if the purses have too little. zone: as in `place`."""
    found = rows("SELECT account_id, key_id, amount_nanos, budget FROM hold WHERE id = ?", hold_id)
    if not found:
        return None
    account_id, key_id, held, period = found[0]
    of_key = None
    if period is not None:
        if is_postgres():
            rows("SELECT 1 FROM account WHERE id = ? FOR UPDATE", account_id)
        of_key = budget.look(key_id, zone, window.now())
        if (
            of_key is not None and of_key.serial != period
        ):  # what a hold has of a period that is over comes back to none
            of_key = None
    if not _set_aside(account_id, key_id, of_key, amount):
        return None
    run("UPDATE hold SET amount_nanos = amount_nanos + ? WHERE id = ?", amount, hold_id)
    return int(held) + amount


def _close(hold_id: str, used_tokens: int, cost: int = 0) -> tuple[int, int | None] | None:
    """The amount of a hold that is closed now, and the serial of its budget's period. cost: is spent of it."""
    found = rows("SELECT account_id, key_id, amount_nanos, tokens, windows, budget FROM hold WHERE id = ?", hold_id)
    if not found or not run("DELETE FROM hold WHERE id = ?", hold_id).rowcount:
        return None
    account_id, key_id, amount, tokens, windows, period = found[0]
    _move(account_id, key_id, -amount, cost)
    if period is not None:
        budget.give_back(key_id, period, amount)
    for scope, rule, serial in json.loads(windows) if windows else ():
        window.give_back(scope, rule, serial, tokens - used_tokens if rule == "tpm" else 1)
    return int(amount), period


def _standing(hold_id: str) -> tuple[int, int | None] | None:
    """The amount of a hold that is open, and the serial of its budget's period."""
    found = rows("SELECT amount_nanos, budget FROM hold WHERE id = ?", hold_id)
    return found[0] if found else None


def _move(account_id: str, key_id: str, held: int, spent: int) -> None:
    """Change what account and key hold, and have spent."""
    run(
        "UPDATE account SET held_nanos = held_nanos + ?, spent_nanos = spent_nanos + ? WHERE id = ?",
        held, spent, account_id,
    )  # fmt: skip
    run(
        "UPDATE api_key SET held_nanos = held_nanos + ?, spent_nanos = spent_nanos + ? WHERE id = ?",
        held, spent, key_id,
    )  # fmt: skip


def settle(
    values: dict[str, Any],
    day: str,
    tokens_in: int,
    tokens_out: int,
    pins: list[tuple[str, str, str | None, str]],
    outcome: tuple[str, bytes] | None = None,
    *,
    within: str = "",
) -> None:
    """Close a call: its receipt, its charge, its day, its pins (kind, id, upstream id, channel id) and its hold.

    outcome: (id of its idempotency key, what is kept under it) · within: the hold that it is a part of, in whose period
    it counts, if it has none of its own.
    """
    if not receipt.put(values):
        return
    account_id, key_id, cost, at = values["account_id"], values["key_id"], values["cost_nanos"], values["created_at"]
    closed = _close(values["id"], tokens_in + tokens_out, cost)
    if cost:
        if closed is None:
            _move(account_id, key_id, 0, cost)
            closed = _standing(within) if within else None
        if closed is None:  # its hold was given back meanwhile, and nobody knows its period any more
            budget.spend(key_id, cost)
        elif closed[1] is not None:
            budget.spend(key_id, cost, closed[1])
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
