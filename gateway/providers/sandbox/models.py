"""The sandbox's models: what each name does."""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal
from urllib.parse import unquote

import gevent
import orjson

from models import tally, writer

from ...call import Fault, Outbound, Wire
from ...clock import monotonic, now_ms
from ...dialects.openai_chat import ask
from ...dialects.openai_chat.reply import render as render_reply
from ...dialects.openai_chat.request import parse
from ...dialects.openai_chat.stream import ChatWriter
from ...modalities.embeddings import NAMED as EMBEDDINGS
from ...neutral.events import unfold
from ...neutral.parts import Part, Reasoning, Refusal, Text
from ...neutral.reply import ChatReply, Finish
from ...neutral.request import ChatRequest, FunctionTool
from ...sse import write
from . import embed
from .answer import answer, as_json, choice, forced, pieces, prompt_tokens, question, tokens, usage
from .fill import TooMuch

FIXED = (
    "echo", "refusal", "length", "tool", "parallel-tools", "json", "reasoner", "mid-stream-error", "cut", "hang",
    "limited", "embed",
)  # fmt: skip
"""Models with a name of their own; the others carry a number."""

_EMBEDDING = frozenset({"embed", "echo", "slow", "error", "flaky", "limited", "cut"})
_NUMBERED = re.compile(r"(slow|tokens|error|flaky)-(\d{1,6})(-once)?")
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_LONG = "This answer is longer than it may be, so it ends in the middle of a"
_ONCE_MS = 3_600_000
MOST_OUTPUT, MOST_INPUT = 131_072, 1_048_576
"""Tokens of one answer over all its choices, and bytes of text that are read."""
_LIMIT, _LIMIT_MS = 5, 10_000

Ending = Literal["end", "cut"]


class SandboxWire:
    """An answer as timed pieces: (seconds to wait, bytes). See `call.Wire`."""

    def __init__(
        self, status: int, headers: Mapping[str, str], steps: Iterator[tuple[float, bytes]], ending: Ending = "end"
    ) -> None:
        self.status = status
        self.headers = headers
        self._steps: Iterator[tuple[float, bytes]] | None = steps
        self._ending = ending
        self._next: tuple[float, bytes] | None = None

    def read(self) -> bytes:
        if self._next is None:
            step = next(self._steps, None) if self._steps is not None else None
            if step is None:
                if self._ending == "cut":
                    raise Fault("malformed")
                return b""
            self._next = (monotonic() + step[0], step[1]) if step[0] else step
        due, data = self._next
        if due:
            gevent.sleep(max(0.0, due - monotonic()))  # interrupted here, the piece stays
        self._next = None
        return data

    def close(self) -> None:
        self._steps = None


def knows(model: str) -> bool:
    """Whether there is a sandbox model of this name."""
    numbered = _NUMBERED.fullmatch(model)
    if numbered is None:
        return model in FIXED
    kind, number, once = numbered[1], int(numbered[2]), bool(numbered[3])
    low, high = {"error": (400, 599), "flaky": (0, 100), "tokens": (1, MOST_OUTPUT)}.get(kind, (0, 999_999))
    return low <= number <= high and (kind == "error" or not once)


def _model(outbound: Outbound, values: Mapping[str, Any]) -> str:
    """Which model is asked: Google's words name it in the path."""
    if outbound.dialect.startswith("gemini"):
        return unquote(outbound.path.rpartition("/models/")[2].partition(":")[0])
    return str(values["model"])


def send(outbound: Outbound) -> Wire:
    """Answer a request. Raises Fault where a real provider would break off."""
    values = json.loads(outbound.body)
    model = _model(outbound, values)
    if not knows(model):
        return _error(404, f"The sandbox has no model {model[:80]!r}.", "model")
    numbered = _NUMBERED.fullmatch(model)
    kind, number, once = (numbered[1], int(numbered[2]), bool(numbered[3])) if numbered else (model, 0, False)
    if outbound.dialect in EMBEDDINGS:
        return _trouble(outbound, model, kind, number, once) or _embeddings(outbound, kind, number, values)
    if kind == "embed":
        return _error(400, "The sandbox model embed makes embeddings only. Ask it at /v1/embeddings.", "model")
    for index, message in enumerate(values["messages"]):
        if message.get("role") not in _ROLES:
            return _error(400, f"The sandbox knows no role {message.get('role')!r}.", f"messages[{index}].role")
    trouble = _trouble(outbound, model, kind, number, once)
    if trouble is not None:
        return trouble
    if kind == "mid-stream-error" and not outbound.stream:
        return _error(500, "The sandbox model mid-stream-error fails.")
    weight = ask(values).weight
    if weight.text > MOST_INPUT:
        return _error(400, f"The sandbox reads at most {MOST_INPUT} bytes of text, not {weight.text}.", "messages")
    request = parse(values)
    if number * request.sampling.n > MOST_OUTPUT and kind == "tokens":
        return _error(400, f"The sandbox says at most {MOST_OUTPUT} tokens over all choices.", "n")
    offered = {tool.name for tool in request.tools if isinstance(tool, FunctionTool)}
    missing = [name for name in request.tool_choice.names if name not in offered]
    if missing:
        return _error(400, f"tool_choice names {missing[0]!r}, which is not among the tools.", "tool_choice")
    try:
        reply = _reply(kind, number, request, values, outbound)
    except TooMuch:
        return _error(400, "The sandbox will not make a value that large. Ask for less in the schema.", "tools")
    delay = number / 1000 if kind == "slow" else 0.0
    if not outbound.stream:
        return _whole(kind, reply, delay)
    return _stream(kind, reply, delay, ask(values).wants_usage)


