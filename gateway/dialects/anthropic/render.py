"""Neutral requests as Messages requests, for a provider of this dialect.

Turns are merged, since user and assistant must alternate; all results of a turn stand in one message, before its other
content; names and ids are put into the letters that the vendor takes; empty text is never sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from ...call import Leg, Profile
from ...neutral.parts import Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from ...neutral.request import ChatRequest, CustomTool, FunctionTool, HostedTool, Message, Sampling, Tool, ToolChoice
from ..fitting import JSON_ONLY, Ids, nameless
from ..handed import handed
from ..schemas import closed
from ..shapes import arguments, loads
from ..thinking import borne
from .parts import NAME, cache_control, provable, render_media

_Json = dict[str, Any]

MOST_OUTPUT, UNKNOWN_OUTPUT = 32_000, 8_192
"""The output limit where the client gave none: the vendor demands one. Of a model with a price, and of one without."""

_BEGIN = "."
"""Stands for the user's turn that a conversation must begin with."""


def render(request: ChatRequest, leg: Leg) -> _Json:
    """A request for a provider. What CAN drops is left out."""
    known = leg.profile
    extras = dict(request.extras.get(NAME, {}))
    conversation = _Conversation(known, cited=extras.pop("documents.citations", False) is True)
    for message in handed(request.messages):
        conversation.add(message)
    limit = _limit(request.sampling.limit, leg)
    body: _Json = {"model": request.model, "max_tokens": limit, "messages": conversation.done()}
    if request.output.form == "json":
        conversation.system.append({"type": "text", "text": JSON_ONLY})
    if conversation.system:
        body["system"] = conversation.system
    body |= _tools(request, known, extras)
    choice = _choice(request.tool_choice, bool(body.get("tools")))
    if choice:
        body["tool_choice"] = choice
    thinking, effort = borne(request, known, limit, NAME)
    if thinking:
        body["thinking"] = thinking
    config = dict(extras.pop("output_config", {}))
    if effort is not None:
        config["effort"] = effort
    if request.output.form == "schema":
        schema = dict(request.output.schema or {})
        if request.output.description is not None:
            schema.setdefault("description", request.output.description)
        config["format"] = {"type": "json_schema", "schema": closed(schema)}
    if config:
        body["output_config"] = config
    body |= _sampling(request.sampling, known, thinks=thinking.get("type") in ("enabled", "adaptive"))
    if request.end_user is not None:
        body["metadata"] = {"user_id": nameless(request.end_user)}
    tier = {"auto": "auto", "default": "standard_only", "standard": "standard_only"}.get(request.tier or "")
    if tier is not None:
        body["service_tier"] = tier
    if request.stream:
        body["stream"] = True
    return {**body, **{name: value for name, value in extras.items() if "." not in name}}


def lacks(request: ChatRequest, leg: Leg) -> frozenset[str]:
    """See `base.Dialect`: thinking and sampling parameters depend on the model, and on each other."""
    known, sampling = leg.profile, request.sampling
    thinking, effort = borne(request, known, _limit(sampling.limit, leg), NAME)
    found = set() if thinking or effort is not None else {"thinking_budget", "thinking_adaptive", "effort"}
    found |= {"thinking_off"} if known.always else set()
    found |= {"prefill"} & set(known.lacks)
    found |= {"stop"} if not all(word.strip() for word in sampling.stop) else set()  # the vendor takes no blank one
    made = _sampling(sampling, known, thinks=thinking.get("type") in ("enabled", "adaptive"))
    found |= {name for name in ("temperature", "top_p", "top_k") if name not in made}
    return frozenset(found - {name for name in ("temperature", "top_p") if getattr(sampling, name) == 1})


def _limit(asked: int | None, leg: Leg) -> int:
    if asked is not None:
        return asked
    return UNKNOWN_OUTPUT if leg.price is None else min(leg.price.max_output, MOST_OUTPUT)


