"""How long a sound lasts, read from its container: wav, flac, ogg (Opus, Vorbis, FLAC, Speex), mp3, aac, mp4/m4a, webm.

Nothing is decoded. Headers are read, and the frames of mp3 and aac are walked, which say nothing of the whole in one
place; after so many the rest is taken for as dense. Files claim what they like: what a provider counted goes before.
RFC 9639 (FLAC), 3533 and 7845 (Ogg, Opus), 9559 (Matroska), ISO/IEC 14496-12 (mp4), 13818-7 (ADTS), 11172-3 (MPEG).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from itertools import count

Read = Callable[[int, int], bytes]
"""Up to so many bytes from a place; fewer, or none, where there are no more or where they are not kept."""

_BLOCK = 1 << 16
_MOST_FRAMES = 20_000
_MOST_PARTS = 4_000
"""Frames, chunks, boxes and elements that are read, so that no file keeps the event loop for long."""

PCM_RATE = 24_000
"""Samples a second, 16 bits each and one channel, of what is headerless where speech is asked for as `pcm`."""


class Heard:
    """A sound on its way: how much has come, and as much of its two ends as tells how long it lasts."""

    def __init__(self) -> None:
        self.bytes = 0
        self._head = b""
        self._tail = b""

    def add(self, data: bytes) -> None:
        self.bytes += len(data)
        if len(self._head) < _BLOCK:
            self._head += data[: _BLOCK - len(self._head)]
        self._tail = data[-_BLOCK:] if len(data) >= _BLOCK else (self._tail + data)[-_BLOCK:]

    def seconds(self) -> float:
        """How long it lasts so far; as pcm where no container is recognised."""
        found = seconds(self._read, self.bytes)
        return found if found is not None else self.bytes / (2 * PCM_RATE)

    def _read(self, at: int, most: int) -> bytes:
        start = at - (self.bytes - len(self._tail))
        return self._tail[start : start + most] if start >= 0 else self._head[at : at + most]


def of(data: bytes | memoryview) -> float | None:
    """How long a whole file lasts, in seconds; None where it is of no kind that is known here, or does not say."""
    return seconds(lambda at, most: bytes(data[at : at + most]), len(data))


def seconds(read: Read, size: int) -> float | None:
    """The same, of a file of so many bytes that is read in places."""
    head = read(0, 64)
    try:
        if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
            found = _wav(read, size)
        elif head[:4] == b"fLaC":
            found = _flac(read, size)
        elif head[:4] == b"OggS":
            found = _ogg(read, size)
        elif head[4:8] == b"ftyp":
            found = _mp4(read, size)
        elif head[:4] == b"\x1a\x45\xdf\xa3":
            found = _webm(read, size)
        else:
            found = _frames(read, size)
    except (struct.error, IndexError, ZeroDivisionError, OverflowError):  # it ends early, or claims what cannot be
        return None
    return found if found is not None and 0 <= found < 1e9 else None


def _wav(read: Read, size: int) -> float | None:
    at, rate, block = 12, 0, 0
    for _ in range(_MOST_PARTS):
        head = read(at, 8)
        name, length = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"fmt ":
            kind, _, rate, byte_rate, block, bits = struct.unpack("<HHIIHH", read(at + 8, 16))
            if kind not in (1, 3, 0xFFFE) or not bits:  # compressed: a block is no sample
                rate, block = byte_rate, 1
        elif name == b"data":
            left = size - at - 8
            return float(min(length, left) if length else left) / (rate * block)
        at += 8 + length + length % 2
    return None


_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_FLAC_BLOCKS = {1: 192, **{n: 576 << n - 2 for n in range(2, 6)}, **{n: 256 << n - 8 for n in range(8, 16)}}


def _flac(read: Read, size: int, at: int = 4) -> float | None:
    info = read(at + 4, 34)
    packed = int.from_bytes(info[10:18], "big")
    rate, samples = packed >> 44, packed & (1 << 36) - 1
    if samples:
        return samples / rate
    start = max(0, size - _BLOCK)
    tail = read(start, _BLOCK)
    for found in reversed(list(_SYNC.finditer(tail))[-_MOST_PARTS:]):
        ends = _flac_frame(tail[found.start() : found.start() + 16], struct.unpack(">H", info[2:4])[0])
        if ends is not None:
            return ends / rate
    return None


def _flac_frame(head: bytes, usual: int) -> int | None:
    """The sample after a frame, by its header; None where its check sum is wrong: it is none. usual: samples of a
    block, where all have as many (RFC 9639 section 9.1)."""
    extra = next((n for n in range(8) if not head[4] & (0x80 >> n)), 8)
    length = max(1, extra)
    number = head[4] & (0x7F >> extra if extra else 0x7F)
    for byte in head[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    at = 4 + length
    size_code = head[2] >> 4
    if size_code == 6:
        block, at = head[at] + 1, at + 1
    elif size_code == 7:
        block, at = struct.unpack(">H", head[at : at + 2])[0] + 1, at + 2
    else:
        block = _FLAC_BLOCKS.get(size_code, 0)
    at += {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if not block or crc8(head[:at]) != head[at]:
        return None
    return int((number if head[1] & 1 else number * usual) + block)


def crc8(data: bytes) -> int:
    """The check sum of a FLAC frame's header: polynomial 0x07."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x07) & 0xFF if value & 0x80 else value << 1
    return value


