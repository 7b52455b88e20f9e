"""What processes use: CPU time to the microsecond, and memory as it is shared."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

import psutil


def tree(roots: Iterable[int]) -> list[psutil.Process]:
    """The processes and all below them."""
    found = []
    for pid in roots:
        root = psutil.Process(pid)
        found += [root, *root.children(recursive=True)]
    return found


def cpu_s(roots: Iterable[int]) -> float:
    """User and system time of the processes and all below them, ended threads among it, ended processes not."""
    total = 0.0
    for process in tree(roots):
        try:
            total += time.clock_gettime(~process.pid << 3 | 2)  # the kernel's number for a process's own clock
        except OSError:
            pass  # it has ended meanwhile
    return total


class Memory(NamedTuple):
    """Proportional set sizes in MB: of the largest process, and of all together."""

    largest: float
    all: float


def memory(roots: Iterable[int]) -> Memory:
    sizes = [process.memory_full_info().pss / 1e6 for process in tree(roots)]
    return Memory(max(sizes), sum(sizes))
