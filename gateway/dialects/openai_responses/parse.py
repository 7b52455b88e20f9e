"""Responses requests in neutral words.

Reads leniently: what has the wrong shape is left out, for a provider to refuse. Items of one assistant's turn become
one message; a second message item begins a new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...neutral.parts import Cache, Media, Opaque, Part, Refusal, Text, ToolResult
from ...neutral.request import (
    ChatRequest,
    CustomTool,
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
from ..seals import MARK, gather
from ..shapes import dumps, listed, members
from .items import (
    NAME,
    UNSEALED,
    call_of,
    foreign,
    image_of,
    media,
    output_parts,
    reasoning,
    said_parts,
    seal_of,
    spaced,
)

SAID = frozenset(
    {
        "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "stream",
        "stream_options", "max_output_tokens", "temperature", "top_p", "top_logprobs", "include", "user", "metadata",
        "service_tier", "store", *OWN,
    }
)  # fmt: skip
"""Members that neutral words have a place for, and those that change nothing about the answer."""

_DEFAULTS = {"background": False, "truncation": "disabled"}
LOGPROBS, ENCRYPTED = "message.output_text.logprobs", "reasoning.encrypted_content"


def parse(values: Mapping[str, Any]) -> ChatRequest:
    """A request in neutral words."""
    include = listed(values.get("include"))
    instructions = values.get("instructions")
    messages = [Message(role="system", parts=(Text(text=instructions),))] if isinstance(instructions, str) else []
    messages += _messages(values.get("input"), frozenset(_spaces(values.get("tools"))))
    user, safety = values.get("user"), values.get("safety_identifier")
    end_user = next((name for name in (user, safety) if isinstance(name, str)), None)
    extras = _extras(values, include)
    if end_user is safety:
        extras.pop("safety_identifier", None)
    choice, left = _tool_choice(values)
    if left is not None:
        extras["tool_choice"] = left
    return ChatRequest(
        model=str(values.get("model", "")),
        messages=tuple(messages),
        tools=tuple(_tools(values.get("tools"))),
        tool_choice=choice,
        output=_output(values.get("text")),
        sampling=Sampling(
            limit=shapes.whole(values.get("max_output_tokens")),
            temperature=values.get("temperature"),
            top_p=values.get("top_p"),
            logprobs=LOGPROBS in include or bool(values.get("top_logprobs")),
            top_logprobs=shapes.whole(values.get("top_logprobs")),
        ),
        thinking=_thinking(values.get("reasoning")),
        stream=bool(values.get("stream")),
        end_user=end_user,
        tier=values.get("service_tier"),
        metadata=members(values.get("metadata")) or None,
        extras={NAME: extras} if extras else {},
    )


def _extras(values: Mapping[str, Any], include: list[Any]) -> dict[str, Any]:
    """What only this dialect says."""
    extras = {
        name: value
        for name, value in values.items()
        if name not in SAID and value is not None and _DEFAULTS.get(name, ...) != value
    }
    if more := [name for name in include if name not in (LOGPROBS, ENCRYPTED)]:
        extras["include"] = more
    for name, known in (
        ("text", ("format", "verbosity")), ("reasoning", ("effort", "summary", "generate_summary")),
    ):  # fmt: skip
        found = members(values.get(name))
        rest = {inner: value for inner, value in found.items() if inner not in known and value is not None}
        if rest:
            extras[name] = rest
    return extras


def _spaces(tools: Any) -> Iterator[str]:
    """The namespaces that a request declares."""
    for tool in listed(tools):
        match tool:
            case {"type": "namespace", "name": str(space)}:
                yield space


def _messages(given: Any, spaces: frozenset[str]) -> list[Message]:
    if isinstance(given, str):
        return [Message(role="user", parts=(Text(text=given),))]
    messages: list[Message] = []
    turn: list[Part] = []

    def close() -> None:
        if turn:
            messages.append(Message(role="assistant", parts=tuple(gather(turn))))
            turn.clear()

    for item in shapes.objects(given):
        kind, role = item.get("type"), item.get("role")
        if kind in ("function_call_output", "custom_tool_call_output"):
            close()
            messages.append(Message(role="tool", parts=(_result(item),)))
        elif kind not in ("message", None) or not isinstance(role, str):
            turn += _own(item, spaces)
        elif role == "assistant":
            if any(isinstance(part, Text | Refusal) for part in turn):
                close()
            turn += said_parts(item.get("content"))
        else:
            close()
            messages.append(Message(role=role, parts=tuple(_content(item.get("content")))))
    close()
    return messages


def _own(item: Mapping[str, Any], spaces: frozenset[str]) -> Iterator[Part]:
    """What an item means that stands for an assistant's doing, or that only this dialect knows."""
    match item:
        case {"type": "reasoning"}:
            value = item.get("encrypted_content")
            if isinstance(value, str) and value.startswith(MARK) and value != UNSEALED:
                thought = foreign(item, value)
            else:
                thought = reasoning(item, seal_of(item))
            if thought is not None:
                yield thought
        case {"type": "function_call" | "custom_tool_call"}:
            yield call_of(item, spaces)
        case {"type": "image_generation_call", "result": str(data)} if data:
            yield image_of(item, data)
        case {"type": str()}:
            yield from output_parts(item)
        case {"id": str()}:
            yield Opaque(dialect=NAME, kind="item_reference", raw=dumps(item))


