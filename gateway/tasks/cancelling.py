"""Ending a task before it is done. It delivered nothing, so it costs nothing; its provider is told to stop where it can
be told."""

from __future__ import annotations

import logging
from typing import Any

from models import task as table
from models import writer

from ..billing import later
from ..call import Fault
from ..clock import now_ms
from ..modalities import words
from ..modalities.jobs import At
from ..routing import channels
from . import asking

_log = logging.getLogger("gateway.tasks")


def cancel(row: dict[str, Any]) -> bool:
    """End an open task. False if it was over first."""
    channel = channels.current().by_id.get(row["channel_id"] or "")
    stopped = False
    if channel is not None and row["upstream_id"] is not None:
        try:
            stopped = asking.cancel(channel, words.JOBS[row["dialect"]], At(row["upstream_id"], row["upstream_model"]))
        except Fault as fault:
            _log.warning("task %s: its provider could not be told to stop: %s", row["id"], fault)
    settlement = later.settlement(row["bill"], status=499, finish="cancelled", at=now_ms())
    done = writer.write(
        table.finish, row["id"], None, table.CANCELLED, now_ms(), settlement, order=row["account_id"], durable=True
    )
    if done:
        _log.info("task %s is cancelled%s", row["id"], ", and its provider stopped" if stopped else "")
    return bool(done)
