"""What vendors other than OpenAI can be told of a video, and what they would lose of it."""

from __future__ import annotations

import base64

from ...bodies import Upload, joined
from ...call import Call, Leg
from ...dialects.bridge import Refused
from ...dialects.media import data_url, image_type
from ...neutral.parts import Bytes, FileRef, Media, Url
from .openai import OpenAI
from .request import VideoRequest

OWN = OpenAI.OWN

LACKS: dict[str, frozenset[str]] = {
    "videos": frozenset(), "xai-videos": frozenset({"last_image", "n", "negative_prompt", "seed", "audio"}),
    "veo": frozenset(),
}  # fmt: skip
"""What a vendor cannot be told, by the caller's fields."""

_MEANING = frozenset({"last_image", "n"})
"""Fields whose loss would make another video than was asked for, or fewer."""


def screen(call: Call, leg: Leg, request: VideoRequest) -> tuple[str, ...]:
    """What a leg would lose, as `field=drop`. Raises Refused."""
    for media, field in ((request.first, "input_reference"), (request.last, "last_image")):
        if isinstance(media, Media) and isinstance(media.source, FileRef):
            raise Refused(field, f"{field} cannot be an uploaded file for a provider of this model: send the image.")
    if leg.dialect == "veo" and request.seconds is not None and request.seconds % 1:
        raise Refused("seconds", "seconds must be a whole number for a provider of this model.")
    asked = {
        "last_image": request.last is not None, "n": request.n > 1, "negative_prompt": request.negative is not None,
        "seed": request.seed is not None, "audio": request.sound is not None,
    }  # fmt: skip
    lost = [field for field, there in asked.items() if there and field in LACKS[leg.dialect]]
    for field in lost:
        if field in _MEANING or call.strict:
            raise Refused(field, f"{field} cannot be said to a provider of this model.")
    return tuple(f"{field}=drop" for field in lost)


def picture_url(call: Call, media: Media | Upload) -> str:
    """A picture as an address, or as a data URL."""
    if isinstance(media, Media) and isinstance(media.source, Url):
        return media.source.url
    return data_url(*picture_bytes(call, media))


def picture_bytes(call: Call, media: Media | Upload) -> tuple[str, str]:
    """(media type, base64) of a picture that was sent or, at an address, fetched."""
    if isinstance(media, Upload):
        data = base64.b64encode(joined(media.content)).decode()
        return media.media_type or image_type(data) or "image/png", data
    if isinstance(media.source, Url):
        media = call.fetched.get(media.source.url, media)
    if not isinstance(media.source, Bytes):
        raise Refused("input_reference", "input_reference must be the image itself, or its address.")
    return media.media_type or image_type(media.source.base64) or "image/png", media.source.base64
