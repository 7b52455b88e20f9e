"""`/v1/tasks`: long work of every kind, in one shape."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, g, request

from schemas.tasks import TYPES

from ..errors import GatewayError
from ..splice import edit, scan
from ..tasks.seals import signing_secret
from ..tasks.views import as_task
from . import _kinds, _tasks
from ._app import Response
from ._door import answer, open_call

blueprint = Blueprint("tasks", __name__)


@blueprint.post("/v1/tasks")
def create() -> Response:
    """Begin a task. Its `type` says what the other members mean."""
    call = open_call(_kinds.TASKS, _kinds.SCHEMA, "tasks")
    kind = call.body.values["type"]
    known = _kinds.KINDS[kind]
    call.dialect, call.below = known.words.name, known.below(call.body.values)
    if known.here:  # its body is another's: what only tasks have does not go with it, nor what only streams have
        own = ("type", "webhook", "webhook_url", "stream", "partial_images")
        changes: dict[str, str | None] = {name: None for name in own if name in call.body.values}
        webhook = call.body.values.get("webhook") or call.body.values.get("webhook_url")
        call.body = scan(edit(call.body, changes))
        call.ask = replace(call.ask, stream=False)
        return _tasks.begin(call, kind, known.facts(call.body.values), as_task, here=True, webhook=webhook)
    return _tasks.begin(call, kind, known.facts(call.body.values), as_task)


@blueprint.get("/v1/tasks")
def index() -> Response:
    """The account's tasks, a page of them."""
    kind = request.args.get("type")
    if kind is not None and kind not in TYPES:
        raise GatewayError(400, f"type must be one of {', '.join(TYPES)}.", param="type")
    return _tasks.listing(as_task, kind)


@blueprint.get("/v1/tasks/<identity>")
def retrieve(identity: str) -> Response:
    """How a task is."""
    return _tasks.show(identity, as_task)


@blueprint.get("/v1/tasks/<identity>/events")
def events(identity: str) -> Response:
    """Each change of a task as an event, until it is over."""
    return _tasks.events(identity, as_task)


@blueprint.post("/v1/tasks/<identity>/cancel")
def cancel(identity: str) -> Response:
    """End a task. It costs nothing then."""
    return _tasks.cancel(identity, as_task)


@blueprint.delete("/v1/tasks/<identity>")
def delete(identity: str) -> Response:
    """Forget a task and what it made; one that is open is cancelled."""
    found = as_task(_tasks.forget(identity))
    return answer({"id": found["id"], "object": "task.deleted", "deleted": True})


@blueprint.get("/v1/webhooks/secret")
def secret() -> Response:
    """What the account's webhooks are signed with, as Standard Webhooks spells it."""
    return answer({"object": "webhook_secret", "secret": signing_secret(g.caller.account_id)})
