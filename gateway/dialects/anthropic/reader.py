"""A provider's Messages stream as neutral events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...call import Fault
from ...neutral.events import ChoiceEnd, Event, PartDelta, PartEnd, PartStart, ReplyEnd, ReplyStart, UsageSeen
from ...neutral.parts import Citation, Opaque, Part, Reasoning, Refusal, Text, ToolCall
from ...sse import Event as Frame
from .. import shapes
from ..passing import parsed
from ..shapes import dumps, members
from .errors import fault_in_reply
from .parts import NAME, citation, citations, given, made_here, opaque, spanned
from .reply import explanation, finish, usage


class _Block:
    """One block as it comes in. part: its number · values: as it began · begun: the same as a part · said: characters
    of its text so far · json: pieces of the `input` of a block that only this dialect knows."""

    def __init__(self, part: int, values: dict[str, Any], begun: Part) -> None:
        self.part, self.values, self.begun = part, values, begun
        self.said = 0
        self.signature = ""
        self.citations: list[Citation] = []
        self.json: list[str] = []


class MessagesReader:
    """See `base.Reader`."""

    def __init__(self) -> None:
        self._begun = self._finished = self._ended = False
        self._open: dict[Any, _Block] = {}
        self._parts = 0
        self._calls = False
        self._usage: dict[str, Any] = {}

    def push(self, frame: Frame) -> Iterator[Event]:
        assert frame.data is not None
        if self._ended or frame.data == b"[DONE]":
            return
        values = parsed(frame.data)
        kind = values.get("type", frame.name)
        if kind == "error" or frame.name == "error":
            raise fault_in_reply(values)
        if kind == "message_start":
            yield from self._start(values.get("message"))
            return
        if kind == "ping":
            return
        if not self._begun:
            raise Fault("malformed")
        match kind:
            case "content_block_start":
                yield from self._open_block(shapes.whole(values.get("index")), values.get("content_block"))
            case "content_block_delta":
                yield from self._delta(shapes.whole(values.get("index")), values.get("delta"))
            case "content_block_stop":
                yield from self._close(shapes.whole(values.get("index")))
            case "message_delta":
                yield from self._finish(values)
            case "message_stop":
                if not self._finished and not self._parts:
                    raise Fault("malformed")  # nothing was said
                if not self._finished:
                    yield from self._finish({"delta": {"stop_reason": "end_turn"}})
                self._ended = True
                yield ReplyEnd()

    def end(self) -> Iterator[Event]:
        """Every vendor of this dialect sends the terminal frame."""
        if not self._ended:
            raise Fault("malformed")
        return iter(())

    def _start(self, message: Any) -> Iterator[Event]:
        if not isinstance(message, dict):
            raise Fault("malformed")
        if self._begun:
            return
        self._begun = True
        yield ReplyStart(
            id=shapes.text(message.get("id")) or "", model=shapes.text(message.get("model")) or "", created=0
        )
        yield from self._count(message.get("usage"))

    def _count(self, found: Any) -> Iterator[Event]:
        if isinstance(found, dict):
            self._usage |= {name: value for name, value in found.items() if value is not None}
        seen = usage(self._usage)
        if seen is not None:
            yield UsageSeen(usage=seen)

    def _open_block(self, index: int | None, values: Any) -> Iterator[Event]:
        if not isinstance(values, dict) or index in self._open:
            raise Fault("malformed")
        block = _Block(self._parts, values, _begun(values))
        self._open[index] = block
        if isinstance(block.begun, Opaque):
            return  # it is said when it is whole
        self._parts += 1
        self._calls = self._calls or (isinstance(block.begun, ToolCall) and block.begun.ran_by is None)
        block.citations = list(citations(values.get("citations")))
        yield PartStart(choice=0, index=block.part, part=block.begun)
        yield from self._text(block, values.get("text") or values.get("thinking"))
        block.signature = shapes.text(values.get("signature")) or ""

    def _text(self, block: _Block, text: Any) -> Iterator[Event]:
        if isinstance(text, str) and text:
            block.said += len(text)
            yield PartDelta(choice=0, index=block.part, text=text)

    def _delta(self, index: int | None, delta: Any) -> Iterator[Event]:
        block = self._open.get(index)
        if block is None or not isinstance(delta, dict):
            raise Fault("malformed")
        if isinstance(block.begun, Opaque):
            _grow(block, delta)
            return
        match delta:
            case {"type": "text_delta", "text": text} | {"type": "thinking_delta", "thinking": text}:
                yield from self._text(block, text)
            case {"type": "input_json_delta", "partial_json": text}:
                yield from self._text(block, text)
            case {"type": "signature_delta", "signature": str(signature)}:
                block.signature += signature
            case {"type": "citations_delta", "citation": dict(one)}:
                block.citations.append(citation(one))

    def _close(self, index: int | None) -> Iterator[Event]:
        block = self._open.pop(index, None)
        if block is None:
            raise Fault("malformed")
        part = block.begun
        if isinstance(part, Opaque):
            grown = _grown(block)
            if grown == Reasoning(text="", redacted=True):
                return  # its seal is all that such a thought is
            block.part, self._parts = self._parts, self._parts + 1
            yield PartStart(choice=0, index=block.part, part=grown)
        elif isinstance(part, ToolCall) and not block.said:
            yield PartDelta(choice=0, index=block.part, text=dumps(members(block.values.get("input"))))
        seal = made_here(block.signature) if isinstance(part, Reasoning) else None
        yield PartEnd(choice=0, index=block.part, seal=seal, citations=spanned(block.citations, block.said))

    def _finish(self, values: dict[str, Any]) -> Iterator[Event]:
        delta = values.get("delta")
        if not isinstance(delta, dict) or delta.get("stop_reason") is None or self._finished:
            yield from self._count(values.get("usage"))
            return
        for index in list(self._open):
            yield from self._close(index)
        explained = explanation(delta)
        if explained and not self._parts:
            yield PartStart(choice=0, index=0, part=Refusal(text=""))
            yield PartDelta(choice=0, index=0, text=explained)
            yield PartEnd(choice=0, index=0)
        self._finished = True
        yield ChoiceEnd(choice=0, finish=finish(delta, self._calls))
        yield from self._count(values.get("usage"))


def _begun(values: dict[str, Any]) -> Part:
    """A block as the part that its deltas will fill."""
    match values:
        case {"type": "text"}:
            return Text(text="")
        case {"type": "thinking"}:
            return Reasoning(text="")
        case {"type": "tool_use", "id": str(call_id), "name": str(name)}:
            return ToolCall(id=call_id, name=name, arguments="")
        case {"type": "server_tool_use", "id": str(call_id), "name": str(name)}:
            return ToolCall(id=call_id, name=name, arguments="", ran_by=NAME)
        case _:
            return opaque(values)


def _grow(block: _Block, delta: dict[str, Any]) -> None:
    """Take a delta of a block that only this dialect knows: text is added, all else replaced."""
    for name, value in delta.items():
        if name == "partial_json" and isinstance(value, str):
            block.json.append(value)
        elif name != "type":
            old = block.values.get(name)
            block.values[name] = old + value if isinstance(old, str) and isinstance(value, str) else value


def _grown(block: _Block) -> Part:
    if text := "".join(block.json):
        try:
            block.values["input"] = parsed(text.encode())
        except Fault:
            block.values["input"] = {}
    return given(block.values)


def reader() -> MessagesReader:
    return MessagesReader()
