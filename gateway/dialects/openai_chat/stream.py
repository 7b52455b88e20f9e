"""Chat replies in frames: passed on with the caller's names, or rendered from neutral events.

`ChatFeed` touches as few bytes as it can. The first frame is parsed and its `id` and `model` replaced; a later frame
that starts with the same bytes gets the same replacement by a prefix swap; all others are spliced. Only frames that
hold usage, a finish reason, an error or no choices are parsed at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, assert_never

import orjson

from ...call import Call, Fault, Meter
from ...neutral.events import ChoiceEnd, Event, PartDelta, PartEnd, PartStart, ReplyEnd, ReplyStart, UsageSeen
from ...neutral.parts import Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from ...splice import BadJson, edit, scan
from ...sse import MAX_FRAME, Overlong, Splitter, read, write
from .errors import fault_in_reply
from .reply import DONE, finish_or_none, finish_word, frames, made, render_usage, text_or_none, usage
from .reply import read as read_whole

_OUTPUT = re.compile(
    rb'"(?:content|reasoning_content|reasoning|refusal|arguments|name|text|thinking|transcript)"\s*:\s*'
    rb'"((?:[^"\\]|\\.)*)"'
)
_UNMEASURED = 1 << 16


class ChatFeed:
    """A provider's Chat stream on its way to a Chat client. See `dialects.base.Feed`."""

    def __init__(self, call: Call) -> None:
        self.out: list[bytes] = []
        self.spoke = False
        self.bound = False
        self.tail: bytes | None = None
        self.fault: Fault | None = None
        self.meter = Meter()
        self._call = call
        self._names = {"id": json.dumps(call.id), "model": json.dumps(call.model, ensure_ascii=False)}
        self._splitter: Splitter | None = None
        self._head = b""  # first bytes, until it is clear whether they are frames
        self._whole: list[bytes] | None = None
        self._whole_bytes = 0
        self._from = self._to = b""
        self._carry: str | None = None  # Azure's filter results, for the next frame
        self._finished: dict[int, str] = {}
        self._seen: set[int] = set()
        self._swaps = call.ask.n == 1  # with several choices each frame is read, to know whose it is
        self._unmeasured: list[bytes] = []
        self._unmeasured_bytes = 0

    def push(self, chunk: bytes) -> None:
        if self.tail is not None or self.fault is not None:
            return  # what follows the terminal frame means nothing
        if self._whole is not None:
            self._keep_whole(chunk)
            return
        if self._splitter is None:
            chunk = self._head + chunk
            start = chunk.lstrip()[:1]
            if not start:
                self._head = chunk
                return
            if start == b"{":
                self._whole = []
                self._keep_whole(chunk)
                return
            self._splitter = Splitter()
        try:
            for frame in self._splitter.feed(chunk):
                self._take(frame)
                if self.tail is not None or self.fault is not None:
                    return
        except Overlong:
            self.fault = Fault("malformed")

    def end(self) -> None:
        if self.tail is not None or self.fault is not None:
            return
        if self._whole is not None:
            self._unfold()
            return
        if self._splitter is not None:
            last = self._splitter.end()
            if last:
                self._take(last)
        if self.tail is None and self.fault is None:
            if self._finished.keys() >= self._seen:  # some providers close the stream instead of sending [DONE]
                self._finish(b"")
            else:
                self.fault = Fault("malformed")

    def measure(self) -> None:
        if self._unmeasured:
            found = _OUTPUT.findall(b"".join(self._unmeasured))
            self.meter.out_bytes += sum(map(len, found))
            self._unmeasured, self._unmeasured_bytes = [], 0

    def _put(self, frame: bytes) -> None:
        self.spoke = self.bound = True
        self.out.append(frame)
        self._unmeasured.append(frame)
        self._unmeasured_bytes += len(frame)
        if self._unmeasured_bytes > _UNMEASURED:
            self.measure()

    def _take(self, frame: bytes) -> None:
        if (
            self._from
            and self._swaps
            and frame.startswith(self._from)
            and frame.endswith((b"}\n\n", b"}\r\n\r\n"))
            and not self._carry
            and _plain(frame)
        ):
            self._put(self._to + frame[len(self._from) :])
            return
        event = read(frame)
        if event.data is None:
            self.out.append(frame)  # a comment: it binds nobody
        elif event.data == b"[DONE]":
            self._finish(frame)
        elif not (event.data.startswith(b"{") and event.data.endswith(b"}")):
            self.fault = Fault("malformed")
        else:
            self._take_object(frame, event.name, event.data)

    def _take_object(self, frame: bytes, name: str, data: bytes) -> None:
        try:
            values = orjson.loads(data)
        except orjson.JSONDecodeError:
            self.fault = Fault("malformed")
            return
        if values.get("error") or name == "error":
            self.fault = fault_in_reply(values.get("error") or values)
            return
        choices = values.get("choices")
        if not isinstance(choices, list):
            self.fault = Fault("malformed")
            return
        if self.meter.upstream_id is None:
            self.meter.upstream_id = text_or_none(values.get("id")) or None
        empty = True
        for choice in choices:
            if isinstance(choice, dict):
                empty &= self._look(choice)
        seen = usage(values)
        if seen is not None:
            self.meter.usage, self.meter.final = seen, bool(self._finished)
        if not choices and not self._call.ask.wants_usage:
            if values.get("prompt_filter_results") is not None:
                self._carry = json.dumps(values["prompt_filter_results"], ensure_ascii=False, separators=(",", ":"))
            return
        bound = self.bound
        self._put(self._renamed(frame, name, data))
        self.bound = bound or not (empty or not choices)

    def _look(self, choice: dict[str, Any]) -> bool:
        """Note what a parsed choice tells; True if it says nothing yet (a role, an empty text)."""
        index = choice.get("index", 0)
        index = index if isinstance(index, int) else 0
        self._seen.add(index)
        if choice.get("finish_reason"):
            self._finished[index] = finish_or_none(choice["finish_reason"]) or "other"
            return False
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return True
        made(delta, self.meter)
        return not any(value for name, value in delta.items() if name != "role")

    def _renamed(self, frame: bytes, name: str, data: bytes) -> bytes:
        try:
            found = scan(data)
        except BadJson:  # orjson took it: it differs only where a lone surrogate or the like is escaped
            return frame
        changes: dict[str, str | None] = dict(self._names)
        if self._carry and "prompt_filter_results" not in found.values:
            changes["prompt_filter_results"], self._carry = self._carry, None
        changed = edit(found, changes)
        at = frame.find(data)
        if at < 0:  # data over several lines: a line break in JSON is a space
            return write(changed.replace(b"\n", b" "), None if name == "message" else name)
        if not self._from and at == 6 and "id" in found.values and "model" in found.values:
            end = max(member.end for member in found.members if member.name in self._names)
            head = found.text[:end].encode()
            self._from = frame[:at] + head
            self._to = frame[:at] + edit(scan(head + b"}"), dict(self._names))[:-1]
        return frame[:at] + changed + frame[at + len(data) :]

    def _finish(self, frame: bytes) -> None:
        if not self.bound:
            self.fault = Fault("malformed")  # nothing was said
            return
        self.meter.finish = ",".join(self._finished[index] for index in sorted(self._finished)) or None
        self.tail = frame

    def _keep_whole(self, chunk: bytes) -> None:
        assert self._whole is not None
        self._whole.append(chunk)
        self._whole_bytes += len(chunk)
        if self._whole_bytes > 4 * MAX_FRAME:
            self.fault = Fault("malformed")

    def _unfold(self) -> None:
        """The provider answered whole although a stream was asked for: cut the answer into frames."""
        body = b"".join(self._whole or ())
        try:
            values = scan(body).values
            read_whole(values, self.meter)
        except BadJson:
            self.fault = Fault("malformed")
            return
        except Fault as fault:
            self.fault = fault
            return
        values.update(id=self._call.id, model=self._call.model)
        *some, last = frames(values, self._call.ask.wants_usage)
        self.spoke = self.bound = True
        self.out += some
        self.tail = last


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


