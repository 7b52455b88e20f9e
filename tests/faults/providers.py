"""Faults 1 to 13: a provider fails, and the other is well, or none is."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from typing import Any

import psutil

from tests.faults import checker
from tests.faults.lab import Found, Lab, good, p99, until, worst_stall_ms
from tests.faults.load import BROKEN, REFUSED

_MB = 1 << 20


def one_fails(
    lab: Lab, kind: str, *, lasts: float = 3, before_s: float = 2, opens: bool = True, breaks: bool = False, **more: Any
) -> Found:
    """Load, a fault of the first provider meanwhile, and its end. opens: a breaker must open and recover · breaks:
    answers may break after they began, and then with an error told."""
    lab.fresh()
    before = lab.load(before_s)
    since = lab.mark()
    lab.a.fault(kind, **more)
    load = lab.start()
    opened = until(lambda: lab.logged(f"channel a, model {lab.upstream} rests", since), 25 if opens else lasts)
    time.sleep(lasts)
    lab.a.heal()
    recovered = None
    if opened is not None:
        recovered = until(lambda: lab.logged(f"channel a, model {lab.upstream} serves again", since), 30)
    outcomes = load.stop()
    found = lab.judge([*before, *outcomes])
    if opens and opened is None:
        found.wrong.append(f"{kind}: the breaker did not open")
    if opened is not None and recovered is None:
        found.wrong.append(f"{kind}: the breaker opened and did not recover")
    broken = [outcome for outcome in outcomes if outcome.came_to == BROKEN]
    if not breaks and broken:
        found.wrong.append(f"{kind}: {len(broken)} answers broke: {broken[0].why}")
    if silent := [outcome for outcome in broken if outcome.why == "cut"]:
        found.wrong.append(f"{kind}: {len(silent)} streams were cut without a word")
    found.availability = (len(good(outcomes)), len(outcomes))
    found.figures = {
        "p99 added ms": max(0, p99(o.seconds for o in good(outcomes)) - p99(o.seconds for o in good(before))),
        "amplification": lab.amplification(len(before) + len(outcomes)),
        "stall ms": worst_stall_ms(outcomes),
    }
    if opened is not None:
        found.figures["open s"] = opened
    if recovered is not None:
        found.figures["recover s"] = recovered
    return found


def refused(lab: Lab) -> Found:
    return one_fails(lab, "refused")


def no_name(lab: Lab) -> Found:
    """A host that no name server knows."""
    return _unreachable(lab, "dns", "http://nope.invalid:9/v1")


def black_hole(lab: Lab) -> Found:
    """A listener whose queue is full: the kernel answers nothing, as a lost route would."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        return _unreachable(lab, "hole", f"http://127.0.0.1:{listener.getsockname()[1]}/v1")


def _unreachable(lab: Lab, name: str, base_url: str) -> Found:
    lab.channel(name, name, base_url, 1)
    lab.channel(f"{name}-b", name, lab.b.base_url, 2)
    lab.fresh(name)
    since = lab.mark()
    load = lab.start(8)
    opened = until(lambda: lab.logged(f"channel {name}, model {lab.upstream} rests", since), 20)
    time.sleep(2)
    outcomes = load.stop()
    lab.gateway.cli("channels", "disable", name)
    found = lab.judge(outcomes)
    found.wrong += [] if opened is not None else [f"{name}: the breaker did not open"]
    found.availability = (len(good(outcomes)), len(outcomes))
    found.figures = {"p99 ms": p99(o.seconds for o in outcomes), "open s": opened, "stall ms": worst_stall_ms(outcomes)}
    return found


def reset_before(lab: Lab) -> Found:
    return one_fails(lab, "reset") + one_fails(lab, "fin")


def broken_mid(lab: Lab) -> Found:
    """Half of an answer, and then a reset, or an end that looks polite."""
    return one_fails(lab, "reset_mid", breaks=True) + one_fails(lab, "fin_mid", breaks=True)


