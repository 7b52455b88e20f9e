"""Keeping what a caller sends: room and credit first, then the bytes, then the row, the charge and what an
Idempotency-Key stands for in one write.

Where the operator set a price, a file costs its size times the time that it is kept, at once; what is removed before is
not paid back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import NamedTuple

from models import file, media, writer
from models.idempotency import Found as Claimed

from .. import config, crash, journal, store
from ..access import idempotency
from ..billing import later, ledger
from ..billing.prices import Ceiling
from ..bodies import Upload, pieces
from ..call import Ask, Call, Caller, Claim, Reply
from ..clock import monotonic, now_ms
from ..errors import GatewayError
from ..money import plain
from ..splice import Scan
from ..store import files
from .attempts import ERROR_WAIT_S

_DAY_MS = 86_400_000
_GB = 10**9


class Sent(NamedTuple):
    """A file that shall be kept. seconds: for how long, None for as long as the plan says · claim: to be kept once
    only."""

    purpose: str
    upload: Upload
    seconds: int | None
    claim: Claim | None


def keep(caller: Caller, request_id: str, sent: Sent, shown: Callable[[files.Found], bytes]) -> Reply:
    """Keep a file, and answer as `shown` has it. Raises GatewayError 402, 409, 413, 503; then nothing is kept, nothing
    was charged, and the claim is free again."""
    size = len(sent.upload.content)
    expires_at = files.until(caller.account_id, sent.purpose, sent.seconds)
    found = files.new(caller.account_id, sent.purpose, sent.upload.filename or "file", size, expires_at)
    call = _call(caller, request_id, found.id, sent.claim)
    again = idempotency.earlier(call)
    if again is not None:
        return again
    _room(files.room(caller.account_id), size)
    gb_days = Decimal(size) / _GB * max(0, expires_at - found.created_at) / _DAY_MS
    cost = later.kept(gb_days, config.current().file_gb_day_usd)
    held = cost is not None or sent.claim is not None  # a hold also says that what is claimed still runs
    if held:
        most = cost.most if cost is not None else 0
        denied = ledger.hold(call, (), Ceiling(most, most, most, 0, None), ())
        if isinstance(denied, Claimed):
            return idempotency.replay(call, denied)
        crash.here("after_hold")
    try:
        stored = _put(caller.account_id, found, sent.upload.media_type, pieces(sent.upload.content))
        found = found._replace(created_at=stored.created_at)  # in lists it is known by that when it is gone, too
        reply = Reply(status=200, content_type="application/json", headers=[], body=shown(found))
        settlement = cost.settlement(call, now_ms()) if cost is not None else None
        outcome = idempotency.outcome(call, reply)
        short = writer.write(file.put, found, settlement, outcome, order=caller.account_id, durable=True)
    except (store.Lost, writer.Busy) as problem:
        _undo(call, found, held, doubtful=isinstance(problem, writer.Busy) and problem.doubtful)
        raise GatewayError(503, "The file cannot be kept now. Retry in a while.", retry_after=5) from problem
    except BaseException:
        _undo(call, found, held)
        raise
    if short is not None:
        _undo(call, found, held)
        _room(short, size)
    if cost is not None:
        journal.write(call, status=200, tokens=(0, 0), cost=cost.most, note="file")
    return reply


def made(account_id: str, identity: str, filename: str, seconds: int | None, chunks: Iterator[bytes]) -> files.Found:
    """Keep what the gateway has written for an account, at no charge; what is there by that id is replaced. Raises
    store.Lost, store.TooLarge, models.writer.Busy."""
    expires_at = files.until(account_id, files.MADE, seconds)
    stored = store.put(account_id, identity, 0, files.FAMILY, "application/jsonl", chunks, expires_at=expires_at)
    found = files.new(account_id, files.MADE, filename, stored.bytes, expires_at, identity)
    found = found._replace(created_at=stored.created_at)
    writer.write(file.put, found, order=account_id, durable=True)
    return found


def forget(account_id: str, identity: str) -> None:
    """Remove a file. Its row goes first, so that none leads to bytes that are gone."""
    writer.write(file.remove, account_id, identity, order=account_id, durable=True)
    store.forget(account_id, identity)


def _put(account_id: str, found: files.Found, media_type: str, chunks: Iterator[bytes]) -> media.Found:
    kind = media_type or "application/octet-stream"
    return store.put(account_id, found.id, 0, files.FAMILY, kind, chunks, expires_at=found.expires_at)


def _undo(call: Call, found: files.Found, held: bool, doubtful: bool = False) -> None:
    """Nothing was kept. doubtful: it may have been, and paid for; then its bytes stay until their time is over."""
    if held:
        ledger.release(call).wait(ERROR_WAIT_S)
    if not doubtful:
        store.forget(found.account_id, found.id)


def _room(room: files.Room, size: int) -> None:
    if room.used + size > room.most:
        raise GatewayError(
            413,
            f"The account's files take {plain(Decimal(room.used) / 10**6)} MB of the {room.most // 10**6} MB that its"
            f" plan allows, and this one has {size} bytes. Delete some, or ask the operator for a wider plan.",
            param="file",
        )


def _call(caller: Caller, request_id: str, identity: str, claim: Claim | None) -> Call:
    """Who pays for a file."""
    return Call(
        id=identity, request_id=request_id, caller=caller, surface="files", dialect="chat", body=Scan("", {}, []),
        ask=Ask(model="files", rigid=True), created_ms=now_ms(), started=monotonic(), headers={}, claim=claim,
    )  # fmt: skip
