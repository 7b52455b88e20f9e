"""The vendors' own descriptions as JSON Schemas: requests, whole replies, frames of streams.

Made usable first: `nullable` becomes a union, `oneOf` whose branches overlap becomes `anyOf`, formats and defaults go.
A union whose branches have a constant `type` or `role` is told apart by it, so that what is reported is about the branch that was meant.
Requests are held to known members only where the description lists them all.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema.exceptions import best_match

from tests import bedrock

_TELLING = frozenset({"type", "role", "status", "finish_reason", "stop_reason", "finishReason", "object", "mode"})


class Book:
    """All schemas of the folder `spec`. `check` says what is wrong with a value, or None."""

    def __init__(self, spec: Path) -> None:
        openai = json.loads((spec / "openai-openapi.json").read_text())["components"]["schemas"]
        anthropic = json.loads((spec / "anthropic-messages.sdk-2.12.0.schema.json").read_text())
        gemini = json.loads((spec / "gemini.sdk-3.4.0.schema.json").read_text())
        self._documents = {
            "openai": {"components": {"schemas": _usable(openai)}},
            "anthropic": {"$defs": _usable({**anthropic["roots"], **anthropic["$defs"]}, closed=True)},
            "anthropic-open": {"$defs": _usable({**anthropic["roots"], **anthropic["$defs"]})},
            "gemini": {"$defs": _usable({**gemini["roots"], **gemini["$defs"], "Request": _GEMINI_REQUEST})},
        }
        _mend(self._documents)
        self._known = {
            name: frozenset(_members(self._documents["openai"], {"$ref": f"#/components/schemas/{name}"}))
            for name in ("CreateChatCompletionRequest", "CreateResponse")
        }
        self._seen: dict[tuple[str, Any], str | None] = {}
        events = json.loads((spec / "openai-events.json").read_text())["responses_stream"]
        self.responses_events = {event["type"]: event for event in events}

    def request(self, dialect: str, values: dict[str, Any]) -> str | None:
        match dialect:
            case "chat":
                return self._closed("CreateChatCompletionRequest", values)
            case "responses":
                return self._closed("CreateResponse", values)
            case "messages":
                return self.check("anthropic", "MessageCreateParams", values)
            case "converse":
                return bedrock.wrong(values)
            case _:
                return self.check("gemini", "Request", values)

    def _closed(self, name: str, values: dict[str, Any]) -> str | None:
        unknown = values.keys() - self._known[name]
        return f"unknown members {sorted(unknown)}" if unknown else self.check("openai", name, values)

    def reply(self, dialect: str, values: dict[str, Any]) -> str | None:
        match dialect:
            case "chat":
                return self.check("openai", "CreateChatCompletionResponse", values)
            case "responses":
                return self.check("openai", "Response", values)
            case "messages":
                return self.check("anthropic-open", "Message", values)
            case _:
                return self.check("gemini", "GenerateContentResponse", values)

    def frame(self, dialect: str, values: dict[str, Any]) -> str | None:
        match dialect:
            case "chat":
                return self.check("openai", "CreateChatCompletionStreamResponse", values)
            case "responses":
                event = self.responses_events.get(values.get("type", ""))
                if event is None:
                    return f"unknown event {values.get('type')}"
                missing = [name for name in event["required"] if name not in values]
                return f"{event['type']} lacks {missing}" if missing else self.check("openai", event["schema"], values)
            case "messages":
                return self.check("anthropic-open", "RawMessageStreamEvent", values)
            case _:
                return self.check("gemini", "GenerateContentResponse", values)

    def check(self, book: str, name: str, values: Any) -> str | None:
        key = (f"{book}/{name}", _shape(values))
        if key not in self._seen:
            self._seen[key] = self._check(book, name, values)
        return self._seen[key]

    def _check(self, book: str, name: str, values: Any) -> str | None:
        error = best_match(self._validator(book, name).iter_errors(values))
        if error is None:
            return None
        while error.context:
            error = _meant(error.context)
        return f"{name} at {'.'.join(map(str, error.absolute_path)) or 'top'}: {error.message[:160]}"

    @cache  # noqa: B019
    def _validator(self, book: str, name: str) -> Any:
        where = "components/schemas" if book == "openai" else "$defs"
        return jsonschema.Draft202012Validator({**self._documents[book], "$ref": f"#/{where}/{name}"})


def _meant(errors: list[Any]) -> Any:
    """Of a union's errors the first of the branch that was meant: whose telling words are right, else the nearest."""
    branches: dict[Any, list[Any]] = {}
    for error in errors:
        branches.setdefault(error.schema_path[0], []).append(error)

    def far(found: list[Any]) -> tuple[bool, int, int]:
        told = any(
            (error.validator == "type" and not error.path)
            or (error.validator in ("const", "enum") and error.path and error.path[-1] in (*_TELLING, "stream"))
            for error in found
        )  # fmt: skip
        return told, -max(len(error.path) for error in found), len(found)

    return min(branches.values(), key=far)[0]


