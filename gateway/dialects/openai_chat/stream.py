"""Chat replies in frames: passed on with the caller's names, read as neutral events, or written from them.

`ChatFeed` touches as few bytes as it can. The first frame is parsed and its `id` and `model` replaced; a later frame
that starts with the same bytes gets the same replacement by a prefix swap; all others are spliced. Only frames that
hold usage, a finish reason, an error or no choices are parsed at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, assert_never

import orjson

from ...call import Call, Fault
from ...neutral.events import ChoiceEnd, Event, PartDelta, PartEnd, PartStart, ReplyEnd, ReplyStart, UsageSeen
from ...neutral.parts import Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from ...splice import BadJson, edit, scan
from ...sse import Event as Frame
from ...sse import write
from ..passing import Passing, names, parsed, renamed
from .errors import fault_in_reply
from .reply import DONE, finish_or_none, finish_word, frames, made, read, render_usage, text_or_none, usage


class ChatFeed(Passing):
    """A provider's Chat stream on its way to a Chat client."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._names = names(call)
        self._from = self._to = b""
        self._carry: str | None = None  # Azure's filter results, for the next frame
        self._finished: dict[int, str] = {}
        self._seen: set[int] = set()
        self._swaps = call.ask.n == 1  # with several choices each frame is read, to know whose it is

    def plain(self, frame: bytes) -> bytes | None:
        if (
            self._from
            and self._swaps
            and frame.startswith(self._from)
            and frame.endswith((b"}\n\n", b"}\r\n\r\n"))
            and not self._carry
            and _plain(frame)
        ):
            return self._to + frame[len(self._from) :]
        return None

    def take(self, frame: bytes, event: Frame) -> None:
        assert event.data is not None
        if event.data == b"[DONE]":
            self._close(frame)
            return
        values = parsed(event.data)
        if values.get("error") or event.name == "error":
            raise fault_in_reply(values.get("error") or values)
        choices = values.get("choices")
        if not isinstance(choices, list):
            raise Fault("malformed")
        if self.meter.upstream_id is None:
            self.meter.upstream_id = text_or_none(values.get("id")) or None
        says = False
        for choice in choices:
            if isinstance(choice, dict):
                says |= self._look(choice)
        seen = usage(values)
        if seen is not None:
            self.meter.usage, self.meter.final = seen, bool(self._finished)
        if not choices and not self.call.ask.wants_usage:
            if values.get("prompt_filter_results") is not None:
                self._carry = json.dumps(values["prompt_filter_results"], ensure_ascii=False, separators=(",", ":"))
            return
        changes = dict(self._names)
        if self._carry and "prompt_filter_results" not in values:
            changes["prompt_filter_results"], self._carry = self._carry, None
        self.put(renamed(frame, event, changes), binds=says)
        if not self._from:
            self._learn(frame, event.data, values)

    def take_whole(self, values: dict[str, Any]) -> list[bytes]:
        read(values, self.meter)
        return list(frames({**values, "id": self.call.id, "model": self.call.model}, self.call.ask.wants_usage))

    def complete(self) -> bool:
        """Some providers close the stream instead of sending [DONE]."""
        if not self._finished.keys() >= self._seen:
            return False
        self._tell_finish()
        return True

    def _close(self, frame: bytes) -> None:
        self._tell_finish()
        self.finish(frame)

    def _tell_finish(self) -> None:
        self.meter.finish = ",".join(self._finished[index] for index in sorted(self._finished)) or None

    def _look(self, choice: dict[str, Any]) -> bool:
        """Note what a parsed choice tells; False if it says nothing yet (a role, an empty text)."""
        index = choice.get("index", 0)
        index = index if isinstance(index, int) else 0
        self._seen.add(index)
        if choice.get("finish_reason"):
            self._finished[index] = finish_or_none(choice["finish_reason"]) or "other"
            return True
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return False
        made(delta, self.meter)
        return any(value for name, value in delta.items() if name != "role")

    def _learn(self, frame: bytes, data: bytes, values: Mapping[str, Any]) -> None:
        """Remember the frame's first bytes up to the end of both names, and what became of them."""
        at = frame.find(data)
        if at == 6 and "id" in values and "model" in values:
            try:
                found = scan(data)
            except BadJson:
                return
            end = max(member.end for member in found.members if member.name in self._names)
            head = found.text[:end].encode()
            self._from = frame[:at] + head
            self._to = frame[:at] + edit(scan(head + b"}"), self._names)[:-1]


