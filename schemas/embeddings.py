"""The gates of `/v1/embeddings` (https://platform.openai.com/docs/api-reference/embeddings/create) and of Google's
`:embedContent` and `:batchEmbedContents` (https://ai.google.dev/api/embeddings)."""

from __future__ import annotations

from typing import Any

from .base import Found, Json, WireSchema, an_object, every, names, text, texts_or_tokens, whole
from .gemini import CONTENT
from .steering import steering

MOST_DIMENSIONS = 65_536


class EmbeddingsSchema(WireSchema):
    """OpenAI's fields."""

    model = text(required=True)
    input = texts_or_tokens()
    dimensions = whole(1, MOST_DIMENSIONS)
    encoding_format = text()
    user = text()
    models = names()
    provider = steering()


class EmbedContentSchema(WireSchema):
    """Google's fields for one content."""

    content = Json(
        str, dict, words="an object with parts", test=bool, required=True,
        inside=lambda value: CONTENT.check(value) if type(value) is dict else None,
        like={"minLength": 1, "minProperties": 1, "anyOf": [{"type": "string"}, CONTENT.like]},
    )  # fmt: skip
    outputDimensionality = whole(1, MOST_DIMENSIONS)
    output_dimensionality = whole(1, MOST_DIMENSIONS)


_embed_content = EmbedContentSchema()


def _wrong_request(request: dict[str, Any]) -> Found:
    return dict(_embed_content.validate(request)) or None


class BatchEmbedContentsSchema(WireSchema):
    """Google's fields for several."""

    requests = Json(
        list,
        words="an array of at least one request",
        test=bool,
        inside=every(an_object(_wrong_request)),
        required=True,
        like={"minItems": 1, "items": {"$ref": "#/components/schemas/EmbedContentRequest"}},
    )
