"""Hold, settle, release: the three moments of money (Law 4)."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from models import batch, receipt, task, writer
from models import ledger as book
from models.base import DatabaseError, session
from models.idempotency import Found
from models.window import Rule

from .. import config, crash, ids
from ..call import Ask, Call, Leg, Meter, Price, Reference, Reply
from ..clock import day, monotonic, now_ms
from ..errors import GatewayError
from ..money import usd
from ..neutral.parts import Bytes
from ..neutral.reply import Usage
from . import prices
from .prices import Ceiling

WORKER = ids.new("wk_")
"""This process's name on its holds; `sweep` tells when a process is gone."""


def _renamed() -> None:
    global WORKER
    WORKER = ids.new("wk_")


os.register_at_fork(after_in_child=_renamed)


class TooDear(GatewayError):
    """402: a purse has only so much free. free: nano-dollars."""

    free = 0


TASKS = "tasks"
"""The surface of calls that are tasks: what ends one ends its task in the same write."""


def hold(
    call: Call,
    legs: Sequence[Leg],
    ceiling: Ceiling,
    rules: tuple[Rule, ...],
    intent: dict[str, Any] | None = None,
    placing: Callable[..., Any] = task.place,
) -> book.Limited | Found | None:
    """Set credit aside for the dearest outcome, and lower the call's output limit if the wallet forces it.

    intent: the task that the call is to become, written with the hold by `placing`.

    None when the hold stands; a Limited when a rule refuses; a Found when another call was first to claim the same.
    Raises TooDear, GatewayError 503.
    """
    caller = call.caller
    if call.share is not None:
        call.share.take(ceiling.want)
        call.share.amount = call.held = ceiling.want
        call.cap = ceiling.default  # more than that is not held
        return None
    if call.below:  # what has no output limit cannot be made cheaper
        ceiling = ceiling._replace(floor=ceiling.want)
    arguments = (call.id, caller.account_id, caller.key_id, WORKER, call.created_ms)
    claim = (call.claim.id, call.claim.fingerprint) if call.claim is not None else None
    try:
        write = (book.place,) if intent is None else (placing, intent)
        done = writer.write(
            *write, *arguments, ceiling.want, ceiling.floor, ceiling.room, ceiling.tokens, rules, claim,
            config.current().timezone if caller.budget else None, order=caller.account_id,
        )  # fmt: skip
    except writer.Busy as error:
        if error.doubtful:
            undoing = book.release if intent is None else task.retract
            writer.submit(undoing, call.id, order=caller.account_id)
        raise GatewayError(
            503, "The gateway's database takes no writes now. Retry in a moment.", retry_after=2
        ) from error
    if isinstance(done, Found):
        return done
    if isinstance(done, book.Short):
        raise _short(call, done, ceiling)
    full = done.use if isinstance(done, book.Limited) else None
    call.rates = tuple(use for use in done.uses if use.rule.ms or use == full)
    if isinstance(done, book.Limited):
        return done
    call.held = done.amount
    if done.amount < ceiling.want:
        asked = call.ask.limit if call.ask.limit is not None else ceiling.default
        call.cap = min(prices.affordable_output(legs, call.ask, done.amount), asked or prices.UNKNOWN_OUTPUT)
    elif ceiling.default is not None and not done.roomy:
        call.cap = ceiling.default
    return None


def refusal(call: Call, ceiling: Ceiling) -> TooDear | None:
    """Why a hold would not stand now; None where it would. Nothing is held."""
    with session():
        zone = config.current().timezone if call.caller.budget else None
        free = book.stand(call.caller.account_id, call.caller.key_id, zone)
    least = ceiling.want if call.below else ceiling.floor
    return _short(call, free, ceiling) if ceiling.want and free.free < least else None


def _short(call: Call, short: book.Short, ceiling: Ceiling) -> TooDear:
    """The 402: which purse, how much it has, and whether waiting helps: for all that have too little."""
    waits = {purse: _wait_s(purse, short.at, ceiling.floor) for purse in short.purses if purse.free < ceiling.floor}
    lasting = [purse for purse, wait in waits.items() if wait is None]
    light = min(lasting or short.purses, key=lambda purse: purse.free)
    wait_s = max((wait for wait in waits.values() if wait is not None), default=0)
    less = "less" if call.ask.rigid or call.ask.limit == 0 else "less output"
    if lasting or not waits:
        wait_s, advice = 0, f"Waiting does not help: {_MEND[light.name]}, or ask for {less}."
    elif wait_s > _SOON_S:
        until = next(purse.until for purse in short.purses if purse.name == "budget")
        advice = f"Wait until {_local(until)}, {_MEND['budget']}, or ask for {less}."
    else:
        advice = f"Running calls hold ${usd(light.held)} more, which may come back: retry when they are done."
    error = TooDear(
        402,
        f"Not enough credits: this call may cost ${usd(ceiling.want)}, at least ${usd(ceiling.floor)}."
        f" {_whose(call, light)} has ${usd(max(0, light.free))} free. {advice}",
        retry_after=wait_s or None,
    )
    error.free = max(0, short.free)
    return error


