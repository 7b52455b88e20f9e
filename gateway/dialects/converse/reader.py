"""Converse's streams as neutral events.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html. A block of text or of
thought begins with its first delta, one of a call or an image with a start; usage comes after the end of the message.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from ...call import Fault
from ...neutral.events import ChoiceEnd, Event, PartDelta, PartEnd, PartStart, ReplyEnd, ReplyStart, UsageSeen
from ...neutral.parts import Citation, Part, Reasoning, Text, ToolCall
from ...sse import Event as Frame
from .. import shapes
from ..passing import parsed
from ..shapes import members
from .errors import fault_in_stream
from .parts import begun, citation, image, made_here, spanned
from .reply import finish, usage


class _Block:
    """A part as it comes in. said: characters of its text so far · sealed: pieces of its seal."""

    def __init__(self, number: int, part: Part) -> None:
        self.number, self.part = number, part
        self.said = 0
        self.sealed: list[str] = []
        self.citations: list[Citation] = []


class ConverseReader:
    """See `base.Reader`."""

    def __init__(self) -> None:
        self._begun = self._finished = self._ended = False
        self._open: dict[int | None, _Block] = {}
        self._images: dict[int | None, tuple[Any, list[str]]] = {}
        self._parts = 0
        self._calls = False

    def push(self, frame: Frame) -> Iterator[Event]:
        assert frame.data is not None
        if self._ended:
            return
        values = parsed(frame.data)
        if frame.name.endswith("Exception") or frame.name == "error":
            raise fault_in_stream(frame.name, values)
        if not self._begun and frame.name != "messageStart":
            raise Fault("malformed")
        index = shapes.whole(values.get("contentBlockIndex"))
        match frame.name:
            case "messageStart" if not self._begun:
                self._begun = True
                yield ReplyStart(id="", model="", created=0)
            case "contentBlockStart":
                yield from self._start(index, members(values.get("start")))
            case "contentBlockDelta":
                yield from self._delta(index, members(values.get("delta")))
            case "contentBlockStop":
                yield from self._stop(index)
            case "messageStop" if not self._finished:
                for left in [*self._open, *self._images]:
                    yield from self._stop(left)
                self._finished = True
                yield ChoiceEnd(choice=0, finish=finish(values, self._calls))
            case "metadata":
                seen = usage(values)
                if seen is not None:
                    yield UsageSeen(usage=seen)
                if self._finished:
                    self._ended = True
                    yield ReplyEnd()

    def end(self) -> Iterator[Event]:
        """A reply is whole without its usage, too."""
        if not self._ended:
            if not self._finished:
                raise Fault("malformed")
            self._ended = True
            yield ReplyEnd()

    def _start(self, index: int | None, start: Mapping[str, Any]) -> Iterator[Event]:
        match start:
            case {"toolUse": {"toolUseId": str(), "name": str()} as call}:
                part = begun(call)
                self._calls = self._calls or part.ran_by is None
                yield from self._opened(index, part)
            case {"toolUse": _}:
                raise Fault("malformed")
            case {"image": dict(told)}:
                self._images[index] = told.get("format"), []

    def _opened(self, index: int | None, part: Part) -> Iterator[Event]:
        yield from self._stop(index)
        self._open[index] = _Block(self._parts, part)
        yield PartStart(choice=0, index=self._parts, part=part)
        self._parts += 1

    def _in(self, index: int | None, part: Part) -> Iterator[Event]:
        """Begin a part unless one like it is open."""
        block = self._open.get(index)
        if block is None or block.part != part:
            yield from self._opened(index, part)

    def _delta(self, index: int | None, delta: Mapping[str, Any]) -> Iterator[Event]:
        match delta:
            case {"text": str(text)}:
                yield from self._in(index, Text(text=""))
                yield from self._said(index, text)
            case {"citation": dict(one)}:
                yield from self._in(index, Text(text=""))
                self._open[index].citations.append(citation(one))
            case {"reasoningContent": {"redactedContent": str(data)}} if data:
                yield from self._in(index, Reasoning(text="", redacted=True))
                self._open[index].sealed.append(data)
            case {"reasoningContent": dict(thought)}:
                yield from self._in(index, Reasoning(text=""))
                yield from self._said(index, shapes.text(thought.get("text")) or "")
                self._open[index].sealed.append(shapes.text(thought.get("signature")) or "")
            case {"toolUse": {"input": str(text)}}:
                if index not in self._open:
                    raise Fault("malformed")  # of a call without a name
                yield from self._said(index, text)
            case {"image": {"source": {"bytes": str(data)}}} if index in self._images:
                self._images[index][1].append(data)

    def _said(self, index: int | None, text: str) -> Iterator[Event]:
        block = self._open[index]
        block.said += len(text)
        if text:
            yield PartDelta(choice=0, index=block.number, text=text)

    def _stop(self, index: int | None) -> Iterator[Event]:
        if index in self._images:
            kind, pieces = self._images.pop(index)
            yield PartStart(choice=0, index=self._parts, part=image(kind, _joined(pieces)))
            yield PartEnd(choice=0, index=self._parts)
            self._parts += 1
        block = self._open.pop(index, None)
        if block is None:
            return
        if isinstance(block.part, ToolCall) and not block.said:
            yield PartDelta(choice=0, index=block.number, text="{}")
        redacted = isinstance(block.part, Reasoning) and block.part.redacted
        seal = made_here(_joined(block.sealed) if redacted else "".join(block.sealed))
        yield PartEnd(choice=0, index=block.number, seal=seal, citations=spanned(block.citations, block.said))


def _joined(pieces: list[str]) -> str:
    """Pieces of base64 text as one."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        return base64.b64encode(b"".join(map(base64.b64decode, pieces))).decode()
    except ValueError as error:
        raise Fault("malformed") from error


def reader() -> ConverseReader:
    return ConverseReader()
