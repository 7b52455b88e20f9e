"""xAI's videos: `POST /videos/generations` gives a request id, `GET /videos/{request_id}` answers 202 until it is done,
then with an address that stands for itself.

https://docs.x.ai/developers/model-capabilities/video/generation
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import quote

from ...call import Call, Fault, Leg
from ...dialects import shapes
from ...dialects.openai_chat import errors
from ...dialects.passing import parsed
from ..jobs import At, Request, Result, Seen, code, percent
from .request import SECONDS, parse
from .telling import OWN, picture_url

_FAILED = frozenset({"failed", "error", "expired"})


class XAI:
    """See `jobs.Job`."""

    name = "xai-videos"
    FAMILY = "videos"

    def path(self, model: str, stream: bool) -> str:
        return "/videos/generations"

    def encode(self, call: Call, leg: Leg) -> bytes:
        request = parse(call.body.values, OWN)
        said: dict[str, Any] = {
            **request.extras, "model": leg.model, "prompt": request.prompt,
            "duration": _number(request.seconds if request.seconds is not None else Decimal(SECONDS)),
            "resolution": request.quality or "480p",
        }  # fmt: skip
        if request.shape is not None:
            said["aspect_ratio"] = request.shape
        if request.first is not None:
            said["image"] = {"url": picture_url(call, request.first)}
        return shapes.packed(said)

    def begun(self, body: bytes) -> Seen:
        identity = parsed(body).get("request_id")
        if not isinstance(identity, str) or not identity:
            raise Fault("malformed")
        return Seen(status="queued", id=identity)

    def look(self, at: At) -> Request:
        return Request("GET", f"/videos/{quote(at.id, safe='')}")

    def seen(self, body: bytes, at: At) -> Seen:
        values = parsed(body)
        status = values.get("status")
        if status == "pending":
            return Seen(status="in_progress", progress=percent(values.get("progress")))
        if status in _FAILED:
            usual = "expired" if status == "expired" else "provider_failed"
            return Seen(status="failed", error=code(shapes.members(values.get("error")).get("code"), usual))
        video = shapes.members(values.get("video"))
        if video.get("respect_moderation") is False:
            return Seen(status="failed", error="moderation_blocked")
        if not isinstance(video.get("url"), str):
            if values.get("error"):
                raise errors.fault_in_reply(values["error"])
            raise Fault("malformed")
        seconds = shapes.number(video.get("duration"))
        made = {"second": Decimal(str(seconds)), "video": Decimal(1)} if seconds and seconds > 0 else None
        return Seen(status="completed", results=(Result(video["url"], "video/mp4"),), made=made)

    def cancel(self, at: At) -> Request | None:
        return None

    fault = staticmethod(errors.fault)


def _number(seconds: Decimal) -> int | float:
    return int(seconds) if seconds == int(seconds) else float(seconds)
