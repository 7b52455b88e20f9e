"""What a sandbox model says: an echo with manners.

It repeats the last thing that the user said, tells the tools' results, fits its answer to a schema, and calls a tool
only when it is made to, when a line `call <tool> {json}` says so, or when a lone tool plainly fits the question.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice

from ...neutral.parts import Bytes, FileRef, Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from ...neutral.reply import Choice, Finish, Usage
from ...neutral.request import ChatRequest, CustomTool, FunctionTool, Message
from .fill import Prompt, fill

PIECE = re.compile(r"\s*(?:\w{1,24}|[^\w\s])|\s+$")
"""The sandbox's token: a word or mark with the space before it."""

_LINE_END = re.compile(r"\r\n?|\n")
_WORDS = re.compile(r"[a-z]{3,}")
_EMPTY_WORDS = frozenset(_WORDS.findall("get set the and for with from list make run tool use all new can"))


def pieces(text: str) -> Iterator[str]:
    """A text as tokens; they join to the text."""
    end = 0
    for match in PIECE.finditer(text):
        yield text[end : match.end()]
        end = match.end()
    if end < len(text):
        yield text[end:]


def tokens(text: str) -> int:
    return sum(1 for _ in pieces(text))


def prompt_tokens(request: ChatRequest) -> int:
    """Input tokens: those of all text, 4 a message, 8 a tool, 85 an image, 20 any other medium."""
    total = 3
    for message in request.messages:
        total += 4 + sum(_part_tokens(part) for part in message.parts)
    for tool in request.tools:
        total += 8
        if isinstance(tool, _Own):
            takes = json.dumps(tool.schema) if isinstance(tool, FunctionTool) else tool.form or ""
            total += tokens(f"{tool.name} {tool.description or ''} {takes}")
    return total


def sound_tokens(request: ChatRequest) -> int:
    """Those of the input tokens that are sound."""
    parts = (part for message in request.messages for part in message.parts)
    return sum(_part_tokens(part) for part in parts if isinstance(part, Media) and part.kind == "audio")


def _part_tokens(part: Part) -> int:
    match part:
        case Text(text=text) | Reasoning(text=text) | Refusal(text=text):
            return tokens(text)
        case ToolCall(arguments=arguments):
            return 1 + tokens(arguments)  # a name is one token, so that no limit is too small for it
        case ToolResult(parts=parts):
            return sum(map(_part_tokens, parts))
        case Media(kind=kind):
            return 85 if kind == "image" else 20
        case _:
            return tokens(part.raw)


def said(message: Message) -> str:
    """The text of a message."""
    return "\n".join(part.text for part in message.parts if isinstance(part, Text))


def question(request: ChatRequest) -> str:
    """The text of the last user message."""
    return next((said(message) for message in reversed(request.messages) if message.role == "user"), "")


def turn(request: ChatRequest) -> tuple[tuple[ToolResult, ...], str]:
    """What came since the model last spoke: the tools' results, and the text that the user said after them."""
    results: list[ToolResult] = []
    texts: list[str] = []
    for message in request.messages[_spoken(request) :]:
        found = [part for part in message.parts if isinstance(part, ToolResult)]
        if found:
            results, texts = [*results, *found], []
        if message.role in ("user", "tool"):
            texts.append(said(message))
    return tuple(results), "\n".join(filter(None, texts)) if results else question(request)


def _spoken(request: ChatRequest) -> int:
    """How many messages there are up to the model's last one."""
    places = (place for place, message in enumerate(request.messages, 1) if message.role == "assistant")
    return max(places, default=0)


def answer(request: ChatRequest) -> tuple[Part, ...]:
    """The parts of a plain answer where no line orders a call, before any limit cuts them."""
    calls = tool_calls(request)
    if calls:
        return calls
    if request.output.form == "schema":
        made = fill(request.output.schema or {}, Prompt(question(request)))
        return (Text(text=json.dumps(made, ensure_ascii=False)),)
    text = _echo(request)
    return (Text(text=as_json(text) if request.output.form == "json" else text or "Hello from the sandbox."),)


def _echo(request: ChatRequest) -> str:
    """The tools' results told, what the user said after them, and what the user showed."""
    results, text = turn(request)
    names = _called(request) if results else {}
    told = [_told(result, result.name or names.get(result.call_id) or "The tool") for result in results]
    last = request.messages[-1] if request.messages else None
    seen = [_seen(part) for part in last.parts if isinstance(part, Media)] if last else []
    return "\n".join([*told, text, *seen]).strip()


def _called(request: ChatRequest) -> dict[str, str]:
    """The names of the tools that were called, by the calls' ids."""
    parts = (part for message in request.messages for part in message.parts)
    return {part.id: part.name for part in parts if isinstance(part, ToolCall)}


def as_json(text: str) -> str:
    """The text itself where it is a JSON object, else an object that holds it."""
    return text if _is_object(text) else json.dumps({"echo": text}, ensure_ascii=False)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text, parse_constant=_no_json), dict)
    except (ValueError, RecursionError):
        return False


