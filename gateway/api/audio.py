"""`/v1/audio/speech`."""

from __future__ import annotations

from flask import Blueprint, Response

from schemas.audio import SpeechSchema

from ..modalities import speech as spoken
from ..relay import exchange
from . import _content
from ._door import deliver, open_call, watch

blueprint = Blueprint("audio", __name__)
_content.serve(blueprint, "audio")
_speech = SpeechSchema()


@blueprint.post("/v1/audio/speech")
def speech() -> Response:
    """A text as sound, sent on as the provider makes it; as events for `stream_format: sse`."""
    call = open_call(spoken.OPENAI, _speech, "speech")
    return deliver(exchange.run(call, watch()))
