"""Chat replies in frames, passed on to a Chat client with the caller's names.

`ChatFeed` touches as few bytes as it can. The first frame is parsed and its `id` and `model` replaced; a later frame
that starts with the same bytes gets the same replacement by a prefix swap; all others are spliced. Only frames that
hold usage, a finish reason, an error or no choices are parsed at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...call import Call, Fault
from ...splice import BadJson, edit, scan
from ...sse import Event as Frame
from .. import shapes
from ..intake import MOST_CHOICES
from ..passing import Passing, names, parsed, renamed
from .errors import fault_in_reply, told_error
from .reply import frames, made, read
from .usage import usage


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
        if (problem := told_error(values)) or event.name == "error":
            raise fault_in_reply(problem or values)
        choices = values.get("choices")
        if not isinstance(choices, list):
            raise Fault("malformed")
        if self.meter.upstream_id is None:
            self.meter.upstream_id = shapes.short(values.get("id")) or None
        says = False
        for choice in choices:
            if isinstance(choice, dict):
                says |= self._look(choice)
        seen = usage(values)
        if seen is not None:
            self.meter.usage, self.meter.final = seen, bool(self._finished)
        if not choices and not self.call.ask.wants_usage:
            if values.get("prompt_filter_results") is not None:
                self._carry = shapes.dumps(values["prompt_filter_results"])
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
        """Note what a parsed choice tells; False if it says nothing yet (a role, an empty text). Raises Fault for an
        error in it (OpenRouter)."""
        if choice.get("error"):
            raise fault_in_reply(choice["error"])
        index = choice.get("index", 0)
        index = index if isinstance(index, int) else 0
        self._seen.add(index)
        if len(self._seen) > MOST_CHOICES:
            raise Fault("malformed")
        if choice.get("finish_reason"):
            self._finished[index] = shapes.word(choice["finish_reason"]) or "other"
            return True
        return self.says(choice)

    def says(self, choice: dict[str, Any]) -> bool:
        """Whether a choice that goes on brings more than a role; notes what it made."""
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
