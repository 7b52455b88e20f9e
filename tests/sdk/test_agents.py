"""Coding agents from the npm registry, each with one prompt that calls a tool: against the sandbox, and against the
same sandbox behind a channel of each dialect, so that every pair of client and provider is carried by a real client.

They are large, so nothing here installs them: on the PATH they are tried, elsewhere skipped by name
(`npm i -g @anthropic-ai/claude-code @openai/codex @google/gemini-cli`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway import Gateway

KINDS = {
    "chat": ("openai-compatible", "/v1"),
    "responses": ("responses-compatible", "/v1"),
    "messages": ("anthropic-compatible", ""),
    "gemini": ("gemini-compatible", ""),
}
BEHIND = ("sandbox", *KINDS)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a channel of each dialect that leads to another gateway's sandbox."""
    with Gateway(tmp_path_factory.mktemp("far"), workers=1) as far, Gateway(tmp_path_factory.mktemp("near")) as near:
        for name, (kind, path) in KINDS.items():
            near.cli("channels", "add", "--provider", kind, "--name", name, "--base-url", far.url + path,
                     "--key", far.key, "--free")  # fmt: skip
        near.settle_in()
        yield near


def run(command: list[str], folder: Path, **environ: str) -> str:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=150, stdin=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", "NO_COLOR": "1", **environ},
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout


def model(behind: str) -> str:
    return "sandbox/echo" if behind == "sandbox" else f"{behind}/sandbox/echo"


def needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not on the PATH: the agent is not tried")
    return found


def made(folder: Path) -> str:
    """What the agent's tool wrote."""
    file = folder / "made.txt"
    return file.read_text().strip() if file.exists() else "nothing"


@pytest.mark.parametrize("behind", BEHIND)
def test_claude_code(gateway: Gateway, tmp_path: Path, behind: str) -> None:
    line = json.dumps({"command": "echo by-claude > made.txt && echo told-by-tool", "description": "write a file"})
    told = run(
        [needs("claude"), "-p", f"call Bash {line}", "--dangerously-skip-permissions"],
        tmp_path,
        ANTHROPIC_BASE_URL=gateway.url,
        ANTHROPIC_API_KEY=gateway.key,
        ANTHROPIC_MODEL=model(behind),
        ANTHROPIC_SMALL_FAST_MODEL=model(behind),
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
        IS_SANDBOX="1",
    )
    assert made(tmp_path) == "by-claude" and "told-by-tool" in told


@pytest.mark.parametrize("behind", BEHIND)
def test_codex(gateway: Gateway, tmp_path: Path, behind: str) -> None:
    home = tmp_path / "codex"
    home.mkdir()
    (home / "config.toml").write_text(
        f'model = "{model(behind)}"\nmodel_provider = "gateway"\n[model_providers.gateway]\nname = "gateway"\n'
        f'base_url = "{gateway.base_url}"\nenv_key = "GATEWAY_TEST_KEY"\nwire_api = "responses"\n'
    )
    line = json.dumps({"cmd": "echo by-codex > made.txt && echo told-by-tool"})
    told = run(
        [needs("codex"), "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
         f"call exec_command {line}"],
        tmp_path,
        CODEX_HOME=str(home),
        GATEWAY_TEST_KEY=gateway.key,
    )  # fmt: skip
    assert made(tmp_path) == "by-codex" and "told-by-tool" in told


@pytest.mark.parametrize("behind", BEHIND)
def test_gemini_cli(gateway: Gateway, tmp_path: Path, behind: str) -> None:
    line = json.dumps({"command": "echo by-gemini > made.txt && echo told-by-tool"})
    settings = tmp_path / "home" / ".gemini" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"security": {"auth": {"selectedType": "gemini-api-key"}}}))
    told = run(
        [needs("gemini"), "-p", f"call run_shell_command {line}", "-m", model(behind), "--yolo", "--skip-trust"],
        tmp_path,
        GOOGLE_GEMINI_BASE_URL=gateway.url,
        GEMINI_API_KEY=gateway.key,
    )
    assert made(tmp_path) == "by-gemini" and "told-by-tool" in told
