"""What whole answers and streams share: which legs are tried, how a provider is asked, and what its faults mean."""

from __future__ import annotations

import logging
import math
import random
import re
import traceback
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import gevent

from .. import config, counts
from ..access import idempotency
from ..bodies import Form
from ..call import Attempt, Call, Fault, Leg, Meter, Outbound, Reply, Wire
from ..clock import monotonic
from ..errors import GatewayError, masked
from ..modalities import words
from ..routing import bulletin
from . import media
from .orders import MOST_ATTEMPTS, healthy_first
from .watch import ClientWatch

_log = logging.getLogger("gateway.relay")
_MOST_ERROR_BODY = 1 << 16
SETTLE_S = 60.0
"""How long an answer waits for its settlement when the database takes no writes."""

ERROR_WAIT_S = 5.0
"""How long an error waits for its settlement, so that who reads it finds the hold gone."""

CLIENT_GONE = 499
"""Status on the receipt of a call whose client left; nobody is there to read it (nginx's number)."""


class Failed(NamedTuple):
    """One attempt that came to nothing."""

    leg: Leg
    fault: Fault


def attempts(call: Call, legs: Sequence[Leg], past: list[Failed], watch: ClientWatch) -> Iterator[tuple[Leg, float]]:
    """The legs to try, each with the seconds that are left for it, as long as what failed so far allows another.

    The one retry loop: a leg that is healthy comes first, the last of a model is tried whatever its state. What is
    tried again, or rests, is within its channel's budget, and a leg is tried again after a pause only.
    """
    deadline = call.started + config.current().deadline_s
    while len(past) < MOST_ATTEMPTS:
        found = _next(legs, past)
        if found is None:
            break
        leg, pause_s = found
        if pause_s:
            with watch:
                gevent.sleep(min(pause_s, max(0.0, deadline - monotonic())))
        left_s = deadline - monotonic()
        if left_s <= 0:
            break
        if past:
            again = _place(leg) in {_place(one) for one, _ in past}
            counts.FURTHER.add((past[-1].fault.cause, "same" if again else "other"))
        call.leg = leg
        yield leg, left_s
    _forgive(call, legs, past)


def _forgive(call: Call, legs: Sequence[Leg], past: Sequence[Failed]) -> None:
    """A body that all the channels there are, two at least, answer with an error of theirs blames none of them. Where
    one of them was not asked, it may have answered."""
    failed = _failed_on(past)
    if len(failed) > 1 and len(legs) < MOST_ATTEMPTS and failed == {leg.channel.id for leg in legs}:
        if not _may_be_why(call, legs):
            return
        for leg, fault in past:
            if fault.cause == "server":
                bulletin.forgiven(leg)


_ONE_BODY_S, _MOST_BODIES = 60.0, 1024
_bodies: OrderedDict[frozenset[tuple[str, str]], tuple[int, float]] = OrderedDict()


def _may_be_why(call: Call, legs: Sequence[Leg]) -> bool:
    """Whether a body is the only one in a minute that these legs all failed on: where there are two, it is the legs."""
    places, body, now = frozenset(map(_place, legs)), hash(call.body.text), monotonic()
    first, at = _bodies.get(places, (body, -_ONE_BODY_S))
    if now - at >= _ONE_BODY_S:
        first = body
        _bodies[places] = body, now
        _bodies.move_to_end(places)
        if len(_bodies) > _MOST_BODIES:
            _bodies.popitem(last=False)
    return body == first


def _next(legs: Sequence[Leg], past: Sequence[Failed]) -> tuple[Leg, float] | None:
    """The leg to try, and how long to wait before; None where there is none."""
    if past and past[-1].fault.cause == "request" and not _lacks(past[-1].fault):
        return None
    known = {_place(leg) for leg, _ in past}
    served = {leg.public for leg, _ in past}
    new = healthy_first([leg for leg in legs if _place(leg) not in known], served)
    if new and (new[0].public not in served or bulletin.admits(new[0])):
        bulletin.count(new[0])
        return new[0], 0.0
    if len(_failed_on(past)) > 1:  # it is the body
        return None
    for leg, fault in past:
        pause_s = _pause(leg, fault, len(past))
        if pause_s is not None and bulletin.may_repeat(leg):
            return leg, pause_s
    return next(((leg, 0.0) for leg in new if bulletin.may_repeat(leg)), None)


def _place(leg: Leg) -> tuple[str, str]:
    return leg.channel.id, leg.model


PAUSE_S = 0.1
"""Before a leg is tried again; twice as long before the next time, and up to half as much more by chance."""

SHORT_S = 2.0
"""So long a wait until a rate limit ends is waited out."""


def _pause(leg: Leg, fault: Fault, times: int) -> float | None:
    """How long to wait before a leg is tried again; None where that is of no use, or where it may have done its work:
    a timeout tells nothing of that."""
    jitter = 1 + random.random() / 2
    if fault.cause == "limited":
        wait_s = fault.retry_after
        return max(wait_s, PAUSE_S) * jitter if wait_s is not None and wait_s <= SHORT_S else None
    again = fault.cause in ("unreachable", "server") or fault.silent
    return PAUSE_S * 2 ** (times - 1) * jitter if again and bulletin.admits(leg) else None


