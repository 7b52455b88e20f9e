"""Responses replies, whole: metered and given the caller's names, or read into neutral words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ...call import Call, Fault, Meter
from ...neutral.parts import ToolCall
from ...neutral.reply import ChatReply, Choice, Finish, Reason, Usage
from ...splice import BadJson, Scan, edit, scan
from ..openai_chat.reply import finish_or_none, text_or_none
from .errors import failed
from .items import output_parts

_MOST_MADE = 256


def whole(call: Call, body: bytes, meter: Meter) -> bytes:
    """A provider's whole reply as the caller gets it: its names, and `output_text`. Fills the meter; raises Fault."""
    try:
        found = scan(body)
    except BadJson as error:
        raise Fault("malformed") from error
    read(found.values, meter, stores(call))
    previous = call.body.values.get("previous_response_id")
    return _renamed(found, call.id, call.model, previous if isinstance(previous, str) else None)


def kept(body: bytes, identity: str, model: str, ours: Callable[[str], str | None]) -> bytes:
    """A reply that its provider has kept, as the caller knows it. ours: our id for one of its. Raises Fault."""
    try:
        found = scan(body)
    except BadJson as error:
        raise Fault("malformed") from error
    before = found.values.get("previous_response_id")
    return _renamed(found, identity, model, ours(before) if isinstance(before, str) else None)


def _renamed(found: Scan, identity: str, model: str, previous: str | None) -> bytes:
    values = found.values
    changes: dict[str, str | None] = {"id": json.dumps(identity)}
    if values.get("object") != "response.compaction" and "deleted" not in values:
        changes["model"] = json.dumps(model, ensure_ascii=False)
        if "output_text" not in values and isinstance(values.get("output"), list):
            changes["output_text"] = json.dumps(said_text(values["output"]), ensure_ascii=False)
    if isinstance(values.get("previous_response_id"), str):
        changes["previous_response_id"] = json.dumps(previous)
    return edit(found, changes)


def said_text(output: list[Any]) -> str:
    """All texts of the messages in an output, joined, as the SDKs' `output_text`."""
    return "".join(
        part["text"]
        for item in output
        if isinstance(item, dict) and item.get("type") == "message" and isinstance(item.get("content"), list)
        for part in item["content"]
        if isinstance(part, dict) and part.get("type") == "output_text" and isinstance(part.get("text"), str)
    )


def stores(call: Call) -> bool:
    """Whether the caller lets the provider keep the reply: so it does unless told otherwise."""
    return call.body.values.get("store") is not False


def read(values: Mapping[str, Any], meter: Meter, stored: bool) -> None:
    """Meter a whole response. Raises Fault when it is an error or none."""
    check(values)
    meter.upstream_id = text_or_none(values.get("id")) or None
    meter.usage = usage(values.get("usage"))
    meter.finish = reason(values)
    meter.out_bytes = said(values["output"])
    meter.made = made(values, stored)


def check(values: Mapping[str, Any]) -> None:
    """Raises Fault when a response is none, or tells that it failed."""
    if values.get("error") or values.get("status") == "failed":
        raise failed(values.get("error"))
    if not isinstance(values.get("output"), list):
        raise Fault("malformed")


def reason(values: Mapping[str, Any]) -> str:
    """Why it ended: the reason of an incomplete one, else the status."""
    details = values.get("incomplete_details")
    told = details.get("reason") if isinstance(details, dict) else None
    return finish_or_none(told) or finish_or_none(values.get("status")) or "completed"


_SAID = frozenset({"text", "arguments", "input", "refusal", "name", "code", "result"})


