"""What calls made, as bytes: `GET|HEAD /v1/{images|videos|audio}/{id}/content?index=N`, the same for each family.

Only who owns it finds it. One range at a time (RFC 9110 §14); what a browser shows of it can do nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from flask import Blueprint, g, request

from models import task
from models.base import session

from .. import store
from ..clock import iso
from ..errors import GatewayError
from ..tasks.views import names
from ._app import Response

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_SHOWN = re.compile(r"(?:image/(?:png|jpeg|webp|gif|avif)|video/(?:mp4|webm|quicktime)|audio/[a-z0-9.+-]{1,40})")
"""Types that are told as they are; all others are only bytes."""

_SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
_WORDS = {"images": "image", "videos": "video", "audio": "audio", "files": "file"}


def serve(blueprint: Blueprint, family: str) -> None:
    """Add the route of a family to its blueprint."""

    def content(identity: str) -> Response:
        """The bytes of one result. HEAD tells what there is; one range at a time may be asked for."""
        return deliver(family, identity)

    blueprint.add_url_rule(f"/v1/{family}/<identity>/content", "content", content, methods=["GET"])


def files(family: str, identity: str) -> list[store.Stored]:
    """What the caller has by an id. Raises GatewayError 404, for unknown and foreign ids alike, and for what its owner
    removed; 410 for what was kept as long as its plan says."""
    known = names(identity)
    kept = (one for name in known for one in store.of(g.caller.account_id, name))
    found = [one for one in kept if one.kind == family]
    if not found and known:
        _unfinished(known)
    if not found or any(one.removed_at is not None and one.removed_at < one.expires_at for one in found):
        raise GatewayError(404, f"There is no {_WORDS[family]} {identity[:80]!r} in this account.", param="id")
    if any(one.removed_at is not None for one in found):
        raise GatewayError(
            410,
            f"The {_WORDS[family]} {identity[:80]!r} was kept until {iso(found[0].expires_at)}, as the account's plan"
            " says, and has been removed. Make it again, and save what is to stay.",
            param="id",
        )
    return found


def _unfinished(known: Iterable[str]) -> None:
    """Raises GatewayError 409, 404 where an id is of a task that has made nothing, or nothing yet."""
    with session():
        row = task.find(g.caller.account_id, *known)
    if row is None or row["status"] == task.COMPLETED:
        return
    if row["status"] in task.OPEN:
        raise GatewayError(
            409, f"The task is {row['status']}, so there is nothing yet. Fetch it once its status is completed.",
            param="id", retry_after=2,
        )  # fmt: skip
    raise GatewayError(404, f"The task is {row['status']}, so it has made nothing.", param="id")


def deliver(family: str, identity: str) -> Response:
    """One file of the caller's, or a range of it. Raises GatewayError 400, 404, 410, 416, 503."""
    number = request.args.get("index", "0")
    if not re.fullmatch("[0-9]{1,6}", number):
        raise GatewayError(400, "index must be a whole number from 0, as in ?index=0.", param="index")
    found = files(family, identity)
    stored = next((one for one in found if one.number == int(number)), None)
    if stored is None:
        numbers = ", ".join(str(one.number) for one in found)
        raise GatewayError(404, f"There is nothing at index {number}. Use one of: {numbers}.", param="index")
    tag = store.etag(stored)
    kind, headers = _dress(stored.media_type)
    headers |= {"ETag": tag, "Accept-Ranges": "bytes"}
    if tag in _tags(request.headers.get("If-None-Match", "")):
        return Response(status=304, headers=headers.items())
    asked = _asked(stored.bytes, tag)
    start, end = asked or (0, stored.bytes)
    if asked is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{stored.bytes}"
    headers["Content-Length"] = str(end - start)
    try:
        body = iter(()) if request.method == "HEAD" else store.read(stored, start, end)
    except store.Lost:
        raise GatewayError(503, "The media store does not answer now. Retry in a while.", retry_after=5) from None
    return Response(body, status=200 if asked is None else 206, content_type=kind, headers=headers.items())


def dressed(media_type: str, data: bytes) -> Response:
    """Bytes that belong to what is kept, but are not kept themselves."""
    kind, headers = _dress(media_type)
    return Response(data, content_type=kind, headers=headers.items())


def _dress(media_type: str) -> tuple[str, dict[str, str]]:
    """The type that is told of bytes, and the headers under which a browser may show them."""
    shown = _SHOWN.fullmatch(media_type) is not None
    return media_type if shown else "application/octet-stream", {
        "Cache-Control": "private, max-age=3600, immutable", "Content-Security-Policy": _SANDBOX,
        "Content-Disposition": "inline" if shown else "attachment",
    }  # fmt: skip


def _tags(text: str) -> set[str]:
    return {part.strip().removeprefix("W/") for part in text.split(",")}


def _asked(size: int, tag: str) -> tuple[int, int] | None:
    """The range that is asked for, None for all of it: so are several at once, one in units that are not known, and one
    of a file that is another by now. Raises GatewayError 416."""
    found = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if found is None or not (found[1] or found[2]) or request.headers.get("If-Range", tag) != tag:
        return None
    if found[1]:
        start, end = int(found[1]), min(int(found[2] or size - 1), size - 1) + 1
        if found[2] and int(found[2]) < int(found[1]):
            return None
    else:
        start, end = max(0, size - int(found[2])), size
    if start >= end:
        raise GatewayError(
            416, f"The range is not within the {size} bytes that there are. Ask for less.",
            headers=(("Content-Range", f"bytes */{size}"),),
        )  # fmt: skip
    return start, end
