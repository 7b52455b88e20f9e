"""Everything that a request can ask for and a dialect may be unable to say: one row each.

`used` finds which of them a request uses. Each dialect's `can.py` has a verdict for every row, and the name of its own
field for it; a missing cell fails a test. `docs/translation.md` is printed from both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from .parts import Bytes, FileRef, Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult, Url
from .request import ChatRequest, CustomTool, FunctionTool, HostedTool

Verdict = Literal["express", "reshape", "drop", "refuse"]
"""express: said as it is · reshape: said in another way, with the same meaning · drop: left out and listed (tuning) ·
refuse: cannot be said and would be missed (meaning)."""


class Feature(NamedTuple):
    name: str
    meaning: str


FEATURES = (
    Feature("system", "a system message before the conversation"),
    Feature("developer", "a developer message"),
    Feature("mid_system", "a system or developer message within the conversation"),
    Feature("participant_name", "the name of who speaks in a message"),
    Feature("image_bytes", "an image in the body"),
    Feature("image_url", "an image by its address"),
    Feature("image_detail", "how closely to look at an image"),
    Feature("pdf_bytes", "a PDF in the body"),
    Feature("text_file_bytes", "a text file in the body"),
    Feature("other_file_bytes", "a file of another kind in the body"),
    Feature("file_url", "a file by its address"),
    Feature("file_ref", "a file that was uploaded before"),
    Feature("file_name", "the name of a file"),
    Feature("audio_in", "sound as input"),
    Feature("video_in", "a film as input"),
    Feature("cache", "marks of what to keep in the prompt cache"),
    Feature("reasoning", "earlier thoughts of the model in the conversation"),
    Feature("refusal", "an earlier refusal in the conversation"),
    Feature("citations", "citations of earlier answers"),
    Feature("prefill", "the beginning of the answer, given as a last assistant message"),
    Feature("opaque", "an item that only its own dialect knows"),
    Feature("tools", "functions of the caller's"),
    Feature("tool_strict", "arguments held to the schema"),
    Feature("custom_tools", "tools that take free text"),
    Feature("custom_tool_form", "a grammar for a tool's free text"),
    Feature("hosted_tools", "tools that the provider runs, and no others"),
    Feature("hosted_tools_beside", "tools that the provider runs, beside functions of the caller's"),
    Feature("tool_choice_required", "any tool must be called"),
    Feature("tool_choice_named", "one tool must be called"),
    Feature("tool_choice_allowed", "only some tools may be called"),
    Feature("tool_choice_none", "no tool may be called"),
    Feature("parallel_off", "at most one tool call at a time"),
    Feature("tool_result_media", "images or files as a tool's result"),
    Feature("tool_result_error", "a tool's result marked as failed"),
    Feature("json_object", "an answer that is any JSON object"),
    Feature("json_schema", "an answer that fits a JSON schema"),
    Feature("image_out", "images in the answer"),
    Feature("audio_out", "sound in the answer"),
    Feature("verbosity", "how wordy the answer is"),
    Feature("limit", "an output limit"),
    Feature("no_output", "no output at all, to fill the prompt cache"),
    Feature("n", "several answers"),
    Feature("stop", "stop sequences"),
    Feature("stop_many", "more than four stop sequences"),
    Feature("temperature", "temperature"),
    Feature("temperature_high", "a temperature above 1"),
    Feature("top_p", "nucleus sampling"),
    Feature("top_k", "sampling among the k likeliest"),
    Feature("seed", "a seed"),
    Feature("presence_penalty", "a presence penalty"),
    Feature("frequency_penalty", "a frequency penalty"),
    Feature("logprobs", "log probabilities of the output"),
    Feature("thinking_off", "no thinking"),
    Feature("thinking_budget", "a budget of thinking tokens"),
    Feature("thinking_adaptive", "thinking as the model sees fit"),
    Feature("effort", "a reasoning effort"),
    Feature("thoughts_shown", "thoughts or their summary in the answer"),
    Feature("end_user", "an id of the end user"),
    Feature("metadata", "labels of the caller's"),
    Feature("tier", "a service tier"),
    Feature("bare_reasoning", "earlier thoughts that carry no seal of their maker"),
)
NAMES = tuple(feature.name for feature in FEATURES)
MEANING = frozenset({"n", "stop", "stop_many", "prefill"})
"""What would be missed where a model lacks it, though its dialect has words for it. All else that models lack tunes."""

ANSWERS = (
    Feature("image", "an image"),
    Feature("image_url", "an image by its address"),
    Feature("audio", "sound"),
    Feature("video", "a film"),
    Feature("file", "another file, or one by its address"),
)
"""Media that an answer may hold. Which of them a dialect shows its clients is in its `can.py`, as SHOWS."""


def shown(part: Media) -> str:
    """The name of what a medium in an answer is, among ANSWERS."""
    if isinstance(part.source, Bytes):
        return part.kind
    return "image_url" if part.kind == "image" and isinstance(part.source, Url) else "file"


def used(request: ChatRequest) -> frozenset[str]:
    """The names of the features that a request uses."""
    return frozenset((*_messages(request), *_tools(request), *_answer(request), *_tuning(request)))


def _messages(request: ChatRequest) -> Iterator[str]:
    begun = False
    for message in request.messages:
        if message.role in ("system", "developer"):
            yield "mid_system" if begun else message.role
        else:
            begun = True
        if message.name is not None and message.role != "tool":
            yield "participant_name"
        for part in message.parts:
            yield from _part(part)
    last = request.messages[-1] if request.messages else None
    if last is not None and last.role == "assistant" and not any(isinstance(p, ToolCall) for p in last.parts):
        yield "prefill"


def _part(part: Part) -> Iterator[str]:
    if part.cache is not None:
        yield "cache"
    match part:
        case Text(citations=citations):
            if citations:
                yield "citations"
        case Media():
            yield from _media(part)
        case Reasoning(seal=seal):
            yield "reasoning"
            if seal is None:
                yield "bare_reasoning"
        case Refusal():
            yield "refusal"
        case Opaque():
            yield "opaque"
        case ToolCall(custom=custom):
            if custom:
                yield "custom_tools"
        case ToolResult(parts=parts, is_error=failed):
            if failed:
                yield "tool_result_error"
            if any(isinstance(inner, Media) for inner in parts):
                yield "tool_result_media"
            for inner in parts:
                yield from _part(inner)


def _media(part: Media) -> Iterator[str]:
    match part.source:
        case FileRef():
            yield "file_ref"
        case Url():
            yield {"image": "image_url", "audio": "audio_in", "video": "video_in"}.get(part.kind, "file_url")
        case Bytes():
            if part.kind == "file":
                kind = part.media_type or "application/pdf"
                text = kind.startswith("text/")
                yield "pdf_bytes" if kind == "application/pdf" else "text_file_bytes" if text else "other_file_bytes"
            else:
                yield {"image": "image_bytes", "audio": "audio_in", "video": "video_in"}[part.kind]
    if part.name is not None:
        yield "file_name"
    if part.detail is not None:
        yield "image_detail"


def _tools(request: ChatRequest) -> Iterator[str]:
    for tool in request.tools:
        match tool:
            case FunctionTool(strict=strict, cache=cache):
                yield "tools"
                if strict:
                    yield "tool_strict"
                if cache is not None:
                    yield "cache"
            case CustomTool(form=form):
                yield "custom_tools"
                if form is not None:
                    yield "custom_tool_form"
            case HostedTool():
                ours = any(not isinstance(other, HostedTool) for other in request.tools)
                yield "hosted_tools_beside" if ours else "hosted_tools"
    choice = request.tool_choice
    if choice.names and (choice.mode == "auto" or len(choice.names) > 1):
        yield "tool_choice_allowed"
    elif choice.mode == "required":
        yield "tool_choice_named" if choice.names else "tool_choice_required"
    elif choice.mode == "none" and request.tools:
        yield "tool_choice_none"
    if choice.parallel is False and request.tools:
        yield "parallel_off"


def _answer(request: ChatRequest) -> Iterator[str]:
    if request.output.form != "text":
        yield f"json_{'schema' if request.output.form == 'schema' else 'object'}"
    for kind in ("image", "audio"):
        if kind in request.output.modalities:
            yield f"{kind}_out"
    for name, value in (("verbosity", request.output.verbosity), ("limit", request.sampling.limit)):
        if value is not None:
            yield name
    if request.sampling.limit == 0:
        yield "no_output"
    thinking = request.thinking
    if thinking.mode == "off" or thinking.effort == "none":
        yield "thinking_off"
    elif thinking.effort is not None:
        yield "effort"
    if thinking.mode == "on" and thinking.budget is not None:
        yield "thinking_budget"
    if thinking.mode == "adaptive":
        yield "thinking_adaptive"
    if thinking.show:
        yield "thoughts_shown"


def _tuning(request: ChatRequest) -> Iterator[str]:
    sampling = request.sampling
    for name in ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty"):
        if getattr(sampling, name) is not None:
            yield name
    if sampling.temperature is not None and sampling.temperature > 1:
        yield "temperature_high"
    if sampling.n > 1:
        yield "n"
    if sampling.stop:
        yield "stop"
    if len(sampling.stop) > 4:
        yield "stop_many"
    if sampling.logprobs:
        yield "logprobs"
    for name, value in (("end_user", request.end_user), ("metadata", request.metadata or None)):
        if value is not None:
            yield name
    if request.tier not in (None, "auto", "default", "standard"):
        yield "tier"
