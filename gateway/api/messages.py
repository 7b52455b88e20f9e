"""`/v1/messages` and `/v1/messages/count_tokens`. A query such as `?beta=true` means nothing here."""

from __future__ import annotations

from flask import Blueprint

from schemas.messages import CountSchema, MessagesSchema

from ..dialects import anthropic
from ..relay import counting, exchange
from ._app import Response
from ._door import deliver, open_call, watch

blueprint = Blueprint("messages", __name__)
_schema = MessagesSchema()
_count_schema = CountSchema()
_COUNT = counting.Way(lambda model: f"{anthropic.path(model, False)}/count_tokens", anthropic.encode, "input_tokens")


@blueprint.post("/v1/messages")
def create() -> Response:
    """One message, whole or streamed."""
    call = open_call(anthropic, _schema, "messages")
    return deliver(exchange.run(call, watch()))


@blueprint.post("/v1/messages/count_tokens")
def count_tokens() -> Response:
    """How many input tokens a request has; nothing is charged."""
    call = open_call(anthropic, _count_schema, "messages")
    return deliver(counting.run(call, watch(), _COUNT))
