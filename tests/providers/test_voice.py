"""The sandbox's voice with and without the programs that it knows."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.modalities import duration
from gateway.modalities.sounds import wav
from gateway.providers.sandbox import speech, voice

TEXT = "Hello from the gateway, number 5! Grüße."
FFMPEG = shutil.which("ffmpeg")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine where nothing is installed; a folder for what shall be."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("form", ["wav", "flac", "mp3"])
def test_without_any_program_it_hums(alone: Path, form: str) -> None:
    spoken = voice.speak(TEXT, form, "alloy", 1.0)
    sound = b"".join(spoken.pieces)
    assert voice.said(sound) == TEXT and duration.of(sound) == pytest.approx(spoken.seconds, abs=0.01)
    if FFMPEG is None:
        pytest.skip(f"no ffmpeg: {form} is not decoded")
    command = [FFMPEG, "-v", "error", "-i", "pipe:0", "-f", "s16le", "pipe:1"]
    decoded = subprocess.run(command, input=sound, capture_output=True, check=True)
    samples = memoryview(decoded.stdout).cast("h")
    assert not decoded.stderr and len(samples) / 24_000 == pytest.approx(spoken.seconds, abs=0.05)
    assert max(samples) > 3_000 and min(samples) < -3_000  # it can be heard


def test_what_cannot_be_made_is_refused_and_says_what_can(alone: Path) -> None:
    assert voice.formats() == ("wav", "pcm", "flac", "mp3")
    for form in ("opus", "aac"):
        problem = speech.wrong({"input": "x", "response_format": form})
        assert problem is not None and problem[0] == "response_format" and "wav, pcm, flac, mp3." in problem[1]
    assert speech.answer({"input": "x"})[0] == "audio/mpeg"


def test_who_speaks_is_told_the_text_where_nobody_sees_it(alone: Path) -> None:
    samples = bytes(range(200)) * 50
    (alone / "samples.wav").write_bytes(wav(22_050, len(samples)) + samples)
    program = alone / "espeak-ng"
    program.write_text(f'#!/bin/sh\necho "$@" > {alone}/told\n/bin/cat > {alone}/heard\n/bin/cat {alone}/samples.wav\n')
    program.chmod(0o755)
    spoken = voice.speak(TEXT, "pcm", "alloy", 2.0)
    came = b"".join(spoken.pieces)
    assert len(came) == 2 * (len(samples) // 2 * 24_000 // 22_050)  # as many a second as pcm has
    assert came[:2] == samples[:2] and spoken.seconds == len(samples) / 44_100
    assert samples in b"".join(voice.speak(TEXT, "wav", "alloy", 2.0).pieces)
    assert (alone / "heard").read_text() == TEXT and "Hello" not in (alone / "told").read_text()
    assert "-s 350" in (alone / "told").read_text()
    program.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(Exception, match="server 500"):
        voice.speak(TEXT, "pcm", "alloy", 1.0)


def test_other_files_hold_no_text() -> None:
    for data in (b"", b"said:", b"said:%%;", b"said:AAA;", bytes(1_000)):
        found: Any = voice.said(data)
        assert not found
