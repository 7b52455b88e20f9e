"""Neutral requests as Responses requests.

Nothing is kept at the provider (`store` is false), so thoughts travel in the body: the provider is asked for its
encrypted ones, and gets its own back; thoughts without its seal are left out, since it would look them up by an id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, assert_never

from ...call import Leg, Profile
from ...neutral.parts import Media, Opaque, Reasoning, Refusal, Text, ToolCall, ToolResult
from ...neutral.request import ChatRequest, CustomTool, FunctionTool, HostedTool, Message, Thinking, Tool
from ..borne import sampled
from ..fitting import MOST_USER, shortened
from ..handed import handed
from ..openai_chat.render import effort_of
from ..shapes import loads
from .items import NAME, annotation, render_media, sealed
from .parse import ENCRYPTED, LOGPROBS


def render(request: ChatRequest, leg: Leg) -> dict[str, Any]:
    """A request from neutral words, `request.model` being the leg's."""
    request = sampled(request, leg.profile)
    extras = dict(request.extras.get(NAME, {}))
    messages = handed(request.messages)
    values: dict[str, Any] = {"model": request.model}
    first = messages[0] if messages else None
    if first is not None and first.role == "system" and all(isinstance(part, Text) for part in first.parts):
        values["instructions"] = "\n\n".join(part.text for part in first.parts if isinstance(part, Text))
        messages = messages[1:]
    values["input"] = [item for message in messages for item in _items(message)]
    if request.tools:
        values["tools"] = [_tool(tool) for tool in request.tools]
    values |= _tool_choice(request)
    values |= _answer(request, leg.profile)
    values |= _tuning(request)
    if request.stream:
        values["stream"] = True
    include = [
        *([ENCRYPTED] if leg.profile.thinks else []),  # refused where there is nothing to encrypt
        *([LOGPROBS] if request.sampling.logprobs else []),
        *extras.pop("include", []),
    ]
    values |= {"store": False, **({"include": include} if include else {})}
    for name, value in extras.items():
        inner = values.get(name)
        values[name] = {**inner, **value} if isinstance(inner, dict) and isinstance(value, dict) else value
    return values


def _items(message: Message) -> Iterator[dict[str, Any]]:
    """A message as items; what is said between other items is a message of its own."""
    said: list[dict[str, Any]] = []

    def spoken() -> Iterator[dict[str, Any]]:
        if said:
            yield {"role": message.role if message.role != "tool" else "user", "content": _short(said)}
            said.clear()

    for part in message.parts:
        match part:
            case Text() | Refusal():
                said.append(_said(part, message.role))
            case Media():
                said.append(render_media(part))
            case Opaque(dialect=dialect, raw=raw):
                if dialect == NAME and message.role != "assistant":
                    said.append(loads(raw))
                elif dialect == NAME:
                    yield from spoken()
                    yield loads(raw)
            case Reasoning() | ToolCall() | ToolResult():
                yield from spoken()
                yield from _item(part)
            case _:
                assert_never(part)
    yield from spoken()


def _item(part: Reasoning | ToolCall | ToolResult) -> Iterator[dict[str, Any]]:
    match part:
        case Reasoning(seal=None):
            pass
        case Reasoning(text=text, summary=summary, seal=seal) if seal is not None:
            item: dict[str, Any] = {"type": "reasoning", "summary": [], **sealed(seal)}
            if text and summary:
                item["summary"] = [{"type": "summary_text", "text": text}]
            elif text:
                item["content"] = [{"type": "reasoning_text", "text": text}]
            yield item
        case ToolCall(ran_by=ran_by) if ran_by is not None:
            pass  # another provider ran it: its result is not the caller's to give
        case ToolCall(id=call_id, name=name, arguments=arguments, custom=True):
            yield {"type": "custom_tool_call", "call_id": _id(call_id), "name": name, "input": arguments}
        case ToolCall(id=call_id, name=name, arguments=arguments):
            yield {"type": "function_call", "call_id": _id(call_id), "name": name, "arguments": arguments or "{}"}
        case ToolResult(call_id=call_id, custom=custom):
            kind = "custom_tool_call_output" if custom else "function_call_output"
            yield {"type": kind, "call_id": _id(call_id), "output": _result(part)}


_MOST_ID = 64
"""Letters that OpenAI takes for a call's id here."""


def _id(call_id: str) -> str:
    return shortened(call_id, _MOST_ID, "call_")


