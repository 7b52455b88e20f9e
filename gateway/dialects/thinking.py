"""How Claude is told to think, in words of Messages that Converse hands on to it.

https://platform.claude.com/docs/en/build-with-claude/extended-thinking and …/adaptive-thinking,
https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..call import Profile
from ..neutral.parts import Part, Reasoning, Text, ToolResult
from ..neutral.request import ChatRequest, Message, Thinking

_Json = dict[str, Any]

LEAST_BUDGET = 1_024
BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_768, "max": 32_768}
"""Thinking tokens for an effort, for models that take budgets only; always kept below the output limit."""


def borne(request: ChatRequest, known: Profile, limit: int, origin: str) -> tuple[_Json, str | None]:
    """`thinking` and the effort, without thinking that the vendor refuses beside forced tools or in a tool loop whose
    thoughts are not there. limit: of the output · origin: the dialect whose seals go back."""
    thinking, effort = _thinking(request.thinking, known, limit)
    forced = request.tool_choice.mode == "required" and bool(request.tools)
    match thinking:
        case {"type": "enabled"} if forced or _thoughtless(request.messages, origin):
            return {}, effort
        case {"type": "adaptive"} if forced:
            return {}, effort
        case _:
            return thinking, effort


def _thoughtless(messages: Iterable[Message], origin: str) -> bool:
    """Whether a tool loop is open whose thoughts are not there: the vendor wants its own with a budget."""
    looped, turn = False, list[Part]()
    for message in reversed(tuple(messages)):
        if message.role == "assistant":
            turn = [*message.parts, *turn]
        elif turn:
            break
        else:
            looped = looped or any(isinstance(part, ToolResult) for part in message.parts)
    said = [part for part in turn if not isinstance(part, Text) or part.text.strip()]
    ours = (
        isinstance(said[0], Reasoning) and said[0].seal is not None and said[0].seal.origin == origin if said else True
    )
    return looped and not ours


def _thinking(asked: Thinking, known: Profile, limit: int) -> tuple[_Json, str | None]:
    """`thinking` and the effort."""
    if asked.mode == "off" or asked.effort == "none":
        return ({} if known.rests or known.always else {"type": "disabled"}), None
    effort = known.effort(asked.effort) if asked.effort is not None else None
    if asked.mode is None and effort is None:
        return {}, None
    made: _Json = {}
    if known.adaptive and not (known.budgets and asked.budget is not None):
        if effort is None and asked.budget is not None:
            effort = _effort_of(asked.budget)
        made = {"type": "adaptive"}
    elif known.thinks and limit > LEAST_BUDGET:
        budget = asked.budget if asked.budget is not None else BUDGETS.get(asked.effort or "", BUDGETS["medium"])
        budget = max(LEAST_BUDGET, budget)
        made = {"type": "enabled", "budget_tokens": budget if budget < limit else max(LEAST_BUDGET, limit // 2)}
    if made and asked.show is not None:
        made["display"] = "summarized" if asked.show else "omitted"
    return made, effort if known.adaptive else None


def _effort_of(budget: int) -> str:
    return "low" if budget < BUDGETS["medium"] else "medium" if budget < BUDGETS["high"] else "high"
