"""How long the gateway takes to its first answer: on an empty database, and again on one that is there."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.gateway import Gateway

from .found import Found
from .programs import provider
from .subjects import first_answer, gateway, of, restart, started


def starts(found: Found, times: int) -> None:
    """Adds `start_s` and `first_s` of the gateway, so many times; nothing else should run."""
    with provider() as to, tempfile.TemporaryDirectory() as folder:
        live = gateway(Path(folder) / "again", to)
        try:
            for number in range(times):
                again = restart(live, "gateway").start_s
                found.add("start", "gateway", {"start_s": again or 0.0, "first_s": _first(Path(folder) / str(number))})
        finally:
            live.stop()


def _first(folder: Path) -> float:
    """From nothing to an answer of the embedded provider, which is there without being set up."""
    folder.mkdir()
    live = Gateway(folder, workers=1)
    started(live)
    try:
        return first_answer(live.process, of(live, "gateway"), live.log, model="sandbox/echo", holds='"choices"')
    finally:
        live.stop()
