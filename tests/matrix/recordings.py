"""Recorded traffic of the four chat dialects and the requests of official SDKs, read in place; and what is wrong in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.recorded.cassettes import interactions, vendor

DIALECTS = {"openai-chat": "chat", "openai-responses": "responses", "anthropic": "messages", "gemini": "gemini"}
"""Folders of recordings, and the dialects that they are in."""

_OPS = frozenset({"chat.completions", "responses", "messages", "generateContent", "streamGenerateContent"})
_PATHS = (
    ("chat", re.compile(r"/chat/completions$")), ("responses", re.compile(r"/responses$")),
    ("messages", re.compile(r"/messages$")), ("gemini", re.compile(r"/models/(.+):(?:streamG|g)enerateContent$")),
)  # fmt: skip

_BACKGROUND = "a job in the background has only begun: no translated request asks for one"
ANSWERS: dict[str, str] = {
    "openai-responses/pydantic-ai__test_openai_responses--test_background_mode_streaming_without_starting_after_vcr#0": _BACKGROUND,
    "openai-responses/pydantic-ai__test_openai_responses--test_background_mode_with_tool_vcr#0": _BACKGROUND,
    "openai-responses/pydantic-ai__test_openai_responses--test_background_mode_with_tool_vcr#2": _BACKGROUND,
    "openai-responses/vercel-ai__openai-openai-shell-container.1-chunks#0": "a cut fixture: its deltas lack what its last events tell",
    "openai-responses/vercel-ai__openai-openai-phase.1-chunks#0": "a cut fixture: its deltas lack what its last events tell",
}
"""Recorded answers that no client can be given as they are, by their names, with the reason."""

REQUESTS: dict[str, str] = {
    "openai-responses/dd-trace-py__v1--response_with_mixed_prompt_url_preserved#0": "nothing but a prompt that OpenAI keeps: only its own pins resolve it",
    "gemini/otel-contrib__test_generate_content_invalid_role#0": "a role that no vendor knows is kept for one to refuse",
    "openai-responses/pydantic-ai__test_openai_responses--test_openai_responses_model_http_error#0": "a temperature of -1",
    "anthropic/dd-trace-py__anthropic_completion_error#0": "a message that is no object: the schema gate refuses it",
}
"""Recorded requests that their own vendor would not take or that cannot be compared, with the reason."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One interaction. provider: as profiles know it · asked: its request, as far as it was published · body: of the
    answer; a stream's as SSE."""

    name: str
    dialect: str
    provider: str
    model: str
    asked: dict[str, Any] | None
    streamed: bool
    status: int
    headers: dict[str, str]
    body: bytes
    made_up: bool

    @property
    def answers_streamed(self) -> bool:
        return self.status < 300 and not self.body.lstrip().startswith(b"{")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a client sent it; model and stream stand beside the body, for dialects that have them in the path."""

    name: str
    dialect: str
    model: str
    stream: bool
    body: dict[str, Any]


def recordings(shared: Path) -> Iterator[Recording]:
    for folder, dialect in DIALECTS.items():
        for name, one in interactions(shared, folder, *_OPS):
            body = "".join(one["payload"]).encode() if one["kind"] == "sse" else one["payload"]
            if body.startswith(b"[") and one["response"]["status"] < 300:
                body = _as_sse(body)
            yield Recording(
                name=f"{folder}/{name}",
                dialect=dialect,
                provider=vendor(one["provider"]),
                model=str(one.get("model") or "m"),
                asked=one["request"].get("json"),
                streamed=bool(one.get("stream")),
                status=one["response"]["status"],
                headers={k.lower(): str(v) for k, v in (one["response"].get("headers") or {}).items()},
                body=body,
                made_up=one["origin"] == "fixture",
            )


def _as_sse(body: bytes) -> bytes:
    """Gemini's array as the frames that it sends for `alt=sse`, which is how the gateway asks."""
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in json.loads(body))


def requests(shared: Path) -> Iterator[Request]:
    for one in recordings(shared):
        if one.asked is not None and not one.made_up:
            yield Request(one.name, one.dialect, one.model, one.streamed, one.asked)
    for path in sorted((shared / "wire" / "sdk-requests").glob("*.json")):
        for place, capture in enumerate(json.loads(path.read_text())["captures"]):
            request = capture.get("request") or {}
            if not isinstance(request.get("json"), dict):
                continue
            for dialect, pattern in _PATHS:
                if found := pattern.search(request["path"]):
                    model = found[1] if dialect == "gemini" else request["json"].get("model", "m")
                    stream = "streamG" in request["path"] or bool(request["json"].get("stream"))
                    yield Request(f"{path.stem}#{place} {capture['call']}", dialect, model, stream, request["json"])
