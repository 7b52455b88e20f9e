"""Law 6: bodies are nobody's business. A canary in every corner of a call, then a search of log and database."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import requests

from tests.gateway import KEY, Gateway
from tests.live.test_images import png

CANARY = "canary-7f3a9"

OTHERS: dict[str, dict[str, Any]] = {
    "/v1/responses": {
        "instructions": CANARY, "input": [{"role": "user", "content": [{"type": "input_text", "text": CANARY}]}],
        "metadata": {CANARY: CANARY}, "safety_identifier": CANARY, "prompt_cache_key": CANARY,
        "tools": [{"type": "function", "name": CANARY, "description": CANARY}],
    },
    "/v1/messages": {
        "max_tokens": 50, "system": CANARY, "messages": [{"role": "user", "content": CANARY}],
        "metadata": {"user_id": CANARY}, "tools": [{"name": CANARY, "input_schema": {}}], "stop_sequences": [CANARY[::-1]],
    },
    "/v1/messages/count_tokens": {"messages": [{"role": "user", "content": CANARY}]},
    "/v1beta/models/sandbox/{}:streamGenerateContent": {
        "contents": [{"parts": [{"text": CANARY}]}], "systemInstruction": {"parts": [{"text": CANARY}]},
        "labels": {CANARY: CANARY}, "tools": [{"functionDeclarations": [{"name": CANARY}]}],
    },
    "/v1/completions": {"prompt": CANARY, "user": CANARY},
    "/v1/embeddings": {"input": [CANARY], "user": CANARY},
    "/v1/images/generations": {"prompt": CANARY, "user": CANARY, "size": "64x64"},
}  # fmt: skip


def test_the_canary_is_nowhere(tmp_path: Path) -> None:
    part = {"type": "file", "file": {"filename": f"{CANARY}.txt", "file_data": f"data:text/plain;base64,{CANARY}"}}
    image = {"type": "image_url", "image_url": {"url": f"https://example.com/{CANARY}.png"}}
    body = {
        "messages": [
            {"role": "system", "content": CANARY, "name": CANARY},
            {"role": "user", "content": [{"type": "text", "text": f"{CANARY} 1 2"}, part, image]},
        ],
        "user": CANARY, "metadata": {"k": CANARY}, "stop": [CANARY[::-1]], "safety_identifier": CANARY,
        "tools": [{"type": "function", "function": {"name": CANARY, "description": CANARY}}],
        "prompt_cache_key": CANARY,
    }  # fmt: skip
    with Gateway(tmp_path, GATEWAY_LOG="json") as gateway:
        kept = 0
        for model in ("echo", "tool", "error-400", "error-500", "mid-stream-error", "cut", "json", "refusal"):
            for stream in (False, True):
                headers = {
                    "User-Agent": CANARY, "X-Forwarded-For": "203.0.113.77",
                    "Idempotency-Key": f"{CANARY}-{model}-{stream}",
                }  # fmt: skip
                asked = {**body, "model": f"sandbox/{model}", "stream": stream}
                answers = [gateway.post("/v1/chat/completions", asked, headers=headers) for _ in range(2)]
                again = answers[1].headers.get("Idempotent-Replayed")
                assert again or model != "echo", "what was kept was opened again"
                kept += CANARY in answers[1].text if again else 0
        for path, others in OTHERS.items():
            for model in ("echo", "tool", "error-400", "mid-stream-error"):
                gateway.post(path.format(model), {**others, "model": f"sandbox/{model}"})
                gateway.post(path.format(model), {**others, "model": f"sandbox/{model}", "stream": True})
        for content in (b"no image " + CANARY.encode() * 200_000, png()):  # the first is too long to be held
            requests.post(
                f"{gateway.base_url}/images/edits", files={"image": (f"{CANARY}.png", content, "image/png")}, timeout=60,
                data={"model": "sandbox/image", "prompt": CANARY, "size": "64x64", "user": CANARY},
                headers={"Authorization": f"Bearer {KEY}"},
            )  # fmt: skip
        gateway.post("/v1/chat/completions", b'{"model": "' + CANARY.encode() + b'", broken')
        gateway.post("/v1/chat/completions", {**body, "model": "sandbox/echo", "temperature": CANARY})
        gateway.post(f"/v1/chat/completions?key={CANARY}", {**body, "model": "sandbox/echo", "messages": CANARY})
        gateway.get(f"/v1/{CANARY}")
        time.sleep(0.5)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert {"log.txt", "gateway.db"} <= {path.name for path in files}
        assert b"generation" in gateway.log.read_bytes(), "the calls were logged"
        assert kept, "and answers with the canary were kept for their callers"
        for path in files:
            data = path.read_bytes()
            for secret in (CANARY, "203.0.113.77", KEY, "127.0.0.1:"):
                if secret == "127.0.0.1:" and path.name == "log.txt":
                    data = data.replace(f"127.0.0.1:{gateway.port} with".encode(), b"")
                assert secret.encode() not in data, (path.name, secret)
