"""How a provider's streamed answer comes in, whoever it is for: cut into frames, or kept until it is whole.

A provider that was asked for a stream may answer whole all the same: then its answer begins with a brace.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..call import Fault, Meter
from ..sse import MAX_FRAME, Overlong, Splitter

_MOST_BLANK = 1 << 16
"""Most blank bytes before an answer begins."""

_MOST_LINES, _MORSEL = 1024, 2048

MOST_CHOICES = 128
"""Most choices of one reply: as many as OpenAI can be asked for."""


def morsels(chunk: bytes) -> Iterable[bytes]:
    """What has come, in pieces of which none takes long to read: frames of three bytes cost as much as others."""
    if chunk.count(b"\n") + chunk.count(b"\r") <= _MOST_LINES:
        return (chunk,)
    return [chunk[at : at + _MORSEL] for at in range(0, len(chunk), _MORSEL)]


class Intake:
    """What all feeds share, see `base.Feed`. A feed says what one frame means (`frame`), what an answer in one piece
    (`answer`), and what the end of a body without a terminal frame (`ended`). Each of them may raise Fault.

    WHOLE: how a body begins that is no stream.
    """

    WHOLE: tuple[bytes, ...] = (b"{",)
    content_type = "text/event-stream; charset=utf-8"

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.spoke = False
        self.bound = False
        self.tail: bytes | None = None
        self.fault: Fault | None = None
        self.meter = Meter()
        self._splitter = Splitter()
        self._head: bytes | None = b""  # first bytes, until it is clear whether they are frames
        self._whole: list[bytes] | None = None
        self._whole_bytes = 0

    def frame(self, frame: bytes) -> None:
        """One frame of the provider's."""
        raise NotImplementedError

    def answer(self, body: bytes) -> None:
        """All that the provider has said, in one piece."""
        raise NotImplementedError

    def ended(self) -> None:
        """The body has ended, and no terminal frame came."""
        raise NotImplementedError

    @property
    def over(self) -> bool:
        """Whether the reply is whole or broken: what follows means nothing."""
        return self.tail is not None or self.fault is not None

    def push(self, chunk: bytes) -> None:
        if self.over:
            return
        if self._head is not None:
            chunk = self._head + chunk
            start = chunk.lstrip()[:1]
            self._head = None if start else chunk
            if not start:
                if len(chunk) > _MOST_BLANK:
                    self.fault = Fault("malformed")
                return
            if start in self.WHOLE:
                self._whole = []
        try:
            if self._whole is not None:
                self._keep(self._whole, chunk)
            else:
                for frame in self._splitter.feed(chunk):
                    self.frame(frame)
                    if self.over:
                        return
        except Overlong:
            self.fault = Fault("malformed")
        except Fault as fault:
            self.fault = fault

    def _keep(self, whole: list[bytes], chunk: bytes) -> None:
        whole.append(chunk)
        self._whole_bytes += len(chunk)
        if self._whole_bytes > 4 * MAX_FRAME:
            raise Fault("malformed")

    def end(self) -> None:
        if self.over:
            return
        try:
            if self._whole is not None:
                self.answer(b"".join(self._whole))
                return
            last = self._splitter.end()
            if last:
                self.frame(last)
            if not self.over:
                self.ended()
        except Fault as fault:
            self.fault = fault

    def measure(self) -> None:
        """Most count as they go."""
