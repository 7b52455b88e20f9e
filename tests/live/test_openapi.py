"""The document against a live gateway: whatever fits it and whatever does not, answers are as it says.

Made by schemathesis from the document itself: the status, the type, the headers and the body of each answer must be
described, no answer may be a failure of ours, a body that does not fit must be refused, and so must a missing key.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from gateway.api.openapi import TAGS
from schemas.base import ROLE
from tests.gateway import Gateway

UNCHECKED = {
    # What fits may still have no price, no such object, or no words at a provider. Which bodies fit is tried on the gates.
    "positive_data_acceptance": "",
    # A list in OpenAI's words has no pages, so their parameters may be anything.
    "negative_data_rejection": "GET /v1/models$",
    # These look at methods that are not described, which are tried below.
    "unsupported_method": "",
    "allow_header_conformance": "",
}
"""Checks that are not made, and of which operations."""

NONE: dict[str, Any] = {"type": "null"}
TIER: dict[str, Any] = {"enum": ["auto"]}
AIM: dict[str, dict[str, Any]] = {
    "stream": {"enum": [True, False]}, "computer_id": NONE, "computerId": NONE, "service_tier": TIER,
    "serviceTier": TIER, "inference_geo": NONE, "previous_response_id": NONE, "conversation": NONE, "prompt": NONE,
    "cachedContent": NONE, "mcp_servers": NONE, "speed": NONE, "suffix": NONE,
}  # fmt: skip
ALT = {"enum": ["sse", "json"]}
TEXT = {"type": "string"}
WORDS = {"enum": ["a red square", "two words", "hello"]}
PLAIN = {
    "ImagesRequest": {"model": {"enum": ["sandbox/image"]}, "prompt": WORDS, "n": {"enum": [1, 2]}},
    "SpeechRequest": {"model": {"enum": ["sandbox/tts"]}, "input": WORDS, "voice": {"enum": ["alloy"]}},
    "ModerationsRequest": {"model": {"enum": ["sandbox/moderation"]}, "input": WORDS},
    "RerankRequest": {
        "model": {"enum": ["sandbox/rerank"]}, "query": WORDS, "documents": {"type": "array", "items": WORDS, "minItems": 1},
    },
    "VideosRequest": {"model": {"enum": ["sandbox/video"]}, "prompt": WORDS, "seconds": {"enum": ["1", 2]}},
    "TaskRequest": {"type": {"enum": ["music"]}, "model": {"enum": ["sandbox/music"]}, "prompt": WORDS},
}  # fmt: skip
"""Requests whose members depend on each other, with those that can be made up one by one."""

THINGS = re.compile("/audio/trans|/images/(edits|variations)|/batches$|/files$|/compact$|identity|/v1/generation$")
"""Paths of operations that need a file, or what was made before."""


@pytest.fixture(scope="module")
def document(sqlite_gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{sqlite_gateway.url}/openapi.json", timeout=10).json()
    return found


def aimed(document: dict[str, Any]) -> dict[str, Any]:
    """A narrower document: most of what fits it reaches the sandbox, and half of what may be streamed is."""
    roles = json.dumps({"enum": ["system", "user", "assistant", "tool"]})
    found: dict[str, Any] = json.loads(json.dumps(document).replace(json.dumps(ROLE), roles))
    for name, values in found["components"]["schemas"].items():
        if not name.endswith("Request") or name.startswith("Embed"):
            continue
        members = values.get("properties", {})
        members.update({member: AIM[member] for member in members if member in AIM})
        if "model" in values.get("required", ()):
            members["model"] = {"enum": ["sandbox/echo", "sandbox/reasoner"]}
            values["required"] += ["stream"] * ("stream" in members)
    schemas = found["components"]["schemas"]
    for name, members in PLAIN.items():
        schemas[name] = {
            "type": "object", "properties": members, "required": list(members), "additionalProperties": False,
        }  # fmt: skip
    schemas["CompletionRequest"]["properties"]["prompt"] = TEXT
    schemas["EmbeddingsRequest"]["properties"].update(model={"enum": ["sandbox/embed"]}, encoding_format=NONE)
    for path, methods in found["paths"].items():
        for operation in methods.values():  # names that are made up soon stand for another request
            operation["parameters"] = [one for one in operation["parameters"] if one["name"] != "Idempotency-Key"]
        for parameter in (one for operation in methods.values() for one in operation["parameters"]):
            if parameter["name"] == "model":
                parameter["schema"] = {"enum": ["sandbox/embed" if "embed" in path.lower() else "sandbox/echo"]}
            if parameter["name"] == "alt":
                parameter.update(required=True, schema=ALT)
    return found


def operations(document: dict[str, Any], url: str, tag: str) -> list[Any]:
    """Those of a tag. Gemini's methods stand under three versions, of which one is tried."""
    config = schemathesis.Config.from_dict({"base-url": url})
    api = schemathesis.openapi.from_dict(document, config=config)
    chosen = api.include(tag=tag).exclude(path_regex="^/v1alpha|^/v1/models/.*:")
    return [found.ok() for found in chosen.get_all_operations()]


