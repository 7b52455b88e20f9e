"""`python -m tests.faults`: try the fault catalogue, print a line for each fault and the headline figures.

Exits 1 when anything was wrong. The seed tells which client asks what when; with the same one a run asks the same.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any

from tests.faults.catalogue import CATALOGUE, Fault
from tests.faults.lab import Found, Lab, lab

HEADLINES = (
    ("p99 added by failover, ms", ("refused", "reset", "failing"), "p99 added ms"),
    ("seconds to open, longest", ("refused", "reset", "failing"), "open s"),
    ("seconds to recover, longest", ("refused", "reset", "failing"), "recover s"),
    ("amplification, most", None, "amplification"),
    ("longest stall of a running stream, ms", None, "stall ms"),
    ("goodput at 5x overload, of peak", None, "goodput 5x"),
    ("p99 of a refusal at 5x overload, ms", None, "refused p99 ms 5x"),
)
"""What is read off the faults' figures: a name, the faults that count (None: all), the figure."""


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    words.add_argument("--only", metavar="NAME", action="append", help="one fault, by name or number; may be repeated")
    words.add_argument("--seed", type=int, default=random.randrange(1 << 20), help="which run; printed at its end")
    words.add_argument("--short", action="store_true", help="the short form: the faults of providers only")
    words.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    told = words.parse_args()
    chosen = [fault for fault in CATALOGUE if _chosen(fault, told)]
    if not chosen:
        words.error(f"no such fault; there are: {', '.join(fault.name for fault in CATALOGUE)}")

    def say(text: str) -> None:
        if not told.json:
            print(text, flush=True)

    def progress(text: str) -> None:
        print(f"      {text}", file=sys.stderr, flush=True)

    say(f"seed {told.seed}; {len(chosen)} faults")
    say(f"{'no':>3} {'fault':<22}{'tried':>7}{'wrong':>7}  figures")
    results: dict[str, Found] = {}
    shared: Lab | None = None
    context: Any = None
    try:
        for fault in chosen:
            began = time.monotonic()
            progress(f"{fault.name}: {fault.what}")
            try:
                if fault.alone:
                    found = fault.run(told.seed, progress)
                else:
                    if shared is None:
                        context = lab(told.seed, say=progress)
                        shared = context.__enter__()
                    found = fault.run(shared)
            except Exception:
                found = Found(1, [f"the try itself failed: {traceback.format_exc()[-1500:]}"])
            results[fault.name] = found
            say(_line(fault, found, time.monotonic() - began))
    finally:
        if context is not None:
            context.__exit__(None, None, None)
    headline = _headline(results, told.seed)
    if told.json:
        rows = {name: {**vars(found)} for name, found in results.items()}
        print(json.dumps({"headline": headline, "faults": rows}))
    else:
        print()
        for name, value in headline.items():
            print(f"{name:<44} {value}")
    return 1 if any(found.wrong for found in results.values()) else 0


def _chosen(fault: Fault, told: argparse.Namespace) -> bool:
    if told.only:
        return fault.name in told.only or str(fault.number) in told.only
    return not told.short or not fault.alone


def _line(fault: Fault, found: Found, seconds: float) -> str:
    figures = (
        f"not tried: {found.skipped}" if found.skipped else ", ".join(f"{k} {v}" for k, v in found.figures.items())
    )
    head = f"{fault.number:>3} {fault.name:<22}{found.tried:>7}{len(found.wrong):>7}  {figures}  ({seconds:.0f} s)"
    return "\n".join([head, *(f"      WRONG {line}" for line in found.wrong[:12])])


def _headline(results: dict[str, Found], seed: int) -> dict[str, Any]:
    tried = [found for found in results.values() if not found.skipped]
    good, calls = (sum(found.availability[place] for found in tried) for place in (0, 1))
    money = sum(1 for found in tried for line in found.wrong if line.startswith(("I1", "I2", "I3", "I4", "I5", "I6")))
    found: dict[str, Any] = {}
    if calls:
        found["availability under single-provider fault"] = f"{100 * good / calls:.3f} % ({good} of {calls})"
    found["money errors"] = f"{money} of {sum(one.checked for one in tried)} calls held against the books"
    if hostile := results.get("bad-inputs"):
        found["bad inputs"] = f"{hostile.tried} tried, {len(hostile.wrong)} wrong"
    for title, names, figure in HEADLINES:
        values = [
            one.figures[figure]
            for name, one in results.items()
            if figure in one.figures and one.figures[figure] is not None and (names is None or name in names)
        ]
        if values:
            found[title] = min(values) if "goodput" in figure else max(values)
    found["faults"] = f"{len(tried)} tried, {sum(bool(one.wrong) for one in tried)} wrong"
    skipped = [name for name, one in results.items() if one.skipped]
    if skipped:
        found["not tried"] = ", ".join(skipped)
    found["seed"] = seed
    found["machine"] = (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}"
    )
    found["load average"] = f"{os.getloadavg()[0]:.1f}"
    found["date"] = f"{datetime.now(UTC):%Y-%m-%d}"
    return found


if __name__ == "__main__":
    sys.exit(main())
