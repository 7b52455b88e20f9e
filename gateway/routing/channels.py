"""Channels as the workers keep them: rows with their secrets opened, reloaded when the change counter moves."""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import models.channel
import models.discovery
import models.pricebook
import models.route
from models import change
from models.base import session

from .. import book
from ..call import Channel
from ..providers.registry import KINDS
from ..vault import Vault, VaultError

_log = logging.getLogger("gateway.channels")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All enabled channels in order of priority, by id, namespace and provider; all routes; and heard, what channels
    that take any name say that they serve. book: the digest of the book in force."""

    book: str
    by_id: dict[str, Channel]
    by_namespace: dict[str, tuple[Channel, ...]]
    by_provider: dict[str, tuple[Channel, ...]]
    routes: dict[str, tuple[tuple[str, str], ...]]
    heard: dict[str, tuple[str, ...]]


_vault: Vault | None = None
_snapshot: Snapshot | None = None
_seen = -1


def open(vault: Vault) -> None:
    """Say how secrets are opened. Call once, before the first `current`."""
    global _vault, _snapshot
    _vault, _snapshot = vault, None


def current() -> Snapshot:
    """The channels and routes as of now; the same object as long as they stay the same."""
    global _snapshot, _seen
    if _snapshot is None or _seen != change.seen():
        version = change.seen()
        loaded = _load()
        if loaded != _snapshot:
            _snapshot = loaded
        _seen = version
    return _snapshot


def _load() -> Snapshot:
    by_id: dict[str, Channel] = {}
    with session():
        rows = models.channel.everyone()
        routes = models.route.everyone()
        heard = models.discovery.everyone()
        _take_book()
    for row in rows:
        if row.enabled and row.provider in KINDS:
            by_id[row.id] = thaw(row)
    return Snapshot(
        book=book.current().digest,
        by_id=by_id,
        by_namespace=_grouped(by_id.values(), lambda channel: channel.namespace),
        by_provider=_grouped(by_id.values(), lambda channel: channel.provider),
        routes={model: tuple(legs) for model, legs in routes.items()},
        heard={channel_id: tuple(names) for channel_id, names in heard.items()},
    )


def _grouped(channels: Iterable[Channel], by: Callable[[Channel], str]) -> dict[str, tuple[Channel, ...]]:
    found: dict[str, list[Channel]] = {}
    for channel in channels:
        found.setdefault(by(channel), []).append(channel)
    return {name: tuple(some) for name, some in found.items()}


def _take_book() -> None:
    """Put the book in force that the operator took, else the built-in one; the caller holds a session."""
    taken = models.pricebook.digest()
    if taken is None:
        book.use(None)
    elif taken != book.current().digest:
        try:
            book.use(book.read(zlib.decompress(models.pricebook.body())))
        except (ValueError, zlib.error):
            _log.error("the price book that was taken cannot be read; the built-in one holds. See: prices update")
            book.use(None)


def thaw(row: models.channel.Channel) -> Channel:
    """A row as a channel that can be called. A secret that cannot be opened is missing, and the log says so."""
    provider = KINDS[row.provider]
    names = json.loads(row.models)
    return Channel(
        id=row.id,
        name=row.name,
        provider=row.provider,
        namespace=row.namespace,
        base_url=(row.base_url or provider.base_url or "").rstrip("/"),
        secret=_secret(row),
        models=None if names == ["*"] else tuple(names),
        dialects=tuple(json.loads(row.dialects)) if row.dialects else provider.dialects,
        priority=row.priority,
        weight=row.weight,
        free=row.free,
    )


def _secret(row: models.channel.Channel) -> str | None:
    if row.secret_env:
        secret = os.environ.get(row.secret_env)
        if not secret:
            _log.warning(
                "channel %s: %s is not set where the gateway runs; set it and start again", row.name, row.secret_env
            )
        return secret or None
    if row.secret is None or _vault is None:
        return None
    try:
        return _vault.open(bytes(row.secret), row.id)
    except VaultError:
        _log.error("channel %s: its key was sealed under another GATEWAY_SECRET; set it again", row.name)
        return None
