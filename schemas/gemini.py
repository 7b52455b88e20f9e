"""The gate of Gemini's generateContent (https://ai.google.dev/api/generate-content).

Google reads camelCase and snake_case, and clients mix them at any depth: each known field is checked in the spelling in
which it came, and one that came in both is refused, since nobody can tell which of them counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .base import MOST_TOOLS, Check, Found, WireSchema, every, role

_UNDERSCORE = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")


def _camel(name: str) -> str:
    return _UNDERSCORE.sub(lambda match: match[1].upper(), name)


def _is(*types: type, words: str, test: Callable[[Any], bool] = lambda value: True) -> Check:
    def check(value: Any) -> Found:
        return None if type(value) in types and test(value) else f"must be {words}"

    return check


def _whole(low: int, high: int | None = None) -> Check:
    words = f"an integer from {low} to {high}" if high is not None else f"an integer of at least {low}"
    return _is(int, words=words, test=lambda value: value >= low and (high is None or value <= high))


def _number(low: float, high: float) -> Check:
    return _is(int, float, words=f"a number from {low:g} to {high:g}", test=lambda value: low <= value <= high)


def _object(**members: Check) -> Check:
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
            wrong = known(inner)
            if wrong is not None:
                return {name: wrong}
        return None

    return check


def _array(each: Check | None = None, *, words: str = "an array", alone: bool = False) -> Check:
    """An array. alone: Google takes a single object for an array of one."""

    def check(value: Any) -> Found:
        if alone and type(value) is dict:
            return each(value) if each is not None else None
        if type(value) is not list:
            return f"must be {words}"
        return every(each)(value) if each is not None else None

    return check


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
_content = _object(
    role=lambda value: None if role(value) else "must be a role such as user or model",
    parts=_array(_part, words="an array of parts", alone=True),
)


def _contents(value: Any) -> Found:
    """A conversation: not empty. Google takes a single content for an array of one."""
    if not value or type(value) not in (list, dict):
        return "must be an array of at least one content"
    return _array(_content, alone=True)(value)


_tool = _object(functionDeclarations=_array(_object(name=_text, description=_text), alone=True))


def _tools(value: Any) -> Found:
    wrong = _array(_tool, words="an array of tools")(value)
    if wrong is not None:
        return wrong
    declared = [inner for tool in value for name, inner in tool.items() if _camel(name) == "functionDeclarations"]
    many = len(value) + sum(len(inner) for inner in declared if isinstance(inner, list))
    return None if many <= MOST_TOOLS else f"must hold at most {MOST_TOOLS} functions"


_config = _object(
    maxOutputTokens=_whole(1),
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
_members: dict[str, Check] = {
    "contents": _contents,
    "systemInstruction": _content,
    "tools": _tools,
    "toolConfig": _object(functionCallingConfig=_object(mode=_text, allowedFunctionNames=_texts)),
    "generationConfig": _config,
    "safetySettings": _array(_any_object, words="an array of objects"),
    "cachedContent": _text,
    "labels": _any_object,
    "serviceTier": _text,
    "model": _text,
    "store": _flag,
    "models": _array(_text, words="an array of model names"),
    "provider": _any_object,
    "computerId": _text,
    "maxSteps": _whole(1, 1_000),
}
_request = _object(**_members)


class GeminiSchema(WireSchema):
    """The fields that the gateway reads, and the types of those that it knows."""

    def validate(self, data: Any, **_: Any) -> dict[str, Any]:
        """What is wrong, by member."""
        wrong = self.wrong(data)
        if isinstance(wrong, dict):
            return wrong
        return {} if wrong is None else {"body": wrong}

    def wrong(self, data: Mapping[str, Any]) -> Found:
        if data.get("contents") is None:
            return {"contents": "must be an array of at least one content"}
        return _request(data)


class CountSchema(GeminiSchema):
    """The same for `:countTokens`, where the whole may stand in `generateContentRequest`."""

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
