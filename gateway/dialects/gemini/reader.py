"""Gemini replies as neutral events, streamed or whole: a whole reply is a stream of one frame."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...call import Fault
from ...neutral.events import ChoiceEnd, Event, PartDelta, PartEnd, PartStart, ReplyEnd, ReplyStart, UsageSeen, fold
from ...neutral.parts import Citation, Part, Reasoning, Seal, Text, ToolCall
from ...neutral.reply import ChatReply, Usage
from ...sse import Event as Frame
from .. import shapes
from ..passing import parsed
from . import citations, parts, reply
from .citations import Cited
from .errors import fault_in_reply

_STEP = re.compile(r"\.([^.\[\]]+)|\[([0-9]{1,4})\]|\[['\"]([^'\"]*)['\"]\]")


def reader() -> GeminiReader:
    return GeminiReader()


def parse_reply(values: Mapping[str, Any]) -> ChatReply:
    """A provider's whole reply in neutral words. Raises Fault when it is an error or none."""
    reads = GeminiReader(whole=True)
    return fold([*reads.take(values), *reads.end()])


class GeminiReader:
    """See `base.Reader`. whole: one frame is all there is, and nothing in it must say that it ends."""

    def __init__(self, *, whole: bool = False) -> None:
        self._whole = whole
        self._id: str | None = None
        self._answers: dict[int, _Answer] = {}
        self._usage: Usage | None = None
        self._done = False

    def push(self, frame: Frame) -> Iterator[Event]:
        if frame.data is not None and frame.data != b"[DONE]":
            yield from self.take(parsed(frame.data))

    def take(self, values: Mapping[str, Any]) -> Iterator[Event]:
        """The events in one chunk, parsed."""
        if values.get("error"):
            raise fault_in_reply(values["error"])
        found, blocked = reply.candidates(values), reply.blocked_by(values)
        if self._id is None:
            self._id = shapes.short(values.get("responseId")) or ""
            model = shapes.short(values.get("modelVersion")) or ""
            yield ReplyStart(id=self._id, model=model, created=0)
        seen = reply.usage(values)
        self._usage = seen or self._usage
        if seen is not None and not self._whole:
            yield UsageSeen(usage=seen)  # so far: all that is known of what went in, should the stream break off
        for candidate in found:
            number = reply.place(candidate)
            answer = self._answers.setdefault(number, _Answer(number, self._id, self._whole))
            yield from answer.take(candidate)
        if blocked is not None and not self._answers:
            answer = self._answers[0] = _Answer(0, self._id, self._whole)
            answer.word, answer.blocked = blocked, True

    def end(self) -> Iterator[Event]:
        if self._done:
            return
        if not self._answers:
            raise Fault("malformed")
        if not self._whole and not all(answer.word for answer in self._answers.values()):
            raise Fault("malformed")
        for answer in self._answers.values():
            yield from answer.finish()
        self._done = True
        if self._usage is not None:
            yield UsageSeen(usage=self._usage)
        yield ReplyEnd()


