"""Recorded legacy completions of real providers, replayed through the gateway and compared byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.conftest import PROVIDER_KEY, Lab, Rows
from tests.recorded.cassettes import KEPT, TOLD, Tally, dumps, interactions, misdirected
from tests.recorded.test_chat import check_stream, check_up, check_whole
from tests.upstream import Script


def test_recorded_completions(rows: Rows, shared: Path) -> None:
    tally = Tally("recorded completions")
    for place, (name, one) in enumerate(interactions(shared, "openai-completions", "completions")):
        for style in (0, 1, 2):
            tally.note(name, one, _try(rows.lab(one["row"]), one, (place + style) % 3, odd=style == 2))
    tally.check(least=36)


def _try(lab: Lab, one: dict[str, Any], style: int, odd: bool) -> str | None:
    """odd: the reply comes in pieces that have nothing to do with its frames."""
    response = one["response"]
    kind, payload = one["kind"], one["payload"]
    stream = kind == "sse"
    raw = "".join(payload).encode() if stream else payload
    pieces: list[Any] = [raw[at : at + 7] for at in range(0, len(raw), 7)] if odd else [raw]
    content_type = "text/event-stream" if stream else "application/json"
    model = lab.model(Script(response["status"], {"content-type": content_type}, pieces, "chunked"), one.get("model"))
    upstream_model = model.split("/", 1)[1]
    body = {"prompt": "A fixture: its request was not published.", **one["request"]["json"], "model": model}
    sent = dumps(body, style)
    answer = lab.gateway.post("/v1/completions", sent.encode())
    asked = lab.provider.of(upstream_model)
    if not asked:
        return f"refused with {answer.status_code}: {answer.text[:300]}"
    problem = misdirected(one, asked[0], PROVIDER_KEY)
    problem = problem or check_up(sent, asked[0].body, body, upstream_model, lab.name)
    if problem:
        return problem
    if response["status"] >= 400:
        want = {**KEPT, **TOLD}[response["status"]]
        told = answer.json()["error"]["message"]
        return None if answer.status_code == want and told else f"told as {answer.status_code}"
    identity = answer.headers["x-generation-id"]
    if stream:
        wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return check_stream(payload, answer.content.decode(), identity, model, wants_usage)
    return check_whole(payload, answer.content, identity, model)
