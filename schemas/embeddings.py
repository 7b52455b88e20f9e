"""The gates of `/v1/embeddings` (https://platform.openai.com/docs/api-reference/embeddings/create) and of Google's
`:embedContent` and `:batchEmbedContents` (https://ai.google.dev/api/embeddings)."""

from __future__ import annotations

from typing import Any

from .base import Json, WireSchema, names, obj, text, texts_or_tokens, whole

MOST_DIMENSIONS = 65_536


class EmbeddingsSchema(WireSchema):
    """OpenAI's fields."""

    model = text(required=True)
    input = texts_or_tokens()
    dimensions = whole(1, MOST_DIMENSIONS)
    encoding_format = text()
    user = text()
    models = names()
    provider = obj()


class EmbedContentSchema(WireSchema):
    """Google's fields for one content."""

    content = Json(
        str, dict, words="an object with parts", test=bool, required=True, like={"minLength": 1, "minProperties": 1}
    )
    outputDimensionality = whole(1, MOST_DIMENSIONS)
    output_dimensionality = whole(1, MOST_DIMENSIONS)


class BatchEmbedContentsSchema(WireSchema):
    """Google's fields for several."""

    requests = Json(
        list,
        words="an array of at least one object with a content, and dimensions from 1 to 65536",
        test=lambda value: bool(value) and all(map(_fits, value)),
        required=True,
        like={"minItems": 1, "items": {"$ref": "#/components/schemas/EmbedContentRequest"}},
    )


def _fits(request: Any) -> bool:
    return type(request) is dict and not EmbedContentSchema().validate(request)