_SOON_S = 5
"""After what time what running calls hold may have come back."""

_MEND = {"account": "add credits", "key": "ask the operator to raise it", "budget": "ask the operator to raise it"}


def _wait_s(purse: book.Purse, at: int, floor: int) -> float | None:
    """How long to wait until a purse may have so much free; None if it never will by itself."""
    if purse.free + purse.held >= floor:
        return _SOON_S
    if purse.name == "budget" and purse.limit >= floor:
        return max(_SOON_S + 1, -(-(purse.until - at) // 1000))
    return None


def _whose(call: Call, purse: book.Purse) -> str:
    if purse.name == "account":
        return f"The account {call.caller.account!r}"
    if purse.name == "key":
        return f"This API key's limit of ${usd(purse.limit)}"
    return f"This API key's budget of ${usd(purse.limit)} a {purse.per}, until {_local(purse.until)},"


def _local(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, config.current().timezone).isoformat(timespec="seconds")


class Settlement(NamedTuple):
    """What a call will be charged, ready to be written."""

    values: dict[str, Any]
    tokens_in: int
    tokens_out: int
    pins: list[tuple[str, str, str | None, str]]

    @property
    def cost(self) -> int:
        return int(self.values["cost_nanos"])


def reckon(
    call: Call, leg: Leg | None, meter: Meter, *, status: int, partial: bool, first_event_ms: int | None
) -> Settlement:
    """What a call used and cost.

    leg: the one that answered; None when none did, and nothing is charged. partial: it broke after output. A reply
    without usage that can be believed is estimated, at four bytes a token; usage that came before the end counts if it
    is more, but is no output by itself: Messages counts a token before it says anything. What delivered no output costs
    nothing, unless none was asked for: a limit of 0 fills the prompt cache.
    """
    price = leg.price if leg is not None else None
    used, reported = _used(call, meter, whole=not partial)
    said = meter.out_bytes or meter.units or (reported and used.output and (meter.final or not partial))
    total, parts, saved, tier = 0, dict[str, int](), 0, ""
    if price is None or not (said or call.ask.limit == 0):
        used, reported = Usage(), True
    else:
        used = _clamped(used, price, call.ask) if reported else dataclasses.replace(used, tools=_runs(used, call.ask))
        total, parts = prices.cost(price, used, call.ask)
        saved, tier = prices.saved(price, used, call.ask), prices.tier(price, used, call.ask)
    detail = {
        "attempts": [{"channel": a.channel, "status": a.status, "ms": a.ms} for a in call.attempts],
        "tokens": used.counts(),
        "units": {**meter.units, **used.units, **used.tools} if leg is not None else {},
        "cost": parts,
        "saved": saved,
        **({"tier": tier} if tier else {}),
        "losses": call.lost(leg, meter),
    }
    values = {
        "id": call.id,
        "account_id": call.caller.account_id,
        "key_id": call.caller.key_id,
        "created_at": call.created_ms,
        "surface": call.surface,
        "model": call.model[:255],
        "provider": leg.channel.provider if leg else None,
        "channel": leg.channel.name if leg else None,
        "upstream_model": leg.model[:255] if leg else None,
        "upstream_id": meter.upstream_id,
        "streamed": call.ask.stream,
        "status": status,
        "finish": meter.finish[:255] if meter.finish else None,
        "cost_nanos": total,
        "reported": reported,
        "partial": partial and leg is not None,
        "overrun": total > call.held,
        "price_version": price.version if price else None,
        "latency_ms": int((monotonic() - call.started) * 1000),
        "first_event_ms": first_event_ms,
        "detail": json.dumps(detail, separators=(",", ":")),
    }
    pins = [_pin(call, leg, meter, kind, made) for kind, made in meter.made] if leg else []
    return Settlement(values, used.input or 0, used.output or 0, pins)


def _used(call: Call, meter: Meter, whole: bool) -> tuple[Usage, bool]:
    """What to charge for, and whether the provider said so."""
    if meter.usage is None or (meter.out_bytes and not (meter.usage.output or meter.usage.units) and meter.final):
        return meter.guess or _estimate(call, meter), False  # no count at all, or none of what is there
    if (whole and meter.final) or meter.guess is not None:
        return meter.usage, True
    guess, told = -(-meter.out_bytes // 4), meter.usage.tools
    used = dataclasses.replace(meter.usage, tools={**told, **{k: max(n, told.get(k, 0)) for k, n in meter.ran.items()}})
    return (used, True) if guess <= (used.output or 0) else (dataclasses.replace(used, output=guess), False)


def _pin(call: Call, leg: Leg, meter: Meter, kind: str, made: str) -> tuple[str, str, str | None, str]:
    """An object that the caller may refer to: a reply by our id for it, all else as its maker named it."""
    if made == meter.upstream_id:
        return kind, call.id, made, leg.channel.id
    return kind, made, None, leg.channel.id


def _estimate(call: Call, meter: Meter) -> Usage:
    """What the body weighs, the files that were fetched for it, and what the reply that it goes on from took."""
    files = sum(
        len(got.source.base64) * 3 // 4
        for got in call.fetched.values()
        if got.kind != "image" and isinstance(got.source, Bytes)
    )
    given = call.ask.weight.guess() + files // 16 + sum(_took(call, reference) for reference in call.ask.references)
    return Usage(input=given, output=-(-meter.out_bytes // 4), tools=meter.ran)


def _took(call: Call, reference: Reference) -> int:
    """Tokens of an earlier call of the account, its answer among them."""
    if reference.kind != "response":
        return 0
    try:
        with session():
            earlier = receipt.find(call.caller.account_id, reference.id)
    except DatabaseError:
        return 0
    return sum(json.loads(earlier["detail"])["tokens"].values()) if earlier is not None else 0


_MOST_RUNS, _UNASKED_RUNS = 1_000, 100
"""How often a tool that sets no bound can run, and one that nobody asked for: some models search by themselves."""

SEVERAL = 4
"""How many times as much as was asked for a provider may make of what is sold by the piece."""


def _clamped(used: Usage, price: Price, ask: Ask) -> Usage:
    """No provider counts more than was asked for, and than window and maximum allow."""
    tools, units = _runs(used, ask), used.units
    if units:
        most = {**{unit: SEVERAL * amount for unit, amount in ask.units.items()}, **ask.tops}
        units = {unit: min(amount, most.get(unit, amount)) for unit, amount in units.items()}
    steps = 1 + sum(tools.values())  # each run of a hosted tool reads the conversation again
    most_in, most_out = price.context * ask.batch * steps, price.max_output * ask.n * steps
    if (used.input or 0) > most_in or (used.output or 0) > most_out:
        used = dataclasses.replace(used, input=min(used.input or 0, most_in), output=min(used.output or 0, most_out))
    if tools == used.tools and units == used.units:
        return used
    return dataclasses.replace(used, tools=tools, units=units)


def _runs(used: Usage, ask: Ask) -> dict[str, int]:
    """How often tools of the provider's ran, at most as often as they can have."""
    return {kind: min(times, _most_runs(kind, ask)) for kind, times in used.tools.items()}


def _most_runs(kind: str, ask: Ask) -> int:
    """How often a hosted tool can have run, at most, by the fee that it stands under."""
    asked = [one.most for one in ask.hosted if kind in prices.billed_as(one.kind)]
    return ask.n * sum(_MOST_RUNS if one is None else one for one in asked) if asked else _UNASKED_RUNS


def settle(settlement: Settlement, outcome: tuple[str, bytes] | None = None) -> writer.Ticket:
    """Write a settlement: the receipt, the charge and the hold's end, together. It is tried until it is written;
    should it be impossible to write, the hold at least comes back. outcome: what is kept for a claim, by its id."""
    crash.here("before_settle")
    values = settlement.values
    settling, releasing = (task.settle, task.drop) if values["surface"] == TASKS else (book.settle, book.release)
    return writer.submit(
        settling, values, day(values["created_at"]), settlement.tokens_in, settlement.tokens_out, settlement.pins,
        outcome, order=values["account_id"], durable=True, otherwise=(releasing, (values["id"],)),
    )  # fmt: skip


def settle_share(call: Call, settlement: Settlement, reply: Reply) -> writer.Ticket:
    """The same for a line of a batch, whose outcome is kept by the same write."""
    share, values = call.share, settlement.values
    assert share is not None
    crash.here("before_settle")
    return writer.submit(
        batch.settle, share.batch_id, share.number, share.keep(reply), share.amount, values, day(values["created_at"]),
        settlement.tokens_in, settlement.tokens_out, settlement.pins, order=values["account_id"], durable=True,
    )  # fmt: skip


def release(call: Call) -> writer.Ticket:
    """Give a hold back without a receipt: the call never began."""
    releasing = task.drop if call.surface == TASKS else book.release
    return writer.submit(releasing, call.id, order=call.caller.account_id)


def grant(account_id: str, nanos: int, note: str | None) -> None:
    """Add credit to an account."""
    writer.write(book.grant, account_id, nanos, ids.new("grant_"), note, now_ms(), order=account_id, durable=True)
