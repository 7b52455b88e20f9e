"""A stream between equal dialects: passed on byte for byte but for the caller's names (Law 1).

`Passing` lets plain frames through unread and hands the others to its dialect; it also takes the whole answer of a
provider that does not stream. A dialect's feed says which frames are plain and what the others mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from ..call import Call, Fault, Leg
from ..splice import BadJson, Scan, edit, scan
from ..sse import Event, read, silent, unnumbered, write
from .intake import Intake

_OUTPUT = re.compile(
    rb'"(?:content|reasoning_content|reasoning|refusal|arguments|name|text|thinking|transcript|delta|partial_json)"'
    rb'\s*:\s*"([^"\\]*+(?:\\.[^"\\]*+)*+)"'  # possessive: else 10 MB of text take more than 1 GB
)
_UNMEASURED = 1 << 16


class Passing(Intake):
    """See `base.Feed`."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call = call
        self._unmeasured: list[bytes] = []
        self._unmeasured_bytes = 0

    def plain(self, frame: bytes) -> bytes | None:
        """The frame as the client gets it, if that is clear without reading it."""
        raise NotImplementedError

    def take(self, frame: bytes, event: Event) -> None:
        """A frame that must be read: `put` it, or `finish` with it. May raise Fault."""
        raise NotImplementedError

    def take_whole(self, values: dict[str, Any]) -> list[bytes]:
        """The frames of a whole answer, the terminal one last; fills the meter. Raises Fault."""
        raise NotImplementedError

    def complete(self) -> bool:
        """Whether a body that ended without a terminal frame is whole all the same."""
        raise NotImplementedError

    def ended(self) -> None:
        if not self.complete():
            raise Fault("malformed")
        self.finish(b"")

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
        """The terminal frame has come; b"" if the body just ended. Raises Fault where nothing was said."""
        if not self.bound:
            raise Fault("malformed")
        self.tail = frame

    def frame(self, frame: bytes) -> None:
        known = self.plain(frame)
        if known is not None:
            self.put(known)
            return
        frame = unnumbered(frame)
        event = read(frame)
        if event.data is None:
            if silent(frame):
                self.out.append(frame)  # a comment: it binds nobody
        elif event.data != b"[DONE]" and not (event.data.startswith(b"{") and event.data.endswith(b"}")):
            raise Fault("malformed")
        else:
            self.take(frame, event)

    def answer(self, body: bytes) -> None:
        """Cut the answer into frames."""
        *some, last = self.take_whole(scanned(body).values)
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


def heard(frame: bytes) -> dict[str, Any]:
    """What a frame that has passed says; {} where that cannot be read."""
    try:
        return parsed(read(frame).data or b"")
    except Fault:
        return {}


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
