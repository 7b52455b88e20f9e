"""Recorded Messages traffic, replayed through the gateway: what goes up and what comes back is compared byte for byte,
but for what Law 1 names. Read in place from outside the checkout, never copied in."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.dialects import anthropic
from gateway.neutral.events import fold
from gateway.neutral.parts import Reasoning, Refusal, Text, ToolCall
from gateway.sse import Splitter, read
from tests.conftest import PROVIDER_KEY, Lab, Rows
from tests.dialects.neutral import merged
from tests.recorded.cassettes import Tally, dumps, interactions, misdirected, script
from tests.upstream import Script

TOLD = {
    400: (400, "invalid_request_error"), 404: (404, "not_found_error"), 413: (413, "request_too_large"),
    401: (503, "api_error"), 402: (503, "api_error"), 403: (503, "api_error"), 429: (429, "rate_limit_error"),
    500: (500, "api_error"), 504: (504, "timeout_error"), 529: (529, "overloaded_error"),
}  # fmt: skip


def asked_for(request: dict[str, Any], model: str) -> dict[str, Any]:
    """The request, for a model of the lab's; a fixture's, which was not published, is made up."""
    body = {**request, "model": model}
    body.setdefault("messages", [{"role": "user", "content": "A fixture: its request was not published."}])
    body.setdefault("max_tokens", 100)
    return body


def renamed(text: str, identity: str, model: str, before: str = "") -> str:
    """A JSON text with its own id and model replaced where they stand, by a reader of the test's own. before: the
    text's outer part."""
    values = json.loads(text)
    for member, value in (("id", identity), ("model", model)):
        old = re.escape(json.dumps(values[member], ensure_ascii=False))
        text, count = re.subn(rf'("{member}"\s*:\s*){old}', lambda m, v=value: m[1] + json.dumps(v), text, count=1)
        assert count == 1
    return before + text


def names_foreign_objects(body: dict[str, Any]) -> bool:
    """Whether a request names what was made upstream for somebody else than this caller."""
    return isinstance(body.get("container"), str | dict) or '"file_id": "' in json.dumps(body)


def wanted(blocks: list[str], identity: str, model: str) -> str:
    """What the client should get of a stream: up to an error, which is told in the gateway's own words."""
    found = ""
    for block in blocks:
        if "event: error" in block:
            break
        if "event: message_start" in block:
            at = block.index("{", block.index('"message"'))
            end = block.rindex("}", 0, block.rindex("}")) + 1
            block = renamed(block[at:end], identity, model, block[:at]) + block[end:]
        found += block
    return found


def test_recorded_messages_traffic(rows: Rows, shared: Path) -> None:
    tally, kinds = Tally("recorded messages traffic"), Counter[str]()
    for place, (name, one) in enumerate(interactions(shared, "anthropic", "messages")):
        kind, problem = _try(rows.lab(one["row"]), one, place % 3)
        kinds[kind] += 1
        tally.note(name, one, problem)
    print(dict(kinds))
    tally.check(least=300)
    assert kinds["refused"] < 20
    assert rows.gateway.books()["ok"]


def _try(lab: Lab, one: dict[str, Any], style: int) -> tuple[str, str | None]:
    request, payload = one["request"].get("json") or {}, one["payload"]
    status, stream = one["response"]["status"], one["kind"] == "sse"
    model = lab.model(script(one), one.get("model"))
    upstream_model = model.split("/", 1)[1]
    body = asked_for(request, model)
    sent = dumps(body, style)
    answer = lab.gateway.post("/v1/messages?beta=true", sent.encode())
    asked = lab.provider.of(upstream_model)
    if not asked:
        error = answer.json()
        good = error["type"] == "error" and error["request_id"] == answer.headers["request-id"]
        if names_foreign_objects(body):
            return "refused", None if good and answer.status_code == 404 else f"{answer.status_code} {answer.text}"
        return "refused", None if good and answer.status_code == status else f"{answer.status_code} {answer.text}"
    if problem := misdirected(one, asked[0], PROVIDER_KEY):
        return "asked", problem
    if asked[0].body.decode() != sent.replace(json.dumps(model), json.dumps(upstream_model), 1):
        return "asked", "the request's bytes changed"
    identity = answer.headers.get("x-generation-id", "")
    if status >= 400:
        error = answer.json()
        if (answer.status_code, error["error"]["type"]) != TOLD[status]:
            return "error", f"{status} was told as {answer.status_code} {answer.text}"
        return "error", None if error["error"]["message"] and error["type"] == "error" else "no message"
    if stream:
        got, want = answer.content.decode(), wanted(payload, identity, model)
        if "event: message_stop" not in want:
            got, _, told = got.partition("event: error\ndata: ")
            if json.loads(told)["error"]["type"] not in ("api_error", "overloaded_error"):
                return "broken", "a broken stream was not told"
        return "stream", None if got == want else "the stream changed"
    if body.get("stream"):
        return "cut", None if answer.content.endswith(b'data: {"type":"message_stop"}\n\n') else "not cut into frames"
    return "whole", None if answer.content.decode() == renamed(payload.decode(), identity, model) else "reply changed"


