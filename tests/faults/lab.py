"""Where faults are tried: a live gateway, two providers of one model of which the first is asked first, and what is to
hold whatever happens."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import checker
from tests.faults.fake import SECRET, TOKENS_IN, TOKENS_OUT, Provider
from tests.faults.load import BROKEN, COMPLETE, LOST, REFUSED, Load, Outcome
from tests.gateway import Gateway

NANOS_IN, NANOS_OUT = 150, 600
COST = TOKENS_IN * NANOS_IN + TOKENS_OUT * NANOS_OUT
"""What each good answer must cost, in nano-dollars."""

SHORT_LIMITS = {
    "GATEWAY_CONNECT_S": "2", "GATEWAY_FIRST_BYTE_S": "3", "GATEWAY_IDLE_S": "3", "GATEWAY_WHOLE_S": "6",
    "GATEWAY_DEADLINE_S": "40", "GATEWAY_REST_MAX_S": "4", "GATEWAY_SANDBOX": "off",
}  # fmt: skip
"""Time limits that make faults quick to try; their defaults are for real providers."""

MOST_ATTEMPTS = 3


@dataclass
class Found:
    """What trying one fault came to. tried: calls · wrong: a line each · figures: by name, as they are printed ·
    availability: good answers and calls while one provider failed and the other was well · skipped: why it could not
    be tried here."""

    tried: int = 0
    wrong: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    availability: tuple[int, int] = (0, 0)
    checked: int = 0
    skipped: str = ""

    def __add__(self, other: Found) -> Found:
        figures = dict(self.figures)
        for name, value in other.figures.items():
            figures[name] = max(figures.get(name, value), value)
        good, calls = (mine + theirs for mine, theirs in zip(self.availability, other.availability, strict=True))
        return Found(
            self.tried + other.tried, [*self.wrong, *other.wrong], figures, (good, calls),
            self.checked + other.checked, self.skipped or other.skipped,
        )  # fmt: skip


class Lab:
    """A gateway over providers `a` (asked first) and `b`, as the namespace `lab`."""

    def __init__(self, gateway: Gateway, seed: int, say: Callable[[str], None] = lambda text: None) -> None:
        self.gateway, self.seed, self.say = gateway, seed, say
        self.chance = random.Random(seed)
        self.a, self.b = Provider(seed), Provider(seed + 1)
        for name, provider in (("a", self.a), ("b", self.b)):
            self.channel(name, "lab", provider.base_url, 1 if name == "a" else 2)
        gateway.cli("credits", "add", "operator", "1000")
        self._models = 0
        self.fresh()

    def channel(self, name: str, namespace: str, base_url: str, priority: int) -> None:
        self.gateway.cli(
            "channels", "add", "--provider", "openai-compatible", "--name", name, "--namespace", namespace,
            "--base-url", base_url, "--key", "-", "--priority", str(priority), stdin=SECRET,
        )  # fmt: skip
        if priority == 1:
            rates = ("--input-mtok", str(NANOS_IN / 1000), "--output-mtok", str(NANOS_OUT / 1000))
            self.gateway.cli("prices", "set", f"{namespace}/*", *rates)

    def fresh(self, namespace: str = "lab") -> str:
        """A model whose health is not known yet, and an account that has asked nothing yet; the model."""
        self._models += 1
        self.upstream = f"m{self._models}"
        self.model = f"{namespace}/{self.upstream}"
        _, self.key = self.gateway.account("1000")
        self.gateway.settle_in()
        self.a.heal()
        self.b.heal()
        self._asked = self.asked()
        return self.model

    def asked(self) -> int:
        return int(self.a.seen()["asked"] + self.b.seen()["asked"])

    def start(self, clients: int = 16, share: float = 0.5, pause_s: float = 0.02) -> Load:
        model = self.model
        return Load(
            self.gateway.url, self.key, lambda _: model, clients, share, self.chance.randrange(1 << 30), pause_s
        ).start()

    def load(self, seconds: float, clients: int = 16, share: float = 0.5, pause_s: float = 0.02) -> list[Outcome]:
        return self.start(clients, share, pause_s).stop(after_s=seconds)

    def logged(self, text: str, since: int) -> bool:
        return text in self.gateway.log.read_text()[since:]

    def mark(self) -> int:
        return len(self.gateway.log.read_text())

    def amplification(self, calls: int) -> float:
        return round((self.asked() - self._asked) / max(1, calls), 3)

    def judge(self, outcomes: list[Outcome], *, healthy: bool = True, usual: bool = True, wait_s: float = 60) -> Found:
        """What must hold after each fault. healthy: a provider was, so that who got an error before a frame was
        wronged (I8) · usual: the providers reported what they always do, so that the charge is known."""
        wrong = checker.check(self.gateway, outcomes, wait_s)
        if healthy:
            wrong += unavailable(outcomes)
        if usual:
            wrong += self._charges()
        wrong += self._attempts(outcomes)
        wrong += [f"{o.nonce}: the provider's key was told" for o in outcomes if SECRET in o.why]
        if SECRET in self.gateway.log.read_text():
            wrong.append("the provider's key is in the log")
        return Found(len(outcomes), wrong, checked=len(outcomes))

    def _charges(self) -> list[str]:
        """Each receipt of a whole answer costs what it must."""
        found = checker.query(
            self.gateway,
            "SELECT r.id, r.cost_nanos FROM receipt r WHERE r.status = 200 AND NOT r.partial AND r.cost_nanos"
            f" <> {COST} AND r.model = '{self.model}'",
        )
        return [f"I3 {identity}: costs {cost} where {COST} is right" for identity, cost in found[:5]]

    def _attempts(self, outcomes: Iterable[Outcome]) -> list[str]:
        """I7: how often the providers saw each call."""
        mine = {outcome.nonce for outcome in outcomes}
        seen = [provider.seen()["nonces"] for provider in (self.a, self.b)]
        return [
            f"I7 {nonce}: asked {times} times"
            for nonce in mine
            if (times := sum(nonces.get(nonce, 0) for nonces in seen)) > MOST_ATTEMPTS
        ][:5]

    def stop(self) -> None:
        self.a.stop()
        self.b.stop()


@contextmanager
def lab(
    seed: int, *, workers: int = 2, database: str | None = None, say: Callable[[str], None] = lambda text: None,
    folder: Path | None = None, **settings: str,
) -> Iterator[Lab]:  # fmt: skip
    """A lab of its own, for as long as it lasts."""
    with tempfile.TemporaryDirectory() as made:
        place = folder or Path(made)
        with Gateway(place, database=database, workers=workers, **{**SHORT_LIMITS, **settings}) as gateway:
            found = Lab(gateway, seed, say)
            try:
                yield found
            finally:
                found.stop()


def unavailable(outcomes: Iterable[Outcome]) -> list[str]:
    """I8: errors of ours although nothing was sent yet."""
    bad = [
        outcome
        for outcome in outcomes
        if (outcome.came_to == REFUSED and (outcome.status or 0) >= 500)
        or outcome.came_to == LOST
        or (outcome.came_to == BROKEN and outcome.stream and not outcome.frames)
    ]
    shown = "; ".join(sorted({f"{o.came_to} {o.status} {o.why[:80]}" for o in bad})[:3])
    return [f"I8 {len(bad)} calls failed while a provider was healthy: {shown}"] if bad else []


def good(outcomes: Iterable[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.came_to == COMPLETE]


def p99(seconds: Iterable[float]) -> float:
    """In whole milliseconds."""
    ordered = sorted(seconds)
    return round(1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]) if ordered else 0


def worst_stall_ms(outcomes: Iterable[Outcome]) -> float:
    return round(1000 * max((outcome.stall_s for outcome in good(outcomes) if outcome.stream), default=0))


def until(check: Callable[[], bool], seconds: float) -> float | None:
    """Seconds until something holds, or None when it does not in time."""
    began = time.monotonic()
    while not check():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(0.05)
    return round(time.monotonic() - began, 2)