def _result(part: ToolResult) -> str | list[dict[str, Any]]:
    """What a tool gave back: text, or parts where there is more than text."""
    texts = [inner.text for inner in part.parts if isinstance(inner, Text)]
    failed = "Error: " if part.is_error else ""
    if len(texts) == len(part.parts):
        return failed + "\n".join(texts)
    found: list[dict[str, Any]] = [{"type": "input_text", "text": "Error:"}] if failed else []
    for inner in part.parts:
        match inner:
            case Text(text=text):
                found.append({"type": "input_text", "text": text})
            case Media():
                found.append(render_media(inner))
            case Opaque(dialect=dialect, raw=raw):
                found += [loads(raw)] if dialect == NAME else []
            case _:
                assert_never(inner)
    return found


def _said(part: Text | Refusal, role: str) -> dict[str, Any]:
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    if role != "assistant":
        return {"type": "input_text", "text": part.text}
    found = [annotation(citation, part.text) for citation in part.citations]
    kept = [one for one in found if one is not None]
    return {"type": "output_text", "text": part.text, **({"annotations": kept} if kept else {})}


def _short(said: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """A lone text as a plain string, which every provider takes."""
    if len(said) == 1 and said[0].keys() == {"type", "text"}:
        return str(said[0]["text"])
    return list(said)


def _tool(tool: Tool) -> dict[str, Any]:
    match tool:
        case FunctionTool(name=name, description=description, schema=schema, strict=strict):
            return {
                "type": "function",
                "name": name,
                **({"description": description} if description is not None else {}),
                "parameters": dict(schema) or {"type": "object", "properties": {}},
                "strict": bool(strict),  # left out, it would be true
            }
        case CustomTool(name=name, description=description, form=form):
            return {
                "type": "custom",
                "name": name,
                **({"description": description} if description is not None else {}),
                **({"format": loads(form)} if form is not None else {}),
            }
        case HostedTool(raw=raw):
            return loads(raw)
        case _:
            assert_never(tool)


def _tool_choice(request: ChatRequest) -> dict[str, Any]:
    choice = request.tool_choice
    values: dict[str, Any] = {}
    if choice.parallel is not None and request.tools:
        values["parallel_tool_calls"] = choice.parallel
    if choice.names and (choice.mode == "auto" or len(choice.names) > 1):
        tools = _named(request.tools, choice.names)
        values["tool_choice"] = {"type": "allowed_tools", "mode": choice.mode, "tools": tools}
    elif choice.names and choice.mode == "required":
        values["tool_choice"] = _named(request.tools, choice.names)[0]
    elif choice.mode != "auto" and request.tools:
        values["tool_choice"] = choice.mode
    return values


def _named(tools: Iterable[Tool], names: Iterable[str]) -> list[dict[str, Any]]:
    custom = {tool.name for tool in tools if isinstance(tool, CustomTool)}
    return [{"type": "custom" if name in custom else "function", "name": name} for name in names]


def _answer(request: ChatRequest, known: Profile) -> dict[str, Any]:
    output, text = request.output, dict[str, Any]()
    if output.form == "json":
        text["format"] = {"type": "json_object"}
    elif output.form == "schema":
        text["format"] = {
            "type": "json_schema",
            "name": output.name or "answer",
            **({"description": output.description} if output.description is not None else {}),
            "schema": dict(output.schema or {}),
            **({"strict": output.strict} if output.strict is not None else {}),
        }
    if output.verbosity is not None:
        text["verbosity"] = output.verbosity
    values: dict[str, Any] = {"text": text} if text else {}
    thinking = _thinking(request.thinking, known)
    return {**values, "reasoning": thinking} if thinking else values


def _thinking(thinking: Thinking, known: Profile) -> dict[str, Any]:
    if not known.thinks:
        return {}
    effort = "none" if thinking.mode == "off" else thinking.effort
    if effort is None and thinking.mode == "on" and thinking.budget is not None:
        effort = effort_of(thinking.budget)
    effort = known.effort(effort) if effort is not None else None
    values: dict[str, Any] = {} if effort is None else {"effort": effort}
    return {**values, "summary": "auto"} if thinking.show else values


LEAST_LIMIT = 16
"""Less is refused (https://platform.openai.com/docs/api-reference/responses/create); other dialects begin at 1."""


def _tuning(request: ChatRequest) -> dict[str, Any]:
    sampling = request.sampling
    found: Mapping[str, Any] = {
        "max_output_tokens": max(sampling.limit, LEAST_LIMIT) if sampling.limit is not None else None,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_logprobs": sampling.top_logprobs if sampling.logprobs else None,
        "user": shortened(request.end_user, MOST_USER) if request.end_user is not None else None,
        "metadata": dict(request.metadata) if request.metadata else None,
        "service_tier": "default" if request.tier == "standard" else request.tier,
    }
    return {name: value for name, value in found.items() if value is not None}
