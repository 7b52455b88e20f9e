"""The provider and the clients: two small C programs, compiled at their first use, and how they are called."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache" / "bench"

EVENTS, GAP_MS = 20, 20
"""Of a stream by a model whose name says nothing of it; `bench-EVENTS-GAP` says it."""

WHOLE, WORD = "yellow", "word"
"""What every whole answer holds once, and a stream as often as it has events."""


class Missing(Exception):
    """Something that is needed is not on this machine; the text says what, and what to do."""


def program(name: str) -> Path:
    """The program compiled from `name`.c. Raises Missing."""
    source = HERE / f"{name}.c"
    made = CACHE / f"{name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"
    if not made.exists():
        compiler = shutil.which("cc")
        if compiler is None:
            raise Missing("A C compiler is needed. On Debian and Ubuntu: sudo apt-get install gcc libc6-dev")
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, "-O2", "-o", str(made), str(source)], check=True)
    return made


class Provider(NamedTuple):
    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@contextmanager
def provider() -> Iterator[Provider]:
    """The provider, as long as it lasts."""
    process = subprocess.Popen([str(program("provider"))], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield Provider(int(process.stdout.readline()), process.pid)
    finally:
        process.kill()
        process.wait()


def load(
    port: int,
    path: str,
    *,
    body: bytes | None = None,
    headers: tuple[str, ...] = (),
    connections: int = 1,
    seconds: float = 0,
    calls: int = 0,
    rate: float = 0,
    spread: float = 0,
    mark: str = "",
    times: int = 1,
) -> dict[str, Any]:
    """What clients saw: see load.c for each option and for what is given back."""
    words = [str(program("load")), "-p", str(port), "-P", path, "-c", str(connections)]
    for option, value in (("-s", seconds), ("-n", calls), ("-r", rate), ("-e", spread)):
        if value:
            words += [option, str(value)]
    for header in headers:
        words += ["-H", header]
    if body is not None:
        words += ["-b", "/dev/stdin"]
    if mark:
        words += ["-m", mark, "-k", str(times)]
    done = subprocess.run(words, input=body, stdout=subprocess.PIPE, check=True, timeout=seconds + 600)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
