"""Tools that providers run, by one word each: every dialect, and every release of a tool, has its own name for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import shapes
from .shapes import members

_RELEASE = re.compile(r"_(?:20\d\d(?:_?\d\d){2}|preview|requests?|calls?)(?=_|$)")
_SNAKE = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SAME = {
    "google_search": "web_search", "google_search_retrieval": "web_search", "live_search": "web_search",
    "google_maps": "maps", "mcp_toolset": "mcp", "mcp_servers": "mcp", "openrouter:web_search": "web_search",
    "search_web": "web_search",
}  # fmt: skip


def kind(name: str) -> str:
    """The one word for a tool's type, item or count: `web_search_20250305`, `webSearch`, `web_search_call` are all
    `web_search`."""
    plain = _RELEASE.sub("", _SNAKE.sub("_", name).lower())
    return _SAME.get(plain, plain)[:32]


def counted(found: Any) -> dict[str, int]:
    """How often tools ran, where a usage says so by their names: `{"web_search_requests": 2}`."""
    runs: dict[str, int] = {}
    for name, value in members(found).items():
        times = shapes.count(value if not isinstance(value, Mapping) else value.get("invocation"))
        if times:
            runs[kind(name)] = runs.get(kind(name), 0) + times
    return runs
