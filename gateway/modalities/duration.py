"""How long a sound lasts, read from its container: wav, flac, ogg (Opus, Vorbis, FLAC, Speex), mp3, aac, mp4/m4a, webm.

Nothing is decoded. Headers are read, and the frames of mp3 and aac and the pages of ogg are walked to the end, since
files may be joined; after so many the rest is taken for as dense. What an mp4 or a webm claims is held against its
frames or its last cluster. Files claim what they like: what a provider counted
goes before, and nothing lasts less than its bytes would at the highest rate of its kind.
RFC 9639 (FLAC), 3533 and 7845 (Ogg, Opus), 9559 (Matroska), ISO/IEC 14496-12 (mp4), 13818-7 (ADTS), 11172-3 (MPEG).
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache

Read = Callable[[int, int], bytes]
"""Up to so many bytes from a place; fewer, or none, where there are no more or where they are not kept."""

_BLOCK = 1 << 16
_MOST_FRAMES = 60_000
_MOST_PAGES = 50_000
_MOST_PARTS = 4_000
"""Frames, pages, chunks, boxes and elements that are read, so that no file keeps the event loop for long."""

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
    except (struct.error, LookupError, ZeroDivisionError, OverflowError):  # it ends early, or claims what cannot be
        return None
    return found if found is not None and 0 <= found < 1e9 else None


def _wav(read: Read, size: int) -> float | None:
    """By all chunks of samples: some read more than the first."""
    at, rate, block, samples = 12, 0, 0, 0
    for _ in range(_MOST_PARTS):
        head = read(at, 8)
        if len(head) < 8:
            break
        name, length = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"fmt " and not block:
            kind, _, rate, byte_rate, block, bits = struct.unpack("<HHIIHH", read(at + 8, 16))
            if kind not in (1, 3, 0xFFFE) or not bits:  # compressed: a block is no sample
                rate, block = byte_rate, 1
        elif name == b"data":
            left = size - at - 8
            length = min(length, left) if length else left
            samples += length
        at += 8 + length + length % 2
    else:
        samples += max(0, size - at)
    return float(samples) / (rate * block) if block else None


_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
_FLAC_BLOCKS = {1: 192, **{n: 576 << n - 2 for n in range(2, 6)}, **{n: 256 << n - 8 for n in range(8, 16)}}
_FLAC_HERTZ = (
    0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000,
)  # fmt: skip
_FLAC_BITS = (0, 8, 12, 0, 16, 20, 24, 32)
"""By the codes of a frame's head; 0 is what the head of the file tells."""
_MOST_FLACS = 16
"""Streams of one file that are looked at by themselves."""


def _flac(read: Read, size: int) -> float | None:
    """Of all streams, where several were joined."""
    starts, at = [0], 8
    while at < size and len(starts) < _MOST_FLACS:
        block = read(at, _BLOCK)
        starts += [at + found.start() for found in _FLAC.finditer(block)]
        if len(block) < 8:
            break
        at += len(block) - 7
    ends = [*starts[1:_MOST_FLACS], size]
    slowest = int.from_bytes(read(18, 3), "big") >> 4
    total = 0.0
    for start, end in zip(starts, ends, strict=False):
        found = _flac_stream(read, start, end, slowest)
        if found is None:
            return None
        total += found
    return total


