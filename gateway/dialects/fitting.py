"""Names and ids in the letters that a vendor takes, and the words for what it has no word for.

Google's clients name tools with dots and colons, Claude's with up to 128 letters: most vendors take neither. A name
that fits is kept; what any other goes out as is unlike all others, and calls come back under the caller's own name.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from ..neutral.events import Event, PartStart
from ..neutral.parts import ToolCall
from ..neutral.request import ChatRequest, HostedTool

JSON_ONLY = "Answer with one JSON object and nothing else: no words around it and no code fence."
"""Asks for any JSON object, where there is no such form of answer."""


class Letters(NamedTuple):
    """What a vendor takes in a name or an id. unfit: what it refuses there · most: letters."""

    unfit: re.Pattern[str]
    most: int


PLAIN = Letters(re.compile(r"[^A-Za-z0-9_-]"), 64)
"""What everybody takes."""

_ROOM = 10
"""Of what is made fit: for what tells it from others."""


def fitted(given: str, letters: Letters = PLAIN) -> str:
    """A name or an id as the vendor takes it: the same for the same, and unlike that of another."""
    made = letters.unfit.sub("_", given)
    if made == given and len(made) <= letters.most:
        return made
    return f"{made[: letters.most - _ROOM]}_{zlib.crc32(given.encode('utf-8', 'replace')):08x}"


def offered(asked: ChatRequest, letters: Letters) -> ChatRequest:
    """A request whose tools have names that the vendor takes."""
    tools = tuple(
        tool if isinstance(tool, HostedTool) else replace(tool, name=fitted(tool.name, letters)) for tool in asked.tools
    )
    names = tuple(fitted(name, letters) for name in asked.tool_choice.names)
    return replace(asked, tools=tools, tool_choice=replace(asked.tool_choice, names=names))


class Names:
    """The names of a request's tools that were made fit. own: the caller's, by what the vendor knows them by."""

    def __init__(self, asked: ChatRequest, letters: Letters) -> None:
        given = [tool.name for tool in asked.tools if not isinstance(tool, HostedTool)]
        self.own = {fit: name for name in given if (fit := fitted(name, letters)) != name}

    def take(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events of a reply, with calls under the caller's own names."""
        for event in events:
            match event:
                case PartStart(part=ToolCall(name=name) as call) if name in self.own:
                    yield replace(event, part=replace(call, name=self.own[name]))
                case _:
                    yield event


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
        made = fit = _id(given)
        count = self._counts.get(fit, 1)  # whoever sends one id many times is not searched for from the start
        while made in self._used:
            count += 1
            made = f"{fit[: PLAIN.most - _ROOM]}_{count}"
        self._counts[fit] = count
        self._used.add(made)
        self._open.setdefault(given, deque()).append(made)
        return made

    def result(self, given: str) -> str:
        waiting = self._open.get(given)
        return waiting.popleft() if waiting else _id(given)


def _id(given: str) -> str:
    return fitted(given) if given else "toolu_0"
