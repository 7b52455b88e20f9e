"""What OpenAPI says of bodies: of requests by their gates, of replies by `replies`.

apispec reads the gates and keeps the document; nobody else imports it, and nobody imports this room before the
document is asked for.
"""

from __future__ import annotations

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from . import (
    audio,
    batches,
    chat,
    completions,
    embeddings,
    files,
    gemini,
    images,
    messages,
    moderations,
    replies,
    rerank,
    responses,
    tasks,
)
from .base import File, Json, Like, WireSchema

GATES: dict[str, type[WireSchema]] = {
    "ChatRequest": chat.ChatSchema,
    "BatchesRequest": batches.BatchesSchema,
    "CompletionRequest": completions.CompletionsSchema,
    "EmbeddingsRequest": embeddings.EmbeddingsSchema,
    "ImagesRequest": images.ImagesSchema,
    "ImageEditRequest": images.EditSchema,
    "ImageVariationRequest": images.VariationSchema,
    "SpeechRequest": audio.SpeechSchema,
    "TranscriptionRequest": audio.TranscriptionSchema,
    "ModerationsRequest": moderations.ModerationsSchema,
    "RerankRequest": rerank.RerankSchema,
    "VideosRequest": tasks.VideosSchema,
    "RemixRequest": tasks.RemixSchema,
    "MusicRequest": tasks.MusicSchema,
    "MidjourneyRequest": tasks.MidjourneySchema,
    "SunoRequest": tasks.SunoSchema,
    "TaskRequest": tasks.TaskSchema,
    "ResponsesRequest": responses.ResponsesSchema,
    "CompactRequest": responses.CompactSchema,
    "InputTokensRequest": responses.InputTokensSchema,
    "MessagesRequest": messages.MessagesSchema,
    "CountMessageTokensRequest": messages.CountSchema,
    "GenerateContentRequest": gemini.GeminiSchema,
    "CountTokensRequest": gemini.CountSchema,
    "EmbedContentRequest": embeddings.EmbedContentSchema,
    "BatchEmbedContentsRequest": embeddings.BatchEmbedContentsSchema,
}
"""The gates by the names that the document gives to what passes them."""


def begin(title: str, version: str, **rest: Any) -> APISpec:
    """A document without paths, with all bodies as components. rest: further members of its top level."""
    plugin = MarshmallowPlugin()
    spec = APISpec(title, version, "3.1.0", plugins=(plugin,), **rest)
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(_like)  # type: ignore[no-untyped-call]
    for name, gate in GATES.items():
        if gate().fields:
            spec.components.schema(name, {**gate.LIKE}, schema=gate)
        else:
            spec.components.schema(name, {**gate.LIKE})
    named = (gemini.NAMED, audio.NAMED, files.NAMED, images.NAMED, tasks.NAMED, replies.REPLIES)
    for name, like in (pair for some in named for pair in some.items()):
        spec.components.schema(name, like)
    return spec


def _like(converter: Any, field: Any, ret: Any) -> Like:
    """A field of a gate, as apispec's converter asks for it."""
    return field.like if isinstance(field, Json | File) else {}
