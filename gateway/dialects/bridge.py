"""From any dialect to any other, and straight through where they agree.

A leg of the caller's own dialect gets its bytes (Law 1). For any other, the body is parsed into neutral words once,
held against what the leg's dialect can say (`screen`, Law 2), and rendered; the reply comes back the same way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..call import Call, Channel, Fault, Leg, Meter
from ..neutral.events import (
    ChoiceEnd,
    Event,
    PartDelta,
    PartEnd,
    PartStart,
    ReplyEnd,
    ReplyStart,
    UsageSeen,
    fold,
    unfold,
)
from ..neutral.features import used
from ..neutral.parts import Bytes, Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult, Url
from ..neutral.reply import ChatReply
from ..neutral.request import ChatRequest, CustomTool, FunctionTool, HostedTool, Message
from ..splice import scan
from ..sse import MAX_FRAME, Overlong, Splitter, read
from . import anthropic, gemini, openai_chat, openai_completions, openai_responses
from .base import Dialect, Feed, Surface
from .passing import parsed
from .seals import MARK, MARK_BASE64

NAMED: dict[str, Dialect] = {dialect.name: dialect for dialect in (openai_chat, openai_responses, anthropic, gemini)}
"""All dialects, by the names that channels know them by; the order is that of preference for a translated leg."""

SURFACES: dict[str, Surface] = {**NAMED, openai_completions.name: openai_completions}
"""All that clients of chat may speak."""


class Refused(Exception):
    """A leg's dialect cannot say what the caller means. param: the caller's own field."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param, self.message = param, message


def ways(call: Call, channel: Channel) -> tuple[str, ...]:
    """The dialects in which a channel can be told a call, best first: the caller's own alone where it speaks it."""
    if call.dialect in channel.dialects:
        return (call.dialect,)
    return tuple(name for name in channel.dialects if name in NAMED)


def passes(call: Call, leg: Leg) -> bool:
    """Whether the caller's own bytes go to this leg: same words, and no seal that a third dialect has made."""
    sealed = call.dialect in NAMED and any(f'"{mark}' in call.body.text for mark in (MARK, MARK_BASE64))
    return leg.dialect == call.dialect and not sealed


def request(call: Call) -> ChatRequest:
    """The call in neutral words."""
    if call.request is None:
        theirs = {
            name: call.theirs[value]
            for name, value in call.body.values.items()
            if isinstance(value, str) and value in call.theirs
        }
        call.request = SURFACES[call.dialect].parse(
            {**call.body.values, **theirs, "model": call.ask.model, "stream": call.ask.stream}
        )
    return call.request


def screen(call: Call, leg: Leg) -> tuple[str, ...]:
    """What a leg would lose of this call, as `field=drop`. Raises Refused."""
    if passes(call, leg):
        return ()
    source, target = SURFACES[call.dialect], NAMED[leg.dialect]
    if call.ask.only and leg.dialect != call.dialect:
        field = call.ask.only[0]
        raise Refused(field, f"{field} cannot be said to a provider of this model so.")
    asked = request(call)
    losses = [f"{name}=drop" for dialect, fields in asked.extras.items() if dialect != leg.dialect for name in fields]
    lacking = target.lacks(asked, leg)
    for feature in sorted(used(asked)):
        verdict, field = target.CAN[feature], source.FIELD.get(feature, feature)
        if leg.dialect == call.dialect:  # all but the turns passes, and what they do not bear
            verdict = "drop" if feature in lacking and field.partition(".")[0] in target.BOUND else "express"
        elif feature in lacking and verdict != "refuse":
            verdict = "drop"
        if verdict == "refuse" or (verdict == "drop" and call.strict):
            raise Refused(field, f"{field} cannot be said to a provider of this model ({feature.replace('_', ' ')}).")
        if verdict == "drop":
            losses.append(f"{field}=drop")
    if any(part.seal is not None and part.seal.origin != leg.dialect for part in _all(asked)):
        losses.append(f"{source.FIELD['reasoning']}=drop")
    if losses and call.strict:
        raise Refused(
            losses[0].partition("=")[0], f"{losses[0].partition('=')[0]} would be lost on the way to a provider."
        )
    return tuple(dict.fromkeys(losses))


def _all(asked: ChatRequest) -> Iterator[Part]:
    for message in asked.messages:
        yield from message.parts


