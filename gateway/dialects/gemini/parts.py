"""The parts of a content, read as neutral words and written from them.

https://ai.google.dev/api/caching#Part. What only Gemini knows (code that it ran, its own tools' steps) stays whole in
an `Opaque`. A signature belongs to the part that it stands on and goes back there, on an empty text too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

from ...neutral.parts import Bytes, FileRef, Media, Opaque, Reasoning, Seal, Text, ToolCall, ToolResult, Url
from .. import shapes
from ..media import sound_type
from ..shapes import dumps, loads, strictly
from .request import FILES_API
from .spelling import level, several

NAME = "gemini"
FILES = "https://generativelanguage.googleapis.com/v1beta/"

_ASIDE = frozenset({"text", "thought", "thoughtSignature", "partMetadata"})
_MADE_ID = "call_gem_"


def made_id(*marks: Any) -> str:
    """An id for a call that came without one: the same for the same marks."""
    digest = hashlib.sha256(dumps(marks).encode("utf-8", "surrogatepass")).hexdigest()
    return _MADE_ID + digest[:24]


def own_id(call_id: str) -> str | None:
    """The id as it goes to Gemini: one that we made was never said there."""
    return None if not call_id or call_id.startswith(_MADE_ID) else call_id


def media(part: Mapping[str, Any]) -> Media | None:
    """The media in a part by the names of `level`, if there are any."""
    match part:
        case {"inlineData": Mapping() as blob}:
            found = level(blob)
            kind = str(found.get("mimeType", ""))
            data = str(found.get("data", "")).replace("-", "+").replace("_", "/")
            return Media(
                kind=_kind(kind), source=Bytes(base64=data), media_type=kind or None, name=found.get("displayName")
            )
        case {"fileData": Mapping() as file}:
            found = level(file)
            uri, kind = str(found.get("fileUri", "")), str(found.get("mimeType", ""))
            uploaded = FILES_API.fullmatch(uri)
            return Media(
                kind=_kind(kind) if kind else "video" if "youtu" in uri[:24] else "file",
                source=FileRef(id=uploaded[1]) if uploaded else Url(url=uri),
                media_type=kind or None,
                name=found.get("displayName"),
            )
    return None


def _kind(media_type: str) -> Literal["image", "audio", "video", "file"]:
    match media_type.partition("/")[0]:
        case "image":
            return "image"
        case "audio":
            return "audio"
        case "video":
            return "video"
        case _:
            return "file"


def opaque(part: Mapping[str, Any], seal: Seal | None) -> Opaque | None:
    """A part that only Gemini knows; None for one that says nothing."""
    for name in part:
        if name not in _ASIDE:
            kept = {key: value for key, value in part.items() if key != "thoughtSignature"}
            return Opaque(dialect=NAME, kind=name, raw=dumps(kept), seal=seal)
    return None


def arguments(call: Mapping[str, Any]) -> str:
    """The arguments of a functionCall as JSON text, by the names of `level`."""
    args = call.get("args")
    return dumps(args if isinstance(args, Mapping) else {})


_TOLD = ("result", "output")
"""Names under which a result is wrapped; Google's own SDKs write both."""


def result(call_id: str, response: Mapping[str, Any], seal: Seal | None) -> ToolResult:
    """A functionResponse, its text taken out of the object that Gemini demands around it."""
    found, is_error = response.get("response"), False
    if isinstance(found, Mapping) and len(found) == 1:
        name, value = next(iter(found.items()))
        if name in _TOLD or name == "error":
            found, is_error = value, name == "error"
    shown: list[Text | Media | Opaque] = []
    if found is not None:
        shown.append(Text(text=found if isinstance(found, str) else dumps(found)))
    for inner in several(response.get("parts")):
        piece = media(level(inner))
        if piece is not None:
            shown.append(piece)
    name = shapes.text(response.get("name"))
    return ToolResult(call_id=call_id, name=name, parts=tuple(shown), is_error=is_error, seal=seal)


def response(part: ToolResult) -> dict[str, Any]:
    """What a tool gave back as the object that Gemini demands."""
    text = "\n".join(inner.text for inner in part.parts if isinstance(inner, Text))
    if part.is_error:
        return {"error": text}
    try:
        found = strictly(text) if text[:1] == "{" else None
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and found.keys() - {"error", *_TOLD}:
        return found
    return {"result": text}


def written(part: Media | Opaque) -> dict[str, Any] | None:
    """Media, or what only Gemini knows, as a part; None for what it cannot say."""
    match part:
        case Media(source=Bytes(base64=data), media_type=kind):
            kind = kind or (sound_type(data) if part.kind == "audio" else _DEFAULTS[part.kind])
            return {"inlineData": {"mimeType": kind, "data": data}}
        case Media(source=Url(url=uri), media_type=kind):
            return {"fileData": {"fileUri": uri, **({"mimeType": kind} if kind else {})}}
        case Media(source=FileRef(id=name), media_type=kind):
            uri = FILES + name if name.startswith("files/") else name
            return {"fileData": {"fileUri": uri, **({"mimeType": kind} if kind else {})}}
        case Opaque(dialect=dialect, raw=raw) if dialect == NAME:
            return loads(raw)
        case _:
            return None


_DEFAULTS = {"image": "image/png", "video": "video/mp4", "file": "application/pdf"}


def call(part: ToolCall, call_id: str | None) -> dict[str, Any]:
    """A call as a part, whole."""
    head = {"id": call_id} if call_id else {}
    return {"functionCall": {**head, "name": part.name, "args": shapes.arguments(part.arguments)}}


def signed(part: dict[str, Any], signature: str | None) -> dict[str, Any]:
    """A part with its signature, if it has one."""
    return part if signature is None else {**part, "thoughtSignature": signature}


def thought(part: Reasoning) -> dict[str, Any]:
    """A thought as a part; one whose text is withheld has none."""
    return {"thought": True} if part.redacted else {"text": part.text, "thought": True}