def unchecked(label: str) -> list[Any]:
    load_all_checks()
    return list(CHECKS.get_by_names([name for name, labels in UNCHECKED.items() if re.match(labels, label)]))


def tried(operation: Any, mode: GenerationMode, most: int, gateway: Gateway) -> Counter[int]:
    """So many calls of an operation, all checked; how often each status came."""
    headers = {"Authorization": f"Bearer {gateway.key}"}
    skipped = unchecked(operation.label)
    seen: Counter[int] = Counter()

    @settings(
        max_examples=most, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(operation.as_strategy(mode))
    def answers(case: Any) -> None:
        response = case.call(headers=headers)
        seen[response.status_code] += 1
        case.validate_response(response, headers=headers, excluded_checks=skipped)

    answers()
    return seen


@pytest.mark.parametrize("tag", TAGS)
def test_what_fits_is_answered_as_described(document: dict[str, Any], sqlite_gateway: Gateway, tag: str) -> None:
    for operation in operations(aimed(document), sqlite_gateway.url, tag):
        seen = tried(operation, GenerationMode.POSITIVE, 12, sqlite_gateway)
        if not THINGS.search(operation.path):
            assert seen[200], (operation.label, seen)


@pytest.mark.parametrize("tag", [tag for tag in TAGS if tag not in ("health", "metrics", "openapi")])
def test_what_does_not_fit_is_refused_as_described(document: dict[str, Any], sqlite_gateway: Gateway, tag: str) -> None:
    for operation in operations(document, sqlite_gateway.url, tag):
        tried(operation, GenerationMode.NEGATIVE, 5, sqlite_gateway)


def test_other_methods_are_refused(document: dict[str, Any], sqlite_gateway: Gateway) -> None:
    templates = {path: re.compile(re.sub(r"{\w+}", ".+", path)) for path in document["paths"]}
    for path in document["paths"]:
        sent = re.sub(r"{\w+}", "x", path)
        known = {
            method.upper()
            for one, shape in templates.items()
            if shape.fullmatch(sent)
            for method in document["paths"][one]
        }
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - known:
            headers = {"Authorization": f"Bearer {sqlite_gateway.key}"}
            answer = requests.request(method, sqlite_gateway.url + sent, headers=headers, timeout=10)
            assert answer.status_code == 405, (method, sent)
            allowed = set(answer.headers["allow"].split(", ")) - {"HEAD", "OPTIONS"}
            assert allowed and allowed <= known, (method, sent)


SAID = [{"role": "user", "content": "hi"}]
CONTENTS = [{"role": "user", "parts": [{"text": "hi"}]}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "sandbox/echo", "messages": SAID},
    "/v1/completions": {"model": "sandbox/echo", "prompt": "hi"},
    "/v1/embeddings": {"model": "sandbox/embed", "input": "hi"},
    "/v1/responses": {"model": "sandbox/echo", "input": "hi"},
    "/v1/responses/input_tokens": {"model": "sandbox/echo", "input": "hi"},
    "/v1/messages": {"model": "sandbox/echo", "messages": SAID, "max_tokens": 50},
    "/v1/messages/count_tokens": {"model": "sandbox/echo", "messages": SAID},
    "/v1beta/models/sandbox%2Fecho:generateContent": {"contents": CONTENTS},
    "/v1beta/models/sandbox%2Fembed:embedContent": {"content": CONTENTS[0]},
    "/v1beta/models/sandbox%2Fembed:batchEmbedContents": {"requests": [{"content": CONTENTS[0]}]},
}
MODEL = re.compile(r"sandbox%2F(\w+)")