class _Answer:
    """One candidate as it comes: at most one part is open, a text or a thought that may go on, or a call whose
    arguments come in pieces. word: its reason to end, the last that was told: some tell one in every frame · blocked:
    it is the prompt's."""

    def __init__(self, number: int, reply_id: str, whole: bool) -> None:
        self.word: str | None = None
        self.blocked = False
        self._number, self._reply_id, self._whole = number, reply_id, whole
        self._index = -1
        self._open: Text | Reasoning | None = None
        self._text: list[str] = []
        self._before = 0  # bytes of the texts before the open one
        self._place = 0
        self._partial: _Partial | None = None
        self._calls = 0
        self._cited: list[Cited] = []

    def take(self, candidate: Mapping[str, Any]) -> Iterator[Event]:
        self._cited += citations.cited(candidate)
        chances = reply.logprobs(candidate)
        for place, part in enumerate(reply.pieces(candidate)):
            for event in self._part(part, place):
                if chances and isinstance(event, PartDelta) and isinstance(self._open, Text):
                    event, chances = replace(event, logprobs=chances), ()
                yield event
        self.word = reply.end_word(candidate.get("finishReason")) or self.word

    def finish(self) -> Iterator[Event]:
        yield from self._close_call()
        yield from self._close()
        end = reply.finish(self.word, self._calls > 0)
        yield ChoiceEnd(choice=self._number, finish=replace(end, reason="filtered") if self.blocked else end)

    def _part(self, part: Mapping[str, Any], place: int) -> Iterator[Event]:
        signature = part.get("thoughtSignature")
        seal = Seal(origin=parts.NAME, value=signature) if isinstance(signature, str) and signature else None
        match part:
            case {"functionCall": dict(call)}:
                yield from self._close()
                yield from self._call(call, seal)
            case {"thought": True}:
                text = shapes.text(part.get("text")) or ""
                if isinstance(self._open, Reasoning):
                    yield from self._more(text)
                elif text or seal is not None:
                    redacted = "text" not in part
                    yield from self._begin(Reasoning(text="", summary=True, redacted=redacted), text, place)
                if seal is not None:
                    yield from self._close(seal)
            case {"text": str(text)}:
                if isinstance(self._open, Text) and seal is None:
                    yield from self._more(text)
                elif text or seal is not None:
                    yield from self._begin(Text(text=""), text, place)
                    if seal is not None:  # it may never stand on more or less text than this
                        yield from self._close(seal)
            case _:
                found = parts.media(part) or parts.opaque(part, None)
                if found is not None:
                    yield from self._close()
                    yield from self._all(replace(found, seal=seal), "", None)
                elif seal is not None:
                    yield from self._begin(Text(text=""), "", place)
                    yield from self._close(seal)

    def _begin(self, part: Text | Reasoning, text: str, place: int) -> Iterator[Event]:
        yield from self._close_call()
        yield from self._close()
        self._index += 1
        self._open, self._place = part, place
        yield PartStart(choice=self._number, index=self._index, part=part)
        yield from self._more(text)

    def _more(self, text: str) -> Iterator[Event]:
        if text:
            self._text.append(text)
            yield PartDelta(choice=self._number, index=self._index, text=text)

    def _close(self, seal: Seal | None = None) -> Iterator[Event]:
        if self._open is None:
            return
        known: tuple[Citation, ...] = ()
        if isinstance(self._open, Text):
            text, place = "".join(self._text), self._place if self._whole else None
            known, self._cited = citations.settled(self._cited, text, place, 0 if self._whole else self._before)
            self._before += len(text.encode("utf-8", "surrogatepass"))
        self._open, self._text = None, []
        yield PartEnd(choice=self._number, index=self._index, seal=seal, citations=known)

    def _all(self, part: Part, text: str, seal: Seal | None) -> Iterator[Event]:
        """A part that comes whole."""
        yield from self._close_call()
        self._index += 1
        yield PartStart(choice=self._number, index=self._index, part=part)
        if text:
            yield PartDelta(choice=self._number, index=self._index, text=text)
        yield PartEnd(choice=self._number, index=self._index, seal=seal)

    def _call(self, call: Mapping[str, Any], seal: Seal | None) -> Iterator[Event]:
        if call.get("name") or self._partial is None:
            yield from self._close_call()
            self._partial = _Partial(call, seal)
        self._partial.take(call)
        if not call.get("willContinue"):
            yield from self._close_call()

    def _close_call(self) -> Iterator[Event]:
        call, self._partial = self._partial, None
        if call is None:
            return
        arguments = shapes.dumps(call.args)
        call_id = call.id or parts.made_id(self._reply_id, self._number, self._calls, call.name, arguments)
        self._calls += 1
        yield from self._all(ToolCall(id=call_id, name=call.name, arguments=""), arguments, call.seal)


class _Partial:
    """A call; its arguments whole, or in pieces with the path of each, as Vertex streams them where asked to
    (https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling)."""

    def __init__(self, call: Mapping[str, Any], seal: Seal | None) -> None:
        self.id = shapes.text(call.get("id")) or ""
        self.name = str(call.get("name") or "")
        self.seal = seal
        self.args: dict[str, Any] = {}

    def take(self, call: Mapping[str, Any]) -> None:
        if isinstance(call.get("args"), dict):
            self.args |= call["args"]
        for piece in shapes.objects(call.get("partialArgs")):
            self._put(str(piece.get("jsonPath", "")), _value(piece))

    def _put(self, path: str, value: Any) -> None:
        steps = [int(number) if number else name or quoted for name, number, quoted in _STEP.findall(path)]
        at: Any = self.args
        for step, after in zip(steps, [*steps[1:], None], strict=False):
            if isinstance(step, int) is not isinstance(at, list):
                raise Fault("malformed")
            if isinstance(at, list):
                at += [None] * (int(step) + 1 - len(at))
                old = at[int(step)]
            else:
                old = at.get(step)
            if after is None:
                at[step] = old + value if isinstance(old, str) and isinstance(value, str) else value
            else:
                at[step] = old if isinstance(old, dict | list) else [] if isinstance(after, int) else {}
                at = at[step]


def _value(piece: Mapping[str, Any]) -> Any:
    return next((piece[name] for name in ("stringValue", "numberValue", "boolValue") if name in piece), None)
