"""The gate of `/v1/rerank`, in the shape that Jina's (https://jina.ai/reranker) and Cohere's share."""

from __future__ import annotations

from .base import Json, WireSchema, flag, names, text, whole
from .steering import steering

MOST_DOCUMENTS = 10_000


class RerankSchema(WireSchema):
    """The fields that the gateway reads."""

    model = text(required=True)
    query = text(required=True)
    documents = Json(
        list, words=f"an array of 1 to {MOST_DOCUMENTS} strings or objects",
        test=lambda value: 0 < len(value) <= MOST_DOCUMENTS and all(type(one) in (str, dict) for one in value),
        required=True,
        like={"minItems": 1, "maxItems": MOST_DOCUMENTS, "items": {"type": ["string", "object"]}},
    )  # fmt: skip
    top_n = whole(1)
    return_documents = flag()
    models = names()
    provider = steering()
