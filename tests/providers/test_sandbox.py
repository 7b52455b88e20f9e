"""The sandbox's answers: JSON that fits any schema, tokens that add up, the same answer to the same question."""

from __future__ import annotations

import base64
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Outbound
from gateway.neutral.parts import Text, ToolCall, ToolResult
from gateway.neutral.request import ChatRequest, FunctionTool, Message
from gateway.providers import sandbox
from gateway.providers.sandbox.answer import answer, choice, ordered, pieces, tokens, usage
from gateway.providers.sandbox.fill import Prompt, TooMuch, fill
from tests import made
from tests.gateway import Gateway

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


@given(
    st.lists(
        st.builds(Text, text=st.text()) | st.builds(ToolCall, id=st.just("c"), name=st.text(), arguments=st.text())
    ),
    st.integers(0, 9),
)
def test_no_answer_takes_more_than_its_limit(parts: list[Text | ToolCall], limit: int) -> None:
    whole = usage(0, 0, (choice(tuple(parts), 1 << 30, (), None),)).output
    cut = choice(tuple(parts), limit, (), None)
    assert usage(0, 0, (cut,)).output == min(limit, whole or 0)
    assert (cut.finish.reason == "length") == ((whole or 0) > limit)


def say(model: str, text: str = "hi", **more: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    channel = made.channel(name="sandbox", provider="sandbox", namespace="sandbox", base_url="sandbox:")
    wire = sandbox.send(
        Outbound(
            channel=channel, dialect="chat", model=model, path="/chat/completions", body=json.dumps(body).encode(), headers={},
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


def tool(name: str, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


ABC = [tool("alpha", x={"type": "string"}), tool("beta"), tool("gamma")]
MODELS = ["echo", "json", "refusal", "length", "tokens-5", "tool", "parallel-tools", "reasoner", "slow-1"]


def calls(reply: dict[str, Any]) -> list[tuple[str, str]]:
    assert reply["status"] == 200, reply
    made = reply["choices"][0]["message"].get("tool_calls", [])
    assert len({call["id"] for call in made}) == len(made)
    return [(call["function"]["name"], call["function"]["arguments"]) for call in made]


@pytest.mark.parametrize("model", ["echo", "json", "tool", "parallel-tools", "reasoner"])
def test_only_the_tools_that_the_choice_names(model: str) -> None:
    named = {"type": "function", "function": {"name": "beta"}}
    made = calls(say(model, tools=ABC, tool_choice=named))
    assert {name for name, _ in made} == {"beta"} and len(made) == (2 if model == "parallel-tools" else 1)
    two = {
        "mode": "required",
        "tools": [{"type": "function", "function": {"name": name}} for name in ("beta", "gamma")],
    }
    allowed = {"type": "allowed_tools", "allowed_tools": two}
    made = calls(say(model, tools=ABC, tool_choice=allowed))
    assert [name for name, _ in made] == (["beta", "gamma"] if model == "parallel-tools" else ["beta"])
    assert calls(say(model, "call alpha {}", tools=ABC, tool_choice=allowed))[0][0] == "beta"
    assert calls(say(model, tools=ABC, tool_choice="none")) == []


@pytest.mark.parametrize("model", MODELS)
def test_a_line_orders_calls_of_any_model(model: str) -> None:
    line = 'call gamma {"a": "b c", "n": [1, {}]}'
    reply = say(model, f"Please\r\n \t{line} \r\nthanks", tools=ABC)
    assert calls(reply) == [("gamma", line[11:])] and reply["choices"][0]["finish_reason"] == "tool_calls"
    several = "call beta\ncall alpha {}\rcall beta {}\ncall delta {}"
    assert calls(say(model, several, tools=ABC)) == [("beta", "{}"), ("alpha", "{}"), ("beta", "{}")]
    assert calls(say(model, several, tools=ABC, parallel_tool_calls=False)) == [("beta", "{}")]
    assert calls(say(model, several, tools=ABC, tool_choice="none")) == []
    for wrong in (
        "call beta {",
        "call beta [1]",
        "call beta {x}",
        'call beta {"x": NaN}',
        "call beta now",
        "call",
        "recall beta",
    ):
        made = calls(say(model, wrong, tools=ABC))
        assert made == calls(say(model, "hello", tools=[*ABC])) or "tool" in model, wrong


def test_tools_that_take_free_text_are_called_with_it() -> None:
    free = {"type": "custom", "custom": {"name": "patch"}}
    for model, text, taken in (
        ("tool", "hello", "hello"), ("echo", "Patch it.", "Patch it."), ("echo", "call patch *** Begin: {x}", "*** Begin: {x}"),
        ("echo", "call patch", ""),
    ):  # fmt: skip
        reply = say(model, text, tools=[free])
        (call,) = reply["choices"][0]["message"]["tool_calls"]
        assert (call["type"], call["custom"]) == ("custom", {"name": "patch", "input": taken}), text
    reply = say("echo", "hello", tools=[free, ABC[0]], tool_choice="required")
    assert reply["choices"][0]["message"]["tool_calls"][0]["custom"]["name"] == "patch"
    assert calls(say("echo", "hello", tools=[free, ABC[0]])) == []


def after(*results: dict[str, Any], text: str = "call beta {}") -> list[dict[str, Any]]:
    asked = [
        {"id": f"c{place}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        for place, name in enumerate(("alpha", "beta"))
    ]
    return [{"role": "user", "content": text}, {"role": "assistant", "content": None, "tool_calls": asked}, *results]


def told(model: str, messages: list[dict[str, Any]], **more: Any) -> str:
    reply = say(model, messages=messages, tools=ABC, **more)
    assert calls(reply) == []
    found: str = reply["choices"][0]["message"]["content"]
    return found


RESULTS = (
    {"role": "tool", "tool_call_id": "c1", "content": "two"},
    {"role": "tool", "tool_call_id": "c0", "content": [{"type": "text", "text": "one"}]},
)


@pytest.mark.parametrize("model", ["echo", "tool", "parallel-tools"])
def test_all_results_of_a_turn_are_told_by_name_and_no_line_is_obeyed_twice(model: str) -> None:
    assert told(model, after(*RESULTS)) == "beta answered: two\nalpha answered: one"
    assert told(model, after({**RESULTS[0], "name": "own"})) == "own answered: two"
    assert told(model, after({**RESULTS[0], "tool_call_id": "?"})) == "The tool answered: two"
    earlier = [*after(*RESULTS), {"role": "assistant", "content": "done"}]
    assert told(model, [*earlier, *after({**RESULTS[1], "content": "new"})[1:]]) == "alpha answered: new"
    assert told(model, [*after(*RESULTS), {"role": "user", "content": "and?"}]).endswith("alpha answered: one\nand?")
    again = [*after(*RESULTS), {"role": "user", "content": "call gamma {}"}]
    assert calls(say(model, messages=again, tools=ABC)) == [("gamma", "{}")], "a new line is a new order"
    assert json.loads(told("json", after(*RESULTS)))["echo"].startswith("beta answered: two")


def test_several_results_in_one_message_as_other_dialects_have_them() -> None:
    called = Message(role="assistant", parts=tuple(ToolCall(id=i, name=f"tool-{i}", arguments="{}") for i in "abc"))
    some = tuple(ToolResult(call_id=i, parts=(Text(text=i.upper()),), is_error=i == "b") for i in "ab")
    last = Message(role="tool", parts=(ToolResult(call_id="c", parts=(Text(text="C"),)), Text(text="go on")))
    request = ChatRequest(
        model="echo",
        messages=(
            Message(role="user", parts=(Text(text="call f {}"),)),
            called,
            Message(role="tool", parts=some),
            last,
        ),
        tools=(FunctionTool(name="f"),),
    )
    assert answer(request) == (Text(text="tool-a answered: A\ntool-b failed: B\ntool-c answered: C\ngo on"),)
    assert ordered(request) == ()


@pytest.mark.parametrize("most", [1, 2, 5])
@pytest.mark.parametrize("model", ["echo", "tool", "parallel-tools"])
def test_a_call_under_a_small_limit_keeps_its_name(model: str, most: int) -> None:
    long = tool("a_name_that_is_longer_than_most_of_them_are", text={"type": "string", "minLength": 99})
    reply = say(model, "one two three four five six", tools=[long], tool_choice="required", max_tokens=most)
    ((name, arguments),) = calls(reply)
    assert name == long["function"]["name"] and reply["choices"][0]["finish_reason"] == "length"
    assert reply["usage"]["completion_tokens"] == most == 1 + tokens(arguments)
    whole = say("echo", tools=[tool("f")], tool_choice="required", max_tokens=3)
    assert calls(whole) == [("f", "{}")] and whole["choices"][0]["finish_reason"] == "tool_calls"


def test_stop_sequences_and_limits_together() -> None:
    for stop, most, said, finish in (
        ("one", 9, "", "stop"),
        ("three", 9, "one two ", "stop"),
        ("three", 1, "one", "length"),
    ):
        one = say("echo", "one two three", stop=stop, max_tokens=most)["choices"][0]
        assert (one["message"]["content"], one["finish_reason"]) == (said, finish)


def test_sound_can_be_tried(sqlite_gateway: Gateway) -> None:
    sound = {"type": "input_audio", "input_audio": {"data": base64.b64encode(bytes(3_000)).decode(), "format": "wav"}}
    answer = sqlite_gateway.chat("sandbox/echo", [{"type": "text", "text": "What is this?"}, sound])
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["choices"][0]["message"]["content"] == "What is this?\n[audio/wav, 3000 bytes]"
    assert body["usage"]["prompt_tokens_details"]["audio_tokens"] == 20 < body["usage"]["prompt_tokens"]
    receipt = sqlite_gateway.get("/v1/generation", params={"id": body["id"]}).json()["data"]
    assert receipt["cost"]["audio_in"] == 20 * 10 / 10**6 and not receipt["overrun"]
