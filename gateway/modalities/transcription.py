"""Transcription and translation: a sound as text, in OpenAI's words and in Google's.

https://platform.openai.com/docs/api-reference/audio/createTranscription,
https://ai.google.dev/gemini-api/docs/audio. A request is a form with a file, or JSON with `input_audio: {data,
format}`; to a provider it is a form, or, in Google's words, an instruction with the sound beside it. Google's answers
are text: times and speakers it would make up, so what asks for them is refused there.

Priced by the second or by tokens. What a reply does not tell is reckoned: seconds from the file, tokens from those.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..bodies import Form, Upload, cut, joined
from ..call import Ask, Call, Fault, Leg, Meter, Weight
from ..dialects import gemini, shapes
from ..dialects.base import Feed, Words
from ..dialects.bridge import Refused
from ..dialects.gemini import errors as google
from ..dialects.intake import Intake
from ..dialects.openai_chat import errors as openai
from ..dialects.passing import parsed, scanned
from ..dialects.scale import Scale, size
from ..neutral.events import ChoiceEnd, PartDelta, PartStart, ReplyEnd, UsageSeen, unfold
from ..neutral.events import Event as Told
from ..neutral.parts import Text
from ..neutral.reply import Finish, Usage
from ..splice import edit
from ..sse import PING, Event, read, silent, write
from . import duration

TOKENS_S = 10
"""Tokens of a second of sound, where nobody counts: OpenAI's, as recorded."""

_HEARD_S = 4_000
"""What a second weighs in bytes of sound (`call.Weight`): a bound of 40 tokens, which no provider needs, and a guess of
10."""

_SAID_S, _SAID_LEAST = 64, 1_024
"""The most tokens in which a second may be told: its words, who says them and when; and what is always allowed for."""

_LEAST_RATE, _USUAL_RATE = 600, 4_000
"""Bytes a second of the thinnest sound that is sent, and of the usual, where a file does not say how long it is."""

MOST_INLINE = 20_000_000
"""Bytes of sound that Google takes beside a prompt (https://ai.google.dev/gemini-api/docs/audio)."""

_ANSWERS = {"text": "text/plain; charset=utf-8", "srt": "text/plain; charset=utf-8", "vtt": "text/vtt; charset=utf-8"}
"""What replies are that are no JSON, by `response_format`."""

_KINDS = {
    "mp3": "audio/mpeg", "mpga": "audio/mpeg", "mpeg": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac",
    "ogg": "audio/ogg", "opus": "audio/ogg", "aac": "audio/aac", "m4a": "audio/mp4", "mp4": "audio/mp4",
    "webm": "audio/webm",
}  # fmt: skip


class OpenAI:
    """`POST /v1/audio/transcriptions` and `/v1/audio/translations`, which servers for Whisper have too."""

    id_prefix = "gen_"
    PING = PING
    OWN: tuple[str, ...] = ("models", "provider")

    def __init__(self, name: str) -> None:
        self.name = name

    def path(self, model: str, stream: bool) -> str:
        return f"/audio/{self.name}"

    def ask(self, values: Mapping[str, Any]) -> Ask:
        seconds = lasts(values)
        longest = math.ceil(len(_file(values).content) / _LEAST_RATE) + 1
        bound = longest if seconds is None else math.ceil(seconds) + 1
        scale = Scale()
        scale.top(values, _KNOWN, loose=True)
        return Ask(
            model=values["model"],
            stream=bool(values.get("stream")),
            answers=_ANSWERS.get(values.get("response_format") or "", "application/json"),
            limit=_SAID_S * bound + _SAID_LEAST,
            rigid=True,
            audio_in=True,
            units={"second": bound},
            tops={"second": max(bound, longest)},  # a header may lie
            weight=Weight(text=size(values.get("prompt")), messages=1, audio_bytes=bound * _HEARD_S),
            urls=tuple(scale.urls),
        )

    fault = staticmethod(openai.fault)
    error = staticmethod(openai.error)
    error_frame = staticmethod(openai.error_frame)


class Gemini:
    """`:generateContent` of a model that hears."""

    name = "gemini:transcriptions"

    def path(self, model: str, stream: bool) -> str:
        return gemini.path(model, stream)

    fault = staticmethod(google.fault)


