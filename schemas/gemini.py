"""The gate of Gemini's generateContent (https://ai.google.dev/api/generate-content).

Google reads camelCase and snake_case, and clients mix them at any depth: each known field is checked in the spelling in
which it came, and one that came in both is refused, since nobody can tell which of them counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from . import steering
from .base import MOST_TOKENS, MOST_TOOLS, ROLE, Check, Found, Like, WireSchema, every, ranged, role, typed

_UNDERSCORE = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")


def _camel(name: str) -> str:
    return _UNDERSCORE.sub(lambda match: match[1].upper(), name)


class Shape(NamedTuple):
    """A check of a value that is not null, and what JSON Schema calls it, in camelCase."""

    check: Check
    like: Like


def _is(*types: type, words: str, test: Callable[[Any], bool] = lambda value: True, **like: Any) -> Shape:
    def check(value: Any) -> Found:
        return None if type(value) in types and test(value) else f"must be {words}"

    return Shape(check, {"type": typed(*types), **like})


def _whole(low: int, high: int | None = None) -> Shape:
    words = f"an integer from {low} to {high}" if high is not None else f"an integer of at least {low}"
    return _is(
        int, words=words, test=lambda value: value >= low and (high is None or value <= high), **ranged(low, high)
    )


def _number(low: float, high: float) -> Shape:
    words = f"a number from {low:g} to {high:g}"
    return _is(int, float, words=words, test=lambda value: low <= value <= high, **ranged(low, high))


def _named(name: str, shape: Shape) -> Shape:
    """The same, as a component of documents."""
    NAMED[name] = shape.like
    return Shape(shape.check, {"$ref": f"#/components/schemas/{name}"})


NAMED: dict[str, Like] = {}
"""What the shapes below refer to, by name."""


def _or_null(like: Like) -> Like:
    if "type" not in like:
        return {"anyOf": [like, {"type": "null"}]}
    kinds = like["type"]
    return {**like, "type": [*([kinds] if isinstance(kinds, str) else kinds), "null"]}


def _object(**members: Shape) -> Shape:
    """An object; the members by their camelCase names."""

    def check(value: Any) -> Found:
        if type(value) is not dict:
            return "must be an object"
        seen: set[str] = set()
        for name, inner in value.items():
            plain = _camel(name)
            known = members.get(plain)
            if known is None or inner is None:
                continue
            if plain in seen:
                return {name: "is given twice, in two spellings"}
            seen.add(plain)
            wrong = known.check(inner)
            if wrong is not None:
                return {name: wrong}
        return None

    properties = {"properties": {name: _or_null(shape.like) for name, shape in members.items()}} if members else {}
    return Shape(check, {"type": "object", **properties})


def _array(each: Shape, *, words: str = "an array", alone: bool = False) -> Shape:
    """An array. alone: Google takes a single object for an array of one."""
    inside = every(each.check)

    def check(value: Any) -> Found:
        if alone and type(value) is dict:
            return each.check(value)
        return inside(value) if type(value) is list else f"must be {words}"

    like: Like = {"type": "array", "items": each.like}
    return Shape(check, {"anyOf": [each.like, like]} if alone else like)


_text = _is(str, words="a string")
_flag = _is(bool, words="true or false")
_any_number = _is(int, float, words="a number")
_integer = _is(int, words="an integer")
_any_object = _object()
_texts = _array(_text, words="an array of strings")

_blob = _object(mimeType=_text, data=_text)
_file = _object(mimeType=_text, fileUri=_text)
_part = _object(
    text=_text,
    thought=_flag,
    thoughtSignature=_text,
    inlineData=_blob,
    fileData=_file,
    functionCall=_object(id=_text, name=_text, args=_any_object),
    functionResponse=_object(
        id=_text, name=_text, response=_any_object, parts=_array(_object(inlineData=_blob, fileData=_file), alone=True)
    ),
    executableCode=_any_object,
    codeExecutionResult=_any_object,
)
CONTENT = _named(
    "GeminiContent",
    _object(
        role=Shape(lambda value: None if role(value) else "must be a role such as user or model", ROLE),
        parts=_array(_named("GeminiPart", _part), words="an array of parts", alone=True),
    ),
)

_conversation = _array(CONTENT, words="an array of at least one content", alone=True)


def _contents(value: Any) -> Found:
    """A conversation: not empty. Google takes a single content for an array of one."""
    return _conversation.check(value or None)


_toolbox = _array(
    _object(functionDeclarations=_array(_object(name=_text, description=_text), alone=True)), words="an array of tools"
)


def _tools(value: Any) -> Found:
    wrong = _toolbox.check(value)
    if wrong is not None:
        return wrong
    declared = [inner for tool in value for name, inner in tool.items() if _camel(name) == "functionDeclarations"]
    many = len(value) + sum(len(inner) for inner in declared if isinstance(inner, list))
    return None if many <= MOST_TOOLS else f"must hold at most {MOST_TOOLS} functions"


_config = _object(
    maxOutputTokens=_whole(1, MOST_TOKENS),
    candidateCount=_whole(1, 128),
    temperature=_number(0, 2),
    topP=_number(0, 1),
    topK=_any_number,
    seed=_integer,
    stopSequences=_texts,
    responseMimeType=_text,
    responseSchema=_any_object,
    responseModalities=_texts,
    presencePenalty=_any_number,
    frequencyPenalty=_any_number,
    responseLogprobs=_flag,
    logprobs=_integer,
    thinkingConfig=_object(thinkingBudget=_integer, includeThoughts=_flag, thinkingLevel=_text),
    speechConfig=_any_object,
    imageConfig=_any_object,
)
_members: dict[str, Shape] = {
    "contents": Shape(_contents, {**_conversation.like, "minItems": 1, "minProperties": 1}),
    "systemInstruction": CONTENT,
    "tools": Shape(_tools, {**_toolbox.like, "maxItems": MOST_TOOLS}),
    "toolConfig": _object(functionCallingConfig=_object(mode=_text, allowedFunctionNames=_texts)),
    "generationConfig": _config,
    "safetySettings": _array(_any_object, words="an array of objects"),
    "cachedContent": _text,
    "labels": _any_object,
    "serviceTier": _text,
    "model": _text,
    "store": _flag,
    "models": _array(_text, words="an array of model names"),
    "provider": Shape(steering.wrong, {**steering.LIKE, "type": "object"}),
    "computerId": _text,
    "maxSteps": _whole(1, 1_000),
}
_request = _object(**_members)


class GeminiSchema(WireSchema):
    """The fields that the gateway reads, and the types of those that it knows."""

    LIKE: ClassVar[Like] = {
        "description": "Names may be written in snake_case too.",
        **_request.like,
        "properties": {**_request.like["properties"], "contents": _members["contents"].like},
        "required": ["contents"],
    }

    def validate(self, data: Any, **_: Any) -> dict[str, Any]:
        """What is wrong, by member."""
        wrong = self.wrong(data)
        if isinstance(wrong, dict):
            return wrong
        return {} if wrong is None else {"body": wrong}

    def wrong(self, data: Mapping[str, Any]) -> Found:
        if data.get("contents") is None:
            return {"contents": "must be an array of at least one content"}
        return _request.check(data)


class CountSchema(GeminiSchema):
    """The same for `:countTokens`, where the whole may stand in `generateContentRequest`."""

    _ASKED: ClassVar[Like] = {"$ref": "#/components/schemas/GenerateContentRequest"}
    LIKE: ClassVar[Like] = {
        "type": "object",
        "anyOf": [
            {**_ASKED, "properties": {"generateContentRequest": {"type": "null"}}},
            {
                "required": ["generateContentRequest"],
                "properties": {"generateContentRequest": _ASKED, "contents": {"type": "null"}},
            },
        ],
    }

    def wrong(self, data: Mapping[str, Any]) -> Found:
        name = "generate_content_request" if "generate_content_request" in data else "generateContentRequest"
        inner = data.get(name)
        if inner is None:
            return super().wrong(data)
        if type(inner) is not dict:
            return {name: "must be an object"}
        if data.get("contents") is not None:
            return {"contents": f"must not be given beside {name}"}
        wrong = super().wrong(inner)
        return None if wrong is None else {name: wrong}
