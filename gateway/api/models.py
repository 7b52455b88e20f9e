"""`/v1/models`: what this key may use and an enabled channel serves."""

from __future__ import annotations

import orjson
from flask import Blueprint, Response, g

from ..access.keys import may_use, permit
from ..errors import GatewayError
from ..routing import catalogue, channels

blueprint = Blueprint("models", __name__)

_CREATED = 1_763_769_600
"""OpenAI's shape asks for a time; names behind routes have none, so all carry the same."""


@blueprint.get("/v1/models")
def index() -> Response:
    """All models by name, as OpenAI lists them."""
    found = [_shown(model) for model in catalogue.listed(channels.current()) if may_use(g.caller, model)]
    return _json({"object": "list", "data": found})


@blueprint.get("/v1/models/<path:model>")
def one(model: str) -> Response:
    """One model, raw or percent-encoded."""
    permit(g.caller, model)
    if not catalogue.legs(channels.current(), model):
        raise GatewayError(
            404, f"The model {model[:200]!r} does not exist here. GET /v1/models lists what does.", param="model"
        )
    return _json(_shown(model))


def _shown(model: str) -> dict[str, str | int]:
    return {"id": model, "object": "model", "created": _CREATED, "owned_by": catalogue.owner(model)}


def _json(values: object) -> Response:
    return Response(orjson.dumps(values), content_type="application/json")
