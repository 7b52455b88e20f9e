"""Claims: what whoever looks after a task has to know of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from models import task as table
from models import writer

from ..clock import monotonic, now_ms

LEASE_MS = 60_000
"""How long a claim holds; whoever takes a long result renews it."""

_RENEW_S = LEASE_MS / 3_000
_T = TypeVar("_T")


class Moved(Exception):
    """Somebody else has this task by now."""


class Keeper:
    """Keeps a claim while something long is being read. Raises Moved when it is another's by now."""

    def __init__(self, row: dict[str, Any]) -> None:
        self._row, self._renewed = row, monotonic()

    def around(self, pieces: Iterable[_T]) -> Iterator[_T]:
        """The same pieces."""
        for piece in pieces:
            self.renew()
            yield piece

    def renew(self) -> None:
        """Hold on to the claim, if it is time."""
        if monotonic() - self._renewed > _RENEW_S:
            until = now_ms() + LEASE_MS
            if not writer.write(table.hold_on, self._row["id"], self._row["claim"], until, order="~"):
                raise Moved
            self._renewed = monotonic()
