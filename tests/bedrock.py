"""Amazon Bedrock as tests need it: its service model, as the vendor's SDK carries it, and its streams as events."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest


@cache
def shapes() -> dict[str, Any]:
    """The shapes of the vendor's service model; skips where botocore is not installed."""
    loaders = pytest.importorskip("botocore.loaders", reason="botocore is not installed")
    found: dict[str, Any] = loaders.Loader().load_service_model("bedrock-runtime", "service-2", "2023-09-30")["shapes"]
    return found


def wrong(body: Any, shape: str = "ConverseRequest") -> str | None:
    """The first thing in a body that the service model does not allow; None where there is none."""
    return next(_wrong(shape, body, ""), None)


def _wrong(name: str, value: Any, where: str) -> Iterator[str]:
    shape = shapes()[name]
    kinds = {
        "structure": dict, "map": dict, "list": list, "string": str, "blob": str, "integer": int, "long": int,
        "float": int | float, "double": int | float, "boolean": bool,
    }  # fmt: skip
    if shape.get("document"):
        return
    if not isinstance(value, kinds[shape["type"]]):
        yield f"{where} is no {shape['type']}"
        return
    match shape["type"]:
        case "structure":
            yield from _structure(shape, value, where)
        case "list":
            yield from _size(shape, len(value), where)
            for place, one in enumerate(value):
                yield from _wrong(shape["member"]["shape"], one, f"{where}[{place}]")
        case "map":
            yield from _size(shape, len(value), where)
            for key, one in value.items():
                yield from _wrong(shape["key"]["shape"], key, f"a name in {where}")
                yield from _wrong(shape["value"]["shape"], one, f"{where}.{key}")
        case "string":
            yield from _size(shape, len(value), where)
            if "enum" in shape and value not in shape["enum"]:
                yield f"{where} is {value!r}"
            if "pattern" in shape and not re.fullmatch(shape["pattern"], value):
                yield f"{where} has letters that do not belong there: {value[:80]!r}"
        case "blob":
            try:
                yield from _size(shape, len(base64.b64decode(value, validate=True)), where)
            except binascii.Error:
                yield f"{where} is no base64"
        case "integer" | "long" | "float" | "double":
            yield from _size(shape, value, where)


def _structure(shape: dict[str, Any], value: dict[str, Any], where: str) -> Iterator[str]:
    in_path = {name for name, member in shape["members"].items() if member.get("location") == "uri"}
    for name in set(shape.get("required", ())) - in_path - value.keys():
        yield f"{where}.{name} is missing"
    if shape.get("union") and len(value) != 1:
        yield f"{where} is {sorted(value)}, not one of them"
    for name, one in value.items():
        if name not in shape["members"] or name in in_path:
            yield f"{where}.{name} is unknown"
        else:
            yield from _wrong(shape["members"][name]["shape"], one, f"{where}.{name}")


def _size(shape: dict[str, Any], size: float, where: str) -> Iterator[str]:
    if size < shape.get("min", size) or size > shape.get("max", size):
        yield f"{where} is too short, long, small or large"


def event(name: str, **payload: Any) -> bytes:
    """One event of a stream, as the transport hands it on."""
    return f"event: {name}\ndata: {json.dumps(payload, ensure_ascii=False)}\n\n".encode()


def streamed(reply: dict[str, Any], size: int = 7) -> Iterator[bytes]:
    """A whole reply as the events of its stream, texts in pieces of so many letters."""
    yield event("messageStart", role="assistant")
    for index, block in enumerate(reply["output"]["message"]["content"]):
        for start in _starts(block):
            yield event("contentBlockStart", contentBlockIndex=index, start=start)
        for delta in _deltas(block, size):
            yield event("contentBlockDelta", contentBlockIndex=index, delta=delta)
        yield event("contentBlockStop", contentBlockIndex=index)
    told = {name: reply[name] for name in ("stopReason", "additionalModelResponseFields") if name in reply}
    yield event("messageStop", **told)
    yield event("metadata", **{name: reply[name] for name in ("usage", "metrics") if name in reply})


def _starts(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match block:
        case {"toolUse": {"input": _, **call}}:
            yield {"toolUse": call}
        case {"image": {"format": kind}}:
            yield {"image": {"format": kind}}


def _deltas(block: dict[str, Any], size: int) -> Iterator[dict[str, Any]]:
    match block:
        case {"text": text}:
            yield from ({"text": piece} for piece in _cut(text, size) or [""])
        case {"citationsContent": {"content": pieces, "citations": citations}}:
            yield from ({"text": piece} for one in pieces for piece in _cut(one["text"], size) or [""])
            yield from ({"citation": one} for one in citations)
        case {"reasoningContent": {"reasoningText": {"text": text, **rest}}}:
            yield from ({"reasoningContent": {"text": piece}} for piece in _cut(text, size) or [""])
            if "signature" in rest:
                yield {"reasoningContent": {"signature": rest["signature"]}}
        case {"reasoningContent": {"redactedContent": data}}:
            yield {"reasoningContent": {"redactedContent": data}}
        case {"toolUse": {"input": values}}:
            text = json.dumps(values, ensure_ascii=False, separators=(",", ":")) if values else ""
            yield from ({"toolUse": {"input": piece}} for piece in _cut(text, size) or [""])
        case {"image": {"source": source}}:
            yield {"image": {"source": source}}


def _cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]
