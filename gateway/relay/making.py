"""What a call makes and its caller fetches later: how it comes from the provider, and into the store.

A leg whose provider makes one result at a time is sent as many requests as there are wanted; those that fail take
nothing from the others. What a reply names by addresses of the provider's is copied before they expire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import gevent
from gevent.pool import Pool

from models.writer import Busy

from .. import config, crash, store
from ..call import Call, Fault, File, Leg, Wire
from ..errors import GatewayError
from ..modalities import words
from ..providers import auth, download, pool
from .attempts import outbound, raise_for_status, read, sensible

MOST_BODY = 64 << 20
"""Longest whole answer in bytes."""

MOST_COPIED = 64 << 20
"""Bytes of all that one reply names by addresses."""

COPY_S = 60.0
_AT_ONCE = 4


class Told(NamedTuple):
    """What a leg answered: the bodies of its good answers, and the headers of the first."""

    bodies: Sequence[bytes]
    headers: Mapping[str, str]


def answers(call: Call, leg: Leg) -> Told:
    """What a leg answers to all the requests that a call needs. Raises the first Fault where none is answered well."""
    counts = words.parts(call, leg)
    if len(counts) == 1:
        return _answer(call, leg)
    parts = [replace(call, ask=replace(call.ask, n=count)) for count in counts]
    group = Pool(_AT_ONCE)
    try:
        found = group.map(lambda part: _tried(part, leg), parts)
    except BaseException:
        group.kill(block=False)
        raise
    good = [one for one in found if isinstance(one, Told)]
    if not good:
        raise next(one for one in found if isinstance(one, Exception))
    return Told([body for one in good for body in one.bodies], good[0].headers)


def _tried(call: Call, leg: Leg) -> Told | Exception:
    """An exception that ends a greenlet would be printed, not raised."""
    try:
        return _answer(call, leg)
    except Exception as error:
        return error


def _answer(call: Call, leg: Leg) -> Told:
    wire = pool.send(outbound(call, leg))
    crash.here("after_dispatch")
    try:
        return Told((_read_success(wire, leg),), wire.headers)
    finally:
        wire.close()


def _read_success(wire: Wire, leg: Leg) -> bytes:
    """The body of a whole answer. Raises Fault for any status but success."""
    raise_for_status(wire, leg)
    return read(wire, MOST_BODY)


def copy(call: Call, leg: Leg, bodies: Sequence[bytes]) -> None:
    """Fetch what answers name by addresses of the provider's into `call.copied`; what cannot be had is not there."""
    with sensible():
        urls = [url for body in bodies for url in words.to_copy(call, leg, body)]
    if not urls:
        return
    group = Pool(_AT_ONCE)
    try:
        found = group.map(lambda url: _copied(leg, url), urls)
    except BaseException:
        group.kill(block=False)
        raise
    left = MOST_COPIED
    for url, got in zip(urls, found, strict=True):
        if got is not None and len(got[1]) <= left:
            left -= len(got[1])
            call.copied[url] = got


def _copied(leg: Leg, url: str) -> tuple[str, bytes] | None:
    """What is behind an address that a provider named; None where it cannot be had. A server of the operator's own may
    name itself, wherever it stands; all others may not lead into a private network."""
    try:
        if _origin(url) == _origin(leg.channel.base_url):
            with gevent.Timeout(COPY_S, TimeoutError()):
                return _own(leg, url)
        allow = config.current().fetch_allow
        return download.safe_fetch(url, most_bytes=MOST_COPIED, allow=allow, timeout_s=COPY_S)
    except (download.Forbidden, download.Failed, Fault, GatewayError, TimeoutError, ValueError):
        return None


def _origin(url: str) -> tuple[Any, ...]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _own(leg: Leg, url: str) -> tuple[str, bytes] | None:
    """What the channel's own server has at an address of its."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    wire = pool.ask(
        "GET", f"{parts.scheme}://{parts.netloc}{path}", auth.headers(leg.channel, leg.dialect), None, COPY_S
    )
    try:
        if wire.status != 200:
            return None
        return wire.headers.get("content-type", ""), read(wire, MOST_COPIED)
    finally:
        wire.close()


def keep(call: Call, files: Sequence[File]) -> None:
    """Put what a reply names by addresses of ours into the store. Raises GatewayError 503; then nothing is kept."""
    try:
        for file in files:
            store.put(call.caller.account_id, call.id, file.number, file.kind, file.media_type, iter((file.data,)))
    except (store.Lost, Busy) as error:
        forget(call, files)
        raise GatewayError(
            503, "The gateway cannot keep what was made now. Retry in a while; nothing was charged.", retry_after=30
        ) from error
    except BaseException:
        forget(call, files)
        raise


def forget(call: Call, files: Sequence[File]) -> None:
    """Take back what was kept for a call whose caller is told of none of it."""
    if files:
        gevent.spawn(store.forget, call.caller.account_id, call.id)
