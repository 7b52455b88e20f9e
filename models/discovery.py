"""What self-hosted and compatible channels say that they serve: channel → names, as last heard, and when it is asked
again. One gateway of an installation asks for all: whoever moves `due_at` first."""

import json

from .base import BigIntegerField, CharField, Row, TextField, rows, run
from .change import touch


class Discovery(Row):
    channel_id = CharField(primary_key=True)
    names = TextField()
    due_at = BigIntegerField()


def claim(channel_id: str, now: int, again: int) -> bool:
    """Take a channel's turn, if it is due at `now`; the next one is at `again` (Unix ms)."""
    run("INSERT INTO discovery (channel_id, names, due_at) VALUES (?, '[]', 0) ON CONFLICT DO NOTHING", channel_id)
    taken = run("UPDATE discovery SET due_at = ? WHERE channel_id = ? AND due_at <= ?", again, channel_id, now)
    return bool(taken.rowcount == 1)


def put_off(channel_id: str, again: int) -> None:
    """Ask a channel again at `again` (Unix ms)."""
    run("UPDATE discovery SET due_at = ? WHERE channel_id = ?", again, channel_id)


def rested(now: int) -> set[str]:
    """Channels that need not be asked yet."""
    return {row[0] for row in rows("SELECT channel_id FROM discovery WHERE due_at > ?", now)}


def put(channel_id: str, names: list[str]) -> None:
    """Keep what a channel says; caches hear of it only where it is something else than before."""
    text = json.dumps(names)
    if run("UPDATE discovery SET names = ? WHERE channel_id = ? AND names <> ?", text, channel_id, text).rowcount == 1:
        touch()


def everyone() -> dict[str, list[str]]:
    """Channel id → names."""
    return {row[0]: json.loads(row[1]) for row in rows("SELECT channel_id, names FROM discovery")}
