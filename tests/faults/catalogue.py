"""The catalogue: every fault that is tried, in the order of its number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import databases, processes, providers
from tests.faults.lab import Found


@dataclass(frozen=True)
class Fault:
    """One fault. alone: it needs a gateway of its own, and `run` takes the seed and who is told of progress; else `run`
    takes the lab that such faults share."""

    number: int
    name: str
    what: str
    run: Callable[..., Found]
    alone: bool = False


CATALOGUE: tuple[Fault, ...] = (
    Fault(
        0,
        "bad-inputs",
        "requests that no SDK would send, answers that no provider would",
        processes.bad_inputs,
        alone=True,
    ),
    Fault(1, "refused", "the provider's port is closed", providers.refused),
    Fault(2, "dns", "the provider's name is unknown", providers.no_name),
    Fault(3, "black-hole", "connecting to the provider gets no answer", providers.black_hole),
    Fault(4, "reset", "the provider resets, or ends, before its headers", providers.reset_before),
    Fault(5, "broken-mid", "the provider resets, or ends, in the middle of an answer", providers.broken_mid),
    Fault(6, "slow-first-byte", "the first byte comes after the limit", providers.slow_first),
    Fault(7, "silent", "trickles, hangs, and a stopped provider", providers.silent),
    Fault(8, "limited", "429 for seconds, for a day, from all", providers.limited),
    Fault(9, "failing", "500, 503 and 529 for a while", providers.failing),
    Fault(10, "flapping", "half of the answers are errors", providers.flapping),
    Fault(11, "our-account", "the provider refuses our key", providers.our_account),
    Fault(12, "nonsense", "answers that are none, gzip bombs, 300 MB", providers.nonsense),
    Fault(12, "lies", "usage that cannot be", providers.lies),
    Fault(13, "all-down", "all providers are down", providers.none_left),
    Fault(14, "killed-workers", "a worker is killed every 2 s for 60 s", processes.killed_workers, alone=True),
    Fault(15, "killed-all", "all processes are killed, and started again", processes.killed_master, alone=True),
    Fault(16, "sigterm", "SIGTERM while streams run", processes.drained, alone=True),
    Fault(17, "sighup", "SIGHUP under load, three times", processes.reloaded, alone=True),
    Fault(18, "sigstop", "a worker is stopped for 10 s", processes.stopped_worker, alone=True),
    Fault(19, "clients-leave", "200 clients leave in the middle of a stream", processes.leaving_clients),
    Fault(20, "locked", "SQLite's write lock is held for 10 s", databases.locked, alone=True),
    Fault(21, "full-disk", "there is no room for another page", databases.full_disk, alone=True),
    Fault(22, "postgres-gone", "Postgres ends its backends, and restarts", databases.postgres_gone, alone=True),
    Fault(23, "postgres-slow", "a table that all calls write is locked for 5 s", databases.postgres_slow, alone=True),
    Fault(24, "descriptors", "128 descriptors a worker, 200 clients", processes.no_descriptors, alone=True),
    Fault(25, "memory", "a worker gets no further memory", processes.no_memory, alone=True),
    Fault(26, "clock", "the clock leaps by an hour, forth and back", processes.clock_steps, alone=True),
    Fault(31, "overload", "two and five times as many calls as can be carried", processes.overload, alone=True),
)
