"""Calls that have no result yet. Clients may send a hundred thousand of them, so each is found without a search."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Unanswered(Generic[T]):
    """What stands for each call, by its id and by the name of its tool, the first of each first."""

    def __init__(self) -> None:
        self._calls: list[T | None] = []
        self._waiting: dict[tuple[str, str | None], deque[int]] = {}

    def add(self, call: T, *, identity: str, name: str) -> None:
        for key in (("id", identity), ("name", name), ("any", None)):
            self._waiting.setdefault(key, deque()).append(len(self._calls))
        self._calls.append(call)

    def of_id(self, identity: str) -> T | None:
        """The first call of this id, which is answered now."""
        return self._take(("id", identity))

    def of_name(self, name: str | None) -> T | None:
        """The first call of this tool, or of any, which is answered now."""
        return self._take(("any", None) if name is None else ("name", name))

    def _take(self, key: tuple[str, str | None]) -> T | None:
        waiting = self._waiting.get(key)
        while waiting:
            place = waiting.popleft()
            call, self._calls[place] = self._calls[place], None
            if call is not None:
                return call
        return None
