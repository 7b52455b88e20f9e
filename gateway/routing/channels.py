"""Channels as the workers keep them: rows with their secrets opened, reloaded when the change counter moves."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass

import models.channel
import models.route
from models import change
from models.base import session

from ..call import Channel
from ..providers.registry import KINDS
from ..vault import Vault, VaultError

_log = logging.getLogger("gateway.channels")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All enabled channels in order of priority, by id and by namespace; and all routes."""

    version: int
    by_id: dict[str, Channel]
    by_namespace: dict[str, tuple[Channel, ...]]
    routes: dict[str, tuple[tuple[str, str], ...]]


_vault: Vault | None = None
_snapshot: Snapshot | None = None


def open(vault: Vault) -> None:
    """Say how secrets are opened. Call once, before the first `current`."""
    global _vault, _snapshot
    _vault, _snapshot = vault, None


def current() -> Snapshot:
    """The channels and routes as of now."""
    global _snapshot
    if _snapshot is None or _snapshot.version != change.seen():
        _snapshot = _load(change.seen())
    return _snapshot


def _load(version: int) -> Snapshot:
    by_id: dict[str, Channel] = {}
    with session():
        rows = models.channel.everyone()
        routes = models.route.everyone()
    for row in rows:
        if row.enabled and row.provider in KINDS:
            by_id[row.id] = thaw(row)
    spaces: dict[str, list[Channel]] = {}
    for channel in by_id.values():
        spaces.setdefault(channel.namespace, []).append(channel)
    return Snapshot(
        version=version,
        by_id=by_id,
        by_namespace={name: tuple(channels) for name, channels in spaces.items()},
        routes={model: tuple(legs) for model, legs in routes.items()},
    )


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