def render(events: Iterable[Event], wants_usage: bool) -> Iterator[bytes]:
    """The frames of a reply from neutral events, as OpenAI sends them."""
    head: dict[str, Any] = {}
    calls: dict[tuple[int, int], int] = {}
    kinds: dict[tuple[int, int], Part] = {}
    begun: set[int] = set()

    def frame(choice: int, delta: dict[str, Any], finish: str | None = None) -> bytes:
        inner = {"index": choice, "delta": delta, "logprobs": None, "finish_reason": finish}
        extra = {"usage": None} if wants_usage else {}
        return write(orjson.dumps({**head, "choices": [inner], **extra}))

    for event in events:
        match event:
            case ReplyStart(id=reply_id, model=model, created=created):
                head = {"id": reply_id, "object": "chat.completion.chunk", "created": created, "model": model}
            case PartStart(choice=choice, index=index, part=part):
                if choice not in begun:
                    begun.add(choice)
                    content = None if isinstance(part, ToolCall) else ""
                    yield frame(choice, {"role": "assistant", "content": content, "refusal": None})
                kinds[choice, index] = part
                if isinstance(part, ToolCall):
                    place = calls[choice, index] = sum(1 for made_by, _ in calls if made_by == choice)
                    function = {"name": part.name, "arguments": part.arguments}
                    call = {"index": place, "id": part.id, "type": "function", "function": function}
                    yield frame(choice, {"tool_calls": [call]})
            case PartDelta(choice=choice, index=index, text=text):
                delta = _delta(kinds[choice, index], calls.get((choice, index), 0), text)
                if delta:
                    yield frame(choice, delta)
            case PartEnd():
                pass
            case ChoiceEnd(choice=choice, finish=finish):
                yield frame(choice, {}, finish_word(finish))
            case UsageSeen(usage=seen):
                if wants_usage:
                    yield write(orjson.dumps({**head, "choices": [], "usage": render_usage(seen)}))
            case ReplyEnd():
                yield DONE
            case _:
                assert_never(event)


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
