"""Seals on their way through a dialect that is not their maker's.

A seal goes back only to its origin, byte for byte. A client whose dialect differs keeps it for us: `wrap` marks it
with its origin, `unwrap` gives it back. Where a dialect can seal thoughts but not the part that a seal belongs to (a
tool call or text of Gemini's), `carry` puts an empty redacted thought with the seal in front of that part, and
`gather` puts it back.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..neutral.parts import Part, Reasoning, Seal, Text, ToolCall

MARK = "gw1."

MARK_BASE64 = "Z3cxL"
"""How MARK begins where a seal must be base64: Gemini's clients decode and encode signatures again."""

_NEXT = "next."


def wrap(seal: Seal, dialect: str) -> str:
    """A seal as text for a client of `dialect`: as it is for its maker's own."""
    return seal.value if seal.origin == dialect else f"{MARK}{seal.origin}.{seal.value}"


def unwrap(value: str, dialect: str) -> Seal:
    """The seal that a client of `dialect` has kept."""
    if value.startswith(MARK):
        origin, _, rest = value[len(MARK) :].partition(".")
        return Seal(origin=origin, value=rest)
    return Seal(origin=dialect, value=value)


def wrap_base64(seal: Seal, dialect: str) -> str:
    """A seal as base64 text, which it is already for its maker's own clients."""
    if seal.origin == dialect:
        return seal.value
    return base64.b64encode(wrap(seal, dialect).encode("utf-8", "surrogatepass")).decode()


def unwrap_base64(value: str, dialect: str) -> Seal:
    """The seal that a client of `dialect` has kept as base64, in whichever of its two alphabets."""
    if value.startswith(MARK_BASE64):
        plain = value.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            text = base64.b64decode(plain + "=" * (-len(plain) % 4)).decode("utf-8", "surrogatepass")
        except (binascii.Error, UnicodeDecodeError):
            return Seal(origin=dialect, value=value)
        return unwrap(text, dialect) if text.startswith(MARK) else Seal(origin=dialect, value=value)
    return Seal(origin=dialect, value=value)


def carry(parts: Iterable[Part]) -> Iterator[Part]:
    """The parts with the seals of calls and texts in carriers before them."""
    for part in parts:
        if part.seal is not None and isinstance(part, Text | ToolCall):
            yield carrier(part.seal)
            part = replace(part, seal=None)
        yield part


def carrier(seal: Seal) -> Reasoning:
    """A redacted thought that carries the seal of the part after it."""
    return Reasoning(text="", redacted=True, seal=replace(seal, value=_NEXT + seal.value))


def gather(parts: Iterable[Part]) -> Iterator[Part]:
    """The parts with the seals of carriers back on the parts that they belong to."""
    waiting: Seal | None = None
    for part in parts:
        if _carries(part):
            if waiting is not None:
                yield Text(text="", seal=waiting)
            assert part.seal is not None
            waiting = replace(part.seal, value=part.seal.value.removeprefix(_NEXT))
            continue
        if waiting is not None:
            if isinstance(part, Text | ToolCall):
                part = replace(part, seal=waiting)
            else:
                yield Text(text="", seal=waiting)
            waiting = None
        yield part
    if waiting is not None:
        yield Text(text="", seal=waiting)


def _carries(part: Part) -> bool:
    return isinstance(part, Reasoning) and not part.text and part.seal is not None and part.seal.value.startswith(_NEXT)
