"""Google's Veo: `models/{model}:predictLongRunning` gives an operation, `GET /v1beta/{operation}` says how it is, and a
result is a file that wants the key.

https://ai.google.dev/gemini-api/docs/video, https://ai.google.dev/api/rest/v1beta/models/predictLongRunning
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from ...call import Call, Fault, Leg
from ...dialects import shapes
from ...dialects.gemini import errors
from ...dialects.passing import parsed
from ..jobs import At, Request, Result, Seen, percent
from .request import SECONDS, parse
from .telling import OWN, picture_bytes

_NAME = "/v1beta/"


class Veo:
    """See `jobs.Job`."""

    name = "veo"
    FAMILY = "videos"

    def path(self, model: str, stream: bool) -> str:
        return f"/v1beta/models/{quote(model, safe='')}:predictLongRunning"

    def encode(self, call: Call, leg: Leg) -> bytes:
        request = parse(call.body.values, OWN)
        instance: dict[str, Any] = {"prompt": request.prompt}
        for name, media in (("image", request.first), ("lastFrame", request.last)):
            if media is not None:
                kind, data = picture_bytes(call, media)
                instance[name] = {"bytesBase64Encoded": data, "mimeType": kind}
        long = request.seconds if request.seconds is not None else Decimal(SECONDS)
        said = {
            "aspectRatio": request.shape, "resolution": request.quality or None, "durationSeconds": int(long),
            "negativePrompt": request.negative, "seed": request.seed, "generateAudio": request.sound,
            "sampleCount": request.n if request.n > 1 else None,
        }  # fmt: skip
        parameters = {**request.extras, **{name: value for name, value in said.items() if value is not None}}
        return shapes.packed({"instances": [instance], "parameters": parameters})

    def begun(self, body: bytes) -> Seen:
        values = parsed(body)
        if values.get("error"):
            raise errors.fault_in_reply(values["error"])
        name = values.get("name")
        if not isinstance(name, str) or not name or ".." in name:
            raise Fault("malformed")
        return Seen(status="queued", id=name)

    def look(self, at: At) -> Request:
        return Request("GET", _NAME + quote(at.id, safe="/"))

    def seen(self, body: bytes, at: At) -> Seen:
        values = parsed(body)
        if values.get("done") is not True:
            return Seen(
                status="in_progress", progress=percent(shapes.members(values.get("metadata")).get("progressPercent"))
            )
        if values.get("error"):
            return Seen(status="failed", error=_code(shapes.members(values["error"])))
        answer = shapes.members(values.get("response"))
        answer = shapes.members(answer.get("generateVideoResponse")) or answer
        found = shapes.objects(answer.get("generatedSamples")) or shapes.objects(answer.get("generatedVideos"))
        results = tuple(result for one in found if (result := _result(shapes.members(one.get("video")))) is not None)
        if not results:
            filtered = shapes.count(answer.get("raiMediaFilteredCount"))
            return Seen(status="failed", error="moderation_blocked" if filtered else "no_result")
        return Seen(status="completed", results=results)

    def cancel(self, at: At) -> Request | None:
        return None

    fault = staticmethod(errors.fault)


def _result(video: Mapping[str, Any]) -> Result | None:
    kind = shapes.text(video.get("mimeType")) or shapes.text(video.get("encoding")) or "video/mp4"
    data = shapes.text(video.get("encodedVideo")) or shapes.text(video.get("bytesBase64Encoded"))
    if data is not None:
        return Result(f"data:{kind};base64,{data}", kind)
    uri = shapes.text(video.get("uri"))
    return Result(uri, kind) if uri else None


def _code(error: Mapping[str, Any]) -> str:
    """A code of google.rpc.Code by its name."""
    codes = {3: "invalid_argument", 7: "permission_denied", 8: "resource_exhausted", 13: "internal", 14: "unavailable"}
    return codes.get(shapes.whole(error.get("code")) or 0, "provider_failed")
