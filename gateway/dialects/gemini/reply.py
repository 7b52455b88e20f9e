"""Gemini replies, whole: metered and given the caller's names, or rendered from neutral words; and their small words:
usage, reasons to end, log probabilities."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, assert_never

from ...call import Call, Fault, Meter
from ...neutral.parts import Logprob, Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from ...neutral.reply import ChatReply, Choice, Finish, Reason, Usage
from ...splice import Scan, edit
from .. import shapes
from ..passing import scanned
from ..scale import size
from ..seals import wrap_base64
from ..shapes import clean, listed, members, objects, words
from . import citations, parts
from .errors import fault_in_reply

_ENDS: dict[str, Reason] = {
    "STOP": "stop", "FINISH_REASON_UNSPECIFIED": "stop", "MAX_TOKENS": "length", "SAFETY": "filtered",
    "RECITATION": "filtered", "BLOCKLIST": "filtered", "PROHIBITED_CONTENT": "filtered", "SPII": "filtered",
    "IMAGE_SAFETY": "filtered", "IMAGE_PROHIBITED_CONTENT": "filtered", "IMAGE_RECITATION": "filtered",
    "MODEL_ARMOR": "filtered", "MALFORMED_FUNCTION_CALL": "error", "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error", "MISSING_THOUGHT_SIGNATURE": "error", "MALFORMED_RESPONSE": "error",
}  # fmt: skip
_NUMBERED = (
    "FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST",
    "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL",
)  # fmt: skip
"""Vertex's words by their numbers: clients of its own libraries may ask for numbers."""

_WORDS: dict[Reason, str] = {
    "stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "filtered": "SAFETY", "paused": "STOP",
    "error": "OTHER", "other": "OTHER",
}  # fmt: skip


def whole(call: Call, body: bytes, meter: Meter) -> bytes:
    """A provider's whole reply as the caller gets it: only `responseId` and `modelVersion` change. Fills the meter;
    raises Fault."""
    found = scanned(body)
    measure(found.values, meter)
    return renamed(call, found)


def renamed(call: Call, found: Scan) -> bytes:
    """An object of Google's with the caller's names, where it names itself."""
    names = {"responseId": call.id, "modelVersion": call.model}
    return edit(
        found, {name: json.dumps(value, ensure_ascii=False) for name, value in names.items() if name in found.values}
    )


def measure(values: Mapping[str, Any], meter: Meter) -> None:
    """Meter a whole reply. Raises Fault when it is none."""
    if values.get("error"):
        raise fault_in_reply(values["error"])
    found = candidates(values)
    blocked = blocked_by(values)
    if not found and blocked is None:
        raise Fault("malformed")
    meter.upstream_id = shapes.short(values.get("responseId"))
    meter.usage = usage(values)
    meter.finish = ",".join(end_word(one.get("finishReason")) or "none" for one in found) or blocked
    meter.out_bytes = sum(map(said, found))


