"""What comes back, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from .parts import Part

Reason = Literal["stop", "length", "tool_calls", "filtered", "paused", "error", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Why a choice ended. raw: the vendor's own word · matched: the stop sequence that ended it, where told."""

    reason: Reason
    raw: str | None = field(default=None, compare=False)
    matched: str | None = None


class Variant(NamedTuple):
    """Which kind of image something is, as far as that is known: low, 1024x1536, 2k."""

    quality: str | None = None
    size: str | None = None
    resolution: str | None = None


ANY = Variant()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the provider reported them; None is unknown, 0 is zero.

    input includes cached (of which cached_audio are sound), cache_written (of which cache_written_1h for an hour),
    audio_in, cached or not, and image_in; output includes reasoning, audio_out and image_out. Beside the tokens, what
    else decides the price: tier, the service tier that was given; tools, how often the provider ran a tool of its
    own, by `call.Hosted`'s kinds; units, how much of what is sold by the piece: character, second, query, image; and
    of which variant those are.
    """

    input: int | None = None
    cached: int | None = None
    cached_audio: int | None = None
    cache_written: int | None = None
    cache_written_1h: int | None = None
    audio_in: int | None = None
    image_in: int | None = None
    output: int | None = None
    reasoning: int | None = None
    audio_out: int | None = None
    image_out: int | None = None
    tier: str | None = field(default=None, compare=False)
    tools: Mapping[str, int] = field(default_factory=dict, compare=False)
    units: Mapping[str, int] = field(default_factory=dict, compare=False)
    variant: Variant = field(default=ANY, compare=False)

    def counts(self) -> dict[str, int]:
        """Disjoint buckets, the only thing that billing reads; buckets of zero are left out.

        A class that claims more than its total is cut to it, so that the buckets always sum to input + output.
        """
        buckets: dict[str, int] = {}
        left = self.input or 0
        written = min(self.cache_written or 0, left)
        cached = min(self.cached or 0, left)
        heard = min(self.cached_audio or 0, cached, self.audio_in or 0)
        for name, tokens in (
            ("cached_audio", heard),
            ("cached_read", cached - heard),
            ("cache_write_1h", min(self.cache_written_1h or 0, written)),
            ("cache_write", written - min(self.cache_written_1h or 0, written)),
            ("audio_in", (self.audio_in or 0) - heard),
            ("image_in", self.image_in or 0),
        ):
            buckets[name] = min(tokens, left)
            left -= buckets[name]
        buckets["input"] = left
        left = self.output or 0
        for name, tokens in (
            ("reasoning", self.reasoning or 0), ("audio_out", self.audio_out or 0), ("image_out", self.image_out or 0),
        ):  # fmt: skip
            buckets[name] = min(tokens, left)
            left -= buckets[name]
        buckets["output"] = left
        return {name: tokens for name, tokens in buckets.items() if tokens}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer."""

    parts: tuple[Part, ...]
    finish: Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReply:
    """All answers to one request. id: the reply's own · created: Unix seconds."""

    id: str
    model: str
    created: int
    choices: tuple[Choice, ...]
    usage: Usage | None = None
