"""Replies of all four dialects, read into one plain summary. Own code: nothing of the gateway's takes part.

`whole` reads a JSON reply, `stream` the text of a streamed one (SSE, or Gemini's JSON array). Both give a `Reply`;
what has no place in it (citations, hosted tools' own steps, media) is not compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Said:
    """One answer. order: kinds of what was said, as it was said, equal neighbours as one."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    finish: str | None = None

    def note(self, kind: str) -> None:
        if not self.order or self.order[-1] != kind:
            self.order.append(kind)

    def say(self, kind: str, text: Any) -> None:
        if isinstance(text, str) and text:
            setattr(self, kind, getattr(self, kind) + text)
            self.note(kind)

    def call(self, name: str, arguments: Any) -> None:
        self.calls.append((name, arguments))
        self.note("call")


@dataclass
class Reply:
    """A reply. usage: input, output, cached, reasoning where told · error: its words; set when it broke off, too."""

    choices: list[Said] = field(default_factory=list)
    usage: dict[str, int] | None = None
    error: str | None = None
    id: str | None = None
    model: str | None = None


def parsed(arguments: Any) -> Any:
    """The arguments of a call as a value; text that is no JSON stays text, no text is no arguments."""
    if not isinstance(arguments, str):
        return {} if arguments is None else arguments
    if not arguments.strip():
        return {}
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def frames(text: str) -> Iterator[tuple[str | None, str]]:
    """(event, data) of each SSE frame with data."""
    for block in re.split(r"\r\n\r\n|\n\n|\r\r", text):
        lines = re.split(r"\r\n|\n|\r", block)
        data = [line[5:].removeprefix(" ") for line in lines if line.startswith("data:")]
        names = [line[6:].strip() for line in lines if line.startswith("event:")]
        if data:
            yield (names[-1] if names else None), "\n".join(data)


def whole(dialect: str, values: Any) -> Reply:
    return _WHOLE[dialect](values)


def stream(dialect: str, text: str) -> Reply:
    return _STREAM[dialect](text)


def _error_text(found: Any) -> str:
    if isinstance(found, dict):
        return str(found.get("message") or found.get("detail") or json.dumps(found))
    return str(found)


def _usage(found: Any, **places: str) -> dict[str, int] | None:
    """Counts by their places, such as `a.b`; what is not there is left out."""
    if not isinstance(found, dict):
        return None
    counts = {}
    for name, place in places.items():
        value: Any = found
        for step in place.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, int):
            counts[name] = value
    return counts


# Chat

_CHAT_FINISH = {
    "stop": "stop", "length": "length", "tool_calls": "tool_calls", "function_call": "tool_calls", "eos": "stop",
    "content_filter": "filtered", "end_turn": "stop", "error": "error",
}  # fmt: skip


def _chat_usage(values: dict[str, Any]) -> dict[str, int] | None:
    found = values.get("usage") or (values.get("x_groq") or {}).get("usage")
    counts = _usage(
        found, input="prompt_tokens", output="completion_tokens", cached="prompt_tokens_details.cached_tokens",
        reasoning="completion_tokens_details.reasoning_tokens",
    )  # fmt: skip
    if counts is not None and "cached" not in counts and isinstance(found.get("prompt_cache_hit_tokens"), int):
        counts["cached"] = found["prompt_cache_hit_tokens"]
    if counts and "input" in counts and "output" in counts and isinstance(found.get("total_tokens"), int):
        # what only the total counts: thoughts (xAI, Gemini's Chat endpoint) or sound (Mistral)
        rest = found["total_tokens"] - counts["input"] - counts["output"]
        if rest > 0 and rest == (found.get("prompt_tokens_details") or {}).get("audio_tokens"):
            counts["input"] += rest
        elif rest > 0 and (rest == counts.get("reasoning") or not found.get("completion_tokens_details")):
            counts["output"], counts["reasoning"] = counts["output"] + rest, rest
    return counts


def _chat_said(said: Said, message: dict[str, Any]) -> None:
    """The texts of a message or delta."""
    thought = next((message[n] for n in ("reasoning_content", "reasoning") if isinstance(message.get(n), str)), None)
    for part in message.get("reasoning_details") or () if not thought else ():
        said.say("reasoning", part.get("text") or part.get("summary"))
    said.say("reasoning", thought)
    content = message.get("content")
    for part in content if isinstance(content, list) else [content]:
        match part:
            case {"type": "thinking", "thinking": list(inner)}:
                for piece in inner:
                    said.say("reasoning", piece.get("text"))
            case {"type": "thinking", "thinking": inner}:
                said.say("reasoning", inner)
            case {"type": "refusal", "refusal": inner}:
                said.say("refusal", inner)
            case {"type": "text", "text": inner}:
                said.say("text", inner)
            case str():
                said.say("text", part)
    said.say("refusal", message.get("refusal"))


