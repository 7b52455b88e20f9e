"""Images and sound that real models have sent, for clients of every dialect that can be shown them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from gateway.call import Meter
from gateway.dialects import bridge
from tests.matrix.recordings import Recording, recordings
from tests.matrix.replies import _ASKED, call, leg, through
from tests.shown import Shown, stream, whole

SHOWN = {"chat": {"image", "audio"}, "responses": {"image"}, "gemini": {"image", "audio"}, "messages": set[str]()}


def sent(one: Recording) -> Shown:
    """The media of a recorded answer."""
    if one.answers_streamed:
        return stream(one.dialect, one.body.decode())
    return whole(one.dialect, json.loads(one.body))


@pytest.fixture(scope="module")
def with_media(shared: Path) -> list[tuple[Recording, Shown]]:
    fits = (one for one in recordings(shared) if one.status < 300 and one.dialect != "messages")
    return [(one, media) for one in fits if (media := sent(one))]


@pytest.mark.parametrize("client", list(SHOWN))
def test_recorded_media_are_shown_or_told_as_lost(with_media: list[tuple[Recording, Shown]], client: str) -> None:
    wrong = []
    for one, media in with_media:
        want = [each for each in media if each[0] in SHOWN[client] or client == one.dialect]
        lost = {f"answer.{kind}=drop" for kind, data in media if (kind, data) not in want}
        asked, meter = call(client, _ASKED[client], stream=one.answers_streamed), Meter()
        taken = leg(one.dialect, one.model, one.provider)
        if one.answers_streamed:
            feed = through(bridge.feed(asked, taken, {}), one.body, random.Random(1))
            got, meter = stream(client, b"".join([*feed.out, feed.tail or b""]).decode()), feed.meter
        else:
            got = whole(client, json.loads(bridge.whole(asked, taken, one.body, meter)))
        if got != want or set(meter.lost) != lost:
            wrong.append(f"{one.name}: {[(kind, data[:20]) for kind, data in got]} {meter.lost}")
    print(f"recorded answers with media for {client}: {len(with_media)} tried, {len(wrong)} wrong")
    assert len(with_media) >= 8 and not wrong, "\n".join(wrong)
