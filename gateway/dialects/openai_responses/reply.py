"""Responses replies, whole: metered and given the caller's names, or read into neutral words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ...call import Call, Fault, Meter
from ...neutral.parts import ToolCall
from ...neutral.reply import ChatReply, Choice, Finish, Reason, Usage
from ...splice import Scan, edit
from .. import hosted, shapes
from ..openai_chat.usage import counted, render_details
from ..passing import scanned
from ..scale import size
from ..shapes import members, objects
from .errors import failed, told
from .items import output_parts, trace

_MOST_MADE = 256


def whole(call: Call, body: bytes, meter: Meter) -> bytes:
    """A provider's whole reply as the caller gets it: its names, and `output_text`. Fills the meter; raises Fault."""
    found = scanned(body)
    read(found.values, meter, stores(call))
    previous = call.body.values.get("previous_response_id")
    return _renamed(found, call.id, call.model, previous if isinstance(previous, str) else None)


def kept(body: bytes, identity: str, model: str, ours: Callable[[str], str | None]) -> bytes:
    """A reply that its provider has kept, as the caller knows it. ours: our id for one of its. Raises Fault."""
    found = scanned(body)
    before = found.values.get("previous_response_id")
    return _renamed(found, identity, model, ours(before) if isinstance(before, str) else None)


def _renamed(found: Scan, identity: str, model: str, previous: str | None) -> bytes:
    values = found.values
    changes: dict[str, str | None] = {"id": json.dumps(identity), **told(values)}
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
        for item in objects(output)
        if item.get("type") == "message"
        for part in objects(item.get("content"))
        if part.get("type") == "output_text" and isinstance(part.get("text"), str)
    )


def stores(call: Call) -> bool:
    """Whether the caller lets the provider keep the reply: so it does unless told otherwise."""
    return call.body.values.get("store") is not False


def read(values: Mapping[str, Any], meter: Meter, stored: bool) -> None:
    """Meter a whole response. Raises Fault when it is an error or none."""
    check(values)
    meter.upstream_id = shapes.short(values.get("id")) or None
    meter.usage = usage(values)
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
    told = members(values.get("incomplete_details")).get("reason")
    return shapes.word(told) or shapes.word(values.get("status")) or "completed"


_SAID = frozenset({"text", "arguments", "input", "refusal", "name", "code", "result"})


def said(value: Any, name: str = "") -> int:
    """Bytes of output: texts, refusals, names and arguments of calls, programs, pictures."""
    if isinstance(value, str):
        return size(value) if name in _SAID else 0
    if isinstance(value, dict):
        return sum(said(inner, key) for key, inner in value.items())
    return sum(said(inner, name) for inner in value) if isinstance(value, list) else 0


def made(values: Mapping[str, Any], stored: bool) -> list[tuple[str, str]]:
    """What a later request may refer to: the reply, its conversation, its items, the containers they ran in, and what
    thoughts are sealed with.

    A thought without its encrypted content can only be told by its id, so it counts even where nothing is kept.
    """
    stored = stored and values.get("store") is not False
    found: list[tuple[str, Any]] = []
    if stored and values.get("object") != "response.compaction":  # nothing can go on from one
        found.append(("response", values.get("id")))
    found.append(("conversation", members(values.get("conversation")).get("id")))
    for item in objects(values["output"]):
        if stored or (item.get("type") == "reasoning" and not item.get("encrypted_content")):
            found.append(("item", item.get("id")))
        found.append(("container", item.get("container_id")))
        found.append(("seal", trace(item)))
    named = [(kind, identity) for kind, value in found if (identity := shapes.short(value))]
    return list(dict.fromkeys(named))[:_MOST_MADE]


def usage(values: Mapping[str, Any]) -> Usage | None:
    """The usage of a response; None where there is none that can be believed."""
    found = members(values.get("usage"))
    told = counted(found, "input_tokens", "output_tokens")
    if told is None:
        return None
    ran = hosted.counted(found.get("server_side_tool_usage_details")) or hosted.counted(found.get("tool_calls_details"))
    return replace(told, tier=shapes.word(values.get("service_tier")), tools=ran or runs(values))


def runs(values: Mapping[str, Any]) -> dict[str, int]:
    """How often the provider ran tools of its own. Of a web search only the searches are billed, not the pages that it
    opens; of programs the containers (https://platform.openai.com/docs/pricing#built-in-tools)."""
    found: dict[str, int] = {}
    containers = set()
    for item in objects(values.get("output")):
        name = str(item.get("type"))
        if not name.endswith("_call") or name in _CALLS:
            continue
        if name == "code_interpreter_call":
            containers.add(str(item.get("container_id")))
        elif name != "web_search_call" or members(item.get("action")).get("type", "search") == "search":
            found[hosted.kind(name)] = found.get(hosted.kind(name), 0) + 1
    return {**found, "code_interpreter": len(containers)} if containers else found


_CALLS = frozenset(
    {
        "function_call",
        "custom_tool_call",
        "computer_call",
        "local_shell_call",
        "shell_call",
        "apply_patch_call",
        "tool_search_call",
    }
)
"""Items that ask the caller to do something."""


def render_usage(found: Usage) -> dict[str, Any]:
    """Usage as OpenAI tells it; here details that are unknown are zero."""
    given, taken = found.input or 0, found.output or 0
    inside, outside = render_details(found)
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, **inside},
        "output_tokens": taken,
        "output_tokens_details": {"reasoning_tokens": 0, **outside},
        "total_tokens": given + taken,
    }


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
    parts = tuple(part for item in objects(values["output"]) for part in output_parts(item))
    calls = any(isinstance(part, ToolCall) for part in parts)
    return ChatReply(
        id=str(values.get("id", "")),
        model=str(values.get("model", "")),
        created=created(values),
        choices=(Choice(parts=parts, finish=finish(values, calls)),),
        usage=usage(values),
    )


def created(values: Mapping[str, Any]) -> int:
    """Unix seconds; some send them as a fraction."""
    at = values.get("created_at")
    return int(at) if isinstance(at, int | float) else 0


def begun(asked: Mapping[str, Any], identity: str, model: str, at: int) -> dict[str, Any]:
    """A response that has just begun: what was asked, told back. `store` is true for one in the background."""

    def said(name: str, otherwise: Any = None) -> Any:
        value = asked.get(name)
        return otherwise if value is None else value

    text, reasoning = said("text", {}), said("reasoning", {})
    return {
        "id": identity,
        "object": "response",
        "created_at": at,
        "status": "in_progress",
        "background": said("background", False),
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
        "store": said("background", False),
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