def said(value: Any, name: str = "") -> int:
    """Bytes of output: texts, refusals, names and arguments of calls, programs, pictures."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass")) if name in _SAID else 0
    if isinstance(value, dict):
        return sum(said(inner, key) for key, inner in value.items())
    return sum(said(inner, name) for inner in value) if isinstance(value, list) else 0


def made(values: Mapping[str, Any], stored: bool) -> list[tuple[str, str]]:
    """What a later request may refer to: the reply, its conversation, its items, and the containers they ran in.

    A thought without its encrypted content can only be told by its id, so it counts even where nothing is kept.
    """
    stored = stored and values.get("store") is not False
    found: list[tuple[str, Any]] = []
    if stored and values.get("object") != "response.compaction":  # nothing can go on from one
        found.append(("response", values.get("id")))
    conversation = values.get("conversation")
    if isinstance(conversation, dict):
        found.append(("conversation", conversation.get("id")))
    for item in values["output"]:
        if isinstance(item, dict):
            if stored or (item.get("type") == "reasoning" and not item.get("encrypted_content")):
                found.append(("item", item.get("id")))
            found.append(("container", item.get("container_id")))
    named = [(kind, identity) for kind, value in found if (identity := text_or_none(value))]
    return list(dict.fromkeys(named))[:_MOST_MADE]


def usage(found: Any) -> Usage | None:
    """The usage of a response; None where there is none that can be believed."""
    if not isinstance(found, dict):
        return None
    given, taken = _tokens(found.get("input_tokens")), _tokens(found.get("output_tokens"))
    if given is None or taken is None:
        return None
    inside, outside = found.get("input_tokens_details"), found.get("output_tokens_details")
    inside, outside = inside if isinstance(inside, dict) else {}, outside if isinstance(outside, dict) else {}
    return Usage(
        input=given,
        cached=_tokens(inside.get("cached_tokens")),
        cache_written=_tokens(inside.get("cache_write_tokens")),
        audio_in=_tokens(inside.get("audio_tokens")),
        output=taken,
        reasoning=_tokens(outside.get("reasoning_tokens")),
        audio_out=_tokens(outside.get("audio_tokens")),
    )


def _tokens(value: Any) -> int | None:
    """A count that can be believed: a whole number from 0 on."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def render_usage(found: Usage) -> dict[str, Any]:
    given, taken = found.input or 0, found.output or 0
    inside = {"cached_tokens": found.cached, "cache_write_tokens": found.cache_written, "audio_tokens": found.audio_in}
    outside = {"reasoning_tokens": found.reasoning, "audio_tokens": found.audio_out}
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, **_known(inside)},
        "output_tokens": taken,
        "output_tokens_details": {"reasoning_tokens": 0, **_known(outside)},
        "total_tokens": given + taken,
    }


def _known(counts: Mapping[str, int | None]) -> dict[str, int]:
    return {name: tokens for name, tokens in counts.items() if tokens is not None}


_REASONS: dict[str, Reason] = {
    "max_output_tokens": "length", "max_tokens": "length", "content_filter": "filtered", "completed": "stop",
    "complete": "stop", "failed": "error", "cancelled": "error",
}  # fmt: skip


def finish(values: Mapping[str, Any], calls: bool) -> Finish:
    """Why a response ended. With calls of the caller's tools that is the reason, whatever the status says."""
    told = reason(values)
    known = _REASONS.get(told, "other")
    return Finish(reason="tool_calls" if calls and known == "stop" else known, raw=told)


def parse_reply(values: Mapping[str, Any]) -> ChatReply:
    """A provider's whole reply in neutral words. Raises Fault when it is an error or none."""
    check(values)
    parts = tuple(part for item in values["output"] if isinstance(item, dict) for part in output_parts(item))
    calls = any(isinstance(part, ToolCall) for part in parts)
    return ChatReply(
        id=str(values.get("id", "")),
        model=str(values.get("model", "")),
        created=created(values),
        choices=(Choice(parts=parts, finish=finish(values, calls)),),
        usage=usage(values.get("usage")),
    )


def created(values: Mapping[str, Any]) -> int:
    """Unix seconds; some send them as a fraction."""
    at = values.get("created_at")
    return int(at) if isinstance(at, int | float) else 0


def begun(asked: Mapping[str, Any], identity: str, model: str, at: int) -> dict[str, Any]:
    """A response that has just begun: what was asked, told back. Nothing of it is kept here, so `store` is false."""

    def said(name: str, otherwise: Any = None) -> Any:
        value = asked.get(name)
        return otherwise if value is None else value

    text, reasoning = said("text", {}), said("reasoning", {})
    return {
        "id": identity,
        "object": "response",
        "created_at": at,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": said("instructions"),
        "max_output_tokens": said("max_output_tokens"),
        "max_tool_calls": said("max_tool_calls"),
        "model": model,
        "output": [],
        "parallel_tool_calls": said("parallel_tool_calls", True),
        "previous_response_id": None,
        "prompt_cache_key": said("prompt_cache_key"),
        "reasoning": {"effort": None, "summary": None, **reasoning},
        "safety_identifier": said("safety_identifier"),
        "service_tier": "default",
        "store": False,
        "temperature": said("temperature", 1.0),
        "text": {"format": {"type": "text"}, **{name: value for name, value in text.items() if value is not None}},
        "tool_choice": said("tool_choice", "auto"),
        "tools": [_told_back(tool) for tool in said("tools", [])],
        "top_logprobs": said("top_logprobs", 0),
        "top_p": said("top_p", 1.0),
        "truncation": said("truncation", "disabled"),
        "usage": None,
        "user": said("user"),
        "metadata": said("metadata", {}),
    }


def _told_back(tool: Any) -> Any:
    if isinstance(tool, dict) and tool.get("type") == "function" and tool.get("strict") is None:
        return {**tool, "strict": True}
    return tool
