"""Files that the gateway keeps, put into the body that names them: each dialect's own way to send a file's bytes
instead of its id. An image goes as one, whatever the part that named it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .media import data_url, text_in


class Held(NamedTuple):
    """A file whole. name: as its owner sent it · media_type: never empty."""

    name: str
    media_type: str
    base64: str

    @property
    def image(self) -> bool:
        return self.media_type.startswith("image/")

    @property
    def url(self) -> str:
        return data_url(self.media_type, self.base64)


Part = dict[str, Any]
Instead = Callable[[Part, Mapping[str, Held]], Part | None]
"""What a part becomes; None where it names no file."""


def _chat(part: Part, held: Mapping[str, Held]) -> Part | None:
    match part:
        case {"type": "file", "file": {"file_id": str(identity)}} if identity in held:
            file = held[identity]
            if file.image:
                return {"type": "image_url", "image_url": {"url": file.url}}
            return {**part, "file": {"filename": file.name, "file_data": file.url}}
    return None


def _responses(part: Part, held: Mapping[str, Held]) -> Part | None:
    match part:
        case {"type": "input_file" | "input_image", "file_id": str(identity)} if identity in held:
            file = held[identity]
            if file.image:
                detail = {"detail": part["detail"]} if "detail" in part else {}
                return {"type": "input_image", **detail, "image_url": file.url}
            return {"type": "input_file", "filename": file.name, "file_data": file.url}
    return None


def _messages(part: Part, held: Mapping[str, Held]) -> Part | None:
    match part:
        case {"type": "image" | "document", "source": {"type": "file", "file_id": str(identity)}} if identity in held:
            file = held[identity]
            source = {"type": "base64", "media_type": file.media_type, "data": file.base64}
            if file.media_type.startswith("text/"):
                source = {"type": "text", "media_type": "text/plain", "data": text_in(file.base64)}
            return {**part, "type": "image" if file.image else "document", "source": source}
    return None


def _gemini(part: Part, held: Mapping[str, Held]) -> Part | None:
    for member in ("fileData", "file_data"):
        named = part.get(member)
        if isinstance(named, dict):
            file = held.get(str(named.get("fileUri") or named.get("file_uri")))
            if file is not None:
                rest = {name: value for name, value in part.items() if name != member}
                return {**rest, "inlineData": {"mimeType": file.media_type, "data": file.base64}}
    return None


def _picture(part: Part, held: Mapping[str, Held]) -> Part | None:
    match part:
        case {"file_id": str(identity)} if identity in held and held[identity].image:
            return {"image_url": held[identity].url}
    return None


WAYS: Mapping[str, tuple[tuple[str, ...], Instead]] = {
    "chat": (("messages",), _chat),
    "responses": (("input",), _responses),
    "messages": (("messages",), _messages),
    "gemini": (("contents",), _gemini),
    "images:edits": (("image", "images", "mask", "markup"), _picture),
    "videos": (("input_reference", "image", "image_url", "last_image"), _picture),
}
"""By dialect: the members of a body in which parts may name files, and what such a part becomes."""


def inlined(dialect: str, values: Mapping[str, Any], held: Mapping[str, Held]) -> dict[str, Any]:
    """The top-level members that change when these files are sent with the body, as they are then."""
    members, instead = WAYS[dialect]
    found = {name: _within(values[name], held, instead) for name in members if name in values}
    return {name: value for name, value in found.items() if value is not values[name]}


def _within(value: Any, held: Mapping[str, Held], instead: Instead) -> Any:
    """A value with its parts replaced; the same object where nothing is."""
    if isinstance(value, dict):
        part = instead(value, held)
        if part is not None:
            return part
        changed = {name: _within(inner, held, instead) for name, inner in value.items()}
        return changed if any(changed[name] is not inner for name, inner in value.items()) else value
    if isinstance(value, list):
        items = [_within(inner, held, instead) for inner in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value
