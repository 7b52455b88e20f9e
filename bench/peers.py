"""Others' gateways: pinned, installed once below the checkout's cache, each by the ordinary client of its registry."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .found import say
from .programs import CACHE, Missing

LITELLM = ("1.106.2", "1.108.7")
"""Versions of LiteLLM's proxy, the first that installs is taken: what one needs is not on every mirror."""

PORTKEY = "1.15.2"

_INSTALL_S = 600


def litellm() -> Path:
    """LiteLLM's program. Raises Missing."""
    said = ""
    for version in LITELLM:
        folder = CACHE / f"litellm-{version}"
        made = folder / "made"
        if not made.exists() or made.read_text() != str(folder):  # its programs know where they are
            say(f"installing LiteLLM {version}, which takes minutes …")
            shutil.rmtree(folder, ignore_errors=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            said = _tried([sys.executable, "-m", "venv", str(folder)]) or _tried([*pip, f"litellm[proxy]=={version}"])
            if said:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            made.write_text(str(folder))
        return folder / "bin" / "litellm"
    raise Missing(f"LiteLLM cannot be installed: {said}")


def portkey() -> list[str]:
    """The command that runs Portkey's gateway. Raises Missing."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("Portkey's gateway needs Node.js and npm (sudo apt-get install nodejs npm)")
    folder = CACHE / f"portkey-{PORTKEY}"
    if not (folder / "made").exists():
        say(f"installing Portkey's gateway {PORTKEY} …")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        package = f"@portkey-ai/gateway@{PORTKEY}"
        said = _tried([npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent", package])
        if said:
            shutil.rmtree(folder, ignore_errors=True)
            raise Missing(f"Portkey's gateway cannot be installed: {said}")
        (folder / "made").touch()
    return [node, str(folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js")]


def versions() -> dict[str, str]:
    """What is installed here, by name."""
    asked: dict[str, Callable[[], str]] = {
        "LiteLLM": lambda: next(version for version in LITELLM if (CACHE / f"litellm-{version}" / "made").exists()),
        "Portkey": lambda: PORTKEY if (CACHE / f"portkey-{PORTKEY}" / "made").exists() else "",
        "Node.js": lambda: _output(["node", "--version"]),
        "nginx": lambda: _output(["nginx", "-v"]).rpartition("/")[2],
    }
    found = {}
    for name, ask in asked.items():
        try:
            found[name] = ask()
        except (OSError, StopIteration):
            continue
    return {name: version for name, version in found.items() if version}


def _output(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=20)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def _tried(words: list[str]) -> str:
    """Run it; the end of what it said if it failed, else nothing."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_INSTALL_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    if done.returncode == 0:
        return ""
    lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return (lines[-1] if lines else f"exit code {done.returncode}")[:200]
