"""What a provider's error means, whatever its dialect (Law 9): its words made fit to keep, its status a cause.

Texts stand under `error.message` (OpenAI, Anthropic, Gemini), `detail` (Mistral, FastAPI), `message`, or are a plain
string under `error`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..call import Cause, Fault

KEPT = frozenset({400, 404, 409, 413, 422})
"""Statuses that are about the caller's own request: the provider's words are kept."""

ACCOUNT = frozenset({401, 402, 403})
"""Statuses that are about our account at the provider."""

MOST_TEXT, MOST_PARAM, MOST_CODE = 2048, 256, 64
"""Bytes of a provider's words that are kept."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Words(NamedTuple):
    """A provider's own words about an error, as they can be stored and sent."""

    message: str | None = None
    param: str | None = None
    code: str | None = None


def clean(text: str, most: int) -> str:
    """A provider's text that can be stored and sent: no half and no control characters, at most so many bytes."""
    text = _CONTROL.sub(" ", text[:most])
    return text.encode("utf-8", "ignore")[:most].decode("utf-8", "ignore")


def words_in(body: bytes) -> Words:
    """The words in an error's body, which may be anything."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return Words()
    if isinstance(found, list) and found:
        found = found[0]
    if isinstance(found, dict):
        return words_of(found.get("error") or found)
    return words_of(found)


def words_of(found: Any) -> Words:
    """The words in an error object, or in a plain string."""
    if isinstance(found, str):
        return Words(message=clean(found, MOST_TEXT))
    if not isinstance(found, dict):
        return Words()
    message = found.get("message") or found.get("detail") or found.get("error")
    if message is not None and not isinstance(message, str):
        message = json.dumps(message, ensure_ascii=False)
    code = found.get("code") if found.get("code") is not None else found.get("type")
    param = found.get("param")
    return Words(
        message=clean(message, MOST_TEXT) if message else None,
        param=clean(param, MOST_PARAM) if isinstance(param, str) else None,
        code=clean(str(code), MOST_CODE) if isinstance(code, str | int) else None,
    )


def cause_of(status: int) -> Cause:
    """What an error status is about; 0 for an error without one."""
    if status in ACCOUNT:
        return "account"
    if status in (429, 529):
        return "limited"
    if status in KEPT:
        return "request"
    if status in (408, 504):
        return "timeout"
    return "server" if status >= 500 or status == 0 else "malformed"


def made(
    cause: Cause, status: int, words: Words, retry_after: float | None = None, headers: tuple[tuple[str, str], ...] = ()
) -> Fault:
    """The fault of a cause, in the provider's words."""
    return Fault(
        cause,
        status=status,
        message=words.message or "",
        param=words.param,
        code=words.code,
        retry_after=retry_after,
        headers=headers,
    )


def kept_headers(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What a client may see of an error's headers, beside `retry-after`."""
    return tuple((name, headers[name]) for name in ("retry-after-ms", "x-should-retry") if name in headers)