def _no_json(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _told(result: ToolResult, name: str) -> str:
    text = "\n".join(
        part.text if isinstance(part, Text) else _seen(part) for part in result.parts if not isinstance(part, Opaque)
    )
    return f"{name} {'failed' if result.is_error else 'answered'}: {text}"


def _seen(part: Media) -> str:
    match part.source:
        case Bytes(base64=data):
            what = f"{part.media_type or part.kind}, {len(data) * 3 // 4 - data[-2:].count('=')} bytes"
        case FileRef(id=file_id):
            what = f"{part.kind} {file_id}"
        case source:
            what = f"{part.kind} {source.url}"
    return f"[{part.name + ': ' if part.name else ''}{what}]"


_Own = FunctionTool | CustomTool
"""A tool that the caller runs."""


def offered(request: ChatRequest) -> list[_Own]:
    """The tools that may be called: none, those that the tool choice names, or all."""
    choice = request.tool_choice
    if choice.mode == "none":
        return []
    tools = [tool for tool in request.tools if isinstance(tool, _Own)]
    return [tool for tool in tools if not choice.names or tool.name in choice.names]


def ordered(request: ChatRequest) -> tuple[ToolCall, ...]:
    """The calls that lines `call <tool> {json}` order, or `call <tool> <text>` of one that takes free text. A line
    before the tools' results has had its call."""
    tools = {tool.name: tool for tool in offered(request)}
    _, text = turn(request)
    found = (_order(line, tools) for line in _LINE_END.split(text)) if tools else ()
    orders = [order for order in found if order is not None]
    if request.tool_choice.parallel is False:
        orders = orders[:1]
    return tuple(_call(place, tool, arguments) for place, (tool, arguments) in enumerate(orders))


def _order(line: str, tools: Mapping[str, _Own]) -> tuple[_Own, str] | None:
    match line.split(None, 2):
        case ["call", name] if name in tools:
            tool, given = tools[name], ""
        case ["call", name, given] if name in tools:
            tool, given = tools[name], given.strip()
        case _:
            return None
    if isinstance(tool, CustomTool):
        return tool, given
    return (tool, given or "{}") if not given or _is_object(given) else None


def tool_calls(request: ChatRequest) -> tuple[ToolCall, ...]:
    """The calls that a model makes without an order: one that is required, or one that plainly fits."""
    tools, text = offered(request), question(request)
    if tools and request.tool_choice.mode == "required":
        return (forced(0, tools[0], text),)
    if len(tools) == 1 and _fits(tools[0], text) and not turn(request)[0]:
        return (forced(0, tools[0], text),)
    return ()


def forced(place: int, tool: _Own, text: str) -> ToolCall:
    """A call of this tool, with arguments that fit its schema; of one that takes free text, with the question."""
    if isinstance(tool, CustomTool):
        return _call(place, tool, text)
    arguments = fill(tool.schema or {"type": "object"}, Prompt(text))
    return _call(place, tool, json.dumps(arguments, ensure_ascii=False))


def _call(place: int, tool: _Own, arguments: str) -> ToolCall:
    mark = zlib.crc32((tool.name + arguments).encode("utf-8", "replace"))
    custom = isinstance(tool, CustomTool)
    return ToolCall(id=f"call_sandbox_{place}_{mark:08x}", name=tool.name, arguments=arguments, custom=custom)


def _fits(tool: _Own, text: str) -> bool:
    """Whether a question plainly asks for a tool: it shares a telling word with the tool's name."""
    name = re.sub(r"([a-z])([A-Z])", r"\1 \2", tool.name).replace("_", " ").lower()
    telling = set(_WORDS.findall(name)) - _EMPTY_WORDS
    words = set(_WORDS.findall(text.lower()))
    return bool(telling & words or {word + "s" for word in telling} & words)


def choice(parts: tuple[Part, ...], limit: int, stop: tuple[str, ...], finish: Finish | None) -> Choice:
    """The parts as a choice: cut at a stop sequence, then at the limit."""
    left = limit
    kept: list[Part] = []
    reason = finish or Finish(reason="tool_calls" if any(isinstance(p, ToolCall) for p in parts) else "stop")
    for part in parts:
        ends = [(part.text.find(word), word) for word in stop if word and isinstance(part, Text) and word in part.text]
        if isinstance(part, Text) and ends:
            part = replace(part, text=part.text[: min(ends)[0]])
        used = _part_tokens(part)
        if used > left:
            kept += [_cut(part, left)] if left > 0 else []
            reason = Finish(reason="length")
            break
        left -= used
        kept.append(part)
        if ends:
            reason = Finish(reason="stop", matched=min(ends)[1])
            break
    return Choice(parts=tuple(kept), finish=reason)


def _cut(part: Part, limit: int) -> Part:
    """The first tokens of a part, at least one: a call keeps its name, and as much of its arguments as there is room
    for."""
    match part:
        case Text() | Reasoning() | Refusal():
            return replace(part, text="".join(islice(pieces(part.text), limit)))
        case ToolCall():
            return replace(part, arguments="".join(islice(pieces(part.arguments), limit - 1)))
        case _:
            return part


def usage(input_tokens: int, audio: int, choices: tuple[Choice, ...]) -> Usage:
    """What a reply took. audio: tokens of the input that are sound."""
    spoken = [part for one in choices for part in one.parts]
    return Usage(
        input=input_tokens,
        cached=0,
        audio_in=min(audio, input_tokens),
        output=sum(map(_part_tokens, spoken)),
        reasoning=sum(_part_tokens(part) for part in spoken if isinstance(part, Reasoning)),
    )
