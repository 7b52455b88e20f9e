"""What a sandbox model says: an echo with manners.

It repeats the last thing that the user said, tells a tool's result, fits its answer to a schema, and calls a tool only
when it is made to, when a line `call <tool> {json}` says so, or when a lone tool plainly fits the question.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace

from ...neutral.parts import Bytes, FileRef, Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from ...neutral.reply import Choice, Finish, Usage
from ...neutral.request import ChatRequest, FunctionTool, Message
from .fill import Prompt, fill

PIECE = re.compile(r"\s*(?:\w{1,24}|[^\w\s])|\s+$")
"""The sandbox's token: a word or mark with the space before it."""

_CALL_LINE = re.compile(r"call ([A-Za-z0-9_.:-]{1,128})(?:\s+(\{.*\}))?", re.DOTALL)
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
        if isinstance(tool, FunctionTool):
            total += tokens(tool.name + " " + (tool.description or "") + " " + json.dumps(tool.schema))
    return total


def _part_tokens(part: Part) -> int:
    match part:
        case Text(text=text) | Reasoning(text=text) | Refusal(text=text):
            return tokens(text)
        case ToolCall(name=name, arguments=arguments):
            return tokens(name) + tokens(arguments)
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


def answer(request: ChatRequest) -> tuple[Part, ...]:
    """The parts of a plain answer, before any limit cuts them."""
    calls = tool_calls(request)
    if calls:
        return calls
    text = question(request)
    if request.output.form == "schema":
        return (Text(text=json.dumps(fill(request.output.schema or {}, Prompt(text)), ensure_ascii=False)),)
    if request.output.form == "json":
        return (Text(text=as_json(text)),)
    last = request.messages[-1] if request.messages else None
    if last is not None and last.role == "tool":
        return (Text(text="\n".join(_told(part) for part in last.parts if isinstance(part, ToolResult))),)
    seen = [_seen(part) for part in last.parts if isinstance(part, Media)] if last else []
    return (Text(text="\n".join([text, *seen]).strip() or "Hello from the sandbox."),)


def as_json(text: str) -> str:
    """The text itself where it is a JSON object, else an object that holds it."""
    try:
        if isinstance(json.loads(text), dict):
            return text
    except (ValueError, RecursionError):
        pass
    return json.dumps({"echo": text}, ensure_ascii=False)


def _told(result: ToolResult) -> str:
    text = "\n".join(
        part.text if isinstance(part, Text) else _seen(part) for part in result.parts if not isinstance(part, Opaque)
    )
    return f"{result.name or 'The tool'} {'failed' if result.is_error else 'answered'}: {text}"


def _seen(part: Media) -> str:
    match part.source:
        case Bytes(base64=data):
            what = f"{part.media_type or part.kind}, {len(data) * 3 // 4 - data[-2:].count('=')} bytes"
        case FileRef(id=file_id):
            what = f"{part.kind} {file_id}"
        case source:
            what = f"{part.kind} {source.url}"
    return f"[{part.name + ': ' if part.name else ''}{what}]"


def tool_calls(request: ChatRequest) -> tuple[ToolCall, ...]:
    """The calls that this request makes any sandbox model make."""
    offered = [tool for tool in request.tools if isinstance(tool, FunctionTool)]
    choice = request.tool_choice
    last = request.messages[-1] if request.messages else None
    if not offered or choice.mode == "none" or last is None:
        return ()
    text = question(request)
    if last.role != "tool":
        names = {tool.name for tool in offered}
        found = (_CALL_LINE.fullmatch(line.strip()) for line in text.split("\n") if line.lstrip().startswith("call "))
        lines = [match for match in found if match and match[1] in names]
        if lines:
            return tuple(_call(place, match[1], match[2] or "{}") for place, match in enumerate(lines))
    allowed = [tool for tool in offered if not choice.names or tool.name in choice.names]
    if choice.mode == "required" and allowed:
        return (forced(0, allowed[0], text),)
    if last.role != "tool" and len(offered) == 1 and _fits(offered[0], text):
        return (forced(0, offered[0], text),)
    return ()


def forced(place: int, tool: FunctionTool, text: str) -> ToolCall:
    """A call of this tool, with arguments that fit its schema."""
    arguments = fill(tool.schema or {"type": "object"}, Prompt(text))
    return _call(place, tool.name, json.dumps(arguments, ensure_ascii=False))


def _call(place: int, name: str, arguments: str) -> ToolCall:
    mark = zlib.crc32((name + arguments).encode("utf-8", "replace"))
    return ToolCall(id=f"call_sandbox_{place}_{mark:08x}", name=name, arguments=arguments)


def _fits(tool: FunctionTool, text: str) -> bool:
    """Whether a question plainly asks for a tool: it shares a telling word with the tool's name."""
    name = re.sub(r"([a-z])([A-Z])", r"\1 \2", tool.name).replace("_", " ").lower()
    telling = set(_WORDS.findall(name)) - _EMPTY_WORDS
    words = set(_WORDS.findall(text.lower()))
    return bool(telling & words or {word + "s" for word in telling} & words)


def choice(parts: tuple[Part, ...], limit: int | None, stop: tuple[str, ...], finish: Finish | None) -> Choice:
    """The parts as a choice: cut at a stop sequence, then at the limit."""
    left = limit if limit is not None else 1 << 62
    kept: list[Part] = []
    reason = finish or Finish(reason="tool_calls" if any(isinstance(p, ToolCall) for p in parts) else "stop")
    for part in parts:
        if isinstance(part, Text) and stop:
            ends = [at for at in (part.text.find(word) for word in stop if word) if at >= 0]
            part = replace(part, text=part.text[: min(ends)]) if ends else part
        used = _part_tokens(part)
        if used > left:
            reason = Finish(reason="length")
            if left and not isinstance(part, ToolCall):
                kept.append(_cut(part, left))
            break
        left -= used
        kept.append(part)
    return Choice(parts=tuple(kept), finish=reason)


def _cut(part: Part, limit: int) -> Part:
    if isinstance(part, Text | Reasoning | Refusal):
        return replace(part, text="".join(piece for _, piece in zip(range(limit), pieces(part.text), strict=False)))
    return part


def usage(input_tokens: int, choices: tuple[Choice, ...]) -> Usage:
    spoken = [part for one in choices for part in one.parts]
    return Usage(
        input=input_tokens,
        cached=0,
        output=sum(map(_part_tokens, spoken)),
        reasoning=sum(_part_tokens(part) for part in spoken if isinstance(part, Reasoning)),
    )
