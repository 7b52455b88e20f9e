"""What media an answer shows, read by what each dialect's documentation says of them; for tests of translations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Shown = list[tuple[str, str]]
"""(image or audio, base64 in the usual alphabet or an address), in their order."""


def whole(dialect: str, values: dict[str, Any]) -> Shown:
    """The media of a whole answer."""
    return list(_READ[dialect](values))


def stream(dialect: str, text: str) -> Shown:
    """The media of a stream, of which those that come in pieces are joined."""
    found: Shown = []
    for data in (line.removeprefix("data:").strip() for line in text.splitlines() if line.startswith("data:")):
        values = {} if data in ("", "[DONE]") else json.loads(data)
        if dialect == "responses":  # the last event tells all
            values = values["response"] if values.get("type") in ("response.completed", "response.incomplete") else {}
        for kind, media in _READ[dialect](values):
            if dialect == "chat" and kind == "audio" and found and found[-1][0] == "audio":
                found[-1] = kind, found[-1][1] + media
            else:
                found.append((kind, media))
    return found


def _chat(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for choice in values.get("choices") or ():
        said = choice.get("message") or choice.get("delta") or {}
        for image in said.get("images") or ():
            yield "image", image["image_url"]["url"].rpartition(";base64,")[2]
        if (said.get("audio") or {}).get("data"):
            yield "audio", said["audio"]["data"]


def _responses(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for item in values.get("output") or ():
        if item["type"] == "image_generation_call" and item.get("result"):
            yield "image", item["result"]


def _gemini(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for candidate in values.get("candidates") or ():
        for part in (candidate.get("content") or {}).get("parts") or ():
            blob = part.get("inlineData")
            if blob and not part.get("thought"):
                yield blob["mimeType"].partition("/")[0], blob["data"].replace("-", "+").replace("_", "/")


def _messages(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for block in values.get("content") or ():
        assert block["type"] in ("text", "thinking", "redacted_thinking", "tool_use"), block
    yield from ()


_READ = {"chat": _chat, "responses": _responses, "gemini": _gemini, "messages": _messages}
