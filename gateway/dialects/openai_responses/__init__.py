"""OpenAI Responses (https://platform.openai.com/docs/api-reference/responses), the dialect `responses`.

`request` reads and edits what is asked, `parse` and `render` are its ways to and from neutral words, with the items of
`items`; `reply` is what comes back whole, `stream` what comes back in frames, `reader` and `writer` the same in neutral
words, `errors` what goes wrong, `can` what can be said. Open Responses providers speak it too, some without event names
or sequence numbers.
"""

from ...sse import PING
from ..base import OWN
from ..fitting import PLAIN as NAMES
from .can import CAN, FIELD, SHOWS, lacks
from .errors import counted, error, error_frame, fault
from .items import NAME as name
from .parse import parse
from .reader import reader
from .render import LEAST_LIMIT, render
from .reply import kept, parse_reply, whole
from .request import ask, encode
from .stream import feed
from .writer import render_reply, writer

id_prefix = "resp_"
TURNS = ("input", "instructions")
BOUND: tuple[str, ...] = ()


def path(model: str, stream: bool) -> str:
    return "/responses"


__all__ = [
    "BOUND", "CAN", "FIELD", "LEAST_LIMIT", "NAMES", "OWN", "PING", "SHOWS", "TURNS", "ask", "counted", "encode",
    "error", "error_frame", "fault", "feed", "id_prefix", "kept", "lacks", "name", "parse", "parse_reply", "path",
    "reader", "render", "render_reply", "whole", "writer",
]  # fmt: skip
