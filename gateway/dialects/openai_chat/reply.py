"""Chat replies, whole: metered and given the caller's names; rendered from neutral words; or cut into frames."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, assert_never

from ...call import Call, Fault, Meter
from ...neutral.parts import Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from ...neutral.reply import ChatReply, Choice, Finish, Usage
from ...splice import BadJson, edit, scan
from ...sse import write
from .errors import clean, fault_in_reply

DONE = b"data: [DONE]\n\n"
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


def whole(call: Call, body: bytes, meter: Meter) -> bytes:
    """A provider's whole reply as the caller gets it: only `id` and `model` change. Fills the meter; raises Fault."""
    try:
        found = scan(body)
    except BadJson as error:
        raise Fault("malformed") from error
    read(found.values, meter)
    return edit(found, {"id": json.dumps(call.id), "model": json.dumps(call.model, ensure_ascii=False)})


def read(values: Mapping[str, Any], meter: Meter) -> None:
    """Meter a whole reply. Raises Fault when it is none."""
    if values.get("error"):
        raise fault_in_reply(values["error"])
    choices = values.get("choices")
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
        raise Fault("malformed")
    meter.upstream_id = text_or_none(values.get("id"))
    meter.usage = usage(values)
    meter.finish = ",".join(finish_or_none(choice.get("finish_reason")) or "none" for choice in choices)
    for choice in choices:
        message = choice.get("message")
        if isinstance(message, dict):
            meter.out_bytes += said(message)
            made(message, meter)


def text_or_none(value: Any) -> str | None:
    """A provider's short text, such as an id, as it can be stored."""
    return clean(value, 255) if isinstance(value, str) else None


def finish_or_none(value: Any) -> str | None:
    """A finish reason: a word, whatever it is, and nothing else."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


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
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict):
        return sum(_bytes_in(inner) for name, inner in value.items() if name not in ("id", "type", "index"))
    return sum(map(_bytes_in, value)) if isinstance(value, list) else 0


def made(message: Mapping[str, Any], meter: Meter) -> None:
    """Note what a later request may refer to: the id of spoken audio."""
    audio = message.get("audio")
    if isinstance(audio, dict) and isinstance(audio.get("id"), str):
        meter.made.append(("audio", clean(audio["id"], 255)))


def usage(values: Mapping[str, Any]) -> Usage | None:
    """The usage of a reply or frame; None where there is none that can be believed.

    `cached` is inside `prompt_tokens`, `reasoning` inside `completion_tokens`. Groq streams put it under `x_groq`.
    """
    found = values.get("usage")
    if found is None and isinstance(values.get("x_groq"), dict):
        found = values["x_groq"].get("usage")
    if not isinstance(found, dict):
        return None
    given, taken = _tokens(found.get("prompt_tokens")), _tokens(found.get("completion_tokens"))
    if given is None or taken is None:
        return None
    inside, outside = found.get("prompt_tokens_details"), found.get("completion_tokens_details")
    inside, outside = inside if isinstance(inside, dict) else {}, outside if isinstance(outside, dict) else {}
    cached = inside.get("cached_tokens", found.get("prompt_cache_hit_tokens"))
    return Usage(
        input=given,
        cached=_tokens(cached),
        cache_written=_tokens(inside.get("cache_write_tokens")),
        audio_in=_tokens(inside.get("audio_tokens")),
        output=taken,
        reasoning=_tokens(outside.get("reasoning_tokens")),
        audio_out=_tokens(outside.get("audio_tokens")),
    )


def _tokens(value: Any) -> int | None:
    """A count that can be believed: a whole number from 0 on."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def frames(values: Mapping[str, Any], wants_usage: bool) -> Iterator[bytes]:
    """A whole reply as the frames of a stream, for a provider that answered a streamed request whole."""
    head = {name: value for name, value in values.items() if name not in ("choices", "usage", "object")}
    head["object"] = "chat.completion.chunk"
    for choice in values["choices"]:
        message, index = choice.get("message"), choice.get("index", 0)
        delta = dict(message) if isinstance(message, dict) else {}
        if isinstance(delta.get("tool_calls"), list):
            calls = [call for call in delta["tool_calls"] if isinstance(call, dict)]
            delta["tool_calls"] = [{"index": place, **call} for place, call in enumerate(calls)]
        known = ("index", "message", "delta", "finish_reason")  # Perplexity's whole answers have an empty `delta` too
        rest = {name: value for name, value in choice.items() if name not in known}
        yield _frame({**head, "choices": [{"index": index, "delta": delta, **rest, "finish_reason": None}]})
        last = {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
        yield _frame({**head, "choices": [last]})
    if wants_usage and "usage" in values:
        yield _frame({**head, "choices": [], "usage": values["usage"]})
    yield DONE


def _frame(values: Mapping[str, Any]) -> bytes:
    return write(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


_FINISH = {"stop": "stop", "length": "length", "tool_calls": "tool_calls", "filtered": "content_filter"}


def finish_word(finish: Finish) -> str:
    """The `finish_reason` of a choice."""
    return _FINISH.get(finish.reason, "stop")


def render(reply: ChatReply, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A reply from neutral words."""
    values: dict[str, Any] = {
        "id": reply.id,
        "object": "chat.completion",
        "created": reply.created,
        "model": reply.model,
        "choices": [_choice(index, choice) for index, choice in enumerate(reply.choices)],
    }
    if reply.usage is not None:
        values["usage"] = render_usage(reply.usage)
    return values


def _choice(index: int, choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    for part in choice.parts:
        _add(message, part)
    return {"index": index, "message": message, "logprobs": None, "finish_reason": finish_word(choice.finish)}


def _add(message: dict[str, Any], part: Part) -> None:
    match part:
        case Text(text=text):
            message["content"] = (message["content"] or "") + text
        case Reasoning(text=text):
            message["reasoning_content"] = message.get("reasoning_content", "") + text
        case Refusal(text=text):
            message["refusal"] = (message["refusal"] or "") + text
        case ToolCall(id=call_id, name=name, arguments=arguments):
            call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            message.setdefault("tool_calls", []).append(call)
        case Media() | ToolResult() | Opaque():
            pass  # Chat cannot say it; a loss in a reply never fails (Law 3)
        case _:
            assert_never(part)


def render_usage(usage: Usage) -> dict[str, Any]:
    given, taken = usage.input or 0, usage.output or 0
    return {
        "prompt_tokens": given,
        "completion_tokens": taken,
        "total_tokens": given + taken,
        "prompt_tokens_details": {"cached_tokens": usage.cached or 0, "audio_tokens": usage.audio_in or 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning or 0, "audio_tokens": usage.audio_out or 0,
        },
    }  # fmt: skip
