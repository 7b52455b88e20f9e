"""What Converse can say of `neutral.features`.

One API for the models of many makers: what only some of them take (thinking, marks for the cache) is said to those
whose profile tells so.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...neutral.features import Verdict

CAN: Mapping[str, Verdict] = {
    "system": "express",
    "developer": "reshape",
    "mid_system": "reshape",  # after the others in `system`: few models take the role
    "participant_name": "drop",
    "image_bytes": "express",
    "image_url": "reshape",
    "image_detail": "drop",
    "pdf_bytes": "express",
    "text_file_bytes": "express",
    "other_file_bytes": "express",
    "file_url": "reshape",
    "file_ref": "refuse",
    "file_name": "reshape",  # in letters that the vendor takes
    "audio_in": "express",
    "video_in": "express",
    "cache": "express",
    "reasoning": "express",  # only what carries the provider's own seal can go back
    "refusal": "reshape",
    "citations": "drop",
    "prefill": "express",
    "opaque": "refuse",
    "tools": "express",
    "tool_strict": "express",
    "custom_tools": "reshape",
    "custom_tool_form": "reshape",
    "hosted_tools": "refuse",
    "hosted_tools_beside": "drop",
    "tool_choice_required": "express",
    "tool_choice_named": "express",
    "tool_choice_allowed": "reshape",  # only those are offered
    "tool_choice_none": "reshape",  # none is offered, or, where calls were made before, by a line in `system`
    "parallel_off": "drop",
    "tool_result_media": "express",
    "tool_result_error": "express",
    "json_object": "reshape",  # by a line in `system`: there is no such format
    "json_schema": "express",  # objects closed, bounds told in words: see `schemas`
    "image_out": "refuse",
    "audio_out": "refuse",
    "verbosity": "drop",
    "limit": "express",
    "no_output": "reshape",
    "n": "refuse",
    "stop": "express",
    "stop_many": "express",
    "temperature": "express",
    "temperature_high": "drop",  # 1 is the most
    "top_p": "express",
    "top_k": "express",
    "seed": "drop",
    "presence_penalty": "drop",
    "frequency_penalty": "drop",
    "logprobs": "refuse",
    "thinking_off": "express",
    "thinking_budget": "express",
    "thinking_adaptive": "express",
    "effort": "reshape",
    "thoughts_shown": "express",
    "end_user": "drop",
    "metadata": "express",  # in letters that the vendor takes, or not at all
    "tier": "express",
    "bare_reasoning": "drop",
}