def encode(call: Call, leg: Leg) -> bytes:
    """The body for a leg."""
    if passes(call, leg):
        return SURFACES[leg.dialect].encode(call, leg)
    target = NAMED[leg.dialect]
    asked = request(call)
    messages = tuple(_for_leg(call, leg, message) for message in asked.messages)
    tools = tuple(tool for tool in asked.tools if not isinstance(tool, HostedTool) or tool.dialect == leg.dialect)
    asked = replace(asked, model=leg.model, messages=messages, tools=tools)
    if leg.dialect == call.dialect:  # only the turns hold what is not this provider's
        rendered = target.render(asked, leg)
        gone = {*target.TURNS, *(name for name in target.BOUND if name not in rendered)}
        said = {name: value for name, value in rendered.items() if name in target.TURNS}
        kept = {name: value for name, value in call.body.values.items() if name not in gone}
        return target.encode(replace(call, body=scan(_dumps({**kept, **said}))), leg)
    if call.cap is not None:
        asked = replace(asked, sampling=replace(asked.sampling, limit=call.cap))
    if target.CAN["custom_tools"] == "reshape":
        asked = _plain_tools(asked)
    return _dumps(target.render(asked, leg))


def _for_leg(call: Call, leg: Leg, message: Message) -> Message:
    """A message with media that were fetched for this leg, and without seals of other makers."""
    return replace(message, parts=tuple(_part_for_leg(call, leg, part) for part in message.parts))


def _part_for_leg(call: Call, leg: Leg, part: Part) -> Part:
    if part.seal is not None and part.seal.origin != leg.dialect:
        part = replace(part, seal=None)
    match part:
        case Media(source=Url(url=url)) if url in call.fetched and not takes_url(leg, part):
            got = call.fetched[url]
            return replace(part, source=got.source, media_type=part.media_type or got.media_type)
        case ToolResult(parts=parts):
            return replace(part, parts=tuple(_part_for_leg(call, leg, inner) for inner in parts))  # type: ignore[misc]
        case _:
            return part


def takes_url(leg: Leg, media: Media) -> bool:
    """Whether a leg's dialect takes an address for this kind of media: its provider fetches it."""
    return NAMED[leg.dialect].CAN["image_url" if media.kind == "image" else "file_url"] == "express"


def to_fetch(call: Call, leg: Leg) -> dict[str, str]:
    """Addresses whose content this leg must be sent in the body, and what kind of media is expected there."""
    if leg.dialect == call.dialect:
        return {}
    inner = [part for top in _all(request(call)) for part in (top, *(top.parts if isinstance(top, ToolResult) else ()))]
    return {
        part.source.url: part.kind
        for part in inner
        if isinstance(part, Media) and isinstance(part.source, Url) and not takes_url(leg, part)
    }


_INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
"""What a tool of free text looks like where only functions are known."""


def _plain_tools(asked: ChatRequest) -> ChatRequest:
    """Custom tools and their calls as functions with one text."""
    tools = tuple(
        FunctionTool(name=tool.name, description=_described(tool), schema=_INPUT)
        if isinstance(tool, CustomTool)
        else tool
        for tool in asked.tools
    )
    messages = tuple(replace(message, parts=tuple(map(_as_function, message.parts))) for message in asked.messages)
    return replace(asked, tools=tools, messages=messages)


def _described(tool: CustomTool) -> str | None:
    if tool.form is None:
        return tool.description
    return f"{tool.description or ''}\n\nThe input must have this form: {tool.form}".strip()


def _as_function(part: Part) -> Part:
    match part:
        case ToolCall(custom=True, arguments=text):
            return replace(part, custom=False, arguments=json.dumps({"input": text}, ensure_ascii=False))
        case ToolResult(custom=True):
            return replace(part, custom=False)
        case _:
            return part


