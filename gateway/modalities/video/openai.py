"""OpenAI's videos, as client words and as a provider's: `POST /videos`, `GET /videos/{id}`, `…/content`.

https://platform.openai.com/docs/api-reference/videos. The sandbox and OpenAI-compatible servers speak the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from ...bodies import Body, Form, Upload
from ...call import Ask, Call, Fault, Leg
from ...dialects import shapes
from ...dialects.openai_chat import errors
from ...dialects.passing import parsed
from ...dialects.scale import Scale
from ...neutral.parts import Media, Url
from ...splice import edit
from ...sse import PING
from ..jobs import At, Request, Result, Seen, code, percent
from .request import OPENAIS, parse, pictures, pieces

MODEL = "openai/sora-2"
"""What is meant where a client of OpenAI's names no model."""

VARIANTS = ("thumbnail", "spritesheet")
"""Pictures of a video that its provider has beside it."""

_STATUS = {
    "queued": "queued", "in_progress": "in_progress", "processing": "in_progress", "running": "in_progress",
    "completed": "completed", "succeeded": "completed", "failed": "failed", "cancelled": "cancelled",
    "canceled": "cancelled", "expired": "failed", "rejected": "failed",
}  # fmt: skip
"""OpenAI's words, and those that servers of the same API use."""


class OpenAI:
    """See `dialects.base.Words` and `jobs.Job`."""

    name = "videos"
    id_prefix = "vid_"
    PING = PING
    OWN: tuple[str, ...] = ("models", "provider", "type", "webhook", "webhook_url", "remix")
    FAMILY = "videos"
    PATH = "/videos"
    MEDIA_TYPE = "video/mp4"

    def path(self, model: str, stream: bool) -> str:
        return self.PATH

    def ask(self, values: Mapping[str, Any]) -> Ask:
        request = parse(values, self.OWN)
        scale = Scale()
        source = values.get("remix")  # the path says so: no body has it
        if isinstance(source, str):
            scale.refer("video", source, "id")
        for field, one in pictures(values):
            if isinstance(one.source, Url):
                scale.fetched(one.source.url, field)
        plain = {"model", "prompt", "negative_prompt", "user", *self.OWN}
        scale.search({name: value for name, value in values.items() if name not in plain}, "", loose=True)
        return Ask(
            model=values.get("model") or MODEL, limit=0, rigid=True, makes=pieces(request), urls=tuple(scale.urls),
            references=tuple(scale.references),
        )  # fmt: skip

    def encode(self, call: Call, leg: Leg) -> Body:
        """The caller's bytes, or fields of a form, where every member is OpenAI's own; else what of it OpenAI can be
        told, and what only the provider may know."""
        values = call.body.values
        if not call.body.text:
            return _form(call, leg, self.OWN)
        changes: dict[str, str | None] = {name: None for name in self.OWN if name in values}
        if call.below:  # what is begun from another video has its model
            return edit(call.body, changes)
        changes["model"] = json.dumps(leg.model)
        if values.keys() <= OPENAIS | set(self.OWN) and not isinstance(values.get("seconds"), int | float):
            return edit(call.body, changes)
        request = parse(values, self.OWN)
        said: dict[str, Any] = {"model": leg.model, "prompt": request.prompt}
        if request.seconds is not None:
            said["seconds"] = f"{request.seconds:f}"
        if request.size is not None:
            said["size"] = f"{request.size[0]}x{request.size[1]}"
        if values.get("input_reference") is not None:
            said["input_reference"] = values["input_reference"]
        elif isinstance(request.first, Media) and isinstance(request.first.source, Url):
            said["input_reference"] = {"image_url": request.first.source.url}
        others = {name: value for name, value in values.items() if name not in OPENAIS and name not in self.OWN}
        return shapes.packed({**others, **said})

    def begun(self, body: bytes) -> Seen:
        values = parsed(body)
        seen = self._seen(values)
        identity = values.get("id")
        if not isinstance(identity, str) or not identity:
            raise Fault("malformed")
        return replace(seen, id=identity, facts=_facts(values))

    def look(self, at: At) -> Request:
        return Request("GET", f"{self.PATH}/{quote(at.id, safe='')}")

    def seen(self, body: bytes, at: At) -> Seen:
        return self._seen(parsed(body), at.id)

    def _seen(self, values: Mapping[str, Any], identity: str | None = None) -> Seen:
        if isinstance(values.get("error"), Mapping) and "status" not in values:
            raise errors.fault_in_reply(values["error"])
        status = _STATUS.get(str(values.get("status")).lower())
        if status is None:
            raise Fault("malformed")
        if status == "failed":
            return Seen(status="failed", error=code(shapes.members(values.get("error")).get("code")))
        if status != "completed":
            return Seen(status=status, progress=percent(values.get("progress")))  # type: ignore[arg-type]
        results = tuple(self._results(values, identity or str(values.get("id"))))
        return Seen(
            status="completed", results=results, made=_made(values, len(results)), facts=_facts(values)
        )  # fmt: skip

    def _results(self, values: Mapping[str, Any], identity: str) -> list[Result]:
        """Servers that say how many results there are number them; OpenAI has one."""
        count = shapes.count(values.get("results")) or 1
        where = f"{self.PATH}/{quote(identity, safe='')}/content"
        return [Result(where if place == 0 else f"{where}?index={place}", self.MEDIA_TYPE) for place in range(count)]

    def variant(self, at: At, name: str) -> Request:
        """Where pictures of a video are; name: one of VARIANTS."""
        return Request("GET", f"{self.PATH}/{quote(at.id, safe='')}/content?variant={name}")

    def cancel(self, at: At) -> Request | None:
        return None  # a video that is being made cannot be deleted there

    fault = staticmethod(errors.fault)
    error = staticmethod(errors.error)
    error_frame = staticmethod(errors.error_frame)


def _facts(values: Mapping[str, Any]) -> dict[str, str]:
    """How long and how large it is, as the provider says."""
    found = {name: shapes.short(str(values[name])) for name in ("seconds", "size") if values.get(name) is not None}
    return {name: value for name, value in found.items() if value}


def _form(call: Call, leg: Leg, own: tuple[str, ...]) -> Form:
    """The caller's form with the provider's name for the model, and without what is the gateway's; what is begun from
    another video has its model. Nobody but the caller knows the call's id yet, so no file holds the boundary."""
    parts: list[tuple[str, str | Upload]] = [] if call.below else [("model", leg.model)]
    for name, value in call.body.values.items():
        if name == "model" or name in own or value is None:
            continue
        if isinstance(value, Mapping):
            parts += [
                (f"{name}[{inner}]", one if isinstance(one, str) else shapes.dumps(one)) for inner, one in value.items()
            ]
            continue
        several = value if isinstance(value, list) else [value]
        for one in several:
            plain = isinstance(one, str | Upload)
            parts.append((name if one is value else f"{name}[]", one if plain else shapes.dumps(one)))
    return Form(parts, f"form-{call.id}")


def _made(values: Mapping[str, Any], count: int) -> dict[str, Decimal] | None:
    seconds = values.get("seconds")
    if isinstance(seconds, str | int | float) and not isinstance(seconds, bool):
        try:
            long = Decimal(str(seconds))
        except ArithmeticError:
            return None
        if long.is_finite() and long > 0:
            return {"second": long * count, "video": Decimal(count)}
    return None