class _Conversation:
    """Turns as they are merged."""

    def __init__(self, known: Profile, cited: bool) -> None:
        self.system: list[_Json] = []
        self.turns: list[tuple[str, list[_Json]]] = []
        self._known = known
        self._cited = cited
        self._ids = Ids()

    def add(self, message: Message) -> None:
        role = {"tool": "user", "function": "user", "developer": "system"}.get(message.role, message.role)
        blocks = self._blocks(message.parts)
        if role == "system" and (not self.turns or not self._known.system_in_place):
            self.system += [block for block in blocks if block["type"] == "text"]
            return
        if not blocks:
            return
        if not self.turns or self.turns[-1][0] != role:
            self.turns.append((role, []))
        self.turns[-1][1].extend(blocks)

    def done(self) -> list[_Json]:
        """The messages as they are sent: beginning with the user, results first, no space at the end of a prefill."""
        if not self.turns or self.turns[0][0] == "assistant":
            self.turns.insert(0, ("user", [{"type": "text", "text": _BEGIN}]))
        role, last = self.turns[-1]
        if role == "assistant" and last[-1]["type"] == "text":
            last[-1]["text"] = last[-1]["text"].rstrip()
        return [
            {
                "role": role,
                "content": sorted(blocks, key=lambda block: role == "user" and block["type"] != "tool_result"),
            }
            for role, blocks in self.turns
        ]

    def _blocks(self, parts: Iterable[Part]) -> list[_Json]:
        made: list[_Json] = []
        for part in parts:
            block = self._block(part)
            if block is None:
                if part.cache is not None and made:
                    made[-1].setdefault("cache_control", cache_control(part.cache))
                continue
            if part.cache is not None and not isinstance(part, Opaque | Reasoning):
                block["cache_control"] = cache_control(part.cache)
            made.append(block)
        return made

    def _block(self, part: Part) -> _Json | None:
        match part:
            case Text(text=text) | Refusal(text=text):
                if not text.strip():
                    return None
                block: _Json = {"type": "text", "text": text}
                cited = part.citations if isinstance(part, Text) else ()
                found = [loads(one.raw) for one in cited if provable(one)]
                return {**block, "citations": found} if found else block
            case Media():
                block = render_media(part)
                return {**block, "citations": {"enabled": True}} if self._cited and part.kind == "file" else block
            case Reasoning(text=text, redacted=redacted, seal=seal):
                if seal is None:
                    return None
                if redacted:
                    return {"type": "redacted_thinking", "data": seal.value}
                return {"type": "thinking", "thinking": text, "signature": seal.value}
            case ToolCall(id=call_id, name=name, arguments=text, ran_by=ran_by):
                if ran_by is not None:
                    return None  # its result is not there: the provider ran it
                return {
                    "type": "tool_use", "id": self._ids.call(call_id), "name": name, "input": arguments(text),
                }  # fmt: skip
            case ToolResult(call_id=call_id, parts=parts, is_error=failed):
                block = {"type": "tool_result", "tool_use_id": self._ids.result(call_id)}
                inner = self._blocks(parts)
                if inner:
                    plain = len(inner) == 1 and inner[0].keys() == {"type", "text"}
                    block["content"] = inner[0]["text"] if plain else inner
                return {**block, "is_error": True} if failed else block
            case Opaque(dialect=dialect, raw=raw):
                return loads(raw) if dialect == NAME else None
            case _:
                assert_never(part)


def _tools(request: ChatRequest, known: Profile, extras: dict[str, Any]) -> _Json:
    """`tools` and `mcp_servers`: where only some may be called, only those are offered."""
    names = request.tool_choice.names
    only = frozenset(names if len(names) > 1 or request.tool_choice.mode == "auto" else ())
    marks = {name.removeprefix("tools."): values for name, values in extras.items() if name.startswith("tools.")}
    tools: list[_Json] = []
    servers: list[_Json] = []
    for tool in request.tools:
        if only and isinstance(tool, FunctionTool | CustomTool) and tool.name not in only:
            continue
        made = _tool(tool, known)
        if isinstance(tool, FunctionTool):
            made |= {name: values[tool.name] for name, values in marks.items() if tool.name in values}
        (servers if isinstance(tool, HostedTool) and tool.kind == "mcp_servers" else tools).append(made)
    return {**({"tools": tools} if tools else {}), **({"mcp_servers": servers} if servers else {})}


def _tool(tool: Tool, known: Profile) -> _Json:
    match tool:
        case FunctionTool(name=name, description=told, schema=schema, strict=strict, cache=cache):
            made: _Json = {"name": name}
            if told is not None:
                made["description"] = told
            made["input_schema"] = {"type": "object", **schema} if schema else {"type": "object", "properties": {}}
            if strict and known.strict:
                made["strict"] = True
                made["input_schema"] = closed(made["input_schema"])
            if cache is not None:
                made["cache_control"] = cache_control(cache)
            return made
        case HostedTool(raw=raw):
            return loads(raw)
        case CustomTool(name=name):
            return {"name": name, "input_schema": {"type": "object", "properties": {}}}
        case _:
            assert_never(tool)


def _choice(choice: ToolChoice, offered: bool) -> Mapping[str, Any]:
    if not offered:
        return {}
    made: _Json = {"type": "auto"}
    if choice.mode == "none":
        return {"type": "none"}
    if choice.mode == "required":
        made = {"type": "tool", "name": choice.names[0]} if len(choice.names) == 1 else {"type": "any"}
    if choice.parallel is not None:
        made["disable_parallel_tool_use"] = not choice.parallel
    return made if made != {"type": "auto"} else {}


def _sampling(sampling: Sampling, known: Profile, *, thinks: bool) -> _Json:
    made: _Json = {}
    if sampling.stop:
        made["stop_sequences"] = list(sampling.stop)
    gone = {*known.lacks, *(known.lacks_thinking if thinks else ())}
    if sampling.temperature is not None and sampling.temperature <= known.hottest and "temperature" not in gone:
        made["temperature"] = sampling.temperature
    if sampling.top_p is not None and "top_p" not in gone and not (known.one_of and "temperature" in made):
        made["top_p"] = sampling.top_p
    if sampling.top_k is not None and "top_k" not in gone:
        made["top_k"] = sampling.top_k
    return made
