"""What is asked of an image model, in OpenAI's words, and what the gateway must know of it.

https://platform.openai.com/docs/api-reference/images.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...bodies import Upload
from ...call import Ask
from ...dialects import shapes
from ...dialects.media import from_data_url, image_type
from ...dialects.scale import Scale, size
from ...neutral.parts import Bytes, Url
from ...neutral.reply import Variant

Kind = Literal["generations", "edits", "variations"]
Given = Upload | Bytes | Url
"""An image that is given: a file of a form, in the body, or by its address."""

OWN: tuple[str, ...] = ("models", "provider")
_KNOWN = frozenset({
    "model", "prompt", "n", "size", "quality", "response_format", "output_format", "image", "images", "aspect_ratio",
    "resolution", "stream", "partial_images", "user", "moderation", *OWN,
})  # fmt: skip
"""What other words have, or what is the gateway's to heed; `user` and `moderation` are nobody's loss."""

_PLAIN = frozenset({"model", "prompt", "user", *OWN})
"""Members in which nothing is named that a provider would look up or fetch."""

_MEANING = {
    ("mask", None): "only a whole image can be edited there",
    ("markup", None): "nothing can be marked in an image there",
    ("background", "transparent"): "images are opaque there",
}
"""What is more than tuning, of all values or of one."""

_PIXELS = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_MEGAPIXEL = 1 << 20
_TOKENS = ((re.compile(r"gpt-image-1(?![0-9])"), {"low": 300, "medium": 1_100, "": 4_300}),
           (re.compile(""), {"low": 800, "medium": 4_000, "": 10_000}))  # fmt: skip
"""Output tokens of a megapixel, from above, by model and quality: gpt-image-1 takes 4,160 in high, later ones more."""

_BESIDE = 1_500
"""Output tokens that a model spends beside the image: it thinks, or says something."""

_PARTIAL_TOKENS = 100
_USUAL = (1536, 1024)
"""The largest size that is chosen where none is named."""

GPT = re.compile(r"gpt-image|chatgpt-image")
_DALL_E_3 = re.compile(r"dall-e-3")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """What is to be made. size: in pixels, None where it is left to the model · aspect: as in 16:9 · given: images to
    start from · form: what the caller wants them as · lost: (field, why it matters) of what other words do not have."""

    kind: Kind
    prompt: str
    n: int
    size: tuple[int, int] | None
    aspect: str | None
    resolution: str | None
    quality: str | None
    form: str | None
    output_format: str | None
    given: tuple[Given, ...]
    lost: tuple[tuple[str, str | None], ...]


def parse(kind: Kind, values: Mapping[str, Any]) -> ImageRequest:
    """A request that the gate has passed."""
    pixels = _pixels(values.get("size"))
    lost = [
        (name, _MEANING.get((name, None)) or _MEANING.get((name, value if isinstance(value, str) else None)))
        for name, value in values.items()
        if value and value != "auto" and name not in _KNOWN
    ]
    lost += [(name, "files are another provider's") for name in ("images", "image") if _named(values, name)]
    return ImageRequest(
        kind=kind,
        prompt=shapes.text(values.get("prompt")) or "",
        n=values.get("n") or 1,
        size=pixels,
        aspect=shapes.text(values.get("aspect_ratio")) or _aspect(pixels),
        resolution=shapes.text(values.get("resolution")),
        quality=shapes.text(values.get("quality")),
        form=shapes.text(values.get("response_format")),
        output_format=shapes.text(values.get("output_format")),
        given=tuple(given(values)),
        lost=tuple(lost),
    )


def _named(values: Mapping[str, Any], name: str) -> bool:
    return any(isinstance(one, dict) and one.get("file_id") for one in shapes.listed(values.get(name)))


def given(values: Mapping[str, Any]) -> Iterator[Given]:
    """The images that a request has to start from, in their order, whichever way they are named."""
    for _, one in _places(values, ("image", "images")):
        yield one


def _places(values: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[tuple[str, Given]]:
    for name in names:
        found = values.get(name)
        several = found if isinstance(found, list) else [] if found is None else [found]
        for place, one in enumerate(several):
            where = f"{name}[{place}]" if isinstance(found, list) else name
            if isinstance(one, dict):
                field = next((field for field in ("image_url", "url") if one.get(field)), "")
                one, where = one.get(field), f"{where}.{field}"
                if isinstance(one, dict):  # as Chat nests it
                    one, where = one.get("url"), f"{where}.url"
            if isinstance(one, Upload):
                yield where, one
            elif isinstance(one, str) and one.startswith("data:"):
                found_here = from_data_url(one)
                if found_here is not None:
                    yield where, Bytes(base64=found_here[0].base64)
            elif isinstance(one, str) and re.match("https?://", one, re.IGNORECASE):
                yield where, Url(url=one)
            elif isinstance(one, str) and image_type(one) is not None:
                yield where, Bytes(base64=one)


def _pixels(value: Any) -> tuple[int, int] | None:
    found = _PIXELS.fullmatch(value) if isinstance(value, str) else None
    return (int(found[1]), int(found[2])) if found else None


_RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")


def _aspect(pixels: tuple[int, int] | None) -> str | None:
    """The usual ratio that is nearest to a size."""
    if pixels is None or 0 in pixels:
        return None

    def far(ratio: str) -> float:
        wide, high = map(int, ratio.split(":"))
        return abs(math.log(pixels[0] * high / (pixels[1] * wide)))

    return min(_RATIOS, key=far)


def nearest(aspect: str | None, known: tuple[str, ...]) -> str | None:
    """The ratio among those that a provider knows which is nearest to one."""
    if aspect is None or aspect in known:
        return aspect
    try:
        wide, high = map(float, aspect.split(":"))
        return min(known, key=lambda one: abs(math.log(wide / high) - math.log(_ratio(one))))
    except (ValueError, ArithmeticError):
        return None


def _ratio(text: str) -> float:
    wide, high = map(float, text.split(":"))
    return wide / high


def variant(values: Mapping[str, Any], model: str) -> Variant:
    """Which kind of image is asked for, as prices tell them apart."""
    quality = shapes.text(values.get("quality"))
    if quality in (None, "auto"):
        quality = "standard" if _DALL_E_3.search(model) else None
    pixels = shapes.text(values.get("size"))
    return Variant(quality, None if pixels == "auto" else pixels, shapes.text(values.get("resolution")))


def megapixels(wide: int, high: int) -> int:
    """So many are paid: each that was begun."""
    return max(1, -(-wide * high // _MEGAPIXEL))


def output_tokens(values: Mapping[str, Any]) -> int:
    """Output tokens of one image, from above."""
    wide, high = _pixels(values.get("size")) or _USUAL
    known = next(rates for pattern, rates in _TOKENS if pattern.search(str(values.get("model"))))
    each = known.get(str(values.get("quality")), known[""])
    partial = (values.get("partial_images") or 0) if values.get("stream") else 0
    return _BESIDE + _PARTIAL_TOKENS * partial + -(-each * wide * high // _MEGAPIXEL)


def ask(kind: Kind, values: Mapping[str, Any]) -> Ask:
    """What the gateway must know of a request that the gate has passed."""
    scale = Scale()
    scale.messages = 1
    scale.text = size(values.get("prompt"))
    several = 5 if values.get("input_fidelity") == "high" else 2  # an image is seen in more tokens than a chat's
    for where, one in _places(values, ("image", "images", "mask", "markup")):
        scale.images += several
        if isinstance(one, Url):
            scale.fetched(one.url, where)
    scale.search({name: value for name, value in values.items() if name not in _PLAIN}, "", loose=True)
    scale.images += several * len(scale.references)
    scale.unseen = False  # what a reference leads to is an image, and weighs as one
    n = values.get("n") or 1
    wide, high = _pixels(values.get("size")) or _USUAL
    return Ask(
        model=values["model"],
        stream=values.get("stream") is True,
        n=n,
        limit=output_tokens(values),
        image_out=True,
        weight=scale.weight(),
        references=tuple(scale.references),
        urls=tuple(scale.urls),
        units={"image": n, "megapixel": n * megapixels(wide, high)},
        variant=variant(values, values["model"]),
        rigid=True,
    )
