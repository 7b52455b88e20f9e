"""Messages requests: what the gateway must know of one, its bytes for a leg, and its meaning in neutral words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...call import Ask, Call, Leg
from ...neutral.parts import Part, ToolResult
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
from .. import seals
from ..scale import Scale, decoded, size
from .parts import NAME, cache_of, content, dumped

OWN: tuple[str, ...] = ("models", "provider", "computer_id", "max_steps")
"""Members that are the gateway's and never go upstream."""

_OURS = ("computer_", "browser_toolset_", "text_editor_", "bash_", "memory_")
"""Beginnings of the types of tools that the vendor defines and the caller runs; all other types are the provider's to
run, and billed by it."""

_DEFINITION = 4_000
"""Input tokens, from above, of the definition that the vendor adds for a tool it knows by its type (`memory` was
counted at 1,570)."""

_MADE_HERE = re.compile("msg_[0-9a-f]{32}")
"""A reply's id as the gateway makes it: it names nothing upstream."""

_UPSTREAM = {"user_profile_id": "user profile", "workspace_id": "workspace"}
"""Members that name objects of the gateway's own account there, beside those of `scale.UPSTREAM`."""


def ask(values: Mapping[str, Any]) -> Ask:
    """What the gateway must know of a request that the schema gate has passed."""
    scale = _weighed(values)
    return Ask(
        model=values["model"],
        stream=bool(values.get("stream")),
        limit=values.get("max_tokens"),
        wants_usage=True,
        hosted=tuple(_hosted(values)),
        tier=None if values.get("service_tier") == "standard_only" else values.get("service_tier"),
        weight=scale.weight(),
        references=tuple(scale.references),
        urls=tuple(scale.urls),
    )


def _hosted(values: Mapping[str, Any]) -> Iterator[str]:
    """What the provider bills beside tokens, or at other rates (https://platform.claude.com/docs/en/pricing)."""
    for place, tool in enumerate(values.get("tools") or ()):
        if not _runs_here(tool):
            yield f"tools[{place}]"
    if values.get("mcp_servers"):
        yield "mcp_servers"
    if values.get("speed") not in (None, "standard"):
        yield "speed"
    if values.get("inference_geo") not in (None, "global"):
        yield "inference_geo"


def _runs_here(tool: Mapping[str, Any]) -> bool:
    """Whether the caller runs a tool."""
    kind = tool.get("type")
    return kind in (None, "custom") or str(kind).startswith(_OURS)


def _weighed(values: Mapping[str, Any]) -> Scale:
    scale = Scale()
    scale.top(values)
    for name, kind in _UPSTREAM.items():
        if values.get(name) is not None:
            scale.refer(kind, values[name], name)
    _weigh_content(scale, values.get("system"), "system")
    for index, message in enumerate(values["messages"]):
        scale.messages += 1
        scale.text += size({name: value for name, value in message.items() if name != "content"})
        _weigh_content(scale, message.get("content"), f"messages[{index}].content")
    for place, tool in enumerate(values.get("tools") or ()):
        scale.tools += 1
        scale.text += size(tool)
        if tool.get("type") not in (None, "custom"):
            scale.text += _DEFINITION
            scale.search(tool, f"tools[{place}]")
    for name in ("tool_choice", "output_config", "output_format", "mcp_servers", "context_management"):
        scale.text += size(values.get(name))
    for place, server in enumerate(values.get("mcp_servers") or ()):
        scale.unseen = True
        scale.fetched(server.get("url"), f"mcp_servers[{place}].url")
    box = values.get("container")
    for place, skill in enumerate(_objects(box.get("skills")) if isinstance(box, dict) else ()):
        if skill.get("type") != "anthropic":
            scale.refer("skill", skill.get("skill_id"), f"container.skills[{place}].skill_id")
    diagnostics = values.get("diagnostics")
    previous = diagnostics.get("previous_message_id") if isinstance(diagnostics, dict) else None
    if isinstance(previous, str) and not _MADE_HERE.fullmatch(previous):
        scale.refer("message", previous, "diagnostics.previous_message_id")
    return scale


