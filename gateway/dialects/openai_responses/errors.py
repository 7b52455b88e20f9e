"""Responses errors: OpenAI's envelope as in Chat; inside a stream an `error` event, or `response.failed`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ...call import Fault
from ...errors import GatewayError, masked
from ...sse import write
from .. import shapes
from ..faults import envelope
from ..openai_chat.errors import error, fault, fault_in_reply

_NUMBER = re.compile(rb'"sequence_number"\s*:\s*(\d{1,9})')

__all__ = ["counted", "error", "error_frame", "failed", "fault", "told"]

_CALLERS = ("invalid_", "image_", "unsupported_", "empty_", "failed_to_download_", "bio_policy", "data_residency_")
"""How the codes begin that are about the caller's own input (`ResponseErrorCode` of the description)."""


def failed(found: Any) -> Fault:
    """What an error inside an HTTP 200 means: the `error` of a response, or an `error` event.

    An event tells it in a member `error` (as recorded), or flat on the event itself (as OpenAI's description has it).
    """
    if isinstance(found, dict):
        found = found.get("error") or found
    if isinstance(found, dict):
        code = found.get("code")
        if isinstance(code, str) and code.startswith(_CALLERS):
            return fault_in_reply({**found, "type": "invalid_request_error"})
        if found.get("type") == "error":  # a flat event's own type, no error's
            return fault_in_reply({name: value for name, value in found.items() if name != "type"})
    return fault_in_reply(found)


def told(response: Mapping[str, Any], secret: str | None = None) -> dict[str, str | None]:
    """As changes of an `edit`, what its caller may not read of how a response failed: keys. Mostly nothing. secret: of
    the channel that made it."""
    error = response.get("error")
    said = error.get("message") if isinstance(error, dict) else None
    if not isinstance(said, str) or (kept := masked(said, secret)) == said:
        return {}
    return {"error": shapes.dumps({**shapes.members(error), "message": kept})}


def error_frame(problem: GatewayError, request_id: str, last: bytes = b"") -> bytes:
    """An `error` event as the last frame: flat as the description has it, and with `error`, which SDKs raise; it counts
    on from the events before it."""
    number = counted(last)
    inner = json.loads(error(problem, request_id))["error"]
    values = {
        "type": "error", "code": inner["type"], "message": inner["message"], "param": problem.param,
        "sequence_number": 0 if number is None else number + 1, "error": inner,
    }  # fmt: skip
    return write(envelope(values), "error")


def counted(frames: bytes) -> int | None:
    """The number of the last event in some frames that has one."""
    found = _NUMBER.findall(frames)
    return int(found[-1]) if found else None
