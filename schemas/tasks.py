"""The gates of `/v1/videos`, `/v1/video/generations` and `/v1/tasks`: OpenAI's fields, and the names that other vendors
have for the same (https://platform.openai.com/docs/api-reference/videos/create)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from .base import Json, Like, WireSchema, flag, having, names, text, texts, where, whole
from .images import ImagesSchema
from .steering import steering

MOST_SECONDS, MOST_VIDEOS, MOST_PROMPT = 60, 8, 32_000

_SIZE = r"[1-9][0-9]{1,3}[xX][1-9][0-9]{1,3}"
_SECONDS = r"(?!0+(?:\.0+)?$)(?:[0-5]?[0-9](?:\.[0-9]{1,3})?|60(?:\.0{1,3})?)"


def _seconds() -> Json:
    def test(value: Any) -> bool:
        found = float(value) if type(value) is not str or re.fullmatch(_SECONDS, value) else 0.0
        return 0 < found <= MOST_SECONDS

    return Json(
        int, float, str, words=f"a number of seconds above 0 and up to {MOST_SECONDS}", test=test,
        like={"exclusiveMinimum": 0, "maximum": MOST_SECONDS, "pattern": f"^{_SECONDS}$"},
    )  # fmt: skip


def _size() -> Json:
    return Json(
        str, words="a width and a height in pixels, as in 1280x720",
        test=lambda value: re.fullmatch(_SIZE, value) is not None, like={"pattern": f"^{_SIZE}$"},
    )  # fmt: skip


class _Picture(Json):
    """A file of a form, or an image as JSON names it."""

    nested = True

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **rest: Any) -> Any:
        return value if hasattr(value, "filename") else super()._deserialize(value, attr, data, **rest)


def _picture() -> Json:
    return _Picture(str, dict, words="an image, or an object with its image_url")


def _one_of(*words: str) -> Json:
    return Json(
        str, words=f"one of {', '.join(words)}", test=lambda value: value in words, like={"enum": [*words, None]}
    )  # fmt: skip


def prompt(*, required: bool) -> Json:
    return Json(
        str, words=f"a string of 1 to {MOST_PROMPT} characters", test=lambda value: 0 < len(value) <= MOST_PROMPT,
        required=required, like={"minLength": 1, "maxLength": MOST_PROMPT},
    )  # fmt: skip


class VideosSchema(WireSchema):
    """What a video shall be."""

    model = Json(str, words="a string that is not empty", test=bool, like={"minLength": 1})
    prompt = prompt(required=True)
    seconds = _seconds()
    duration = _seconds()
    size = _size()
    resolution = text()
    aspect_ratio = text()
    input_reference = _picture()
    image = _picture()
    image_url = _picture()
    last_image = _picture()
    n = whole(1, MOST_VIDEOS)
    negative_prompt = text()
    seed = Json(int, words="an integer")
    generate_audio = flag()
    webhook = text()
    models = names()
    provider = steering()


class MusicSchema(WireSchema):
    """What a piece of music shall be."""

    model = text(required=True)
    prompt = prompt(required=True)
    lyrics = text()
    seconds = _seconds()
    duration = _seconds()
    instrumental = flag()
    n = whole(1, MOST_VIDEOS)
    seed = Json(int, words="an integer")
    webhook = text()
    models = names()
    provider = steering()


_SOME: Like = {"type": "string", "minLength": 1}


class MidjourneySchema(WireSchema):
    """What a Midjourney proxy shall do."""

    model = text(required=True)
    action = _one_of("imagine", "blend", "describe", "upscale", "variation", "reroll")
    prompt = prompt(required=False)
    task_id = text()
    index = whole(1, 4)
    images = texts("an array of images, as data URLs or base64")
    webhook = text()
    models = names()
    provider = steering()

    LIKE: ClassVar[Like] = {
        "allOf": [
            {"if": {"properties": {"action": {"enum": ["imagine", None]}}}, "then": having(prompt=_SOME)},
            *(where("action", name, having(task_id=_SOME)) for name in ("upscale", "variation", "reroll")),
            *(where("action", name, having(images={"type": "array", "minItems": 1})) for name in ("blend", "describe")),
        ]
    }

    def validate(self, data: Any, **options: Any) -> Any:
        wrong = super().validate(data, **options)
        need = _NEEDS[data.get("action") or "imagine"] if not wrong else None
        return {need: ["must be given for this action"]} if need and not data.get(need) else wrong


_NEEDS = {
    "imagine": "prompt", "blend": "images", "describe": "images", "upscale": "task_id", "variation": "task_id",
    "reroll": "task_id",
}  # fmt: skip


class SunoSchema(WireSchema):
    """What a Suno proxy shall do."""

    model = text(required=True)
    action = _one_of("song", "extend", "lyrics")
    prompt = prompt(required=False)
    lyrics = text()
    tags = text()
    title = text()
    instrumental = flag()
    continue_clip_id = text()
    continue_at = Json(int, float, words="a number")
    webhook = text()
    models = names()
    provider = steering()

    LIKE: ClassVar[Like] = {
        "allOf": [
            where("action", "extend", having(continue_clip_id={"type": "string", "minLength": 1})),
            {
                "if": {"not": {"required": ["action"], "properties": {"action": {"const": "extend"}}}},
                "then": having(prompt=_SOME),
            },
        ]
    }

    def validate(self, data: Any, **options: Any) -> Any:
        wrong = super().validate(data, **options)
        need = "continue_clip_id" if data.get("action") == "extend" else "prompt"
        return {need: ["must be given for this action"]} if not wrong and not data.get(need) else wrong


class RemixSchema(WireSchema):
    """What shall be different."""

    prompt = prompt(required=True)
    webhook = text()


_BY_TYPE: dict[str, WireSchema] = {
    "video": VideosSchema(),
    "music": MusicSchema(),
    "image": ImagesSchema(),
    "mj": MidjourneySchema(),
    "suno": SunoSchema(),
}


_GATES = {
    "video": "VideosRequest",
    "music": "MusicRequest",
    "image": "ImagesRequest",
    "mj": "MidjourneyRequest",
    "suno": "SunoRequest",
}
TYPES = tuple(_BY_TYPE)


class TaskSchema(WireSchema):
    """What every task says: its type. The rest is as the type has it."""

    LIKE: ClassVar[Like] = {
        "allOf": [where("type", name, {"$ref": f"#/components/schemas/{gate}"}) for name, gate in _GATES.items()]
    }

    type = Json(
        str, words=f"one of {', '.join(_BY_TYPE)}", test=lambda value: value in _BY_TYPE, required=True,
        like={"enum": list(_BY_TYPE)},
    )  # fmt: skip

    def validate(self, data: Any, **options: Any) -> Any:
        return super().validate(data, **options) or _BY_TYPE[data["type"]].validate(data)


NAMED: dict[str, Like] = {
    "VideosForm": {
        "type": "object",
        "required": ["prompt"],
        "properties": {
            **{name: {"type": "string"} for name in ("model", "prompt", "seconds", "size")},
            "input_reference": {"type": "string", "format": "binary"},
        },
    },
    "RemixForm": {"type": "object", "required": ["prompt"], "properties": {"prompt": {"type": "string"}}},
}
"""Forms that are taken beside JSON."""
