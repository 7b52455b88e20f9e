"""`/v1/files`: what callers send to be kept (https://platform.openai.com/docs/api-reference/files)."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, g, request

from schemas.base import Wrong, check
from schemas.files import PURPOSES, FilesSchema

from ..errors import GatewayError
from ..relay import keeping
from ..store import files
from . import _content, _forms, _pages
from ._app import Response
from ._door import answer, claimed, deliver, is_form, read_form, refuse_dry

blueprint = Blueprint("files", __name__)
_schema = FilesSchema()
MOST_LISTED = 10_000
MOST_NAME = 1_024
LISTED = (*PURPOSES, files.MADE, "assistants_output", "fine-tune-results")
"""The purposes that can be asked for; of the last two, which OpenAI's own services write, there are none here."""


@blueprint.post("/v1/files")
def create() -> Response:
    """Keep a file. Send a form with `file` and `purpose`."""
    refuse_dry("Keeping a file")
    if not is_form():
        raise GatewayError(415, "A file is sent as multipart/form-data, with the fields file and purpose.")
    form = read_form()
    values = _forms.values(_schema, form.parts)
    try:
        check(_schema, values)
    except Wrong as wrong:
        raise GatewayError(400, f"{wrong.param} {wrong.message}.", param=wrong.param) from None
    upload, after = values["file"], values.get("expires_after") or {}
    if len(upload.filename) > MOST_NAME:
        raise GatewayError(400, f"The file's name has more than {MOST_NAME} characters.", param="file")
    claim = claimed(form.fingerprint.digest())
    sent = keeping.Sent(values["purpose"], upload, after.get("seconds"), claim)
    return deliver(keeping.keep(g.caller, g.request_id, sent, lambda found: orjson.dumps(shown(found))))


@blueprint.get("/v1/files")
def index() -> Response:
    """The account's files, a page of them."""
    purpose = request.args.get("purpose")
    if purpose is not None and purpose not in LISTED:
        raise GatewayError(400, f"purpose must be one of {', '.join(LISTED)}.", param="purpose")
    limit, newest = _pages.limit(MOST_LISTED, MOST_LISTED), _pages.newest()
    last = request.args.get("after")
    after = files.place(g.caller.account_id, last) if last else None
    if last and after is None:
        raise _unknown(last, "after")
    wanted = files.Page(purpose, after, newest, limit + 1)
    return answer(_pages.page(files.page(g.caller.account_id, wanted), limit, shown))


@blueprint.get("/v1/files/<identity>")
def retrieve(identity: str) -> Response:
    """What is known of a file."""
    return answer(shown(find(identity)))


@blueprint.delete("/v1/files/<identity>")
def delete(identity: str) -> Response:
    """Remove a file."""
    found = find(identity)
    keeping.forget(found.account_id, found.id)
    return answer({"id": found.id, "object": "file", "deleted": True})


@blueprint.get("/v1/files/<identity>/content")
def content(identity: str) -> Response:
    """The bytes of a file. HEAD tells what there is; one range at a time may be asked for."""
    return _content.deliver(files.FAMILY, find(identity).id)


def find(identity: str, param: str = "id") -> files.Found:
    """A file of the caller's. Raises GatewayError 404: unknown and foreign look the same."""
    found = files.find(g.caller.account_id, identity)
    if found is None:
        raise _unknown(identity, param)
    return found


def _unknown(identity: str, param: str) -> GatewayError:
    return GatewayError(404, f"There is no file {identity[:80]!r} in this account.", param=param)


def shown(file: files.Found) -> dict[str, Any]:
    """A file as OpenAI shows it."""
    return {
        "id": file.id, "object": "file", "bytes": file.bytes, "created_at": file.created_at // 1000,
        "expires_at": file.expires_at // 1000, "filename": files.name(file), "purpose": file.purpose,
        "status": "processed", "status_details": None,
    }  # fmt: skip
