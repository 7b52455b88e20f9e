"""A provider's own batches, in OpenAI's words: a file of lines is sent, a batch made of it, looked at, ended, and what
came of its lines is read from files (https://platform.openai.com/docs/api-reference/batch). All of it raises Fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import orjson

from ... import ids
from ...bodies import Form, Kept, Upload
from ...call import Channel, Fault
from ...dialects import shapes
from ...dialects.passing import parsed
from ...modalities.jobs import Request
from ...relay.attempts import sensible
from .. import asking
from ..leases import Keeper

WINDOW = "24h"

SEND_S = 600.0
"""How long it may take to send a file."""

_PAGE = 100


class Said(NamedTuple):
    """How a batch is there. done: lines that were answered, and lines that failed · output, errors: ids of the files in
    which they are · code: what is wrong with all of it."""

    status: str
    done: tuple[int, int]
    output: str | None
    errors: str | None
    code: str | None

    @property
    def over(self) -> bool:
        return self.status in ("completed", "failed", "expired", "cancelled")


class Service:
    """The batch service behind a channel. dialect: that of the lines, in which it tells its errors, too."""

    def __init__(self, channel: Channel, dialect: str) -> None:
        self.channel, self._dialect = channel, dialect

    def send(self, content: bytes | Kept) -> str:
        """The id of a file of lines, once it is there."""
        upload = Upload("batch.jsonl", "application/jsonl", content)
        form = Form([("purpose", "batch"), ("file", upload)], ids.new("form-"))
        return _id(self._ask(Request("POST", "/files", form, form.content_type), SEND_S))

    def create(self, file: str, endpoint: str, batch_id: str) -> str:
        """The id of a batch that was made of a file. batch_id: ours, for whoever looks at it there."""
        wanted = {
            "input_file_id": file, "endpoint": endpoint, "completion_window": WINDOW, "metadata": {"gateway": batch_id},
        }  # fmt: skip
        return _id(self._ask(Request("POST", "/batches", orjson.dumps(wanted))))

    def find(self, file: str, keeper: Keeper) -> str | None:
        """The id of the batch that was made of a file; None where all that are there were made of others."""
        after: dict[str, Any] = {}
        while True:
            keeper.renew()
            page = self._ask(Request("GET", f"/batches?{urlencode({'limit': _PAGE, **after})}"))
            with sensible():
                found = shapes.objects(page["data"])
                for one in found:
                    if one.get("input_file_id") == file:
                        return _id(one)
                if not page.get("has_more") or not found:
                    return None
                after = {"after": _id(found[-1])}

    def look(self, identity: str) -> Said:
        """How a batch is."""
        found = self._ask(Request("GET", _path("batches", identity)))
        with sensible():
            counts = shapes.members(found.get("request_counts"))
            problems = shapes.objects(shapes.members(found.get("errors")).get("data"))
            return Said(
                str(found["status"]),
                (shapes.count(counts.get("completed")) or 0, shapes.count(counts.get("failed")) or 0),
                shapes.short(found.get("output_file_id")), shapes.short(found.get("error_file_id")),
                next((code for one in problems if (code := shapes.word(one.get("code")))), None),
            )  # fmt: skip

    def cancel(self, identity: str) -> None:
        """Ask for the end of a batch; it takes some minutes."""
        self._ask(Request("POST", _path("batches", identity, "cancel")))

    def read(self, file: str) -> Iterator[bytes]:
        """The bytes of a file, as they come."""
        return asking.pieces(self.channel, self._dialect, _path("files", file, "content"))

    def remove(self, file: str) -> None:
        """Remove a file."""
        self._ask(Request("DELETE", _path("files", file)))

    def _ask(self, wanted: Request, wait_s: float = asking.LOOK_S) -> Mapping[str, Any]:
        return parsed(asking.ask(self.channel, self._dialect, "", wanted, wait_s))


def _id(found: Mapping[str, Any]) -> str:
    identity = shapes.short(found.get("id"))
    if not identity:
        raise Fault("malformed")
    return identity


def _path(family: str, identity: str, *rest: str) -> str:
    return "/".join(("", family, quote(identity, safe=""), *rest))
