"""kill -9 at every point where money could be lost or doubled, and under load: the books and the clients agree."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from gateway.crash import POINTS
from tests.conftest import scripted
from tests.faults import checker, kills
from tests.faults.load import BROKEN, COMPLETE, LOST, REFUSED, Line, Load, Outcome
from tests.gateway import ROOT, Gateway
from tests.upstream import Script

SEED = random.randrange(1_000_000)
WORD = b'data: {"id":"u","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
LAST = (
    b'data: {"id":"u","object":"chat.completion.chunk","model":"m",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"u","object":"chat.completion.chunk","model":"m","choices":[],'
    b'"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}}\n\n'
)
DONE = b"data: [DONE]\n\n"
CASES = [(point, stream) for point in POINTS for stream in (False, True)]


def wait_until(check: Callable[[], Any], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, what
        time.sleep(0.1)


class Crash(NamedTuple):
    """What a client saw of the call during which a worker died, what the same caller was answered to the same question
    afterwards, and the costs on the receipts of both."""

    seen: Outcome
    again: Outcome
    costs: list[int]
    cost_again: int


class Crashes(NamedTuple):
    gateway: Gateway
    by_case: dict[tuple[str, bool], Crash]
    wrong: list[str]  # what the checker says


@pytest.fixture(scope="module")
def crashes(kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    """A gateway that was killed once at each point, in a whole call and in a stream; and then swept."""
    database = request.getfixturevalue("postgres").url() if kind == "postgres" else None
    folder = tmp_path_factory.mktemp("crashing")
    order, draft = folder / "order", folder / "draft"
    asked: dict[tuple[str, bool], tuple[Outcome, Outcome]] = {}
    with Gateway(folder, database=database, GATEWAY_TEST="1", CRASH_AT=str(order)) as gateway:
        _, key = gateway.account("1")
        for number, (point, stream) in enumerate(CASES):
            model = f"sandbox/tokens-{20 + number}"  # tells whose receipt it is
            draft.write_text(point)
            draft.rename(order)
            seen = _ask(gateway, key, model, stream)
            assert not order.exists(), f"nobody came to {point}"
            asked[point, stream] = seen, _ask(gateway, key, model, stream, until_answered=True)
        wrong = checker.check(gateway, [outcome for both in asked.values() for outcome in both])
        receipts = checker.receipts(gateway, {key})
        by_case = {}
        for case, (seen, again) in asked.items():
            costs = {receipt.id: receipt.cost for receipt in receipts.values() if receipt.model == seen.model}
            by_case[case] = Crash(seen, again, cost_again=costs.pop(again.id or ""), costs=list(costs.values()))
        yield Crashes(gateway, by_case, wrong)


def _ask(gateway: Gateway, key: str, model: str, stream: bool, until_answered: bool = False) -> Outcome:
    """until_answered: a connection may still fall to the dead worker, as clients that retry know."""
    while True:
        outcome = Line(gateway.url).ask(key, model, stream, "the same")
        if outcome.came_to != LOST or not until_answered:
            return outcome


@pytest.mark.parametrize(("point", "stream"), CASES)
def test_a_death_at_any_point_charges_what_was_settled_and_nothing_else(
    crashes: Crashes, point: str, stream: bool
) -> None:
    case = crashes.by_case[point, stream]
    assert case.seen.came_to == (BROKEN if case.seen.frames else LOST), "a client never takes it for an end"
    assert bool(case.seen.frames) == (stream and point not in ("after_hold", "after_dispatch"))
    settled = point in ("after_settle", "before_last_byte")
    assert case.costs == ([case.cost_again] if settled else []) and case.cost_again > 0
    assert case.again.came_to == COMPLETE, "the others go on"


def test_nothing_dies_where_it_is_no_test(tmp_path: Path) -> None:
    order = tmp_path / "order"
    order.write_text("after_hold")
    told = {name: value for name, value in os.environ.items() if name != "GATEWAY_TEST"} | {"CRASH_AT": str(order)}
    point = [sys.executable, "-c", "from gateway import crash; crash.here('after_hold')"]
    assert subprocess.run(point, cwd=ROOT, env=told).returncode == 0 and order.exists()
    assert subprocess.run(point, cwd=ROOT, env={**told, "GATEWAY_TEST": "1"}).returncode == -signal.SIGKILL
    assert not order.exists(), "one writing is one death"


def test_the_books_hold_after_all_these_deaths(crashes: Crashes) -> None:
    assert crashes.wrong == []
    outcomes = [outcome for case in crashes.by_case.values() for outcome in (case.seen, case.again)]
    assert checker.truncated(crashes.gateway, outcomes) == 4, "settled, and cut before the last byte"


def test_workers_killed_under_load_cost_nobody_a_wrong_cent(gateway: Gateway) -> None:
    _, key = gateway.account("50")
    outcomes, killed = kills.run(gateway, key, clients=16, seconds=10, seed=SEED)
    kinds = Counter(outcome.came_to for outcome in outcomes)
    print(f"seed {SEED}: {killed} killed, {dict(kinds)}, {checker.truncated(gateway, outcomes)} settled and not seen")
    assert killed and kinds[COMPLETE] and kinds[LOST] + kinds[BROKEN], "some must be hit and some must live"
    assert checker.check(gateway, outcomes) == []
    assert kinds[REFUSED] == 0, "the others took the calls that came meanwhile"


def test_a_killed_master_leaves_its_workers_to_finish(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway:
        load = Load(gateway.url, gateway.key, lambda _: "sandbox/slow-1500", 8, 0.5, SEED).start()
        wait_until(lambda: checker.query(gateway, "SELECT 1 FROM hold"), "nothing runs")
        workers = gateway.worker_pids()
        os.kill(gateway.process.pid, signal.SIGKILL)
        gateway.process.wait()
        wait_until(lambda: _refused(gateway), "the workers of a dead master go on taking calls")
        outcomes = load.stop()
        assert {outcome.came_to for outcome in outcomes} <= {COMPLETE, LOST}, "what ran was finished"
        gateway.start()
        assert checker.check(gateway, outcomes) == []
        wait_until(lambda: not any(psutil.pid_exists(pid) for pid in workers), "they never go")


def _refused(gateway: Gateway) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", gateway.port)) != 0


def test_a_worker_that_dies_while_settings_are_wrong_is_replaced_under_those_that_hold(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("GATEWAY_MAX_BODY=1 KiB\n")
    with Gateway(tmp_path) as gateway:
        wait_until(lambda: len(gateway.worker_pids()) == 2, "they do not start")
        first = set(gateway.worker_pids())
        file.write_text("GATEWAY_MAX_BODY=nonsense\n")
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(set(gateway.worker_pids()) - first) == 2, "nobody takes their place")
        body = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "x" * 2_000}]}
        assert gateway.post("/v1/chat/completions", body, gateway.key).status_code == 413


def test_hup_takes_new_settings_and_loses_no_call(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("GATEWAY_MAX_BODY=1 MiB\n")
    with Gateway(tmp_path) as gateway:
        load = Load(gateway.url, gateway.key, lambda client: client.choice(kills.MODELS), 8, 0.5, SEED).start()
        first = set(gateway.worker_pids())
        file.write_text("GATEWAY_MAX_BODY=nonsense\n")
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "all goes on as before" in gateway.log.read_text(), "a wrong setting is not told")
        assert set(gateway.worker_pids()) == first
        file.write_text("GATEWAY_MAX_BODY=1 KiB\n")
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not first & set(gateway.worker_pids()), "the old workers stay")
        outcomes = load.stop()
        assert {(outcome.came_to, outcome.why) for outcome in outcomes} == {(COMPLETE, "")}
        assert gateway.chat("sandbox/echo", "long " * 300).status_code == 413, "the new setting holds"
        assert checker.check(gateway, outcomes) == []


def test_sigterm_lets_streams_end_and_tells_those_that_cannot(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway, scripted(gateway, "openai-compatible", free=False) as (provider, name):
        gateway.stop()
        gateway.command = [
            sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "--graceful-timeout", "16",
        ]  # fmt: skip
        gateway.start()
        provider.scripts["short"] = Script.sse(*[piece for _ in range(30) for piece in (WORD, 0.1)], LAST, DONE)
        provider.scripts["long"] = Script.sse(*[piece for _ in range(1200) for piece in (WORD, 0.1)], LAST, DONE)
        with ThreadPoolExecutor(4) as threads:
            asked = {
                what: threads.submit(Line(gateway.url).ask, gateway.key, f"{name}/{what}", True, what)
                for what in ("short", "long")
            }
            silent = threads.submit(Line(gateway.url).ask, gateway.key, "sandbox/slow-90000", False, "silent")
            wait_until(lambda: len(checker.query(gateway, "SELECT 1 FROM hold")) == 3, "not all run")
            gateway.process.send_signal(signal.SIGTERM)
            wait_until(lambda: _refused(gateway), "it goes on taking calls")
            short, long, whole = asked["short"].result(), asked["long"].result(), silent.result()
        gateway.process.wait(60)
        assert short.came_to == COMPLETE, "what could end did"
        assert long.came_to == BROKEN and "being stopped" in long.why, "what could not was told so"
        assert whole.status == 503 and "being stopped" in whole.why
        gateway.start()
        found = checker.receipts(gateway, {gateway.key})
        assert found[long.id or ""].partial and found[long.id or ""].cost > 0
        assert checker.check(gateway, [short, long, whole], wait_s=1) == [], (
            "settled before the end, not swept after it"
        )


def test_a_stopped_worker_settles_its_stream_when_it_goes_on(gateway: Gateway) -> None:
    """Ten seconds of SIGSTOP are no death: the others see the beats stand still, and release nothing."""
    _, key = gateway.account("1")
    with scripted(gateway, "openai-compatible", free=False) as (provider, name):
        provider.scripts["m"] = Script.sse(WORD, 14.0, WORD, LAST, DONE)
        with ThreadPoolExecutor(1) as threads:
            asked = threads.submit(Line(gateway.url).ask, key, f"{name}/m", True, "held")
            wait_until(lambda: holder(provider.port, gateway) is not None, "no worker asks the provider")
            stopped = holder(provider.port, gateway)
            assert stopped is not None
            os.kill(stopped, signal.SIGSTOP)
            try:
                time.sleep(10)
                assert checker.query(gateway, "SELECT 1 FROM hold"), "a live hold was released"
            finally:
                os.kill(stopped, signal.SIGCONT)
            outcome = asked.result()
    assert outcome.came_to == COMPLETE
    assert checker.check(gateway, [outcome]) == []


def holder(port: int, gateway: Gateway) -> int | None:
    """The worker that has a connection to a port."""
    for pid in gateway.worker_pids():
        if any(one.raddr and one.raddr.port == port for one in psutil.Process(pid).net_connections()):
            return pid
    return None
