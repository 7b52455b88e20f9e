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
from tests.live.test_images import png as picture
from tests.live.test_transcription import sound
from tests.upstream import Asked, Script

SDKS = {
    "openai": {"1.109.1": 32, "2.45.0": 37, "3.54.0": 37},
    "anthropic": {"0.125.0": 14, "1.17.0": 14, "2.12.0": 14},
    "google-genai": {"1.75.0": 12, "2.34.0": 12, "3.4.0": 12},
}
"""How many requests each version sends to surfaces that are here."""
LEFT_OUT = {
    "openai": re.compile(r"/v1/realtime\b|/openai/deployments/"),
    "anthropic": re.compile(r"/v1/(files|messages/batches)\b"),
    "google-genai": re.compile(r"/(cachedContents|interactions)$|:predict(LongRunning)?$"),
}
"""Surfaces that the gateway has not; at `/v1/files` it has OpenAI's, not Anthropic's."""
MODELS = {
    "claude-haiku-4-5-20251001": "echo", "gemini-2.5-flash": "echo", "gpt-3.5-turbo-instruct": "echo", "gpt-4o": "echo",
    "gpt-5": "echo", "org/model-x": "echo", "gemini-embedding-001": "embed", "text-embedding-3-small": "embed",
    "gpt-image-1": "image", "tts-1": "tts", "whisper-1": "stt", "omni-moderation-latest": "moderation", "sora-2": "video",
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
    r"/v1/images/(generations|edits)": (
        r'"data": ?\[\{"url": ?"http://',
        r"event: image_generation.completed\ndata: [^\n]*\n\n$",
    ),
    r"/v1/audio/speech": ("^(ID3|\xff[\xe0-\xff])", ""),
    r"/v1/audio/(transcriptions|translations)": (r'"text": ?"', ""),
    r"/v1/moderations": (r'"results": ?\[\{.*"flagged": ?false', ""),
    r"/v1/files": (r'"object": ?"file".*"filename": ?"a.jsonl"', ""),
    r"/v1/batches": (r'"object": ?"batch".*"status": ?"in_progress"', ""),
    r"/v1/videos": (r'"object": ?"video".*"status": ?"queued"', ""),
    r"/v1/videos/\w+": (r'"object": ?"video".*"status": ?"completed"', ""),
    r"/v1/videos/\w+/content": ("^....ftyp", ""),
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


@pytest.fixture(scope="module")
def named(routed: Gateway) -> dict[str, str]:
    """What stands for the ids that were recorded: a video that is done, and a file of lines for a batch."""
    video = routed.post("/v1/videos", {"model": "sora-2", "prompt": "x", "seconds": "1"}).json()["id"]
    assert routed.get(f"/v1/videos/{video}?wait=20").json()["status"] == "completed"
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]}}  # fmt: skip
    file = requests.post(
        f"{routed.base_url}/files", data={"purpose": "batch"}, files={"file": ("lines.jsonl", json.dumps(line))},
        headers={"Authorization": f"Bearer {routed.key}"}, timeout=30,
    )  # fmt: skip
    return {"video_test68e5a1": video, "file-1": file.json()["id"]}


@pytest.mark.parametrize(("sdk", "version"), [(sdk, version) for sdk in SDKS for version in SDKS[sdk]])
def test_recorded_requests(
    shared: Path, routed: Gateway, kept: str, named: dict[str, str], sdk: str, version: str
) -> None:
    captures = json.loads((shared / "wire" / "sdk-requests" / f"{sdk}-{version}.json").read_text())["captures"]
    tried, wrong = 0, []
    for capture in captures:
        call, request = capture["call"], capture.get("request")
        if request is None or "ws_received" in request or LEFT_OUT[sdk].search(request["path"]):
            continue  # never sent, WebSockets, and other surfaces
        tried += 1
        answer = sent(routed, request, {"resp_123": kept, **named})
        problem = judged(sdk, call, request, answer)
        if problem:
            wrong.append(f"{call}: {problem}: {answer.status_code} {answer.content[:300]!r}")
    print(f"requests of {sdk} {version}: {tried} of {len(captures)} tried, {len(wrong)} wrong")
    assert tried == SDKS[sdk][version] and not wrong, "\n".join(wrong)


def sent(gateway: Gateway, request: dict[str, Any], ours: dict[str, str]) -> requests.Response:
    """The answer to a request that is as the SDK sent it, with our key and ids where its own were, and a file of the
    kind that it names where only its size was recorded."""
    keys = {"authorization": f"Bearer {gateway.key}", "x-api-key": gateway.key, "x-goog-api-key": gateway.key}
    headers = {name: keys.get(name, value) for name, value in request["headers"].items()}
    values = request.get("json")
    body = json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode() if values is not None else None
    path = request["path"]
    for theirs, own in ours.items():
        path = path.replace(theirs, own)
        body = body.replace(f'"{theirs}"'.encode(), f'"{own}"'.encode()) if body is not None else None
    if "multipart" in request:
        body = b"".join(form(request["multipart"], headers["content-type"].partition("boundary=")[2]))
        headers.pop("content-length", None)
    url = gateway.url + path
    return requests.request(request["method"], url, params=request.get("query"), headers=headers, data=body, timeout=60)


FILES = {"a.png": picture(), "a.wav": sound(1), "a.jsonl": b"{}\n"}


def form(parts: list[dict[str, Any]], boundary: str) -> Iterator[bytes]:
    """A form as its client wrote it."""
    for part in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{part["name"]}"'
        if "filename" in part:
            head += f'; filename="{part["filename"]}"\r\nContent-Type: {part["content_type"]}'
        yield head.encode() + b"\r\n\r\n"
        yield (FILES[part["filename"]] if "filename" in part else part["value"].encode()) + b"\r\n"
    yield f"--{boundary}--\r\n".encode()


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
    return None if re.search(wanted, answer.content.decode("latin-1"), re.S) else "another answer"
