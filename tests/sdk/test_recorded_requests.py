"""What nine versions of official SDKs put on the wire, sent to the gateway as it was: path, query, headers and body,
with nothing but the key exchanged. Routes lead the models' names to the sandbox."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.dialects import openai_responses
from gateway.neutral.parts import Text
from gateway.neutral.reply import ChatReply, Choice, Finish
from tests.conftest import Lab
from tests.gateway import Gateway
from tests.upstream import Asked, Script

SDKS = {
    "openai": {"1.109.1": 23, "2.45.0": 25, "3.54.0": 25},
    "anthropic": {"0.125.0": 14, "1.17.0": 14, "2.12.0": 14},
    "google-genai": {"1.75.0": 12, "2.34.0": 12, "3.4.0": 12},
}
"""How many requests each version sends to surfaces that are here."""
LEFT_OUT = re.compile(
    r"/v1/(images|audio|files|videos|batches|moderations|realtime|messages/batches)\b|/openai/deployments/"
    r"|/(cachedContents|interactions)$|:predict(LongRunning)?$"
)
"""Surfaces that the gateway has not."""
MODELS = {
    "claude-haiku-4-5-20251001": "echo", "gemini-2.5-flash": "echo", "gpt-3.5-turbo-instruct": "echo", "gpt-4o": "echo",
    "gpt-5": "echo", "org/model-x": "echo", "gemini-embedding-001": "embed", "text-embedding-3-small": "embed",
}  # fmt: skip
ANSWERS = {
    r"/v1/chat/completions": (r'"object": ?"chat.completion"', r"data: \[DONE\]\n\n$"),
    r"/v1/responses": (
        r'"object": ?"response".*"status": ?"completed"',
        r"event: response.completed\ndata: [^\n]*\n\n$",
    ),
    r"/v1/responses/resp_\w+(/cancel)?": (r'"object": ?"response"', ""),
    r"/v1/responses/resp_\w+/input_items": (r'"object": ?"list"', ""),
    r"/v1/responses/input_tokens": (r'"input_tokens": ?[1-9]', ""),
    r"/v1/completions": (r'"object": ?"text_completion"', ""),
    r"/v1/embeddings": (r'"embedding": ?"[\w+/=]{100,}', ""),
    r"/v1/messages": (r'"type": ?"message".*"stop_reason": ?"', r"event: message_stop\ndata: [^\n]*\n\n$"),
    r"/v1/messages/count_tokens": (r'"input_tokens": ?[1-9]', ""),
    r"/\w+/models/[^/]+:(stream)?[gG]enerateContent": (r'"finishReason": ?"STOP"', r'"finishReason": ?"\w+"[^\n]*\s+$'),
    r"/\w+/models/[^/]+:countTokens": (r'"totalTokens": ?[1-9]', ""),
    r"/\w+/models/[^/]+:batchEmbedContents": (r'"embeddings": ?\[\{"values"', ""),
}
"""Of each path: what is in a whole answer, and how a streamed one ends."""
LISTS = {
    "openai": (r'\{"object": ?"list", ?"data"', r'\{"id": ?".*"object": ?"model"'),
    "anthropic": (r'"first_id": ?"', r'"type": ?"model"'),
    "google-genai": (r'\{"models": ?\[\{"name": ?"models/', r'\{"name": ?"models/'),
}
"""All models, and one, as each maker's SDK reads them."""
REFUSED = {"responses.compact": (400, "the sandbox cannot make a conversation shorter, and says so")}
"""Calls that are understood and refused, and why."""


@pytest.fixture(scope="module")
def routed(sqlite_gateway: Gateway) -> Iterator[Gateway]:
    for name, model in MODELS.items():
        sqlite_gateway.cli("routes", "set", name, f"sandbox:{model}")
    sqlite_gateway.settle_in()
    yield sqlite_gateway
    for name in MODELS:
        sqlite_gateway.cli("routes", "remove", name)


@pytest.fixture
def kept(responses_lab: Lab) -> Iterator[str]:
    """The id of a response that a provider keeps; the sandbox keeps none."""
    upstream_id = f"resp_{uuid.uuid4().hex}"
    choice = Choice(parts=(Text(text="x"),), finish=Finish(reason="stop"))
    reply = ChatReply(id=upstream_id, model="m", created=1, choices=(choice,))
    values = {**openai_responses.render_reply(reply, {}), "store": True}
    made = responses_lab.gateway.post(
        "/v1/responses", {"model": responses_lab.model(Script.json(values)), "input": "x"}
    )

    def answer(asked: Asked) -> Script:
        assert asked.path.startswith(f"/v1/responses/{upstream_id}")
        if asked.path.endswith("/input_items"):
            return Script.json({"object": "list", "data": [], "has_more": False})
        if asked.method == "DELETE":
            return Script.json({"id": upstream_id, "object": "response", "deleted": True})
        return Script.json(values)

    responses_lab.provider.answer = answer
    yield made.json()["id"]
    responses_lab.provider.answer = responses_lab.provider._by_model


@pytest.mark.parametrize(("sdk", "version"), [(sdk, version) for sdk in SDKS for version in SDKS[sdk]])
def test_recorded_requests(shared: Path, routed: Gateway, kept: str, sdk: str, version: str) -> None:
    captures = json.loads((shared / "wire" / "sdk-requests" / f"{sdk}-{version}.json").read_text())["captures"]
    tried, wrong = 0, []
    for capture in captures:
        call, request = capture["call"], capture.get("request")
        if request is None or "ws_received" in request or LEFT_OUT.search(request["path"]):
            continue  # never sent, WebSockets, and other surfaces
        tried += 1
        answer = sent(routed, request, kept)
        problem = judged(sdk, call, request, answer)
        if problem:
            wrong.append(f"{call}: {problem}: {answer.status_code} {answer.text[:300]}")
    print(f"requests of {sdk} {version}: {tried} of {len(captures)} tried, {len(wrong)} wrong")
    assert tried == SDKS[sdk][version] and not wrong, "\n".join(wrong)


def sent(gateway: Gateway, request: dict[str, Any], kept: str) -> requests.Response:
    """The answer to a request that is as the SDK sent it, with our key where its own was."""
    keys = {"authorization": f"Bearer {gateway.key}", "x-api-key": gateway.key, "x-goog-api-key": gateway.key}
    headers = {name: keys.get(name, value) for name, value in request["headers"].items()}
    values = request.get("json")
    body = json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode() if values is not None else None
    url = gateway.url + request["path"].replace("resp_123", kept)
    return requests.request(request["method"], url, params=request.get("query"), headers=headers, data=body, timeout=60)


def judged(sdk: str, call: str, request: dict[str, Any], answer: requests.Response) -> str | None:
    """What is wrong with an answer."""
    if call in REFUSED:
        status, _ = REFUSED[call]
        return None if answer.status_code == status and "error" in answer.json() else "not refused"
    if answer.status_code != 200:
        return "refused"
    if "x-gateway-losses" in answer.headers:
        return f"lost {answer.headers['x-gateway-losses']}"
    path = request["path"]
    if request["method"] == "GET" and re.fullmatch(r"/\w+/models(/.+)?", path):
        wanted = LISTS[sdk][not path.endswith("/models")]
    else:
        found = next((patterns for known, patterns in ANSWERS.items() if re.fullmatch(known, path)), None)
        if found is None:
            return "a path that is not known here"
        streamed = ":stream" in path or request.get("json", {}).get("stream") is True
        if streamed != answer.headers["content-type"].startswith("text/event-stream"):
            return "another content type"
        wanted = found[streamed]
    return None if re.search(wanted, answer.content.decode(), re.S) else "another answer"