def _ogg(read: Read, size: int) -> float | None:
    first = read(0, 512)
    packet = first[27 + first[26] :]
    skipped = 0
    if packet.startswith(b"OpusHead"):
        rate, skipped = 48_000, struct.unpack("<H", packet[10:12])[0]
    elif packet.startswith(b"\x01vorbis"):
        rate = struct.unpack("<I", packet[12:16])[0]
    elif packet.startswith(b"\x7fFLAC"):
        rate = int.from_bytes(packet[27:30], "big") >> 4
    elif packet.startswith(b"Speex   "):
        rate = struct.unpack("<I", packet[36:40])[0]
    else:
        return None
    tail = read(max(0, size - _BLOCK), _BLOCK)
    for page in reversed(list(re.finditer(b"OggS\x00", tail))[-_MOST_PARTS:]):
        position = tail[page.start() + 6 : page.start() + 14]
        if len(position) == 8 and position != b"\xff" * 8:
            return float(max(0, struct.unpack("<q", position)[0] - skipped)) / rate
    return None


_KBPS = {
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (2, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_KBPS[2, 2] = _KBPS[0, 1] = _KBPS[0, 2] = _KBPS[2, 1]
"""By version (3 is MPEG-1, 2 MPEG-2, 0 MPEG-2.5) and layer (1 is III, 2 is II)."""

_HERTZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_ADTS_HERTZ = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)


def _frame(head: bytes) -> tuple[int, float] | None:
    """Bytes and seconds of a frame of mp3 or aac; None where none begins."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        place = head[2] >> 2 & 15
        return (length, 1_024 / _ADTS_HERTZ[place]) if length >= 7 and place < len(_ADTS_HERTZ) else None
    version, layer, kbps, hertz = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    if (version, layer) not in _KBPS or not 0 < kbps < 15 or hertz == 3:
        return None
    rate = _HERTZ[version][hertz]
    samples = 576 if layer == 1 and version != 3 else 1_152
    length = samples // 8 * _KBPS[version, layer][kbps - 1] * 1_000 // rate + (head[2] >> 1 & 1)
    return length, samples / rate


def _frames(read: Read, size: int) -> float | None:
    """The frames of mp3 and aac, behind the tags that may stand before them."""
    at = 0
    for _ in range(8):
        tag = read(at, 10)
        if tag[:3] != b"ID3":
            break
        at += 10 + (tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9])
    start, total, block, block_at = at, 0.0, b"", at
    for number in count():
        if at + 7 > block_at + len(block):
            block, block_at = read(at, _BLOCK), at
        found = _frame(block[at - block_at : at - block_at + 7]) if number < _MOST_FRAMES else None
        if found is None or at >= size:
            break
        at, total = at + found[0], total + found[1]
    if not total or at == start:
        return None
    if at < size and (number >= _MOST_FRAMES or not read(at, 1)):  # the rest is as dense
        total *= (size - start) / (at - start)
    return total


def _boxes(read: Read, at: int, end: int) -> list[tuple[bytes, int, int]]:
    """The boxes of an mp4 between two places: name, and where what is in them begins and ends."""
    found: list[tuple[bytes, int, int]] = []
    while at + 8 <= end and len(found) < _MOST_PARTS:
        head = read(at, 16)
        length, name, body = struct.unpack(">I", head[:4])[0], head[4:8], at + 8
        if length == 1:
            length, body = struct.unpack(">Q", head[8:16])[0], at + 16
        after = at + length if length else end
        if after < body:
            break
        found.append((name, body, min(after, end)))
        at = after
    return found


def _mp4(read: Read, size: int) -> float | None:
    for name, body, end in _boxes(read, 0, size):
        if name != b"moov":
            continue
        parts = {name: (body, end) for name, body, end in _boxes(read, body, end)}
        scale, length = _box_times(read(parts[b"mvhd"][0], 32))
        if not length and b"mvex" in parts:  # fragments: the whole is told once, if at all
            length = next((_box_whole(read(body, 12)) for name, body, _ in _boxes(read, *parts[b"mvex"])
                           if name == b"mehd"), 0)  # fmt: skip
        return length / scale if length else None
    return None


def _box_times(head: bytes) -> tuple[int, int]:
    """Units a second, and how many."""
    if head[0]:
        scale, long = struct.unpack(">IQ", head[20:32])
        return scale, long if long != (1 << 64) - 1 else 0
    scale, short = struct.unpack(">II", head[12:20])
    return scale, short if short != (1 << 32) - 1 else 0


def _box_whole(head: bytes) -> int:
    return int.from_bytes(head[4:12] if head[0] else head[4:8], "big")


def _number(read: Read, at: int) -> tuple[int, int, int]:
    """A number of Matroska's: with its mark of length, without it, and how many bytes it takes."""
    data = read(at, 8)
    length = 9 - data[0].bit_length()
    marked = int.from_bytes(data[:length], "big")
    return marked, marked & (1 << 7 * length) - 1, length


_SEGMENT, _INFO, _CLUSTER, _SCALE, _LASTS, _TIME = 0x18538067, 0x1549A966, 0x1F43B675, 0x2AD7B1, 0x4489, 0xE7
_BLOCKS = (0xA3, 0xA0, 0xA1)


def _webm(read: Read, size: int) -> float | None:
    """By the duration that it tells; where none is told, as by browsers that record, by the time of its last block."""
    at, scale, cluster, last = 0, 1_000_000, 0, 0
    for _ in range(_MOST_PARTS * 5):
        if at >= size:
            break
        if not read(at, 1) or read(at, 1) == b"\0":
            break
        name, _, taken = _number(read, at)
        _, length, more = _number(read, at + taken)
        body = at + taken + more
        unknown = length == (1 << 7 * more) - 1
        value = read(body, length) if name in (_SCALE, _LASTS, _TIME) and length <= 8 else b""
        if name == _SCALE:
            scale = int.from_bytes(value, "big")
        elif name == _LASTS:
            told: float = struct.unpack(">d" if length == 8 else ">f", value)[0]
            return told * scale / 1e9
        elif name == _TIME:
            cluster = int.from_bytes(value, "big")
        elif name in _BLOCKS[:1] or name == _BLOCKS[2]:
            _, _, track = _number(read, body)
            last = max(last, cluster + struct.unpack(">h", read(body + track, 2))[0])
        inside = name in (_SEGMENT, _INFO, _CLUSTER, _BLOCKS[1])
        at = body if inside or unknown else body + length
    return last * scale / 1e9 if last else None
