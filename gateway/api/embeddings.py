"""`/v1/embeddings`."""

from __future__ import annotations

from flask import Blueprint

from schemas.embeddings import EmbeddingsSchema

from ..modalities import embeddings
from ..relay import exchange
from ._app import Response
from ._door import deliver, open_call, watch

blueprint = Blueprint("embeddings", __name__)
_schema = EmbeddingsSchema()


@blueprint.post("/v1/embeddings")
def create() -> Response:
    """A vector for each input."""
    call = open_call(embeddings.OPENAI, _schema, "embeddings")
    return deliver(exchange.run(call, watch()))
