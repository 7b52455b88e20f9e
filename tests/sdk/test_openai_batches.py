"""Batches by the official OpenAI SDK: made, answered, charged line by line, cancelled, refused, and gone on with after a
death."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest
from openai import OpenAI

from tests.gateway import Gateway

CHAT = "/v1/chat/completions"
OVER = ("completed", "failed", "expired", "cancelled")


def client(gateway: Gateway, key: str) -> OpenAI:
    return OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0)


@pytest.fixture
def mine(gateway: Gateway) -> Iterator[OpenAI]:
    _, key = gateway.account()
    with client(gateway, key) as made:
        yield made


def line(name: str, model: str = "sandbox/echo", text: str = "", **more: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": text or f"I am {name}"}], "max_tokens": 20, **more}
    return {"custom_id": name, "method": "POST", "url": CHAT, "body": body}


def begin(mine: OpenAI, lines: list[Any], endpoint: Any = CHAT, **more: Any) -> Any:
    data = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines).encode()
    file = mine.files.create(file=("in.jsonl", data), purpose="batch")
    return mine.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **more)


def wait(mine: OpenAI, batch_id: str, seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while (found := mine.batches.retrieve(batch_id)).status not in OVER:
        assert time.monotonic() < end, found
        time.sleep(0.2)
    return found


def read(mine: OpenAI, file_id: str | None) -> dict[str, dict[str, Any]]:
    assert file_id is not None
    found = [json.loads(one) for one in mine.files.content(file_id).text.splitlines()]
    assert len({one["custom_id"] for one in found}) == len(found)
    return {one["custom_id"]: one for one in found}


def test_all_lines_are_answered_and_charged(gateway: Gateway, mine: OpenAI) -> None:
    made = begin(mine, [line(f"n{n}") for n in range(20)], metadata={"for": "test"})
    assert made.id.startswith("batch_") and made.status == "in_progress" and made.request_counts.total == 20
    done = wait(mine, made.id)
    assert done.status == "completed" and done.metadata == {"for": "test"} and done.error_file_id is None
    assert (done.request_counts.completed, done.request_counts.failed) == (20, 0)
    answers = read(mine, done.output_file_id)
    spent = Decimal(0)
    told = [answers[f"n{n}"]["response"]["body"]["usage"] for n in range(20)]
    given, said = sum(one["prompt_tokens"] for one in told), sum(one["completion_tokens"] for one in told)
    assert (made.usage, done.usage.input_tokens, done.usage.output_tokens) == (None, given, said)
    assert (done.usage.total_tokens, done.usage.output_tokens_details.reasoning_tokens) == (given + said, 0)
    for n in range(20):
        response = answers[f"n{n}"]["response"]
        assert response["status_code"] == 200 and answers[f"n{n}"]["error"] is None
        assert response["body"]["choices"][0]["message"]["content"] == f"I am n{n}"
        assert response["body"]["model"] == "sandbox/echo"
        receipt = json.loads(
            gateway.get(f"/v1/generation?id={response['body']['id']}", mine.api_key).text, parse_float=Decimal
        )["data"]
        assert receipt["surface"] == "chat.batch" and not receipt["overrun"]
        spent += receipt["cost_usd"]
    left = gateway.credits(mine.api_key)
    assert spent > 0 and (left["balance"], left["held"]) == (10 - spent, 0)
    assert gateway.books()["ok"], gateway.books()
    assert mine.files.retrieve(str(done.output_file_id)).purpose == "batch_output"
    assert [one.id for one in mine.batches.list()] == [made.id]
    assert gateway.get("/v1/tasks", mine.api_key).json()["data"] == []


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("/v1/responses", {"model": "sandbox/echo", "input": "Hello"}),
        ("/v1/embeddings", {"model": "sandbox/embed", "input": "Hello"}),
        ("/v1/completions", {"model": "sandbox/echo", "prompt": "Hello", "max_tokens": 9}),
    ],
)
def test_other_endpoints(mine: OpenAI, endpoint: str, body: dict[str, Any]) -> None:
    done = wait(mine, begin(mine, [{"custom_id": "a", "method": "POST", "url": endpoint, "body": body}], endpoint).id)
    reply = read(mine, done.output_file_id)["a"]["response"]["body"]
    assert reply["model"] == body["model"] and done.usage.total_tokens == reply["usage"]["total_tokens"] > 0


def test_a_batch_of_one_idempotency_key_is_begun_once(gateway: Gateway, mine: OpenAI) -> None:
    file = mine.files.create(file=("in.jsonl", json.dumps(line("a")).encode()), purpose="batch")

    def ask(**more: Any) -> Any:
        return mine.batches.with_raw_response.create(
            input_file_id=file.id, endpoint=CHAT, completion_window="24h",
            extra_headers={"Idempotency-Key": "once"}, **more,
        )  # fmt: skip

    first, second = ask(), ask()
    assert first.parse().id == second.parse().id and second.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(openai.ConflictError, match="stands for another request"):
        ask(metadata={"other": "yes"})
    wait(mine, first.parse().id)
    third = ask()
    assert third.content == first.content and third.headers["Idempotent-Replayed"] == "true"
    assert [one.id for one in mine.batches.list()] == [first.parse().id]
    assert gateway.credits(mine.api_key)["held"] == 0 and gateway.books()["ok"]


def test_an_idempotency_key_stands_for_a_batch_that_was_cancelled(mine: OpenAI) -> None:
    made = begin(mine, [line("a", "sandbox/slow-500")], extra_headers={"Idempotency-Key": "stopped"})
    mine.batches.cancel(made.id)
    wait(mine, made.id)
    again = mine.batches.create(
        input_file_id=made.input_file_id, endpoint=CHAT, completion_window="24h",
        extra_headers={"Idempotency-Key": "stopped"},
    )  # fmt: skip
    assert again == made


def test_lines_that_fail_are_in_a_file_of_their_own(gateway: Gateway, mine: OpenAI) -> None:
    done = wait(mine, begin(mine, [line("good"), line("bad", "sandbox/error-400"), line("last")]).id)
    assert done.status == "completed"
    assert (done.request_counts.completed, done.request_counts.failed) == (2, 1)
    assert set(read(mine, done.output_file_id)) == {"good", "last"}
    bad = read(mine, done.error_file_id)["bad"]["response"]
    assert bad["status_code"] == 400 and bad["body"]["error"]["type"] == "invalid_request_error"
    assert gateway.credits(mine.api_key)["held"] == 0 and gateway.books()["ok"]


def test_bad_lines_fail_the_batch_and_cost_nothing(gateway: Gateway, mine: OpenAI) -> None:
    lines = [
        line("a"), "{no json", {**line("b"), "url": "/v1/embeddings"}, {**line("c"), "method": "GET"}, line("a"),
        line("d", temperature=9), line("e", "nobody/knows"), line("f", stream=True), {**line("g"), "custom_id": 7},
        line("h", messages=[{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-0"}}]}]),
    ]  # fmt: skip
    failed = begin(mine, lines)
    assert failed.status == "failed" and failed.output_file_id is None
    found = [(one.line, one.code, one.param) for one in failed.errors.data]
    assert found == [
        (2, "invalid_json_line", None), (3, "mismatched_url", "url"), (4, "invalid_method", "method"),
        (5, "duplicate_custom_id", "custom_id"), (6, "invalid_request", "body.temperature"),
        (7, "model_not_found", "body.model"), (8, "invalid_body", "body.stream"),
        (9, "invalid_custom_id", "custom_id"), (10, "not_found", "body.messages[0].content[0].file.file_id"),
    ]  # fmt: skip
    assert mine.batches.retrieve(failed.id) == failed
    left = gateway.credits(mine.api_key)
    assert (left["balance"], left["held"]) == (10, 0) and gateway.books()["ok"]


def test_what_cannot_be_paid_is_refused_before_any_line(gateway: Gateway) -> None:
    _, key = gateway.account("0.001")
    with client(gateway, key) as poor:
        with pytest.raises(openai.APIStatusError) as refused:
            begin(poor, [line(str(n), max_tokens=1_000) for n in range(10)])
        assert refused.value.status_code == 402
        assert poor.batches.list().data == []
    left = gateway.credits(key)
    assert (left["balance"], left["held"]) == (Decimal("0.001"), 0)


def test_a_dry_run_keeps_no_file_and_begins_no_batch(mine: OpenAI) -> None:
    dry = {"x-gateway-dry-run": "1"}
    with pytest.raises(openai.BadRequestError, match="dry run") as refused:
        mine.files.create(file=("in.jsonl", b"{}"), purpose="batch", extra_headers=dry)
    assert refused.value.param == "x-gateway-dry-run" and mine.files.list().data == []
    with pytest.raises(openai.BadRequestError, match="dry run"):
        begin(mine, [line("a")], extra_headers=dry)
    assert mine.batches.list().data == []


def test_what_is_done_stays_when_a_batch_is_cancelled(gateway: Gateway, mine: OpenAI) -> None:
    made = begin(mine, [line(f"fast{n}") for n in range(4)] + [line(f"n{n}", "sandbox/slow-1500") for n in range(40)])
    while mine.batches.retrieve(made.id).request_counts.completed < 4:
        time.sleep(0.1)
    assert mine.batches.cancel(made.id).status == "cancelling"
    done = wait(mine, made.id)
    assert done.status == "cancelled" and done.cancelled_at is not None
    answers = read(mine, done.output_file_id)
    assert 4 <= len(answers) == done.request_counts.completed < 44
    with pytest.raises(openai.ConflictError):
        mine.batches.cancel(made.id)
    assert gateway.credits(mine.api_key)["held"] == 0 and gateway.books()["ok"]


def test_it_is_there_for_its_owner_alone(gateway: Gateway, mine: OpenAI) -> None:
    made = begin(mine, [line("a")])
    _, key = gateway.account()
    with client(gateway, key) as stranger:
        for ask in (stranger.batches.retrieve, stranger.batches.cancel):
            with pytest.raises(openai.NotFoundError):
                ask(made.id)
        with pytest.raises(openai.NotFoundError) as foreign:
            stranger.batches.create(input_file_id=made.input_file_id, endpoint=CHAT, completion_window="24h")
        assert foreign.value.param == "input_file_id" and stranger.batches.list().data == []
    assert wait(mine, made.id).status == "completed"


def test_a_key_that_is_revoked_makes_no_further_calls(gateway: Gateway) -> None:
    name, other = gateway.account()
    key = gateway.cli("keys", "create", "--account", name, "--name", "short")
    with client(gateway, key["key"]) as mine, client(gateway, other) as later:
        made = begin(mine, [line(f"n{n}", "sandbox/slow-2000") for n in range(20)])
        gateway.cli("keys", "revoke", key["id"])
        done = wait(later, made.id)  # what belongs to the account is there for each of its keys
        assert done.status == "completed" and done.request_counts.failed > 0
        answers = read(later, done.error_file_id)
        assert {one["response"]["status_code"] for one in answers.values()} == {401}
        assert done.request_counts.completed + len(answers) == 20
    assert gateway.credits(other)["held"] == 0 and gateway.books()["ok"]


@pytest.mark.parametrize("workers", [2])
def test_a_batch_survives_the_death_of_its_worker(tmp_path: Path, workers: int) -> None:
    with Gateway(tmp_path, workers=workers) as gateway:
        _, key = gateway.account()
        with client(gateway, key).with_options(max_retries=9) as mine:  # a worker dies
            made = begin(mine, [line(f"n{n}", "sandbox/slow-200") for n in range(60)])
            while mine.batches.retrieve(made.id).request_counts.completed < 8:
                time.sleep(0.05)
            for pid in gateway.worker_pids():
                with_lock = any("tasks.lock" in one.path for one in psutil.Process(pid).open_files())
                if with_lock:
                    os.kill(pid, signal.SIGKILL)
            done = wait(mine, made.id, 120)
            assert done.status == "completed" and done.request_counts.completed == 60
            answers = read(mine, done.output_file_id)
            spent = Decimal(0)
            for one in answers.values():
                identity = one["response"]["body"]["id"]
                text = gateway.get(f"/v1/generation?id={identity}", key).text
                spent += json.loads(text, parse_float=Decimal)["data"]["cost_usd"]
        left = gateway.credits(key)
        assert (left["balance"], left["held"]) == (
            10 - spent,
            0,
        )  # each line once, what died with the worker not at all
        assert gateway.books()["ok"], gateway.books()
