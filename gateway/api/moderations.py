"""`/v1/moderations`."""

from __future__ import annotations

from flask import Blueprint, Response

from schemas.moderations import ModerationsSchema

from ..modalities import moderation
from ..relay import exchange
from ._door import deliver, open_call, watch

blueprint = Blueprint("moderations", __name__)
_schema = ModerationsSchema()


@blueprint.post("/v1/moderations")
def create() -> Response:
    """Whether texts or images are harmful, and in what way."""
    call = open_call(moderation.OPENAI, _schema, "moderations")
    return deliver(exchange.run(call, watch()))
