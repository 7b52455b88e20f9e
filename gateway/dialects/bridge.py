"""From any dialect to any other, and straight through where they agree.

A leg of the caller's own dialect gets its bytes (Law 1). For any other, the body is parsed into neutral words once,
held against what the leg's dialect can say (`screen`, Law 2), and rendered; the reply comes back the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..call import Call, Fault, Leg, Meter
from ..neutral.events import ChoiceEnd, Event, PartDelta, PartStart, ReplyEnd, ReplyStart, UsageSeen, fold, unfold
from ..neutral.features import MEANING, shown, used
from ..neutral.parts import Bytes, Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult, Url
from ..neutral.reply import ChatReply
from ..neutral.request import ChatRequest, HostedTool, Message
from ..splice import scan
from ..sse import read
from . import accents, anthropic, converse, gemini, openai_chat, openai_completions, openai_responses
from .base import Dialect, Feed, Surface, Target
from .customs import Customs, as_functions
from .fitting import Names, fitted, offered
from .intake import MOST_CHOICES, Intake
from .passing import parsed
from .scale import size
from .seals import MARK, MARK_BASE64
from .shapes import packed

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (openai_chat, openai_responses, anthropic, gemini)}
"""What clients and providers speak, by name."""

NAMED: dict[str, Target] = {**DIALECTS, converse.name: converse}
"""All that a call can be translated to, by the names that channels know them by."""

SURFACES: dict[str, Surface] = {**DIALECTS, openai_completions.name: openai_completions}
"""All that clients of chat may speak."""


class Refused(Exception):
    """A leg's dialect cannot say what the caller means. param: the caller's own field."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param, self.message = param, message


def ways(call: Call, dialects: Sequence[str]) -> tuple[str, ...]:
    """Those of a model's dialects in which it can be told a call, best first: the caller's own alone if it is there."""
    if call.dialect in dialects:
        return (call.dialect,)
    return tuple(name for name in dialects if name in NAMED)


def passes(call: Call, leg: Leg) -> bool:
    """Whether the caller's own bytes go to this leg: same words, and no seal that a third dialect has made."""
    return leg.dialect == call.dialect and not (call.dialect in DIALECTS and _SEALED.search(call.body.text))


_SEALED = re.compile(f'"(?:{re.escape(MARK)}|{MARK_BASE64})')
"""A string that begins as a seal does; one search for both, which looks at quotes only."""


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
    accent = leg.profile.accent
    if passes(call, leg):
        return _strictly(call, tuple(f"{name}=drop" for name in accents.losses(call.body.values, accent)))
    source, target = SURFACES[call.dialect], NAMED[leg.dialect]
    if call.ask.only and leg.dialect != call.dialect:
        field = call.ask.only[0]
        raise Refused(field, f"{field} cannot be said to a provider of this model so.")
    asked = request(call)
    losses = [f"{name}=drop" for dialect, fields in asked.extras.items() if dialect != leg.dialect for name in fields]
    theirs = SURFACES[leg.dialect].FIELD if leg.dialect in SURFACES else {}
    lacking = target.lacks(asked, leg) | {
        feature for feature, field in theirs.items() if field.partition(".")[0] in accent.unknown
    }
    for feature in sorted(used(asked) - set(leg.profile.knows)):
        verdict, field = target.CAN[feature], source.FIELD.get(feature, feature)
        if leg.dialect == call.dialect:  # all but the turns passes, and what they do not bear
            bound = field.partition(".")[0] in DIALECTS[leg.dialect].BOUND
            verdict = "drop" if feature in lacking and bound else "express"
        elif feature in lacking and verdict != "refuse":
            verdict = "refuse" if feature in MEANING else "drop"
        if verdict == "refuse" or (verdict == "drop" and call.strict):
            raise Refused(field, f"{field} cannot be said to a provider of this model ({feature.replace('_', ' ')}).")
        if verdict == "drop":
            losses.append(f"{field}=drop")
    if any(part.seal is not None and part.seal.origin != leg.dialect for part in _all(asked)):
        losses.append(f"{source.FIELD['reasoning']}=drop")
    return _strictly(call, tuple(dict.fromkeys(losses)))


def _strictly(call: Call, losses: tuple[str, ...]) -> tuple[str, ...]:
    """The losses, if the caller puts up with any. Raises Refused."""
    if losses and call.strict:
        field = losses[0].partition("=")[0]
        raise Refused(field, f"{field} would be lost on the way to a provider.")
    return losses


def _all(asked: ChatRequest) -> Iterator[Part]:
    for message in asked.messages:
        yield from message.parts


def encode(call: Call, leg: Leg) -> bytes:
    """The body for a leg, with its provider's accent."""
    return accents.spoken(_encoded(call, leg), leg.profile.accent)


def _encoded(call: Call, leg: Leg) -> bytes:
    if passes(call, leg):
        return SURFACES[leg.dialect].encode(call, leg)
    target = NAMED[leg.dialect]
    asked = request(call)
    messages = tuple(_for_leg(call, leg, message) for message in asked.messages)
    tools = tuple(tool for tool in asked.tools if not isinstance(tool, HostedTool) or tool.dialect == leg.dialect)
    asked = replace(asked, model=leg.model, messages=messages, tools=tools)
    if leg.dialect == call.dialect:  # only the turns hold what is not this provider's
        same = DIALECTS[leg.dialect]
        rendered = same.render(asked, leg)
        gone = {*same.TURNS, *(name for name in same.BOUND if name not in rendered)}
        said = {name: value for name, value in rendered.items() if name in same.TURNS}
        kept = {name: value for name, value in call.body.values.items() if name not in gone}
        return same.encode(replace(call, body=scan(packed({**kept, **said}))), leg)
    if call.cap is not None:
        limit = min(call.cap, asked.sampling.limit or call.cap)
        asked = replace(asked, sampling=replace(asked.sampling, limit=limit))
    if target.CAN["custom_tools"] == "reshape":
        asked = as_functions(asked)
    return packed({**target.render(offered(asked, target.NAMES), leg), **dict(leg.profile.adds)})


