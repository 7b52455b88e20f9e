"""A Chat request from neutral words, in what nearly every Chat provider takes.

Content is a plain string where it can be; `developer` becomes `system`, which OpenAI takes for it; tool messages hold
text only and stand right behind their call, so media go into a user message after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ...call import Leg, Profile
from ...neutral.parts import Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from ...neutral.request import ChatRequest, CustomTool, FunctionTool, HostedTool, Message, Output, Thinking, Tool
from ..borne import sampled
from ..fitting import MOST_USER, shortened
from ..handed import handed
from ..shapes import loads
from . import thoughts
from .parts import extra, render_call, render_media
from .thoughts import NAME

_MOST_ID = 40
"""Characters that OpenAI takes for a call's id."""

_SEEN = "(What the tool made is attached to the next message.)"


def render(request: ChatRequest, leg: Leg) -> dict[str, Any]:
    """The body for a leg."""
    known, request = leg.profile, sampled(request, leg.profile)
    sampling = request.sampling
    fields: dict[str, Any] = {
        "model": request.model,
        "messages": _messages(handed(request.messages), known),
        **_tools(request),
        "response_format": _form(request.output),
        "modalities": list(request.output.modalities) or None,
        "verbosity": request.output.verbosity,
        known.limit_name: sampling.limit,
        "n": sampling.n if sampling.n > 1 else None,
        "stop": list(sampling.stop) or None,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k if "top_k" in known.knows else None,
        "seed": sampling.seed,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "logprobs": sampling.logprobs or None,
        "top_logprobs": sampling.top_logprobs if sampling.logprobs else None,
        **_thinking(request.thinking, known),
        "user": shortened(request.end_user, MOST_USER) if request.end_user is not None else None,
        "metadata": dict(request.metadata) if request.metadata else None,
        "service_tier": {"auto": None, "standard": "default"}.get(request.tier or "auto", request.tier),
        "stream": True if request.stream else None,
        "stream_options": {"include_usage": True} if request.stream else None,
    }
    kept = {name: value for name, value in fields.items() if value is not None}
    return {**request.extras.get(NAME, {}), **kept}


def _thinking(thinking: Thinking, known: Profile) -> dict[str, Any]:
    """How the provider is told to think, or not to."""
    asked = _effort(thinking)
    on = None if asked is None and thinking.mode is None else asked != "none"
    effort = known.effort(asked) if asked is not None and known.thinks else None
    match known.switch:
        case "effort":
            return {"reasoning_effort": effort}
        case "thinking":
            off = on is False and not known.always
            switched = {"type": "disabled" if off else "enabled"} if on is not None else None
            return {"thinking": switched, "reasoning_effort": None if off else effort}
        case "enable_thinking":
            return {"enable_thinking": on, "thinking_budget": thinking.budget if on else None}
        case "reasoning":
            told: dict[str, Any] = {"effort": effort} if effort is not None else {}
            if on and thinking.budget is not None and thinking.effort is None:
                told = {"max_tokens": thinking.budget}
            elif on and not told:
                told = {"enabled": True}
            hidden = {"exclude": True} if thinking.show is False else {}
            return {"reasoning": {**told, **hidden} or None}


def _effort(thinking: Thinking) -> str | None:
    if thinking.mode == "off":
        return "none"
    if thinking.effort is not None:
        return thinking.effort
    if thinking.mode != "on":
        return None
    return "medium" if thinking.budget is None else effort_of(thinking.budget)


def effort_of(budget: int) -> str:
    """The effort that OpenAI's words have for a budget of thinking tokens."""
    return "low" if budget < 4_096 else "medium" if budget < 16_384 else "high"


def _form(output: Output) -> dict[str, Any] | None:
    if output.form == "json":
        return {"type": "json_object"}
    if output.form == "text":
        return None
    inner = {
        "name": output.name or "answer",
        "description": output.description,
        "schema": dict(output.schema or {}),
        "strict": output.strict,
    }
    return {"type": "json_schema", "json_schema": {name: value for name, value in inner.items() if value is not None}}


def _tools(request: ChatRequest) -> dict[str, Any]:
    """The tools and which must be called; where only some may be, only those are offered."""
    choice, tools = request.tool_choice, request.tools
    named = choice.mode == "required" and len(choice.names) == 1
    if choice.names and not named:
        names = frozenset(choice.names)
        tools = tuple(tool for tool in tools if isinstance(tool, HostedTool) or tool.name in names)
    offered = [made for tool in tools if (made := _tool(tool)) is not None]
    if not offered:
        return {}
    wanted: Any = None if choice.mode == "auto" else choice.mode
    if named:
        custom = any(isinstance(tool, CustomTool) and tool.name == choice.names[0] for tool in tools)
        kind = "custom" if custom else "function"
        wanted = {"type": kind, kind: {"name": choice.names[0]}}
    return {"tools": offered, "tool_choice": wanted, "parallel_tool_calls": choice.parallel}


