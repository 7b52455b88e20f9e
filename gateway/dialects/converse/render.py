"""Neutral requests as Converse requests.

Turns are merged, since user and assistant must alternate; all results of a turn stand before its other content; names
and ids are put into the letters that the vendor takes; empty text is never sent. What only some models take is said to
those whose profile tells so (https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, assert_never

from ...call import Leg, Profile
from ...neutral.parts import Cache, Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from ...neutral.request import ChatRequest, FunctionTool, Message, Output, Sampling, ToolChoice
from ..fitting import JSON_ONLY, Ids
from ..handed import handed
from ..schemas import closed
from ..shapes import arguments, dumps
from ..thinking import borne
from .parts import NAME, Names, media
from .reply import STOP_FIELD

_Json = dict[str, Any]
_Blocks = list[_Json]

_UNKNOWN_OUTPUT = 8_192
"""The output limit of a model whose own is unknown, to find a budget of thinking tokens below it."""

_TIERS = ("priority", "flex", "reserved")
_BEGIN = "."
"""Stands for the user's turn that a conversation must begin with, and for the text that a document wants beside it."""
_NO_CALLS = "Answer without calling a tool."
"""Says so where tools must be offered because some were called before."""

_LABEL = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}")
_MOST_LABELS = 16


def render(request: ChatRequest, leg: Leg) -> _Json:
    """A request for a provider; the model is in its path. What CAN drops is left out."""
    known, sampling = leg.profile, request.sampling
    thinking, effort = borne(request, known, _limit(sampling.limit, leg), NAME)
    conversation = _Conversation(marks="cache" not in known.lacks)
    for message in handed(request.messages):
        conversation.add(message)
    body: _Json = {"messages": conversation.done()}
    tools = _tools(request, conversation, known)
    if request.output.form == "json":
        conversation.system.append({"text": JSON_ONLY})
    if conversation.system:
        body["system"] = conversation.system
    if tools:
        body["toolConfig"] = tools
    inference, beside = _sampling(sampling, known, thinks=_thinks(thinking))
    if inference:
        body["inferenceConfig"] = inference
    if thinking:
        beside["thinking"] = thinking
    if beside:
        body["additionalModelRequestFields"] = beside
    if sampling.stop:
        body["additionalModelResponseFieldPaths"] = [f"/{STOP_FIELD}"]
    config: _Json = {"effort": effort} if effort is not None else {}
    if request.output.form == "schema":
        config["textFormat"] = _format(request.output)
    if config:
        body["outputConfig"] = config
    if request.tier in _TIERS:
        body["serviceTier"] = {"type": request.tier}
    if request.metadata and _fits(request.metadata):
        body["requestMetadata"] = dict(request.metadata)
    return body


def lacks(request: ChatRequest, leg: Leg) -> frozenset[str]:
    """See `base.Target`: what the model does not take, alone or together, and labels in other letters."""
    known, sampling = leg.profile, request.sampling
    thinking, effort = borne(request, known, _limit(sampling.limit, leg), NAME)
    inference, beside = _sampling(sampling, known, thinks=_thinks(thinking))
    found = {
        "thinking_budget": not thinking and effort is None,
        "thinking_adaptive": not thinking and effort is None,
        "effort": not thinking and effort is None,
        "thoughts_shown": not thinking,
        "thinking_off": known.always,
        "prefill": "prefill" in known.lacks,
        "temperature": "temperature" not in inference,
        "top_p": "topP" not in inference,
        "top_k": "top_k" not in beside,
        "tool_strict": not known.strict,
        "tier": request.tier not in _TIERS,
        "metadata": not _fits(request.metadata or {}),
    }
    usual = {name for name in ("temperature", "top_p") if getattr(sampling, name) == 1}
    return frozenset({*known.lacks, *(name for name, lacking in found.items() if lacking)} - usual)


def _limit(asked: int | None, leg: Leg) -> int:
    """The output limit, which is the model's own where none is said."""
    if asked is not None:
        return asked
    return _UNKNOWN_OUTPUT if leg.price is None else leg.price.max_output


def _thinks(thinking: _Json) -> bool:
    return thinking.get("type") in ("enabled", "adaptive")


def _fits(labels: Mapping[str, Any]) -> bool:
    """Whether the vendor takes these labels."""
    texts = [*labels, *(text for text in labels.values() if text != "")]
    return len(labels) <= _MOST_LABELS and all(isinstance(text, str) and _LABEL.fullmatch(text) for text in texts)


def _sampling(sampling: Sampling, known: Profile, *, thinks: bool) -> tuple[_Json, _Json]:
    """`inferenceConfig`, and what the vendor hands on as it is."""
    made: _Json = {}
    gone = {*known.lacks, *(known.lacks_thinking if thinks else ())}
    if sampling.limit is not None:
        made["maxTokens"] = max(1, sampling.limit)
    if sampling.temperature is not None and sampling.temperature <= 1 and "temperature" not in gone:
        made["temperature"] = sampling.temperature
    if sampling.top_p is not None and "top_p" not in gone and not (known.one_of and "temperature" in made):
        made["topP"] = sampling.top_p
    stop = [text for text in sampling.stop if text]
    if stop:
        made["stopSequences"] = stop
    beside = {"top_k": sampling.top_k} if sampling.top_k is not None and "top_k" not in gone else {}
    return made, beside


def _format(output: Output) -> _Json:
    told: _Json = {"schema": dumps(closed(dict(output.schema or {})))}
    for name, value in (("name", output.name), ("description", output.description)):
        if value is not None:
            told[name] = value
    return {"type": "json_schema", "structure": {"jsonSchema": told}}


