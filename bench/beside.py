"""The tables of the side-by-side run: what was to be reached, and each figure for all who have it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from .found import Found, Row, number, ratio, table
from .subjects import KINDS

CPU_SHARE, LATENCY_SHARE, MEMORY_SHARE = 12, 4, 4
"""LiteLLM's figure through this is to be reached."""

TRANSLATED, GAP, START_S = 1.5, 1.5, 2.0
"""Most of a translated call, of the same-dialect one; of a gap between events, of the provider's own; of a start."""


def within(ours: float | None, most: float | None) -> bool | None:
    """Whether a figure is low enough; None where one is missing."""
    return None if ours is None or most is None else ours <= most


def _part(value: float | None, by: float) -> float | None:
    return None if value is None else value / by


def rows(found: Found, what: Collection[str]) -> list[Row]:
    """Every figure that was to be reached, of the shapes that were tried."""
    made: dict[str, Callable[[], list[Row]]] = {
        "whole": lambda: [_whole(found)],
        "translated": lambda: [_translated(found)],
        "streams": lambda: [_stream(found), gap(found)],
        "many": lambda: [thousand(found)],
        "calm": lambda: [_added(found, "p50"), _added(found, "p99")],
        "memory": lambda: [_memory(found)],
        "start": lambda: [start(found)],
    }
    return [row for shape, rows_of in made.items() if shape in what for row in rows_of()]


def _of_litellm(value: float | None, theirs: float | None) -> str:
    return f"{ratio(value, theirs)} of LiteLLM's {number(theirs)}" if theirs is not None else "no LiteLLM beside it"


def _ours(found: Found, shape: str, value: float | None, unit: str) -> str:
    return number(value, unit) if value is not None else found.reason(shape, "gateway") or "–"


def _failed(found: Found, shape: str, reached: bool | None) -> bool | None:
    """A row whose calls failed falls short; it is not unmeasured."""
    return False if (shape, "gateway") in found.why else reached


def _whole(found: Found) -> Row:
    ours, theirs, node = (found.get("whole", name, "cpu_us") for name in ("gateway", "litellm", "portkey"))
    limits = [limit for limit in (_part(theirs, CPU_SHARE), node) if limit is not None]
    reached = within(ours, min(limits)) if len(limits) == 2 else None
    return Row(
        "CPU a whole chat call, same dialect", _ours(found, "whole", ours, "µs"),
        f"≤ 1/{CPU_SHARE} of LiteLLM's, below Portkey's", _failed(found, "whole", reached),
        f"{_of_litellm(ours, theirs)}, "
        + (f"{ratio(ours, node)} of Portkey's {number(node)}" if node is not None else "no Portkey"),
    )  # fmt: skip


def _translated(found: Found) -> Row:
    ours, plain = found.get("translated", "gateway", "cpu_us"), found.get("whole", "gateway", "cpu_us")
    return Row(
        "CPU a translated call, Anthropic in, OpenAI out", _ours(found, "translated", ours, "µs"),
        f"≤ {TRANSLATED} × the same-dialect call",
        _failed(found, "translated", within(ours, plain and plain * TRANSLATED)),
        f"{ratio(ours, plain)} of {number(plain)}; {_of_litellm(ours, found.get('translated', 'litellm', 'cpu_us'))}",
    )  # fmt: skip


def _stream(found: Found) -> Row:
    ours, theirs = (found.get("streams", name, "cpu_us") for name in ("gateway", "litellm"))
    return Row(
        "CPU a stream of 20 events, same dialect", _ours(found, "streams", ours, "µs"),
        f"≤ 1/{CPU_SHARE} of LiteLLM's", _failed(found, "streams", within(ours, _part(theirs, CPU_SHARE))),
        _of_litellm(ours, theirs),
    )  # fmt: skip


def added(found: Found, name: str, share: str) -> float | None:
    """What a subject adds to the provider's own latency, in milliseconds."""
    through, direct = (found.get("calm", one, f"{share}_ms") for one in (name, "direct"))
    return None if through is None or direct is None else through - direct


def _added(found: Found, share: str) -> Row:
    ours, theirs, power = (added(found, name, share) for name in ("gateway", "litellm", "power"))
    return Row(
        f"added latency at 50 calls a second, {share}", _ours(found, "calm", ours, "ms"),
        f"≤ 1/{LATENCY_SHARE} of LiteLLM's", _failed(found, "calm", within(ours, _part(theirs, LATENCY_SHARE))),
        f"{_of_litellm(ours, theirs)}; with `power` {number(power, 'ms')}",
    )  # fmt: skip


def gap(found: Found) -> Row:
    """Of 200 streams at once."""
    ours, direct = (found.get("streams", name, "gap_p99_ms") for name in ("gateway", "direct"))
    return Row(
        "200 streams at once: gap between events, p99", _ours(found, "streams", ours, "ms"),
        f"≤ {GAP} × direct", _failed(found, "streams", within(ours, direct and direct * GAP)),
        f"{ratio(ours, direct)} of {number(direct)}",
    )  # fmt: skip