_NO_MODEL = frozenset({"model_not_found", "DeploymentNotFound", "model_not_supported", "invalid_model"})

_NO_SUCH = re.compile(
    r"(?:invalid|unknown) model\b|model (?:does )?not exist|\S+ is not a valid model\b|the provided model identifier is"
    r" invalid",
    re.IGNORECASE,
)
"""How the same begins where a 400 says it, and no code: Mistral, Z.AI and LiteLLM · DeepSeek and SiliconFlow ·
OpenRouter · Bedrock."""

_NO_PATH = re.compile(r"(?:not found\.?|invalid url\b.*)?", re.IGNORECASE | re.DOTALL)
"""What is said, if anything, where a server has not what it is asked for at all."""


def _lacks(fault: Fault) -> bool:
    """Whether a provider only says that it has not the model, or no such path: that is about our catalogue, and another
    may have it."""
    if fault.code in _NO_MODEL or (fault.status == 400 and _NO_SUCH.match(fault.message)):
        return True
    return fault.status == 404 and ("model" in fault.message.lower() or _NO_PATH.fullmatch(fault.message) is not None)


def _telling(past: Sequence[Failed]) -> Sequence[Failed]:
    """What a caller is told of: not of who only lacks something, unless all do."""
    return [one for one in past if not _lacks(one.fault)] or past


class noted:
    """Writes one attempt onto the call: its channel, how it ended and how long it took; and tells its leg's health."""

    def __init__(self, call: Call, leg: Leg, past: list[Failed]) -> None:
        self._call, self._leg, self._past = call, leg, past
        self._attempt = Attempt(leg.channel.name, 200, 0)
        self.began = monotonic()
        self._trial = bulletin.begin(leg)

    def __enter__(self) -> noted:
        self._call.attempts.append(self._attempt)
        return self

    def answered(self) -> None:
        """It begins to answer."""
        bulletin.answered(self._leg, self._trial)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._attempt.ms = int((monotonic() - self.began) * 1000)
        if isinstance(error, Fault):
            self._attempt.status = error.status or error.cause
            bulletin.failed(self._leg, self._trial, error)
            self._past.append(Failed(self._leg, error))
            if error.cause == "account":
                _tell_operator(self._attempt.channel, error.status)
        elif error is not None:
            self._attempt.status = "abandoned"
        else:
            bulletin.succeeded(self._leg, self._trial)
        bulletin.end(self._trial)
        channel = self._leg.channel
        outcome = error.cause if isinstance(error, Fault) else "ok" if error is None else "abandoned"
        counts.ATTEMPTS.add((channel.provider, channel.name, outcome))


def _failed_on(past: Sequence[Failed]) -> set[str]:
    """The channels that answered a body with an error of theirs."""
    return {leg.channel.id for leg, fault in past if fault.cause == "server"}


_TOLD_S = 60.0
_told: dict[str, float] = {}


def _tell_operator(channel: str, status: int) -> None:
    """Say in the log that a provider refuses our account: no caller can mend that. Once a minute for each channel."""
    now = monotonic()
    if now - _told.get(channel, -_TOLD_S) >= _TOLD_S:
        _told[channel] = now
        _log.warning(
            "channel %s: the provider refuses our key or account (HTTP %s); see: python -m gateway channels test %s",
            channel, status, channel,
        )  # fmt: skip


class _Sensible:
    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, _MISREAD):
            _log.error("a provider's answer was read wrong: %s at %s", type(error).__name__, _where(error))
            raise Fault("malformed") from error


_MISREAD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_SENSIBLE = _Sensible()


def sensible() -> _Sensible:
    """Around the reading of a provider's words: what no reader foresaw is a malformed answer, not a crash of ours."""
    return _SENSIBLE


def _where(error: BaseException) -> str:
    """Where an exception was raised: file and line, and nothing of what was being read."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno}"


def outbound(call: Call, leg: Leg) -> Outbound:
    """The request for a leg, with what it must have in its body fetched. May wait; raises Fault."""
    if call.ask.urls:
        media.fetch(call, leg)
    body = words.carrier(call).encode(call, leg)
    return Outbound(
        channel=leg.channel,
        dialect=leg.dialect,
        model=leg.model,
        path=words.UPSTREAM[leg.dialect].path(leg.model, call.ask.stream) + call.below,
        body=body,
        content_type=body.content_type if isinstance(body, Form) else "application/json",
        headers=call.headers,
        stream=call.ask.stream,
        account_id=call.caller.account_id,
        slow_s=leg.profile.first_byte_s if call.ask.stream else leg.profile.whole_s,
    )


def raise_for_status(wire: Wire, leg: Leg) -> None:
    """Raises the Fault that a provider's status means."""
    if wire.status < 200 or 300 <= wire.status < 400:
        raise Fault("malformed", status=wire.status)
    if wire.status >= 400:
        try:
            with gevent.Timeout(10, Fault("timeout", status=wire.status)):
                body = read(wire, _MOST_ERROR_BODY)
        except Fault:
            body = b""
        with sensible():
            raise words.UPSTREAM[leg.dialect].fault(wire.status, wire.headers, body)


