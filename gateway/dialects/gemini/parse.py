"""Gemini requests in neutral words.

Reads leniently, in both spellings: what has the wrong shape is left out, for a provider to refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...neutral.parts import Part, Reasoning, Text, ToolCall, ToolResult
from ...neutral.request import (
    ChatRequest,
    FunctionTool,
    HostedTool,
    Message,
    Output,
    Sampling,
    Thinking,
    Tool,
    ToolChoice,
)
from .. import shapes
from ..base import OWN
from ..seals import unwrap_base64
from ..shapes import dumps, words
from ..unanswered import Unanswered
from . import parts
from .parts import NAME, made_id
from .schema import json_schema
from .spelling import camel, level, several

_ROLES = {"user": "user", "model": "assistant", "assistant": "assistant", "function": "tool", "tool": "tool"}

_TOP = frozenset(
    {
        "model", "stream", "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "labels",
        "serviceTier", *map(camel, OWN),
    }
)  # fmt: skip
_CONFIG = frozenset(
    {
        "candidateCount", "stopSequences", "maxOutputTokens", "temperature", "topP", "topK", "seed",
        "responseMimeType", "responseSchema", "responseJsonSchema", "presencePenalty", "frequencyPenalty",
        "responseLogprobs", "logprobs", "thinkingConfig",
    }
)  # fmt: skip
_JSON = "application/json"
_MODALITIES = frozenset({"TEXT", "IMAGE", "AUDIO"})


def parse(values: Mapping[str, Any]) -> ChatRequest:
    """A request in neutral words. `model` and `stream` are the path's."""
    body = level(values)
    config = level(body.get("generationConfig"))
    return ChatRequest(
        model=str(values.get("model", "")),
        messages=tuple(_messages(body)),
        tools=tuple(_tools(body.get("tools"))),
        tool_choice=_tool_choice(level(body.get("toolConfig"))),
        output=_output(config),
        sampling=_sampling(config),
        thinking=_thinking(level(config.get("thinkingConfig"))),
        stream=bool(values.get("stream")),
        tier=shapes.text(body.get("serviceTier")),
        metadata=body["labels"] if isinstance(body.get("labels"), Mapping) and body["labels"] else None,
        extras=_extras(body, config),
    )


def _messages(body: Mapping[str, Any]) -> Iterator[Message]:
    names = _Calls()
    system = body.get("systemInstruction")
    if isinstance(system, str):
        yield Message(role="system", parts=(Text(text=system),))
    elif isinstance(system, Mapping):
        yield Message(role="system", parts=tuple(_parts(several(level(system).get("parts")), names)))
    for content in several(body.get("contents")):
        turn = level(content)
        role = str(turn.get("role") or "user")
        role = _ROLES.get(role, role)
        found = tuple(_parts(several(turn.get("parts")), names))
        if role == "user" and not found:
            yield Message(role=role, parts=())
        for is_result, group in _grouped(found):
            if is_result:
                yield from (Message(role="tool", parts=(part,)) for part in group)
            else:
                yield Message(role="user" if role == "tool" else role, parts=tuple(group))


def _grouped(found: Iterable[Part]) -> Iterator[tuple[bool, list[Part]]]:
    """Neighbouring parts that are results, and that are none, in their order."""
    group: list[Part] = []
    for part in found:
        if group and isinstance(part, ToolResult) is not isinstance(group[-1], ToolResult):
            yield isinstance(group[-1], ToolResult), group
            group = []
        group.append(part)
    if group:
        yield isinstance(group[-1], ToolResult), group


class _Calls:
    """Gives calls without ids their ids, and finds the call that a result without one answers: the first of its name
    that has no answer yet."""

    def __init__(self) -> None:
        self._open: Unanswered[str] = Unanswered()
        self._made = 0

    def call(self, name: str, call_id: Any) -> str:
        if not isinstance(call_id, str) or not call_id:
            call_id = made_id(self._made, name)
            self._made += 1
        self._open.add(call_id, identity=call_id, name=name)
        return str(call_id)

    def result(self, name: Any, call_id: Any) -> str:
        if isinstance(call_id, str) and call_id:
            self._open.of_id(call_id)
            return call_id
        found = self._open.of_name(name) if isinstance(name, str) else None
        return found if found is not None else made_id("none", str(name))


def _parts(found: Iterable[Any], names: _Calls) -> Iterator[Part]:
    """The parts of a content. Thoughts that came in pieces, the signature on the last, are one again."""
    waiting: Reasoning | None = None
    pieces: list[str] = []
    for value in found:
        part = _part(level(value), names)
        if part is None:
            continue
        if (
            isinstance(part, Reasoning)
            and (part.seal is not None or not part.redacted)
            and waiting is not None
            and waiting.seal is None
        ):
            waiting = replace(waiting, seal=part.seal)
            pieces.append(part.text)
            continue
        if waiting is not None:
            yield replace(waiting, text="".join(pieces))
            waiting = None
        if isinstance(part, Reasoning):
            waiting, pieces = part, [part.text]
        else:
            yield part
    if waiting is not None:
        yield replace(waiting, text="".join(pieces))