def _content(content: Any) -> Iterator[Text | Media | Opaque]:
    """The content of a message that no assistant said, or a tool's result."""
    if isinstance(content, str):
        yield Text(text=content)
    for part in listed(content):
        match part:
            case str():
                yield Text(text=part)
            case {"type": "input_text" | "output_text" | "text", "text": str(text)}:
                yield Text(text=text, cache=_cache(part))
            case {"type": str(kind)}:
                found = media(part) or Opaque(dialect=NAME, kind=kind, raw=dumps(part))
                yield replace(found, cache=_cache(part))


def _cache(part: Mapping[str, Any]) -> Cache | None:
    return "5m" if isinstance(part.get("prompt_cache_breakpoint"), dict) else None


def _result(item: Mapping[str, Any]) -> ToolResult:
    return ToolResult(
        call_id=str(item.get("call_id", "")),
        parts=tuple(_content(item.get("output"))),
        custom=item["type"] == "custom_tool_call_output",
    )


def _tools(tools: Any) -> Iterator[Tool]:
    for tool in listed(tools):
        match tool:
            case {"type": "function", "name": str(name)}:
                schema, strict = tool.get("parameters"), shapes.flag(tool.get("strict"))
                yield FunctionTool(
                    name=name,
                    description=shapes.text(tool.get("description")),
                    schema=members(schema),
                    strict=strict if strict is not None else _is_strict(schema) or None,
                )
            case {"type": "custom", "name": str(name)}:
                form = tool.get("format")
                yield CustomTool(
                    name=name,
                    description=shapes.text(tool.get("description")),
                    form=dumps(form) if isinstance(form, dict) and form.get("type") != "text" else None,
                )
            case {"type": "namespace", "name": str(space), "tools": list(inner)}:
                for one in _tools(inner):
                    yield one if isinstance(one, HostedTool) else replace(one, name=spaced(space, one.name))
            case {"type": str(kind)}:
                yield HostedTool(dialect=NAME, kind=kind, raw=dumps(tool))


def _is_strict(schema: Any) -> bool:
    """Whether a schema can be held to strictly: every object closed, and all its properties required. Here a tool is
    strict unless it says no, but a looser schema is made to fit first, which no other dialect does
    (https://platform.openai.com/docs/guides/function-calling#strict-mode)."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, dict):
        return True
    names = schema.get("properties")
    if isinstance(names, dict) or schema.get("type") == "object":
        required = set(map(str, listed(schema.get("required"))))
        if schema.get("additionalProperties") is not False or required != set(members(names)):
            return False
    return all(map(_is_strict, schema.values()))


def _tool_choice(values: Mapping[str, Any]) -> tuple[ToolChoice, Any]:
    """The choice, and what of it only this dialect can say."""
    parallel = shapes.flag(values.get("parallel_tool_calls"))
    match values.get("tool_choice"):
        case None | "auto":
            return ToolChoice(parallel=parallel), None
        case "none":
            return ToolChoice(mode="none", parallel=parallel), None
        case "required":
            return ToolChoice(mode="required", parallel=parallel), None
        case {"type": "function" | "custom", "name": str(name)}:
            return ToolChoice(mode="required", names=(name,), parallel=parallel), None
        case {"type": "allowed_tools", "tools": list(tools), **rest} if all(
            isinstance(tool, dict) and tool.get("type") in ("function", "custom") for tool in tools
        ):
            names = tuple(str(tool.get("name", "")) for tool in tools)
            mode = rest.get("mode")
            return ToolChoice(mode="required" if mode == "required" else "auto", names=names, parallel=parallel), None
        case other:
            return ToolChoice(parallel=parallel), other


def _output(text: Any) -> Output:
    text = members(text)
    verbosity = shapes.text(text.get("verbosity"))
    match text.get("format"):
        case {"type": "json_object"}:
            return Output(form="json", verbosity=verbosity)
        case {"type": "json_schema", "schema": dict(schema)} as form:
            return Output(
                form="schema",
                name=shapes.text(form.get("name")),
                description=shapes.text(form.get("description")),
                schema=schema,
                strict=shapes.flag(form.get("strict")),
                verbosity=verbosity,
            )
        case _:
            return Output(verbosity=verbosity)


def _thinking(found: Any) -> Thinking:
    if not isinstance(found, dict):
        return Thinking()
    summary = found.get("summary") or found.get("generate_summary")
    return Thinking(effort=shapes.text(found.get("effort")), show=True if summary not in (None, "none") else None)