def _chat_call(call: dict[str, Any]) -> tuple[str, Any]:
    if call.get("type") == "custom" or "custom" in call:
        return call["custom"]["name"], {"input": call["custom"]["input"]}
    return call["function"]["name"], parsed(call["function"].get("arguments"))


def _chat_end(said: Said, reason: Any) -> None:
    if reason is not None:
        said.finish = _CHAT_FINISH.get(reason, "stop")
    if said.calls and said.finish == "stop":
        said.finish = "tool_calls"


def _chat_whole(values: dict[str, Any]) -> Reply:
    reply = Reply(id=values.get("id"), model=values.get("model"), usage=_chat_usage(values))
    if values.get("error"):
        reply.error = _error_text(values["error"])
    for choice in values.get("choices") or ():
        said, message = Said(), choice.get("message") or {}
        _chat_said(said, message)
        for call in message.get("tool_calls") or ():
            said.call(*_chat_call(call))
        if message.get("function_call"):
            said.call(message["function_call"]["name"], parsed(message["function_call"].get("arguments")))
        _chat_end(said, choice.get("finish_reason"))
        reply.choices.append(said)
    return reply


def _chat_stream(text: str) -> Reply:
    reply = Reply()
    saids: dict[int, Said] = {}
    calls: dict[tuple[int, Any], list[str]] = {}
    places: dict[tuple[int, Any], int] = {}
    for _, data in frames(text):
        if data == "[DONE]":
            break
        values = json.loads(data)
        if values.get("error"):
            reply.error = _error_text(values["error"])
            break
        reply.id, reply.model = reply.id or values.get("id"), reply.model or values.get("model")
        reply.usage = _chat_usage(values) or reply.usage
        for choice in values.get("choices") or ():
            index = choice.get("index", 0)
            said, delta = saids.setdefault(index, Said()), choice.get("delta") or {}
            _chat_said(said, delta)
            pieces = list(delta.get("tool_calls") or ())
            if delta.get("function_call"):
                pieces.append({"index": "legacy", "function": delta["function_call"]})
            for place, piece in enumerate(pieces):
                at = (index, piece.get("index", piece.get("id") or place))
                inner = piece.get("function") or piece.get("custom") or {}
                if at not in calls:
                    calls[at] = [inner.get("name") or ""]
                    places[at] = len(said.calls)
                    said.call("", "custom" if "custom" in piece else None)
                found = inner["input"] if "input" in inner else inner.get("arguments")
                calls[at].append(json.dumps(found) if isinstance(found, dict) else found or "")
            _chat_end(said, choice.get("finish_reason"))
    for at, (name, *written) in calls.items():
        calls_of = saids[at[0]].calls
        custom = calls_of[places[at]][1] == "custom"
        calls_of[places[at]] = (name, {"input": "".join(written)} if custom else parsed("".join(written)))
    reply.choices = [saids[index] for index in sorted(saids)]
    for said in reply.choices:
        _chat_end(said, None)
    if not reply.error and (not saids or any(said.finish is None for said in saids.values())):
        reply.error = "broke off"
    return reply


# Responses


def _responses_usage(values: dict[str, Any]) -> dict[str, int] | None:
    return _usage(
        values.get("usage"), input="input_tokens", output="output_tokens",
        cached="input_tokens_details.cached_tokens", reasoning="output_tokens_details.reasoning_tokens",
    )  # fmt: skip


def _responses_item(said: Said, item: dict[str, Any]) -> None:
    match item.get("type"):
        case "message":
            for part in item.get("content") or ():
                said.say("refusal", part.get("refusal"))
                if part.get("type") in ("output_text", "text"):
                    said.say("text", part.get("text"))
        case "reasoning":
            for part in (*(item.get("summary") or ()), *(item.get("content") or ())):
                said.say("reasoning", part.get("text"))
        case "function_call":
            said.call(item["name"], parsed(item.get("arguments")))
        case "custom_tool_call":
            said.call(item["name"], {"input": item.get("input")})


def _responses_end(reply: Reply, values: dict[str, Any]) -> None:
    said = reply.choices[0]
    reply.id, reply.model, reply.usage = values.get("id"), values.get("model"), _responses_usage(values)
    status = values.get("status")
    if status == "failed" or values.get("error"):
        reply.error = _error_text(values.get("error"))
    elif status == "incomplete":
        reason = (values.get("incomplete_details") or {}).get("reason")
        said.finish = "filtered" if reason == "content_filter" else "length"
    elif status in ("queued", "in_progress"):
        reply.error = "not yet answered"
    else:
        said.finish = "tool_calls" if said.calls else "stop"


