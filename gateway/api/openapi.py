"""`/openapi.json`: all routes as OpenAPI 3.1, for people's tools (https://spec.openapis.org/oas/v3.1.1.html).

Paths and methods come from the app's own map, summaries from the views' docstrings, bodies from `schemas.document`;
`OPERATIONS` says the rest of each endpoint. The document is made when it is first asked for, once a process.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson
from flask import Blueprint, current_app
from werkzeug.routing import Rule

from schemas.replies import ERRORS

from .. import __version__, config
from ..access import idempotency, limits
from ..errors import KINDS
from ..modalities.video import VARIANTS
from . import gemini
from ._app import Response

blueprint = Blueprint("openapi", __name__)

Values = dict[str, Any]
_TEXT: Values = {"type": "string"}
_HOUR_S = 3_600

_ASKED = (400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 502, 503, 504)
"""What may become of a call whose body goes to a provider."""

_CHARGED = tuple(sorted((*_ASKED, 402)))
_KEPT = (400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504)
_READ = (401, 403, 500, 503)


class Operation(NamedTuple):
    """What neither the map nor the view says of an endpoint.

    reply: the component of its answer; several where the caller's headers decide · statuses: how it may fail ·
    body: the component of its request · stream: an answer may come as events · charged: it costs · query, header: its
    parameters, by name · keyless: it is public · local: it is text for who runs the gateway, who needs a key from
    elsewhere only · sound: it answers with sound, not with JSON · form: the component of a form that is taken beside
    JSON · plain: it answers in text, too.
    """

    reply: tuple[str, ...]
    statuses: tuple[int, ...]
    body: str | None = None
    stream: bool = False
    charged: bool = False
    query: Mapping[str, Values] = {}
    header: Mapping[str, Values] = {}
    keyless: bool = False
    local: bool = False
    sound: bool = False
    form: str | None = None
    plain: bool = False


def _call(
    reply: str,
    body: str,
    *,
    stream: bool = False,
    sound: bool = False,
    form: str | None = None,
    plain: bool = False,
    header: Mapping[str, Values] | None = None,
    **query: Values,
) -> Operation:
    """A call that is held, sent and settled."""
    named = {**_STRICT, **_STEERED, **_ONCE, **(header or {})}
    return Operation((reply,), _CHARGED, body, stream, True, query, named, sound=sound, form=form, plain=plain)


def _begun(reply: str, body: str, form: str | None = None) -> Operation:
    """Long work that is held for and begun; what it costs is settled when it is done."""
    return Operation((reply,), _CHARGED, body, charged=True, header={**_STRICT, **_STEERED, **_ONCE}, form=form)


def _count(reply: str, body: str) -> Operation:
    """Tokens counted, at no charge."""
    return Operation((reply,), _ASKED, body, header={**_STRICT, "x-gateway-route": _STEERED["x-gateway-route"]})


def _kept(reply: str, **query: Values) -> Operation:
    """Something asked of a provider about what it keeps."""
    return Operation((reply,), _KEPT, query=query)


_STRICT: Mapping[str, Values] = {
    "x-gateway-strict": {
        **_TEXT,
        "description": "`1` refuses what a provider could not be told, instead of dropping it.",
    }
}
_STEERED: Mapping[str, Values] = {
    "x-gateway-route": {
        **_TEXT,
        "description": "The members of `provider` as text, as in `order=openai,azure; sort=price; allow_fallbacks=no`.",
    },
    "x-gateway-dry-run": {
        **_TEXT, "enum": ["0", "1"], "description": "`1` tells what the call would do, without making it.",
    },
}  # fmt: skip
_ONCE: Mapping[str, Values] = {
    idempotency.HEADER: {
        **_TEXT,
        "minLength": 1,
        "maxLength": idempotency.MOST_NAME,
        "pattern": "^[!-~]+$",
        "description": "Names the call: sent again within a day, it is answered as before, at no charge.",
    }
}
_VERSION: Mapping[str, Values] = {"anthropic-version": {**_TEXT, "description": "As Anthropic's clients send it."}}
_ALT: Values = {**_TEXT, "description": "`sse` for events; else they come as a JSON array."}
_GENERATION: Mapping[str, Values] = {"id": {**_TEXT, "minLength": 1, "required": True}}
_INCLUDE: Values = {"type": "array", "items": _TEXT}
_DAY = {"type": "string", "format": "date"}
_DAYS: Mapping[str, Values] = {
    "from": {"description": "The first day, in UTC.", "schema": _DAY},
    "to": {"description": "The last day; today, unless told.", "schema": _DAY},
    "by": {"description": "What the sums are told by.", "schema": {"enum": ["day", "model", "key"]}},
}

_PAGES: Mapping[str, Values] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 999_999_999, "description": "Models on a page."},
    "after_id": {**_TEXT, "description": "The model before the page."},
    "before_id": {**_TEXT, "description": "The model after the page. Not beside `after_id`."},
    "pageSize": {
        "type": "integer",
        "minimum": 0,
        "maximum": 999_999_999,
        "description": "Models on a page of Google's.",
    },
    "pageToken": {**_TEXT, "description": "The `nextPageToken` of the page before."},
}
_MEDIA = Operation(
    (), (400, 404, 409, 410, 416, 503, *_READ), query={"index": {"type": "integer", "minimum": 0, "maximum": 999_999}},
    header={"Range": {**_TEXT, "description": "One range of bytes, as in `bytes=0-1023`."}},
)  # fmt: skip
"""The bytes of something that was made."""
_WAITED: Mapping[str, Values] = {
    "wait": {"type": "integer", "minimum": 0, "maximum": 99_999, "description": "Seconds to wait for its end, at most."}
}
_LISTED: Mapping[str, Values] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "description": "How many on a page."},
    "after": {**_TEXT, "description": "The last of the page before."},
    "order": {**_TEXT, "enum": ["asc", "desc"], "description": "By when they were begun; the newest first by itself."},
}
_MODEL_LISTS = ("ModelList", "MessagesModelList", "GeminiModelList")
_MODELS = ("Model", "MessagesModel", "GeminiModel")

OPERATIONS: Mapping[str, Operation] = {
    "account.credits": Operation(("Credits",), _READ),
    "account.usage": Operation(("Usage",), (400, *_READ), query=_DAYS),
    "account.generation": Operation(("Generation",), (400, 404, *_READ), query=_GENERATION),
    "audio.content": _MEDIA,
    "audio.speech": _call("Sound", "SpeechRequest", stream=True, sound=True),
    "audio.transcriptions": _call(
        "Transcription", "TranscriptionRequest", stream=True, form="TranscriptionForm", plain=True
    ),
    "audio.translations": _call(
        "Transcription", "TranscriptionRequest", stream=True, form="TranscriptionForm", plain=True
    ),
    "batches.create": Operation(
        ("Batch",), (400, 401, 402, 403, 404, 408, 409, 413, 415, 429, 500, 503), "BatchesRequest", header=_ONCE
    ),
    "batches.index": Operation(
        ("BatchList",), (400, 404, *_READ), query={name: _LISTED[name] for name in ("limit", "after")}
    ),
    "batches.retrieve": Operation(("Batch",), (404, *_READ)),
    "batches.cancel": Operation(("Batch",), (404, 409, *_READ)),
    "chat.create": _call("ChatCompletion", "ChatRequest", stream=True),
    "completions.create": _call("Completion", "CompletionRequest", stream=True),
    "embeddings.create": _call("EmbeddingList", "EmbeddingsRequest"),
    "files.create": Operation(
        ("KeptFile",), (400, 401, 402, 403, 408, 409, 413, 415, 500, 503), form="FilesForm", header=_ONCE
    ),
    "files.index": Operation(
        ("FileList",), (400, 404, *_READ),
        query={**_LISTED, "limit": {**_LISTED["limit"], "maximum": 10_000}, "purpose": _TEXT},
    ),
    "files.retrieve": Operation(("KeptFile",), (404, *_READ)),
    "files.content": _MEDIA,
    "files.delete": Operation(("DeletedFile",), (404, *_READ)),
    "gemini.method:generateContent": _call("GenerateContentResponse", "GenerateContentRequest"),
    "gemini.method:streamGenerateContent": _call(
        "GenerateContentResponse", "GenerateContentRequest", stream=True, alt=_ALT
    ),
    "gemini.method:countTokens": _count("CountTokensResponse", "CountTokensRequest"),
    "gemini.method:embedContent": _call("EmbedContentResponse", "EmbedContentRequest"),
    "gemini.method:batchEmbedContents": _call("BatchEmbedContentsResponse", "BatchEmbedContentsRequest"),
    "health.alive": Operation(("Health",), (500,), keyless=True),
    "health.ready": Operation(("Health",), (500, 503), keyless=True),
    "images.content": _MEDIA,
    "images.generations": _call("Images", "ImagesRequest", stream=True),
    "images.edits": _call("Images", "ImageEditRequest", stream=True, form="ImageEditForm"),
    "images.variations": _call("Images", "ImageVariationRequest", stream=True, form="ImageVariationForm"),
    "images.retrieve": Operation(("KeptImages",), (404, 410, *_READ)),
    "messages.create": _call("Message", "MessagesRequest", stream=True, header=_VERSION),
    "messages.count_tokens": _count("MessageTokens", "CountMessageTokensRequest"),
    "metrics.show": Operation((), _READ, local=True),
    "moderations.create": _call("Moderations", "ModerationsRequest"),
    "rerank.create": _call("Ranking", "RerankRequest"),
    "models.index": Operation(_MODEL_LISTS, (400, *_READ), query=_PAGES, header=_VERSION),
    "models.one": Operation(_MODELS, (404, *_READ), header=_VERSION),
    "openapi.document": Operation(("Document",), (500,), keyless=True),
    "responses.create": _call("Response", "ResponsesRequest", stream=True),
    "responses.compact": _call("CompactedResponse", "CompactRequest"),
    "responses.input_tokens": _count("InputTokens", "InputTokensRequest"),
    "responses.retrieve": Operation(
        ("KeptResponse",), _KEPT, stream=True,
        query={
            "include": _INCLUDE,
            "stream": {**_TEXT, "enum": ["true", "false"], "description": "One in the background as events."},
            "starting_after": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
        },
    ),
    "responses.delete": _kept("DeletedResponse"),
    "responses.cancel": _kept("KeptResponse"),
    "responses.input_items": _kept(
        "ResponseItems", include=_INCLUDE, after=_TEXT, before=_TEXT, order=_TEXT, limit={"type": "integer"}
    ),
    "tasks.create": _begun("Task", "TaskRequest"),
    "tasks.index": Operation(("TaskList",), (400, 404, *_READ), query={**_LISTED, "type": _TEXT}),
    "tasks.retrieve": Operation(("Task",), (400, 404, *_READ), query=_WAITED),
    "tasks.events": Operation(("Task",), (404, *_READ), stream=True),
    "tasks.cancel": Operation(("Task",), (404, 409, *_READ)),
    "tasks.delete": Operation(("DeletedTask",), (404, *_READ)),
    "tasks.secret": Operation(("WebhookSecret",), _READ),
    "videos.create": _begun("Video", "VideosRequest", "VideosForm"),
    "videos.generations": _begun("Video", "VideosRequest", "VideosForm"),
    "videos.remix": _begun("Video", "RemixRequest", "RemixForm"),
    "videos.index": Operation(("VideoList",), (400, 404, *_READ), query=_LISTED),
    "videos.retrieve": Operation(("Video",), (400, 404, *_READ), query=_WAITED),
    "videos.content": _MEDIA._replace(query={**_MEDIA.query, "variant": {"enum": ["video", *VARIANTS]}}),
    "videos.delete": Operation(("DeletedVideo",), (404, *_READ)),
}  # fmt: skip
"""All endpoints; Gemini's one by its methods. A test walks the app's map and finds each of them here."""

TAGS = {
    "audio": "OpenAI's speech, transcription and translation.",
    "chat": "OpenAI's Chat Completions.",
    "responses": "OpenAI's Responses.",
    "messages": "Anthropic's Messages.",
    "gemini": "Google's Gemini. A model may stand without `models/`.",
    "completions": "OpenAI's legacy completions.",
    "embeddings": "OpenAI's embeddings.",
    "images": "OpenAI's images.",
    "tasks": "Long work of every kind: videos, music, Midjourney, Suno.",
    "videos": "OpenAI's videos.",
    "moderations": "OpenAI's moderations.",
    "rerank": "Jina's and Cohere's reranking.",
    "files": "What callers send to be kept: in calls, or as the lines of batches.",
    "batches": "Many calls in a file, made within a day.",
    "models": "Models that a key may use, in the shape of whoever asks.",
    "account": "What an account has left, and what a call cost.",
    "metrics": "What the gateway has counted, for its operator.",
    "health": "Whether the gateway lives.",
    "openapi": "This document.",
}

_ABOUT = (
    "One API for many providers, in four dialects. A model is `author/model`. Every error has the shape of the dialect"
    " that was called; unknown paths are 404, other methods 405. Bodies are open: members that are not described here"
    " pass to a provider that speaks the caller's dialect."
)
_KEYS: Mapping[str, Values] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "googleKey": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
    "googleQueryKey": {"type": "apiKey", "in": "query", "name": "key"},
}
_HEADERS: Mapping[str, tuple[str, str]] = {
    "x-request-id": ("string", "The request, to quote when something is wrong."),
    "request-id": ("string", "The same, where Anthropic's clients look for it."),
    "X-RateLimit-Limit": ("integer", "The limit with the smallest share left."),
    "X-RateLimit-Remaining": ("integer", "What is left of it."),
    "X-RateLimit-Reset": ("integer", "When it is whole again, in Unix seconds."),
    **{
        f"x-ratelimit-{what}-{kind}": (shape, f"{about} of {kind}, where the key has one.")
        for kind in limits.KINDS
        for what, shape, about in (
            ("limit", "integer", "The limit"),
            ("remaining", "integer", "What is left of the limit"),
            ("reset", "string", "How long until it is whole again, as in `6m0s`: the limit"),
        )
    },
    **{
        f"anthropic-ratelimit-{kind}-{what}": (shape, f"{about} of {kind}, where the key has one.")
        for kind in limits.KINDS
        for what, shape, about in (
            ("limit", "integer", "The limit"),
            ("remaining", "integer", "What is left of the limit"),
            ("reset", "string", "When it is whole again, in RFC 3339: the limit"),
        )
    },
    "Retry-After": ("integer", "Seconds to wait before another try."),
    "x-generation-id": ("string", "The call: `id` of the reply and of `/v1/generation`."),
    "x-gateway-attempts": ("integer", "How many providers were tried."),
    "x-gateway-provider": ("string", "Whose answer this is."),
    "x-gateway-channel": ("string", "The account of that provider."),
    "x-gateway-upstream-model": ("string", "The model's name there."),
    "x-gateway-cost-usd": ("string", "What the call cost, of whole answers."),
    "x-gateway-losses": ("string", "What provider or client could not be told, as `field=drop`."),
    "Idempotent-Replayed": ("string", "`true` where this is an earlier call's answer, told again."),
    "x-gateway-estimated": ("string", "`1` where a count is a guess."),
}
_ON_ALL = ("x-request-id",)
_LIMITS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_OWN_LIMITS = {
    "chat": tuple(name for name in _HEADERS if name.startswith("x-ratelimit-")),
    "messages": tuple(name for name in _HEADERS if name.startswith("anthropic-ratelimit-")),
    "gemini": (),
}
"""What else is told of limits, by the envelope."""
_OF_CALLS = (
    "x-generation-id", "x-gateway-provider", "x-gateway-channel", "x-gateway-attempts", "x-gateway-upstream-model",
    "x-gateway-losses", "Idempotent-Replayed",
)  # fmt: skip


@blueprint.get("/openapi.json")
def document() -> Response:
    """This gateway's API as OpenAPI 3.1."""
    told = [("Cache-Control", f"public, max-age={_HOUR_S}")]
    return Response(_made(config.current().public_url), headers=told)


