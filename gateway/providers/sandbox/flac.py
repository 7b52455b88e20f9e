"""FLAC of 16-bit samples in one channel, written without compression: each frame is one verbatim subframe.

RFC 9639: https://www.rfc-editor.org/rfc/rfc9639.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator

from ...modalities.duration import crc8

_BLOCK = 4_096
_VENDOR = b"gateway"


def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        value = byte << 8
        for _ in range(8):
            value = (value << 1 ^ 0x8005) & 0xFFFF if value & 0x8000 else value << 1
        found.append(value)
    return tuple(found)


_CRC16 = _table()


def _crc16(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value << 8) & 0xFFFF ^ _CRC16[value >> 8 ^ byte]
    return value


def encode(pcm: Iterable[bytes], samples: int, rate: int, comment: bytes) -> Iterator[bytes]:
    """A file in pieces. pcm: little-endian samples, so many at a `rate` in all · comment: a tag, as `NAME=text`."""
    packed = rate << 44 | 15 << 36 | samples  # one channel less one is 0, and 16 bits less one 15
    yield b"fLaC" + _block(0, struct.pack(">HHxxxxxx", _BLOCK, _BLOCK) + packed.to_bytes(8, "big") + bytes(16), False)
    tags = struct.pack("<I", len(_VENDOR)) + _VENDOR + struct.pack("<II", 1, len(comment)) + comment
    yield _block(4, tags, True)
    left = b""
    number = 0
    for piece in pcm:
        left += piece
        while len(left) >= 2 * _BLOCK:
            yield _frame(left[: 2 * _BLOCK], number)
            left, number = left[2 * _BLOCK :], number + 1
    if left:
        yield _frame(left, number)


def _block(kind: int, data: bytes, last: bool) -> bytes:
    return bytes([kind | 0x80 * last]) + len(data).to_bytes(3, "big") + data


def _frame(pcm: bytes, number: int) -> bytes:
    """One frame: its size in 16 bits, rate and channel from the head of the file, 16 bits a sample."""
    coded = chr(number).encode("utf-8", "surrogatepass")  # as FLAC writes numbers
    head = b"\xff\xf8\x70\x08" + coded + struct.pack(">H", len(pcm) // 2 - 1)
    samples = array("h", pcm)
    if sys.byteorder == "little":
        samples.byteswap()
    data = head + bytes([crc8(head), 0x02]) + samples.tobytes()
    return data + struct.pack(">H", _crc16(data))
