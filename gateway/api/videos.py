"""`/v1/videos` and `/v1/video/generations`: videos, made in minutes (https://platform.openai.com/docs/api-reference/videos)."""

from __future__ import annotations

import json
from urllib.parse import quote

from flask import Blueprint, request

from schemas.tasks import RemixSchema, VideosSchema

from ..call import Fault
from ..errors import GatewayError
from ..modalities import video
from ..modalities.jobs import At
from ..modalities.video.request import parse
from ..routing import channels
from ..tasks import asking
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
    """The bytes of one result. HEAD tells what there is; one range at a time may be asked for. `variant` thumbnail or
    spritesheet: pictures of it, where its provider has them."""
    variant = request.args.get("variant", "video")
    if variant == "video":
        return _content.deliver("videos", identity)
    if variant not in video.VARIANTS:
        raise GatewayError(
            400, f"There is no variant {variant[:40]!r} of a video. Use video, {' or '.join(video.VARIANTS)}.",
            param="variant",
        )  # fmt: skip
    _content.files("videos", identity)
    row = _tasks.find(identity, _KINDS)
    channel = channels.current().by_id.get(row["channel_id"])
    try:
        if channel is None or row["dialect"] != video.OPENAI.name:
            raise Fault("request")
        return _content.dressed(*asking.pictures(channel, At(row["upstream_id"], row["upstream_model"]), variant))
    except Fault:
        raise GatewayError(
            404, f"The provider of this video has no {variant} of it now. Leave variant out.", param="variant"
        ) from None


@blueprint.post("/v1/videos/<identity>/remix")
def remix(identity: str) -> Response:
    """Begin another video like one that is done, by the provider that made it."""
    source = _tasks.find(identity, _KINDS)
    if source["status"] != "completed":
        raise GatewayError(409, f"The video is {source['status']}, so there is nothing to begin from yet.", param="id")
    facts = {name: value for name, value in json.loads(source["facts"]).items() if name in ("seconds", "size")}
    said = {"model": source["model"], "remix": source["id"], **facts}
    call = open_call(video.OPENAI, _remix, "videos.remix", said, forms=True)
    call.below = f"/{quote(source['upstream_id'], safe='')}/remix"
    return _tasks.begin(call, "video", {**facts, "remixed_from": spelled(source, "vid_")}, as_video)


@blueprint.delete("/v1/videos/<identity>")
def delete(identity: str) -> Response:
    """Forget a video; one that is being made is cancelled."""
    found = as_video(_tasks.forget(identity, _KINDS))
    return answer({"id": found["id"], "object": "video.deleted", "deleted": True})
