"""Music: a prompt, perhaps lyrics, and songs in a while. No vendor's words have become common here, so clients say it
as they say videos, and a server that speaks the same is asked at `/music`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ..bodies import Body
from ..call import Ask, Call, Fault, Leg, Meter, Piece
from ..dialects import shapes
from ..dialects.base import Feed
from .jobs import Job
from .video.openai import OpenAI


class Music(OpenAI):
    """See `dialects.base.Words` and `jobs.Job`."""

    name = "music"
    id_prefix = "task_"
    FAMILY = "audio"
    PATH = "/music"
    MEDIA_TYPE = "audio/wav"

    def ask(self, values: Mapping[str, Any]) -> Ask:
        return Ask(model=values["model"], limit=0, makes=(Piece("song", Decimal(shapes.whole(values.get("n")) or 1)),))

    def encode(self, call: Call, leg: Leg) -> bytes:
        said = {name: value for name, value in call.body.values.items() if name not in self.OWN}
        return shapes.packed({**said, "model": leg.model})


MUSIC = Music()
NAMED = {MUSIC.name: MUSIC}
JOBS: dict[str, Job] = {MUSIC.name: MUSIC}


def ways(call: Call, dialects: Sequence[str]) -> tuple[str, ...]:
    """The words in which a model of these dialects can be told a call."""
    return (MUSIC.name,) if MUSIC.name in dialects else ()


def screen(call: Call, leg: Leg) -> tuple[str, ...]:
    """Nothing is lost."""
    return ()


def to_fetch(call: Call, leg: Leg) -> dict[str, str]:
    """Nothing is named by its address."""
    return {}


def encode(call: Call, leg: Leg) -> Body:
    """The body for a leg."""
    return JOBS[leg.dialect].encode(call, leg)


def whole(call: Call, leg: Leg, body: bytes, meter: Meter) -> bytes:
    """Music is never there at once."""
    raise Fault("malformed")


def feed(call: Call, leg: Leg, headers: Mapping[str, str]) -> Feed:
    """Music is not streamed."""
    raise Fault("malformed")
