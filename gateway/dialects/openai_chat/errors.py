"""Chat errors: what a provider's mean (Law 9), and how ours look.

OpenAI: https://platform.openai.com/docs/guides/error-codes.
"""

from __future__ import annotations

import re
from typing import Any

from ...call import Fault
from ...errors import GatewayError
from ...sse import write
from ..faults import envelope, fault, made, words_of

__all__ = ["error", "error_frame", "fault", "fault_in_reply"]

_BY_TYPE = {"invalid_request_error": 400, "rate_limit_error": 429, "rate_limit_exceeded": 429, "overloaded_error": 529}


def fault_in_reply(found: Any) -> Fault:
    """What an error inside an HTTP 200 means: `found` is the value of a top-level `error`."""
    words = words_of(found)
    code = words.code or ""
    status = int(code) if re.fullmatch("[45][0-9][0-9]", code) else 0
    if not status and isinstance(found, dict):
        status = _BY_TYPE.get(str(found.get("type")), 0) or _BY_TYPE.get(code, 0)
    return made(status, words)


def error(problem: GatewayError, request_id: str) -> bytes:
    """The OpenAI-style envelope; `code` mirrors the HTTP status."""
    inner: dict[str, Any] = {"message": problem.message, "type": problem.type, "code": problem.status}
    if problem.param is not None:
        inner["param"] = problem.param
    if problem.provider_code is not None:
        inner["provider_code"] = problem.provider_code
    inner["request_id"] = request_id
    return envelope({"error": inner})


def error_frame(problem: GatewayError, request_id: str, last: bytes = b"") -> bytes:
    """The same envelope as the last frame of a stream: official SDKs raise it; no `[DONE]` follows."""
    return write(error(problem, request_id))