TRANSCRIPTIONS = OpenAI("transcriptions")
TRANSLATIONS = OpenAI("translations")
GEMINI = Gemini()
NAMED: dict[str, Words] = {words.name: words for words in (TRANSCRIPTIONS, TRANSLATIONS)}


def _file(values: Mapping[str, Any]) -> Upload:
    """The sound of a request that the gate has passed."""
    file = values.get("file")
    if isinstance(file, Upload):
        return file
    given = values["input_audio"]
    return Upload(f"audio.{given['format']}", _KINDS.get(given["format"], ""), base64.b64decode(given["data"]))


def lasts(values: Mapping[str, Any]) -> float | None:
    """How many seconds of sound a request has, by its file."""
    content = _file(values).content
    return duration.seconds(lambda at, most: cut(content, at, most), len(content))


def ways(call: Call, dialects: Sequence[str]) -> tuple[str, ...]:
    """Its own words, else Google's where a model is asked in them."""
    if call.dialect in dialects:
        return (call.dialect,)
    return (GEMINI.name,) if "gemini" in dialects else ()


_KNOWN = frozenset({
    "model", "file", "input_audio", "language", "prompt", "response_format", "temperature", "stream",
    *TRANSCRIPTIONS.OWN,
})  # fmt: skip


def screen(call: Call, leg: Leg) -> tuple[str, ...]:
    """What Google's words lose. Raises Refused."""
    if leg.dialect != GEMINI.name:
        return ()
    values = call.body.values
    if values.get("response_format") not in (None, "json", "text"):
        raise Refused("response_format", "response_format can only be json or text with a provider of this model.")
    if len(_file(values).content) > MOST_INLINE:
        raise Refused("file", f"file may have at most {MOST_INLINE} bytes with a provider of this model.")
    lost = [name for name, value in values.items() if value is not None and name not in _KNOWN]
    if lost and call.strict:
        raise Refused(lost[0], f"{lost[0]} cannot be said to a provider of this model.")
    return tuple(f"{name}=drop" for name in lost)


def to_fetch(call: Call, leg: Leg) -> dict[str, str]:
    """Nothing: a sound is sent, not named."""
    return {}


def encode(call: Call, leg: Leg) -> bytes | Form:
    """The body for a leg."""
    values = call.body.values
    if leg.dialect == GEMINI.name:
        return _instruction(call)
    parts: list[tuple[str, str | Upload]] = [("model", leg.model)]
    for name, value in values.items():
        if value is None or name in ("model", "file", "input_audio", *TRANSCRIPTIONS.OWN):
            continue
        if isinstance(value, list):
            parts += [(f"{name}[]", _said(one)) for one in value]
        else:
            parts.append((name, _said(value)))
    return Form([*parts, ("file", _file(values))], f"gateway-{call.id}")


def _said(value: Any) -> str | Upload:
    """A value as a form has it."""
    return value if isinstance(value, str | Upload) else shapes.dumps(value)


def _instruction(call: Call) -> bytes:
    values, file = call.body.values, _file(call.body.values)
    wanted = ["Write down what is said in this recording, word for word, and nothing else."]
    if call.dialect == TRANSLATIONS.name:
        wanted = ["Write down in English what is said in this recording, translated, and nothing else."]
    if values.get("language"):
        wanted.append(f"Its language is {values['language']}.")
    if values.get("prompt"):
        wanted.append(f"It goes on from this text, or has words as in it: {values['prompt']}")
    ending = file.filename.rpartition(".")[2].lower()
    kind = file.media_type if file.media_type.startswith(("audio/", "video/")) else _KINDS.get(ending, "audio/wav")
    sound = {"mimeType": kind, "data": base64.b64encode(joined(file.content)).decode()}
    heat = values.get("temperature")
    return shapes.packed({
        "contents": [{"role": "user", "parts": [{"text": " ".join(wanted)}, {"inlineData": sound}]}],
        **({} if heat is None else {"generationConfig": {"temperature": heat}}),
    })  # fmt: skip


