"""Gemini replies in frames: passed on with the caller's names, or written from neutral events.

Each frame is a whole reply of its own: what came since the last one, all usage so far, the names. The last one has the
`finishReason`. Frames end in CRLF and have no event names, and no `[DONE]` follows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, assert_never

import orjson

from ...call import Call, Fault
from ...neutral.events import ChoiceEnd, Event, PartDelta, PartEnd, PartStart, ReplyEnd, ReplyStart, UsageSeen
from ...neutral.parts import Citation, Logprob, Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from ...neutral.reply import Finish, Usage
from ...splice import BadJson, scan
from ...sse import Event as Frame
from ..passing import Passing
from . import citations, parts
from .errors import fault_in_reply
from .reply import (
    blocked_by,
    candidates,
    end_word,
    finish_word,
    measure,
    place,
    renamed,
    render_logprobs,
    render_part,
    render_usage,
    said,
    text_or_none,
    usage,
)

PING = b"\r\n"
"""A blank line: Google's own clients take a comment for a part of a JSON text."""


def write(data: bytes) -> bytes:
    return b"data: " + data + b"\r\n\r\n"


class GeminiFeed(Passing):
    """A provider's Gemini stream on its way to a Gemini client.

    The terminal frame is the one in which the last of the asked candidates ends, if it tells the usage. One that may
    be is held until the next frame or the end of the body shows which is the last.
    """

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._held = b""
        self._cr = b""
        self._finished: dict[int, str] = {}
        self._seen: set[int] = set()
        self.meter.final = False

    def push(self, chunk: bytes) -> None:
        chunk, self._cr = self._cr + chunk, b""
        if chunk.endswith(b"\r"):  # half of a CRLF: the other half belongs to the same frame
            chunk, self._cr = chunk[:-1], b"\r"
        if self._splitter is None and self._whole is None and (self._head + chunk).lstrip()[:1] == b"[":
            self._whole, chunk, self._head = [], self._head + chunk, b""  # it knows no `alt=sse`
        super().push(chunk)

    def end(self) -> None:
        if self._cr:
            self._cr = b""
            super().push(b"\r")
        super().end()

    def plain(self, frame: bytes) -> bytes | None:
        return None  # each frame tells the usage so far

    def take(self, frame: bytes, event: Frame) -> None:
        assert event.data is not None
        if event.data == b"[DONE]":
            return
        try:
            found = scan(event.data)
        except BadJson:
            raise Fault("malformed") from None
        says = self._look(found.values)
        changed = renamed(self.call, found)
        at = frame.find(event.data)
        whole = (
            frame[:at] + changed + frame[at + len(event.data) :] if at >= 0 else write(changed.replace(b"\n", b" "))
        )  # data over several lines: a line break in JSON is a space
        if self._held:
            held, self._held = self._held, b""
            self.put(held)
        if not self.complete():
            self.put(whole, binds=says)
            return
        self.bound = True
        if self.meter.final and (len(self._finished) >= self.call.ask.n or not self._seen):
            self.finish(whole)
        else:
            self._held = whole

    def take_whole(self, values: dict[str, Any]) -> list[bytes]:
        measure(values, self.meter)
        self.meter.final = True
        named = {**values, "responseId": self.call.id, "modelVersion": self.call.model}
        return [write(_dumps({name: value for name, value in named.items() if name in values}))]

    def complete(self) -> bool:
        return bool(self._finished) and self._finished.keys() >= self._seen

    def finish(self, frame: bytes) -> None:
        self.meter.finish = ",".join(self._finished[index] for index in sorted(self._finished))
        super().finish(self._held + frame)

    def measure(self) -> None:
        self._unmeasured, self._unmeasured_bytes = [], 0  # it counts as it reads

    def _unfold(self, body: bytes) -> None:
        if not body.lstrip().startswith(b"["):
            super()._unfold(body)
            return
        try:
            chunks = json.loads(body)
        except (ValueError, RecursionError):
            self.fault = Fault("malformed")
            return
        self._whole = None
        for chunk in chunks:
            if self.tail is None and self.fault is None:
                self._take(write(_dumps(chunk)))
        self.end()

    def _look(self, values: Mapping[str, Any]) -> bool:
        """Meter a frame; False if it says nothing yet."""
        if values.get("error"):
            raise fault_in_reply(values["error"])
        found, blocked = candidates(values), blocked_by(values)
        if self.meter.upstream_id is None:
            self.meter.upstream_id = text_or_none(values.get("responseId")) or None
        says = False
        for candidate in found:
            index = place(candidate)
            self._seen.add(index)
            output = said(candidate)
            self.meter.out_bytes += output
            word = end_word(candidate.get("finishReason"))
            if word is not None:
                self._finished[index] = word
            says = says or output > 0 or word is not None
        if blocked is not None and not self._seen:
            self._finished[0], says = blocked, True
        seen = usage(values)
        if seen is not None:
            self.meter.usage, self.meter.final = seen, self.complete()
        return says


def feed(call: Call) -> GeminiFeed:
    """A streamed reply for the client."""
    return GeminiFeed(call)


