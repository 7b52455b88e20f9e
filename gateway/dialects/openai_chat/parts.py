"""The parts of Chat messages, alike in requests and replies: content, tool calls, citations, log probabilities."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...neutral.parts import (
    Bytes,
    Cache,
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
from .. import seals, shapes
from ..media import data_url, from_data_url, image_type, sound_format, text_in
from ..shapes import dumps, listed, members
from .thoughts import NAME, THINKING, named

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def parse_content(content: Any) -> Iterator[Part]:
    """The parts of a message's content: a text, or a list of objects; what nobody knows stays opaque."""
    if isinstance(content, str):
        if content:
            yield Text(text=content)
        return
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str):
            yield Text(text=part)
        elif isinstance(part, dict) and isinstance(part.get("type"), str):
            yield _parse_part(part, cache(part))


def _parse_part(part: Mapping[str, Any], mark: Cache | None) -> Part:
    match part:
        case {"type": "text", "text": str(text)}:
            return Text(text=text, cache=mark)
        case {"type": "refusal", "refusal": str(text)}:
            return Refusal(text=text, cache=mark)
        case {"type": "thinking", "thinking": str(text)}:
            return Reasoning(text=text, cache=mark, seal=named([THINKING]))
        case {"type": "thinking", "thinking": list(inner)}:
            text = "".join(piece.text for piece in parse_content(inner) if isinstance(piece, Text))
            return Reasoning(text=text, cache=mark, seal=named([THINKING]))
        case {"type": "image_url", "image_url": {"url": str(url), **rest}}:
            return media("image", url, detail=_text(rest.get("detail")), mark=mark)
        case {"type": "image_url", "image_url": str(url)}:
            return media("image", url, detail=_text(part.get("detail")), mark=mark)
        case {"type": "video_url", "video_url": {"url": str(url)} | str(url)}:
            return media("video", url, mark=mark)
        case {"type": "input_audio", "input_audio": {"data": str(data), **rest}}:
            kind = _text(rest.get("format")) or "wav"
            return Media(kind="audio", source=Bytes(base64=data), media_type=f"audio/{kind}", cache=mark)
        case {"type": "file", "file": {"file_id": str(file_id), **rest}}:
            return Media(kind="file", source=FileRef(id=file_id), name=_text(rest.get("filename")), cache=mark)
        case {"type": "file", "file": {"file_data": str(data), **rest}}:
            return media("file", data, name=_text(rest.get("filename")), mark=mark)
        case {"type": "file_url" | "document_url" as kind}:  # Perplexity, Mistral
            match part.get(kind):
                case {"url": str(url)} | str(url):
                    name = _text(part.get("file_name")) or _text(part.get("document_name"))
                    return media("file", url, name=name, mark=mark)
    return Opaque(dialect=NAME, kind=part["type"], raw=dumps(part), cache=mark)


def parse_images(message: Mapping[str, Any]) -> Iterator[Media]:
    """The images that a model has made, beside a message's content or a delta's; each may carry a signature."""
    for values in shapes.objects(message.get("images")):
        for part in parse_content([values]):
            if isinstance(part, Media):
                yield replace(part, seal=seal(values))


def image(part: Media) -> dict[str, Any]:
    """An image in an answer, as OpenRouter has it (https://openrouter.ai/docs/features/multimodal/image-generation)."""
    carried = {} if part.seal is None else {"extra_content": extra(part.seal)}
    return {"type": "image_url", "image_url": {"url": address(part)}, **carried}


def _text(value: Any) -> str | None:
    return shapes.text(value) or None


def cache(part: Mapping[str, Any]) -> Cache | None:
    """The mark of what to keep in the prompt cache: Anthropic's as OpenRouter takes it, or OpenAI's breakpoint."""
    match part:
        case {"cache_control": {"ttl": "1h"}}:
            return "1h"
        case {"cache_control": dict()} | {"prompt_cache_breakpoint": dict()}:
            return "5m"
        case _:
            return None


def media(
    kind: Any, url: str, *, name: str | None = None, detail: str | None = None, mark: Cache | None = None
) -> Media:
    """What an address or data URL names; text that is neither is base64 itself."""
    source: Bytes | Url
    if found := from_data_url(url):
        source, media_type = found
    elif _SCHEME.match(url) or kind in ("image", "video"):
        source, media_type = Url(url=url), None
    else:
        source, media_type = Bytes(base64=url), None
    return Media(kind=kind, source=source, media_type=media_type, name=name, detail=detail, cache=mark)


def render_media(part: Media) -> dict[str, Any] | None:
    """A part of a request's content; None where Chat has none for it."""
    match part.kind, part.source:
        case _, FileRef(id=file_id):
            return {"type": "file", "file": {"file_id": file_id}}
        case "image", _:
            image = {"url": address(part), **({"detail": part.detail} if part.detail else {})}
            return {"type": "image_url", "image_url": image}
        case "video", _:
            return {"type": "video_url", "video_url": {"url": address(part)}}
        case "audio", Bytes(base64=data):
            return {"type": "input_audio", "input_audio": {"data": data, "format": sound_format(part.media_type)}}
        case "file", Bytes(base64=data) if (part.media_type or "").startswith("text/"):
            # as text: few Chat providers read other files than PDFs
            return {"type": "text", "text": f"{part.name or 'file'}:\n\n{text_in(data)}"}
        case "file", _:
            return {"type": "file", "file": {"filename": part.name or "file.pdf", "file_data": address(part)}}
        case _:
            return None