def slow_first(lab: Lab) -> Found:
    return one_fails(lab, "slow", lasts=8, seconds=30)


def silent(lab: Lab) -> Found:
    """Trickles, hangs, and a provider that is stopped: slots come back, and so do the sockets."""
    found = one_fails(lab, "trickle", breaks=True) + one_fails(lab, "hang_mid", breaks=True)
    lab.fresh()
    load = lab.start(8)
    time.sleep(1)
    with lab.a.stopped():
        time.sleep(8)
    outcomes = load.stop()
    stopped = lab.judge(outcomes)
    freed = until(lambda: lab.a.seen()["writing"] == 0 and lab.b.seen()["writing"] == 0, 15)
    if freed is None:
        stopped.wrong.append(f"{lab.a.seen()['writing']} connections to the provider are still in an answer")
    stopped.availability = (len(good(outcomes)), len(outcomes))
    stopped.figures = {"free s": freed or 15}
    return found + stopped


def limited(lab: Lab) -> Found:
    """429 for two seconds, for a day, and from both."""
    found = Found()
    for after in ("2", "86400"):
        lab.fresh()
        before = lab.a.seen()["asked"]
        lab.a.fault("error", status=429, headers={"retry-after": after})
        outcomes = lab.load(5)
        asked = lab.a.seen()["asked"] - before
        since = lab.mark()
        lab.a.heal()
        load = lab.start(4)
        again = until(lambda since=since: lab.logged(f"model {lab.upstream} serves again", since), 15)
        one = lab.judge([*outcomes, *load.stop()])
        if again is None:
            one.wrong.append(f"429 with Retry-After {after}: never asked again")
        one.availability = (len(good(outcomes)), len(outcomes))
        one.figures = {"asked at rest": asked}
        found += one
    lab.fresh()
    for provider in (lab.a, lab.b):
        provider.fault("error", status=429, headers={"retry-after": "3"})
    outcomes = lab.load(2, 4)
    none = lab.judge(outcomes, healthy=False)
    if bad := [o for o in outcomes if o.status != 429]:
        none.wrong.append(f"both at their limit, and {len(bad)} calls got {bad[0].came_to} {bad[0].status}")
    answer = lab.gateway.chat(lab.model, key=lab.key)
    if answer.status_code == 429 and not 0 < int(answer.headers.get("retry-after", 0)) <= 4:
        none.wrong.append(f"429 with Retry-After {answer.headers.get('retry-after')}")
    return found + none


def failing(lab: Lab) -> Found:
    return (
        one_fails(lab, "error", status=500) + one_fails(lab, "error", status=503) + one_fails(lab, "error", status=529)
    )


def flapping(lab: Lab) -> Found:
    found = one_fails(lab, "error", status=503, share=0.5, lasts=6, opens=False)
    if found.figures["amplification"] > 1.2:
        found.wrong.append(f"{found.figures['amplification']} calls upstream for each call")
    return found


def our_account(lab: Lab) -> Found:
    """The provider refuses us: the other serves, the operator is told, and with both refusing nobody learns a key."""
    found = Found()
    for status in (401, 403):
        since = lab.mark()
        found += one_fails(lab, "error", status=status)
        if not lab.logged("refuses our key or account", since) and not lab.logged(
            "our account there is refused", since
        ):
            found.wrong.append(f"{status}: the operator was not told")
    lab.fresh()
    for provider in (lab.a, lab.b):
        provider.fault("error", status=401)
    outcomes = lab.load(2, 4)
    none = lab.judge(outcomes, healthy=False)
    if bad := [o for o in outcomes if o.status != 503]:
        none.wrong.append(f"both refuse us, and {len(bad)} calls got {bad[0].came_to} {bad[0].status}")
    return found + none