_GEMINI_REQUEST = {
    "type": "object",
    "additionalProperties": False,
    "required": ["contents"],
    "properties": {
        "contents": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Content"}},
        "systemInstruction": {"$ref": "#/$defs/Content"},
        "tools": {"type": "array", "items": {"$ref": "#/$defs/Tool"}},
        "toolConfig": {"$ref": "#/$defs/ToolConfig"},
        "safetySettings": {"type": "array", "items": {"$ref": "#/$defs/SafetySetting"}},
        "generationConfig": {"$ref": "#/$defs/GenerationConfig"},
        "cachedContent": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "serviceTier": {"type": "string"},
        "store": {"type": "boolean"},
    },
}
"""The body that the SDK's `Models._generate_content` sends; its own types describe its parts."""


def _mend(documents: dict[str, Any]) -> None:
    """Where a description is narrower than its API: what older versions of it have, and what all clients send."""
    openai = documents["openai"]["components"]["schemas"]
    for name in ("ModelResponseProperties", "ResponseProperties", "Response"):  # OpenAI repeats them as null
        for part in (openai[name], *openai[name].get("allOf", ())):
            for member in ("user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "usage", "top_p"):
                if member in part.get("properties", {}):
                    part["properties"][member] = {"anyOf": [part["properties"][member], {"type": "null"}]}
    content = openai["EasyInputMessage"]["properties"]["content"]
    for kind, member in (("output_text", "text"), ("refusal", "refusal")):  # all clients send an assistant's turn so
        part = {"type": "object", "properties": {"type": {"const": kind}}, "required": ["type", member]}
        content.setdefault("anyOf", []).append({"type": "array", "items": part})
    number = {"type": "number"}
    for root in documents["anthropic"]["$defs"]["MessageCreateParams"].get("anyOf", ()):
        name = root["$ref"].rpartition("/")[2]
        params = documents["anthropic"]["$defs"][name]["properties"]
        params.update(temperature=number, top_p=number, top_k={"type": "integer"})


def _usable(schema: Any, closed: bool = False) -> Any:
    if isinstance(schema, list):
        return [_usable(inner, closed) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for name, inner in schema.items():
        if name in ("format", "discriminator", "description", "default", "example", "examples", "title") and not (
            isinstance(inner, dict) and name in ("title", "description", "format", "default")
        ):
            continue
        if name == "properties" and isinstance(inner, dict):
            found[name] = {key: _usable(value, closed) for key, value in inner.items()}
        elif name == "oneOf":
            found["anyOf"] = _usable(inner, closed)
        elif name in ("$recursiveRef", "$recursiveAnchor", "nullable"):
            continue
        else:
            found[name] = _usable(inner, closed)
    if closed and "properties" in schema and schema.get("title") != "InputSchemaTyped":
        found["additionalProperties"] = False
    if schema.get("nullable"):
        return {"anyOf": [found, {"type": "null"}]}
    return found


def _members(document: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    found = set(schema.get("properties", ()))
    for inner in schema.get("allOf", ()):
        found |= _members(document, inner)
    if "$ref" in schema:
        at: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            at = at[step]
        found |= _members(document, at)
    return found


def _shape(value: Any, name: str = "") -> Any:
    """What a schema can see of a value: members, kinds, and the words that tell branches apart."""
    if isinstance(value, dict):
        return tuple((key, _shape(inner, key)) for key, inner in value.items())
    if isinstance(value, list):
        return (len(value) > 0, frozenset(_shape(inner) for inner in value))
    if isinstance(value, str):
        return value if name in _TELLING or len(value) < 12 else str
    if isinstance(value, bool) or value is None:
        return value
    return value if abs(value) < 64 or isinstance(value, float) else (type(value), value > 0)
