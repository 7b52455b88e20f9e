"""What the gateway makes of a situation for one client and one provider. See the package's docstring."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.call import Call, Leg, Meter
from gateway.dialects import bridge
from gateway.dialects.base import Feed
from gateway.neutral.parts import Bytes, Media
from gateway.relay import attempts
from gateway.splice import guard
from tests.matrix import read, replies

FOLDER = Path(__file__).parent
MODELS = {
    "chat": "gpt-up", "responses": "gpt-up", "messages": "claude-sonnet-4-5", "gemini": "gemini-2.5-flash",
    "converse": "anthropic.claude-sonnet-4-5-v1:0",
}  # fmt: skip
"""Models upstream. The three last are of a kind that thinks within a budget of tokens; newer ones know efforts only."""

_HI: dict[str, dict[str, Any]] = {
    "chat": {"model": replies.MODEL, "messages": [{"role": "user", "content": "hi"}]},
    "responses": {"model": replies.MODEL, "input": "hi"},
    "messages": {"model": replies.MODEL, "max_tokens": 1024, "messages": [{"role": "user", "content": "hi"}]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
}
_FETCHED = {".png": ("image/png", "iVBORw0KGgo="), ".pdf": ("application/pdf", "JVBERi0xLjQK")}
"""What addresses have, by their ends."""

_PIECE = 61


class Situation:
    """One folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, folder.name
        models = folder / "models.json"
        self.models = MODELS | (json.loads(models.read_text()) if models.exists() else {})
        self.asks = any(self.has(f"asked.{dialect}.json") for dialect in bridge.DIALECTS)

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def pairs(self) -> Iterator[tuple[str, str]]:
        """(client, provider) of whom the situation tells."""
        for client in bridge.DIALECTS:
            for provider in bridge.NAMED:
                if self.has(f"asked.{client}.json") or (not self.asks and self.says(provider)):
                    yield client, provider

    def says(self, provider: str) -> bool:
        return self.has(f"said.{provider}.json") or self.has(f"said.{provider}.sse")

    def asked(self, client: str) -> bytes:
        """The question, byte for byte."""
        path = self.folder / f"asked.{client}.json"
        return path.read_bytes() if path.exists() else json.dumps(_HI[client]).encode()

    def call(self, client: str, *, streamed: bool = False) -> Call:
        """The question as the door lets it in. streamed: it asks for a stream, whatever it says."""
        text = self.asked(client)
        values = json.loads(text)
        if streamed and client != "gemini":
            values["stream"] = True
            if client == "chat":
                values["stream_options"] = {"include_usage": True}
            text = json.dumps(values).encode()
        made = replies.call(client, values, stream=streamed or values.get("stream") is True)
        return replace(made, body=guard(text))

    def leg(self, provider: str) -> Leg:
        return replies.leg(provider, self.models[provider])

    def said(self, provider: str, ending: str) -> bytes | None:
        path = self.folder / f"said.{provider}.{ending}"
        return path.read_bytes() if path.exists() else None


def situations() -> list[Situation]:
    return [Situation(path) for path in sorted(FOLDER.iterdir()) if path.is_dir() and not path.name.startswith("_")]


def golden(one: Situation, client: str, provider: str) -> dict[str, Any] | None:
    """The golden of a pair; None where bytes pass and all ends well."""
    made: dict[str, Any] = {}
    ours, taken = one.call(client), one.leg(provider)
    asks = one.asks and not bridge.passes(ours, taken)
    if asks:
        try:
            losses = bridge.screen(ours, taken)
        except bridge.Refused as refused:
            return {"refused": refused.param}
        for url in bridge.to_fetch(ours, taken):
            kind, data = next(found for ending, found in _FETCHED.items() if url.endswith(ending))
            ours.fetched[url] = Media(kind="file", source=Bytes(base64=data), media_type=kind)
        made["upstream"] = json.loads(bridge.encode(ours, taken))
        made["losses"] = list(losses)
    body, stream = one.said(provider, "json"), one.said(provider, "sse")
    if body is not None and client != provider:
        made["reply"] = json.loads(bridge.whole(ours, taken, body, Meter()))
    if stream is not None:
        asked = one.call(client, streamed=True)
        feed, text = streamed(asked, taken, stream)
        if client != provider or feed.fault is not None:
            made["stream"] = list(_events(text, made.get("reply")))
    return _Names(ours.id).named(made) if made else None


def streamed(asked: Call, taken: Leg, stream: bytes) -> tuple[Feed, str]:
    """A stream through the bridge, in pieces, and what the client has in the end."""
    feed = bridge.feed(asked, taken, {})
    for at in range(0, len(stream), _PIECE):
        feed.push(stream[at : at + _PIECE])
    feed.end()
    text = b"".join(feed.out).decode()
    if feed.fault is None:
        assert feed.tail is not None
        return feed, text + feed.tail.decode()
    error = attempts.verdict([attempts.Failed(taken, feed.fault)], asked.dialect)
    return feed, text + bridge.DIALECTS[asked.dialect].error_frame(error, asked.request_id, b"".join(feed.out)).decode()


def _events(text: str, reply: dict[str, Any] | None) -> Iterator[Any]:
    for name, data in read.frames(text):
        values = data if data == "[DONE]" else json.loads(data)
        response = values.get("response") if isinstance(values, dict) else None
        if isinstance(response, dict):
            if reply is not None:
                values["response"] = _differing(response, reply)
            else:
                reply = response
        yield [name, values] if name else values


def _differing(response: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in response.items() if name not in known or known[name] != value}
    missing = [name for name in known if name not in response and name != "output_text"]  # which only a whole one has
    return {**found, **({"without": missing} if missing else {})}


class _Names:
    """Takes what differs from run to run out of a golden, or would if ids were not made of fixed names here."""

    _MADE = re.compile(r"\b(?:[a-z]+_gw_ours_\d+|toolu_ours_\d+|toolu_0|call_gem_[0-9a-f]{24}|call_[0-9a-f]{24,32})\b")

    def __init__(self, call_id: str) -> None:
        self._call_id = call_id
        self._known: dict[str, str] = {}

    def named(self, value: Any) -> Any:
        match value:
            case dict():
                return {name: self.named(inner) for name, inner in value.items()}
            case list():
                return [self.named(inner) for inner in value]
            case str():
                return self._MADE.sub(self._made, value.replace(self._call_id, "<id>"))
            case 1_700_000_000:
                return "<time>"
            case _:
                return value

    def _made(self, found: re.Match[str]) -> str:
        return self._known.setdefault(found[0], f"<id {len(self._known) + 1}>")


_WIDTH = 118


def written(made: dict[str, Any]) -> str:
    """A golden as the text of its file: what fits on a line stands on one, and so does every event."""
    parts = []
    for name, value in made.items():
        if name == "stream":
            parts.append(' "stream": [\n' + ",\n".join(f"  {_line(event)}" for event in value) + "\n ]")
        else:
            parts.append(f" {json.dumps(name)}: {_pretty(value, 1, len(name) + 5)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _pretty(value: Any, depth: int, used: int) -> str:
    line = _line(value)
    if used + len(line) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return line
    space = " " * (depth + 1)
    if isinstance(value, list):
        inner = [f"{space}{_pretty(one, depth + 1, depth + 1)}" for one in value]
        return "[\n" + ",\n".join(inner) + f"\n{' ' * depth}]"
    inner = [f"{space}{_line(key)}: {_pretty(one, depth + 1, depth + len(key) + 5)}" for key, one in value.items()]
    return "{\n" + ",\n".join(inner) + f"\n{' ' * depth}}}"
