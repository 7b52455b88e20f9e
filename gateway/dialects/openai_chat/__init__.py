"""OpenAI Chat Completions (https://platform.openai.com/docs/api-reference/chat), the dialect `chat`.

`request` reads and edits what is asked, `reply` what comes back whole, `stream` what comes back in frames, `errors`
what goes wrong. Nearly every provider speaks it, each with an accent.
"""

from .errors import error, error_frame, fault
from .reply import whole
from .request import OWN, ask, encode
from .stream import feed

name = "chat"
id_prefix = "chatcmpl-"
path = "/chat/completions"

__all__ = ["OWN", "ask", "encode", "error", "error_frame", "fault", "feed", "id_prefix", "name", "path", "whole"]