def _responses_whole(values: dict[str, Any]) -> Reply:
    reply = Reply(choices=[Said()])
    if "output" not in values:
        reply.error = _error_text(values.get("error") or "no response")
        return reply
    for item in values.get("output") or ():
        _responses_item(reply.choices[0], item)
    _responses_end(reply, values)
    return reply


def _responses_stream(text: str) -> Reply:
    reply = Reply(choices=[Said()])
    for _, data in frames(text):
        if data == "[DONE]":
            break
        values = json.loads(data)
        match values.get("type"):
            case "response.output_item.done":
                _responses_item(reply.choices[0], values["item"])
            case "error":
                reply.error = _error_text(values.get("error") or values)
                break
            case "response.completed" | "response.incomplete" | "response.failed" | "response.done":
                _responses_end(reply, values["response"])
                return reply
    reply.error = reply.error or "broke off"
    return reply


# Messages (Anthropic)

_MESSAGES_FINISH = {
    "end_turn": "stop", "stop_sequence": "stop", "pause_turn": "paused", "max_tokens": "length",
    "model_context_window_exceeded": "length", "tool_use": "tool_calls", "refusal": "filtered",
}  # fmt: skip


def _messages_usage(found: Any) -> dict[str, int] | None:
    counts = _usage(
        found, input="input_tokens", output="output_tokens", cached="cache_read_input_tokens",
        written="cache_creation_input_tokens", reasoning="output_tokens_details.thinking_tokens",
    )  # fmt: skip
    if counts and "input" in counts:
        counts["input"] += counts.get("cached", 0) + counts.pop("written", 0)
        for one in found.get("iterations") or ():
            if one.get("type") == "compaction":  # told here only
                counts["input"] += (
                    one["input_tokens"] + one["cache_read_input_tokens"] + one["cache_creation_input_tokens"]
                )
                counts["output"] += one["output_tokens"]
    return counts


def _messages_block(said: Said, block: dict[str, Any]) -> None:
    match block.get("type"):
        case "text":
            said.say("text", block.get("text"))
        case "thinking":
            said.say("reasoning", block.get("thinking"))
        case "tool_use":
            said.call(block["name"], parsed(block.get("input")))


def _messages_whole(values: dict[str, Any]) -> Reply:
    if values.get("type") == "error":
        return Reply(error=_error_text(values.get("error")))
    said = Said()
    for block in values.get("content") or ():
        _messages_block(said, block)
    said.finish = _MESSAGES_FINISH.get(values.get("stop_reason") or "", "stop")
    said.say("refusal", (values.get("stop_details") or {}).get("explanation"))
    usage = _messages_usage(values.get("usage"))
    return Reply(choices=[said], usage=usage, id=values.get("id"), model=values.get("model"))


def _messages_stream(text: str) -> Reply:
    reply = Reply(choices=[Said()])
    said = reply.choices[0]
    blocks: dict[int, dict[str, Any]] = {}
    usage: dict[str, Any] = {}
    for _, data in frames(text):
        values = json.loads(data)
        match values.get("type"):
            case "message_start":
                reply.id, reply.model = values["message"].get("id"), values["message"].get("model")
                usage.update(values["message"].get("usage") or {})
            case "content_block_start":
                blocks[values["index"]] = {**values["content_block"], "json": ""}
            case "content_block_delta":
                block, delta = blocks[values["index"]], values["delta"]
                for name, to in (("text", "text"), ("thinking", "thinking"), ("partial_json", "json")):
                    block[to] = (block.get(to) or "") + (delta.get(name) or "")
            case "content_block_stop":
                block = blocks[values["index"]]
                if block["json"]:
                    block["input"] = parsed(block["json"])
                _messages_block(said, block)
            case "message_delta":
                said.finish = _MESSAGES_FINISH.get(values["delta"].get("stop_reason") or "", "stop")
                said.say("refusal", (values["delta"].get("stop_details") or {}).get("explanation"))
                usage.update({name: value for name, value in (values.get("usage") or {}).items() if value is not None})
            case "message_stop":
                reply.usage = _messages_usage(usage)
                return reply
            case "error":
                reply.error = _error_text(values.get("error"))
                return reply
    reply.error = "broke off"
    return reply


# Gemini

