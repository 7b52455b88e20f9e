"""The official SDKs for Node (20 or newer), current and older, against a live gateway's sandbox."""

from __future__ import annotations

import re
import wave
from pathlib import Path

import pytest
from PIL import Image

from tests.gateway import Gateway
from tests.sdk.packages import OPENAI_FOR_NODE, for_node, run
from tests.sdk.test_videos import opened


def checked(gateway: Gateway, script: str, package: str, url: str, **more: str) -> list[str]:
    """The names of the checks that a script made; it ends at the first that fails."""
    return re.findall(r"^ok (\w+)$", run(script, url, gateway.key, for_node(package), **more), re.M)


@pytest.mark.parametrize("package", [OPENAI_FOR_NODE, "openai@6"])
def test_openai(sqlite_gateway: Gateway, package: str) -> None:
    assert checked(sqlite_gateway, "openai.mjs", package, sqlite_gateway.base_url) == [
        "chat", "stream", "tools", "streamed_tools", "runner", "vision", "schema", "responses", "streamed_responses",
        "responses_tools", "responses_schema", "count", "embeddings", "images", "completions", "models",
        "exceptions", "broken_streams",
    ]  # fmt: skip


@pytest.mark.parametrize("package", [OPENAI_FOR_NODE, "openai@6"])
def test_openai_makes_what_readers_open(sqlite_gateway: Gateway, tmp_path: Path, package: str) -> None:
    for name in ("red", "blue"):
        Image.new("RGB", (64, 64), name).save(tmp_path / f"{name}.png")
    done = checked(sqlite_gateway, "openai_media.mjs", package, sqlite_gateway.base_url, MADE=str(tmp_path))
    assert done == ["image", "edit", "speech", "transcription", "video", "failures"]
    with Image.open(tmp_path / "image.png") as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (512, 256))
    with Image.open(tmp_path / "edit.png") as edit:
        seen = edit.convert("RGB")
        assert (seen.size, seen.getpixel((10, 10)), seen.getpixel((245, 10))) == ((256, 256), (255, 0, 0), (0, 0, 255))
    with wave.open(str(tmp_path / "speech.wav")) as sound:
        samples = sound.readframes(sound.getnframes())
        assert len(samples) == 2 * sound.getnframes() and len(set(samples)) > 100  # it can be heard
    film = opened(tmp_path / "sea.mp4")
    assert (film["codec_name"], film["width"], film["height"], film["nb_read_frames"]) == ("h264", 1280, 720, "32")
    assert opened(tmp_path / "speech.mp3")["codec_name"] == "mp3"


@pytest.mark.parametrize("package", ["@anthropic-ai/sdk@1", "@anthropic-ai/sdk@0"])
def test_anthropic(sqlite_gateway: Gateway, package: str) -> None:
    assert checked(sqlite_gateway, "anthropic.mjs", package, sqlite_gateway.url) == [
        "message", "stream", "tools", "streamed_tools", "runner", "vision", "schema", "thinking", "count", "models",
        "exceptions", "broken_streams",
    ]  # fmt: skip


@pytest.mark.parametrize("package", ["@google/genai@3", "@google/genai@2", "@google/genai@1"])
def test_google(sqlite_gateway: Gateway, package: str) -> None:
    assert checked(sqlite_gateway, "google.mjs", package, sqlite_gateway.url) == [
        "content", "stream", "tools", "streamed_tools", "chat", "vision", "schema", "thinking", "count", "embeddings",
        "models", "exceptions", "broken_streams",
    ]  # fmt: skip
