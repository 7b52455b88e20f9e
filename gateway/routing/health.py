"""How well each model of each channel does: a breaker each, and a budget for attempts that repeat. Pure but for a
clock that is handed in; `bulletin` gives it one, and tells other workers.

A failure is blamed by its cause. `account` and `limited` put a leg to rest at once: for the longest rest there is, and
for as long as the provider says. `timeout`, `server`, `malformed` and `unreachable` are counted: five in a row, where a
timeout counts for two, or half of the last twenty. Rests grow as they follow each other and none is longer than
`rest_max_s`; after one a single call goes there, and its end decides. Our account is taken to be refused at one model,
until two models of a channel show it; then at the channel, which is written as the model "".

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..call import Cause

FAILURES = 5
"""Failures in a row that put a leg to rest."""

WEIGHTS: dict[Cause, int] = {"timeout": 2, "server": 1, "malformed": 1, "unreachable": 1}
"""What is counted, and how heavily: a timeout costs its caller most."""

LAST = 20
"""Outcomes of which half must be failures, where they do not come in a row."""

REST_S, LIMITED_S = 5.0, 1.0
"""The first rest: after failures, and at a limit of which the provider does not say when it ends. Each next is twice
as long."""

FORGETS_S = 300.0
"""After so long without a rest the next one is a first one again."""

MOST = 4_096
"""Legs that are kept in mind: those with trouble."""

Key = tuple[str, str]
"""A channel's id and an upstream model; the model "" is all of the channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A leg with trouble. in_a_row: failures, weighed · outcomes: the last ones, True for a failure · cause: why it
    rests, "" where it does not · since: when that began · until: when the rest ends · rests: how many followed each
    other · before: what its last failure found · raised: when the trial began whose first words ended the last rest."""

    in_a_row: int = 0
    outcomes: tuple[bool, ...] = ()
    cause: str = ""
    since: float = 0.0
    until: float = 0.0
    rests: int = 0
    before: State | None = None
    raised: float | None = None


class Trial(NamedTuple):
    """One attempt at a leg. at: when it began · probes: what is found out by it, and by nobody else now."""

    channel: str
    model: str
    at: float
    probes: tuple[Key, ...] = ()

    @property
    def keys(self) -> tuple[Key, Key]:
        return (self.channel, self.model), (self.channel, "")


class Turn(NamedTuple):
    """A leg goes to rest for `rest_s`, or (cause "") serves again. rests: how many followed each other."""

    channel: str
    model: str
    cause: str
    rest_s: float = 0.0
    rests: int = 0


class Notice(NamedTuple):
    """Another worker's: a leg rests for `left_s` more. stamp: tells a notice from the next one."""

    channel: str
    model: str
    cause: str
    left_s: float
    rests: int
    stamp: int


