"""Blocks of content as parts, and parts as blocks (https://platform.claude.com/docs/en/api/messages).

What a block says that no part can hold makes it Opaque: only this dialect can say it again.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, assert_never

from ...neutral.parts import (
    Bytes,
    Cache,
    Citation,
    FileRef,
    Media,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Url,
)
from .. import seals, shapes
from ..media import image_type, text_in
from ..shapes import arguments, dumps, loads, objects

NAME = "messages"


def cache_of(block: Mapping[str, Any]) -> Cache | None:
    """The mark of a block or tool, `cache_control`, as how long its prefix is to be kept."""
    mark = block.get("cache_control")
    if not isinstance(mark, dict):
        return None
    return "1h" if mark.get("ttl") == "1h" else "5m"


def cache_control(cache: Cache) -> dict[str, str]:
    """The mark as the vendor wants it; five minutes are its default."""
    return {"type": "ephemeral", "ttl": "1h"} if cache == "1h" else {"type": "ephemeral"}


def opaque(block: Mapping[str, Any]) -> Opaque:
    """A block that only this dialect can say."""
    return Opaque(dialect=NAME, kind=str(block.get("type", "")), raw=dumps(block))


def content(value: Any) -> Iterator[Part]:
    """The parts of a message that a client sent."""
    if isinstance(value, str):
        yield Text(text=value)
    for block in value if isinstance(value, list) else ():
        if isinstance(block, dict) and isinstance(block.get("type"), str):
            yield from _sent(block)


def _sent(block: Mapping[str, Any]) -> Iterator[Part]:
    cache = cache_of(block)
    match block:
        case {"type": "text", "text": str(text)}:
            yield Text(text=text, citations=tuple(citations(block.get("citations"))), cache=cache)
        case {"type": "image"}:
            yield _media("image", block)
        case {"type": "document"}:
            if isinstance(block.get("context"), str) and block["context"]:
                yield Text(text=block["context"])
            yield _media("file", block)
        case {"type": "thinking", "thinking": str(text)}:
            yield Reasoning(text=text, seal=_kept(block.get("signature")))
        case {"type": "redacted_thinking"}:
            yield Reasoning(text="", redacted=True, seal=_kept(block.get("data")))
        case {"type": "tool_use", "id": str(call_id), "name": str(name)} if _plain(block):
            yield ToolCall(id=call_id, name=name, arguments=dumps(block.get("input") or {}), cache=cache)
        case {"type": "tool_result", "tool_use_id": str(call_id)} if _plain(block):
            inner = tuple(part for part in content(block.get("content")) if isinstance(part, Text | Media | Opaque))
            yield ToolResult(call_id=call_id, parts=inner, is_error=block.get("is_error") is True, cache=cache)
        case _:
            yield opaque(block)


def _plain(block: Mapping[str, Any]) -> bool:
    """Whether a call or its result is a matter between model and caller, not of a toolset or of code that calls."""
    caller = block.get("caller")
    direct = not isinstance(caller, dict) or caller.get("type") == "direct"
    return direct and block.get("toolset_name") is None


def _kept(value: Any) -> Seal | None:
    return seals.unwrap(value, NAME) if isinstance(value, str) and value else None


def _media(kind: Any, block: Mapping[str, Any]) -> Part:
    name, cache = shapes.text(block.get("title")) or None, cache_of(block)
    match block.get("source"):
        case {"type": "base64", "data": str(data), **rest}:
            told = shapes.text(rest.get("media_type"))
            return Media(kind=kind, source=Bytes(base64=data), media_type=told, name=name, cache=cache)
        case {"type": "text", "data": str(text)} | {"type": "content", "content": str(text)}:
            source = Bytes(base64=base64.b64encode(text.encode("utf-8", "replace")).decode())
            return Media(kind=kind, source=source, media_type="text/plain", name=name, cache=cache)
        case {"type": "url", "url": str(url)}:
            return Media(kind=kind, source=Url(url=url), name=name, cache=cache)
        case {"type": "file", "file_id": str(file_id)}:
            return Media(kind=kind, source=FileRef(id=file_id), name=name, cache=cache)
        case _:
            return opaque(block)


def citations(found: Any) -> Iterator[Citation]:
    """The citations of a block of text, whichever of the vendor's kinds they are of."""
    yield from map(citation, objects(found))


def spanned(found: Iterable[Citation], length: int) -> tuple[Citation, ...]:
    """Citations of a block that a provider has made: they are of all its text."""
    return tuple(replace(one, start=0, end=length) for one in found)


