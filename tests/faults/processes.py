"""Faults 14 to 19, 24 to 26 and 31: what befalls the gateway's own processes, its clients and its clock; and overload."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import requests

from tests import conftest
from tests.faults import checker, kills
from tests.faults.lab import COST, Found, Lab, good, lab, p99, until, worst_stall_ms
from tests.faults.load import BROKEN, COMPLETE, REFUSED, Outcome
from tests.faults.pressure import Pressed, press
from tests.gateway import Gateway
from tests.live import test_hostile_input, test_hostile_providers

Say = Callable[[str], None]
_CLIENTS = 64
_STREAM = {"frames": 24, "gap": 0.03}
"""Answers that take most of a second, so that there is always one to hit."""
_ROUNDS = 5


def killed_workers(seed: int, say: Say, seconds: float = 60, workers: int = 4) -> Found:
    """kill -9 of a worker every two seconds, under load."""
    with lab(seed, workers=workers) as here:
        here.a.heal(**_STREAM)
        outcomes, killed = kills.run(here.gateway, here.key, _CLIENTS, seconds, seed, models=(here.model,))
        began = time.monotonic()
        found = here.judge(outcomes, healthy=False)
        found.wrong += _errors(outcomes)
        lost = len(outcomes) - len(good(outcomes))
        found.figures = {
            "workers killed": killed, "calls lost": lost, "charged and cut": checker.truncated(here.gateway, outcomes),
            "clean after s": round(time.monotonic() - began, 1),
        }  # fmt: skip
        if not good(outcomes) or not lost:
            found.wrong.append("no call was hit, or none lived: the try means nothing")
        return found


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _errors(outcomes: list[Outcome], *allowed: int) -> list[str]:
    """Answers with an error of ours, which no fault here excuses; but for these statuses."""
    bad = [o for o in outcomes if o.came_to == REFUSED and o.status not in allowed]
    return [f"I8 {len(bad)} calls were refused: {bad[0].status} {bad[0].why}"] if bad else []


def killed_master(seed: int, say: Say) -> Found:
    """kill -9 of all processes, and a start, under load."""
    with lab(seed, workers=2) as here:
        here.a.heal(**_STREAM)
        load = here.start(32)
        recovered = []
        for _ in range(3):
            time.sleep(3)
            os.killpg(here.gateway.process.pid, signal.SIGKILL)
            here.gateway.process.wait()
            began = time.monotonic()
            here.gateway.start()
            recovered.append(round(time.monotonic() - began, 1))
            say(f"serving again after {recovered[-1]} s")
        time.sleep(2)
        outcomes = load.stop()
        found = here.judge(outcomes, healthy=False)
        found.wrong += _errors(outcomes)
        found.figures = {
            "serves again s": max(recovered), "calls lost": len(outcomes) - len(good(outcomes)),
            "charged and cut": checker.truncated(here.gateway, outcomes),
        }  # fmt: skip
        return found


def drained(seed: int, say: Say) -> Found:
    """SIGTERM while streams of some seconds run: each ends as it should."""
    with lab(seed, workers=2) as here:
        here.a.heal(frames=24, gap=0.2)
        load = here.start(32, share=0.8)
        time.sleep(2)
        running = here.a.seen()["writing"]
        here.gateway.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        outcomes = load.stop()
        here.gateway.process.wait(130)
        exit_s = round(time.monotonic() - began, 1)
        here.gateway.start()
        found = here.judge(outcomes, healthy=False)
        found.wrong += _errors(outcomes)
        if cut := [o for o in outcomes if o.came_to == BROKEN]:
            found.wrong.append(f"{len(cut)} answers were cut: {cut[0].why}")
        found.figures = {"running": running, "cut": len(cut), "exit s": exit_s}
        return found


def reloaded(seed: int, say: Say) -> Found:
    """SIGHUP under load: nobody notices."""
    with lab(seed, workers=2) as here:
        here.a.heal(**_STREAM)
        load = here.start(32)
        time.sleep(8)
        quiet_until = time.monotonic()
        for _ in range(3):
            time.sleep(4)
            before = here.gateway.worker_pids()
            here.gateway.process.send_signal(signal.SIGHUP)
            if until(lambda before=before: not any(map(psutil.pid_exists, before)), 60) is None:
                say("the old workers are still there")
        outcomes = load.stop()
        found = here.judge(outcomes)
        quiet = [outcome for outcome in outcomes if outcome.at + outcome.seconds < quiet_until]
        found.figures = {
            "calls lost": len(outcomes) - len(good(outcomes)), "stall ms": worst_stall_ms(outcomes),
            "stall before it ms": worst_stall_ms(quiet),
        }  # fmt: skip
        return found


def stopped_worker(seed: int, say: Say) -> Found:
    """SIGSTOP of a worker for ten seconds: the others serve, and its calls end as they should."""
    with lab(seed, workers=4, GATEWAY_FIRST_BYTE_S="30", GATEWAY_IDLE_S="30", GATEWAY_WHOLE_S="60") as here:
        here.a.heal(**_STREAM)
        load = here.start(_CLIENTS)
        time.sleep(3)
        victim = here.gateway.worker_pids()[0]
        os.kill(victim, signal.SIGSTOP)
        began = time.monotonic()
        time.sleep(10)
        os.kill(victim, signal.SIGCONT)
        ended = time.monotonic()
        time.sleep(3)
        outcomes = load.stop()
        found = here.judge(outcomes)
        if broken := [o for o in outcomes if o.came_to != COMPLETE]:
            found.wrong.append(f"{len(broken)} calls did not end well: {broken[0].came_to} {broken[0].why}")
        others = [o for o in outcomes if began < o.at < ended and o.seconds < 9]
        found.figures = {"answered meanwhile": len(others), "p99 of these ms": p99(o.seconds for o in others)}
        if not others:
            found.wrong.append("nothing was answered while one worker was stopped")
        return found


def leaving_clients(here: Lab, times: int = 200) -> Found:
    """Clients that reset the connection in the middle of a stream."""
    here.fresh()
    here.a.heal(frames=100, gap=0.05)

    def leave(_: int) -> None:
        with socket.create_connection(("127.0.0.1", here.gateway.port), 30) as sock:
            body = (
                b'{"model":"%s","stream":true,"messages":[{"role":"user","content":"nonce leave"}]}'
                % here.model.encode()
            )
            sock.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
                % (here.key.encode(), len(body), body)
            )
            seen = b""
            while seen.count(b"data: ") < 3:
                piece = sock.recv(4096)
                assert piece, seen
                seen += piece
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(leave, range(times)))
    closed = until(lambda: here.a.seen()["writing"] == 0, 20)
    back = until(lambda: here.gateway.credits(here.key)["held"] == 0, 20)
    found = Found(times, here.judge([], healthy=False).wrong, checked=times)
    found.wrong = [line for line in found.wrong if not line.startswith("I6")]  # these clients keep no log
    rows = checker.query(
        here.gateway,
        f"SELECT count(*), min(cost_nanos), max(cost_nanos) FROM receipt WHERE model = '{here.model}' AND partial",
    )
    count, least, most = rows[0]
    if count != times or least <= 0 or most > COST * 5:
        found.wrong.append(f"I4 {times} left: {count} partial receipts, from {least} to {most}")
    if closed is None or back is None:
        found.wrong.append("I2 the providers still write, or credit is still held, for clients that have left")
    found.figures = {"upstream closed after s": closed, "held back after s": back}
    return found


def no_descriptors(seed: int, say: Say) -> Found:
    """Workers that may open no further file: no spin, and all is well when they may."""
    with lab(seed, workers=2) as here:
        here.a.heal(frames=24, gap=0.1)
        workers = [psutil.Process(pid) for pid in here.gateway.worker_pids()]
        limits = [worker.rlimit(psutil.RLIMIT_NOFILE) for worker in workers]
        for worker in workers:
            worker.rlimit(psutil.RLIMIT_NOFILE, (128, limits[0][1]))
        load = here.start(200)
        time.sleep(5)
        used = [sum(worker.cpu_times()[:2]) for worker in workers]
        time.sleep(5)
        used = [sum(worker.cpu_times()[:2]) - before for worker, before in zip(workers, used, strict=True)]
        for worker, limit in zip(workers, limits, strict=True):
            worker.rlimit(psutil.RLIMIT_NOFILE, limit)
        recovered = until(lambda: _alive(here), 30)
        outcomes = load.stop()
        found = here.judge(outcomes, healthy=False)
        if recovered is None:
            found.wrong.append("healthz does not come back")
        after = here.load(2, 8)
        found += here.judge([*outcomes, *after], healthy=False)
        if len(good(after)) != len(after):
            found.wrong.append(f"{len(after) - len(good(after))} calls failed after it was over")
        found.figures = {
            "recovered s": recovered,
            "CPU of a worker": round(max(used) / 5, 2),
            "good": len(good(outcomes)),
        }
        return found


def _alive(here: Lab) -> bool:
    try:
        return requests.get(f"{here.gateway.url}/healthz", timeout=1).status_code == 200
    except requests.RequestException:
        return False


def no_memory(seed: int, say: Say) -> Found:
    """One worker that gets no further memory, and large bodies."""
    with lab(seed, workers=2) as here:
        victim = psutil.Process(here.gateway.worker_pids()[0])
        victim.rlimit(psutil.RLIMIT_AS, (victim.memory_info().vms + (24 << 20),) * 2)
        load = here.start(8)
        big = b'{"model":"%s","messages":[{"role":"user","content":"%s"}]}' % (
            here.model.encode(),
            b"word " * 2_000_000,
        )
        statuses: list[int] = []
        with ThreadPoolExecutor(4) as threads:
            for answer in threads.map(lambda _: _status(here, big), range(16)):
                statuses.append(answer)
        outcomes = load.stop()
        replaced = not victim.is_running()
        if not replaced:
            _kill(victim.pid)
        until(lambda: _alive(here), 30)
        after = here.load(2, 8)
        wrong = [line for line in here.judge([*outcomes, *after], healthy=False).wrong if not line.startswith("I6")]
        found = Found(len(outcomes) + len(statuses), wrong, checked=len(outcomes))
        if len(good(after)) != len(after):
            found.wrong.append(f"{len(after) - len(good(after))} calls failed after it was over")
        if wrongly := {*statuses} - {0, 200, 503}:
            found.wrong.append(f"large bodies got {sorted(wrongly)}")
        told = {str(status): statuses.count(status) for status in sorted(set(statuses))}
        found.figures = {"large bodies": told, "failed": len(outcomes) - len(good(outcomes)), "replaced": replaced}
        return found


def _status(here: Lab, body: bytes) -> int:
    try:
        return here.gateway.post("/v1/chat/completions", body, here.key).status_code
    except requests.RequestException:
        return 0


def clock_steps(seed: int, say: Say) -> Found:
    """The clock of the gateway's machine leaps forth and back by an hour, under load."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return Found(skipped="no C compiler here for the clock that is wrong")
    with tempfile.TemporaryDirectory() as folder:
        library, clock = Path(folder) / "clock.so", Path(folder) / "offset"
        source = Path(__file__).with_name("clock.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
        clock.write_text("0")
        settings = {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(clock)}
        with lab(seed, workers=2, **settings) as here:
            here.a.heal(**_STREAM)
            load = here.start(16)
            for step in (3600, 0, -3600, 0):
                time.sleep(4)
                say(f"the clock is {step} s off")
                clock.write_text(str(step))
            time.sleep(4)
            outcomes = load.stop()
            found = here.judge(outcomes)
            if bad := [o for o in outcomes if o.came_to != COMPLETE]:
                found.wrong.append(f"{len(bad)} calls failed: {bad[0].came_to} {bad[0].status} {bad[0].why}")
            found.figures = {"failed": len(bad)}
            return found


def overload(seed: int, say: Say) -> Found:
    """Two and five times as many calls as the gateway can carry."""
    with lab(seed, workers=2, GATEWAY_WHOLE_S="60", GATEWAY_FIRST_BYTE_S="60", GATEWAY_IDLE_S="60") as here:
        here.a.heal(frames=100)

        def run(rate: float, seconds: float, clients: int = 32):  # type: ignore[no-untyped-def]
            before = _cpu(here)
            pressed = press(here.gateway.url, here.key, here.model, rate=rate, seconds=seconds, clients=clients)
            done = len(pressed.good) + pressed.lost.pop("aside", 0)
            return pressed, done / max(0.01, _cpu(here) - before)

        run(0, 2)
        peaks = [run(0, 2)]
        found = Found()
        for times in (2, 5):
            slow: list[float] = []
            rounds: list[tuple[Pressed, float, float]] = []
            for _ in range(_ROUNDS):  # a shared machine is not as fast at each moment: each round has its own peak
                say(f"peak {peaks[-1][0].goodput:.0f} calls/s; now {times} times as many")
                over = threading.Event()
                watcher = threading.Thread(target=_watch, args=(here, over, slow))
                watcher.start()
                pressed, per_cpu = run(peaks[-1][0].goodput * times, 4)
                over.set()
                watcher.join()
                peaks.append(run(0, 2))
                peak = statistics.mean(one.goodput for one, _ in peaks[-2:])
                peak_per_cpu = statistics.mean(each for _, each in peaks[-2:])
                rounds.append((pressed, pressed.goodput / peak, per_cpu / peak_per_cpu))
            answered = [second for pressed, _, _ in rounds for second in pressed.good]
            refused = [second for pressed, _, _ in rounds for second in pressed.refused]
            share = statistics.median(ratio for _, ratio, _ in rounds)
            found.tried += len(answered) + len(refused)
            found.figures |= {
                f"goodput {times}x": round(share, 2),
                f"per CPU second {times}x": round(statistics.median(ratio for _, _, ratio in rounds), 2),
                f"accepted p99 ms {times}x": p99(answered),
                f"refused {times}x": len(refused),
                f"refused p99 ms {times}x": p99(refused),
                f"healthz worst ms {times}x": round(1000 * max(slow, default=0)),
            }
            if lost := [pressed.lost for pressed, _, _ in rounds if pressed.lost]:
                found.wrong.append(f"{times}x: {lost}")
            if share < 0.9:
                found.wrong.append(f"{times}x: {share:.2f} of the good answers a second at the peak")
            if p99(refused) >= 100:
                found.wrong.append(f"{times}x: refusals took up to {p99(refused)} ms (p99)")
            if max(slow, default=0) >= 1:
                found.wrong.append(f"{times}x: healthz took {max(slow):.1f} s")
        found.figures["peak calls/s"] = round(statistics.median(pressed.goodput for pressed, _ in peaks))
        found.wrong += checker.holds_back(here.gateway) + [str(line) for line in here.gateway.books()["wrong"]]
        found.checked = found.tried
        return found


def bad_inputs(seed: int, say: Say) -> Found:
    """The tables of hostile requests and of hostile answers."""
    with tempfile.TemporaryDirectory() as folder, Gateway(Path(folder)) as gateway:
        tried, wrong = test_hostile_input.run(gateway)
        say(f"{tried} requests; now the answers of hostile providers")
        with conftest.scripted(gateway, "openai-compatible", free=False) as (provider, name):
            more, complaints = test_hostile_providers.run(conftest.Lab(gateway, provider, name))
        books = gateway.books()
        return Found(tried + more, [*wrong, *complaints, *(str(line) for line in books["wrong"])])


def _cpu(here: Lab) -> float:
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in here.gateway.worker_pids())


def _watch(here: Lab, over: threading.Event, slow: list[float]) -> None:
    while not over.wait(0.1):
        began = time.monotonic()
        _alive(here)
        slow.append(time.monotonic() - began)