@pytest.mark.parametrize("path", BODIES)
def test_a_plain_call_is_answered_as_described(document: dict[str, Any], sqlite_gateway: Gateway, path: str) -> None:
    """Whole, and in events where the document says that it may come so; then its receipt."""
    headers = {"Authorization": f"Bearer {sqlite_gateway.key}"}
    api = schemathesis.openapi.from_dict(document)

    def called(template: str, method: str = "POST", **asked: Any) -> Any:
        case = api[template][method].Case(**asked)
        response = case.call(base_url=sqlite_gateway.url, headers=headers)
        assert response.status_code == 200, response.text
        case.validate_response(response, headers=headers, excluded_checks=unchecked(""))
        return response

    template, model = MODEL.sub("{model}", path), MODEL.findall(path)
    asked: dict[str, Any] = {"path_parameters": {"model": "sandbox/" + model[0]}} if model else {}
    whole = called(template, body=BODIES[path], media_type="application/json", **asked)
    if "generateContent" in path:
        template = template.replace("generateContent", "streamGenerateContent")
        called(template, body=BODIES[path], media_type="application/json", **asked)
    if "text/event-stream" in api[template]["POST"].definition.raw["responses"]["200"]["content"]:
        body = BODIES[path] if model else {**BODIES[path], "stream": True}
        query = {"query": {"alt": "sse"}} if model else {}
        streamed = called(template, body=body, media_type="application/json", **asked, **query)
        assert streamed.headers["content-type"][0].startswith("text/event-stream")
    if "x-generation-id" in whole.headers:
        called("/v1/generation", "GET", query={"id": whole.headers["x-generation-id"][0]})


ODD = [
    "-1", "1000000000", "1" + "0" * 400, "1e308", "1.5", "true", '""', '"\\u0000"', '"' + "x" * 5_000 + '"', "[]",
    "[null]", "[[]]", "[{}]", "{}", '{"":{"\\u0000":[]}}', '[{"role":"user","content":[{"type":"\\u0000"}]}]',
    '[{"role":"user","parts":[null]}]', '{"parts":[null]}', '[{"content":{"parts":[[]]}}]', "[" * 100 + "]" * 100,
]  # fmt: skip


def letters(text: str) -> str:
    return text.replace("_", "").lower()


@pytest.mark.parametrize("path", BODIES)
def test_odd_values_are_told_by_their_field(document: dict[str, Any], sqlite_gateway: Gateway, path: str) -> None:
    """Any member may be anything: it is taken, or the answer names it."""
    described = document["paths"][MODEL.sub("{model}", path)]["post"]["requestBody"]["content"]
    name = described["application/json"]["schema"]["$ref"].rpartition("/")[2]
    statuses = set()
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {sqlite_gateway.key}"
        for member in document["components"]["schemas"][name]["properties"]:
            for odd in ODD:
                body = copy.copy(BODIES[path])
                body.pop(member, None)
                sent = json.dumps({**body, member: "?"}).replace(json.dumps("?"), odd)
                answer = session.post(sqlite_gateway.url + path, data=sent.encode(), timeout=30)
                statuses.add(answer.status_code)
                assert answer.status_code == 200 or letters(member) in letters(answer.text), (sent[:300], answer.text)
    assert 400 in statuses and statuses <= {200, 400, 404}
