"""The parts of a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Cache = Literal["5m", "1h"]
"""How long the prefix up to and including a part is asked to stay in the provider's prompt cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """An opaque token that only its maker may see again (thinking signature, encrypted reasoning, thoughtSignature).

    origin: the dialect that made it · value: its bytes as text, never changed.
    """

    origin: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """Where a piece of text comes from. url or title: the source · quote: its words · start, end: the span of the
    part's text in characters, where told · raw: the maker's own object as JSON text, for its own dialect."""

    dialect: str
    raw: str
    url: str | None = None
    title: str | None = None
    quote: str | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logprob:
    """One token of the output and how likely it was. top: the likeliest alternatives with theirs."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Plain text. logprobs: of its tokens, where asked for."""

    text: str
    citations: tuple[Citation, ...] = ()
    logprobs: tuple[Logprob, ...] = ()
    cache: Cache | None = None
    seal: Seal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """Media in the body itself, as base64 text."""

    base64: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """Media behind an address."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRef:
    """Media that was uploaded before. id: as its maker named it."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """An image, sound, film or document.

    media_type: such as `image/png`, where it was said · name: a file name · detail: how closely to look.
    """

    kind: Literal["image", "audio", "video", "file"]
    source: Bytes | Url | FileRef
    media_type: str | None = None
    name: str | None = None
    detail: str | None = None
    cache: Cache | None = None
    seal: Seal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """What the model thought. summary: `text` is a summary of it · redacted: its text is withheld, the seal is all."""

    text: str
    summary: bool = False
    redacted: bool = False
    cache: Cache | None = None
    seal: Seal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that the model makes. arguments: JSON text as the model wrote it, which need not parse; of a custom tool
    the plain text of its input.

    ran_by: None for the caller's tools, else the dialect whose provider has run it already.
    """

    id: str
    name: str
    arguments: str
    custom: bool = False
    ran_by: str | None = None
    cache: Cache | None = None
    seal: Seal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool gave back. call_id: the call's id · name: the tool's, where it was said · custom: a custom tool's."""

    call_id: str
    parts: tuple[Text | Media | Opaque, ...]
    name: str | None = None
    custom: bool = False
    is_error: bool = False
    cache: Cache | None = None
    seal: Seal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The model's own words for why it does not answer."""

    text: str
    cache: Cache | None = None
    seal: Seal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opaque:
    """Something that only its own dialect can say. raw: its JSON text."""

    dialect: str
    kind: str
    raw: str
    cache: Cache | None = None
    seal: Seal | None = None


Part = Text | Media | Reasoning | ToolCall | ToolResult | Refusal | Opaque
