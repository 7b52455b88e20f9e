"""`/v1/messages` as any HTTP client sees it, on a live gateway with a scripted provider."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.conftest import Lab
from tests.sdk.test_anthropic_python import TEXT, frame, message, streamed
from tests.upstream import Script

BODY: dict[str, Any] = {"max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"max_tokens": None}, "max_tokens"), ({"max_tokens": -1}, "max_tokens"), ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"), ({"messages": []}, "messages"), ({"messages": None}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"), ({"messages": [{"role": "User", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        ({"system": 5}, "system"), ({"system": [{"type": "text"}]}, "system[0].text"), ({"stream": 1}, "stream"),
        ({"tools": [{"name": "f"}] * 2049}, "tools"), ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tool_choice": "auto"}, "tool_choice"), ({"temperature": "1"}, "temperature"), ({"top_k": 1.5}, "top_k"),
        ({"stop_sequences": "x"}, "stop_sequences"), ({"thinking": "on"}, "thinking"), ({"model": ""}, "model"),
        ({"mcp_servers": [1]}, "mcp_servers"), ({"container": 5}, "container"),
    ],
)  # fmt: skip
def test_what_the_gate_refuses(messages_lab: Lab, more: dict[str, Any], param: str) -> None:
    answer = messages_lab.gateway.post("/v1/messages", {"model": "x/y", **BODY, **more})
    error = answer.json()
    assert answer.status_code == 400 and error["type"] == "error"
    assert error["error"]["type"] == "invalid_request_error" and error["error"]["message"].startswith(param + " ")


def test_null_is_absent_and_the_unknown_passes(messages_lab: Lab) -> None:
    nulls = dict.fromkeys(
        ("system", "tools", "tool_choice", "temperature", "thinking", "stream", "container", "metadata")
    )
    new = {"of_tomorrow": {"x": 1}, "tools": [{"type": "memory_20250818", "name": "memory"}], "max_tokens": 0}
    for more in (nulls, new):
        model = messages_lab.model(Script.json(message()))
        assert messages_lab.gateway.post("/v1/messages", {"model": model, **BODY, **more}).status_code == 200
        asked = messages_lab.provider.last().json
        assert all(asked[name] == value for name, value in more.items())


def test_all_under_its_path_speaks_its_envelope(messages_lab: Lab) -> None:
    gateway = messages_lab.gateway
    for answer, status, kind in (
        (gateway.get("/v1/messages"), 405, "invalid_request_error"),
        (gateway.post("/v1/messages/unknown", {}), 404, "not_found_error"),
        (gateway.post("/v1/messages", b"{"), 400, "invalid_request_error"),
        (gateway.post("/v1/messages", BODY, key="wrong"), 401, "authentication_error"),
        (requests.post(f"{gateway.url}/v1/messages/count_tokens", json=BODY, timeout=9), 401, "authentication_error"),
        (gateway.post("/v1/messages", {**BODY, "model": "nobody/x"}), 404, "not_found_error"),
        (gateway.post("/v1/messages/count_tokens", {**BODY, "model": "nobody/x"}), 404, "not_found_error"),
    ):  # fmt: skip
        error = answer.json()
        assert (answer.status_code, error["type"], error["error"]["type"]) == (status, "error", kind)
        assert error["request_id"] == answer.headers["request-id"] == answer.headers["x-request-id"]
    assert "request-id" not in gateway.get("/v1/models").headers


def test_an_empty_purse(priced_messages_lab: Lab) -> None:
    _, key = priced_messages_lab.gateway.account("0.000001")
    model = priced_messages_lab.model(Script.json(message()))
    answer = priced_messages_lab.gateway.post("/v1/messages", {"model": model, **BODY}, key)
    assert answer.status_code == 402 and answer.json()["error"]["type"] == "billing_error"


def test_what_it_costs(priced_messages_lab: Lab) -> None:
    lab = priced_messages_lab
    usage = {"cache_read_input_tokens": 100, "cache_creation_input_tokens": 10, "output_tokens": 7}
    model = lab.model(Script.json(message({"type": "text", "text": "x"}, **usage)))
    answer = lab.gateway.post("/v1/messages", {"model": model, **BODY})
    assert Decimal(answer.headers["x-gateway-cost-usd"]) == (Decimal(150) * 119 + Decimal(600) * 7) / 10**9
    warm = lab.model(Script.json(message(**{**usage, "output_tokens": 0})))
    answer = lab.gateway.post("/v1/messages", {"model": warm, **BODY, "max_tokens": 0})
    assert Decimal(answer.headers["x-gateway-cost-usd"]) == Decimal(150) * 119 / 10**9, "a cache that was filled"
    silent = lab.model(Script.json(message(output_tokens=0)))
    assert Decimal(lab.gateway.post("/v1/messages", {"model": silent, **BODY}).headers["x-gateway-cost-usd"]) == 0
    for more in ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, {"speed": "fast"}):
        refused = lab.gateway.post("/v1/messages", {"model": model, **BODY, **more})
        assert refused.status_code == 400 and "no price" in refused.json()["error"]["message"]
    assert lab.gateway.books()["ok"]


def test_no_output_is_asked_only_of_who_knows_the_word(free_lab: Lab, responses_lab: Lab, messages_lab: Lab) -> None:
    for lab in (free_lab, responses_lab):
        model = lab.model(Script.json({}))
        refused = lab.gateway.post("/v1/messages", {"model": model, **BODY, "max_tokens": 0})
        assert refused.status_code == 400 and "max_tokens cannot be said" in refused.json()["error"]["message"]
        assert not lab.provider.of(model.split("/", 1)[1])
    warm = messages_lab.model(Script.json(message()))
    assert messages_lab.gateway.post("/v1/messages", {"model": warm, **BODY, "max_tokens": 0}).status_code == 200


def test_a_light_wallet_lowers_the_output_limit(priced_messages_lab: Lab) -> None:
    lab = priced_messages_lab
    _, key = lab.gateway.account("0.001")
    model = lab.model(Script.json(message({"type": "text", "text": "x"})))
    assert lab.gateway.post("/v1/messages", {"model": model, **BODY, "max_tokens": 60_000}, key).status_code == 200
    assert 256 <= lab.provider.last().json["max_tokens"] < 2_000


def test_a_stream_that_breaks_is_told_and_charged_for_what_came(priced_messages_lab: Lab) -> None:
    lab = priced_messages_lab
    for pieces in (streamed(TEXT)[:6], [*streamed(TEXT)[:6], frame("error", error={"type": "api_error"})]):
        model = lab.model(Script.sse(*pieces))
        answer = lab.gateway.post("/v1/messages", {"model": model, **BODY, "stream": True})
        last = answer.content.decode().split("\n\n")[-2]
        assert last.startswith("event: error\n") and "message_stop" not in answer.text
        receipt = lab.gateway.get("/v1/generation", params={"id": answer.headers["x-generation-id"]}).json()["data"]
        assert receipt["partial"] and receipt["cost_usd"] > 0


def test_a_stream_that_breaks_before_it_says_anything_costs_nothing(priced_messages_lab: Lab) -> None:
    """Its beginning is passed on after a while, and counts a token of output that nobody has seen."""
    lab = priced_messages_lab
    model = lab.model(Script.sse(streamed(TEXT)[0], 2.5, ending="close"))
    answer = lab.gateway.post("/v1/messages", {"model": model, **BODY, "stream": True})
    assert "message_start" in answer.text and "event: error" in answer.text
    receipt = lab.gateway.get("/v1/generation", params={"id": answer.headers["x-generation-id"]}).json()["data"]
    assert receipt["cost_usd"] == 0 and receipt["partial"]


def test_only_the_beginning_of_a_stream_binds_nobody(messages_lab: Lab) -> None:
    """A leg that breaks after `message_start` and a ping is left for the next one, and the client never sees it."""
    lab = messages_lab
    broken = lab.model(Script.sse(streamed(TEXT)[0], frame("ping"), ending="close"))
    good = lab.model(Script.sse(*streamed(TEXT)))
    route = f"{lab.name}-both"
    lab.gateway.cli("routes", "set", route, *(f"{lab.name}:{model.split('/', 1)[1]}" for model in (broken, good)))
    lab.gateway.settle_in()
    answer = lab.gateway.post("/v1/messages", {"model": route, **BODY, "stream": True})
    assert answer.text.count("message_start") == 2 and answer.text.endswith('{"type": "message_stop"}\n\n')
    assert f'"model": "{route}"' in answer.text and answer.headers["x-generation-id"] in answer.text


def test_silence_is_filled_with_pings(messages_lab: Lab) -> None:
    model = messages_lab.model(Script.sse(*streamed(TEXT)[:4], 6.0, *streamed(TEXT)[4:]))
    began = time.monotonic()
    answer = messages_lab.gateway.post("/v1/messages", {"model": model, **BODY, "stream": True})
    assert time.monotonic() - began > 5
    assert answer.text.count('event: ping\ndata: {"type": "ping"}\n\n') == 2, "the provider's and ours"
    assert "\n: " not in answer.text and answer.text.endswith('{"type": "message_stop"}\n\n')


def test_counts(messages_lab: Lab, free_lab: Lab) -> None:
    gateway = messages_lab.gateway
    body = {"messages": [{"role": "user", "content": "one two three four"}], "system": "x" * 400}
    before = gateway.credits()
    asked = len(messages_lab.provider.asked)
    model = messages_lab.model(Script.json({"input_tokens": 77, "of_tomorrow": 1}))
    answer = gateway.post("/v1/messages/count_tokens", {"model": model, **body, "models": ["x"]})
    assert answer.json()["input_tokens"] == 77 and "x-gateway-estimated" not in answer.headers
    assert messages_lab.provider.last().json == {"model": model.split("/", 1)[1], **body}
    for script in (
        Script.json({"detail": "Not Found"}, 404),
        Script.json({}, 500),
        Script.json({"x": 1}),
        Script(pieces=[b"<"]),
    ):
        model = messages_lab.model(script)
        answer = gateway.post("/v1/messages/count_tokens", {"model": model, **body})
        assert answer.status_code == 200 and answer.headers["x-gateway-estimated"] == "1"
        assert 80 < answer.json()["input_tokens"] < 200
    assert len(messages_lab.provider.asked) == asked + 5
    wrong = {"type": "error", "error": {"type": "invalid_request_error", "message": "messages: no"}}
    refused = gateway.post("/v1/messages/count_tokens", {"model": messages_lab.model(Script.json(wrong, 400)), **body})
    assert refused.status_code == 400 and refused.json()["error"]["message"] == "messages: no"
    assert gateway.credits() == before, "nothing is charged"
    others = gateway.post("/v1/messages/count_tokens", {"model": f"{free_lab.name}/any", **body})
    assert others.headers["x-gateway-estimated"] == "1" and not free_lab.provider.asked, "it speaks other words"
