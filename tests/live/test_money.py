"""Law 4 in the corners: odd usage, limits that the wallet forces, what is held for, and what may be referred to."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.conftest import Lab, scripted
from tests.gateway import Gateway
from tests.live.test_failover import REPLY
from tests.upstream import Script


def receipt(lab: Lab, answer: Any, key: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = lab.gateway.get(
        "/v1/generation", key, params={"id": answer.headers["x-generation-id"]}
    ).json()["data"]
    return found


def reply(**usage: Any) -> Script:
    return Script.json({**REPLY, "usage": usage or None})


@pytest.mark.parametrize(
    "usage",
    [
        {}, {"prompt_tokens": -5, "completion_tokens": 5}, {"prompt_tokens": "7", "completion_tokens": "8"},
        {"prompt_tokens": 1.5, "completion_tokens": 2}, {"total_tokens": 9}, {"prompt_tokens": 5},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, {"prompt_tokens": 7, "completion_tokens": 0},
    ],
)  # fmt: skip
def test_usage_that_cannot_be_believed_is_estimated(lab: Lab, usage: dict[str, Any]) -> None:
    found = receipt(lab, lab.gateway.chat(lab.model(reply(**usage))))
    assert found["usage_source"] == "estimated" and found["cost_usd"] > 0 and found["tokens"]["output"] == 1


def test_usage_beyond_all_bounds_is_clamped(lab: Lab) -> None:
    _, key = lab.gateway.account("1000")
    lab.gateway.cli("prices", "set", f"{lab.name}/clamped", "--input-mtok", "1", "--output-mtok", "1", "--context", "1000",
                    "--max-output", "100")  # fmt: skip
    lab.gateway.settle_in()
    lab.provider.scripts["clamped"] = reply(prompt_tokens=10**18, completion_tokens=10**18)
    answer = lab.gateway.chat(f"{lab.name}/clamped", key=key)
    found = receipt(lab, answer, key)
    assert (found["tokens"]["input"], found["tokens"]["output"]) == (1000, 100)
    assert Decimal(answer.headers["x-gateway-cost-usd"]) == Decimal("0.0011") and found["overrun"]
    assert lab.gateway.books()["ok"]


@pytest.mark.parametrize("times", [10**6, 10**20])
def test_counts_of_what_is_no_token_are_clamped(lab: Lab, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that nobody asked for, the length of a sound, documents of a search: dollars each, if believed."""
    _, key = lab.gateway.account("1000")
    lab.gateway.cli("prices", "set", f"{lab.name}/sought", "--input-mtok", "1", "--output-mtok", "1", "--fee",
                    "web_search=0.01")  # fmt: skip
    lab.gateway.cli("prices", "set", f"{lab.name}/heard", "--unit", "second=0.0001")
    lab.gateway.cli("prices", "set", f"{lab.name}/ranked", "--unit", "query=0.002")
    lab.gateway.settle_in()
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "num_search_queries": times}
    lab.provider.scripts["sought"] = reply(**usage)
    answer = lab.gateway.chat(f"{lab.name}/sought", key=key)
    assert Decimal(answer.headers["x-gateway-cost-usd"]) == Decimal("1.000002"), "a hundred searches"
    frame = json.dumps({**REPLY, "object": "chat.completion.chunk", "usage": usage})
    delta = json.dumps({**REPLY, "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]})
    lab.provider.scripts["sought"] = Script.sse(f"data: {delta}\n\ndata: {frame}\n\ndata: [DONE]\n\n".encode())
    streamed = lab.gateway.chat(f"{lab.name}/sought", key=key, stream=True)
    assert streamed.content.endswith(b"data: [DONE]\n\n") and receipt(lab, streamed, key)["cost_usd"] <= 1.01
    monkeypatch.setattr(lab.provider, "answer", lambda asked: Script.json({"text": "hi", "duration": times}))
    file = {"file": ("a.wav", bytes(6_000), "audio/wav")}
    heard = requests.post(
        f"{lab.gateway.url}/v1/audio/transcriptions", headers={"Authorization": f"Bearer {key}"}, files=file,
        data={"model": f"{lab.name}/heard"}, timeout=30,
    )  # fmt: skip
    assert heard.status_code == 200 and Decimal(heard.headers["x-gateway-cost-usd"]) <= Decimal("0.0011")
    found = {"results": [{"index": 0, "relevance_score": 0.5}], "meta": {"billed_units": {"search_units": times}}}
    monkeypatch.setattr(lab.provider, "answer", lambda asked: Script.json(found))
    ranked = lab.gateway.post("/v1/rerank", {"model": f"{lab.name}/ranked", "query": "q", "documents": ["a"]}, key)
    assert ranked.status_code == 200 and Decimal(ranked.headers["x-gateway-cost-usd"]) <= Decimal("0.008")
    assert lab.gateway.books()["ok"]


SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}}
SEARCHED = {
    "responses-compatible": [
        {"type": "response.output_item.done", "output_index": 0, "item": SEARCH},
        {"type": "response.output_text.delta", "item_id": "m", "output_index": 1, "content_index": 0, "delta": "found"},
    ],
    "anthropic-compatible": [
        {"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"input_tokens": 9, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {
            "type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "found"}},
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", SEARCHED)
def test_searches_of_a_stream_that_breaks_are_paid_for(sqlite_gateway: Gateway, kind: str) -> None:
    events = [b"event: %s\ndata: %s\n\n" % (one["type"].encode(), json.dumps(one).encode()) for one in SEARCHED[kind]]
    path, asked = "/v1/responses", {"input": "hi", "max_output_tokens": 100, "tools": [{"type": "web_search"}]}
    tool = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    if kind == "anthropic-compatible":
        path, asked = (
            "/v1/messages",
            {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9, "tools": [tool]},
        )
    with scripted(sqlite_gateway, kind, free=False) as (provider, name):
        lab = Lab(sqlite_gateway, provider, name)
        lab.gateway.cli(
            "prices", "set", f"{name}/*", "--input-mtok", "1", "--output-mtok", "1", "--fee", "web_search=0.01"
        )
        lab.gateway.settle_in()
        ran = 0 if kind == "responses-compatible" else 1
        for times, runs in ((1, 1), (3, 3 if ran == 0 else 2)):
            model = lab.model(
                Script.sse(*events[:ran], *events[ran : ran + 1] * times, *events[ran + 1 :], ending="reset")
            )
            answer = lab.gateway.post(path, {"model": model, "stream": True, **asked})
            found = receipt(lab, answer)
            assert found["partial"] and found["units"] == {"web_search": runs}, "no more than were allowed"
            assert found["cost"]["web_search"] == pytest.approx(0.01 * runs)
    assert lab.gateway.books()["ok"]


def test_without_a_limit_one_is_sent_only_if_the_wallet_is_light(lab: Lab) -> None:
    lab.gateway.cli(
        "prices", "set", f"{lab.name}/limits", "--input-mtok", "1", "--output-mtok", "10", "--max-output", "50000"
    )
    lab.gateway.settle_in()
    lab.provider.scripts["limits"] = reply(prompt_tokens=1, completion_tokens=1)
    for usd, sent in (("10", None), ("0.3", 16384), ("0.1", None)):
        _, key = lab.gateway.account(usd)
        assert lab.gateway.chat(f"{lab.name}/limits", key=key).status_code == 200
        limit = lab.provider.last().json.get("max_tokens")
        if usd == "0.1":
            assert 9_000 < limit < 10_000, "all that the wallet can pay"
        else:
            assert limit == sent
    _, key = lab.gateway.account("0.1")
    lab.gateway.chat(f"{lab.name}/limits", key=key, max_completion_tokens=40_000)
    assert 9_000 < lab.provider.last().json["max_completion_tokens"] < 10_000
    assert lab.gateway.chat(f"{lab.name}/limits", key=key, max_tokens=77).status_code == 200
    assert lab.provider.last().json["max_tokens"] == 77, "a limit that can be paid is the caller's own"


def test_an_answer_that_says_nothing_costs_nothing(lab: Lab) -> None:
    empty = {
        **REPLY,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}],
    }
    _, key = lab.gateway.account("1")
    free = lab.gateway.chat(
        lab.model(Script.json({**empty, "usage": {"prompt_tokens": 9, "completion_tokens": 0}})), key=key
    )
    assert free.status_code == 200 and Decimal(free.headers["x-gateway-cost-usd"]) == 0
    thought = {"prompt_tokens": 9, "completion_tokens": 50, "completion_tokens_details": {"reasoning_tokens": 50}}
    paid = lab.gateway.chat(lab.model(Script.json({**empty, "usage": thought})), key=key)
    assert Decimal(paid.headers["x-gateway-cost-usd"]) == Decimal("0.00003135"), "it thought, and that was reported"


def test_classes_of_tokens_have_their_own_rates(lab: Lab) -> None:
    lab.gateway.cli("prices", "set", f"{lab.name}/classes", "--input-mtok", "1", "--output-mtok", "4", "--cached-mtok", "0.1",
                    "--reasoning-mtok", "8")  # fmt: skip
    lab.gateway.settle_in()
    lab.provider.scripts["classes"] = reply(
        prompt_tokens=100, completion_tokens=50, prompt_tokens_details={"cached_tokens": 60},
        completion_tokens_details={"reasoning_tokens": 20},
    )  # fmt: skip
    found = receipt(lab, lab.gateway.chat(f"{lab.name}/classes"))
    assert found["tokens"] == {"input": 40, "cached_read": 60, "cache_write": 0, "output": 30, "reasoning": 20}
    assert found["cost"] == {"cached_read": 0.000006, "input": 0.00004, "reasoning": 0.00016, "output": 0.00012}
    assert found["cost_usd"] == 0.000326 and found["price_version"].startswith("operator-")


def test_prices_change_at_once_and_only_for_later_calls(lab: Lab) -> None:
    lab.provider.scripts["dearer"] = reply(prompt_tokens=1000, completion_tokens=0)
    lab.provider.scripts["dearer"] = reply(prompt_tokens=1000, completion_tokens=1)
    for price, cost in (("1", 0.001001), ("2", 0.002001)):
        lab.gateway.cli("prices", "set", f"{lab.name}/dearer", "--input-mtok", price, "--output-mtok", "1")
        lab.gateway.settle_in()
        assert receipt(lab, lab.gateway.chat(f"{lab.name}/dearer"))["cost_usd"] == cost


def test_spoken_replies_can_be_referred_to_by_their_owner_only(free_lab: Lab) -> None:
    """Law 8: an id made upstream is pinned to the account and the channel that got it."""
    lab = free_lab
    spoken = {"id": "audio_abc", "data": "AAAA", "transcript": "hi"}
    choice = {"index": 0, "message": {"role": "assistant", "content": None, "audio": spoken}, "finish_reason": "stop"}
    model = lab.model(Script.json({**REPLY, "choices": [choice]}))
    _, mine = lab.gateway.account("1")
    _, yours = lab.gateway.account("1")
    again = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "audio": {"id": "audio_abc"}},
        {"role": "user", "content": "b"},
    ]
    ask = {"model": model, "messages": again}
    before = lab.gateway.post("/v1/chat/completions", ask, mine)
    assert before.status_code == 404 and before.json()["error"]["param"] == "messages[1].audio.id"
    assert lab.gateway.chat(model, key=mine).status_code == 200
    assert lab.gateway.post("/v1/chat/completions", ask, mine).status_code == 200
    foreign = lab.gateway.post("/v1/chat/completions", ask, yours)
    assert foreign.status_code == 404 and foreign.json()["error"]["message"] == before.json()["error"]["message"]
    elsewhere = lab.gateway.post("/v1/chat/completions", {**ask, "model": "sandbox/echo"}, mine)
    assert elsewhere.status_code == 400 and elsewhere.json()["error"]["param"] == "messages[1].audio.id"


def test_expired_keys(lab: Lab) -> None:
    name, key = lab.gateway.account("1", expires="1m")
    assert lab.gateway.get("/v1/models", key).status_code == 200
    import sqlite3
    from pathlib import Path

    row = next(row for row in lab.gateway.cli("keys", "list", "--account", name))
    with sqlite3.connect(Path(lab.gateway.environ["GATEWAY_DATA"]) / "gateway.db") as other:
        other.execute("UPDATE api_key SET expires_at = ? WHERE id = ?", (int(time.time() * 1000) - 1, row["id"]))
        other.execute("UPDATE change SET n = n + 1")
    lab.gateway.settle_in()
    refused = lab.gateway.get("/v1/models", key)
    error = refused.json()["error"]
    assert (refused.status_code, error["type"]) == (403, "permission_error") and "expired" in error["message"]
    assert lab.gateway.cli("keys", "list", "--account", name)[0]["state"] == "expired"