class Health:
    """All legs, as one worker sees them. What may turn something returns the turns."""

    def __init__(self, clock: Callable[[], float], rest_max_s: float) -> None:
        self._clock, self._rest_max_s = clock, rest_max_s
        self._states: OrderedDict[Key, State] = OrderedDict()
        self._probed: set[Key] = set()
        self._seen: dict[Key, int] = {}  # the notices that stand, by their stamps
        self._sent: dict[Key, int] = {}  # this worker's own, until they stand

    def admits(self, channel: str, model: str) -> bool:
        """Whether a call may go there as to any healthy leg: it does not rest, or its rest is over and nobody else
        finds out now."""
        return not self._states or (self._admits((channel, model)) and self._admits((channel, "")))

    def _admits(self, key: Key) -> bool:
        state = self._states.get(key)
        return state is None or not state.cause or (key not in self._probed and self._clock() >= state.until)

    def cause(self, channel: str, model: str) -> str:
        """Why a leg rests, or would be tried by one call only; "" where it is well."""
        states = (self._states.get((channel, model)), self._states.get((channel, "")))
        return next((state.cause for state in states if state is not None and state.cause), "")

    def rests_until(self, channel: str, model: str) -> tuple[bool, float]:
        """Whether our account is why a leg rests, and until when it does, by this one's clock."""
        found = [state for key in ((channel, model), (channel, "")) if (state := self._states.get(key)) and state.cause]
        return any(state.cause == "account" for state in found), max((state.until for state in found), default=0.0)

    def resting(self) -> Iterator[tuple[str, str]]:
        """(channel, cause) of each leg that rests, or would be tried by one call only."""
        return ((key[0], state.cause) for key, state in self._states.items() if state.cause)

    def begin(self, channel: str, model: str) -> Trial:
        """A call goes there."""
        trial = Trial(channel, model, self._clock())
        if not self._states:
            return trial
        probes = tuple(
            key for key in trial.keys if (found := self._states.get(key)) and found.cause and self._admits(key)
        )
        self._probed.update(probes)
        return trial._replace(probes=probes)

    def end(self, trial: Trial) -> None:
        """The attempt is over, whatever came of it."""
        self._probed.difference_update(trial.probes)

    def failed(self, trial: Trial, cause: Cause, retry_after: float | None = None) -> list[Turn]:
        """A leg failed. retry_after: seconds, as the provider says. What began before the leg went to rest, or rose
        again, is old news."""
        key, whole = trial.keys
        found = self._states.get(key, State())
        broke_off = key in trial.probes and found.raised == trial.at  # it began to answer, but not more
        if cause == "request" or (trial.at < found.since and not broke_off) or self._rests(found):
            return []
        state = replace(
            found,
            in_a_row=found.in_a_row + WEIGHTS.get(cause, 0),
            outcomes=(*found.outcomes, True)[-LAST:],
            before=replace(found, before=None),
        )
        often = len(state.outcomes) == LAST and 2 * sum(state.outcomes) >= LAST
        if not (found.cause or broke_off or cause not in WEIGHTS or state.in_a_row >= FAILURES or often):
            self._keep(key, state)
            return []
        turns = [self._rest(key, state, cause, retry_after)]
        if cause == "account" and self._refused_elsewhere(*key):
            account = self._states.get(whole, State())
            if not self._rests(account):
                turns.append(self._rest(whole, account, cause, None))
        return turns

    def _rests(self, state: State) -> bool:
        return bool(state.cause) and self._clock() < state.until

    def _rest(self, key: Key, state: State, cause: str, retry_after: float | None) -> Turn:
        now = self._clock()
        follows = state.cause or (state.rests and now - state.since < FORGETS_S)
        rests = state.rests + 1 if follows else 1
        growth = 2.0 ** min(rests - 1, 16)
        if cause == "account":
            rest_s = self._rest_max_s
        elif cause == "limited":
            rest_s = LIMITED_S * growth if retry_after is None else retry_after
        else:
            rest_s = REST_S * growth
        rest_s = min(rest_s, self._rest_max_s)
        rested = replace(state, in_a_row=0, outcomes=(), cause=cause, since=now, until=now + rest_s, rests=rests)
        self._keep(key, rested)
        return Turn(*key, cause, rest_s, rests)

    def _refused_elsewhere(self, channel: str, model: str) -> bool:
        return any(
            key[0] == channel and key[1] not in ("", model) and state.cause == "account"
            for key, state in self._states.items()
        )

    def forgiven(self, channel: str, model: str) -> list[Turn]:
        """The last failure there was the body's: another channel answered that with an error, too. One that rested
        before it had failed by itself, and rests on."""
        key = (channel, model)
        state = self._states.get(key)
        if state is None:
            return []
        if not state.cause:
            outcomes = state.outcomes[:-1] if state.outcomes[-1:] == (True,) else state.outcomes
            self._keep(key, replace(state, in_a_row=max(0, state.in_a_row - 1), outcomes=outcomes))
            return []
        if state.before is None or state.before.cause or state.cause != "server":
            return []
        self._keep(key, state.before)
        return [Turn(*key, "")]

    def answered(self, trial: Trial) -> list[Turn]:
        """A leg begins to answer: one that rested serves again. Its failures are forgotten at the end only, else one
        that always breaks off would look well."""
        turns = []
        for key in trial.keys if self._states else ():
            state = self._states.get(key)
            if state is not None and state.cause and trial.at >= state.since:
                self._rise(key, state, trial.at)
                turns.append(Turn(*key, ""))
        return turns

    def _rise(self, key: Key, state: State, raised: float | None = None) -> None:
        self._keep(key, State(rests=state.rests, since=self._clock(), raised=raised))
        self._probed.discard(key)
        self._sent.pop(key, None)

    def succeeded(self, trial: Trial) -> list[Turn]:
        """A leg has answered to its end."""
        if not self._states:
            return []
        turns = self.answered(trial)
        key, _ = trial.keys
        state = self._states.get(key)
        if state is not None and not state.cause:
            outcomes = (*state.outcomes, False)[-LAST:]
            if any(outcomes) or (state.rests and self._clock() - state.since < FORGETS_S):
                self._states[key] = replace(state, in_a_row=0, outcomes=outcomes)
            else:
                del self._states[key]
        return turns

    def _keep(self, key: Key, state: State) -> None:
        self._states[key] = state
        self._states.move_to_end(key)
        if len(self._states) > MOST:
            self._states.popitem(last=False)

    def sent(self, turn: Turn, stamp: int) -> None:
        """This worker's own notice is on its way to the others."""
        self._sent[turn.channel, turn.model] = stamp

    def learn(self, notices: Iterable[Notice]) -> None:
        """Take over what the others found: all the notices that stand now. One that is gone is a leg that serves."""
        standing = {(notice.channel, notice.model): notice for notice in notices}
        for key in self._seen.keys() - standing.keys():
            del self._seen[key]
            state = self._states.get(key)
            if state is not None and state.cause and key not in self._sent:
                self._rise(key, state)
        for key, notice in standing.items():
            if notice.stamp not in (self._sent.get(key), self._seen.get(key)):
                self._keep(key, self._told(self._states.get(key, State()), notice))
            if notice.stamp >= self._sent.get(key, notice.stamp):
                self._sent.pop(key, None)
            self._seen[key] = notice.stamp

    def _told(self, state: State, notice: Notice) -> State:
        now = self._clock()
        until = now + min(notice.left_s, self._rest_max_s)
        since = now
        if state.cause:
            until, since = max(until, state.until), state.since
        rests = max(state.rests, notice.rests)
        return State(cause=notice.cause, since=since, until=until, rests=rests)


WINDOW_S, SHARE, LEAST = 60.0, 0.2, 3
"""How much may be repeated: a fifth of a leg's calls in a window, and three where there are few."""


class Budget:
    """What bounds attempts that go to the same leg again, or to one that rests: a provider in trouble is not asked
    twice as often."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: OrderedDict[Key, list[float]] = OrderedDict()  # opened at, calls, repeated

    def _window(self, key: Key) -> list[float]:
        now = self._clock()
        window = self._windows.get(key)
        if window is None or now - window[0] >= WINDOW_S:
            window = self._windows[key] = [now, 0, 0]
            self._windows.move_to_end(key)
            if len(self._windows) > MOST:
                self._windows.popitem(last=False)
        return window

    def count(self, channel: str, model: str) -> None:
        """A call goes to this leg."""
        self._window((channel, model))[1] += 1

    def take(self, channel: str, model: str) -> bool:
        """Whether an attempt may be repeated there; it is counted then."""
        window = self._window((channel, model))
        if window[2] >= max(LEAST, int(window[1] * SHARE)):
            return False
        window[2] += 1
        return True
