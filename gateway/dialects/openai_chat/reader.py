"""A Chat stream as neutral events, whoever sends it and with whatever accent.

Usage comes in a frame of its own, in the last frame or in every one; calls come in pieces or whole, with an index or
without; thoughts have several names; some send no `[DONE]`, some another frame after the finish reason. So a choice is
closed only when the stream is.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...call import Fault
from ...neutral.events import ChoiceEnd, Event, PartDelta, PartEnd, PartStart, ReplyEnd, ReplyStart, UsageSeen
from ...neutral.parts import Bytes, Citation, Logprob, Media, Opaque, Part, Reasoning, Refusal, Seal, Text, ToolCall
from ...neutral.reply import Usage
from ...sse import Event as Frame
from .. import shapes
from ..passing import parsed
from ..shapes import listed, members, objects
from . import thoughts
from .errors import fault_in_reply, told_error
from .parts import arguments, identity, parse_citations, parse_content, parse_images, parse_logprobs, seal, sources
from .reply import created, parse_finish
from .usage import usage


def reader() -> ChatReader:
    return ChatReader()


class ChatReader:
    """See `base.Reader`."""

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None
        self._beside: list[dict[str, Any]] = []
        self._id = ""
        self._done = False

    def push(self, frame: Frame) -> Iterable[Event]:
        if self._done or frame.data is None:
            return ()
        if frame.data == b"[DONE]":
            return self._close()
        values = parsed(frame.data)
        if (problem := told_error(values)) or frame.name == "error":
            raise fault_in_reply(problem or values)
        choices = values.get("choices")
        if choices is not None and not isinstance(choices, list):
            raise Fault("malformed")
        return self._take(values, objects(choices))

    def end(self) -> Iterable[Event]:
        if self._done:
            return ()
        if not self._choices or not all(choice.finish for choice in self._choices.values()):
            raise Fault("malformed")
        return self._close()

    def _take(self, values: Mapping[str, Any], choices: list[dict[str, Any]]) -> Iterator[Event]:
        if choices and not self._choices:
            self._id = shapes.text(values.get("id")) or ""
            yield ReplyStart(id=self._id, model=shapes.text(values.get("model")) or "", created=created(values))
        for choice in choices:
            index = choice.get("index")
            number = index if isinstance(index, int) and index > 0 else 0
            if number not in self._choices:
                self._choices[number] = _Choice(number, self._id)
            yield from self._choices[number].take(choice)
        self._beside = sources(values) or self._beside
        seen = usage(values)
        if seen is not None and seen != self._usage:
            self._usage = seen
            if self._choices:
                yield UsageSeen(usage=seen)

    def _close(self) -> Iterator[Event]:
        if not self._choices:
            raise Fault("malformed")
        self._done = True
        for number in sorted(self._choices):
            yield from self._choices[number].close(self._beside)
        if self._usage is not None:
            yield UsageSeen(usage=self._usage)
        yield ReplyEnd()


class _Call:
    """A call as it comes. index: of its part, None until its name is known."""

    def __init__(self, identity: str) -> None:
        self.id = identity
        self.given = False  # the provider has given the id
        self.name = ""
        self.custom = False
        self.index: int | None = None
        self.early = ""
        self.seal: Seal | None = None


class _Choice:
    """One choice: at most one piece of prose (thought, text or refusal) is open, and any number of calls."""

    def __init__(self, number: int, reply_id: str) -> None:
        self.finish: Any = None
        self._number = number
        self._reply_id = reply_id
        self._parts = 0
        self._open: Part | None = None
        self._group: thoughts.Items = []  # of the open thought
        self._names: Seal | None = None  # where it came under a plain name
        self._calls: list[_Call] = []
        self._at: dict[int, int] = {}  # a provider's index → place of the call
        self._said = 0  # characters of text so far
        self._before = 0  # of those, before the open text
        self._notes: list[Any] = []
        self._logprobs: tuple[Logprob, ...] = ()
        self._seal: Seal | None = None
        self._sound: list[str] = []

    def take(self, choice: Mapping[str, Any]) -> Iterator[Event]:
        if choice.get("error"):
            raise fault_in_reply(choice["error"])
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            delta = choice.get("message")  # a whole message where a delta belongs
        self._logprobs += parse_logprobs(choice.get("logprobs"))
        if isinstance(delta, dict):
            yield from self._take(delta)
        self.finish = choice.get("finish_reason") or self.finish

    def _take(self, delta: Mapping[str, Any]) -> Iterator[Event]:
        yield from self._think(delta)
        for part in parse_content(delta.get("content")):
            yield from self._content(part)
        if isinstance(delta.get("refusal"), str) and delta["refusal"]:
            yield from self._prose(Refusal(text=delta["refusal"]))
        for call in objects(delta.get("tool_calls")):
            yield from self._call(call)
        if isinstance(delta.get("function_call"), dict):
            yield from self._call({"index": -1, "function": delta["function_call"]})
        for image in parse_images(delta):
            yield from self._content(image)
        if isinstance(delta.get("audio"), dict):
            yield from self._hear(delta["audio"])
        self._notes += listed(delta.get("annotations"))
        self._seal = seal(delta) or self._seal

    def _content(self, part: Part) -> Iterator[Event]:
        match part:
            case Text() | Refusal():
                yield from self._prose(part)
            case Reasoning():
                yield from self._plain(part)
            case Media() | Opaque():
                yield from self._end()
                yield PartStart(choice=self._number, index=self._parts, part=part)
                yield PartEnd(choice=self._number, index=self._parts)
                self._parts += 1
            case _:
                pass  # calls and results are no content

    def _think(self, delta: Mapping[str, Any]) -> Iterator[Event]:
        """Thoughts that are no content; `reasoning_details` count before what just repeats their text."""
        items = [item for item in thoughts.items(delta) if thoughts.tells(item)]
        told = thoughts.plain(delta)
        if told is not None and not any(map(thoughts.text_in, items)):
            yield from self._plain(told)
        for item in items:
            if self._group:
                goes_on = thoughts.continues(self._group, item)
            else:  # the signature of a thought that came under a plain name
                goes_on = isinstance(self._open, Reasoning) and item["type"] == thoughts.TEXT
            if not goes_on:
                yield from self._end()
            self._group.append(item)
            more = thoughts.text_in(item)
            if more:
                if self._open is None:
                    yield from self._begin_thought()
                yield PartDelta(choice=self._number, index=self._parts - 1, text=more)

    def _begin_thought(self) -> Iterator[Event]:
        yield from self._begin(replace(thoughts.thought(self._group), text="", seal=None))

    def _plain(self, part: Reasoning) -> Iterator[Event]:
        """More of a thought that has just a name, which is in its seal."""
        if not isinstance(self._open, Reasoning) or self._group:
            yield from self._end()
            self._names = part.seal
            yield from self._begin(replace(part, text="", seal=None))
        yield PartDelta(choice=self._number, index=self._parts - 1, text=part.text)

    def _prose(self, part: Text | Refusal) -> Iterator[Event]:
        """More of a text or a refusal."""
        if type(part) is not type(self._open):
            yield from self._end()
            yield from self._begin(replace(part, text=""))
        logprobs: tuple[Logprob, ...] = ()
        if isinstance(part, Text):
            self._said += len(part.text)
            logprobs, self._logprobs = self._logprobs, ()
        if part.text or logprobs:
            yield PartDelta(choice=self._number, index=self._parts - 1, text=part.text, logprobs=logprobs)

    def _begin(self, part: Part) -> Iterator[Event]:
        self._open, self._before = part, self._said
        yield PartStart(choice=self._number, index=self._parts, part=part)
        self._parts += 1

    def _end(self) -> Iterator[Event]:
        """What is open is whole."""
        found = thoughts.thought(self._group).seal if self._group else self._names
        if self._open is None and self._group and found is not None:
            yield from self._begin_thought()  # a seal is all of it
        number, index = self._number, self._parts - 1
        match self._open:
            case None:
                pass
            case Reasoning():
                yield PartEnd(choice=number, index=index, seal=found)
            case Text():
                if self._logprobs:
                    yield PartDelta(choice=number, index=index, text="", logprobs=self._logprobs)
                yield PartEnd(choice=number, index=index, seal=self._seal, citations=self._cited())
                self._seal, self._logprobs = None, ()
            case _:
                yield PartEnd(choice=number, index=index)
        self._open, self._group, self._names = None, [], None

    def _cited(self) -> tuple[Citation, ...]:
        notes, self._notes = self._notes, []
        return parse_citations(notes, self._before)

    def _call(self, given: Mapping[str, Any]) -> Iterator[Event]:
        call = self._which(given)
        custom, function = given.get("custom"), given.get("function")
        custom = custom if isinstance(custom, dict) and custom else None  # some send an empty one beside the function
        inner = custom if custom is not None else function if isinstance(function, dict) else {}
        more = arguments(inner.get("input" if inner is custom else "arguments"))
        call.seal = seal(given) or call.seal
        if call.index is None:
            call.custom = call.custom or inner is custom
            call.name = shapes.text(inner.get("name")) or ""
            call.early += more
            if call.name:
                yield from self._begin_call(call)
        elif more:
            yield PartDelta(choice=self._number, index=call.index, text=more)

    def _which(self, given: Mapping[str, Any]) -> _Call:
        """The call that a delta belongs to: by its index; by its id where all have the same index, or none."""
        index, call_id = given.get("index"), given.get("id")
        index = index if isinstance(index, int) else None
        call_id = shapes.text(call_id) or None
        place = self._at.get(index) if index is not None else len(self._calls) - 1 if self._calls else None
        if place is not None:
            call = self._calls[place]
            fresh = bool(members(given.get("function")).get("name"))
            if call_id is None:
                another = index is None and fresh
            else:
                another = call.given and call.id != call_id and (fresh or index is None)
            if not another:
                if call_id is not None and call.index is None:
                    call.id, call.given = call_id, True
                return call
        call = _Call(call_id or identity(self._reply_id, self._number, len(self._calls)))
        call.given = call_id is not None
        if index is not None:
            self._at[index] = len(self._calls)
        self._calls.append(call)
        return call

    def _begin_call(self, call: _Call) -> Iterator[Event]:
        yield from self._end()
        call.index = self._parts
        self._parts += 1
        part = ToolCall(id=call.id, name=call.name, arguments="", custom=call.custom)
        yield PartStart(choice=self._number, index=call.index, part=part)
        if call.early:
            yield PartDelta(choice=self._number, index=call.index, text=call.early)

    def _hear(self, audio: Mapping[str, Any]) -> Iterator[Event]:
        """Sound comes in pieces of base64, beside the words that it speaks."""
        if isinstance(audio.get("transcript"), str) and audio["transcript"]:
            yield from self._prose(Text(text=audio["transcript"]))
        if isinstance(audio.get("data"), str):
            self._sound.append(audio["data"])

    def close(self, beside: list[dict[str, Any]]) -> Iterator[Event]:
        """The stream has ended, and this choice with it."""
        if isinstance(self._open, Text) and self._number == 0:
            self._notes = self._notes or beside
        for call in self._calls:
            if call.index is None and (call.early or call.given):
                yield from self._begin_call(call)  # nameless, but it was there
        begun = [call for call in self._calls if call.index is not None]
        if self._seal is not None and not isinstance(self._open, Text):  # a signature of the whole message
            if begun and begun[0].seal is None:
                begun[0].seal, self._seal = self._seal, None
            else:
                yield from self._end()
                yield from self._begin(Text(text=""))
        yield from self._end()
        for call in begun:
            assert call.index is not None
            yield PartEnd(choice=self._number, index=call.index, seal=call.seal)
        if self._sound:
            yield from self._content(Media(kind="audio", source=Bytes(base64=_joined(self._sound))))
        yield ChoiceEnd(choice=self._number, finish=parse_finish(self.finish, calls=bool(begun)))


def _joined(pieces: list[str]) -> str:
    """Pieces of base64, each of which may be padded, as one."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        return base64.b64encode(b"".join(map(base64.b64decode, pieces))).decode()
    except ValueError:
        return "".join(pieces)
