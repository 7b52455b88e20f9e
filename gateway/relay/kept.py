"""What a provider has kept: replies by their id.

Nothing here costs anything: no hold, no receipt. An id leads by its pin to the channel that made it (Law 8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, NamedTuple

import gevent

from .. import config
from ..call import Caller, Channel, ClientGone, Fault, Leg, Outbound, Wire
from ..errors import GatewayError
from ..providers import pool
from ..routing import channels
from ..routing.pins import find
from .attempts import Failed, raise_for_status, read, sensible, verdict
from .making import MOST_BODY
from .watch import ClientWatch

Method = Literal["GET", "POST", "DELETE"]


class Kept(NamedTuple):
    """One object at its maker. id: as the caller knows it."""

    id: str
    upstream_id: str
    channel: Channel


def look_up(caller: Caller, kind: str, identity: str) -> Kept:
    """An object that a provider keeps for this account. Raises GatewayError 404, for unknown and foreign ids alike."""
    found = find(caller.account_id, kind, identity)
    channel = channels.current().by_id.get(found.channel_id) if found is not None else None
    if found is None or channel is None:
        raise GatewayError(404, f"There is no {kind} {identity[:80]!r} here, or it is not kept any more.", param="id")
    return Kept(identity, found.upstream_id, channel)


def ask(
    kept: Kept,
    dialect: str,
    method: Method,
    path: str,
    headers: Mapping[str, str],
    watch: ClientWatch,
    shown: Callable[[bytes], bytes],
) -> bytes:
    """What its maker answers about an object, as `shown` makes it for the caller. Raises GatewayError, in whose
    message the object has our id."""
    try:
        with _blamed(kept, dialect) as leg, sensible():
            with watch, gevent.Timeout(config.current().whole_s, Fault("timeout")):
                wire = _sent(leg, method, path, headers, False)
                try:
                    body = read(wire, MOST_BODY)
                finally:
                    wire.close()
            return shown(body)
    except ClientGone:
        return b""
    finally:
        watch.close()


def stream(kept: Kept, dialect: str, path: str, headers: Mapping[str, str], watch: ClientWatch) -> Wire:
    """What its maker tells of an object, as it comes, once it begins. Raises GatewayError as `ask`, and ClientGone."""
    with _blamed(kept, dialect) as leg, watch, gevent.Timeout(config.current().whole_s, Fault("timeout")):
        return _sent(leg, "GET", path, headers, True)


@contextmanager
def _blamed(kept: Kept, dialect: str) -> Iterator[Leg]:
    """The way to an object; what goes wrong on it is told to the caller."""
    leg = Leg(channel=kept.channel, model="", dialect=dialect)
    try:
        yield leg
    except Fault as fault:
        fault.message = fault.message.replace(kept.upstream_id, kept.id)
        raise verdict([Failed(leg, fault)], dialect) from fault


def _sent(leg: Leg, method: Method, path: str, headers: Mapping[str, str], streamed: bool) -> Wire:
    """The answer to a question, if it is no error. Raises Fault."""
    request = Outbound(
        channel=leg.channel, dialect=leg.dialect, model="", path=path, body=b"", headers=headers, stream=streamed,
        account_id="", method=method,
    )  # fmt: skip
    wire = pool.send(request)
    try:
        raise_for_status(wire, leg)
    except BaseException:
        wire.close()
        raise
    return wire
