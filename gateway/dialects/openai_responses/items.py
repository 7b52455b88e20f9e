"""The items that input and output are made of, and what they mean in neutral words.

An assistant's turn is several items: thoughts, messages, calls. A call is named by `call_id`; `id` names the item.
Items that only this dialect knows (searches, programs, approvals that the provider ran) stay whole, as Opaque.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...neutral.parts import (
    Bytes,
    Citation,
    FileRef,
    Logprob,
    Media,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolCall,
    Url,
)
from .. import shapes
from ..media import data_url, from_data_url, sound_format
from ..seals import MARK, unwrap, wrap
from ..shapes import dumps, listed, loads, objects

NAME = "responses"
UNSEALED = f"{MARK}."
"""Stands for the encrypted content of a thought that another dialect made without a seal: no provider of this one may
take it for a thought of its own and look it up by its id."""

_WITHHELD = "withheld."
"""Stands before another dialect's seal of a thought whose text it withholds; one without text is not the same there."""

_MADE = re.compile(r"[a-z]+_gw_")
_NAMED = re.compile(r"([a-z]+_[A-Za-z0-9_-]+)\.(.*)", re.DOTALL)


def made_id(prefix: str, reply_id: str, number: int) -> str:
    """An id of ours for an item of a translated reply."""
    return f"{prefix}_gw_{reply_id.rpartition('_')[2]}_{number}"


def seal_of(item: Mapping[str, Any]) -> Seal | None:
    """A thought's encrypted content, with the item's own id before it: its maker gets exactly its item back."""
    value, identity = item.get("encrypted_content"), item.get("id")
    if not isinstance(value, str) or value in ("", UNSEALED):
        return None
    if isinstance(identity, str) and not _MADE.match(identity) and _NAMED.fullmatch(f"{identity}."):
        value = f"{identity}.{value}"
    return Seal(origin=NAME, value=value)


def trace(item: Mapping[str, Any]) -> str | None:
    """What tells a thought that the account which made it has encrypted; None for any other item. Clients keep its
    content and may leave its id out."""
    value = item.get("encrypted_content")
    if not isinstance(value, str) or not value or value.startswith(MARK):
        return None
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def sealed(seal: Seal) -> dict[str, str]:
    """The members of a reasoning item that hold a seal, for its maker."""
    found = _NAMED.fullmatch(seal.value)
    return {"id": found[1], "encrypted_content": found[2]} if found else {"encrypted_content": seal.value}


def wrapped(thought: Reasoning, seal: Seal) -> str:
    """The encrypted content of a thought for a client."""
    if thought.redacted and seal.origin != NAME:
        seal = replace(seal, value=_WITHHELD + seal.value)
    return wrap(seal, NAME)


def foreign(item: Mapping[str, Any], value: str) -> Reasoning | None:
    """A thought of another dialect, as a client has kept it."""
    seal = unwrap(value, NAME)
    redacted = seal.value.startswith(_WITHHELD)
    thought = reasoning(item, replace(seal, value=seal.value.removeprefix(_WITHHELD)))
    return replace(thought, redacted=redacted) if thought is not None else None


def reasoning(item: Mapping[str, Any], seal: Seal | None) -> Reasoning | None:
    """A thought: its own text if told, else the summary of it, else only its seal; None if there is nothing at all."""
    for name, summary in (("content", False), ("summary", True)):
        texts = [piece.get("text") for piece in objects(item.get(name))]
        text = "\n\n".join(shapes.words(texts))
        if text:
            return Reasoning(text=text, summary=summary, seal=seal)
    return Reasoning(text="", redacted=True, seal=seal) if seal is not None else None


def said_parts(content: Any) -> Iterator[Text | Refusal]:
    """The content of an assistant's message."""
    if isinstance(content, str):
        yield Text(text=content)
    for part in listed(content):
        match part:
            case {"type": "output_text" | "input_text" | "text", "text": str(text)}:
                yield Text(
                    text=text,
                    citations=tuple(citations(part.get("annotations"))),
                    logprobs=tuple(logprobs(part.get("logprobs"))),
                )
            case {"type": "refusal", "refusal": str(text)}:
                yield Refusal(text=text)


def output_parts(item: Mapping[str, Any]) -> Iterator[Part]:
    """What one item of a provider's output means."""
    match item:
        case {"type": "message"}:
            yield from said_parts(item.get("content"))
        case {"type": "reasoning"}:
            thought = reasoning(item, seal_of(item))
            if thought is not None:
                yield thought
        case {"type": "function_call" | "custom_tool_call"}:
            yield call_of(item)
        case {"type": "image_generation_call", "result": str(data)} if data:
            yield image_of(item, data)
        case {"type": str(kind)}:
            yield Opaque(dialect=NAME, kind=kind, raw=dumps(item))


def spaced(space: str, name: str) -> str:
    """The one name of a tool that stands in a namespace: other dialects know no namespaces."""
    return f"{space}__{name}"


