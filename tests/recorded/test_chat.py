"""Recorded Chat traffic of real providers, replayed through the gateway: what goes up and what comes back is compared
byte for byte, but for what Law 1 names. Read in place from outside the checkout, never copied in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROVIDER_KEY, Lab, Rows
from tests.gateway import Gateway
from tests.recorded.cassettes import OWN, Tally, dumps, in_pieces, interactions, misdirected, script, told, unserved

FINISHED = re.compile(r'"finish_reason"\s*:\s*"(?!error)')


def asked_for(request: dict[str, Any], model: str) -> dict[str, Any]:
    body = {**request, "model": model}
    body.setdefault("messages", [{"role": "user", "content": "A fixture: its request was not published."}])
    return body


TELL_USAGE = frozenset({"mistral"})
"""Rows of providers that tell the usage of streams, and refuse to be asked for it."""


def check_up(sent: str, got: bytes, body: dict[str, Any], upstream_model: str, name: str, row: str = "") -> str | None:
    """What went up, against what was sent: only the members of Law 1 may differ."""
    want = sent.replace(json.dumps(f"{name}/{upstream_model}"), json.dumps(upstream_model), 1)
    asks = body.get("stream") and row not in TELL_USAGE
    if not asks and not any(own in body for own in OWN):
        return None if got.decode() == want else "the request's bytes changed"
    expected = json.loads(want)
    for own in OWN:
        expected.pop(own, None)
    if asks:
        expected["stream_options"] = {**(expected.get("stream_options") or {}), "include_usage": True}
    found = json.loads(got)
    if found != expected or [k for k in found if k != "stream_options"] != [
        k for k in expected if k != "stream_options"
    ]:
        return "the request changed"
    return None


def renamed(text: str, identity: str, model: str) -> str:
    """A JSON text with the top level's id and model replaced where they stand, by a reader of the test's own."""
    values = json.loads(text)
    for member, value in (("id", identity), ("model", model)):
        if member in values:
            old = json.dumps(values[member], ensure_ascii=False)
            text, count = re.subn(
                rf'("{member}"\s*:\s*){re.escape(old)}', lambda m, v=value: m[1] + json.dumps(v), text, count=1
            )
            if not count:
                text = re.sub(
                    rf'("{member}"\s*:\s*){re.escape(json.dumps(values[member]))}',
                    lambda m, v=value: m[1] + json.dumps(v), text, count=1,
                )  # fmt: skip
    return text


def check_whole(recorded: bytes, got: bytes, identity: str, model: str) -> str | None:
    text = recorded.decode()
    values = json.loads(text)
    if "id" in values and "model" in values:
        return None if got.decode() == renamed(text, identity, model) else "the reply's bytes changed"
    return None if json.loads(got) == {**values, "id": identity, "model": model} else "the reply changed"


def check_stream(blocks: list[str], got: str, identity: str, model: str, wants_usage: bool) -> str | None:
    want = ""
    carried: Any = None
    for block in blocks:
        data = "\n".join(re.findall(r"^data: ?(.*)$", block, re.M))
        if not data or data == "[DONE]":
            want += block
            continue
        values = json.loads(data)
        if values.get("error"):
            break
        if values.get("choices") == [] and not wants_usage:
            carried = values.get("prompt_filter_results", carried)
            continue
        if carried is not None:
            values["prompt_filter_results"], carried = carried, None
            want += f"data: {json.dumps({**values, 'id': identity, 'model': model}, ensure_ascii=False)}\n\n"
            continue
        want += block.replace(data, renamed(data, identity, model))
    return None if _comparable(got) == _comparable(want) else "the stream changed"


def _comparable(stream: str) -> list[str]:
    """The frames; those with filter results carried over are compared as values."""
    found = []
    for frame in re.split(r"(?<=\n\n)|(?<=\r\n\r\n)", stream):
        if "prompt_filter_results" in frame and frame.startswith("data: {"):
            values = json.loads(frame[6:])
            frame = json.dumps(values, sort_keys=True)
        found.append(frame)
    return found


def test_recorded_chat_traffic(rows: Rows, shared: Path) -> None:
    tally = Tally("recorded chat traffic")
    for place, (name, one) in enumerate(interactions(shared, "openai-chat", "chat.completions")):
        tally.note(name, one, _try(rows.lab(one["row"]), one, place % 3))
    tally.check(least=400)
    assert rows.gateway.books()["ok"]


def _try(lab: Lab, one: dict[str, Any], style: int) -> str | None:
    gateway: Gateway = lab.gateway
    request, payload = one["request"].get("json") or {}, one["payload"]
    status, stream = one["response"]["status"], one["kind"] == "sse"
    model = lab.model(script(one), one.get("model") if status != 404 else None)  # what is not there is like nothing
    upstream_model = model.split("/", 1)[1]
    body = asked_for(request, model)
    sent = dumps(body, style)
    answer = gateway.post("/v1/chat/completions", sent.encode())
    asked = lab.provider.of(upstream_model)
    if not asked and "provider" in body and unserved(answer):
        return None
    if not asked:
        return f"refused with {answer.status_code}: {answer.text[:300]}"
    problem = misdirected(one, asked[0], PROVIDER_KEY)
    problem = problem or check_up(sent, asked[0].body, body, upstream_model, lab.name, one["row"])
    if problem:
        return problem
    identity = answer.headers.get("x-generation-id", "")
    if status >= 400:
        want = told(status, payload.decode())
        if answer.status_code != want:
            return f"{status} was told as {answer.status_code}"
        message = answer.json()["error"]["message"]
        return None if message else "an error without a message"
    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    if stream:
        if not body.get("stream"):
            return None  # a fixture whose request was made up
        got = answer.content.decode()
        if "data: [DONE]" not in got and not FINISHED.search("".join(payload)):
            got, _, error = got.rpartition("data: ")  # it broke off, and the last frame says so
            if not json.loads(error)["error"]["message"]:
                return "a broken stream was not told"
        return check_stream(payload, got, identity, model, wants_usage)
    if body.get("stream"):
        return None if answer.content.endswith(b"data: [DONE]\n\n") else "a whole answer was not cut into frames"
    return check_whole(payload, answer.content, identity, model)


@pytest.mark.parametrize("split", [1, 7])
def test_recorded_streams_in_odd_pieces(free_lab: Lab, shared: Path, split: int) -> None:
    """The bytes do not depend on how the network cuts them."""
    tried = 0
    for name, one in interactions(shared, "openai-chat", "chat.completions"):
        kind, payload = one["kind"], one["payload"]
        request = one["request"].get("json") or {}
        if (
            kind != "sse"
            or not FINISHED.search("".join(payload))
            or not request.get("stream")
            or tried >= 12
            or len("".join(payload)) > 20_000
        ):
            continue
        raw = "".join(payload).encode()
        model = free_lab.model(in_pieces(raw, split))
        body = asked_for(request, model)
        answer = free_lab.gateway.post("/v1/chat/completions", body)
        wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        identity = answer.headers["x-generation-id"]
        got = answer.content.decode()
        assert check_stream(payload, got, identity, model, wants_usage) is None, name
        tried += 1
    assert tried == 12