def whole(call: Call, leg: Leg, body: bytes, meter: Meter) -> bytes:
    """A reply for the client; fills the meter. Raises Fault."""
    meter.units = {"transcripts": 1}  # of silence it is empty, and was made all the same
    plain = call.ask.answers != "application/json"
    if leg.dialect == GEMINI.name:
        reply = gemini.parse_reply(parsed(body))
        if not reply.choices:
            raise Fault("malformed")
        text = "".join(part.text for part in reply.choices[0].parts if isinstance(part, Text)).strip()
        _written(text, reply.choices[0].finish)
        meter.upstream_id = reply.id[:255] or None
        _measure(call, leg, meter, _googles(reply.usage), None, text)
        return text.encode("utf-8", "replace") if plain else shapes.packed(_reply(text, meter, call))
    if plain and not body.lstrip().startswith(b"{"):
        _measure(call, leg, meter, None, None, body.decode("utf-8", "replace"))
        return body
    found = scanned(body)
    values = found.values
    if values.get("error"):
        raise openai.fault_in_reply(values["error"])
    said = values.get("text")
    if not isinstance(said, str):
        raise Fault("malformed")
    meter.upstream_id = shapes.short(values.get("id"))
    _measure(call, leg, meter, _tokens(values.get("usage")), _seconds(values), said)
    if plain and values.get("segments") is None:  # asked for text, it answers JSON
        return said.encode("utf-8", "replace")
    changes: dict[str, str | None] = {"model": shapes.dumps(call.model)} if "model" in values else {}
    return edit(found, {**changes, "id": shapes.dumps(call.id)} if "id" in values else changes)


def _written(text: str, finish: Finish) -> None:
    """Raises Fault where nothing was written down because it was blocked: of silence a text is empty, too."""
    if not text and finish.reason == "filtered":
        raise Fault("request", status=400, message="The model refuses to write this down.", code=finish.raw)


def _reply(text: str, meter: Meter, call: Call) -> dict[str, Any]:
    """A reply as OpenAI's models that count tokens have it."""
    used = meter.usage or meter.guess or Usage()
    counts = {"input_tokens": used.input or 0, "output_tokens": used.output or 0}
    heard = used.audio_in or 0
    details = {"text_tokens": max(0, counts["input_tokens"] - heard), "audio_tokens": heard}
    usage = {"type": "tokens", **counts, "total_tokens": sum(counts.values()), "input_token_details": details}
    return {"text": text, "usage": usage}


def _googles(usage: Usage | None) -> Usage | None:
    """What Google's counts say, if they say anything."""
    return usage if usage is not None and usage.input is not None else None


def _tokens(found: Any) -> Usage | None:
    """Tokens as OpenAI counts them, or Mistral; None where there are none."""
    told = shapes.members(found)
    given = shapes.count(told.get("input_tokens", told.get("prompt_tokens")))
    said = shapes.count(told.get("output_tokens", told.get("completion_tokens")))
    if given is None or said is None:
        return None
    details = shapes.members(told.get("input_token_details") or told.get("prompt_tokens_details"))
    heard = shapes.count(details.get("audio_tokens"))
    if "prompt_audio_seconds" in told:  # Mistral's prompt is the text, and the sound beside it
        given += heard or 0
    return Usage(input=given, audio_in=given if heard is None else heard, output=said)


def _seconds(values: Mapping[str, Any]) -> int | None:
    """Seconds as a reply tells them, each that has begun."""
    usage = shapes.members(values.get("usage"))
    for told in (usage.get("seconds"), usage.get("prompt_audio_seconds"), values.get("duration")):
        found = shapes.number(told)
        if found is not None and 0 <= found < 1e9:
            return math.ceil(found - 1e-6)
    return None


