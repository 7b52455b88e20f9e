"""Messages replies, whole: metered and given the caller's names; parsed into neutral words and rendered from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...call import Call, Fault, Meter
from ...neutral.parts import Part, Reasoning, Refusal, ToolCall
from ...neutral.reply import ChatReply, Choice, Finish, Reason, Usage
from ...splice import edit
from .. import hosted, seals, shapes
from ..passing import names, scanned
from ..scale import size
from ..shapes import clean, dumps, listed, members
from .errors import fault_in_reply
from .parts import given, said

_REASONS: dict[str, Reason] = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "model_context_window_exceeded": "length",
    "tool_use": "tool_calls", "refusal": "filtered", "pause_turn": "paused",
}  # fmt: skip
_WORDS: dict[Reason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "filtered": "refusal",
    "paused": "pause_turn",
}
_MADE_BY_TOOLS = ("_tool_result", "container_upload")


def whole(call: Call, body: bytes, meter: Meter) -> bytes:
    """A provider's whole reply as the caller gets it: only `id` and `model` change. Fills the meter; raises Fault."""
    found = scanned(body)
    read(found.values, meter)
    return edit(found, names(call))


def read(values: Mapping[str, Any], meter: Meter) -> None:
    """Meter a whole reply. Raises Fault when it is none."""
    for block in blocks(values):
        meter.out_bytes += _bytes_in(block)
        made(block, meter)
    container(values, meter)
    meter.upstream_id = shapes.short(values.get("id"))
    meter.usage = usage(values.get("usage"))
    meter.finish = shapes.word(values.get("stop_reason")) or "none"