def thousand(found: Found) -> Row:
    """Streams at once, without an error."""
    failed, gap = found.most("many", "gateway", "failed"), found.get("many", "gateway", "gap_p99_ms")
    direct = found.get("many", "direct", "gap_p99_ms")
    reached = None if failed is None else failed == 0
    return Row(
        "1,000 streams at once", _ours(found, "many", failed, "errors"), "no error", _failed(found, "many", reached),
        f"gap p99 {number(gap, 'ms')}, direct {number(direct)}",
    )  # fmt: skip


def _memory(found: Found) -> Row:
    ours, whole, theirs = (
        found.get("memory", name, figure)
        for name, figure in (("gateway", "worker_mb"), ("gateway", "all_mb"), ("litellm", "worker_mb"))
    )
    return Row(
        "memory (PSS) of one worker after the run", number(ours, "MB"), f"≤ 1/{MEMORY_SHARE} of LiteLLM's",
        within(ours, _part(theirs, MEMORY_SHARE)), f"{_of_litellm(ours, theirs)}; with its master {number(whole)}",
    )  # fmt: skip


def start(found: Found) -> Row:
    """Of the gateway, twice: on a database that is there, and on an empty one."""
    ours, first = (found.get("start", "gateway", figure) for figure in ("start_s", "first_s"))
    longest = None if ours is None or first is None else max(ours, first)
    return Row(
        "start to first answer", number(ours, "s"), f"≤ {START_S:g} s", within(longest, START_S),
        f"on an empty database {number(first, 's')}; LiteLLM {number(found.get('start', 'litellm', 'start_s'), 's')}",
    )  # fmt: skip


def event(found: Found, name: str) -> float | None:
    """What one more event of a stream costs, in microseconds."""
    long, short = (found.get(shape, name, "cpu_us") for shape in ("long", "streams"))
    return None if long is None or short is None else (long - short) / 80


class Column(NamedTuple):
    title: str
    value: Callable[[Found, str], float | None]


def _figure(shape: str, title: str, figure: str) -> Column:
    return Column(title, lambda found, name: found.get(shape, name, figure))


_TABLES: tuple[tuple[str, str, tuple[Column, ...]], ...] = (
    ("whole", "A whole chat call, 64 connections that call again at once", (
        _figure("whole", "CPU, µs", "cpu_us"), _figure("whole", "calls a second", "per_second"))),
    ("crowd", "The same with 200 connections", (
        _figure("crowd", "calls a second", "per_second"), _figure("crowd", "refused (503), %", "refused_percent"),
        _figure("crowd", "failed", "failed"), _figure("crowd", "p99, ms", "p99_ms"))),
    ("translated", "With 32, for an Anthropic client", (
        _figure("translated", "CPU, µs", "cpu_us"), _figure("translated", "calls a second", "per_second"))),
    ("streams", "200 streams at once, of 20 events 20 ms apart", (
        _figure("streams", "CPU, µs", "cpu_us"), _figure("streams", "gap p99, ms", "gap_p99_ms"),
        _figure("streams", "gap max, ms", "gap_max_ms"), _figure("streams", "first event p99, ms", "first_p99_ms"))),
    ("long", "200 streams at once, of 100 events 20 ms apart", (
        _figure("long", "CPU, µs", "cpu_us"), _figure("long", "gap p99, ms", "gap_p99_ms"),
        _figure("long", "gap max, ms", "gap_max_ms"), Column("CPU an event, µs", event))),
    ("many", "1,000 streams at once, of 20 events 100 ms apart", (
        _figure("many", "CPU, µs", "cpu_us"), _figure("many", "gap p99, ms", "gap_p99_ms"),
        _figure("many", "first event p99, ms", "first_p99_ms"))),
    ("calm", "Latency at 50 calls a second", (
        Column("added p50, ms", lambda found, name: added(found, name, "p50")),
        Column("added p99, ms", lambda found, name: added(found, name, "p99")),
        _figure("calm", "p50, ms", "p50_ms"), _figure("calm", "p99, ms", "p99_ms"))),
    ("memory", "Memory after the run (PSS)", (
        _figure("memory", "largest process, MB", "worker_mb"), _figure("memory", "all its processes, MB", "all_mb"))),
    ("start", "Start to first answer", (_figure("start", "s", "start_s"),)),
)  # fmt: skip
"""Shape, title, columns: the first column is the one that ratios are of."""


def tables(found: Found) -> str:
    """A table for each figure: whoever has it, or why not."""
    return "\n".join(_table(found, *one) for one in _TABLES if any(shape == one[0] for shape, _ in found.rounds))


def _table(found: Found, shape: str, title: str, columns: Sequence[Column]) -> str:
    first = columns[0].value
    lines = []
    for kind in KINDS:
        values = [column.value(found, kind.name) for column in columns]
        why = found.reason(shape, kind.name)
        if values[0] is None and not why:
            continue
        ratios = [
            ratio(values[0], first(found, other)) if kind.name not in ("direct", other) else "–"
            for other in ("litellm", "portkey")
        ]
        shown = [number(value) for value in values] if values[0] is not None else [why, *[""] * (len(values) - 1)]
        lines.append((kind.title, *shown, *(ratios if values[0] is not None else ["", ""])))
    return f"### {title}\n\n" + table(
        ("", *(column.title for column in columns), "of LiteLLM's", "of Portkey's"), lines
    )
