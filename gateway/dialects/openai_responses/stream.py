"""Responses streams on their way to a client of the same dialect.

Frames without a `response` in them pass unread; in those with one its `id`, `model` and `previous_response_id` become
the caller's. The terminal frame repeats the whole response, with usage.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ...call import Call, Fault
from ...sse import Event as Frame
from ...sse import write
from .. import shapes
from ..passing import Passing, heard, names, parsed, renamed
from .errors import failed, told
from .reply import made, read, reason, runs, said, stores, usage

_BEGUN = frozenset({"response.created", "response.in_progress", "response.queued"})
_ENDED = frozenset({"response.completed", "response.incomplete", "response.failed"})
_KIND = re.compile(rb'(?:event: ?(response\.[a-z_.]+)\r?\n)?data: ?\{(?:"type": ?"(response\.[a-z_.]+)")?')
_READ = frozenset(kind.encode() for kind in _BEGUN | _ENDED)
_CALLED = re.compile(rb'"type"\s*:\s*"[a-z_]+_call"')
_DELTA = re.compile(rb'"type"\s*:\s*"response\.[a-z_.]+\.delta"')


class ResponsesFeed(Passing):
    """A provider's Responses stream on its way to a Responses client. ours: the caller's id for a response of the
    provider's; where it is not given, the one that the call names · last: the response as its provider ended it."""

    def __init__(self, call: Call, ours: Callable[[str], str | None] | None = None) -> None:
        super().__init__(call)
        self.last: dict[str, Any] | None = None
        self._names = names(call)
        self._ours = ours or (lambda _: call.body.values.get("previous_response_id"))
        self._said = 0
        self._done: list[dict[str, Any]] = []

    def plain(self, frame: bytes) -> bytes | None:
        found = _KIND.match(frame)
        if (
            found is None
            or (found[1] is None and found[2] is None)
            or found[1] in _READ
            or found[2] in _READ
            or not frame.endswith((b"}\n\n", b"}\r\n\r\n"))
        ):
            return None
        return frame

    def take(self, frame: bytes, event: Frame) -> None:
        assert event.data is not None
        if event.data == b"[DONE]":
            raise Fault("malformed")  # before any end: what follows a terminal frame is not read
        values = parsed(event.data)
        kind = values.get("type") or event.name
        if kind == "error" or (values.get("error") and "response" not in values):
            raise failed(values)
        response = values.get("response")
        if not isinstance(response, dict):
            if kind in _BEGUN | _ENDED:
                raise Fault("malformed")
            self.put(frame, binds=kind != "keepalive")
            return
        if self.meter.upstream_id is None:
            self.meter.upstream_id = shapes.short(response.get("id")) or None
        changes = dict(self._names)
        previous = response.get("previous_response_id")
        if isinstance(previous, str):
            changes["previous_response_id"] = json.dumps(self._ours(previous))
        leg = self.call.leg
        changes |= told(response, leg.channel.secret if leg is not None else None)
        mine = renamed(frame, event, changes, inside="response")
        if kind in _ENDED:
            self._end(str(kind), response, mine)
        else:
            self.put(mine, binds=kind not in _BEGUN)

    def _end(self, kind: str, response: dict[str, Any], frame: bytes) -> None:
        """The response is whole. One that failed before it said anything may still be tried elsewhere."""
        if kind == "response.failed" and not self.bound:
            raise failed(response.get("error"))
        output = response.get("output")
        self.last = response
        self.meter.usage = usage(response)
        self.meter.finish = reason(response) if kind != "response.failed" else "failed"
        if isinstance(output, list):
            self.meter.made = made(response, stores(self.call) and kind != "response.failed")
            self._said = said(output)
        self.bound = True
        self.finish(frame)

    def measure(self) -> None:
        """Only what came piece by piece counts, not its repetition; else what the terminal frame holds. Of the
        provider's own tools those that are done."""
        for frame in self._unmeasured:
            if b"response.output_item.done" in frame and _CALLED.search(frame):
                item = shapes.members(heard(frame).get("item"))
                self._done.append({name: item.get(name) for name in ("type", "action", "container_id")})
        self.meter.ran = runs({"output": self._done})
        self._unmeasured = [frame for frame in self._unmeasured if _DELTA.search(frame)]
        super().measure()
        self.meter.out_bytes = max(self.meter.out_bytes, self._said)

    def take_whole(self, values: dict[str, Any]) -> list[bytes]:
        read(values, self.meter, stores(self.call))
        self.last = values
        changed = {**values, "id": self.call.id, "model": self.call.model}
        if isinstance(values.get("previous_response_id"), str):
            changed["previous_response_id"] = self._ours(values["previous_response_id"])
        return frames(changed)

    def complete(self) -> bool:
        """A stream without its terminal frame is broken: only that frame tells what it took."""
        return False


def feed(call: Call, ours: Callable[[str], str | None] | None = None) -> ResponsesFeed:
    """A streamed reply for the client. ours: its id for a response of the provider's, where the call does not tell."""
    return ResponsesFeed(call, ours)


def frames(response: dict[str, Any]) -> list[bytes]:
    """A whole response as the events of a stream, for a provider that answered a streamed request whole: each item as
    it is, its text in one piece."""
    events: list[dict[str, Any]] = []
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "completed_at": None}
    events += [{"type": "response.created", "response": begun}, {"type": "response.in_progress", "response": begun}]
    for place, item in enumerate(response["output"]):
        if isinstance(item, dict):
            events += _lived(item, place)
    status = response.get("status")
    last = status if status in ("incomplete", "queued", "in_progress") else "completed"
    events.append({"type": f"response.{last}", "response": response})
    return [
        write(shapes.packed({"type": event["type"], "sequence_number": number, **event}), event["type"])
        for number, event in enumerate(events)
    ]


def _lived(item: dict[str, Any], place: int) -> list[dict[str, Any]]:
    """The events of one item."""
    where = {"item_id": item.get("id"), "output_index": place}
    added, inner = dict(item), list[dict[str, Any]]()
    if "status" in item:
        added["status"] = "in_progress"
    for name, kind in (("arguments", "function_call_arguments"), ("input", "custom_tool_call_input")):
        if isinstance(item.get(name), str) and item.get("type") in ("function_call", "custom_tool_call"):
            added[name] = ""
            inner.append({"type": f"response.{kind}.delta", **where, "delta": item[name]})
            inner.append({"type": f"response.{kind}.done", **where, "name": item.get("name"), name: item[name]})
    if item.get("type") == "message" and isinstance(item.get("content"), list):
        added["content"] = []
        for index, part in enumerate(item["content"]):
            inner += _spoken({**where, "content_index": index}, part)
    return [
        {"type": "response.output_item.added", "output_index": place, "item": added},
        *inner,
        {"type": "response.output_item.done", "output_index": place, "item": item},
    ]


def _spoken(where: dict[str, Any], part: Any) -> list[dict[str, Any]]:
    match part:
        case {"type": "output_text", "text": str(text)}:
            name, kind, more = "text", "output_text", {"logprobs": part.get("logprobs") or []}
            empty = {**part, "text": "", "annotations": []}
        case {"type": "refusal", "refusal": str(text)}:
            name, kind, more, empty = "refusal", "refusal", dict[str, Any](), {**part, "refusal": ""}
        case _:
            return []
    return [
        {"type": "response.content_part.added", **where, "part": empty},
        {"type": f"response.{kind}.delta", **where, "delta": text, **more},
        {"type": f"response.{kind}.done", **where, name: text, **more},
        {"type": "response.content_part.done", **where, "part": part},
    ]
