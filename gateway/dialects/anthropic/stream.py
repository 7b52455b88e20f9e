"""Messages replies in frames, passed on with the caller's names; or a whole reply cut into them.

Only the first frame is edited, inside its `message`. Frames of content pass unread; the last two are read by the meter.
Pings pass and bind nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...call import Call, Fault
from ...sse import Event as Frame
from ...sse import write
from .. import hosted, shapes
from ..passing import Passing, heard, names, parsed, renamed
from ..shapes import dumps, listed, members, packed
from .errors import fault_in_reply
from .reply import container, made, read, usage

_CONTENT = b"event: content_block_"


class MessagesFeed(Passing):
    """A provider's Messages stream on its way to a Messages client."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._names = names(call)
        self._begun = False
        self._ended = False
        self._usage: dict[str, Any] = {}

    def plain(self, frame: bytes) -> bytes | None:
        if (
            self._begun
            and frame.startswith(_CONTENT)
            and frame.endswith(b"}\n\n")
            and frame.count(b"\n") == 3
            and b"\ndata: {" in frame
            and b'"file_id"' not in frame
        ):
            return frame
        return None

    def take(self, frame: bytes, event: Frame) -> None:
        assert event.data is not None
        if event.data == b"[DONE]":
            return  # no frame of this dialect
        values = parsed(event.data)
        kind = values.get("type", event.name)
        if kind == "error" or event.name == "error":
            raise fault_in_reply(values)
        if kind == "ping":
            self.out.append(frame)
        elif kind == "message_start":
            self._start(frame, event, values)
        elif not self._begun:
            raise Fault("malformed")
        elif kind == "message_stop":
            self.finish(frame)
        else:
            if kind == "message_delta":
                self._delta(values)
            made(values.get("content_block"), self.meter)
            self.put(frame)

    def measure(self) -> None:
        for frame in self._unmeasured:
            if b'"server_tool_use"' in frame and (values := heard(frame)).get("type") == "content_block_start":
                kind = hosted.kind(shapes.word(members(values.get("content_block")).get("name")) or "other")
                self.meter.ran[kind] = self.meter.ran.get(kind, 0) + 1
        super().measure()

    def take_whole(self, values: dict[str, Any]) -> list[bytes]:
        read(values, self.meter)
        return list(frames({**values, "id": self.call.id, "model": self.call.model}))

    def complete(self) -> bool:
        """Every vendor of this dialect sends the terminal frame."""
        return False

    def _start(self, frame: bytes, event: Frame, values: dict[str, Any]) -> None:
        message = values.get("message")
        if not isinstance(message, dict):
            raise Fault("malformed")
        self._begun = True
        self.meter.upstream_id = shapes.short(message.get("id")) or None
        self._count(message.get("usage"))
        container(message, self.meter)
        self.put(renamed(frame, event, self._names, inside="message"), binds=False)

    def _delta(self, values: dict[str, Any]) -> None:
        delta = values.get("delta")
        if isinstance(delta, dict):
            if delta.get("stop_reason") is not None:
                self._ended = True
                self.meter.finish = shapes.word(delta["stop_reason"]) or "other"
            container(delta, self.meter)
        self._count(values.get("usage"))

    def _count(self, found: Any) -> None:
        """Take usage in: each count is a running total, and one that is not repeated stands."""
        if isinstance(found, dict):
            self._usage |= {name: value for name, value in found.items() if value is not None}
            seen = usage(self._usage)
            if seen is not None:
                self.meter.usage = seen
        self.meter.final = self._ended


def frames(values: Mapping[str, Any]) -> Iterator[bytes]:
    """A whole reply as the frames of a stream, the terminal one last, for a provider that answered whole."""
    usage = members(values.get("usage"))
    ended = {name: values[name] for name in ("stop_reason", "stop_sequence", "stop_details") if name in values}
    start = {**values, "content": [], "stop_reason": None, "stop_sequence": None}
    start.pop("stop_details", None)
    yield frame("message_start", message=start)
    for index, block in enumerate(values["content"]):
        opened, deltas = _opened(block)
        yield frame("content_block_start", index=index, content_block=opened)
        for delta in deltas:
            yield frame("content_block_delta", index=index, delta=delta)
        yield frame("content_block_stop", index=index)
    yield frame("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None, **ended}, usage=usage)
    yield frame("message_stop")


def _opened(block: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it begins, and the deltas that bring what it says."""
    match block:
        case {"type": "text", "text": str(text)}:
            deltas = [{"type": "text_delta", "text": text}]
            deltas += [{"type": "citations_delta", "citation": one} for one in listed(block.get("citations"))]
            return {**{name: value for name, value in block.items() if name != "citations"}, "text": ""}, deltas
        case {"type": "thinking", "thinking": str(text)}:
            deltas = [{"type": "thinking_delta", "thinking": text}]
            deltas.append({"type": "signature_delta", "signature": block.get("signature") or ""})
            return {**block, "thinking": "", "signature": ""}, deltas
        case {"type": "tool_use" | "server_tool_use" | "mcp_tool_use", "input": dict(given)}:
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": dumps(given)}]
        case _:
            return dict(block), []


def frame(kind: str, **values: Any) -> bytes:
    """A frame, named as its type."""
    return write(packed({"type": kind, **values}), kind)


def feed(call: Call) -> MessagesFeed:
    return MessagesFeed(call)
