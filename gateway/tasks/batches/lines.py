"""The lines of a batch: read from a file as JSON, and each made a call in the way of the door.

https://platform.openai.com/docs/guides/batch: `{"custom_id", "method": "POST", "url", "body"}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import gevent

from schemas.base import WireSchema
from schemas.chat import ChatSchema
from schemas.completions import CompletionsSchema
from schemas.embeddings import EmbeddingsSchema
from schemas.moderations import ModerationsSchema
from schemas.responses import ResponsesSchema

from ...access import keys
from ...call import Call, Caller
from ...clock import monotonic
from ...dialects import openai_chat, openai_completions, openai_responses
from ...dialects.base import Words
from ...errors import GatewayError
from ...modalities import embeddings, moderation
from ...relay import admission
from ...splice import BadJson, guard

MOST_LINES = 50_000
MOST_LINE = 16 << 20
"""Bytes of one line."""

MOST_NAME = 512
_BREATH_S = 0.01


class Endpoint(NamedTuple):
    """What lines may ask for at one path. surface: its family of routes."""

    surface: str
    words: Words
    schema: WireSchema


ENDPOINTS = {
    "/v1/chat/completions": Endpoint("chat", openai_chat, ChatSchema()),
    "/v1/responses": Endpoint("responses", openai_responses, ResponsesSchema()),
    "/v1/embeddings": Endpoint("embeddings", embeddings.OPENAI, EmbeddingsSchema()),
    "/v1/completions": Endpoint("completions", openai_completions, CompletionsSchema()),
    "/v1/moderations": Endpoint("moderations", moderation.OPENAI, ModerationsSchema()),
}


class Line(NamedTuple):
    """One call to be made. number: from 1 · name: its custom_id, as its owner calls it."""

    number: int
    name: str
    call: Call


class BadLine(Exception):
    """A line is none, or its call would be refused: OpenAI's code, what is wrong, and where."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param


def split(chunks: Iterable[bytes], most: int = MOST_LINE) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not empty, by number. most: bytes of one. Raises BadLine for one that is too long.
    Others have their turn meanwhile."""
    breath = monotonic()
    for one in _split(chunks, most):
        yield one
        if monotonic() - breath > _BREATH_S:
            gevent.sleep(1e-6)
            breath = monotonic()


def _split(chunks: Iterable[bytes], most: int) -> Iterator[tuple[int, bytes]]:
    rest, number = bytearray(), 0
    for chunk in chunks:
        rest += chunk
        if b"\n" in chunk:
            whole, _, left = bytes(rest).rpartition(b"\n")
            rest = bytearray(left)
            for one in whole.split(b"\n"):
                number += 1
                if one.strip():
                    yield number, one
        if len(rest) > most:
            raise BadLine("line_too_long", f"Line {number + 1} has more than {most} bytes.")
    if rest.strip():
        yield number + 1, bytes(rest)


def read(caller: Caller, request_id: str, endpoint: str, number: int, text: bytes) -> Line:
    """The call of a line. Raises BadLine."""
    try:
        found = guard(text.removeprefix(b"\xef\xbb\xbf"))
    except BadJson as problem:
        raise BadLine("invalid_json_line", f"This line is no JSON that can be read: {problem}.") from None
    name, body = found.values.get("custom_id"), found.values.get("body")
    if not isinstance(name, str) or not 0 < len(name) <= MOST_NAME:
        raise BadLine("invalid_custom_id", f"custom_id must be a string of 1 to {MOST_NAME} characters.", "custom_id")
    if found.values.get("method") != "POST":
        raise BadLine("invalid_method", "method must be POST.", "method")
    if found.values.get("url") != endpoint:
        raise BadLine("mismatched_url", f"url must be {endpoint}, the endpoint of the batch.", "url")
    if not isinstance(body, dict):
        raise BadLine("invalid_body", "body must be an object.", "body")
    if body.get("stream"):
        raise BadLine("invalid_body", "A line of a batch is not streamed. Leave stream out.", "body.stream")
    if body.get("background"):
        raise BadLine("invalid_body", "A line of a batch runs in the background. Leave it out.", "body.background")
    kind = ENDPOINTS[endpoint]
    try:
        keys.permit_endpoint(caller, kind.surface, endpoint)
        call = admission.admitted(
            caller, request_id, kind.words, kind.schema, f"{kind.surface}.batch", guard(found.raw("body").encode())
        )
    except GatewayError as error:
        raise refused(error) from None
    return Line(number, name, call)


_CODES = {403: "permission_denied", 404: "not_found", 402: "insufficient_quota"}


def refused(error: GatewayError) -> BadLine:
    """What is wrong with a line whose call would be refused so."""
    param = f"body.{error.param}" if error.param else None
    code = _CODES.get(error.status, "invalid_request")
    if code == "not_found" and error.param in ("model", "models"):
        code = "model_not_found"
    return BadLine(code, error.message, param)
