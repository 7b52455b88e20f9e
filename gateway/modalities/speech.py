"""Speech: a text as sound, in OpenAI's words and in Google's.

https://platform.openai.com/docs/api-reference/audio/createSpeech, https://ai.google.dev/gemini-api/docs/speech-generation.
A reply is sound as it comes, or events of base64 (`stream_format: sse`). Between equal words bytes pass; what a
provider sends as events, or inside of JSON (Google, Mistral), becomes what was asked for. Google's makes samples only:
they are wrapped as wav or passed as pcm, and other formats are refused before anything is sent.

Priced by the character or by tokens. Where sound comes bare nobody says how many it took: they are reckoned from its
length.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..call import Ask, Call, Fault, Leg, Meter, Weight
from ..dialects import gemini, shapes
from ..dialects.base import Feed, Words
from ..dialects.bridge import Refused
from ..dialects.gemini import errors as google
from ..dialects.gemini.reply import blocked as googles_block
from ..dialects.gemini.spelling import level, several
from ..dialects.intake import Intake
from ..dialects.openai_chat import errors as openai
from ..dialects.passing import for_leg, parsed
from ..dialects.scale import Scale, size
from ..neutral.reply import Usage
from ..splice import edit
from ..sse import PING, Event, read, silent, write
from .duration import Heard
from .sounds import TYPES, pcm_rate, wav

TOKENS_S = 21
"""Tokens of a second of speech, where a provider does not tell: OpenAI sells 1,250 of them as a minute."""

_TOKENS_BYTE, _TOKENS_LEAST = 8, 512
"""The most tokens that a byte of text may be spoken with: half as fast as the slowest speaker; and what is always
allowed for."""

_PIECE = 1 << 16
_SOUND = re.compile(r"(?:audio/[a-z0-9.+-]{1,64}|application/octet-stream)")
_TYPE = re.compile(r"audio/[\w.+-]{1,64}(?:; ?[\w-]{1,32}=[\w.+\"-]{1,32}){0,4}")


class OpenAI:
    """`POST /v1/audio/speech`, which servers for local voices have too."""

    name = "speech"
    id_prefix = "gen_"
    PING = PING
    OWN: tuple[str, ...] = ("models", "provider")

    def path(self, model: str, stream: bool) -> str:
        return "/audio/speech"

    def ask(self, values: Mapping[str, Any]) -> Ask:
        text = values["input"]
        heavy = size(text) + size(values.get("instructions"))
        scale = Scale()
        scale.top(values, ("model", "input", "instructions", *self.OWN), loose=True)
        return Ask(
            model=values["model"],
            stream=True,
            raw=values.get("stream_format") != "sse",
            limit=_TOKENS_BYTE * heavy + _TOKENS_LEAST,
            rigid=True,
            audio_out=True,
            units={"character": len(text)},
            weight=Weight(text=heavy, messages=1),
            urls=tuple(scale.urls),
        )

    fault = staticmethod(openai.fault)
    error = staticmethod(openai.error)
    error_frame = staticmethod(openai.error_frame)


class Gemini:
    """`:generateContent` of a model that speaks, which answers whole."""

    name = "gemini:speech"

    def path(self, model: str, stream: bool) -> str:
        return gemini.path(model, False)

    fault = staticmethod(google.fault)


OPENAI = OpenAI()
GEMINI = Gemini()
NAMED: dict[str, Words] = {OPENAI.name: OPENAI}

_OPENAIS_VOICES = frozenset({
    "alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin", "cedar",
})  # fmt: skip
_VOICE = "Kore"
"""Google's voice for whom names none of its own."""

_SPEAKS = re.compile("tts|audio|speech", re.IGNORECASE)


def ways(call: Call, dialects: Sequence[str]) -> tuple[str, ...]:
    """Its own words, else Google's where a model is asked in them."""
    if OPENAI.name in dialects:
        return (OPENAI.name,)
    return (GEMINI.name,) if "gemini" in dialects else ()


_KNOWN = frozenset({
    "model", "input", "voice", "instructions", "response_format", "stream_format", "speed", *OPENAI.OWN,
})  # fmt: skip


