"""Music: a prompt, perhaps lyrics, and songs in a while. No vendor's words have become common here, so clients say it
as they say videos, and a server that speaks the same is asked at `/music`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ..call import Ask, Call, Leg, Piece
from ..dialects import shapes
from .jobs import Alone, Job, addresses
from .video.openai import OpenAI


class Music(OpenAI):
    """See `dialects.base.Words` and `jobs.Job`."""

    name = "music"
    id_prefix = "task_"
    FAMILY = "audio"
    PATH = "/music"
    MEDIA_TYPE = "audio/wav"

    def ask(self, values: Mapping[str, Any]) -> Ask:
        return Ask(
            model=values["model"],
            limit=0,
            rigid=True,
            makes=(Piece("song", Decimal(shapes.whole(values.get("n")) or 1)),),
            urls=addresses(values, self.OWN),
        )

    def encode(self, call: Call, leg: Leg) -> bytes:
        said = {name: value for name, value in call.body.values.items() if name not in self.OWN}
        return shapes.packed({**said, "model": leg.model})


MUSIC = Music()
NAMED = {MUSIC.name: MUSIC}
JOBS: dict[str, Job] = {MUSIC.name: MUSIC}
CARRIER = Alone(MUSIC)
