"""What happens to money when something stands still: a client, a restart, the database's lock. Deaths are in
`test_crashes`, databases that fail in `test_databases`."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import requests

from tests.gateway import Gateway, frames


def wait_until(check: Any, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def test_a_locked_database_stalls_no_stream(sqlite_gateway: Gateway) -> None:
    """Another process holds SQLite's write lock: running streams go on, new calls wait or get 503."""
    answer = sqlite_gateway.chat("sandbox/tokens-20", stream=True)
    assert frames(answer)[-1] == "[DONE]"
    other = sqlite3.connect(Path(sqlite_gateway.environ["GATEWAY_DATA"]) / "gateway.db", isolation_level=None)
    gaps: list[float] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            began = time.monotonic()
            requests.get(f"{sqlite_gateway.url}/healthz", timeout=10)
            gaps.append(time.monotonic() - began)
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    other.execute("BEGIN IMMEDIATE")
    watcher.start()
    try:
        with ThreadPoolExecutor(4) as threads:
            waiting = [threads.submit(sqlite_gateway.chat, "sandbox/echo") for _ in range(3)]
            time.sleep(2)
            assert not any(one.done() for one in waiting)
            assert sqlite_gateway.get("/v1/models").status_code == 200, "reads go on"
            other.execute("ROLLBACK")
            assert [one.result().status_code for one in waiting] == [200] * 3
            other.execute("BEGIN IMMEDIATE")
            refused = sqlite_gateway.chat("sandbox/echo")
            assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
            other.execute("ROLLBACK")
    finally:
        stop.set()
        watcher.join()
        other.close()
    assert max(gaps) < 2, "the event loop waited with the lock, which was held for longer"
    assert sqlite_gateway.chat("sandbox/echo").status_code == 200
    assert sqlite_gateway.books()["ok"]


def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway:
        answer = gateway.chat("sandbox/echo").json()
        before = gateway.credits()
        os.killpg(gateway.process.pid, signal.SIGKILL)
        gateway.process.wait()
        gateway.start()
        assert gateway.get("/v1/generation", params={"id": answer["id"]}).status_code == 200
        assert gateway.credits() == before and gateway.books()["ok"]


def test_sigterm_ends_in_time_with_idle_connections(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway, requests.Session() as session:
        session.get(f"{gateway.url}/healthz", timeout=5)  # stays open
        running: list[requests.Response] = []
        thread = threading.Thread(target=lambda: running.append(gateway.chat("sandbox/slow-2000")))
        thread.start()
        time.sleep(0.5)
        gateway.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        gateway.process.wait(90)
        assert time.monotonic() - began < 60, "well before the graceful time-out"
        thread.join()
        assert running[0].status_code == 200, "what runs may end"


def test_the_end_of_its_terminal_ends_no_call(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway:
        running: list[requests.Response] = []
        thread = threading.Thread(target=lambda: running.append(gateway.chat("sandbox/slow-2000")))
        thread.start()
        wait_until(lambda: gateway.credits()["held"] > 0, 5, "no hold")
        os.killpg(gateway.process.pid, signal.SIGHUP)
        thread.join()
        assert running and running[0].status_code == 200
        assert gateway.chat("sandbox/echo").status_code == 200


def test_a_client_that_reads_nothing_is_given_up(tmp_path: Path) -> None:
    with Gateway(tmp_path, GATEWAY_IDLE_S="2") as gateway:
        body = {"model": "sandbox/tokens-131072", "stream": True, "messages": [{"role": "user", "content": "go"}]}
        answer = gateway.post("/v1/chat/completions", {**body, "max_tokens": 131_072}, stream=True)
        wait_until(lambda: gateway.credits()["held"] > 0, 2, "no hold")
        before = psutil.Process(gateway.worker_pids()[0]).memory_info().rss
        wait_until(lambda: gateway.credits()["held"] == 0, 15, "the hold stays with a client that reads nothing")
        assert psutil.Process(gateway.worker_pids()[0]).memory_info().rss - before < 50e6
        receipt = gateway.get("/v1/generation", params={"id": answer.headers["x-generation-id"]}).json()["data"]
        assert receipt["partial"] and receipt["cost_usd"] > 0
        answer.close()
