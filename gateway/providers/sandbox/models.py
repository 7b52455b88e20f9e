"""The sandbox's models: what each name does."""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import gevent
import orjson

from models import tally, writer

from ...bodies import Body, Form, joined
from ...call import Outbound, Wire
from ...clock import now_ms
from ...dialects.base import Dialect, Words
from ...dialects.bridge import DIALECTS
from ...errors import GatewayError
from ...modalities.embeddings import NAMED as EMBEDDINGS
from ...modalities.images import NAMED as IMAGES
from ...modalities.words import JOBS, NAMED
from ...neutral.events import unfold
from ...neutral.parts import Part, Reasoning, Refusal, Text
from ...neutral.reply import ChatReply, Choice, Finish
from ...neutral.request import ChatRequest, FunctionTool, Output
from . import background, drawing, embed, hearing, jobs, judging, speech
from .answer import (
    answer,
    choice,
    forced,
    offered,
    ordered,
    pieces,
    prompt_tokens,
    question,
    sound_tokens,
    tokens,
    turn,
    usage,
)  # fmt: skip
from .fill import TooMuch
from .wire import SandboxWire

FIXED = (
    "echo", "refusal", "length", "tool", "parallel-tools", "json", "reasoner", "mid-stream-error", "cut", "hang",
    "limited", "embed", "tts", "stt", "moderation", "rerank", "image", "video", "music",
)  # fmt: skip
"""Models with a name of their own; the others carry a number."""

_WORKING = frozenset({"echo", "slow", "error", "flaky", "limited", "hang", "cut", "refusal"})
"""Models that take long work of any kind, besides `video` and `music`."""

_TURNS = {"chat": "messages", "messages": "messages", "responses": "input", "gemini": "contents"}
_EMBEDDING = frozenset({"embed", "echo", "slow", "error", "flaky", "limited", "cut"})
_NUMBERED = re.compile(r"(slow|tokens|error|flaky)-(\d{1,6})(-once)?")
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
_LONG = "This answer is longer than it may be, so it ends in the middle of a"
_ONCE_MS = 3_600_000
MOST_OUTPUT, MOST_INPUT = 131_072, 1_048_576
"""Tokens of one answer over all its choices, and bytes of text that are read."""
_LIMIT, _LIMIT_MS = 5, 10_000


def knows(model: str) -> bool:
    """Whether there is a sandbox model of this name."""
    numbered = _NUMBERED.fullmatch(model)
    if numbered is None:
        return model in FIXED
    kind, number, once = numbered[1], int(numbered[2]), bool(numbered[3])
    low, high = {"error": (400, 599), "flaky": (0, 100), "tokens": (1, MOST_OUTPUT)}.get(kind, (0, 999_999))
    return low <= number <= high and (kind == "error" or not once)


def send(outbound: Outbound) -> Wire:
    """Answer a request. Raises Fault where a real provider would break off."""
    words, model = NAMED[outbound.dialect], outbound.model
    if outbound.dialect in JOBS and outbound.method == "GET":
        return _asked(outbound, words)
    if outbound.dialect == "responses" and (outbound.method != "POST" or outbound.path.endswith("/cancel")):
        return background.ask(outbound) or _error(words, 404, "The sandbox keeps no such response.", "id")
    if not knows(model):
        return _error(words, 404, f"The sandbox has no model {model[:80]!r}.", "model")
    numbered = _NUMBERED.fullmatch(model)
    kind, number, once = (numbered[1], int(numbered[2]), bool(numbered[3])) if numbered else (model, 0, False)
    if outbound.dialect in JOBS:
        return _working(outbound, words, kind, number, once)
    values = {} if isinstance(outbound.body, Form) else json.loads(joined(outbound.body))
    later = outbound.dialect == "responses" and bool(values.get("background"))
    trouble = None if later and kind == "hang" else _trouble(outbound, words, kind, number, once)
    if trouble is not None:
        return trouble
    if outbound.dialect in IMAGES:
        return _drawing(outbound, words, kind, number, values)
    if isinstance(outbound.body, Form):
        return _hearing(outbound.dialect, outbound.body, words, kind, number, outbound.stream)
    values |= {"model": model, "stream": outbound.stream}
    if outbound.dialect in EMBEDDINGS:
        return _embeddings(outbound, words, kind, number, values)
    if outbound.dialect in _JUDGED:
        return _judged(outbound.dialect, words, kind, number, values)
    if outbound.dialect == "speech":
        return _speech(words, kind, number, values)
    if kind == "embed":
        return _error(words, 400, "The sandbox model embed makes embeddings only. Ask it at /v1/embeddings.", "model")
    return _chat(outbound, DIALECTS[outbound.dialect], kind, number, values)