def _for_leg(call: Call, leg: Leg, message: Message) -> Message:
    """A message with media fetched for this leg and names that it takes, and without seals of other makers."""
    return replace(message, parts=tuple(_part_for_leg(call, leg, part) for part in message.parts))


def _part_for_leg(call: Call, leg: Leg, part: Part) -> Part:
    if part.seal is not None and part.seal.origin != leg.dialect:
        part = replace(part, seal=None)
    match part:
        case Media(source=Url(url=url)) if url in call.fetched and not takes_url(leg, part):
            got = call.fetched[url]
            return replace(part, source=got.source, media_type=part.media_type or got.media_type)
        case ToolCall(name=name):
            return replace(part, name=_fitted(call, leg, name))
        case ToolResult(parts=parts, name=name):
            inner = tuple(_part_for_leg(call, leg, one) for one in parts)
            return replace(part, parts=inner, name=name and _fitted(call, leg, name))  # type: ignore[arg-type]
        case _:
            return part


def _fitted(call: Call, leg: Leg, name: str) -> str:
    """A tool's name for this leg: where only the turns are said again, the tools keep theirs."""
    return name if leg.dialect == call.dialect else fitted(name, NAMED[leg.dialect].NAMES)


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


def whole(call: Call, leg: Leg, body: bytes, meter: Meter) -> bytes:
    """A whole reply for the client; fills the meter. Raises Fault."""
    source = SURFACES[call.dialect]
    if leg.dialect == call.dialect:
        return source.whole(call, body, meter)
    target = NAMED[leg.dialect]
    reply = target.parse_reply(parsed(body))
    _measure(reply, meter)
    names = Names(request(call), target.NAMES)
    for part in (part for choice in reply.choices for part in choice.parts):
        _miss(part, source, meter)
    reply = replace(reply, id=call.id, model=call.model, created=reply.created or call.created_ms // 1000)
    customs = Customs(request(call))
    if customs.names or names.own:
        reply = fold(customs.take(names.take(unfold(reply))))
    return packed(source.render_reply(reply, call.body.values))


def _measure(reply: ChatReply, meter: Meter) -> None:
    meter.usage = reply.usage
    meter.upstream_id = reply.id[:255] or None
    meter.finish = ",".join(choice.finish.raw or choice.finish.reason for choice in reply.choices)
    meter.out_bytes = sum(_said(part) for choice in reply.choices for part in choice.parts)


def _miss(part: Part, source: Surface, meter: Meter) -> None:
    """Note a medium that the client's dialect cannot show (Law 3)."""
    if isinstance(part, Media) and shown(part) not in source.SHOWS:
        loss = f"answer.{shown(part)}=drop"
        meter.lost += [] if loss in meter.lost else [loss]


def _said(part: Part) -> int:
    match part:
        case Text(text=text) | Reasoning(text=text) | Refusal(text=text):
            return size(text)
        case ToolCall(name=name, arguments=arguments):
            return size(name) + size(arguments)
        case Media(source=Bytes(base64=data)):
            return len(data)
        case _:
            return 0


def feed(call: Call, leg: Leg, headers: Mapping[str, str]) -> Feed:
    """A streamed reply for the client. headers: of the provider's answer."""
    return SURFACES[call.dialect].feed(call) if leg.dialect == call.dialect else Bridge(call, leg)


class Bridge(Intake):
    """A provider's stream of one dialect on its way to a client of another. See `base.Feed`."""

    def __init__(self, call: Call, leg: Leg) -> None:
        super().__init__()
        self._call = call
        self._source, self._target = SURFACES[call.dialect], NAMED[leg.dialect]
        self._reader = self._target.reader()
        self._writer = self._source.writer(call.body.values)
        self._names = Names(request(call), self._target.NAMES)
        self._customs = Customs(request(call))
        self._finishes: dict[int, str] = {}

    def frame(self, frame: bytes) -> None:
        event = read(frame)
        if event.data is not None:
            self._put(self._reader.push(event))

    def answer(self, body: bytes) -> None:
        self._put(unfold(self._target.parse_reply(parsed(body))))
        self._must_be_whole()

    def ended(self) -> None:
        self._put(self._reader.end())
        self._must_be_whole()

    def _must_be_whole(self) -> None:
        if self.tail is None:
            raise Fault("malformed")

    def _put(self, events: Iterable[Event]) -> None:
        for event in self._customs.take(self._names.take(events)):
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
                _miss(part, self._source, meter)
                self.bound = self.bound or not isinstance(part, Text | Reasoning | Refusal)
            case PartDelta(text=text):
                meter.out_bytes += size(text)
                self.bound = self.bound or bool(text)
            case ChoiceEnd(choice=choice, finish=finish):
                self.bound = True
                self._finishes[choice] = finish.raw or finish.reason
                if len(self._finishes) > MOST_CHOICES:
                    raise Fault("malformed")
                meter.finish = ",".join(self._finishes[number] for number in sorted(self._finishes))
            case UsageSeen(usage=usage):
                meter.usage, meter.final = usage, bool(self._finishes)
            case _:
                pass
