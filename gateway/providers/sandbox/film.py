"""A film that any player shows, made without an encoder: H.264 of plain macroblocks in an MP4 file.

Each block of 16 × 16 pixels is of one colour and stands uncompressed in the stream (I_PCM); after the first picture
only what moves is told, all else is skipped. ITU-T H.264 §7.3 (syntax), §9.1 (exp-Golomb); ISO/IEC 14496-12 and -15 for
the boxes.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Iterator

PER_SECOND = 8
BLOCK = 16
_ZEROS = re.compile(rb"\x00\x00([\x00-\x03])")
_TICKS = 1_000  # of the file's clock, a second

Colour = tuple[int, int, int]
"""Y, Cb, Cr; never 0, so that no start code appears in the samples."""


class _Bits:
    """A bit string, as H.264 writes one."""

    def __init__(self) -> None:
        self.done = bytearray()
        self._bits = ""

    def u(self, width: int, value: int) -> None:
        self._bits += f"{value:0{width}b}" if width else ""

    def ue(self, value: int) -> None:
        code = f"{value + 1:b}"
        self._bits += "0" * (len(code) - 1) + code

    def align(self, bit: str = "0") -> None:
        self._bits += bit
        self._bits += "0" * (-len(self._bits) % 8)
        self.done += int(self._bits or "0", 2).to_bytes(len(self._bits) // 8, "big")
        self._bits = ""

    def block(self, kind: int, colour: Colour) -> None:
        """One uncompressed macroblock."""
        self.ue(kind)
        if len(self._bits) % 8:
            self._bits += "0" * (-len(self._bits) % 8)
        self.done += int(self._bits, 2).to_bytes(len(self._bits) // 8, "big")
        self._bits = ""
        y, cb, cr = colour
        self.done += bytes((y,)) * 256 + bytes((cb,)) * 64 + bytes((cr,)) * 64

    def unit(self, head: int) -> bytes:
        """All of it as a NAL unit."""
        self.align("1")
        return bytes((head,)) + _ZEROS.sub(lambda found: b"\0\0\3" + found[1], bytes(self.done))


class Scene:
    """What a film shows: a square that wanders over a striped ground, in blocks. seed: of its colours and its way."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        self.width, self.height, self._seed = width, height, seed
        self.across, self.down = -(-width // BLOCK), -(-height // BLOCK)
        chance, down = random.Random(seed), self.down
        self.ground = [
            (60 + 100 * row // down, chance.randrange(90, 166), chance.randrange(90, 166)) for row in range(down)
        ]
        self.colour = (220, chance.randrange(40, 90), chance.randrange(180, 220))
        self._side = max(1, min(self.across, down) // 5)

    def square(self, number: int) -> set[tuple[int, int]]:
        """The blocks of the square in a picture; the first one, 0, is empty."""
        if number == 0:
            return set()
        left = _bounced(number + self._seed % 7, self.across - self._side)
        top = _bounced(number, self.down - self._side)
        return {(left + x, top + y) for x in range(self._side) for y in range(self._side)}

    def blocks(self, number: int) -> Iterator[Colour]:
        """All blocks of a picture, row by row."""
        square = self.square(number)
        for y in range(self.down):
            for x in range(self.across):
                yield self.colour if (x, y) in square else self.ground[y]


def count(seconds: float) -> int:
    """Pictures of a film."""
    return max(2, round(seconds * PER_SECOND))


def film(scene: Scene, seconds: float) -> bytes:
    """An MP4 file of a scene."""
    across, down = scene.across, scene.down
    samples = [_first(across, down, scene.ground)]
    at: set[tuple[int, int]] = set()
    for number in range(1, count(seconds)):
        now = scene.square(number)
        changed = {p: scene.colour if p in now else scene.ground[p[1]] for p in at ^ now}
        samples.append(_next(number, across, down, changed))
        at = now
    return _file(scene.width, scene.height, _sps(scene.width, scene.height, across, down), _pps(), samples)


def _bounced(step: int, room: int) -> int:
    """Back and forth between 0 and `room`."""
    if room <= 0:
        return 0
    step %= 2 * room
    return min(step, 2 * room - step)


def _sps(width: int, height: int, across: int, down: int) -> bytes:
    """How pictures are coded: constrained baseline, one reference, shown in the order in which they come."""
    bits = _Bits()
    bits.u(24, 66 << 16 | 0xC0 << 8 | 51)
    for value in (0, 4, 2, 1):  # id, frame numbers of 8 bits, order as decoded, references
        bits.ue(value)
    bits.u(1, 0)
    bits.ue(across - 1)
    bits.ue(down - 1)
    bits.u(2, 0b11)
    right, below = across * BLOCK - width, down * BLOCK - height
    bits.u(1, int(right > 1 or below > 1))
    if right > 1 or below > 1:
        for value in (0, right // 2, 0, below // 2):
            bits.ue(value)
    bits.u(1, 0)
    return bits.unit(0x67)


def _pps() -> bytes:
    bits = _Bits()
    bits.ue(0)
    bits.ue(0)
    bits.u(2, 0)
    for _ in range(3):
        bits.ue(0)
    bits.u(3, 0)
    for _ in range(3):
        bits.ue(0)
    bits.u(3, 0b100)  # slices say how they are smoothed
    return bits.unit(0x68)


def _first(across: int, down: int, ground: list[Colour]) -> bytes:
    """The picture that needs no other."""
    bits = _Bits()
    for value in (0, 7, 0):
        bits.ue(value)
    bits.u(8, 0)
    bits.ue(0)
    bits.u(2, 0)
    bits.ue(0)
    bits.ue(1)
    for row in range(down):
        for _ in range(across):
            bits.block(25, ground[row])
    return bits.unit(0x65)


def _next(number: int, across: int, down: int, changed: dict[tuple[int, int], Colour]) -> bytes:
    """A picture that is like the one before it, but for some blocks."""
    bits = _Bits()
    for value in (0, 5, 0):
        bits.ue(value)
    bits.u(8, number % 256)
    bits.u(3, 0)
    bits.ue(0)
    bits.ue(1)
    last = -1
    for place, colour in sorted((y * across + x, colour) for (x, y), colour in changed.items()):
        bits.ue(place - last - 1)
        bits.block(30, colour)
        last = place
    if last < across * down - 1:
        bits.ue(across * down - 1 - last)
    return bits.unit(0x41)


def _box(name: bytes, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack(">I", 8 + len(data)) + name + data


def _full(name: bytes, *parts: bytes, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", flags), *parts)


_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def _file(width: int, height: int, sps: bytes, pps: bytes, samples: list[bytes]) -> bytes:
    samples = [struct.pack(">I", len(one)) + one for one in samples]
    step = _TICKS // PER_SECOND
    long = step * len(samples)
    sets = struct.pack(">H", len(sps)) + sps + b"\x01" + struct.pack(">H", len(pps)) + pps
    avcc = b"\x01" + sps[1:4] + b"\xff\xe1" + sets
    entry = _box(
        b"avc1", bytes(6), b"\0\1", bytes(16), struct.pack(">HHIII", width, height, 0x480000, 0x480000, 0), b"\0\1",
        bytes(32), b"\0\x18\xff\xff", _box(b"avcC", avcc),
    )  # fmt: skip
    kind = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2avc1mp41")

    def moov(start: int) -> bytes:
        table = _box(
            b"stbl",
            _full(b"stsd", struct.pack(">I", 1), entry),
            _full(b"stts", struct.pack(">III", 1, len(samples), step)),
            _full(b"stss", struct.pack(">II", 1, 1)),
            _full(b"stsc", struct.pack(">IIII", 1, 1, len(samples), 1)),
            _full(b"stsz", struct.pack(">II", 0, len(samples)), *(struct.pack(">I", len(one)) for one in samples)),
            _full(b"stco", struct.pack(">II", 1, start)),
        )
        media = _box(
            b"mdia",
            _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, _TICKS, long, 0x55C4, 0)),
            _full(b"hdlr", bytes(4), b"vide", bytes(12), b"film\0"),
            _box(
                b"minf",
                _full(b"vmhd", bytes(8), flags=1),
                _box(b"dinf", _full(b"dref", struct.pack(">I", 1), _full(b"url ", flags=1))),
                table,
            ),
        )
        track = _full(
            b"tkhd", struct.pack(">IIIII", 0, 0, 1, 0, long), bytes(16), _MATRIX,
            struct.pack(">II", width << 16, height << 16), flags=3,
        )  # fmt: skip
        head = _full(
            b"mvhd", struct.pack(">IIIIIH", 0, 0, _TICKS, long, 0x10000, 0x100), bytes(10), _MATRIX, bytes(24),
            struct.pack(">I", 2),
        )  # fmt: skip
        return _box(b"moov", head, _box(b"trak", track, media))

    start = len(kind) + len(moov(0)) + 8
    return kind + moov(start) + _box(b"mdat", *samples)
