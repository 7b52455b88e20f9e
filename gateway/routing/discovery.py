"""What channels that take any name say that they serve: self-hosted and compatible servers, asked every few minutes,
each for itself: one that hangs keeps no other waiting."""

from __future__ import annotations

import json
from typing import Any

import models.discovery
from models import writer
from models.base import session

from .. import rounds
from ..call import Channel, Fault
from ..clock import now_ms
from ..providers import pool
from ..providers.registry import KINDS
from . import catalogue, channels

EVERY_MS = 300_000
SILENT_MS = 30_000
"""When one is asked again that listed nothing: it may only be starting."""
_MOST = 2_000


def tick() -> None:
    """Ask the channels whose turn has come. One that does not answer keeps what was heard of it."""
    asked = [channel for channel in channels.current().by_id.values() if discoverable(channel)]
    if not asked:
        return
    with session():
        rested = models.discovery.rested(now_ms())
    for channel in asked:
        now = now_ms()
        if channel.id not in rested and writer.write(models.discovery.claim, channel.id, now, now + EVERY_MS):
            rounds.beside(f"asking {channel.name} for its models", _hear, channel)


def _hear(channel: Channel) -> None:
    names = ask(channel)
    if names is None:
        writer.write(models.discovery.put_off, channel.id, now_ms() + SILENT_MS)
    else:
        writer.write(models.discovery.put, channel.id, names)


def discoverable(channel: Channel) -> bool:
    """Whether a channel is asked: it takes any name, and its provider is no vendor whose models the book knows."""
    kind = KINDS[channel.provider]
    return kind.generic and channel.models is None


def ask(channel: Channel) -> list[str] | None:
    """The names that a server lists, as OpenAI, Anthropic or Google list them; None where it lists none."""
    try:
        status, _, body = pool.probe(channel, KINDS[channel.provider].probe)
        found: Any = json.loads(body) if status == 200 else None
    except (Fault, ValueError, RecursionError):
        return None
    rows = (found.get("data") or found.get("models")) if isinstance(found, dict) else None
    if not isinstance(rows, list):
        return None
    named = [str(row.get("id") or row.get("name") or "") for row in rows if isinstance(row, dict)]
    plain = [name.removeprefix("models/") for name in named]
    return sorted({name for name in plain if catalogue.NAME.fullmatch(name)})[:_MOST]
