"""Starts the servers that `make peers` has installed, each on a port of its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.gateway import ROOT, free_port

PACKAGES = {
    "llama": ("llama-cpp-python[server]", "gguf"),
    "litellm": ("litellm[proxy]==1.108.7",),
}  # fmt: skip
"""Name → what is installed for it."""

_START_S = 120


def folder(name: str) -> Path:
    return ROOT / ".cache" / "peers" / name


def _program(name: str, program: str) -> str:
    path = folder(name) / "bin" / program
    if not path.exists():
        pytest.skip(f"{PACKAGES[name][0]} is not installed here (make peers): it is not tried as a provider")
    return str(path)


@contextmanager
def llama(at: Path) -> Iterator[str]:
    """llama.cpp's server with a tiny model; its base URL. It knows one model, by any name."""
    python = _program("llama", "python")
    subprocess.run([python, str(Path(__file__).with_name("tiny.py")), str(at / "tiny.gguf")], check=True)
    command = [python, "-m", "llama_cpp.server", "--model", "tiny.gguf", "--n_ctx", "2048"]
    with _running(command, at, "/v1/models") as url:
        yield f"{url}/v1"


ANSWER = "Made up by a proxy: forty-two."


@contextmanager
def litellm(at: Path) -> Iterator[str]:
    """LiteLLM's proxy with one model that always answers the same, and one that makes vectors; its base URL."""
    program = _program("litellm", "litellm")
    config = at / "litellm.json"  # YAML takes JSON
    models = [
        {"model_name": "mock", "litellm_params": {"model": "openai/mock", "api_key": "x", "mock_response": ANSWER}}
    ]
    config.write_text(json.dumps({"model_list": models, "litellm_settings": {"telemetry": False}}))
    with _running([program, "--config", str(config)], at, "/health/liveliness") as url:
        yield f"{url}/v1"


@contextmanager
def _running(command: list[str], at: Path, ready: str) -> Iterator[str]:
    port = free_port()
    environ = {**os.environ, "LITELLM_LOG": "ERROR", "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
    environ.pop("PYTHONPATH", None)
    with (at / "server.txt").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)], cwd=at, env=environ, stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + _START_S
        while not _answers(url + ready):
            assert process.poll() is None and time.monotonic() < end, (at / "server.txt").read_text()[-4_000:]
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False
