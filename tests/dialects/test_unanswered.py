"""Calls and their results by the hundred thousand: each finds the other without a search through all of them."""

from __future__ import annotations

from typing import Any

from gateway.dialects import anthropic, gemini, openai_chat
from gateway.dialects.unanswered import Unanswered
from gateway.neutral.parts import Reasoning, ToolResult
from gateway.neutral.request import ChatRequest
from tests.dialects.test_anthropic import leg

MANY = 30_000
"""So many that a search for each would take minutes, during which a worker serves nobody."""


def answered(request: ChatRequest) -> list[str]:
    return [part.call_id for message in request.messages for part in message.parts if isinstance(part, ToolResult)]


def test_the_first_that_waits_is_found() -> None:
    calls: Unanswered[int] = Unanswered()
    for number, (identity, name) in enumerate((("a", "f"), ("b", "f"), ("a", "g"))):
        calls.add(number, identity=identity, name=name)
    assert [calls.of_name("f"), calls.of_id("a"), calls.of_id("a"), calls.of_name(None), calls.of_name("g")] == [
        0, 2, None, 1, None,
    ]  # fmt: skip


def chat(identity: Any) -> ChatRequest:
    calls = [{"id": identity(n), "type": "function", "function": {"name": "f", "arguments": ""}} for n in range(MANY)]
    results = [{"role": "tool", "tool_call_id": identity(n), "content": "x"} for n in reversed(range(MANY))]
    return openai_chat.parse({"model": "m", "messages": [{"role": "assistant", "tool_calls": calls}, *results]})


def test_results_in_any_order() -> None:
    assert answered(chat(str)) == [str(n) for n in reversed(range(MANY))]
    calls = [{"functionCall": {"name": f"f{n}"}} for n in range(MANY)]
    results = [{"functionResponse": {"name": f"f{n}", "response": {}}} for n in reversed(range(MANY))]
    contents = [{"role": "model", "parts": calls}, {"parts": results}]
    assert len(set(answered(gemini.parse({"model": "m", "contents": contents})))) == MANY


def test_calls_that_share_an_id() -> None:
    made = anthropic.render(chat(lambda n: "same"), leg())["messages"]
    uses, results = (message["content"] for message in made[-2:])
    assert len({use["id"] for use in uses}) == MANY
    assert [use["id"] for use in uses] == [result["tool_use_id"] for result in results]


def test_a_thought_in_many_pieces() -> None:
    pieces = [{"thought": True, "text": "ab"}] * MANY
    (message,) = gemini.parse({"model": "m", "contents": [{"role": "model", "parts": pieces}]}).messages
    assert message.parts == (Reasoning(text="ab" * MANY, summary=True),)
