"""What a caller says of the way that a call shall take: the body's `provider`, and the header `x-gateway-route`.

The header has the same members as text, `order=openai,azure; sort=price; max_price=prompt:1,completion:4;
allow_fallbacks=no`, for clients that cannot add one to a body. Of a member that both have, the body's counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from schemas import steering

from ..call import Steer
from ..errors import GatewayError
from ..routing.steering import HEADER

_LISTS = ("order", "only", "ignore", "quantizations")
_FLAGS = ("require_parameters", "allow_fallbacks", "zdr", "enforce_distillable_text")
_WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def read(member: Mapping[str, Any] | None, header: str | None) -> Steer:
    """The wishes of a call; the member has passed its gate. Raises GatewayError 400 for a header that says nothing."""
    if not member and not header:
        return Steer()
    said = {name: value for name, value in (member or {}).items() if value is not None}
    found: dict[str, Any] = {**_parsed(header or ""), **said}
    for name in steering.UNKEPT:
        found.pop(name, None)  # it asks for nothing
    for name in _LISTS:
        if name in found:
            found[name] = tuple(one.lower() for one in found[name])
    if "max_price" in found:
        prices = found["max_price"].items()
        found["max_price"] = {name: Decimal(str(price)) for name, price in prices if price is not None}
    return Steer(**found)


def _parsed(header: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in filter(None, map(str.strip, header.split(";"))):
        name, _, value = (word.strip() for word in part.partition("="))
        words = [word.strip() for word in value.split(",") if word.strip()]
        if name in _LISTS:
            found[name] = words
        elif name in _FLAGS:
            found[name] = _WORDS.get(value.lower(), value)
        elif name == "max_price":
            found[name] = dict(word.partition(":")[::2] for word in words)
        else:
            found[name] = value
    problem = steering.wrong(found)
    while isinstance(problem, dict):
        (name, problem), *_ = problem.items()
    if problem is not None:
        raise GatewayError(400, f"{HEADER}: {name} {problem}.", param=HEADER)
    return found
