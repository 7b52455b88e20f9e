"""Images: made from words, from other images, or as variations, in OpenAI's words; translated to other makers'.

The rooms above find here what `modalities.words` asks of a carrier. `openai` has the words that clients speak, `others`
those of providers that have their own; `request` and `reply` what both are turned into.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ... import book
from ...bodies import Body
from ...call import Call, Fault, Leg, Meter
from ...dialects.base import Feed, Upstream
from ...dialects.bridge import Refused
from ...dialects.passing import parsed
from ...dialects.shapes import packed
from ...neutral.parts import Url
from . import openai, reply
from .openai import EDITS, GENERATIONS, VARIATIONS, OpenAI
from .others import GEMINI, IMAGEN, XAI_EDITS, XAI_GENERATIONS, Codec
from .request import ImageRequest, parse

__all__ = [
    "EDITS", "GENERATIONS", "NAMED", "UPSTREAM", "VARIATIONS", "encode", "feed", "requests", "screen", "several",
    "to_copy", "to_fetch", "ways", "whole",
]  # fmt: skip

NAMED: dict[str, OpenAI] = {words.name: words for words in (GENERATIONS, EDITS, VARIATIONS)}
_CODECS: dict[str, Codec] = {codec.name: codec for codec in (XAI_GENERATIONS, XAI_EDITS, GEMINI, IMAGEN)}
UPSTREAM: Mapping[str, Upstream] = _CODECS
"""What only providers take."""

_FAMILIES = (("images", NAMED), ("xai-images", _CODECS), ("gemini", _CODECS))
_IMAGEN = re.compile(r"^(models/)?imagen")


def ways(call: Call, dialects: Sequence[str]) -> tuple[str, ...]:
    """The words in which a model of these dialects can be told a call: a dialect brings those that begin as it does."""
    found: list[str] = []
    kind = NAMED[call.dialect].kind
    for family, named in _FAMILIES:
        if family not in dialects:
            continue
        if named is NAMED:
            found.append(call.dialect)
        else:
            found += [
                name for name, codec in _CODECS.items() if name.partition(":")[0] == family and kind in codec.KINDS
            ]
    return tuple(found)


def _asked(call: Call) -> ImageRequest:
    return parse(NAMED[call.dialect].kind, call.body.values)


def screen(call: Call, leg: Leg) -> tuple[str, ...]:
    """What a leg would lose of this call, as `field=drop`. Raises Refused."""
    known = book.current().offer(leg.channel.provider, leg.model)
    if known is not None and known[0].mode != "image" and "image" not in known[0].makes:
        raise Refused("model", f"The model {call.ask.model[:200]!r} makes no images.")
    if leg.dialect in NAMED:
        return ()
    codec = _CODECS[leg.dialect]
    if (codec is IMAGEN) != (leg.dialect.startswith("gemini") and _IMAGEN.match(leg.model) is not None):
        raise Refused("model", f"The model {call.ask.model[:200]!r} makes no images this way.")
    if call.ask.stream and call.ask.n > codec.MOST:
        raise Refused("n", f"n must be at most {codec.MOST} for a provider of this model where the answer is a stream.")
    lost = list(_asked(call).lost)
    lost += [(name, None) for name in codec.LOSES if call.body.values.get(name) not in (None, "auto")]
    for field, why in lost:
        if why is not None or call.strict:
            raise Refused(field, f"{field} cannot be said to a provider of this model{f': {why}' if why else ''}.")
    return tuple(dict.fromkeys(f"{field}=drop" for field, _ in lost))


def to_fetch(call: Call, leg: Leg) -> dict[str, str]:
    """Addresses of images that a leg must have in its body."""
    if leg.dialect in NAMED or leg.dialect.startswith("xai-images"):
        return {}
    return {one.url: "image" for one in _asked(call).given if isinstance(one, Url)}


def encode(call: Call, leg: Leg) -> Body:
    """The body for a leg."""
    if leg.dialect in NAMED:
        return NAMED[leg.dialect].passed(call, leg)
    codec = _CODECS[leg.dialect]
    asked = _asked(call)
    return packed(codec.render(call, asked, leg.model, min(call.ask.n, codec.MOST)))


def to_copy(call: Call, leg: Leg, body: bytes) -> tuple[str, ...]:
    """Addresses in a reply, of what the client gets from us."""
    if b'"url"' not in body or leg.dialect.startswith("gemini"):
        return ()
    return tuple(dict.fromkeys(reply.addresses(parsed(body).get("data"))))


def whole(call: Call, leg: Leg, body: bytes, meter: Meter) -> bytes:
    """A reply for the client; fills the meter. Raises Fault."""
    if leg.dialect in NAMED:
        return openai.scanned_reply(call, leg, body, meter)
    made = _CODECS[leg.dialect].parse_reply(call, parsed(body))
    reply.measure(call, leg, made, meter)
    return packed(openai.render_reply(call, leg, made))


def feed(call: Call, leg: Leg, headers: Mapping[str, str]) -> Feed:
    """A streamed reply for the client."""
    kind = NAMED[call.dialect].kind
    return openai.Feed(call, leg, kind) if leg.dialect in NAMED else _Whole(call, leg, _CODECS[leg.dialect])


class _Whole(openai.Feed):
    """A reply of other words, which comes in one piece."""

    def __init__(self, call: Call, leg: Leg, codec: Codec) -> None:
        super().__init__(call, leg, NAMED[call.dialect].kind)
        self._codec = codec

    def take_whole(self, values: dict[str, object]) -> list[bytes]:
        made = self._codec.parse_reply(self.call, values)
        return openai.whole_frames(self.call, self._leg, self._kind, made, self.meter)


def requests(call: Call, leg: Leg) -> Sequence[int]:
    """How many images are asked for in each request that a leg needs, where its provider makes fewer at a time."""
    most = _CODECS[leg.dialect].MOST if leg.dialect in _CODECS else call.ask.n
    return [min(most, call.ask.n - done) for done in range(0, call.ask.n, most)]


def several(call: Call, leg: Leg, bodies: Sequence[bytes], meter: Meter) -> bytes:
    """One reply for the client of those to several requests; fills the meter. What came without an image counts only
    where none has one. Raises Fault."""
    codec = _CODECS[leg.dialect]
    found: list[reply.ImageReply] = []
    fault: Fault | None = None
    for body in bodies:
        try:
            found.append(codec.parse_reply(call, parsed(body)))
        except Fault as problem:
            fault = fault or problem
    if not found:
        raise fault or Fault("malformed")
    made = reply.together(found)
    reply.measure(call, leg, made, meter)
    return packed(openai.render_reply(call, leg, made))
