"""Idempotency-Key: a call that its caller names is made once and paid once, however often it is sent."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from openai import OpenAI

from tests.conftest import Lab, scripted
from tests.gateway import Gateway
from tests.live.test_failover import REPLY
from tests.live.test_streams import DONE, END, ROLE, USAGE, word
from tests.upstream import Script

PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def both(gateway: Gateway) -> Iterator[Lab]:
    """A scripted provider behind a gateway on each database in turn, at the price of a small real model."""
    with scripted(gateway, "openai-compatible", free=False) as (provider, name):
        yield Lab(gateway, provider, name)


def named(name: str | None = None) -> dict[str, str]:
    return {"Idempotency-Key": name or uuid.uuid4().hex}


def ask(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}


def count(lab: Lab, model: str) -> int:
    return len(lab.provider.of(model.split("/")[1]))


def told(answer: requests.Response) -> dict[str, str]:
    """What an answer says of the call; not of the request that asked for it."""
    ours = ("x-gateway-", "x-generation-", "content-type", "cache-control", "x-accel")
    return {name.lower(): value for name, value in answer.headers.items() if name.lower().startswith(ours)}


def test_a_whole_answer_is_told_again(both: Lab) -> None:
    model, headers = both.model(Script.json(REPLY)), named()
    _, key = both.gateway.account("1")
    first = both.gateway.post(PATH, ask(model), key, headers=headers)
    paid = both.gateway.credits(key)
    again = both.gateway.post(PATH, ask(model), key, headers=headers)
    assert first.status_code == again.status_code == 200 and first.content == again.content
    assert told(first) == told(again) and "x-gateway-cost-usd" in told(again)
    assert "Idempotent-Replayed" not in first.headers and again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    assert count(both, model) == 1 and both.gateway.credits(key) == paid and paid["total_usage"] > 0


def test_a_stream_is_told_again_frame_by_frame(both: Lab) -> None:
    model, headers = (
        both.model(Script.sse(b": PROCESSING\n\n", ROLE, word("one"), b": x\n\n", END, USAGE, DONE)),
        named(),
    )
    first = both.gateway.post(PATH, ask(model, stream=True), headers=headers)
    again = both.gateway.post(PATH, ask(model, stream=True), headers=headers)
    assert first.content.endswith(DONE) and b": x" in first.content and count(both, model) == 1
    assert again.content == first.content.replace(b": PROCESSING\n\n", b"").replace(b": x\n\n", b"")
    assert told(first) == told(again) and again.headers["Idempotent-Replayed"] == "true"


def test_each_surface_tells_again(both: Lab) -> None:
    said = [{"role": "user", "content": "hi"}]
    contents = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    for path, body in (
        ("/v1/responses", {"model": "sandbox/echo", "input": "hi"}),
        ("/v1/responses", {"model": "sandbox/echo", "input": "hi", "stream": True}),
        ("/v1/messages", {"model": "sandbox/echo", "messages": said, "max_tokens": 50}),
        ("/v1/messages", {"model": "sandbox/echo", "messages": said, "max_tokens": 50, "stream": True}),
        ("/v1/completions", {"model": "sandbox/echo", "prompt": "hi"}),
        ("/v1/embeddings", {"model": "sandbox/embed", "input": "hi"}),
        ("/v1beta/models/sandbox/echo:generateContent", contents),
        ("/v1beta/models/sandbox/echo:streamGenerateContent?alt=sse", contents),
        ("/v1beta/models/sandbox/echo:streamGenerateContent", contents),
        ("/v1beta/models/sandbox/embed:embedContent", {"content": contents["contents"][0]}),
        ("/v1beta/models/sandbox/error-400:streamGenerateContent", contents),
        ("/v1/messages", {"model": "sandbox/error-400", "messages": said, "max_tokens": 50}),
        (PATH, ask("sandbox/error-400")),
        (PATH, ask("sandbox/error-400", stream=True)),
    ):
        headers = named()
        first = both.gateway.post(path, body, headers=headers)
        again = both.gateway.post(path, body, headers=headers)
        assert again.headers.get("Idempotent-Replayed") == "true", (path, body, again.text)
        assert (first.status_code, told(first)) == (again.status_code, told(again)), (path, body)
        if path.endswith(":streamGenerateContent") and first.status_code == 200:
            assert first.json() == again.json()  # an array: its line breaks may fall elsewhere
        else:
            assert first.content == again.content, (path, body)


def test_another_request_under_the_same_name_is_refused(both: Lab) -> None:
    model, headers = both.model(Script.json(REPLY)), named()
    assert both.gateway.post(PATH, ask(model), headers=headers).status_code == 200
    for path, body in ((PATH, ask(model, seed=1)), ("/v1/completions", {"model": model, "prompt": "hi"})):
        refused = both.gateway.post(path, body, headers=headers)
        error = refused.json()["error"]
        assert (refused.status_code, error["type"], error["param"]) == (409, "invalid_request_error", "Idempotency-Key")
        assert refused.headers["x-should-retry"] == "false"
    _, other = both.gateway.account("1")
    assert "Idempotent-Replayed" not in both.gateway.post(PATH, ask(model), other, headers=headers).headers
    assert count(both, model) == 2, "another API key has names of its own"


@pytest.mark.parametrize("name", ["", "x" * 256, "two words", "caf\u00e9", "a\tb"])
def test_a_name_must_be_plain(lab: Lab, name: str) -> None:
    refused = lab.gateway.post(PATH, ask("sandbox/echo"), headers={"Idempotency-Key": name.encode("latin-1")})
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "Idempotency-Key"
    longest = {"Idempotency-Key": "!" + uuid.uuid4().hex + "~" * 222}
    assert lab.gateway.post(PATH, ask("sandbox/echo"), headers=longest).status_code == 200


def test_of_twenty_at_once_one_is_made(both: Lab) -> None:
    """Both workers take some of them."""
    model, headers = (
        both.model(Script(pieces=[0.5, json.dumps(REPLY).encode()], framing="close", ending="close")),
        named(),
    )
    _, key = both.gateway.account("1")
    with ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(both.gateway.post, PATH, ask(model), key, headers=headers) for _ in range(20)]
        answers = [call.result() for call in calls]
    made = [one for one in answers if one.status_code == 200 and "Idempotent-Replayed" not in one.headers]
    replayed = [one for one in answers if one.headers.get("Idempotent-Replayed") == "true"]
    waiting = [one for one in answers if one.status_code == 409]
    assert len(made) == 1 and len(made) + len(replayed) + len(waiting) == 20
    assert all(one.headers["Retry-After"] == "1" and "x-should-retry" not in one.headers for one in waiting)
    assert count(both, model) == 1
    left = both.gateway.credits(key)
    assert left["held"] == 0 and f"{left['total_usage']:f}" == made[0].headers["x-gateway-cost-usd"]


def test_what_cost_nothing_and_is_not_the_callers_fault_is_tried_again(both: Lab) -> None:
    for script in (
        Script.json({"error": {"message": "busy"}}, 500), Script.json({"error": {"message": "slow down"}}, 429),
        Script.json({"error": {"message": "bad key"}}, 401), Script(pieces=[b"{"]),
    ):  # fmt: skip
        for stream in (False, True):
            model, headers = both.model(script), named()
            failed = both.gateway.post(PATH, ask(model, stream=stream), headers=headers)
            assert failed.status_code >= 429, failed.text
            both.provider.scripts[model.split("/")[1]] = Script.json(REPLY)
            mended = both.gateway.post(PATH, ask(model, stream=stream), headers=headers)
            assert mended.status_code == 200 and "Idempotent-Replayed" not in mended.headers, mended.text


def test_what_the_gate_refuses_is_not_kept(both: Lab) -> None:
    model, headers = both.model(Script.json(REPLY)), named()
    account, key = both.gateway.account(None)
    assert both.gateway.post(PATH, ask(model), key, headers=headers).status_code == 402
    both.gateway.cli("credits", "add", account, "1")
    assert both.gateway.post(PATH, ask(model), key, headers=headers).status_code == 200
    both.gateway.cli("plans", "set", f"{account}-plan", "--rpm", "1")
    both.gateway.cli("accounts", "set", account, "--plan", f"{account}-plan")
    both.gateway.settle_in()
    assert both.gateway.post(PATH, ask(model), key, headers=headers).status_code == 200, "a replay counts nowhere"
    assert both.gateway.post(PATH, ask(model), key, headers=named()).status_code == 200
    assert both.gateway.post(PATH, ask(model), key, headers=named()).status_code == 429
    assert both.gateway.post(PATH, ask(model), key, headers=headers).status_code == 200, "nor is it limited"
    assert count(both, model) == 2


def test_only_the_receipt_is_kept_of_what_is_large_or_broke_off(both: Lab) -> None:
    large = json.loads(json.dumps(REPLY))
    large["choices"][0]["message"]["content"] = "x" * (1 << 20)
    for script, stream in (
        (Script.json(large), False),
        (Script.sse(ROLE, *[word("x" * (1 << 18))] * 5, END, USAGE, DONE), True),
        (Script.sse(ROLE, word("x" * 400), framing="close"), True),
    ):
        model, headers = both.model(script), named()
        first = both.gateway.post(PATH, ask(model, stream=stream), headers=headers)
        assert first.status_code == 200 and first.content
        again = both.gateway.post(PATH, ask(model, stream=stream), headers=headers)
        assert again.status_code == 409 and again.headers["x-should-retry"] == "false", again.text
        assert again.headers["x-generation-id"] == first.headers["x-generation-id"]
        receipt = both.gateway.get("/v1/generation", params={"id": again.headers["x-generation-id"]})
        assert receipt.json()["data"]["cost_usd"] > 0 and count(both, model) == 1


def test_who_leaves_a_stream_finds_its_receipt(both: Lab) -> None:
    model, headers = both.model(Script.sse(ROLE, *[word("x" * 400)] * 4, ending="hang")), named()
    first = both.gateway.post(PATH, ask(model, stream=True), headers=headers, stream=True)
    pieces = first.iter_content(1)  # who lets go of it closes the connection
    next(pieces)
    running = both.gateway.post(PATH, ask(model, stream=True), headers=headers)
    assert running.status_code == 409 and running.headers.get("Retry-After") == "1", running.text
    first.close()
    end = time.monotonic() + 20
    while "Retry-After" in (again := both.gateway.post(PATH, ask(model, stream=True), headers=headers)).headers:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert (again.status_code, again.headers["x-generation-id"]) == (409, first.headers["x-generation-id"])


def test_a_killed_workers_call_is_made_again(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """What was settled is told again; what was running is refused until the sweeper was there, then it is a new call."""
    database = request.getfixturevalue("postgres").url() if kind == "postgres" else None
    with Gateway(tmp_path, database=database) as gateway, scripted(gateway, "openai-compatible", free=False) as (
        provider, name,
    ):  # fmt: skip
        lab = Lab(gateway, provider, name)
        done, running = lab.model(Script.json(REPLY)), lab.model(Script(pieces=[600.0, b"{}"]))
        settled, open_ = named(), named()
        first = gateway.post(PATH, ask(done), headers=settled)
        with ThreadPoolExecutor(1) as pool:
            lost = pool.submit(gateway.post, PATH, ask(running), headers=open_)
            while not count(lab, running):
                time.sleep(0.02)
            for pid in gateway.worker_pids():
                os.kill(pid, signal.SIGKILL)
            with pytest.raises(requests.ConnectionError):
                lost.result()
        provider.scripts[running.split("/")[1]] = Script.json(REPLY)
        end, early = time.monotonic() + 90, 0
        while True:
            try:
                again = gateway.post(PATH, ask(running), headers=open_)
                if again.status_code == 200:
                    break
                assert again.status_code == 409 and again.headers["Retry-After"] == "1", again.text
                early += 1
            except requests.ConnectionError:
                pass
            assert time.monotonic() < end
            time.sleep(0.25)
        assert early and "Idempotent-Replayed" not in again.headers and count(lab, running) == 2
        told_again = gateway.post(PATH, ask(done), headers=settled)
        assert told_again.content == first.content and count(lab, done) == 1
        assert gateway.credits()["held"] == 0 and gateway.books()["wrong"] == []


def test_an_sdk_that_retries_gets_the_first_answer(lab: Lab) -> None:
    """OpenAI's takes a 409 with Retry-After for a reason to wait and ask again."""
    model = lab.model(Script(pieces=[0.8, json.dumps(REPLY).encode()], framing="close", ending="close"))
    headers = named()

    def call() -> Any:
        with OpenAI(base_url=lab.gateway.base_url, api_key=lab.gateway.key, max_retries=5) as client:
            return client.chat.completions.with_raw_response.create(
                model=model, messages=[{"role": "user", "content": "hi"}], extra_headers=headers
            )

    with ThreadPoolExecutor(3) as pool:
        answers = [one.result() for one in [pool.submit(call) for _ in range(3)]]
    assert len({one.parse().id for one in answers}) == 1 and count(lab, model) == 1
    assert sorted(one.headers.get("idempotent-replayed", "") for one in answers) == ["", "true", "true"]