def citation(one: Mapping[str, Any]) -> Citation:
    """One citation; what it points into is told by its kind, which stays in `raw`."""

    def text(*names: str) -> str | None:
        return next((one[name] for name in names if isinstance(one.get(name), str)), None)

    return Citation(
        dialect=NAME,
        raw=dumps(one),
        url=text("url", "source"),
        title=text("title", "document_title"),
        quote=text("cited_text"),
    )


def render_citation(one: Citation) -> dict[str, Any] | None:
    """A citation for a client. Another dialect's address is told as a found page's, without the mark that only the
    vendor's own search gives it; what has no address cannot be said."""
    if one.dialect == NAME:
        return loads(one.raw)
    if one.url is None:
        return None
    return {
        "type": "web_search_result_location", "url": one.url, "title": one.title, "cited_text": one.quote or "",
        "encrypted_index": "",
    }  # fmt: skip


def provable(one: Citation) -> bool:
    """Whether the vendor takes a citation back."""
    return one.dialect == NAME and '"encrypted_index":""' not in one.raw


def given(block: Mapping[str, Any]) -> Part:
    """The part of a block that a provider's reply has."""
    match block:
        case {"type": "text", "text": str(text)}:
            return Text(text=text, citations=spanned(citations(block.get("citations")), len(text)))
        case {"type": "thinking", "thinking": str(text)}:
            return Reasoning(text=text, seal=made_here(block.get("signature")))
        case {"type": "redacted_thinking"}:
            return Reasoning(text="", redacted=True, seal=made_here(block.get("data")))
        case {"type": "tool_use", "id": str(call_id), "name": str(name)}:
            return ToolCall(id=call_id, name=name, arguments=dumps(block.get("input") or {}))
        case {"type": "server_tool_use", "id": str(call_id), "name": str(name)}:
            return ToolCall(id=call_id, name=name, arguments=dumps(block.get("input") or {}), ran_by=NAME)
        case _:
            return opaque(block)


def made_here(value: Any) -> Seal | None:
    """A seal that a provider of this dialect has made."""
    return Seal(origin=NAME, value=value) if isinstance(value, str) and value else None


def render_media(part: Media) -> dict[str, Any]:
    """An image or a document as a block."""
    block: dict[str, Any] = {"type": "image" if part.kind == "image" else "document", "source": _source(part)}
    if part.kind != "image" and part.name:
        block["title"] = part.name
    return block


def _source(part: Media) -> dict[str, Any]:
    match part.source:
        case Url(url=url):
            return {"type": "url", "url": url}
        case FileRef(id=file_id):
            return {"type": "file", "file_id": file_id}
        case Bytes(base64=data):
            media_type = (part.media_type or "").partition(";")[0].strip()
            if part.kind == "image":
                return {"type": "base64", "media_type": image_type(data) or media_type or "image/png", "data": data}
            if media_type.startswith("text/"):
                return {"type": "text", "media_type": "text/plain", "data": text_in(data)}
            return {"type": "base64", "media_type": media_type or "application/pdf", "data": data}
        case _:
            assert_never(part.source)


def said(part: Part) -> dict[str, Any] | None:
    """The block of a part of a reply, for a client; None for what it cannot be told (Law 3)."""
    match part:
        case Text(text=text, citations=found):
            if not text:
                return None
            block: dict[str, Any] = {"type": "text", "text": text}
            told = [one for one in map(render_citation, found) if one is not None]
            return {**block, "citations": told} if told else block
        case Reasoning(redacted=True, seal=seal):
            return {"type": "redacted_thinking", "data": seals.wrap(seal, NAME)} if seal is not None else None
        case Reasoning(text=text, seal=seal):
            if not text and seal is None:
                return None
            signature = seals.wrap(seal, NAME) if seal is not None else ""
            return {"type": "thinking", "thinking": text, "signature": signature}
        case ToolCall(id=call_id, name=name, arguments=text, ran_by=ran_by):
            if ran_by not in (None, NAME):
                return None
            kind = "tool_use" if ran_by is None else "server_tool_use"
            return {"type": kind, "id": call_id, "name": name, "input": arguments(text)}
        case Refusal(text=text):
            return {"type": "text", "text": text} if text else None
        case Opaque(dialect=dialect, raw=raw):
            return loads(raw) if dialect == NAME else None
        case Media() | ToolResult():
            return None
        case _:
            assert_never(part)
