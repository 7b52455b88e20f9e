"""Chat requests between Chat speakers: what the gateway must know of one, and its bytes for a leg."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...call import Ask, Call, Hosted, Leg
from ...splice import edit
from .. import hosted
from ..base import OWN
from ..passing import for_leg
from ..scale import Scale, decoded, size
from ..shapes import dumps, members, text, words
from .parse import LIMITS, SAID

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOSTED = ("web_search_options",)
_OURS = frozenset({"function", "custom"})
"""Types of tools that the caller runs; all others are the provider's, and billed by it."""

_NAMELESS = frozenset({"role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal"})
"""Members of a message in which nothing is named that a provider would look up or fetch."""

_MEDIA = frozenset({"image", "video", "audio", "document", "file", "input"})
"""First words of the types of parts that somebody looks at: whatever address stands in one is fetched."""

_TEXTS = frozenset({None, "text", "refusal", "thinking", "input_text", "output_text"})


def ask(values: Mapping[str, Any]) -> Ask:
    """What the gateway must know of a request that the schema gate has passed."""
    given = [values[name] for name in LIMITS if values.get(name) is not None]
    modalities = words(values.get("modalities"))
    scale = _weighed(values)
    return Ask(
        model=values["model"],
        stream=bool(values.get("stream")),
        n=values.get("n") or 1,
        limit=max(given, default=None),  # a provider may know either name
        only=tuple(name for name in _HOSTED if values.get(name) is not None and not values.get("tools")),
        wants_usage=wants_usage(values),
        audio_in=scale.audio_bytes > 0,
        audio_out="audio" in modalities,
        image_out="image" in modalities,
        hosted=(
            *(Hosted(name, "web_search") for name in _HOSTED if values.get(name) is not None),
            *(
                Hosted(f"tools[{place}]", hosted.kind(tool["type"]))
                for place, tool in enumerate(values.get("tools") or ())
                if tool["type"] not in _OURS
            ),
        ),
        search_size=text(members(values.get("web_search_options")).get("search_context_size")),
        tier=values.get("service_tier"),
        weight=scale.weight(),
        references=tuple(scale.references),
        urls=tuple(scale.urls),
    )


def wants_usage(values: Mapping[str, Any]) -> bool:
    """Whether a client of Chat or completions asks for a frame of usage."""
    return members(values.get("stream_options")).get("include_usage") is True


def with_usage(call: Call) -> dict[str, str | None]:
    """As changes of an `edit`, what makes a provider of Chat or completions tell the usage of a stream."""
    if not call.ask.stream or call.ask.wants_usage:
        return {}
    return {"stream_options": dumps({**(call.body.values.get("stream_options") or {}), "include_usage": True})}


def _weighed(values: Mapping[str, Any]) -> Scale:
    scale = Scale()
    scale.top(values, SAID)
    for index, message in enumerate(values["messages"]):
        scale.messages += 1
        for name, value in message.items():
            if name == "content" and isinstance(value, list):
                for place, part in enumerate(value):
                    _weigh_part(scale, part, f"messages[{index}].content[{place}]")
            elif name == "images" and isinstance(value, list):
                for place, image in enumerate(value):
                    _weigh_part(scale, image, f"messages[{index}].images[{place}]")
                    if isinstance(image, str):
                        scale.search(image, f"messages[{index}].images[{place}]", loose=True)
            elif name == "audio" and isinstance(value, dict) and "id" in value:
                scale.refer("audio", value["id"], f"messages[{index}].audio.id")
            else:
                scale.text += size(value)
                if name not in _NAMELESS:
                    scale.search({name: value}, f"messages[{index}]")
    for name in ("tools", "functions"):
        for place, tool in enumerate(values.get(name) or ()):
            scale.tools += 1
            scale.text += size(tool)
            if isinstance(tool, dict) and tool.get("type") not in _OURS and name == "tools":
                scale.search(tool, f"tools[{place}]", loose=True)
    for name in ("response_format", "tool_choice", "prediction"):
        scale.text += size(values.get(name))
    return scale


def _weigh_part(scale: Scale, part: Any, where: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    inner = part.get(kind) if kind else None
    if kind == "image_url":
        image, small = (inner.get("url"), inner.get("detail") == "low") if isinstance(inner, dict) else (inner, False)
        scale.picture(image, f"{where}.image_url", small=small)
    elif kind == "input_audio" and isinstance(inner, dict):
        scale.audio_bytes += decoded(inner.get("data"))
    elif kind == "file" and isinstance(inner, dict):
        data = inner.get("file_data")
        if isinstance(data, str) and _ADDRESS.match(data):  # OpenRouter takes one here
            scale.unseen = True
            scale.fetched(data, f"{where}.file.file_data")
        else:
            scale.file_bytes += decoded(data)
    elif kind in ("video_url", "audio_url", "document_url", "file_url"):
        scale.unseen = True
        scale.fetched(inner.get("url") if isinstance(inner, dict) else inner, f"{where}.{kind}")
    else:
        scale.text += size(part)
        scale.images += kind not in _TEXTS  # whatever it is, it may be seen
    if kind != "text" or len(part) > 2:
        scale.search(part, where, loose=str(kind).partition("_")[0] in _MEDIA)


def encode(call: Call, leg: Leg) -> bytes:
    """The caller's bytes for a leg of the same dialect: only what Law 1 names is changed."""
    values = call.body.values
    changes = {**for_leg(call, leg, OWN), **with_usage(call)}
    if call.cap is not None:
        named = {name: values[name] for name in LIMITS if values.get(name) is not None}
        for name, asked in (named or {leg.profile.limit_name: call.cap}).items():
            changes[name] = str(min(asked, call.cap))
    return edit(call.body, changes)
