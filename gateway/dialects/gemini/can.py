"""What Gemini can say of `neutral.features`, and its own field for each."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...neutral.features import Verdict
from ..fitting import Letters

_ROWS: dict[str, tuple[Verdict, str]] = {
    "system": ("express", "systemInstruction"),
    "developer": ("reshape", "systemInstruction"),
    "mid_system": ("reshape", "contents.role"),
    "participant_name": ("drop", "contents"),
    "image_bytes": ("express", "contents.parts.inlineData"),
    "image_url": ("reshape", "contents.parts.fileData"),
    "image_detail": ("drop", "contents.parts.mediaResolution"),
    "pdf_bytes": ("express", "contents.parts.inlineData"),
    "text_file_bytes": ("express", "contents.parts.inlineData"),
    "other_file_bytes": ("express", "contents.parts.inlineData"),
    "file_url": ("reshape", "contents.parts.fileData"),
    "file_ref": ("express", "contents.parts.fileData"),
    "file_name": ("drop", "contents.parts.inlineData.displayName"),
    "audio_in": ("express", "contents.parts.inlineData"),
    "video_in": ("express", "contents.parts.inlineData"),
    "cache": ("drop", "cachedContent"),
    "reasoning": ("express", "contents.parts.thought"),
    "refusal": ("reshape", "contents.parts.text"),
    "citations": ("drop", "contents"),
    "prefill": ("express", "contents"),
    "opaque": ("refuse", "contents.parts"),
    "tools": ("express", "tools.functionDeclarations"),
    "tool_strict": ("drop", "toolConfig.functionCallingConfig.mode"),
    "custom_tools": ("reshape", "tools.functionDeclarations"),
    "custom_tool_form": ("reshape", "tools.functionDeclarations"),
    "hosted_tools": ("refuse", "tools"),
    "hosted_tools_beside": ("drop", "tools"),
    "tool_choice_required": ("express", "toolConfig.functionCallingConfig.mode"),
    "tool_choice_named": ("express", "toolConfig.functionCallingConfig.allowedFunctionNames"),
    "tool_choice_allowed": ("reshape", "toolConfig.functionCallingConfig.allowedFunctionNames"),
    "tool_choice_none": ("express", "toolConfig.functionCallingConfig.mode"),
    "parallel_off": ("drop", "toolConfig.functionCallingConfig"),
    "tool_result_media": ("reshape", "contents.parts.functionResponse.parts"),
    "tool_result_error": ("express", "contents.parts.functionResponse.response"),
    "json_object": ("express", "generationConfig.responseMimeType"),
    "json_schema": ("express", "generationConfig.responseJsonSchema"),
    "image_out": ("express", "generationConfig.responseModalities"),
    "audio_out": ("refuse", "generationConfig.responseModalities"),
    "verbosity": ("drop", "generationConfig"),
    "limit": ("express", "generationConfig.maxOutputTokens"),
    "no_output": ("refuse", "generationConfig.maxOutputTokens"),
    "n": ("express", "generationConfig.candidateCount"),
    "stop": ("express", "generationConfig.stopSequences"),
    "stop_many": ("express", "generationConfig.stopSequences"),
    "temperature": ("express", "generationConfig.temperature"),
    "temperature_high": ("express", "generationConfig.temperature"),
    "top_p": ("express", "generationConfig.topP"),
    "top_k": ("express", "generationConfig.topK"),
    "seed": ("express", "generationConfig.seed"),
    "presence_penalty": ("express", "generationConfig.presencePenalty"),
    "frequency_penalty": ("express", "generationConfig.frequencyPenalty"),
    "logprobs": ("express", "generationConfig.responseLogprobs"),
    "thinking_off": ("express", "generationConfig.thinkingConfig.thinkingBudget"),
    "thinking_budget": ("express", "generationConfig.thinkingConfig.thinkingBudget"),
    "thinking_adaptive": ("express", "generationConfig.thinkingConfig.thinkingBudget"),
    "effort": ("express", "generationConfig.thinkingConfig.thinkingLevel"),
    "thoughts_shown": ("express", "generationConfig.thinkingConfig.includeThoughts"),
    "end_user": ("drop", "labels"),
    "metadata": ("drop", "labels"),
    "tier": ("express", "serviceTier"),
    "bare_reasoning": ("express", "contents.parts.thought"),
}
CAN: Mapping[str, Verdict] = {name: verdict for name, (verdict, _) in _ROWS.items()}
FIELD: Mapping[str, str] = {name: field for name, (_, field) in _ROWS.items()}
SHOWS: frozenset[str] = frozenset({"image", "image_url", "audio", "video", "file"})
"""Media in an answer that its clients are shown, of `neutral.features.ANSWERS`."""

NAMES = Letters(re.compile(r"[^A-Za-z0-9_.:-]|^[^A-Za-z_]"), 64)
"""What it takes as a function's name (https://ai.google.dev/api/caching#FunctionDeclaration)."""
