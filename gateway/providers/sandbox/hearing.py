"""Transcription of the sandbox: it tells what its own voice said, whatever format that is in by now, and of other
sounds how long they are. Times are made up: each letter takes as long as any other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from ...bodies import Form, Kept, Upload, cut, pieces
from ...modalities import duration
from ...modalities.transcription import TOKENS_S
from ...sse import write
from . import voice
from .answer import tokens

HEARING = frozenset({"stt", "echo", "slow", "error", "flaky", "limited", "cut", "mid-stream-error"})
FORMATS = ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")
_SENTENCE = re.compile(r"[^.!?]*[.!?]*\s*")
_OVERLAP = 8 * voice.MOST_TEXT
"""More bytes than the longest text takes in a tag."""


class Heard(NamedTuple):
    """What a sound is: its text and its seconds."""

    text: str
    seconds: float


class Segment(NamedTuple):
    """A stretch of text, from when until when, in seconds."""

    text: str
    start: float
    end: float


def wrong(form: Form) -> tuple[str, str] | None:
    """What of a request cannot be answered here: the field, and why."""
    asked = _fields(form).get("response_format")
    if asked is not None and asked not in FORMATS:
        return "response_format", f"The sandbox answers no {str(asked)[:40]!r}, only: {', '.join(FORMATS)}."
    if _listen(form).seconds <= 0:
        return "file", "The sandbox hears nothing in the file: it is empty, or no sound of a kind that it knows."
    return None


def answer(form: Form, streamed: bool, translated: bool) -> tuple[str, Iterator[bytes]]:
    """The reply's type and pieces."""
    fields, heard = _fields(form), _listen(form)
    asked = fields.get("response_format") or "json"
    if streamed:
        return "text/event-stream; charset=utf-8", _events(heard, asked)
    if asked in ("text", "srt", "vtt"):
        said = {"text": _text, "srt": _srt, "vtt": _vtt}[asked](heard)
        return "text/plain; charset=utf-8", iter((said.encode(),))
    words = any(value == "word" for name, value in form.parts if name.startswith("timestamp_granularities"))
    values = {"json": _json, "verbose_json": _verbose, "diarized_json": _diarized}[asked](heard)
    if asked == "verbose_json":
        values["task"] = "translate" if translated else "transcribe"
        if words:
            values["words"] = [{"word": one.text.strip(), "start": one.start, "end": one.end} for one in _words(heard)]
    return "application/json", iter((orjson.dumps(values),))


def _fields(form: Form) -> dict[str, str]:
    return {name: value for name, value in form.parts if isinstance(value, str)}


def _listen(form: Form) -> Heard:
    file = next(value for _, value in form.parts if isinstance(value, Upload))
    content = file.content
    seconds = duration.seconds(lambda at, most: cut(content, at, most), len(content)) or 0.0
    said = _said(content)
    return Heard(f"I heard {seconds:.1f} seconds of sound." if said is None else said, seconds)


def _said(content: bytes | Kept) -> str | None:
    """The text that a file of the sandbox's voice holds, wherever it stands."""
    left = b""
    for piece in pieces(content):
        found = voice.said(left + piece)
        if found is not None:
            return found
        left = (left + piece)[-_OVERLAP:]
    return None


def _spread(pieces: list[str], seconds: float) -> list[Segment]:
    """Pieces of a text over its time, by their letters."""
    letters, at, found = sum(map(len, pieces)) or 1, 0, []
    for piece in pieces:
        start, at = at, at + len(piece)
        found.append(Segment(piece, round(seconds * start / letters, 2), round(seconds * at / letters, 2)))
    return found


def _segments(heard: Heard) -> list[Segment]:
    return _spread([one for one in _SENTENCE.findall(heard.text) if one.strip()], heard.seconds)


def _words(heard: Heard) -> list[Segment]:
    return _spread(re.findall(r"\S+\s*", heard.text), heard.seconds)


def _usage(heard: Heard) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(heard.seconds)}


def _text(heard: Heard) -> str:
    return heard.text + "\n"


def _clock(seconds: float, mark: str) -> str:
    whole = round(seconds * 1_000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1_000 % 60:02}{mark}{whole % 1_000:03}"


def _srt(heard: Heard) -> str:
    return "".join(
        f"{number}\n{_clock(one.start, ',')} --> {_clock(one.end, ',')}\n{one.text.strip()}\n\n"
        for number, one in enumerate(_segments(heard), 1)
    )


def _vtt(heard: Heard) -> str:
    return "WEBVTT\n\n" + "".join(
        f"{_clock(one.start, '.')} --> {_clock(one.end, '.')}\n{one.text.strip()}\n\n" for one in _segments(heard)
    )


def _json(heard: Heard) -> dict[str, Any]:
    return {"text": heard.text, "usage": _usage(heard)}


def _verbose(heard: Heard) -> dict[str, Any]:
    segments = [
        {
            "id": number, "seek": 0, "start": one.start, "end": one.end, "text": one.text, "tokens": [],
            "temperature": 0.0, "avg_logprob": 0.0, "compression_ratio": 1.0, "no_speech_prob": 0.0,
        }
        for number, one in enumerate(_segments(heard))
    ]  # fmt: skip
    return {"language": "english", "duration": heard.seconds, "segments": segments, **_json(heard)}


def _speakers(heard: Heard) -> list[dict[str, Any]]:
    return [
        {
            "type": "transcript.text.segment", "id": f"seg_{number}", "start": one.start, "end": one.end,
            "text": one.text, "speaker": "A",
        }
        for number, one in enumerate(_segments(heard))
    ]  # fmt: skip


def _diarized(heard: Heard) -> dict[str, Any]:
    return {"task": "transcribe", "duration": heard.seconds, "segments": _speakers(heard), **_json(heard)}


def _events(heard: Heard, asked: str) -> Iterator[bytes]:
    if asked == "diarized_json":
        yield from (write(orjson.dumps(one)) for one in _speakers(heard))
    else:
        for one in _words(heard):
            yield write(orjson.dumps({"type": "transcript.text.delta", "delta": one.text}))
    given, said = math.ceil(heard.seconds * TOKENS_S), tokens(heard.text)
    usage = {
        "type": "tokens", "input_tokens": given, "output_tokens": said, "total_tokens": given + said,
        "input_token_details": {"text_tokens": 0, "audio_tokens": given},
    }  # fmt: skip
    yield write(orjson.dumps({"type": "transcript.text.done", "text": heard.text, "usage": usage}))
