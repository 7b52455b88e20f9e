"""What the lines of a batch have come to, as its one runner writes it down, and how a batch ends: outcomes become
files.

It is the same wherever the calls are made, here (`run`) or by their provider (`native`).
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

from models import batch, task, writer
from models.base import session

from ... import crash, ids, store
from ...billing import later
from ...call import Reply
from ...clock import now_ms
from ...dialects import shapes
from ...errors import GatewayError
from ...relay import keeping
from ...store import files
from .. import seals
from ..leases import Moved
from .lines import ENDPOINTS, Line, split

EXPIRED = {
    "code": "batch_expired",
    "message": "This request could not be executed before the completion window expired.",
}
"""The error of a line that was not made in time."""

_PAGE = 200

_log = logging.getLogger("gateway.tasks")
Row = dict[str, Any]


class Gone(Exception):
    """The lines are not kept any more."""


class Outcomes:
    """The outcomes of one claimed batch. facts: what its row says of it, to be changed and noted · done: the numbers of
    the lines that have one."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.facts: Row = json.loads(row["facts"])
        with session():
            self.done = batch.done(row["id"])

    def note(self) -> None:
        """Write the facts down. Raises leases.Moved."""
        row = self._row
        written = row["facts"] = json.dumps(self.facts, separators=(",", ":"))
        if not writer.write(
            batch.note, row["id"], row["claim"], written, now_ms(), order=row["account_id"], durable=True
        ):
            raise Moved

    def left(self, identity: str) -> Iterator[tuple[int, bytes]]:
        """The lines of a file that are not done, by number. Raises Gone, store.Lost."""
        stored = next(iter(store.of(self._row["account_id"], identity)), None)
        if stored is None or stored.removed_at is not None:
            raise Gone
        for number, text in split(store.read(stored)):
            if number not in self.done:
                yield number, text

    def answered(self, line: Line, reply: Reply) -> bytes:
        """A good answer, as it is kept with its settlement."""
        assert isinstance(reply.body, bytes)
        body = orjson.Fragment(reply.body.replace(b"\n", b" ").replace(b"\r", b" "))
        told = {"status_code": reply.status, "request_id": line.call.request_id, "body": body}
        return self._sealed(line.number, line.name, told, None)

    def refused(self, number: int, name: str, error: GatewayError) -> None:
        """A line was answered by an error."""
        request_id = ids.new("req_")
        body = ENDPOINTS[self.facts["endpoint"]].words.error(error, request_id)
        told = {"status_code": error.status, "request_id": request_id, "body": orjson.Fragment(body)}
        self._fail(number, self._sealed(number, name, told, None))

    def failed(self, number: int, name: str, error: Row) -> None:
        """A line was not answered: code and message of why."""
        self._fail(number, self._sealed(number, name, None, error))

    def _sealed(self, number: int, name: str, response: Row | None, error: Row | None) -> bytes:
        identity = f"batch_req_{self._row['id'].removeprefix('batch_')}{number:x}"
        line = {"id": identity, "custom_id": name, "response": response, "error": error}
        return seals.seal(orjson.dumps(line).decode(), self._row["id"])

    def _fail(self, number: int, sealed: bytes) -> None:
        writer.write(batch.fail, self._row["id"], number, sealed, 0, order=self._row["account_id"], durable=True)
        self.done.add(number)

    def finalizing(self) -> None:
        """No further call is made; what was answered is being written. Raises leases.Moved."""
        self.facts.setdefault("finalizing_at", now_ms())
        self.note()

    def finish(self, how: str) -> None:
        """Write the files and end the batch. Who does it again writes the same files. how: completed, cancelled,
        expired, or gone: the lines are. Raises leases.Moved."""
        row, facts, status, error = self._row, self.facts, task.COMPLETED, None
        with session():
            good, bad = batch.counts(row["id"])
        facts["done"] = [good, bad]
        self.finalizing()
        crash.here("before_settle")
        used: Counter[str] = Counter()
        for many, which, ok in ((good, "output", True), (bad, "errors", False)):
            if many:
                identity = f"{files.PREFIX}{row['id'].removeprefix('batch_')}{which[0]}"
                name = f"{row['id']}_{'output' if ok else 'error'}.jsonl"
                keeping.made(row["account_id"], identity, name, facts["keep_s"], self._written(ok, used))
                facts[which] = identity
        facts["used"] = used
        if how == "cancelled":
            status = task.CANCELLED
        elif how == "expired":
            facts["expired"] = True
        elif how == "gone":
            status, error = task.FAILED, "input_file_removed"
        settlement = later.settlement(row["bill"], status=200, finish=error or status, at=now_ms())
        done = writer.write(
            batch.finish, row["id"], row["claim"], status, now_ms(), settlement, error, json.dumps(facts),
            row["results"], order=row["account_id"], durable=True,
        )  # fmt: skip
        if not done:
            raise Moved
        _log.info("batch %s is %s: %d lines answered, %d not", row["id"], status, good, bad)

    def _written(self, good: bool, used: Counter[str]) -> Iterator[bytes]:
        """The lines of a file, in their order; counts the tokens that good ones tell."""
        after = 0
        while True:
            with session():
                found = batch.outcomes(self._row["id"], good, after, _PAGE)
            for _, sealed in found:
                line = seals.unseal(sealed, self._row["id"])
                if line is not None:
                    if good:
                        used.update(_tokens(line))
                    yield line.encode() + b"\n"
            if len(found) < _PAGE:
                return
            after = found[-1][0]


def _tokens(line: str) -> dict[str, int]:
    """The tokens that a good answer tells, by the words in which a batch does."""
    usage = shapes.members(orjson.loads(line)["response"]["body"].get("usage"))
    found = {}
    for told, other, part in (
        ("input_tokens", "prompt_tokens", "cached_tokens"), ("output_tokens", "completion_tokens", "reasoning_tokens"),
    ):  # fmt: skip
        name = told if told in usage else other
        found[told] = shapes.count(usage.get(name)) or 0
        found[part] = shapes.count(shapes.members(usage.get(f"{name}_details")).get(part)) or 0
    return found


def named(text: bytes) -> str:
    """The custom_id of a line that was read before."""
    found = orjson.loads(text.removeprefix(b"\xef\xbb\xbf"))
    return str(found.get("custom_id", ""))
