"""Tasks of all accounts: what runs, how it is, and ending it."""

from __future__ import annotations

import json
from typing import Any

import click

from models import task as table
from models.base import session

from .. import clock
from ..tasks import cancelling
from ..tasks.views import spellings
from ._say import Failure, house, say, verb
from ._say import table as columns
from .channels import open_rooms

_COLUMNS = ("id", "type", "model", "status", "progress", "account", "channel", "created")
MOST = 1_000


@click.group()
def tasks() -> None:
    """Work that takes minutes: videos, music, and the like."""


@tasks.command("list")
@click.option("--status", type=click.Choice([*table.OPEN, table.COMPLETED, table.FAILED, table.CANCELLED]))
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True)
@verb
def tasks_list(status: str | None, limit: int) -> None:
    """The newest tasks."""
    house()
    with session():
        found = table.latest(limit, status)
    columns(map(_shown, found), _COLUMNS, "No tasks.")


@tasks.command("show")
@click.argument("identity", metavar="ID")
@verb
def tasks_show(identity: str) -> None:
    """One task."""
    house()
    shown = _shown(_found(identity))
    say(shown, "\n".join(f"{name}: {value}" for name, value in shown.items() if value is not None))


@tasks.command("cancel")
@click.argument("identity", metavar="ID")
@verb
def tasks_cancel(identity: str) -> None:
    """End a task that is open; its account pays nothing."""
    open_rooms(house())
    row = _found(identity)
    if row["kind"] in table.APART:
        raise Failure(f"The {row['kind']} {row['id']} is its owner's to cancel, over HTTP.")
    if row["status"] not in table.OPEN or not cancelling.cancel(row):
        raise Failure(f"The task {row['id']} is over. See: python -m gateway tasks show {row['id']}")
    say(_shown(_found(identity)), f"The task {row['id']} is cancelled.")


def _found(identity: str) -> dict[str, Any]:
    with session():
        row = table.anybodys(*(spellings(identity) or (identity,)))
    if row is None:
        raise Failure(f"There is no task {identity!r}. See: python -m gateway tasks list")
    return row


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """What is shown of a row, nothing that its owner has sealed; of a batch, where its provider makes it if it does."""
    facts = json.loads(row["facts"])
    there = facts.get("there", {})
    place = ("", row["id"]) if "refused" in there else (row["channel_id"], there.get("id", row["upstream_id"]))
    return {
        "id": row["id"], "type": row["kind"], "model": row["model"], "status": row["status"],
        "progress": row["progress"], "account": row["account_id"], "channel": place[0],
        "upstream_id": place[1], "error": row["error"], "created": clock.iso(row["created_at"]),
        "done": clock.iso(row["done_at"]) if row["done_at"] is not None else None,
        "next_look": clock.iso(row["next_at"]) if row["next_at"] is not None else None,
        "results": len(facts.get("results", ())),
    }  # fmt: skip
