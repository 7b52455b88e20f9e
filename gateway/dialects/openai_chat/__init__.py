"""OpenAI Chat Completions (https://platform.openai.com/docs/api-reference/chat), the dialect `chat`.

Between Chat speakers `request` edits what is asked; `reply` and `stream` name what comes back, whole and in frames. For
other dialects `parse` reads a client's request and `render` writes one for a provider; `reply` and `reader` read a
provider's reply, `reply` and `writer` write one for a client; `parts` and `thoughts` are what messages hold, `usage`
what they took; `errors` what goes wrong, `can` what can be said. Nearly every provider speaks it, each with an accent.
"""

from ...sse import PING
from ..base import OWN
from ..fitting import PLAIN as NAMES
from .can import CAN, FIELD, SHOWS, lacks
from .errors import error, error_frame, fault
from .parse import parse
from .reader import reader
from .render import render
from .reply import parse_reply, whole
from .reply import render as render_reply
from .request import ask, encode
from .stream import feed
from .thoughts import NAME as name
from .writer import writer

id_prefix = "chatcmpl-"
TURNS = ("messages",)
BOUND: tuple[str, ...] = ()


def path(model: str, stream: bool) -> str:
    return "/chat/completions"


__all__ = [
    "BOUND", "CAN", "FIELD", "NAMES", "OWN", "PING", "SHOWS", "TURNS", "ask", "encode", "error", "error_frame", "fault",
    "feed", "id_prefix", "lacks", "name", "parse", "parse_reply", "path", "reader", "render", "render_reply", "whole",
    "writer",
]  # fmt: skip
