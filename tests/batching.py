"""A fake of OpenAI's files and batches, written from its public documentation
(https://platform.openai.com/docs/guides/batch): a batch is made when it has been looked at often enough."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from gateway.bodies import FormReader, Upload, boundary
from tests.upstream import Asked, Script

INPUT, OUTPUT = 51, 7
"""Tokens of each answer."""

_PAGE = 2
"""Batches on a page of the list, however many are asked for."""

Row = dict[str, Any]


class _Held:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    def body(self) -> bytes:
        return bytes(self.data)


class Batching:
    """Use it as the `answer` of an `Upstream`.

    looks: after how many a batch is over · ending: how it ends · most: lines that are answered before that, None for
    all · refuse: by the path of what is refused, its status and code · reply: the status and body of an answer · lose:
    numbers of lines of which nothing is said · gate: batches are in progress until it is set · deaf: a batch is made, and
    who asked for it is told that something went wrong · like: what a batch looks like beside.
    """

    def __init__(self) -> None:
        self.looks, self.ending = 2, "completed"
        self.most: int | None = None
        self.refuse: dict[str, tuple[int, str]] = {}
        self.reply: Callable[[Row], tuple[int, Row]] = lambda asked: (200, answered(asked))
        self.lose: set[str] = set()
        self.deaf = False
        self.like: Row = {}
        self.gate = threading.Event()
        self.gate.set()
        self.files: dict[str, bytes] = {}
        self.sent: list[list[Row]] = []  # the lines of each file that came
        self.batches: dict[str, Row] = {}
        self.listed: list[Row] = [{"id": f"batch_other{n}", "input_file_id": f"file-other{n}"} for n in range(5)]
        self.cancels = 0
        self.removed: list[str] = []
        self.refused = 0
        self.called: list[Row] = []  # calls that came one by one
        self._looked: dict[str, int] = {}
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Script:
        with self._lock:
            path, _, query = asked.path.removeprefix("/v1").partition("?")
            if asked.method == "POST" and path in self.refuse:
                status, code = self.refuse[path]
                self.refused += 1
                return _error(status, code)
            return self._answer(asked, path.strip("/").split("/"), query)

    def _answer(self, asked: Asked, path: list[str], query: str) -> Script:
        match asked.method, path:
            case "POST", ["files"]:
                return self._keep(asked)
            case "GET", ["files", name, "content"] if name in self.files:
                return Script(200, {"content-type": "application/octet-stream"}, [self.files[name]])
            case "DELETE", ["files", name] if name in self.files:
                del self.files[name]
                self.removed.append(name)
                return Script.json({"id": name, "object": "file", "deleted": True})
            case "POST", ["batches"]:
                return self._begin(asked.json)
            case "GET", ["batches"]:
                return self._listed(query)
            case "GET", ["batches", name] if name in self.batches:
                return self._look(self.batches[name])
            case "POST", ["batches", name, "cancel"] if name in self.batches:
                self.cancels += 1
                self.batches[name]["status"] = "cancelling"
                return Script.json(self.batches[name])
            case "GET", ["models"]:
                return Script.json({"object": "list", "data": []})
            case "POST", ["chat", "completions"]:
                self.called.append(asked.json)
                return Script.json(answered(asked.json))
        return _error(404, "not_found")

    def _keep(self, asked: Asked) -> Script:
        form = FormReader(boundary(asked.headers["content-type"]) or "", _Held)
        form.feed(asked.body)
        form.end()
        fields = dict(form.parts)
        file = fields["file"]
        assert fields["purpose"] == "batch" and isinstance(file, Upload) and isinstance(file.content, bytes)
        name = f"file-up{len(self.sent)}"
        self.files[name] = file.content
        self.sent.append([json.loads(line) for line in file.content.splitlines()])
        return Script.json({"id": name, "object": "file", "purpose": "batch", "bytes": len(file.content)})

    def _begin(self, wanted: Row) -> Script:
        assert wanted["completion_window"] == "24h" and wanted["input_file_id"] in self.files
        name = f"batch_up{len(self.batches)}"
        lines = self._lines(wanted["input_file_id"])
        assert all(line["url"] == wanted["endpoint"] and line["method"] == "POST" for line in lines)
        self.batches[name] = self.like | {
            "id": name, "object": "batch", "endpoint": wanted["endpoint"], "errors": None, "status": "validating",
            "input_file_id": wanted["input_file_id"], "completion_window": "24h", "output_file_id": None,
            "error_file_id": None, "created_at": 1, "metadata": wanted["metadata"],
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
        }  # fmt: skip
        self.listed.append(self.batches[name])
        return _error(500, "server_error") if self.deaf else Script.json(self.batches[name])

    def _lines(self, name: str) -> list[Row]:
        return [json.loads(line) for line in self.files[name].splitlines()]

    def _listed(self, query: str) -> Script:
        after = query.partition("after=")[2].partition("&")[0]
        rest = self.listed[[one["id"] for one in self.listed].index(after) + 1 :] if after else self.listed
        return Script.json({"object": "list", "data": rest[:_PAGE], "has_more": len(rest) > _PAGE})

    def _look(self, made: Row) -> Script:
        self._looked[made["id"]] = self._looked.get(made["id"], 0) + 1
        if made["status"] == "cancelling":
            self._end(made, "cancelled")
        elif made["status"] in ("validating", "in_progress"):
            made["status"] = "in_progress"
            if self._looked[made["id"]] >= self.looks and self.gate.is_set():
                self._end(made, self.ending)
        return Script.json(made)

    def _end(self, made: Row, status: str) -> None:
        made["status"] = status
        if status == "failed":
            made["errors"] = {"object": "list", "data": [{"code": "token_limit_exceeded", "message": "too much"}]}
            return
        lines = [line for line in self._lines(made["input_file_id"]) if line["custom_id"] not in self.lose]
        done = lines if self.most is None else lines[: self.most]
        told: dict[bool, list[Row]] = {True: [], False: []}
        for line in reversed(done):  # in no order
            code, body = self.reply(line["body"])
            response = {"status_code": code, "request_id": "r", "body": body}
            told[code == 200].append({"id": "b", "custom_id": line["custom_id"], "response": response, "error": None})
        if status == "expired":
            late = {"code": "batch_expired", "message": "too late"}
            told[False] += [
                {"id": "b", "custom_id": line["custom_id"], "response": None, "error": late}
                for line in lines[len(done) :]
            ]
        made["request_counts"] |= {"completed": len(told[True]), "failed": len(told[False])}
        for good, field in ((True, "output_file_id"), (False, "error_file_id")):
            if told[good]:
                made[field] = f"file-{made['id']}-{field}"
                self.files[made[field]] = "\n".join(map(json.dumps, told[good])).encode()


def answered(asked: Row) -> Row:
    """A model's answer to the last message."""
    message = {"role": "assistant", "content": f"You said: {asked['messages'][-1]['content']}", "refusal": None}
    usage = {"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT}
    return {
        "id": "chatcmpl-up", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": usage, "service_tier": "default",
    }  # fmt: skip


def _error(status: int, code: str) -> Script:
    return Script.json({"error": {"message": f"It is {code}.", "type": "x", "param": None, "code": code}}, status)
