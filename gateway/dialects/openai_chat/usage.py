"""What a Chat reply took, as its provider counts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...neutral.reply import Usage


def usage(values: Mapping[str, Any]) -> Usage | None:
    """The usage of a reply or frame; None where there is none that can be believed.

    `cached` is inside `prompt_tokens`, `reasoning` inside `completion_tokens`. Groq streams put it under `x_groq`.
    """
    found = values.get("usage")
    if found is None and isinstance(values.get("x_groq"), dict):
        found = values["x_groq"].get("usage")
    if not isinstance(found, dict):
        return None
    given, taken = _tokens(found.get("prompt_tokens")), _tokens(found.get("completion_tokens"))
    if given is None or taken is None:
        return None
    inside, outside = found.get("prompt_tokens_details"), found.get("completion_tokens_details")
    inside, outside = inside if isinstance(inside, dict) else {}, outside if isinstance(outside, dict) else {}
    cached = inside.get("cached_tokens", found.get("prompt_cache_hit_tokens", found.get("cached_tokens")))
    told = Usage(
        input=given,
        cached=_tokens(cached),
        cache_written=_tokens(inside.get("cache_write_tokens")),
        audio_in=_tokens(inside.get("audio_tokens")),
        output=taken,
        reasoning=_tokens(outside.get("reasoning_tokens")),
        audio_out=_tokens(outside.get("audio_tokens")),
    )
    return _summed(told, given, taken, (_tokens(found.get("total_tokens")) or 0) - given - taken, bool(outside))


def _summed(told: Usage, given: int, taken: int, rest: int, detailed: bool) -> Usage:
    """The usage with what only its total counts: xAI leaves thoughts out of `completion_tokens`, Mistral sound out of
    `prompt_tokens`, and Gemini's Chat endpoint tells thoughts nowhere else."""
    if rest <= 0:
        return told
    if rest == told.reasoning:
        return replace(told, output=taken + rest)
    if rest == told.audio_in:
        return replace(told, input=given + rest)
    return told if detailed else replace(told, output=taken + rest, reasoning=rest)


def _tokens(value: Any) -> int | None:
    """A count that can be believed: a whole number from 0 on."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def render_usage(told: Usage) -> dict[str, Any]:
    """Usage as OpenAI tells it; what is unknown is left out."""
    given, taken = told.input or 0, told.output or 0
    values: dict[str, Any] = {"prompt_tokens": given, "completion_tokens": taken, "total_tokens": given + taken}
    inside = {"cached_tokens": told.cached, "cache_write_tokens": told.cache_written, "audio_tokens": told.audio_in}
    outside = {"reasoning_tokens": told.reasoning, "audio_tokens": told.audio_out}
    for name, details in (("prompt_tokens_details", inside), ("completion_tokens_details", outside)):
        known = {kind: tokens for kind, tokens in details.items() if tokens is not None}
        if known:
            values[name] = known
    return values
