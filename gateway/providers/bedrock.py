"""Amazon Bedrock: Claude by its own messages, all others by Converse, OpenAI's by OpenAI's own API.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html. The model stands in
the path, a stream comes in binary frames (`eventstream`), and requests carry a Bedrock API key or are signed with a key
pair, which a channel keeps as `ID:SECRET` or `ID:SECRET:SESSION-TOKEN`.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote

import requests

from .. import sse
from ..bodies import joined
from ..call import Channel, Fault, Outbound, Wire
from ..dialects import shapes
from ..splice import BadJson, edit, scan
from .eventstream import Frame, Frames
from .odd import Exchange

INSTALL = "python -m pip install -r requirements-aws.txt"
_VERSION = '"bedrock-2023-05-31"'
_REGION = re.compile(r"bedrock[a-z-]*\.([a-z]{2,4}(?:-[a-z]+)+-\d)\.")
_PAIR = re.compile(r"(A[A-Z0-9]{15,}):([^:\s]+)(?::([^:\s]+))?")
_BINARY = "application/vnd.amazon.eventstream"


def prepare(outbound: Outbound) -> Outbound:
    """Claude's messages go to an address of the model's; all other dialects name it as Bedrock does."""
    accept = {"accept": _BINARY if outbound.stream and outbound.dialect in ("messages", "converse") else "*/*"}
    if outbound.dialect != "messages":
        return replace(outbound, headers={**outbound.headers, **accept})
    if outbound.path != "/v1/messages":  # tokens are counted in other words
        raise Fault("request", status=404)
    verb = "invoke-with-response-stream" if outbound.stream else "invoke"
    try:
        body = edit(scan(joined(outbound.body)), {"model": None, "stream": None, **_versions(outbound.headers)})
    except BadJson as error:
        raise Fault("request", status=400) from error
    left = {name: value for name, value in outbound.headers.items() if not name.lower().startswith("anthropic-")}
    path = f"/model/{quote(outbound.model, safe='')}/{verb}"
    return replace(outbound, path=path, body=body, headers={**left, **accept})


def _versions(headers: Mapping[str, str]) -> dict[str, str | None]:
    """What Anthropic's own API reads from headers, and Bedrock from the body."""
    betas = next((value for name, value in headers.items() if name.lower() == "anthropic-beta"), "")
    named = [beta.strip() for beta in betas.split(",") if beta.strip()]
    return {"anthropic_version": _VERSION, **({"anthropic_beta": json.dumps(named)} if named else {})}


def flaw(secret: str) -> str | None:
    if ":" not in secret:
        return None
    if not _PAIR.fullmatch(secret):
        return "It is neither a Bedrock API key nor ID:SECRET or ID:SECRET:SESSION-TOKEN."
    if find_spec("botocore") is None:
        return f"Requests signed with a key pair need botocore. Install it: {INSTALL}"
    return None


def sign(request: requests.PreparedRequest, channel: Channel, exchange: Exchange) -> None:
    """A bearer token, or AWS's signature, version 4, of the request as it is sent."""
    if not channel.secret:
        return
    pair = _PAIR.fullmatch(channel.secret)
    if pair is None:
        request.headers["Authorization"] = f"Bearer {channel.secret}"
        return
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
    except ImportError:
        raise Fault("account", message=str(flaw(channel.secret))) from None
    named = {name: request.headers[name] for name in ("Host", "Content-Type") if name in request.headers}
    signed = AWSRequest(method=request.method, url=request.url, headers=named, data=request.body or b"")
    SigV4Auth(Credentials(*pair.groups()), "bedrock", _region(channel.base_url)).add_auth(signed)
    for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
        if name in signed.headers:
            request.headers[name] = signed.headers[name]


def _region(base_url: str) -> str:
    """The region in an address; behind an address without one, the environment's."""
    found = _REGION.search(base_url)
    return found[1] if found else os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def unwrap(wire: Wire, outbound: Outbound) -> Wire:
    if wire.headers.get("content-type", "").lower() != _BINARY:
        return wire
    return _Unframed(wire, outbound.dialect)


class _Unframed:
    """A stream of binary frames as server-sent events. See `call.Wire`."""

    def __init__(self, wire: Wire, dialect: str) -> None:
        self.status = wire.status
        self.headers: Mapping[str, str] = {**wire.headers, "content-type": "text/event-stream"}
        self._wire = wire
        self._frames = Frames()
        self._event = _of_claude if dialect == "messages" else _of_converse

    def read(self) -> bytes:
        while True:
            data = self._wire.read()
            try:
                if not data:
                    self._frames.end()
                    return b""
                events = b"".join(map(self._event, self._frames.feed(data)))
            except (ValueError, binascii.Error) as error:
                raise Fault("malformed") from error
            if events:
                return events

    def close(self) -> None:
        self._wire.close()


def _of_converse(frame: Frame) -> bytes:
    """An event under its own name. Exceptions have such names, too; an error without one is `error`."""
    name, payload = frame.name, frame.payload
    if frame.kind == "error":
        name, payload = "error", json.dumps({"message": frame.message}).encode()
    return sse.write(payload.replace(b"\n", b" "), name)


_ERRORS = {
    "throttlingException": "rate_limit_error", "serviceUnavailableException": "overloaded_error",
    "modelTimeoutException": "timeout_error", "validationException": "invalid_request_error",
    "accessDeniedException": "permission_error", "resourceNotFoundException": "not_found_error",
}  # fmt: skip
"""What an exception in a stream is called by Anthropic; all others are its `api_error`."""


def _of_claude(frame: Frame) -> bytes:
    """The event of Anthropic's that a frame carries, or its error for an exception."""
    if frame.kind != "event":
        told = frame.message or shapes.text(_object(frame.payload).get("message")) or frame.name
        error = {"type": _ERRORS.get(frame.name, "api_error"), "message": told}
        return sse.write(json.dumps({"type": "error", "error": error}).encode(), "error")
    if frame.name != "chunk":
        return b""
    data = base64.b64decode(str(_object(frame.payload).get("bytes", "")), validate=True)
    return sse.write(data.replace(b"\n", b" "), shapes.text(_object(data).get("type")))


def _object(data: bytes) -> dict[str, Any]:
    """A JSON object, {} for anything else that is JSON. Raises ValueError."""
    return dict(shapes.members(json.loads(data or b"{}")))
