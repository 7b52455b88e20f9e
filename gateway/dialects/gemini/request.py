"""Gemini requests: what the gateway must know of one, and its bytes for a leg."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ...call import Ask, Call, Hosted, Leg
from ...splice import Scan, edit, scan
from .. import hosted
from ..base import OWN
from ..scale import Scale, decoded, size
from ..shapes import words
from .spelling import camel, level, several, spelled

FILES_API = re.compile(r"https://generativelanguage\.googleapis\.com/v[0-9a-z]+/(files/[A-Za-z0-9_-]+)")
"""The addresses of files that were uploaded before; the group is the file's name."""

_WEB = re.compile(r"https?://(?![^/?#]*(?:generativelanguage|aiplatform))")
"""Addresses in the open web. Whatever stands on the API's own hosts is read with our key, however it is spelled."""

WHOLE_REQUEST = "generateContentRequest"
"""Of a question for a count only: the request that is to be counted."""

_KNOWN = frozenset({
    "model", "stream", "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "labels",
    WHOLE_REQUEST,
})  # fmt: skip
"""Members that are weighed, or that name nothing."""

_ADDRESS = re.compile(r"(?i:https?)://")
_RESOURCE = re.compile(r"(?:projects|fileSearchStores|corpora|ragCorpora)/")


def ask(values: Mapping[str, Any]) -> Ask:
    """What the gateway must know of a request that the schema gate has passed. `model` and `stream` are the path's."""
    inner = values.get(spelled(values, WHOLE_REQUEST))
    if isinstance(inner, Mapping) and values.get("contents") is None:
        values = {**inner, "model": values["model"]}
    body = level(values)
    config = level(body.get("generationConfig"))
    scale = _weighed(values)
    modalities = {word.upper() for word in words(config.get("responseModalities"))}
    return Ask(
        model=values["model"],
        stream=bool(values.get("stream")),
        n=config.get("candidateCount") or 1,
        limit=config.get("maxOutputTokens"),
        only=("cachedContent",) if body.get("cachedContent") else (),
        audio_in=scale.audio_bytes > 0,
        audio_out="AUDIO" in modalities,
        image_out="IMAGE" in modalities,
        hosted=(
            *(
                Hosted(f"tools[{place}].{name}", hosted.kind(name))
                for place, tool in enumerate(several(body.get("tools")))
                for name in level(tool)
                if name != "functionDeclarations"
            ),
            *([Hosted("generationConfig.responseModalities", "video")] if "VIDEO" in modalities else []),
        ),
        tier=None if body.get("serviceTier") == "unspecified" else body.get("serviceTier"),
        weight=scale.weight(),
        references=tuple(scale.references),
        urls=tuple(scale.urls),
    )


def _weighed(values: Mapping[str, Any]) -> Scale:
    scale = Scale()
    scale.top(values, [name for name in values if camel(name) in _KNOWN])
    contents = spelled(values, "contents")
    for index, content in enumerate(several(values.get(contents))):
        weigh_content(scale, content, f"{contents}[{index}]")
    system = spelled(values, "systemInstruction")
    if values.get(system) is not None:
        weigh_content(scale, values[system], system)
    for place, tool in enumerate(several(values.get("tools"))):
        for name, value in level(tool).items():
            scale.text += size(value)
            if name == "functionDeclarations":
                scale.tools += len(several(value))
            else:
                scale.tools += 1
                _name_resources(scale, value, f"tools[{place}].{name}")
    for name in ("toolConfig", "generationConfig"):
        scale.text += size(values.get(spelled(values, name)))
    return scale


def weigh_content(scale: Scale, content: Any, where: str) -> None:
    """Add one content to the sums, and what its parts name."""
    scale.messages += 1
    if not isinstance(content, Mapping):
        scale.text += size(content)
        return
    for place, part in enumerate(several(content.get("parts"))):
        _weigh_part(scale, part, f"{where}.parts[{place}]")


def _weigh_part(scale: Scale, part: Mapping[str, Any], where: str) -> None:
    for name, value in part.items():
        match level({name: value}):
            case {"inlineData": inner}:
                _weigh_bytes(scale, level(inner))
            case {"fileData": Mapping() as inner}:
                scale.unseen = True
                uri = spelled(inner, "fileUri")
                _name_file(scale, inner.get(uri), f"{where}.{name}.{uri}")
            case {"functionResponse": Mapping() as inner}:
                scale.text += size(inner.get("name")) + size(inner.get("response"))
                for place, media in enumerate(several(inner.get("parts"))):
                    _weigh_part(scale, media, f"{where}.{name}.parts[{place}]")
            case _:  # arguments and results are the caller's own words: whatever they name is no object of ours
                scale.text += size(value)


def _name_resources(scale: Scale, value: Any, where: str) -> None:
    """Note what a hosted tool is told to use: stores are named by paths such as `fileSearchStores/…`, servers by
    addresses."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _name_resources(scale, inner, f"{where}.{name}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _name_resources(scale, inner, f"{where}[{place}]")
    elif isinstance(value, str) and _RESOURCE.match(value):
        scale.refer("store", value, where)
    elif isinstance(value, str) and _ADDRESS.match(value):
        scale.fetched(value, where)


def _weigh_bytes(scale: Scale, blob: Mapping[str, Any]) -> None:
    match str(blob.get("mimeType", "")).partition("/")[0]:
        case "image":
            scale.images += 1
        case "audio":
            scale.audio_bytes += decoded(blob.get("data"))
        case _:
            scale.file_bytes += decoded(blob.get("data"))


def _name_file(scale: Scale, uri: Any, where: str) -> None:
    """Note a file: one that was uploaded before by its name, one in the open web as an address to fetch. Whatever
    else an address may be (`gs://`), it lies in somebody's own store and must have been made through us."""
    if not isinstance(uri, str):
        return
    uploaded = FILES_API.fullmatch(uri)
    if uploaded:
        scale.refer("file", uploaded[1], where)
    elif _WEB.match(uri.lower()):
        scale.fetched(uri, where)
    else:
        scale.refer("file", uri, where)


def encode(call: Call, leg: Leg) -> bytes:
    """The caller's bytes for a leg of the same dialect: only what Law 1 names is changed. The model is in the path."""
    values = call.body.values
    changes: dict[str, str | None] = {name: None for name in OWN if name in values}
    if isinstance(values.get("model"), str):
        prefix = "models/" if values["model"].startswith("models/") else ""
        changes["model"] = json.dumps(prefix + leg.model)
    if call.cap is not None:
        config = spelled(values, "generationConfig")
        changes[config] = _capped(call.body, config, call.cap)
    return edit(call.body, changes) if changes else call.body.text.encode()


def _capped(body: Scan, config: str, cap: int) -> str:
    """The member `generationConfig` with an output limit, all else in it as it was written."""
    if body.values.get(config) is None:
        return f'{{"maxOutputTokens":{cap}}}'
    inner = scan(body.raw(config).encode())
    return edit(inner, {spelled(inner.values, "maxOutputTokens"): str(cap)}).decode()