def _flac_stream(read: Read, start: int, end: int, slowest: int) -> float | None:
    """By its head, or by its last frame where that tells more; None where neither tells anything. slowest: samples a
    second, where its frames leave that to a head that may not be theirs."""
    told = int.from_bytes(read(start + 18, 8), "big")
    samples = told & (1 << 36) - 1
    at = start + 4
    for _ in range(_MOST_PARTS):  # what is told of the sound, pictures among it
        head = read(at, 4)
        at += 4 + int.from_bytes(head[1:], "big")
        if len(head) < 4 or head[0] & 0x80:
            break
    first = read(at, 16) + bytes(16)
    begins = _flac_frame(first, 0)
    if begins is None:
        return None
    rate = begins[1] or min(told >> 44, slowest)
    channels = (first[3] >> 4) + 1 if first[3] < 0x80 else 2
    bits = _FLAC_BITS[first[3] >> 1 & 7] or (told >> 36 & 31) + 1
    least = (end - at) / _flac_most(rate, channels, bits)
    tail_at = max(at, end - _BLOCK)
    tail = read(tail_at, end - tail_at)
    same = re.compile(b"\xff%b.[%b]" % (re.escape(first[1:2]), _flac_kinds(first[3])), re.DOTALL)
    for found in reversed(list(same.finditer(tail))[-_MOST_FLACS:]):
        ends = _flac_frame(tail[found.start() : found.start() + 16] + bytes(16), begins[0])
        if ends is not None:
            return max(samples / rate, ends[0] / rate, least)
    return max(samples / rate, least) if samples else None


def _flac_kinds(kind: int) -> bytes:
    """The fourth bytes of frames with samples of as many bits, whatever becomes of their channels."""
    return b"".join(re.escape(bytes([channels << 4 | kind & 15])) for channels in range(11))


def _flac_most(rate: int, channels: int, bits: int) -> float:
    """The most bytes a second: as many as without compression, and a twentieth for the heads of frames."""
    return rate * channels * bits / 8 * 1.05


