"""`python -m bench.scale`: long prompts, many streams, a long history, many calls and many tasks."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.gateway import Gateway

from .. import found, peers, shapes
from ..found import Figures, Found, say
from ..programs import Provider, load, provider
from ..shapes import Failed
from ..starts import starts
from ..subjects import Subject, gateway, of
from . import growth, history, report, size, tasks

PARTS = ("size", "streams", "history", "memory", "tasks", "start")
HISTORY_ROUNDS = 5
USAGE = "/v1/usage"


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    words.add_argument("--only", metavar="NAME", action="append", choices=PARTS,
                       help=f"one of {', '.join(PARTS)}; may be repeated")  # fmt: skip
    words.add_argument("--seconds", type=float, default=3, help="of one load (3)")
    words.add_argument("--rounds", type=int, default=3, help="rounds, of which the median counts (3; of history 5)")
    words.add_argument("--calls", type=int, default=200_000, help="calls over which memory is watched (200,000)")
    words.add_argument("--receipts", type=int, default=1_000_000, help="of the history (1,000,000)")
    words.add_argument(
        "--tasks", type=int, default=tasks.OPEN, help="that run at once, of a list of 100 times as many (1,000)"
    )
    words.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    told = words.parse_args()
    parts = told.only or PARTS
    began, busy = time.monotonic(), found.busy()
    results = Found()
    if "history" in parts:
        with provider() as to, tempfile.TemporaryDirectory() as folder:
            rounds = max(told.rounds, HISTORY_ROUNDS) if told.rounds > 1 else 1
            _history(results, to, Path(folder), told.receipts, told.seconds, rounds)
    with provider() as to, tempfile.TemporaryDirectory() as folder:
        live = gateway(Path(folder) / "gateway", to)
        try:
            subject = of(live, "gateway")
            shapes.warm(subject, min(2, told.seconds))
            if "size" in parts:
                _size(results, subject, told.seconds, told.rounds)
            if "streams" in parts:
                both = Subject(name="direct", port=to.port, roots=(to.pid,)), subject
                _streams(results, both, told.seconds, told.rounds)
            if "memory" in parts:
                _memory(results, subject, told.calls)
        finally:
            live.stop()
    if "tasks" in parts:
        with provider() as to, tempfile.TemporaryDirectory() as folder:
            _tasks(results, to, Path(folder), told.tasks, told.rounds)
    if "start" in parts:
        starts(results, told.rounds)

    rows = report.rows(results, parts)
    about = found.machine(peers.versions(), told.rounds, told.seconds, busy)
    text = f"{about}\n\n{found.reached(rows)}\n{report.tables(results)}"
    found.tell("At scale", results, rows, text, as_json=told.json, keep=not told.only)
    say(f"that took {time.monotonic() - began:.0f} s")
    return 0


def _try(results: Found, shape: str, name: str, measure: Callable[..., Figures], *told: Any) -> None:
    """One measurement, told so; why it failed, if it did."""
    time.sleep(0.3)
    try:
        figures = measure(*told)
    except Failed as failed:
        results.why[shape, name] = str(failed)
        say(f"{shape:<11}{name:<9} {failed}")
        return
    results.add(shape, name, figures)
    say(f"{shape:<11}{name:<9} " + ", ".join(f"{figure} {value:,.2f}" for figure, value in figures.items()))


def _size(results: Found, subject: Subject, seconds: float, rounds: int) -> None:
    prompts = {name: made(subject) for name, made in size.PROMPTS.items()}
    for _ in range(rounds):
        for name, prompt in prompts.items():
            _try(results, "size", name, size.cost, subject, prompt, seconds)
            _try(results, "held", name, size.held, subject, prompt, seconds)


def _streams(results: Found, subjects: tuple[Subject, ...], seconds: float, rounds: int) -> None:
    for _ in range(rounds):
        for name, shape in (("streams", shapes.streams), ("many", shapes.many)):
            for subject in subjects:
                _try(results, name, subject.name, shape, subject, seconds)


def _history(results: Found, to: Provider, at: Path, receipts: int, seconds: float, rounds: int) -> None:
    empty, full = gateway(at / "empty", to), gateway(at / "full", to)
    try:
        shapes.warm(of(full, "full"), 0.5)
        began = time.monotonic()
        history.fill(full, to, receipts, max(2, receipts // 100), history.MODELS)
        results.add("rows", "full", {name: float(n) for name, n in history.counts(full).items()})
        say(f"history    filled in {time.monotonic() - began:.0f} s: {history.counts(full)}")
        for name, live in (("empty", empty), ("full", full)):
            shapes.warm(of(live, name), min(2, seconds))
        for _ in range(rounds):
            for name, live in (("empty", empty), ("full", full)):
                subject = of(live, name)
                _try(results, "call", name, shapes.whole, subject, seconds)
                _try(results, "one", name, size.cost, subject, subject.body(), seconds)
        _listed(results, full, rounds)
        for _ in range(rounds):
            results.add("by day", "full", {"query_ms": history.by_day_ms(full)})
    finally:
        empty.stop()
        full.stop()


def _listed(results: Found, full: Gateway, rounds: int) -> None:
    """What is asked of a history: all models, and what one account used by day."""
    subject = of(full, "full")

    def ask(path: str) -> Figures:
        seen = load(full.port, path, headers=subject.headers, calls=30)
        if seen["bad"]:
            raise Failed("not offered yet" if "404" in seen["bad"] else f"calls failed: {seen['bad']}")
        return {"p50_ms": seen["total_ms"]["p50"], "max_ms": seen["total_ms"]["max"]}

    for _ in range(rounds):
        _try(results, "models", "full", ask, "/v1/models")
        _try(results, "usage", "full", ask, USAGE)


def _tasks(results: Found, to: Provider, at: Path, count: int, rounds: int) -> None:
    film_mb, many = tasks.FILM_MB * count // tasks.OPEN, tasks.LISTED * count // tasks.OPEN
    with tasks.studio(to, at / "studio", film_mb) as live:
        results.add("asked", "tasks", {"open": float(count), "film_mb": float(film_mb)})
        for _ in range(rounds):
            _try(results, "film", "gateway", tasks.film, live, film_mb)
        _try(results, "open", "gateway", tasks.open_ones, live, count, 20.0 * count / tasks.OPEN)
        tasks.fill(live, tasks.FEW)
        _try(results, "list", "few", tasks.listed, live)
        tasks.fill(live, many)
        _try(results, "list", "many", tasks.listed, live)


def _memory(results: Found, subject: Subject, calls: int) -> None:
    sizes = growth.run(subject, calls, say)
    a_call, mean = growth.slope(sizes)
    results.add("growth", "gateway", {
        "calls": sizes[-1][0], "percent": 100 * a_call * sizes[-1][0] / mean, "first_mb": sizes[growth.WARM][1],
        "last_mb": sizes[-1][1], "mean_mb": mean,
    })  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
