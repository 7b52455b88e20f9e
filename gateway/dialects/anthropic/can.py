"""What Messages can say of `neutral.features`, and its own field for each.

What depends on the model is in its profile: newer models take no sampling parameters and no budgets. There, and while a
model thinks, sampling parameters are left out; forced tools and an open tool loop without its thoughts leave thinking
out, since the vendor refuses both together.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...neutral.features import Verdict

_ROWS: dict[str, tuple[Verdict, str]] = {
    "system": ("express", "system"),
    "developer": ("reshape", "system"),
    "mid_system": ("reshape", "messages"),  # in place where the model takes it, else after the others in `system`
    "participant_name": ("drop", "messages.name"),
    "image_bytes": ("express", "messages.content.source"),
    "image_url": ("express", "messages.content.source"),
    "image_detail": ("drop", "messages.content.detail"),
    "pdf_bytes": ("express", "messages.content.source"),
    "text_file_bytes": ("express", "messages.content.source"),  # every kind of text as text/plain
    "other_file_bytes": ("refuse", "messages.content.source"),
    "file_url": ("express", "messages.content.source"),
    "file_ref": ("express", "messages.content.source.file_id"),
    "file_name": ("express", "messages.content.title"),
    "audio_in": ("refuse", "messages.content"),
    "video_in": ("refuse", "messages.content"),
    "cache": ("express", "cache_control"),
    "reasoning": ("express", "messages.content.thinking"),  # only what carries the provider's own seal can go back
    "refusal": ("reshape", "messages.content"),
    "citations": ("express", "messages.content.citations"),  # of this dialect; others' are left out
    "prefill": ("express", "messages"),
    "opaque": ("refuse", "messages.content"),
    "tools": ("express", "tools"),
    "tool_strict": ("express", "tools.strict"),
    "custom_tools": ("reshape", "tools"),
    "custom_tool_form": ("reshape", "tools"),
    "hosted_tools": ("refuse", "tools"),
    "hosted_tools_beside": ("drop", "tools"),
    "tool_choice_required": ("express", "tool_choice"),
    "tool_choice_named": ("express", "tool_choice"),
    "tool_choice_allowed": ("reshape", "tool_choice"),  # only those are offered
    "tool_choice_none": ("express", "tool_choice"),
    "parallel_off": ("express", "tool_choice.disable_parallel_tool_use"),
    "tool_result_media": ("express", "messages.content.content"),
    "tool_result_error": ("express", "messages.content.is_error"),
    "json_object": ("reshape", "output_config.format"),  # by a line in `system`: there is no such format
    "json_schema": ("express", "output_config.format"),  # objects closed, bounds told in words: see `schemas`
    "image_out": ("refuse", "modalities"),
    "audio_out": ("refuse", "modalities"),
    "verbosity": ("drop", "verbosity"),
    "limit": ("express", "max_tokens"),
    "no_output": ("express", "max_tokens"),
    "n": ("refuse", "n"),
    "stop": ("express", "stop_sequences"),
    "stop_many": ("express", "stop_sequences"),
    "temperature": ("express", "temperature"),
    "temperature_high": ("drop", "temperature"),  # 1, the most and the default
    "top_p": ("express", "top_p"),
    "top_k": ("express", "top_k"),
    "seed": ("drop", "seed"),
    "presence_penalty": ("drop", "presence_penalty"),
    "frequency_penalty": ("drop", "frequency_penalty"),
    "logprobs": ("refuse", "logprobs"),
    "thinking_off": ("express", "thinking"),
    "thinking_budget": ("express", "thinking.budget_tokens"),
    "thinking_adaptive": ("express", "thinking"),
    "effort": ("reshape", "output_config.effort"),
    "thoughts_shown": ("express", "thinking.display"),
    "end_user": ("express", "metadata.user_id"),
    "metadata": ("drop", "metadata"),
    "tier": ("drop", "service_tier"),
    "bare_reasoning": ("drop", "messages.content.thinking"),
}
CAN: Mapping[str, Verdict] = {name: verdict for name, (verdict, _) in _ROWS.items()}
FIELD: Mapping[str, str] = {name: field for name, (_, field) in _ROWS.items()}
SHOWS: frozenset[str] = frozenset()
"""Media in an answer that its clients are shown, of `neutral.features.ANSWERS`."""
