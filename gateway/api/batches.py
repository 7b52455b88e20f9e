"""`/v1/batches`: many calls in a file (https://platform.openai.com/docs/api-reference/batch)."""

from __future__ import annotations

import json
from typing import Any

import orjson
from flask import Blueprint, g, request

from models import batch, task, writer
from models.base import session
from schemas.base import Wrong, check
from schemas.batches import WINDOW, BatchesSchema

from ..clock import now_ms
from ..errors import GatewayError
from ..splice import BadJson, guard
from ..tasks import seals
from ..tasks.batches import submit
from . import _pages
from ._app import Response
from ._door import answer, claimed, deliver, read_body, refuse_dry
from .files import find as find_file

blueprint = Blueprint("batches", __name__)
_schema = BatchesSchema()
MOST_LISTED = 100
Row = dict[str, Any]


@blueprint.post("/v1/batches")
def create() -> Response:
    """Begin a batch. Each line of its file is checked and held for before this answers; where one is bad, the batch has
    failed and says which."""
    refuse_dry("A batch")
    try:
        sent = read_body()
        values = guard(sent).values
        check(_schema, values)
    except BadJson as error:
        raise GatewayError(400, f"The body is no JSON that can be read: {error}.") from None
    except Wrong as wrong:
        raise GatewayError(400, f"{wrong.param} {wrong.message}.", param=wrong.param) from None
    file = find_file(values["input_file_id"], "input_file_id")
    if file.purpose != "batch":
        raise GatewayError(
            400, f"The file {file.id} was sent for {file.purpose}. Send it with purpose batch.", param="input_file_id"
        )
    keep_s = (values.get("output_expires_after") or {}).get("seconds")
    wanted = submit.Wanted(values["endpoint"], file, values.get("metadata"), keep_s)
    return deliver(submit.create(g.caller, g.request_id, wanted, claimed(sent), lambda row: orjson.dumps(shown(row))))


@blueprint.get("/v1/batches")
def index() -> Response:
    """The account's batches, a page of them."""
    limit = _pages.limit(20, MOST_LISTED)
    last = request.args.get("after")
    after = find(last, "after") if last else None
    wanted = task.Page(batch.KIND, (after["created_at"], after["id"]) if after else None, True, limit + 1)
    with session():
        rows = task.page(g.caller.account_id, wanted)
    return answer(_pages.page(rows, limit, shown))


@blueprint.get("/v1/batches/<identity>")
def retrieve(identity: str) -> Response:
    """How a batch is."""
    return answer(shown(find(identity)))


@blueprint.post("/v1/batches/<identity>/cancel")
def cancel(identity: str) -> Response:
    """End a batch: what runs is heard out, and what is done is in its files."""
    row = find(identity)
    if writer.write(batch.cancel, row["account_id"], row["id"], now_ms(), order=row["account_id"]):
        return answer(shown(find(identity)))
    raise GatewayError(409, f"The batch is {shown(row)['status']} already, so it cannot be cancelled.", param="id")


def find(identity: str, param: str = "id") -> Row:
    """A batch of the caller's. Raises GatewayError 404: unknown and foreign look the same."""
    if identity.startswith(submit.PREFIX) and identity.isascii() and identity.isprintable() and len(identity) <= 128:
        with session():
            row = task.find(g.caller.account_id, identity)
        if row is not None and row["kind"] == batch.KIND:
            return row
    raise GatewayError(404, f"There is no batch {identity[:80]!r} in this account.", param=param)


def shown(row: Row) -> Row:
    """A batch as OpenAI shows it."""
    facts = json.loads(row["facts"])
    sealed = json.loads(seals.unseal(row["results"], row["id"]) or "{}")
    is_open, done_at = row["status"] in task.OPEN, row["done_at"]
    there = {} if "refused" in facts.get("there", {}) else facts.get("there", {})
    if "done" in facts:
        good, bad = facts["done"]
    elif "done" in there:
        good, bad = there["done"]
    else:
        with session():
            good, bad = batch.counts(row["id"]) if is_open else (0, 0)
    status = row["status"]
    if is_open and row["error"] == batch.CANCELLING:
        status = "cancelling"
    elif is_open and ("finalizing_at" in facts or there.get("status") == "finalizing"):
        status = "finalizing"
    elif facts.get("expired"):
        status = "expired"
    cancelled_at = there.get("cancelled_at", row["changed_at"])
    problems = sealed.get("errors") or []
    if row["status"] == task.FAILED and not problems:
        problems = [{"code": row["error"], "line": None, "message": "The input file was removed.", "param": None}]
    return {
        "id": row["id"], "object": "batch", "endpoint": facts["endpoint"],
        "model": row["model"] if row["model"] != "batch" else None,
        "errors": {"object": "list", "data": problems} if problems else None, "input_file_id": facts["input"],
        "completion_window": WINDOW, "status": status, "output_file_id": facts.get("output"),
        "error_file_id": facts.get("errors"), "created_at": row["created_at"] // 1000,
        "in_progress_at": None if status == "failed" else row["created_at"] // 1000,
        "expires_at": row["deadline_at"] // 1000, "finalizing_at": _seconds(facts.get("finalizing_at")),
        **{f"{one}_at": _seconds(done_at) if status == one else None
           for one in ("completed", "failed", "expired", "cancelled")},
        "cancelling_at": _seconds(cancelled_at) if status in ("cancelling", "cancelled") else None,
        "request_counts": {"total": facts["total"], "completed": good, "failed": bad},
        "metadata": sealed.get("metadata"), "usage": _usage(facts["used"]) if "used" in facts else None,
    }  # fmt: skip


def _usage(used: Row) -> Row:
    """The tokens of all lines together."""
    told = {name: used.get(name, 0) for name in ("input_tokens", "output_tokens")}
    return {
        **told, "total_tokens": sum(told.values()),
        "input_tokens_details": {"cached_tokens": used.get("cached_tokens", 0)},
        "output_tokens_details": {"reasoning_tokens": used.get("reasoning_tokens", 0)},
    }  # fmt: skip


def _seconds(at: int | None) -> int | None:
    return at // 1000 if at is not None else None
