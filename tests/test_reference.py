"""The reference documents' own code blocks, run as written: address and key replaced, nothing else.

The documents are flat text whose blocks have lost their fences and indentation; both are found again here. Blocks of
surfaces that do not exist yet are left out by the words in LATER; the counts say how many must have run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.sdk.packages import OPENAI_FOR_NODE, for_node

LATER = (
    "/audio", "computer", "Computer", "/workspaces", "/realtime", "WebSocket",
)  # fmt: skip
ADDRESS = re.compile(r"https://api\.(?:gptget\.net|getgoapi\.com)")
KEYS = ("sk-getgpt-...", "<API_KEY>", "YOUR_API_KEY", "your-getgoapi-key")
CURL = re.compile(r"curl (?:-\S+ )*\"?https://\S+\"?(?:\s*\\?\s*-(?:X\S*|[HdF])\s?(?:\"[^\"]*\"|'[^']*'|\S+))*")
START = r"^(?:import time\n)?(?:from openai import|import requests)"
PYTHON = re.compile(rf"{START}(?:(?!{START}).)*?^print\([^\n]*\)[A-Z][^\n]*$", re.M | re.S)  # prose is glued to its end
NODE = re.compile(
    r"^import OpenAI from(?:.*?^async function.*?^main\(\);|(?:(?!^async).)*?^console\.log\(.*?\);)", re.M | re.S
)
BODY = re.compile(r"^\{\n\"model\"", re.M)


@pytest.fixture(scope="module")
def text(shared: Path) -> str:
    return "\n".join(path.read_text() for path in sorted((shared / "reference").glob("*.txt"))).replace("\r", "")


@pytest.fixture(scope="module")
def gateway(sqlite_gateway: Gateway, text: str) -> Gateway:
    """A gateway that serves every model that the blocks name by the sandbox."""
    names = set(re.findall(r"[\"']?model[\"']?\s*[:=]\s*[\"']([\w./-]+)[\"']", text)) | {"openai/gpt-4o", "x-ai/grok-2"}
    for name in sorted({*names, "google/gemini-2.5-pro"}):
        sqlite_gateway.cli("routes", "set", name, "sandbox:embed" if "embedding" in name else "sandbox:echo")
    sqlite_gateway.settle_in()
    return sqlite_gateway


def blocks(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    for match in pattern.finditer(text):
        if not any(word in match[0] for word in LATER):
            yield match[0]


def at_home(block: str, gateway: Gateway) -> str:
    block = ADDRESS.sub(gateway.url, block)
    for key in KEYS:
        block = block.replace(key, gateway.key)
    return block


def run(command: list[str], gateway: Gateway, **options: Any) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "GPTGET_API_KEY": gateway.key},
        **options,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def test_curl_blocks(gateway: Gateway, text: str) -> None:
    if not shutil.which("curl"):
        pytest.skip("no curl here: the reference's curl blocks are not tried")
    made = gateway.chat("openai/gpt-4o").json()["id"]
    video = gateway.post("/v1/video/generations", {"model": "google/veo-3", "prompt": "A sea"}).json()["id"]
    task = gateway.post("/v1/tasks", {"type": "video", "model": "google/veo-3", "prompt": "A sea"}).json()["id"]
    for path in (f"videos/{video}", f"tasks/{task}"):
        gateway.get(f"/v1/{path}?wait=30")
    ran = 0
    for block in blocks(CURL, text):
        command = at_home(block, gateway).replace("chatcmpl-abc123", made)
        command = command.replace("vid_abc123", video).replace("task_abc123", task)
        command = command.replace("curl ", "curl -sS ", 1).replace("\\ -H", "-H")  # a line's end that was lost
        answer = run(["bash", "-c", command], gateway)
        if '"stream": true' in block:
            assert answer.startswith("data: {") and answer.endswith("data: [DONE]\n\n"), block
        elif "/video" in block or "/tasks" in block:
            reply = json.loads(answer)
            shown = reply["data"][0] if reply.get("object") == "list" else reply
            begun = "-d '" in block
            assert (shown["id"].startswith(("vid_", "task_")) and shown["status"] == "queued") or not begun, (
                block,
                reply,
            )
            if not begun and "data" not in reply:
                assert shown["status"] == "completed", reply
                assert shown["result"]["url"] == f"{gateway.url}/v1/videos/{shown['id']}/content?index=0"
        elif "/chat/completions" in block:
            reply = json.loads(answer)
            assert {"id", "object", "created", "model", "choices", "usage"} <= reply.keys(), (block, reply)
            assert reply["choices"][0]["message"]["role"] == "assistant" and reply["choices"][0]["finish_reason"]
        elif "/responses" in block:
            reply = json.loads(answer)
            assert reply["object"] == "response" and reply["id"].startswith("resp_") and reply["output_text"], reply
            assert reply["output"][0]["content"][0]["text"] == reply["output_text"] and reply["usage"]["total_tokens"]
        elif "/messages" in block:
            reply = json.loads(answer)
            assert reply["type"] == "message" and reply["id"].startswith("msg_") and reply["role"] == "assistant"
            assert reply["content"][0]["text"] and reply["stop_reason"] == "end_turn"
            assert reply["model"] == "anthropic/claude-sonnet-4" and reply["usage"]["output_tokens"] > 0
        elif "streamGenerateContent" in block:
            last = json.loads(answer)[-1]
            assert last["candidates"][0]["finishReason"] == "STOP" and last["usageMetadata"]["totalTokenCount"] > 0
        elif "generateContent" in block:
            reply = json.loads(answer)
            assert reply["candidates"][0]["content"]["parts"][0]["text"] and reply["candidates"][0]["finishReason"]
            assert reply["usageMetadata"]["totalTokenCount"] > 0
        elif "/embeddings" in block:
            reply = json.loads(answer)
            assert reply["object"] == "list" and len(reply["data"][0]["embedding"]) > 1, reply
            assert reply["usage"]["total_tokens"] >= reply["usage"]["prompt_tokens"] > 0
        elif "/images" in block:
            made_ = json.loads(answer)
            assert made_["data"][0]["url"] == f"{gateway.url}/v1/images/{made_['id']}/content?index=0", made_
        elif "/models/" in block:
            assert json.loads(answer)["id"] == "openai/gpt-4o"
        elif "/models" in block:
            listed = {model["id"]: model for model in json.loads(answer)["data"]}
            assert listed["x-ai/grok-2"]["object"] == "model" and listed["x-ai/grok-2"]["owned_by"] == "x-ai"
        elif "/embeddings" in block:
            row = json.loads(answer)["data"][0]
            assert row["object"] == "embedding" and len(row["embedding"]) > 1
        elif "/credits" in block:
            data = json.loads(answer)["data"]
            assert data["total_credits"] >= data["total_usage"] > 0
        else:
            assert json.loads(answer)["data"]["id"] == made, block
        ran += 1
    assert ran >= 15


def indented(block: str) -> str:
    """Python without its indentation, given one again: what follows a colon is inside; `except` and `else` step out."""
    lines, depth, opened, brackets = [], 0, [], 0
    for line in block.split("\n"):
        word = line.split(" ")[0].rstrip(":")
        if brackets == 0 and word in ("except", "else"):
            while opened and opened.pop() != {"except": "try", "else": "if"}[word]:
                pass
            depth = len(opened)
        if brackets == 0 and opened and re.match(r"response = make_request|print\(response", line):
            opened, depth = [], 0
        lines.append("    " * depth + line)
        brackets += sum(line.count(mark) for mark in "([{") - sum(line.count(mark) for mark in ")]}")
        if brackets == 0 and line.endswith(":"):
            opened.append(word)
            depth = len(opened)
    return "\n".join(lines)


def last_call_closed(block: str) -> str:
    """The block without the prose that follows its last closing bracket on the same line."""
    head, _, last = block.rpartition("\n")
    depth = 0
    for place, mark in enumerate(last):
        depth += (mark == "(") - (mark == ")")
        if mark == ")" and depth == 0:
            return f"{head}\n{last[: place + 1]}"
    return block


def test_python_blocks(gateway: Gateway, text: str) -> None:
    ran = 0
    for block in blocks(PYTHON, text):
        code = indented(last_call_closed(at_home(block, gateway)))
        said = run([sys.executable, "-c", code], gateway)
        assert said.strip(), code
        ran += 1
    assert ran >= 8


def test_node_blocks(gateway: Gateway, text: str) -> None:
    ran, folder = 0, for_node(OPENAI_FOR_NODE)
    for block in blocks(NODE, text):
        script = folder / f"reference{ran}.mjs"
        script.write_text(at_home(block, gateway))
        assert run(["node", str(script)], gateway).strip()
        ran += 1
    assert ran >= 2


def test_body_blocks(gateway: Gateway, text: str) -> None:
    """Bodies that stand alone: tools, vision with JSON mode."""
    ran = 0
    for start in BODY.finditer(text):
        body, _ = json.JSONDecoder().raw_decode(text, start.start())
        block = json.dumps(body)
        if "messages" not in body or any(word in block for word in LATER):
            continue
        reply = gateway.post("/v1/chat/completions", body).json()
        message = reply["choices"][0]["message"]
        if "tools" in block:
            assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"city": "Paris"}
        if "json_object" in block:
            assert isinstance(json.loads(message["content"]), dict)
        ran += 1
    assert ran >= 2


def test_the_error_envelope(gateway: Gateway) -> None:
    error = gateway.get("/v1/credits", "sk-getgpt-none").json()["error"]
    assert error["type"] == "authentication_error" and error["code"] == 401 and "Invalid API key" in error["message"]
