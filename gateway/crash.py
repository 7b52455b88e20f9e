"""Points at which a test kills this process, to prove what survives it.

Only where GATEWAY_TEST=1 and CRASH_AT names a file: a process that comes to the point whose name stands in that file
takes the file away and ends itself as SIGKILL would. So each writing of the file is one death, of whoever comes first.
Otherwise `here` does nothing.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

POINTS = ("after_hold", "after_dispatch", "before_settle", "after_settle", "before_last_byte")
"""The hold is committed, or that a batch is about to be asked for · the provider has been asked · nothing of the
settlement is written · it is committed · and what tells the client of its end is about to be sent."""


def _nothing(point: str) -> None:
    pass


def _die(point: str) -> None:
    try:
        if _order.read_text() == point:
            _order.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
    except FileNotFoundError:
        pass  # no order, or another process was faster


_order = Path(os.environ.get("CRASH_AT", ""))
here = _die if os.environ.get("GATEWAY_TEST") == "1" and "CRASH_AT" in os.environ else _nothing
"""`here(point)`: the process is at this point."""
