"""A stream between equal dialects: passed on byte for byte but for the caller's names (Law 1).

`Passing` cuts chunks into frames, lets plain ones through unread, and hands the others to its dialect; it also takes
the whole answer of a provider that does not stream. A dialect's feed says which frames are plain and what the others
mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from ..call import Call, Fault, Leg, Meter
from ..splice import BadJson, Scan, edit, scan
from ..sse import MAX_FRAME, Event, Overlong, Splitter, read, write

_OUTPUT = re.compile(
    rb'"(?:content|reasoning_content|reasoning|refusal|arguments|name|text|thinking|transcript|delta|partial_json)"'
    rb'\s*:\s*"((?:[^"\\]|\\.)*)"'
)
_UNMEASURED = 1 << 16


class Passing:
    """See `base.Feed`."""

    def __init__(self, call: Call) -> None:
        self.out: list[bytes] = []
        self.spoke = False
        self.bound = False
        self.tail: bytes | None = None
        self.fault: Fault | None = None
        self.meter = Meter()
        self.call = call
        self._splitter: Splitter | None = None
        self._head = b""  # first bytes, until it is clear whether they are frames
        self._whole: list[bytes] | None = None
        self._whole_bytes = 0
        self._unmeasured: list[bytes] = []
        self._unmeasured_bytes = 0

    def plain(self, frame: bytes) -> bytes | None:
        """The frame as the client gets it, if that is clear without reading it."""
        raise NotImplementedError

    def take(self, frame: bytes, event: Event) -> None:
        """A frame that must be read: `put` it, `finish` with it, or set `fault`. May raise Fault."""
        raise NotImplementedError

    def take_whole(self, values: dict[str, Any]) -> list[bytes]:
        """The frames of a whole answer, the terminal one last; fills the meter. Raises Fault."""
        raise NotImplementedError

    def complete(self) -> bool:
        """Whether a body that ended without a terminal frame is whole all the same."""
        raise NotImplementedError

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
            self._unfold(b"".join(self._whole))
            return
        last = self._splitter.end() if self._splitter is not None else b""
        if last:
            self._take(last)
        if self.tail is None and self.fault is None:
            if self.complete():
                self.finish(b"")
            else:
                self.fault = Fault("malformed")

    def measure(self) -> None:
        if self._unmeasured:
            found = _OUTPUT.findall(b"".join(self._unmeasured))
            self.meter.out_bytes += sum(map(len, found))
            self._unmeasured, self._unmeasured_bytes = [], 0

    def put(self, frame: bytes, *, binds: bool = True) -> None:
        """Pass a frame on. binds: it says something, so that failover ends with it."""
        self.spoke = True
        self.bound = self.bound or binds
        self.out.append(frame)
        self._unmeasured.append(frame)
        self._unmeasured_bytes += len(frame)
        if self._unmeasured_bytes > _UNMEASURED:
            self.measure()

    def finish(self, frame: bytes) -> None:
        """The terminal frame has come; b"" if the body just ended."""
        if self.bound:
            self.tail = frame
        else:
            self.fault = Fault("malformed")  # nothing was said

    def _take(self, frame: bytes) -> None:
        known = self.plain(frame)
        if known is not None:
            self.put(known)
            return
        event = read(frame)
        if event.data is None:
            self.out.append(frame)  # a comment: it binds nobody
        elif event.data != b"[DONE]" and not (event.data.startswith(b"{") and event.data.endswith(b"}")):
            self.fault = Fault("malformed")
        else:
            try:
                self.take(frame, event)
            except Fault as fault:
                self.fault = fault

    def _keep_whole(self, chunk: bytes) -> None:
        assert self._whole is not None
        self._whole.append(chunk)
        self._whole_bytes += len(chunk)
        if self._whole_bytes > 4 * MAX_FRAME:
            self.fault = Fault("malformed")

    def _unfold(self, body: bytes) -> None:
        """The provider answered whole although a stream was asked for: cut the answer into frames."""
        try:
            *some, last = self.take_whole(scan(body).values)
        except BadJson:
            self.fault = Fault("malformed")
        except Fault as fault:
            self.fault = fault
        else:
            self.spoke = self.bound = True
            self.out += some
            self.tail = last


def scanned(body: bytes) -> Scan:
    """A provider's object, to be edited. Raises Fault when it is none."""
    try:
        return scan(body)
    except BadJson as error:
        raise Fault("malformed") from error


def parsed(data: bytes) -> dict[str, Any]:
    """A provider's object, to be read. Raises Fault when it is none."""
    try:
        values = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise Fault("malformed") from None
    if not isinstance(values, dict):
        raise Fault("malformed")
    return values


def for_leg(call: Call, leg: Leg, own: Iterable[str]) -> dict[str, str | None]:
    """What every leg of the caller's own words needs, as changes of an `edit`: the model's upstream name, and none of
    the members that are the gateway's own."""
    left_out: dict[str, str | None] = {name: None for name in own if name in call.body.values}
    return {"model": json.dumps(leg.model), **left_out}


def names(call: Call, identity: str = "id", model: str = "model") -> dict[str, str | None]:
    """The caller's names as the changes of an `edit`: our id for the reply, the model as the caller wrote it."""
    return {identity: json.dumps(call.id), model: json.dumps(call.model, ensure_ascii=False)}


def renamed(frame: bytes, event: Event, changes: Mapping[str, str | None], inside: str | None = None) -> bytes:
    """A frame with members of its data changed; `inside` names the one member in which they stand, if it is not the
    data itself. The rest of the frame stays as it is."""
    assert event.data is not None
    try:
        changed = _edited(scan(event.data), changes, inside)
    except BadJson:  # orjson took it: it differs only where a lone surrogate or the like is escaped
        return frame
    at = frame.find(event.data)
    if at < 0:  # data over several lines: a line break in JSON is a space
        return write(changed.replace(b"\n", b" "), None if event.name == "message" else event.name)
    return frame[:at] + changed + frame[at + len(event.data) :]


def _edited(found: Scan, changes: Mapping[str, str | None], inside: str | None) -> bytes:
    if inside is None:
        return edit(found, dict(changes))
    if not isinstance(found.values.get(inside), dict):
        return found.text.encode()
    inner = scan(found.raw(inside).encode())
    return edit(found, {inside: edit(inner, dict(changes)).decode()})
