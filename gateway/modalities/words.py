"""All words that a call can come in, and who carries them to a provider: `dialects.bridge` what is chat, each modality
its own. The rooms above ask here and need not know which it is.

A modality is a module that is a `Carrier`, names the words that clients speak, and has a place in `_MODALITIES`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from ..bodies import Body
from ..call import Call, Leg, Meter
from ..dialects import bridge
from ..dialects.base import Feed, Upstream, Words
from . import embeddings, images, midjourney, moderation, music, rerank, speech, suno, transcription, video
from .jobs import Job

_LOSS = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$\[\]-]{0,79}=drop")
_OTHER = "other=drop"
_MOST_LOSSES = 32


class Carrier(Protocol):
    """What knows a kind of call in all its words."""

    def ways(self, call: Call, dialects: Sequence[str]) -> tuple[str, ...]:
        """The words in which a model that is asked in these dialects can be told a call, best first; () where none is
        of the kind."""

    def screen(self, call: Call, leg: Leg) -> tuple[str, ...]:
        """What a leg would lose of this call, as `field=drop`. Raises Refused."""

    def to_fetch(self, call: Call, leg: Leg) -> dict[str, str]:
        """Addresses whose content a leg must be sent in the body, and the kind of media expected there."""

    def encode(self, call: Call, leg: Leg) -> Body:
        """The body for a leg: JSON, or a `bodies.Form`."""

    def whole(self, call: Call, leg: Leg, body: bytes, meter: Meter) -> bytes:
        """A whole reply for the client; fills the meter. Raises Fault."""

    def feed(self, call: Call, leg: Leg, headers: Mapping[str, str]) -> Feed:
        """A streamed reply for the client. headers: of the provider's answer. Raises Fault where it is of a kind that
        means nothing."""


_MODALITIES: tuple[tuple[Mapping[str, Words], Carrier], ...] = (
    (embeddings.NAMED, embeddings),
    (speech.NAMED, speech),
    (transcription.NAMED, transcription),
    (images.NAMED, images),
    (moderation.NAMED, moderation),
    (rerank.NAMED, rerank),
    (video.NAMED, video),
    (music.NAMED, music.CARRIER),
    (midjourney.NAMED, midjourney.CARRIER),
    (suno.NAMED, suno.CARRIER),
)

_CARRIERS = {name: carrier for named, carrier in _MODALITIES for name in named}

NAMED: dict[str, Words] = {**bridge.SURFACES, **{name: named[name] for named, _ in _MODALITIES for name in named}}
"""What clients speak."""

JOBS: dict[str, Job] = {**video.JOBS, **music.JOBS, **midjourney.JOBS, **suno.JOBS}
"""What takes minutes at a provider."""

_OTHERS: tuple[Upstream, ...] = (speech.GEMINI, transcription.GEMINI, moderation.MISTRAL, rerank.COHERE)

UPSTREAM: dict[str, Upstream] = {
    **JOBS, **NAMED, **bridge.NAMED, **images.UPSTREAM, **{words.name: words for words in _OTHERS},
}  # fmt: skip
"""What providers take."""


def carrier(call: Call) -> Carrier:
    """Who carries a call."""
    return _CARRIERS.get(call.dialect, bridge)


def parts(call: Call, leg: Leg) -> Sequence[int]:
    """How many results each of the requests asks for that a leg is sent for one call; nearly always it is one."""
    return images.requests(call, leg) if call.dialect in images.NAMED else (call.ask.n,)


def to_copy(call: Call, leg: Leg, body: bytes) -> Sequence[str]:
    """Addresses of the provider's in a whole reply, of what the client gets from us. Raises Fault."""
    return images.to_copy(call, leg, body) if call.dialect in images.NAMED else ()


def whole(call: Call, leg: Leg, bodies: Sequence[bytes], meter: Meter) -> bytes:
    """The reply for the client, of what a leg's requests were answered; fills the meter. Raises Fault."""
    if len(bodies) > 1:
        return images.several(call, leg, bodies, meter)
    return carrier(call).whole(call, leg, bodies[0], meter)


def screen(call: Call, leg: Leg) -> tuple[str, ...]:
    """What a leg would lose of this call, as `field=drop`. Raises bridge.Refused.

    It goes into a header and onto the receipt: a name that no vendor would give a field is not repeated, nor are
    hundreds of them.
    """
    found = carrier(call).screen(call, leg)
    told = tuple(dict.fromkeys(loss if _LOSS.fullmatch(loss) else _OTHER for loss in found))
    return told if len(told) <= _MOST_LOSSES else (*told[:_MOST_LOSSES], _OTHER)
