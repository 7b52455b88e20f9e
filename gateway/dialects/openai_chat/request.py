"""Chat requests: what the gateway must know of one, its bytes for a leg, and its meaning in neutral words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ...call import Ask, Call, Leg
from ...neutral.parts import Bytes, FileRef, Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult, Url
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
from ...splice import edit
from ..scale import Scale, decoded, size

LIMITS = ("max_completion_tokens", "max_tokens")
"""Names of the output limit, the newer one first; it wins where both are given."""

OWN = ("models", "provider", "computer_id", "max_steps")
"""Members that are the gateway's and never go upstream."""

_HOSTED = ("web_search_options",)
_OURS = frozenset({"function", "custom"})
"""Types of tools that the caller runs; all others are the provider's, and billed by it."""


def ask(values: Mapping[str, Any]) -> Ask:
    """What the gateway must know of a request that the schema gate has passed."""
    given = [values[name] for name in LIMITS if values.get(name) is not None]
    options = values.get("stream_options")
    modalities = values.get("modalities")
    scale = _weighed(values)
    return Ask(
        model=values["model"],
        stream=bool(values.get("stream")),
        n=values.get("n") or 1,
        limit=given[0] if given else None,
        wants_usage=isinstance(options, dict) and options.get("include_usage") is True,
        audio_in=scale.audio_bytes > 0,
        audio_out=isinstance(modalities, list) and "audio" in modalities,
        hosted=(
            *(name for name in _HOSTED if values.get(name) is not None),
            *(f"tools[{place}]" for place, tool in enumerate(values.get("tools") or ()) if tool["type"] not in _OURS),
        ),
        tier=values.get("service_tier"),
        weight=scale.weight(),
        references=tuple(scale.references),
        urls=tuple(scale.urls),
    )


def _weighed(values: Mapping[str, Any]) -> Scale:
    scale = Scale()
    scale.top(values)
    for index, message in enumerate(values["messages"]):
        scale.messages += 1
        for name, value in message.items():
            if name == "content" and isinstance(value, list):
                for place, part in enumerate(value):
                    _weigh_part(scale, part, f"messages[{index}].content[{place}]")
            elif name == "audio" and isinstance(value, dict) and "id" in value:
                scale.refer("audio", value["id"], f"messages[{index}].audio.id")
            else:
                scale.text += size(value)
    for name in ("tools", "functions"):
        for place, tool in enumerate(values.get(name) or ()):
            scale.tools += 1
            scale.text += size(tool)
            if isinstance(tool, dict) and tool.get("type") not in _OURS and name == "tools":
                scale.search(tool, f"tools[{place}]")
    for name in ("response_format", "tool_choice", "prediction"):
        scale.text += size(values.get(name))
    return scale


