"""kill -9 of whoever looks after tasks: all of them end, once, and the books are right."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.live.test_crashes import wait_until
from tests.live.test_tasks import Studio
from tests.upstream import upstream

TASKS = 200
PRICE = Decimal("0.04")


def begin(gateway: Gateway, key: str, model: str, count: int) -> list[str]:
    """So many tasks, begun at once by several; their ids."""

    def one(_: int) -> str:
        answer = gateway.post("/v1/tasks", {"type": "video", "model": model, "prompt": "a", "seconds": 4}, key)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(count)))


def statuses(gateway: Gateway, key: str) -> Counter[str]:
    found: Counter[str] = Counter()
    after = ""
    try:
        while True:
            page = gateway.get(f"/v1/tasks?limit=100{after}", key).json()
            found.update(one["status"] for one in page["data"])
            if not page["has_more"]:
                return found
            after = f"&after={page['last_id']}"
    except (OSError, ValueError):  # it fell to one that was killed
        return Counter()


def settled(gateway: Gateway, key: str, count: int) -> Callable[[], bool]:
    return lambda: statuses(gateway, key)["completed"] == count


def agree(gateway: Gateway, key: str, count: int) -> None:
    """All are done, each was paid for once, and nothing is held."""
    assert gateway.books() == {"ok": True, "accounts": gateway.books()["accounts"], "wrong": []}
    credit = gateway.credits(key)
    assert (credit["total_usage"], credit["held"]) == (PRICE * count, 0)


@pytest.fixture
def database(kind: str, request: pytest.FixtureRequest) -> str | None:
    return request.getfixturevalue("postgres").url() if kind == "postgres" else None


def test_workers_killed_again_and_again_while_tasks_run(database: str | None, tmp_path: Path) -> None:
    with Gateway(tmp_path, database=database) as gateway:
        _, key = gateway.account("10")
        made = begin(gateway, key, "sandbox/slow-4000", TASKS)
        for _ in range(4):
            time.sleep(1.0)
            for pid in gateway.worker_pids():
                os.kill(pid, signal.SIGKILL)
        wait_until(settled(gateway, key, TASKS), f"some do not end: {statuses(gateway, key)}", 90)
        agree(gateway, key, TASKS)
        lines = [line for line in gateway.log.read_text().splitlines() if " is completed" in line]
        ended = Counter(line.split("task ")[1].split(" ")[0] for line in lines)
        assert set(ended) <= set(made) and max(ended.values()) == 1, "none was ended twice"


def test_a_gateway_that_was_killed_goes_on_where_it_was(database: str | None, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, database=database)
    gateway.start()
    try:
        _, key = gateway.account("10")
        begin(gateway, key, "sandbox/slow-3000", 10)
        os.killpg(gateway.process.pid, signal.SIGKILL)
        gateway.process.wait()
        gateway.start()
        wait_until(settled(gateway, key, 10), f"some do not end: {statuses(gateway, key)}", 60)
        agree(gateway, key, 10)
    finally:
        gateway.stop()


@pytest.mark.parametrize("point", ["after_hold", "after_dispatch", "before_settle", "after_settle"])
def test_a_death_at_any_point_of_a_task(database: str | None, tmp_path: Path, point: str) -> None:
    """Before its provider has taken it: it has failed, and costs nothing. After that: it ends, and is paid for once."""
    order = tmp_path / "order"
    with Gateway(tmp_path, database=database, GATEWAY_TEST="1", CRASH_AT=str(order)) as gateway:
        _, key = gateway.account("1")
        if point in ("after_hold", "after_dispatch"):
            order.write_text(point)
            with pytest.raises(OSError):
                gateway.post("/v1/tasks", {"type": "video", "model": "sandbox/slow-1", "prompt": "a"}, key)
            wait_until(lambda: statuses(gateway, key)["failed"] == 1, "what nobody knows of has failed", 60)
            (task,) = gateway.get("/v1/tasks", key).json()["data"]
            assert task["error"]["code"] == "lost" and gateway.credits(key)["total_usage"] == 0
        else:
            begin(gateway, key, "sandbox/slow-1500", 1)  # its own settlement is far from here
            order.write_text(point)
            wait_until(settled(gateway, key, 1), "it is done by who lives", 60)
            assert gateway.credits(key)["total_usage"] == PRICE
        wait_until(lambda: gateway.credits(key)["held"] == 0, "the hold comes back")
        assert not order.exists() and gateway.books()["ok"]


def test_two_machines_share_the_work_and_no_task(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    database: Any = request.getfixturevalue("postgres").url()
    shared = {"database": database, "GATEWAY_SECRET": "a secret that both of them know", "workers": 1}
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with Gateway(tmp_path / "one", **shared) as one, Gateway(tmp_path / "two", **shared) as two, upstream() as provider:
        studio = Studio(provider, pause=1.0)  # so long that one machine has no hands for all of them
        one.cli(
            "channels", "add", "--provider", "openai-compatible", "--name", "film", "--base-url", provider.base_url,
            "--models", "*",
        )  # fmt: skip
        one.cli("prices", "set", "film/*", "--unit", "second=0.01")
        _, key = one.account("10")
        one.settle_in()
        made = begin(one, key, "film/one", TASKS)
        wait_until(settled(two, key, TASKS), f"some do not end: {statuses(two, key)}", 90)
        agree(one, key, TASKS)
        ended = [
            [line for line in machine.log.read_text().splitlines() if " is completed" in line] for machine in (one, two)
        ]
        assert all(ended) and sum(map(len, ended)) == len(made), "both worked, and each task was ended by one"
        fetched = Counter(asked.path for asked in provider.asked if asked.path.endswith("/content"))
        assert len(studio.begun) == TASKS == len(fetched) and set(fetched.values()) == {1}, "none was collected twice"


def test_an_image_ends_with_the_worker_that_makes_it(database: str | None, tmp_path: Path) -> None:
    with Gateway(tmp_path, database=database) as gateway:
        _, key = gateway.account("1")
        body = {"type": "image", "model": "sandbox/slow-60000", "prompt": "a"}
        assert gateway.post("/v1/tasks", body, key).status_code == 200
        for pid in gateway.worker_pids():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: statuses(gateway, key)["failed"] == 1, "what nobody makes any more has failed", 90)
        assert gateway.credits(key)["held"] == 0 and gateway.credits(key)["total_usage"] == 0 and gateway.books()["ok"]
