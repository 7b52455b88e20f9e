"""What a task costs is known when it is done, perhaps by another process: here is what stands when it begins, as text
in its row, and the settlement that is made of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any, NamedTuple

from ..call import Ask, Attempt, Call, Caller, Channel, Hosted, Leg, Meter, Price, Weight
from ..clock import day, monotonic
from ..splice import Scan
from . import ledger, prices

Lines = list[list[str]]
"""(unit, nano-dollars for one, how many are expected), as text."""


def bill(call: Call, leg: Leg | None, upstream_id: str | None = None) -> str:
    """What stands when a task begins: its receipt, as far as it is known, and the prices that hold for it. leg: that
    which took it; None while nobody has."""
    meter = Meter(upstream_id=upstream_id)
    values = ledger.reckon(call, leg, meter, status=200, partial=False, first_event_ms=None).values
    lines: Lines = []
    if leg is not None and leg.price is not None:
        values["price_version"] = leg.price.version
        lines = [[one.unit, str(rate), str(one.amount)] for one, rate in prices.by_piece(leg.price, call.ask.makes)]
        if "request" in leg.price.fees:
            lines.append(["request", str(leg.price.fees["request"]), "1"])
    return json.dumps({"values": values, "lines": lines, "held": call.held}, separators=(",", ":"))


def settlement(
    written: str, *, status: int, finish: str | None, at: int, share: Decimal = Decimal(0),
    made: Mapping[str, Decimal] | None = None, pins: list[tuple[str, str, str | None, str]] | None = None,
) -> tuple[Any, ...]:  # fmt: skip
    """The arguments of `models.ledger.settle` for a task that is over.

    share: how much of what was asked for was delivered, 0 for nothing · made: how many pieces, where the provider says
    so, by unit. What was not delivered costs nothing; a request is one as soon as anything was.
    """
    kept = json.loads(written)
    values, exact, total = kept["values"], Decimal(0), 0
    parts: dict[str, int] = {}
    units: dict[str, Any] = {}
    for unit, rate, expected in kept["lines"] if share else ():
        count = Decimal(expected) * share if unit != "request" else Decimal(1)
        if made and unit in made:
            count = min(made[unit], ledger.SEVERAL * Decimal(expected))
        exact += Decimal(rate) * count
        upto = int(exact.to_integral_value(ROUND_CEILING))
        if upto > total:
            parts[unit] = upto - total
        total = upto
        if unit != "request":
            units[unit] = int(count) if count == int(count) else str(count)
    detail = {**json.loads(values["detail"]), "units": units, "cost": parts}
    values = {
        **values, "status": status, "finish": finish, "cost_nanos": total, "overrun": total > kept["held"],
        "reported": made is not None, "latency_ms": min(at - values["created_at"], 2**31 - 1),
        "detail": json.dumps(detail, separators=(",", ":")),
    }  # fmt: skip
    return values, day(values["created_at"]), 0, 0, pins or []


def terms(call: Call, leg: Leg, upstream_id: str) -> str:
    """The same as `bill` for what is charged by tokens: with all that a reckoning needs."""
    price, ask = leg.price, call.ask
    assert price is not None
    asked = {
        "limit": ask.limit, "tier": ask.tier, "search_size": ask.search_size, "guess": ask.weight.guess(),
        "hosted": [list(one) for one in ask.hosted],
    }  # fmt: skip
    named = {"model": leg.model, "served": call.model, "losses": call.lost(leg)}
    written = {**json.loads(bill(call, leg, upstream_id)), "price": _noted(price), "ask": asked, "leg": named}
    return json.dumps(written, separators=(",", ":"))


def priced(call: Call, price: Price) -> str:
    """The same as `bill` for a batch whose lines will be charged by tokens at one price."""
    return json.dumps({**json.loads(bill(call, None)), "price": _noted(price)}, separators=(",", ":"))


def price_of(written: str) -> Price:
    """The price that stands in what was written."""
    facts = json.loads(written)["price"]
    return Price(
        rates=_exact(facts["rates"]), context=facts["context"], max_output=facts["max_output"],
        version=facts["version"], above=_steps(facts["above"]),
        tiers={name: (_exact(rates), _steps(above)) for name, (rates, above) in facts["tiers"].items()},
        fees=_exact(facts["fees"]), sized={kind: _exact(sizes) for kind, sizes in facts["sized"].items()},
    )  # fmt: skip


def _noted(price: Price) -> dict[str, Any]:
    """What of a price a reckoning by tokens needs."""
    return {
        "rates": _plain(price.rates), "context": price.context, "max_output": price.max_output,
        "version": price.version, "above": [[step, _plain(rates)] for step, rates in price.above],
        "tiers": {
            name: [_plain(rates), [[step, _plain(higher)] for step, higher in above]]
            for name, (rates, above) in price.tiers.items()
        },
        "fees": _plain(price.fees), "sized": {kind: _plain(sizes) for kind, sizes in price.sized.items()},
    }  # fmt: skip


def reckon(written: str, channel: Channel, meter: Meter, at: int) -> tuple[Any, ...]:
    """The arguments of `models.ledger.settle` for what was charged by tokens, now that they are counted."""
    kept = json.loads(written)
    values, asked, named = kept["values"], kept["ask"], kept["leg"]
    ask = Ask(
        model=named["served"], limit=asked["limit"], tier=asked["tier"], search_size=asked["search_size"],
        hosted=tuple(Hosted(*one) for one in asked["hosted"]), weight=Weight(text=4 * asked["guess"]),
    )  # fmt: skip
    caller = Caller(
        account_id=values["account_id"], account="", key_id=values["key_id"], models=(), expires_at=None, limits=()
    )
    call = Call(
        id=values["id"], request_id="", caller=caller, surface=values["surface"], dialect="responses",
        body=Scan("", {}, []), ask=ask, created_ms=values["created_at"],
        started=monotonic() - timedelta(milliseconds=at - values["created_at"]).total_seconds(), headers={},
        held=kept["held"],
        attempts=[Attempt(**one) for one in json.loads(values["detail"])["attempts"]],
    )  # fmt: skip
    leg = Leg(
        channel=channel, model=named["model"], dialect="responses", public=named["served"], price=price_of(written),
        losses=tuple(named["losses"]),
    )  # fmt: skip
    done = ledger.reckon(call, leg, meter, status=200, partial=False, first_event_ms=None)
    return done.values, day(values["created_at"]), done.tokens_in, done.tokens_out, done.pins


def _plain(rates: Mapping[str, Decimal]) -> dict[str, str]:
    return {name: str(rate) for name, rate in rates.items()}


def _exact(rates: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(rate) for name, rate in rates.items()}


def _steps(above: list[Any]) -> tuple[tuple[int, dict[str, Decimal]], ...]:
    return tuple((int(step), _exact(rates)) for step, rates in above)


class Kept(NamedTuple):
    """What it costs to keep a file. most: nano-dollars, all at once."""

    most: int
    gb_days: Decimal
    rate: Decimal

    def settlement(self, call: Call, at: int) -> tuple[Any, ...]:
        """The arguments of `models.ledger.settle`."""
        written = {**json.loads(bill(call, None)), "lines": [["gb_day", str(self.rate), str(self.gb_days)]]}
        written["values"]["price_version"] = "files"
        made = {"gb_day": self.gb_days}
        return settlement(json.dumps(written), status=200, finish=None, at=at, share=Decimal(1), made=made)


def kept(gb_days: Decimal, usd: Decimal) -> Kept | None:
    """What it costs to keep gigabytes for days, at so many dollars each; None where that is nothing."""
    rate = prices.each(usd)
    most = int((rate * gb_days).to_integral_value(ROUND_CEILING))
    return Kept(most, gb_days, rate) if most else None
