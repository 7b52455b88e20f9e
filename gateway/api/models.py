"""`/v1/models`, `/v1beta/models`, `/v1alpha/models`: what this key may use and an enabled channel serves.

Three vendors list models at one path, each in a shape of its own; `_door.lister` tells whose is asked for.
https://platform.openai.com/docs/api-reference/models, https://platform.claude.com/docs/en/api/models-list,
https://ai.google.dev/api/models.
"""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right
from typing import Any

from flask import Blueprint, Response, g, request

from ..access.keys import may_use, permit
from ..billing import prices
from ..call import Leg, Price
from ..clock import iso
from ..errors import GatewayError
from ..routing import catalogue, channels
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
    found = [model for model in catalogue.listed(channels.current()) if may_use(g.caller, model)]
    match lister():
        case "messages":
            return answer(_anthropic_page(found))
        case "gemini":
            return answer(_gemini_page(found))
        case _:
            return answer({"object": "list", "data": [_openai(model) for model in found]})


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
    return {"id": model, "object": "model", "created": _CREATED, "owned_by": catalogue.owner(model)}


def _anthropic(model: str) -> dict[str, Any]:
    price = _price(model)
    return {
        "type": "model",
        "id": model,
        "display_name": model,
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


def _gemini(model: str) -> dict[str, Any]:
    price = _price(model)
    embeds = "embed" in model
    limits = {"inputTokenLimit": price.context, "outputTokenLimit": max(price.max_output, 1)} if price else {}
    return {
        "name": f"models/{model}",
        "version": "1",
        "displayName": model,
        **limits,
        "supportedGenerationMethods": (
            ["embedContent", "batchEmbedContents"] if embeds else ["generateContent", "countTokens"]
        ),
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
