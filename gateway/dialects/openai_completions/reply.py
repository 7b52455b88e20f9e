"""What comes back for a completion: passed on with the caller's names, or written from a chat's answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...call import Call, Meter
from ...neutral.events import ChoiceEnd, Event, PartDelta, PartStart, ReplyEnd, ReplyStart, UsageSeen
from ...neutral.parts import Part, Refusal, Text
from ...neutral.reply import ChatReply, Finish, Usage
from ...splice import edit
from ..openai_chat.reply import DONE, finish_word, frame, measured
from ..openai_chat.request import wants_usage
from ..openai_chat.stream import ChatFeed
from ..openai_chat.usage import render_usage
from ..passing import names, scanned
from ..scale import size


def whole(call: Call, body: bytes, meter: Meter) -> bytes:
    """A provider's whole reply as the caller gets it: only `id` and `model` change. Fills the meter; raises Fault."""
    found = scanned(body)
    _read(found.values, meter)
    return edit(found, names(call))


def _read(values: Mapping[str, Any], meter: Meter) -> None:
    """Meter a whole reply. Raises Fault when it is none."""
    texts = (choice.get("text") for choice in measured(values, meter))
    meter.out_bytes = sum(size(text) for text in texts if isinstance(text, str))


class CompletionFeed(ChatFeed):
    """A provider's stream of a completion: Chat's, with a text where Chat has a delta."""

    def says(self, choice: dict[str, Any]) -> bool:
        return bool(choice.get("text"))

    def take_whole(self, values: dict[str, Any]) -> list[bytes]:
        _read(values, self.meter)
        return list(_frames({**values, "id": self.call.id, "model": self.call.model}, self.call.ask.wants_usage))


def _frames(values: Mapping[str, Any], wants_usage: bool) -> Iterator[bytes]:
    """A whole reply as the frames of a stream, for a provider that answered a streamed request whole."""
    head = {name: value for name, value in values.items() if name not in ("choices", "usage")}
    for choice in values["choices"]:
        yield frame({**head, "choices": [choice]})
    if wants_usage and "usage" in values:
        yield frame({**head, "choices": [], "usage": values["usage"]})
    yield DONE


def feed(call: Call) -> CompletionFeed:
    """A streamed reply for the client."""
    return CompletionFeed(call)


def _choice(index: int, text: str, finish: Finish | None) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish and _word(finish)}


def _word(finish: Finish) -> str:
    word = finish_word(finish)
    return "stop" if word == "tool_calls" else word


def _text(part: Part) -> str | None:
    """What a part says in the completion; thoughts and calls are left out (Law 3)."""
    return part.text if isinstance(part, Text | Refusal) else None


def render_reply(reply: ChatReply, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A chat's answer as a completion."""
    values: dict[str, Any] = {
        "id": reply.id,
        "object": "text_completion",
        "created": reply.created,
        "model": reply.model,
        "choices": [
            _choice(index, "".join(_text(part) or "" for part in choice.parts), choice.finish)
            for index, choice in enumerate(reply.choices)
        ],
    }
    return values if reply.usage is None else {**values, "usage": render_usage(reply.usage)}


class CompletionWriter:
    """A chat's events as the frames of a completion. See `base.Writer`."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self._wants_usage = wants_usage(asked)
        self._head: dict[str, Any] = {}
        self._usage: Usage | None = None
        self._silent: set[tuple[int, int]] = set()  # parts that a completion does not show

    def write(self, event: Event) -> bytes:
        match event:
            case ReplyStart(id=reply_id, model=model, created=created):
                self._head = {"id": reply_id, "object": "text_completion", "created": created, "model": model}
            case PartStart(choice=choice, index=index, part=part):
                text = _text(part)
                if text is None:
                    self._silent.add((choice, index))
                elif text:
                    return self._tell(_choice(choice, text, None))
            case PartDelta(choice=choice, index=index, text=text):
                if text and (choice, index) not in self._silent:
                    return self._tell(_choice(choice, text, None))
            case ChoiceEnd(choice=choice, finish=finish):
                return self._tell(_choice(choice, "", finish))
            case UsageSeen(usage=seen):
                self._usage = seen
            case ReplyEnd():
                return self._tell_usage() + DONE
            case _:
                pass
        return b""

    def _tell_usage(self) -> bytes:
        if self._usage is None or not self._wants_usage:
            return b""
        return frame({**self._head, "choices": [], "usage": render_usage(self._usage)})

    def _tell(self, choice: dict[str, Any]) -> bytes:
        return frame({**self._head, "choices": [choice], **({"usage": None} if self._wants_usage else {})})


def writer(asked: Mapping[str, Any]) -> CompletionWriter:
    return CompletionWriter(asked)
