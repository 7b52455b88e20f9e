"""`/openapi.json`: complete, valid, and as strict and as open about bodies as the gates themselves."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from app import create_app
from gateway import __version__, config
from gateway.api import _door, gemini, openapi
from models import base, migrations
from schemas.base import Wrong, check
from schemas.document import GATES, begin

PUBLIC_URL = "https://ai.example.org/gateway"


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    base.connect(url)
    with base.session():
        migrations.up()
    base.disconnect()
    return create_app(
        config.load({"GATEWAY_DATA": str(tmp_path), "GATEWAY_DATABASE_URL": url, "GATEWAY_PUBLIC_URL": PUBLIC_URL})
    )


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(app.test_client().get("/openapi.json").data)
    return found


def test_it_is_openapi(document: dict[str, Any]) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    assert document["openapi"].startswith("3.1.")


def test_it_is_public_and_says_where_it_is_served(app: Flask) -> None:
    response = app.test_client().get("/openapi.json", headers={"Origin": "https://viewer.example"})
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "max-age=" in response.headers["Cache-Control"]
    assert response.json["servers"] == [{"url": PUBLIC_URL}]
    assert response.json["info"]["version"] == __version__


def test_every_route_is_in_it_and_nothing_else(app: Flask, document: dict[str, Any]) -> None:
    routes = set()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:path:)?(\w+)>", r"{\1}", rule.rule)
        paths = [path.replace("<target:target>", f"models/{{model}}:{name}") for name in gemini.METHODS]
        routes |= {(one, method) for one in paths for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    told = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    assert told == routes and len(routes) > 30


def test_no_endpoint_is_told_of_that_is_gone(app: Flask) -> None:
    with app.app_context():
        assert {endpoint for endpoint, _ in openapi._endpoints()} == set(openapi.OPERATIONS)
    tags = {endpoint.partition(".")[0] for endpoint in openapi.OPERATIONS}
    assert tags == set(openapi.TAGS)
    keyless = {endpoint for endpoint, operation in openapi.OPERATIONS.items() if operation.keyless}
    assert keyless == set(_door.PUBLIC)


def test_every_component_is_used(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for kind in ("schemas", "responses", "headers"):
        for name in document["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, name


WORDS = ["", "x", "text", "function", "custom", "message", "user", "tool", "No role"]
NAMES = [
    "type", "text", "role", "content", "name", "function", "tool_calls", "output", "variables", "parts", "inlineData",
    "functionCall", "functionDeclarations", "functionResponse", "args", "thinkingConfig", "thinkingBudget",
    "maxOutputTokens", "candidateCount", "temperature", "topP", "stopSequences", "contents", "outputDimensionality",
    "functionCallingConfig", "mode", "data",
]  # fmt: skip
NUMBERS = [-1, 0, 1, 2, 3, 128, 129, 1000, 1001, 65_536, 65_537, 0.5, 1.5, 2.5, 10**30]
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(WORDS)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
TURNS = [
    {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "x"}}]},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "f"}}]},
    {"role": "tool", "content": "5"},
]
FUNCTION = {"type": "function", "name": "f", "function": {"name": "f", "parameters": {}}}
ITEMS = [
    {"role": "user", "content": "hi"}, {"type": "message", "role": "user", "content": [{"type": "input_text"}]},
    {"type": "function_call_output", "output": [{"type": "x"}]}, {"type": "item_reference", "id": "x"},
]  # fmt: skip
CONTENTS = {
    "contents": [
        {"role": "user", "parts": [{"text": "hi"}, {"inlineData": {"mimeType": "x/y", "data": ""}}]},
        {"role": "model", "parts": {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "x"}},
        {"parts": [{"functionResponse": {"name": "f", "response": {}, "parts": [{"inlineData": {"data": "x"}}]}}]},
    ],
    "systemInstruction": {"parts": {"text": "x"}},
    "tools": [{"functionDeclarations": [{"name": "f", "description": "x"}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    "generationConfig": {
        "maxOutputTokens": 1, "candidateCount": 1, "temperature": 1, "topP": 1, "topK": 1.5, "stopSequences": ["x"],
        "thinkingConfig": {"thinkingBudget": -1, "includeThoughts": True, "thinkingLevel": "low"},
    },
}  # fmt: skip
EMBED = {"content": {"parts": [{"text": "hi"}]}, "outputDimensionality": 5}
ASKED = {
    "model": "m", "input": ITEMS, "tools": [FUNCTION, {"type": "web_search"}], "prompt": {"id": "p", "variables": {}},
    "include": ["x"], "background": False,
}  # fmt: skip
BLOCKS = {
    "model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
    "system": [{"type": "text", "text": "x"}], "mcp_servers": [{}], "stop_sequences": ["x"],
    "tools": [{"name": "f"}, {"type": "custom", "name": "f"}, {"type": "bash_20250124"}],
}  # fmt: skip
IMAGE = {
    "model": "m", "prompt": "x", "n": 1, "size": "16x16", "quality": "x", "response_format": "url",
    "output_format": "png", "output_compression": 1, "background": "x", "stream": True, "partial_images": 1,
}  # fmt: skip
GOOD: dict[str, dict[str, Any]] = {
    "ChatRequest": {"model": "m", "messages": TURNS, "tools": [FUNCTION, {"type": "x"}], "stop": ["x"], "n": 1},
    "BatchesRequest": {
        "input_file_id": "x",
        "endpoint": "/v1/embeddings",
        "completion_window": "24h",
        "metadata": {"a": "b"},
        "output_expires_after": {"anchor": "created_at", "seconds": 3600},
    },
    "CompletionRequest": {"model": "m", "prompt": [[1, 2], [3]], "stop": "x", "max_tokens": 0, "logprobs": 1},
    "EmbeddingsRequest": {"model": "m", "input": ["hi", "you"], "dimensions": 3},
    "VideosRequest": {
        "model": "m",
        "prompt": "x",
        "seconds": "4",
        "duration": 5.5,
        "size": "1280x720",
        "n": 2,
        "seed": 1,
        "input_reference": {"image_url": "x"},
        "generate_audio": True,
    },
    "RemixRequest": {"prompt": "x", "webhook": "x", "metadata": {"a": [1, 2], "b": {"c": "d"}}},
    "MusicRequest": {"model": "m", "prompt": "x", "seconds": 4, "n": 1, "instrumental": True},
    "MidjourneyRequest": {
        "model": "m",
        "action": "blend",
        "prompt": "x",
        "images": ["x", ""],
        "index": 1,
        "task_id": "x",
    },
    "SunoRequest": {"model": "m", "action": "extend", "prompt": "x", "continue_clip_id": "x", "continue_at": 1.5},
    "TaskRequest": {"type": "music", "model": "m", "prompt": "x", "n": 1, "metadata": {"a": [1, 2], "b": {"c": "d"}}},
    "SpeechRequest": {
        "model": "m",
        "input": "hi",
        "voice": {"id": "v"},
        "instructions": "x",
        "speed": 1,
        "response_format": "wav",
        "stream_format": "sse",
    },
    "TranscriptionRequest": {
        "model": "m",
        "input_audio": {"data": "AAAA", "format": "wav"},
        "language": "x",
        "temperature": 1,
        "stream": True,
        "include": ["x"],
        "timestamp_granularities": ["word"],
        "chunking_strategy": {"type": "x"},
    },
    "ModerationsRequest": {
        "model": "m",
        "input": ["hi", {"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "x"}}],
    },
    "RerankRequest": {
        "model": "m",
        "query": "q",
        "documents": ["a", {"text": "b"}],
        "top_n": 1,
        "return_documents": True,
    },
    "ImagesRequest": IMAGE,
    "ImageEditRequest": {
        **IMAGE,
        "image": ["x"],
        "images": [{"image_url": "x"}, "x"],
        "mask": {"file_id": "x"},
        "markup": "x",
    },
    "ImageVariationRequest": {"model": "m", "image": "x", "n": 2, "size": "512x512"},
    "ResponsesRequest": ASKED,
    "CompactRequest": ASKED,
    "InputTokensRequest": {"model": "m", "input": "hi"},
    "MessagesRequest": BLOCKS,
    "CountMessageTokensRequest": BLOCKS,
    "GenerateContentRequest": CONTENTS,
    "CountTokensRequest": {"generateContentRequest": CONTENTS},
    "EmbedContentRequest": EMBED,
    "BatchEmbedContentsRequest": {"requests": [EMBED, {"content": "hi"}]},
}
COMPONENTS = begin("x", "1").to_dict()["components"]["schemas"]
JUDGES = {
    name: jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": {"schemas": COMPONENTS}}
    )
    for name in GATES
}


def passes(name: str, body: dict[str, Any]) -> bool:
    try:
        check(GATES[name](), body)
    except Wrong:
        return False
    return True


def members(name: str) -> list[str]:
    found = COMPONENTS[name].get("properties") or COMPONENTS["GenerateContentRequest"]["properties"]
    return [*found, *(["generateContentRequest"] if name == "CountTokensRequest" else [])]


def places(value: Any) -> list[tuple[Any, Any]]:
    """All places in a body, as what holds them and the name or number there."""
    pairs = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    return [(value, name) for name, _ in pairs] + [place for _, inner in pairs for place in places(inner)]


@pytest.mark.parametrize("name", list(GATES))
def test_a_body_is_described_as_its_gate_takes_it(name: str) -> None:
    """Whatever is changed in a good body: the gate and the document agree whether it is one still."""
    seen = {True: 0, False: 0}
    whole = GOOD[name]

    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(st.integers(0, len(places(whole)) - 1), st.none() | VALUES, st.booleans(), st.sampled_from(members(name)))
    def agree(place: int, value: Any, gone: bool, member: str) -> None:
        body = copy.deepcopy(whole)
        holder, at = places(body)[place]
        if gone and value is None:
            del holder[at]
        elif gone:
            body[member] = value
        else:
            holder[at] = value
        fits = passes(name, body)
        told = JUDGES[name].is_valid(body)
        assert told == fits, f"the gate says {fits}, the document {told}: {json.dumps(body)[:2000]}"
        seen[fits] += 1

    assert passes(name, whole)
    agree()
    assert min(seen.values()) > 20