def _objects(found: Any) -> Iterable[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else ()


def _weigh_content(scale: Scale, found: Any, where: str) -> None:
    if not isinstance(found, list):
        scale.text += size(found)
        return
    for place, block in enumerate(found):
        _weigh_block(scale, block, f"{where}[{place}]")


def _weigh_block(scale: Scale, block: Any, where: str) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind in ("image", "document"):
        scale.text += size({name: value for name, value in block.items() if name not in ("source", "type")})
        scale.images += kind == "image"
        source = block.get("source")
        if isinstance(source, dict):
            _weigh_source(scale, source, kind == "image", f"{where}.source")
    elif kind == "tool_result":
        scale.text += size({name: value for name, value in block.items() if name != "content"})
        _weigh_content(scale, block.get("content"), f"{where}.content")
    else:
        scale.text += size(block)
        if not str(kind).endswith("tool_use"):  # what a model said is no name of ours to look up
            scale.search(block, where)


def _weigh_source(scale: Scale, source: Mapping[str, Any], image: bool, where: str) -> None:
    match source.get("type"):
        case "base64":
            scale.file_bytes += 0 if image else decoded(source.get("data"))
        case "url":
            scale.unseen = scale.unseen or not image
            scale.fetched(source.get("url"), f"{where}.url")
        case "content":
            _weigh_content(scale, source.get("content"), f"{where}.content")
        case _:
            scale.text += size(source)
            scale.search(source, where)


def encode(call: Call, leg: Leg) -> bytes:
    """The caller's bytes for a leg of the same dialect: only what Law 1 names is changed."""
    changes: dict[str, str | None] = {"model": json.dumps(leg.model)}
    if call.cap is not None:
        changes["max_tokens"] = str(call.cap)
    for name in OWN:
        if name in call.body.values:
            changes[name] = None
    return edit(call.body, changes)


_SAID = frozenset(
    ("model", "messages", "system", "max_tokens", "stop_sequences", "temperature", "top_p", "top_k", "tools",
     "tool_choice", "thinking", "output_config", "output_format", "metadata", "stream", "service_tier", "mcp_servers",
     "diagnostics", *OWN)
)  # fmt: skip
"""Members that neutral words hold, or that change nothing in the answer."""


def parse(values: Mapping[str, Any]) -> ChatRequest:
    """A request in neutral words. Reads leniently: what has the wrong shape is left out, for a provider to refuse."""
    config = values.get("output_config")
    config = config if isinstance(config, dict) else {}
    form = config.get("format") or values.get("output_format")
    user = values["metadata"].get("user_id") if isinstance(values.get("metadata"), dict) else None
    tier = values.get("service_tier")
    return ChatRequest(
        model=str(values.get("model", "")),
        messages=(*_system(values.get("system")), *_messages(values.get("messages"))),
        tools=tuple(_tools(values)),
        tool_choice=_tool_choice(values.get("tool_choice")),
        output=_output(form),
        sampling=Sampling(
            limit=values.get("max_tokens"),
            stop=tuple(word for word in values.get("stop_sequences") or () if isinstance(word, str)),
            temperature=values.get("temperature"),
            top_p=values.get("top_p"),
            top_k=values.get("top_k"),
        ),
        thinking=_thinking(values.get("thinking"), config.get("effort")),
        stream=bool(values.get("stream")),
        end_user=user if isinstance(user, str) else None,
        tier="standard" if tier == "standard_only" else tier if isinstance(tier, str) else None,
        extras=_extras(values, config, form),
    )


def _system(found: Any) -> Iterator[Message]:
    parts = tuple(content(found))
    if parts:
        yield Message(role="system", parts=parts)


def _messages(found: Any) -> Iterator[Message]:
    """The turns. Results of tools, which a user's turn holds here, are turns of their own, in their order."""
    for message in _objects(found):
        role = str(message.get("role", ""))
        parts = list(content(message.get("content")))
        if role == "assistant":
            parts = list(seals.gather(parts))
        run: list[Part] = []
        for part in parts:
            if run and isinstance(part, ToolResult) != isinstance(run[0], ToolResult):
                yield _turn(role, run)
                run = []
            run.append(part)
        if run or not parts:
            yield _turn(role, run)


def _turn(role: str, parts: list[Part]) -> Message:
    return Message(role="tool" if parts and isinstance(parts[0], ToolResult) else role, parts=tuple(parts))


_TOOL = frozenset(("name", "description", "input_schema", "type", "cache_control", "strict"))
_ITS_OWN = ("defer_loading", "allowed_callers")
"""Members of a function that make it a matter of the provider's own tools."""


def _tools(values: Mapping[str, Any]) -> Iterator[Tool]:
    for tool in _objects(values.get("tools")):
        match tool:
            case {"type": str(kind)} if kind != "custom":
                yield HostedTool(dialect=NAME, kind=kind, raw=dumped(tool))
            case {"name": str(name)} if not any(tool.get(member) for member in _ITS_OWN):
                schema, told = tool.get("input_schema"), tool.get("description")
                yield FunctionTool(
                    name=name,
                    description=told if isinstance(told, str) else None,
                    schema=schema if isinstance(schema, dict) else {},
                    strict=tool["strict"] if isinstance(tool.get("strict"), bool) else None,
                    cache=cache_of(tool),
                )
            case _:
                yield HostedTool(dialect=NAME, kind="custom", raw=dumped(tool))
    for server in _objects(values.get("mcp_servers")):
        yield HostedTool(dialect=NAME, kind="mcp_servers", raw=dumped(server))


def _tool_choice(found: Any) -> ToolChoice:
    if not isinstance(found, dict):
        return ToolChoice()
    off = found.get("disable_parallel_tool_use")
    parallel = not off if isinstance(off, bool) else None
    match found:
        case {"type": "any"}:
            return ToolChoice(mode="required", parallel=parallel)
        case {"type": "tool", "name": str(name)}:
            return ToolChoice(mode="required", names=(name,), parallel=parallel)
        case {"type": "none"}:
            return ToolChoice(mode="none", parallel=parallel)
        case _:
            return ToolChoice(parallel=parallel)


def _output(form: Any) -> Output:
    match form:
        case {"type": "json_schema", "schema": dict(schema)}:
            return Output(form="schema", schema=schema)
        case _:
            return Output()


def _thinking(found: Any, effort: Any) -> Thinking:
    effort = effort if isinstance(effort, str) else None
    if not isinstance(found, dict):
        return Thinking(effort=effort)
    show = {"summarized": True, "omitted": False}.get(str(found.get("display")))
    match found:
        case {"type": "disabled"}:
            return Thinking(mode="off", effort=effort)
        case {"type": "enabled", **rest}:
            budget = rest.get("budget_tokens")
            return Thinking(mode="on", budget=budget if isinstance(budget, int) else None, effort=effort, show=show)
        case {"type": "adaptive"}:
            return Thinking(mode="adaptive", effort=effort, show=show)
        case _:
            return Thinking(effort=effort)


def _extras(values: Mapping[str, Any], config: Mapping[str, Any], form: Any) -> dict[str, dict[str, Any]]:
    """What only this dialect says. A name with a dot stands for what belongs into tools or documents; see `render`."""
    found = {name: value for name, value in values.items() if name not in _SAID and value is not None}
    if found.get("speed") == "standard":
        del found["speed"]
    rest = {name: value for name, value in config.items() if name not in ("format", "effort") and value is not None}
    if isinstance(form, dict) and _output(form) == Output():
        rest["format"] = form
    if rest:
        found["output_config"] = rest
    thinking = values.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") not in ("disabled", "enabled", "adaptive"):
        found["thinking"] = thinking
    for tool in _objects(values.get("tools")):
        if tool.get("type") in (None, "custom"):
            for name in tool.keys() - _TOOL - {*_ITS_OWN}:
                if tool[name] is not None:
                    found.setdefault(f"tools.{name}", {})[str(tool.get("name"))] = tool[name]
    if any(_cites(block) for message in _objects(values.get("messages")) for block in _objects(message.get("content"))):
        found["documents.citations"] = True
    return {NAME: found} if found else {}


def _cites(block: Mapping[str, Any]) -> bool:
    """Whether a document is to be cited. The vendor wants all of a request to be, or none."""
    wish = block.get("citations")
    return block.get("type") == "document" and isinstance(wish, dict) and wish.get("enabled") is True
