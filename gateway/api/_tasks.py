"""What the views of tasks share: beginning one, waiting for it, listing, cancelling and forgetting."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from flask import g, request

from models import receipt, writer
from models import task as table
from models.base import session

from .. import store
from ..call import Call
from ..clock import monotonic
from ..errors import GatewayError
from ..modalities.video.request import VideoRequest
from ..sse import write
from ..tasks import cancelling, news, submit, webhooks
from ..tasks.views import names, spellings
from . import _pages
from ._app import Response
from ._door import answer, deliver, watch

MOST_WAIT_S = 60
"""Longest answer to `?wait=`; who wants to know longer asks again, or for events."""

MOST_EVENTS_S = 3_600
MOST_LISTED = 100
_PING = b": waiting\n\n"
_PING_S = 15.0

Row = dict[str, Any]
Shown = Callable[[Row], Row]


def begin(call: Call, kind: str, facts: Row, shown: Shown, *, here: bool = False, webhook: Any = None) -> Response:
    """Begin a task. here: this worker makes it. Raises GatewayError."""
    webhook = webhook or call.body.values.get("webhook") or call.body.values.get("webhook_url")
    if webhook is not None:
        problem = webhooks.check(webhook) if isinstance(webhook, str) else "must be an http or https URL"
        if problem is not None:
            raise GatewayError(400, f"webhook {problem}.", param="webhook")
    return deliver(submit.run(call, watch(), kind, facts, webhook, lambda row: orjson.dumps(shown(row)), here))


def video_facts(asked: VideoRequest) -> Row:
    """What is shown of a video that was asked for, none of it the caller's words."""
    facts: Row = {"n": asked.n} if asked.n > 1 else {}
    if asked.seconds is not None:
        facts["seconds"] = f"{asked.seconds:f}"
    if asked.size is not None:
        facts["size"] = f"{asked.size[0]}x{asked.size[1]}"
    elif asked.quality:
        facts["quality"] = asked.quality
    return facts


def find(identity: str, kinds: tuple[str, ...] | None = None) -> Row:
    """A task of the caller's. Raises GatewayError 404: unknown and foreign look the same."""
    known = spellings(identity)
    if known:
        with session():
            row = table.find(g.caller.account_id, *known)
        if row is not None and (kinds is None or row["kind"] in kinds):
            return row
    raise GatewayError(404, f"There is no task {identity[:80]!r} in this account.", param="id")


def show(identity: str, shown: Shown, kinds: tuple[str, ...] | None = None) -> Response:
    """A task; with `?wait=SECONDS` once it is over, or so late."""
    row = find(identity, kinds)
    until = monotonic() + _wait_s()
    while row["status"] in table.OPEN and (left := until - monotonic()) > 0:
        if not news.wait(row["id"], _stamp(row), left):
            break
        row = find(identity, kinds)
    return answer(shown(row))


def _wait_s() -> int:
    asked = request.args.get("wait", "0")
    if not re.fullmatch("[0-9]{1,5}", asked):
        raise GatewayError(400, f"wait must be a number of seconds up to {MOST_WAIT_S}, as in ?wait=30.", param="wait")
    return min(int(asked), MOST_WAIT_S)


def _stamp(row: Row) -> news.Stamp:
    return row["status"], row["progress"], row["changed_at"]


def events(identity: str, shown: Shown) -> Response:
    """Each change of a task as an event, the last when it is over."""
    row = find(identity)
    return Response(_events(row, g.caller.account_id, shown), content_type="text/event-stream; charset=utf-8")


def _events(row: Row | None, account_id: str, shown: Shown) -> Iterator[bytes]:
    end = monotonic() + MOST_EVENTS_S
    while row is not None:
        over = row["status"] not in table.OPEN
        yield write(orjson.dumps(shown(row)), f"task.{row['status']}")
        if over or monotonic() > end:
            return
        while not news.wait(row["id"], _stamp(row), _PING_S):
            yield _PING
        with session():
            row = table.find(account_id, row["id"])


def listing(shown: Shown, kind: str | None) -> Response:
    """A page of the caller's tasks, the newest first unless asked otherwise, in OpenAI's shape."""
    limit, newest = _pages.limit(20, MOST_LISTED), _pages.newest()
    last = request.args.get("after")
    wanted = table.Page(kind, _place(last) if last else None, newest, limit + 1)
    with session():
        rows = table.page(g.caller.account_id, wanted)
    return answer(_pages.page(rows, limit, shown))


def _place(identity: str) -> tuple[int, str]:
    """Where a task stands in lists, or stood: who deletes what it lists goes on behind it. Raises GatewayError 404."""
    known = names(identity)
    with session():
        found = table.find(g.caller.account_id, *known) if known else None
        found = found or receipt.find(g.caller.account_id, *known)
    if found is None:
        raise GatewayError(404, f"There is no task {identity[:80]!r} in this account.", param="after")
    return found["created_at"], found["id"]


def cancel(identity: str, shown: Shown) -> Response:
    """End a task. Raises GatewayError 404, 409 for one that is over already."""
    row = find(identity)
    if row["status"] in table.OPEN and cancelling.cancel(row):
        return answer(shown(find(identity)))
    row = find(identity)
    if row["status"] == table.CANCELLED:
        return answer(shown(row))
    raise GatewayError(409, f"The task is {row['status']} already, so it cannot be cancelled.", param="id")


def forget(identity: str, kinds: tuple[str, ...] | None = None) -> Row:
    """Cancel a task that is open, then forget it and what it made; its receipt stays. The row as it was."""
    row = find(identity, kinds)
    if row["status"] in table.OPEN:
        cancelling.cancel(row)
    store.forget(g.caller.account_id, row["id"])
    writer.write(table.remove, g.caller.account_id, row["id"], order=g.caller.account_id)
    return row
