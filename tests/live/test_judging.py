"""Moderations and reranking as clients see them, on a live gateway."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.conftest import Lab, Rows
from tests.gateway import Gateway
from tests.live.test_speech import receipt
from tests.recorded.cassettes import interactions, script
from tests.upstream import Script

DOCUMENTS: list[Any] = ["Berlin is in Germany.", {"text": "Paris is the capital of France."}, "bananas"]


def rank(gateway: Gateway, model: str = "sandbox/rerank", key: str | None = None, **body: Any) -> Any:
    asked = {"model": model, "query": "What is the capital of France?", "documents": DOCUMENTS, **body}
    return gateway.post("/v1/rerank", asked, key)


def test_moderations_of_the_sandbox(sqlite_gateway: Gateway) -> None:
    client = OpenAI(api_key=sqlite_gateway.key, base_url=sqlite_gateway.base_url)
    good, bad = client.moderations.create(model="sandbox/moderation", input=["Have a great day!", "I kill you"]).results
    assert not good.flagged and bad.flagged and bad.categories.violence and bad.category_scores.violence > 0.9
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    parts: Any = [{"type": "text", "text": "what a lovely day"}, image]
    assert [one.flagged for one in client.moderations.create(model="sandbox/echo", input=parts).results] == [False]
    answer = sqlite_gateway.post("/v1/moderations", {"model": "sandbox/moderation", "input": "x"})
    told = receipt(sqlite_gateway, answer)
    assert (told["cost_usd"], told["units"], told["surface"]) == (0, {"moderations": 1}, "moderations")


@pytest.mark.parametrize(
    ("wrong", "status", "param"),
    [
        ({}, 400, "input"), ({"input": []}, 400, "input"), ({"input": [5]}, 400, "input[0]"),
        ({"input": [{"type": "x"}]}, 400, "input[0].type"), ({"input": "x", "model": 5}, 400, "model"),
        ({"input": "x", "model": "sandbox/tool"}, 400, "model"), ({"input": "x", "model": None}, 404, "model"),
        ({"input": [{"type": "image_url", "image_url": {"url": "http://10.0.0.1/x"}}]}, 400, "input[0].image_url.url"),
    ],
)  # fmt: skip
def test_wrong_moderations(sqlite_gateway: Gateway, wrong: Any, status: int, param: str) -> None:
    answer = sqlite_gateway.post("/v1/moderations", {"model": "sandbox/moderation", **wrong})
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_recorded_moderations_pass(free_lab: Lab, shared: Path) -> None:
    tried = 0
    for name, one in interactions(shared, "openai-moderations", "moderations"):
        if one["request"]["method"] != "POST":
            continue
        free_lab.provider.answer = lambda asked, one=one: script(one)
        sent = {"model": f"{free_lab.name}/omni", **one["request"]["json"]}
        answer = free_lab.gateway.post("/v1/moderations", sent)
        recorded = json.loads(one["payload"])
        assert answer.status_code == 200, name
        assert answer.json() == {**recorded, "id": answer.headers["x-generation-id"], "model": sent["model"]}
        assert free_lab.provider.last().json == {**one["request"]["json"], "model": "omni"}
        assert free_lab.provider.last().path == "/v1/moderations"
        tried += 1
    print(f"recorded moderations: {tried} tried")
    assert tried >= 1


def test_mistrals_moderations_say_flagged(rows: Rows) -> None:
    """A fake of Mistral's, written from its public documentation: https://docs.mistral.ai/api/endpoint/classifiers."""
    lab = rows.lab("mistral")
    results = [{"categories": {"pii": bad, "sexual": False}, "category_scores": {"pii": 0.5}} for bad in (False, True)]
    lab.provider.answer = lambda asked: Script.json(
        {"id": "m", "model": "x", "results": results[: len(asked.json["input"])]}
    )
    model = f"{lab.name}/mistral-moderation-2603"
    answer = lab.gateway.post("/v1/moderations", {"model": model, "input": ["a", "b"], "user": "u"})
    assert [one["flagged"] for one in answer.json()["results"]] == [False, True]
    assert answer.json()["results"][1]["categories"] == {"pii": True, "sexual": False}
    assert answer.headers["x-gateway-losses"] == "user=drop"
    assert lab.provider.last().json == {"model": "mistral-moderation-2603", "input": ["a", "b"]}
    lab.gateway.post("/v1/moderations", {"model": model, "input": [{"type": "text", "text": "a"}]})
    assert lab.provider.last().json["input"] == ["a"]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    refused = lab.gateway.post("/v1/moderations", {"model": model, "input": [image]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input[0]")


def test_reranking_of_the_sandbox(gateway: Gateway) -> None:
    _, key = gateway.account("0.0025")
    answer = rank(gateway, key=key, top_n=2, return_documents=True)
    first, second = answer.json()["results"]
    assert (first["index"], first["document"]) == (1, {"text": "Paris is the capital of France."})
    assert first["relevance_score"] > second["relevance_score"] >= 0 and answer.json()["id"].startswith("gen_")
    assert all("document" not in one for one in rank(gateway, key=key).json()["results"])
    told = receipt(gateway, answer, key)
    assert (told["cost_usd"], told["units"]) == (Decimal("0.001"), {"results": 2, "query": 1})
    left = gateway.credits(key)
    assert left == {**left, "held": 0, "balance": Decimal("0.0005")}
    assert rank(gateway, key=key).status_code == 402 and gateway.books()["ok"]


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"documents": []}, "documents"), ({"documents": ["a", 5]}, "documents"), ({"documents": None}, "documents"),
        ({"query": ""}, "query"), ({"top_n": 0}, "top_n"), ({"return_documents": "x"}, "return_documents"),
        ({"model": "sandbox/tool"}, "model"), ({"documents": ["x" * 300_000]}, "documents"),
    ],
)  # fmt: skip
def test_wrong_rerankings(sqlite_gateway: Gateway, wrong: Any, param: str) -> None:
    answer = rank(sqlite_gateway, **wrong)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("document", "status", "where"),
    [
        ({"image": "http://10.0.0.1/a.png"}, 400, ".image"), ({"url": "http://10.0.0.1/a.png"}, 400, ".url"),
        ({"text": "a", "image": {"url": "http://10.0.0.1/"}}, 400, ".image.url"),
        ({"text": "a", "content": [{"image_url": {"url": "http://10.0.0.1/"}}]}, 400, ".content[0].image_url.url"),
        ({"file_id": "file-foreign"}, 404, ".file_id"), ({"text": "a", "file_id": "file-foreign"}, 404, ".file_id"),
        ("http://10.0.0.1/ is a text", 200, ""), ({"text": "http://10.0.0.1/"}, 200, ""),
        ({"text": "a", "url": "http://wiki.intranet/a", "batch_id": "b"}, 200, ""),
        ({"image": "data:image/png;base64,iVBORw0KGgo="}, 200, ""), ({"image": "https://8.8.8.8/a.png"}, 200, ""),
    ],
)  # fmt: skip
def test_what_documents_name_is_screened(free_lab: Lab, document: Any, status: int, where: str) -> None:
    free_lab.provider.answer = lambda asked: Script.json({"results": [{"index": 0, "relevance_score": 0.9}]})
    model = f"{free_lab.name}/reranker"
    before = len(free_lab.provider.asked)
    answer = rank(free_lab.gateway, model, documents=["a", document])
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.json()["error"]["param"] == f"documents[1]{where}"
        assert len(free_lab.provider.asked) == before
    else:
        assert free_lab.provider.last().json["documents"] == ["a", document]
    beside = rank(free_lab.gateway, model, query_image="http://10.0.0.1/")
    assert (beside.status_code, beside.json()["error"]["param"]) == (400, "query_image")


