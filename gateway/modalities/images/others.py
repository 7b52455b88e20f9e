"""Other makers' words for images, each a small codec: xAI's, and Google's two.

https://docs.x.ai/docs/guides/image-generations: OpenAI's words with `aspect_ratio` for `size`, edits in JSON.
https://ai.google.dev/gemini-api/docs/image-generation: a chat whose answer has images in it.
https://ai.google.dev/gemini-api/docs/imagen: a prediction.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote

from ...bodies import Upload, joined
from ...call import Call, Fault
from ...dialects import shapes
from ...dialects.base import Upstream
from ...dialects.gemini import errors as google
from ...dialects.gemini.reply import usage as google_usage
from ...dialects.media import data_url
from ...dialects.openai_chat import errors as openai
from ...neutral.parts import Bytes, Url
from .looks import look
from .openai import parse_reply
from .reply import ImageReply, Picture, picture
from .request import Given, ImageRequest, nearest


class Codec(Upstream, Protocol):
    """What one maker's words are.

    KINDS: what can be asked in them · LOSES: the caller's fields that they have no word for · MOST: images of one
    request.
    """

    KINDS: tuple[str, ...]
    LOSES: tuple[str, ...]
    MOST: int

    def render(self, call: Call, asked: ImageRequest, model: str, n: int) -> dict[str, Any]:
        """A request for n images. model: its upstream name."""
        ...

    def parse_reply(self, call: Call, values: Mapping[str, Any]) -> ImageReply:
        """What came. Raises Fault when it is an error or none."""
        ...


def _inline(call: Call, one: Given) -> tuple[str, str]:
    """An image's type and its bytes as base64. Raises Fault for one that could not be had."""
    if isinstance(one, Url):
        got = call.fetched[one.url].source if one.url in call.fetched else None
        if not isinstance(got, Bytes):
            raise Fault("request", status=400, message="An image cannot be sent by its address there.")
        one = got
    encoded = base64.b64encode(joined(one.content)).decode() if isinstance(one, Upload) else one.base64
    return look(base64.b64decode(encoded[:80] + "=" * (-len(encoded[:80]) % 4))).media_type, encoded


class XAI:
    """xAI's."""

    LOSES: tuple[str, ...] = ("output_format",)
    MOST = 10
    _RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9", "1:2", "2:1")

    def __init__(self, name: str, kind: str) -> None:
        self.name, self._kind = name, kind
        self.KINDS: tuple[str, ...] = (kind,)

    def path(self, model: str, stream: bool) -> str:
        return f"/images/{self._kind}"

    def render(self, call: Call, asked: ImageRequest, model: str, n: int) -> dict[str, Any]:
        ratio = asked.aspect if asked.size is None else nearest(asked.aspect, self._RATIOS)
        form = asked.form if asked.form is not None and not call.ask.stream else "b64_json"
        values: dict[str, Any] = {"model": model, "prompt": asked.prompt, "n": n, "response_format": form}
        told = {"aspect_ratio": ratio, "resolution": asked.resolution, "quality": asked.quality}
        values |= {name: value for name, value in told.items() if value is not None and value != "auto"}
        images = [{"url": one.url if isinstance(one, Url) else data_url(*_inline(call, one))} for one in asked.given]
        if images:
            values |= {"image": images[0]} if len(images) == 1 else {"images": images}
        return values

    def parse_reply(self, call: Call, values: Mapping[str, Any]) -> ImageReply:
        made, rows = parse_reply(call, values), values.get("data")
        if not made.pictures and isinstance(rows, list) and not any(one.get("url") for one in shapes.objects(rows)):
            raise Fault("request", status=400, message="The model made no image of this.", code="moderation_blocked")
        return made  # what it forbids comes empty, or not at all

    fault = staticmethod(openai.fault)