def _flac_frame(head: bytes, usual: int) -> tuple[int, int] | None:
    """The sample after a frame, and samples a second where it says so, by its header; None where its check sum is
    wrong: it is none. usual: samples of a block, where all have as many (RFC 9639 section 9.1)."""
    extra = next((n for n in range(8) if not head[4] & (0x80 >> n)), 8)
    length = max(1, extra)
    number = head[4] & (0x7F >> extra if extra else 0x7F)
    for byte in head[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    at = 4 + length
    size_code, rate_code = head[2] >> 4, head[2] & 15
    if size_code == 6:
        block, at = head[at] + 1, at + 1
    elif size_code == 7:
        block, at = struct.unpack(">H", head[at : at + 2])[0] + 1, at + 2
    else:
        block = _FLAC_BLOCKS.get(size_code, 0)
    if rate_code < 12:
        rate = _FLAC_HERTZ[rate_code]
    elif rate_code == 12:
        rate, at = head[at] * 1_000, at + 1
    else:
        rate, at = struct.unpack(">H", head[at : at + 2])[0] * (10 if rate_code == 14 else 1), at + 2
    if head[:1] != b"\xff" or head[1] & 0xFE != 0xF8 or not block or crc8(head[:at]) != head[at]:
        return None
    return (number if head[1] & 1 else number * usual) + block, rate


def crc8(data: bytes) -> int:
    """The check sum of a FLAC frame's header: polynomial 0x07."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x07) & 0xFF if value & 0x80 else value << 1
    return value


_OGG_RATE = 64_000.0
"""The most bytes a second of what an ogg holds: Opus at 510 kbit/s, and Vorbis at its best is less."""


def _ogg(read: Read, size: int) -> float | None:
    """Page by page. Each of its streams, beside others or behind them, lasts until where its last page says; what is
    not kept of a long one is leapt over."""
    codec: tuple[int, int, float] | None = None
    streams: dict[int, tuple[int, int, int]] = {}  # samples a second, those to skip, and where it is
    at, start, block, total, least = 0, 0, b"", 0.0, 0.0
    for _ in range(_MOST_PAGES):
        if at - start + 512 > len(block):
            block, start = read(at, _BLOCK), at
        if len(block) - (at - start) < 27:
            if at >= size - _BLOCK:
                break
            at = size - _BLOCK
            continue
        here = at - start
        if block[here : here + 5] != b"OggS\0":
            found = block.find(b"OggS\0", here)
            at = start + (found if found >= 0 else len(block) - 4)
            continue
        flags, position, serial = struct.unpack_from("<BqI", block, here + 5)
        body = here + 27 + block[here + 26]
        at = start + body + sum(block[here + 27 : body])
        if flags & 2:
            known = _ogg_codec(block[body : body + 64])
            if known is None and codec is None:
                return None
            codec = known or codec
        rate, skipped, highest = codec or (0, 0, 0.0)
        least = least or size / highest
        if flags & 2 and known is None:  # pictures beside the sound
            rate = 0
        if flags & 2 or serial not in streams or 0 <= position < streams[serial][2]:  # it begins, or begins anew
            total += _ogg_lasts(*streams.pop(serial, (1, 0, 0)))
            streams[serial] = rate, skipped, 0
        if position > 0:
            streams[serial] = *streams[serial][:2], position
    else:
        least = max(least, sum((_ogg_lasts(*one) for one in streams.values()), total) * size / at)
    return max(sum((_ogg_lasts(*one) for one in streams.values()), total), least)


def _ogg_lasts(rate: int, skipped: int, position: int) -> float:
    return max(0, position - skipped) / rate if rate else 0.0


def _ogg_codec(packet: bytes) -> tuple[int, int, float] | None:
    """Samples a second, how many are not played, and the most bytes a second; None of what is no sound."""
    if packet.startswith(b"OpusHead"):
        return 48_000, struct.unpack("<H", packet[10:12])[0], _OGG_RATE
    if packet.startswith(b"\x01vorbis"):
        return struct.unpack("<I", packet[12:16])[0], 0, _OGG_RATE
    if packet.startswith(b"\x7fFLAC"):
        told = int.from_bytes(packet[27:35], "big")
        rate = told >> 44
        return rate, 0, _flac_most(rate, (told >> 41 & 7) + 1, (told >> 36 & 31) + 1)
    if packet.startswith(b"Speex   "):
        return struct.unpack("<I", packet[36:40])[0], 0, _OGG_RATE
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


_FRAME = re.compile(rb"\xff[\xe2-\xe5\xf0-\xf5\xf8-\xfd]")


def _frame(block: bytes, at: int) -> tuple[int, float] | None:
    """Bytes and seconds of a frame of mp3 or aac; None where none begins."""
    if len(block) < at + 7 or block[at] != 0xFF:
        return None
    if block[at + 1] & 0xF6 != 0xF0:
        return _mpeg_frame(block[at + 1 : at + 3])
    length = (block[at + 3] & 3) << 11 | block[at + 4] << 3 | block[at + 5] >> 5
    place = block[at + 2] >> 2 & 15
    return (length, 1_024 / _ADTS_HERTZ[place]) if length >= 7 and place < len(_ADTS_HERTZ) else None


@lru_cache(1 << 12)
def _mpeg_frame(head: bytes) -> tuple[int, float] | None:
    """The same of mp3, by what stands behind its first byte."""
    version, layer, kbps, hertz = head[0] >> 3 & 3, head[0] >> 1 & 3, head[1] >> 4, head[1] >> 2 & 3
    if head[0] & 0xE0 != 0xE0 or (version, layer) not in _KBPS or not 0 < kbps < 15 or hertz == 3:
        return None
    rate = _HERTZ[version][hertz]
    samples = 576 if layer == 1 and version != 3 else 1_152
    length = samples // 8 * _KBPS[version, layer][kbps - 1] * 1_000 // rate + (head[1] >> 1 & 1)
    return length, samples / rate


def _frames(read: Read, size: int) -> float | None:
    """The frames of mp3 and aac, behind the tags that may stand before them, and between files that were joined. What
    is neither, and what is not read, is taken for as dense as the frames."""
    left = iter(range(_MOST_FRAMES))
    at = tagged = tags = _tags(read, 0)
    start, block, total, heard, last = 0, b"", 0.0, 0, 0.0
    for _ in left:
        if at + 7 > start + len(block) or at < start:
            block, start = read(at, _BLOCK), at
        found = _frame(block, at - start)
        if found is not None:
            at, total, heard, last = at + found[0], total + found[1], heard + found[0], found[1]
        elif not total or len(block) - (at - start) < 7:  # no sound, its end, or what is not kept
            break
        else:
            tagged = max(tagged, _tags(read, at))
            onward = _next_frame(read, at + 1, size, last, left)
            tags += max(0, min(tagged, onward) - at)
            at = onward
    return total * max(1.0, (size - tags) / heard) if heard else None


def _next_frame(read: Read, at: int, size: int, last: float, left: Iterator[int]) -> int:
    """Where a frame begins that is as long as the one before it, so that it is none by chance; the end where there is
    none. Also inside of tags: players look for frames there, too. left: how many may be tried."""
    while at < size:
        block = read(at, _BLOCK)
        if len(block) < 7:
            break
        for _, found in zip(left, _FRAME.finditer(block), strict=False):
            frame = _frame(block, found.start())
            if frame is not None and frame[1] == last:
                return at + found.start()
            last = frame[1] if frame is not None else last
        at += len(block) - 6
    return size


def _tags(read: Read, at: int) -> int:
    """Where tags end that begin at a place: ID3v2, APEv2, ID3v1."""
    for _ in range(8):
        head = read(at, 32)
        if head[:3] == b"ID3" and len(head) >= 10:
            size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
            at += 20 + size if head[5] & 0x10 else 10 + size
        elif head[:8] == b"APETAGEX":
            at += 32 + int.from_bytes(head[12:16], "little")
        elif head[:3] == b"TAG":
            at += 128
        else:
            break
    return at


_ABOUT = 1.1
"""How much more than a head tells, beside a second, there may be to it: files are padded, and frames may be shorter."""

_AAC_SAMPLES = 1_024
"""Of a frame of AAC; `mp4a`, the word for it, stands for little else."""


def _boxes(read: Read, at: int, end: int, left: Iterator[int]) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of an mp4 between two places: name, and where what is in them begins and ends. left: how many may be
    read of a file."""
    while at + 8 <= end and next(left, None) is not None:
        head = read(at, 16)
        length, name, body = struct.unpack(">I", head[:4])[0], head[4:8], at + 8
        if length == 1:
            length, body = struct.unpack(">Q", head[8:16])[0], at + 16
        after = at + length if length else end
        if after < body:
            break
        yield name, body, min(after, end)
        at = after


def _mp4(read: Read, size: int) -> float | None:
    """By its head; by the frames of its sound where that tells nothing, or clearly less."""
    left = iter(range(_MOST_PARTS * 5))
    told, rates, frames, seen = 0.0, dict[int, int](), Counter[int](), size
    for name, body, end in _boxes(read, 0, size, left):
        seen = end
        if name == b"moov":
            parts = [*_boxes(read, body, end, left)]
            told = _box_told(read, {part: (at, to) for part, at, to in parts}, left)
            for part, at, to in parts:
                if part == b"trak":
                    track = _box_track(read, at, to, left)
                    rates[track[0]], frames[track[0]] = track[1:]
        elif name == b"moof":
            for part, at, to in _boxes(read, body, end, left):
                if part == b"traf":
                    inner = [(kind, read(place, 8)) for kind, place, _ in _boxes(read, at, to, left)]
                    track_id = next((int.from_bytes(head[4:], "big") for kind, head in inner if kind == b"tfhd"), 0)
                    frames[track_id] += sum(int.from_bytes(head[4:], "big") for kind, head in inner if kind == b"trun")
    found = max((frames[track] * _AAC_SAMPLES / rate for track, rate in rates.items() if rate), default=0.0)
    if next(left, None) is None:
        found *= size / seen
    return (told if told and found <= told * _ABOUT + 1 else found) or None


def _box_told(read: Read, parts: dict[bytes, tuple[int, int]], left: Iterator[int]) -> float:
    """Seconds as the head tells them, 0 where it does not."""
    scale, length = _box_times(read(parts[b"mvhd"][0], 32))
    if not length and b"mvex" in parts:  # fragments: the whole is told once, if at all
        length = next((_box_whole(read(body, 12)) for name, body, _ in _boxes(read, *parts[b"mvex"], left)
                       if name == b"mehd"), 0)  # fmt: skip
    return length / scale if length else 0.0


def _box_track(read: Read, at: int, end: int, left: Iterator[int]) -> tuple[int, int, int]:
    """The number of a track; its samples a second and its frames, 0 where it is no sound of AAC."""
    number = rate = frames = 0
    places = [(at, end)]
    for start, stop in places:
        for name, body, after in _boxes(read, start, stop, left):
            if name in (b"mdia", b"minf", b"stbl"):
                places.append((body, after))
            elif name == b"tkhd":
                head = read(body, 24)
                number = int.from_bytes(head[20:24] if head[0] else head[12:16], "big")
            elif name == b"stsd":
                entry = read(body + 8, 36)
                rate = int.from_bytes(entry[32:34], "big") if entry[4:8] == b"mp4a" else 0
            elif name == b"stsz":
                frames = int.from_bytes(read(body + 8, 4), "big")
    return number, rate, frames


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
_TRACKS, _TRACK, _KIND, _CODEC, _SOUND = 0x1654AE6B, 0xAE, 0x83, 0x86, 2
_VALUES = (_SCALE, _LASTS, _TIME, _KIND, _CODEC)
_BLOCKS = (0xA3, 0xA0, 0xA1)


def _webm(read: Read, size: int) -> float | None:
    """By the duration that it tells; where none is told, as by browsers that record, by the time of its last block. Of
    sound alone it lasts no less than its bytes would."""
    at, scale, cluster, last, told = 0, 1_000_000, 0, 0, 0.0
    kinds, codecs = set[int](), set[bytes]()
    for _ in range(_MOST_PARTS * 5):
        if at >= size:
            break
        if not read(at, 1) or read(at, 1) == b"\0":
            break
        name, _, taken = _number(read, at)
        _, length, more = _number(read, at + taken)
        body = at + taken + more
        unknown = length == (1 << 7 * more) - 1
        value = read(body, length) if name in _VALUES and length <= 8 else b""
        if name == _SCALE:
            scale = int.from_bytes(value, "big")
        elif name == _LASTS:
            told = struct.unpack(">d" if length == 8 else ">f", value)[0]
        elif name == _KIND:
            kinds.add(int.from_bytes(value, "big"))
        elif name == _CODEC:
            codecs.add(value)
        elif name == _CLUSTER and told:
            last = _last_cluster(read, size)
            break
        elif name == _TIME:
            cluster = int.from_bytes(value, "big")
        elif name in _BLOCKS[:1] or name == _BLOCKS[2]:
            _, _, track = _number(read, body)
            last = max(last, cluster + struct.unpack(">h", read(body + track, 2))[0])
        inside = name in (_SEGMENT, _INFO, _TRACKS, _TRACK, _CLUSTER, _BLOCKS[1])
        at = body if inside or unknown else body + length
    if not told and not last:
        return None
    claimed, found = told * scale / 1e9, last * scale / 1e9
    least = size / _OGG_RATE if kinds == {_SOUND} and codecs <= {b"A_OPUS", b"A_VORBIS"} else 0.0
    return max(claimed if told and found <= claimed * _ABOUT + 1 else found, least)


def _last_cluster(read: Read, size: int) -> int:
    """The time of the last cluster, where it begins near the end; 0 where it does not."""
    start = max(0, size - _BLOCK)
    place = read(start, _BLOCK).rfind(_CLUSTER.to_bytes(4, "big"))
    if place < 0:
        return 0
    at = start + place + 4
    at += _number(read, at)[2]
    name, _, taken = _number(read, at)
    _, length, more = _number(read, at + taken)
    return int.from_bytes(read(at + taken + more, length), "big") if name == _TIME and length <= 8 else 0
