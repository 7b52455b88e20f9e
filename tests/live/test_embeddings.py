"""Embeddings as clients see them, on live gateways: the sandbox's own, the money, and Google's words behind OpenAI's."""

from __future__ import annotations

import base64
import json
import math
import struct
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.conftest import PROVIDER_KEY, Lab
from tests.gateway import Gateway
from tests.recorded.cassettes import interactions
from tests.upstream import Asked, Script, upstream


def embed(gateway: Gateway, key: str | None = None, model: str = "sandbox/embed", **body: Any) -> Any:
    return gateway.post("/v1/embeddings", {"model": model, **body}, key)


def near(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_vectors_of_the_sandbox(gateway: Gateway) -> None:
    texts = ["a cat sleeps on the sofa", "a sleeping cat on a sofa", "quarterly revenue of the company"]
    body = embed(gateway, input=texts).json()
    assert (body["object"], body["model"]) == ("list", "sandbox/embed")
    assert [(row["object"], row["index"]) for row in body["data"]] == [("embedding", place) for place in range(3)]
    cat, same_cat, money = (row["embedding"] for row in body["data"])
    assert len(cat) == 1536 and all(math.isclose(near(v, v), 1, abs_tol=1e-6) for v in (cat, same_cat, money))
    assert near(cat, same_cat) > 0.4 > near(cat, money) + 0.2
    assert embed(gateway, input=texts[0]).json()["data"][0]["embedding"] == cat
    assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] == 17


@pytest.mark.parametrize("size", [1, 3, 256, 3_072, 65_536])
def test_dimensions(sqlite_gateway: Gateway, size: int) -> None:
    vector = embed(sqlite_gateway, input="hello", dimensions=size).json()["data"][0]["embedding"]
    assert len(vector) == size and math.isclose(near(vector, vector), 1, abs_tol=1e-6)


def test_base64_is_little_endian_float32(sqlite_gateway: Gateway) -> None:
    plain = embed(sqlite_gateway, input="hello", dimensions=8).json()["data"][0]["embedding"]
    packed = embed(sqlite_gateway, input="hello", dimensions=8, encoding_format="base64").json()["data"][0]["embedding"]
    assert list(struct.unpack("<8f", base64.b64decode(packed))) == pytest.approx(plain)


def test_all_shapes_of_input(sqlite_gateway: Gateway) -> None:
    for given, count in (
        ("text", 1), (["one", "two"], 2), ([1, 2, 3], 1), ([[1, 2], [3], [4, 5, 6]], 3), ("", 1), ([""], 1),
        ([str(n) for n in range(2_048)], 2_048),
    ):  # fmt: skip
        answer = embed(sqlite_gateway, input=given, dimensions=4)
        assert answer.status_code == 200 and len(answer.json()["data"]) == count
    tokens = embed(sqlite_gateway, input=[[1, 2], [3]], dimensions=4).json()
    assert tokens["usage"]["prompt_tokens"] == 3
    assert tokens["data"][0]["embedding"] != tokens["data"][1]["embedding"]


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({}, "input"), ({"input": None}, "input"), ({"input": []}, "input"), ({"input": 5}, "input"),
        ({"input": [True]}, "input"), ({"input": [1, "x"]}, "input"), ({"input": [[]]}, "input"),
        ({"input": [[1], ["x"]]}, "input"), ({"input": {"text": "x"}}, "input"), ({"input": [None]}, "input"),
        ({"input": "x", "dimensions": 0}, "dimensions"), ({"input": "x", "dimensions": 65_537}, "dimensions"),
        ({"input": "x", "dimensions": 10**9}, "dimensions"), ({"input": "x", "dimensions": 2.5}, "dimensions"),
        ({"input": "x", "dimensions": True}, "dimensions"), ({"input": "x", "encoding_format": 7}, "encoding_format"),
        ({"input": "x", "user": 7}, "user"), ({"input": ["x"] * 2_048, "dimensions": 65_536}, "input"),
        ({"input": "x", "model": 7}, "model"),
    ],
)  # fmt: skip
def test_wrong_bodies_name_the_field(sqlite_gateway: Gateway, wrong: dict[str, Any], param: str) -> None:
    answer = embed(sqlite_gateway, **wrong)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == param


def test_money(gateway: Gateway) -> None:
    _, key = gateway.account("0.0001")
    answer = embed(gateway, key, input=["one two three"] * 4)
    cost = Decimal(answer.headers["x-gateway-cost-usd"])
    assert cost == Decimal(20) * answer.json()["usage"]["prompt_tokens"] / 10**9 > 0
    receipt = gateway.get("/v1/generation", key, params={"id": answer.headers["x-generation-id"]}).json()["data"]
    assert receipt["id"].startswith("gen_") and receipt["units"] == {"embeddings": 4}
    assert (receipt["surface"], receipt["usage_source"], receipt["overrun"]) == ("embeddings", "reported", False)
    left = gateway.credits(key)
    assert left["held"] == 0 and left["balance"] == Decimal("0.0001") - cost
    refused = embed(gateway, key, input="word " * 2_000)
    assert (refused.status_code, refused.json()["error"]["type"]) == (402, "insufficient_credits")
    for model, status in (("sandbox/error-500", 500), ("sandbox/error-429", 429), ("sandbox/cut", 502)):
        assert embed(gateway, key, model, input="x").status_code == status
    assert gateway.credits(key) == left and gateway.books()["ok"]


