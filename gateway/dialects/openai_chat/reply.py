"""Chat replies, whole: metered and given the caller's names; read into neutral words and rendered from them; or cut
into frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, assert_never

from ...call import Call, Fault, Meter
from ...neutral.parts import (
    Bytes,
    Citation,
    Logprob,
    Media,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Url,
)
from ...neutral.reply import ChatReply, Choice, Finish, Reason
from ...splice import edit
from ...sse import write
from .. import shapes
from ..passing import names, scanned
from ..scale import size
from ..shapes import members, objects, packed
from . import thoughts
from .errors import fault_in_reply, told_error
from .parse import sealed
from .parts import (
    extra,
    identity,
    image,
    parse_call,
    parse_citations,
    parse_content,
    parse_images,
    parse_logprobs,
    render_call,
    render_citations,
    render_logprobs,
    sources,
)
from .usage import render_usage, usage

DONE = b"data: [DONE]\n\n"


def whole(call: Call, body: bytes, meter: Meter) -> bytes:
    """A provider's whole reply as the caller gets it: only `id` and `model` change. Fills the meter; raises Fault."""
    found = scanned(body)
    read(found.values, meter)
    return edit(found, names(call))


def read(values: Mapping[str, Any], meter: Meter) -> None:
    """Meter a whole reply. Raises Fault when it is none."""
    for choice in measured(values, meter):
        message = choice.get("message")
        if isinstance(message, dict):
            meter.out_bytes += said(message)
            made(message, meter)


def measured(values: Mapping[str, Any], meter: Meter) -> list[dict[str, Any]]:
    """The choices of a whole reply, all but what they say metered. Raises Fault when it is none."""
    choices = chosen(values)
    meter.upstream_id = shapes.short(values.get("id"))
    meter.usage = usage(values)
    meter.finish = ",".join(shapes.word(choice.get("finish_reason")) or "none" for choice in choices)
    return choices


