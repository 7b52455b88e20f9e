"""`/v1/models`, `/v1beta/models`, `/v1alpha/models`: what this key may use and an enabled channel serves.

Three vendors list models at one path, each in a shape of its own; `_door.lister` tells whose is asked for.
https://platform.openai.com/docs/api-reference/models, https://platform.claude.com/docs/en/api/models-list,
https://ai.google.dev/api/models. To OpenAI's shape come facts and prices by the names that OpenRouter has for them
(https://openrouter.ai/docs/api-reference/list-available-models), and how many models each author has.
"""

from __future__ import annotations

import base64
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection
from typing import Any

import orjson
from flask import Blueprint, g, request

from .. import book
from ..access.keys import may_use
from ..billing import prices
from ..call import Leg, Price
from ..clock import iso
from ..errors import GatewayError
from ..money import NANOS, plain
from ..relay.admission import permit
from ..routing import catalogue, channels
from ._app import Response
from ._door import answer, lister

blueprint = Blueprint("models", __name__)

_CREATED = 1_763_769_600
"""All shapes but Google's ask for a time; names behind routes have none, so all carry the same."""

_MOST = 1_000
_ANTHROPIC_PAGE, _GEMINI_PAGE = 20, 50


@blueprint.get("/v1/models")
@blueprint.get("/v1beta/models")
@blueprint.get("/v1alpha/models")
def index() -> Response:
    """All models by name, as whoever asks lists them."""
    every = _listing()
    found = [model for model in every if may_use(g.caller, (model,))]
    if other := {name for name in g.caller.models if _called(name, every) and may_use(g.caller, (name,))}:
        found = sorted(other.union(found))
    match lister():
        case "messages":
            return answer(_anthropic_page(found))
        case "gemini":
            return answer(_gemini_page(found))
        case _:
            authors = Counter(map(catalogue.owner, found))
            data = [orjson.Fragment(every[model]) if model in every else _openai(model) for model in found]
            return answer({"object": "list", "data": data, "authors": dict(sorted(authors.items()))})


def _called(name: str, every: Collection[str]) -> bool:
    """Whether a name that a key is bound to is another one of a model's, by which it can be called and listed."""
    return not set("*?[") & set(name) and name not in every and bool(catalogue.legs(channels.current(), name))


_rows: dict[str, bytes] = {}
_rows_of: tuple[object, object] = (None, None)


def _listing() -> dict[str, bytes]:
    """All names that can be listed, in order, with their rows: made once for each change of channels and prices."""
    global _rows, _rows_of
    state = (channels.current(), prices.by_operator())
    if _rows_of[0] is not state[0] or _rows_of[1] is not state[1]:
        made: dict[str, bytes] = {}
        for place, model in enumerate(catalogue.listed(channels.current())):
            made[model] = orjson.dumps(_openai(model))
            if place % _BREATH == 0:
                time.sleep(1e-6)  # there may be thousands: let the event loop look at its sockets
        _rows, _rows_of = made, state
    return _rows


_BREATH = 20


@blueprint.get("/v1/models/<path:model>")
@blueprint.get("/v1beta/models/<path:model>")
@blueprint.get("/v1alpha/models/<path:model>")
def one(model: str) -> Response:
    """One model, raw or percent-encoded."""
    permit(g.caller, model)
    if not catalogue.legs(channels.current(), model):
        raise GatewayError(
            404, f"The model {model[:200]!r} does not exist here. GET /v1/models lists what does.", param="model"
        )
    match lister():
        case "messages":
            return answer(_anthropic(model))
        case "gemini":
            return answer(_gemini(model))
        case _:
            return answer(_openai(model))


def _openai(model: str) -> dict[str, Any]:
    row = {"id": model, "object": "model", "created": _CREATED, "owned_by": catalogue.owner(model)}
    price = _price(model)
    if price is not None:
        row |= {"context_length": price.context, "pricing": _pricing(price)}
        row["top_provider"] = {"context_length": price.context, "max_completion_tokens": price.max_output or None}
    known = _known(model)
    if known is not None:
        row |= {
            "owned_by": known.author,
            "canonical_slug": known.id,
            "name": known.name,
            "mode": known.mode,
            "architecture": {
                "modality": f"{'+'.join(known.takes)}->{'+'.join(known.makes)}",
                "input_modalities": known.takes,
                "output_modalities": known.makes,
            },
            "capabilities": known.can,
            "supported_parameters": [name for word in known.can for name in _PARAMETERS.get(word, ())],
            "expiration_date": known.retires,
        }
    return row


