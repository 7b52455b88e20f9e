"""`/v1/audio/speech`, `/v1/audio/transcriptions`, `/v1/audio/translations`."""

from __future__ import annotations

from flask import Blueprint

from schemas.audio import SpeechSchema, TranscriptionSchema

from ..modalities import speech as spoken
from ..modalities import transcription
from ..relay import exchange
from . import _content
from ._app import Response
from ._door import deliver, open_call, watch

blueprint = Blueprint("audio", __name__)
_content.serve(blueprint, "audio")
_speech, _transcription = SpeechSchema(), TranscriptionSchema()


@blueprint.post("/v1/audio/speech")
def speech() -> Response:
    """A text as sound, sent on as the provider makes it; as events for `stream_format: sse`."""
    call = open_call(spoken.OPENAI, _speech, "speech")
    return deliver(exchange.run(call, watch()))


@blueprint.post("/v1/audio/transcriptions")
def transcriptions() -> Response:
    """A sound as text. Send a form with a file, or JSON with `input_audio`."""
    call = open_call(transcription.TRANSCRIPTIONS, _transcription, "transcriptions", forms=True)
    return deliver(exchange.run(call, watch()))


@blueprint.post("/v1/audio/translations")
def translations() -> Response:
    """A sound as English text. Send a form with a file, or JSON with `input_audio`."""
    call = open_call(transcription.TRANSLATIONS, _transcription, "translations", forms=True)
    return deliver(exchange.run(call, watch()))