@pytest.mark.parametrize("split", [1, 7])
def test_recorded_streams_in_odd_pieces(messages_lab: Lab, shared: Path, split: int) -> None:
    """The bytes do not depend on how the network cuts them."""
    tried = 0
    for name, one in interactions(shared, "anthropic", "messages"):
        kind, payload = one["kind"], one["payload"]
        text = "".join(payload) if kind == "sse" else ""
        if "message_stop" not in text or len(text) > 15_000 or tried >= 12:
            continue
        raw = text.encode()
        model = messages_lab.model(Script.sse(*(raw[at : at + split] for at in range(0, len(raw), split))))
        body = {"model": model, "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        answer = messages_lab.gateway.post("/v1/messages", body)
        identity = answer.headers["x-generation-id"]
        assert answer.content.decode() == wanted(payload, identity, model), name
        tried += 1
    assert tried == 12


def test_recorded_counts(messages_lab: Lab, shared: Path) -> None:
    """The provider's own count, unchanged; its refusal in its words."""
    for name, one in interactions(shared, "anthropic", "count_tokens"):
        _, payload = one["kind"], one["payload"]
        status = one["response"]["status"]
        model = messages_lab.model(Script(status, pieces=[payload]))
        body = {**one["request"]["json"], "model": model}
        answer = messages_lab.gateway.post("/v1/messages/count_tokens?beta=true", body)
        assert answer.status_code == status, name
        if status == 200:
            assert answer.json() == json.loads(payload), name
            assert "x-gateway-estimated" not in answer.headers
        else:
            assert answer.json()["error"]["message"] == json.loads(payload)["error"]["message"]


def test_recorded_streams_are_read_and_said_again(shared: Path) -> None:
    """What the reader makes of a stream, the writer says so that the reader makes the same of it; and usage and stop
    reasons are those of the recording."""
    tried = 0
    for name, one in interactions(shared, "anthropic", "messages"):
        kind, payload = one["kind"], one["payload"]
        if kind != "sse" or "event: message_stop" not in "".join(payload):
            continue
        reader, writer = anthropic.reader(), anthropic.writer({})
        events = [event for block in payload for event in reader.push(read(block.encode()))]
        reply = fold(events)
        again = anthropic.reader()
        said = b"".join(map(writer.write, events))
        once_more = fold([event for frame in Splitter().feed(said) for event in again.push(read(frame))])
        refused = any(isinstance(part, Refusal) for part in reply.choices[0].parts)  # its words are told as text
        assert refused or merged(once_more) == merged(reply), name
        last = json.loads(next(b for b in payload if "event: message_delta" in b).partition("data: ")[2])
        assert reply.choices[0].finish.raw == last["delta"]["stop_reason"], name
        steps = [one for one in last["usage"].get("iterations", ()) if one["type"] == "compaction"]
        taken = last["usage"]["output_tokens"] + sum(one["output_tokens"] for one in steps)
        assert reply.usage and reply.usage.output == taken, name
        for part in reply.choices[0].parts:
            if isinstance(part, ToolCall):
                assert isinstance(json.loads(part.arguments), dict), name
            if isinstance(part, Reasoning):
                assert part.seal and part.seal.origin == "messages", name
        tried += 1
    assert tried > 70


def test_recorded_replies_are_read_and_said_again(shared: Path) -> None:
    tried = 0
    for name, one in interactions(shared, "anthropic", "messages"):
        kind, payload = one["kind"], one["payload"]
        if kind != "json" or one["response"]["status"] != 200:
            continue
        values = json.loads(payload)
        reply = anthropic.parse_reply(values)
        again = anthropic.parse_reply(anthropic.render_reply(reply, {}))
        refused = any(isinstance(part, Refusal) for part in reply.choices[0].parts)
        assert refused or merged(again) == merged(reply), name
        text = "".join(part.text for part in reply.choices[0].parts if isinstance(part, Text))
        assert text == "".join(block["text"] for block in values["content"] if block["type"] == "text"), name
        tried += 1
    assert tried > 180


def test_recorded_requests_are_read_and_said_again(shared: Path) -> None:
    """A request that is parsed and rendered for its own dialect reads the same once more."""
    from tests.dialects.test_anthropic import leg

    tried = 0
    for name, one in interactions(shared, "anthropic", "messages"):
        values = one["request"].get("json") or {}
        if one["response"]["status"] != 200 or "messages" not in values:
            continue
        known = leg("claude-opus-4-8" if any(m["role"] == "system" for m in values["messages"]) else "claude-opus-4-5")
        request = anthropic.parse(values)
        body = anthropic.render(request, known)
        assert anthropic.render(anthropic.parse(body), known) == body, name
        assert len(body["messages"]) <= len(values["messages"]), name
        for member in ("tools", "mcp_servers", "container", "cache_control", "stop_sequences", "max_tokens"):
            assert bool(body.get(member)) == bool(values.get(member)), (name, member)
        if "tools" in values:
            assert [sorted(tool) for tool in body["tools"]] == [
                sorted(member for member in tool if (member, tool[member]) != ("strict", False))
                for tool in values["tools"]
            ], name
        tried += 1
    assert tried > 200
