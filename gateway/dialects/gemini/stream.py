"""Gemini replies in frames, passed on with the caller's names.

Each frame is a whole reply of its own: what came since the last one, all usage so far, the names. The last one has the
`finishReason`. Frames end in CRLF and have no event names, and no `[DONE]` follows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...call import Call, Fault
from ...sse import MAX_FRAME
from ...sse import Event as Frame
from .. import shapes
from ..intake import MOST_CHOICES
from ..passing import Passing, scanned
from ..shapes import packed
from .errors import fault_in_reply
from .reply import blocked_by, candidates, end_word, measure, place, renamed, runs, said, usage

PING = b"\r\n"
"""A blank line: Google's own clients take a comment for a part of a JSON text."""


def write(data: bytes) -> bytes:
    """A frame as Google ends it."""
    return b"data: " + data + b"\r\n\r\n"


class GeminiFeed(Passing):
    """A provider's Gemini stream on its way to a Gemini client.

    The terminal frame is the one in which the last of the asked candidates ends, if it tells the usage and something
    was said. One that may be is held, with what follows it, until the usage or the end of the body shows that nothing
    more comes: proxies of other makers' models say `STOP` before they say anything.
    """

    WHOLE = (b"{", b"[")  # the array of who knows no `alt=sse`

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._held = b""
        self._cr = b""
        self._finished: dict[int, str] = {}
        self._seen: set[int] = set()
        self._runs: dict[str, int] = {}
        self.meter.final = False

    def push(self, chunk: bytes) -> None:
        chunk, self._cr = self._cr + chunk, b""
        if chunk.endswith(b"\r"):  # half of a CRLF: the other half belongs to the same frame
            chunk, self._cr = chunk[:-1], b"\r"
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
        found = scanned(event.data)
        says = self._look(found.values)
        changed = renamed(self.call, found)
        at = frame.find(event.data)
        whole = (
            frame[:at] + changed + frame[at + len(event.data) :] if at >= 0 else write(changed.replace(b"\n", b" "))
        )  # data over several lines: a line break in JSON is a space
        if not self.complete():
            if self._held:  # a candidate that nobody had seen goes on
                held, self._held = self._held, b""
                self.put(held)
            self.put(whole, binds=says)
            return
        self.bound = True
        if self.meter.final and (not self._seen or (self.meter.out_bytes and len(self._finished) >= self.call.ask.n)):
            self.finish(whole)
        else:
            self._held += whole
            if len(self._held) > MAX_FRAME:
                raise Fault("malformed")

    def take_whole(self, values: dict[str, Any]) -> list[bytes]:
        measure(values, self.meter)
        self.meter.final = True
        named = {**values, "responseId": self.call.id, "modelVersion": self.call.model}
        return [write(packed({name: value for name, value in named.items() if name in values}))]

    def complete(self) -> bool:
        return bool(self._finished) and self._finished.keys() >= self._seen

    def finish(self, frame: bytes) -> None:
        self.meter.finish = ",".join(self._finished[index] for index in sorted(self._finished))
        super().finish(self._held + frame)

    def measure(self) -> None:
        self._unmeasured, self._unmeasured_bytes = [], 0  # it counts as it reads

    def answer(self, body: bytes) -> None:
        if not body.lstrip().startswith(b"["):
            super().answer(body)
            return
        try:
            chunks = json.loads(body)
        except (ValueError, RecursionError):
            raise Fault("malformed") from None
        for chunk in chunks:
            if not self.over:
                self.frame(write(packed(chunk)))
        if not self.over:
            self.ended()

    def _look(self, values: Mapping[str, Any]) -> bool:
        """Meter a frame; False if it says nothing yet."""
        if values.get("error"):
            raise fault_in_reply(values["error"])
        found, blocked = candidates(values), blocked_by(values)
        if self.meter.upstream_id is None:
            self.meter.upstream_id = shapes.short(values.get("responseId")) or None
        says = False
        for candidate in found:
            index = place(candidate)
            self._seen.add(index)
            if len(self._seen) > MOST_CHOICES:
                raise Fault("malformed")
            output = said(candidate)
            self.meter.out_bytes += output
            word = end_word(candidate.get("finishReason"))
            if word is not None:
                self._finished[index] = word
            elif output:
                self._finished.pop(index, None)
            says = says or output > 0 or word is not None
        if blocked is not None and not self._seen:
            self._finished[0], says = blocked, True
        self._runs |= runs(values)
        seen = usage(values)
        if seen is not None:
            self.meter.usage, self.meter.final = replace(seen, tools=self._runs), self.complete()
        return says


def feed(call: Call) -> GeminiFeed:
    """A streamed reply for the client."""
    return GeminiFeed(call)
