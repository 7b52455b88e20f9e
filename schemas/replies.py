"""Replies as JSON Schema: what the gateway guarantees of them, whoever has made them, and what is usually there.

Required is what every reply has. A provider's further members pass, so none is closed.
https://platform.openai.com/docs/api-reference, https://platform.claude.com/docs/en/api/messages,
https://ai.google.dev/api/generate-content.
"""

from __future__ import annotations

from .base import OBJECT, TEXT, Like, having

_WHOLE: Like = {"type": "integer"}
_COUNT: Like = {"type": "integer", "minimum": 0}
_NUMBER: Like = {"type": "number"}
_USD: Like = {"type": "number", "description": "Dollars, with all their digits."}
_FLAG: Like = {"type": "boolean"}
_OBJECTS: Like = {"type": "array", "items": OBJECT}
_TEXTS: Like = {"type": "array", "items": TEXT}
_MAYBE_TEXT: Like = {"type": ["string", "null"]}
_MAYBE_COUNT: Like = {"type": ["integer", "null"], "minimum": 0}
_MAYBE_OBJECT: Like = {"type": ["object", "null"]}


def _reply(*required: str, **members: Like) -> Like:
    return {"type": "object", "properties": members, **({"required": list(required)} if required else {})}


def _list(name: str, **members: Like) -> Like:
    """A list of a component in `data`."""
    data: Like = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
    return _reply("data", data=data, **members)


_choice = _reply(
    index=_WHOLE,
    finish_reason=_MAYBE_TEXT,
    logprobs=_MAYBE_OBJECT,
    text={"type": "string", "description": "Of a completion."},
    message={
        "description": "Of a chat.",
        **_reply(role=TEXT, content={"type": ["string", "array", "null"]}, tool_calls={"type": ["array", "null"]}),
    },
)
_choices: Like = {"type": "array", "minItems": 1, "items": _choice}
_tokens = _reply(prompt_tokens=_COUNT, completion_tokens=_COUNT, total_tokens=_COUNT)
_usage: Like = {**_tokens, "type": ["object", "null"]}
_completion: Like = {
    "id": TEXT,
    "object": TEXT,
    "created": _NUMBER,
    "model": TEXT,
    "choices": _choices,
    "usage": _usage,
}

_error = {"message": TEXT, "type": TEXT}
_of_openai: Like = {
    "type": "object",
    **having(
        error=_reply(
            "message", "type", "code", "request_id", **_error, code=_WHOLE, param=TEXT, provider_code=TEXT,
            request_id=TEXT,
        )
    ),
}  # fmt: skip
_of_anthropic: Like = {
    "type": "object",
    **having(type={"const": "error"}, error=_reply("message", "type", **_error), request_id=TEXT),
}
_of_google: Like = {
    "type": "object",
    **having(
        error=_reply(
            "code", "message", "status", "details", code=_WHOLE, message=TEXT, status=TEXT, details=_OBJECTS
        )
    ),
}  # fmt: skip

ERRORS = {"chat": "Error", "messages": "MessagesError", "gemini": "GeminiError"}
"""The components for the errors of each envelope, by its dialect."""

