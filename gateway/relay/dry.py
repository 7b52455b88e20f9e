"""A dry run: what a call would do, told without calling anybody, holding anything or counting it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson

import models.account
from models.base import session
from models.window import Use, look, now

from ..access import limits
from ..billing import ledger, prices
from ..billing.prices import Ceiling
from ..call import Call, Leg, Reply
from ..errors import GatewayError
from ..money import NANOS, plain, usd
from ..routing import bulletin


def told(call: Call, legs: Sequence[Leg], ceiling: Ceiling) -> Reply:
    """The reply. What a call would be refused for before its hold is refused already."""
    rules = limits.rules(call.caller, ceiling.tokens, call.names)
    with session():
        uses = [one.use for one in look(rules, now())]
        granted, spent, _ = models.account.wallet(call.caller.account_id)
    values = {
        "object": "dry_run",
        "model": call.model,
        "legs": [_leg(call, leg) for leg in legs],
        "ceiling": {
            "hold_usd": _usd(ceiling.want), "floor_usd": _usd(ceiling.floor), "tokens": ceiling.tokens,
        },
        "limits": [_limit(use) for use in uses],
        "balance_usd": _usd(granted - spent),
        "would": _would(call, ceiling, uses),
    }  # fmt: skip
    return Reply(status=200, content_type="application/json", headers=[], body=orjson.dumps(values))


def _usd(nanos: int) -> orjson.Fragment:
    return orjson.Fragment(usd(nanos))


def _leg(call: Call, leg: Leg) -> dict[str, Any]:
    assert leg.price is not None
    costs = prices.told(leg.price, call.ask)
    return {
        "channel": leg.channel.name,
        "provider": leg.channel.provider,
        "model": leg.public,
        "upstream_model": leg.model,
        "dialect": leg.dialect,
        "losses": call.lost(leg),
        "health": bulletin.cause(leg) or "ok",
        "price": {
            "prompt_usd_per_mtok": orjson.Fragment(plain(costs["prompt"])),
            "completion_usd_per_mtok": orjson.Fragment(plain(costs["completion"])),
            "request_usd": orjson.Fragment(plain(costs["request"])),
            **{f"{unit}_usd": orjson.Fragment(plain(nanos / NANOS)) for unit, nanos in _sold(call, leg)},
            "version": leg.price.version,
        },
    }


def _sold(call: Call, leg: Leg) -> list[tuple[str, Decimal]]:
    """What of a call is sold by the piece there."""
    assert leg.price is not None
    made = [(piece.unit, rate) for piece, rate in prices.by_piece(leg.price, call.ask.makes)]
    return [*((unit, leg.price.units[unit]) for unit in call.ask.units if unit in leg.price.units), *made]


def _limit(use: Use) -> dict[str, Any]:
    rule = use.rule
    return {
        "name": rule.name, "limit": rule.limit, "remaining": max(0, use.left), "takes": rule.amount,
        "resets_at": -(-use.resets_at // 1000),
    }  # fmt: skip


def _would(call: Call, ceiling: Ceiling, uses: Sequence[Use]) -> str:
    """`run`, or the error as it would be: its status and words."""
    full = next((use for use in uses if use.left < use.rule.amount), None)
    error: GatewayError | None = limits.refuse(full) if full is not None else ledger.refusal(call, ceiling)
    return "run" if error is None else f"{error.status}: {error.message}"
