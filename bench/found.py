"""What was found: figures by shape and subject, a round each; and how they are written down."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from .programs import HERE

Figures = dict[str, float]
"""Figure → value, of one round; the unit is at the end of the name."""

RESULTS = HERE / "RESULTS.md"

_HEAD = """# Results

Written by `make bench` and `make bench-scale`, each its own part; docs/performance.md says how it is measured. Figures
are medians of interleaved rounds. On another machine read the ratios.
"""

_QUIET = 0.5
"""Load average of a machine that does nothing else."""

REACHED, SHORT, OPEN = "✓", "✗ falls short", "– not measured"


class Found:
    """The figures so far."""

    def __init__(self) -> None:
        self.rounds: dict[tuple[str, str], list[Figures]] = {}
        self.why: dict[tuple[str, str], str] = {}
        """Why there is no figure, by shape and subject; the shape is empty where a subject could not be started."""

    def add(self, shape: str, subject: str, figures: Figures) -> None:
        self.rounds.setdefault((shape, subject), []).append(figures)

    def get(self, shape: str, subject: str, figure: str) -> float | None:
        """The median over the rounds; None where a round failed or there was none."""
        if (shape, subject) in self.why:
            return None
        rounds = self.rounds.get((shape, subject))
        return median(one[figure] for one in rounds) if rounds else None

    def most(self, shape: str, subject: str, figure: str) -> float | None:
        """The largest of all rounds."""
        rounds = self.rounds.get((shape, subject))
        return max(one[figure] for one in rounds) if rounds and (shape, subject) not in self.why else None

    def reason(self, shape: str, subject: str) -> str:
        """Why there is no figure."""
        return self.why.get((shape, subject)) or self.why.get(("", subject), "")

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for (shape, subject), rounds in self.rounds.items():
            if (shape, subject) not in self.why:
                medians = {figure: median(one[figure] for one in rounds) for figure in rounds[0]}
                found.setdefault(shape, {})[subject] = medians
        for (shape, subject), why in self.why.items():
            found.setdefault(shape or "start", {})[subject] = {"failed": why}
        return found


class Row(NamedTuple):
    """A figure that was to be reached: ours, what is to be reached, and whether it was; None is not measured. beside:
    what it is held against."""

    figure: str
    ours: str
    reach: str
    reached: bool | None
    beside: str = ""

    @property
    def mark(self) -> str:
        return OPEN if self.reached is None else REACHED if self.reached else SHORT


def number(value: float | None, unit: str = "") -> str:
    """Three digits that mean something."""
    if value is None:
        return "–"
    if not value:
        return f"0 {unit}".strip()
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}{' ' if unit else ''}{unit}"


def ratio(value: float | None, to: float | None) -> str:
    """`1/14.2` or `2.31 ×`."""
    if value is None or not to or value <= 0:
        return "–"
    return f"1/{to / value:.1f}" if to / value >= 2 else f"{value / to:.2f} ×"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def reached(rows: Iterable[Row]) -> str:
    """The table of what was to be reached."""
    return table(
        ("figure", "this gateway", "to be reached", "", "beside it"),
        ((row.figure, row.ours, row.reach, row.mark, row.beside) for row in rows),
    )


def busy() -> float:
    """The load average before a run, which is told where it spoils it."""
    now = os.getloadavg()[0]
    if now > _QUIET:
        say(f"this machine is busy with other things (load average {now:.1f}): figures will be worse than they are")
    return now


def machine(versions: dict[str, str], rounds: int, seconds: float, load: float) -> str:
    """Where, with what and how this was measured, in two lines."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    about = [f"{os.cpu_count()} cores ({model[1] if model else platform.machine()})", f"Linux {platform.release()}"]
    about += [f"Python {platform.python_version()}", *(f"{name} {version}" for name, version in versions.items())]
    return (
        f"{datetime.now(UTC):%d %B %Y}, commit {_commit()}. {'; '.join(about)}.\n"
        f"Rounds: {rounds}, of {seconds:g} s a load. Load average of the machine before them: {load:.1f}"
        + (" (busy with other things: figures are worse than they would be)." if load > _QUIET else ".")
    )


def _commit() -> str:
    done = subprocess.run(["git", "-C", str(HERE), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def write(title: str, text: str, to: Path = RESULTS) -> None:
    """Put a part into the page, in place of the one of that title before; other parts stay."""
    before = to.read_text() if to.exists() else _HEAD
    parts = re.split(r"(?m)^(?=## )", before)
    part = f"## {title}\n\n{text.strip()}\n\n"
    kept = [part if one.startswith(f"## {title}\n") else one for one in parts]
    if part not in kept:
        kept.append(part)
    to.write_text("".join(one.rstrip() + "\n\n" for one in kept).rstrip() + "\n")


def tell(title: str, results: Found, rows: list[Row], text: str, *, as_json: bool, keep: bool) -> None:
    """Print what was found, and keep it on the page if the run was a whole one."""
    if as_json:
        print(json.dumps({"rows": [{**row._asdict(), "mark": row.mark} for row in rows], "figures": results.as_json()}))
    else:
        print(text)
    if keep:
        write(title, text)
        say(f"written to {RESULTS}")


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)
