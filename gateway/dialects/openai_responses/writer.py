"""Neutral events as the events that OpenAI sends, and whole replies as what those events add up to.

Texts of one run share a message item; a thought, a call, a picture is an item of its own. Calls may interleave, each
under its own `output_index`. A seal that belongs to a text or call follows it in a carrier (`seals.trailer`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from ...neutral.events import ChoiceEnd, Event, PartDelta, PartEnd, PartStart, ReplyEnd, ReplyStart, UsageSeen, unfold
from ...neutral.parts import (
    Bytes,
    Citation,
    Logprob,
    Media,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolCall,
    ToolResult,
)
from ...neutral.reply import ChatReply, Finish
from ...sse import write
from ..seals import alone, trailer
from ..shapes import listed, loads, objects, packed
from .items import NAME, UNSEALED, annotation, made_id, render_logprob, spaced, wrapped
from .reply import begun, render_usage, said_text


def writer(asked: Mapping[str, Any]) -> ResponsesWriter:
    return ResponsesWriter(asked)


def render_reply(reply: ChatReply, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A whole reply from neutral words, with `output_text` as the reference shows it."""
    made = ResponsesWriter(asked)
    for event in unfold(reply):
        made.write(event)
    return {**made.response, "output_text": said_text(made.response["output"])}


