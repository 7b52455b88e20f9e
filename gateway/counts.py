"""What is counted for `/metrics`, in memory that all workers of this machine share.

The master makes the memory (`share`) and gives each worker a seat in it; the next worker on a seat goes on counting
where the last one ended, so no counter goes backward before the gateway itself is started anew. A seat is written by
its worker alone, eight bytes at a time: there is nothing to lock, to flush or to clean up, and what a worker has
counted is there however it dies. A count costs a look into a dictionary and an addition.

A seat begins with its cells, integers of 64 bits: a few of its own, then those of the series. Behind them is its
register, a line of JSON for each series: the family's name, the labels' values and the first cell. Whoever has no seat
(a verb, a test) counts for itself.
"""

from __future__ import annotations

import json
import mmap
import os
import tempfile
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

MOST = 1_000
"""Series of one family in one seat. Beyond them all are counted as OTHER, so that nobody makes memory grow by names."""

OTHER = "other"

_CELLS = 1 << 15
_SEAT = 2 * 8 * _CELLS
_REGISTER = _SEAT - 8 * _CELLS

_LENGTH, _USED, _TAKEN, IN_HAND, AT_MOST, _FIRST = range(6)
"""Cells of a seat's own: bytes in its register, cells in use, whether a worker sits there, and what that worker sets:
its calls in hand and the most that it takes now; where the series begin."""

Labels = tuple[str, ...]


class Family:
    """A counter: one cell a series. unit: what one of its integers is."""

    def __init__(self, name: str, help: str, labels: Labels, unit: float = 1) -> None:
        self.name, self.help, self.labels, self.unit = name, help, labels, unit
        self.width = 1
        self.places: dict[Labels, int] = {}
        FAMILIES[name] = self

    def add(self, labels: Labels, n: int = 1) -> None:
        place = self.places.get(labels)
        if place is None:
            place = _place(self, labels)
        _cells[place] += n


class Histogram(Family):
    """Values by size: a cell for each bound and one above, then their sum in millionths."""

    def __init__(self, name: str, help: str, labels: Labels, bounds: Sequence[float]) -> None:
        super().__init__(name, help, labels, 1e-6)
        self.bounds = tuple(bounds)
        self.width = len(bounds) + 2

    def observe(self, labels: Labels, value: float) -> None:
        place = self.places.get(labels)
        if place is None:
            place = _place(self, labels)
        _cells[place + bisect_left(self.bounds, value)] += 1
        _cells[place + self.width - 1] += int(value * 1_000_000)


FAMILIES: dict[str, Family] = {}

_LONG_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)
_SHORT_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_WHOSE = ("author", "provider", "channel")

CALLS = Family(
    "calls", "Calls that credit was held for, when they end. status: 2xx, 4xx, 5xx; gone: the client left.",
    ("surface", *_WHOSE, "status"),
)  # fmt: skip
TOKENS = Family("tokens", "Tokens that were charged or free, as receipts have them.", (*_WHOSE, "direction"))
COST = Family("cost_usd", "What callers were charged, in dollars.", _WHOSE, 1e-9)
CALL_S = Histogram(
    "call_seconds",
    "Time from a call's arrival to its end, of answered ones.",
    ("provider", "channel", "stream"),
    _LONG_S,
)
FIRST_S = Histogram(
    "first_event_seconds",
    "Time from a call's arrival to the first frame of its stream.",
    ("provider", "channel"),
    _LONG_S,
)
ATTEMPTS = Family(
    "attempts", "Attempts at providers. outcome: ok, abandoned (by us or the client), or why they failed.",
    ("provider", "channel", "outcome"),
)  # fmt: skip
FURTHER = Family(
    "further_attempts", "Attempts after one that failed. cause: why it did; to: same or other place.", ("cause", "to")
)
RESTS = Family("rests", "How often a model of a channel was put to rest.", ("channel", "cause"))
REFUSALS = Family(
    "refusals", "Requests that were refused before any provider was asked, by HTTP status.", ("surface", "status")
)
WRITES = Histogram("write_group_size", "Writes that were committed together.", (), (1, 2, 4, 8, 16, 32, 64))
WRITE_S = Histogram(
    "write_seconds", "Time that the database took for them, waiting for its lock included.", (), _SHORT_S
)
WRITES_FAILED = Family("write_groups_failed", "Groups of writes that the database did not take at once.", ())
LAG_S = Histogram("loop_lag_seconds", "How late a worker's event loop is, four looks a second.", (), _SHORT_S)


