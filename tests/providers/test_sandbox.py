"""The sandbox's answers: JSON that fits any schema, tokens that add up, the same answer to the same question."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Channel, Outbound
from gateway.providers import sandbox
from gateway.providers.sandbox.answer import pieces, tokens
from gateway.providers.sandbox.fill import Prompt, fill

NAMES = st.sampled_from(["a", "b", "city", "n"])
LEAVES = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "integer", "number", "boolean", "null"])}),
    st.builds(lambda values: {"enum": values}, st.lists(st.text(max_size=4) | st.integers(), min_size=1, max_size=3)),
    st.builds(lambda value: {"const": value}, st.integers() | st.text(max_size=3)),
    st.builds(lambda low, size: {"type": "integer", "minimum": low, "maximum": low + size}, st.integers(-99, 99), st.integers(0, 9)),
    st.builds(lambda low: {"type": "number", "exclusiveMinimum": low}, st.integers(-9, 9)),
    st.builds(lambda step: {"type": "integer", "multipleOf": step}, st.integers(1, 9)),
    st.builds(lambda low, size: {"type": "string", "minLength": low, "maxLength": low + size}, st.integers(0, 9), st.integers(0, 9)),
    st.sampled_from([{"type": "string", "pattern": p} for p in (r"^[A-Z]{3}-\d{4}$", r"^(a|b)+c?$", r"^\w+@\w+\.com$", "^[^x]y$")]),
    st.just({"type": ["string", "null"]}),
    st.just({"$ref": "#/$defs/thing"}),
)  # fmt: skip


def object_of(properties: dict[str, Any], required: bool) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "additionalProperties": False,
        **({"required": list(properties)} if required else {}),
    }  # fmt: skip


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(object_of, st.dictionaries(NAMES, inner, max_size=3), st.booleans()),
        st.builds(lambda items, low: {"type": "array", "items": items, "minItems": low, "maxItems": low + 2}, inner, st.integers(0, 3)),
        st.builds(lambda branches: {"anyOf": branches}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda one: {"allOf": [one]}, inner),
    ),
    max_leaves=8,
)  # fmt: skip
DEFS = {"thing": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}}


@given(st.builds(object_of, st.dictionaries(NAMES, SCHEMAS, max_size=4), st.booleans()), st.text(max_size=40))
def test_what_is_filled_in_fits(schema: dict[str, Any], text: str) -> None:
    schema = {**schema, "$defs": DEFS}
    jsonschema.Draft202012Validator(schema).validate(fill(schema, Prompt(text)))


def test_recursive_schemas_end() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}, "required": ["n"]}
    assert fill(node, Prompt("7"))["n"] == 7
    fill({**node, "required": ["next"]}, Prompt(""))


@given(st.text())
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text and tokens(text) <= len(text.encode())


def say(model: str, text: str = "hi", **more: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    channel = Channel(
        id="ch", name="sandbox", provider="sandbox", namespace="sandbox", base_url="sandbox:", secret=None, models=None,
        dialects=("chat",), priority=0, weight=1, free=False,
    )  # fmt: skip
    wire = sandbox.send(
        Outbound(
            channel=channel, dialect="chat", path="/chat/completions", body=json.dumps(body).encode(), headers={},
            stream=False, account_id="acc",
        )
    )  # fmt: skip
    found: dict[str, Any] = {**json.loads(wire.read()), "status": wire.status}
    return found


def test_the_same_question_gets_the_same_answer() -> None:
    one, two = say("echo", "the same"), say("echo", "the same")
    assert {**one, "created": 0} == {**two, "created": 0} and say("echo", "another")["id"] != one["id"]


@pytest.mark.parametrize("count", [1, 10, 300])
def test_exactly_so_many_tokens(count: int) -> None:
    reply = say(f"tokens-{count}")
    assert reply["usage"]["completion_tokens"] == count == len(reply["choices"][0]["message"]["content"].split())


def test_what_it_refuses() -> None:
    assert say("nothing")["status"] == 404
    assert (
        say("error-200")["status"] == 404 and say("flaky-101")["status"] == 404 and say("slow-1-once")["status"] == 404
    )
    wizard = [{"role": "wizard", "content": "x"}]
    refused = say("echo", messages=wizard)
    assert refused["status"] == 400 and refused["error"]["param"] == "messages[0].role"
    named = {"type": "function", "function": {"name": "none"}}
    assert say("echo", tools=[], tool_choice=named)["status"] == 400


def test_flaky_is_even() -> None:
    failed = sum(say("flaky-30")["status"] == 500 for _ in range(100))
    assert failed == 30
    assert say("flaky-0")["status"] == 200 and say("flaky-100")["status"] == 500


def test_a_question_about_numbers_fills_them_in() -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "add_numbers",
            "parameters": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}, "required": ["a", "b"]},
        },
    }  # fmt: skip
    call = say("echo", "Please add the numbers 12 and 30.5", tools=[tool])["choices"][0]["message"]["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == {"a": 12, "b": 30.5}
    assert "tool_calls" not in say("echo", "Tell me a story", tools=[tool])["choices"][0]["message"]
