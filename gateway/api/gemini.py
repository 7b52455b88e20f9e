"""Gemini's methods: `/v1beta/models/{model}:generateContent` and its sisters, under `/v1` and `/v1alpha` too.

A model may have slashes, raw or quoted, and stand without `models/`. A method is one row in `METHODS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from flask import Blueprint, request
from werkzeug.routing import BaseConverter

from schemas.embeddings import BatchEmbedContentsSchema, EmbedContentSchema
from schemas.gemini import CountSchema, GeminiSchema

from ..dialects import gemini
from ..dialects.gemini import array, count
from ..errors import GatewayError
from ..modalities import embeddings
from ..relay import counting, exchange
from ._app import Response
from ._door import answer_error, deliver, open_call, watch

blueprint = Blueprint("gemini", __name__)
_schema = GeminiSchema()
_count_schema = CountSchema()
_embed_schema, _batch_schema = EmbedContentSchema(), BatchEmbedContentsSchema()
_COUNT = counting.Way(count.path, count.encode, "totalTokens")
_PUBLISHED = re.compile(r"publishers/([^/]+)/models/(.+)")


def _generate(model: str) -> Response:
    """One answer, whole."""
    call = open_call(gemini, _schema, "gemini", {"model": model, "stream": False})
    return deliver(exchange.run(call, watch()))


def _stream(model: str) -> Response:
    """One answer, streamed: as SSE where that is asked for, else as a JSON array."""
    call = open_call(gemini, _schema, "gemini", {"model": model, "stream": True})
    reply = exchange.run(call, watch())
    if _wants_array() and isinstance(reply.body, Iterator):
        reply = replace(reply, content_type="application/json; charset=utf-8", body=array.Elements(reply.body))
    elif _wants_array() and isinstance(reply.body, bytes) and not call.dry:  # an error that is told once more
        reply = replace(reply, body=b"[" + reply.body + b"]")
    return deliver(reply)


def _count(model: str) -> Response:
    """The tokens of a request: as a provider of the model counts them, else estimated."""
    call = open_call(gemini, _count_schema, "gemini", {"model": model, "stream": False})
    return deliver(counting.run(call, watch(), _COUNT))


def _embed(model: str) -> Response:
    """The vector of one content."""
    call = open_call(embeddings.EMBED_CONTENT, _embed_schema, "gemini", {"model": model})
    return deliver(exchange.run(call, watch()))


def _embed_several(model: str) -> Response:
    """A vector for each of several contents."""
    call = open_call(embeddings.BATCH_EMBED_CONTENTS, _batch_schema, "gemini", {"model": model})
    return deliver(exchange.run(call, watch()))


METHODS: dict[str, Callable[[str], Response]] = {
    "generateContent": _generate,
    "streamGenerateContent": _stream,
    "countTokens": _count,
    "embedContent": _embed,
    "batchEmbedContents": _embed_several,
}
"""What can be done with a model, by Google's names."""


class Target(BaseConverter):
    """`{model}:{method}` at the end of a path, for the methods that are known."""

    regex = rf"[^/].*:(?:{'|'.join(METHODS)})"
    part_isolating = False
    weight = 200


# The converter must be known before the first rule that uses it.
blueprint.record_once(lambda state: state.app.url_map.converters.update(target=Target))


@blueprint.post("/v1beta/<target:target>")
@blueprint.post("/v1/<target:target>")
@blueprint.post("/v1alpha/<target:target>")
def method(target: str) -> Response:
    """A method of a model."""
    model, _, name = target.rpartition(":")
    return METHODS[name](_named(model))


def _named(resource: str) -> str:
    """The model that a path names. `publishers/{author}/models/{model}` is how Google's SDKs write `author/model`."""
    published = _PUBLISHED.fullmatch(resource)
    if published is None:
        return resource.removeprefix("models/")
    author, model = published.groups()
    return model if author == "google" and "/" in model else f"{author}/{model}"


def _wants_array() -> bool:
    return request.args.get("alt") != "sse" and "text/event-stream" not in request.headers.get("Accept", "")


@blueprint.errorhandler(GatewayError)
def told(error: GatewayError) -> Response:
    """An error; who reads an array finds it as its only element, as with Google."""
    response = answer_error(error)
    if request.path.endswith(":streamGenerateContent") and _wants_array():
        assert isinstance(response.body, bytes)
        response.body = b"[" + response.body + b"]"
    return response