def _chat(outbound: Outbound, dialect: Dialect, kind: str, number: int, values: Mapping[str, Any]) -> Wire:
    asked, request = dialect.ask(values), dialect.parse(values)
    stranger = next((message.role for message in request.messages if message.role not in _ROLES), None)
    if stranger is not None:
        place = _place(values, _TURNS[dialect.name], stranger)
        return _error(dialect, 400, f"The sandbox knows no role {stranger[:80]!r}.", place)
    later = dialect.name == "responses" and values.get("background")
    if kind == "mid-stream-error" and not outbound.stream and not later:
        return _error(dialect, 500, "The sandbox model mid-stream-error fails.")
    read = asked.weight.text
    if read > MOST_INPUT:
        return _error(dialect, 400, f"The sandbox reads at most {MOST_INPUT} bytes of text, not {read}.", "messages")
    if number * request.sampling.n > MOST_OUTPUT and kind == "tokens":
        return _error(dialect, 400, f"The sandbox says at most {MOST_OUTPUT} tokens over all choices.", "n")
    known = {tool.name for tool in request.tools if isinstance(tool, FunctionTool)}
    missing = [name for name in request.tool_choice.names if name not in known]
    if missing:
        return _error(dialect, 400, f"tool_choice names {missing[0]!r}, which is not among the tools.", "tool_choice")
    taken = asked.weight.bound(1_600) if kind == "tokens" else prompt_tokens(request)
    try:
        choices = _choices(kind, number, request)
    except TooMuch as problem:
        return _error(dialect, 400, f"The sandbox cannot fill in the schema: {problem}.", _with_schema(request))
    reply = ChatReply(
        id=f"chatcmpl-sandbox{zlib.crc32(joined(outbound.body)):08x}",
        model=request.model,
        created=int(time.time()),
        choices=choices,
        usage=usage(taken, sound_tokens(request), choices),
    )
    if later:
        return background.begin(outbound.model, reply, outbound.stream)
    delay = number / 1000 if kind == "slow" else 0.0
    if not outbound.stream:
        return _whole(kind, dialect, values, reply, delay)
    return _stream(kind, dialect, values, reply, delay)


def _trouble(outbound: Outbound, words: Words, kind: str, number: int, once: bool) -> Wire | None:
    """The answer of a model whose name is a failure, when it fails."""
    model = outbound.model
    if kind == "hang":
        gevent.sleep(86_400)
    if kind == "error" and (not once or _count(outbound, model, _ONCE_MS) == 1):
        return _error(words, number, f"The sandbox model {model} answers {number}.")
    if kind == "flaky" and _unlucky(number):
        return _error(words, 500, f"The sandbox model {model} fails {number} % of its calls.")
    if kind == "limited" and _count(outbound, model, _LIMIT_MS) > _LIMIT:
        return _error(words, 429, f"The sandbox model limited takes {_LIMIT} calls in 10 seconds.")
    return None


def _working(outbound: Outbound, words: Words, kind: str, number: int, once: bool) -> Wire:
    """Begin long work. What hangs is begun, and never done."""
    family = "music" if outbound.dialect == "music" else "videos"
    if kind not in _WORKING and kind != {"videos": "video"}.get(family, family):
        return _error(
            words, 400, f"The sandbox model {kind} makes no {family}. Use {family.removesuffix('s')}.", "model"
        )  # fmt: skip
    trouble = None if kind == "hang" else _trouble(outbound, words, kind, number, once)
    if trouble is not None:
        return trouble
    found, problem = jobs.begin(outbound.path, kind, number, _fields(outbound.body))
    if found is None:
        return _error(words, 400, problem or "")
    return SandboxWire(found[0], found[1], iter([(0.0, found[2])]))


def _fields(body: Body) -> Mapping[str, Any]:
    """What a body says: JSON, or a form whose texts may be JSON."""
    if not isinstance(body, Form):
        found: dict[str, Any] = json.loads(joined(body))
        return found
    return dict(body.parts)