def test_a_reply_without_usage_is_estimated(lab: Lab) -> None:
    vectors = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5] * 1_000}]}
    model = lab.model(Script.json({**vectors, "model": "x"}))
    answer = embed(lab.gateway, model=model, input="four times four!")
    receipt = lab.gateway.get("/v1/generation", params={"id": answer.headers["x-generation-id"]}).json()["data"]
    assert receipt["usage_source"] == "estimated" and receipt["tokens"]["output"] == 0
    assert receipt["tokens"]["input"] == 8 and receipt["cost_usd"] > 0


def test_what_makes_no_embeddings(sqlite_gateway: Gateway) -> None:
    answer = embed(sqlite_gateway, model="sandbox/tool", input="x")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")
    answer = sqlite_gateway.chat("sandbox/embed")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")
    assert embed(sqlite_gateway, model="sandbox/none", input="x").status_code == 404
    sqlite_gateway.cli(
        "channels", "add", "--provider", "anthropic-compatible", "--name", "wordy", "--base-url", "http://127.0.0.1:9",
        "--free",
    )  # fmt: skip
    sqlite_gateway.settle_in()
    answer = embed(sqlite_gateway, model="wordy/any", input="x")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")


def test_the_official_sdk(gateway: Gateway) -> None:
    client = OpenAI(api_key=gateway.key, base_url=gateway.base_url)
    made = client.embeddings.create(model="sandbox/embed", input=["one", "two"], dimensions=16)  # asks for base64
    assert [len(row.embedding) for row in made.data] == [16, 16] and made.usage.prompt_tokens == 2
    plain = client.embeddings.create(model="sandbox/echo", input="one", dimensions=16, encoding_format="float")
    assert plain.data[0].embedding == pytest.approx(made.data[0].embedding)


@pytest.fixture(scope="module")
def google(sqlite_gateway: Gateway) -> Iterator[Lab]:
    """A scripted provider that speaks Google's words only."""
    with upstream() as provider:
        name = f"goo-{uuid.uuid4().hex[:6]}"
        sqlite_gateway.cli(
            "channels", "add", "--provider", "gemini-compatible", "--name", name, "--base-url", provider.url,
            "--key", PROVIDER_KEY,
        )  # fmt: skip
        sqlite_gateway.cli("prices", "set", f"{name}/*", "--input-mtok", "0.15", "--output-mtok", "0")
        sqlite_gateway.settle_in()
        yield Lab(sqlite_gateway, provider, name)
        sqlite_gateway.cli("channels", "disable", name)


@pytest.mark.parametrize("told", [None, 7])
def test_openais_words_to_a_provider_of_googles(google: Lab, told: int | None) -> None:
    def answer(asked: Asked) -> Script:
        vectors = [{"values": [float(place), 0.5]} for place, _ in enumerate(asked.json["requests"])]
        usage = {} if told is None else {"usageMetadata": {"promptTokenCount": told}}
        return Script.json({"embeddings": vectors, **usage})

    google.provider.answer = answer
    model = f"{google.name}/embedding-001"
    made = embed(google.gateway, model=model, input=["one", "two"], dimensions=2, encoding_format="base64", user="u")
    asked = google.provider.last()
    assert asked.path == "/v1beta/models/embedding-001:batchEmbedContents"
    assert asked.headers["x-goog-api-key"] == PROVIDER_KEY and "authorization" not in asked.headers
    assert asked.json == {
        "requests": [
            {"model": "models/embedding-001", "content": {"parts": [{"text": text}]}, "outputDimensionality": 2}
            for text in ("one", "two")
        ]
    }
    body = made.json()
    assert made.status_code == 200 and made.headers["x-gateway-losses"] == "user=drop"
    assert [struct.unpack("<2f", base64.b64decode(row["embedding"])) for row in body["data"]] == [(0, 0.5), (1, 0.5)]
    receipt = google.gateway.get("/v1/generation", params={"id": made.headers["x-generation-id"]}).json()["data"]
    assert receipt["usage_source"] == ("estimated" if told is None else "reported")
    assert body["usage"]["prompt_tokens"] == receipt["tokens"]["input"] > 0 and receipt["units"] == {"embeddings": 2}


