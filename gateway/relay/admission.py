"""From a body to a call: held against its gate, its models permitted, what the caller wants of providers read.

Who sends it is known already. The door makes calls of requests, and a batch of its lines, in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from schemas.base import WireSchema, Wrong, check

from .. import config, ids
from ..access import keys
from ..call import Call, Caller, Claim
from ..clock import monotonic, now_ms
from ..dialects.base import Words
from ..errors import GatewayError
from ..routing import catalogue, channels
from ..splice import Scan
from . import wishes


def admitted(
    caller: Caller,
    request_id: str,
    dialect: Words,
    schema: WireSchema,
    surface: str,
    body: Scan,
    *,
    said: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    route: str | None = None,
    strict: bool = False,
    dry: bool = False,
    claim: Claim | None = None,
) -> Call:
    """The call that a body makes. said: what the path says as if the body did · headers: those that go upstream ·
    route: how the caller steers it beside the body. Raises GatewayError, which names the field."""
    started, created = monotonic(), now_ms()
    try:
        check(schema, body.values)
    except Wrong as wrong:
        raise GatewayError(400, f"{wrong.param} {wrong.message}.", param=wrong.param) from None
    if body.values.get("computer_id") is not None:
        raise GatewayError(400, "This gateway has no computers. Leave computer_id out.", param="computer_id")
    losses = [name for name in dialect.OWN if name in _UNHEEDED and body.values.get(name) is not None]
    if losses and strict:
        raise GatewayError(
            400, f"{losses[0]} is not heeded here. Leave it out, or do not ask for strictness.", param=losses[0]
        )
    ask = dialect.ask({**body.values, **said} if said else body.values)
    others = dict.fromkeys(body.values.get("models") or ()) if "models" in dialect.OWN else {}
    ask = replace(ask, fallbacks=tuple(name for name in others if name != ask.model)) if others else ask
    asked = (permit(caller, ask.model), *(permit(caller, other, "models") for other in ask.fallbacks))
    return Call(
        id=ids.new(dialect.id_prefix),
        request_id=request_id,
        caller=caller,
        surface=surface,
        dialect=dialect.name,
        body=body,
        ask=ask,
        created_ms=created,
        started=started,
        headers=headers or {},
        names=tuple(name for names in asked for name in names),
        strict=strict,
        losses=[f"{name}=drop" for name in losses],
        steer=wishes.read(body.values.get("provider") if "provider" in dialect.OWN else None, route),
        dry=dry,
        claim=claim,
        public_url=config.current().public_url,
    )


_UNHEEDED = ("max_steps",)
"""The gateway's own members that mean nothing here."""


def permit(caller: Caller, model: str, param: str = "model") -> tuple[str, str]:
    """The name of a model as it was written, and its id. Raises GatewayError 403 when the caller may use it by
    neither."""
    names = catalogue.names(channels.current(), model)
    keys.permit(caller, names, param)
    return names