def address(part: Media) -> str:
    """Where a medium is: its URL, or a data URL."""
    match part.source:
        case Bytes(base64=data):
            guess = {"image": image_type(data) or "image/png", "video": "video/mp4"}.get(part.kind, "application/pdf")
            return data_url(part.media_type or guess, data)
        case Url(url=url):
            return url
        case FileRef(id=file_id):
            return file_id


def parse_call(call: Any, identity: str) -> ToolCall | None:
    """A tool call of a message; identity: its id where it has none."""
    if not isinstance(call, dict):
        return None
    call_id, found = _text(call.get("id")) or identity, seal(call)
    match call:
        case {"custom": {"name": str(name), **rest}}:
            return ToolCall(id=call_id, name=name, arguments=arguments(rest.get("input")), custom=True, seal=found)
        case {"function": {"name": str(name), **rest}}:
            return ToolCall(id=call_id, name=name, arguments=arguments(rest.get("arguments")), seal=found)
        case _:
            return None


def arguments(value: Any) -> str:
    """The arguments of a call as text; some providers send the object itself."""
    if isinstance(value, str):
        return value
    return "" if value is None else dumps(value)


def identity(reply_id: str, choice: int, place: int) -> str:
    """An id for a call that its provider gave none, the same for the same reply."""
    return "call_" + hashlib.sha256(f"{reply_id}/{choice}/{place}".encode("utf-8", "replace")).hexdigest()[:24]


def render_call(call: ToolCall, *, call_id: str | None = None) -> dict[str, Any]:
    """A tool call of a message."""
    values: dict[str, Any] = {"id": call.id if call_id is None else call_id, **call_body(call, call.arguments)}
    if call.seal is not None:
        values["extra_content"] = extra(call.seal)
    return values


def call_body(call: ToolCall, text: str) -> dict[str, Any]:
    """A call's type, name and arguments."""
    if call.custom:
        return {"type": "custom", "custom": {"name": call.name, "input": text}}
    return {"type": "function", "function": {"name": call.name, "arguments": text}}


def seal(values: Mapping[str, Any]) -> Seal | None:
    """The signature of a call or message, where Gemini's Chat endpoint puts it."""
    match values.get("extra_content"):
        case {"google": {"thought_signature": str(value)}} if value:
            return seals.unwrap(value, NAME)
        case _:
            return None


def extra(found: Seal) -> dict[str, Any]:
    """The member that carries a seal of a call or text."""
    return {"google": {"thought_signature": seals.wrap(found, NAME)}}


def parse_citations(annotations: Any, shift: int = 0) -> tuple[Citation, ...]:
    """The citations among a message's annotations; shift: characters of content before the text that they are of."""
    return tuple(_citations(listed(annotations), shift))


def _citations(annotations: Iterable[Any], shift: int) -> Iterator[Citation]:
    for annotation in annotations:
        match annotation:
            case {"type": "url_citation", "url_citation": dict(inner)}:
                start, end = _place(inner.get("start_index"), shift), _place(inner.get("end_index"), shift)
                spanned = start is not None and end is not None and end > start
                yield Citation(
                    dialect=NAME,
                    raw=dumps(annotation),
                    url=_text(inner.get("url")),
                    title=_text(inner.get("title")),
                    quote=_text(inner.get("content")),
                    start=start if spanned else None,
                    end=end if spanned else None,
                )


def _place(value: Any, shift: int) -> int | None:
    place = shapes.whole(value)
    return place - shift if place is not None and place >= shift else None


def sources(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What Perplexity tells beside the message, as annotations: search results, or bare addresses."""
    found: list[dict[str, Any]] = []
    for result in listed(values.get("search_results")):
        match result:
            case {"url": str(url), **rest}:
                inner = {"url": url, "title": _text(rest.get("title")), "content": _text(rest.get("snippet"))}
                found.append({"type": "url_citation", "url_citation": {k: v for k, v in inner.items() if v}})
    if found:
        return found
    return [{"type": "url_citation", "url_citation": {"url": url}} for url in shapes.words(values.get("citations"))]


def render_citations(citations: Iterable[Citation], shift: int, length: int) -> list[dict[str, Any]]:
    """Citations as annotations; those without an address have no form here. length: of the text that they are of."""
    found = []
    for one in citations:
        if one.url is None:
            continue
        start, end = (one.start, one.end) if one.start is not None and one.end is not None else (0, 0)
        inner: dict[str, Any] = {
            "start_index": start + shift,
            "end_index": min(end, length) + shift,
            "url": one.url,
            "title": one.title or "",
        }
        if one.quote is not None:
            inner["content"] = one.quote
        found.append({"type": "url_citation", "url_citation": inner})
    return found


def parse_logprobs(found: Any) -> tuple[Logprob, ...]:
    """Log probabilities of the content's tokens."""
    return tuple(_logprobs(listed(members(found).get("content"))))


def _logprobs(tokens: Iterable[Any]) -> Iterator[Logprob]:
    for token in tokens:
        match token:
            case {"token": str(text), "logprob": int() | float() as value, **rest}:
                likeliest = _logprobs(listed(rest.get("top_logprobs")))
                yield Logprob(
                    token=text, logprob=float(value), top=tuple((one.token, one.logprob) for one in likeliest)
                )


def render_logprobs(logprobs: Iterable[Logprob]) -> dict[str, Any] | None:
    """The `logprobs` of a choice; None without any."""
    content = [
        {**_token(one.token, one.logprob), "top_logprobs": [_token(token, value) for token, value in one.top]}
        for one in logprobs
    ]
    return {"content": content, "refusal": None} if content else None


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}
