"""Recorded traffic, read in place from outside the checkout and never copied in; and how it is replayed."""

from __future__ import annotations

import importlib.util
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from gateway.providers.registry import KINDS
from tests.upstream import Asked, Script

KEPT = {400: 400, 404: 404, 409: 409, 413: 413, 422: 422}
TOLD = {401: 503, 402: 503, 403: 503, 429: 429, 529: 429, 500: 500, 502: 502, 503: 503, 504: 504}
"""What clients of OpenAI's and Google's dialects are told of a provider's status: its own, and of our account or of it."""

OUR_ACCOUNT = ("API_KEY_INVALID", "API key not valid", "Incorrect API key provided")
"""What is said of our account whatever the status: Google and xAI answer 400 for a key that they do not know."""


def told(status: int, text: str) -> int:
    """The status that those clients get."""
    return 503 if any(words in text for words in OUR_ACCOUNT) else {**KEPT, **TOLD}[status]


OWN = ("models", "provider")
"""The gateway's own members that recorded requests happen to have."""


def unserved(answer: requests.Response) -> bool:
    """Whether a call was refused since its `provider` names only hosts of OpenRouter's, which are nobody's names here."""
    return answer.status_code == 400 and answer.json()["error"]["param"] == "provider"


DIALECTS = {
    "openai-chat": "chat", "openai-responses": "responses", "anthropic": "messages", "gemini": "gemini",
    "openai-completions": "completions", "openai-embeddings": "embeddings", "openai-audio": "transcriptions",
    "openai-moderations": "moderations", "openai-videos": "videos", "openai-images": "images",
}  # fmt: skip
"""Folders of recordings, and the dialects that they are in."""

_ROWS = {"moonshotai": "moonshot"}
"""Vendors whose rows are called otherwise than recordings call them."""

_GENERIC = {
    "chat": "openai-compatible", "completions": "openai-compatible", "embeddings": "openai-compatible",
    "responses": "responses-compatible", "messages": "anthropic-compatible", "gemini": "gemini-compatible",
    "transcriptions": "openai-compatible", "moderations": "openai-compatible", "videos": "openai-compatible",
    "images": "openai-compatible",
}  # fmt: skip
"""The rows of those that have none, or whose row does not speak the dialect that they were recorded in."""

GENERIC_ROWS = frozenset(_GENERIC.values())


def vendor(provider: str) -> str:
    """A provider as its row, if it has one, is called."""
    return _ROWS.get(provider, provider)


def row_of(provider: str, dialect: str) -> str:
    """The kind of channel that recorded traffic of a provider goes through."""
    row = KINDS.get(vendor(provider))
    speaks = row is not None and (
        dialect in row.dialects
        or f"xai-{dialect}" in row.dialects
        or (dialect == "embeddings" and "chat" in row.dialects)
    )
    return row.kind if row is not None and speaks else _GENERIC[dialect]


def interactions(shared: Path, folder: str, *ops: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The interactions of some kinds in a folder, by name. Each has beside what was recorded: kind (`sse` or another)
    and payload of its answer, a stream's in blocks, the `origin` of its cassette, its `provider` and that one's `row`."""
    spec = importlib.util.spec_from_file_location("replay", shared / "wire" / "replay.py")
    assert spec and spec.loader
    replay = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(replay)
    for cassette in replay.iter_cassettes(str(shared / "wire" / "cassettes" / folder)):
        for index, one in enumerate(cassette.get("interactions") or ()):
            if one["op"] in ops:
                kind, payload = replay.response_body(one["response"])
                meta = cassette["meta"]
                more = {
                    "kind": kind, "payload": payload, "origin": meta["origin"], "provider": meta["provider"],
                    "row": row_of(meta["provider"], DIALECTS[folder]),
                }  # fmt: skip
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


_OTHER_PATHS = {
    "azure": re.compile("/openai/deployments/|/models/|/v1/"), "deepseek": re.compile("/v1/chat/completions"),
    "huggingface": re.compile("/together/v1/"),
}  # fmt: skip
"""Paths that a vendor took where it was recorded and that its row does not use: of those the bodies are compared."""


_PLACE = re.compile(r"^/v1[a-z0-9]*/projects/[^/]+/locations/[^/]+")
"""What stands before a path at Vertex AI: the account's own."""


def misdirected(one: dict[str, Any], asked: Asked, secret: str) -> str | None:
    """Whether a request went elsewhere than the recorded one did, or with its key in another header."""
    request = one["request"]
    if one["origin"] != "recorded" or one["row"] in GENERIC_ROWS:
        return None
    other = _OTHER_PATHS.get(one["row"])
    there, then = (_PLACE.sub("", path) for path in (asked.path.partition("?")[0], request["path"]))
    if there != then and not (other and other.match(then)):
        return f"asked at {asked.path} instead of {request['path']}"
    lacking = [name for name in request.get("auth_seen") or () if secret not in asked.headers.get(name, "")]
    return f"no key in {lacking[0]}" if lacking else None


class Tally:
    """What was tried of each provider's recordings, and what went wrong."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.wrong: list[str] = []
        self._tried = Counter[str]()
        self._wrong = Counter[str]()

    def note(self, name: str, one: dict[str, Any], problem: str | None) -> None:
        provider = one["provider"] if one["provider"] == one["row"] else f"{one['provider']} ({one['row']})"
        self._tried[provider] += 1
        if problem:
            self._wrong[provider] += 1
            self.wrong.append(f"{name}: {problem}")

    @property
    def tried(self) -> int:
        return self._tried.total()

    def check(self, least: int) -> None:
        """Print a line for each provider; fail where anything went wrong, or too little was tried."""
        for provider, tried in sorted(self._tried.items()):
            print(f"{self.what} of {provider}: {tried} tried, {self._wrong[provider]} wrong")
        assert self.tried >= least and not self.wrong, "\n".join(self.wrong)