def _measure(call: Call, leg: Leg, meter: Meter, tokens: Usage | None, seconds: int | None, text: str) -> None:
    """Fill the meter with what was told, and reckon what was not."""
    meter.out_bytes = size(text)
    if seconds is None:
        lasted = lasts(call.body.values)
        content = _file(call.body.values).content
        heard = math.ceil(lasted - 1e-6 if lasted is not None else len(content) / _USUAL_RATE)
    else:
        heard = seconds
    units = {"second": heard}
    price = leg.price
    if tokens is not None:
        meter.usage = Usage(input=tokens.input, audio_in=tokens.audio_in, output=tokens.output, units=units)
    elif seconds is not None and price is not None and "second" in price.units:
        meter.usage = Usage(units=units)
    sound = heard * TOKENS_S
    prompt = -(-call.ask.weight.text // 4)
    meter.guess = Usage(input=sound + prompt, audio_in=sound, output=-(-meter.out_bytes // 4), units=units)


def feed(call: Call, leg: Leg, headers: Mapping[str, str]) -> Feed:
    """A streamed reply for the client."""
    return FromGoogle(call, leg) if leg.dialect == GEMINI.name else Passed(call, leg)


class Hearing(Intake):
    """What is heard, in events. See `base.Feed`."""

    def __init__(self, call: Call, leg: Leg) -> None:
        super().__init__()
        self._call, self._leg = call, leg
        self._text: list[str] = []
        self._tokens: Usage | None = None
        self._seconds: int | None = None

    def put(self, frame: bytes) -> None:
        self.spoke = self.bound = True
        self.out.append(frame)

    def say(self, text: str) -> None:
        """More of the text, as an event of ours."""
        if text:
            self._text.append(text)
            self.put(write(shapes.packed({"type": "transcript.text.delta", "delta": text})))

    def measure(self) -> None:
        _measure(self._call, self._leg, self.meter, self._tokens, self._seconds, "".join(self._text))

    def whole(self, text: str) -> None:
        """All was said: the last event, with what it took."""
        self.measure()
        self._end(write(shapes.packed({"type": "transcript.text.done", **_reply(text, self.meter, self._call)})))

    def _end(self, last: bytes) -> None:
        self.bound = True  # of silence there is no more than its end
        self.meter.units = {"transcripts": 1}
        self.tail = last


class Passed(Hearing):
    """A stream of the same words, byte for byte."""

    _last = b""

    def frame(self, frame: bytes) -> None:
        event = read(frame)
        if event.data == b"[DONE]":
            self._last += frame
            self.ended()
        elif event.data is not None:
            self._told(frame, event)
        elif silent(frame):
            self.out.append(frame)  # a comment: it binds nobody

    def _told(self, frame: bytes, event: Event) -> None:
        values = parsed(event.data or b"")
        match values.get("type"):
            case "transcript.text.done":
                self._tokens, self._seconds = _tokens(values.get("usage")), _seconds(values)
                if not self._text:
                    self._text.append(shapes.text(values.get("text")) or "")
                self._last = frame
            case "transcript.text.delta":
                self._text.append(shapes.text(values.get("delta")) or "")
                self.put(frame)
            case "transcript.text.segment":
                self._text.append(shapes.text(values.get("text")) or "")
                self.put(frame)
            case _ if values.get("error") or values.get("type") == "error":
                raise openai.fault_in_reply(values.get("error") or values)
            case _:
                self.out.append(frame)

    def ended(self) -> None:
        if not self._last:
            raise Fault("malformed")
        self._end(self._last)

    def answer(self, body: bytes) -> None:
        """The answer of a model that does not stream, as a stream."""
        values = parsed(body)
        if values.get("error"):
            raise openai.fault_in_reply(values["error"])
        text = values.get("text")
        if not isinstance(text, str):
            raise Fault("malformed")
        self._tokens, self._seconds = _tokens(values.get("usage")), _seconds(values)
        self.say(text)
        self.whole(text)


class FromGoogle(Hearing):
    """A stream of Google's."""

    def __init__(self, call: Call, leg: Leg) -> None:
        super().__init__(call, leg)
        self._reader = gemini.reader()
        self._spoken: set[tuple[int, int]] = set()  # parts that are text, and no thoughts

    def frame(self, frame: bytes) -> None:
        event = read(frame)
        if event.data is not None:
            self._take(self._reader.push(event))

    def ended(self) -> None:
        self._take(self._reader.end())
        if self.tail is None:
            raise Fault("malformed")

    def answer(self, body: bytes) -> None:
        self._take(unfold(gemini.parse_reply(parsed(body))))

    def _take(self, events: Any) -> None:
        for event in events:
            self._note(event)

    def _note(self, event: Told) -> None:
        match event:
            case PartStart(choice=0, index=index, part=Text(text=text)):
                self._spoken.add((0, index))
                self.say(text)
            case PartDelta(choice=0, index=index, text=text) if (0, index) in self._spoken:
                self.say(text)
            case ChoiceEnd(choice=0, finish=finish):
                _written("".join(self._text).strip(), finish)
            case UsageSeen(usage=usage):
                self._tokens = _googles(usage)
            case ReplyEnd():
                self.whole("".join(self._text).strip())
            case _:
                pass
