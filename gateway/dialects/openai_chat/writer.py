"""Chat replies in frames, from neutral events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from ...neutral.events import ChoiceEnd, Event, PartDelta, PartEnd, PartStart, ReplyEnd, ReplyStart, UsageSeen
from ...neutral.parts import Bytes, Logprob, Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult, Url
from ...neutral.reply import Usage
from . import thoughts
from .parts import extra, image, render_call, render_citations, render_logprobs
from .reply import DONE, audio, finish_word, frame, legacy
from .request import wants_usage
from .usage import render_usage


def writer(asked: Mapping[str, Any]) -> ChatWriter:
    return ChatWriter(asked)


class ChatWriter:
    """Neutral events as the frames that OpenAI sends. See `base.Writer`."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self._wants_usage = wants_usage(asked)
        self._legacy = legacy(asked)
        self._head: dict[str, Any] = {}
        self._parts: dict[tuple[int, int], Part] = {}
        self._places: dict[tuple[int, int], int] = {}  # of calls and thoughts among their like
        self._shifts: dict[tuple[int, int], int] = {}  # characters of the choice's text before this one
        self._said: dict[int, int] = {}  # characters of text; one entry for each choice that has begun
        self._ended: set[int] = set()
        self._usage: Usage | None = None

    def write(self, event: Event) -> bytes:
        match event:
            case ReplyStart(id=reply_id, model=model, created=created):
                self._head = {"id": reply_id, "object": "chat.completion.chunk", "created": created, "model": model}
                return b""
            case PartStart(choice=choice, index=index, part=part):
                return self._start((choice, index), part)
            case PartDelta(choice=choice, index=index, text=text, logprobs=logprobs):
                return self._more((choice, index), text, logprobs)
            case PartEnd():
                return self._end(event)
            case ChoiceEnd(choice=choice, finish=finish):
                self._ended.add(choice)
                word = finish_word(finish)
                word = "function_call" if self._legacy and word == "tool_calls" else word
                return self._begin(choice, "") + self._frame(choice, {}, finish=word)
            case UsageSeen(usage=seen):
                self._usage = seen
                return self._tell_usage() if self._ended and self._said.keys() == self._ended else b""
            case ReplyEnd():
                return self._tell_usage() + DONE
            case _:
                assert_never(event)

    def _tell_usage(self) -> bytes:
        """Usage in a frame of its own, for who asked for it; what was seen before the end was not the last word."""
        seen, self._usage = self._usage, None
        if seen is None or not self._wants_usage:
            return b""
        return frame({**self._head, "choices": [], "usage": render_usage(seen)})

    def _begin(self, choice: int, content: str | None) -> bytes:
        if choice in self._said:
            return b""
        self._said[choice] = 0
        return self._frame(choice, {"role": "assistant", "content": content, "refusal": None})

    def _start(self, place: tuple[int, int], part: Part) -> bytes:
        choice = place[0]
        first = self._begin(choice, None if isinstance(part, ToolCall) else "")
        self._parts[place] = part
        match part:
            case Text(text=text) | Refusal(text=text):
                self._shifts[place] = self._said[choice]
                return first + self._more(place, text, part.logprobs if isinstance(part, Text) else ())
            case Reasoning(text=text):
                self._places[place] = self._like(choice, Reasoning)
                return first + self._more(place, text)
            case ToolCall(ran_by=None):
                self._places[place] = self._like(choice, ToolCall)
                return first + self._call(place, part)
            case Media(kind="image", source=Bytes() | Url()):
                return first + self._frame(choice, {"images": [image(part)]})
            case Media(kind="audio", source=Bytes(base64=data)):
                return first + self._frame(choice, {"audio": audio(data)})
            case Media() | ToolCall() | ToolResult() | Opaque():
                return first  # Chat cannot say it; a loss in a reply never fails (Law 3)
            case _:
                assert_never(part)

    def _like(self, choice: int, kind: type[Part]) -> int:
        """How many parts of a kind the choice had before this one."""
        return sum(1 for place in self._places if place[0] == choice and isinstance(self._parts[place], kind))

    def _call(self, place: tuple[int, int], part: ToolCall) -> bytes:
        number = self._places[place]
        if self._legacy:
            function = {"name": part.name, "arguments": part.arguments}
            return self._frame(place[0], {"function_call": function}) if number == 0 else b""
        return self._frame(place[0], {"tool_calls": [{"index": number, **render_call(part)}]})

    def _more(self, place: tuple[int, int], text: str, logprobs: tuple[Logprob, ...] = ()) -> bytes:
        part, choice = self._parts[place], place[0]
        match part:
            case Text() if text or logprobs:
                self._said[choice] += len(text)
                return self._frame(choice, {"content": text}, logprobs=render_logprobs(logprobs))
            case Refusal() if text:
                return self._frame(choice, {"refusal": text})
            case Reasoning() if text:
                item = thoughts.beginning(part, text, self._places[place])
                return self._frame(choice, {"reasoning_content": text, "reasoning_details": [item]})
            case ToolCall() if text and place in self._places:
                number = self._places[place]
                if self._legacy:
                    return self._frame(choice, {"function_call": {"arguments": text}}) if number == 0 else b""
                inner = {"custom": {"input": text}} if part.custom else {"function": {"arguments": text}}
                return self._frame(choice, {"tool_calls": [{"index": number, **inner}]})
            case _:
                return b""

    def _end(self, event: PartEnd) -> bytes:
        """What came with a part's end: its seal and its citations."""
        place = event.choice, event.index
        part = self._parts[place]
        seal = event.seal or part.seal
        match part:
            case Text():
                citations = (*part.citations, *event.citations)
                shift = self._shifts[place]
                notes = render_citations(citations, shift, self._said[event.choice] - shift)
                delta: dict[str, Any] = {"annotations": notes} if notes else {}
                if seal is not None:
                    delta["extra_content"] = extra(seal)
                return self._frame(event.choice, delta) if delta else b""
            case Reasoning() if seal is not None:
                items = thoughts.ending(part, seal, self._places[place])
                if part.summary and not part.redacted:
                    items = [thoughts.beginning(part, "", self._places[place]), *items]
                return self._frame(event.choice, {"reasoning_details": items}) if items else b""
            case ToolCall() if event.seal is not None and place in self._places and not self._legacy:
                inner = {"custom": {"input": ""}} if part.custom else {"function": {"arguments": ""}}
                call = {"index": self._places[place], **inner, "extra_content": extra(event.seal)}
                return self._frame(event.choice, {"tool_calls": [call]})
            case _:
                return b""

    def _frame(
        self, choice: int, delta: dict[str, Any], *, finish: str | None = None, logprobs: dict[str, Any] | None = None
    ) -> bytes:
        inner = {"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        usage = {"usage": None} if self._wants_usage else {}
        return frame({**self._head, "choices": [inner], **usage})
