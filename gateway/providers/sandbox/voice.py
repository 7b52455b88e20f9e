"""The sandbox's voice: a text as sound that can be heard, in each format that can be made here.

Spoken by espeak-ng where that is installed, else hummed: each letter is a sound of its own, vowels by their formants.
wav, pcm and flac are written here, and mp3 as long as nobody speaks; ffmpeg, where installed, makes mp3, opus and aac
of a wav. Every file but pcm holds the text as a tag, which `hearing` finds again, whoever has converted the file
meanwhile. No text is ever an argument of a program: those can be seen by all users of a machine.
"""

from __future__ import annotations

import base64
import math
import random
import re
import shutil
import struct
import zlib
from array import array
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from gevent import subprocess

from ...call import Fault
from ...modalities.duration import PCM_RATE
from ...modalities.sounds import TYPES, wav
from . import flac, mp3

MOST_TEXT = 4_096
"""Characters of one text, as OpenAI takes them."""

OWN = ("wav", "pcm", "flac", "mp3")
_MADE = {
    "mp3": ("-f", "mp3", "-b:a", "64k", "-write_xing", "0"), "opus": ("-f", "ogg", "-c:a", "libopus", "-b:a", "32k"),
    "aac": ("-f", "adts", "-c:a", "aac", "-b:a", "64k", "-write_id3v2", "1"),
}  # fmt: skip
"""How ffmpeg is told to make a format."""

_SAID = re.compile(rb"said:([A-Za-z0-9_-]*={0,2});")
_WORDS = 175
"""Words a minute at the usual speed, as espeak-ng counts them."""


class Spoken(NamedTuple):
    """What a text became: its type, how many seconds, and the bytes."""

    media_type: str
    seconds: float
    pieces: Iterator[bytes]


def formats() -> tuple[str, ...]:
    """The formats that can be made here."""
    return tuple(dict.fromkeys((*OWN, *(_MADE if shutil.which("ffmpeg") else ()))))


def speak(text: str, form: str, voice: str, speed: float) -> Spoken:
    """A text in one of the `formats`. Waits for the programs that make it; raises Fault where one fails."""
    comment = b"said:" + base64.urlsafe_b64encode(text.encode("utf-8", "replace")) + b";"
    if form == "mp3" and not shutil.which("ffmpeg"):
        frames = list(_lines(text, voice, speed))
        return Spoken(TYPES[form], len(frames) * mp3.FRAME_S, mp3.encode(frames, _LOUD, comment))
    program = shutil.which("espeak-ng")
    if program is not None:
        rate, found = _spoken(program, text, voice, speed)
        pieces, samples = [found], len(found) // 2
    else:
        rate, pieces = PCM_RATE, _hummed(text, voice, speed)
        samples = sum(map(len, pieces)) // 2
    if form == "pcm":
        made: Iterator[bytes] = iter(pieces) if rate == PCM_RATE else _at_usual_rate(pieces[0], rate)
    elif form == "flac":
        made = flac.encode(pieces, samples, rate, b"COMMENT=" + comment)
    else:
        made = _as_wav(pieces, samples, rate, comment)
        made = made if form == "wav" else iter((_converted(b"".join(made), form),))
    return Spoken(TYPES[form], samples / rate, made)


def said(sound: bytes) -> str | None:
    """The text that a file of this voice holds; None where it is no such file."""
    found = _SAID.search(sound)
    try:
        return base64.urlsafe_b64decode(found[1]).decode() if found is not None else None
    except ValueError:
        return None


def _as_wav(pieces: list[bytes], samples: int, rate: int, comment: bytes) -> Iterator[bytes]:
    text = comment + bytes(1 + (len(comment) + 1) % 2)
    chunk = b"INFOICMT" + struct.pack("<I", len(text)) + text
    yield wav(rate, 2 * samples, extra=b"LIST" + struct.pack("<I", len(chunk)) + chunk)
    yield from pieces


def _spoken(program: str, text: str, voice: str, speed: float) -> tuple[int, bytes]:
    """Samples a second, and the samples. Higher and lower by the voice's name, as there is one speaker only."""
    pitch = str(35 + zlib.crc32(voice.encode("utf-8", "replace")) % 40)
    pace = str(max(80, min(450, round(_WORDS * speed))))
    file = _run([program, "--stdin", "--stdout", "-p", pitch, "-s", pace], text.encode("utf-8", "replace"))
    at = file.find(b"data", 12)
    if file[:4] != b"RIFF" or at < 0:
        raise Fault("server", status=500)
    return struct.unpack("<I", file[24:28])[0], file[at + 8 :][: (len(file) - at - 8) & ~1]