REPLIES: dict[str, Like] = {
    "ChatCompletion": _reply("id", "model", "choices", **_completion),
    "Completion": _reply("id", "model", "choices", **_completion),
    "EmbeddingList": _reply(
        "data", "model", object=TEXT, model=TEXT, usage=_usage,
        data={
            "type": "array",
            "items": _reply("embedding", index=_WHOLE, object=TEXT, embedding={
                "type": ["array", "string"], "items": _NUMBER, "description": "Numbers, or base64 of 32-bit floats.",
            }),
        },
    ),
    "Moderations": _reply(
        "id", "model", "results", id=TEXT, model=TEXT, usage=_MAYBE_OBJECT,
        results={"type": "array", "minItems": 1, "items": _reply(
            flagged=_FLAG, categories=OBJECT, category_scores=OBJECT, category_applied_input_types=OBJECT,
        )},
    ),
    "Ranking": _reply(
        "id", "model", "results", id=TEXT, model=TEXT, usage=_MAYBE_OBJECT, meta=_MAYBE_OBJECT,
        results={"type": "array", "items": _reply(
            "index", "relevance_score", index=_COUNT, relevance_score=_NUMBER,
            document={"type": ["object", "string", "null"]},
        )},
    ),
    "Transcription": _reply(
        "text", text=TEXT, language=_MAYBE_TEXT, duration={"type": ["number", "string"]},
        segments={"type": ["array", "null"]}, words={"type": ["array", "null"]}, usage=_MAYBE_OBJECT,
    ),
    "Images": _reply(
        "id", "created", "data", id=TEXT, created=_COUNT, usage=_MAYBE_OBJECT,
        data={
            "type": "array", "minItems": 1,
            "items": _reply(url={**TEXT, "description": "Ours; it needs the key."}, b64_json=TEXT, revised_prompt=TEXT),
        },
    ),
    "KeptImages": _reply(
        "id", "object", "created", "data", id=TEXT, object=TEXT, created=_COUNT, model=_MAYBE_TEXT, expires_at=_COUNT,
        data={
            "type": "array", "minItems": 1,
            "items": _reply("url", "index", url=TEXT, mime_type=TEXT, bytes=_COUNT, index=_COUNT),
        },
    ),
    "Sound": {"type": "string", "contentMediaType": "audio/mpeg", "description": "Sound in `response_format`."},
    "Response": _reply(
        "id", "model", "output", "output_text", id=TEXT, object=TEXT, created_at=_NUMBER, model=TEXT, status=TEXT,
        output=_OBJECTS, output_text=TEXT, previous_response_id=_MAYBE_TEXT,
        usage={**_reply(input_tokens=_COUNT, output_tokens=_COUNT, total_tokens=_COUNT), "type": ["object", "null"]},
    ),
    "KeptResponse": _reply("id", id=TEXT, object=TEXT, model=TEXT, status=TEXT, output=_OBJECTS, output_text=TEXT),
    "CompactedResponse": _reply("id", "output", id=TEXT, object=TEXT, output=_OBJECTS, usage=_MAYBE_OBJECT),
    "DeletedResponse": _reply("id", id=TEXT, object=TEXT, deleted=_FLAG),
    "ResponseItems": _reply(object=TEXT, data=_OBJECTS, has_more=_FLAG),
    "InputTokens": _reply("input_tokens", input_tokens=_COUNT, object=TEXT),
    "Message": _reply(
        "id", "model", "content", id=TEXT, type=TEXT, role=TEXT, model=TEXT, content=_OBJECTS, stop_reason=_MAYBE_TEXT,
        stop_sequence=_MAYBE_TEXT, usage=_reply(input_tokens=_MAYBE_COUNT, output_tokens=_MAYBE_COUNT),
    ),
    "MessageTokens": _reply("input_tokens", input_tokens=_COUNT),
    "GenerateContentResponse": _reply(
        responseId=TEXT, modelVersion=TEXT, promptFeedback=OBJECT,
        candidates={"type": "array", "items": _reply(
            index=_WHOLE, finishReason={"type": ["string", "integer"]}, content=_reply(role=TEXT, parts=_OBJECTS),
        )},
        usageMetadata=_reply(promptTokenCount=_COUNT, candidatesTokenCount=_COUNT, totalTokenCount=_COUNT),
    ),
    "CountTokensResponse": _reply("totalTokens", totalTokens=_COUNT),
    "EmbedContentResponse": _reply("embedding", embedding=_reply(values={"type": "array", "items": _NUMBER})),
    "BatchEmbedContentsResponse": _reply(
        "embeddings", embeddings={"type": "array", "items": _reply(values={"type": "array", "items": _NUMBER})}
    ),
    "Model": _reply("id", "object", "created", "owned_by", id=TEXT, object=TEXT, created=_WHOLE, owned_by=TEXT),
    "ModelList": _list("Model", object=TEXT),
    "MessagesModel": _reply(
        "type", "id", "display_name", "created_at", type=TEXT, id=TEXT, display_name=TEXT, created_at=TEXT,
        max_input_tokens=_MAYBE_COUNT, max_tokens=_MAYBE_COUNT,
    ),
    "MessagesModelList": {
        **(page := _list("MessagesModel", has_more=_FLAG, first_id=_MAYBE_TEXT, last_id=_MAYBE_TEXT)),
        "required": list(page["properties"]),
    },
    "GeminiModel": _reply(
        "name", "supportedGenerationMethods", name=TEXT, version=TEXT, displayName=TEXT, inputTokenLimit=_COUNT,
        outputTokenLimit=_COUNT, supportedGenerationMethods=_TEXTS,
    ),
    "GeminiModelList": _reply(
        "models", nextPageToken=TEXT, models={"type": "array", "items": {"$ref": "#/components/schemas/GeminiModel"}}
    ),
    "Video": _reply(
        "id", "object", "model", "status", "progress", "created_at", id=TEXT, object={"const": "video"}, model=TEXT,
        status={"enum": ["queued", "in_progress", "completed", "failed"]}, progress=_COUNT, created_at=_WHOLE,
        completed_at=_MAYBE_COUNT, expires_at=_MAYBE_COUNT, error=_MAYBE_OBJECT, result=OBJECT, results=_OBJECTS,
        prompt={"type": "null"}, size=_MAYBE_TEXT, seconds=_MAYBE_TEXT, remixed_from_video_id=_MAYBE_TEXT,
    ),
    "VideoList": _list("Video", object=TEXT, first_id=_MAYBE_TEXT, last_id=_MAYBE_TEXT, has_more=_FLAG),
    "DeletedVideo": _reply("id", "deleted", id=TEXT, object={"const": "video.deleted"}, deleted=_FLAG),
    "Task": _reply(
        "id", "object", "type", "model", "status", "progress", "created_at", id=TEXT, object={"const": "task"},
        type=TEXT, model=TEXT, status={"enum": ["queued", "in_progress", "completed", "failed", "cancelled"]},
        progress=_COUNT, created_at=_WHOLE, completed_at=_MAYBE_COUNT, expires_at=_MAYBE_COUNT, error=_MAYBE_OBJECT,
        result=OBJECT, results=_OBJECTS,
    ),
    "TaskList": _list("Task", object=TEXT, first_id=_MAYBE_TEXT, last_id=_MAYBE_TEXT, has_more=_FLAG),
    "DeletedTask": _reply("id", "deleted", id=TEXT, object={"const": "task.deleted"}, deleted=_FLAG),
    "KeptFile": _reply(
        "id", "object", "bytes", "created_at", "filename", "purpose", "status", id=TEXT, object={"const": "file"},
        bytes=_COUNT, created_at=_WHOLE, expires_at=_MAYBE_COUNT, filename=TEXT, purpose=TEXT, status=TEXT,
        status_details=_MAYBE_TEXT,
    ),
    "FileList": _list("KeptFile", object=TEXT, first_id=_MAYBE_TEXT, last_id=_MAYBE_TEXT, has_more=_FLAG),
    "DeletedFile": _reply("id", "deleted", id=TEXT, object={"const": "file"}, deleted=_FLAG),
    "Batch": _reply(
        "id", "object", "endpoint", "input_file_id", "completion_window", "status", "created_at", "request_counts",
        id=TEXT, object={"const": "batch"}, endpoint=TEXT, model=_MAYBE_TEXT, errors=_MAYBE_OBJECT, input_file_id=TEXT,
        completion_window=TEXT, output_file_id=_MAYBE_TEXT, error_file_id=_MAYBE_TEXT, created_at=_WHOLE,
        status={"enum": [
            "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled",
        ]},
        in_progress_at=_MAYBE_COUNT, expires_at=_MAYBE_COUNT, finalizing_at=_MAYBE_COUNT, completed_at=_MAYBE_COUNT,
        failed_at=_MAYBE_COUNT, expired_at=_MAYBE_COUNT, cancelling_at=_MAYBE_COUNT, cancelled_at=_MAYBE_COUNT,
        request_counts=_reply("total", "completed", "failed", total=_COUNT, completed=_COUNT, failed=_COUNT),
        metadata=_MAYBE_OBJECT,
        usage={**_reply(input_tokens=_COUNT, output_tokens=_COUNT, total_tokens=_COUNT), "type": ["object", "null"]},
    ),
    "BatchList": _list("Batch", object=TEXT, first_id=_MAYBE_TEXT, last_id=_MAYBE_TEXT, has_more=_FLAG),
    "WebhookSecret": _reply("object", "secret", object={"const": "webhook_secret"}, secret=TEXT),
    "Credits": {"type": "object", **having(data={
        "type": "object", **having(total_credits=_USD, total_usage=_USD, balance=_USD, held=_USD),
    })},
    "Usage": _reply(
        "object", "from", "to", "by", "data", "total", object={"const": "list"}, to=TEXT, by=TEXT, data=_OBJECTS,
        total={"type": "object", **having(
            calls=_COUNT, input_tokens=_COUNT, output_tokens=_COUNT, cost_usd=_USD,
        )},
    ),
    "Generation": {"type": "object", **having(data={"type": "object", **having(
        id=TEXT, object={"const": "generation"}, model=TEXT, provider=_MAYBE_TEXT, channel=_MAYBE_TEXT,
        upstream_model=_MAYBE_TEXT, upstream_id=_MAYBE_TEXT, created=_WHOLE, surface=TEXT, streamed=_FLAG,
        finish_reason=_MAYBE_TEXT, status=_WHOLE, attempts=_OBJECTS,
        tokens={"type": "object", "additionalProperties": _COUNT}, units=OBJECT,
        usage_source={"enum": ["reported", "estimated"]}, partial=_FLAG, overrun=_FLAG, price_version=_MAYBE_TEXT,
        service_tier=_MAYBE_TEXT, cost_usd=_USD, cost={"type": "object", "additionalProperties": _USD},
        cache_saving_usd=_USD, latency_ms=_COUNT, first_event_ms=_MAYBE_COUNT, losses=_TEXTS,
    )})},
    "DryRun": _reply(
        "object", "model", "legs", "ceiling", "limits", "balance_usd", "would", object={"const": "dry_run"}, model=TEXT,
        legs=_OBJECTS, ceiling=OBJECT, limits=_OBJECTS, balance_usd=_USD, would=TEXT,
    ),
    "Event": {"description": "Each event of a stream; comments between them say nothing.", **_reply(
        "data", event=TEXT, data=TEXT,
    )},
    "Health": {"type": "object", **having(ok={"const": True})},
    "Document": _reply("openapi", "info", "paths", openapi=TEXT, info=OBJECT, paths=OBJECT, components=OBJECT),
    ERRORS["chat"]: _of_openai,
    ERRORS["messages"]: _of_anthropic,
    ERRORS["gemini"]: _of_google,
}  # fmt: skip
