"""Pins: ids that a body names must be the caller's own, and bind the call to their maker (Law 8)."""

from __future__ import annotations

import models.pin
from models.base import session

from ..call import Call
from ..errors import GatewayError


def bound_to(call: Call) -> str | None:
    """The channel that all objects which the call names were made at; None when it names none.

    Raises GatewayError 404 for an unknown id and, in the same words, for another account's.
    """
    channels: set[str] = set()
    for reference in call.ask.references:
        channel = None
        if reference.id.isprintable() and len(reference.id) < 256:
            with session():
                channel = models.pin.channel(call.caller.account_id, reference.kind, reference.id)
        if channel is None:
            raise GatewayError(
                404,
                f"There is no {reference.kind} {reference.id[:80]!r} here. Send its content in the request instead.",
                param=reference.param,
            )
        channels.add(channel)
        if len(channels) > 1:
            raise GatewayError(
                400,
                "The request names objects that were made at different providers. Send the content of one instead.",
                param=reference.param,
            )
    return channels.pop() if channels else None
