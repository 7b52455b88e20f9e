"""Videos: OpenAI's words for clients; OpenAI's, xAI's and Google's for providers.

A vendor more is a module with a `Job`, its place in `JOBS` and in `telling.LACKS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...bodies import Body
from ...call import Call, Fault, Leg, Meter
from ...dialects.base import Feed
from ...neutral.parts import Media, Url
from ..jobs import Job
from .openai import VARIANTS as VARIANTS
from .openai import OpenAI
from .request import parse
from .telling import screen as _screen
from .veo import Veo
from .xai import XAI

OPENAI, _XAI, _VEO = OpenAI(), XAI(), Veo()
NAMED = {OPENAI.name: OPENAI}
JOBS: dict[str, Job] = {job.name: job for job in (OPENAI, _XAI, _VEO)}


def ways(call: Call, dialects: Sequence[str]) -> tuple[str, ...]:
    """The words in which a model of these dialects can be told a call: OpenAI's own first. Who speaks Chat may have
    its videos too."""
    return tuple(name for name in JOBS if name in dialects)[:1] or ((OPENAI.name,) if "chat" in dialects else ())


def screen(call: Call, leg: Leg) -> tuple[str, ...]:
    """What a leg would lose of this call, as `field=drop`. Raises Refused."""
    return () if leg.dialect == OPENAI.name else _screen(call, leg, parse(call.body.values, OPENAI.OWN))


def to_fetch(call: Call, leg: Leg) -> dict[str, str]:
    """Google takes pictures in the body only."""
    if leg.dialect != _VEO.name:
        return {}
    request = parse(call.body.values, OPENAI.OWN)
    return {
        one.source.url: "image"
        for one in (request.first, request.last)
        if isinstance(one, Media) and isinstance(one.source, Url)
    }


def encode(call: Call, leg: Leg) -> Body:
    """The body for a leg."""
    return JOBS[leg.dialect].encode(call, leg)


def whole(call: Call, leg: Leg, body: bytes, meter: Meter) -> bytes:
    """A video is never there at once."""
    raise Fault("malformed")


def feed(call: Call, leg: Leg, headers: Mapping[str, str]) -> Feed:
    """A video is not streamed."""
    raise Fault("malformed")
