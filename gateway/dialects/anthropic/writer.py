"""Neutral events as a Messages stream.

Blocks never interleave here: one is open at a time, and what belongs to a later one waits. `message_delta` needs the
usage, so it comes with the one after the reply's end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, assert_never

from ...neutral.events import ChoiceEnd, Event, PartDelta, PartEnd, PartStart, ReplyEnd, ReplyStart, UsageSeen
from ...neutral.parts import Media, Opaque, Part, Reasoning, Refusal, Seal, Text, ToolCall, ToolResult
from ...neutral.reply import Choice, Finish, Usage
from .. import seals
from .parts import NAME, render_citation, said
from .reply import ended, head, render_usage, stop, unnamed
from .stream import frame

_PartEvent = PartStart | PartDelta | PartEnd


class MessagesWriter:
    """See `base.Writer`. Only the first choice can be told."""

    def __init__(self) -> None:
        self._reply = ReplyStart(id="", model="", created=0)
        self._current: int | None = None
        self._waiting: dict[int, list[_PartEvent]] = {}
        self._part: Part = Text(text="")
        self._held: list[str] = []  # a call's first piece, until it is clear that no seal comes with it
        self._is_open = False  # the block of the current part has begun
        self._blocks = 0
        self._kinds: list[Part] = []
        self._finish: Finish | None = None
        self._usage: Usage | None = None
        self._told = False

    def write(self, event: Event) -> bytes:
        return b"".join(self._frames(event))

    def _frames(self, event: Event) -> Iterator[bytes]:
        match event:
            case ReplyStart(id=reply_id, model=model):
                self._reply = event
                message = {**head(reply_id, model), "content": [], "stop_reason": None, "stop_sequence": None}
                yield frame("message_start", message={**message, "usage": render_usage(None)})
            case PartStart(choice=choice) | PartDelta(choice=choice) | PartEnd(choice=choice):
                if choice == 0:
                    yield from self._place(event)
            case ChoiceEnd(choice=choice, finish=finish):
                if choice == 0:
                    self._finish = ended(Choice(parts=tuple(self._kinds), finish=finish))
            case UsageSeen(usage=usage):
                self._usage = usage
                if self._finish is not None:
                    yield from self._tell()
            case ReplyEnd():
                yield from self._tell()
                yield frame("message_stop")
            case _:
                assert_never(event)

    def _tell(self) -> Iterator[bytes]:
        if not self._told:
            self._told = True
            delta = stop(self._finish or Finish(reason="other"))
            yield frame("message_delta", delta=delta, usage=render_usage(self._usage))

    def _place(self, event: _PartEvent) -> Iterator[bytes]:
        """Write what belongs to the current part; keep the rest, and go on with it once that one has ended."""
        if self._current is None:
            self._current = event.index
        if event.index != self._current:
            self._waiting.setdefault(event.index, []).append(event)
            return
        yield from self._write(event)
        while isinstance(event, PartEnd) and self._waiting:
            self._current = next(iter(self._waiting))
            for event in self._waiting.pop(self._current):
                yield from self._write(event)
        if isinstance(event, PartEnd):
            self._current = None

    def _write(self, event: _PartEvent) -> Iterator[bytes]:
        match event:
            case PartStart(part=part):
                yield from self._start(part)
            case PartDelta(text=text):
                yield from self._delta(text)
            case PartEnd():
                yield from self._end(event)
            case _:
                assert_never(event)

    def _start(self, part: Part) -> Iterator[bytes]:
        self._part, self._is_open, self._held = part, False, []
        self._kinds.append(part)
        if isinstance(part, Text) and part.seal is not None:
            yield from self._whole(seals.carrier(part.seal))
            self._part = part = replace(part, seal=None)
        match part:
            case Text(text=text) | Refusal(text=text) | Reasoning(text=text, redacted=False):
                if text:
                    yield from self._delta(text)
            case ToolCall(arguments=text):
                if text:
                    self._held.append(text)
            case Reasoning() | Opaque() | Media() | ToolResult():
                pass  # whole, or not to be told: see `_end`
            case _:
                assert_never(part)

    def _delta(self, text: str) -> Iterator[bytes]:
        match self._part:
            case ToolCall() as call:
                self._held.append(text)
                if self._is_open or len(self._held) > 2:
                    yield from self._flush(call, call.seal)
            case Text() | Refusal():
                if text:
                    yield from self._open({"type": "text", "text": ""})
                    yield self._more(type="text_delta", text=text)
            case Reasoning(redacted=False):
                if text:
                    yield from self._open({"type": "thinking", "thinking": "", "signature": ""})
                    yield self._more(type="thinking_delta", thinking=text)

    def _flush(self, call: ToolCall, seal: Seal | None) -> Iterator[bytes]:
        """Write what was held of a call, after the carrier of a seal that its block cannot hold."""
        if call.ran_by not in (None, NAME):
            self._held = []
            return
        if not self._is_open:
            if seal is not None:
                yield from self._whole(seals.carrier(seal))
            call_id = call.id or unnamed(self._reply.id, self._blocks)
            kind = "tool_use" if call.ran_by is None else "server_tool_use"
            yield from self._open({"type": kind, "id": call_id, "name": call.name, "input": {}})
        for text in self._held:
            yield self._more(type="input_json_delta", partial_json=text)
        self._held = []

    def _end(self, event: PartEnd) -> Iterator[bytes]:
        part = self._part
        seal = event.seal or part.seal
        match part:
            case Text(citations=found):
                for one in (*found, *event.citations):
                    told = render_citation(one)
                    if told is not None:
                        yield from self._open({"type": "text", "text": ""})
                        yield self._more(type="citations_delta", citation=told)
                yield from self._close()
                if seal is not None:
                    yield from self._whole(seals.carrier(seal))
            case Reasoning(redacted=False):
                if seal is not None:
                    yield from self._open({"type": "thinking", "thinking": "", "signature": ""})
                    yield self._more(type="signature_delta", signature=seals.wrap(seal, NAME))
                yield from self._close()
            case Reasoning() | Opaque():
                yield from self._whole(replace(part, seal=seal))
            case ToolCall():
                yield from self._flush(part, seal)
                yield from self._close()
            case Refusal():
                yield from self._close()
            case Media() | ToolResult():
                pass  # a reply of this dialect has none (Law 3)
            case _:
                assert_never(part)

    def _whole(self, part: Part) -> Iterator[bytes]:
        block = said(part)
        if block is not None:
            yield from self._open(block)
            yield from self._close()

    def _open(self, block: dict[str, Any]) -> Iterator[bytes]:
        if not self._is_open:
            self._is_open = True
            yield frame("content_block_start", index=self._blocks, content_block=block)

    def _more(self, **delta: Any) -> bytes:
        return frame("content_block_delta", index=self._blocks, delta=delta)

    def _close(self) -> Iterator[bytes]:
        if self._is_open:
            self._is_open = False
            yield frame("content_block_stop", index=self._blocks)
            self._blocks += 1


def writer(asked: Mapping[str, Any]) -> MessagesWriter:
    return MessagesWriter()
