"""Memory over many calls: the worker's proportional set size after each part of them, and a line through it."""

from __future__ import annotations

from collections.abc import Callable

from ..processes import memory
from ..programs import WHOLE, WORD, load
from ..shapes import CHAT, MESSAGES
from ..subjects import Subject

PARTS = 50
WARM = 10
"""Of so many parts the first do not count: caches fill, and memory that was freed is used again only after a while."""


def run(subject: Subject, calls: int, say: Callable[[str], None]) -> list[tuple[int, float]]:
    """(calls so far, MB) after each part: eight of ten calls whole, one streamed, one translated."""
    sizes = []
    each = max(10, calls // PARTS)
    for part in range(1, PARTS + 1):
        for path, body, share, mark in (
            (CHAT, subject.body(), 8, (WHOLE, 1)),
            (CHAT, subject.body("bench-20-0", stream=True), 1, (WORD, 20)),
            (MESSAGES, subject.message(), 1, (WHOLE, 1)),
        ):
            load(
                subject.port, path, body=body, headers=subject.headers, connections=16, calls=each * share // 10,
                mark=mark[0], times=mark[1],
            )  # fmt: skip
        sizes.append((part * each, memory(subject.roots).largest))
        if part % 5 == 0:
            say(f"memory     {sizes[-1][0]:,} calls, {sizes[-1][1]:.2f} MB")
    return sizes


def slope(sizes: list[tuple[int, float]]) -> tuple[float, float]:
    """The line through the sizes without the first: MB a call, and MB at the mean (least squares)."""
    counted = sizes[WARM:]
    mean_x = sum(x for x, _ in counted) / len(counted)
    mean_y = sum(y for _, y in counted) / len(counted)
    across = sum((x - mean_x) * (y - mean_y) for x, y in counted)
    return across / sum((x - mean_x) ** 2 for x, _ in counted), mean_y
