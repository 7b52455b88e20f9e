"""Gemini replies in frames, from neutral events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, assert_never

from ...neutral.events import ChoiceEnd, Event, PartDelta, PartEnd, PartStart, ReplyEnd, ReplyStart, UsageSeen
from ...neutral.parts import Citation, Logprob, Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from ...neutral.reply import Finish, Usage
from ..shapes import packed
from . import citations
from .reply import finish_word, render_logprobs, render_part, render_usage
from .stream import write


def writer(asked: Mapping[str, Any]) -> GeminiWriter:
    return GeminiWriter()


class GeminiWriter:
    """Neutral events as the frames that Google sends. See `base.Writer`.

    Parts of one answer have no numbers, so they go out one after the other: what comes of a later one waits for the
    end of the one before. The last frame holds all reasons to end and the usage, and waits for the money.
    """

    def __init__(self) -> None:
        self._names: dict[str, Any] = {}
        self._usage: Usage | None = None
        self._answers: dict[int, _Answer] = {}

    def write(self, event: Event) -> bytes:
        match event:
            case ReplyStart(id=reply_id, model=model):
                self._names = {"modelVersion": model, "responseId": reply_id}
                return b""
            case PartStart(choice=choice) | PartDelta(choice=choice) | PartEnd(choice=choice):
                answer = self._answers.setdefault(choice, _Answer(choice))
                return b"".join(self._frame([candidate]) for candidate in answer.take(event))
            case ChoiceEnd(choice=choice, finish=finish):
                self._answers.setdefault(choice, _Answer(choice)).finish = finish
                return b""
            case UsageSeen(usage=seen):
                self._usage = seen
                return b""
            case ReplyEnd():
                return self._frame([self._answers[choice].last() for choice in sorted(self._answers)])
            case _:
                assert_never(event)

    def _frame(self, found: list[dict[str, Any]]) -> bytes:
        taken = {} if self._usage is None else {"usageMetadata": render_usage(self._usage)}
        return write(packed({"candidates": found, **taken, **self._names}))


class _Answer:
    """One answer: its parts in their order, of which the first that has not ended may speak."""

    def __init__(self, number: int) -> None:
        self.finish: Finish | None = None
        self._number = number
        self._waiting: dict[int, list[PartStart | PartDelta | PartEnd]] = {}
        self._part: Part = Text(text="")
        self._text: list[str] = []
        self._before: list[str] = []  # the texts before this one
        self._cited: tuple[str, tuple[Citation, ...]] = ("", ())  # of the last text, for the frame after it

    def take(self, event: PartStart | PartDelta | PartEnd) -> list[dict[str, Any]]:
        """The candidates of the frames that can go out now."""
        self._waiting.setdefault(event.index, []).append(event)
        found: list[dict[str, Any]] = []
        while self._waiting:
            index = next(iter(self._waiting))
            events, self._waiting[index] = self._waiting[index], []
            for one in events:
                candidate = self._say(one)
                if candidate is not None:
                    found.append(candidate)
            if not events or not isinstance(events[-1], PartEnd):
                break
            del self._waiting[index]
        return found

    def last(self) -> dict[str, Any]:
        """The candidate of the last frame."""
        end = self.finish or Finish(reason="stop")
        return {**self._candidate({"text": ""}), "finishReason": finish_word(end)}

    def _say(self, event: PartStart | PartDelta | PartEnd) -> dict[str, Any] | None:
        match event:
            case PartStart(part=part):
                self._part, self._text = part, []
                if isinstance(part, Text | Reasoning | Refusal):
                    return self._words(part.text, part.logprobs if isinstance(part, Text) else ())
                if isinstance(part, ToolCall):
                    self._text = [part.arguments]
                    return None
                return self._shown(part)
            case PartDelta(text=text, logprobs=chances):
                if isinstance(self._part, ToolCall):
                    self._text.append(text)
                    return None
                return self._words(text, chances)
            case PartEnd(seal=seal, citations=cited):
                return self._end(replace(self._part, seal=seal or self._part.seal), cited)
            case _:
                assert_never(event)

    def _words(self, text: str, chances: tuple[Logprob, ...]) -> dict[str, Any] | None:
        if not text and not chances:
            return None
        self._text.append(text)
        thinks = {"thought": True} if isinstance(self._part, Reasoning) else {}
        return {**self._candidate({"text": text, **thinks}), **render_logprobs(chances)}

    def _end(self, part: Part, cited: tuple[Citation, ...]) -> dict[str, Any] | None:
        match part:
            case Text():
                known = (*part.citations, *cited)
                closing = self._shown(replace(part, text="")) if part.seal is not None else None
                text = "".join(self._text)
                if known:  # their places count from the answer's beginning: in a stream parts have no number
                    before = "".join(self._before)
                    self._cited = (before + text, tuple(_moved(one, len(before)) for one in known))
                self._before.append(text)
                return closing
            case Reasoning() | Refusal():
                return self._shown(replace(part, text="")) if part.seal is not None else None
            case ToolCall():
                return self._shown(replace(part, arguments="".join(self._text)))
            case Media() | Opaque() | ToolResult():
                return None  # it was shown when it began
            case _:
                assert_never(part)

    def _shown(self, part: Part) -> dict[str, Any] | None:
        found = render_part(part)
        return None if found is None else self._candidate(found)

    def _candidate(self, part: dict[str, Any]) -> dict[str, Any]:
        (text, known), self._cited = self._cited, ("", ())
        return {
            "content": {"parts": [part], "role": "model"},
            "index": self._number,
            **citations.metadata([(None, text, known)]),
        }


def _moved(one: Citation, by: int) -> Citation:
    if one.start is None or one.end is None:
        return one
    return replace(one, start=one.start + by, end=one.end + by)
