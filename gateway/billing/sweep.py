"""The sweeper: gives back the holds of processes that are gone.

Each worker raises a number in the database every two seconds (`beat`); each worker also watches the others' numbers by
its own monotonic clock. A number that has stood still for DEAD_S belongs to a dead process. No wall clock takes part,
so a clock step frees nothing, and a worker that is stopped for ten seconds keeps its holds. To sweep twice is harmless,
so every worker may.
"""

from __future__ import annotations

from models import ledger as book
from models import worker, writer
from models.base import session

from ..clock import monotonic, now_ms
from . import ledger

BEAT_S = 2.0
DEAD_S = 14.0
FORGET_S = 600.0


class Sweeper:
    """One worker's view of all workers: name → (its number, since when it stands there)."""

    def __init__(self) -> None:
        self._beat = 0
        self._seen: dict[str, tuple[int, float]] = {}
        self._looked_at = monotonic()

    def beat(self) -> None:
        """Say that this worker lives."""
        self._beat += 1
        writer.write(worker.beat, ledger.WORKER, self._beat, now_ms())

    def sweep(self) -> int:
        """Release the holds of dead workers; how many."""
        with session():
            beats = worker.beats()
            holders = book.hold_workers()
        now = monotonic()
        asleep, self._looked_at = now - self._looked_at > DEAD_S / 2, now
        for name in beats.keys() | holders:
            number = beats.get(name, -1)
            if asleep or self._seen.get(name, (None, 0.0))[0] != number:
                self._seen[name] = (number, now)  # it moved, or we could not have seen it move
        released = 0
        for name, (_, since) in list(self._seen.items()):
            if name == ledger.WORKER:
                continue
            if name in holders and now - since > DEAD_S:
                released += self._release(name)
            if now - since > FORGET_S:
                writer.write(worker.forget, name)
                del self._seen[name]
        return released

    def _release(self, name: str) -> int:
        with session():
            orphans = book.orphans(name)
        for hold_id in orphans:
            writer.write(book.release, hold_id)
        return len(orphans)
