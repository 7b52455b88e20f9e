"""Responses requests: what the gateway must know of one, and its bytes for a leg."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...call import Ask, Call, Hosted, Leg
from ...splice import edit
from .. import hosted, shapes
from ..base import OWN
from ..passing import for_leg
from ..scale import Scale, decoded, size
from ..shapes import listed, members, objects
from .items import trace
from .parse import SAID

_OURS = frozenset(
    {
        "function", "custom", "namespace", "tool_search", "computer_use_preview", "computer", "local_shell", "shell",
        "apply_patch",
    }
)  # fmt: skip
"""Types of tools that the caller runs; all others are the provider's, and billed by it."""


def ask(values: Mapping[str, Any]) -> Ask:
    """What the gateway must know of a request that the schema gate has passed."""
    scale = _weighed(values)
    return Ask(
        model=values["model"],
        stream=bool(values.get("stream")),
        limit=values.get("max_output_tokens"),
        wants_usage=True,
        audio_in=scale.audio_bytes > 0,
        hosted=tuple(
            Hosted(f"tools[{place}]", hosted.kind(tool["type"]), shapes.count(values.get("max_tool_calls")))
            for place, tool in enumerate(values.get("tools") or ())
            if _hosted(tool)
        ),
        tier=values.get("service_tier"),
        weight=scale.weight(),
        references=tuple(scale.references),
        urls=tuple(scale.urls),
        seal=next(filter(None, map(trace, reversed(objects(values.get("input"))))), None),
    )


def _hosted(tool: Mapping[str, Any]) -> bool:
    """Whether the provider runs a tool. A shell is the caller's unless it runs in a container of the provider's."""
    if tool.get("type") == "namespace":
        return any(map(_hosted, objects(tool.get("tools"))))
    if tool.get("type") == "shell":
        where = tool.get("environment")
        return isinstance(where, dict) and where.get("type") not in (None, "local")
    return str(tool.get("type")) not in _OURS


def _weighed(values: Mapping[str, Any]) -> Scale:
    scale = Scale()
    scale.top(values, SAID | {"prompt"})
    for name in ("instructions", "text", "tool_choice"):
        scale.text += size(values.get(name))
    given = values.get("input")
    if isinstance(given, str):
        scale.messages += 1
        scale.text += size(given)
    for index, item in enumerate(listed(given)):
        scale.messages += 1
        _weigh_item(scale, item, f"input[{index}]")
    prompt = values.get("prompt")
    if isinstance(prompt, dict):
        scale.refer("prompt", prompt.get("id"), "prompt.id")
        for name, value in (prompt.get("variables") or {}).items():
            _weigh_part(scale, value, f"prompt.variables.{name}")
    for place, tool in enumerate(values.get("tools") or ()):
        scale.tools += 1
        scale.text += size(tool)
        if tool["type"] not in ("function", "custom", "namespace"):
            scale.search(tool, f"tools[{place}]", loose=True)
    return scale


_TOLD = frozenset({"message", "function_call", "custom_tool_call", "reasoning", "file_search_call", "web_search_call"})
"""Items whose members name nothing that the provider would look up."""


def _weigh_item(scale: Scale, item: Mapping[str, Any], where: str) -> None:
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    if kind == "item_reference":
        scale.refer("item", item.get("id"), f"{where}.id")
    elif kind in ("reasoning", "compaction") and not item.get("encrypted_content"):
        scale.refer("item", item.get("id"), f"{where}.id")  # the provider looks what it has stored up by this id
    elif kind == "image_generation_call" and not item.get("result"):
        scale.refer("item", item.get("id"), f"{where}.id")
    elif kind == "mcp_approval_response":
        scale.refer("item", item.get("approval_request_id"), f"{where}.approval_request_id")
    for name, value in item.items():
        if name in ("content", "output") and isinstance(value, list):
            for place, part in enumerate(value):
                _weigh_part(scale, part, f"{where}.{name}[{place}]")
        elif name == "output" and isinstance(value, dict):  # a screenshot
            _weigh_part(scale, value, f"{where}.output")
        elif name == "result" and kind == "image_generation_call":
            scale.images += 1
        else:
            scale.text += size(value)
    if kind not in _TOLD and not kind.endswith("_output"):
        scale.search(item, where)


_TEXTS = frozenset({"input_text", "output_text", "text", "refusal", "reasoning_text", "summary_text"})


def _weigh_part(scale: Scale, part: Any, where: str) -> None:
    kind = str(part.get("type")) if isinstance(part, dict) else None
    if kind in ("input_image", "computer_screenshot"):
        scale.picture(part.get("image_url"), f"{where}.image_url", small=part.get("detail") == "low")
    elif kind == "input_file":
        scale.file_bytes += decoded(part.get("file_data"))
        if part.get("file_url") is not None:
            scale.unseen = True
            scale.fetched(part["file_url"], f"{where}.file_url")
    elif kind == "input_audio":
        scale.audio_bytes += decoded(members(part.get("input_audio")).get("data"))
    else:
        scale.text += size(part)
    if kind not in _TEXTS:
        scale.search(part, where, loose=str(kind).startswith("input_"))


def encode(call: Call, leg: Leg) -> bytes:
    """The caller's bytes for a leg of the same dialect: only what Law 1 names is changed."""
    changes = for_leg(call, leg, OWN)
    if call.cap is not None and not call.below:
        changes["max_output_tokens"] = str(call.cap)
    previous = call.body.values.get("previous_response_id")
    if isinstance(previous, str) and previous in call.theirs:
        changes["previous_response_id"] = json.dumps(call.theirs[previous])
    return edit(call.body, changes)