def screen(call: Call, leg: Leg) -> tuple[str, ...]:
    """What Google's words lose. Raises Refused."""
    if leg.dialect == OPENAI.name:
        return ()
    values = call.body.values
    if not _SPEAKS.search(leg.model):
        raise Refused("model", f"The model {leg.model[:80]!r} does not speak.")
    if values.get("response_format") not in (None, "wav", "pcm"):
        raise Refused("response_format", "response_format can only be wav or pcm with a provider of this model.")
    lost = [name for name, value in values.items() if value is not None and name not in _KNOWN]
    if values.get("speed") not in (None, 1):
        lost.append("speed")
    if _voice(values) is None and values.get("voice") is not None:
        lost.append("voice")
    if lost and call.strict:
        raise Refused(lost[0], f"{lost[0]} cannot be said to a provider of this model.")
    return tuple(f"{name}=drop" for name in lost)


def _voice(values: Mapping[str, Any]) -> str | None:
    """The voice that is asked for, if it may be one of Google's."""
    voice = values.get("voice")
    return voice if isinstance(voice, str) and voice and voice.lower() not in _OPENAIS_VOICES else None


def to_fetch(call: Call, leg: Leg) -> dict[str, str]:
    """Nothing: a text is said, not named."""
    return {}


def encode(call: Call, leg: Leg) -> bytes:
    """The body for a leg."""
    if leg.dialect == OPENAI.name:
        return edit(call.body, for_leg(call, leg, OPENAI.OWN))
    values = call.body.values
    how = values.get("instructions")
    text = f"{how}:\n{values['input']}" if how else values["input"]
    voice = {"prebuiltVoiceConfig": {"voiceName": _voice(values) or _VOICE}}
    return shapes.packed({
        "contents": [{"role": "user", "parts": [{"text": text}]}],
        "generationConfig": {"responseModalities": ["AUDIO"], "speechConfig": {"voiceConfig": voice}},
    })  # fmt: skip


def whole(call: Call, leg: Leg, body: bytes, meter: Meter) -> bytes:
    """Speech is always streamed."""
    raise Fault("malformed")


def feed(call: Call, leg: Leg, headers: Mapping[str, str]) -> Feed:
    """A spoken reply, as it was asked for, by how it comes. Raises Fault where it can be no sound."""
    kind = headers.get("content-type", "").strip()
    plain = kind.partition(";")[0].strip().lower()
    if leg.dialect == OPENAI.name and plain not in ("application/json", "text/event-stream"):
        if _SOUND.fullmatch(plain):
            return Bare(call, leg, kind)
        if plain.startswith("text/"):
            raise Fault("malformed")
        return Bare(call, leg) if call.ask.raw else Told(call, leg)
    return Told(call, leg)


class Speaking(Intake):
    """What is spoken, on its way to a client that asked for sound or for events. See `base.Feed`."""

    def __init__(self, call: Call, leg: Leg, kind: str = "") -> None:
        super().__init__()
        self.call = call
        self._leg = leg
        self.heard = Heard()
        self._held = b""  # the last byte of sound, which may be the last of all
        self.form = call.body.values.get("response_format") or "mp3"
        if call.ask.raw:
            usual = TYPES.get(self.form, "application/octet-stream")
            self.content_type = kind if _TYPE.fullmatch(kind) else usual

    def say(self, sound: bytes) -> None:
        """Pass sound on."""
        if not sound:
            return
        self.heard.add(sound)
        if not self.call.ask.raw:
            self.put(write(b'{"type":"speech.audio.delta","audio":"' + base64.b64encode(sound) + b'"}'))
            return
        sound = self._held + sound
        self._held = sound[-1:]
        if len(sound) > 1:
            self.put(sound[:-1])

    def put(self, piece: bytes) -> None:
        self.spoke = self.bound = True
        self.out.append(piece)

    def done(self, usage: Usage | None) -> None:
        """All is said. Raises Fault where that is nothing."""
        if not self.heard.bytes:
            raise Fault("malformed")
        self.meter.usage = usage
        if self.call.ask.raw:
            self.tail = self._held
            return
        took = usage or self._guess()
        counts = {"input_tokens": took.input or 0, "output_tokens": took.output or 0}
        told = {"type": "speech.audio.done", "usage": {**counts, "total_tokens": sum(counts.values())}}
        self.tail = write(shapes.packed(told))

    def measure(self) -> None:
        self.meter.out_bytes = self.heard.bytes
        self.meter.guess = self._guess()
        price = self._leg.price
        if self.meter.usage is None and price is not None and "character" in price.units and not price.rates:
            self.meter.usage = Usage(units=self.call.ask.units)  # which nobody needs to tell

    def _guess(self) -> Usage:
        spoken = math.ceil(self.heard.seconds() * TOKENS_S)
        return Usage(input=self.call.ask.weight.guess(), output=spoken, audio_out=spoken, units=self.call.ask.units)


