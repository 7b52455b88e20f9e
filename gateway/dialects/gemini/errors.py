"""Gemini errors: what a provider's mean (Law 9), and how ours look.

https://ai.google.dev/gemini-api/docs/troubleshooting; the envelope and its details are Google's common ones
(https://cloud.google.com/apis/design/errors). A refused key is a 400 with the reason API_KEY_INVALID, and the time to
wait after a 429 stands in a detail, not in a header.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from ...call import Fault
from ...clock import seconds_to_wait
from ...errors import GatewayError
from .. import shapes
from ..faults import MOST_CODE, MOST_PARAM, MOST_TEXT, Words, envelope, error_in, kept_headers, made
from ..shapes import clean, members, objects

_OUR_REASONS = re.compile(r"API_KEY_|BILLING_|SERVICE_DISABLED|CONSUMER_")
_ELSEWHERE = "User location is not supported"  # where our account may be used is no matter of the caller's
_DELAY = re.compile(r"([0-9]+(?:\.[0-9]+)?)s")

_TYPE = "type.googleapis.com/google.rpc."
_STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 402: "RESOURCE_EXHAUSTED", 403: "PERMISSION_DENIED",
    404: "NOT_FOUND", 405: "UNIMPLEMENTED", 408: "DEADLINE_EXCEEDED", 409: "ABORTED", 429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED", 500: "INTERNAL", 502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}  # fmt: skip
_CODES = {
    **{status: code for code, status in sorted(_STATUS.items(), reverse=True)}, "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400, "ALREADY_EXISTS": 409, "RESOURCE_EXHAUSTED": 429, "UNAVAILABLE": 503, "UNKNOWN": 500,
    "DATA_LOSS": 500, "DEADLINE_EXCEEDED": 504,
}  # fmt: skip


def fault(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """What a provider's error status means."""
    return _fault(status, error_in(body), seconds_to_wait(headers.get("retry-after")), kept_headers(headers))


def fault_in_reply(found: Any) -> Fault:
    """What an error inside an HTTP 200 means: `found` is the value of a top-level `error`."""
    inner = members(found)
    code = inner.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else _CODES.get(str(inner.get("status")), 0)
    return _fault(status, found, None, ())


def _fault(status: int, found: Any, retry_after: float | None, headers: tuple[tuple[str, str], ...]) -> Fault:
    inner = found if isinstance(found, dict) else {"message": found}
    message, code = inner.get("message"), inner.get("status")
    reason = delay = param = None
    for detail in objects(inner.get("details")):
        reason = reason or shapes.text(detail.get("reason"))
        delay = delay or _DELAY.fullmatch(str(detail.get("retryDelay")))
        param = param or _violated(detail)
    words = Words(
        message=clean(message, MOST_TEXT) if isinstance(message, str) else None,
        param=clean(param, MOST_PARAM) if param else None,
        code=clean(code, MOST_CODE) if isinstance(code, str) else None,
    )
    ours = (reason is not None and _OUR_REASONS.match(reason) is not None) or _ELSEWHERE in (words.message or "")
    if retry_after is None and delay:
        retry_after = min(float(delay[1]), 86_400.0)
    return made(status, words, retry_after, headers, account=ours)


def _violated(detail: Mapping[str, Any]) -> str | None:
    """The field that a detail of the type BadRequest names first."""
    match detail.get("fieldViolations"):
        case [{"field": str(field)}, *_]:
            return field
    return None


def error(problem: GatewayError, request_id: str) -> bytes:
    """Google's envelope; what it has no member for stands in details of Google's own types."""
    status = _STATUS.get(problem.status) or ("INVALID_ARGUMENT" if problem.status < 500 else "INTERNAL")
    details: list[dict[str, Any]] = [{"@type": _TYPE + "RequestInfo", "requestId": request_id}]
    if problem.param is not None:
        violation = {"field": problem.param, "description": problem.message}
        details.append({"@type": _TYPE + "BadRequest", "fieldViolations": [violation]})
    if problem.provider_code is not None:
        details.append({"@type": _TYPE + "ErrorInfo", "reason": problem.provider_code, "domain": "provider"})
    if problem.retry_after is not None:
        delay = f"{max(1, math.ceil(problem.retry_after))}s"
        details.append({"@type": _TYPE + "RetryInfo", "retryDelay": delay})
    inner = {"code": problem.status, "message": problem.message, "status": status, "details": details}
    return envelope({"error": inner})


def error_frame(problem: GatewayError, request_id: str, last: bytes = b"") -> bytes:
    """The same envelope as the last frame of a stream, as Google does it."""
    return b"data: " + error(problem, request_id) + b"\r\n\r\n"
