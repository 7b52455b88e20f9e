"""MP3 of hummed sounds, written straight as the frequencies that a decoder turns into sound.

No encoder is at work: a frame of 24 ms names the lines of the spectrum that sound in it, all equally loud. MPEG-2
Layer III, 24 kHz, one channel, 32 kbit/s; each frame stands alone (ISO/IEC 13818-3, 11172-3 section 2.4.1).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

FRAME_S = 0.024
_BYTES, _SIDE, _LINES, _HERTZ = 96, 9, 576, 12_000
_HEAD = b"\xff\xf3\x44\xc4"
_MOST_LINE = 255


def encode(sounds: Iterable[tuple[float, ...]], loud: int, comment: bytes) -> Iterator[bytes]:
    """A file in pieces. sounds: of each frame the hertz that sound in it · loud: its gain, of which 4 are double ·
    comment: a tag."""
    tag = b"COMM" + struct.pack(">IH", len(comment) + 5, 0) + b"\0eng\0" + comment
    size = len(tag)
    yield b"ID3\3\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + tag
    for number, hertz in enumerate(sounds):
        yield _frame(frozenset(min(_MOST_LINE, int(one * _LINES / _HERTZ)) for one in hertz), loud, number)


def _frame(lines: frozenset[int], loud: int, number: int) -> bytes:
    """Lines come in fours: which of them sound, inverted, and a sign for each that does (table B of the standard)."""
    bits, length = 0, 0
    for four in range(max(lines, default=-1) // 4 + 1):
        there = [four * 4 + place in lines for place in range(4)]
        for place in range(4):
            bits, length = bits << 1 | (not there[place]), length + 1
        for place in range(4):
            if there[place]:
                bits, length = bits << 1 | (four * 4 + place) * number >> 1 & 1, length + 1
    side = 0
    for value, width in (
        (0, 9),
        (length, 12),
        (0, 9),
        (loud, 8),
        (0, 9),
        (0, 1),
        (0, 15),
        (0, 7),
        (0, 1),
        (1, 1),
    ):  # no reservoir, no pairs, no factors, one long window, no tables, no regions, no scale; table B
        side = side << width | value
    room = 8 * (_BYTES - len(_HEAD) - _SIDE)
    return _HEAD + side.to_bytes(_SIDE, "big") + (bits << room - length).to_bytes(room // 8, "big")