@functools.cache
def _made(public_url: str) -> bytes:
    """The document's bytes."""
    from schemas import document  # apispec is not imported before somebody asks

    spec = document.begin(
        "AI gateway", __version__, info={"description": _ABOUT}, servers=[{"url": public_url}],
        security=[{name: []} for name in _KEYS if name != "googleQueryKey"],
        tags=[{"name": name, "description": about} for name, about in TAGS.items()],
    )  # fmt: skip
    for name, scheme in _KEYS.items():
        spec.components.security_scheme(name, dict(scheme))
    for name, (kind, about) in _HEADERS.items():
        spec.components.header(name, {"schema": {"type": kind}, "description": about})
    for endpoint, rule in _endpoints():
        path = _template(rule, endpoint)
        found = {method.lower(): _operation(spec, endpoint, method, path) for method in sorted(_methods(rule))}
        spec.path(path, operations=found)
    return orjson.dumps(spec.to_dict())


def _endpoints() -> Iterator[tuple[str, Rule]]:
    """The names of all endpoints, as OPERATIONS has them, with their rules."""
    for rule in current_app.url_map.iter_rules():
        if rule.endpoint == "gemini.method":
            yield from ((f"{rule.endpoint}:{name}", rule) for name in gemini.METHODS)
        else:
            yield rule.endpoint, rule


