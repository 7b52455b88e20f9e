"""The tables of the run at scale."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ..beside import gap, start, thousand, within
from ..found import Found, Row, number, ratio, table

ADDED_MS = {"images": 10.0, "text": 20.0}
"""CPU that a long prompt may add to a call."""

HELD_MS = 20.0
MORE = 1.10
"""A call with a history, of one without."""

MODELS_MS, USAGE_MS = 20.0, 50.0
GROWTH_PERCENT = 5.0
OPEN_PERCENT, FILM_TAKES_MB, LISTED = 5.0, 16.0, 1.5
"""CPU that open tasks may take, of a core; memory that a long video may take; a page of a long list, of one of few."""

_KINDS = {"images": "2 MB of inline images", "text": "2 MB of escaped text"}


def rows(found: Found, parts: Collection[str]) -> list[Row]:
    """Every figure that was to be reached, of the parts that were run."""
    made: dict[str, Callable[[], list[Row]]] = {
        "size": lambda: [row(found, kind) for row in (_added, _held) for kind in ADDED_MS],
        "streams": lambda: [gap(found), thousand(found)],
        "history": lambda: [
            _with_history(found, "call", "cpu_us", "CPU a call", "µs"),
            _with_history(found, "one", "p50_ms", "time of a call that is alone, p50", "ms"),
            _models(found),
            _usage(found),
        ],
        "memory": lambda: [_growth(found)],
        "tasks": lambda: [_open(found), _film(found), _list(found, "first"), _list(found, "deep")],
        "start": lambda: [start(found)],
    }
    return [row for part, rows_of in made.items() if part in parts for row in rows_of()]


def _added(found: Found, kind: str) -> Row:
    long, small = (found.get("size", name, "cpu_ms") for name in (kind, "small"))
    ours = None if long is None or small is None else long - small
    return Row(
        f"{_KINDS[kind]}: added CPU, same dialect",
        number(ours, "ms") if ours is not None else found.reason("size", kind),
        f"≤ {ADDED_MS[kind]:g} ms", _or_failed(found, "size", kind, within(ours, ADDED_MS[kind])),
        f"a small call {number(small)}",
    )  # fmt: skip


def _held(found: Found, kind: str) -> Row:
    longest, usual, small = (
        found.most("held", kind, "longest_ms"), found.get("held", kind, "longest_ms"),
        found.most("held", "small", "longest_ms"),
    )  # fmt: skip
    return Row(
        f"{_KINDS[kind]}: longest time that the event loop was held",
        number(longest, "ms") if longest is not None else found.reason("held", kind),
        f"≤ {HELD_MS:g} ms", _or_failed(found, "held", kind, within(longest, HELD_MS)),
        f"in the median round {number(usual)}; while small calls came {number(small)}",
    )  # fmt: skip


def _or_failed(found: Found, shape: str, name: str, reached: bool | None) -> bool | None:
    return False if (shape, name) in found.why else reached


def _with_history(found: Found, shape: str, figure: str, what: str, unit: str) -> Row:
    full, empty = (found.get(shape, name, figure) for name in ("full", "empty"))
    return Row(
        f"with a history: {what}", number(full, unit) if full is not None else found.reason(shape, "full"),
        f"≤ {MORE:g} × without", _or_failed(found, shape, "full", within(full, empty and empty * MORE)),
        f"{ratio(full, empty)} of {number(empty)}",
    )  # fmt: skip


def _models(found: Found) -> Row:
    usual, longest = found.get("models", "full", "p50_ms"), found.most("models", "full", "max_ms")
    return Row(
        "with a history: `/v1/models`", number(usual, "ms") if usual is not None else found.reason("models", "full"),
        f"≤ {MODELS_MS:g} ms", _or_failed(found, "models", "full", within(usual, MODELS_MS)),
        f"longest {number(longest)}, when the list was made",
    )  # fmt: skip


def _usage(found: Found) -> Row:
    usual, query = found.get("usage", "full", "p50_ms"), found.get("by day", "full", "query_ms")
    return Row(
        "with a history: usage by day of one account",
        number(usual, "ms") if usual is not None else found.reason("usage", "full"),
        f"≤ {USAGE_MS:g} ms", within(usual, USAGE_MS), f"the sums in the database alone {number(query, 'ms')}",
    )  # fmt: skip


def _growth(found: Found) -> Row:
    percent, first, last, calls = (
        found.get("growth", "gateway", figure) for figure in ("percent", "first_mb", "last_mb", "calls")
    )
    return Row(
        f"memory (PSS) of a worker over {number(calls)} calls", f"{percent:+.1f} %" if percent is not None else "–",
        f"0 within {GROWTH_PERCENT:g} %", within(None if percent is None else abs(percent), GROWTH_PERCENT),
        f"{number(first)} MB after the first fifth, {number(last)} at the end",
    )  # fmt: skip


def _open(found: Found) -> Row:
    used, count = found.get("open", "gateway", "core_percent"), found.get("asked", "tasks", "open")
    return Row(
        f"{number(count)} tasks that run: CPU of a core",
        number(used, "%") if used is not None else found.reason("open", "gateway"), f"≤ {OPEN_PERCENT:g} %",
        _or_failed(found, "open", "gateway", within(used, OPEN_PERCENT)), "in their first seconds, when most is asked",
    )  # fmt: skip


def _film(found: Found) -> Row:
    copied, fetched = (found.most("film", "gateway", figure) for figure in ("copied_mb", "fetched_mb"))
    most = None if copied is None or fetched is None else max(copied, fetched)
    return Row(
        f"a video of {number(found.get('asked', 'tasks', 'film_mb'))} MB: memory of the worker while it passes",
        number(most, "MB") if most is not None else found.reason("film", "gateway"), f"≤ {FILM_TAKES_MB:g} MB",
        _or_failed(found, "film", "gateway", within(most, FILM_TAKES_MB)),
        f"copied in {number(copied)}, fetched {number(fetched)}",
    )  # fmt: skip


def _list(found: Found, place: str) -> Row:
    few, many = (found.get("list", name, f"{place}_ms") for name in ("few", "many"))
    return Row(
        f"a {'' if place == 'first' else 'late '}page of {number(found.get('list', 'many', 'tasks'))} tasks",
        number(many, "ms") if many is not None else found.reason("list", "many"), f"≤ {LISTED:g} × of few",
        _or_failed(found, "list", "many", within(many, few and few * LISTED)), f"{ratio(many, few)} of {number(few)}",
    )  # fmt: skip


def tables(found: Found) -> str:
    """What stands behind the rows."""
    made = []
    if any(shape == "size" for shape, _ in found.rounds):
        made.append("### Long prompts\n\n" + table(
            ("", "CPU a call, ms", "time of a call, p50, ms", "`/healthz` meanwhile, p99, ms", "longest, ms"),
            (
                (_KINDS.get(kind, "a small prompt"), number(found.get("size", kind, "cpu_ms")),
                 number(found.get("size", kind, "p50_ms")), number(found.get("held", kind, "p99_ms")),
                 number(found.most("held", kind, "longest_ms")))
                for kind in ("small", *_KINDS)
            ),
        ))  # fmt: skip
    if any(shape == "streams" for shape, _ in found.rounds):
        made.append("### Streams\n\n" + table(
            ("", "gap p50, ms", "p99", "max", "first event p99", "CPU a stream, µs"),
            (
                (f"{title}, {name}", *(number(found.get(shape, subject, figure)) for figure in
                                       ("gap_p50_ms", "gap_p99_ms", "gap_max_ms", "first_p99_ms", "cpu_us")))
                for shape, title in (("streams", "200, events 20 ms apart"), ("many", "1,000, events 100 ms apart"))
                for subject, name in (("direct", "the provider itself"), ("gateway", "this gateway"))
            ),
        ))  # fmt: skip
    rows_of = found.rounds.get(("rows", "full"))
    if rows_of:
        counted = ", ".join(f"{int(n):,} of `{name}`" for name, n in rows_of[0].items())
        made.append("### A history\n\nRows: " + counted + ".\n\n" + table(
            ("", "CPU a call, µs", "calls a second", "time of a call that is alone, p50, ms"),
            (
                (title, number(found.get("call", name, "cpu_us")), number(found.get("call", name, "per_second")),
                 number(found.get("one", name, "p50_ms")))
                for name, title in (("empty", "without"), ("full", "with it"))
            ),
        ))  # fmt: skip
    return "\n".join(made)