def blocks(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The content of a whole reply. Raises Fault when it is an error or none."""
    if values.get("type") == "error" or values.get("error"):
        raise fault_in_reply(values)
    content = values.get("content")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise Fault("malformed")
    return content


def _bytes_in(block: Mapping[str, Any]) -> int:
    """Bytes of output: text, thoughts, names and arguments of calls; not what tools found."""
    total = 0
    for name in ("text", "thinking", "name"):
        if isinstance(block.get(name), str):
            total += size(block[name])
    if isinstance(block.get("input"), dict):
        total += size(dumps(block["input"]))
    return total


def made(block: Any, meter: Meter) -> None:
    """Note the files that the provider's tools have made: a later request may name them."""
    kind = block.get("type") if isinstance(block, dict) else None
    if isinstance(kind, str) and kind.endswith(_MADE_BY_TOOLS):
        meter.made += [("file", clean(name, 255)) for name in _files(block)]


def _files(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("file_id"), str):
            yield value["file_id"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _files(inner)


def container(values: Mapping[str, Any], meter: Meter) -> None:
    """Note the container that the provider's code ran in."""
    found = shapes.short(members(values.get("container")).get("id"))
    if found is not None:
        meter.made.append(("container", found))


def usage(found: Any) -> Usage | None:
    """The usage of a reply; None where there is none that can be believed.

    `input_tokens` leaves out what the cache read and wrote; `thinking_tokens` are inside `output_tokens`. What a
    compaction took is told in `iterations` only
    (https://platform.claude.com/docs/en/build-with-claude/compaction).
    """
    if not isinstance(found, dict):
        return None
    total = _counted(found)
    for one in listed(found.get("iterations")):
        more = _counted(one) if isinstance(one, dict) and one.get("type") == "compaction" else None
        if total is not None and more is not None:
            total = _sum(total, more)
    return total


def _counted(found: Mapping[str, Any]) -> Usage | None:
    fresh, taken = shapes.count(found.get("input_tokens")), shapes.count(found.get("output_tokens"))
    if fresh is None or taken is None:
        return None
    split, inside = members(found.get("cache_creation")), members(found.get("output_tokens_details"))
    short, long = (
        shapes.count(split.get("ephemeral_5m_input_tokens")),
        shapes.count(split.get("ephemeral_1h_input_tokens")),
    )
    cached, written = (
        shapes.count(found.get("cache_read_input_tokens")),
        shapes.count(found.get("cache_creation_input_tokens")),
    )
    if written is None and (short is not None or long is not None):
        written = (short or 0) + (long or 0)
    return Usage(
        input=fresh + (cached or 0) + (written or 0),
        cached=cached,
        cache_written=written,
        cache_written_1h=long,
        output=taken,
        reasoning=shapes.count(inside.get("thinking_tokens")),
        tier=shapes.word(found.get("service_tier")),
        tools=hosted.counted(found.get("server_tool_use")),
    )


def _sum(one: Usage, other: Usage) -> Usage:
    def both(first: int | None, second: int | None) -> int | None:
        return None if first is None and second is None else (first or 0) + (second or 0)

    return replace(
        one,
        input=both(one.input, other.input),
        cached=both(one.cached, other.cached),
        cache_written=both(one.cache_written, other.cache_written),
        cache_written_1h=both(one.cache_written_1h, other.cache_written_1h),
        output=both(one.output, other.output),
        reasoning=both(one.reasoning, other.reasoning),
    )


def render_usage(seen: Usage | None) -> dict[str, Any]:
    """Usage for a client; what is unknown is left out, the two totals excepted. Its counts are disjoint here: a class
    that claims more than is left of the whole is cut to it."""
    seen = seen or Usage()
    cached = min(seen.cached or 0, seen.input or 0)
    written = min(seen.cache_written or 0, (seen.input or 0) - cached)
    values: dict[str, Any] = {"input_tokens": (seen.input or 0) - cached - written}
    if seen.cache_written is not None:
        values["cache_creation_input_tokens"] = written
    if seen.cached is not None:
        values["cache_read_input_tokens"] = cached
    if seen.cache_written_1h is not None:
        short = max(0, written - seen.cache_written_1h)
        values["cache_creation"] = {
            "ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": seen.cache_written_1h,
        }  # fmt: skip
    values["output_tokens"] = seen.output or 0
    if seen.reasoning is not None:
        values["output_tokens_details"] = {"thinking_tokens": seen.reasoning}
    return values


def parse(values: Mapping[str, Any]) -> ChatReply:
    """A provider's whole reply in neutral words. Raises Fault when it is an error or none."""
    parts: list[Part] = [given(block) for block in blocks(values)]
    parts = [part for part in parts if part != Reasoning(text="", redacted=True)]
    explained = explanation(values)
    if explained and not parts:
        parts.append(Refusal(text=explained))
    calls = any(isinstance(part, ToolCall) and part.ran_by is None for part in parts)
    return ChatReply(
        id=shapes.text(values.get("id")) or "",
        model=shapes.text(values.get("model")) or "",
        created=0,
        choices=(Choice(parts=tuple(parts), finish=finish(values, calls)),),
        usage=usage(values.get("usage")),
    )


def finish(values: Mapping[str, Any], calls: bool) -> Finish:
    """Why a reply or a stream (by its `delta`) ended. calls: it calls tools of the caller's."""
    raw = shapes.word(values.get("stop_reason"))
    reason = _REASONS.get(raw or "", "other")
    if calls and reason in ("stop", "other"):
        reason = "tool_calls"
    return Finish(reason=reason, raw=raw, matched=shapes.text(values.get("stop_sequence")))


def explanation(values: Mapping[str, Any]) -> str | None:
    """Why the model refused, where that is told."""
    if values.get("stop_reason") != "refusal":
        return None
    return shapes.text(members(values.get("stop_details")).get("explanation")) or None


def stop(finish: Finish) -> dict[str, Any]:
    """The end of a reply as its members."""
    word = _WORDS.get(finish.reason, "end_turn")
    if finish.reason == "stop" and finish.matched is not None:
        word = "stop_sequence"
    return {"stop_reason": word, "stop_sequence": finish.matched}


def render(reply: ChatReply, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A reply for a client; of several choices the first."""
    choice = reply.choices[0] if reply.choices else Choice(parts=(), finish=Finish(reason="other"))
    content: list[dict[str, Any]] = []
    for part in seals.carry(choice.parts):
        if isinstance(part, ToolCall) and not part.id:
            part = replace(part, id=unnamed(reply.id, len(content)))
        block = said(part)
        if block is not None:
            content.append(block)
    return {
        **head(reply.id, reply.model),
        "content": content,
        **stop(ended(choice)),
        "usage": render_usage(reply.usage),
    }


def head(reply_id: str, model: str) -> dict[str, Any]:
    """The members that a reply begins with, whole or streamed."""
    return {"id": reply_id, "type": "message", "role": "assistant", "model": model}


def unnamed(reply_id: str, place: int) -> str:
    """An id for a call whose maker gave none."""
    return f"toolu_{reply_id.rpartition('_')[2]}_{place}"


def ended(choice: Choice) -> Finish:
    """A reply that only refuses ends as one, whatever its maker called it."""
    parts = [part for part in choice.parts if not isinstance(part, Reasoning)]
    refused = bool(parts) and all(isinstance(part, Refusal) for part in parts)
    return Finish(reason="filtered", raw=choice.finish.raw) if refused else choice.finish
