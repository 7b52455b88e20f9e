"""Chat errors: what a provider's mean (Law 9), and how ours look.

OpenAI: https://platform.openai.com/docs/guides/error-codes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ...call import Fault
from ...clock import seconds_to_wait
from ...errors import GatewayError
from ...sse import write
from ..faults import KEPT, Words, cause_of, clean, kept_headers, made, words_in, words_of

__all__ = ["KEPT", "clean", "error", "error_frame", "fault", "fault_in_reply"]

_OUR_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "account_deactivated"})
_BY_TYPE = {"invalid_request_error": 400, "rate_limit_error": 429, "rate_limit_exceeded": 429, "overloaded_error": 529}


def fault(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """What a provider's error status means."""
    words = words_in(body)
    return _fault(status, words, seconds_to_wait(headers.get("retry-after")), kept_headers(headers))


def fault_in_reply(found: Any) -> Fault:
    """What an error inside an HTTP 200 means: `found` is the value of a top-level `error`."""
    words = words_of(found)
    code = words.code or ""
    status = int(code) if re.fullmatch("[45][0-9][0-9]", code) else 0
    if not status and isinstance(found, dict):
        status = _BY_TYPE.get(str(found.get("type")), 0) or _BY_TYPE.get(code, 0)
    return _fault(status, words)


def _fault(
    status: int, words: Words, retry_after: float | None = None, headers: tuple[tuple[str, str], ...] = ()
) -> Fault:
    cause = "account" if words.code in _OUR_CODES else cause_of(status)
    return made(cause, status, words, retry_after, headers)


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
