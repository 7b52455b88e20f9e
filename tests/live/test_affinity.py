"""Who has seen a prompt before gets it again: caches are used, and encrypted thoughts go back to their maker."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.live.test_failover import REPLY, error
from tests.upstream import Asked, Script, Upstream, upstream


class Twins:
    """Two accounts at one kind of provider, as equal channels of one namespace."""

    def __init__(self, gateway: Gateway, stack: ExitStack, kind: str, *options: str) -> None:
        self.gateway, self.name = gateway, f"twins-{uuid.uuid4().hex[:8]}"
        self.providers: dict[str, Upstream] = {}
        for place in (1, 2):
            provider = stack.enter_context(upstream())
            name = f"{self.name}-{place}"
            self.providers[name] = provider
            gateway.cli(
                "channels", "add", "--provider", kind, "--name", name, "--namespace", self.name, "--base-url",
                provider.base_url, *options,
            )  # fmt: skip
            stack.callback(gateway.cli, "channels", "disable", name)
        gateway.settle_in()


@pytest.fixture
def thinkers(sqlite_gateway: Gateway) -> Iterator[Twins]:
    with ExitStack() as stack:
        yield Twins(sqlite_gateway, stack, "responses-compatible", "--free")


@pytest.fixture
def cachers(sqlite_gateway: Gateway) -> Iterator[Twins]:
    with ExitStack() as stack:
        twins = Twins(sqlite_gateway, stack, "openai-compatible")
        sqlite_gateway.cli(
            "prices", "set", f"{twins.name}/*", "--input-mtok", "2", "--cached-mtok", "0.5", "--output-mtok", "8"
        )
        sqlite_gateway.settle_in()
        yield twins


def _thinks(seal: str) -> Script:
    thought = {"type": "reasoning", "id": f"rs_{seal}", "summary": [], "encrypted_content": seal}
    said = {"type": "message", "id": f"msg_{seal}", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "hm", "annotations": []}]}  # fmt: skip
    usage = {"input_tokens": 9, "output_tokens": 9, "total_tokens": 18}
    return Script.json({
        "id": f"resp_{seal}", "object": "response", "created_at": 1, "status": "completed", "model": "m",
        "output": [thought, said], "usage": usage,
    })  # fmt: skip


def test_an_encrypted_thought_goes_back_to_the_account_that_made_it(thinkers: Twins) -> None:
    for name, provider in thinkers.providers.items():

        def answer(asked: Asked, name: str = name) -> Script:
            foreign = [item for item in asked.json["input"] if not item.get("encrypted_content", name).startswith(name)]
            return error(400) if foreign else _thinks(f"{name}-{uuid.uuid4().hex}")

        provider.answer = answer
    served = set()
    for _ in range(8):
        said: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
        homes = set()
        for _ in range(4):
            body = {"model": f"{thinkers.name}/m", "input": said, "store": False}
            reply = thinkers.gateway.post("/v1/responses", body)
            assert reply.status_code == 200, reply.text
            homes.add(reply.headers["x-gateway-channel"])
            thought, message = reply.json()["output"]
            said += [{name: value for name, value in thought.items() if name != "id"}, message]  # as Codex sends it
            said.append({"role": "user", "content": "go on"})
        assert len(homes) == 1
        served |= homes
    assert served == set(thinkers.providers), "chance leads to both"


def test_a_cached_prompt_stays_and_its_saving_is_on_the_receipt(cachers: Twins) -> None:
    usage = {"prompt_tokens": 2_000, "completion_tokens": 10, "total_tokens": 2_010,
             "prompt_tokens_details": {"cached_tokens": 1_500}}  # fmt: skip
    for provider in cachers.providers.values():
        provider.answer = lambda asked: Script.json({**REPLY, "usage": usage})
    gateway, model = cachers.gateway, f"{cachers.name}/m"
    system = {"role": "system", "content": f"{uuid.uuid4()} " + "You know this house by heart. " * 200}
    served: list[str] = []
    for place in range(12):
        body = {"model": model, "messages": [system, {"role": "user", "content": f"question {place}"}]}
        answer = gateway.post("/v1/chat/completions", body)
        served.append(answer.headers["x-gateway-channel"])
    assert len(set(served)) == 1
    receipt = gateway.get("/v1/generation", params={"id": answer.json()["id"]}).json()["data"]
    assert receipt["cache_saving_usd"] == 1_500 * (2 - 0.5) / 1e6 == 0.00225
    assert json.dumps(receipt["cost_usd"]) == "0.00183"
    (home,) = {name for name in cachers.providers if name == served[0]}
    cachers.providers[home].answer = lambda asked: error(503)
    body = {"model": model, "messages": [system, {"role": "user", "content": "once more"}]}
    assert gateway.post("/v1/chat/completions", body).headers["x-gateway-channel"] != home