def test_what_google_cannot_be_told(google: Lab) -> None:
    before = len(google.provider.asked)
    model = f"{google.name}/embedding-001"
    for body, headers, param in (
        ({"input": [1, 2, 3]}, {}, "input"),
        ({"input": "x", "encoding_format": "base64_int8"}, {}, "encoding_format"),
        ({"input": "x", "user": "u"}, {"x-gateway-strict": "1"}, "user"),
    ):  # fmt: skip
        answer = google.gateway.post("/v1/embeddings", {"model": model, **body}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert len(google.provider.asked) == before
    google.provider.answer = lambda asked: Script.json({"embeddings": []})
    assert embed(google.gateway, model=model, input="x").status_code == 502
    google.provider.answer = lambda asked: Script.json({"error": {"code": 400, "message": "too long"}}, 400)
    assert "too long" in embed(google.gateway, model=model, input="x").json()["error"]["message"]


GOOGLE_BODY: dict[str, Any] = {"content": {"parts": [{"text": "one"}, {"text": "two"}]}, "output_dimensionality": 8}


def test_googles_words_to_a_provider_of_openais(lab: Lab) -> None:
    row = {"object": "embedding", "index": 0, "embedding": [0.5, -0.5]}
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    model = lab.model(Script.json({"object": "list", "data": [row], "model": "m", "usage": usage}))
    told = {**GOOGLE_BODY, "taskType": "RETRIEVAL_QUERY"}
    answer = lab.gateway.post(f"/v1beta/models/{model}:embedContent", told)
    assert answer.status_code == 200 and answer.headers["x-gateway-losses"] == "taskType=drop"
    assert answer.json() == {"embedding": {"values": [0.5, -0.5]}, "usageMetadata": {"promptTokenCount": 2}}
    assert lab.provider.last().json["input"] == ["one\ntwo"] and lab.provider.last().json["dimensions"] == 8


@pytest.mark.parametrize("version", ["v1beta", "v1", "v1alpha"])
def test_googles_words_to_the_sandbox(sqlite_gateway: Gateway, version: str) -> None:
    path = f"/{version}/models/sandbox/embed"
    one = sqlite_gateway.post(f"{path}:embedContent", {**GOOGLE_BODY, "taskType": "RETRIEVAL_QUERY"})
    assert one.status_code == 200 and "x-gateway-losses" not in one.headers
    same = embed(sqlite_gateway, input="one\ntwo", dimensions=8).json()
    assert one.json()["embedding"]["values"] == pytest.approx(same["data"][0]["embedding"])
    assert one.json()["usageMetadata"]["promptTokenCount"] == same["usage"]["prompt_tokens"]
    requests = [GOOGLE_BODY, {"content": {"parts": {"text": "three"}}, "outputDimensionality": 8}]
    several = sqlite_gateway.post(f"{path}:batchEmbedContents", {"requests": requests}).json()
    assert [len(row["values"]) for row in several["embeddings"]] == [8, 8]
    assert several["embeddings"][0]["values"] == one.json()["embedding"]["values"]


@pytest.mark.parametrize(
    ("method", "body", "field"),
    [
        ("embedContent", {}, "content"), ("embedContent", {"content": 5}, "content"),
        ("embedContent", {**GOOGLE_BODY, "output_dimensionality": 70_000}, "output_dimensionality"),
        ("embedContent", {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}}, "parts[0]"),
        ("batchEmbedContents", {"requests": []}, "requests"), ("batchEmbedContents", {"requests": [5]}, "requests"),
        ("batchEmbedContents", {"requests": [GOOGLE_BODY, {"content": {"parts": []}}]}, "requests[1]"),
        ("embedContent", {"content": {"parts": [{"fileData": {"fileUri": "http://10.0.0.1/x"}}]}}, "fileUri"),
    ],
)  # fmt: skip
def test_wrong_bodies_in_googles_words(sqlite_gateway: Gateway, method: str, body: Any, field: str) -> None:
    answer = sqlite_gateway.post(f"/v1beta/models/sandbox/embed:{method}", body)
    error = answer.json()["error"]
    assert answer.status_code == 400 and error["status"] == "INVALID_ARGUMENT" and field in error["message"]


def test_googles_words_pass_to_a_provider_of_google(google: Lab, shared: Path) -> None:
    """Recorded traffic, byte for byte: only the model's name changes."""
    tried = 0
    for method in ("embedContent", "batchEmbedContents"):
        for name, one in interactions(shared, "gemini", method):
            payload: bytes = one["payload"]
            google.provider.answer = lambda asked, payload=payload: Script(200, pieces=[payload])
            sent = one["request"]["json"]
            model = f"models/{google.name}/embedding-001"
            for row in [sent, *sent.get("requests", [])]:
                if "model" in row:
                    row["model"] = model
            answer = google.gateway.post(f"/v1beta/{model}:{method}", sent, headers={"x-goog-api-key": "unused"})
            assert answer.status_code == 200 and answer.content == payload, name
            asked = google.provider.last()
            assert asked.path == f"/v1beta/models/embedding-001:{method}"
            assert asked.json == json.loads(json.dumps(sent).replace(model, "models/embedding-001")), name
            tried += 1
    print(f"recorded embeddings of Google: {tried} tried")
    assert tried >= 6


def test_the_official_google_sdk(gateway: Gateway) -> None:
    genai = pytest.importorskip("google.genai")
    for version in ("v1", "v1beta"):
        options = genai.types.HttpOptions(base_url=gateway.url, api_version=version)
        client = genai.Client(api_key=gateway.key, http_options=options)
        config = genai.types.EmbedContentConfig(output_dimensionality=16)
        made = client.models.embed_content(model="sandbox/embed", contents=["one", "two"], config=config)
        assert [len(row.values) for row in made.embeddings] == [16, 16]
