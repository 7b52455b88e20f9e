"""`/v1/chat/completions`."""

from __future__ import annotations

from flask import Blueprint

from schemas.chat import ChatSchema

from ..dialects import openai_chat
from ..relay import exchange
from ._app import Response
from ._door import deliver, open_call, watch

blueprint = Blueprint("chat", __name__)
_schema = ChatSchema()


@blueprint.post("/v1/chat/completions")
def create() -> Response:
    """One chat completion, whole or streamed."""
    call = open_call(openai_chat, _schema, "chat")
    return deliver(exchange.run(call, watch()))