_file: int | None = None
_memory = mmap.mmap(-1, _SEAT)
_cells = memoryview(_memory)[: 8 * _CELLS].cast("q")
_cells[_USED] = _FIRST


def share() -> None:
    """Make the memory. Call once, in the master, before workers are made."""
    global _file
    if hasattr(os, "memfd_create"):
        _file = os.memfd_create("gateway-counts")
    else:
        with tempfile.TemporaryFile() as file:
            _file = os.dup(file.fileno())


def free_seat(taken: Iterable[int]) -> int:
    """A seat for the next worker, beside those that are taken. In the master."""
    seat = min(set(range(len(held := set(taken)) + 1)) - held)
    if _file is not None and os.fstat(_file).st_size < (seat + 1) * _SEAT:
        os.ftruncate(_file, (seat + 1) * _SEAT)
    return seat


def sit(seat: int) -> None:
    """Count on a seat from now on. In a worker that was just made."""
    global _memory, _cells
    if _file is None:
        return
    _memory = mmap.mmap(_file, _SEAT, offset=seat * _SEAT)
    _cells = memoryview(_memory)[: 8 * _CELLS].cast("q")
    _cells[_USED] = max(_cells[_USED], _FIRST)
    for family in FAMILIES.values():
        family.places.clear()
    for family, labels, place in _registered(_memory):
        family.places[labels] = place
    _cells[IN_HAND] = _cells[AT_MOST] = 0
    _cells[_TAKEN] = 1


def leave(seat: int) -> None:
    """The worker of a seat is gone. In the master."""
    if _file is not None:
        os.pwrite(_file, bytes(8 * (_FIRST - _TAKEN)), seat * _SEAT + 8 * _TAKEN)


def put(cell: int, value: int) -> None:
    """Set what a worker carries: IN_HAND or AT_MOST."""
    _cells[cell] = value


def _place(family: Family, labels: Labels) -> int:
    """The first cell of a new series."""
    others = (OTHER,) * len(labels)
    used, length = _cells[_USED], _cells[_LENGTH]
    line = json.dumps([family.name, labels, used]).encode() + b"\n"
    spare = sum(one.width for one in FAMILIES.values())  # for the others of each family
    full = used + family.width + spare > _CELLS or length + len(line) + (len(FAMILIES) << 8) > _REGISTER
    if labels != others and (full or len(family.places) >= MOST):
        known = family.places.get(others)
        return _place(family, others) if known is None else known
    begin = 8 * _CELLS + length
    _memory[begin : begin + len(line)] = line
    _cells[_USED] = used + family.width
    _cells[_LENGTH] = length + len(line)  # last: from here on the series is there
    family.places[labels] = used
    return used


def _registered(memory: bytes | mmap.mmap) -> Iterator[tuple[Family, Labels, int]]:
    length = int.from_bytes(memory[8 * _LENGTH : 8 * _LENGTH + 8], "little")
    for line in memory[8 * _CELLS : 8 * _CELLS + length].splitlines():
        name, labels, place = json.loads(line)
        yield FAMILIES[name], tuple(labels), place


class Reading(NamedTuple):
    """What all workers have counted: family → labels → the sums of its cells; and what those that live carry."""

    series: dict[str, dict[Labels, list[int]]]
    workers: int
    in_hand: int
    at_most: int


def read() -> Reading:
    """What all workers have counted so far, dead ones too."""
    if _file is None:
        seats = [bytes(_memory)]
    else:
        seats = [os.pread(_file, _SEAT, at) for at in range(0, os.fstat(_file).st_size, _SEAT)]
    series: dict[str, dict[Labels, list[int]]] = {name: {} for name in FAMILIES}
    workers = in_hand = at_most = 0
    for seat in seats:
        cells = memoryview(seat)[: 8 * _CELLS].cast("q")
        workers, in_hand, at_most = workers + cells[_TAKEN], in_hand + cells[IN_HAND], at_most + cells[AT_MOST]
        for family, labels, place in _registered(seat):
            mine = cells[place : place + family.width]
            known = series[family.name].get(labels)
            series[family.name][labels] = [a + b for a, b in zip(known, mine, strict=True)] if known else list(mine)
    return Reading(series, workers, in_hand, at_most)