def _dumps(values: Any) -> bytes:
    return parts.dumps(values).encode("utf-8", "replace")


def writer(asked: Mapping[str, Any]) -> GeminiWriter:
    return GeminiWriter()


class GeminiWriter:
    """Neutral events as the frames that Google sends. See `base.Writer`.

    Parts of one answer have no numbers, so they go out one after the other: what comes of a later one waits for the
    end of the one before. The last frame holds all reasons to end and the usage, and waits for the money.
    """

    def __init__(self) -> None:
        self._names: dict[str, Any] = {}
        self._usage: Usage | None = None
        self._answers: dict[int, _Answer] = {}

    def write(self, event: Event) -> bytes:
        match event:
            case ReplyStart(id=reply_id, model=model):
                self._names = {"modelVersion": model, "responseId": reply_id}
                return b""
            case PartStart(choice=choice) | PartDelta(choice=choice) | PartEnd(choice=choice):
                answer = self._answers.setdefault(choice, _Answer(choice))
                return b"".join(self._frame([candidate]) for candidate in answer.take(event))
            case ChoiceEnd(choice=choice, finish=finish):
                self._answers.setdefault(choice, _Answer(choice)).finish = finish
                return b""
            case UsageSeen(usage=seen):
                self._usage = seen
                return b""
            case ReplyEnd():
                return self._frame([self._answers[choice].last() for choice in sorted(self._answers)])
            case _:
                assert_never(event)

    def _frame(self, found: list[dict[str, Any]]) -> bytes:
        taken = {} if self._usage is None else {"usageMetadata": render_usage(self._usage)}
        return write(orjson.dumps({"candidates": found, **taken, **self._names}))


class _Answer:
    """One answer: its parts in their order, of which the first that has not ended may speak."""

    def __init__(self, number: int) -> None:
        self.finish: Finish | None = None
        self._number = number
        self._waiting: dict[int, list[PartStart | PartDelta | PartEnd]] = {}
        self._part: Part = Text(text="")
        self._text: list[str] = []
        self._cited: tuple[str, tuple[Citation, ...]] = ("", ())  # of the last text, for the frame after it

    def take(self, event: PartStart | PartDelta | PartEnd) -> list[dict[str, Any]]:
        """The candidates of the frames that can go out now."""
        self._waiting.setdefault(event.index, []).append(event)
        found: list[dict[str, Any]] = []
        while self._waiting:
            index = next(iter(self._waiting))
            events, self._waiting[index] = self._waiting[index], []
            for one in events:
                candidate = self._say(one)
                if candidate is not None:
                    found.append(candidate)
            if not events or not isinstance(events[-1], PartEnd):
                break
            del self._waiting[index]
        return found

    def last(self) -> dict[str, Any]:
        """The candidate of the last frame."""
        end = self.finish or Finish(reason="stop")
        return {**self._candidate({"text": ""}), "finishReason": finish_word(end)}

    def _say(self, event: PartStart | PartDelta | PartEnd) -> dict[str, Any] | None:
        match event:
            case PartStart(part=part):
                self._part, self._text = part, []
                if isinstance(part, Text | Reasoning | Refusal):
                    return self._words(part.text, part.logprobs if isinstance(part, Text) else ())
                if isinstance(part, ToolCall):
                    self._text = [part.arguments]
                    return None
                return self._shown(part)
            case PartDelta(text=text, logprobs=chances):
                if isinstance(self._part, ToolCall):
                    self._text.append(text)
                    return None
                return self._words(text, chances)
            case PartEnd(seal=seal, citations=cited):
                return self._end(replace(self._part, seal=seal or self._part.seal), cited)
            case _:
                assert_never(event)

    def _words(self, text: str, chances: tuple[Logprob, ...]) -> dict[str, Any] | None:
        if not text and not chances:
            return None
        self._text.append(text)
        thinks = {"thought": True} if isinstance(self._part, Reasoning) else {}
        return {**self._candidate({"text": text, **thinks}), **render_logprobs(chances)}

    def _end(self, part: Part, cited: tuple[Citation, ...]) -> dict[str, Any] | None:
        match part:
            case Text():
                known = (*part.citations, *cited)
                closing = self._shown(replace(part, text="")) if part.seal is not None else None
                if known:
                    self._cited = ("".join(self._text), known)
                return closing
            case Reasoning() | Refusal():
                return self._shown(replace(part, text="")) if part.seal is not None else None
            case ToolCall():
                return self._shown(replace(part, arguments="".join(self._text)))
            case Media() | Opaque() | ToolResult():
                return None  # it was shown when it began
            case _:
                assert_never(part)

    def _shown(self, part: Part) -> dict[str, Any] | None:
        found = render_part(part)
        return None if found is None else self._candidate(found)

    def _candidate(self, part: dict[str, Any]) -> dict[str, Any]:
        (text, known), self._cited = self._cited, ("", ())
        return {
            "content": {"parts": [part], "role": "model"},
            "index": self._number,
            **citations.metadata([(None, text, known)]),
        }
