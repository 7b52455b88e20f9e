"""Chat errors: what a provider's mean (Law 9), and how ours look.

OpenAI: https://platform.openai.com/docs/guides/error-codes. Others put the text into `detail` (Mistral, FastAPI),
`message`, or a plain string under `error`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ...call import Cause, Fault
from ...clock import seconds_to_wait
from ...errors import GatewayError
from ...sse import write

KEPT = frozenset({400, 404, 409, 413, 422})
"""Statuses that are about the caller's own request: the provider's words are kept."""

_ACCOUNT = frozenset({401, 402, 403})
_OUR_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "account_deactivated"})
_BY_TYPE = {"invalid_request_error": 400, "rate_limit_error": 429, "rate_limit_exceeded": 429, "overloaded_error": 529}
_TEXT_BYTES = 2048
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def fault(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """What a provider's error status means."""
    words = _words(body)
    return _fault(status, words, seconds_to_wait(headers.get("retry-after")), _kept_headers(headers))


def fault_in_reply(found: Any) -> Fault:
    """What an error inside an HTTP 200 means: `found` is the value of a top-level `error`."""
    words = _from(found)
    code = words["code"] or ""
    status = int(code) if re.fullmatch("[45][0-9][0-9]", code) else 0
    if not status and isinstance(found, dict):
        status = _BY_TYPE.get(str(found.get("type")), 0) or _BY_TYPE.get(code, 0)
    return _fault(status, words, None, ())


def _fault(
    status: int, words: dict[str, str | None], retry_after: float | None, headers: tuple[tuple[str, str], ...]
) -> Fault:
    cause: Cause
    if status in _ACCOUNT or words["code"] in _OUR_CODES:
        cause = "account"
    elif status in (429, 529):
        cause = "limited"
    elif status in KEPT:
        cause = "request"
    elif status in (408, 504):
        cause = "timeout"
    else:
        cause = "server" if status >= 500 or status == 0 else "malformed"
    return Fault(
        cause,
        status=status,
        message=words["message"] or "",
        param=words["param"],
        code=words["code"],
        retry_after=retry_after,
        headers=headers,
    )


def _words(body: bytes) -> dict[str, str | None]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return _from(None)
    if isinstance(found, list) and found:
        found = found[0]
    if isinstance(found, dict):
        return _from(found.get("error") or found)
    return _from(found)


def _from(found: Any) -> dict[str, str | None]:
    if isinstance(found, str):
        return {"message": clean(found, _TEXT_BYTES), "param": None, "code": None}
    if not isinstance(found, dict):
        return {"message": None, "param": None, "code": None}
    message = found.get("message") or found.get("detail") or found.get("error")
    if message is not None and not isinstance(message, str):
        message = json.dumps(message, ensure_ascii=False)
    code = found.get("code") if found.get("code") is not None else found.get("type")
    param = found.get("param")
    return {
        "message": clean(message, _TEXT_BYTES) if message else None,
        "param": clean(param, 256) if isinstance(param, str) else None,
        "code": clean(str(code), 64) if isinstance(code, str | int) else None,
    }


def clean(text: str, most: int) -> str:
    """A provider's text that can be stored and sent: no half and no control characters, at most so many bytes."""
    text = _CONTROL.sub(" ", text[:most])
    return text.encode("utf-8", "ignore")[:most].decode("utf-8", "ignore")


def _kept_headers(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, headers[name]) for name in ("retry-after-ms", "x-should-retry") if name in headers)


def error(problem: GatewayError, request_id: str) -> bytes:
    """The OpenAI-style envelope; `code` mirrors the HTTP status."""
    inner: dict[str, Any] = {"message": problem.message, "type": problem.type, "code": problem.status}
    if problem.param is not None:
        inner["param"] = problem.param
    if problem.provider_code is not None:
        inner["provider_code"] = problem.provider_code
    inner["request_id"] = request_id
    return json.dumps({"error": inner}, ensure_ascii=False).encode("utf-8", "replace")


def error_frame(problem: GatewayError, request_id: str) -> bytes:
    """The same envelope as the last frame of a stream: official SDKs raise it; no `[DONE]` follows."""
    return write(error(problem, request_id))
