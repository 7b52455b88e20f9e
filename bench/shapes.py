"""The shapes of load: what clients do for some seconds, and the figures that are read off them.

Each takes a subject and a number of seconds and gives figures by name, their unit at its end (`cpu_us` is CPU time of
the subject's processes, a call). Raises Failed when more than one answer in a hundred was not as it should be.
"""

from __future__ import annotations

from typing import Any

from .found import Figures
from .processes import cpu_s, memory
from .programs import EVENTS, GAP_MS, WHOLE, WORD, load
from .subjects import Subject

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"

AT_ONCE, CROWD = 64, 200
"""Connections of a closed loop, each of which calls again as soon as it is answered: fewer than this gateway always
takes, however slow the machine is, and more, of which it may refuse some."""

CALM = 50
"""Calls a second where latency is looked at."""

STREAMS, LONG = 200, 100
"""Streams at once, and the events of a long one."""

MANY, MANY_GAP_MS = 1_000, 100
"""A thousand streams make as many events a second as 200, as theirs come five times as slowly."""

_MOST_BAD = 0.01


class Failed(Exception):
    """Calls failed, so that figures of them would say nothing; the text says how many and why."""


def _run(subject: Subject, path: str, body: bytes, **options: Any) -> tuple[dict[str, Any], float]:
    """What clients saw, and the CPU time of the subject's processes for a good answer, in microseconds."""
    before = cpu_s(subject.roots)
    seen = load(subject.port, path, body=body, headers=subject.headers, **options)
    used = cpu_s(subject.roots) - before
    bad = sum(seen["bad"].values())
    if bad > _MOST_BAD * (bad + seen["good"]) or not seen["good"]:
        why = ", ".join(f"{n} {reason}" for reason, n in seen["bad"].items())
        raise Failed(f"{bad} of {bad + seen['good']} calls failed ({why})")
    return seen, used / seen["good"] * 1e6


def _closed(subject: Subject, path: str, body: bytes, seconds: float) -> Figures:
    seen, cpu_us = _run(subject, path, body, connections=AT_ONCE, seconds=seconds, mark=WHOLE)
    return {"cpu_us": cpu_us, "per_second": seen["in_time"] / seconds, "failed": float(sum(seen["bad"].values()))}


def whole(subject: Subject, seconds: float) -> Figures:
    """Whole answers, one after another."""
    return _closed(subject, CHAT, subject.body(), seconds)


def translated(subject: Subject, seconds: float) -> Figures:
    """The same for an Anthropic client."""
    return _closed(subject, MESSAGES, subject.message(), seconds)


def crowd(subject: Subject, seconds: float) -> Figures:
    """Twice as many, and how many of their calls were refused: of all, in percent."""
    seen = load(
        subject.port, CHAT, body=subject.body(), headers=subject.headers, connections=CROWD, seconds=seconds, mark=WHOLE
    )
    refused = seen["bad"].get("503", 0)
    failed = sum(seen["bad"].values()) - refused
    return {
        "per_second": seen["in_time"] / seconds, "p99_ms": seen["total_ms"]["p99"],
        "refused_percent": 100 * refused / max(1, seen["good"] + refused + failed), "failed": float(failed),
    }  # fmt: skip


def calm(subject: Subject, seconds: float) -> Figures:
    """Whole answers, so few that none waits for another."""
    seen, _ = _run(subject, CHAT, subject.body(), connections=AT_ONCE, seconds=seconds, rate=CALM, mark=WHOLE)
    return {f"{share}_ms": seen["total_ms"][share] for share in ("p50", "p99", "max")}


def streams(subject: Subject, seconds: float) -> Figures:
    """Streams, so many at once; they begin evenly, and each that ends is followed by another."""
    return _streamed(subject, f"bench-{EVENTS}-{GAP_MS}", STREAMS, seconds=seconds, spread=EVENTS * GAP_MS / 1e3)


def long(subject: Subject, seconds: float) -> Figures:
    """The same with long streams: what an event costs is the difference."""
    return _streamed(subject, f"bench-{LONG}-{GAP_MS}", STREAMS, seconds=seconds, spread=LONG * GAP_MS / 1e3)


def many(subject: Subject, seconds: float) -> Figures:
    """A thousand streams, each begun once, evenly over the time that one takes: all run when the first one ends."""
    return _streamed(subject, f"bench-{EVENTS}-{MANY_GAP_MS}", MANY, calls=MANY, spread=EVENTS * MANY_GAP_MS / 1e3)


def _streamed(subject: Subject, model: str, at_once: int, **options: Any) -> Figures:
    body, events = subject.body(model, stream=True), int(model.split("-")[1])
    seen, cpu_us = _run(subject, CHAT, body, connections=at_once, mark=WORD, times=events, **options)
    return {
        "cpu_us": cpu_us, "gap_p50_ms": seen["gap_ms"]["p50"], "gap_p99_ms": seen["gap_ms"]["p99"],
        "gap_max_ms": seen["gap_ms"]["max"], "first_p99_ms": seen["first_ms"]["p99"],
        "failed": float(sum(seen["bad"].values())),
    }  # fmt: skip


def warm(subject: Subject, seconds: float) -> Figures:
    """Calls that nobody counts, so that what is made at the first ones is there."""
    _run(subject, CHAT, subject.body(), connections=16, seconds=seconds, mark=WHOLE)
    return {}


def kept(subject: Subject, seconds: float) -> Figures:
    """Memory as it is now."""
    now = memory(subject.roots)
    return {"worker_mb": now.largest, "all_mb": now.all}
