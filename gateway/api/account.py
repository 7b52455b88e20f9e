"""`/v1/credits`, `/v1/usage` and `/v1/generation`: what an account has left, has used, and what one call cost."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import orjson
from flask import Blueprint, g, request

import models.account
import models.receipt
from models.base import session
from models.receipt import Used

from ..clock import day, now_ms
from ..errors import GatewayError
from ..money import usd
from ..tasks.views import names
from ._app import Response
from ._door import answer

blueprint = Blueprint("account", __name__)


def _money(nanos: int) -> orjson.Fragment:
    return orjson.Fragment(usd(nanos))


@blueprint.get("/v1/credits")
def credits() -> Response:
    """All grants ever, settled charges, what is left of them, and what running calls hold."""
    with session():
        granted, spent, held = models.account.wallet(g.caller.account_id)
    data = {
        "total_credits": _money(granted), "total_usage": _money(spent), "balance": _money(granted - spent),
        "held": _money(held),
    }  # fmt: skip
    return answer({"data": data})


DAYS, MOST_DAYS = 30, 400


@blueprint.get("/v1/usage")
def usage() -> Response:
    """What the account has used: calls, tokens and cost by day, model or key. Days are UTC's, the last thirty unless
    `from` and `to` say others."""
    by = request.args.get("by", "day")
    if by not in models.receipt.BY:
        raise GatewayError(400, f"by must be one of {', '.join(models.receipt.BY)}.", param="by")
    last = _day("to", date.fromisoformat(day(now_ms())))
    first = _day("from", last - timedelta(DAYS - 1))
    if not 0 <= (last - first).days < MOST_DAYS:
        raise GatewayError(400, f"from must be a day before to, at most {MOST_DAYS} days in all.", param="from")
    with session():
        found = models.receipt.usage(g.caller.account_id, first.isoformat(), last.isoformat(), by)
    all_of = Used(
        "total", sum(one.calls for one in found), sum(one.input_tokens for one in found),
        sum(one.output_tokens for one in found), sum(one.nanos for one in found),
    )  # fmt: skip
    return answer({
        "object": "list", "from": first.isoformat(), "to": last.isoformat(), "by": by,
        "data": [{by: one.name, **_used(one)} for one in found],
        "total": _used(all_of),
    })  # fmt: skip


def _day(name: str, default: date) -> date:
    text = request.args.get(name)
    if text is None:
        return default
    try:
        found = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  # a day has no zone
    except ValueError:
        found = date.min
    if found.year < 2000:
        raise GatewayError(400, f"{name} must be a day, as in {name}=2026-11-22.", param=name)
    return found


def _used(one: Used) -> dict[str, Any]:
    return {
        "calls": one.calls, "input_tokens": one.input_tokens, "output_tokens": one.output_tokens,
        "cost_usd": _money(one.nanos),
    }  # fmt: skip


@blueprint.get("/v1/generation")
def generation() -> Response:
    """The receipt of one call of this account. Another account's is as unknown as one that never was."""
    wanted = request.args.get("id", "")
    if not wanted:
        raise GatewayError(400, "id must be the id of a generation, as in ?id=chatcmpl-….", param="id")
    with session():
        found = models.receipt.find(g.caller.account_id, *names(wanted))
    if found is None:
        raise GatewayError(404, f"There is no generation {wanted[:80]!r} in this account.", param="id")
    return answer({"data": _shown(found)})


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    detail = json.loads(row["detail"])
    return {
        "id": row["id"],
        "object": "generation",
        "model": row["model"],
        "provider": row["provider"],
        "channel": row["channel"],
        "upstream_model": row["upstream_model"],
        "upstream_id": row["upstream_id"],
        "created": row["created_at"] // 1000,
        "surface": row["surface"],
        "streamed": bool(row["streamed"]),
        "finish_reason": row["finish"],
        "status": row["status"],
        "attempts": detail["attempts"],
        "tokens": {"input": 0, "cached_read": 0, "cache_write": 0, "output": 0, "reasoning": 0, **detail["tokens"]},
        "units": detail["units"],
        "usage_source": "reported" if row["reported"] else "estimated",
        "partial": bool(row["partial"]),
        "overrun": bool(row["overrun"]),
        "price_version": row["price_version"],
        "service_tier": detail.get("tier"),
        "cost_usd": _money(row["cost_nanos"]),
        "cost": {name: _money(nanos) for name, nanos in detail["cost"].items()},
        "cache_saving_usd": _money(detail.get("saved", 0)),
        "latency_ms": row["latency_ms"],
        "first_event_ms": row["first_event_ms"],
        "losses": detail["losses"],
    }
