"""Names and ids in the letters that a vendor takes, and the words for what it has no word for.

Claude's vendor and Bedrock take ASCII letters, digits, `_` and `-` only in the names of tools and in the ids of calls.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections import deque

JSON_ONLY = "Answer with one JSON object and nothing else: no words around it and no code fence."
"""Asks for any JSON object, where there is no such form of answer."""

_UNFIT = re.compile(r"[^A-Za-z0-9_-]|_(?=x[0-9a-f]+(?:_|[^A-Za-z0-9_-]))")
_FITTED = re.compile(r"_x([0-9a-f]{1,5})_")
_ID = re.compile(r"[^A-Za-z0-9_-]")
_MOST_ID = 64
_ROOM = 10
"""Of an id that is made fit: for what tells it from others."""


def fitted(name: str) -> str:
    """A tool's name in the letters that the vendor takes; `called` gives it back."""
    return _UNFIT.sub(lambda found: f"_x{ord(found[0]):x}_", name)


def called(name: str) -> str:
    """The caller's own name of a tool."""
    return _FITTED.sub(lambda found: chr(int(found[1], 16)), name)


MOST_USER = 64
"""Letters of an end user's id that OpenAI takes; others take 128. Claude Code sends 150."""

_NAMELESS = re.compile(r"[A-Za-z0-9_-]{1,256}")


def shortened(given: str, most: int, start: str = "") -> str:
    """An id that the vendor takes: as it is, or what stands for it alone, beginning with `start`."""
    return given if len(given) <= most else start + _digest(given)[: most - len(start)]


def nameless(given: str) -> str:
    """An end user's id that tells nobody who it is: Claude's vendor refuses addresses of mail
    (https://platform.claude.com/docs/en/api/messages#body-metadata-user-id)."""
    return given if _NAMELESS.fullmatch(given) else _digest(given)


def _digest(given: str) -> str:
    return hashlib.sha256(given.encode("utf-8", "replace")).hexdigest()


class Ids:
    """Ids of calls as the vendor takes them: in its letters, and none twice. A result belongs to the earliest call of
    its id that has none yet."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._counts: dict[str, int] = {}
        self._open: dict[str, deque[str]] = {}

    def call(self, given: str) -> str:
        made = fit = _fit(given)
        count = self._counts.get(fit, 1)  # whoever sends one id many times is not searched for from the start
        while made in self._used:
            count += 1
            made = f"{fit[: _MOST_ID - _ROOM]}_{count}"
        self._counts[fit] = count
        self._used.add(made)
        self._open.setdefault(given, deque()).append(made)
        return made

    def result(self, given: str) -> str:
        waiting = self._open.get(given)
        return waiting.popleft() if waiting else _fit(given)


def _fit(given: str) -> str:
    if not given:
        return "toolu_0"
    made = _ID.sub("_", given)
    if made == given and len(made) <= _MOST_ID:
        return made
    return f"{made[: _MOST_ID - _ROOM]}_{zlib.crc32(given.encode('utf-8', 'replace')):08x}"
