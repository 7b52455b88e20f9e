"""Workers killed under load, one every few seconds, by chance that a seed repeats."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence

from tests.faults.load import Load, Outcome
from tests.gateway import Gateway

MODELS = ("sandbox/echo", "sandbox/tokens-40", "sandbox/slow-300", "sandbox/slow-1000")


def run(
    gateway: Gateway, key: str, clients: int, seconds: float, seed: int, every_s: float = 2.0,
    models: Sequence[str] = MODELS,
) -> tuple[list[Outcome], int]:  # fmt: skip
    """Load the gateway, half of it streams, and kill -9 one of its workers every so often; the log of the clients and
    how many were killed."""
    chance = random.Random(seed)
    load = Load(gateway.url, key, lambda client: client.choice(models), clients, 0.5, seed).start()
    end, killed = time.monotonic() + seconds, 0
    while time.monotonic() + every_s <= end:
        time.sleep(every_s)
        os.kill(chance.choice(gateway.worker_pids()), signal.SIGKILL)
        killed += 1
    return load.stop(), killed
