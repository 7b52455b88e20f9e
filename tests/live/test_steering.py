"""The caller steers: whom a call goes to, in which order, at which price; and a dry run, which only tells."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.live.test_failover import GOOD, STREAM, error
from tests.upstream import Asked, Script, Upstream, upstream


class Market:
    """Three channels that serve one namespace at prices of their own: `dear` first, then `cheap`, then `mid`."""

    def __init__(self, gateway: Gateway, stack: ExitStack) -> None:
        self.gateway = gateway
        self.name = f"market-{uuid.uuid4().hex[:8]}"
        self.model = f"{self.name}-fast"
        self.providers: dict[str, Upstream] = {}
        legs = []
        for name, usd in (("dear", "9"), ("cheap", "1"), ("mid", "3")):
            self.providers[name] = provider = stack.enter_context(upstream())
            provider.answer = _good
            gateway.cli(
                "channels", "add", "--provider", "openai-compatible", "--name", self.of(name), "--base-url",
                provider.base_url,
            )  # fmt: skip
            gateway.cli("prices", "set", f"{self.of(name)}/m", "--input-mtok", usd, "--output-mtok", usd)
            legs.append(f"{self.of(name)}:m")
            stack.callback(gateway.cli, "channels", "disable", self.of(name))
        gateway.cli("routes", "set", self.model, *legs)
        stack.callback(gateway.cli, "routes", "remove", self.model)
        gateway.settle_in()

    def of(self, name: str) -> str:
        return f"{self.name}-{name}"

    def names(self, *names: str) -> list[str]:
        return [self.of(name) for name in names]

    def asked(self) -> int:
        return sum(len(provider.asked) for provider in self.providers.values())

    def chat(self, provider: Any = None, headers: dict[str, str] | None = None, **more: Any) -> Any:
        body = {"model": self.model, "messages": [{"role": "user", "content": "hi"}], **more}
        return self.gateway.post(
            "/v1/chat/completions", {**body, **({"provider": provider} if provider is not None else {})},
            headers=headers or {},
        )  # fmt: skip

    def dry(self, provider: Any = None, headers: dict[str, str] | None = None, **more: Any) -> Any:
        return self.chat(provider, {"x-gateway-dry-run": "1", **(headers or {})}, **more)

    def legs(self, provider: Any = None, headers: dict[str, str] | None = None, **more: Any) -> list[str]:
        """Who would be tried, in order."""
        answer = self.dry(provider, headers, **more)
        assert answer.status_code == 200, answer.text
        return [leg["channel"].removeprefix(f"{self.name}-") for leg in answer.json()["legs"]]


def _good(asked: Asked) -> Script:
    return STREAM if asked.body and asked.json.get("stream") else GOOD


@pytest.fixture(scope="module")
def market(sqlite_gateway: Gateway) -> Iterator[Market]:
    with ExitStack() as stack:
        yield Market(sqlite_gateway, stack)


def test_who_is_tried(market: Market) -> None:
    own = market.names
    for wish, legs in (
        ({}, "dear cheap mid"),
        ({"order": own("mid")}, "mid dear cheap"),
        ({"order": own("mid", "cheap"), "allow_fallbacks": False}, "mid cheap"),
        ({"only": own("cheap", "mid")}, "cheap mid"),
        ({"ignore": own("dear")}, "cheap mid"),
        ({"only": ["openai-compatible"], "ignore": own("cheap")}, "dear mid"),
        ({"sort": "price"}, "cheap mid dear"),
        ({"sort": "price", "order": own("dear")}, "dear cheap mid"),
        ({"sort": "price", "allow_fallbacks": False}, "cheap"),
        ({"allow_fallbacks": False}, "dear"),
        ({"max_price": {"prompt": 3, "completion": "3.0"}}, "cheap mid"),
        ({"max_price": {"request": 0}}, "dear cheap mid"),
        ({"require_parameters": True, "only": None}, "dear cheap mid"),
        ({"quantizations": None, "zdr": None, "data_collection": None}, "dear cheap mid"),
        ({"quantizations": [], "zdr": False, "data_collection": "allow"}, "dear cheap mid"),
        ({"max_price": {"prompt": None, "completion": 3}}, "cheap mid"),
    ):
        assert market.legs(wish) == legs.split(), wish


def test_the_header_says_the_same(market: Market) -> None:
    of = market.of
    for route, wish, legs in (
        (f"order={of('mid')},{of('cheap')}; allow_fallbacks=no", None, "mid cheap"),
        (f"ignore={of('dear')};sort=price", None, "cheap mid"),
        ("max_price=prompt:3,completion:3", None, "cheap mid"),
        ("sort=price; allow_fallbacks=no", {"allow_fallbacks": True}, "cheap mid dear"),
        (";", None, "dear cheap mid"),
        ("zdr=false; enforce_distillable_text=no; data_collection=allow; quantizations=", None, "dear cheap mid"),
    ):
        assert market.legs(wish, {"x-gateway-route": route}) == legs.split(), route
    for wrong in (
        "sort=best", "nothing", "order", "max_price=prompt", "allow_fallbacks=perhaps", "zdr=true", "only=nobody",
    ):  # fmt: skip
        told = market.dry(None, {"x-gateway-route": wrong})
        if wrong == "order":
            assert told.status_code == 200
        else:
            assert told.status_code == 400 and told.json()["error"]["param"] == "x-gateway-route", wrong
    assert market.dry({"only": ["nobody"]}).json()["error"]["param"] == "provider"


def test_who_served_is_said_and_what_fails_moves_on(market: Market) -> None:
    mid, dear = market.of("mid"), market.of("dear")
    answer = market.chat({"order": [mid]})
    assert answer.headers["x-gateway-channel"] == mid and answer.headers["x-gateway-provider"] == "openai-compatible"
    assert "provider" not in market.providers["mid"].last().json and "x-gateway-losses" not in answer.headers
    market.providers["mid"].answer = lambda asked: error(503)
    try:
        answer = market.chat({"order": [mid]})
        assert answer.headers["x-gateway-channel"] == dear
        receipt = market.gateway.get("/v1/generation", params={"id": answer.json()["id"]}).json()["data"]
        assert [attempt["channel"] for attempt in receipt["attempts"]] == [mid, dear] and receipt["channel"] == dear
        before = market.asked()
        alone = market.chat({"order": [mid], "allow_fallbacks": False})
        assert alone.status_code == 503 and len(market.providers["dear"].asked) < market.asked() - before + 3
        assert alone.headers["x-gateway-attempts"] == str(market.asked() - before)
    finally:
        market.providers["mid"].answer = _good


def test_the_fastest_is_found_out(market: Market) -> None:
    """Who is not known yet is tried first; then it is known."""
    for name, wait_s in (("dear", 0.4), ("cheap", 0.01), ("mid", 0.2)):
        slow = Script(GOOD.status, GOOD.headers, [wait_s, *GOOD.pieces])
        market.providers[name].answer = lambda asked, slow=slow: slow
    try:
        for _ in range(4 * 2 * 3):  # each of two workers must have asked each of three
            market.chat({"sort": "latency"})
        served = {market.chat({"sort": "latency"}).headers["x-gateway-channel"] for _ in range(6)}
        assert served == {market.of("cheap")}
    finally:
        for provider in market.providers.values():
            provider.answer = _good


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ("openai", "provider"), ({"order": "openai"}, "provider.order"), ({"only": [1]}, "provider.only"),
        ({"sort": "best"}, "provider.sort"), ({"max_price": {"image": 1}}, "provider.max_price.image"),
        ({"max_price": {"prompt": -1}}, "provider.max_price.prompt"), ({"zdr": True}, "provider.zdr"),
        ({"data_collection": "deny"}, "provider.data_collection"), ({"zdr": 0}, "provider.zdr"),
        ({"quantizations": ["fp8"]}, "provider.quantizations"), ({"fast": True}, "provider.fast"),
        ({"allow_fallbacks": 1}, "provider.allow_fallbacks"), ({"only": ["nobody"]}, "provider"),
        ({"max_price": {"prompt": 0.5}}, "provider.max_price"),
    ],
)  # fmt: skip
def test_wishes_that_cannot_be_granted(market: Market, wish: Any, param: str) -> None:
    before = market.asked()
    for answer in (market.chat(wish), market.dry(wish)):
        told = answer.json()["error"]
        assert answer.status_code == 400 and told["param"] == param, told
    assert market.asked() == before


def test_all_surfaces_steer(market: Market) -> None:
    text = [{"role": "user", "content": "hi"}]
    bodies = (
        ("/v1/chat/completions", {"messages": text}), ("/v1/messages", {"messages": text, "max_tokens": 9}),
        ("/v1/responses", {"input": "hi"}), ("/v1/completions", {"prompt": "hi"}), ("/v1/embeddings", {"input": "hi"}),
        (f"/v1beta/models/{market.model}:generateContent", {"contents": [{"parts": [{"text": "hi"}]}]}),
        (f"/v1beta/models/{market.model}:streamGenerateContent", {"contents": [{"parts": [{"text": "hi"}]}]}),
    )  # fmt: skip
    for path, body in bodies:
        whole = {"model": market.model, **body, "provider": {"order": market.names("mid"), "allow_fallbacks": False}}
        answer = market.gateway.post(path, whole, headers={"x-gateway-dry-run": "1"})
        assert answer.status_code == 200, answer.text
        assert [leg["channel"] for leg in answer.json()["legs"]] == market.names("mid"), path
        refused = market.gateway.post(path, {**whole, "provider": {"only": ["nobody"]}})
        assert refused.status_code == 400, path


def test_legs_that_would_lose_something_can_be_left_out(market: Market) -> None:
    body = {"model": market.model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "top_k": 3}
    for wish, status in (({}, 200), ({"require_parameters": True}, 400)):
        answer = market.gateway.post("/v1/messages", {**body, "provider": wish}, headers={"x-gateway-dry-run": "1"})
        assert answer.status_code == status, answer.text
        assert "top_k" in answer.text


def test_a_dry_run_leaves_no_trace(market: Market) -> None:
    gateway = market.gateway
    gateway.cli("plans", "set", f"{market.name}-plan", "--rpm", "3", "--tpm", "100000")
    account, key = gateway.account("0.0001", plan=f"{market.name}-plan")
    before = market.asked()
    body = {"model": market.model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 10}
    for _ in range(6):
        answer = gateway.post("/v1/chat/completions", {**body, "stream": True}, key, headers={"x-gateway-dry-run": "1"})
        told = answer.json()
        assert answer.status_code == 200 and told["object"] == "dry_run" and told["model"] == market.model
        assert told["would"].startswith("402: Not enough credits"), told
    gateway.cli("credits", "add", account, "1")
    told = gateway.post("/v1/chat/completions", body, key, headers={"x-gateway-dry-run": "1"}).json()
    assert told["would"] == "run" and told["balance_usd"] == 1.0001
    assert told["legs"][1]["price"]["prompt_usd_per_mtok"] == 1 and told["legs"][1]["health"] == "ok"
    assert 0 < told["ceiling"]["floor_usd"] <= told["ceiling"]["hold_usd"] < 1 and told["ceiling"]["tokens"] > 10
    assert {limit["name"]: limit["remaining"] for limit in told["limits"]} == {"rpm": 3, "tpm": 100_000}
    assert market.asked() == before
    assert (
        gateway.credits(key)["held"] == 0 and gateway.credits(key)["balance"] == gateway.credits(key)["total_credits"]
    )
    for _ in range(3):
        assert gateway.post("/v1/chat/completions", body, key).status_code == 200
    told = gateway.post("/v1/chat/completions", body, key, headers={"x-gateway-dry-run": "1"}).json()
    assert told["would"].startswith("429: The limit of 3 requests a minute")
    for wrong, status in (({**body, "model": "no/body"}, 404), ({**body, "messages": []}, 400)):
        answer = gateway.post("/v1/chat/completions", wrong, key, headers={"x-gateway-dry-run": "1"})
        assert answer.status_code == status
    narrow = gateway.account("1", models="sandbox/*")[1]
    assert gateway.post("/v1/chat/completions", body, narrow, headers={"x-gateway-dry-run": "1"}).status_code == 403