def _part(part: Mapping[str, Any], names: _Calls) -> Part | None:
    signature = part.get("thoughtSignature")
    seal = unwrap_base64(signature, NAME) if isinstance(signature, str) and signature else None
    match part:
        case {"functionCall": Mapping() as inner}:
            call = level(inner)
            name = str(call.get("name", ""))
            return ToolCall(id=names.call(name, call.get("id")), name=name, arguments=parts.arguments(call), seal=seal)
        case {"functionResponse": Mapping() as inner}:
            told = level(inner)
            return parts.result(names.result(told.get("name"), told.get("id")), told, seal)
        case {"thought": True}:
            text = part.get("text")
            return Reasoning(text=shapes.text(text) or "", summary=True, redacted=text is None, seal=seal)
        case {"text": str(text)}:
            return Text(text=text, seal=seal)
    found = parts.media(part)
    if found is not None:
        return replace(found, seal=seal)
    if seal is not None and not part.keys() - {"thoughtSignature"}:
        return Text(text="", seal=seal)
    return parts.opaque(part, seal)


def _tools(found: Any) -> Iterator[Tool]:
    for tool in several(found):
        for name, value in tool.items() if isinstance(tool, dict) else ():
            if value is None:
                continue
            if camel(name) != "functionDeclarations":
                yield HostedTool(dialect=NAME, kind=camel(name), raw=dumps({name: value}))
                continue
            for declared in several(value):
                function = level(declared)
                if isinstance(function.get("name"), str):
                    yield _function(function)


def _function(function: Mapping[str, Any]) -> FunctionTool:
    given = function.get("parametersJsonSchema")
    return FunctionTool(
        name=function["name"],
        description=shapes.text(function.get("description")),
        schema=given if isinstance(given, Mapping) else json_schema(function.get("parameters")),
    )


def _tool_choice(config: Mapping[str, Any]) -> ToolChoice:
    found = level(config.get("functionCallingConfig"))
    names = words(found.get("allowedFunctionNames"))
    match str(found.get("mode", "")).upper():
        case "ANY":
            return ToolChoice(mode="required", names=names)
        case "NONE":
            return ToolChoice(mode="none")
        case _:
            return ToolChoice(names=names)


def _output(config: Mapping[str, Any]) -> Output:
    asked = [word.upper() for word in words(config.get("responseModalities"))]
    made = () if asked == ["TEXT"] or not _MODALITIES.issuperset(asked) else tuple(word.lower() for word in asked)
    if config.get("responseMimeType") != _JSON:
        return Output(modalities=made)
    given = config.get("responseJsonSchema")
    schema = given if isinstance(given, Mapping) else json_schema(config.get("responseSchema"))
    return Output(form="schema" if schema else "json", schema=schema or None, modalities=made)


def _sampling(config: Mapping[str, Any]) -> Sampling:
    return Sampling(
        limit=_whole(config.get("maxOutputTokens")),
        n=_whole(config.get("candidateCount")) or 1,
        stop=words(config.get("stopSequences")),
        temperature=shapes.number(config.get("temperature")),
        top_p=shapes.number(config.get("topP")),
        top_k=_whole(config.get("topK")),
        seed=_whole(config.get("seed")),
        presence_penalty=shapes.number(config.get("presencePenalty")),
        frequency_penalty=shapes.number(config.get("frequencyPenalty")),
        logprobs=config.get("responseLogprobs") is True,
        top_logprobs=_whole(config.get("logprobs")),
    )


def _whole(value: Any) -> int | None:
    """An integer, which Vertex also takes as 40.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return shapes.whole(value)


def _thinking(config: Mapping[str, Any]) -> Thinking:
    shown = shapes.flag(config.get("includeThoughts"))
    strength = config.get("thinkingLevel")
    effort = strength.lower() if isinstance(strength, str) and strength != "THINKING_LEVEL_UNSPECIFIED" else None
    match _whole(config.get("thinkingBudget")):
        case 0:
            return Thinking(mode="off", show=shown)
        case int(budget) if budget > 0:
            return Thinking(mode="on", budget=budget, effort=effort, show=shown)
        case int():
            return Thinking(mode="adaptive", effort=effort, show=shown)
        case _:
            return Thinking(effort=effort, show=shown)


def _extras(body: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What no neutral word says, by its path; defaults that change nothing are left out. A member that a caller has
    named like a path is nobody's."""
    found = {name: value for name, value in body.items() if name not in _TOP and name != "store" and "." not in name}
    config = {name: value for name, value in config.items() if "." not in name}
    found |= {f"generationConfig.{name}": value for name, value in config.items() if name not in _CONFIG}
    if _MODALITIES.issuperset(word.upper() for word in words(config.get("responseModalities"))):
        found.pop("generationConfig.responseModalities", None)
    if config.get("responseMimeType") not in (None, _JSON, "text/plain"):
        for name in ("responseMimeType", "responseSchema", "responseJsonSchema"):
            if name in config:
                found[f"generationConfig.{name}"] = config[name]
    tools = level(body.get("toolConfig"))
    others = {name: value for name, value in tools.items() if name != "functionCallingConfig" and "." not in name}
    found |= {f"toolConfig.{name}": value for name, value in others.items()}
    calling = level(tools.get("functionCallingConfig"))
    if str(calling.get("mode", "")).upper() == "VALIDATED":
        found["toolConfig.functionCallingConfig.mode"] = "VALIDATED"
    return {NAME: found} if found else {}