def read(wire: Wire, most: int) -> bytes:
    """All that is left of an answer. Raises Fault where it is more than so many bytes."""
    pieces: list[bytes] = []
    total = 0
    try:
        while piece := wire.read():
            total += len(piece)
            if total > most:
                raise Fault("malformed")
            pieces.append(piece)
    except BaseException:
        pieces.clear()  # what is raised is kept with its traceback for as long as the call is tried elsewhere
        raise
    return b"".join(pieces)


def call_headers(call: Call, leg: Leg | None, meter: Meter | None = None) -> list[tuple[str, str]]:
    """What a billable reply says about itself. meter: of an answer that is whole."""
    found = [("x-generation-id", call.id)]
    if leg is not None:
        found += [
            ("x-gateway-provider", leg.channel.provider),
            ("x-gateway-channel", leg.channel.name),
            ("x-gateway-attempts", str(len(call.attempts))),
            ("x-gateway-upstream-model", leg.model),
        ]
    if losses := call.lost(leg, meter):
        found.append(("x-gateway-losses", ", ".join(losses)))
    return found


def told(call: Call, past: Sequence[Failed], error: GatewayError) -> tuple[str, bytes] | None:
    """What a call's claim keeps of an error: only what a provider found wrong with the request itself, which it would
    find again. What the gateway could not do for it may be possible another time."""
    if call.claim is None or not past:
        return None
    last = _telling(past)[-1].fault
    if last.cause != "request" or last.ours:
        return None
    said = [*error.headers, ("x-generation-id", call.id), ("x-gateway-attempts", str(len(call.attempts)))]
    body = words.NAMED[call.dialect].error(error, call.request_id)
    return idempotency.outcome(
        call, Reply(status=error.status, content_type="application/json", headers=said, body=body)
    )


_KEPT_5XX = frozenset({500, 502, 503, 504})


def _hints(fault: Fault) -> tuple[float | None, tuple[tuple[str, str], ...]]:
    """The wait that a provider asks for, and its headers: no longer than a leg rests before it is tried again."""
    if fault.retry_after is None and not fault.headers:
        return None, ()
    most_s = config.current().rest_max_s
    wait_s = None if fault.retry_after is None else min(fault.retry_after, most_s)
    most_ms = int(most_s * 1000)
    return wait_s, tuple(
        (name, str(min(int(value), most_ms)) if name == "retry-after-ms" else value) for name, value in fault.headers
    )


def verdict(past: Sequence[Failed], dialect: str) -> GatewayError:
    """What a caller of this dialect is told when no leg has answered (Law 9)."""
    if not past:
        return GatewayError(504, "The call took too long. Retry, or ask for less output.")
    past = _telling(past)
    faults = [one.fault for one in past]
    leg, last = past[-1]
    secrets = [one.leg.channel.secret for one in past]
    if last.cause == "request":
        spoke_alike = last.ours or leg.dialect == dialect  # else its field names are not the caller's
        return GatewayError(
            last.status or 400,
            masked(last.message, *secrets) or f"The provider refused the request (HTTP {last.status}).",
            param=masked(last.param, *secrets) if last.param and spoke_alike else None,
            provider_code=masked(last.code, *secrets) if last.code else None,
            headers=last.headers,
        )
    if all(fault.cause == "limited" or fault.status == 429 for fault in faults):
        soonest = min(reversed(faults), key=lambda one: math.inf if one.retry_after is None else one.retry_after)
        wait_s, hints = _hints(soonest)
        overloaded = dialect == "messages" and all(fault.status == 529 for fault in faults)
        state = "overloaded" if overloaded else "at its rate limit"
        return GatewayError(
            529 if overloaded else 429,
            f"Every provider of this model is {state}. Wait for Retry-After seconds and retry.",
            retry_after=1 if wait_s is None else wait_s,
            headers=hints,
        )
    last = next(fault for fault in reversed(faults) if fault.cause != "limited" and fault.status != 429)
    if last.cause == "account":
        return GatewayError(
            503,
            "The gateway's own account at the provider was refused. Its operator can see why with: python -m gateway"
            " doctor",
        )
    if last.cause == "unreachable":
        return GatewayError(503, "No provider of this model could be reached. Retry in a moment.", retry_after=1)
    if last.cause == "timeout":
        return GatewayError(504, "The provider did not answer in time. Retry, or ask for less output.")
    if last.cause == "server":
        status = last.status if last.status in _KEPT_5XX else 502
        wait_s, hints = _hints(last)
        return GatewayError(
            status, "The provider failed to answer. Retry in a moment.", retry_after=wait_s, headers=hints
        )
    return GatewayError(502, "The provider's answer was broken or made no sense. Retry in a moment.")
