"""Chat errors: what a provider's mean (Law 9), and how ours look.

OpenAI: https://platform.openai.com/docs/guides/error-codes. MiniMax:
https://platform.minimax.io/docs/api-reference/errorcode.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...call import Fault
from ...errors import GatewayError
from ...sse import write
from ..faults import envelope, fault, made, words_of

__all__ = ["error", "error_frame", "fault", "fault_in_reply", "told_error"]

_BY_TYPE = {
    "invalid_request_error": 400, "image_generation_user_error": 400, "rate_limit_error": 429,
    "rate_limit_exceeded": 429, "overloaded_error": 529,
}  # fmt: skip

_MINIMAX = {
    1001: 504, 1002: 429, 1004: 401, 1008: 402, 1026: 400, 1027: 400, 1039: 429, 1041: 429, 1042: 400, 2013: 400,
    2045: 429, 2049: 401, 2056: 429,
}  # fmt: skip
"""HTTP statuses that mean the same; all its others are failures of its own."""


def told_error(values: Mapping[str, Any]) -> Any:
    """The error that an HTTP 200 or an event tells, as `fault_in_reply` takes it; nothing where it tells none. MiniMax
    tells its own in `base_resp`, by a number that is not 0."""
    if found := values.get("error"):
        return found
    told = values.get("base_resp")
    if not isinstance(told, dict):
        return None
    number = told.get("status_code")
    if not isinstance(number, int) or number == 0:
        return None
    return {"code": _MINIMAX.get(number, 500), "message": told.get("status_msg")}


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
