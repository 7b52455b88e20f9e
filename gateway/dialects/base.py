"""What a dialect offers to the rooms above.

For now a leg always speaks the caller's own dialect, so that bytes pass through (Law 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..call import Ask, Call, Fault, Leg, Meter
from ..errors import GatewayError


class Feed(Protocol):
    """One streamed reply on its way from provider to client.

    out: frames ready for the client, taken and emptied by the pump · spoke: a dialect frame, no mere comment, is among
    what was put out · bound: so is one that says something, which ends failover ·
    tail: the terminal frame, which waits for the settlement; not None means that the reply is whole ·
    fault: why the stream is no good, once it is not; frames before the fault are in `out`.
    """

    out: list[bytes]
    spoke: bool
    bound: bool
    tail: bytes | None
    fault: Fault | None
    meter: Meter

    def push(self, chunk: bytes) -> None:
        """Take the next bytes of the provider."""
        ...

    def end(self) -> None:
        """The provider's stream has ended."""
        ...

    def measure(self) -> None:
        """Bring `meter.out_bytes` up to date with what was put out."""
        ...


class Dialect(Protocol):
    """One wire format, as client surface and as provider language."""

    name: str
    id_prefix: str
    path: str

    def ask(self, values: Mapping[str, Any]) -> Ask:
        """What the gateway must know of a request that the schema gate has passed."""
        ...

    def encode(self, call: Call, leg: Leg) -> bytes:
        """The body for this leg."""
        ...

    def whole(self, call: Call, body: bytes, meter: Meter) -> bytes:
        """A whole reply for the client; fills the meter. Raises Fault."""
        ...

    def feed(self, call: Call) -> Feed:
        """A streamed reply for the client."""
        ...

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
        """What a provider's error status means."""
        ...

    def error(self, error: GatewayError, request_id: str) -> bytes:
        """An error as this dialect's body."""
        ...

    def error_frame(self, error: GatewayError, request_id: str) -> bytes:
        """An error as a frame of this dialect's stream."""
        ...
