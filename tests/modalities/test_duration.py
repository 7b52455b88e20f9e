"""How long sounds last: of each container, as it comes in pieces, and of what is none."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import wave
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.modalities import duration
from gateway.modalities.duration import Heard
from gateway.modalities.sounds import wav
from gateway.providers.sandbox import flac, voice

SECONDS = 7.25
PCM = b"".join(struct.pack("<h", at % 2_000 - 1_000) for at in range(int(8_000 * SECONDS)))


def made(form: str) -> bytes:
    """A sound of ours."""
    if form == "flac":
        return b"".join(flac.encode([PCM], len(PCM) // 2, 8_000, b"A=b"))
    if form == "endless flac":  # as it is written while nobody knows how long it will be
        return b"".join(flac.encode([PCM], 0, 8_000, b"A=b"))
    return wav(8_000, len(PCM) if form == "wav" else None, extra=b"LIST\4\0\0\0abcd") + PCM


@pytest.mark.parametrize("form", ["wav", "endless wav", "flac", "endless flac"])
def test_our_own_files(form: str) -> None:
    file = made(form)
    heard = Heard()
    for at in range(0, len(file), 999):
        heard.add(file[at : at + 999])
    assert duration.of(file) == pytest.approx(SECONDS) == heard.seconds()


def test_what_the_writers_write_others_read(tmp_path: Path) -> None:
    with wave.open(io.BytesIO(made("wav"))) as read:
        assert read.readframes(read.getnframes()) == PCM
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg: flac is not decoded")
    command = ["ffmpeg", "-v", "error", "-i", "pipe:0", "-f", "s16le", "pipe:1"]
    decoded = subprocess.run(command, input=made("flac"), capture_output=True, check=True)
    assert decoded.stdout == PCM and not decoded.stderr


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "vbr.mp3", "opus", "ogg", "aac", "m4a", "frag.mp4", "webm"])
def test_others_files(tmp_path: Path, ending: str) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip(f"no ffmpeg: no {ending} to read")
    file = tmp_path / f"x.{ending}"
    how = {
        "vbr.mp3": ["-q:a", "4", "-write_xing", "0"],
        "frag.mp4": ["-movflags", "frag_keyframe+empty_moov+default_base_moof", "-c:a", "aac"],
    }.get(ending, [])
    source = ["-f", "lavfi", "-i", f"sine=frequency=440:duration={SECONDS}"]
    subprocess.run(["ffmpeg", "-v", "error", *source, "-ac", "1", *how, str(file)], check=True)
    assert duration.of(file.read_bytes()) == pytest.approx(SECONDS, abs=0.15)


def spoken(text: str, form: str) -> tuple[bytes, float]:
    """The sandbox's own speech, and its seconds."""
    if form not in voice.formats():
        pytest.skip(f"no ffmpeg: the sandbox speaks no {form}")
    said = voice.speak(text, form, "alloy", 1.0)
    return b"".join(said.pieces), said.seconds


