"""A response in the background, told while it is made: to who began it with `stream`, and to who comes back for the
rest (https://platform.openai.com/docs/guides/background).

The stream is a view of work that goes on without it: who leaves ends nothing, and where it breaks off the client is
told how to go on. Only the response's end is waited for: it is settled before it is told (Law 4).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, NamedTuple

import gevent

from .. import config
from ..call import Call, ClientGone, Fault, Wire
from ..clock import monotonic
from ..dialects import openai_responses
from ..dialects.intake import morsels
from ..dialects.openai_responses.stream import ResponsesFeed
from ..errors import GatewayError
from ..relay.attempts import sensible
from ..relay.streams import MOST_HELD, PING_S, Breath
from ..relay.watch import ClientWatch, Stopping

LINGER_S = 5.0
"""How long a provider is listened to for a client that leaves at once: broken off at their very first event, responses
have stayed queued for ever (https://community.openai.com/t/1382584)."""


class Told(NamedTuple):
    """A stream that has begun to tell of a response. identity: of the response, at its provider."""

    wire: Wire
    feed: ResponsesFeed
    identity: str


def begun(call: Call, wire: Wire) -> Told:
    """Read until a provider tells the id of a response that it has begun. Raises Fault."""
    feed, breath, read = openai_responses.feed(call), Breath(), 0
    while feed.meter.upstream_id is None and not feed.over:
        chunk = wire.read()
        read += len(chunk)
        if read > MOST_HELD:
            raise Fault("malformed")
        for morsel in morsels(chunk):
            breath.take()
            feed.push(morsel) if morsel else feed.end()
    if feed.fault is not None:
        raise feed.fault
    if feed.meter.upstream_id is None:
        raise Fault("malformed")
    return Told(wire, feed, feed.meter.upstream_id)


class Following:
    """One stream about a response. ended: settles it, given the response as its provider ended it; raises
    GatewayError."""

    def __init__(self, call: Call, told: Told, watch: ClientWatch, ended: Callable[[Mapping[str, Any]], None]) -> None:
        self._call, self._wire, self._feed, self._watch, self._ended = call, told.wire, told.feed, watch, ended
        self._feed.bound = True  # nobody else is asked any more: even its failure is told
        self._began = self._sent_at = monotonic()
        self._number: int | None = None  # of the last event that was sent

    def beginning(self) -> bytes:
        """What has come so far, and how to go on, for who cannot be told the rest."""
        said = b"".join(self._feed.out)
        return said + self._broken(GatewayError(409, "The rest is not kept here."), openai_responses.counted(said))

    def pieces(self) -> Generator[bytes, None, None]:
        """The bytes for the client, as they come."""
        self._watch.hurry(config.current().idle_s)
        try:
            yield from self._told()
        except ClientGone:
            return
        except (Stopping, GatewayError) as error:
            yield self._broken(error, self._number)
        except Fault:
            yield self._broken(GatewayError(502, "The provider's stream broke off."), self._number)
        finally:
            self._watch.close()
            gevent.spawn(_hang_up, self._wire, 0 if self._feed.over else self._began + LINGER_S - monotonic())

    def _told(self) -> Iterator[bytes]:
        """Raises Fault, GatewayError."""
        settings, feed = config.current(), self._feed
        idle_s, end = settings.whole_s, self._began + settings.deadline_s  # it may be queued for long
        read_by, breath = monotonic() + idle_s, Breath()
        while True:
            if feed.out:
                yield self._frames()
            if feed.fault is not None:
                raise feed.fault
            if feed.tail is not None:
                break
            chunk: bytes | None = None
            asked = monotonic()
            with self._watch.until(min(read_by, end, self._sent_at + PING_S)):
                chunk = self._wire.read()
            now = monotonic()
            if chunk is None:
                if now >= min(read_by, end):
                    raise Fault("timeout")
                self._sent_at = now
                yield openai_responses.PING
                continue
            breath.read(asked, now)
            read_by = now + idle_s
            for morsel in morsels(chunk):
                breath.take()
                with sensible():
                    feed.push(morsel) if morsel else feed.end()
        if feed.last is not None:
            self._ended(feed.last)
        yield feed.tail

    def _frames(self) -> bytes:
        frames, self._feed.out = b"".join(self._feed.out), []
        number = openai_responses.counted(frames)
        self._number = self._number if number is None else number
        self._sent_at = monotonic()
        return frames

    def _broken(self, error: GatewayError, number: int | None) -> bytes:
        """What ends a stream before its end. It takes no number, for the event that has it is yet to be fetched."""
        path = f"/v1/responses/{self._call.id}?stream=true" + ("" if number is None else f"&starting_after={number}")
        said = (
            f"{error.message} Unless it was cancelled, the response is made all the same: read on with GET {path}, or"
            " fetch it whole."
        )
        before = b"" if not number else b'"sequence_number":%d' % (number - 1)
        return openai_responses.error_frame(GatewayError(error.status, said), self._call.request_id, before)


def _hang_up(wire: Wire, wait_s: float) -> None:
    """Leave a provider, once it has been listened to for a while."""
    try:
        with gevent.Timeout(max(0.0, wait_s), False):
            while wire.read():
                pass
    except Fault:
        pass
    finally:
        wire.close()
