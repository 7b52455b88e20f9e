"""OpenAI's words for images, which clients speak and many providers take: JSON or forms, whole or streamed.

https://platform.openai.com/docs/api-reference/images. Between equal words bytes pass (Law 1), but that addresses of
the provider's become ours, and `response_format`, which the gateway itself heeds, is not told to models that refuse it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ...bodies import Body, Form, Upload
from ...call import Ask, Call, Leg, Meter
from ...dialects import shapes
from ...dialects.openai_chat import errors
from ...dialects.passing import Passing, for_leg, parsed, scanned
from ...neutral.reply import Usage
from ...splice import Scan, edit
from ...sse import PING, Event, write
from . import reply, request

_EVENTS = {"generations": "image_generation", "edits": "image_edit", "variations": "image_edit"}


class OpenAI:
    """One of its three paths."""

    id_prefix = "img_"
    PING = PING
    OWN = request.OWN

    def __init__(self, name: str, kind: request.Kind) -> None:
        self.name, self.kind = name, kind

    def path(self, model: str, stream: bool) -> str:
        return f"/images/{self.kind}"

    def ask(self, values: Mapping[str, Any]) -> Ask:
        return request.ask(self.kind, values)

    def passed(self, call: Call, leg: Leg) -> Body:
        """The caller's bytes, or his form, for a leg of the same words."""
        changes = for_leg(call, leg, self.OWN)
        if request.GPT.search(leg.model) and "response_format" in call.body.values:
            changes["response_format"] = None
        if call.body.members:
            return edit(call.body, changes)
        return Form(list(_fields({**call.body.values, "model": leg.model}, changes)), mark(call))

    fault = staticmethod(errors.fault)
    error = staticmethod(errors.error)
    error_frame = staticmethod(errors.error_frame)


def mark(call: Call) -> str:
    """What stands between the parts of a call's form: nobody can guess it, and it tells nothing of the call."""
    return hashlib.sha256(call.id.encode()).hexdigest()[:40]


def _fields(values: Mapping[str, Any], changes: Mapping[str, str | None]) -> Iterator[tuple[str, str | Upload]]:
    for name, value in values.items():
        if value is None or (name in changes and changes[name] is None):
            continue
        several = value if isinstance(value, list) else [value]
        told = f"{name}[]" if isinstance(value, list) and len(value) > 1 else name
        for one in several:
            yield told, one if isinstance(one, str | Upload) else json.dumps(one)


def rows(values: Mapping[str, Any]) -> Any:
    """The images of a provider's answer. Raises Fault when it is an error."""
    if values.get("error"):
        raise errors.fault_in_reply(values["error"])
    return values.get("data")


def parse_reply(call: Call, values: Mapping[str, Any]) -> reply.ImageReply:
    return reply.ImageReply(
        pictures=reply.pictures(rows(values), call.copied),
        usage=reply.tokens(values.get("usage")),
        quality=shapes.text(values.get("quality")),
        upstream_id=shapes.short(values.get("id")),
    )


def renamed(call: Call, leg: Leg, found: Scan, made: reply.ImageReply) -> bytes:
    """A provider's answer with our id and our addresses. What it says of our own costs there is nobody's business."""
    data = shapes.packed(reply.shown(call, leg, made.pictures)).decode()
    changes: dict[str, str | None] = {"id": json.dumps(call.id), "data": data}
    if "model" in found.values:
        changes["model"] = json.dumps(call.model, ensure_ascii=False)
    if "created" not in found.values:
        changes["created"] = str(call.created_ms // 1000)
    if "usage" in found.values and made.usage is None:
        changes["usage"] = None
    return edit(found, changes)


def render_reply(call: Call, leg: Leg, made: reply.ImageReply) -> dict[str, Any]:
    """An answer in these words."""
    return {
        "id": call.id, "created": call.created_ms // 1000, "data": reply.shown(call, leg, made.pictures),
        **reply.counted(made.usage),
    }  # fmt: skip


def completed(call: Call, kind: request.Kind, one: reply.Picture, usage: Mapping[str, Any]) -> bytes:
    """The event of an image that is done."""
    name = f"{_EVENTS[kind]}.completed"
    form = one.look.media_type.partition("/")[2]
    values = {
        "type": name, "b64_json": base64.b64encode(one.data).decode(), "created_at": call.created_ms // 1000,
        "size": f"{one.look.width}x{one.look.height}", "quality": call.body.values.get("quality") or "auto",
        "background": call.body.values.get("background") or "auto", "output_format": form, **usage,
    }  # fmt: skip
    return write(shapes.packed(values), name)


class Feed(Passing):
    """A streamed answer: images that are not done yet, and those that are; the last of these ends it."""

    def __init__(self, call: Call, leg: Leg, kind: request.Kind) -> None:
        super().__init__(call)
        self._leg, self._kind = leg, kind
        self._done = 0
        self._usages: list[Usage | None] = []

    def plain(self, frame: bytes) -> bytes | None:
        return None

    def put(self, frame: bytes, *, binds: bool = True) -> None:
        self.spoke, self.bound = True, True
        self.out.append(frame)  # it is no text, so there is nothing to measure

    def take(self, frame: bytes, event: Event) -> None:
        if event.data == b"[DONE]":
            return
        values = parsed(event.data or b"")
        if values.get("error") or values.get("type") == "error":
            raise errors.fault_in_reply(values.get("error") or values)
        if not str(values.get("type", "")).endswith(".completed"):
            self.put(frame)
            return
        one = reply.picture(values.get("b64_json"))
        made = reply.ImageReply(
            pictures=(one,) if one is not None else (),
            usage=self._counted(values.get("usage")),
            quality=shapes.text(values.get("quality")),
        )
        reply.measure(self.call, self._leg, made, self.meter, self._done)
        self._done += 1
        if self._done == self.call.ask.n:
            self.bound = True
            self.finish(frame)
        else:
            self.put(frame)

    def _counted(self, usage: Any) -> Usage | None:
        """The tokens of all images so far."""
        self._usages.append(reply.tokens(usage))
        return reply.summed(self._usages)

    def take_whole(self, values: dict[str, Any]) -> list[bytes]:
        return whole_frames(self.call, self._leg, self._kind, parse_reply(self.call, values), self.meter)

    def complete(self) -> bool:
        return self._done > 0


def whole_frames(call: Call, leg: Leg, kind: request.Kind, made: reply.ImageReply, meter: Meter) -> list[bytes]:
    """The events of an answer that did not come as a stream. Raises Fault where it has no image."""
    reply.measure(call, leg, made, meter)
    usage = reply.counted(made.usage)
    last = len(made.pictures) - 1
    return [completed(call, kind, one, usage if place == last else {}) for place, one in enumerate(made.pictures)]


GENERATIONS = OpenAI("images", "generations")
EDITS = OpenAI("images:edits", "edits")
VARIATIONS = OpenAI("images:variations", "variations")


def scanned_reply(call: Call, leg: Leg, body: bytes, meter: Meter) -> bytes:
    """A whole answer of the same words for the client; fills the meter. Raises Fault."""
    found = scanned(body)
    made = parse_reply(call, found.values)
    reply.measure(call, leg, made, meter)
    return renamed(call, leg, found, made)
