"""What Chat can say of `neutral.features`, and its own field for each."""

from __future__ import annotations

from collections.abc import Mapping

from ...call import Leg
from ...neutral.features import Verdict
from ...neutral.request import ChatRequest
from ..borne import lacking

_ROWS: dict[str, tuple[Verdict, str]] = {
    "system": ("express", "messages"),
    "developer": ("reshape", "messages"),
    "mid_system": ("express", "messages"),
    "participant_name": ("express", "messages.name"),
    "image_bytes": ("express", "messages.content.image_url"),
    "image_url": ("express", "messages.content.image_url"),
    "image_detail": ("express", "messages.content.image_url.detail"),
    "pdf_bytes": ("express", "messages.content.file"),
    "text_file_bytes": ("reshape", "messages.content.file"),
    "other_file_bytes": ("express", "messages.content.file"),
    "file_url": ("reshape", "messages.content.file"),
    "file_ref": ("express", "messages.content.file.file_id"),
    "file_name": ("express", "messages.content.file.filename"),
    "audio_in": ("express", "messages.content.input_audio"),
    "video_in": ("refuse", "messages.content.video_url"),
    "cache": ("drop", "cache_control"),
    "reasoning": ("reshape", "messages.reasoning_content"),
    "refusal": ("express", "messages.refusal"),
    "citations": ("drop", "messages.annotations"),
    "prefill": ("express", "messages"),
    "opaque": ("refuse", "messages.content"),
    "tools": ("express", "tools"),
    "tool_strict": ("express", "tools.function.strict"),
    "custom_tools": ("reshape", "tools.custom"),
    "custom_tool_form": ("reshape", "tools.custom.format"),
    "hosted_tools": ("refuse", "tools"),
    "hosted_tools_beside": ("drop", "tools"),
    "tool_choice_required": ("express", "tool_choice"),
    "tool_choice_named": ("express", "tool_choice"),
    "tool_choice_allowed": ("reshape", "tool_choice"),
    "tool_choice_none": ("express", "tool_choice"),
    "parallel_off": ("express", "parallel_tool_calls"),
    "tool_result_media": ("reshape", "messages.content"),
    "tool_result_error": ("reshape", "messages.content"),
    "json_object": ("express", "response_format"),
    "json_schema": ("express", "response_format"),
    "image_out": ("refuse", "modalities"),
    "audio_out": ("refuse", "modalities"),
    "verbosity": ("express", "verbosity"),
    "limit": ("express", "max_completion_tokens"),
    "no_output": ("refuse", "max_completion_tokens"),
    "n": ("express", "n"),
    "stop": ("express", "stop"),
    "stop_many": ("refuse", "stop"),
    "temperature": ("express", "temperature"),
    "temperature_high": ("express", "temperature"),
    "top_p": ("express", "top_p"),
    "top_k": ("drop", "top_k"),
    "seed": ("express", "seed"),
    "presence_penalty": ("express", "presence_penalty"),
    "frequency_penalty": ("express", "frequency_penalty"),
    "logprobs": ("express", "logprobs"),
    "thinking_off": ("reshape", "reasoning_effort"),
    "thinking_budget": ("reshape", "reasoning_effort"),
    "thinking_adaptive": ("reshape", "reasoning_effort"),
    "effort": ("express", "reasoning_effort"),
    "thoughts_shown": ("drop", "include_reasoning"),
    "end_user": ("express", "user"),
    "metadata": ("express", "metadata"),
    "tier": ("express", "service_tier"),
    "bare_reasoning": ("drop", "messages.reasoning_content"),
}
CAN: Mapping[str, Verdict] = {name: verdict for name, (verdict, _) in _ROWS.items()}
FIELD: Mapping[str, str] = {name: field for name, (_, field) in _ROWS.items()}
SHOWS: frozenset[str] = frozenset({"image", "image_url", "audio"})
"""Media in an answer that its clients are shown, of `neutral.features.ANSWERS`."""


def lacks(request: ChatRequest, leg: Leg) -> frozenset[str]:
    """See `base.Dialect`."""
    return lacking(request, leg.profile)
