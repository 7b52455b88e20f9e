"""`:countTokens` (https://ai.google.dev/api/tokens): what is to be counted stands in the body, or as a whole request in
its `generateContentRequest`, where Google counts the system's words and the tools too."""

from __future__ import annotations

import json

from ...call import Call, Leg
from ...splice import edit, scan
from ..base import OWN
from . import resource
from .request import WHOLE_REQUEST
from .spelling import spelled


def path(model: str) -> str:
    return f"/v1beta/{resource(model)}:countTokens"


def encode(call: Call, leg: Leg) -> bytes:
    """The caller's bytes for a leg; only the model's name changes, where there is one."""
    values = call.body.values
    changes: dict[str, str | None] = {name: None for name in OWN if name in values}
    model = json.dumps(leg.model if "/" in leg.model else f"models/{leg.model}")
    if "model" in values:
        changes["model"] = model
    inner = spelled(values, WHOLE_REQUEST)
    if isinstance(values.get(inner), dict):
        changes[inner] = edit(scan(call.body.raw(inner).encode()), {"model": model}).decode()
    return edit(call.body, changes)
