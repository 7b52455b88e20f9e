"""`/v1/completions`, the legacy one."""

from __future__ import annotations

from flask import Blueprint

from schemas.completions import CompletionsSchema

from ..dialects import openai_completions
from ..relay import exchange
from ._app import Response
from ._door import deliver, open_call, watch

blueprint = Blueprint("completions", __name__)
_schema = CompletionsSchema()


@blueprint.post("/v1/completions")
def create() -> Response:
    """A prompt continued, whole or streamed."""
    call = open_call(openai_completions, _schema, "completions")
    return deliver(exchange.run(call, watch()))
