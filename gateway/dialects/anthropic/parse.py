"""Messages requests in neutral words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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
from .. import seals, shapes
from ..base import OWN
from ..shapes import dumps, members, objects
from .parts import NAME, cache_of, content

SAID = frozenset(
    ("model", "messages", "system", "max_tokens", "stop_sequences", "temperature", "top_p", "top_k", "tools",
     "tool_choice", "thinking", "output_config", "output_format", "metadata", "stream", "service_tier", "mcp_servers",
     "diagnostics", *OWN)
)  # fmt: skip
"""Members that neutral words hold, or that change nothing in the answer."""


def parse(values: Mapping[str, Any]) -> ChatRequest:
    """A request in neutral words. Reads leniently: what has the wrong shape is left out, for a provider to refuse."""
    config = members(values.get("output_config"))
    form = config.get("format") or values.get("output_format")
    tier = shapes.text(values.get("service_tier"))
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
        end_user=shapes.text(members(values.get("metadata")).get("user_id")),
        tier="standard" if tier == "standard_only" else tier,
        extras=_extras(values, config, form),
    )


def _system(found: Any) -> Iterator[Message]:
    parts = tuple(content(found))
    if parts:
        yield Message(role="system", parts=parts)


def _messages(found: Any) -> Iterator[Message]:
    """The turns. Results of tools, which a user's turn holds here, are turns of their own, in their order."""
    for message in objects(found):
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


def _tools(values: Mapping[str, Any]) -> Iterator[Tool]:
    for tool in objects(values.get("tools")):
        match tool:
            case {"type": str(kind)} if kind != "custom":
                yield HostedTool(dialect=NAME, kind=kind, raw=dumps(tool))
            case {"name": str(name)} if _called_directly(tool):
                yield FunctionTool(
                    name=name,
                    description=shapes.text(tool.get("description")),
                    schema=members(tool.get("input_schema")),
                    strict=shapes.flag(tool.get("strict")),
                    cache=cache_of(tool),
                )
            case _:
                yield HostedTool(dialect=NAME, kind="custom", raw=dumps(tool))
    for server in objects(values.get("mcp_servers")):
        yield HostedTool(dialect=NAME, kind="mcp_servers", raw=dumps(server))


def _called_directly(tool: Mapping[str, Any]) -> bool:
    """Whether the model itself may call a function, not only code that the provider runs."""
    callers = tool.get("allowed_callers")
    return not isinstance(callers, list) or "direct" in callers


def _tool_choice(found: Any) -> ToolChoice:
    if not isinstance(found, dict):
        return ToolChoice()
    off = shapes.flag(found.get("disable_parallel_tool_use"))
    parallel = None if off is None else not off
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
    effort = shapes.text(effort)
    if not isinstance(found, dict):
        return Thinking(effort=effort)
    show = {"summarized": True, "omitted": False}.get(str(found.get("display")))
    match found:
        case {"type": "disabled"}:
            return Thinking(mode="off", effort=effort)
        case {"type": "enabled", **rest}:
            budget = shapes.whole(rest.get("budget_tokens"))
            return Thinking(mode="on", budget=budget, effort=effort, show=show)
        case {"type": "adaptive"}:
            return Thinking(mode="adaptive", effort=effort, show=show)
        case _:
            return Thinking(effort=effort)


def _extras(values: Mapping[str, Any], config: Mapping[str, Any], form: Any) -> dict[str, dict[str, Any]]:
    """What only this dialect says. A name with a dot stands for what belongs into tools or documents; see `render`.
    A member that a caller has named so is nobody's."""
    found = {
        name: value for name, value in values.items() if name not in SAID and value is not None and "." not in name
    }
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
    for tool in objects(values.get("tools")):
        if tool.get("type") in (None, "custom"):
            for name in tool.keys() - _TOOL:
                if tool[name] is not None:
                    found.setdefault(f"tools.{name}", {})[str(tool.get("name"))] = tool[name]
    if any(_cites(block) for message in objects(values.get("messages")) for block in objects(message.get("content"))):
        found["documents.citations"] = True
    return {NAME: found} if found else {}


def _cites(block: Mapping[str, Any]) -> bool:
    """Whether a document is to be cited. The vendor wants all of a request to be, or none."""
    return block.get("type") == "document" and members(block.get("citations")).get("enabled") is True