class _Conversation:
    """Turns as they are merged. A turn is a list of groups: what was made of one part."""

    def __init__(self, *, marks: bool) -> None:
        self.system: _Blocks = []
        self.called: list[str] = []
        self._turns: list[tuple[str, list[_Blocks]]] = []
        self._marks = marks
        self._ids = Ids()
        self._names = Names()

    def add(self, message: Message) -> None:
        role = {"tool": "user", "function": "user", "developer": "system"}.get(message.role, message.role)
        groups = list(self._groups(message.parts))
        if role == "system":
            self.system += [block for group in groups for block in group if block.keys() & {"text", "cachePoint"}]
            return
        if not groups:
            return
        if not self._turns or self._turns[-1][0] != role:
            self._turns.append((role, []))
        self._turns[-1][1].extend(groups)

    def done(self) -> _Blocks:
        """The messages as they are sent: beginning with the user, results first, no space at the end of a prefill."""
        if not self._turns or self._turns[0][0] == "assistant":
            self._turns.insert(0, ("user", [[{"text": _BEGIN}]]))
        role, last = self._turns[-1]
        if role == "assistant" and "text" in last[-1][-1]:
            last[-1][-1]["text"] = last[-1][-1]["text"].rstrip()
        return [{"role": role, "content": list(_content(role, groups))} for role, groups in self._turns]

    def mark(self, cache: Cache | None) -> _Blocks:
        """What stands after a block whose prefix is to be kept."""
        if cache is None or not self._marks:
            return []
        return [{"cachePoint": {"type": "default", **({"ttl": cache} if cache == "1h" else {})}}]

    def _groups(self, parts: Iterable[Part]) -> Iterator[_Blocks]:
        begun = False
        for part in parts:
            made = list(self._blocks(part))
            if not isinstance(part, Reasoning) and (made or begun):
                made += self.mark(part.cache)
            if made:
                begun = True
                yield made

    def _blocks(self, part: Part) -> Iterator[_Json]:
        match part:
            case Text(text=text) | Refusal(text=text):
                if text.strip():
                    yield {"text": text}
            case Media():
                yield media(part, self._names)
            case Reasoning(text=text, redacted=redacted, seal=seal):
                if seal is not None and redacted:
                    yield {"reasoningContent": {"redactedContent": seal.value}}
                elif seal is not None:
                    yield {"reasoningContent": {"reasoningText": {"text": text, "signature": seal.value}}}
            case ToolCall(id=call_id, name=name, arguments=text, ran_by=None):
                self.called.append(name)
                use = {"toolUseId": self._ids.call(call_id), "name": name, "input": arguments(text)}
                yield {"toolUse": use}
            case ToolCall():
                return  # its result is not there: the provider ran it
            case ToolResult():
                yield from self._result(part)
            case Opaque():
                return
            case _:
                assert_never(part)

    def _result(self, part: ToolResult) -> Iterator[_Json]:
        """A result, and after it what cannot stand in one: sound, and marks for the cache."""
        blocks = [block for inner in part.parts for block in self._blocks(inner)]
        made: _Json = {"toolUseId": self._ids.result(part.call_id)}
        made["content"] = [block for block in blocks if "audio" not in block]
        if part.is_error:
            made["status"] = "error"
        yield {"toolResult": made}
        yield from (block for block in blocks if "audio" in block)
        if part.cache is None:
            yield from self.mark(next((inner.cache for inner in part.parts if inner.cache is not None), None))


def _content(role: str, groups: list[_Blocks]) -> Iterator[_Json]:
    """The blocks of a turn; beside a document there must be a text."""
    yield from (block for group in sorted(groups, key=lambda group: "toolResult" not in group[0]) for block in group)
    blocks = [block for group in groups for block in group]
    if any("document" in block for block in blocks) and not any("text" in block for block in blocks):
        yield {"text": _BEGIN}


def _tools(request: ChatRequest, conversation: _Conversation, known: Profile) -> _Json:
    """`toolConfig`, which must be there where tools were called before, even if none may be now."""
    choice = request.tool_choice
    only = frozenset(choice.names if len(choice.names) > 1 or choice.mode == "auto" else ())
    offered: _Blocks = []
    for tool in request.tools:
        if isinstance(tool, FunctionTool) and (not only or tool.name in only):
            offered += [_tool(tool, known), *conversation.mark(tool.cache)]
    barred = choice.mode == "none" or not offered
    if barred and not conversation.called:
        return {}
    if barred:
        conversation.system.append({"text": _NO_CALLS})
        offered = offered or [_tool(FunctionTool(name=name), known) for name in dict.fromkeys(conversation.called)]
    return {"tools": offered, **({} if barred else _choice(choice))}


def _tool(tool: FunctionTool, known: Profile) -> _Json:
    made: _Json = {"name": tool.name}
    if tool.description and tool.description.strip():
        made["description"] = tool.description
    schema = {"type": "object", **tool.schema} if tool.schema else {"type": "object", "properties": {}}
    if tool.strict and known.strict:
        made["strict"] = True
        schema = closed(schema)
    return {"toolSpec": {**made, "inputSchema": {"json": schema}}}


def _choice(choice: ToolChoice) -> _Json:
    if choice.mode != "required":
        return {}
    named = {"tool": {"name": choice.names[0]}} if len(choice.names) == 1 else {"any": {}}
    return {"toolChoice": named}
