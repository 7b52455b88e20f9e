"""Streams: one pull pipeline from the provider to the client, without a queue.

The body of a streamed reply is a generator that the server pulls; each pull reads what the provider has sent and
returns the frames in it. Silence is filled with pings. Until a real frame is passed on the stream may still change its
leg (Law 7); the terminal frame waits for the settlement (Law 4); whichever way it ends, it is settled once.

A stream of raw bytes, as of sound, is the same with a byte for a frame: its first ends failover, its last waits. In it
nothing can be said beside: silence stays silent, and one that breaks is cut off, so that nobody takes it for whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence

import gevent

from models.writer import Ticket

from .. import config, crash, journal
from ..access import idempotency
from ..billing import ledger
from ..call import Call, ClientGone, Fault, Leg, Meter, Reply, Wire
from ..clock import monotonic
from ..dialects.base import Feed
from ..dialects.intake import Intake, morsels
from ..errors import GatewayError
from ..modalities.words import NAMED, carrier
from ..providers import pool
from ..routing import pace
from ..sse import read
from . import making
from .attempts import (
    CLIENT_GONE,
    ERROR_WAIT_S,
    SETTLE_S,
    Failed,
    attempts,
    call_headers,
    noted,
    outbound,
    raise_for_status,
    sensible,
    told,
    verdict,
)  # fmt: skip
from .watch import ClientWatch

PING_S = 5.0
"""Silence towards a client that is filled with a ping. Its first one also sends the headers."""

HELD_S = 2.0
"""How long frames that say nothing yet are held back, so that failover stays possible."""

MOST_HELD = 2 << 20
"""Most bytes that are held back: a provider that says so much before its first word gets no other in its place."""

_BREATH_S = 0.01
"""How long one stream may hold the event loop."""

_WAITED_S = 0.001
"""A read that took so long has waited, and all others had their turn meanwhile."""

_YIELD_S = 1e-6
"""A sleep (of a millisecond, in truth) in which the event loop looks at all sockets. In one of 0 it does not: gevent
runs 50 callbacks before it looks, so one stream that never paused kept all others waiting for half a second."""

_DRAIN_S = 0.05


def start(call: Call, legs: Sequence[Leg], watch: ClientWatch) -> Reply:
    """Begin a stream and wait for its first bytes. Raises GatewayError as long as nothing was sent."""
    stream = Stream(call, legs, watch)
    body = Body(stream.pieces())
    return reply(call, stream.leg, stream.content_type, body)


def reply(call: Call, leg: Leg | None, content_type: str, body: bytes | Iterator[bytes]) -> Reply:
    """A stream as it is delivered, or as it is kept to be delivered again."""
    return Reply(
        status=200,
        content_type=content_type,
        headers=[("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no"), *call_headers(call, leg)],
        body=body,
    )


class Body(Iterator[bytes]):
    """The stream's bytes, the first of which are here already; `close` ends it early."""

    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
        self._pieces = pieces
        self._first: bytes | None = next(self._pieces, b"")

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._pieces)

    def close(self) -> None:
        self._pieces.close()


class Broken(ConnectionAbortedError):
    """A stream of raw bytes ends before its end; the server hangs up."""


class Breath:
    """Lets all others have their turn, when one stream has held the event loop for long: a provider and a client that
    are always ready would keep them waiting."""

    def __init__(self) -> None:
        self._since = monotonic()

    def read(self, asked: float, now: float) -> None:
        """Something was read: asked for then, here now."""
        if now - asked > _WAITED_S:
            self._since = now

    def take(self) -> None:
        now = monotonic()
        if now - self._since > _BREATH_S:
            gevent.sleep(_YIELD_S)
            self._since = monotonic()


class Record:
    """The frames of a stream whose caller wants them again, without comments and pings; as long as they are few."""

    def __init__(self, wanted: bool, raw: bool) -> None:
        self._frames: list[bytes] | None = [] if wanted else None
        self._raw = raw
        self._left = idempotency.MOST_SEALED

    def add(self, frames: list[bytes]) -> None:
        if self._frames is None:
            return
        said = [frame for frame in frames if self._raw or not _says_nothing(frame)]
        self._frames += said
        self._left -= sum(map(len, said))
        if self._left < 0:
            self._frames = None

    def whole(self, last: bytes) -> bytes | None:
        """All of them and the terminal one, unless they are too many."""
        return b"".join((*self._frames, last)) if self._frames is not None else None


def _says_nothing(frame: bytes) -> bool:
    return frame.startswith(b"event: ping\n") or (frame.startswith(b":") and read(frame).data is None)


