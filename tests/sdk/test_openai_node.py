"""The official OpenAI SDK for Node (20 or newer) against a live gateway; skipped by name where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.gateway import ROOT, Gateway

PACKAGE = "openai@7"


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """A folder with the SDK, installed once into the checkout's cache."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("no node and npm here: the OpenAI SDK for Node is not tried")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < 20:
        pytest.skip(f"node {version} is older than 20: the OpenAI SDK for Node is not tried")
    folder = ROOT / ".cache" / "node"
    if not (folder / "node_modules" / "openai").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE],
            capture_output=True,
            text=True,
            timeout=170,
        )
        if done.returncode:
            pytest.skip(f"npm could not install {PACKAGE}: {done.stderr.strip().splitlines()[-1:]}")
    return folder


def test_openai_for_node(sqlite_gateway: Gateway, node_modules: Path) -> None:
    script = node_modules / "openai.mjs"  # beside its node_modules, where imports are looked for
    script.write_text((Path(__file__).parent / "openai.mjs").read_text())
    done = subprocess.run(
        ["node", str(script)],
        env={**os.environ, "BASE_URL": sqlite_gateway.base_url, "API_KEY": sqlite_gateway.key},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") == 8
