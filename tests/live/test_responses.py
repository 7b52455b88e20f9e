"""Responses on a live gateway where it costs money and where providers fail."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import PROVIDER_KEY, Lab, _lab
from tests.gateway import Gateway
from tests.upstream import Script

MESSAGE = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [
    {"type": "output_text", "text": "hello", "annotations": [], "logprobs": []}]}  # fmt: skip
USAGE = {"input_tokens": 1_000, "output_tokens": 2_000, "total_tokens": 3_000}
WHOLE: dict[str, Any] = {"id": "resp_up", "object": "response", "created_at": 1, "status": "completed", "error": None,
         "model": "m-1", "output": [MESSAGE], "usage": USAGE}  # fmt: skip
COST = Decimal("0.00135")


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


BEGUN = event("response.created", response={**WHOLE, "status": "in_progress", "output": [], "usage": None})
DELTA = event("response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta="x" * 400)
END = event("response.completed", response=WHOLE)
FAILED = event(
    "response.failed", response={**WHOLE, "usage": None, "error": {"code": "server_error", "message": "Oh."}}
)


@pytest.fixture(scope="module")
def paid(sqlite_gateway: Gateway) -> Iterator[Lab]:
    """A scripted provider that speaks Responses and costs like a small real model."""
    yield from _lab(sqlite_gateway, free=False, kind="responses-compatible")


def ask(lab: Lab, script: Script, key: str | None = None, **more: Any) -> tuple[Any, dict[str, Any]]:
    """The answer, and its receipt."""
    answer = lab.gateway.post("/v1/responses", {"model": lab.model(script), "input": "go", **more}, key)
    identity = answer.headers.get("x-generation-id", "")
    receipt = lab.gateway.get("/v1/generation", key, params={"id": identity}).json().get("data", {})
    return answer, receipt


def test_what_a_response_costs(paid: Lab) -> None:
    whole, receipt = ask(paid, Script.json(WHOLE))
    assert Decimal(whole.headers["x-gateway-cost-usd"]) == COST and receipt["usage_source"] == "reported"
    for pieces in ((BEGUN, DELTA, END), (END,), (BEGUN, END)):
        answer, receipt = ask(paid, Script.sse(*pieces), stream=True)
        assert b"response.completed" in answer.content
        assert Decimal(str(receipt["cost_usd"])) == COST, "even if only the terminal frame says something"
        assert receipt["upstream_id"] == "resp_up" and not receipt["partial"]
    assert paid.gateway.books()["ok"]


def test_a_light_wallet_lowers_the_output_limit(paid: Lab) -> None:
    _, key = paid.gateway.account("0.001")
    model = paid.model(Script.json({**WHOLE, "usage": {**USAGE, "input_tokens": 9, "output_tokens": 300}}))
    body = {"model": model, "input": "go", "max_output_tokens": 5_000}
    assert paid.gateway.post("/v1/responses", body, key).status_code == 200
    assert 256 <= paid.provider.last().json["max_output_tokens"] < 5_000


def test_what_has_no_output_limit_is_not_begun_with_a_light_wallet(paid: Lab) -> None:
    _, key = paid.gateway.account("0.001")
    asked = len(paid.provider.asked)
    body = {"model": paid.model(Script.json(WHOLE)), "input": "go"}
    refused = paid.gateway.post("/v1/responses/compact", body, key)
    assert refused.status_code == 402 and len(paid.provider.asked) == asked
    assert paid.gateway.post("/v1/responses", body, key).status_code == 200


def test_failing_before_and_after_a_word(paid: Lab) -> None:
    early, _ = ask(paid, Script.sse(BEGUN, FAILED), stream=True)
    assert early.status_code == 502 and early.json()["error"]["type"] == "api_error"
    late, receipt = ask(paid, Script.sse(BEGUN, DELTA, FAILED), stream=True)
    assert late.status_code == 200 and b'"message": "Oh."' in late.content, "told as it is"
    assert receipt["finish_reason"] == "failed" and receipt["usage_source"] == "estimated" and receipt["cost_usd"] > 0
    cut, receipt = ask(paid, Script.sse(BEGUN, DELTA, ending="close"), stream=True)
    last = cut.content.decode().rpartition("event: ")[2]
    assert last.startswith("error\n") and json.loads(last.partition("data: ")[2])["error"]["code"] == 502
    assert receipt["partial"] and receipt["tokens"]["output"] == 100


def test_why_a_response_failed_is_told_without_a_key(paid: Lab) -> None:
    error = {"code": "server_error", "message": f"Key {PROVIDER_KEY} of ours is known."}
    kept = {**WHOLE, "status": "failed", "error": error}
    late, _ = ask(paid, Script.sse(BEGUN, DELTA, event("response.failed", response=kept)), stream=True)
    assert late.status_code == 200 and "Key [masked] of ours is known." in late.text and PROVIDER_KEY not in late.text
    made, _ = ask(paid, Script.json(WHOLE), store=True)
    by_model = paid.provider.answer
    paid.provider.answer = lambda asked: Script.json(kept)
    try:
        again = paid.gateway.get(f"/v1/responses/{made.json()['id']}")
    finally:
        paid.provider.answer = by_model
    assert again.status_code == 200 and again.json()["error"] == {**error, "message": "Key [masked] of ours is known."}


def test_what_breaks_off_pays_for_the_conversation_that_it_goes_on_from(paid: Lab) -> None:
    """The input is not in the body: without a count it is what the earlier call took, not next to nothing."""
    first, _ = ask(paid, Script.json(WHOLE))
    cut = Script.sse(BEGUN, DELTA, ending="close")
    answer, receipt = ask(paid, cut, stream=True, previous_response_id=first.json()["id"])
    assert answer.status_code == 200 and receipt["partial"] and receipt["usage_source"] == "estimated"
    assert 3_000 < receipt["tokens"]["input"] < 3_100 and receipt["tokens"]["output"] == 100
    assert paid.gateway.books()["ok"]


def test_what_says_nothing_binds_nobody(paid: Lab, responses_lab: Lab) -> None:
    """A response that fails before its first word is made elsewhere, and the client sees one response."""
    gateway, other = paid.gateway, responses_lab
    answering = other.model(Script.sse(BEGUN, DELTA, END)).partition("/")[2]
    name = f"failover-{paid.name}"
    alive = b'event: keepalive\ndata: {"type":"keepalive","sequence_number":1}\n\n'
    paid.provider.scripts["bad"] = Script.sse(BEGUN, alive, FAILED)
    gateway.cli("routes", "set", name, f"{paid.name}:bad", f"{other.name}:{answering}")
    gateway.settle_in()
    answer = gateway.post("/v1/responses", {"model": name, "input": "go", "stream": True})
    kinds = re.findall(r"^event: (\S+)", answer.content.decode(), re.M)
    assert kinds == ["response.created", "response.output_text.delta", "response.completed"]
    assert answer.headers["x-gateway-attempts"] == "2" and answer.headers["x-gateway-channel"] == other.name


def test_hosted_tools_without_a_price_are_refused(paid: Lab) -> None:
    answer, _ = ask(paid, Script.json(WHOLE), tools=[{"type": "web_search"}])
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "tools[0]"
