"""The gates of `/v1/images/…` (https://platform.openai.com/docs/api-reference/images)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError

from .base import TEXT, Json, Like, WireSchema, flag, names, text, whole
from .steering import steering

MOST_SIDE, MOST_PIXELS = 16_384, 1 << 26
MOST_GIVEN = 16
"""Images to start from."""

_SIZE = re.compile(r"auto|([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")


def _fits(value: str) -> bool:
    found = _SIZE.fullmatch(value)
    if found is None or found[1] is None:
        return found is not None
    wide, high = int(found[1]), int(found[2])
    return max(wide, high) <= MOST_SIDE and wide * high <= MOST_PIXELS


def _size() -> Json:
    return Json(
        str, words="auto, or width and height in pixels as in 1024x1024", test=_fits,
        like={"pattern": f"^(?:{_SIZE.pattern})$"},
    )  # fmt: skip


def _one_of(*words: str) -> Json:
    return Json(str, words=" or ".join(words), test=lambda value: value in words, like={"enum": [*words, None]})


class Images(Json):
    """An image or several: files of a form; or, as JSON, addresses, data URLs or objects with one."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **rest: Any) -> Any:
        several = value if isinstance(value, list) else [value]
        if any(hasattr(one, "filename") and not len(one.content) for one in several):
            raise ValidationError("is an empty file")
        plain: Any = ["file" if hasattr(one, "filename") else one for one in several]
        super()._deserialize(plain if isinstance(value, list) else plain[0], attr, data, **rest)
        return value


def _given() -> Images:
    each: Like = {"type": ["string", "object"]}
    return Images(
        str, dict, list, words=f"an image, or an array of 1 to {MOST_GIVEN} images",
        test=lambda value: type(value) is not list
        or (0 < len(value) <= MOST_GIVEN and all(type(one) in (str, dict) for one in value)),
        like={"minItems": 1, "maxItems": MOST_GIVEN, "items": each},
    )  # fmt: skip


class _Made(WireSchema):
    """What all three have."""

    model = text(required=True)
    n = whole(1, 10)
    size = _size()
    quality = text()
    response_format = _one_of("url", "b64_json")
    output_format = _one_of("png", "jpeg", "webp")
    output_compression = whole(0, 100)
    background = text()
    moderation = text()
    style = text()
    input_fidelity = text()
    stream = flag()
    partial_images = whole(0, 3)
    aspect_ratio = text()
    resolution = text()
    user = text()
    models = names()
    provider = steering()


class ImagesSchema(_Made):
    """OpenAI's fields for images from words."""

    prompt = text(required=True)


class EditSchema(_Made):
    """OpenAI's fields for images from images: of a form, or of JSON."""

    LIKE: ClassVar[Like] = {
        "anyOf": [{"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in ("image", "images")]
    }

    prompt = text(required=True)
    image = _given()
    images = _given()
    mask = _given()
    markup = _given()

    def validate(self, data: Any, **_: Any) -> dict[str, Any]:
        """There must be an image."""
        wrong = super().validate(data)
        if not wrong and data.get("image") is None and data.get("images") is None:
            return {"image": ["must be an image: a file of a form, or images as JSON"]}
        return wrong


class VariationSchema(_Made):
    """OpenAI's fields for variations of an image."""

    LIKE: ClassVar[Like] = {"anyOf": [{"required": ["image"], "properties": {"image": {"not": {"type": "null"}}}}]}

    image = _given()

    def validate(self, data: Any, **_: Any) -> dict[str, Any]:
        """There must be an image."""
        wrong = super().validate(data)
        return wrong if wrong or data.get("image") is not None else {"image": ["must be an image: a file of a form"]}


_FILE: Like = {"type": "string", "format": "binary"}
_FORM: Like = {
    "model": {"type": "string", "minLength": 1}, "n": {"type": "integer", "minimum": 1, "maximum": 10},
    **dict.fromkeys(("prompt", "size", "quality", "response_format", "output_format", "background"), TEXT),
}  # fmt: skip
NAMED: Mapping[str, Like] = {
    "ImageEditForm": {
        "type": "object", "required": ["model", "prompt"],
        "properties": {
            **_FORM, "image": _FILE, "image[]": {"type": "array", "items": _FILE}, "mask": _FILE, "markup": _FILE,
        },
    },
    "ImageVariationForm": {
        "type": "object", "required": ["model", "image"], "properties": {**_FORM, "image": _FILE},
    },
}  # fmt: skip
"""Forms by the names that the document gives them."""
