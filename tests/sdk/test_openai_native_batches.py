"""Batches that go to OpenAI's own batch service, by the official SDK, against a fake of it (`tests.batching`): at half the
price, made there once whatever dies meanwhile, and made here where they cannot go there."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openai import APIConnectionError

from tests.batching import INPUT, OUTPUT, Batching, answered
from tests.conftest import PROVIDER_KEY
from tests.gateway import Gateway
from tests.live.test_crashes import wait_until
from tests.sdk.test_openai_batches import begin, client, line, read, wait
from tests.upstream import upstream

USUAL = (INPUT * Decimal("0.15") + OUTPUT * Decimal("0.6")) / 10**6
HALF = USUAL / 2


class There:
    """A gateway, OpenAI behind it as a channel, and somebody who calls."""

    def __init__(self, gateway: Gateway, maker: Batching, name: str) -> None:
        self.gateway, self.maker, self.name = gateway, maker, name
        self.model = f"{name}/gpt-4o-mini"
        _, self.key = gateway.account()
        self.mine = client(gateway, self.key).with_options(max_retries=9)  # workers die

    def lines(self, count: int, **more: Any) -> list[dict[str, Any]]:
        return [line(f"n{n}", self.model, **more) for n in range(count)]

    def spent(self) -> Decimal:
        """What was charged, and nothing is held any more, and the books are right."""
        left = self.gateway.credits(self.key)
        assert left["held"] == 0 and self.gateway.books()["ok"], self.gateway.books()
        return Decimal(left["total_usage"])

    def receipt(self, answer: dict[str, Any]) -> dict[str, Any]:
        identity = answer["response"]["body"]["id"]
        text = self.gateway.get(f"/v1/generation?id={identity}", self.key).text
        found: dict[str, Any] = json.loads(text, parse_float=Decimal)["data"]
        return found

    def begun(self, lines: list[dict[str, Any]]) -> Any:
        """A batch, though whoever is asked for it may die of it before he answers."""
        try:
            return begin(self.mine.with_options(max_retries=0), lines)
        except APIConnectionError:
            return self.mine.batches.list().data[0]


@contextmanager
def at_openai(gateway: Gateway) -> Iterator[There]:
    with upstream() as provider:
        maker, name = Batching(), f"lab-{uuid.uuid4().hex[:8]}"
        provider.answer = maker
        gateway.cli(
            "channels", "add", "--provider", "openai", "--name", name, "--namespace", name, "--base-url",
            provider.base_url, "--key", "-", stdin=PROVIDER_KEY,
        )  # fmt: skip
        gateway.settle_in()
        there = There(gateway, maker, name)
        with there.mine:
            yield there
        gateway.cli("channels", "disable", name)


@pytest.fixture
def there(sqlite_gateway: Gateway) -> Iterator[There]:
    with at_openai(sqlite_gateway) as made:
        yield made


@pytest.fixture
def on_both(gateway: Gateway) -> Iterator[There]:
    with at_openai(gateway) as made:
        yield made


def test_it_is_made_there_as_one_at_half_the_price(on_both: There) -> None:
    there, mine = on_both, on_both.mine
    lines = there.lines(12)
    made = begin(mine, lines, metadata={"for": "test"})
    assert made.status == "in_progress"
    done = wait(mine, made.id)
    assert done.status == "completed" and done.metadata == {"for": "test"} and done.error_file_id is None
    assert (done.request_counts.completed, done.request_counts.failed) == (12, 0)
    [sent] = there.maker.sent
    assert [one["custom_id"] for one in sent] == [str(n) for n in range(1, 13)], "names stay with their owner"
    assert [one["body"] for one in sent] == [{**one["body"], "model": "gpt-4o-mini"} for one in lines]
    assert there.maker.called == []
    [batch] = there.maker.batches.values()
    assert batch["metadata"] == {"gateway": made.id}
    answers = read(mine, done.output_file_id)
    for n in range(12):
        body = answers[f"n{n}"]["response"]["body"]
        assert body["choices"][0]["message"]["content"] == f"You said: I am n{n}"
        assert body["model"] == there.model and body["id"] != "chatcmpl-up" and body["service_tier"] == "default"
        receipt = there.receipt(answers[f"n{n}"])
        assert receipt["cost_usd"] == HALF and receipt["service_tier"] == "batch" and not receipt["overrun"]
        assert (receipt["surface"], receipt["channel"], receipt["upstream_model"]) == (
            "chat.batch", there.name, "gpt-4o-mini",
        )  # fmt: skip
    assert there.spent() == 12 * HALF
    assert sorted(there.maker.removed) == sorted([batch["input_file_id"], batch["output_file_id"]])


def test_what_it_says_meanwhile(there: There) -> None:
    there.maker.gate.clear()
    made = begin(there.mine, there.lines(3))
    wait_until(lambda: there.maker.batches, "it is not begun there")
    held = there.gateway.credits(there.key)["held"]
    assert held >= 3 * USUAL, "all lines are held for"
    [batch] = there.maker.batches.values()
    batch["request_counts"]["completed"] = 2
    wait_until(lambda: there.mine.batches.retrieve(made.id).request_counts.completed == 2, "it tells no counts")
    listed = [one for one in there.gateway.cli("tasks", "list") if one["id"] == made.id]
    assert [one["upstream_id"] for one in listed] == [batch["id"]] and listed[0]["channel"]
    there.mine.files.delete(made.input_file_id)
    there.maker.gate.set()
    done = wait(there.mine, made.id)
    assert done.status == "completed" and set(read(there.mine, done.output_file_id)) == {"n0", "n1", "n2"}
    assert there.spent() == 3 * HALF


def test_lines_that_fail_there_and_lines_that_are_lost(there: There) -> None:
    def reply(asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        text = asked["messages"][-1]["content"]
        if text == "I am n1":
            return 400, {"error": {"message": "n1 is bad", "type": "invalid_request_error", "code": None}}
        return (200, {"no": "answer"}) if text == "I am n2" else (200, answered(asked))

    there.maker.reply, there.maker.lose = reply, {"4"}
    done = wait(there.mine, begin(there.mine, there.lines(5)).id)
    assert done.status == "completed"
    assert (done.request_counts.completed, done.request_counts.failed) == (2, 3)
    assert set(read(there.mine, done.output_file_id)) == {"n0", "n4"}
    bad = read(there.mine, done.error_file_id)
    assert bad["n1"]["response"]["status_code"] == 400
    assert bad["n1"]["response"]["body"]["error"]["message"] == "n1 is bad"
    assert bad["n2"]["response"]["status_code"] == 502
    assert bad["n3"]["response"] is None and bad["n3"]["error"]["code"] == "no_answer"
    assert there.spent() == 2 * HALF


def test_one_that_expires_there_is_paid_for_as_far_as_it_came(there: There) -> None:
    there.maker.ending, there.maker.most = "expired", 3
    done = wait(there.mine, begin(there.mine, there.lines(5)).id)
    assert done.status == "expired" and done.expired_at is not None
    assert set(read(there.mine, done.output_file_id)) == {"n0", "n1", "n2"}
    late = read(there.mine, done.error_file_id)
    assert {name: one["error"]["code"] for name, one in late.items()} == {"n3": "batch_expired", "n4": "batch_expired"}
    assert there.spent() == 3 * HALF


def test_one_that_its_owner_cancels_is_cancelled_there(there: There) -> None:
    there.maker.gate.clear()
    there.maker.most = 2
    made = begin(there.mine, there.lines(5))
    wait_until(lambda: there.maker.batches, "it is not begun there")
    assert there.mine.batches.cancel(made.id).status == "cancelling"
    done = wait(there.mine, made.id)
    assert done.status == "cancelled" and done.cancelled_at is not None and there.maker.cancels == 1
    assert set(read(there.mine, done.output_file_id)) == {"n0", "n1"}
    assert there.spent() == 2 * HALF and there.maker.called == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/files", 400, "invalid_file"), ("/batches", 400, "batch_not_allowed"), ("/batches", 404, "not_found")],
)
def test_one_that_is_refused_there_is_made_here(there: There, path: str, status: int, code: str) -> None:
    there.maker.refuse = {path: (status, code)}
    done = wait(there.mine, begin(there.mine, there.lines(3)).id)
    assert done.status == "completed" and done.request_counts.completed == 3
    assert len(there.maker.called) == 3 and there.maker.batches == {} and there.maker.files == {}
    answers = read(there.mine, done.output_file_id)
    assert {there.receipt(one)["service_tier"] for one in answers.values()} == {None}
    assert there.spent() == 3 * USUAL
    assert f"but call by call: {code}" in there.gateway.log.read_text()


def test_one_whose_file_is_found_too_much_there_is_made_here(there: There) -> None:
    there.maker.ending = "failed"
    done = wait(there.mine, begin(there.mine, there.lines(2)).id)
    assert done.status == "completed" and len(there.maker.batches) == 1 and len(there.maker.called) == 2
    assert there.spent() == 2 * USUAL


def test_one_that_is_not_heard_of_is_not_asked_for_again(there: There) -> None:
    there.maker.deaf = True
    done = wait(there.mine, begin(there.mine, there.lines(2)).id)
    assert done.status == "completed" and len(there.maker.batches) == 1 and there.maker.called == []
    assert there.spent() == 2 * HALF


def test_one_that_comes_too_often_is_asked_for_later(there: There) -> None:
    there.maker.refuse = {"/batches": (429, "rate_limit_exceeded")}
    made = begin(there.mine, there.lines(2))
    wait_until(lambda: there.maker.refused, "it is not asked for")
    there.maker.refuse = {}
    assert wait(there.mine, made.id).status == "completed" and len(there.maker.batches) == 1
    assert len(there.maker.sent) == 1 and there.spent() == 2 * HALF


def test_one_that_never_ends_there_expires(there: There) -> None:
    there.maker.gate.clear()
    made = begin(there.mine, there.lines(2))
    wait_until(lambda: there.maker.batches, "it is not begun there")
    with closing(sqlite3.connect(there.gateway.folder / "data" / "gateway.db", timeout=30)) as database, database:
        database.execute("UPDATE task SET deadline_at = created_at - 7200000 WHERE id = ?", (made.id,))
    done = wait(there.mine, made.id)
    assert done.status == "expired" and done.request_counts.failed == 2 and there.maker.cancels == 1
    late = read(there.mine, done.error_file_id)
    assert {one["error"]["code"] for one in late.values()} == {"batch_expired"}
    assert there.spent() == 0


def test_what_was_sent_is_paid_for_though_its_key_was_revoked(there: There) -> None:
    there.maker.gate.clear()
    name, other = there.gateway.account()
    key = there.gateway.cli("keys", "create", "--account", name, "--name", "short")
    with client(there.gateway, key["key"]) as mine:
        made = begin(mine, there.lines(3))
    wait_until(lambda: there.maker.batches, "it is not begun there")
    there.gateway.cli("keys", "revoke", key["id"])
    there.maker.gate.set()
    with client(there.gateway, other) as later:
        done = wait(later, made.id)
        assert done.status == "completed" and len(read(later, done.output_file_id)) == 3
    there.key = other
    assert there.spent() == 3 * HALF


@pytest.mark.parametrize(
    "other",
    [
        {"service_tier": "default"}, {"model": "sandbox/echo"}, {"model": "gpt-4o"},
        {"web_search_options": {}, "model": "gpt-4o-search-preview"},
    ],
)  # fmt: skip
def test_one_with_a_line_that_cannot_go_there_is_made_here(there: There, other: dict[str, Any]) -> None:
    if "model" in other and "/" not in other["model"]:
        other = {**other, "model": f"{there.name}/{other['model']}"}
    lines = [*there.lines(2), line("other", **{"model": there.model, **other})]
    done = wait(there.mine, begin(there.mine, lines).id)
    assert done.status == "completed" and done.request_counts.completed == 3
    assert there.maker.sent == [] and there.maker.batches == {}


def test_a_channel_that_the_operator_puts_first_stays_first(there: There) -> None:
    [mine] = [one for one in there.gateway.cli("channels", "list") if one["name"] == there.name]
    there.gateway.cli(
        "channels", "add", "--provider", "openai-compatible", "--name", f"{there.name}-own", "--namespace", there.name,
        "--base-url", mine["base_url"], "--key", "-", "--free", "--priority", "-1", stdin=PROVIDER_KEY,
    )  # fmt: skip
    there.gateway.settle_in()
    done = wait(there.mine, begin(there.mine, there.lines(2)).id)
    assert done.status == "completed" and there.maker.sent == [] and len(there.maker.called) == 2
    assert there.spent() == 0
    there.gateway.cli("channels", "disable", f"{there.name}-own")


def test_a_price_that_the_operator_sets_holds(there: There) -> None:
    there.gateway.cli("prices", "set", there.model, "--input-mtok", "1", "--output-mtok", "2")
    there.gateway.settle_in()
    done = wait(there.mine, begin(there.mine, there.lines(2)).id)
    assert done.status == "completed" and there.maker.sent == []
    assert there.spent() == 2 * (INPUT * 1 + OUTPUT * 2) / Decimal(10**6)


def test_embeddings(there: There) -> None:
    model = f"{there.name}/text-embedding-3-small"
    lines = [
        {"custom_id": str(n), "method": "POST", "url": "/v1/embeddings", "body": {"model": model, "input": ["a", "b"]}}
        for n in range(3)
    ]

    def reply(asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        data = [{"object": "embedding", "index": n, "embedding": [0.5, 0.25]} for n in range(2)]
        usage = {"prompt_tokens": 10, "total_tokens": 10}
        return 200, {"object": "list", "data": data, "model": asked["model"], "usage": usage}

    there.maker.reply = reply
    done = wait(there.mine, begin(there.mine, lines, "/v1/embeddings").id)
    answers = read(there.mine, done.output_file_id)
    assert {one["response"]["body"]["model"] for one in answers.values()} == {model}
    assert there.spent() == 3 * 10 * Decimal("0.01") / 10**6


def test_responses(there: There) -> None:
    lines = [
        {"custom_id": str(n), "method": "POST", "url": "/v1/responses", "body": {"model": there.model, "input": "Hi"}}
        for n in range(2)
    ]

    def reply(asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        text = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}]
        usage = {"input_tokens": INPUT, "output_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT}
        return 200, {
            "id": "resp_up", "object": "response", "created_at": 1, "status": "completed", "model": asked["model"],
            "output": text, "usage": usage, "error": None, "service_tier": "default",
        }  # fmt: skip

    there.maker.reply = reply
    done = wait(there.mine, begin(there.mine, lines, "/v1/responses").id)
    body = read(there.mine, done.output_file_id)["0"]["response"]["body"]
    assert body["id"].startswith("resp_") and body["id"] != "resp_up" and body["output_text"] == "Hello"
    assert there.spent() == 2 * HALF


@pytest.mark.parametrize("point", ["after_hold", "after_dispatch", "before_settle", "after_settle"])
def test_a_death_at_any_step_makes_no_second_batch_and_no_second_charge(tmp_path: Path, point: str) -> None:
    order, draft = tmp_path / "order", tmp_path / "draft"
    with Gateway(tmp_path, GATEWAY_TEST="1", CRASH_AT=str(order)) as gateway, at_openai(gateway) as there:
        draft.write_text(point)
        draft.rename(order)
        made = there.begun(there.lines(8))
        wait_until(lambda: not order.exists(), f"nobody came to {point}")
        done = wait(there.mine, made.id, 120)
        assert done.status == "completed" and done.request_counts.completed == 8
        assert len(there.maker.batches) == 1 and there.maker.called == []
        answers = read(there.mine, done.output_file_id)
        assert sum(there.receipt(one)["cost_usd"] for one in answers.values()) == there.spent() == 8 * HALF


def test_a_death_before_its_end_ends_it_once(tmp_path: Path) -> None:
    order, draft = tmp_path / "order", tmp_path / "draft"
    with Gateway(tmp_path, GATEWAY_TEST="1", CRASH_AT=str(order)) as gateway, at_openai(gateway) as there:
        there.maker.lose = {"1", "2"}  # so nothing is settled before all is written
        draft.write_text("before_settle")
        draft.rename(order)
        made = there.begun(there.lines(2))
        wait_until(lambda: not order.exists(), "nobody came to the end")
        done = wait(there.mine, made.id, 120)
        assert done.status == "completed" and done.request_counts.failed == 2 and there.maker.files == {}
        assert there.spent() == 0


def test_a_gateway_that_is_killed_while_it_is_made_there_goes_on(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway, at_openai(gateway) as there:
        there.maker.gate.clear()
        made = begin(there.mine, there.lines(8))
        wait_until(lambda: there.maker.batches, "it is not begun there")
        for pid in gateway.worker_pids():
            os.kill(pid, signal.SIGKILL)
        there.maker.gate.set()
        done = wait(there.mine, made.id, 120)
        assert done.status == "completed" and len(there.maker.batches) == 1
        assert there.spent() == 8 * HALF


def test_the_words_of_the_service_as_recorded(there: There, shared: Path) -> None:
    folder = shared / "wire" / "cassettes" / "openai-misc"
    files = sorted(folder.glob("ruby_llm__batch_with_openai_text-embedding-3-small*.yaml"))
    if not files:
        pytest.skip("no recording of a batch of embeddings")
    told = pytest.importorskip("yaml").safe_load(files[0].read_text())["interactions"]
    there.maker.like = next(one["response"]["json"] for one in told if one["request"]["path"] == "/v1/batches")
    content = next(one["response"]["text"] for one in told if one["request"]["path"].endswith("/content"))
    body = json.loads(content.splitlines()[0])["response"]["body"]
    there.maker.reply = lambda asked: (200, body)
    model = f"{there.name}/text-embedding-3-small"
    wanted = {"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {"model": model, "input": "Hello"}}
    done = wait(there.mine, begin(there.mine, [wanted], "/v1/embeddings").id)
    answer = read(there.mine, done.output_file_id)["a"]["response"]["body"]
    assert answer == {**body, "model": model}
    assert there.spent() == body["usage"]["prompt_tokens"] * Decimal("0.01") / 10**6 > 0
