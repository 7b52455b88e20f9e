"""Suno as self-hosted proxies offer it: `POST /suno/submit/{music|lyrics}` gives an id, `GET /suno/fetch/{id}` says how
it is. https://github.com/Suno-API/Suno-API.

A song is made in two versions, each a clip of its own; `extend` goes on from one, by the id that its result has.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from ..call import Ask, Call, Fault, Leg, Piece, Reference
from ..dialects import faults, shapes
from ..dialects.openai_chat import errors
from ..dialects.passing import parsed
from ..sse import PING
from .jobs import Alone, At, Job, Request, Result, Seen, addresses, passed_on, percent, typed

ACTIONS = {"song": "/music", "extend": "/music", "lyrics": "/lyrics"}
"""What can be asked for, and where below `/suno/submit`."""

CLIPS = 2
"""Versions that are made of a song."""

_OPEN = {"NOT_START": "queued", "SUBMITTED": "queued", "QUEUED": "queued", "IN_PROGRESS": "in_progress"}
_BACK = frozenset({"notify_hook", "notifyHook", "callback_url"})


class Suno:
    """See `dialects.base.Words` and `jobs.Job`."""

    name = "suno"
    id_prefix = "task_"
    PING = PING
    OWN: tuple[str, ...] = ("models", "provider", "type", "webhook", "webhook_url", "action", "lyrics", "instrumental")
    FAMILY = "audio"

    def path(self, model: str, stream: bool) -> str:
        return "/suno/submit"

    def ask(self, values: Mapping[str, Any]) -> Ask:
        named = values.get("continue_clip_id")
        references = (Reference(kind="clip", id=named, param="continue_clip_id"),) if isinstance(named, str) else ()
        lyrics = values.get("action") == "lyrics"
        makes = (Piece("lyrics", Decimal(1)),) if lyrics else (Piece("song", Decimal(CLIPS)),)
        urls = addresses(values, {*self.OWN, *_BACK})
        return Ask(model=values["model"], limit=0, rigid=True, makes=makes, references=references, urls=urls)

    def encode(self, call: Call, leg: Leg) -> bytes:
        values = call.body.values
        said = passed_on(values, {*self.OWN, *_BACK})
        if values.get("action") != "lyrics":
            said.setdefault("mv", leg.model)
            if isinstance(values.get("lyrics"), str):  # with words of its own a song's prompt is what those are
                said |= {"prompt": values["lyrics"], "tags": values.get("tags") or values.get("prompt")}
            elif "gpt_description_prompt" not in said and values.get("action") != "extend":
                said["gpt_description_prompt"] = said.pop("prompt", "")
            if values.get("instrumental") is not None:
                said["make_instrumental"] = values["instrumental"]
        return shapes.packed(said)

    def begun(self, body: bytes) -> Seen:
        values = parsed(body)
        data = values.get("data")
        identity = data if isinstance(data, str) else shapes.text(shapes.members(data).get("task_id"))
        if values.get("code") == "success" and identity:
            return Seen(status="queued", id=identity)
        if values.get("code") not in (None, "success"):
            told = shapes.text(values.get("message")) or ""
            raise Fault("request", status=400, message=shapes.clean(told, faults.MOST_TEXT))
        raise Fault("malformed")

    def look(self, at: At) -> Request:
        return Request("GET", f"/suno/fetch/{quote(at.id, safe='')}")

    def seen(self, body: bytes, at: At) -> Seen:
        data = shapes.members(parsed(body).get("data"))
        status = str(data.get("status") or "")
        if status in _OPEN:
            return Seen(status=_OPEN[status], progress=percent(data.get("progress")))  # type: ignore[arg-type]
        if status == "FAILURE":
            return Seen(status="failed", error="provider_failed")
        if status != "SUCCESS":
            raise Fault("malformed")
        made = data.get("data")
        if isinstance(made, Mapping):  # lyrics
            said = {name: text for name in ("title", "text") if (text := shapes.text(made.get(name)))}
            return Seen(status="completed", said=said)
        clips = [(one, shapes.text(one.get("audio_url"))) for one in shapes.objects(made)]
        results = tuple(
            Result(url, typed(url, "audio/mpeg"), shapes.short(one.get("id") or one.get("clip_id")))
            for one, url in clips
            if url
        )
        return Seen(status="completed", results=results, made={"song": Decimal(len(results))})

    def cancel(self, at: At) -> Request | None:
        return None

    fault = staticmethod(faults.fault)
    error = staticmethod(errors.error)
    error_frame = staticmethod(errors.error_frame)


SUNO = Suno()
NAMED = {SUNO.name: SUNO}
JOBS: dict[str, Job] = {SUNO.name: SUNO}
CARRIER = Alone(SUNO)
