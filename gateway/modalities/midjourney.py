"""Midjourney as self-hosted proxies offer it: `POST /mj/submit/{action}` gives a number, `GET /mj/task/{id}/fetch` says
how it is. https://github.com/novicezk/midjourney-proxy (docs/api.md) and its successors.

A caller names an action and, for those that work on an earlier picture, `task_id`, the gateway's own id of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from ..call import Ask, Call, Fault, Leg, Piece, Reference
from ..dialects import faults, shapes
from ..dialects.media import from_data_url
from ..dialects.openai_chat import errors
from ..dialects.passing import parsed
from ..sse import PING
from .jobs import Alone, At, Job, Request, Result, Seen, addresses, passed_on, percent, typed

ACTIONS = {
    "imagine": "/imagine", "blend": "/blend", "describe": "/describe", "upscale": "/change", "variation": "/change",
    "reroll": "/change",
}  # fmt: skip
"""What can be asked for, and where below `/mj/submit`."""

WORKING_ON = frozenset({"upscale", "variation", "reroll"})
"""Actions that need an earlier task."""

_BEGUN = frozenset({1, 21, 22})
_FULL, _BANNED = 23, 24
_OPEN = {"NOT_START": "queued", "SUBMITTED": "queued", "MODAL": "in_progress", "IN_PROGRESS": "in_progress"}
_BACK = frozenset({"notifyHook", "notify_hook", "state"})
"""Members that would have the proxy call somebody."""


class Midjourney:
    """See `dialects.base.Words` and `jobs.Job`."""

    name = "midjourney"
    id_prefix = "task_"
    PING = PING
    OWN: tuple[str, ...] = ("models", "provider", "type", "webhook", "webhook_url", "action", "task_id", "images")
    FAMILY = "images"

    def path(self, model: str, stream: bool) -> str:
        return "/mj/submit"

    def ask(self, values: Mapping[str, Any]) -> Ask:
        named = values.get("task_id") if values.get("action") in WORKING_ON else None
        references = (Reference(kind="mj", id=named, param="task_id"),) if isinstance(named, str) else ()
        makes = (Piece("image", Decimal(1)),)
        urls = addresses(values, {*self.OWN, *_BACK})
        return Ask(model=values["model"], limit=0, rigid=True, makes=makes, references=references, urls=urls)

    def encode(self, call: Call, leg: Leg) -> bytes:
        values = call.body.values
        said = passed_on(values, {*self.OWN, *_BACK})
        action = values.get("action") or "imagine"
        if action in WORKING_ON:
            said |= {"action": action.upper(), "taskId": call.theirs.get(values["task_id"], values["task_id"])}
        pictures = [_bare(one) for one in shapes.words(values.get("images"))]
        if pictures:
            said |= {"base64": pictures[0]} if action == "describe" else {"base64Array": pictures}
        return shapes.packed(said)

    def begun(self, body: bytes) -> Seen:
        values = parsed(body)
        code, told = values.get("code"), shapes.text(values.get("description")) or ""
        if code in _BEGUN and isinstance(values.get("result"), str | int):
            return Seen(status="queued", id=str(values["result"]))
        if code == _FULL:
            raise Fault("limited", status=429)
        if code == _BANNED:
            raise Fault("request", status=400, message=shapes.clean(told, faults.MOST_TEXT), code="banned_prompt")
        if isinstance(code, int):
            raise Fault("request", status=400, message=shapes.clean(told, faults.MOST_TEXT))
        raise Fault("malformed")

    def look(self, at: At) -> Request:
        return Request("GET", f"/mj/task/{quote(at.id, safe='')}/fetch")

    def seen(self, body: bytes, at: At) -> Seen:
        values = parsed(body)
        status = str(values.get("status") or "NOT_START")
        if status in _OPEN:
            return Seen(status=_OPEN[status], progress=percent(values.get("progress")))  # type: ignore[arg-type]
        if status in ("FAILURE", "CANCEL"):
            return Seen(status="failed" if status == "FAILURE" else "cancelled", error="provider_failed")
        if status != "SUCCESS":
            raise Fault("malformed")
        if values.get("action") == "DESCRIBE":
            told = shapes.members(values.get("properties")).get("finalPrompt") or values.get("prompt")
            return Seen(status="completed", said={"text": told} if isinstance(told, str) else {})
        urls = [shapes.text(one.get("url")) for one in shapes.objects(values.get("imageUrls"))]
        urls = [*filter(None, urls)] or [*filter(None, (shapes.text(values.get("imageUrl")),))]
        results = tuple(Result(url, typed(url, "image/png")) for url in urls if url)
        return Seen(status="completed", results=results, made={"image": Decimal(1)})

    def cancel(self, at: At) -> Request | None:
        return Request("POST", f"/mj/task/{quote(at.id, safe='')}/cancel")

    fault = staticmethod(faults.fault)
    error = staticmethod(errors.error)
    error_frame = staticmethod(errors.error_frame)


def _bare(picture: str) -> str:
    """A picture as the proxies want it: a data URL; what is only base64 is taken for PNG."""
    return picture if from_data_url(picture) else f"data:image/png;base64,{picture}"


MIDJOURNEY = Midjourney()
NAMED = {MIDJOURNEY.name: MIDJOURNEY}
JOBS: dict[str, Job] = {MIDJOURNEY.name: MIDJOURNEY}
CARRIER = Alone(MIDJOURNEY)
