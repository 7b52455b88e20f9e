"""OpenAI Chat Completions (https://platform.openai.com/docs/api-reference/chat), the dialect `chat`.

`request` reads and edits what is asked, `reply` what comes back whole, `stream` what comes back in frames, `errors`
what goes wrong. Nearly every provider speaks it, each with an accent.
"""

from ...sse import PING
from .can import CAN, FIELD
from .errors import error, error_frame, fault
from .reply import render as render_reply
from .reply import whole
from .request import OWN, ask, encode, parse
from .stream import feed, writer

name = "chat"
id_prefix = "chatcmpl-"


def path(model: str, stream: bool) -> str:
    return "/chat/completions"


__all__ = [
    "CAN", "FIELD", "OWN", "PING", "ask", "encode", "error", "error_frame", "fault", "feed", "id_prefix", "name",
    "parse", "path", "render_reply", "whole", "writer",
]  # fmt: skip
