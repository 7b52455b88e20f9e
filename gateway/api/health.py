"""`/healthz` and `/readyz`: the process lives; the database answers too. Both are public."""

from __future__ import annotations

import logging

from flask import Blueprint

from models.base import DatabaseError, rows, session

from ..errors import GatewayError
from ._app import Response
from ._door import answer

blueprint = Blueprint("health", __name__)
_log = logging.getLogger("gateway.health")


@blueprint.get("/healthz")
def alive() -> Response:
    """200 as long as the process answers; asks nothing else."""
    return answer({"ok": True})


@blueprint.get("/readyz")
def ready() -> Response:
    """200 when the database answers, else 503."""
    try:
        with session():
            rows("SELECT 1")
    except (DatabaseError, OSError) as error:
        _log.warning("not ready: %s", type(error).__name__)
        raise GatewayError(503, "The database does not answer. Retry in a moment.", retry_after=2) from error
    return answer({"ok": True})
