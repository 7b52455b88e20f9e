"""Pages of a list in OpenAI's shape: what a request says of them, and what is answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import request

from ..errors import GatewayError

_T = TypeVar("_T")


def limit(usual: int, most: int) -> int:
    """How many are wanted. Raises GatewayError 400."""
    asked = request.args.get("limit", str(usual))
    if not re.fullmatch("[0-9]{1,6}", asked) or not 1 <= int(asked) <= most:
        raise GatewayError(400, f"limit must be a whole number from 1 to {most}.", param="limit")
    return int(asked)


def newest() -> bool:
    """Whether the newest come first. Raises GatewayError 400."""
    order = request.args.get("order", "desc")
    if order not in ("asc", "desc"):
        raise GatewayError(400, "order must be asc or desc.", param="order")
    return order == "desc"


def page(found: Sequence[_T], most: int, shown: Callable[[_T], dict[str, Any]]) -> dict[str, Any]:
    """A page of what was found, of which there may be one more than fits."""
    data = [shown(one) for one in found[:most]]
    return {
        "object": "list", "data": data, "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None, "has_more": len(found) > most,
    }  # fmt: skip