def _asked(outbound: Outbound, words: Words) -> Wire:
    """How long work is, or what it made."""
    try:
        found = jobs.ask(outbound.path)
    except drawing.Refused as problem:
        return _error(words, 400, problem.message, problem.param)
    if found is None:
        return _error(words, 404, "The sandbox has no such work.", "id")
    status, headers, body = found
    pieces = ((0.0, body[at : at + _PIECE]) for at in range(0, len(body), _PIECE))
    return SandboxWire(status, {**headers, "content-length": str(len(body))}, pieces)


_PIECE = 1 << 16


def _embeddings(outbound: Outbound, words: Words, kind: str, number: int, values: Mapping[str, Any]) -> Wire:
    if kind not in _EMBEDDING:
        return _error(words, 400, f"The sandbox model {kind} makes no embeddings. Use embed.", "model")
    found, problem = embed.answer(outbound.dialect, kind, values)
    if problem is not None:
        return _error(words, 400, problem.message, problem.param)
    body = orjson.dumps(found)
    delay = number / 1000 if kind == "slow" else 0.0
    cut = kind == "cut"
    return SandboxWire(
        200, {"content-type": "application/json"}, iter([(delay, body[: len(body) // 2] if cut else body)]),
        "cut" if cut else "end",
    )  # fmt: skip


def _speech(words: Words, kind: str, number: int, values: Mapping[str, Any]) -> Wire:
    if kind not in speech.SPEAKING:
        return _error(words, 400, f"The sandbox model {kind} does not speak. Use tts.", "model")
    problem = speech.wrong(values)
    if problem is not None:
        return _error(words, 400, problem[1], problem[0])
    return _in_pieces(words, kind, number, *speech.answer(values))


_JUDGED = {"moderations": (judging.JUDGING, "moderates nothing. Use moderation."),
           "rerank": (judging.RANKING, "ranks nothing. Use rerank.")}  # fmt: skip


def _judged(dialect: str, words: Words, kind: str, number: int, values: Mapping[str, Any]) -> Wire:
    known, wrong = _JUDGED[dialect]
    if kind not in known:
        return _error(words, 400, f"The sandbox model {kind} {wrong}", "model")
    if dialect == "rerank":
        found, problem = judging.rerank(values, kind)
    else:
        found, problem = judging.moderate(values, kind), None
    if problem is not None:
        return _error(words, 400, problem, "documents")
    return _in_pieces(words, kind, number, "application/json", iter((orjson.dumps(found),)))


def _hearing(dialect: str, form: Form, words: Words, kind: str, number: int, streamed: bool) -> Wire:
    if kind not in hearing.HEARING:
        return _error(words, 400, f"The sandbox model {kind} does not hear. Use stt.", "model")
    if kind == "mid-stream-error" and not streamed:
        return _error(words, 500, "The sandbox model mid-stream-error fails.")
    problem = hearing.wrong(form)
    if problem is not None:
        return _error(words, 400, problem[1], problem[0])
    return _in_pieces(words, kind, number, *hearing.answer(form, streamed, dialect == "translations"))


def _drawing(outbound: Outbound, words: Words, kind: str, number: int, values: Mapping[str, Any]) -> Wire:
    if kind not in drawing.DRAWING:
        return _error(words, 400, f"The sandbox model {kind} makes no images. Use image.", "model")
    if kind == "mid-stream-error" and not outbound.stream:
        return _error(words, 500, "The sandbox model mid-stream-error fails.")
    body = outbound.body
    try:
        values = drawing.read(body) if isinstance(body, Form) else values
        media_type, pieces = drawing.answer(outbound.dialect, values, outbound.stream)
    except drawing.Refused as problem:
        return _error(words, 400, problem.message, problem.param)
    if kind == "cut" and not outbound.stream:
        pieces = (piece[: len(piece) // 2] for piece in pieces)
    return _in_pieces(words, kind, number, media_type, pieces)


def _in_pieces(words: Words, kind: str, number: int, media_type: str, pieces: Iterator[bytes]) -> Wire:
    """An answer of sound, text or events, as the model's name has it: late, or broken in the middle."""
    events = media_type.startswith("text/event-stream")
    if kind in ("cut", "mid-stream-error"):
        pieces = _half(pieces, words if events and kind != "cut" else None)
    steps = ((number / 1000 if kind == "slow" and place == 0 else 0.0, piece) for place, piece in enumerate(pieces))
    broken = kind == "cut" or (kind == "mid-stream-error" and not events)
    return SandboxWire(200, {"content-type": media_type}, steps, "cut" if broken else "end")


def _count(outbound: Outbound, model: str, ms: int) -> int:
    """Which call of this account this one is, in all workers together."""
    return int(writer.write(tally.count, outbound.account_id, model, now_ms(), ms, order=outbound.account_id))


_calls = 0


def _unlucky(percent: int) -> bool:
    """Evenly spread over the calls of this worker, and always in the same order."""
    global _calls
    _calls += 1
    return (_calls * 61) % 100 < percent


def _choices(kind: str, number: int, request: ChatRequest) -> tuple[Choice, ...]:
    """All choices of a reply: the same one as often as was asked."""
    parts, finish = _parts(kind, number, request)
    n, asked = request.sampling.n, request.sampling.limit
    most = MOST_OUTPUT // n
    return (choice(parts, most if asked is None else min(asked, most), request.sampling.stop, finish),) * n


def _parts(kind: str, number: int, request: ChatRequest) -> tuple[tuple[Part, ...], Finish | None]:
    calls = ordered(request)
    text = question(request)
    if kind == "reasoner":
        thought = Reasoning(text=f"The user says {tokens(text)} words. I repeat them.")
        return (thought, *(calls or answer(request))), None
    if calls:
        return calls, None
    if kind == "tokens":
        return (Text(text=" ".join(["token"] * number)),), None
    if kind == "refusal":
        return (Refusal(text="I cannot help with that."),), None
    if kind == "length":
        return (Text(text=_LONG),), Finish(reason="length")
    if kind == "json" and request.output.form == "text":
        return answer(replace(request, output=Output(form="json"))), None
    tools = offered(request)
    if kind in ("tool", "parallel-tools") and tools and not turn(request)[0]:
        twice = kind == "parallel-tools" and request.tool_choice.parallel is not False
        chosen = (tools * 2)[:2] if twice else tools[:1]
        return tuple(forced(place, tool, text) for place, tool in enumerate(chosen)), None
    return answer(request), None


def _with_schema(request: ChatRequest) -> str | None:
    """The one member of the request that holds schemas, where there is one only."""
    if request.output.form != "schema":
        return "tools"
    return None if request.tools else "response_format"


def _whole(kind: str, dialect: Dialect, asked: Mapping[str, Any], reply: ChatReply, delay: float) -> Wire:
    body = json.dumps(dialect.render_reply(reply, asked), ensure_ascii=False).encode("utf-8", "replace")
    headers = {"content-type": "application/json"}
    if kind == "cut":
        return SandboxWire(200, headers, iter([(delay, body[: len(body) // 2])]), "cut")
    return SandboxWire(200, headers, iter([(delay, body)]))


def _stream(kind: str, dialect: Dialect, asked: Mapping[str, Any], reply: ChatReply, delay: float) -> Wire:
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    out = dialect.writer(asked)
    frames: Iterator[bytes] = (frame for event in unfold(reply, pieces) if (frame := out.write(event)))
    if kind in ("cut", "mid-stream-error"):
        frames = _half(frames, dialect if kind == "mid-stream-error" else None)
    steps = ((delay if place == 0 else 0.0, frame) for place, frame in enumerate(frames))
    return SandboxWire(200, headers, steps, "cut" if kind == "cut" else "end")


def _half(frames: Iterator[bytes], fails: Words | None) -> Iterator[bytes]:
    """The first half of a stream, and an error where the provider fails rather than falls silent."""
    every = list(frames)
    yield from every[: max(2, len(every) // 2)]
    if fails is not None:
        yield fails.error_frame(GatewayError(500, "The sandbox fails in the middle."), "req_sandbox")


def _place(values: Mapping[str, Any], turns: str, role: str) -> str:
    """Where a role stands in a body, as the caller would write it."""
    given = values.get(turns)
    listed = given if isinstance(given, list) else ()
    found = (n for n, one in enumerate(listed) if isinstance(one, Mapping) and one.get("role") == role)
    return next((f"{turns}[{n}].role" for n in found), turns)


def _error(words: Words, status: int, message: str, param: str | None = None) -> Wire:
    headers = {"content-type": "application/json"}
    if status == 429:
        headers["retry-after"] = "1"
    body = words.error(GatewayError(status, message, param=param), "req_sandbox")
    return SandboxWire(status, headers, iter([(0.0, body)]))
