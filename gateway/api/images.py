"""`/v1/images`: images made, and those that were made."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g

import models.receipt
from models.base import session
from schemas.images import EditSchema, ImagesSchema, VariationSchema

from .. import store
from ..modalities import images
from ..relay import exchange
from ..tasks.views import names
from . import _content
from ._app import Response
from ._door import answer, deliver, open_call, watch

blueprint = Blueprint("images", __name__)
_generate, _edit, _vary = ImagesSchema(), EditSchema(), VariationSchema()
_content.serve(blueprint, "images")


@blueprint.post("/v1/images/generations")
def generations() -> Response:
    """Images from words, whole or streamed while they are made."""
    return deliver(exchange.run(open_call(images.GENERATIONS, _generate, "images"), watch()))


@blueprint.post("/v1/images/edits")
def edits() -> Response:
    """Images from images and words: a form with files, or JSON."""
    return deliver(exchange.run(open_call(images.EDITS, _edit, "images.edits", forms=True), watch()))


@blueprint.post("/v1/images/variations")
def variations() -> Response:
    """Variations of an image, by the models that make them."""
    return deliver(exchange.run(open_call(images.VARIATIONS, _vary, "images.variations", forms=True), watch()))


@blueprint.get("/v1/images/<identity>")
def retrieve(identity: str) -> Response:
    """The images that one call has made, as long as they are kept."""
    found = _content.files("images", identity)
    with session():
        receipt = models.receipt.find(g.caller.account_id, *names(identity))
    shown: dict[str, Any] = {
        "id": identity,
        "object": "image",
        "created": found[0].created_at // 1000,
        "model": receipt["model"] if receipt is not None else None,
        "expires_at": found[0].expires_at // 1000,
        "data": [
            {"url": store.url(one), "mime_type": one.media_type, "bytes": one.bytes, "index": one.number}
            for one in found
        ],
    }
    return answer(shown)
