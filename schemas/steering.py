"""The gate of `provider`, the caller's wishes for the way of a call, in OpenRouter's words
(https://openrouter.ai/docs/guides/routing/provider-selection)."""

from __future__ import annotations

import re
from typing import Any

from .base import TEXT, Found, Json, Like, ranged

SORTS = ("price", "latency", "throughput")
PRICES = ("prompt", "completion", "request")
MOST_NAMES = 32
_AMOUNT = re.compile(r"\d{1,12}(?:\.\d{1,12})?")

UNKEPT: dict[str, Any] = {
    "data_collection": "allow", "quantizations": [], "zdr": False, "enforce_distillable_text": False,
}  # fmt: skip
"""What OpenRouter's clients may also ask for, and a gateway in front of others' APIs cannot promise; each with the
value that asks for nothing."""

_NAMES: Like = {"type": ["array", "null"], "maxItems": MOST_NAMES, "items": {**TEXT, "minLength": 1}}
_FLAG: Like = {"type": ["boolean", "null"]}
_PRICE: Like = {
    "anyOf": [{"type": ["number", "null"], **ranged(0, 10**9)}, {**TEXT, "pattern": f"^{_AMOUNT.pattern}$"}]
}
LIKE: Like = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": {
        "order": _NAMES, "only": _NAMES, "ignore": _NAMES,
        "sort": {"enum": [*SORTS, None]},
        "max_price": {
            "type": ["object", "null"], "additionalProperties": False, "properties": dict.fromkeys(PRICES, _PRICE),
        },
        "require_parameters": _FLAG, "allow_fallbacks": _FLAG,
        **{name: {"enum": [nothing, None]} for name, nothing in UNKEPT.items()},
    },
}  # fmt: skip


def steering() -> Json:
    """The member `provider` of a body."""
    return Json(dict, words="an object", inside=wrong, like={**LIKE, "type": ["object", "null"]})


def wrong(value: Any) -> Found:
    """What is wrong with such a wish; null is absent."""
    if type(value) is not dict:
        return "must be an object"
    for name, inner in value.items():
        if name in UNKEPT:
            if _asks(name, inner):
                return {name: "cannot be promised here: ask for providers by their names in only or ignore"}
            continue
        if name not in _CHECKS:
            return {name: f"is not known here: use {', '.join(_CHECKS)}"}
        found = _CHECKS[name](inner) if inner is not None else None
        if found is not None:
            return {name: found}
    return None


def _asks(name: str, value: Any) -> bool:
    """Whether a wish that cannot be kept asks for anything."""
    nothing = UNKEPT[name]
    return value is not None and (type(value) is not type(nothing) or value != nothing)


def _names(value: Any) -> Found:
    fits = type(value) is list and len(value) <= MOST_NAMES and all(type(one) is str and one for one in value)
    return None if fits else f"must be an array of at most {MOST_NAMES} names of channels, providers or namespaces"


def _sort(value: Any) -> Found:
    return None if type(value) is str and value in SORTS else f"must be one of {', '.join(SORTS)}"


def _prices(value: Any) -> Found:
    if type(value) is not dict:
        return "must be an object"
    for name, price in value.items():
        if name not in PRICES:
            return {name: f"is not known here: use {', '.join(PRICES)}"}
        amount = type(price) in (int, float) and 0 <= price <= 10**9
        if price is not None and not amount and not (type(price) is str and _AMOUNT.fullmatch(price)):
            return {name: "must be an amount of dollars"}
    return None


def _flag(value: Any) -> Found:
    return None if type(value) is bool else "must be true or false"


_CHECKS = {
    "order": _names, "only": _names, "ignore": _names, "sort": _sort, "max_price": _prices,
    "require_parameters": _flag, "allow_fallbacks": _flag,
}  # fmt: skip
