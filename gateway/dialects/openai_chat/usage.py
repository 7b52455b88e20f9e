"""What a Chat reply took, as its provider counts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...neutral.reply import Usage
from .. import shapes
from ..shapes import members


def usage(values: Mapping[str, Any]) -> Usage | None:
    """The usage of a reply or frame; None where there is none that can be believed.

    `cached` is inside `prompt_tokens`, `reasoning` inside `completion_tokens`. Groq streams put it under `x_groq`.
    """
    found = members(values["usage"] if values.get("usage") is not None else members(values.get("x_groq")).get("usage"))
    told = counted(found, "prompt_tokens", "completion_tokens")
    if told is None:
        return None
    searches = shapes.count(found.get("num_search_queries"))  # Perplexity
    told = replace(
        told, tier=shapes.word(values.get("service_tier")), tools={"web_search": searches} if searches else {}
    )
    if "cached_tokens" not in members(found.get("prompt_tokens_details")):  # DeepSeek; Moonshot
        told = replace(told, cached=shapes.count(found.get("prompt_cache_hit_tokens", found.get("cached_tokens"))))
    told = _researched(told, found)
    return _summed(
        told, shapes.count(found.get("total_tokens")) or 0, bool(members(found.get("completion_tokens_details")))
    )


def counted(found: Mapping[str, Any], given: str, taken: str) -> Usage | None:
    """Usage as OpenAI tells it; given, taken: what it calls the two totals. None where they cannot be believed."""
    read, made, both = (shapes.count(found.get(name)) for name in (given, taken, "total_tokens"))
    if read is not None and both is not None and taken not in found:
        made = max(0, both - read)
    if read is None or made is None:
        return None
    inside, outside = members(found.get(f"{given}_details")), members(found.get(f"{taken}_details"))
    return Usage(
        input=read,
        cached=shapes.count(inside.get("cached_tokens")),
        cache_written=shapes.count(inside.get("cache_write_tokens")),
        audio_in=shapes.count(inside.get("audio_tokens")),
        image_in=shapes.count(inside.get("image_tokens")),
        output=made,
        reasoning=shapes.count(outside.get("reasoning_tokens")),
        audio_out=shapes.count(outside.get("audio_tokens")),
        image_out=shapes.count(outside.get("image_tokens")),
    )


def _researched(told: Usage, found: Mapping[str, Any]) -> Usage:
    """The usage with what Perplexity's deep research has read and thought, which it counts beside its totals
    (https://docs.perplexity.ai/getting-started/pricing)."""
    read, thought = shapes.count(found.get("citation_tokens")), shapes.count(found.get("reasoning_tokens"))
    if read is None or thought is None:  # what others read costs nothing
        return told
    return replace(told, input=(told.input or 0) + read, output=(told.output or 0) + thought, reasoning=thought)


def _summed(told: Usage, total: int, detailed: bool) -> Usage:
    """The usage with what only its total counts: xAI leaves thoughts out of `completion_tokens`, Mistral sound out of
    `prompt_tokens`, and Gemini's Chat endpoint tells thoughts nowhere else."""
    given, taken = told.input or 0, told.output or 0
    rest = total - given - taken
    if rest <= 0:
        return told
    if rest == told.reasoning:
        return replace(told, output=taken + rest)
    if rest == told.audio_in:
        return replace(told, input=given + rest)
    return told if detailed else replace(told, output=taken + rest, reasoning=rest)


def render_usage(told: Usage) -> dict[str, Any]:
    """Usage as OpenAI tells it; what is unknown is left out."""
    given, taken = told.input or 0, told.output or 0
    values: dict[str, Any] = {"prompt_tokens": given, "completion_tokens": taken, "total_tokens": given + taken}
    inside, outside = render_details(told)
    if inside:
        values["prompt_tokens_details"] = inside
    if outside:
        values["completion_tokens_details"] = outside
    return values


def render_details(told: Usage) -> tuple[dict[str, int], dict[str, int]]:
    """What is known of the tokens given and taken, by OpenAI's names."""
    inside = {
        "cached_tokens": told.cached,
        "cache_write_tokens": told.cache_written,
        "audio_tokens": told.audio_in,
        "image_tokens": told.image_in,
    }
    outside = {"reasoning_tokens": told.reasoning, "audio_tokens": told.audio_out, "image_tokens": told.image_out}
    return _known(inside), _known(outside)


def _known(counts: Mapping[str, int | None]) -> dict[str, int]:
    return {name: tokens for name, tokens in counts.items() if tokens is not None}
