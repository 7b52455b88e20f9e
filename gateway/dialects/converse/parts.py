"""Blocks of content as parts, and media as blocks.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, assert_never

from ...neutral.parts import Bytes, Citation, FileRef, Media, Part, Reasoning, Seal, Text, ToolCall, Url
from .. import shapes
from ..media import image_type
from ..shapes import dumps, members, objects

NAME = "converse"

_SOUNDS = {"wave": "wav", "x-wav": "wav", "vnd.wave": "wav", "x-m4a": "m4a", "x-flac": "flac"}
_FILMS = {"quicktime": "mov", "x-matroska": "mkv", "x-flv": "flv", "x-ms-wmv": "wmv", "3gpp": "three_gp"}
_DOCUMENTS = {
    "application/pdf": "pdf", "application/msword": "doc", "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/csv": "csv", "text/html": "html", "text/markdown": "md",
}  # fmt: skip
_UNFIT = re.compile(r"[^A-Za-z0-9()\[\]-]+")
_MOST_NAME = 180
"""Letters of a document's name; the vendor takes 200, of which a number may take some."""


def given(block: Mapping[str, Any]) -> Iterator[Part]:
    """The part of a block that a provider's reply has; what no client can be told is left out (Law 3)."""
    match block:
        case {"text": str(text)}:
            yield Text(text=text)
        case {"citationsContent": dict(cited)}:
            text = "".join(one["text"] for one in objects(cited.get("content")) if isinstance(one.get("text"), str))
            found = [citation(one) for one in objects(cited.get("citations"))]
            yield Text(text=text, citations=spanned(found, len(text)))
        case {"reasoningContent": {"reasoningText": {"text": str(text), **rest}}}:
            yield Reasoning(text=text, seal=made_here(rest.get("signature")))
        case {"reasoningContent": {"redactedContent": str(data)}} if data:
            yield Reasoning(text="", redacted=True, seal=made_here(data))
        case {"toolUse": {"toolUseId": str(), "name": str(), **rest} as call}:
            yield begun(call, dumps(rest.get("input") or {}))
        case {"image": {"source": {"bytes": str(data)}, **rest}}:
            yield image(rest.get("format"), data)


def begun(call: Mapping[str, Any], arguments: str = "") -> ToolCall:
    """A call by its block or by the beginning of one."""
    ours = call.get("type") != "server_tool_use"
    return ToolCall(id=call["toolUseId"], name=call["name"], arguments=arguments, ran_by=None if ours else NAME)


def image(kind: Any, data: str) -> Media:
    """An image that the model has made."""
    return Media(kind="image", source=Bytes(base64=data), media_type=f"image/{shapes.text(kind) or 'png'}")


def made_here(value: Any) -> Seal | None:
    """A seal that a provider of this dialect has made."""
    return Seal(origin=NAME, value=value) if isinstance(value, str) and value else None


def citation(one: Mapping[str, Any]) -> Citation:
    """One citation; where in its source it points to stays in `raw`."""
    words = [piece["text"] for piece in objects(one.get("sourceContent")) if isinstance(piece.get("text"), str)]
    source = shapes.text(one.get("source")) or ""
    url = shapes.text(members(members(one.get("location")).get("web")).get("url"))
    return Citation(
        dialect=NAME,
        raw=dumps(one),
        url=url or (source if source.startswith(("https://", "http://")) else None),
        title=shapes.text(one.get("title")),
        quote="".join(words) or None,
    )


def spanned(found: list[Citation], length: int) -> tuple[Citation, ...]:
    """Citations of a block: they are of all its text."""
    return tuple(
        Citation(dialect=NAME, raw=one.raw, url=one.url, title=one.title, quote=one.quote, start=0, end=length)
        for one in found
    )


class Names:
    """Names of documents in one request: in the vendor's letters, and none twice."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def fit(self, given: str | None) -> str:
        stem = (given or "").rpartition(".")[0] or given or ""
        made = fit = _UNFIT.sub(" ", stem).strip()[:_MOST_NAME].strip() or "document"
        number = 1
        while made.lower() in self._used:
            number += 1
            made = f"{fit} {number}"
        self._used.add(made.lower())
        return made


def media(part: Media, names: Names) -> dict[str, Any]:
    """An image, sound, film or document as a block."""
    kind = (part.media_type or "").partition(";")[0].strip().lower()
    short = kind.rpartition("/")[2]
    source = _source(part)
    match part.kind:
        case "image":
            told = image_type(part.source.base64) if isinstance(part.source, Bytes) else None
            form = (told or kind or "image/png").rpartition("/")[2]
            return {"image": {"format": "jpeg" if form == "jpg" else form, "source": source}}
        case "audio":
            return {"audio": {"format": _SOUNDS.get(short, short) or "wav", "source": source}}
        case "video":
            return {"video": {"format": _FILMS.get(short, short) or "mp4", "source": source}}
        case "file":
            form = _document(kind, part.name or "")
            return {"document": {"format": form, "name": names.fit(part.name), "source": source}}
        case _:
            assert_never(part.kind)


def _document(kind: str, name: str) -> str:
    """The vendor's name for a kind of document, by its type or else its ending; all else is taken for text."""
    ending = name.rpartition(".")[2].lower()
    if kind in _DOCUMENTS:
        return _DOCUMENTS[kind]
    return ending if ending in _DOCUMENTS.values() else "txt" if kind else "pdf"


def _source(part: Media) -> dict[str, Any]:
    """The only addresses that the vendor takes are its own, in S3."""
    match part.source:
        case Bytes(base64=data):
            return {"bytes": data}
        case Url(url=address) | FileRef(id=address):
            return {"s3Location": {"uri": address}}
        case _:
            assert_never(part.source)