def test_common_words_pass_and_tokens_are_paid(lab: Lab) -> None:
    """A fake of Jina's, vLLM's and others', written from their public documentation."""
    reply = {
        "model": "x", "usage": {"total_tokens": 1_000}, "object": "list",
        "results": [{"index": 1, "relevance_score": 0.9, "document": {"text": "Paris"}}],
    }  # fmt: skip
    lab.provider.answer = lambda asked: Script.json(reply)
    model = f"{lab.name}/jina-reranker"
    answer = rank(lab.gateway, model, truncation=True)
    assert answer.json() == {**reply, "model": model, "id": answer.headers["x-generation-id"]}
    sent = lab.provider.last()
    assert sent.path == "/v1/rerank" and sent.json["truncation"] is True and sent.json["documents"] == DOCUMENTS
    told = receipt(lab.gateway, answer)
    assert told["cost_usd"] == Decimal("0.00015") and told["usage_source"] == "reported"
    lab.provider.answer = lambda asked: Script.json({"results": reply["results"]})
    assert receipt(lab.gateway, rank(lab.gateway, model))["usage_source"] == "estimated"
    for results in (None, [{"index": 9, "relevance_score": 1}], [{"index": 0}], ["x"]):
        lab.provider.answer = lambda asked, results=results: Script.json({"results": results})
        assert rank(lab.gateway, model).status_code == 502


def test_coheres_second_version_gets_texts_and_its_answers_get_documents(rows: Rows) -> None:
    """A fake of Cohere's, written from its public documentation: https://docs.cohere.com/reference/rerank."""
    lab = rows.lab("cohere")
    lab.provider.answer = lambda asked: Script.json({
        "id": "c", "results": [{"index": 1, "relevance_score": 0.9}],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
    })  # fmt: skip
    answer = rank(lab.gateway, f"{lab.name}/rerank-v3.5", return_documents=True, top_n=1)
    assert answer.json()["results"] == [
        {"index": 1, "relevance_score": 0.9, "document": {"text": "Paris is the capital of France."}}
    ]
    asked = lab.provider.last()
    assert asked.path == "/v2/rerank" and asked.json == {
        "model": "rerank-v3.5", "query": "What is the capital of France?", "top_n": 1,
        "documents": ["Berlin is in Germany.", "Paris is the capital of France.", "bananas"],
    }  # fmt: skip


def test_what_nobody_does_says_so(sqlite_gateway: Gateway, messages_lab: Lab) -> None:
    for path, body in (
        ("rerank", {"query": "q", "documents": ["a"]}), ("moderations", {"input": "x"}), ("audio/speech", {"input": "x"}),
        ("audio/transcriptions", {"input_audio": {"data": "AAAA", "format": "wav"}}),
    ):  # fmt: skip
        answer = sqlite_gateway.post(f"/v1/{path}", {"model": f"{messages_lab.name}/any", **body})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")
        assert "No provider of" in answer.json()["error"]["message"]
        assert sqlite_gateway.post(f"/v1/{path}", {"model": "nobody/any", **body}).status_code == 404
