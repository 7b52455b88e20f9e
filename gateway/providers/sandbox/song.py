"""Music of the sandbox: a little tune of tones that fade, as a WAV file."""

from __future__ import annotations

import math
import random
import struct
from array import array

RATE = 16_000
"""Samples a second, of 16 bits."""

NOTE_S = 0.25
_SCALE = (0, 2, 4, 7, 9, 12, 14, 16)
"""Semitones above the keynote: no two of them sound wrong together."""


def song(seconds: float, seed: int) -> bytes:
    """A WAV file. seed: of the tune."""
    chance = random.Random(seed)
    key = 196.0 * 2 ** (chance.randrange(12) / 12)
    notes: dict[int, array[int]] = {}
    samples = array("h")
    left = max(1, round(seconds * RATE))
    while left > 0:
        step = chance.choice(_SCALE)
        if step not in notes:
            notes[step] = _note(key * 2 ** (step / 12))
        samples.extend(notes[step][:left])
        left -= len(notes[step])
    data = samples.tobytes()
    head = struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + head + b"data" + struct.pack("<I", len(data)) + data
    )


def _note(pitch: float) -> array[int]:
    turn = 2 * math.pi * pitch / RATE
    count = int(NOTE_S * RATE)
    return array(
        "h",
        (int(9_000 * (1 - at / count) * (math.sin(turn * at) + math.sin(2 * turn * at) / 3)) for at in range(count)),
    )