def _tool(tool: Tool) -> dict[str, Any] | None:
    match tool:
        case FunctionTool():
            function: dict[str, Any] = {"name": tool.name}
            if tool.description is not None:
                function["description"] = tool.description
            function["parameters"] = dict(tool.schema) or {"type": "object", "properties": {}}
            if tool.strict is not None:
                function["strict"] = tool.strict
            return {"type": "function", "function": function}
        case CustomTool():
            custom: dict[str, Any] = {"name": tool.name}
            if tool.description is not None:
                custom["description"] = tool.description
            if tool.form is not None:
                custom["format"] = _grammar(tool.form)
            return {"type": "custom", "custom": custom}
        case HostedTool(dialect=dialect, raw=raw):
            return loads(raw) if dialect == NAME else None


def _grammar(form: str) -> dict[str, Any]:
    """A custom tool's form as Chat nests it."""
    found = loads(form)
    if found.get("type") == "grammar" and "grammar" not in found:
        kind = found.pop("type")
        return {"type": kind, "grammar": found}
    return found


def _messages(messages: Iterable[Message], known: Profile) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    held: list[Part] = []  # media that the message of their tool cannot hold
    for message in messages:
        rest = message.parts
        if message.role != "assistant":
            results = [part for part in rest if isinstance(part, ToolResult)]
            out += [_result(part, held) for part in results]
            rest = tuple(part for part in rest if not isinstance(part, ToolResult))
            if results and not rest:
                continue
        if held and message.role != "user":
            out.append({"role": "user", "content": _content(held)})
        elif held:
            rest = (*held, *rest)
        held = []
        out += _message(message, rest, known)
    if held:
        out.append({"role": "user", "content": _content(held)})
    return out


def _message(message: Message, parts: tuple[Part, ...], known: Profile) -> Iterator[dict[str, Any]]:
    role = {"developer": "system", "tool": "user"}.get(message.role, message.role)  # its results stand apart already
    values: dict[str, Any] = {"role": role}
    if message.name is not None:
        values["name"] = message.name
    if role != "assistant":
        yield {**values, "content": _content(parts)}
        return
    _assist(values, parts, known)
    if len(values) > 1 + (message.name is not None) or not parts:
        yield {"content": "" if "tool_calls" not in values and "refusal" not in values else None, **values}


def _assist(values: dict[str, Any], parts: tuple[Part, ...], known: Profile) -> None:
    """Fill an assistant's message. Thoughts of other makers, and calls that a provider has run, are left out."""
    thinking = thoughts.render((part for part in parts if isinstance(part, Reasoning)), values, known.thoughts)
    text = "".join(part.text for part in parts if isinstance(part, Text))
    opaque = [part for part in parts if isinstance(part, Opaque) and part.dialect == NAME]
    listed = [*thinking, *({"type": "text", "text": text},) * bool(text)]
    listed += [loads(part.raw) for part in opaque if part.kind != "audio"]
    if len(listed) > bool(text):
        values["content"] = listed
    elif text:
        values["content"] = text
    for spoken in opaque:
        if spoken.kind == "audio":
            values["audio"] = loads(spoken.raw)
    refusal = "".join(part.text for part in parts if isinstance(part, Refusal))
    if refusal:
        values["refusal"] = refusal
    calls = [part for part in parts if isinstance(part, ToolCall) and part.ran_by is None]
    if calls:
        values["tool_calls"] = [_call(part) for part in calls]
        if known.insists and known.thinks and known.thoughts:
            values.setdefault(known.thoughts[0], "")
    for part in parts:
        if isinstance(part, Text) and part.seal is not None:
            values["extra_content"] = extra(part.seal)


def _call(call: ToolCall) -> dict[str, Any]:
    values = render_call(call, call_id=_id(call.id))
    if not call.custom:
        values["function"]["arguments"] = call.arguments or "{}"
    return values


def _id(call_id: str) -> str:
    """A call's id, short enough for OpenAI."""
    return shortened(call_id, _MOST_ID, "call_")


def _result(result: ToolResult, held: list[Part]) -> dict[str, Any]:
    """A tool's message. held: takes its media."""
    seen = [part for part in result.parts if isinstance(part, Media)]
    texts = [part.text if isinstance(part, Text) else part.raw for part in result.parts if not isinstance(part, Media)]
    if seen:
        held += [Text(text=f"What the tool made ({result.name or result.call_id}):"), *seen]
        texts = texts or [_SEEN]
    text = "\n".join(texts)
    text = f"Error: {text}" if result.is_error else text
    values = {"role": "tool", "tool_call_id": _id(result.call_id), "content": text}
    return {**values, "name": result.name} if result.name is not None else values


def _content(parts: Iterable[Part]) -> Any:
    """The content of a system or user message: a string if it is all text."""
    found: list[dict[str, Any]] = []
    for part in parts:
        match part:
            case Text(text=text) | Refusal(text=text):
                found.append({"type": "text", "text": text})
            case Media():
                made = render_media(part)
                if made is not None:
                    found.append(made)
            case Opaque(dialect=dialect, kind=kind, raw=raw) if dialect == NAME and kind != "audio":
                found.append(loads(raw))
            case _:
                pass  # thoughts and calls are the assistant's
    if all(part["type"] == "text" for part in found):
        return "\n\n".join(part["text"] for part in found)
    return found
