"""How long sounds last: of each container, as it comes in pieces, and of what is none."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.modalities import duration
from gateway.modalities.duration import Heard
from gateway.modalities.sounds import wav
from gateway.providers.sandbox import flac

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
    found = duration.of(file.read_bytes())
    if ending == "frag.mp4":
        assert found is None  # its head does not say, and whoever holds credit for it goes by its size
    else:
        assert found == pytest.approx(SECONDS, abs=0.15)


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