class _Customs:
    """Makes calls of functions that stand for custom tools calls of those again: their text comes when it is whole."""

    def __init__(self, call: Call) -> None:
        self.names = frozenset(tool.name for tool in request(call).tools if isinstance(tool, CustomTool))
        self._held: dict[tuple[int, int], list[str]] = {}

    def take(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            match event:
                case PartStart(choice=choice, index=index, part=ToolCall(name=name) as part) if name in self.names:
                    self._held[choice, index] = [part.arguments]
                    yield replace(event, part=replace(part, custom=True, arguments=""))
                case PartDelta(choice=choice, index=index, text=text) if (choice, index) in self._held:
                    self._held[choice, index].append(text)
                case PartEnd(choice=choice, index=index) if (choice, index) in self._held:
                    yield PartDelta(choice=choice, index=index, text=_input("".join(self._held.pop((choice, index)))))
                    yield event
                case _:
                    yield event


def _input(arguments: str) -> str:
    """The one text in a stand-in's arguments; all of them where the model wrote something else."""
    try:
        found = json.loads(arguments)["input"]
    except (ValueError, KeyError, TypeError):
        return arguments
    return found if isinstance(found, str) else arguments


def whole(call: Call, leg: Leg, body: bytes, meter: Meter) -> bytes:
    """A whole reply for the client; fills the meter. Raises Fault."""
    source = SURFACES[call.dialect]
    if leg.dialect == call.dialect:
        return source.whole(call, body, meter)
    target = NAMED[leg.dialect]
    reply = target.parse_reply(parsed(body))
    _measure(reply, meter)
    reply = replace(reply, id=call.id, model=call.model, created=reply.created or call.created_ms // 1000)
    customs = _Customs(call)
    if customs.names:
        reply = fold(customs.take(unfold(reply)))
    return _dumps(source.render_reply(reply, call.body.values))


def _measure(reply: ChatReply, meter: Meter) -> None:
    meter.usage = reply.usage
    meter.upstream_id = reply.id[:255] or None
    meter.finish = ",".join(choice.finish.raw or choice.finish.reason for choice in reply.choices)
    meter.out_bytes = sum(_said(part) for choice in reply.choices for part in choice.parts)


def _said(part: Part) -> int:
    match part:
        case Text(text=text) | Reasoning(text=text) | Refusal(text=text):
            return len(text.encode("utf-8", "surrogatepass"))
        case ToolCall(name=name, arguments=arguments):
            return len((name + arguments).encode("utf-8", "surrogatepass"))
        case Media(source=Bytes(base64=data)):
            return len(data)
        case _:
            return 0


def feed(call: Call, leg: Leg) -> Feed:
    """A streamed reply for the client."""
    return SURFACES[call.dialect].feed(call) if leg.dialect == call.dialect else Bridge(call, leg)


class Bridge:
    """A provider's stream of one dialect on its way to a client of another. See `base.Feed`."""

    def __init__(self, call: Call, leg: Leg) -> None:
        self.out: list[bytes] = []
        self.spoke = False
        self.bound = False
        self.tail: bytes | None = None
        self.fault: Fault | None = None
        self.meter = Meter()
        self._call = call
        self._target = NAMED[leg.dialect]
        self._reader = self._target.reader()
        self._writer = SURFACES[call.dialect].writer(call.body.values)
        self._customs = _Customs(call)
        self._splitter = Splitter()
        self._head: bytes | None = b""  # first bytes, until it is clear whether they are frames
        self._whole: list[bytes] | None = None
        self._whole_bytes = 0
        self._finishes: dict[int, str] = {}

    def push(self, chunk: bytes) -> None:
        if self.tail is not None or self.fault is not None:
            return  # what follows the terminal frame means nothing
        if self._head is not None:
            chunk = self._head + chunk
            start = chunk.lstrip()[:1]
            self._head = chunk if not start else None
            if not start:
                return
            if start == b"{":
                self._whole = []
        if self._whole is not None:
            self._whole.append(chunk)
            self._whole_bytes += len(chunk)
            if self._whole_bytes > 4 * MAX_FRAME:
                self.fault = Fault("malformed")
            return
        try:
            for frame in self._splitter.feed(chunk):
                self._take(frame)
        except Overlong:
            self.fault = Fault("malformed")
        except Fault as fault:
            self.fault = fault

    def end(self) -> None:
        if self.tail is not None or self.fault is not None:
            return
        try:
            if self._whole is not None:  # the provider answered whole although a stream was asked for
                self._put(unfold(self._target.parse_reply(parsed(b"".join(self._whole)))))
            else:
                last = self._splitter.end()
                if last:
                    self._take(last)
                if self.tail is None:
                    self._put(self._reader.end())
            if self.tail is None:
                raise Fault("malformed")
        except Fault as fault:
            self.fault = fault

    def measure(self) -> None:
        pass  # it counts as it goes

    def _take(self, frame: bytes) -> None:
        event = read(frame)
        if event.data is not None and self.tail is None:
            self._put(self._reader.push(event))

    def _put(self, events: Iterable[Event]) -> None:
        for event in self._customs.take(events):
            self._note(event)
            if isinstance(event, ReplyStart):
                created = event.created or self._call.created_ms // 1000
                event = replace(event, id=self._call.id, model=self._call.model, created=created)
            frames = self._writer.write(event)
            if isinstance(event, ReplyEnd):
                if not self.bound:
                    raise Fault("malformed")  # nothing was said
                self.tail = frames
                return
            if frames:
                self.spoke = True
                self.out.append(frames)

    def _note(self, event: Event) -> None:
        meter = self.meter
        match event:
            case ReplyStart(id=upstream_id):
                meter.upstream_id = upstream_id[:255] or None
            case PartStart(part=part):
                meter.out_bytes += _said(part)
                self.bound = self.bound or not isinstance(part, Text | Reasoning | Refusal)
            case PartDelta(text=text):
                meter.out_bytes += len(text.encode("utf-8", "surrogatepass"))
                self.bound = self.bound or bool(text)
            case ChoiceEnd(choice=choice, finish=finish):
                self.bound = True
                self._finishes[choice] = finish.raw or finish.reason
                meter.finish = ",".join(self._finishes[number] for number in sorted(self._finishes))
            case UsageSeen(usage=usage):
                meter.usage, meter.final = usage, bool(self._finishes)
            case _:
                pass


def _dumps(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
