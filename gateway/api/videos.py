"""`/v1/videos` and `/v1/video/generations`: videos, made in minutes (https://platform.openai.com/docs/api-reference/videos)."""

from __future__ import annotations

import json
from urllib.parse import quote

from flask import Blueprint, request

from schemas.tasks import RemixSchema, VideosSchema

from ..errors import GatewayError
from ..modalities import video
from ..modalities.video.request import parse
from ..tasks.views import as_video, spelled
from . import _content, _tasks
from ._app import Response
from ._door import answer, open_call

blueprint = Blueprint("videos", __name__)
_schema, _remix = VideosSchema(), RemixSchema()
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


@blueprint.get("/v1/videos/<identity>/content")
def content(identity: str) -> Response:
    """The bytes of one result. HEAD tells what there is; one range at a time may be asked for."""
    if request.args.get("variant", "video") != "video":
        raise GatewayError(400, "Only the video itself is kept here. Leave variant out.", param="variant")
    return _content.deliver("videos", identity)


@blueprint.post("/v1/videos/<identity>/remix")
def remix(identity: str) -> Response:
    """Begin another video like one that is done, by the provider that made it."""
    source = _tasks.find(identity, _KINDS)
    if source["status"] != "completed":
        raise GatewayError(409, f"The video is {source['status']}, so there is nothing to begin from yet.", param="id")
    facts = {name: value for name, value in json.loads(source["facts"]).items() if name in ("seconds", "size")}
    call = open_call(video.OPENAI, _remix, "videos.remix", {"model": source["model"], "remix": source["id"], **facts})
    call.below = f"/{quote(source['upstream_id'], safe='')}/remix"
    return _tasks.begin(call, "video", {**facts, "remixed_from": spelled(source, "vid_")}, as_video)


@blueprint.delete("/v1/videos/<identity>")
def delete(identity: str) -> Response:
    """Forget a video; one that is being made is cancelled."""
    found = as_video(_tasks.forget(identity, _KINDS))
    return answer({"id": found["id"], "object": "video.deleted", "deleted": True})