def _methods(rule: Rule) -> set[str]:
    return (rule.methods or set()) - {"HEAD", "OPTIONS"}


_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")


def _template(rule: Rule, endpoint: str) -> str:
    """A rule's path as OpenAPI writes it."""
    method = endpoint.partition(":")[2]
    return _ARGUMENT.sub(lambda found: f"models/{{model}}:{method}" if method else f"{{{found[1]}}}", rule.rule)


def _operation(spec: Any, endpoint: str, method: str, path: str) -> Values:
    operation = OPERATIONS[endpoint]
    family, _, rest = endpoint.partition(".")
    view = gemini.METHODS[rest.partition(":")[2]] if family == "gemini" else current_app.view_functions[endpoint]
    summary, _, description = (view.__doc__ or "").partition("\n")
    envelopes = _envelopes(family, path)
    reply = operation.reply if len(envelopes) > 1 else operation.reply[-1:]
    whole = _TEXT if operation.local else _either(reply) if reply else {}
    streamed = operation.stream and family == "gemini"
    if streamed:
        whole = {"type": "array", "items": whole}
    content: Values = {}
    if operation.sound:
        content["audio/*"] = {"schema": whole}
        whole = _either(("DryRun",))
    elif operation.charged:
        whole = {"anyOf": [whole, _either(("DryRun",))]}
    if operation.local:
        content["text/plain"] = {"schema": whole}
    else:
        content |= {"application/json": {"schema": whole}} if operation.reply else {"*/*": {"schema": dict(_TEXT)}}
    if operation.plain:
        content["text/*"] = {"schema": dict(_TEXT)}
    if operation.stream:
        content["text/event-stream"] = {"schema": _either(("Event",))}
    headers = (*_ON_ALL, *(("request-id",) if family == "messages" else ()))
    own = dict.fromkeys(name for envelope in envelopes for name in _OWN_LIMITS[envelope])
    known = headers if operation.keyless else (*headers, *_LIMITS, *own)
    if operation.charged:
        known += (*_OF_CALLS, *(() if streamed or operation.sound else ("x-gateway-cost-usd",)))
    elif operation.body is not None:
        known += ("x-gateway-estimated",)
    found: Values = {
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_"),
        "summary": summary.rstrip("."),
        "tags": [family],
        "parameters": _parameters(operation, path),
        "responses": {"200": _response("Done.", known, content)},
    }
    if description.strip():
        found["description"] = " ".join(description.split())
    if operation.body is not None or operation.form is not None:
        taken = {}
        if operation.body is not None:
            taken["application/json"] = {"schema": _either((operation.body,))}
        if operation.form is not None:
            taken["multipart/form-data"] = {"schema": _either((operation.form,))}
        found["requestBody"] = {"required": True, "content": taken}
    if operation.keyless:
        found["security"] = []
    elif operation.local:
        found["security"] = [{}, *({name: []} for name in _KEYS if name != "googleQueryKey")]
    elif path.startswith(("/v1beta/", "/v1alpha/")) or family == "gemini":
        found["security"] = [{name: []} for name in _KEYS]
    statuses = (*operation.statuses, *((529,) if family == "messages" and operation.charged else ()))
    for status in sorted(statuses):
        found["responses"][str(status)] = _failure(spec, status, envelopes, array=streamed)
    return found


