"""Files that a caller keeps here reach whoever answers the call: in its body, as each dialect says it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import requests

from tests.conftest import Lab
from tests.gateway import Gateway
from tests.sdk.test_openai_python import PIXEL
from tests.upstream import Script

PNG = base64.b64decode(PIXEL)
PDF = b"%PDF-1.4\n%a small one\n"
PDF64 = base64.b64encode(PDF).decode()
CHAT = {
    "id": "x", "model": "x", "choices": [{"index": 0, "message": {"role": "assistant", "content": "seen"},
    "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1},
}  # fmt: skip
RESPONSE = {
    "id": "resp_x", "object": "response", "model": "x", "status": "completed", "created_at": 1,
    "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "seen"}]}],
    "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
}  # fmt: skip
MESSAGE = {
    "id": "msg_x", "type": "message", "role": "assistant", "model": "x", "content": [{"type": "text", "text": "seen"}],
    "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1},
}  # fmt: skip


def keep(gateway: Gateway, data: bytes, name: str, key: str | None = None) -> str:
    answer = requests.post(
        f"{gateway.url}/v1/files", files={"file": (name, data)}, data={"purpose": "user_data"},
        headers={"Authorization": f"Bearer {key or gateway.key}"}, timeout=30,
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def asked(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [part]}]


def test_chat(free_lab: Lab) -> None:
    gateway, model = free_lab.gateway, free_lab.model(Script.json(CHAT))
    pdf, png = keep(gateway, PDF, "a.pdf"), keep(gateway, PNG, "a.png")
    body = {"model": model, "temperature": 0.50, "messages": asked({"type": "file", "file": {"file_id": pdf}})}
    assert gateway.post("/v1/chat/completions", body).status_code == 200
    got = free_lab.provider.last()
    assert got.json["messages"][0]["content"] == [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF64}"}}
    ]
    body["messages"] = asked({"type": "file", "file": {"file_id": png}})
    assert gateway.post("/v1/chat/completions", body).status_code == 200
    assert free_lab.provider.last().json["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    ]


def test_responses(responses_lab: Lab) -> None:
    gateway, model = responses_lab.gateway, responses_lab.model(Script.json(RESPONSE))
    pdf, png = keep(gateway, PDF, "a.pdf"), keep(gateway, PNG, "a.png")
    parts = [{"type": "input_file", "file_id": pdf}, {"type": "input_image", "file_id": png, "detail": "low"}]
    body = {"model": model, "input": [{"role": "user", "content": parts}]}
    assert gateway.post("/v1/responses", body).status_code == 200
    assert responses_lab.provider.last().json["input"][0]["content"] == [
        {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF64}"},
        {"type": "input_image", "detail": "low", "image_url": f"data:image/png;base64,{PIXEL}"},
    ]


def test_messages(messages_lab: Lab) -> None:
    gateway, model = messages_lab.gateway, messages_lab.model(Script.json(MESSAGE))
    pdf, text = keep(gateway, PDF, "a.pdf"), keep(gateway, "grüezi".encode(), "a.txt")
    parts = [{"type": "document", "source": {"type": "file", "file_id": one}} for one in (pdf, text)]
    parts[0]["title"] = "A"
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": parts}]}
    assert gateway.post("/v1/messages", body).status_code == 200
    sent = messages_lab.provider.last().json["messages"][0]["content"]
    assert sent[0] == {
        "type": "document", "title": "A",
        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF64},
    }  # fmt: skip
    assert sent[1]["source"] == {"type": "text", "media_type": "text/plain", "data": "grüezi"}


def test_gemini_to_a_provider_of_another_dialect(free_lab: Lab) -> None:
    """A kept file is translated like one that was in the body."""
    gateway, model = free_lab.gateway, free_lab.model(Script.json(CHAT))
    png = keep(gateway, PNG, "a.png")
    body = {"contents": [{"role": "user", "parts": [{"text": "?"}, {"fileData": {"fileUri": png}}]}]}
    answer = gateway.post(f"/v1beta/models/{model}:generateContent", body)
    assert answer.status_code == 200, answer.text
    assert free_lab.provider.last().json["messages"][0]["content"][1] == {
        "type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"},
    }  # fmt: skip


def test_what_is_put_in_is_held_for(lab: Lab) -> None:
    """A large file makes a call as dear as if it had come with it."""
    gateway, model = lab.gateway, lab.model(Script.json(CHAT))
    _, key = gateway.account("0.02")
    small, large = keep(gateway, PDF, "a.pdf", key), keep(gateway, PDF + b"x" * 300_000, "b.pdf", key)
    for identity, status in ((small, 200), (large, 402)):
        body = {"model": model, "max_tokens": 9, "messages": asked({"type": "file", "file": {"file_id": identity}})}
        assert gateway.post("/v1/chat/completions", body, key).status_code == status


def test_where_it_cannot_be_put_in_the_field_is_named(responses_lab: Lab) -> None:
    gateway, model = responses_lab.gateway, responses_lab.model(Script.json(RESPONSE))
    pdf = keep(gateway, PDF, "a.pdf")
    tools = [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": [pdf]}}]
    answer = gateway.post("/v1/responses", {"model": model, "input": "x", "tools": tools})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "tools[0].container.file_ids")
    assert "cannot be used there" in error["message"]


@pytest.mark.parametrize("size", [21 << 20])
def test_what_is_too_large_for_a_call_is_told_so(free_lab: Lab, size: int) -> None:
    gateway, model = free_lab.gateway, free_lab.model(Script.json(CHAT))
    large = keep(gateway, PDF + bytes(size), "a.pdf")
    body = {"model": model, "messages": asked({"type": "file", "file": {"file_id": large}})}
    answer = gateway.post("/v1/chat/completions", body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (413, "messages[0].content[0].file.file_id")