def _known(model: str) -> book.Model | None:
    """What the book says of a name; nothing where the name is a route's."""
    return book.current().models.get(catalogue.canonical(channels.current(), model))


_PARAMETERS = {
    "tools": ("tools", "tool_choice"), "parallel_tools": ("parallel_tool_calls",),
    "schema": ("response_format", "structured_outputs"), "reasoning": ("reasoning", "include_reasoning"),
    "web_search": ("web_search_options",),
}  # fmt: skip
"""What can be asked for where a model has a capability."""

_CLASSES = {
    "prompt": "input", "completion": "output", "internal_reasoning": "reasoning", "input_cache_read": "cached_read",
    "input_cache_write": "cache_write", "input_cache_write_1h": "cache_write_1h", "audio": "audio_in",
    "audio_output": "audio_out", "image_output": "image_out",
}  # fmt: skip
"""OpenRouter's names for classes of tokens, and ours."""


def _pricing(price: Price) -> dict[str, str]:
    """Dollars as decimal text: a token by class, each time by fee, and each of what is sold by the piece."""
    found = {"prompt": "0", "completion": "0"}
    for name, bucket in _CLASSES.items():
        if bucket in price.rates:
            found[name] = plain(price.rates[bucket] / NANOS)
    return found | {kind: plain(nanos / NANOS) for kind, nanos in (*price.fees.items(), *price.units.items())}


def _anthropic(model: str) -> dict[str, Any]:
    price = _price(model)
    return {
        "type": "model",
        "id": model,
        "display_name": known.name if (known := _known(model)) is not None else model,
        "created_at": iso(_CREATED * 1_000),
        "lifecycle": "active",
        "max_input_tokens": price.context if price else None,
        "max_tokens": price.max_output if price else None,
    }


def _anthropic_page(found: list[str]) -> dict[str, Any]:
    """A page of a sorted list: after one name, before one, or from the start. Names need not be there any more."""
    size = _number("limit", _ANTHROPIC_PAGE, 1)
    after, before = request.args.get("after_id"), request.args.get("before_id")
    if after is not None and before is not None:
        raise GatewayError(400, "after_id and before_id exclude each other. Send one of them.", param="before_id")
    if before is not None:
        left = found[: bisect_left(found, before)]
        page, more = left[-size:], len(left) > size
    else:
        left = found[bisect_right(found, after) :] if after is not None else found
        page, more = left[:size], len(left) > size
    return {
        "data": [_anthropic(model) for model in page],
        "has_more": more,
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }


_METHODS = {
    "chat": ["generateContent", "countTokens"], "completion": ["generateContent", "countTokens"],
    "embedding": ["embedContent", "batchEmbedContents"],
}  # fmt: skip


def _gemini(model: str) -> dict[str, Any]:
    price = _price(model)
    known = _known(model)
    mode = known.mode if known is not None else "embedding" if "embed" in model else "chat"
    limits = {"inputTokenLimit": price.context, "outputTokenLimit": max(price.max_output, 1)} if price else {}
    return {
        "name": f"models/{model}",
        "version": "1",
        "displayName": known.name if known is not None else model,
        **limits,
        "supportedGenerationMethods": _METHODS.get(mode, []),
    }


def _gemini_page(found: list[str]) -> dict[str, Any]:
    """A page of a sorted list; the token names the last model of the page before."""
    size = _number("pageSize", _GEMINI_PAGE, 0) or _GEMINI_PAGE
    token = request.args.get("pageToken", "")
    if token:
        try:
            found = found[bisect_right(found, base64.b64decode(token, b"-_", validate=True).decode()) :]
        except ValueError:
            raise GatewayError(
                400, "pageToken must be the nextPageToken of a page before.", param="pageToken"
            ) from None
    page = found[:size]
    shown: dict[str, Any] = {"models": [_gemini(model) for model in page]}
    if len(found) > size:
        shown["nextPageToken"] = base64.urlsafe_b64encode(page[-1].encode()).decode()
    return shown


def _number(name: str, default: int, least: int) -> int:
    """A size of the query; what is above the most that a page holds is cut to it."""
    given = request.args.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 10 and int(given) >= least):
        raise GatewayError(400, f"{name} must be a whole number from {least} to {_MOST}.", param=name)
    return min(int(given), _MOST)


def _price(model: str) -> Price | None:
    channel, upstream = catalogue.legs(channels.current(), model)[0]
    return prices.of_leg(Leg(channel=channel, model=upstream, dialect="chat"), model)
