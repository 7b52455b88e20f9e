"""The sweeper: gives back the holds of processes that are gone.

Each worker raises a number in the database every two seconds, and looks at the others' numbers. One that has stood
still while this worker raised its own DEAD_BEATS times belongs to a dead process. No clock takes part: a clock step
frees nothing, a worker that is stopped for ten seconds keeps its holds, and while the database takes no writes nobody
seems dead. To sweep twice is harmless, so every worker may. A task that its provider has taken is nobody's, and stays;
one that was just being handed over has failed.
"""

from __future__ import annotations

from models import ledger as book
from models import task, worker, writer
from models.base import session

from ..clock import now_ms
from . import ledger

BEAT_S = 2.0
DEAD_BEATS = 7


class Sweeper:
    """One worker's view of all workers: name → (its number, ours when we first saw it)."""

    def __init__(self) -> None:
        self._beats = 0
        self._seen: dict[str, tuple[int, int]] = {}

    def tick(self) -> int:
        """Say that this worker lives, and release the holds of those that do not; how many."""
        writer.write(worker.beat, ledger.WORKER, self._beats + 1, now_ms())
        self._beats += 1
        with session():
            beats = worker.beats()
            names = beats.keys() | book.hold_workers()
        released = 0
        for name in names - {ledger.WORKER, task.NOBODY}:
            number = beats.get(name, 0)
            if self._seen.get(name, (None, 0))[0] != number:
                self._seen[name] = (number, self._beats)
            elif self._beats - self._seen[name][1] >= DEAD_BEATS:
                released += self._bury(name)
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}
        return released

    def _bury(self, name: str) -> int:
        with session():
            orphans = book.orphans(name)
        for hold_id, account_id in orphans:
            writer.write(task.bury, hold_id, now_ms(), order=account_id)
        writer.write(task.free, name, now_ms(), order="~")
        writer.write(worker.forget, name)
        return len(orphans)
