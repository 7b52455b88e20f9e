"""Responses in the background, against a fake of OpenAI's that is written from its public documentation
(https://platform.openai.com/docs/guides/background): begun, looked at, cancelled, settled once."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.conftest import Lab, scripted
from tests.gateway import Gateway
from tests.upstream import Asked, Script

COST = Decimal("0.15") * 1_000 / 10**6 + Decimal("0.60") * 500 / 10**6


class Maker:
    """The fake: a response is done after so many looks, or ends as it is told."""

    def __init__(self) -> None:
        self.looks = 3
        self.pause, self.broken = 0.05, False
        self.end: dict[str, Any] = {}
        self.asked: dict[str, int] = {}
        self.cancelled: set[str] = set()

    def __call__(self, asked: Asked) -> Script:
        path = asked.path.partition("?")[0]
        if path.endswith("/models"):
            return Script.json({"object": "list", "data": []})
        if asked.method == "POST" and path == "/v1/responses":
            assert asked.json["background"] is True
            identity = f"resp_up{uuid.uuid4().hex}"
            self.asked[identity] = 0
            if asked.json.get("stream"):
                return self._told(identity, 0)
            return Script.json(self._shown(identity, status="queued"))
        identity = path.split("/")[3]
        if path.endswith("/cancel"):
            self.cancelled.add(identity)
            return Script.json(self._shown(identity, status="cancelled"))
        if "stream=true" in asked.path:
            return self._told(identity, int(asked.path.partition("starting_after=")[2] or -1) + 1)
        self.asked[identity] += 1
        if identity in self.cancelled:
            return Script.json(self._shown(identity, status="cancelled"))
        if self.asked[identity] < self.looks:
            return Script.json(self._shown(identity, status="in_progress"))
        return Script.json(self._ended(identity))

    def _ended(self, identity: str) -> dict[str, Any]:
        text = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]}]
        usage = {"input_tokens": 1_000, "output_tokens": 500, "total_tokens": 1_500}
        return self._shown(identity, **{"status": "completed", "output": text, "usage": usage, **self.end})

    def _told(self, identity: str, start: int) -> Script:
        """The events from a number on, slowly; what is `broken` ends before the last ones."""
        ended = self._ended(identity)
        events = [
            {"type": "response.created", "response": self._shown(identity, status="queued")},
            {"type": "response.queued", "response": self._shown(identity, status="queued")},
            {"type": "response.in_progress", "response": self._shown(identity, status="in_progress")},
            *({"type": "response.output_text.delta", "item_id": "m", "delta": one} for one in ("D", "on", "e.")),
            {"type": f"response.{ended['status']}", "response": ended},
        ]
        frames = [
            f"event: {one['type']}\ndata: {json.dumps({**one, 'sequence_number': number})}\n\n".encode()
            for number, one in enumerate(events)
        ][start:]
        pieces = [piece for frame in (frames[:-2] if self.broken else frames) for piece in (frame, self.pause)]
        return Script.sse(*pieces, ending="close" if self.broken else "keep")

    def _shown(self, identity: str, **more: Any) -> dict[str, Any]:
        return {
            "id": identity, "object": "response", "created_at": 1, "model": "up", "background": True, "error": None,
            "output": [], "usage": None, **more,
        }  # fmt: skip


@pytest.fixture
def lab(gateway: Gateway) -> Iterator[tuple[Lab, Maker]]:
    with scripted(gateway, "responses-compatible", free=False) as (provider, name):
        maker = Maker()
        provider.answer = maker
        yield Lab(gateway, provider, name), maker


def client(gateway: Gateway, key: str) -> OpenAI:
    return OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0)


def receipt(gateway: Gateway, identity: str, key: str) -> dict[str, Any]:
    """Once it is there: nobody looks but the runner."""
    end = time.monotonic() + 60
    while (answer := gateway.get(f"/v1/generation?id={identity}", key)).status_code == 404:
        assert time.monotonic() < end
        time.sleep(0.3)
    found: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)["data"]
    return found


def test_it_is_made_fetched_and_charged_once(gateway: Gateway, lab: tuple[Lab, Maker]) -> None:
    _, key = gateway.account()
    with client(gateway, key) as mine:
        made = mine.responses.create(model=f"{lab[0].name}/up", input="Think.", background=True)
        assert made.status == "queued" and made.id.startswith("resp_") and made.model == f"{lab[0].name}/up"
        assert gateway.credits(key)["held"] > 0
        while (found := mine.responses.retrieve(made.id)).status in ("queued", "in_progress"):
            time.sleep(0.1)
        assert (found.status, found.output_text, found.id, found.model) == (
            "completed", "Done.", made.id, f"{lab[0].name}/up",
        )  # fmt: skip
        left = gateway.credits(key)  # it was settled before it was told
        assert (left["balance"], left["held"]) == (10 - COST, 0)
        assert mine.responses.retrieve(made.id).output_text == "Done."
    told = receipt(gateway, made.id, key)
    assert (told["cost_usd"], told["tokens"]["output"], told["overrun"]) == (COST, 500, False)
    assert gateway.credits(key)["balance"] == 10 - COST and gateway.books()["ok"], gateway.books()


def test_it_is_charged_though_nobody_fetches_it(gateway: Gateway, lab: tuple[Lab, Maker]) -> None:
    _, key = gateway.account()
    lab[1].looks = 1
    with client(gateway, key) as mine:
        made = mine.responses.create(model=f"{lab[0].name}/up", input="Think.", background=True)
    assert receipt(gateway, made.id, key)["cost_usd"] == COST
    left = gateway.credits(key)
    assert (left["balance"], left["held"]) == (10 - COST, 0) and gateway.books()["ok"]


def test_what_fails_costs_nothing(gateway: Gateway, lab: tuple[Lab, Maker]) -> None:
    _, key = gateway.account()
    lab[1].looks, lab[1].end = 1, {"status": "failed", "error": {"code": "server_error", "message": "x"}, "output": []}
    with client(gateway, key) as mine:
        made = mine.responses.create(model=f"{lab[0].name}/up", input="Think.", background=True)
        assert mine.responses.retrieve(made.id).status == "failed"
    left = gateway.credits(key)
    assert (left["balance"], left["held"]) == (10, 0) and gateway.books()["ok"]


def test_it_is_cancelled_there_and_then_costs_nothing(gateway: Gateway, lab: tuple[Lab, Maker]) -> None:
    _, key = gateway.account()
    lab[1].looks = 1_000
    with client(gateway, key) as mine:
        made = mine.responses.create(model=f"{lab[0].name}/up", input="Think.", background=True)
        with pytest.raises(openai.ConflictError):
            mine.responses.delete(made.id)
        assert mine.responses.cancel(made.id).status == "cancelled"
        assert mine.responses.retrieve(made.id).status == "cancelled"
    left = gateway.credits(key)
    assert (left["balance"], left["held"]) == (10, 0) and gateway.books()["ok"]


def test_it_is_there_for_its_owner_alone(gateway: Gateway, lab: tuple[Lab, Maker]) -> None:
    (_, key), (_, other) = gateway.account(), gateway.account()
    with client(gateway, key) as mine, client(gateway, other) as stranger:
        made = mine.responses.create(model=f"{lab[0].name}/up", input="Think.", background=True)
        for ask in (stranger.responses.retrieve, stranger.responses.cancel, stranger.responses.delete):
            with pytest.raises(openai.NotFoundError):
                ask(made.id)
        assert gateway.get(f"/v1/tasks/{made.id}", key).status_code == 404
        assert gateway.get("/v1/tasks", key).json()["data"] == []


def test_a_stream_tells_all_and_is_settled_before_its_end(gateway: Gateway, lab: tuple[Lab, Maker]) -> None:
    _, key = gateway.account()
    lab[1].looks, lab[1].pause = 1_000, 0.5  # the runner sees no end
    with client(gateway, key) as mine:
        events = mine.responses.create(model=f"{lab[0].name}/up", input="Think.", background=True, stream=True)
        first = next(events)
        assert first.type == "response.created" and first.response.status == "queued"
        assert gateway.credits(key)["held"] > 0
        assert gateway.get(f"/v1/responses/{first.response.id}", key).json()["status"] == "in_progress"
        rest = list(events)
        left = gateway.credits(key)
    assert [event.sequence_number for event in rest] == [1, 2, 3, 4, 5, 6]
    last = rest[-1]
    assert last.type == "response.completed" and last.response.output_text == "Done."
    assert (last.response.id, last.response.model) == (first.response.id, f"{lab[0].name}/up")
    assert (left["balance"], left["held"]) == (10 - COST, 0)
    told = receipt(gateway, first.response.id, key)
    assert (told["cost_usd"], told["tokens"]["output"]) == (COST, 500) and gateway.books()["ok"], gateway.books()


def test_who_leaves_ends_nothing_and_reads_on_from_a_number(gateway: Gateway, lab: tuple[Lab, Maker]) -> None:
    _, key = gateway.account()
    lab[1].looks, lab[1].pause = 1_000, 0.3
    with client(gateway, key) as mine:
        with mine.responses.create(
            model=f"{lab[0].name}/up", input="Think.", background=True, stream=True
        ) as events:  # fmt: skip
            seen = [next(events) for _ in range(4)]
        identity, number = seen[0].response.id, seen[-1].sequence_number  # type: ignore[union-attr]
        assert gateway.credits(key)["held"] > 0
        lab[1].pause = 0.01
        for _ in range(2):  # it can be read as often as its provider allows, and costs once
            rest = list(mine.responses.retrieve(identity, stream=True, starting_after=number))
            assert [event.sequence_number for event in rest] == [4, 5, 6]
            assert rest[-1].response.id == identity  # type: ignore[union-attr]
            left = gateway.credits(key)
            assert (left["balance"], left["held"]) == (10 - COST, 0)
    assert any(asked.path.endswith("stream=true&starting_after=3") for asked in lab[0].provider.asked)
    assert gateway.books()["ok"], gateway.books()


def test_the_runner_settles_what_was_left(gateway: Gateway, lab: tuple[Lab, Maker]) -> None:
    _, key = gateway.account()
    lab[1].looks, lab[1].pause = 1, 30.0
    with client(gateway, key) as mine:
        with mine.responses.create(
            model=f"{lab[0].name}/up", input="Think.", background=True, stream=True
        ) as events:  # fmt: skip
            identity = next(events).response.id  # type: ignore[union-attr]
        assert receipt(gateway, identity, key)["cost_usd"] == COST
        lab[1].pause = 0.01
        assert list(mine.responses.retrieve(identity, stream=True))[-1].type == "response.completed"
    left = gateway.credits(key)
    assert (left["balance"], left["held"]) == (10 - COST, 0) and gateway.books()["ok"]


def test_a_stream_that_breaks_tells_where_it_goes_on(gateway: Gateway, lab: tuple[Lab, Maker]) -> None:
    _, key = gateway.account()
    lab[1].looks, lab[1].broken = 1_000, True
    with client(gateway, key) as mine:
        events = mine.responses.create(model=f"{lab[0].name}/up", input="Think.", background=True, stream=True)
        identity = next(events).response.id  # type: ignore[union-attr]
        with pytest.raises(openai.APIError, match=f"{identity}.stream=true&starting_after=4") as error:
            list(events)
        assert error.value.body["type"] == "api_error"  # type: ignore[index]
        assert gateway.credits(key)["held"] > 0  # it is still there
        lab[1].broken = False
        rest = list(mine.responses.retrieve(identity, stream=True, starting_after=4))
        assert [event.sequence_number for event in rest] == [5, 6]
    assert gateway.credits(key)["balance"] == 10 - COST and gateway.books()["ok"]


def test_a_failure_in_a_stream_is_told_and_free(gateway: Gateway, lab: tuple[Lab, Maker]) -> None:
    _, key = gateway.account()
    lab[1].looks = 1_000
    lab[1].end = {"status": "failed", "error": {"code": "server_error", "message": "x"}, "output": []}
    with client(gateway, key) as mine:
        last = list(mine.responses.create(model=f"{lab[0].name}/up", input="x", background=True, stream=True))[-1]
    assert last.type == "response.failed"
    left = gateway.credits(key)
    assert (left["balance"], left["held"]) == (10, 0) and gateway.books()["ok"]


def test_a_stream_that_is_asked_for_again_by_name_begins_nothing(gateway: Gateway, lab: tuple[Lab, Maker]) -> None:
    _, key = gateway.account()
    body = {"model": f"{lab[0].name}/up", "input": "x", "background": True, "stream": True}
    once = {"Idempotency-Key": "the-same"}
    first = gateway.post("/v1/responses", body, key, headers=once)
    again = gateway.post("/v1/responses", body, key, headers=once)
    identity = first.headers["x-generation-id"]
    assert again.headers["Idempotent-Replayed"] == "true" and again.text.startswith("event: response.created\n")
    assert first.text.endswith("}\n\n") and "response.completed" in first.text
    assert f"GET /v1/responses/{identity}?stream=true" in again.text and len(lab[1].asked) == 1
    assert gateway.credits(key)["balance"] == 10 - COST


def test_only_its_owner_reads_on_and_only_from_a_number(gateway: Gateway, lab: tuple[Lab, Maker]) -> None:
    (_, key), (_, other) = gateway.account(), gateway.account()
    body = {"model": f"{lab[0].name}/up", "input": "x", "background": True, "stream": True}
    identity = gateway.post("/v1/responses", body, key).headers["x-generation-id"]
    assert gateway.get(f"/v1/responses/{identity}?stream=true", other).status_code == 404
    wrong = gateway.get(f"/v1/responses/{identity}?stream=true&starting_after=x", key)
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "starting_after")


def test_what_cannot_be_is_refused_by_name(gateway: Gateway, lab: tuple[Lab, Maker]) -> None:
    body = {"model": f"{lab[0].name}/up", "input": "x", "background": True}
    with scripted(gateway, "openai-compatible", free=True) as (other, name):
        for more, param in (({"store": False}, "store"), ({"model": f"{name}/up"}, "background")):
            for stream in (False, True):
                answer = gateway.post("/v1/responses", {**body, **more, "stream": stream})
                assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
        assert other.asked == [] and lab[1].asked == {}
