"""Recorded embeddings of real providers, replayed through the gateway and compared byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.conftest import Lab
from tests.recorded.cassettes import KEPT, TOLD, dumps, interactions
from tests.recorded.test_chat import renamed
from tests.upstream import Script


def test_recorded_embeddings(free_lab: Lab, shared: Path) -> None:
    tried, wrong = 0, []
    for place, (name, one) in enumerate(interactions(shared, "openai-embeddings", "embeddings")):
        problem = _try(free_lab, one, place % 3)
        tried += 1
        if problem:
            wrong.append(f"{name}: {problem}")
    print(f"recorded embeddings: {tried} tried, {len(wrong)} wrong")
    assert tried >= 25 and not wrong, "\n".join(wrong)


def _try(lab: Lab, one: dict[str, Any], style: int) -> str | None:
    response = one["response"]
    payload: bytes = one["payload"]
    model = lab.model(Script(response["status"], {"content-type": "application/json"}, [payload], "chunked"))
    upstream_model = model.split("/", 1)[1]
    sent = dumps({**one["request"]["json"], "model": model}, style)
    answer = lab.gateway.post("/v1/embeddings", sent.encode())
    asked = lab.provider.of(upstream_model)
    if not asked:
        return f"refused with {answer.status_code}: {answer.text[:300]}"
    if asked[0].path != "/v1/embeddings" or asked[0].body.decode() != sent.replace(model, upstream_model, 1):
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
