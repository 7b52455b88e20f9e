"""A Chat request in neutral words (https://platform.openai.com/docs/api-reference/chat/create).

Reads leniently what OpenAI and those who speak like it take: what has the wrong shape is left out, for a provider to
refuse; what only Chat can say stays in `extras`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...neutral.parts import Media, Opaque, Part, Refusal, Text, ToolCall, ToolResult
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
from ..shapes import dumps, listed, members
from ..unanswered import Unanswered
from . import thoughts
from .parts import cache, parse_call, parse_content, parse_images, seal
from .thoughts import NAME

LIMITS = ("max_completion_tokens", "max_tokens")
"""Names of the output limit, the newer one first; it wins where both are given."""

SAID = frozenset({
    "model", "messages", "stream", "tools", "functions", "tool_choice", "function_call", "parallel_tool_calls",
    "response_format", "verbosity", *LIMITS, "n", "stop", "temperature", "top_p", "top_k", "seed", "presence_penalty",
    "frequency_penalty", "logprobs", "top_logprobs", "reasoning_effort", "reasoning", "thinking", "enable_thinking",
    "thinking_budget", "include_reasoning", "user", "safety_identifier", "service_tier", "metadata", "modalities",
})  # fmt: skip
"""Members that neutral words have a place for."""

_SILENT = frozenset({"stream_options", "store", *OWN})
"""Members that change nothing in the answer."""

_DEFAULTS: dict[str, Any] = {"logit_bias": {}}
_MODALITIES = frozenset({"text", "image", "audio"})


def parse(values: Mapping[str, Any]) -> ChatRequest:
    """A request in neutral words."""
    tools = tuple(_tools(values))
    end_user = [values[name] for name in ("safety_identifier", "user") if isinstance(values.get(name), str)]
    output = _output(values.get("response_format"), values.get("verbosity"))
    return ChatRequest(
        model=str(values.get("model", "")),
        messages=_messages(values.get("messages")),
        tools=tools,
        tool_choice=_tool_choice(values),
        output=replace(
            output or Output(verbosity=shapes.text(values.get("verbosity"))), modalities=_modalities(values)
        ),
        sampling=_sampling(values),
        thinking=_thinking(values),
        stream=bool(values.get("stream")),
        end_user=end_user[0] if end_user else None,
        tier=shapes.text(values.get("service_tier")),
        metadata=members(values.get("metadata")) or None,
        extras=_extras(values, known_form=output is not None),
    )


def _extras(values: Mapping[str, Any], known_form: bool) -> dict[str, dict[str, Any]]:
    found = {
        name: value
        for name, value in values.items()
        if value is not None and name not in SAID | _SILENT and value != _DEFAULTS.get(name)
    }
    if not known_form:
        found["response_format"] = values["response_format"]
    if values.get("modalities") and not _MODALITIES.issuperset(shapes.words(values["modalities"])):
        found["modalities"] = values["modalities"]
    return {NAME: found} if found else {}


def _modalities(values: Mapping[str, Any]) -> tuple[str, ...]:
    """What the answer is made of; () for text, and where it is said in words that nobody knows."""
    found = tuple(shapes.words(values.get("modalities")))
    return () if found == ("text",) or not _MODALITIES.issuperset(found) else found


def _messages(given: Any) -> tuple[Message, ...]:
    found: list[Message] = []
    unanswered: Unanswered[ToolCall] = Unanswered()
    for place, message in enumerate(listed(given)):
        if isinstance(message, dict):
            found.append(_message(message, place, unanswered))
    return tuple(found)


def _message(message: Mapping[str, Any], place: int, unanswered: Unanswered[ToolCall]) -> Message:
    """One message. unanswered: the calls before it that have no result yet, for results that do not name theirs."""
    role, name = str(message.get("role", "")), shapes.text(message.get("name"))
    if role in ("tool", "function"):
        return Message(role="tool", parts=(_result(message, name, unanswered),), name=name)
    parts: list[Part] = [*thoughts.parse(message), *parse_content(message.get("content"))]
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        parts.append(Refusal(text=message["refusal"]))
    parts += parse_images(message)
    if isinstance(message.get("audio"), dict):
        parts.append(Opaque(dialect=NAME, kind="audio", raw=dumps(message["audio"])))
    calls = list(_calls(message, place))
    for call in calls:
        unanswered.add(call, identity=call.id, name=call.name)
    return Message(role=role, parts=sealed((*parts, *calls), message), name=name)


def sealed(parts: tuple[Part, ...], message: Mapping[str, Any]) -> tuple[Part, ...]:
    """The parts with a signature of the whole message on the one that it must be of: its text, else its first call."""
    found = seal(message)
    if found is None:
        return parts
    for kind in (Text, ToolCall):
        places = [place for place, part in enumerate(parts) if isinstance(part, kind) and part.seal is None]
        if places:
            at = places[-1] if kind is Text else places[0]
            return (*parts[:at], replace(parts[at], seal=found), *parts[at + 1 :])
    return (*parts, Text(text="", seal=found))


def _calls(message: Mapping[str, Any], place: int) -> Iterator[ToolCall]:
    for number, call in enumerate(listed(message.get("tool_calls"))):
        made = parse_call(call, f"call_{place}_{number}")
        if made is not None:
            yield made
    if isinstance(message.get("function_call"), dict):  # what tools were called before tools
        made = parse_call({"function": message["function_call"]}, f"call_{place}")
        if made is not None:
            yield made


def _result(message: Mapping[str, Any], name: str | None, unanswered: Unanswered[ToolCall]) -> ToolResult:
    said = tuple(part for part in parse_content(message.get("content")) if isinstance(part, Text | Media | Opaque))
    identity = shapes.text(message.get("tool_call_id"))
    of = unanswered.of_id(identity) if identity else unanswered.of_name(name)
    if of is not None:
        identity = of.id
    return ToolResult(
        call_id=identity or "", name=name, parts=said, custom=of is not None and of.custom, cache=cache(message)
    )


def _tools(values: Mapping[str, Any]) -> Iterator[Tool]:
    for tool in listed(values.get("tools")):
        match tool:
            case {"type": "function", "function": {"name": str()} as function}:
                yield _function(function, tool)
            case {"type": "custom", "custom": {"name": str(name), **rest}}:
                yield CustomTool(
                    name=name, description=shapes.text(rest.get("description")), form=_form(rest.get("format"))
                )
            case {"type": str(kind)}:
                yield HostedTool(dialect=NAME, kind=kind, raw=dumps(tool))
    for function in listed(values.get("functions")):
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            yield _function(function, function)


def _function(function: Mapping[str, Any], tool: Mapping[str, Any]) -> FunctionTool:
    return FunctionTool(
        name=function["name"],
        description=shapes.text(function.get("description")),
        schema=members(function.get("parameters")),
        strict=shapes.flag(function.get("strict")),
        cache=cache(tool),
    )


def _form(form: Any) -> str | None:
    """The grammar of a custom tool, flat as Responses has it."""
    match form:
        case {"type": "grammar", "grammar": dict(grammar)}:
            return dumps({"type": "grammar", **grammar})
        case {"type": str(kind)} if kind != "text":
            return dumps(form)
        case _:
            return None


def _tool_choice(values: Mapping[str, Any]) -> ToolChoice:
    parallel = shapes.flag(values.get("parallel_tool_calls"))
    if parallel is None and values.get("functions") and not values.get("tools"):
        parallel = False  # a `function_call` holds one
    given = values.get("tool_choice")
    match given if given is not None else values.get("function_call"):
        case "none":
            return ToolChoice(mode="none", parallel=parallel)
        case "required" | "any":
            return ToolChoice(mode="required", parallel=parallel)
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}:
            names = tuple(name for name in map(_named, tools) if name is not None)
            return ToolChoice(mode="required" if mode == "required" else "auto", names=names, parallel=parallel)
        case dict(tool):
            name = _named(tool)
            return ToolChoice(mode="required" if name else "auto", names=(name,) if name else (), parallel=parallel)
        case _:
            return ToolChoice(parallel=parallel)


def _named(tool: Any) -> str | None:
    """The name in a reference to a tool."""
    match tool:
        case {"function": {"name": str(name)}} | {"custom": {"name": str(name)}} | {"name": str(name)}:
            return name
        case _:
            return None


def _output(form: Any, verbosity: Any) -> Output | None:
    """The form of the answer; None for one that only this dialect knows."""
    verbosity = shapes.text(verbosity)
    match form:
        case None | {"type": "text"}:
            return Output(verbosity=verbosity)
        case {"type": "json_object"}:
            return Output(form="json", verbosity=verbosity)
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)} as inner}:
            return Output(
                form="schema",
                name=shapes.text(inner.get("name")),
                description=shapes.text(inner.get("description")),
                schema=schema,
                strict=shapes.flag(inner.get("strict")),
                verbosity=verbosity,
            )
        case _:
            return None


def _sampling(values: Mapping[str, Any]) -> Sampling:
    limits = [limit for limit in map(shapes.whole, map(values.get, LIMITS)) if limit is not None]
    stop = values.get("stop")
    return Sampling(
        limit=limits[0] if limits else None,
        n=max(1, shapes.whole(values.get("n")) or 1),
        stop=(stop,) if isinstance(stop, str) else shapes.words(stop),
        temperature=shapes.number(values.get("temperature")),
        top_p=shapes.number(values.get("top_p")),
        top_k=shapes.whole(values.get("top_k")),
        seed=shapes.whole(values.get("seed")),
        presence_penalty=shapes.number(values.get("presence_penalty")),
        frequency_penalty=shapes.number(values.get("frequency_penalty")),
        logprobs=values.get("logprobs") is True,
        top_logprobs=shapes.whole(values.get("top_logprobs")),
    )


def _thinking(values: Mapping[str, Any]) -> Thinking:
    """OpenAI's effort, or what others have beside it: OpenRouter `reasoning`, DeepSeek, z.ai and Anthropic's Chat
    endpoint `thinking`, Qwen `enable_thinking`."""
    effort, show = shapes.text(values.get("reasoning_effort")), shapes.flag(values.get("include_reasoning"))
    budget, on = shapes.whole(values.get("thinking_budget")), shapes.flag(values.get("enable_thinking"))
    match values.get("reasoning"):
        case dict(reasoning):
            effort = effort or shapes.text(reasoning.get("effort"))
            budget = budget if budget is not None else shapes.whole(reasoning.get("max_tokens"))
            on = on if on is not None else shapes.flag(reasoning.get("enabled"))
            show = False if reasoning.get("exclude") is True else show
    match values.get("thinking"):
        case {"type": "disabled"}:
            on = False
        case {"type": "enabled" | "adaptive", **rest}:
            on, budget = True, budget if budget is not None else shapes.whole(rest.get("budget_tokens"))
    if on is False:
        return Thinking(mode="off", show=show)
    if budget is not None:
        return Thinking(mode="on", budget=budget, effort=effort, show=show)
    return Thinking(mode="adaptive" if on else None, effort=effort, show=show)
