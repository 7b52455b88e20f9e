"""`/v1/rerank`."""

from __future__ import annotations

from flask import Blueprint, Response

from schemas.rerank import RerankSchema

from ..modalities import rerank
from ..relay import exchange
from ._door import deliver, open_call, watch

blueprint = Blueprint("rerank", __name__)
_schema = RerankSchema()


@blueprint.post("/v1/rerank")
def create() -> Response:
    """Documents in the order in which they fit a question."""
    call = open_call(rerank.COMMON, _schema, "rerank")
    return deliver(exchange.run(call, watch()))
