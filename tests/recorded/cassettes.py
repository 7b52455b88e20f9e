"""Recorded traffic, read in place from outside the checkout and never copied in; and how it is replayed."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.upstream import Script

KEPT = {400: 400, 404: 404, 409: 409, 413: 413, 422: 422}
TOLD = {401: 503, 402: 503, 403: 503, 429: 429, 529: 429, 500: 500, 502: 502, 503: 503, 504: 504}
"""What clients of OpenAI's and Google's dialects are told of a provider's status: its own, and of our account or of it."""

OWN = ("models", "provider")
"""The gateway's own members that recorded requests happen to have."""


def interactions(shared: Path, folder: str, *ops: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The interactions of some kinds in a folder, by name. Each has beside what was recorded: kind (`sse` or another)
    and payload of its answer, a stream's in blocks, and the `origin` and `provider` of its cassette."""
    spec = importlib.util.spec_from_file_location("replay", shared / "wire" / "replay.py")
    assert spec and spec.loader
    replay = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(replay)
    for cassette in replay.iter_cassettes(str(shared / "wire" / "cassettes" / folder)):
        for index, one in enumerate(cassette.get("interactions") or ()):
            if one["op"] in ops:
                kind, payload = replay.response_body(one["response"])
                meta = cassette["meta"]
                more = {"kind": kind, "payload": payload, "origin": meta["origin"], "provider": meta["provider"]}
                yield f"{cassette['meta']['id']}#{index}", {**one, **more}


def dumps(values: Any, style: int) -> str:
    """The same JSON in one of the spellings that clients use."""
    if style == 0:
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(values, indent=1) if style == 1 else json.dumps(values)


def script(one: dict[str, Any]) -> Script:
    """The recorded answer, for a scripted provider."""
    response, payload = one["response"], one["payload"]
    pieces: list[Any] = [block.encode() for block in payload] if one["kind"] == "sse" else [payload]
    kept = ("content-type", "retry-after", "x-should-retry")
    headers = {k: str(v) for k, v in (response.get("headers") or {}).items() if k.lower() in kept}
    return Script(response["status"], headers or {"content-type": "application/json"}, pieces, "chunked")


def in_pieces(raw: bytes, split: int) -> Script:
    """A stream that the network cuts into pieces of this many bytes."""
    return Script.sse(*(raw[at : at + split] for at in range(0, len(raw), split)))