_BLOCK = 8_192


def _at_usual_rate(pcm: bytes, rate: int) -> Iterator[bytes]:
    """The same sound in as many samples a second as `pcm` means, which has no head to say otherwise."""
    samples = memoryview(pcm).cast("h")
    whole = len(samples) * PCM_RATE // rate
    for start in range(0, whole, _BLOCK):
        yield array("h", [samples[at * rate // PCM_RATE] for at in range(start, min(start + _BLOCK, whole))]).tobytes()


def _converted(file: bytes, form: str) -> bytes:
    return _run(["ffmpeg", "-v", "error", "-i", "pipe:0", *_MADE[form], "pipe:1"], file)


def _run(command: list[str], given: bytes) -> bytes:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        out: bytes = process.communicate(given)[0]
    finally:
        if process.poll() is None:
            process.kill()
    if process.returncode:
        raise Fault("server", status=500)
    return out


_FORMANTS = {
    "a": (750, 1_200), "e": (450, 2_000), "i": (290, 2_400), "o": (460, 850), "u": (320, 800), "y": (290, 2_000),
}  # fmt: skip
_VOWEL_S, _OTHER_S, _PAUSE_S = 0.10, 0.06, 0.08


def _hummed(text: str, voice: str, speed: float) -> list[bytes]:
    """A sound for each letter, a pause for all else; never nothing."""
    pace = round(speed * 20) / 20 or 0.25
    return [_letter(letter, _pitch(voice), pace) for letter in f"{text.lower()} "]


def _pitch(voice: str) -> int:
    return 110 + zlib.crc32(voice.encode("utf-8", "replace")) % 110


_LOUD, _MOST_WAVES = 194, 10


def _lines(text: str, voice: str, speed: float) -> Iterator[tuple[float, ...]]:
    """The same sounds, as the frequencies of each frame of mp3: the loudest of each."""
    for letter in f"{text.lower()} ":
        loudest = sorted(_waves(letter, _pitch(voice)), key=lambda wave: -wave[2])[:_MOST_WAVES]
        hertz = tuple(wave[0] for wave in loudest)
        yield from (hertz for _ in range(max(1, round(_lasts(letter) / speed / mp3.FRAME_S))))


@lru_cache(2_048)
def _letter(letter: str, pitch: int, pace: float) -> bytes:
    """The samples of one letter."""
    length = int(PCM_RATE * _lasts(letter) / pace)
    waves = _waves(letter, pitch)
    if not waves:
        return bytes(2 * length)
    samples = array("h", bytes(2 * length))
    for at in range(length):
        swell = min(1.0, at / 240, (length - at) / 240)  # ten milliseconds, so that nothing clicks
        turn = math.tau * at / PCM_RATE
        samples[at] = int(30_000 * swell * sum(loud * math.sin(hertz * turn + phase) for hertz, phase, loud in waves))
    return samples.tobytes()


def _lasts(letter: str) -> float:
    """How many seconds a letter takes at the usual speed."""
    if not letter.isalnum():
        return _PAUSE_S
    return _VOWEL_S if letter in _FORMANTS else _OTHER_S


def _waves(letter: str, pitch: int) -> list[tuple[float, float, float]]:
    """What a letter sounds of: hertz, phase and loudness of each wave; nothing for what is no letter."""
    if not letter.isalnum():
        return []
    vowel = _FORMANTS.get(letter)
    if vowel is None:
        noise = random.Random(letter)  # each its own, and always the same
        center = 300 + zlib.crc32(letter.encode("utf-8", "replace")) % 2_500
        return [(center * (1 + noise.random() / 4), noise.random() * math.tau, 0.08) for _ in range(5)]
    waves = [(pitch * n, _loud(pitch * n, vowel)) for n in range(1, 3_200 // pitch)]
    whole = sum(loud for _, loud in waves)
    return [(hertz, 0.0, 0.8 * loud / whole) for hertz, loud in waves if loud > whole / 200]


def _loud(hertz: float, formants: tuple[int, int]) -> float:
    return sum(1 / (1 + ((hertz - formant) / 120) ** 2) for formant in formants)
