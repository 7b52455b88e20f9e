"""Tasks: what open ones cost while nobody asks for them, how much memory a long video takes on its way, and whether a
list of very many is as quick as one of few.

The provider is a fake in Python that speaks OpenAI's words for videos; its own work is not counted.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.gateway import Gateway
from tests.upstream import Asked, Script, upstream

from ..found import Figures
from ..processes import cpu_s, memory
from ..programs import Provider, load
from ..shapes import Failed
from ..subjects import gateway, of, restart
from .history import copy

OPEN, FILM_MB, LISTED = 1_000, 200, 100_000
"""Tasks that run at once, the size of a long video, and the tasks of a long list."""

FEW = 100
_BLOCK = bytes(range(256)) * 4096
_LOOK_S = 0.02
_PATIENCE_S = 300


class Maker:
    """The provider: videos of the model `film` are done at once, all others never. block: what a film is made of."""

    def __init__(self, film_mb: int) -> None:
        self._film = [_BLOCK] * film_mb
        self._begun = 0

    def answer(self, asked: Asked) -> Script:
        if asked.method == "POST":
            self._begun += 1
            return Script.json({"id": f"{asked.json['model']}_{self._begun}", "object": "video", "status": "queued"})
        identity, _, rest = asked.path.partition("/videos/")[2].partition("/")
        if rest:
            return Script(200, {"content-type": "video/mp4"}, list(self._film))
        done = identity.startswith("film_")
        return Script.json({"id": identity, "object": "video", "status": "completed" if done else "in_progress"})


@contextmanager
def studio(to: Provider, at: Path, film_mb: int) -> Iterator[Gateway]:
    """A gateway of ours with such a provider behind the channel `maker`."""
    with upstream() as provider:
        provider.answer = Maker(film_mb).answer
        live = gateway(at, to)
        try:
            live.cli(
                "channels", "add", "--provider", "openai-compatible", "--name", "maker", "--base-url",
                provider.base_url, "--models", "*",
            )  # fmt: skip
            live.cli("prices", "set", "maker/*", "--unit", "second=0.001")
            live.settle_in()
            yield live
        finally:
            live.stop()


def film(live: Gateway, film_mb: int) -> Figures:
    """Most memory that the worker took beyond what it had, while a video was copied in, and while it was fetched."""
    before = memory((live.process.pid,)).largest
    with _watched(live) as taken:
        identity = _begin(live, "film")
        until = time.monotonic() + _PATIENCE_S
        while _asked(live, f"/v1/videos/{identity}?wait=10")["status"] != "completed":
            if time.monotonic() > until:
                raise Failed("the video was not copied in")
    copied = max(taken) - before
    with _watched(live) as taken, _get(live, f"/v1/videos/{identity}/content", stream=True) as answer:
        size = sum(map(len, answer.iter_content(1 << 20)))
    if size != film_mb * len(_BLOCK):
        raise Failed(f"{size} bytes came of {film_mb * len(_BLOCK)}")
    return {"copied_mb": copied, "fetched_mb": max(taken) - before}


def open_ones(live: Gateway, count: int, seconds: float) -> Figures:
    """CPU of all processes while so many tasks run, in percent of a core. They are new, so it is looked most often."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: _begin(live, "endless"), range(count)))
    began, used = time.monotonic(), cpu_s((live.process.pid,))
    time.sleep(seconds)
    used = cpu_s((live.process.pid,)) - used
    return {"core_percent": 100 * used / (time.monotonic() - began)}


def fill(live: Gateway, count: int) -> None:
    """Stop it, give its one account so many tasks that are done, each a second older than the one before, and start."""
    live.stop()
    with closing(sqlite3.connect(live.folder / "data" / "gateway.db")) as database, database:
        database.execute("UPDATE task SET status = 'failed', next_at = NULL, worker = NULL")
        copy(
            database, "task", count, id="'task_' || lower(hex(randomblob(16)))", created_at="created_at - 1000 * n",
            upstream_id="upstream_id || '-' || n",
        )  # fmt: skip
    restart(live, "studio")


def listed(live: Gateway) -> Figures:
    """The time of a page of the list, and of one far down."""
    page = _asked(live, "/v1/tasks?limit=100")
    last = page["last_id"]
    with closing(sqlite3.connect(live.folder / "data" / "gateway.db")) as database:
        count = database.execute("SELECT count(*) FROM task").fetchone()[0]
        if count > FEW * 10:
            (last,) = database.execute(
                "SELECT id FROM task ORDER BY created_at DESC LIMIT 1 OFFSET ?", (count - 200,)
            ).fetchone()
    figures = {"tasks": float(count)}
    for name, query in (("first", ""), ("deep", f"&after={last}")):
        seen = load(live.port, f"/v1/tasks?limit=20{query}", headers=of(live, "studio").headers, calls=2_000)
        if seen["bad"]:
            raise Failed(f"calls failed: {seen['bad']}")
        figures[f"{name}_ms"] = seen["total_ms"]["p50"]
    return figures


@contextmanager
def _watched(live: Gateway) -> Iterator[list[float]]:
    """The worker's memory in MB, again and again until the end."""
    taken = [memory((live.process.pid,)).largest]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            taken.append(memory((live.process.pid,)).largest)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield taken
    finally:
        over.set()
        watcher.join()


def _begin(live: Gateway, model: str) -> str:
    answer = live.post("/v1/videos", {"model": f"maker/{model}", "prompt": "a calm sea", "seconds": "4"}, live.key)
    if answer.status_code != 200:
        raise Failed(f"a task was not begun: {answer.status_code}")
    return str(answer.json()["id"])


def _asked(live: Gateway, path: str) -> dict[str, Any]:
    answer = live.get(path, live.key)
    if answer.status_code != 200:
        raise Failed(f"{path} answers {answer.status_code}")
    found: dict[str, Any] = answer.json()
    return found


def _get(live: Gateway, path: str, **options: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {live.key}"}
    return requests.get(f"{live.url}{path}", headers=headers, timeout=_PATIENCE_S, **options)
