"""What Responses can say of `neutral.features`, and its own field for each."""

from __future__ import annotations

from collections.abc import Mapping

from ...call import Leg
from ...neutral.features import Verdict
from ...neutral.request import ChatRequest
from ..borne import lacking

_ROWS: dict[str, tuple[Verdict, str]] = {
    "system": ("express", "instructions"),
    "developer": ("express", "input"),
    "mid_system": ("express", "input"),
    "participant_name": ("drop", "input.name"),
    "image_bytes": ("express", "input.content.input_image"),
    "image_url": ("express", "input.content.input_image"),
    "image_detail": ("express", "input.content.input_image.detail"),
    "pdf_bytes": ("express", "input.content.input_file"),
    "text_file_bytes": ("express", "input.content.input_file"),
    "other_file_bytes": ("express", "input.content.input_file"),
    "file_url": ("express", "input.content.input_file.file_url"),
    "file_ref": ("express", "input.content.input_file.file_id"),
    "file_name": ("express", "input.content.input_file.filename"),
    "audio_in": ("refuse", "input.content.input_audio"),
    "video_in": ("refuse", "input.content.input_video"),
    "cache": ("drop", "prompt_cache_breakpoint"),
    "reasoning": ("express", "input.reasoning"),
    "refusal": ("express", "input.content.refusal"),
    "citations": ("reshape", "input.content.annotations"),
    "prefill": ("express", "input"),
    "opaque": ("refuse", "input"),
    "tools": ("express", "tools"),
    "tool_strict": ("express", "tools.strict"),
    "custom_tools": ("express", "tools"),
    "custom_tool_form": ("express", "tools.format"),
    "hosted_tools": ("refuse", "tools"),
    "hosted_tools_beside": ("drop", "tools"),
    "tool_choice_required": ("express", "tool_choice"),
    "tool_choice_named": ("express", "tool_choice"),
    "tool_choice_allowed": ("express", "tool_choice"),
    "tool_choice_none": ("express", "tool_choice"),
    "parallel_off": ("express", "parallel_tool_calls"),
    "tool_result_media": ("express", "input.output"),
    "tool_result_error": ("reshape", "input.output"),
    "json_object": ("express", "text.format"),
    "json_schema": ("express", "text.format"),
    "image_out": ("refuse", "tools"),
    "audio_out": ("refuse", "tools"),
    "verbosity": ("express", "text.verbosity"),
    "limit": ("express", "max_output_tokens"),
    "no_output": ("refuse", "max_output_tokens"),
    "n": ("refuse", "n"),
    "stop": ("refuse", "stop"),
    "stop_many": ("refuse", "stop"),
    "temperature": ("express", "temperature"),
    "temperature_high": ("express", "temperature"),
    "top_p": ("express", "top_p"),
    "top_k": ("drop", "top_k"),
    "seed": ("drop", "seed"),
    "presence_penalty": ("drop", "presence_penalty"),
    "frequency_penalty": ("drop", "frequency_penalty"),
    "logprobs": ("express", "top_logprobs"),
    "thinking_off": ("reshape", "reasoning.effort"),
    "thinking_budget": ("reshape", "reasoning.effort"),
    "thinking_adaptive": ("reshape", "reasoning.effort"),
    "effort": ("express", "reasoning.effort"),
    "thoughts_shown": ("express", "reasoning.summary"),
    "end_user": ("express", "user"),
    "metadata": ("express", "metadata"),
    "tier": ("express", "service_tier"),
    "bare_reasoning": ("drop", "input.reasoning"),
}
CAN: Mapping[str, Verdict] = {name: verdict for name, (verdict, _) in _ROWS.items()}
FIELD: Mapping[str, str] = {name: field for name, (_, field) in _ROWS.items()}
SHOWS: frozenset[str] = frozenset({"image"})
"""Media in an answer that its clients are shown, of `neutral.features.ANSWERS`."""


def lacks(request: ChatRequest, leg: Leg) -> frozenset[str]:
    """See `base.Dialect`."""
    return lacking(request, leg.profile)
