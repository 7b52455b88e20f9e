"""Keeping what a caller sends: room and credit first, then the bytes, then the row and the charge in one write.

Where the operator set a price, a file costs its size times the time that it is kept, at once; what is removed before is
not paid back.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from models import file, media, writer

from .. import config, crash, journal, store
from ..billing import later, ledger
from ..billing.prices import Ceiling
from ..bodies import Upload, pieces
from ..call import Ask, Call, Caller
from ..clock import monotonic, now_ms
from ..errors import GatewayError
from ..money import plain
from ..splice import Scan
from ..store import files

_DAY_MS = 86_400_000
_GB = 10**9


def keep(caller: Caller, request_id: str, purpose: str, upload: Upload, seconds: int | None) -> files.Found:
    """Keep a file. seconds: for how long, None for as long as the plan says. Raises GatewayError 402, 413, 503; then
    nothing is kept and nothing was charged."""
    size = len(upload.content)
    _room(files.room(caller.account_id), size)
    expires_at = files.until(caller.account_id, purpose, seconds)
    found = files.new(caller.account_id, purpose, upload.filename or "file", size, expires_at)
    call = _call(caller, request_id, found.id)
    gb_days = Decimal(size) / _GB * max(0, expires_at - found.created_at) / _DAY_MS
    cost = later.kept(gb_days, config.current().file_gb_day_usd)
    if cost is not None:
        ledger.hold(call, (), Ceiling(cost.most, cost.most, cost.most, 0, None), ())
        crash.here("after_hold")
    try:
        _put(caller.account_id, found, upload.media_type, pieces(upload.content))
        settlement = cost.settlement(call, now_ms()) if cost is not None else None
        short = writer.write(file.put, found, settlement, order=caller.account_id, durable=True)
    except (store.Lost, writer.Busy) as problem:
        _undo(call, found, cost is not None)
        raise GatewayError(503, "The file cannot be kept now. Retry in a while.", retry_after=5) from problem
    except BaseException:
        _undo(call, found, cost is not None)
        raise
    if short is not None:
        _undo(call, found, cost is not None)
        _room(short, size)
    if cost is not None:
        journal.write(call, status=200, tokens=(0, 0), cost=cost.most, note="file")
    return found


def made(account_id: str, identity: str, filename: str, seconds: int | None, chunks: Iterator[bytes]) -> files.Found:
    """Keep what the gateway has written for an account, at no charge; what is there by that id is replaced. Raises
    store.Lost, store.TooLarge, models.writer.Busy."""
    expires_at = files.until(account_id, files.MADE, seconds)
    stored = store.put(account_id, identity, 0, files.FAMILY, "application/jsonl", chunks, expires_at=expires_at)
    found = files.new(account_id, files.MADE, filename, stored.bytes, expires_at, identity)
    writer.write(file.put, found, order=account_id, durable=True)
    return found


def forget(account_id: str, identity: str) -> None:
    """Remove a file. Its row goes first, so that none leads to bytes that are gone."""
    writer.write(file.remove, account_id, identity, order=account_id, durable=True)
    store.forget(account_id, identity)


def _put(account_id: str, found: files.Found, media_type: str, chunks: Iterator[bytes]) -> media.Found:
    kind = media_type or "application/octet-stream"
    return store.put(account_id, found.id, 0, files.FAMILY, kind, chunks, expires_at=found.expires_at)


def _undo(call: Call, found: files.Found, held: bool) -> None:
    if held:
        ledger.release(call)
    store.forget(found.account_id, found.id)


def _room(room: files.Room, size: int) -> None:
    if room.used + size > room.most:
        raise GatewayError(
            413,
            f"The account's files take {plain(Decimal(room.used) / 10**6)} MB of the {room.most // 10**6} MB that its"
            f" plan allows, and this one has {size} bytes. Delete some, or ask the operator for a wider plan.",
            param="file",
        )


def _call(caller: Caller, request_id: str, identity: str) -> Call:
    """Who pays for a file."""
    return Call(
        id=identity, request_id=request_id, caller=caller, surface="files", dialect="chat", body=Scan("", {}, []),
        ask=Ask(model="files"), created_ms=now_ms(), started=monotonic(), headers={},
    )  # fmt: skip
