"""The gateway as one file, in an empty folder and with nothing in the environment: what a user has who only copied it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.gateway import ROOT, Gateway, frames

FOLDERS, FILES = (
    ("gateway", "models", "schemas", "deploy"),
    ("app.py", "wsgi.py", "gunicorn.conf.py", "requirements.txt"),
)


pytestmark = pytest.mark.timeout(900)  # whoever comes first makes the file


@pytest.fixture(scope="session")
def binary() -> Path:
    """The file, made of the sources as they are; made again only when they have changed."""
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix != ".pyc"]
    digest = hashlib.sha256()
    for path in sorted(path for path in [*paths, *(ROOT / name for name in FILES)] if path.is_file()):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    folder = ROOT / ".cache" / "binaries" / digest.hexdigest()[:16]
    if not (folder / "gateway").exists():
        making = folder.with_name(f"{folder.name}.{os.getpid()}")
        done = subprocess.run(["make", "binary", f"DIST={making}"], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        making.rename(folder)
    return folder / "gateway"


class Binary(Gateway):
    """The file instead of `python -m gateway`. The first process unpacks it, its child is the master."""

    def __init__(self, folder: Path, program: Path) -> None:
        super().__init__(folder)
        self.program = str(program)
        self.command = [self.program, "serve"]
        self.environ = {name: value for name, value in self.environ.items() if name.startswith("GATEWAY_")}

    def worker_pids(self) -> list[int]:
        (master,) = psutil.Process(self.process.pid).children()
        return sorted(child.pid for child in master.children())

    def cli(self, *words: str, ok: bool = True, stdin: str | None = None) -> Any:
        done = subprocess.run(
            [self.program, *words, "--json"], cwd=self.folder, env=self.environ, capture_output=True, text=True,
            input=stdin, timeout=60,
        )  # fmt: skip
        if not ok:
            return done
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def one_file(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Binary]:
    with Binary(tmp_path_factory.mktemp("one-file"), binary) as gateway:
        yield gateway


def test_it_answers_as_a_checkout_does(one_file: Binary) -> None:
    whole = one_file.chat("sandbox/echo")
    assert whole.status_code == 200 and "Hello!" in whole.json()["choices"][0]["message"]["content"]
    streamed = frames(one_file.chat("sandbox/echo", stream=True))
    assert len(streamed) > 3 and streamed[-1] == "[DONE]"
    assert len(one_file.get("/openapi.json").json()["paths"]) > 10
    assert "gateway_calls_total" in one_file.get("/metrics").text
    assert len(one_file.worker_pids()) == 2


def test_its_verbs_work_beside_it(one_file: Binary) -> None:
    made = one_file.cli("keys", "create", "--account", "operator", "--name", "second")
    assert one_file.chat("sandbox/echo", key=made["key"]).status_code == 200
    assert one_file.cli("doctor", "--url", one_file.url)["ok"]
    assert one_file.books()["ok"]
    assert one_file.cli("prices", "show", "openai/gpt-4o"), "the price book is inside"


def test_hup_replaces_its_workers_and_term_ends_it(one_file: Binary) -> None:
    old = set(one_file.worker_pids())
    one_file.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 60
    while old & set(one_file.worker_pids()) or len(one_file.worker_pids()) < 2:
        assert time.monotonic() < end, one_file.log.read_text()[-2000:]
        time.sleep(0.1)
    assert one_file.chat("sandbox/echo").status_code == 200
    everybody = psutil.Process(one_file.process.pid).children(recursive=True)
    one_file.process.send_signal(signal.SIGTERM)
    assert one_file.process.wait(30) == 0
    assert not psutil.wait_procs(everybody, timeout=5)[1], "a process is left over"


def test_it_speaks_to_postgres(binary: Path, postgres: Any, tmp_path: Path) -> None:
    environ = {"GATEWAY_DATA": str(tmp_path), "GATEWAY_DATABASE_URL": postgres.url()}
    done = subprocess.run([binary, "migrate", "--json"], env=environ, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["applied"], done.stderr
