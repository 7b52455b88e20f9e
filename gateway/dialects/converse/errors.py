"""What an error of Bedrock's means (Law 9), be it a status or an event of a stream.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors and
https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...call import Cause, Fault
from ...clock import seconds_to_wait
from .. import faults, shapes

_STATUSES = {
    "ValidationException": 400, "AccessDeniedException": 403, "ResourceNotFoundException": 404,
    "ModelTimeoutException": 408, "ModelErrorException": 424, "ModelStreamErrorException": 424,
    "ThrottlingException": 429, "ModelNotReadyException": 429, "InternalServerException": 500,
    "ServiceUnavailableException": 503,
}  # fmt: skip
"""The status of an error that comes without one, in a stream."""

_CAUSES: dict[str, Cause] = {
    "ServiceQuotaExceededException": "limited", "ModelErrorException": "server", "ModelStreamErrorException": "server",
    "ExpiredTokenException": "account", "IncompleteSignatureException": "account",
    "InvalidSignatureException": "account", "UnrecognizedClientException": "account",
}  # fmt: skip
"""What an error is about whose status does not tell."""


def fault(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """What a provider's error status means. Its code is in a header, and seldom in the body."""
    found = shapes.members(faults.error_in(body))
    code = headers.get("x-amzn-errortype") or shapes.text(found.get("__type")) or ""
    code = code.partition(":")[0].rpartition("#")[2]
    return _fault(status, code, found, seconds_to_wait(headers.get("retry-after")))


def fault_in_stream(event: str, values: Mapping[str, Any]) -> Fault:
    """What an event means that is named by an exception: `throttlingException`."""
    code = event[:1].upper() + event[1:]
    return _fault(_STATUSES.get(code, 500), code, values, None)


def _fault(status: int, code: str, found: Mapping[str, Any], retry_after: float | None) -> Fault:
    message = shapes.text(found.get("message")) or shapes.text(found.get("Message")) or ""
    words = faults.words_of({"message": message, "code": code or None})
    made = faults.made(status, words, retry_after)
    made.cause = _CAUSES.get(code, made.cause)
    return made
