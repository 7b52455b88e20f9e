"""Long work: what is asked for now and is there in minutes. How a provider is asked to begin it, how far it is, where
its results are, how it is ended; each vendor's words for that are a `Job`.

What a provider is asked stands in `Ask` and `Seen` as values; who sends it, and when, is the business of `tasks`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Protocol

from ..bodies import Body
from ..call import Call, Fault, Leg, Meter
from ..dialects import shapes
from ..dialects.base import Feed, Upstream
from ..dialects.scale import Scale

QUEUED, IN_PROGRESS, COMPLETED, FAILED, CANCELLED = "queued", "in_progress", "completed", "failed", "cancelled"
Status = Literal["queued", "in_progress", "completed", "failed", "cancelled"]


class At(NamedTuple):
    """Where work is being done: the provider's id for it, and the model."""

    id: str
    model: str


class Request(NamedTuple):
    """A question about work, below the channel's base URL."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    body: Body = b""
    content_type: str = "application/json"


class Result(NamedTuple):
    """One thing that was made. where: a path below the channel's base URL, to be asked with its key; or an address that
    stands for itself; or `data:` with all of it · media_type: as far as it is told · id: by which it can be worked on,
    where its provider gives it one."""

    where: str
    media_type: str = ""
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How far work is, as its provider says.

    progress: percent · results: once it is completed · made: what was made, by the units that it may be sold by, where
    that is told · error: a code for why it failed · id: the provider's, when it began · said: what a result says in
    text, where that is what was asked for · facts: what its views show of it beside.
    """

    status: Status
    progress: int = 0
    results: tuple[Result, ...] = ()
    made: Mapping[str, Decimal] | None = None
    error: str | None = None
    id: str | None = None
    said: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


class Job(Upstream, Protocol):
    """One vendor's words for long work.

    FAMILY: what its results are: videos, audio, images.
    """

    FAMILY: str

    def encode(self, call: Call, leg: Leg) -> Body:
        """The body that begins it. Raises Refused."""
        ...

    def begun(self, body: bytes) -> Seen:
        """The answer to that: with an id, if it began. Raises Fault."""
        ...

    def look(self, at: At) -> Request:
        """How is it?"""
        ...

    def seen(self, body: bytes, at: At) -> Seen:
        """The answer to that. Raises Fault."""
        ...

    def cancel(self, at: At) -> Request | None:
        """End it; None where that cannot be asked."""
        ...


class Alone:
    """Carries a job that is asked for in the words of those who do it (`words.Carrier`)."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def ways(self, call: Call, dialects: Sequence[str]) -> tuple[str, ...]:
        return (self._job.name,) if self._job.name in dialects else ()

    def screen(self, call: Call, leg: Leg) -> tuple[str, ...]:
        return ()

    def to_fetch(self, call: Call, leg: Leg) -> dict[str, str]:
        return {}

    def encode(self, call: Call, leg: Leg) -> Body:
        return self._job.encode(call, leg)

    def whole(self, call: Call, leg: Leg, body: bytes, meter: Meter) -> bytes:
        raise Fault("malformed")  # it is never there at once

    def feed(self, call: Call, leg: Leg, headers: Mapping[str, str]) -> Feed:
        raise Fault("malformed")


def passed_on(values: Mapping[str, Any], own: Collection[str]) -> dict[str, Any]:
    """What a provider is told of a request in its own words. own: members that are the gateway's; so is the model."""
    return {name: value for name, value in values.items() if name not in own and name != "model"}


_TEXTS = frozenset({
    "model", "prompt", "lyrics", "tags", "negative_tags", "title", "style", "gpt_description_prompt", "user",
})  # fmt: skip


def addresses(values: Mapping[str, Any], own: Collection[str]) -> tuple[tuple[str, str], ...]:
    """(address, field) of what a request in a provider's own words makes it fetch; its texts are none. own: as for
    `passed_on`."""
    scale = Scale()
    scale.search({name: value for name, value in passed_on(values, own).items() if name not in _TEXTS}, "", loose=True)
    return tuple(scale.urls)


_TYPES = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif",
    "mp4": "video/mp4", "webm": "video/webm", "mp3": "audio/mpeg", "wav": "audio/wav", "m4a": "audio/mp4",
}  # fmt: skip


def typed(url: str, otherwise: str) -> str:
    """The type of what is behind an address, by how its path ends."""
    return _TYPES.get(url.partition("?")[0].rpartition(".")[2].lower(), otherwise)


def percent(value: object) -> int:
    """A provider's progress, whatever it is, as a number from 0 to 99: what is done is told by its status."""
    found = shapes.number(value)
    if found is None and isinstance(value, str):
        digits = value.strip().removesuffix("%")
        found = float(digits) if digits.isdecimal() else None
    return min(99, max(0, int(found))) if found is not None and found == found else 0


def code(value: object, otherwise: str = "provider_failed") -> str:
    """A provider's code for a failure, if it is one; its words about it may hold the caller's, and are not kept."""
    return shapes.word(value) or otherwise
