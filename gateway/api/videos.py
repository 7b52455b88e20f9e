"""`/v1/videos` and `/v1/video/generations`: videos, made in minutes (https://platform.openai.com/docs/api-reference/videos)."""

from __future__ import annotations

from flask import Blueprint, Response

from schemas.tasks import VideosSchema

from ..modalities import video
from ..modalities.video.request import parse
from ..tasks.views import as_video
from . import _content, _tasks
from ._door import answer, open_call

blueprint = Blueprint("videos", __name__)
_content.serve(blueprint, "videos")
_schema = VideosSchema()
_KINDS = ("video",)


@blueprint.post("/v1/videos")
def create() -> Response:
    """Begin a video. It is there when its status is `completed`."""
    return _begin()


@blueprint.post("/v1/video/generations")
def generations() -> Response:
    """Begin a video: the same under another name."""
    return _begin()


def _begin() -> Response:
    call = open_call(video.OPENAI, _schema, "videos", forms=True)
    facts = _tasks.video_facts(parse(call.body.values, video.OPENAI.OWN))
    return _tasks.begin(call, "video", facts, as_video)


@blueprint.get("/v1/videos")
def index() -> Response:
    """The account's videos, a page of them."""
    return _tasks.listing(as_video, "video")


@blueprint.get("/v1/videos/<identity>")
def retrieve(identity: str) -> Response:
    """How a video is."""
    return _tasks.show(identity, as_video, _KINDS)


@blueprint.delete("/v1/videos/<identity>")
def delete(identity: str) -> Response:
    """Forget a video; one that is being made is cancelled."""
    found = as_video(_tasks.forget(identity, _KINDS))
    return answer({"id": found["id"], "object": "video.deleted", "deleted": True})