_BAD_WORDS: tuple[dict[str, Any], ...] = (
    {"body": "<html><body>Bad gateway</body></html>", "type": "text/html"},
    {"body": ""},
    {"body": "null"},
    {"body": "[]"},
    {"body": '{"id":"x","choices":NaN}'},
    {"body": '{"id":"x","choices":[]'},
    {"body": '{"error":{"message":"in a 200"}}'},
    {"body": "not json at all", "type": "image/png"},
    {"body": " " * 1000, "gzip": 300_000},
)


def nonsense(lab: Lab) -> Found:
    """Successes that are none: pages, nothing, other types, a gzip bomb, 300 MB."""
    found = Found()
    peak = base = _rss(lab)
    for told in (*({"kind": "words", **words} for words in _BAD_WORDS), {"kind": "huge", "size": 300 * _MB}):
        lab.fresh()
        lab.a.fault(**told)
        load = lab.start(2 if told["kind"] == "huge" or told.get("gzip") else 6)
        end = time.monotonic() + (4 if told["kind"] == "huge" else 1.5)
        while time.monotonic() < end:
            peak = max(peak, _rss(lab))
            time.sleep(0.05)
        outcomes = load.stop()
        one = lab.judge(outcomes)
        one.wrong = [f"{told.get('body', 'huge')[:30]!r}: {line}" for line in one.wrong]
        one.availability = (len(good(outcomes)), len(outcomes))
        found += one
    found.figures = {"RSS added MB": (peak - base) // _MB}
    if peak - base > 2 * 160 * _MB:
        found.wrong.append(f"two calls took {(peak - base) // _MB} MB")
    return found


def _rss(lab: Lab) -> int:
    """Of the largest worker."""
    return max(psutil.Process(pid).memory_info().rss for pid in lab.gateway.worker_pids())


_LIES: tuple[dict[str, Any], ...] = (
    {"prompt_tokens": -5, "completion_tokens": 10},
    {"prompt_tokens": 10**18, "completion_tokens": 10**18},
    {"prompt_tokens": "many", "completion_tokens": None},
    {"prompt_tokens": 1.5, "completion_tokens": True},
    {},
)


def lies(lab: Lab) -> Found:
    """Usage that cannot be: clamped or estimated, never free, never more than was held."""
    found = Found()
    for usage in _LIES:
        lab.fresh()
        lab.a.heal(usage=usage or {"nothing": 0})
        outcomes = lab.load(1, 4)
        one = lab.judge(outcomes, usual=False)
        rows = checker.query(
            lab.gateway,
            f"SELECT min(r.cost_nanos), max(r.cost_nanos) FROM receipt r WHERE r.model = '{lab.model}' AND r.status = 200",
        )
        least, most = rows[0]
        if least is None or least <= 0:
            one.wrong.append(f"usage {usage}: charged {least}")
        if most is not None and most > 10**9:
            one.wrong.append(f"usage {usage}: charged {most} nano-dollars")
        found += one
    return found


def none_left(lab: Lab) -> Found:
    """Both are down: an error soon, and no charge."""
    found = Found()
    for kind, more in (("refused", {}), ("error", {"status": 500}), ("reset", {})):
        lab.fresh()
        for provider in (lab.a, lab.b):
            provider.fault(kind, **more)
        outcomes = lab.load(2, 8)
        one = lab.judge(outcomes, healthy=False)
        if bad := [o for o in outcomes if o.came_to != REFUSED or o.status not in (500, 502, 503)]:
            one.wrong.append(f"{kind} from both: {len(bad)} calls got {bad[0].came_to} {bad[0].status}")
        one.figures = {"p99 of refusal ms": p99(o.seconds for o in outcomes)}
        found += one
    charged = checker.query(
        lab.gateway, f"SELECT count(*) FROM receipt WHERE model = '{lab.model}' AND cost_nanos <> 0"
    )
    if charged[0][0]:
        found.wrong.append(f"{charged[0][0]} charges although nobody answered")
    return found
