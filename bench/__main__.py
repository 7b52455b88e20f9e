"""`python -m bench`: this gateway beside others, in front of the same provider, in one run of interleaved rounds."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from . import beside, found, peers, shapes
from .found import Figures, say
from .programs import Missing, provider
from .shapes import Failed
from .starts import starts
from .subjects import KINDS, Subject

SHAPES: dict[str, tuple[Callable[[Subject, float], Figures], float, tuple[str, ...]]] = {
    "whole": (shapes.whole, 1, ("direct", "constant", "litellm", "portkey", "gateway", "nginx")),
    "crowd": (shapes.crowd, 1, ("litellm", "portkey", "gateway")),
    "translated": (shapes.translated, 1, ("litellm", "portkey", "gateway", "nginx")),
    "streams": (shapes.streams, 1, ("direct", "litellm", "portkey", "gateway", "nginx")),
    "long": (shapes.long, 1, ("direct", "gateway")),
    "many": (shapes.many, 1, ("direct", "gateway", "nginx")),
    "calm": (shapes.calm, 1.5, ("direct", "constant", "litellm", "portkey", "gateway", "power", "nginx")),
}
"""Shape → what is done, how much longer than others, and with whom."""

STARTS = 3
SETTLE_S = 0.3
"""Between two loads, so that what one leaves behind does not stand in the other's figures."""


def main() -> int:
    names = [kind.name for kind in KINDS]
    words = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    words.add_argument(
        "--only", metavar="NAME", action="append", default=[], choices=[*names, *SHAPES, "start"],
        help=f"one of whom ({', '.join(names)}) or what ({', '.join(SHAPES)}, start); may be repeated",
    )  # fmt: skip
    words.add_argument("--seconds", type=float, default=4, help="of one load (4)")
    words.add_argument("--rounds", type=int, default=3, help="rounds, of which the median counts (3)")
    words.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    told = words.parse_args()
    who = [kind for kind in KINDS if not {*told.only} & {*names} or kind.name in (*told.only, "direct")]
    what = [name for name in (*SHAPES, "start") if not {*told.only} & {*SHAPES, "start"} or name in told.only]
    began, busy = time.monotonic(), found.busy()
    results = found.Found()
    with provider() as to, tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        subjects: dict[str, Subject] = {}
        for kind in who:
            try:
                subjects[kind.name] = running.enter_context(kind.run(to, Path(folder)))
            except Missing as missing:
                results.why["", kind.name] = str(missing)
                say(f"{kind.name}: {missing}")
                continue
            say(f"{kind.name} runs")
            if kind.name != "direct":
                shapes.warm(subjects[kind.name], min(2, told.seconds))
        measure(results, subjects, [name for name in what if name in SHAPES], told.seconds, told.rounds)
        for name, subject in subjects.items():
            results.add("memory", name, shapes.kept(subject, 0))
    if "start" in what:
        for name, subject in subjects.items():
            if subject.start_s is not None:
                results.add("start", name, {"start_s": subject.start_s})
        if "gateway" in subjects:
            starts(results, min(STARTS, told.rounds))

    rows = beside.rows(results, (*what, "memory"))
    about = found.machine(peers.versions(), told.rounds, told.seconds, busy)
    text = f"{about}\n\n{found.reached(rows)}\n{beside.tables(results)}"
    found.tell("Side by side", results, rows, text, as_json=told.json, keep=not told.only)
    say(f"that took {time.monotonic() - began:.0f} s")
    return 0


def measure(results: found.Found, subjects: dict[str, Subject], what: list[str], seconds: float, rounds: int) -> None:
    """All shapes with all who can be asked so, round after round, each time in another order."""
    for number in range(1, rounds + 1):
        for name in what:
            shape, longer, who = SHAPES[name]
            asked = [subjects[one] for one in who if one in subjects]
            for subject in random.sample(asked, len(asked)):
                if name == "translated" and not subject.messages:
                    results.why[name, subject.name] = "does not carry Anthropic's Messages to a provider of Chat"
                if (name, subject.name) in results.why:
                    continue
                time.sleep(SETTLE_S)
                try:
                    figures = shape(subject, seconds * longer)
                except Failed as failed:
                    results.why[name, subject.name] = str(failed)
                    say(f"round {number}  {name:<11}{subject.name:<9} {failed}")
                    continue
                results.add(name, subject.name, figures)
                shown = ", ".join(f"{figure} {value:,.1f}" for figure, value in figures.items())
                say(f"round {number}  {name:<11}{subject.name:<9} {shown}")


if __name__ == "__main__":
    sys.exit(main())
