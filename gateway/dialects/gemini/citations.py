"""Where an answer's text comes from: Gemini's grounding and citation metadata as neutral citations, and back.

https://ai.google.dev/api/generate-content#GroundingMetadata. Gemini tells it beside the text, for spans in bytes of
UTF-8; a neutral citation sits on its part of the text, with a span in characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...neutral.parts import Citation
from .. import shapes
from ..shapes import dumps, listed, loads, members, objects
from .parts import NAME

_KINDS = ("web", "retrievedContext", "maps", "image")


@dataclass(slots=True)
class Cited:
    """A citation that waits for its text. start, end: in bytes · words: what the span says · place: of its part, where
    told."""

    citation: Citation
    start: int | None = None
    end: int | None = None
    words: str | None = None
    place: int | None = None


def cited(candidate: Mapping[str, Any]) -> list[Cited]:
    """All that a candidate tells of its sources."""
    return [*_grounding(candidate.get("groundingMetadata")), *_recited(candidate.get("citationMetadata"))]


def _grounding(found: Any) -> Iterator[Cited]:
    found = members(found)
    chunks = [members(chunk) for chunk in listed(found.get("groundingChunks"))]
    used: set[int] = set()
    for support in objects(found.get("groundingSupports")):
        segment = members(support.get("segment"))
        for index in listed(support.get("groundingChunkIndices")):
            if isinstance(index, int) and 0 <= index < len(chunks):
                used.add(index)
                yield _spanned(_source(chunks[index]), segment)
    yield from (Cited(_source(chunk)) for index, chunk in enumerate(chunks) if index not in used)


def _source(chunk: Mapping[str, Any]) -> Citation:
    inner: Mapping[str, Any] = next((chunk[kind] for kind in _KINDS if isinstance(chunk.get(kind), Mapping)), {})
    return Citation(
        dialect=NAME, raw=dumps(chunk), url=shapes.text(inner.get("uri")), title=shapes.text(inner.get("title")),
        quote=shapes.text(inner.get("text")),
    )  # fmt: skip


def _recited(found: Any) -> Iterator[Cited]:
    found = members(found)
    for source in objects(found.get("citationSources") or found.get("citations")):
        bare = {name: value for name, value in source.items() if name not in ("startIndex", "endIndex")}
        citation = Citation(
            dialect=NAME, raw=dumps(bare), url=shapes.text(source.get("uri")), title=shapes.text(source.get("title"))
        )
        yield _spanned(citation, source)


def _spanned(citation: Citation, span: Mapping[str, Any]) -> Cited:
    end = span.get("endIndex")
    if not isinstance(end, int):
        return Cited(citation)
    start, place = span.get("startIndex", 0), span.get("partIndex")
    return Cited(
        citation,
        start=start if isinstance(start, int) else 0,
        end=end,
        words=shapes.text(span.get("text")),
        place=place if isinstance(place, int) else None,
    )


def settled(
    waiting: Sequence[Cited], text: str, place: int | None, before: int
) -> tuple[tuple[Citation, ...], list[Cited]]:
    """The citations that belong to this text, and those that go on waiting. place: of its part, where it counts ·
    before: bytes of the answer's texts before it, where its parts have no places."""
    data = text.encode("utf-8", "surrogatepass")
    kept: list[Citation] = []
    left: list[Cited] = []
    for one in waiting:
        here = place is None or one.place is None or one.place == place
        if here and one.end is None:
            kept.append(one.citation)
            continue
        span = _span(one, text, data, before) if here else None
        if span is None:
            left.append(one)
        else:
            kept.append(replace(one.citation, start=span[0], end=span[1]))
    return tuple(kept), left


def _span(one: Cited, text: str, data: bytes, before: int) -> tuple[int, int] | None:
    """The span in characters: as told, from the answer's beginning or the text's, where its words are there, else where
    they are; None if that is not here."""
    for shift in dict.fromkeys((before, 0)):
        start, end = (one.start or 0) - shift, (one.end or 0) - shift
        if 0 <= start <= end <= len(data):
            said = data[start:end].decode("utf-8", "replace")
            if one.words is None or one.words == said:
                first = len(data[:start].decode("utf-8", "replace"))
                return first, first + len(said)
    at = text.find(one.words) if one.words else -1
    return (at, at + len(one.words or "")) if at >= 0 else None


def metadata(texts: Sequence[tuple[int | None, str, Sequence[Citation]]]) -> dict[str, Any]:
    """The members of a candidate that tell the sources of its texts: (place of the part, text, citations)."""
    chunks: list[dict[str, Any]] = []
    supports: list[dict[str, Any]] = []
    sources: list[dict[str, Any]] = []
    for place, text, citations in texts:
        for citation in citations:
            source = loads(citation.raw) if citation.dialect == NAME else _foreign(citation)
            span = _bytes(citation, text, place)
            if not any(kind in source for kind in _KINDS):
                sources.append({**source, **{name: span[name] for name in ("startIndex", "endIndex") if name in span}})
                continue
            if source not in chunks:
                chunks.append(source)
            supports.append({"segment": span, "groundingChunkIndices": [chunks.index(source)]})
    found: dict[str, Any] = {}
    if chunks:
        found["groundingMetadata"] = {"groundingChunks": chunks, "groundingSupports": supports}
    if sources:
        found["citationMetadata"] = {"citationSources": sources}
    return found


def _foreign(citation: Citation) -> dict[str, Any]:
    kind = "web" if citation.url is not None else "retrievedContext"
    named = {"uri": citation.url, "title": citation.title, "text": citation.quote if kind != "web" else None}
    return {kind: {name: value for name, value in named.items() if value is not None}}


def _bytes(citation: Citation, text: str, place: int | None) -> dict[str, Any]:
    if citation.start is None or citation.end is None:
        return {}
    words = text[citation.start : citation.end]
    start = len(text[: citation.start].encode("utf-8", "surrogatepass"))
    span: dict[str, Any] = {"startIndex": start, "endIndex": start + len(words.encode("utf-8", "surrogatepass"))}
    return {**({} if place is None else {"partIndex": place}), **span, "text": words}
