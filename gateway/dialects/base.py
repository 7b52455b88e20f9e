"""What a dialect offers to the rooms above: a package with these names.

Between equal dialects bytes pass (`ask`, `encode`, `whole`, `feed`); between different ones a request is parsed and
rendered, and a reply is parsed and rendered back (`bridge`). What clients speak is a `Surface`, what providers of chat
can be told a `Target`; a `Dialect` is both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from ..call import Ask, Call, Fault, Leg, Meter
from ..errors import GatewayError
from ..neutral.events import Event
from ..neutral.features import Verdict
from ..neutral.reply import ChatReply
from ..neutral.request import ChatRequest
from ..sse import Event as Frame
from .fitting import Letters

OWN: tuple[str, ...] = ("models", "provider", "computer_id", "max_steps")
"""Members of a chat's body that are the gateway's and never go upstream."""


class Feed(Protocol):
    """One streamed reply on its way from provider to client.

    out: frames ready for the client, taken and emptied by the pump · spoke: a dialect frame, no mere comment, is among
    what was put out · bound: so is one that says something, which ends failover ·
    tail: the terminal frame, which waits for the settlement; not None means that the reply is whole ·
    fault: why the stream is no good, once it is not; frames before the fault are in `out` · content_type: what it is.
    """

    out: list[bytes]
    spoke: bool
    bound: bool
    tail: bytes | None
    fault: Fault | None
    meter: Meter
    content_type: str

    def push(self, chunk: bytes) -> None:
        """Take the next bytes of the provider."""
        ...

    def end(self) -> None:
        """The provider's stream has ended."""
        ...

    def measure(self) -> None:
        """Bring `meter.out_bytes` up to date with what was put out."""
        ...


class Reader(Protocol):
    """A provider's stream as neutral events. Raises Fault for an error in the stream and for frames that mean nothing.

    What a dialect leaves open at its end (parts, choices) is closed by `end`; every reply ends with one ReplyEnd, and
    each part that starts ends before its choice does.
    """

    def push(self, frame: Frame) -> Iterable[Event]:
        """The events in one frame that has data."""
        ...

    def end(self) -> Iterable[Event]:
        """The body has ended. Raises Fault when the reply is not whole; nothing if ReplyEnd was given already."""
        ...


class Writer(Protocol):
    """Neutral events as a client's stream."""

    def write(self, event: Event) -> bytes:
        """The frames for one event, or b"". Those for ReplyEnd are the terminal ones."""
        ...


class Upstream(Protocol):
    """What the rooms above know of any wire format that a provider takes, be it chat or another modality.

    name: as `channels add --dialects` takes it.
    """

    name: str

    def path(self, model: str, stream: bool) -> str:
        """Where a provider takes it, below the channel's base URL."""
        ...

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
        """What a provider's error status means (Law 9)."""
        ...


class Words(Upstream, Protocol):
    """What the rooms above know of any wire format that clients speak.

    id_prefix: of the replies' ids · PING: what fills silence in a stream and means nothing · OWN: members of a body
    that are the gateway's.
    """

    id_prefix: str
    PING: bytes
    OWN: tuple[str, ...]

    def ask(self, values: Mapping[str, Any]) -> Ask:
        """What the gateway must know of a request that the schema gate has passed."""
        ...

    def error(self, error: GatewayError, request_id: str) -> bytes:
        """An error as a body in these words."""
        ...

    def error_frame(self, error: GatewayError, request_id: str, last: bytes = b"") -> bytes:
        """An error as a frame of a stream in these words. last: what the client was sent before it."""
        ...


class Surface(Words, Protocol):
    """What clients of chat speak: its bytes pass to a provider of the same, and it can be translated to a `Target`.

    FIELD: its own field for each feature of `neutral.features`, for messages and losses · SHOWS: which media in an
    answer its clients are shown, of `ANSWERS` there.
    """

    FIELD: Mapping[str, str]
    SHOWS: frozenset[str]

    def encode(self, call: Call, leg: Leg) -> bytes:
        """The caller's bytes for a leg of the same dialect (Law 1)."""
        ...

    def whole(self, call: Call, body: bytes, meter: Meter) -> bytes:
        """A whole reply of the same dialect for the client; fills the meter. Raises Fault."""
        ...

    def feed(self, call: Call) -> Feed:
        """A streamed reply of the same dialect for the client."""
        ...

    def parse(self, values: Mapping[str, Any]) -> ChatRequest:
        """A request in neutral words. Reads leniently: what has the wrong shape is left for a provider to refuse."""
        ...

    def render_reply(self, reply: ChatReply, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A reply for a client. asked: the client's body."""
        ...

    def writer(self, asked: Mapping[str, Any]) -> Writer:
        """asked: the client's body."""
        ...


class Target(Upstream, Protocol):
    """What providers of chat speak: calls can be translated to it, and its replies back.

    CAN: what it can say, for each feature of `neutral.features` · NAMES: what it takes as a tool's name.
    """

    CAN: Mapping[str, Verdict]
    NAMES: Letters

    def lacks(self, request: ChatRequest, leg: Leg) -> frozenset[str]:
        """Features that CAN knows and this leg's model, or this conversation, does not bear: they are dropped."""
        ...

    def render(self, request: ChatRequest, leg: Leg) -> dict[str, Any]:
        """A request from neutral words, `request.model` being the leg's. What CAN drops is left out."""
        ...

    def parse_reply(self, values: Mapping[str, Any]) -> ChatReply:
        """A provider's whole reply in neutral words. Raises Fault when it is an error or none."""
        ...

    def reader(self) -> Reader:
        """For one stream of a provider's."""
        ...


class Dialect(Surface, Target, Protocol):
    """A wire format of chat, as client surface and as provider language.

    TURNS: members of a body that hold the conversation · BOUND: members that some conversations do not bear; `render`
    leaves them out there.
    """

    TURNS: tuple[str, ...]
    BOUND: tuple[str, ...]
