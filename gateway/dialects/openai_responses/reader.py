"""A provider's Responses stream as neutral events.

A part begins with its first delta, not with its item: only then is it clear what it is. `output_item.done` tells each
item whole, and brings what no delta brought; the terminal event does so for providers that leave that out, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ...call import Fault
from ...neutral.events import ChoiceEnd, Event, PartDelta, PartEnd, PartStart, ReplyEnd, ReplyStart, UsageSeen
from ...neutral.parts import Citation, Logprob, Part, Reasoning, Refusal, Seal, Text, ToolCall
from ...sse import Event as Frame
from .. import shapes
from ..passing import parsed
from .errors import failed
from .items import call_of, citations, logprobs, output_parts
from .reply import check, created, finish, usage


@dataclass(slots=True)
class _Part:
    """A part that has begun. sent: its text so far · cited: what annotation events told."""

    index: int
    sent: list[str] = field(default_factory=list)
    cited: list[Citation] = field(default_factory=list)
    ended: bool = False


@dataclass(slots=True)
class _Item:
    """An item of the output. parts: by place within it, in the order in which they began · paragraph: the part of a
    summary that is being told."""

    parts: dict[int, _Part] = field(default_factory=dict)
    paragraph: int = 0
    summary: bool | None = None
    done: bool = False


def reader() -> ResponsesReader:
    return ResponsesReader()


class ResponsesReader:
    """See `base.Reader`."""

    def __init__(self) -> None:
        self._begun = self._ended = self._calls = False
        self._items: dict[int, _Item] = {}
        self._told: set[str] = set()
        self._count = 0

    def push(self, frame: Frame) -> Iterable[Event]:
        if frame.data is None or frame.data == b"[DONE]" or self._ended:
            return ()
        values = parsed(frame.data)
        return self._take(values, str(values.get("type") or frame.name))

    def end(self) -> Iterable[Event]:
        if not self._ended:
            raise Fault("malformed")
        return ()

    def _take(self, values: dict[str, Any], kind: str) -> Iterator[Event]:
        if kind == "error" or (values.get("error") and "response" not in values):
            raise failed(values)
        response = values.get("response")
        if not self._begun and (isinstance(response, dict) or kind.startswith("response.")):
            self._begun = True
            first = response if isinstance(response, dict) else {}  # who sends items at once tells no name
            yield ReplyStart(id=str(first.get("id", "")), model=str(first.get("model", "")), created=created(first))
        match kind:
            case "response.completed" | "response.incomplete" | "response.failed":
                if not isinstance(response, dict):
                    raise Fault("malformed")
                yield from self._finish(response, kind)
            case "response.output_item.added":
                yield from self._added(_place(values), values.get("item"))
            case "response.output_item.done":
                yield from self._done(_place(values), values.get("item"))
            case "response.output_text.delta":
                found = tuple(logprobs(values.get("logprobs")))
                yield from self._delta(values, Text(text=""), found)
            case "response.refusal.delta":
                yield from self._delta(values, Refusal(text=""))
            case "response.reasoning_text.delta":
                yield from self._thought(values, summary=False)
            case "response.reasoning_summary_text.delta":
                yield from self._thought(values, summary=True)
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                item = self._items.get(_place(values))
                if item is not None and item.parts:
                    yield from self._more(item.parts[0], _text(values))
            case "response.output_text.annotation.added":
                item = self._items.get(_place(values))
                part = item.parts.get(_place(values, "content_index")) if item is not None else None
                if part is not None:
                    part.cited += citations([values.get("annotation")])
            case _:
                pass

    def _begin(self, item: _Item, place: int, part: Part) -> Iterator[Event]:
        item.parts[place] = _Part(self._count)
        self._count += 1
        self._calls = self._calls or isinstance(part, ToolCall)
        yield PartStart(choice=0, index=item.parts[place].index, part=part)

    def _more(self, part: _Part, text: str, found: tuple[Logprob, ...] = ()) -> Iterator[Event]:
        if text and not part.ended:
            part.sent.append(text)
            yield PartDelta(choice=0, index=part.index, text=text, logprobs=found)

    def _close(self, part: _Part, seal: Seal | None = None, cited: tuple[Citation, ...] = ()) -> Iterator[Event]:
        if not part.ended:
            part.ended = True
            yield PartEnd(choice=0, index=part.index, seal=seal, citations=cited or tuple(part.cited))

    def _delta(self, values: dict[str, Any], part: Part, found: tuple[Logprob, ...] = ()) -> Iterator[Event]:
        item = self._items.setdefault(_place(values), _Item())
        place = _place(values, "content_index")
        if place not in item.parts:
            yield from self._begin(item, place, part)
        yield from self._more(item.parts[place], _text(values), found)

    def _thought(self, values: dict[str, Any], *, summary: bool) -> Iterator[Event]:
        """A thought's text or its summary, whichever comes first; paragraphs are set apart as in a whole reply."""
        item = self._items.setdefault(_place(values), _Item())
        paragraph = _place(values, "summary_index" if summary else "content_index")
        if not item.parts:
            item.summary, item.paragraph = summary, paragraph
            yield from self._begin(item, 0, Reasoning(text="", summary=summary))
        if item.summary is summary:
            if paragraph != item.paragraph:
                item.paragraph = paragraph
                yield from self._more(item.parts[0], "\n\n")
            yield from self._more(item.parts[0], _text(values))

    def _added(self, place: int, values: Any) -> Iterator[Event]:
        item = self._items.setdefault(place, _Item())
        if isinstance(values, dict) and values.get("type") in ("function_call", "custom_tool_call") and not item.parts:
            call = call_of(values)
            yield from self._begin(item, 0, replace(call, arguments=""))
            yield from self._more(item.parts[0], call.arguments)

    def _done(self, place: int, values: Any) -> Iterator[Event]:
        """An item is whole: what was not told yet is told now."""
        item = self._items.setdefault(place, _Item())
        if item.done or not isinstance(values, dict):
            return
        item.done = True
        if isinstance(values.get("id"), str):
            self._told.add(values["id"])  # its place in the whole output may be another
        begun = list(item.parts.values())
        for number, part in enumerate(output_parts(values)):
            if number >= len(begun):
                start, text, found = _empty(part)
                free = max(item.parts, default=-1) + 1
                yield from self._begin(item, free, start)
                begun.append(item.parts[free])
                yield from self._more(begun[number], text, found)
            else:
                sent, whole = "".join(begun[number].sent), _empty(part)[1]
                if whole.startswith(sent):
                    yield from self._more(begun[number], whole[len(sent) :])
            yield from self._close(begun[number], part.seal, part.citations if isinstance(part, Text) else ())
        for left in begun:
            yield from self._close(left)

    def _finish(self, response: dict[str, Any], kind: str) -> Iterator[Event]:
        if kind == "response.failed":
            raise failed(response.get("error"))
        check({"output": [], **response})
        for place, values in enumerate(shapes.listed(response.get("output"))):
            if not isinstance(values, dict) or values.get("id") not in self._told:
                yield from self._done(place, values)
        for item in self._items.values():
            for part in item.parts.values():
                yield from self._close(part)
        self._ended = True
        yield ChoiceEnd(choice=0, finish=finish(response, self._calls))
        seen = usage(response)
        if seen is not None:
            yield UsageSeen(usage=seen)
        yield ReplyEnd()


def _place(values: dict[str, Any], name: str = "output_index") -> int:
    place = values.get(name)
    return place if isinstance(place, int) else 0


def _text(values: dict[str, Any]) -> str:
    return shapes.text(values.get("delta")) or ""


def _empty(part: Part) -> tuple[Part, str, tuple[Logprob, ...]]:
    """A part without its text, its text, and how likely that was."""
    match part:
        case Text(text=text, logprobs=found):
            return Text(text=""), text, found
        case Reasoning(text=text) | Refusal(text=text):
            return replace(part, text="", seal=None), text, ()
        case ToolCall(arguments=arguments):
            return replace(part, arguments=""), arguments, ()
        case _:
            return part, "", ()
