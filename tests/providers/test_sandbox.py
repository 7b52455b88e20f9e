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
from gateway.providers.sandbox.fill import Prompt, TooMuch, fill

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
    st.just({"$ref": "#/$defs/node"}),
    st.just({"$ref": "#/$defs/term"}),
    st.builds(lambda most: {"$ref": "#/$defs/small", "maximum": most}, st.integers(3, 9)),
    st.just(True),
    st.builds(lambda kinds: {"type": kinds}, st.lists(st.sampled_from(["null", "integer", "array", "object"]), min_size=1, unique=True)),
)  # fmt: skip
VALUES = st.lists(
    st.sampled_from([1, True, "a", "A", None, 0, False, "1", [1], [True]]), min_size=1, max_size=5, unique_by=repr
)
DISTINCT = st.one_of(
    VALUES.map(lambda values: ({"enum": values}, len(values))),
    st.just(({"type": "boolean"}, 2)),
    st.just(({"type": "null"}, 1)),
    st.just(({"type": "string", "maxLength": 1}, 9)),
    st.just(({"type": "string", "pattern": "^[ab]c?$"}, 2)),
    st.just(({"type": "string", "format": "date"}, 9)),
    st.just(({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, 9)),
    st.builds(lambda low, size: ({"type": "integer", "minimum": low, "maximum": low + size}, size + 1), st.integers(-9, 9), st.integers(0, 9)),
    st.just(({"anyOf": [{"type": "boolean"}, {"enum": [1, 2]}]}, 4)),
    st.just(({"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]}, 2)),
    st.just(({"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 1}, 2)),
)  # fmt: skip
SETS = st.builds(
    lambda distinct, low: {"type": "array", "items": distinct[0], "minItems": min(low, distinct[1]), "uniqueItems": True},
    DISTINCT, st.integers(0, 9),
)  # fmt: skip


def object_of(properties: dict[str, Any], required: bool) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "additionalProperties": False,
        **({"required": list(properties)} if required else {}),
    }  # fmt: skip


SCHEMAS = st.recursive(
    LEAVES | SETS,
    lambda inner: st.one_of(
        st.builds(object_of, st.dictionaries(NAMES, inner, max_size=3), st.booleans()),
        st.builds(lambda items, low: {"type": "array", "items": items, "minItems": low, "maxItems": low + 2}, inner, st.integers(0, 3)),
        st.builds(lambda branches: {"anyOf": branches}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda one: {"allOf": [one]}, inner),
        st.builds(lambda first: {"type": "array", "prefixItems": first, "items": False}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda extra, least: {"type": "object", "additionalProperties": extra, "minProperties": least}, inner, st.integers(0, 2)),
        st.builds(lambda one: {"properties": {"a": one, "no": False}, "required": ["a", "unnamed"]}, inner),
    ),
    max_leaves=8,
)  # fmt: skip
TERM = {"$ref": "#/$defs/term"}
DEFS = {
    "thing": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
    "small": {"type": "integer", "minimum": 3},
    "node": {
        "type": "object",
        "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
        "required": ["v", "next"],
        "additionalProperties": False,
    },
    "term": {"oneOf": [{"$ref": "#/$defs/sum"}, {"$ref": "#/$defs/negative"}, {"$ref": "#/$defs/literal"}]},
    "sum": object_of({"op": {"const": "+"}, "of": {"type": "array", "items": TERM, "minItems": 2}}, True),
    "negative": object_of({"op": {"const": "-"}, "of": TERM}, True),
    "literal": object_of({"op": {"const": "="}, "value": {"type": "number"}}, True),
}


@given(st.builds(object_of, st.dictionaries(NAMES, SCHEMAS, max_size=4), st.booleans()), st.text(max_size=40))
def test_what_is_filled_in_fits(schema: dict[str, Any], text: str) -> None:
    schema = {**schema, "$defs": DEFS}
    jsonschema.Draft202012Validator(schema).validate(fill(schema, Prompt(text)))


def fits(schema: Any, text: str = "hi") -> Any:
    """What is filled in, and that it fits."""
    value = fill(schema, Prompt(text))
    jsonschema.Draft202012Validator(schema).validate(value)
    return value


def test_recursive_schemas_end() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}, "required": ["n"]}
    assert fits(node, "7")["n"] == 7
    listed = fits({"$ref": "#/$defs/node", "$defs": DEFS})
    assert listed["next"] is not None, "a list of one is no list"
    assert fits({"type": ["object", "null"], "properties": {"next": {"$ref": "#"}}, "required": ["next"]})
    many = [f"k{place}" for place in range(30)]
    tree = {"$ref": "#/$defs/tree", "$defs": {"tree": {
        "type": "object", "properties": {name: {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]} for name in many}, "required": many,
    }}}  # fmt: skip
    assert set(fits(tree)) == set(many), "a wide tree is cut short before it grows too large"


def test_what_never_ends_or_never_fits_is_told() -> None:
    endless = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    closed = {"type": "object", "properties": {"a": {}}, "required": ["a", "b"], "additionalProperties": False}
    for schema in (endless, closed, False, {"type": "integer", "minimum": 3, "maximum": 2}, {"$ref": "#"},
                   {"type": "array", "minItems": 10**9}, {"type": "string", "minLength": 10**9}, {"pattern": "(a{999}){999}", "type": "string"},
                   {"allOf": [{"anyOf": [{}, {}]}] * 9_999}):  # fmt: skip
        with pytest.raises(TooMuch):
            fill(schema, Prompt(""))
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": endless}}
    refused = say("echo", response_format=form)
    assert refused["status"] == 400 and "64 levels" in refused["error"]["message"]
    assert refused["error"]["param"] == "response_format"


def test_deep_schemas_are_filled_to_the_bottom() -> None:
    deep: dict[str, Any] = {"type": "integer"}
    for _ in range(60):
        deep = {"type": "object", "properties": {"a": deep}, "required": ["a"]}
    fits(deep)


def test_distinct_items() -> None:
    colours = {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "uniqueItems": True}
    assert sorted(fits({**colours, "minItems": 3}, "green, please")) == ["blue", "green", "red"]
    assert len(fill({**colours, "minItems": 9}, Prompt(""))) == 3, "there are no more"
    flags = {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 2}
    assert fits(flags) == [True, False]
    assert fits({"type": "array", "items": {"type": "boolean"}, "minItems": 3, "maxItems": 3}) == [True] * 3
    numbers = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "minItems": 3}
    assert fits(numbers, "4 and 4 and 8") == [4, 8, 1]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": 5}, {"properties": []}, {"type": "object", "required": True}, {"type": "array", "items": 5, "minItems": "x"},
        {"enum": 5}, {"anyOf": {}}, {"type": []}, {"type": "integer", "minimum": "a", "multipleOf": 0}, {"type": "string", "pattern": "("},
        {"$ref": "#/nope/0"}, {"$ref": "https://example.com/x"}, {"allOf": [5, True]}, {"type": "string", "maxLength": -1},
    ],
)  # fmt: skip
def test_schemas_that_are_none_break_nothing(schema: dict[str, Any]) -> None:
    json.dumps(fill(schema, Prompt("hi")))


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
