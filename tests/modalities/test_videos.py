"""Videos: what a request names, and what single vendors cannot be told of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.call import Call
from gateway.dialects.bridge import Refused
from gateway.modalities import video
from tests import made


def call(**more: Any) -> Call:
    body = {"model": "lab/m", "prompt": "x", **more}
    return made.call("videos", "vid_1", json.dumps(body).encode(), video.OPENAI.ask(body))


def test_a_part_of_a_second_is_never_cut_off_and_paid_for() -> None:
    veo = made.leg("veo", "veo-3")
    with pytest.raises(Refused) as refused:
        video.screen(call(seconds="4.5"), veo)
    assert refused.value.param == "seconds"
    for seconds in ("4", "4.0", 4):
        assert video.screen(call(seconds=seconds), veo) == ()
        sent = json.loads(video.encode(call(seconds=seconds), veo))  # type: ignore[arg-type]
        assert sent["parameters"]["durationSeconds"] == 4
    assert video.screen(call(seconds="4.5"), made.leg("xai-videos", "grok-video")) == ()


def test_every_picture_that_is_named_is_known() -> None:
    asked = call(
        input_reference={"file_id": "file-1"}, image="https://example.com/a.png", last_image={"image_url": "data:image/png;base64,AA=="}
    ).ask  # fmt: skip
    assert [(one.kind, one.id, one.param) for one in asked.references] == [
        ("file", "file-1", "input_reference.file_id")
    ]
    assert asked.urls == (("https://example.com/a.png", "image"),)