class Gemini:
    """Gemini's models that draw."""

    name = "gemini:images"
    KINDS: tuple[str, ...] = ("generations", "edits")
    LOSES: tuple[str, ...] = ("quality", "output_format")
    MOST = 1
    _RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")

    def path(self, model: str, stream: bool) -> str:
        return f"/v1beta/models/{quote(model, safe='')}:generateContent"

    def render(self, call: Call, asked: ImageRequest, model: str, n: int) -> dict[str, Any]:
        parts: list[dict[str, Any]] = []
        for one in asked.given:
            media_type, encoded = _inline(call, one)
            parts.append({"inlineData": {"mimeType": media_type, "data": encoded}})
        parts.append({"text": asked.prompt})
        told = {"aspectRatio": nearest(asked.aspect, self._RATIOS), "imageSize": (asked.resolution or "").upper()}
        config = {name: value for name, value in told.items() if value}
        return {
            "contents": [{"role": "user", "parts": parts}],
            "generationConfig": {
                "responseModalities": ["TEXT", "IMAGE"], **({"imageConfig": config} if config else {}),
            },
        }  # fmt: skip

    def parse_reply(self, call: Call, values: Mapping[str, Any]) -> ImageReply:
        if values.get("error"):
            raise google.fault_in_reply(values["error"])
        found: list[Picture] = []
        said: list[str] = []
        candidates = shapes.objects(values.get("candidates"))
        for candidate in candidates:
            for part in shapes.objects(shapes.members(candidate.get("content")).get("parts")):
                if part.get("thought"):  # sketches that it made on the way
                    continue
                one = picture(shapes.members(part.get("inlineData")).get("data"))
                if one is not None:
                    found.append(one)
                elif isinstance(part.get("text"), str):
                    said.append(part["text"])
        if not found:
            raise _refused(values, candidates, "".join(said))
        return ImageReply(
            pictures=tuple(found), usage=google_usage(values), upstream_id=shapes.short(values.get("responseId"))
        )

    fault = staticmethod(google.fault)


def _refused(values: Mapping[str, Any], candidates: list[dict[str, Any]], said: str) -> Fault:
    """Why an answer has no image, if it says so: the model refuses, or only talks."""
    reason = shapes.word(shapes.members(values.get("promptFeedback")).get("blockReason")) or next(
        (shapes.word(one.get("finishReason")) for one in candidates if one.get("finishReason") != "STOP"), None
    )
    if not reason and not said:
        return Fault("malformed")
    told = shapes.clean(said, 300) or "The model made no image of this."
    return Fault("request", status=400, message=told, code=reason or "no_image")


class Imagen:
    """Imagen's models."""

    name = "gemini:imagen"
    KINDS: tuple[str, ...] = ("generations",)
    LOSES: tuple[str, ...] = ("quality",)
    MOST = 4
    _RATIOS = ("1:1", "3:4", "4:3", "9:16", "16:9")

    def path(self, model: str, stream: bool) -> str:
        return f"/v1beta/models/{quote(model, safe='')}:predict"

    def render(self, call: Call, asked: ImageRequest, model: str, n: int) -> dict[str, Any]:
        told = {
            "sampleCount": n,
            "aspectRatio": nearest(asked.aspect, self._RATIOS),
            "sampleImageSize": (asked.resolution or "").upper(),
            "outputOptions": {"mimeType": f"image/{asked.output_format}"} if asked.output_format else None,
        }
        return {
            "instances": [{"prompt": asked.prompt}],
            "parameters": {name: value for name, value in told.items() if value},
        }

    def parse_reply(self, call: Call, values: Mapping[str, Any]) -> ImageReply:
        if values.get("error"):
            raise google.fault_in_reply(values["error"])
        rows = shapes.objects(values.get("predictions"))
        found = [picture(row.get("bytesBase64Encoded")) for row in rows]
        made = tuple(one for one in found if one is not None)
        reason = next((row["raiFilteredReason"] for row in rows if isinstance(row.get("raiFilteredReason"), str)), None)
        if not made and (reason is not None or "predictions" not in values):
            told = shapes.clean(reason or "The model made no image of this.", 300)
            raise Fault("request", status=400, message=told, code="filtered")
        return ImageReply(pictures=made)

    fault = staticmethod(google.fault)


XAI_GENERATIONS = XAI("xai-images", "generations")
XAI_EDITS = XAI("xai-images:edits", "edits")
GEMINI = Gemini()
IMAGEN = Imagen()