_GEMINI_FINISH = {
    "STOP": "stop", "MAX_TOKENS": "length", "FINISH_REASON_UNSPECIFIED": "stop", "OTHER": "other",
    "MALFORMED_FUNCTION_CALL": "other", "UNEXPECTED_TOOL_CALL": "other", "MISSING_THOUGHT_SIGNATURE": "other",
    "TOO_MANY_TOOL_CALLS": "other", "LANGUAGE": "other", "NO_IMAGE": "other", "IMAGE_OTHER": "other",
    "MALFORMED_RESPONSE": "other",
}  # fmt: skip
"""All others are filters."""


def _gemini_usage(values: dict[str, Any]) -> dict[str, int] | None:
    found = values.get("usageMetadata")
    counts = _usage(
        found, input="promptTokenCount", output="candidatesTokenCount", cached="cachedContentTokenCount",
        reasoning="thoughtsTokenCount", tools="toolUsePromptTokenCount",
    )  # fmt: skip
    if not counts or not {"input", "output", "reasoning"} & counts.keys():
        return None  # as in the first chunks of Vertex, which only name the kind of traffic
    counts["input"] = counts.get("input", 0) + counts.pop("tools", 0)
    counts["output"] = counts.get("output", 0) + counts.get("reasoning", 0)
    return counts


class _GeminiCalls:
    """The calls of one candidate, whose arguments may come in parts."""

    def __init__(self) -> None:
        self.open: list[Any] | None = None

    def take(self, said: Said, call: dict[str, Any]) -> None:
        if self.open is None:
            self.open = [call.get("name"), dict(call.get("args") or {})]
        for piece in call.get("partialArgs") or ():
            value = next((piece[n] for n in ("stringValue", "numberValue", "boolValue") if n in piece), None)
            _put(self.open[1], piece["jsonPath"], value)
        if not call.get("willContinue"):
            said.call(self.open[0], self.open[1])
            self.open = None


def _put(root: Any, path: str, value: Any) -> None:
    steps = [int(number) if number else name for name, number in re.findall(r"\.(\w+)|\[(\d+)\]", path)]
    at = root
    for place, step in enumerate(steps):
        last = place == len(steps) - 1
        if isinstance(step, int):
            while len(at) <= step:
                at.append(None)
        old = at[step] if isinstance(step, int) else at.get(step)
        if last:
            at[step] = old + value if isinstance(old, str) and isinstance(value, str) else value
        elif old is None:
            at[step] = [] if isinstance(steps[place + 1], int) else {}
        at = at[step]


def _gemini_chunks(chunks: list[Any], *, streamed: bool) -> Reply:
    reply = Reply()
    saids: dict[int, Said] = {}
    calls: dict[int, _GeminiCalls] = {}
    for values in chunks:
        if values.get("error"):
            reply.error = _error_text(values["error"])
            break
        reply.id, reply.model = reply.id or values.get("responseId"), reply.model or values.get("modelVersion")
        reply.usage = _gemini_usage(values) or reply.usage
        if not values.get("candidates") and (values.get("promptFeedback") or {}).get("blockReason"):
            saids.setdefault(0, Said()).finish = "filtered"
        for candidate in values.get("candidates") or ():
            index = candidate.get("index", 0)
            said = saids.setdefault(index, Said())
            for part in (candidate.get("content") or {}).get("parts") or ():
                said.say("reasoning" if part.get("thought") else "text", part.get("text"))
                if "functionCall" in part:
                    calls.setdefault(index, _GeminiCalls()).take(said, part["functionCall"])
            if candidate.get("finishReason"):
                word = {1: "STOP", 2: "MAX_TOKENS"}.get(candidate["finishReason"], candidate["finishReason"])
                said.finish = _GEMINI_FINISH.get(word, "filtered")
                if word == "UNEXPECTED_TOOL_CALL" and said.calls:
                    said.finish = "stop"  # to be told as what they are
    for said in saids.values():
        if said.calls and said.finish == "stop":
            said.finish = "tool_calls"
    reply.choices = [saids[index] for index in sorted(saids)]
    if reply.error is None and (not saids or (streamed and any(said.finish is None for said in saids.values()))):
        reply.error = "broke off"
    return reply


def _gemini_whole(values: dict[str, Any]) -> Reply:
    reply = _gemini_chunks([values], streamed=False)
    for said in reply.choices:
        said.finish = said.finish or ("tool_calls" if said.calls else "stop")
    return reply


def _gemini_stream(text: str) -> Reply:
    if text.lstrip().startswith("["):
        return _gemini_chunks(json.loads(text), streamed=True)
    return _gemini_chunks([json.loads(data) for _, data in frames(text)], streamed=True)


_WHOLE = {"chat": _chat_whole, "responses": _responses_whole, "messages": _messages_whole, "gemini": _gemini_whole}
_STREAM = {"chat": _chat_stream, "responses": _responses_stream, "messages": _messages_stream, "gemini": _gemini_stream}
