"""What the sandbox answers with, as it arrives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import gevent

from ...call import Fault
from ...clock import monotonic

Ending = Literal["end", "cut"]


class SandboxWire:
    """An answer as timed pieces: (seconds to wait, bytes). See `call.Wire`."""

    def __init__(
        self, status: int, headers: Mapping[str, str], steps: Iterator[tuple[float, bytes]], ending: Ending = "end"
    ) -> None:
        self.status = status
        self.headers = headers
        self._steps: Iterator[tuple[float, bytes]] | None = steps
        self._ending = ending
        self._next: tuple[float, bytes] | None = None

    def read(self) -> bytes:
        if self._next is None:
            step = next(self._steps, None) if self._steps is not None else None
            if step is None:
                if self._ending == "cut":
                    raise Fault("malformed")
                return b""
            self._next = (monotonic() + step[0], step[1]) if step[0] else step
        due, data = self._next
        if due:
            gevent.sleep(max(0.0, due - monotonic()))  # interrupted here, the piece stays
        self._next = None
        return data

    def close(self) -> None:
        self._steps = None