def _spaces(tools: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """The tools in the client's namespaces: by the one name that they have elsewhere, as it knows them."""
    for tool in listed(tools):
        match tool:
            case {"type": "namespace", "name": str(space), "tools": list(inner)}:
                for one in objects(inner):
                    if isinstance(one.get("name"), str):
                        yield spaced(space, one["name"]), {"name": one["name"], "namespace": space}


@dataclass(slots=True)
class _Open:
    """A part that is being told: its item, its place in it, and what was said of it."""

    part: Part
    place: int = -1
    index: int = 0
    pieces: list[str] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def begun(self) -> bool:
        return self.place >= 0

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class ResponsesWriter:
    """See `base.Writer`. response: the response as far as it has come."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self._asked = asked
        self._spaces = dict(_spaces(asked.get("tools")))
        self.response: dict[str, Any] = {}
        self._output: list[dict[str, Any]] = []
        self._parts: dict[int, _Open] = {}
        self._message: int | None = None  # the message item that takes texts
        self._speaking: set[int] = set()  # parts of it that have not ended
        self._number = 0

    def write(self, event: Event) -> bytes:
        match event:
            case ReplyStart(id=identity, model=model, created=at):
                self.response = begun(self._asked, identity, model, at)
                return self._state("created") + self._state("in_progress")
            case PartStart(choice=0, index=index, part=part):
                return self._start(index, part)
            case PartDelta(choice=0, index=index, text=text, logprobs=logprobs):
                return self._delta(index, text, logprobs)
            case PartEnd(choice=0, index=index, seal=seal, citations=citations):
                return self._end(index, seal, citations)
            case ChoiceEnd(choice=0, finish=finish):
                frames = self._close_message("incomplete" if finish.reason in ("length", "filtered") else "completed")
                self._conclude(finish)
                return frames
            case PartStart() | PartDelta() | PartEnd() | ChoiceEnd():
                return b""  # there is one answer here
            case UsageSeen(usage=usage):
                self.response["usage"] = render_usage(usage)
                return b""
            case ReplyEnd():
                self.response["output"] = self._output
                if self.response["status"] == "in_progress":  # no choice has ended
                    self.response["status"] = "completed"
                return self._state(self.response["status"])
            case _:
                assert_never(event)

    def _event(self, kind: str, **members: Any) -> bytes:
        values = {"type": f"response.{kind}", "sequence_number": self._number, **members}
        self._number += 1
        return write(packed(values), f"response.{kind}")

    def _state(self, kind: str) -> bytes:
        return self._event(kind, response=self.response)

    def _start(self, index: int, part: Part) -> bytes:
        opened = self._parts[index] = _Open(part)
        match part:
            case Text(text=text) | Refusal(text=text):
                return self._delta(index, text, ()) if text else b""
            case Reasoning(text=text):
                frames = self._close_message() + self._think(opened)
                return frames + (self._delta(index, text, ()) if text else b"")
            case ToolCall(ran_by=None, arguments=arguments):
                frames = self._close_message() + self._call(opened, part)
                return frames + (self._delta(index, arguments, ()) if arguments else b"")
            case Media(kind="image", source=Bytes(base64=data), media_type=kind):
                item = {
                    "type": "image_generation_call", "status": "completed", "result": data,
                    "output_format": (kind or "image/png").rpartition("/")[2],
                }  # fmt: skip
                return self._close_message() + self._whole("ig", item, {"status": "in_progress", "result": None})
            case Opaque(dialect=dialect, raw=raw) if dialect == NAME:
                return self._close_message() + self._whole("item", loads(raw), {})
            case ToolCall() | Media() | Opaque() | ToolResult():
                return b""  # it cannot be said here; a loss in a reply never fails (Law 3)
            case _:
                assert_never(part)

    def _whole(self, prefix: str, item: dict[str, Any], before: dict[str, Any]) -> bytes:
        """An item that is told at once."""
        item = item if item.get("id") else {"id": self._id(prefix), **item}
        place = self._add(item)
        return self._event("output_item.added", output_index=place, item={**item, **before}) + self._event(
            "output_item.done", output_index=place, item=item
        )

    def _id(self, prefix: str) -> str:
        return made_id(prefix, self.response.get("id", ""), len(self._output))

    def _add(self, item: dict[str, Any]) -> int:
        self._output.append(item)
        return len(self._output) - 1

    def _think(self, opened: _Open) -> bytes:
        item = {"id": self._id("rs"), "type": "reasoning", "summary": []}
        opened.place = self._add(item)
        return self._event("output_item.added", output_index=opened.place, item=dict(item))

    def _call(self, opened: _Open, part: ToolCall) -> bytes:
        kind, name = ("custom_tool_call", "input") if part.custom else ("function_call", "arguments")
        item = {
            "id": self._id("ctc" if part.custom else "fc"), "type": kind, "status": "in_progress", "call_id": part.id,
            **self._spaces.get(part.name, {"name": part.name}), name: "",
        }  # fmt: skip
        opened.place = self._add(item)
        return self._event("output_item.added", output_index=opened.place, item=dict(item))

    def _speak(self, index: int, opened: _Open) -> bytes:
        """Begin a text or refusal, in the open message or in a new one."""
        frames = b""
        if self._message is None:
            item = {
                "id": self._id("msg"),
                "type": "message",
                "status": "in_progress",
                "role": "assistant",
                "content": [],
            }
            self._message = self._add(item)
            frames = self._event("output_item.added", output_index=self._message, item={**item, "content": []})
        content = self._output[self._message]["content"]
        opened.place, opened.index = self._message, len(content)
        content.append(_content(opened.part, "", (), []))
        self._speaking.add(index)
        return frames + self._event("content_part.added", **self._where(opened), part=content[-1])

    def _where(self, opened: _Open) -> dict[str, Any]:
        where = {"item_id": self._output[opened.place]["id"], "output_index": opened.place}
        match opened.part:
            case Text() | Refusal():
                return {**where, "content_index": opened.index}
            case Reasoning(summary=True):
                return {**where, "summary_index": 0}
            case Reasoning():
                return {**where, "content_index": 0}
            case _:
                return where

    def _delta(self, index: int, text: str, logprobs: tuple[Logprob, ...]) -> bytes:
        opened = self._parts[index]
        part, frames = opened.part, b""
        if isinstance(part, Text | Refusal) and not opened.begun:
            frames = self._speak(index, opened)
        if not opened.begun:
            return b""
        rendered = [render_logprob(one) for one in logprobs]
        if isinstance(part, Reasoning) and not opened.pieces:
            frames = self._event(f"{_part_of(part)}.added", **self._where(opened), part=_thought(part, ""))
        opened.pieces.append(text)
        opened.logprobs += rendered
        more = {"logprobs": rendered} if isinstance(part, Text) else {}
        return frames + self._event(f"{_kind(part)}.delta", **self._where(opened), delta=text, **more)

    def _end(self, index: int, seal: Seal | None, citations: tuple[Citation, ...]) -> bytes:
        opened = self._parts[index]
        part = opened.part
        seal = seal or part.seal
        match part:
            case Text() if seal is not None and not opened.begun:
                return self._close_message() + self._carry(alone(seal))  # an empty text is there for its seal
            case Text() | Refusal():
                frames = b"" if opened.begun else self._speak(index, opened)
                frames += self._spoken(index, opened, citations)
                if seal is not None:
                    frames += self._close_message() + self._carry(trailer(seal))
                return frames
            case Reasoning():
                return self._thought(opened, part, seal)
            case ToolCall() if opened.begun:
                frames = self._called(opened, part)
                return frames + self._carry(trailer(seal)) if seal is not None else frames
            case _:
                return b""

    def _spoken(self, index: int, opened: _Open, citations: tuple[Citation, ...]) -> bytes:
        part, text, where = opened.part, opened.text, self._where(opened)
        cited = part.citations if isinstance(part, Text) else ()
        content = _content(part, text, (*cited, *citations), opened.logprobs)
        self._output[opened.place]["content"][opened.index] = content
        self._speaking.discard(index)
        frames = b""
        for number, one in enumerate(content.get("annotations", ())):
            frames += self._event("output_text.annotation.added", **where, annotation_index=number, annotation=one)
        more = {"text": text, "logprobs": opened.logprobs} if isinstance(part, Text) else {"refusal": text}
        frames += self._event(f"{_kind(part)}.done", **where, **more)
        return frames + self._event("content_part.done", **where, part=content)

    def _close_message(self, status: str = "completed") -> bytes:
        """End the message item, unless a part of it is still being told."""
        if self._message is None or self._speaking:
            return b""
        place, self._message = self._message, None
        self._output[place]["status"] = status
        return self._event("output_item.done", output_index=place, item=self._output[place])

    def _thought(self, opened: _Open, part: Reasoning, seal: Seal | None) -> bytes:
        item, frames = self._output[opened.place], b""
        if opened.pieces:
            inner = _thought(part, opened.text)
            where = self._where(opened)
            item["summary" if part.summary else "content"] = [inner]
            frames = self._event(f"{_kind(part)}.done", **where, text=opened.text)
            frames += self._event(f"{_part_of(part)}.done", **where, part=inner)
        item["encrypted_content"] = wrapped(part, seal) if seal is not None else UNSEALED
        return frames + self._event("output_item.done", output_index=opened.place, item=item)

    def _carry(self, thought: Reasoning) -> bytes:
        opened = _Open(thought)
        return self._think(opened) + self._thought(opened, thought, thought.seal)

    def _called(self, opened: _Open, part: ToolCall) -> bytes:
        item, text = self._output[opened.place], opened.text
        item["input" if part.custom else "arguments"] = text
        item["status"] = "completed"
        more = {"input": text} if part.custom else {"name": part.name, "arguments": text}
        return self._event(f"{_kind(part)}.done", **self._where(opened), **more) + self._event(
            "output_item.done", output_index=opened.place, item=item
        )

    def _conclude(self, finish: Finish) -> None:
        status = {"length": "incomplete", "filtered": "incomplete", "error": "failed"}.get(finish.reason, "completed")
        self.response["status"] = status
        if status == "incomplete":
            why = "max_output_tokens" if finish.reason == "length" else "content_filter"
            self.response["incomplete_details"] = {"reason": why}
        elif status == "failed":
            self.response["error"] = {"code": "server_error", "message": "The model's answer ended in an error."}
        self.response["output"] = self._output


def _kind(part: Part) -> str:
    """How the events of a part are called."""
    match part:
        case Text():
            return "output_text"
        case Refusal():
            return "refusal"
        case Reasoning(summary=summary):
            return "reasoning_summary_text" if summary else "reasoning_text"
        case ToolCall(custom=custom):
            return "custom_tool_call_input" if custom else "function_call_arguments"
        case _:
            raise TypeError(type(part).__name__)


def _part_of(part: Reasoning) -> str:
    return "reasoning_summary_part" if part.summary else "content_part"


def _thought(part: Reasoning, text: str) -> dict[str, Any]:
    return {"type": "summary_text" if part.summary else "reasoning_text", "text": text}


def _content(part: Part, text: str, citations: tuple[Citation, ...], logprobs: list[dict[str, Any]]) -> dict[str, Any]:
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": text}
    found = [annotation(citation, text) for citation in citations]
    return {
        "type": "output_text", "text": text, "annotations": [one for one in found if one is not None],
        "logprobs": logprobs,
    }  # fmt: skip
