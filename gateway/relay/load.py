"""How many calls this worker carries now."""

from __future__ import annotations


class Load:
    """A gauge that a call raises while it runs: `with load:`."""

    def __init__(self) -> None:
        self.running = 0

    def __enter__(self) -> None:
        self.running += 1

    def __exit__(self, *_: object) -> None:
        self.running -= 1


load = Load()
