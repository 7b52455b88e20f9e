"""A reply in pieces, as it streams; and the ways from a whole reply to its pieces and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from .parts import Citation, Logprob, Part, Reasoning, Refusal, Seal, Text, ToolCall
from .reply import ChatReply, Choice, Finish, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyStart:
    """The reply begins. created: Unix seconds, 0 where its dialect does not tell."""

    id: str
    model: str
    created: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStart:
    """A part begins: `part` without the text that its deltas will bring. Parts of a choice count from 0; they may
    interleave."""

    choice: int
    index: int
    part: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDelta:
    """More of a part: of its text, or of a tool call's arguments."""

    choice: int
    index: int
    text: str
    logprobs: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartEnd:
    """A part is whole. seal, citations: what came after its text and belongs to it."""

    choice: int
    index: int
    seal: Seal | None = None
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceEnd:
    """A choice is whole."""

    choice: int
    finish: Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSeen:
    """What the reply took so far; the last one counts."""

    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyEnd:
    """The reply is whole."""


Event = ReplyStart | PartStart | PartDelta | PartEnd | ChoiceEnd | UsageSeen | ReplyEnd


def _in_one(text: str) -> Iterator[str]:
    if text:
        yield text


def unfold(reply: ChatReply, pieces: Callable[[str], Iterator[str]] = _in_one) -> Iterator[Event]:
    """The events of a whole reply. pieces: how a part's text is cut into deltas; by default not at all."""
    yield ReplyStart(id=reply.id, model=reply.model, created=reply.created)
    for number, choice in enumerate(reply.choices):
        for index, part in enumerate(choice.parts):
            start, text, end = _opened(part, number, index)
            yield PartStart(choice=number, index=index, part=start)
            logprobs = part.logprobs if isinstance(part, Text) else ()
            for piece in pieces(text):
                yield PartDelta(choice=number, index=index, text=piece, logprobs=logprobs)
                logprobs = ()
            yield end
        yield ChoiceEnd(choice=number, finish=choice.finish)
    if reply.usage is not None:
        yield UsageSeen(usage=reply.usage)
    yield ReplyEnd()


def _opened(part: Part, choice: int, index: int) -> tuple[Part, str, PartEnd]:
    """A part as it begins, its text, and its end."""
    end = PartEnd(choice=choice, index=index, seal=part.seal)
    match part:
        case Text():
            end = replace(end, citations=part.citations)
            return replace(part, text="", seal=None, citations=(), logprobs=()), part.text, end
        case Reasoning() | Refusal():
            return replace(part, text="", seal=None), part.text, end
        case ToolCall():
            return replace(part, arguments="", seal=None), part.arguments, end
        case _:
            return part, "", PartEnd(choice=choice, index=index)


def fold(events: Iterable[Event]) -> ChatReply:
    """The whole reply that events make; choices in order, parts in the order in which they began."""
    start = ReplyStart(id="", model="", created=0)
    parts: dict[tuple[int, int], Part] = {}
    texts: dict[tuple[int, int], list[str]] = {}
    finishes: dict[int, Finish] = {}
    usage: Usage | None = None
    for event in events:
        match event:
            case ReplyStart():
                start = event
            case PartStart(choice=choice, index=index, part=part):
                parts[choice, index] = part
            case PartDelta(choice=choice, index=index, text=text, logprobs=logprobs):
                texts.setdefault((choice, index), []).append(text)
                part = parts[choice, index]
                if logprobs and isinstance(part, Text):
                    parts[choice, index] = replace(part, logprobs=(*part.logprobs, *logprobs))
            case PartEnd(choice=choice, index=index, seal=seal, citations=citations):
                parts[choice, index] = _closed(parts[choice, index], texts.get((choice, index), ()), seal, citations)
            case ChoiceEnd(choice=choice, finish=finish):
                finishes[choice] = finish
            case UsageSeen(usage=seen):
                usage = seen
    choices = tuple(
        Choice(parts=tuple(part for (made_by, _), part in parts.items() if made_by == choice), finish=finishes[choice])
        for choice in sorted(finishes)
    )
    return ChatReply(id=start.id, model=start.model, created=start.created, choices=choices, usage=usage)


def _closed(part: Part, texts: Iterable[str], seal: Seal | None, citations: tuple[Citation, ...]) -> Part:
    text = "".join(texts)
    match part:
        case Text():
            return replace(part, text=part.text + text, seal=seal or part.seal, citations=(*part.citations, *citations))
        case Reasoning() | Refusal():
            return replace(part, text=part.text + text, seal=seal or part.seal)
        case ToolCall():
            return replace(part, arguments=part.arguments + text, seal=seal or part.seal)
        case _:
            return part
