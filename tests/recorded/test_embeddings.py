"""Recorded embeddings of real providers, replayed through the gateway and compared byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.conftest import PROVIDER_KEY, Lab, Rows
from tests.recorded.cassettes import KEPT, TOLD, Tally, dumps, interactions, misdirected
from tests.recorded.test_chat import renamed
from tests.upstream import Script


def test_recorded_embeddings(rows: Rows, shared: Path) -> None:
    tally = Tally("recorded embeddings")
    for place, (name, one) in enumerate(interactions(shared, "openai-embeddings", "embeddings")):
        tally.note(name, one, _try(rows.lab(one["row"]), one, place % 3))
    tally.check(least=25)


def _try(lab: Lab, one: dict[str, Any], style: int) -> str | None:
    response = one["response"]
    payload: bytes = one["payload"]
    told = Script(response["status"], {"content-type": "application/json"}, [payload], "chunked")
    model = lab.model(told, one.get("model"))
    upstream_model = model.split("/", 1)[1]
    sent = dumps({**one["request"]["json"], "model": model}, style)
    answer = lab.gateway.post("/v1/embeddings", sent.encode())
    asked = lab.provider.of(upstream_model)
    if not asked:
        return f"refused with {answer.status_code}: {answer.text[:300]}"
    if problem := misdirected(one, asked[0], PROVIDER_KEY):
        return problem
    if asked[0].body.decode() != sent.replace(model, upstream_model, 1):
        return "the request's bytes changed"
    if response["status"] >= 400:
        want = {**KEPT, **TOLD}[response["status"]]
        told = answer.json()["error"]["message"]
        return None if answer.status_code == want and told else f"told as {answer.status_code}"
    identity = answer.headers["x-generation-id"]
    if answer.content.decode() != renamed(payload.decode(), identity, model):
        return "the reply's bytes changed"
    receipt = lab.gateway.get("/v1/generation", params={"id": identity}).json()["data"]
    reported = json.loads(payload)
    if receipt["tokens"]["input"] != reported["usage"]["prompt_tokens"] or receipt["tokens"]["output"]:
        return f"counted as {receipt['tokens']}"
    return None if receipt["units"] == {"embeddings": len(reported["data"])} else f"units {receipt['units']}"
