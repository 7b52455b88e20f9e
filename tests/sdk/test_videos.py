"""Videos by OpenAI's official Python SDK, opened by a real reader; no key of any provider is needed."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import openai
import pytest
from PIL import Image

from gateway.providers.sandbox.film import Scene, film
from tests.gateway import Gateway

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def opened(path: Path) -> dict[str, Any]:
    """What ffprobe sees of a film or a sound when it reads all of it: codec, size, and how many pictures."""
    if shutil.which("ffprobe") is None:
        pytest.skip("no ffprobe here (Debian: apt-get install ffmpeg): nothing is opened")
    asked = [
        "ffprobe",
        "-v",
        "error",
        "-count_frames",
        "-show_entries",
        "stream=codec_name,width,height,nb_read_frames",
    ]
    done = subprocess.run([*asked, "-of", "json", str(path)], capture_output=True, text=True, check=True)
    assert not done.stderr, done.stderr
    (stream,) = json.loads(done.stdout)["streams"]
    return dict(stream)


@pytest.fixture
def client(sqlite_gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=sqlite_gateway.base_url, api_key=sqlite_gateway.key)


def test_a_video_is_polled_downloaded_and_opened(client: openai.OpenAI, tmp_path: Path) -> None:
    video = client.videos.create_and_poll(
        model="sandbox/video", prompt="A calm sea", seconds="4", size="1280x720", poll_interval_ms=200
    )
    assert (video.status, video.progress, video.seconds, video.size) == ("completed", 100, "4", "1280x720")
    client.videos.download_content(video.id).write_to_file(tmp_path / "sea.mp4")
    seen = opened(tmp_path / "sea.mp4")
    assert (seen["codec_name"], seen["width"], seen["height"], seen["nb_read_frames"]) == ("h264", 1280, 720, "32")
    for variant, form, size in (("thumbnail", "WEBP", (480, 270)), ("spritesheet", "JPEG", (5 * 160, 4 * 90))):
        data = client.videos.download_content(video.id, variant=variant).read()  # type: ignore[arg-type]
        picture = Image.open(io.BytesIO(data))
        picture.load()
        assert (picture.format, picture.size) == (form, size) and len(
            picture.convert("RGB").getcolors(1 << 20) or ()
        ) > 8
    with pytest.raises(openai.BadRequestError, match="thumbnail"):
        client.videos.download_content(video.id, variant="poster")  # type: ignore[arg-type]
    assert client.videos.retrieve(video.id).id == video.id
    assert video.id in [one.id for one in client.videos.list(limit=5)]
    assert client.videos.delete(video.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(video.id)


def test_a_picture_is_sent_to_begin_from(client: openai.OpenAI) -> None:
    picture = ("first.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "image/png")
    video = client.videos.create(model="sandbox/slow-1", prompt="x", input_reference=picture)
    assert video.status == "queued" and client.videos.poll(video.id, poll_interval_ms=200).status == "completed"


def test_what_fails_is_told_as_openai_tells_it(client: openai.OpenAI) -> None:
    video = client.videos.create_and_poll(model="sandbox/refusal", prompt="x", poll_interval_ms=200)
    assert video.status == "failed" and video.error is not None and video.error.code == "moderation_blocked"
    with pytest.raises(openai.BadRequestError):
        client.videos.create(model="sandbox/video", prompt="x", seconds="-4")  # type: ignore[arg-type]


@pytest.mark.parametrize(("width", "height"), [(16, 16), (320, 180), (720, 1280), (1792, 1024), (102, 76)])
def test_films_of_every_size_open(tmp_path: Path, width: int, height: int) -> None:
    (tmp_path / "film.mp4").write_bytes(film(Scene(width, height, 7), 2))
    seen = opened(tmp_path / "film.mp4")
    assert (seen["codec_name"], seen["width"], seen["height"], seen["nb_read_frames"]) == ("h264", width, height, "16")
