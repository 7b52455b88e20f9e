"""Pins: ids that a body names must be the caller's own, and bind the call to their maker (Law 8)."""

from __future__ import annotations

import models.pin
from models.base import session

from ..call import Call
from ..errors import GatewayError


def find(account_id: str, kind: str, identity: str) -> models.pin.Found | None:
    """Where an object of this account is; None for unknown and foreign ones alike."""
    if not identity.isprintable() or len(identity) > 255:
        return None
    with session():
        return models.pin.find(account_id, kind, identity)


def ours(account_id: str, kind: str, upstream_id: str) -> str | None:
    """Our id for what its maker calls so, if it is this account's."""
    with session():
        return models.pin.known(account_id, kind, upstream_id)


def bound_to(call: Call) -> str | None:
    """The channel that all objects which the call names were made at; None when it names none. Fills `call.theirs`.

    Raises GatewayError 404 for an unknown id and, in the same words, for another account's.
    """
    channels: set[str] = set()
    for reference in call.ask.references:
        found = find(call.caller.account_id, reference.kind, reference.id)
        if found is None:
            raise GatewayError(
                404,
                f"There is no {reference.kind} {reference.id[:80]!r} here. Send its content in the request instead.",
                param=reference.param,
            )
        if found.upstream_id != reference.id:
            call.theirs[reference.id] = found.upstream_id
        channels.add(found.channel_id)
        if len(channels) > 1:
            raise GatewayError(
                400,
                "The request names objects that were made at different providers. Send the content of one instead.",
                param=reference.param,
            )
    return channels.pop() if channels else None


def sealed_at(call: Call) -> str | None:
    """The channel whose account sealed the last thought of a call; None where that is not known. Nobody else can open
    it, even in the same dialect (Law 10)."""
    found = find(call.caller.account_id, "seal", call.ask.seal) if call.ask.seal is not None else None
    return found.channel_id if found is not None else None
