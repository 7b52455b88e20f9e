"""What a provider's error means, whatever its dialect (Law 9): its words made fit to keep, its status a cause.

Texts stand under `error.message` (OpenAI, Anthropic, Gemini), `detail` (Mistral, FastAPI), `message`, or are a plain
string under `error`. Some vendors say by a code of their own, and with a status that means something else, that it is
our account that they refuse, or its rate.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..call import Cause, Fault
from ..clock import seconds_to_wait
from .shapes import clean

KEPT = frozenset({400, 404, 409, 413, 422})
"""Statuses that are about the caller's own request: the provider's words are kept."""

ACCOUNT = frozenset({401, 402, 403})
"""Statuses that are about our account at the provider."""

MOST_TEXT, MOST_PARAM, MOST_CODE = 2048, 256, 64
"""Bytes of a provider's words that are kept."""

_OUR_CODES = frozenset(
    {
        "insufficient_quota", "billing_hard_limit_reached", "account_deactivated",
        "exceeded_current_quota_error",  # Moonshot, 429: https://platform.kimi.ai/docs/api/errors
        "Arrearage",  # Alibaba, 400: https://www.alibabacloud.com/help/en/model-studio/error-code
        "1110", "1111", "1112", "1113", "1121",  # Z.AI, 429: https://docs.z.ai/api-reference/api-code
    }
)  # fmt: skip
"""What is said, with whatever status, of our account."""

_OUR_WORDS = re.compile(r"Incorrect API key provided|Your team \S+ has either used all available credits")
"""The same where nothing but the text tells: xAI answers 400 for a key (as recorded) and 429 for credits."""

_LIMITS = frozenset({"rate_limit_exceeded", "1302", "1303", "1305", "1308"})
"""Rates that we exceed, with whatever status: Groq says 413 where a request is over what is left of the minute's tokens
(https://console.groq.com/docs/rate-limits), Z.AI tells by its code."""


class Words(NamedTuple):
    """A provider's own words about an error, as they can be stored and sent."""

    message: str | None = None
    param: str | None = None
    code: str | None = None


def fault(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """What an error status means where nothing but status and code tells."""
    found = error_in(body)
    if status == 403 and _flagged(found):
        status = 400
    return made(status, words_of(found), seconds_to_wait(headers.get("retry-after")), kept_headers(headers))


def _flagged(found: Any) -> bool:
    """Whether it is the caller's input that is forbidden, not our account: OpenRouter says so in its metadata
    (https://openrouter.ai/docs/api/reference/errors-and-debugging), xAI in words."""
    told = found.get("metadata") if isinstance(found, dict) else None
    message = words_of(found).message
    return (isinstance(told, dict) and "flagged_input" in told) or bool(message and _FORBIDDEN.search(message))


_FORBIDDEN = re.compile(r"violates \w*\s?usage (?:guidelines|polic)", re.IGNORECASE)


def error_in(body: bytes) -> Any:
    """The error in a body, which may be anything: its `error`, else all of it. A stream's may stand in an array."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(found, list) and found:
        found = found[0]
    return found.get("error") or found if isinstance(found, dict) else found


def words_of(found: Any) -> Words:
    """The words in an error object, or in a plain string."""
    if isinstance(found, str):
        return Words(message=clean(found, MOST_TEXT))
    if not isinstance(found, dict):
        return Words()
    message = found.get("message") or found.get("detail") or found.get("error")
    if isinstance(message, dict):
        message = message.get("detail") or message
    if isinstance(message, list):
        message = _complaints(message) or message
    if message is not None and not isinstance(message, str):
        message = json.dumps(message, ensure_ascii=False)
    code = found.get("code") if found.get("code") is not None else found.get("type")
    param = found.get("param")
    return Words(
        message=clean(message, MOST_TEXT) if message else None,
        param=clean(param, MOST_PARAM) if isinstance(param, str) else None,
        code=clean(str(code), MOST_CODE) if isinstance(code, str | int) else None,
    )


def _complaints(found: list[Any]) -> str | None:
    """The complaints of a validator (FastAPI, Mistral) as text; None for what are none."""
    told = [
        f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
        for one in found
        if isinstance(one, dict) and isinstance(one.get("loc"), list) and isinstance(one.get("msg"), str)
    ]
    return "; ".join(told) if len(told) == len(found) else None


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
    status: int,
    words: Words,
    retry_after: float | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    *,
    account: bool = False,
) -> Fault:
    """The fault of an error, in the provider's words; status 0 for one without. account: these are about ours there."""
    ours = account or words.code in _OUR_CODES or bool(words.message and _OUR_WORDS.match(words.message))
    return Fault(
        "account" if ours else "limited" if words.code in _LIMITS and status != 400 else cause_of(status),
        status=status,
        message=words.message or "",
        param=words.param,
        code=words.code,
        retry_after=retry_after,
        headers=headers,
    )


def envelope(values: Mapping[str, Any]) -> bytes:
    """An error of ours as a body: spaced, since people read it."""
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "replace")


def kept_headers(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What a client may see of an error's headers, beside `retry-after`."""
    return tuple((name, headers[name]) for name, form in _KEPT.items() if form.fullmatch(headers.get(name, "")))


_KEPT = {"retry-after-ms": re.compile(r"[0-9]{1,9}"), "x-should-retry": re.compile("true|false")}
