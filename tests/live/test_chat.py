"""Chat as any HTTP client sees it, on a live gateway with two workers and either database."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import requests

from tests.gateway import Gateway, frames


def test_whole_answer_and_its_receipt(gateway: Gateway) -> None:
    answer = gateway.chat("sandbox/echo", "Say it again")
    body = answer.json()
    assert answer.status_code == 200
    assert body["choices"][0]["message"]["content"] == "Say it again"
    assert body["model"] == "sandbox/echo"
    assert body["id"].startswith("chatcmpl-") and body["id"] == answer.headers["x-generation-id"]
    receipt = gateway.get("/v1/generation", params={"id": body["id"]}).json()["data"]
    assert receipt["channel"] == "sandbox" and receipt["status"] == 200 and not receipt["streamed"]
    assert receipt["tokens"]["input"] == body["usage"]["prompt_tokens"]
    assert receipt["tokens"]["output"] == body["usage"]["completion_tokens"]
    assert receipt["usage_source"] == "reported" and not receipt["overrun"]
    cost = Decimal(150) * receipt["tokens"]["input"] + Decimal(600) * receipt["tokens"]["output"]
    assert Decimal(answer.headers["x-gateway-cost-usd"]) == cost / 10**9
    assert Decimal(str(receipt["cost_usd"])) == cost / 10**9


def test_stream_ends_after_its_settlement(gateway: Gateway) -> None:
    _, key = gateway.account("1")
    before = gateway.credits(key)
    answer = gateway.chat("sandbox/echo", "one two three", key, stream=True)
    seen = frames(answer)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert seen[-1] == "[DONE]"
    chunks = [json.loads(data) for data in seen[:-1]]
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == "one two three"
    assert {c["id"] for c in chunks} == {answer.headers["x-generation-id"]}
    assert all(c["choices"] for c in chunks), "no frame with empty choices for who did not ask for usage"
    after = gateway.credits(key)  # [DONE] came, so the charge is there
    assert after["held"] == 0 and after["balance"] < before["balance"]


def test_usage_frame_for_who_asks(gateway: Gateway) -> None:
    answer = gateway.chat("sandbox/echo", stream=True, stream_options={"include_usage": True})
    chunks = [json.loads(data) for data in frames(answer)[:-1]]
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["completion_tokens"] > 0
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


def test_sixty_at_once_on_credit_for_thirty(gateway: Gateway) -> None:
    ask = {"model": "sandbox/tokens-10", "max_tokens": 10, "messages": [{"role": "user", "content": "go"}]}
    cost = Decimal(gateway.post("/v1/chat/completions", ask).headers["x-gateway-cost-usd"])
    _, key = gateway.account(f"{cost * 30:f}")
    with ThreadPoolExecutor(60) as threads:
        codes = list(threads.map(lambda _: gateway.post("/v1/chat/completions", ask, key).status_code, range(60)))
    assert (codes.count(200), codes.count(402)) == (30, 30)
    left = gateway.credits(key)
    assert (left["balance"], left["held"]) == (0, 0)


def test_forty_at_once_never_overspend(gateway: Gateway) -> None:
    _, key = gateway.account("0.0005")
    with ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(lambda _: gateway.chat("sandbox/echo", "so many words here", key), range(40)))
    paid = [Decimal(a.headers["x-gateway-cost-usd"]) for a in answers if a.status_code == 200]
    assert paid and {a.status_code for a in answers} <= {200, 402}
    left = gateway.credits(key)
    assert left["held"] == 0 and left["total_usage"] == sum(paid) <= Decimal("0.0005")
    assert gateway.books()["ok"]


def test_a_light_wallet_lowers_the_output_limit(gateway: Gateway) -> None:
    _, key = gateway.account("0.001")
    answer = gateway.chat("sandbox/tokens-5000", "go", key)
    body = answer.json()
    assert answer.status_code == 200 and body["choices"][0]["finish_reason"] == "length"
    assert 256 <= body["usage"]["completion_tokens"] < 5000
    assert Decimal(answer.headers["x-gateway-cost-usd"]) <= Decimal("0.001")
    refused = gateway.chat("sandbox/tokens-5000", "go", key)
    assert refused.status_code == 402 and refused.json()["error"]["type"] == "insufficient_credits"


def test_errors_of_the_provider(gateway: Gateway) -> None:
    _, key = gateway.account("1")
    for sent, told, kind in (
        (400, 400, "invalid_request_error"), (404, 404, "not_found_error"), (409, 409, "invalid_request_error"),
        (413, 413, "invalid_request_error"), (422, 422, "invalid_request_error"), (401, 503, "api_error"),
        (402, 503, "api_error"), (403, 503, "api_error"), (429, 429, "rate_limit_error"),
        (529, 429, "rate_limit_error"),
        (500, 500, "api_error"), (502, 502, "api_error"), (503, 503, "api_error"), (504, 504, "api_error"),
    ):  # fmt: skip
        for stream in (False, True):
            answer = gateway.chat(f"sandbox/error-{sent}", key=key, stream=stream)
            error = answer.json()["error"]
            assert (answer.status_code, error["type"], error["code"]) == (told, kind, told), (sent, stream)
            assert error["request_id"] == answer.headers["x-request-id"]
            assert ("provider_code" in error) == (sent in (400, 404, 409, 413, 422))
            assert answer.headers.get("retry-after") == ("1" if told == 429 else None)
    assert gateway.credits(key)["balance"] == 1 and gateway.credits(key)["held"] == 0


def test_a_stream_that_breaks_is_told_and_charged_for_what_came(gateway: Gateway) -> None:
    _, key = gateway.account("1")
    for model in ("sandbox/cut", "sandbox/mid-stream-error"):
        answer = gateway.chat(model, "one two three four five six seven eight", key, stream=True)
        seen = frames(answer)
        assert answer.status_code == 200
        assert json.loads(seen[-1])["error"]["type"] == "api_error" and "[DONE]" not in seen
        receipt = gateway.get("/v1/generation", key, params={"id": answer.headers["x-generation-id"]}).json()["data"]
        assert receipt["partial"] and receipt["usage_source"] == "estimated" and receipt["cost_usd"] > 0
    whole = gateway.chat("sandbox/cut", key=key)
    assert whole.status_code == 502
    assert gateway.credits(key)["held"] == 0 and gateway.books()["ok"]


def test_foreign_receipts_are_as_unknown_as_none(gateway: Gateway) -> None:
    _, mine = gateway.account("1")
    _, yours = gateway.account("1")
    made = gateway.chat("sandbox/echo", key=yours).json()["id"]
    foreign = gateway.get("/v1/generation", mine, params={"id": made})
    unknown = gateway.get("/v1/generation", mine, params={"id": made[:-1] + "x"})
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["error"]["message"].replace(made, "ID") == unknown.json()["error"]["message"].replace(
        made[:-1] + "x", "ID"
    )


def test_models(gateway: Gateway) -> None:
    listed = {model["id"] for model in gateway.get("/v1/models").json()["data"]}
    assert {"sandbox/echo", "sandbox/reasoner"} <= listed
    for path in ("/v1/models/sandbox/echo", "/v1/models/sandbox%2Fecho", "/v1/models/sandbox/slow-10"):
        assert gateway.get(path).json()["object"] == "model"
    assert gateway.get("/v1/models/sandbox/none").status_code == 404
    assert gateway.get("/v1/models/nobody/none").json()["error"]["type"] == "not_found_error"


def test_health_needs_no_key(gateway: Gateway) -> None:
    for path in ("/healthz", "/readyz"):
        answer = requests.get(gateway.url + path, timeout=5)
        assert answer.status_code == 200 and answer.headers["x-request-id"].startswith("req_")


WIZARD = {"role": "wizard", "content": "x"}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("chat/completions", {"messages": [{"role": "user", "content": "x"}, WIZARD]}, "messages[1].role"),
        ("responses", {"instructions": "Be brief.", "input": [WIZARD]}, "input[0].role"),
        ("embeddings", {"input": "x", "encoding_format": "int8"}, "encoding_format"),
        ("embeddings", {"input": "x", "model": ""}, "model"),
    ],
)
def test_the_sandbox_blames_a_field_of_the_body_that_it_got(
    path: str, body: dict[str, object], field: str, sqlite_gateway: Gateway
) -> None:
    refused = sqlite_gateway.post(f"/v1/{path}", {"model": "sandbox/echo", **body})
    error = refused.json()["error"]
    assert (refused.status_code, error["param"]) == (400, field), error
    assert field != "model" or error["message"] == "model must be a string that is not empty."
