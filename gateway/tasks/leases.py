"""Claims: what whoever looks after a task has to know of them."""

from __future__ import annotations

LEASE_MS = 60_000
"""How long a claim holds; whoever takes a long result renews it."""


class Moved(Exception):
    """Somebody else has this task by now."""
