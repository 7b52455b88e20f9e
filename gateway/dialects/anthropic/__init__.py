"""Anthropic Messages (https://platform.claude.com/docs/en/api/messages), the dialect `messages`.

`request` weighs and edits what is asked, `parse` and `render` turn it into neutral words and back; `parts` are the
blocks of a message both ways; `reply` is what comes back whole, `stream` what is passed on in frames, `reader` and
`writer` a stream from and to neutral words; `errors` what goes wrong, `can` what can be said.
"""

from ..base import OWN
from ..fitting import PLAIN as NAMES
from .can import CAN, FIELD, SHOWS
from .errors import error, error_frame, fault
from .parse import parse
from .parts import NAME as name
from .reader import reader
from .render import lacks, render
from .reply import parse as parse_reply
from .reply import render as render_reply
from .reply import whole
from .request import ask, encode
from .stream import feed
from .writer import writer

id_prefix = "msg_"
TURNS = ("messages", "system")
BOUND = ("thinking",)
PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def path(model: str, stream: bool) -> str:
    return "/v1/messages"


__all__ = [
    "BOUND", "CAN", "FIELD", "NAMES", "OWN", "PING", "SHOWS", "TURNS", "ask", "encode", "error", "error_frame", "fault",
    "feed", "id_prefix", "lacks", "name", "parse", "parse_reply", "path", "reader", "render", "render_reply", "whole",
    "writer",
]  # fmt: skip