class Stream:
    """One streamed call. leg: the one that answers, once one does."""

    def __init__(self, call: Call, legs: Sequence[Leg], watch: ClientWatch) -> None:
        self.leg: Leg | None = None
        self._call, self._dialect, self._legs, self._watch = call, NAMED[call.dialect], legs, watch
        self._ping_s = float("inf") if call.ask.raw else PING_S
        self._feed: Feed | None = None
        self._attempted: noted
        self._settled: Ticket | None = None
        self._sent_at = monotonic()
        self._last = b""  # the frames that were sent last
        self._begun = False  # something was sent: the status is 200 for good
        self._bound = False  # a real frame was sent: failover has ended
        self._first_at: float | None = None
        self._first_event_ms: int | None = None
        self._tokens_out = 0
        self._record = Record(call.claim is not None, call.ask.raw)

    @property
    def content_type(self) -> str:
        """What the stream is, once something of it is there."""
        return self._feed.content_type if self._feed is not None else Intake.content_type

    def pieces(self) -> Generator[bytes, None, None]:
        """The bytes for the client, as they come."""
        self._watch.hurry(config.current().idle_s)
        try:
            yield from self._tries()
        except ClientGone:
            self._settle(CLIENT_GONE, partial=True)
        except GatewayError as error:
            if self._settled is None:  # this worker ends, or has nothing left to call a provider with
                self._settle(error.status, partial=True).wait(ERROR_WAIT_S)
            if not self._begun:
                raise
            yield self._error(error)
        except GeneratorExit:
            self._settle(CLIENT_GONE, partial=True)
            raise
        finally:
            self._settle(500, partial=True)  # a crash of ours; else it is settled already
            self._watch.close()

    def _tries(self) -> Iterator[bytes]:
        past: list[Failed] = []
        for leg, left_s in attempts(self._call, self._legs, past, self._watch):
            self.leg = leg
            try:
                with noted(self._call, leg, past) as self._attempted:
                    yield from self._attempt(leg, monotonic() + left_s)
                return
            except Fault:
                if self._bound:
                    break
        error = verdict(past, self._call.dialect)
        outcome = None if self._bound else told(self._call, past, error)
        self._settle(error.status, partial=True, outcome=outcome).wait(ERROR_WAIT_S)
        raise error

    def _error(self, error: GatewayError) -> bytes:
        """What ends a stream that has begun. Raises Broken where nothing can be said in it."""
        if self._call.ask.raw:
            raise Broken
        return self._dialect.error_frame(error, self._call.request_id, self._last)

    def _attempt(self, leg: Leg, deadline: float) -> Iterator[bytes]:
        """One leg, to its terminal frame. Raises Fault."""
        began = monotonic()
        wire = yield from self._open(leg, deadline)
        try:
            raise_for_status(wire, leg)
            self._feed = feed = carrier(self._call).feed(self._call, leg, wire.headers)
            yield from self._pass_on(wire, leg, feed, began, deadline)
            yield from self._finish(feed)
            with gevent.Timeout(_DRAIN_S, False), contextlib.suppress(Fault):
                while wire.read():  # to the end of the body, so that the connection can be used again
                    pass
        finally:
            wire.close()

    def _open(self, leg: Leg, deadline: float) -> Generator[bytes, None, Wire]:
        """Fetch what it needs, send the request and wait for its status, with pings; in a greenlet, so that waiting can
        be interrupted."""
        opening = gevent.spawn(_send, self._call, leg)
        try:
            while not opening.ready():
                with self._watch:
                    opening.join(max(0.0, min(deadline, self._sent_at + self._ping_s) - monotonic()))
                if opening.ready():
                    break
                if monotonic() >= deadline:
                    raise Fault("timeout")
                if not self._call.ask.raw:
                    yield self._sent(self._dialect.PING)
            result: Wire | Exception | None = opening.value
            if result is not None and not isinstance(result, Exception):
                return result
        except BaseException:
            opening.kill(block=False)
            if opening.ready() and hasattr(opening.value, "close"):
                opening.value.close()
            raise
        raise result if result is not None else Fault("malformed")

    def _pass_on(self, wire: Wire, leg: Leg, feed: Feed, began: float, deadline: float) -> Iterator[bytes]:
        settings = config.current()
        read_by = began + max(settings.first_byte_s, leg.profile.first_byte_s)
        idle_s = max(settings.idle_s, leg.profile.idle_s)
        held_since: float | None = None
        held, breath = 0, Breath()
        while feed.tail is None:
            ping_at = self._sent_at + self._ping_s
            wake = min(read_by, deadline, ping_at if held_since is None else held_since + HELD_S)
            chunk: bytes | None = None
            asked = monotonic()
            with self._watch.until(wake):
                chunk = wire.read()
            now = monotonic()
            if chunk is None:
                if now >= read_by or now >= deadline:
                    raise Fault("timeout")
                if held_since is not None:
                    held_since = None
                    yield self._frames(feed)
                elif not self._call.ask.raw:
                    yield self._comments(feed)
                continue
            breath.read(asked, now)
            read_by = now + idle_s
            for morsel in morsels(chunk):
                breath.take()
                with sensible():
                    feed.push(morsel) if morsel else feed.end()
                held += len(morsel)
                if held > MOST_HELD:
                    held = sum(map(len, feed.out))
                if feed.out and (feed.bound or self._bound or (feed.spoke and held > MOST_HELD)):
                    held_since, held = None, 0
                    yield self._frames(feed)
                elif feed.out and feed.spoke and held_since is None:
                    held_since = monotonic()
                elif held > MOST_HELD:
                    feed.out, held = [], 0  # comments: nobody waits for them
                if feed.fault is not None:
                    raise feed.fault

    def _finish(self, feed: Feed) -> Iterator[bytes]:
        """The terminal frame, once the settlement is committed."""
        if feed.out:
            yield self._frames(feed)
        self._bound = True  # the terminal frame itself may be all that was said
        try:
            making.keep(self._call, feed.meter.files)
        except GatewayError as lost:
            feed.meter = Meter()  # what cannot be kept is not charged
            self._settle(lost.status, partial=True).wait(ERROR_WAIT_S)
            yield self._error(lost)
            return
        ticket = self._settle(200, partial=False, outcome=self._outcome(feed.tail or b""))
        self._note_pace()
        waiting_since = monotonic()
        while not ticket.wait(min(self._ping_s, SETTLE_S)):
            if monotonic() - waiting_since > SETTLE_S:
                error = GatewayError(503, "The gateway's database takes no writes now; the answer above is complete.")
                yield self._error(error)
                return
            if not self._call.ask.raw:
                yield self._sent(self._dialect.PING)
        crash.here("after_settle")
        if not ticket.written():
            error = GatewayError(500, "The gateway could not write the receipt; the answer above is complete and free.")
            yield self._error(error)
        elif feed.tail:
            crash.here("before_last_byte")
            yield self._sent(feed.tail)

    def _note_pace(self) -> None:
        if self.leg is not None and self._first_at is not None:
            began, now = self._attempted.began, monotonic()
            pace.note(self.leg, True, self._first_at - began, self._tokens_out, now - self._first_at)

    def _frames(self, feed: Feed) -> bytes:
        self._record.add(feed.out)
        frames, feed.out = b"".join(feed.out), []
        self._last = frames
        if not self._bound:
            self._bound = True
            self._attempted.answered()
            self._first_at = monotonic()
            self._first_event_ms = int((self._first_at - self._call.started) * 1000)
        return self._sent(frames)

    def _comments(self, feed: Feed) -> bytes:
        """The provider's comments, or a ping: they bind nobody."""
        comments, feed.out = b"".join(feed.out), []
        return self._sent(comments or self._dialect.PING)

    def _sent(self, data: bytes) -> bytes:
        self._begun = True
        self._sent_at = monotonic()
        return data

    def _outcome(self, last: bytes) -> tuple[str, bytes] | None:
        """What the call's claim keeps of a stream that ends with these bytes."""
        whole = self._record.whole(last)
        if whole is None:
            return None
        return idempotency.outcome(self._call, reply(self._call, self.leg, self.content_type, whole))

    def _settle(self, status: int, *, partial: bool, outcome: tuple[str, bytes] | None = None) -> Ticket:
        """Settle the call, once. Nothing is charged when no real frame was sent. outcome: what its claim keeps."""
        if self._settled is not None:
            return self._settled
        meter = Meter()
        if self._bound and self._feed is not None:
            self._feed.measure()
            meter = self._feed.meter
        leg = self.leg if self._bound else None
        settlement = ledger.reckon(
            self._call, leg, meter, status=status, partial=partial, first_event_ms=self._first_event_ms
        )
        self._settled = ledger.settle(settlement, outcome)
        self._tokens_out = settlement.tokens_out
        journal.write(
            self._call,
            status=status,
            tokens=(settlement.tokens_in, settlement.tokens_out),
            cost=settlement.cost,
            note="partial" if partial and settlement.cost else "",
            first_ms=self._first_event_ms,
        )
        return self._settled


def _send(call: Call, leg: Leg) -> Wire | Exception:
    """What a leg answers, or why it does not: an exception that ends a greenlet would be printed, not raised."""
    try:
        wire = pool.send(outbound(call, leg))
        crash.here("after_dispatch")
        return wire
    except Exception as error:
        return error