def played(file: bytes) -> float:
    """How long ffmpeg plays it."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg: nothing is played")
    command = ["ffmpeg", "-v", "quiet", "-i", "pipe:0", "-f", "s16le", "-ac", "1", "-ar", "8000", "pipe:1"]
    return len(subprocess.run(command, input=file, capture_output=True, check=False).stdout) / 16_000


SHORT, LONG = "One.", "The second of two is much longer than the first, and it is to be paid for, too. " * 8
ID3 = b"ID3\4\0\0" + bytes([0, 0, 2, 44]) + bytes(300)
APE = b"APETAGEX" + struct.pack("<III", 2_000, 64, 1 << 31 | 1 << 29) + bytes(8)
APE += bytes(64 - 32) + b"APETAGEX" + struct.pack("<III", 2_000, 64, 1 << 31) + bytes(8)
TAG = b"TAG" + bytes(125)


@pytest.mark.parametrize("form", ["mp3", "aac", "opus", "flac"])
def test_joined_files_last_as_long_as_all(form: str) -> None:
    short, short_s = spoken(SHORT, form)
    long, long_s = spoken(LONG, form)
    for file in (short + long, long + short):
        assert duration.of(file) == pytest.approx(short_s + long_s, abs=0.3)
    assert duration.of(short + long + short) == pytest.approx(played(short + long + short), abs=0.5)


@pytest.mark.parametrize("between", [b"", ID3, TAG, APE, APE + TAG + ID3, ID3 * 3])
def test_tags_between_joined_files_are_no_sound(between: bytes) -> None:
    short, short_s = spoken(SHORT, "mp3")
    long, long_s = spoken(LONG, "mp3")
    file = ID3 + short + between + long + TAG
    assert duration.of(file) == pytest.approx(short_s + long_s, abs=0.3)


def test_a_tag_hides_no_sound() -> None:
    short, short_s = spoken(SHORT, "mp3")
    long, long_s = spoken(LONG, "mp3")
    size = len(long)
    tag = b"ID3\4\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    apart = (b"\xff\xf3\x84\xc4" + bytes(188) + b"?") * 500  # none follows another
    assert duration.of(short + tag + long) == pytest.approx(short_s + long_s, abs=0.3)
    assert duration.of(short + tag + apart) == pytest.approx(short_s + 500 * 576 / 24_000, abs=0.5)


def test_what_is_no_frame_counts_as_dense() -> None:
    short, short_s = spoken(SHORT, "mp3")
    found = duration.of(short + b"?" * 9 * len(short))
    assert found is not None and found >= 9.5 * short_s


def test_the_count_of_a_head_does_not_go_before_frames() -> None:
    frame = b"\xff\xf3\x84\xc4" + bytes(188)
    for head in (b"Xing\0\0\0\3" + struct.pack(">II", 2, 400), b"VBRI" + bytes(6) + struct.pack(">II", 400, 2)):
        file = frame[:13] + head + frame[13 + len(head) :] + frame * 999
        assert duration.of(file) == pytest.approx(1_000 * 576 / 24_000)


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_head_that_claims_too_little(form: str) -> None:
    file, whole_s = spoken(LONG, form)
    if form == "flac":
        rate_and_count = int.from_bytes(file[18:26], "big")
        fewer = (rate_and_count >> 36 << 36 | 8).to_bytes(8, "big")
        for tail in (b"", bytes(1 << 17)):  # where its last frame is found, and where its bytes alone tell
            found = duration.of(file[:18] + fewer + file[26:] + tail)
            assert found is not None and found >= whole_s * 0.9
        return
    at = file.index(b"data") + 4
    half = struct.unpack("<I", file[at : at + 4])[0] // 4 * 2
    sound = file[at + 4 :]
    two = (
        file[:at] + struct.pack("<I", half) + sound[:half] + b"data" + struct.pack("<I", half) + sound[half : 2 * half]
    )
    assert duration.of(two) == pytest.approx(whole_s, abs=0.01)


@pytest.mark.parametrize(
    ("ending", "place", "little"),
    [("m4a", b"mvhd" + bytes(12) + struct.pack(">I", 1_000), struct.pack(">I", 1)),
     ("webm", b"\x44\x89\x88", struct.pack(">d", 1.0))],
)  # fmt: skip
def test_a_container_that_claims_too_little(tmp_path: Path, ending: str, place: bytes, little: bytes) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip(f"no ffmpeg: no {ending} to read")
    path = tmp_path / f"x.{ending}"
    source = ["-f", "lavfi", "-i", "sine=frequency=440:duration=30"]
    subprocess.run(["ffmpeg", "-v", "error", *source, "-ac", "1", str(path)], check=True)
    file = path.read_bytes()
    at = file.index(place) + len(place)
    found = duration.of(file[:at] + little + file[at + len(little) :])
    assert found is not None and 24 < found < 31  # a webm's last cluster begins some seconds before its end


def test_webm_lasts_as_long_as_its_bytes_at_least() -> None:
    entry = b"\xae\x8b\x83\x81\x02\x86\x86A_OPUS"
    file = (
        FILES[6] + b"\x16\x54\xae\x6b" + bytes([0x80 | len(entry)]) + entry + b"\x1f\x43\xb6\x75\xff" + bytes(640_000)
    )
    assert duration.of(file) == pytest.approx(10, abs=0.1)
    assert duration.of(file.replace(b"\x83\x81\x02", b"\x83\x81\x01")) == 3.0, "what is not sound is not known"


def test_frames_of_flac_tell_their_rate_themselves() -> None:
    file = made("flac")
    told = int.from_bytes(file[18:26], "big")
    faster = (655_350 << 44 | told & (1 << 44) - 1).to_bytes(8, "big")
    at = file.index(b"\xff\xf8\x70\x08")
    own = file[:18] + faster + file[26:at]
    for number, start in enumerate(range(at, len(file), 2 * 4_096 + 10)):
        frame = file[start : start + 2 * 4_096 + 10]
        head = frame[:2] + b"\x74" + frame[3:4] + bytes([number]) + frame[5:7]
        own += head + bytes([duration.crc8(head)]) + frame[8:]
    assert duration.of(own) == pytest.approx(SECONDS)


def test_an_ogg_whose_pages_tell_too_little() -> None:
    page = b"OggS\0%b" + bytes(8) + b"1234" + bytes(8) + b"\xff" + b"\xff" * 255
    head = FILES[4][:47]
    found = duration.of(head + (page % b"\0" + bytes(255 * 255)) * 20)
    assert found is not None and found >= 20 * 255 * 255 / 64_000


FILES = [made(form) for form in ("wav", "flac", "endless flac")] + [
    b"ID3\4\0\0\0\0\0\5hello" + (b"\xff\xf3\x84\xc4" + bytes(188)) * 20, b"OggS\0\2" + bytes(8) + b"1234" + bytes(8)
    + b"\1\x13OpusHead\1\1\x38\1" + bytes(7) + b"OggS\0\4" + struct.pack("<q", 48_000) + bytes(20),
    b"\0\0\0\x10ftypM4A " + bytes(4) + b"\0\0\0\x74moov\0\0\0\x6cmvhd" + bytes(12) + struct.pack(">II", 1_000, 7_000)
    + bytes(80),
    b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\x15\x49\xa9\x66\x8b\x44\x89\x88" + struct.pack(">d", 3_000.0),
]  # fmt: skip


def test_the_smallest_of_each_kind() -> None:
    found = [duration.of(file) for file in FILES[3:]]
    assert found == [pytest.approx(20 * 576 / 24_000), pytest.approx((48_000 - 312) / 48_000), 7.0, 3.0]


@example(FILES[5], 28, b"?", 60_000)  # an mp4 without the box that tells
@given(st.sampled_from(FILES), st.integers(0, 60_000), st.binary(max_size=12), st.integers(0, 60_000))
def test_no_file_is_a_crash(file: bytes, at: int, other: bytes, end: int) -> None:
    broken = (file[:at] + other + file[at + len(other) :])[: max(end, 100)]
    found = duration.of(broken)
    assert found is None or 0 <= found < 1e9
    heard = Heard()
    heard.add(broken)
    assert heard.seconds() >= 0


@given(st.binary(max_size=400))
def test_no_noise_is_one(data: bytes) -> None:
    for head in (b"", b"RIFF0000WAVE", b"fLaC", b"OggS", b"0000ftyp", b"\x1a\x45\xdf\xa3", b"\xff\xfb"):
        found = duration.of(head + data)
        assert found is None or 0 <= found < 1e9