def candidates(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The candidates of a reply or frame. Raises Fault for what are none."""
    found = values.get("candidates")
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Fault("malformed")
    return found


def place(candidate: Mapping[str, Any]) -> int:
    """Which answer it is: 0 where that is left out."""
    index = candidate.get("index")
    return index if isinstance(index, int) else 0


def pieces(candidate: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parts of a candidate, which may have none."""
    return objects(members(candidate.get("content")).get("parts"))


def blocked_by(values: Mapping[str, Any]) -> str | None:
    """Why the prompt got no answer, where the reply says that it was blocked."""
    return end_word(members(values.get("promptFeedback")).get("blockReason"))


def blocked(values: Mapping[str, Any]) -> str | None:
    """Why a reply says nothing, where its prompt was blocked or what it would have said."""
    ends = [end_word(one.get("finishReason")) for one in candidates(values)]
    return blocked_by(values) or next((word for word in ends if _ENDS.get(word or "") == "filtered"), None)


def end_word(value: Any) -> str | None:
    """A reason to end: a word, whatever it is, or Vertex's number for one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _NUMBERED[value] if 0 <= value < len(_NUMBERED) else "OTHER"
    return clean(value, 64) if isinstance(value, str) and value else None


def finish(word: str | None, called: bool) -> Finish:
    """What a reason to end means; where the caller's functions were called, that is what it means."""
    reason: Reason = "stop" if word is None else _ENDS.get(word, "other")
    if called and (reason == "stop" or word == "UNEXPECTED_TOOL_CALL"):
        reason = "tool_calls"
    return Finish(reason=reason, raw=word)


_UNSAID = frozenset({"thoughtSignature", "mimeType", "id"})


def said(candidate: Mapping[str, Any]) -> int:
    """Bytes of output in a candidate: texts, thoughts, names and arguments of calls, media, code."""
    return sum(map(_bytes_in, pieces(candidate)))


def _bytes_in(value: Any) -> int:
    if isinstance(value, str):
        return size(value)
    if isinstance(value, dict):
        return sum(_bytes_in(inner) for name, inner in value.items() if name not in _UNSAID)
    if isinstance(value, list):
        return sum(map(_bytes_in, value))
    return 4 if isinstance(value, int | float) and not isinstance(value, bool) else 0


def usage(values: Mapping[str, Any]) -> Usage | None:
    """The usage of a reply or frame; None where there is none that can be believed.

    Thoughts are beside the candidates' tokens, what hosted tools read is beside the prompt's; a count of zero is left
    out. Vertex's first frames name the kind of traffic only.
    """
    found = values.get("usageMetadata")
    if not isinstance(found, dict):
        return None
    prompt, made = shapes.count(found.get("promptTokenCount")), shapes.count(found.get("candidatesTokenCount"))
    total, thoughts = shapes.count(found.get("totalTokenCount")), shapes.count(found.get("thoughtsTokenCount"))
    tools = shapes.count(found.get("toolUsePromptTokenCount")) or 0
    if prompt is None and made is None and total is None:
        return None
    others = (prompt or 0) + tools + (thoughts or 0)
    if made is None:
        made = max(0, (total or 0) - others) if prompt is not None else 0
    if prompt is None:
        prompt = max(0, (total or 0) - tools - (thoughts or 0) - made)
    told, said = found.get("promptTokensDetails"), found.get("candidatesTokensDetails")
    return Usage(
        input=prompt + tools,
        cached=shapes.count(found.get("cachedContentTokenCount")),
        cached_audio=_of(found.get("cacheTokensDetails"), "AUDIO"),
        audio_in=_of(told, "AUDIO"),
        image_in=_of(told, "IMAGE"),
        output=made + (thoughts or 0),
        reasoning=thoughts,
        audio_out=_of(said, "AUDIO"),
        image_out=_of(said, "IMAGE"),
        tier=shapes.word(found.get("serviceTier")),
        tools=runs(values),
    )


def _of(details: Any, modality: str) -> int | None:
    for detail in objects(details):
        if detail.get("modality") == modality:
            return shapes.count(detail.get("tokenCount"))
    return None


def runs(values: Mapping[str, Any]) -> dict[str, int]:
    """How often Google's own tools ran: searches, and whether the answer is grounded in any, which is what older models
    bill (https://ai.google.dev/gemini-api/docs/pricing#gemini-grounding)."""
    found = [members(one.get("groundingMetadata")) for one in objects(values.get("candidates"))]
    searches = sum(len(set(words(one.get("webSearchQueries")))) for one in found)
    mapped = any(one.get("googleMapsWidgetContextToken") or _maps(one) for one in found)
    counts = {"web_search": searches, "grounding": int(searches > 0), "maps": int(mapped)}
    return {kind: times for kind, times in counts.items() if times}


def _maps(grounding: Mapping[str, Any]) -> bool:
    return any("maps" in chunk for chunk in objects(grounding.get("groundingChunks")))


def logprobs(candidate: Mapping[str, Any]) -> tuple[Logprob, ...]:
    """How likely the tokens of a candidate were."""
    found = members(candidate.get("logprobsResult"))
    tops = listed(found.get("topCandidates"))
    made = []
    for number, chosen in enumerate(listed(found.get("chosenCandidates"))):
        match chosen:
            case {"token": str(token), "logProbability": int() | float() as chance}:
                rest = members(tops[number]).get("candidates") if number < len(tops) else None
                made.append(Logprob(token=token, logprob=chance, top=tuple(_top(rest))))
    return tuple(made)


def _top(found: Any) -> Iterator[tuple[str, float]]:
    for one in listed(found):
        match one:
            case {"token": str(token), "logProbability": int() | float() as chance}:
                yield token, chance


def render_reply(reply: ChatReply, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A reply from neutral words."""
    values: dict[str, Any] = {"candidates": [_candidate(number, one) for number, one in enumerate(reply.choices)]}
    if reply.usage is not None:
        values["usageMetadata"] = render_usage(reply.usage)
    return {**values, "modelVersion": reply.model, "responseId": reply.id}


def _candidate(number: int, choice: Choice) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    texts: list[tuple[int | None, str, Sequence[Any]]] = []
    chances: list[Logprob] = []
    for part in choice.parts:
        shown = render_part(part)
        if shown is None:
            continue
        if isinstance(part, Text):
            texts.append((len(found), part.text, part.citations))
            chances += part.logprobs
        found.append(shown)
    return {
        "content": {"parts": found or [{"text": ""}], "role": "model"},
        "finishReason": finish_word(choice.finish),
        "index": number,
        **citations.metadata(texts),
        **render_logprobs(chances),
    }


def render_part(part: Part) -> dict[str, Any] | None:
    """A part of a reply, whole; None for what Gemini cannot say: a loss in a reply never fails (Law 3)."""
    signature = wrap_base64(part.seal, parts.NAME) if part.seal is not None else None
    match part:
        case Text(text=text) | Refusal(text=text):
            return parts.signed({"text": text}, signature) if text or signature else None
        case Reasoning():
            return parts.signed(parts.thought(part), signature) if part.text or signature else None
        case ToolCall(id=call_id):
            return parts.signed(parts.call(part, call_id), signature) if part.ran_by is None else None
        case Media() | Opaque():
            shown = parts.written(part)
            return None if shown is None else parts.signed(shown, signature)
        case ToolResult():
            return None
        case _:
            assert_never(part)


def finish_word(end: Finish) -> str:
    """The `finishReason` of a candidate."""
    return _WORDS[end.reason]


def render_logprobs(chances: Sequence[Logprob]) -> dict[str, Any]:
    """The member of a candidate that tells how likely its tokens were; {} where that is not known."""
    if not chances:
        return {}
    chosen = [{"token": one.token, "logProbability": one.logprob} for one in chances]
    found: dict[str, Any] = {"chosenCandidates": chosen}
    if any(one.top for one in chances):
        found["topCandidates"] = [
            {"candidates": [{"token": token, "logProbability": chance} for token, chance in one.top]} for one in chances
        ]
    return {"logprobsResult": found}


def render_usage(taken: Usage) -> dict[str, Any]:
    """Usage as Google tells it: thoughts beside the candidates' tokens, and what is unknown left out."""
    prompt, made = taken.input or 0, taken.output or 0
    found: dict[str, Any] = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": max(0, made - (taken.reasoning or 0)),
        "totalTokenCount": prompt + made,
    }
    for name, tokens in (("thoughtsTokenCount", taken.reasoning), ("cachedContentTokenCount", taken.cached)):
        if tokens is not None:
            found[name] = tokens
    for name, sound, pictures in (
        ("promptTokensDetails", taken.audio_in, taken.image_in),
        ("cacheTokensDetails", taken.cached_audio, None),
        ("candidatesTokensDetails", taken.audio_out, taken.image_out),
    ):
        details = [
            {"modality": modality, "tokenCount": tokens}
            for modality, tokens in (("AUDIO", sound), ("IMAGE", pictures))
            if tokens is not None
        ]
        if details:
            found[name] = details
    return found