class Bare(Speaking):
    """Sound that comes as it is."""

    def push(self, chunk: bytes) -> None:
        self.say(chunk)

    def end(self) -> None:
        try:
            self.done(None)
        except Fault as fault:
            self.fault = fault


class Told(Speaking):
    """Sound that comes as events, or inside of JSON."""

    def __init__(self, call: Call, leg: Leg) -> None:
        super().__init__(call, leg)
        self._google = leg.dialect == GEMINI.name
        self._last: bytes | None = None
        self._usage: Usage | None = None
        if self._google and call.ask.raw:
            self.content_type = TYPES["pcm" if self.form == "pcm" else "wav"]

    def frame(self, frame: bytes) -> None:
        event = read(frame)
        if event.data == b"[DONE]":
            self._last = (self._last or b"") + frame
            self.ended()
        elif event.data is not None:
            self._told(frame, event)
        elif not self.call.ask.raw and silent(frame):
            self.out.append(frame)  # a comment: it binds nobody

    def _told(self, frame: bytes, event: Event) -> None:
        values = parsed(event.data or b"")
        match values.get("type"):
            case "speech.audio.delta":
                sound = _decoded(values.get("audio"))
                if self.call.ask.raw:
                    self.say(sound)
                else:
                    self.heard.add(sound)
                    self.put(frame)
            case "speech.audio.done":
                self._usage, self._last = _usage(values.get("usage")), frame
            case _ if values.get("error") or values.get("type") == "error":
                raise openai.fault_in_reply(values.get("error") or values)
            case _ if not self.call.ask.raw:
                self.out.append(frame)
            case _:
                pass

    def ended(self) -> None:
        if self._last is None:
            raise Fault("malformed")
        self.done(self._usage)
        if not self.call.ask.raw:
            self.tail = self._last

    def answer(self, body: bytes) -> None:
        values = parsed(body)
        if values.get("error"):
            raise (google if self._google else openai).fault_in_reply(values["error"])
        if not self._google:
            self.say(_decoded(values.get("audio_data") or values.get("audio")))
            self.done(_usage(values.get("usage")))
            return
        self._compose(values)
        self.done(_googles_usage(values.get("usageMetadata")))

    def _compose(self, values: Mapping[str, Any]) -> None:
        """Google's sound: samples, with a header of ours where wav is wanted."""
        parts = [
            part for candidate in several(values.get("candidates"))[:1]
            for part in several(level(level(candidate).get("content")).get("parts"))
        ]  # fmt: skip
        found = [level(level(part).get("inlineData")) for part in parts]
        pieces = [(str(one.get("mimeType") or ""), _decoded(one.get("data"))) for one in found if one.get("data")]
        if not pieces:
            blocked = googles_block(values)
            if blocked is not None:
                raise Fault("request", status=400, message="The model refuses to say this.", code=blocked)
            raise Fault("malformed")
        kind, sound = pieces[0][0], b"".join(data for _, data in pieces)
        rate = pcm_rate(kind)
        if rate is not None and self.form != "pcm":
            sound = wav(rate, len(sound)) + sound
        elif rate is None and self.call.ask.raw and _TYPE.fullmatch(kind):
            self.content_type = kind
        for at in range(0, len(sound), _PIECE):
            self.say(sound[at : at + _PIECE])


def _decoded(data: Any) -> bytes:
    """Bytes behind base64. Raises Fault."""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise Fault("malformed") from None


def _usage(found: Any) -> Usage | None:
    """Tokens as OpenAI counts them."""
    told = shapes.members(found)
    given, spoken = shapes.count(told.get("input_tokens")), shapes.count(told.get("output_tokens"))
    return None if given is None and spoken is None else Usage(input=given, output=spoken, audio_out=spoken)


def _googles_usage(found: Any) -> Usage | None:
    told = level(found)
    given, spoken = shapes.count(told.get("promptTokenCount")), shapes.count(told.get("candidatesTokenCount"))
    return None if given is None and spoken is None else Usage(input=given, output=spoken, audio_out=spoken)
