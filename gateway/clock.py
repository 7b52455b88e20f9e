"""Time: wall clock for what is written down, monotonic clock for every duration."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

monotonic = time.monotonic


def now_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def day(at_ms: int) -> str:
    """The UTC day of a moment, as `2026-11-22`."""
    return _second(at_ms // 1000)[:10]


def iso(at_ms: int) -> str:
    """A moment as RFC 3339 text with milliseconds, UTC."""
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


@lru_cache(maxsize=16)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def seconds_to_wait(retry_after: str | None) -> float | None:
    """A Retry-After header (RFC 9110 §10.2.3: seconds or a date) as seconds from now, from 0 to a day."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return min(max(0.0, seconds), 86_400.0) if seconds == seconds else None
