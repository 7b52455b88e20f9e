"""What callers' URLs point to: screened before the hold, fetched where a leg must have it in its body.

A provider that takes addresses fetches by itself; then only `screen` looks at them, so that no provider is led into a
private network by us. For a leg whose dialect takes none, `fetch` puts what is there onto the call. Its weight is no
news: an image counts by its address as by its bytes, and for any other file the hold covers the whole window.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from gevent.pool import Pool

from .. import config
from ..call import Call, Fault, Leg
from ..errors import GatewayError
from ..modalities import words
from ..neutral.parts import Bytes, Media
from ..providers import download

MOST_URLS = 1_000
"""Different addresses in one call."""

MOST_FILE = 20 << 20
MOST_FILES = 48 << 20
"""Bytes of one fetched file, and of all of a leg."""

FETCH_S = 20.0
SCREEN_S = 10.0
_AT_ONCE = 4
_FINE = ""
_T = TypeVar("_T")

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"), (b"ID3", "audio/mpeg"), (b"OggS", "audio/ogg"), (b"fLaC", "audio/flac"),
)  # fmt: skip
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_NO_TYPE = frozenset({"", "application/octet-stream", "binary/octet-stream"})


def screen(call: Call) -> None:
    """Look at every address that the call names. Raises GatewayError 400 for the first that may not be named.

    A name that is not known here passes: whoever fetches it may know it.
    """
    fields = _fields(call)
    if len(fields) > MOST_URLS:
        raise GatewayError(400, f"The request names more than {MOST_URLS} URLs. Send fewer.", param=call.ask.urls[0][1])
    found = _each(_forbidden, list(fields), SCREEN_S)
    for field, problem in zip(fields.values(), found, strict=True):
        if problem != _FINE:
            raise GatewayError(400, f"{field} {problem or 'could not be looked up in time'}.", param=field)


def _fields(call: Call) -> dict[str, str]:
    """The call's addresses, each with the first field that names it."""
    fields: dict[str, str] = {}
    for url, field in call.ask.urls:
        fields.setdefault(url, field)
    return fields


def _forbidden(url: str) -> str:
    """Why a URL may not be named."""
    try:
        download.check(url, allow=config.current().fetch_allow)
    except download.Forbidden as problem:
        return str(problem)
    return _FINE


def _each(look: Callable[[str], _T], urls: list[str], seconds: float) -> list[_T | None]:
    """What `look` finds for each URL, a few at once; None for what is not there in time."""
    if len(urls) == 1:
        return [look(urls[0])]
    pool = Pool(_AT_ONCE)
    looks: list[Any] = []
    try:
        with gevent.Timeout(seconds, False):
            for url in urls:
                looks.append(pool.spawn(look, url))
            pool.join()
    finally:
        pool.kill(block=False)
    values = [one.value if one.successful() else None for one in looks]
    return values + [None] * (len(urls) - len(values))


def fetch(call: Call, leg: Leg) -> None:
    """Put what a leg needs in its body, and is not there yet, into `call.fetched`. Raises Fault, which names the
    field: the caller can mend it, so no other leg is tried."""
    wanted = {url: kind for url, kind in words.carrier(call).to_fetch(call, leg).items() if url not in call.fetched}
    if not wanted:
        return
    fields = _fields(call)
    for url in wanted:
        if url not in fields:  # nobody has weighed it, so the hold may be too small for it
            raise Fault("request", status=400, message="A file cannot be sent by its address there. Send its content.")
    left = MOST_FILES
    for url, got in zip(wanted, _each(_fetched, list(wanted), FETCH_S), strict=True):
        problem = _odd(got, wanted[url]) if isinstance(got, Media) else got or "could not be fetched in time"
        if isinstance(got, Media):
            left -= len(got.source.base64) * 3 // 4 if isinstance(got.source, Bytes) else 0
            if left < 0:
                problem = f"points, with other URLs of this request, to more than {MOST_FILES} bytes"
            call.fetched[url] = got
        if problem is not None:
            raise Fault("request", status=400, message=f"{fields[url]} {problem}.", param=fields[url], ours=True)


def _fetched(url: str) -> Media | str:
    """What is behind a URL, or why it is not to be had."""
    try:
        told, data = download.safe_fetch(
            url, most_bytes=MOST_FILE, allow=config.current().fetch_allow, timeout_s=FETCH_S
        )
    except (download.Forbidden, download.Failed) as problem:
        return str(problem)
    media_type = told.partition(";")[0].strip().lower()
    if media_type in _NO_TYPE:
        media_type = guessed(data)
    family = media_type.partition("/")[0]
    return Media(
        kind=family if family in ("image", "audio", "video") else "file",  # type: ignore[arg-type]
        source=Bytes(base64=base64.b64encode(data).decode()),
        media_type=media_type or None,
    )


def guessed(data: bytes) -> str:
    """The type of a file that its server does not tell, by its first bytes."""
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12], "")
    return next((media_type for magic, media_type in _MAGIC if data.startswith(magic)), "")


def _odd(got: Media, kind: str) -> str | None:
    """Why what is there cannot be what was meant: a page of HTML is no image."""
    if kind != "file" and got.kind != kind:
        return f"points to no {kind}, but to {got.media_type or 'something without a type'}"
    return None
