"""What an image model gives back: images as bytes or by address, what they took, and how a client is told of them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from ...call import Call, Fault, File, Leg, Meter
from ...dialects import shapes
from ...dialects.media import from_data_url
from ...neutral.reply import Usage, Variant
from .looks import Look, look
from .request import GPT, megapixels, output_tokens, variant

FAMILY = "images"
_GUESSED = {"low": 400, "medium": 1_600}
_GUESSED_USUAL = 4_160
"""Output tokens of a megapixel where a provider counts none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One image. row: what else its maker says of it, in OpenAI's words, without the image."""

    data: bytes = field(repr=False)
    look: Look
    row: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReply:
    """Images in their order. usage: tokens, where they were counted · quality: as it was made, where told."""

    pictures: tuple[Picture, ...]
    usage: Usage | None = None
    quality: str | None = None
    upstream_id: str | None = None


def picture(encoded: Any, row: Mapping[str, Any] | None = None) -> Picture | None:
    """An image from base64 text; None for what is none."""
    if not isinstance(encoded, str) or not encoded:
        return None
    if encoded.startswith("data:"):
        found = from_data_url(encoded)
        encoded = found[0].base64 if found is not None else ""
    try:
        data = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        return None
    return Picture(data=data, look=look(data), row=row or {}) if data else None


def addresses(rows: Any) -> Iterator[str]:
    """The addresses by which a provider's rows name images."""
    for row in shapes.objects(rows):
        url = row.get("url")
        if not row.get("b64_json") and isinstance(url, str) and url[:4].lower() == "http":
            yield url


def pictures(rows: Any, copied: Mapping[str, tuple[str, bytes]]) -> tuple[Picture, ...]:
    """The images in OpenAI's `data`; what cannot be had is left out."""
    found: list[Picture] = []
    for row in shapes.objects(rows):
        rest = {name: value for name, value in row.items() if name not in ("b64_json", "url", "mime_type")}
        one = picture(row.get("b64_json"), rest)
        url = row.get("url")
        if one is None and isinstance(url, str):
            if url in copied:
                data = copied[url][1]
                one = Picture(data=data, look=look(data), row=rest) if data else None
            else:
                one = picture(url, rest) if url.startswith("data:") else None
        if one is not None:
            found.append(one)
    return tuple(found)


def tokens(usage: Any) -> Usage | None:
    """OpenAI's count of tokens; None where there is none."""
    found = shapes.members(usage)
    given, made = shapes.count(found.get("input_tokens")), shapes.count(found.get("output_tokens"))
    if given is None or made is None:
        return None
    read, told = shapes.members(found.get("input_tokens_details")), shapes.members(found.get("output_tokens_details"))
    said = shapes.count(told.get("text_tokens"))
    return Usage(
        input=given,
        image_in=shapes.count(read.get("image_tokens")),
        cached=shapes.count(read.get("cached_tokens")),
        output=made,
        image_out=shapes.count(told.get("image_tokens")) if told else made - (said or 0),
    )


def _total(before: Usage, usage: Usage) -> Usage:
    return replace(
        usage, input=(before.input or 0) + (usage.input or 0), output=(before.output or 0) + (usage.output or 0),
        image_in=(before.image_in or 0) + (usage.image_in or 0),
        reasoning=(before.reasoning or 0) + (usage.reasoning or 0),
        image_out=(before.image_out or 0) + (usage.image_out or 0), cached=(before.cached or 0) + (usage.cached or 0),
    )  # fmt: skip


def summed(usages: Iterable[Usage | None]) -> Usage | None:
    """Tokens of several answers; None where one of them is not counted."""
    found = list(usages)
    counted_ = [one for one in found if one is not None]
    return reduce(_total, counted_) if counted_ and len(counted_) == len(found) else None


def together(replies: Sequence[ImageReply]) -> ImageReply:
    """Several answers as one."""
    return replace(
        replies[0], pictures=tuple(one for made in replies for one in made.pictures),
        usage=summed(made.usage for made in replies),
    )  # fmt: skip


def measure(call: Call, leg: Leg, reply: ImageReply, meter: Meter, first: int = 0) -> None:
    """Put into the meter what a reply took, and its files from number `first` on. Raises Fault where it has no
    image."""
    if not reply.pictures:
        raise Fault("malformed")
    meter.upstream_id = reply.upstream_id
    meter.files += [
        File(FAMILY, first + place, one.look.media_type, one.data) for place, one in enumerate(reply.pictures)
    ]
    units = {
        "image": meter.units.get("image", 0) + len(reply.pictures),
        "megapixel": meter.units.get("megapixel", 0)
        + sum(megapixels(one.look.width, one.look.height) for one in reply.pictures),
    }
    meter.units = units
    usage = replace(reply.usage or Usage(), units=units, variant=_variant(call, leg, reply))
    priced = leg.price is None or leg.price.free or any(unit in leg.price.units for unit in units)
    if reply.usage is not None or priced:
        meter.usage = usage
        return
    made = units["image"] * _guessed(call)
    meter.guess = replace(usage, input=call.ask.weight.guess(), output=made, image_out=made)


def _variant(call: Call, leg: Leg, reply: ImageReply) -> Variant:
    """What was made: as its maker says, or as it looks, else as it was asked for."""
    asked = variant(call.body.values, leg.model)
    seen = reply.pictures[0].look
    size = f"{seen.width}x{seen.height}" if seen.width and seen.height else asked.size
    quality = reply.quality if reply.quality not in (None, "auto") else asked.quality
    return Variant(quality, size, asked.resolution)


def _guessed(call: Call) -> int:
    """Output tokens of one image, as they may well be."""
    each = _GUESSED.get(str(call.body.values.get("quality")), _GUESSED_USUAL)
    return min(each, output_tokens(call.body.values))


def shown(call: Call, leg: Leg, found: Sequence[Picture]) -> list[dict[str, Any]]:
    """The rows for a client: by our address, as bytes, or both."""
    form = call.body.values.get("response_format")
    encoded = form == "b64_json" or (form is None and GPT.search(leg.model) is not None)
    rows: list[dict[str, Any]] = []
    for place, one in enumerate(found):
        row: dict[str, Any] = {} if form == "b64_json" else {"url": call.content_url(FAMILY, place)}
        if encoded:
            row["b64_json"] = base64.b64encode(one.data).decode()
        rows.append({**row, **one.row})
    return rows


def counted(usage: Usage | None) -> dict[str, Any]:
    """A count of tokens as OpenAI's clients read it; {} where there is none."""
    if usage is None or usage.input is None or usage.output is None:
        return {}
    seen, drawn = usage.image_in or 0, usage.image_out or 0
    return {
        "usage": {
            "input_tokens": usage.input, "output_tokens": usage.output, "total_tokens": usage.input + usage.output,
            "input_tokens_details": {"text_tokens": max(0, usage.input - seen), "image_tokens": seen},
            "output_tokens_details": {"text_tokens": max(0, usage.output - drawn), "image_tokens": drawn},
        }
    }  # fmt: skip
