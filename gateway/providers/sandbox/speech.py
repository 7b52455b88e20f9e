"""Speech of the sandbox: what is said is what was sent."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from ...modalities.speech import TOKENS_S
from ...sse import write
from . import voice
from .answer import tokens

SPEAKING = frozenset({"tts", "echo", "slow", "error", "flaky", "limited", "cut", "mid-stream-error"})
_PIECE = 1 << 14


def wrong(values: Mapping[str, Any]) -> tuple[str, str] | None:
    """What of a request cannot be spoken here: the field, and why."""
    form, there = values.get("response_format"), voice.formats()
    if form is not None and form not in there:
        return "response_format", (
            f"The sandbox cannot make {str(form)[:40]!r} here, only: {', '.join(there)}. Where ffmpeg is installed"
            " it makes opus and aac, too."
        )
    if len(values["input"]) > voice.MOST_TEXT:
        return "input", f"The sandbox speaks at most {voice.MOST_TEXT} characters, not {len(values['input'])}."
    return None


def answer(values: Mapping[str, Any]) -> tuple[str, Iterator[bytes]]:
    """The reply's type and pieces: sound, or events of it; mp3 where no format is named. May wait."""
    form = values.get("response_format") or "mp3"
    asked = values.get("voice")
    name = str(asked.get("id") if isinstance(asked, dict) else asked)
    spoken = voice.speak(values["input"], form, name, values.get("speed") or 1.0)
    if values.get("stream_format") != "sse":
        return spoken.media_type, _even(spoken.pieces)
    given = tokens(values["input"]) + tokens(values.get("instructions") or "")
    return "text/event-stream; charset=utf-8", _events(
        _even(spoken.pieces), given, math.ceil(spoken.seconds * TOKENS_S)
    )


def _even(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of one size."""
    left = bytearray()
    for piece in pieces:
        left += piece
        while len(left) >= _PIECE:
            yield bytes(left[:_PIECE])
            del left[:_PIECE]
    if left:
        yield bytes(left)


def _events(pieces: Iterator[bytes], given: int, spoken: int) -> Iterator[bytes]:
    for piece in pieces:
        yield write(b'{"type":"speech.audio.delta","audio":"' + base64.b64encode(piece) + b'"}')
    usage = {"input_tokens": given, "output_tokens": spoken, "total_tokens": given + spoken}
    yield write(orjson.dumps({"type": "speech.audio.done", "usage": usage}))
