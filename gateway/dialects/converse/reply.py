"""Converse's whole replies in neutral words.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_ResponseSyntax
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...call import Fault
from ...neutral.parts import Part, ToolCall
from ...neutral.reply import ChatReply, Choice, Finish, Reason, Usage
from .. import shapes
from ..shapes import members, objects
from .parts import given

STOP_FIELD = "stop_sequence"
"""What some models tell beside the reply when asked to: the stop sequence that ended it."""

_REASONS: dict[str, Reason] = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "model_context_window_exceeded": "length",
    "tool_use": "tool_calls", "guardrail_intervened": "filtered", "content_filtered": "filtered",
    "malformed_model_output": "error", "malformed_tool_use": "error",
}  # fmt: skip


def parse(values: Mapping[str, Any]) -> ChatReply:
    """A provider's whole reply in neutral words; it has no id. Raises Fault when it is none."""
    content = members(members(values.get("output")).get("message")).get("content")
    if not isinstance(content, list):
        raise Fault("malformed")
    parts: list[Part] = [part for block in objects(content) for part in given(block)]
    calls = any(isinstance(part, ToolCall) and part.ran_by is None for part in parts)
    return ChatReply(
        id="",
        model="",
        created=0,
        choices=(Choice(parts=tuple(parts), finish=finish(values, calls)),),
        usage=usage(values),
    )


def finish(values: Mapping[str, Any], calls: bool) -> Finish:
    """Why a reply or a stream (by its `messageStop`) ended. calls: it calls tools of the caller's."""
    raw = shapes.word(values.get("stopReason"))
    reason = _REASONS.get(raw or "", "other")
    if calls and reason in ("stop", "other"):
        reason = "tool_calls"
    matched = members(values.get("additionalModelResponseFields")).get(STOP_FIELD)
    return Finish(reason=reason, raw=raw, matched=shapes.text(matched) if raw == "stop_sequence" else None)


def usage(values: Mapping[str, Any]) -> Usage | None:
    """The usage of a reply or of a stream (by its `metadata`); None where there is none that can be believed.

    `inputTokens` leaves out what the cache read and wrote; how long the latter is kept is told in `cacheDetails`
    (https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html).
    """
    found = members(values.get("usage"))
    fresh, taken = shapes.count(found.get("inputTokens")), shapes.count(found.get("outputTokens"))
    if fresh is None or taken is None:
        return None
    cached, written = (
        shapes.count(found.get("cacheReadInputTokens")),
        shapes.count(found.get("cacheWriteInputTokens")),
    )
    details = objects(found.get("cacheDetails"))
    long = sum(shapes.count(one.get("inputTokens")) or 0 for one in details if one.get("ttl") == "1h")
    return Usage(
        input=fresh + (cached or 0) + (written or 0),
        cached=cached,
        cache_written=written,
        cache_written_1h=long if details else None,
        output=taken,
        tier=shapes.word(members(values.get("serviceTier")).get("type")),
    )
