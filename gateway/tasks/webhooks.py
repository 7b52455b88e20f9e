"""Telling the owner of a task that it is over: a signed POST, tried again with growing pauses until it is taken.

https://www.standardwebhooks.com (the specification of 2024): `webhook-id` is the same for each try, `webhook-timestamp`
is when it was sent, `webhook-signature` is `v1,` and the HMAC-SHA256 of both and the body. An address is checked like
any that callers name, at each try anew.
"""

from __future__ import annotations

import base64
import hmac
import logging
import random
from typing import Any

import orjson

from models import task as table
from models import writer

from .. import config
from ..clock import now_ms, seconds_to_wait
from ..providers import download
from . import seals
from .views import as_task, as_video

PAUSES_S = (5, 30, 120, 600, 3_600, 10_800, 21_600, 43_200)
"""Between two tries; after the last nobody is told any more."""

WAIT_S = 15.0
_TAKEN = range(200, 300)
_GONE = 410
"""The address wants nothing any more."""

_log = logging.getLogger("gateway.tasks")
Row = dict[str, Any]


def tell(row: Row) -> None:
    """Try once, and note when to try again."""
    taken, wait_s = _sent(row)
    tries = row["told"] + 1
    next_at = None
    if not taken and tries <= len(PAUSES_S):
        pause_s = max(PAUSES_S[tries - 1] * (0.75 + random.random() / 2), wait_s or 0)
        next_at = now_ms() + int(pause_s * 1_000)
    elif not taken:
        _log.warning("task %s: its webhook was tried %d times in vain", row["id"], tries)
    writer.write(table.told, row["id"], row["claim"], tries, next_at, order=row["account_id"])


def _sent(row: Row) -> tuple[bool, float | None]:
    """Whether it was taken, or will never be; and how long the other end wants to be left alone."""
    url = seals.unseal(row["webhook"], row["id"])
    if url is None:
        return True, None
    body = orjson.dumps(event(row))
    try:
        status, retry_after = download.safe_post(
            url, body, headers(row, body, now_ms() // 1000), allow=config.current().fetch_allow, timeout_s=WAIT_S
        )
    except download.Forbidden:  # its name leads elsewhere by now
        return True, None
    except download.Failed:
        return False, None
    return status in _TAKEN or status == _GONE, seconds_to_wait(retry_after)


def event(row: Row) -> Row:
    """What is told."""
    shown = as_video(row) if row["id"].startswith("vid_") else as_task(row)
    return {"type": f"{shown['object']}.{shown['status']}", "timestamp": row["done_at"] // 1000, "data": shown}


def headers(row: Row, body: bytes, at: int) -> dict[str, str]:
    """The three headers of Standard Webhooks. at: Unix seconds."""
    name = "msg_" + row["id"].partition("_")[2]
    signed = b".".join((name.encode(), str(at).encode(), body))
    mark = base64.b64encode(hmac.digest(seals.signing_key(row["account_id"]), signed, "sha256")).decode()
    return {
        "Content-Type": "application/json", "webhook-id": name, "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{mark}",
    }  # fmt: skip


def check(url: str) -> str | None:
    """Why an address cannot be told anything, as the end of a sentence; None where it can."""
    try:
        download.check(url, allow=config.current().fetch_allow)
    except download.Forbidden as problem:
        return str(problem)
    return None
