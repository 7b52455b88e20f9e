"""OpenAI's legacy completions (https://platform.openai.com/docs/api-reference/completions), the dialect `completions`.

A prompt is continued. Where a channel has them, bytes pass as with Chat; where it has none, the prompt becomes one
user message of a chat in any dialect, and the answer comes back as the completion. No other dialect is ever translated
into this one: it can say too little. `request` reads and edits what is asked, `reply` what comes back.
"""

from ...sse import PING
from ..openai_chat.errors import error, error_frame, fault
from .reply import feed, render_reply, whole, writer
from .request import FIELD, OWN, SHOWS, ask, encode, parse

name = "completions"
id_prefix = "cmpl-"


def path(model: str, stream: bool) -> str:
    return "/completions"


__all__ = [
    "FIELD", "OWN", "PING", "SHOWS", "ask", "encode", "error", "error_frame", "fault", "feed", "id_prefix", "name",
    "parse", "path", "render_reply", "whole", "writer",
]  # fmt: skip
