"""Amazon Bedrock's Converse and ConverseStream, the dialect `converse`, which providers speak and clients do not.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, …_ConverseStream.html

`can` says what can be said, `render` says it, `parts` are its blocks of content both ways; `reply` is what comes back
whole and `reader` a stream as neutral words; `errors` what goes wrong. The vendor frames its stream in a binary form
of its own (`application/vnd.amazon.eventstream`): here its events come as server-sent ones, each under its name.
"""

from urllib.parse import quote

from ..fitting import PLAIN as NAMES
from .can import CAN
from .errors import fault
from .parts import NAME as name
from .reader import reader
from .render import lacks, render
from .reply import parse as parse_reply


def path(model: str, stream: bool) -> str:
    """Names of models hold colons, and slashes where they are ARNs."""
    return f"/model/{quote(model, safe='')}/{'converse-stream' if stream else 'converse'}"


__all__ = ["CAN", "NAMES", "fault", "lacks", "name", "parse_reply", "path", "reader", "render"]
