"""What is known of files that callers send to be kept: a row beside the media of the same id, in which the file's name
is sealed. The bytes are kept, read and removed by the store as all media are.
"""

from __future__ import annotations

import logging

from models import file, media, writer
from models.base import session
from models.file import MADE, Found, Page, Room

from .. import ids
from ..clock import now_ms
from ..vault import Vault, VaultError

__all__ = [
    "FAMILY", "MADE", "PREFIX", "Found", "Page", "Room", "find", "name", "new", "open", "page", "place", "room",
    "tick", "until",
]  # fmt: skip

FAMILY = "files"
PREFIX = "file-"

BATCH_S = 30 * 86_400
"""How long the input of batches is kept at most, and what they write, as with OpenAI."""

_log = logging.getLogger("gateway.store")
_vault: Vault | None = None


def open(vault: Vault) -> None:
    """Say how names are sealed. Call once."""
    global _vault
    _vault = vault


def new(account_id: str, purpose: str, filename: str, size: int, expires_at: int, identity: str = "") -> Found:
    """A file as it is to be noted."""
    assert _vault is not None
    identity = identity or ids.new(PREFIX)
    sealed = _vault.seal(filename, identity)
    return Found(identity, account_id, purpose, sealed, size, now_ms(), expires_at)


def name(of: Found) -> str:
    """The name of a file as its owner sent it."""
    assert _vault is not None
    try:
        return _vault.open(of.name, of.id)
    except VaultError:
        _log.error("file %s: its name was sealed under another GATEWAY_SECRET", of.id)
        return "file"


def until(account_id: str, purpose: str, seconds: int | None) -> int:
    """Until when a file is kept, Unix ms: as long as its owner asks, and no longer than the plan says. seconds: None
    where nothing is asked."""
    with session():
        last = media.until(account_id, now_ms())
    if seconds is None and purpose in ("batch", MADE):
        seconds = BATCH_S
    return last if seconds is None else min(last, now_ms() + seconds * 1_000)


def room(account_id: str) -> Room:
    """How much of files an account keeps, and may."""
    with session():
        return file.room(account_id)


def find(account_id: str, identity: str) -> Found | None:
    """A file of this account that is still kept; None for unknown and foreign ids alike."""
    if not _is_one(identity):
        return None
    with session():
        return file.find(account_id, identity, now_ms())


def place(account_id: str, identity: str) -> tuple[int, str] | None:
    """Where a file of this account stands in lists, or stood: who deletes what it lists goes on behind it."""
    if not _is_one(identity):
        return None
    with session():
        found = file.find(account_id, identity, now_ms()) or next(iter(media.of(account_id, identity)), None)
    return (found.created_at, identity) if found is not None else None


def _is_one(identity: str) -> bool:
    return identity.startswith(PREFIX) and len(identity) <= 128 and identity.isascii() and identity.isprintable()


def page(account_id: str, wanted: Page) -> list[Found]:
    """The files of an account, a page of them."""
    with session():
        return file.page(account_id, wanted, now_ms())


def tick() -> None:
    """Forget the files whose time is over."""
    with session():
        due = file.due(now_ms())
    if due:
        writer.write(file.expire, now_ms(), order="~")
