"""Limits, budgets and permissions over HTTP: exact over all workers and machines, and told in the caller's dialect."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import Lab
from tests.gateway import Gateway
from tests.live.test_files import CHAT
from tests.upstream import Script, upstream

SECRET = "one secret for all machines of a test"
MESSAGE = {"model": "sandbox/echo", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def machines(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Gateway]]:
    """Four workers: of one gateway on SQLite, of two gateways that share a Postgres database."""
    with ExitStack() as stack:
        if kind == "sqlite":
            yield [stack.enter_context(Gateway(tmp_path_factory.mktemp("four"), workers=4))]
            return
        url = request.getfixturevalue("postgres").url()
        yield [
            stack.enter_context(Gateway(tmp_path_factory.mktemp(name), database=url, workers=2, GATEWAY_SECRET=SECRET))
            for name in ("left", "right")
        ]


def race(machines: list[Gateway], calls: int, key: str, model: str = "sandbox/echo", **more: Any) -> Counter[int]:
    """The statuses of so many calls at once, dealt to all machines."""

    def one(n: int) -> int:
        return machines[n % len(machines)].chat(model, key=key, **more).status_code

    with ThreadPoolExecutor(calls) as threads:
        return Counter(threads.map(one, range(calls)))


def test_sixty_calls_race_for_a_limit_of_twenty(machines: list[Gateway]) -> None:
    machines[0].cli("plans", "set", "twenty", "--rpd", "20")
    _, key = machines[0].account(plan="twenty")
    assert race(machines, 60, key) == {200: 20, 429: 40}
    assert machines[0].books()["ok"]


def test_fifty_a_minute(machines: list[Gateway]) -> None:
    machines[0].cli("plans", "set", "fifty", "--rpm", "50")
    _, key = machines[0].account(plan="fifty")
    assert race(machines, 90, key) == {200: 50, 429: 40}


def test_sixty_calls_race_for_a_budget_of_twenty(machines: list[Gateway]) -> None:
    ask = {"model": "sandbox/tokens-10", "max_tokens": 10}
    cost = Decimal(machines[0].chat(**ask).headers["x-gateway-cost-usd"])
    name, key = machines[0].account(budget_usd=f"{cost * 20:f}", per="month")
    done = race(machines, 60, key, **ask)
    assert (done[200], done[402]) == (20, 40)
    listed = machines[0].cli("keys", "list", "--account", name)[0]
    assert listed["budget_spent_usd"] == pytest.approx(float(cost * 20)) and listed["budget_per"] == "month"
    assert machines[0].books()["ok"] and machines[0].credits(key)["held"] == 0


def test_calls_at_once_race_for_places(machines: list[Gateway]) -> None:
    machines[0].cli("plans", "set", "three-at-once", "--parallel", "3")
    _, key = machines[0].account(plan="three-at-once")
    done = race(machines, 12, key, model="sandbox/slow-3000")
    assert done[200] >= 3 and done[200] + done[429] == 12
    assert machines[0].chat("sandbox/echo", key=key).status_code == 200, "places come back"
    assert machines[0].books()["ok"]


def test_models_of_a_pattern_have_limits_of_their_own(sqlite_gateway: Gateway) -> None:
    gateway = sqlite_gateway
    gateway.cli("plans", "set", "patterns", "--rpd", "5")
    saved = gateway.cli("plans", "limit", "patterns", "sandbox/ec*", "--rpd", "1")
    assert saved["limits"] == [{"pattern": "sandbox/ec*", "rpm": None, "tpm": None, "rpd": 1, "parallel": None}]
    assert saved["notes"] == [] and saved["rpd"] == 5
    _, key = gateway.account(plan="patterns")
    told = gateway.chat("sandbox/echo", key=key)
    assert told.status_code == 200 and told.headers["x-ratelimit-limit-requests"] == "1", "the tightest"
    refused = gateway.chat("sandbox/echo", key=key)
    assert refused.status_code == 429 and "1 requests a day of sandbox/ec*" in refused.json()["error"]["message"]
    assert gateway.chat("sandbox/json", key=key, models=["sandbox/echo"]).status_code == 429, "it might answer"
    assert [gateway.chat("sandbox/json", key=key).status_code for _ in range(5)] == [200] * 4 + [429]
    gateway.cli("plans", "limit", "patterns", "sandbox/ec*", "--rpd", "0")
    assert next(plan for plan in gateway.cli("plans", "list") if plan["name"] == "patterns")["limits"] == []


def test_no_spelling_evades_a_pattern(sqlite_gateway: Gateway) -> None:
    gateway = sqlite_gateway
    gateway.cli("plans", "set", "spelled")
    gateway.cli("plans", "limit", "spelled", "x-ai/*", "--rpd", "1")
    _, key = gateway.account(plan="spelled")
    with upstream() as provider:
        provider.answer = lambda asked: Script.json(CHAT)
        gateway.cli(
            "channels", "add", "--provider", "xai", "--name", "xai", "--base-url", f"{provider.url}/v1", "--key", "-",
            stdin="xai-x",
        )  # fmt: skip
        gateway.settle_in()
        told = [gateway.chat(name, key=key).status_code for name in ("xai/grok-4", "xai/grok-4", "x-ai/grok-4")]
        gateway.cli("channels", "disable", "xai")
    assert told == [200, 429, 429]


def test_what_is_told_of_limits(sqlite_gateway: Gateway) -> None:
    gateway = sqlite_gateway
    gateway.cli("plans", "set", "told", "--rpm", "2", "--tpm", "100000")
    _, key = gateway.account(plan="told")
    of_openai = gateway.post(
        "/v1/responses", {"model": "sandbox/echo", "input": "hi", "max_output_tokens": 16}, key
    ).headers
    assert (of_openai["x-ratelimit-limit-requests"], of_openai["x-ratelimit-remaining-requests"]) == ("2", "1")
    assert int(of_openai["x-ratelimit-remaining-tokens"]) < 100_000
    assert re.fullmatch(r"(1m0s|\d+s|\d+ms)", of_openai["x-ratelimit-reset-tokens"])
    assert of_openai["x-ratelimit-limit"] == "2" and not any("anthropic" in name.lower() for name in of_openai)
    of_anthropic = gateway.post("/v1/messages", MESSAGE, key).headers
    assert of_anthropic["anthropic-ratelimit-requests-remaining"] == "0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", of_anthropic["anthropic-ratelimit-tokens-reset"])
    assert (
        "x-ratelimit-limit-requests" not in of_anthropic
        and "anthropic-ratelimit-input-tokens-limit" not in of_anthropic
    )
    refused = gateway.post("/v1/messages", MESSAGE, key)
    assert refused.status_code == 429 and refused.json()["error"]["type"] == "rate_limit_error"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    unlimited = gateway.chat("sandbox/echo").headers
    assert "x-ratelimit-limit-requests" not in unlimited and "x-ratelimit-limit" in unlimited


def test_without_a_limit_a_call_takes_no_more_tokens_than_a_minute_has(free_lab: Lab) -> None:
    gateway, model = free_lab.gateway, free_lab.model(Script.json(CHAT))
    gateway.cli("plans", "set", "few-tokens", "--tpm", "5000")
    _, key = gateway.account(plan="few-tokens")
    body = {"model": model, "messages": MESSAGE["messages"]}
    dry = gateway.post("/v1/chat/completions", body, key, headers={"x-gateway-dry-run": "1"}).json()
    assert dry["would"] == "run" and dry["ceiling"]["tokens"] == 2500
    for _ in range(5):
        assert gateway.chat(model, key=key).status_code == 200, "what one did not use comes back for the next"
    assert 1_500 < free_lab.provider.last().json["max_tokens"] < 2_500
    refused = gateway.chat(model, key=key, max_tokens=6_000)
    assert refused.status_code == 429 and "lower its output limit" in refused.json()["error"]["message"]
    gateway.cli("plans", "set", "fewest-tokens", "--tpm", "500")
    _, key = gateway.account(plan="fewest-tokens")
    assert gateway.chat(model, key=key).status_code == 200 and free_lab.provider.last().json["max_tokens"] == 256
    refused = gateway.post("/v1/chat/completions", {"model": model, "messages": MESSAGE["messages"] * 100}, key)
    assert refused.status_code == 429 and "This call alone" in refused.json()["error"]["message"]


def test_a_batch_longer_than_a_day_is_told_so(sqlite_gateway: Gateway) -> None:
    gateway = sqlite_gateway
    gateway.cli("plans", "set", "two-a-day", "--rpd", "2")
    _, key = gateway.account(plan="two-a-day")
    body = {"model": "sandbox/echo", "messages": MESSAGE["messages"]}
    lines = [{"custom_id": f"{n}", "method": "POST", "url": "/v1/chat/completions", "body": body} for n in range(3)]
    sent = requests.post(
        f"{gateway.url}/v1/files", headers={"Authorization": f"Bearer {key}"}, data={"purpose": "batch"}, timeout=30,
        files={"file": ("lines.jsonl", "\n".join(map(json.dumps, lines)))},
    ).json()  # fmt: skip
    batch = {"input_file_id": sent["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    refused = gateway.post("/v1/batches", batch, key)
    assert (refused.status_code, refused.headers["x-should-retry"]) == (429, "false")
    assert "2 requests a day. This batch alone has 3: send fewer lines" in refused.json()["error"]["message"]


def test_calls_at_once_hide_no_window(sqlite_gateway: Gateway) -> None:
    gateway = sqlite_gateway
    gateway.cli("plans", "set", "one-by-one", "--rpm", "1000", "--parallel", "1")
    _, key = gateway.account(plan="one-by-one")
    for answer in (gateway.chat("sandbox/echo", key=key), gateway.get("/v1/models", key)):
        assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("1000", "999")
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: gateway.chat("sandbox/slow-800", key=key), range(2)))
    done, refused = sorted(answers, key=lambda answer: answer.status_code)
    assert (done.status_code, refused.status_code) == (200, 429) and done.headers["x-ratelimit-remaining"] == "998"
    assert (refused.headers["x-ratelimit-limit"], refused.headers["x-ratelimit-remaining"]) == ("1", "0")
    assert refused.headers["x-ratelimit-remaining-requests"] == "998", "beside what refused it"


def test_a_free_channel_answers_whatever_is_owed(free_lab: Lab) -> None:
    gateway, model = free_lab.gateway, free_lab.model(Script.json(CHAT))
    name, key = gateway.account(limit_usd="1")
    assert gateway.chat("sandbox/tokens-10", key=key, max_tokens=10).status_code == 200
    gateway.cli("keys", "set", gateway.cli("keys", "list", "--account", name)[0]["id"], "--limit-usd", "0.000000001")
    gateway.settle_in()
    assert gateway.chat("sandbox/tokens-10", key=key, max_tokens=10).status_code == 402
    body = {"model": model, "messages": MESSAGE["messages"]}
    dry = gateway.post("/v1/chat/completions", body, key, headers={"x-gateway-dry-run": "1"})
    assert dry.json()["would"] == "run" and gateway.post("/v1/chat/completions", body, key).status_code == 200
    assert gateway.books()["ok"]


def test_a_purse_too_light_for_one_provider_pays_for_another(free_lab: Lab) -> None:
    gateway, provider, free = free_lab.gateway, free_lab.provider, free_lab.name
    provider.scripts["local"] = provider.scripts["cheap"] = provider.scripts["dear"] = Script.json(CHAT)
    for name, usd in (("cheap", "1"), ("dear", "100")):
        gateway.cli(
            "channels", "add", "--provider", "openai-compatible", "--name", f"{free}-{name}", "--key", "-",
            "--base-url", f"{provider.url}/v1", "--models", name, stdin="x",
        )  # fmt: skip
        gateway.cli("prices", "set", f"{free}-{name}/*", "--input-mtok", usd, "--output-mtok", usd)
    paid = [f"{free}-{name}:{name}" for name in ("dear", "cheap")]
    gateway.cli("routes", "set", f"{free}/first", f"{free}:local", *paid)
    gateway.cli("routes", "set", f"{free}/second", *paid)
    gateway.settle_in()
    first, second = ({"model": f"{free}/{route}", "messages": MESSAGE["messages"]} for route in ("first", "second"))
    _, key = gateway.account(None)
    assert gateway.post("/v1/chat/completions", first, key).headers["x-gateway-channel"] == free
    dry = gateway.post("/v1/chat/completions", first, key, headers={"x-gateway-dry-run": "1"}).json()
    assert ([leg["channel"] for leg in dry["legs"]], dry["would"]) == ([free], "run")
    refused = gateway.post("/v1/chat/completions", second, key)
    assert refused.status_code == 402 and "at least $0.0003" in refused.json()["error"]["message"], "the cheapest"
    _, key = gateway.account("0.001")
    answer = gateway.post("/v1/chat/completions", second, key)
    assert (answer.status_code, answer.headers["x-gateway-channel"]) == (200, f"{free}-cheap")
    assert 256 <= provider.last().json["max_tokens"] < 1_000, "what is left pays for"
    _, key = gateway.account("10")
    assert gateway.post("/v1/chat/completions", second, key).headers["x-gateway-channel"] == f"{free}-dear"
    assert gateway.books()["ok"]


def test_a_402_says_which_purse_and_whether_waiting_helps(sqlite_gateway: Gateway) -> None:
    gateway = sqlite_gateway
    cost = Decimal(gateway.chat("sandbox/tokens-10", max_tokens=10).headers["x-gateway-cost-usd"])

    def refused(key: str) -> tuple[str, str | None]:
        answer = gateway.chat("sandbox/tokens-10", key=key, max_tokens=10)
        assert answer.status_code == 402 and answer.json()["error"]["type"] == "insufficient_credits"
        return answer.json()["error"]["message"], answer.headers.get("retry-after")

    _, key = gateway.account(budget_usd=f"{cost:f}", per="week")
    assert gateway.chat("sandbox/tokens-10", key=key, max_tokens=10).status_code == 200
    message, wait = refused(key)
    assert f"This API key's budget of ${cost:f} a week, until 20" in message and "Wait until 20" in message
    assert wait is not None and 1 <= int(wait) <= 7 * 86_400
    message, wait = refused(gateway.account(budget_usd="0.000000001", per="day")[1])
    assert "Waiting does not help" in message and wait is None, "more than a whole budget"
    message, wait = refused(gateway.account(limit_usd="0.000000001")[1])
    assert "key's limit of $0.000000001" in message and "Waiting does not help" in message and wait is None
    name, key = gateway.account(f"{cost:f}", budget_usd=f"{cost:f}", per="day")
    assert gateway.chat("sandbox/tokens-10", key=key, max_tokens=10).status_code == 200
    message, wait = refused(key)
    assert f"The account '{name}'" in message and "add credits" in message and wait is None, "not the budget's fault"
    image = gateway.post("/v1/images/generations", {"model": "sandbox/image", "prompt": "x"}, key)
    assert image.status_code == 402 and image.json()["error"]["message"].endswith("add credits, or ask for less.")
    name, key = gateway.account(None)
    message, wait = refused(key)
    assert f"The account '{name}' has $0 free" in message and "add credits" in message and wait is None


def test_a_budget_can_be_set_and_lifted(sqlite_gateway: Gateway) -> None:
    gateway = sqlite_gateway
    name, key = gateway.account()
    key_id = gateway.cli("keys", "list", "--account", name)[0]["id"]
    made = gateway.cli("keys", "set", key_id, "--budget-usd", "0.000000001", "--per", "day")
    assert (made["budget_usd"], made["budget_per"]) == (0.000000001, "day")
    gateway.settle_in()
    assert gateway.chat("sandbox/echo", key=key).status_code == 402
    assert gateway.cli("keys", "set", key_id, "--budget-usd", "0")["budget_usd"] is None
    gateway.settle_in()
    assert gateway.chat("sandbox/echo", key=key).status_code == 200


def test_keys_are_bound_to_endpoints(sqlite_gateway: Gateway) -> None:
    gateway = sqlite_gateway
    _, key = gateway.account(endpoints="chat,/v1/models*")
    assert gateway.chat("sandbox/echo", key=key).status_code == 200
    assert gateway.get("/v1/models", key).status_code == 200
    refused = gateway.post("/v1/messages", MESSAGE, key)
    error = refused.json()["error"]
    assert (refused.status_code, refused.json()["type"], error["type"]) == (403, "error", "permission_error")
    assert "'/v1/messages'" in error["message"] and "--endpoints" in error["message"]
    url = f"{gateway.url}/v1beta/models/sandbox/echo:generateContent"
    google = requests.post(url, json={"contents": []}, headers={"x-goog-api-key": key}, timeout=30)
    assert (google.status_code, google.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert gateway.get("/v1/credits", key).json()["error"]["type"] == "permission_error"


def test_keys_are_bound_to_addresses(sqlite_gateway: Gateway) -> None:
    gateway = sqlite_gateway
    _, key = gateway.account(addresses="198.51.100.0/24,2001:db8::/32")

    def status(forwarded: str | None) -> int:
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        answer = gateway.post("/v1/chat/completions", MESSAGE, key, headers=headers)
        if answer.status_code != 200:
            assert answer.json()["error"]["type"] == "permission_error" and "--addresses" in answer.text
        return answer.status_code

    assert [status(None), status("198.51.100.77"), status("2001:db8::1, 127.0.0.1")] == [403, 200, 200]
    assert status("198.51.100.77, 203.0.113.9") == 403, "what stands before the last hop is the client's own word"
    assert status("nonsense") == 403
    time.sleep(0.2)
    data = Path(gateway.environ["GATEWAY_DATA"])
    kept = gateway.log.read_bytes() + b"".join(path.read_bytes() for path in data.glob("gateway.db*"))
    assert b"198.51.100.77" not in kept and b"203.0.113.9" not in kept