def _weigh_part(scale: Scale, part: Any, where: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    inner = part.get(kind) if kind else None
    if kind == "image_url":
        scale.images += 1
        scale.small_images += isinstance(inner, dict) and inner.get("detail") == "low"
        scale.fetched(inner.get("url") if isinstance(inner, dict) else inner, f"{where}.image_url")
    elif kind == "input_audio" and isinstance(inner, dict):
        scale.audio_bytes += decoded(inner.get("data"))
    elif kind == "file" and isinstance(inner, dict):
        scale.file_bytes += decoded(inner.get("file_data"))
    elif kind in ("video_url", "document_url", "file_url"):
        scale.unseen = True
        scale.fetched(inner.get("url") if isinstance(inner, dict) else inner, f"{where}.{kind}")
    else:
        scale.text += size(part)
    if kind != "text":
        scale.search(part, where)


def encode(call: Call, leg: Leg) -> bytes:
    """The caller's bytes for a leg of the same dialect: only what Law 1 names is changed."""
    values = call.body.values
    changes: dict[str, str | None] = {"model": json.dumps(leg.model)}
    if call.ask.stream and not call.ask.wants_usage:
        options = values.get("stream_options")
        changes["stream_options"] = json.dumps({**(options or {}), "include_usage": True}, separators=(",", ":"))
    if call.cap is not None:
        named = [name for name in LIMITS if values.get(name) is not None]
        for name in named or [leg.channel.limit_name]:
            changes[name] = str(call.cap)
    for name in OWN:
        if name in values:
            changes[name] = None
    return edit(call.body, changes)


def parse(values: Mapping[str, Any]) -> ChatRequest:
    """A request in neutral words. Reads leniently: what has the wrong shape is left out, for a provider to refuse."""
    return ChatRequest(
        model=str(values.get("model", "")),
        messages=tuple(_message(message) for message in values.get("messages") or () if isinstance(message, dict)),
        tools=tuple(_tools(values)),
        tool_choice=_tool_choice(values),
        output=_output(values.get("response_format")),
        sampling=Sampling(
            limit=next((values[name] for name in LIMITS if values.get(name) is not None), None),
            n=values.get("n") or 1,
            stop=_stop(values.get("stop")),
            temperature=values.get("temperature"),
            top_p=values.get("top_p"),
            seed=values.get("seed"),
        ),
        thinking=Thinking(effort=values.get("reasoning_effort")),
        stream=bool(values.get("stream")),
    )


def _message(message: Mapping[str, Any]) -> Message:
    role, content = str(message.get("role", "")), message.get("content")
    name = message.get("name") if isinstance(message.get("name"), str) else None
    parts: list[Part] = []
    for field in ("reasoning_content", "reasoning"):
        if isinstance(message.get(field), str) and message[field]:
            parts.append(Reasoning(text=message[field]))
            break
    parts += _parts(content)
    if isinstance(message.get("refusal"), str):
        parts.append(Refusal(text=message["refusal"]))
    for call in message.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            parts.append(
                ToolCall(
                    id=str(call.get("id", "")),
                    name=str(function.get("name", "")),
                    arguments=str(function.get("arguments", "")),
                )
            )
    if role in ("tool", "function"):
        said = tuple(part for part in parts if isinstance(part, Text | Media))
        result = ToolResult(call_id=str(message.get("tool_call_id", "")), name=name, parts=said)
        return Message(role="tool", parts=(result,), name=name)
    return Message(role=role, parts=tuple(parts), name=name)


def _parts(content: Any) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(text=content)
    for part in content if isinstance(content, list) else ():
        match part:
            case str():
                yield Text(text=part)
            case {"type": "text", "text": str(text)}:
                yield Text(text=text)
            case {"type": "image_url", "image_url": {"url": str(url), **rest}} | {
                "type": "image_url", "image_url": str(url), **rest
            }:  # fmt: skip
                yield _media("image", url, detail=str(rest["detail"]) if "detail" in rest else None)
            case {"type": "input_audio", "input_audio": {"data": str(data), **rest}}:
                yield Media(kind="audio", source=Bytes(base64=data), media_type=f"audio/{rest.get('format', 'wav')}")
            case {"type": "file", "file": {"file_id": str(file_id)}}:
                yield Media(kind="file", source=FileRef(id=file_id))
            case {"type": "file", "file": {"file_data": str(data), **rest}}:
                yield _media("file", data, name=str(rest.get("filename", "")) or None)
            case {"type": "refusal", "refusal": str(text)}:
                yield Refusal(text=text)
            case {"type": str(kind)}:
                yield Opaque(dialect="chat", kind=kind, raw=json.dumps(part))


def _media(kind: Any, url: str, *, detail: str | None = None, name: str | None = None) -> Media:
    if url.startswith("data:") and "," in url:
        head, data = url[5:].split(",", 1)
        media_type = head.split(";")[0] or None
        return Media(kind=kind, source=Bytes(base64=data), media_type=media_type, detail=detail, name=name)
    return Media(kind=kind, source=Url(url=url), detail=detail, name=name)


def _tools(values: Mapping[str, Any]) -> Iterator[Tool]:
    for tool in values.get("tools") or ():
        match tool:
            case {"type": "function", "function": {"name": str()} as function}:
                yield _function(function)
            case {"type": str(kind)}:
                yield HostedTool(dialect="chat", kind=kind, raw=json.dumps(tool))
    for function in values.get("functions") or ():
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            yield _function(function)


def _function(function: Mapping[str, Any]) -> FunctionTool:
    schema = function.get("parameters")
    return FunctionTool(
        name=function["name"],
        description=function.get("description"),
        schema=schema if isinstance(schema, dict) else {},
        strict=function.get("strict"),
    )


def _tool_choice(values: Mapping[str, Any]) -> ToolChoice:
    parallel = values.get("parallel_tool_calls")
    match values.get("tool_choice", values.get("function_call")):
        case "none":
            return ToolChoice(mode="none", parallel=parallel)
        case "required" | "any":
            return ToolChoice(mode="required", parallel=parallel)
        case {"function": {"name": str(name)}} | {"name": str(name)}:
            return ToolChoice(mode="required", names=(name,), parallel=parallel)
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}:
            named = [tool.get("function") for tool in tools if isinstance(tool, dict)]
            names = tuple(
                str(function["name"]) for function in named if isinstance(function, dict) and "name" in function
            )
            return ToolChoice(mode="required" if mode == "required" else "auto", names=names, parallel=parallel)
        case _:
            return ToolChoice(parallel=parallel)


def _output(form: Any) -> Output:
    match form:
        case {"type": "json_object"}:
            return Output(form="json")
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)} as inner}:
            return Output(form="schema", name=inner.get("name"), schema=schema, strict=inner.get("strict"))
        case _:
            return Output()


def _stop(stop: Any) -> tuple[str, ...]:
    if isinstance(stop, str):
        return (stop,)
    return tuple(word for word in stop if isinstance(word, str)) if isinstance(stop, list) else ()
