"""Google Gemini generateContent (https://ai.google.dev/api/generate-content), the dialect `gemini`.

`request` reads and edits what is asked, `parse` and `render` turn it into neutral words and back with `parts` and
`schema`, in both `spelling`s; `count` asks how many tokens it is. `reply` is what comes back whole, `stream` what is
passed on in frames, `reader` and `writer` both from and to neutral words with `citations`, `array` a stream as Google's
JSON array; `errors` what goes wrong, `can` what can be said. The model and the way of answering stand in the path.
"""

from urllib.parse import quote

from ..base import OWN
from .can import CAN, FIELD, NAMES, SHOWS
from .errors import error, error_frame, fault
from .parse import parse
from .parts import NAME as name
from .reader import parse_reply, reader
from .render import lacks, render
from .reply import render_reply, whole
from .request import ask, encode
from .stream import PING, feed
from .writer import writer

id_prefix = "gen_"
TURNS = ("contents", "systemInstruction", "system_instruction")
BOUND: tuple[str, ...] = ()


def path(model: str, stream: bool) -> str:
    return f"/v1beta/{resource(model)}:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"


def resource(model: str) -> str:
    """A model as Google's paths name it, percent-quoted."""
    return quote(model if model.startswith(("models/", "tunedModels/")) else f"models/{model}")


__all__ = [
    "BOUND", "CAN", "FIELD", "NAMES", "OWN", "PING", "SHOWS", "TURNS", "ask", "encode", "error", "error_frame", "fault",
    "feed", "id_prefix", "lacks", "name", "parse", "parse_reply", "path", "reader", "render", "render_reply",
    "resource", "whole", "writer",
]  # fmt: skip
