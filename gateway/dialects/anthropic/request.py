"""Messages requests: what the gateway must know of one, and its bytes for a leg."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...call import Ask, Call, Hosted, Leg
from ...splice import edit
from .. import hosted, shapes
from ..base import OWN
from ..passing import for_leg
from ..scale import Scale, decoded, size
from ..shapes import members, objects
from .parse import SAID

_OURS = ("computer_", "browser_toolset_", "text_editor_", "bash_", "memory_")
"""Beginnings of the types of tools that the vendor defines and the caller runs; all other types are the provider's to
run, and billed by it."""

_DEFINITION = 4_000
"""Input tokens, from above, of the definition that the vendor adds for a tool it knows by its type (`memory` was
counted at 1,570)."""

_MADE_HERE = re.compile("msg_[0-9a-f]{32}")
"""A reply's id as the gateway makes it: it names nothing upstream."""

_UPSTREAM = {"user_profile_id": "user profile", "workspace_id": "workspace"}
"""Members that name objects of the gateway's own account there, beside those of `scale.UPSTREAM`."""


def ask(values: Mapping[str, Any]) -> Ask:
    """What the gateway must know of a request that the schema gate has passed."""
    scale = _weighed(values)
    return Ask(
        model=values["model"],
        stream=bool(values.get("stream")),
        limit=values.get("max_tokens"),
        thoughts=shapes.count((values.get("thinking") or {}).get("budget_tokens")) or 0,
        wants_usage=True,
        hosted=tuple(_hosted(values)),
        tier=None if values.get("service_tier") == "standard_only" else values.get("service_tier"),
        weight=scale.weight(),
        references=tuple(scale.references),
        urls=tuple(scale.urls),
    )


def _hosted(values: Mapping[str, Any]) -> Iterator[Hosted]:
    """What the provider bills beside tokens, or at other rates (https://platform.claude.com/docs/en/pricing)."""
    for place, tool in enumerate(values.get("tools") or ()):
        if not _runs_here(tool):
            yield Hosted(f"tools[{place}]", hosted.kind(str(tool["type"])), shapes.count(tool.get("max_uses")))
    if values.get("mcp_servers"):
        yield Hosted("mcp_servers", "mcp")
    if values.get("speed") not in (None, "standard"):
        yield Hosted("speed", "speed")
    if values.get("inference_geo") not in (None, "global"):
        yield Hosted("inference_geo", "inference_geo")


def _runs_here(tool: Mapping[str, Any]) -> bool:
    """Whether the caller runs a tool."""
    kind = tool.get("type")
    return kind in (None, "custom") or str(kind).startswith(_OURS)


def _weighed(values: Mapping[str, Any]) -> Scale:
    scale = Scale()
    scale.top(values, SAID)
    for name, kind in _UPSTREAM.items():
        if values.get(name) is not None:
            scale.refer(kind, values[name], name)
    _weigh_content(scale, values.get("system"), "system")
    for index, message in enumerate(values["messages"]):
        scale.messages += 1
        scale.text += size({name: value for name, value in message.items() if name != "content"})
        _weigh_content(scale, message.get("content"), f"messages[{index}].content")
    for place, tool in enumerate(values.get("tools") or ()):
        scale.tools += 1
        scale.text += size(tool)
        if tool.get("type") not in (None, "custom"):
            scale.text += _DEFINITION
            scale.search(tool, f"tools[{place}]", loose=True)
    for name in ("tool_choice", "output_config", "output_format", "mcp_servers", "context_management"):
        scale.text += size(values.get(name))
    for place, server in enumerate(values.get("mcp_servers") or ()):
        scale.unseen = True
        scale.fetched(server.get("url"), f"mcp_servers[{place}].url")
    for place, skill in enumerate(objects(members(values.get("container")).get("skills"))):
        if skill.get("type") != "anthropic":
            scale.refer("skill", skill.get("skill_id"), f"container.skills[{place}].skill_id")
    previous = members(values.get("diagnostics")).get("previous_message_id")
    if isinstance(previous, str) and not _MADE_HERE.fullmatch(previous):
        scale.refer("message", previous, "diagnostics.previous_message_id")
    return scale


def _weigh_content(scale: Scale, found: Any, where: str) -> None:
    if not isinstance(found, list):
        scale.text += size(found)
        return
    for place, block in enumerate(found):
        _weigh_block(scale, block, f"{where}[{place}]")


def _weigh_block(scale: Scale, block: Any, where: str) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind in ("image", "document"):
        scale.text += size({name: value for name, value in block.items() if name not in ("source", "type")})
        scale.images += kind == "image"
        source = block.get("source")
        if isinstance(source, dict):
            _weigh_source(scale, source, kind == "image", f"{where}.source")
    elif kind == "tool_result":
        scale.text += size({name: value for name, value in block.items() if name != "content"})
        _weigh_content(scale, block.get("content"), f"{where}.content")
    else:
        scale.text += size(block)
        if not str(kind).endswith("tool_use"):  # what a model said is no name of ours to look up
            scale.search(block, where)


def _weigh_source(scale: Scale, source: Mapping[str, Any], image: bool, where: str) -> None:
    match source.get("type"):
        case "base64":
            if image:
                scale.posing(source.get("media_type"), source.get("data"))
            else:
                scale.file_bytes += decoded(source.get("data"))
        case "url":
            scale.unseen = scale.unseen or not image
            scale.fetched(source.get("url"), f"{where}.url")
        case "content":
            _weigh_content(scale, source.get("content"), f"{where}.content")
        case _:
            scale.text += size(source)
            scale.search(source, where)


def encode(call: Call, leg: Leg) -> bytes:
    """The caller's bytes for a leg of the same dialect: only what Law 1 names is changed."""
    changes = for_leg(call, leg, OWN)
    if call.cap is not None:
        changes["max_tokens"] = str(call.cap)
    return edit(call.body, changes)