def _plain(frame: bytes) -> bool:
    """Whether a frame holds nothing that the meter must read: no usage, error, finish reason or empty choices."""
    return (
        (b'"usage"' not in frame or b'"usage":null' in frame)
        and frame.count(b'"finish_reason":null') == frame.count(b'"finish_reason"')
        and b'"error"' not in frame
        and b'"choices":[]' not in frame
        and b'"choices": []' not in frame
        and b'"audio"' not in frame
    )


def feed(call: Call) -> ChatFeed:
    """A streamed reply for the client."""
    return ChatFeed(call)


def writer(asked: Mapping[str, Any]) -> ChatWriter:
    return ChatWriter(asked)


class ChatWriter:
    """Neutral events as the frames that OpenAI sends. See `base.Writer`."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        options = asked.get("stream_options")
        self._wants_usage = isinstance(options, dict) and options.get("include_usage") is True
        self._head: dict[str, Any] = {}
        self._calls: dict[tuple[int, int], int] = {}
        self._parts: dict[tuple[int, int], Part] = {}
        self._begun: set[int] = set()

    def write(self, event: Event) -> bytes:
        match event:
            case ReplyStart(id=reply_id, model=model, created=created):
                self._head = {"id": reply_id, "object": "chat.completion.chunk", "created": created, "model": model}
                return b""
            case PartStart(choice=choice, index=index, part=part):
                return self._start(choice, index, part)
            case PartDelta(choice=choice, index=index, text=text):
                delta = _delta(self._parts[choice, index], self._calls.get((choice, index), 0), text)
                return self._frame(choice, delta) if delta else b""
            case PartEnd():
                return b""
            case ChoiceEnd(choice=choice, finish=finish):
                return self._frame(choice, {}, finish_word(finish))
            case UsageSeen(usage=seen):
                if not self._wants_usage:
                    return b""
                return write(orjson.dumps({**self._head, "choices": [], "usage": render_usage(seen)}))
            case ReplyEnd():
                return DONE
            case _:
                assert_never(event)

    def _start(self, choice: int, index: int, part: Part) -> bytes:
        frames = b""
        if choice not in self._begun:
            self._begun.add(choice)
            content = None if isinstance(part, ToolCall) else ""
            frames = self._frame(choice, {"role": "assistant", "content": content, "refusal": None})
        self._parts[choice, index] = part
        if isinstance(part, ToolCall):
            place = self._calls[choice, index] = sum(1 for made_by, _ in self._calls if made_by == choice)
            function = {"name": part.name, "arguments": part.arguments}
            call = {"index": place, "id": part.id, "type": "function", "function": function}
            frames += self._frame(choice, {"tool_calls": [call]})
        return frames

    def _frame(self, choice: int, delta: dict[str, Any], finish: str | None = None) -> bytes:
        inner = {"index": choice, "delta": delta, "logprobs": None, "finish_reason": finish}
        extra = {"usage": None} if self._wants_usage else {}
        return write(orjson.dumps({**self._head, "choices": [inner], **extra}))


def _delta(part: Part, place: int, text: str) -> dict[str, Any]:
    match part:
        case Text():
            return {"content": text}
        case Reasoning():
            return {"reasoning_content": text}
        case Refusal():
            return {"refusal": text}
        case ToolCall():
            return {"tool_calls": [{"index": place, "function": {"arguments": text}}]}
        case Media() | ToolResult() | Opaque():
            return {}  # Chat cannot say it; a loss in a reply never fails (Law 3)
        case _:
            assert_never(part)