def _trouble(outbound: Outbound, model: str, kind: str, number: int, once: bool) -> Wire | None:
    """The answer of a model whose name is a failure, when it fails."""
    if kind == "hang":
        gevent.sleep(86_400)
    if kind == "error" and (not once or _count(outbound, model, _ONCE_MS) == 1):
        return _error(number, f"The sandbox model {model} answers {number}.")
    if kind == "flaky" and _unlucky(number):
        return _error(500, f"The sandbox model {model} fails {number} % of its calls.")
    if kind == "limited" and _count(outbound, model, _LIMIT_MS) > _LIMIT:
        return _error(429, f"The sandbox model limited takes {_LIMIT} calls in 10 seconds.")
    return None


def _embeddings(outbound: Outbound, kind: str, number: int, values: Mapping[str, Any]) -> Wire:
    if kind not in _EMBEDDING:
        return _error(400, f"The sandbox model {kind} makes no embeddings. Use embed.", "model")
    found, problem = embed.answer(outbound.dialect, kind, values)
    if problem is not None:
        return _error(400, problem, "input")
    body = orjson.dumps(found)
    delay = number / 1000 if kind == "slow" else 0.0
    cut = kind == "cut"
    return SandboxWire(
        200, {"content-type": "application/json"}, iter([(delay, body[: len(body) // 2] if cut else body)]),
        "cut" if cut else "end",
    )  # fmt: skip


def _count(outbound: Outbound, model: str, ms: int) -> int:
    """Which call of this account this one is, in all workers together."""
    return int(writer.write(tally.count, outbound.account_id, model, now_ms(), ms, order=outbound.account_id))


_calls = 0


def _unlucky(percent: int) -> bool:
    """Evenly spread over the calls of this worker, and always in the same order."""
    global _calls
    _calls += 1
    return (_calls * 61) % 100 < percent


def _reply(kind: str, number: int, request: ChatRequest, values: Mapping[str, Any], outbound: Outbound) -> ChatReply:
    parts, finish = _parts(kind, number, request)
    limit = min(request.sampling.limit or MOST_OUTPUT, MOST_OUTPUT // request.sampling.n)
    stop = request.sampling.stop
    if kind == "length":
        limit = min(limit, tokens(_LONG))
    one = choice(parts, limit, stop, finish)
    choices = (one,) * request.sampling.n
    taken = ask(values).weight.bound(1_600) if kind == "tokens" else prompt_tokens(request)
    digest = zlib.crc32(outbound.body)
    return ChatReply(
        id=f"chatcmpl-sandbox{digest:08x}",
        model=request.model,
        created=int(time.time()),
        choices=choices,
        usage=usage(taken, choices),
    )


def _parts(kind: str, number: int, request: ChatRequest) -> tuple[tuple[Part, ...], Finish | None]:
    offered = [tool for tool in request.tools if isinstance(tool, FunctionTool)]
    after_tool = bool(request.messages) and request.messages[-1].role == "tool"
    text = question(request)
    if kind == "tokens":
        return (Text(text=" ".join(["token"] * number)),), None
    if kind == "refusal":
        return (Refusal(text="I cannot help with that."),), None
    if kind == "length":
        return (Text(text=_LONG),), Finish(reason="length")
    if kind == "json":
        return (Text(text=as_json(text)),), None
    if kind in ("tool", "parallel-tools") and offered and not after_tool and request.tool_choice.mode != "none":
        twice = kind == "parallel-tools" and request.tool_choice.parallel is not False
        chosen = (offered * 2)[:2] if twice else offered[:1]
        return tuple(forced(place, tool, text) for place, tool in enumerate(chosen)), None
    if kind == "reasoner":
        return (Reasoning(text=f"The user says {tokens(text)} words. I repeat them."), *answer(request)), None
    return answer(request), None


def _whole(kind: str, reply: ChatReply, delay: float) -> Wire:
    body = json.dumps(render_reply(reply, {}), ensure_ascii=False).encode("utf-8", "replace")
    headers = {"content-type": "application/json"}
    if kind == "cut":
        return SandboxWire(200, headers, iter([(delay, body[: len(body) // 2])]), "cut")
    return SandboxWire(200, headers, iter([(delay, body)]))


def _stream(kind: str, reply: ChatReply, delay: float, wants_usage: bool) -> Wire:
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    out = ChatWriter({"stream_options": {"include_usage": wants_usage}})
    frames: Iterator[bytes] = (frame for event in unfold(reply, pieces) if (frame := out.write(event)))
    if kind in ("cut", "mid-stream-error"):
        frames = _half(frames, kind)
    steps = ((delay if place == 0 else 0.0, frame) for place, frame in enumerate(frames))
    return SandboxWire(200, headers, steps, "cut" if kind == "cut" else "end")


def _half(frames: Iterator[bytes], kind: str) -> Iterator[bytes]:
    every = list(frames)
    yield from every[: max(2, len(every) // 2)]
    if kind == "mid-stream-error":
        inner = {"message": "The sandbox fails in the middle.", "type": "server_error", "code": "server_error"}
        yield write(json.dumps({"error": inner}).encode())


def _error(status: int, message: str, param: str | None = None) -> Wire:
    kind = "invalid_request_error" if status < 500 and status != 429 else "server_error"
    inner = {"message": message, "type": kind, "param": param, "code": _CODES.get(status, f"error_{status}")}
    headers = {"content-type": "application/json"}
    if status == 429:
        headers["retry-after"] = "1"
    return SandboxWire(status, headers, iter([(0.0, json.dumps({"error": inner}).encode())]))


_CODES = {
    400: "bad_request", 401: "invalid_api_key", 402: "payment_required", 403: "forbidden", 404: "model_not_found",
    409: "conflict", 413: "too_large", 422: "unprocessable", 429: "rate_limit_exceeded", 500: "server_error",
    503: "overloaded",
}  # fmt: skip
