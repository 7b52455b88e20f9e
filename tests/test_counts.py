"""What is counted, and the memory that it is counted in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import counts


@pytest.fixture
def family() -> Iterator[counts.Family]:
    made = counts.Family("of_a_test", "What a test counts.", ("name",))
    yield made
    del counts.FAMILIES["of_a_test"]


def test_names_without_end_are_counted_as_others() -> None:
    """In a process of its own: the memory is each process's."""
    program = """
import json
from gateway import counts
family = counts.Family("many", "Many.", ("name",))
for n in range(3 * counts.MOST):
    family.add((f"name-{n}" * 20,))
family.add(("name-1" * 20,))
wide = counts.Histogram("wide", "Wide.", ("name",), range(40))
for n in range(counts.MOST):
    wide.observe((f"w{n}",), n)
counts.CALLS.add(("a", "b", "c", "d", "e"))
series = counts.read().series
print(json.dumps([
    len(series["many"]), sum(count for count, in series["many"].values()), series["many"][counts.OTHER,][0] > 1_000,
    series["many"]["name-1" * 20,], sum(sum(cells[:-1]) for cells in series["wide"].values()),
    sum(count for count, in series["calls"].values()), counts.MOST,
]))
"""
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root)
    found = json.loads(done.stdout or pytest.fail(done.stderr))
    kept, counted, others, twice, observed, calls, most = found
    assert kept <= most + 1 and counted == 3 * most + 1 and others and twice == [2]
    assert (observed, calls) == (most, 1), "memory that is full loses nothing"


def test_values_fall_into_the_first_bound_that_holds_them(family: counts.Family) -> None:
    sizes = counts.Histogram("of_a_test", "Sizes.", ("name",), (1, 2.5))
    for value in (0, 1, 1.5, 2.5, 3):
        sizes.observe(("x",), value)
    assert counts.read().series["of_a_test"]["x",] == [2, 2, 1, 8_000_000]


def test_seats_are_given_again_and_keep_what_was_counted() -> None:
    """As the master and its workers do it, with real forks."""
    program = """
import os
from gateway import counts
counts.share()
assert [counts.free_seat(taken) for taken in ((), (0,), (0, 2), (1, 2))] == [0, 1, 1, 0]
for seat, times in ((0, 3), (1, 4), (0, 5)):
    child = os.fork()
    if not child:
        counts.sit(seat)
        for _ in range(times):
            counts.RESTS.add(("lab", "server"))
        counts.put(counts.IN_HAND, times)
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    before = counts.read()
    counts.leave(seat)
print(before.series["rests"]["lab", "server"], before.workers, before.in_hand, counts.read().workers, counts.read().in_hand)
"""
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root, env={**os.environ})
    assert done.stdout.strip() == "[12] 1 5 0 0", done.stderr
