"""Official SDKs beside those of requirements-dev.txt: other versions, and those for Node. Each is installed once into
the checkout's cache; where that cannot be, whoever asks is skipped by the package's name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.gateway import ROOT

OPENAI_FOR_NODE = "openai@7"
_HERE = Path(__file__).parent
_INSTALL_S, _RUN_S = 150, 60
_NODE = 20


def for_python(package: str) -> Path:
    """The folder of `name==version` and all it needs, to stand first in PYTHONPATH."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--retries=1", "--no-compile"]
    return _installed(package, [*pip, "--target"])


def for_node(package: str) -> Path:
    """The folder whose node_modules hold `name@version`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip(f"no node and npm here: {package} is not tried")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < _NODE:
        pytest.skip(f"node {version} is older than {_NODE}: {package} is not tried")
    options = ["--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
    return _installed(package, [npm, "install", *options, "--prefix"])


def _installed(package: str, install: list[str]) -> Path:
    """Install into a folder of this run's own, then give it its name: nobody finds half of it."""
    folder = ROOT / ".cache" / "sdk" / re.sub(r"[^a-z0-9.-]+", "-", package).strip("-")
    if folder.is_dir():
        return folder
    new = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}")
    new.mkdir(parents=True)
    try:
        done = subprocess.run([*install, str(new), package], capture_output=True, text=True, timeout=_INSTALL_S)
    except subprocess.TimeoutExpired:
        shutil.rmtree(new)
        pytest.skip(f"{package} was not installed within {_INSTALL_S} s: it is not tried")
    if done.returncode:
        shutil.rmtree(new)
        why = next((line for line in done.stderr.splitlines() if line.lower().startswith(("npm error", "error"))), "")
        pytest.skip(f"{package} cannot be installed here: {why}")
    try:
        new.rename(folder)
    except OSError:  # another run was first
        shutil.rmtree(new)
    return folder


def run(script: str, url: str, key: str, folder: Path | None, **more: str) -> str:
    """What a script beside this file prints when it calls a gateway, with the SDK of a folder or the installed one.
    more: variables that it reads."""
    environ = {**os.environ, "URL": url, "KEY": key, **more}
    command = [sys.executable, str(_HERE / script)]
    if script.endswith(".mjs"):
        assert folder is not None
        copy = folder / script  # beside its node_modules, where imports are looked for
        copy.write_text((_HERE / script).read_text())
        command = ["node", str(copy)]
    elif folder is not None:
        environ["PYTHONPATH"] = str(folder)
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=_RUN_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
