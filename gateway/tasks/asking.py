"""What a provider is asked about work that it does: how it is, to end it, and for what it made."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from urllib.parse import urlsplit

import gevent

from .. import config
from ..call import Channel, Fault, Leg, Outbound, Wire
from ..modalities.jobs import At, Job, Request, Result, Seen
from ..providers import download, pool
from ..relay.attempts import raise_for_status, read, sensible

LOOK_S = 20.0
"""How long an answer about work may take: less than a claim lasts."""

MOST_ANSWER = 4 << 20
IDLE_S = 60.0
"""How long the next bytes of a result may take."""

_REDIRECTS = (301, 302, 303, 307, 308)


def look(channel: Channel, job: Job, at: At) -> Seen:
    """How work is. Raises Fault."""
    with sensible():
        return job.seen(_ask(channel, job, at, job.look(at)), at)


def cancel(channel: Channel, job: Job, at: At) -> bool:
    """End work, where its provider can. False where it cannot be asked. Raises Fault."""
    wanted = job.cancel(at)
    if wanted is None:
        return False
    _ask(channel, job, at, wanted)
    return True


def _ask(channel: Channel, job: Job, at: At, wanted: Request) -> bytes:
    leg = Leg(channel=channel, model=at.model, dialect=job.name)
    with gevent.Timeout(LOOK_S, Fault("timeout")):
        wire = _send(leg, wanted)
        try:
            raise_for_status(wire, leg)
            return read(wire, MOST_ANSWER)
        finally:
            wire.close()


def _send(leg: Leg, wanted: Request) -> Wire:
    outbound = Outbound(
        channel=leg.channel, dialect=leg.dialect, model=leg.model, path=wanted.path, body=wanted.body, headers={},
        stream=False, account_id="", method=wanted.method,
    )  # fmt: skip
    return pool.send(outbound)


def fetch(channel: Channel, job: Job, result: Result) -> Iterator[bytes]:
    """What was made, in pieces as it comes. Raises Fault, before the first piece where it can.

    The channel's key goes to the channel's own origin only; what is anywhere else is fetched like a caller's URL.
    """
    if result.where.startswith("data:"):
        return iter((_inline(result.where),))
    path = result.where if result.where.startswith("/") else _own(channel, result.where)
    if path is None:
        return _elsewhere(result.where)
    leg = Leg(channel=channel, model="", dialect=job.name)
    with gevent.Timeout(LOOK_S, Fault("timeout")):
        wire = _send(leg, Request("GET", path))
        if wire.status in _REDIRECTS and wire.headers.get("location", "").startswith(("http://", "https://")):
            wire.close()
            return _elsewhere(wire.headers["location"])
        try:
            raise_for_status(wire, leg)
        except BaseException:
            wire.close()
            raise
    return _read(wire)


def _inline(url: str) -> bytes:
    try:
        return base64.b64decode(url.partition(",")[2], validate=True)
    except binascii.Error:
        raise Fault("malformed") from None


def _own(channel: Channel, url: str) -> str | None:
    """The path below the channel's base of an address that is its own; None for any other."""
    ours, theirs = urlsplit(channel.base_url), urlsplit(url)
    if not ours.hostname or (ours.scheme, ours.netloc.lower()) != (theirs.scheme, theirs.netloc.lower()):
        return None
    path = theirs.path.removeprefix(ours.path.rstrip("/")) if ours.path.strip("/") else theirs.path
    return (path or "/") + (f"?{theirs.query}" if theirs.query else "")


def _read(wire: Wire) -> Iterator[bytes]:
    try:
        while True:
            with gevent.Timeout(IDLE_S, Fault("timeout")):
                piece = wire.read()
            if not piece:
                return
            yield piece
    finally:
        wire.close()


def _elsewhere(url: str) -> Iterator[bytes]:
    try:
        yield from download.safe_stream(url, allow=config.current().fetch_allow, idle_s=IDLE_S)
    except (download.Forbidden, download.Failed):
        raise Fault("server") from None
