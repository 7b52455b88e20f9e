"""Messages errors: what a provider's mean (Law 9), and how ours look (https://platform.claude.com/docs/en/api/errors)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...call import Fault
from ...errors import GatewayError
from ...sse import write
from .. import faults, shapes

_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 504: "timeout_error",
    529: "overloaded_error",
}  # fmt: skip
_STATUSES = {kind: status for status, kind in _TYPES.items()}

_OUR_ACCOUNT = ("credit balance is too low", "organization has been disabled")
"""What the vendor says with a 400 although no caller can mend it."""


def fault(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """What a provider's error status means. The `type` of its `error` is the code."""
    found = faults.fault(status, headers, body)
    if found.cause == "request" and any(words in found.message for words in _OUR_ACCOUNT):
        found.cause = "account"
    return found


def fault_in_reply(values: Mapping[str, Any]) -> Fault:
    """What an error inside an HTTP 200 means: a body or frame of the type `error`."""
    kind = shapes.text(shapes.members(values.get("error")).get("type"))
    status = _STATUSES.get(kind or "", 500)
    return fault(status, {}, json.dumps(values).encode())


def error(problem: GatewayError, request_id: str) -> bytes:
    """Anthropic's envelope; its types, of which 402 and 529 have their own only here."""
    kind = _TYPES.get(problem.status) or ("invalid_request_error" if problem.status < 500 else "api_error")
    inner = {"type": kind, "message": problem.message}
    return faults.envelope({"type": "error", "error": inner, "request_id": request_id})


def error_frame(problem: GatewayError, request_id: str, last: bytes = b"") -> bytes:
    """The same envelope as the last frame of a stream, after which no `message_stop` follows."""
    return write(error(problem, request_id), "error")
