"""What a provider is asked about work that it does: how it is, to end it, and for what it made."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from ipaddress import ip_network
from urllib.parse import urlsplit

import gevent

from .. import config
from ..call import Channel, Fault, Leg, Outbound, Wire
from ..modalities import video
from ..modalities.jobs import At, Job, Request, Result, Seen
from ..providers import download, pool
from ..relay.attempts import raise_for_status, read, sensible

LOOK_S = 20.0
"""How long an answer about work may take: less than a claim lasts."""

MOST_ANSWER = 4 << 20
IDLE_S = 60.0
"""How long the next bytes of a result may take."""

_ANYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_REDIRECTS = (301, 302, 303, 307, 308)


def look(channel: Channel, job: Job, at: At) -> Seen:
    """How work is. Raises Fault."""
    with sensible():
        return job.seen(ask(channel, job.name, at.model, job.look(at)), at)


def cancel(channel: Channel, job: Job, at: At) -> bool:
    """End work, where its provider can. False where it cannot be asked. Raises Fault."""
    wanted = job.cancel(at)
    if wanted is None:
        return False
    ask(channel, job.name, at.model, wanted)
    return True


def ask(channel: Channel, dialect: str, model: str, wanted: Request, wait_s: float = LOOK_S) -> bytes:
    """A provider's answer about work on a model. Raises Fault."""
    leg = Leg(channel=channel, model=model, dialect=dialect)
    with gevent.Timeout(wait_s, Fault("timeout")):
        wire = _send(leg, wanted, wait_s)
        try:
            raise_for_status(wire, leg)
            return read(wire, MOST_ANSWER)
        finally:
            wire.close()


def _send(leg: Leg, wanted: Request, wait_s: float = LOOK_S) -> Wire:
    outbound = Outbound(
        channel=leg.channel, dialect=leg.dialect, model=leg.model, path=wanted.path, body=wanted.body, headers={},
        stream=False, account_id="", method=wanted.method, content_type=wanted.content_type, slow_s=wait_s,
    )  # fmt: skip
    return pool.send(outbound)


def fetch(channel: Channel, job: Job, result: Result) -> Iterator[bytes]:
    """What was made, in pieces as it comes. Raises Fault, before the first piece where it can.

    The channel's key goes to the channel's own origin only; what is anywhere else is fetched like a caller's URL.
    """
    if result.where.startswith("data:"):
        return iter((_inline(result.where),))
    path = result.where if result.where.startswith("/") else _below(channel, result.where)
    if path is None:
        return _elsewhere(result.where, at_home=_origin(result.where) == _origin(channel.base_url))
    return pieces(channel, job.name, path)


def pieces(channel: Channel, dialect: str, path: str) -> Iterator[bytes]:
    """What is behind a path below the channel's base, in pieces as it comes. Raises Fault."""
    leg = Leg(channel=channel, model="", dialect=dialect)
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


def pictures(channel: Channel, at: At, variant: str) -> tuple[str, bytes]:
    """Pictures of a video in OpenAI's words for it: their type and bytes. variant: one of VARIANTS. Raises Fault."""
    leg = Leg(channel=channel, model=at.model, dialect=video.OPENAI.name)
    with gevent.Timeout(LOOK_S, Fault("timeout")):
        wire = _send(leg, video.OPENAI.variant(at, variant))
        try:
            raise_for_status(wire, leg)
            return wire.headers.get("content-type", ""), read(wire, MOST_ANSWER)
        finally:
            wire.close()


def _inline(url: str) -> bytes:
    try:
        return base64.b64decode(url.partition(",")[2], validate=True)
    except binascii.Error:
        raise Fault("malformed") from None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _below(channel: Channel, url: str) -> str | None:
    """The path below the channel's base of an address that is there; None for any other."""
    base, parts = urlsplit(channel.base_url).path.rstrip("/"), urlsplit(url)
    if _origin(url) != _origin(channel.base_url) or not parts.path.startswith(base + "/"):
        return None
    return parts.path.removeprefix(base) + (f"?{parts.query}" if parts.query else "")


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


def _elsewhere(url: str, at_home: bool = False) -> Iterator[bytes]:
    """at_home: it is the channel's own host, which its operator has named, wherever it is."""
    allow = _ANYWHERE if at_home else config.current().fetch_allow
    try:
        yield from download.safe_stream(url, allow=allow, idle_s=IDLE_S, redirects=not at_home)
    except (download.Forbidden, download.Failed):
        raise Fault("server") from None