def _parameters(operation: Operation, path: str) -> list[Values]:
    """Those of path, query and header. Google's paths know none of the others' pages and versions."""
    google = path.startswith(("/v1beta/", "/v1alpha/"))
    found: list[Values] = [
        {"in": "path", "name": name, "required": True, "schema": {**_TEXT, "minLength": 1}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    for where, named in (("query", operation.query), ("header", operation.header)):
        for name, values in named.items():
            if google and (name in _VERSION or (name in _PAGES and not name.startswith("page"))):
                continue
            said: Values = {key: values[key] for key in ("required", "description") if key in values}
            schema = {key: value for key, value in values.items() if key not in said}
            found.append({"in": where, "name": name, **said, "schema": schema})
    return found


def _envelopes(family: str, path: str) -> tuple[str, ...]:
    """Whose errors an operation may have, as `_door` tells them apart."""
    if family == "models":
        return ("chat", "messages", "gemini") if path.startswith("/v1/") else ("gemini",)
    return (family,) if family in ("messages", "gemini") else ("chat",)


def _failure(spec: Any, status: int, envelopes: tuple[str, ...], *, array: bool) -> Values:
    """A reference to the response of a status in an envelope, which is made when it is first needed."""
    name = "".join(ERRORS[one] for one in envelopes) + ("List" if array else "") + str(status)
    if name not in spec.components.responses:
        schema = _either(tuple(ERRORS[one] for one in envelopes))
        if array:
            schema = {"anyOf": [schema, {"type": "array", "items": schema}]}
        kind = next(kind for kind in KINDS if kind.status == status)
        headers = (
            *_ON_ALL,
            *(("Retry-After",) if status in (402, 409, 429, 503, 529) else ()),
            *(_LIMITS if status == 429 else ()),
            *(dict.fromkeys(n for one in envelopes for n in _OWN_LIMITS[one]) if status == 429 else ()),
            *(("x-generation-id", "x-gateway-attempts") if status in (409, 429, 500, 502, 503, 504, 529) else ()),
        )
        about = f"{kind.meaning} {kind.advice}"
        spec.components.response(name, _response(about, headers, {"application/json": {"schema": schema}}))
    return {"$ref": f"#/components/responses/{name}"}


def _response(about: str, headers: tuple[str, ...], content: Values) -> Values:
    return {
        "description": about,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": content,
    }


def _either(names: tuple[str, ...]) -> Values:
    """A reference to a component, or to any of several."""
    found = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return found[0] if len(found) == 1 else {"anyOf": found}
