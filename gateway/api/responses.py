"""`/v1/responses`: answers, and what can be asked about those that their provider keeps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import quote, urlencode

from flask import Blueprint, g, request

import models.receipt
from models import task
from models.base import session
from schemas.responses import CompactSchema, InputTokensSchema, ResponsesSchema

from ..dialects import openai_responses
from ..errors import GatewayError
from ..relay import counting, exchange, kept
from ..routing.pins import ours
from ..tasks import background
from ._app import Response
from ._door import deliver, open_call, passed_headers, watch

blueprint = Blueprint("responses", __name__)
_create, _compact, _count = ResponsesSchema(), CompactSchema(), InputTokensSchema()
_COUNT = counting.Way(
    lambda model: f"{openai_responses.path(model, False)}/input_tokens", openai_responses.encode, "input_tokens",
    {"object": "response.input_tokens"},
)  # fmt: skip
_QUERY = ("include", "include[]", "after", "before", "limit", "order")
"""Parameters that go to the provider."""


@blueprint.post("/v1/responses")
def create() -> Response:
    """One response, whole or streamed."""
    call = open_call(openai_responses, _create, "responses")
    begin = background.run if call.body.values.get("background") else exchange.run
    return deliver(begin(call, watch()))


@blueprint.post("/v1/responses/compact")
def compact() -> Response:
    """A conversation made shorter, by a provider that can."""
    call = open_call(openai_responses, _compact, "responses.compact")
    call.below = "/compact"
    return deliver(exchange.run(call, watch()))


@blueprint.post("/v1/responses/input_tokens")
def input_tokens() -> Response:
    """How many tokens an input is: by the provider's own count, else as we guess."""
    call = open_call(openai_responses, _count, "responses.input_tokens")
    return deliver(counting.run(call, watch(), _COUNT))


@blueprint.get("/v1/responses/<identity>")
def retrieve(identity: str) -> Response:
    """A response that its provider keeps; one in the background also streamed, from any of its events on."""
    if request.args.get("stream") == "true":
        return _followed(identity)
    return _named(identity, "GET", "")


def _followed(identity: str) -> Response:
    if not re.fullmatch("[0-9]{1,9}", request.args.get("starting_after", "0")):
        raise GatewayError(
            400, "starting_after must be the sequence_number of an event, as in ?starting_after=42.",
            param="starting_after",
        )  # fmt: skip
    found, row = _found(identity), background.find(g.caller.account_id, identity)
    if row is None:
        raise GatewayError(
            400, "Only a response that was made in the background is streamed again. Leave stream out, and it is"
            " answered whole.", param="stream",
        )  # fmt: skip
    path, headers, watching = _path(found, "", (*_QUERY, "stream", "starting_after")), passed_headers(), watch()
    return deliver(
        background.follow(
            g.caller, g.request_id, row,
            lambda: kept.stream(found, openai_responses.name, path, headers, watching), watching,
        )
    )  # fmt: skip


@blueprint.delete("/v1/responses/<identity>")
def delete(identity: str) -> Response:
    """Have a response forgotten by its provider. One that is still being made is cancelled first."""
    row = background.find(g.caller.account_id, identity)
    if row is not None and row["status"] in task.OPEN:
        raise GatewayError(
            409, "The response is still being made. Cancel it first, or wait until it is done.", param="id"
        )
    return _named(identity, "DELETE", "")


@blueprint.post("/v1/responses/<identity>/cancel")
def cancel(identity: str) -> Response:
    """End a response that is still being made."""
    return _named(identity, "POST", "/cancel")


@blueprint.get("/v1/responses/<identity>/input_items")
def input_items(identity: str) -> Response:
    """What a response was asked, as its provider keeps it."""
    return _asked(_found(identity), "GET", "/input_items", bytes)


def _named(identity: str, method: kept.Method, below: str) -> Response:
    """The maker's answer about a response, with the caller's names in it."""
    account = g.caller.account_id
    found = _found(identity)
    with session():
        receipt = models.receipt.find(account, identity)
        row = task.find(account, identity) if receipt is None else None
    known = receipt or row
    model = str(known["model"]) if known is not None else ""

    def shown(body: bytes) -> bytes:
        if row is not None:
            background.looked(account, identity, json.loads(body))
        return openai_responses.kept(body, identity, model, lambda theirs: ours(account, "response", theirs))

    return _asked(found, method, below, shown)


def _found(identity: str) -> kept.Kept:
    return kept.look_up(g.caller, "response", identity)


def _asked(found: kept.Kept, method: kept.Method, below: str, shown: Callable[[bytes], bytes]) -> Response:
    path = _path(found, below, _QUERY)
    body = kept.ask(found, openai_responses.name, method, path, passed_headers(), watch(), shown)
    return Response(body, content_type="application/json")


def _path(found: kept.Kept, below: str, names: tuple[str, ...]) -> str:
    query = urlencode([(name, value) for name in names for value in request.args.getlist(name)])
    return f"/responses/{quote(found.upstream_id, safe='')}{below}{'?' if query else ''}{query}"
