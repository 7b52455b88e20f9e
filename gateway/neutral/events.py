"""A reply in pieces, as it streams; and the way from a whole reply to its pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from .parts import Part, Reasoning, Refusal, Text, ToolCall
from .reply import ChatReply, Finish, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyStart:
    """The reply begins."""

    id: str
    model: str
    created: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStart:
    """A part begins: `part` without the text that its deltas will bring. Parts of a choice count from 0."""

    choice: int
    index: int
    part: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDelta:
    """More of a part: of its text, or of a tool call's arguments."""

    choice: int
    index: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartEnd:
    """A part is whole."""

    choice: int
    index: int


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
            start, text = _emptied(part)
            yield PartStart(choice=number, index=index, part=start)
            for piece in pieces(text):
                yield PartDelta(choice=number, index=index, text=piece)
            yield PartEnd(choice=number, index=index)
        yield ChoiceEnd(choice=number, finish=choice.finish)
    if reply.usage is not None:
        yield UsageSeen(usage=reply.usage)
    yield ReplyEnd()


def _emptied(part: Part) -> tuple[Part, str]:
    """A part without its text, and the text."""
    match part:
        case Text() | Reasoning() | Refusal():
            return replace(part, text=""), part.text
        case ToolCall():
            return replace(part, arguments=""), part.arguments
        case _:
            return part, ""
