"""`/v1/usage`: what an account has used, by day, model and key."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.gateway import Gateway


def usage(gateway: Gateway, key: str, **query: str) -> dict[str, Any]:
    answer = gateway.get("/v1/usage", key, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
    return found


def test_usage_is_the_sum_of_the_receipts(gateway: Gateway) -> None:
    _, key = gateway.account("1")
    _, other = gateway.account("1")
    gateway.chat("sandbox/echo", "not of this account", other)
    used = [gateway.chat(model, "one two three", key).json()["usage"] for model in ("sandbox/echo", "sandbox/tokens-5")]
    today = datetime.now(UTC).date().isoformat()
    spent = gateway.credits(key)["total_usage"]

    by_day = usage(gateway, key)
    assert [(row["day"], row["calls"]) for row in by_day["data"]] == [(today, 2)]
    assert by_day["total"] == {
        "calls": 2, "input_tokens": sum(one["prompt_tokens"] for one in used),
        "output_tokens": sum(one["completion_tokens"] for one in used), "cost_usd": spent,
    }  # fmt: skip
    by_model = usage(gateway, key, by="model")["data"]
    assert [(row["model"], row["calls"]) for row in by_model] == [("sandbox/echo", 1), ("sandbox/tokens-5", 1)]
    assert usage(gateway, key, by="key")["data"][0]["key"].startswith("key_")
    assert usage(gateway, key, to="2020-01-31")["data"] == [], "of another month"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"by": "prompt"}, "by"), ({"from": "yesterday"}, "from"), ({"to": "0001-01-01"}, "to"),
        ({"from": "2026-02-01", "to": "2026-01-01"}, "from"), ({"from": "2001-01-01"}, "from"),
    ],
)  # fmt: skip
def test_days_that_are_none_are_named(gateway: Gateway, query: dict[str, str], field: str) -> None:
    answer = gateway.get("/v1/usage", gateway.key, params=query)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == field