def call_of(item: Mapping[str, Any], spaces: frozenset[str] = frozenset()) -> ToolCall:
    """A call of a tool of the caller's. `call_id` is what a result must quote, never `id`. spaces: the namespaces that
    the caller has declared; a provider makes up others."""
    custom = item.get("type") == "custom_tool_call"
    arguments = item.get("input" if custom else "arguments")
    name, space = str(item.get("name", "")), str(item.get("namespace"))
    if not isinstance(arguments, str):  # seen: an object
        arguments = dumps(arguments) if arguments is not None else ""
    return ToolCall(
        id=str(item.get("call_id") or item.get("id") or ""),
        name=spaced(space, name) if space in spaces else name,
        arguments=arguments,
        custom=custom,
    )


def image_of(item: Mapping[str, Any], data: str) -> Media:
    """The picture that the provider's own tool has made; data: its `result`."""
    kind = shapes.text(item.get("output_format")) or "png"
    return Media(kind="image", source=Bytes(base64=data), media_type=f"image/{kind}")


def citations(annotations: Any) -> Iterator[Citation]:
    """The annotations of a text as citations, whatever they point to."""
    for annotation in objects(annotations):
        yield Citation(
            dialect=NAME,
            raw=dumps(annotation),
            url=shapes.text(annotation.get("url")),
            title=shapes.text(annotation.get("title")) or shapes.text(annotation.get("filename")),
            start=shapes.whole(annotation.get("start_index")),
            end=shapes.whole(annotation.get("end_index")),
        )


def annotation(citation: Citation, text: str) -> dict[str, Any] | None:
    """A citation as an annotation of a text; None for what has no address and was made elsewhere."""
    if citation.dialect == NAME:
        return loads(citation.raw)
    if citation.url is None:
        return None
    return {
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title or "",
        "start_index": citation.start or 0,
        "end_index": citation.end if citation.end is not None else len(text),
    }


def logprobs(found: Any) -> Iterator[Logprob]:
    """The log probabilities of a text or delta, or of a token's alternatives."""
    for one in listed(found):
        match one:
            case {"token": str(token), "logprob": int() | float() as value}:
                top = tuple((other.token, other.logprob) for other in logprobs(one.get("top_logprobs")))
                yield Logprob(token=token, logprob=float(value), top=top)


def render_logprob(one: Logprob) -> dict[str, Any]:
    """One token as OpenAI tells it, its bytes too."""
    return {**_likely(one.token, one.logprob), "top_logprobs": [_likely(token, value) for token, value in one.top]}


def _likely(token: str, value: float) -> dict[str, Any]:
    return {"token": token, "logprob": value, "bytes": list(token.encode("utf-8", "surrogatepass"))}


def media(part: Mapping[str, Any]) -> Media | None:
    """An image, file or sound of the input; None for what has none of their shapes."""
    match part:
        case {"type": "input_image"}:
            kind, source, media_type = "image", *_source(part.get("image_url"), part.get("file_id"), None)
            detail = part.get("detail")
        case {"type": "input_file"}:
            data = part.get("file_data")
            kind, source, media_type = "file", *_source(part.get("file_url"), part.get("file_id"), data)
            detail = part.get("detail")
        case {"type": "input_audio", "input_audio": {"data": str(data), **rest}}:
            kind, source, media_type = "audio", Bytes(base64=data), f"audio/{rest.get('format', 'wav')}"
            detail = None
        case _:
            return None
    if source is None:
        return None
    return Media(
        kind=kind,  # type: ignore[arg-type]
        source=source,
        media_type=media_type,
        name=shapes.text(part.get("filename")),
        detail=detail if isinstance(detail, str) and detail != "auto" else None,
    )


def _source(url: Any, file_id: Any, data: Any) -> tuple[Bytes | Url | FileRef | None, str | None]:
    if isinstance(data, str):
        return from_data_url(data) or (Bytes(base64=data), None)
    if isinstance(url, str):
        return from_data_url(url) or (Url(url=url), None)
    return (FileRef(id=file_id), None) if isinstance(file_id, str) else (None, None)


def render_media(part: Media) -> dict[str, Any]:
    """A part of the input."""
    source = part.source
    if part.kind == "image":
        detail = {"detail": part.detail or "auto"}
        match source:
            case Bytes(base64=data):
                return {"type": "input_image", **detail, "image_url": data_url(part.media_type or "image/png", data)}
            case Url(url=url):
                return {"type": "input_image", **detail, "image_url": url}
            case FileRef(id=file_id):
                return {"type": "input_image", **detail, "file_id": file_id}
    if part.kind == "audio" and isinstance(source, Bytes):
        sound = {"data": source.base64, "format": sound_format(part.media_type)}
        return {"type": "input_audio", "input_audio": sound}
    detail = {"detail": part.detail} if part.detail else {}
    match source:
        case Bytes(base64=data):
            kind = part.media_type or "application/pdf"
            name = part.name or f"file.{_ENDINGS.get(kind, kind.rpartition('/')[2])}"
            return {"type": "input_file", **detail, "filename": name, "file_data": data_url(kind, data)}
        case Url(url=url):
            return {"type": "input_file", **detail, "file_url": url}
        case FileRef(id=file_id):
            return {"type": "input_file", **detail, "file_id": file_id}


_ENDINGS = {"text/plain": "txt", "text/markdown": "md", "application/octet-stream": "bin"}