def chosen(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The choices of a whole reply. Raises Fault when it is an error or none."""
    if problem := told_error(values):
        raise fault_in_reply(problem)
    choices = values.get("choices")
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
        raise Fault("malformed")
    for choice in choices:
        if choice.get("error"):
            raise fault_in_reply(choice["error"])
    return choices


_SAID = ("content", "reasoning_content", "reasoning", "refusal", "tool_calls", "function_call", "audio", "images")


def said(message: Mapping[str, Any]) -> int:
    """Bytes of output in a message or delta: text, reasoning, refusal, names and arguments of calls, sound."""
    total = 0
    for name in _SAID:
        value = message.get(name)
        if value:
            total += _bytes_in(value)
    return total


def _bytes_in(value: Any) -> int:
    if isinstance(value, str):
        return size(value)
    if isinstance(value, dict):
        return sum(_bytes_in(inner) for name, inner in value.items() if name not in ("id", "type", "index"))
    return sum(map(_bytes_in, value)) if isinstance(value, list) else 0


def made(message: Mapping[str, Any], meter: Meter) -> None:
    """Note what a later request may refer to: the id of spoken audio."""
    spoken = shapes.short(members(message.get("audio")).get("id"))
    if spoken is not None:
        meter.made.append(("audio", spoken))


def frames(values: Mapping[str, Any], wants_usage: bool) -> Iterator[bytes]:
    """A whole reply as the frames of a stream, for a provider that answered a streamed request whole."""
    head = {name: value for name, value in values.items() if name not in ("choices", "usage", "object")}
    head["object"] = "chat.completion.chunk"
    for choice in values["choices"]:
        message, index = choice.get("message"), choice.get("index", 0)
        delta = dict(members(message))
        if isinstance(delta.get("tool_calls"), list):
            delta["tool_calls"] = [{"index": place, **call} for place, call in enumerate(objects(delta["tool_calls"]))]
        known = ("index", "message", "delta", "finish_reason")  # Perplexity's whole answers have an empty `delta` too
        rest = {name: value for name, value in choice.items() if name not in known}
        yield frame({**head, "choices": [{"index": index, "delta": delta, **rest, "finish_reason": None}]})
        last = {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
        yield frame({**head, "choices": [last]})
    if wants_usage and "usage" in values:
        yield frame({**head, "choices": [], "usage": values["usage"]})
    yield DONE


def frame(values: Mapping[str, Any]) -> bytes:
    """A frame of Chat or of completions: they have no names."""
    return write(packed(values))


_FINISH: dict[Reason, str] = {
    "stop": "stop", "length": "length", "tool_calls": "tool_calls", "filtered": "content_filter",
}  # fmt: skip
_REASONS: dict[str, Reason] = {
    "stop": "stop", "eos": "stop", "end_turn": "stop", "stop_sequence": "stop",
    "length": "length", "max_tokens": "length", "model_length": "length",
    "tool_calls": "tool_calls", "function_call": "tool_calls", "tool_use": "tool_calls",
    "model_context_window_exceeded": "length", "content_filter": "filtered", "sensitive": "filtered",
    "error": "error", "network_error": "error", "insufficient_system_resource": "error",
}  # fmt: skip
"""What OpenAI, Together (`eos`), Mistral (`model_length`), Z.AI (`sensitive`, `network_error`,
`model_context_window_exceeded`), DeepSeek (`insufficient_system_resource`) and others call the end."""


def finish_word(finish: Finish) -> str:
    """The `finish_reason` of a choice."""
    return _FINISH.get(finish.reason, "stop")


def parse_finish(value: Any, *, calls: bool) -> Finish:
    """Why a choice ended. A forced call ends with `stop` at OpenAI; some say nothing."""
    word = shapes.word(value)
    reason: Reason = _REASONS.get(word, "other") if word is not None else "stop"
    if calls and reason in ("stop", "other"):
        reason = "tool_calls"
    return Finish(reason=reason, raw=word)


def parse_reply(values: Mapping[str, Any]) -> ChatReply:
    """A provider's whole reply in neutral words. Raises Fault when it is an error or none."""
    choices = chosen(values)
    reply_id = shapes.text(values.get("id")) or ""
    beside = sources(values)
    return ChatReply(
        id=reply_id,
        model=shapes.text(values.get("model")) or "",
        created=created(values),
        choices=tuple(_parse_choice(choice, reply_id, place, beside) for place, choice in enumerate(choices)),
        usage=usage(values),
    )


def created(values: Mapping[str, Any]) -> int:
    """Unix seconds; some send them as a fraction."""
    at = values.get("created")
    return int(at) if isinstance(at, int | float) else 0


def _parse_choice(choice: Mapping[str, Any], reply_id: str, place: int, beside: list[dict[str, Any]]) -> Choice:
    message = members(choice.get("message"))
    sound = members(message.get("audio"))
    content = message.get("content") or sound.get("transcript")
    parts: list[Part] = [*thoughts.parse(message), *parse_content(content)]
    notes = message.get("annotations") or beside
    _tell(parts, parse_citations(notes), parse_logprobs(choice.get("logprobs")))
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        parts.append(Refusal(text=message["refusal"]))
    given = message.get("tool_calls")
    if not given and isinstance(message.get("function_call"), dict):
        given = [{"function": message["function_call"]}]
    for number, call in enumerate(shapes.listed(given)):
        made = parse_call(call, identity(reply_id, place, number))
        if made is not None:
            parts.append(made)
    parts = list(sealed(tuple(parts), message))
    parts += parse_images(message)
    if isinstance(sound.get("data"), str) and sound["data"]:
        parts.append(Media(kind="audio", source=Bytes(base64=sound["data"])))
    calls = any(isinstance(part, ToolCall) for part in parts)
    return Choice(parts=tuple(parts), finish=parse_finish(choice.get("finish_reason"), calls=calls))


def _tell(parts: list[Part], citations: tuple[Citation, ...], logprobs: tuple[Logprob, ...]) -> None:
    """Give citations and log probabilities to the text that they are of: the last one."""
    if not citations and not logprobs:
        return
    for at in reversed(range(len(parts))):
        part = parts[at]
        if isinstance(part, Text):
            parts[at] = replace(part, citations=citations, logprobs=logprobs)
            return
    if citations:
        parts.append(Text(text="", citations=citations))


def render(reply: ChatReply, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A reply from neutral words. asked: the client's body."""
    values: dict[str, Any] = {
        "id": reply.id,
        "object": "chat.completion",
        "created": reply.created,
        "model": reply.model,
        "choices": [_choice(index, choice, legacy(asked)) for index, choice in enumerate(reply.choices)],
    }
    if reply.usage is not None:
        values["usage"] = render_usage(reply.usage)
    return values


def legacy(asked: Mapping[str, Any]) -> bool:
    """Whether a client knows `functions` only, and is told of a call in `function_call`."""
    return bool(asked.get("functions")) and not asked.get("tools")


def _choice(index: int, choice: Choice, old: bool) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    for part in choice.parts:
        _add(message, part, old)
    for place, thought in enumerate(part for part in choice.parts if isinstance(part, Reasoning)):
        if thought.text:
            message["reasoning_content"] = message.get("reasoning_content", "") + thought.text
        items = thoughts.details(thought, place)
        if items:
            message.setdefault("reasoning_details", []).extend(items)
    logprobs = [one for part in choice.parts if isinstance(part, Text) for one in part.logprobs]
    if len(message) == 3 and message["refusal"] is None:
        message["content"] = message["content"] or ""  # nothing was said
    word = finish_word(choice.finish)
    word = "function_call" if old and word == "tool_calls" else word
    return {"index": index, "message": message, "logprobs": render_logprobs(logprobs), "finish_reason": word}


def _add(message: dict[str, Any], part: Part, old: bool) -> None:
    match part:
        case Text(text=text):
            before = message["content"] or ""
            notes = render_citations(part.citations, len(before), len(text))
            if notes:
                message.setdefault("annotations", []).extend(notes)
            if text:
                message["content"] = before + text
            if part.seal is not None:
                message["extra_content"] = extra(part.seal)
        case Refusal(text=text):
            message["refusal"] = (message["refusal"] or "") + text
        case ToolCall(ran_by=None) if old:
            message.setdefault("function_call", {"name": part.name, "arguments": part.arguments})
        case ToolCall(ran_by=None):
            message.setdefault("tool_calls", []).append(render_call(part))
        case Media(kind="image", source=Bytes() | Url()):
            message.setdefault("images", []).append(image(part))
        case Media(kind="audio", source=Bytes(base64=data)):
            message["audio"] = audio(data)
        case Media() | ToolCall() | ToolResult() | Opaque():
            pass  # Chat cannot say it; a loss in a reply never fails (Law 3)
        case Reasoning():
            pass  # its place among the thoughts counts
        case _:
            assert_never(part)


def audio(data: str) -> dict[str, Any]:
    """Sound in an answer. It has no id to be referred to by: what is behind it was not made by a Chat provider."""
    return {"id": "", "data": data, "transcript": "", "expires_at": 0}
