"""A streamed reply put together as official clients do, so that it can be sent back. Own code: nothing of the gateway's."""

from __future__ import annotations

import json
from typing import Any

from .read import frames


def kept(dialect: str, text: str) -> dict[str, Any]:
    """The whole reply that a client of that dialect has after a stream."""
    values = [json.loads(data) for _, data in frames(text) if data != "[DONE]"]
    match dialect:
        case "chat":
            return _chat(values)
        case "responses":
            ends = ("response.completed", "response.incomplete")
            found: dict[str, Any] = next(one["response"] for one in values if one["type"] in ends)
            items = [one["item"] for one in values if one["type"] == "response.output_item.done"]
            return {**found, "output": items or found["output"]}  # agents keep the items as they come
        case "messages":
            return {"content": _blocks(values)}
        case _:
            return {"candidates": [{"content": {"role": "model", "parts": _parts(values)}}]}


def _chat(values: list[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    calls: dict[int, dict[str, Any]] = {}
    for chunk in values:
        for choice in chunk["choices"]:
            if choice["index"]:
                continue
            for name, value in choice["delta"].items():
                if name == "tool_calls":
                    for piece in value:
                        _join(calls.setdefault(piece["index"], {}), piece)
                elif isinstance(value, list):
                    message[name] = [*message.get(name, ()), *value]
                elif isinstance(value, dict):
                    _join(message.setdefault(name, {}), value)
                elif name != "role" and value is not None:
                    message[name] = (message.get(name) or "") + value
    for call in calls.values():
        del call["index"]
    return {"choices": [{"message": {**message, **({"tool_calls": list(calls.values())} if calls else {})}}]}


def _join(to: dict[str, Any], piece: dict[str, Any]) -> None:
    for name, value in piece.items():
        if isinstance(value, dict):
            _join(to.setdefault(name, {}), value)
        elif name == "arguments":
            to[name] = to.get(name, "") + value
        else:
            to[name] = value


def _blocks(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    texts: list[str] = []
    for event in values:
        match event["type"]:
            case "content_block_start":
                blocks.append(dict(event["content_block"]))
                texts = []
            case "content_block_delta":
                delta = event["delta"]
                match delta["type"]:
                    case "text_delta":
                        blocks[-1]["text"] += delta["text"]
                    case "thinking_delta":
                        blocks[-1]["thinking"] += delta["thinking"]
                    case "signature_delta":
                        blocks[-1]["signature"] = delta["signature"]
                    case "input_json_delta":
                        texts.append(delta["partial_json"])
            case "content_block_stop" if blocks[-1]["type"] == "tool_use":
                blocks[-1]["input"] = json.loads("".join(texts) or "{}")
    return [block for block in blocks if block != {"type": "text", "text": ""}]


def _parts(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for chunk in values:
        for candidate in chunk.get("candidates") or ():
            if not candidate.get("index"):
                found += (candidate.get("content") or {}).get("parts") or []
    return found
