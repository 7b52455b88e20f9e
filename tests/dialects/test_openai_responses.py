"""The Responses dialect on its own: what it must know of a request, its ways to and from neutral words, its streams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.call import Call, Fault, Leg, Meter
from gateway.dialects import openai_responses as responses
from gateway.dialects import seals
from gateway.errors import GatewayError
from gateway.neutral.events import ChoiceEnd, Event, PartDelta, PartEnd, PartStart, ReplyEnd, ReplyStart, fold, unfold
from gateway.neutral.features import NAMES
from gateway.neutral.parts import (
    Bytes,
    Citation,
    FileRef,
    Logprob,
    Media,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Url,
)  # fmt: skip
from gateway.neutral.reply import ChatReply, Choice, Finish, Usage
from gateway.neutral.request import (
    ChatRequest,
    CustomTool,
    FunctionTool,
    HostedTool,
    Message,
    Output,
    Sampling,
    Thinking,
    ToolChoice,
)  # fmt: skip
from gateway.splice import guard
from gateway.sse import Splitter, read
from schemas.base import Wrong, check
from schemas.responses import CompactSchema, InputTokensSchema, ResponsesSchema
from tests import made

BASE: dict[str, Any] = {"model": "lab/m", "input": "hi"}


def call(**more: Any) -> Call:
    cap = more.pop("cap", None)
    values = {**BASE, **more}
    return made.call("responses", "resp_ours", json.dumps(values).encode(), responses.ask(values), cap=cap)


def leg() -> Leg:
    return made.leg("responses")


def frames(raw: bytes) -> list[dict[str, Any]]:
    """The events of a stream; each carries its own name."""
    found = [read(frame) for frame in Splitter().feed(raw)]
    values = [json.loads(event.data) for event in found if event.data is not None]
    assert [event.name for event in found] == [value["type"] for value in values]
    return values


def heard(raw: bytes) -> list[Event]:
    """A provider's stream in neutral words."""
    reader = responses.reader()
    events: list[Event] = []
    for frame in Splitter().feed(raw):
        event = read(frame)
        if event.data is not None:
            events += reader.push(event)
    return [*events, *reader.end()]


def told(events: Any, asked: dict[str, Any] | None = None) -> bytes:
    writer = responses.writer(asked or {})
    return b"".join(writer.write(event) for event in events)


def cut(size: int) -> Any:
    def pieces(text: str) -> Iterator[str]:
        for at in range(0, len(text), size):
            yield text[at : at + size]

    return pieces


# --- the law ---------------------------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
some = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
own_seal = st.builds(
    lambda identity, value: Seal(origin="responses", value=identity + value),
    st.sampled_from(["", "rs_1.", "rs_0a-b."]),
    st.text("abcXYZ_-=", min_size=1, max_size=12),
)
annotations = st.builds(
    lambda url, title, start: Citation(
        dialect="responses",
        raw=json.dumps(
            {"type": "url_citation", "url": url, "title": title, "start_index": start, "end_index": start + 1},
            ensure_ascii=False, separators=(",", ":"),
        ),
        url=url, title=title, start=start, end=start + 1,
    ),
    some, some, st.integers(0, 9),
)  # fmt: skip
logprobs = st.builds(
    Logprob,
    token=some,
    logprob=st.floats(-20, 0, allow_nan=False),
    top=st.lists(st.tuples(some, st.floats(-20, 0)), max_size=2).map(tuple),
)
texts = st.builds(Text, text=some, citations=st.lists(annotations, max_size=2).map(tuple)) | st.builds(
    Text, text=some, logprobs=st.lists(logprobs, max_size=2).map(tuple)
)
thoughts = st.builds(Reasoning, text=some, summary=st.booleans(), seal=st.none() | own_seal) | st.builds(
    Reasoning, text=st.just(""), redacted=st.just(True), seal=own_seal
)
calls = st.builds(ToolCall, id=some, name=some, arguments=words, custom=st.booleans())
pictures = st.builds(
    lambda data: Media(kind="image", source=Bytes(base64=data), media_type="image/png"),
    st.sampled_from(["aGk=", "QQ=="]),
)
hosted = st.builds(
    lambda n: Opaque(
        dialect="responses",
        kind="web_search_call",
        raw=f'{{"id":"ws_{n}","type":"web_search_call","status":"completed"}}',
    ),
    st.integers(0, 9),
)
usages = st.none() | st.builds(
    Usage, input=st.integers(0, 99), cached=st.integers(0, 99), cache_written=st.integers(0, 9),
    output=st.integers(0, 99), reasoning=st.integers(0, 99),
)  # fmt: skip


@st.composite
def replies(draw: st.DrawFn) -> ChatReply:
    parts = draw(st.lists(texts | st.builds(Refusal, text=some) | thoughts | calls | pictures | hosted, max_size=5))
    reason = draw(st.sampled_from(["stop", "length", "filtered"]))
    if reason == "stop" and any(isinstance(part, ToolCall) for part in parts):
        reason = "tool_calls"
    return ChatReply(
        id="resp_x", model="m", created=7, choices=(Choice(parts=tuple(parts), finish=Finish(reason=reason)),),
        usage=draw(usages),
    )  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(replies(), st.integers(1, 5))
def test_what_is_said_is_heard(reply: ChatReply, size: int) -> None:
    assert responses.parse_reply(responses.render_reply(reply, {})) == reply
    assert fold(heard(told(unfold(reply, cut(size))))) == reply


@settings(max_examples=100, deadline=None)
@given(replies())
def test_every_stream_has_its_order(reply: ChatReply) -> None:
    lifecycle(frames(told(unfold(reply, cut(3)))))


def lifecycle(events: list[dict[str, Any]]) -> None:
    """Numbers without gaps; items and parts that begin, say something and end; at last the sum of it all."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[0]["response"]["usage"] is None and events[0]["response"]["output"] == []
    assert events[-1]["type"] in ("response.completed", "response.incomplete", "response.failed")
    items: dict[int, dict[str, Any]] = {}
    done: dict[int, dict[str, Any]] = {}
    said: dict[tuple[Any, ...], str] = {}
    for event in events[2:-1]:
        place = event["output_index"]
        kind = event["type"].removeprefix("response.")
        if kind == "output_item.added":
            assert place == len(items)
            items[place] = event["item"]
            continue
        assert place in items and place not in done, "between its beginning and its end"
        if kind == "output_item.done":
            done[place] = event["item"]
            assert event["item"]["id"] == items[place]["id"]
            continue
        assert event["item_id"] == items[place]["id"]
        where = (place, event.get("content_index"), event.get("summary_index"), kind.rpartition(".")[0])
        if kind.endswith(".delta"):
            said[where] = said.get(where, "") + event["delta"]
        elif kind.endswith((".done",)) and "part" not in kind:
            whole = next(event[name] for name in ("text", "refusal", "arguments", "input") if name in event)
            assert said.get(where, "") == whole
    assert items.keys() == done.keys()
    assert events[-1]["response"]["output"] == [done[place] for place in sorted(done)]


def test_every_event_has_what_the_description_requires(shared: Path) -> None:
    described = json.loads((shared / "wire" / "spec" / "openai-events.json").read_text())["responses_stream"]
    required = {one["type"]: one["required"] for one in described}
    schemas = json.loads((shared / "wire" / "spec" / "openai-openapi.json").read_text())["components"]["schemas"]
    members = next(part for part in schemas["Response"]["allOf"] if "required" in part)["required"]
    found = Text(text="x", citations=(Citation(dialect="messages", raw="{}", url="http://a", title="A"),))
    reply = ChatReply(
        id="resp_1", model="m", created=1, usage=Usage(input=1, output=1),
        choices=(Choice(finish=Finish(reason="tool_calls"), parts=(
            Reasoning(text="a", summary=True), Reasoning(text="b", seal=Seal(origin="messages", value="s")), found,
            Refusal(text="no"), ToolCall(id="c1", name="f", arguments="{}"),
            ToolCall(id="c2", name="g", arguments="free", custom=True),
            Media(kind="image", source=Bytes(base64="QQ==")),
        )),),
    )  # fmt: skip
    events = frames(told(unfold(reply)))
    for event in events:
        assert set(required[event["type"]]) <= event.keys(), event["type"]
        if "response" in event:
            assert set(members) <= event["response"].keys()
    names = {
        "message": "OutputMessage", "function_call": "FunctionToolCall", "custom_tool_call": "CustomToolCall",
        "reasoning": "ReasoningItem", "image_generation_call": "ImageGenToolCall",
    }  # fmt: skip
    output = events[-1]["response"]["output"]
    assert {item["type"] for item in output} == names.keys()
    for item in output:
        assert set(schemas[names[item["type"]]]["required"]) <= item.keys()
    assert set(schemas["ResponseUsage"]["required"]) <= events[-1]["response"]["usage"].keys()
    frame = read(responses.error_frame(GatewayError(502, "It broke."), "req_1"))
    assert frame.name == "error" and frame.data is not None and set(required["error"]) <= json.loads(frame.data).keys()


def test_parallel_calls_may_interleave() -> None:
    first, second = ToolCall(id="a", name="f", arguments=""), ToolCall(id="b", name="g", arguments="")
    events: list[Event] = [
        ReplyStart(id="resp_1", model="m", created=0),
        PartStart(choice=0, index=0, part=first), PartDelta(choice=0, index=0, text='{"x"'),
        PartStart(choice=0, index=1, part=second), PartDelta(choice=0, index=1, text="{}"),
        PartDelta(choice=0, index=0, text=":1}"), PartEnd(choice=0, index=1), PartEnd(choice=0, index=0),
        ChoiceEnd(choice=0, finish=Finish(reason="tool_calls")), ReplyEnd(),
    ]  # fmt: skip
    raw = told(events)
    lifecycle(frames(raw))
    assert fold(heard(raw)) == fold(events)


def test_the_terminal_frame_waits_for_the_end() -> None:
    reply = ChatReply(
        id="resp_1", model="m", created=0,
        choices=(Choice(parts=(Text(text="hi"),), finish=Finish(reason="stop")),), usage=Usage(input=1, output=1),
    )  # fmt: skip
    writer = responses.writer({})
    pieces = [writer.write(event) for event in unfold(reply)]
    assert b"response.completed" in pieces[-1] and b"response.completed" not in b"".join(pieces[:-1])
    assert frames(pieces[-1])[0]["response"]["usage"]["input_tokens"] == 1


def test_what_was_asked_is_told_back() -> None:
    asked = {
        "instructions": "Be kind.", "temperature": 0.5, "metadata": {"a": "b"}, "max_output_tokens": 9, "store": True,
        "tools": [{"type": "function", "name": "f", "parameters": {}}], "tool_choice": "required",
        "text": {"verbosity": "low"}, "reasoning": {"effort": "low"}, "parallel_tool_calls": False,
    }  # fmt: skip
    reply = ChatReply(id="resp_1", model="m", created=5, choices=(Choice(parts=(), finish=Finish(reason="length")),))
    found = responses.render_reply(reply, asked)
    for name in ("instructions", "temperature", "metadata", "max_output_tokens", "tool_choice", "parallel_tool_calls"):
        assert found[name] == asked[name]
    assert found["tools"][0]["strict"] is True and found["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert found["reasoning"] == {"effort": "low", "summary": None} and found["top_p"] == 1.0
    assert found["store"] is False, "nothing is kept of it"
    assert found["status"] == "incomplete" and found["incomplete_details"] == {"reason": "max_output_tokens"}
    assert found["previous_response_id"] is None and found["usage"] is None and found["output_text"] == ""


def test_what_is_told_back_may_hold_numbers_of_any_length() -> None:
    asked = {"tools": [{"type": "function", "name": "f", "parameters": {"maximum": 10**30}}]}
    said = unfold(one_choice(Text(text="hi")))
    (begun, *_), whole = frames(told(said, asked)), responses.render_reply(one_choice(Text(text="hi")), asked)
    assert begun["response"]["tools"][0]["parameters"] == whole["tools"][0]["parameters"] == {"maximum": 10**30}


def test_several_texts_share_a_message() -> None:
    reply = ChatReply(
        id="resp_1", model="m", created=0,
        choices=(Choice(parts=(Text(text="a"), Text(text="b"), ToolCall(id="c", name="f", arguments="{}"), Text(text="d")),
                        finish=Finish(reason="tool_calls")),),
    )  # fmt: skip
    found = responses.render_reply(reply, {})
    assert [item["type"] for item in found["output"]] == ["message", "function_call", "message"]
    assert found["output_text"] == "abd" and len({item["id"] for item in found["output"]}) == 3


def test_other_makers_calls_are_no_calls() -> None:
    parts: tuple[Part, ...] = (
        ToolCall(id="s", name="web_search", arguments="{}", ran_by="messages"),
        Opaque(dialect="messages", kind="x", raw="{}"), Text(text="found"),
    )  # fmt: skip
    reply = ChatReply(id="resp_1", model="m", created=0, choices=(Choice(parts=parts, finish=Finish(reason="stop")),))
    assert [item["type"] for item in responses.render_reply(reply, {})["output"]] == ["message"]
    lifecycle(frames(told(unfold(reply))))


# --- seals -----------------------------------------------------------------------------------------------------------


def asked_again(reply: ChatReply) -> tuple[Part, ...]:
    """The parts of a reply as the client gives them back with its next question."""
    output = responses.render_reply(reply, {})["output"]
    guard(json.dumps({**BASE, "input": output}).encode())
    (message,) = responses.parse({**BASE, "input": output}).messages
    return message.parts


def one_choice(*parts: Part) -> ChatReply:
    return ChatReply(id="resp_1", model="m", created=0, choices=(Choice(parts=parts, finish=Finish(reason="stop")),))


def test_foreign_seals_come_back_on_their_parts() -> None:
    for parts in (
        (Reasoning(text="hm", seal=Seal(origin="messages", value="sig=")), ToolCall(id="c", name="f", arguments="{}")),
        (Reasoning(text="", redacted=True, seal=Seal(origin="messages", value="r")), Text(text="a")),
        (ToolCall(id="c", name="f", arguments="{}", seal=Seal(origin="gemini", value="g")),
         ToolCall(id="d", name="f", arguments="{}")),
        (Text(text="a", seal=Seal(origin="gemini", value="g")), ToolCall(id="d", name="f", arguments="{}")),
        (Text(text="a"), Text(text="", seal=Seal(origin="gemini", value="g"))),
        (Text(text="", seal=Seal(origin="gemini", value="g")), ToolCall(id="d", name="f", arguments="{}")),
    ):  # fmt: skip
        assert asked_again(one_choice(*parts)) == parts
        assert not responses.ask({**BASE, "input": responses.render_reply(one_choice(*parts), {})["output"]}).references


def test_thoughts_without_a_seal_come_back_as_such() -> None:
    thought = Reasoning(text="hm")
    output = responses.render_reply(one_choice(thought), {})["output"]
    assert asked_again(one_choice(thought)) == (thought,)
    assert not responses.ask({**BASE, "input": output}).references
    assert f'"{seals.MARK}' in json.dumps(output), "so that a provider of this dialect never sees the item itself"


def test_carriers_go_before_and_after() -> None:
    seal = Seal(origin="gemini", value="g")
    text = Text(text="a")
    assert list(seals.gather([seals.carrier(seal), text])) == [Text(text="a", seal=seal)]
    assert list(seals.gather([text, seals.trailer(seal)])) == [Text(text="a", seal=seal)]
    assert list(seals.gather([text, seals.alone(seal)])) == [text, Text(text="", seal=seal)]
    assert list(seals.gather([seals.trailer(seal)])) == [Text(text="", seal=seal)]
    assert list(seals.gather([seals.carrier(seal)])) == [Text(text="", seal=seal)]


def test_a_provider_gets_exactly_its_thought_back() -> None:
    item = {"type": "reasoning", "id": "rs_0a", "encrypted_content": "gAAA.b=", "summary": [
        {"type": "summary_text", "text": "I think"}]}  # fmt: skip
    whole = {"id": "resp_1", "model": "m", "created_at": 1.5, "status": "completed", "output": [item]}
    (thought,) = responses.parse_reply(whole).choices[0].parts
    assert thought == Reasoning(text="I think", summary=True, seal=Seal(origin="responses", value="rs_0a.gAAA.b="))
    request = ChatRequest(model="m", messages=(Message(role="assistant", parts=(thought,)),))
    assert responses.render(request, leg())["input"] == [item]


def test_thoughts_without_a_seal_are_left_out() -> None:
    parts = (Reasoning(text="mine"), Text(text="said"))
    sent = responses.render(ChatRequest(model="m", messages=(Message(role="assistant", parts=parts),)), leg())
    assert sent["input"] == [{"role": "assistant", "content": "said"}]
    assert sent["store"] is False and sent["include"] == ["reasoning.encrypted_content"]


def test_who_does_not_think_is_not_asked_for_encrypted_thoughts() -> None:
    """It would refuse: «Encrypted content is not supported with this model.»"""
    asked = ChatRequest(model="m", messages=(Message(role="user", parts=(Text(text="hi"),)),))
    sent = responses.render(asked, made.leg("responses", "gpt-4o"))
    assert sent["store"] is False and "include" not in sent


# --- requests --------------------------------------------------------------------------------------------------------


def test_a_request_in_neutral_words() -> None:
    asked = responses.parse(
        {
            **BASE, "instructions": "Be kind.", "stream": True, "max_output_tokens": 5, "temperature": 0.5, "top_p": 0.9,
            "user": "u", "metadata": {"a": "b"}, "service_tier": "flex", "parallel_tool_calls": False,
            "reasoning": {"effort": "high", "summary": "auto"}, "include": ["message.output_text.logprobs"],
            "top_logprobs": 3, "store": True, "background": False, "truncation": "disabled", "max_tool_calls": 4,
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True},
                     "verbosity": "low"},
            "tools": [
                {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object", "properties": {}, "additionalProperties": False}},
                {"type": "function", "name": "loose", "strict": False},
                {"type": "custom", "name": "g", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
                {"type": "web_search"},
            ],
            "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
            "input": [
                {"role": "developer", "content": "D"},
                {"role": "user", "content": [
                    {"type": "input_text", "text": "look"},
                    {"type": "input_image", "image_url": "data:image/gif;base64,QQ==", "detail": "low"},
                    {"type": "input_image", "image_url": "https://a/b.png", "detail": "auto"},
                    {"type": "input_file", "file_id": "file-1"},
                    {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ=="},
                    {"type": "input_file", "file_url": "https://a/b.pdf"},
                ]},
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"},
                {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
                    {"type": "output_text", "text": "wait", "annotations": []}]},
                {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"},
                {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "g", "input": "text"},
                {"type": "function_call_output", "call_id": "call_1", "output": [
                    {"type": "input_text", "text": "ok"}, {"type": "input_image", "image_url": "https://a/c.png"}]},
                {"type": "custom_tool_call_output", "call_id": "call_2", "output": "done"},
                {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            ],
        }
    )  # fmt: skip
    assert asked.messages == (
        Message(role="system", parts=(Text(text="Be kind."),)),
        Message(role="developer", parts=(Text(text="D"),)),
        Message(role="user", parts=(
            Text(text="look"),
            Media(kind="image", source=Bytes(base64="QQ=="), media_type="image/gif", detail="low"),
            Media(kind="image", source=Url(url="https://a/b.png")),
            Media(kind="file", source=FileRef(id="file-1")),
            Media(kind="file", source=Bytes(base64="QQ=="), media_type="application/pdf", name="a.pdf"),
            Media(kind="file", source=Url(url="https://a/b.pdf")),
        )),
        Message(role="assistant", parts=(
            Reasoning(text="", redacted=True, seal=Seal(origin="responses", value="rs_1.e")), Text(text="wait"),
            ToolCall(id="call_1", name="f", arguments="{}"),
            ToolCall(id="call_2", name="g", arguments="text", custom=True),
        )),
        Message(role="tool", parts=(ToolResult(call_id="call_1", parts=(
            Text(text="ok"), Media(kind="image", source=Url(url="https://a/c.png")))),)),
        Message(role="tool", parts=(ToolResult(call_id="call_2", parts=(Text(text="done"),), custom=True),)),
        Message(role="assistant", parts=(Refusal(text="no"),)),
    )  # fmt: skip
    assert asked.tools == (
        FunctionTool(
            name="f",
            description="d",
            strict=True,
            schema={"type": "object", "properties": {}, "additionalProperties": False},
        ),
        FunctionTool(name="loose", strict=False),
        CustomTool(name="g", form='{"type":"grammar","syntax":"lark","definition":"x"}'),
        HostedTool(dialect="responses", kind="web_search", raw='{"type":"web_search"}'),
    )
    assert asked.tool_choice == ToolChoice(mode="auto", names=("f",), parallel=False)
    assert asked.output == Output(form="schema", name="n", schema={"type": "object"}, strict=True, verbosity="low")
    assert asked.sampling == Sampling(limit=5, temperature=0.5, top_p=0.9, logprobs=True, top_logprobs=3)
    assert asked.thinking == Thinking(effort="high", show=True) and asked.stream
    assert (asked.end_user, asked.tier, asked.metadata) == ("u", "flex", {"a": "b"})
    assert asked.extras == {"responses": {"max_tool_calls": 4}}


def test_a_request_from_neutral_words() -> None:
    sent = responses.render(
        ChatRequest(
            model="up/m",
            messages=(
                Message(role="system", parts=(Text(text="Be kind."),)),
                Message(role="user", parts=(Text(text="look"), Media(kind="image", source=Bytes(base64="QQ==")))),
                Message(role="assistant", parts=(
                    Text(text="a", citations=(Citation(dialect="messages", raw="{}", url="u", title="t"),)),
                    ToolCall(id="c", name="f", arguments=""), ToolCall(id="s", name="x", arguments="", ran_by="messages"),
                )),
                Message(role="tool", parts=(ToolResult(call_id="c", parts=(Text(text="no"),), is_error=True),)),
                Message(role="user", parts=(Media(kind="file", source=Bytes(base64="QQ=="), media_type="text/plain"),)),
            ),
            tools=(FunctionTool(name="f"), CustomTool(name="g"), FunctionTool(name="h", strict=True)),
            tool_choice=ToolChoice(mode="required", names=("g",), parallel=False),
            output=Output(form="schema", schema={"type": "object"}),
            sampling=Sampling(limit=70, seed=1, logprobs=True, top_logprobs=2),
            thinking=Thinking(mode="on", budget=20_000, show=True),
            end_user="u",
            extras={"responses": {"truncation": "auto", "include": ["x"]}, "chat": {"seed": 1}},
        ),
        leg(),
    )  # fmt: skip
    assert sent == {
        "model": "up/m",
        "instructions": "Be kind.",
        "input": [
            {"role": "user", "content": [
                {"type": "input_text", "text": "look"},
                {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,QQ=="}]},
            {"role": "assistant", "content": [{"type": "output_text", "text": "a", "annotations": [
                {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}]}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "Error: no"},
            {"role": "user", "content": [
                {"type": "input_file", "filename": "file.txt", "file_data": "data:text/plain;base64,QQ=="}]},
        ],
        "tools": [
            {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False},
            {"type": "custom", "name": "g"},
            {"type": "function", "name": "h", "parameters": {"type": "object", "properties": {}}, "strict": True},
        ],
        "parallel_tool_calls": False,
        "tool_choice": {"type": "custom", "name": "g"},
        "text": {"format": {"type": "json_schema", "name": "answer", "schema": {"type": "object"}}},
        "reasoning": {"effort": "high", "summary": "auto"},
        "max_output_tokens": 70,
        "top_logprobs": 2,
        "user": "u",
        "store": False,
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs", "x"],
        "truncation": "auto",
    }  # fmt: skip


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "message", "user", "function", "input_text"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "role", "content", "id", "name", "text", "call_id", "output", "input", "summary"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


def test_schemas_of_no_shape_are_not_strict() -> None:
    schema = {"type": "object", "properties": {"a": {}}, "required": [{"a": 1}], "additionalProperties": False}
    (tool,) = responses.parse({**BASE, "tools": [{"type": "function", "name": "f", "parameters": schema}]}).tools
    assert isinstance(tool, FunctionTool) and tool.strict is None


def test_thoughts_of_no_shape_are_read() -> None:
    asked = responses.parse({"model": "m", "input": [{"type": "reasoning", "summary": 1.5, "content": {"a": 1}}]})
    assert not asked.messages


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["input", "tools", "tool_choice", "text", "reasoning", "include"]), json_values))
def test_odd_requests_are_read_all_the_same(odd: dict[str, Any]) -> None:
    responses.render(responses.parse({"model": "m", **odd}), leg())


def test_every_feature_has_its_cell() -> None:
    assert set(responses.CAN) == set(responses.FIELD) == set(NAMES)


# --- what the gateway must know --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"previous_response_id": "f"}, "previous_response_id"), ({"input": [{"type": "compaction", "id": "f"}]}, "input[0].id"),
        ({"tools": [{"type": "shell", "environment": {"type": "container_auto", "skills": [{"skill_id": "f"}]}}]},
         "tools[0].environment.skills[0].skill_id"),
        ({"conversation": {"id": "f"}}, "conversation"),
        ({"prompt": {"id": "f"}}, "prompt.id"), ({"input": [{"type": "item_reference", "id": "f"}]}, "input[0].id"),
        ({"input": [{"id": "f"}]}, "input[0].id"),
        ({"input": [{"type": "reasoning", "id": "f", "summary": []}]}, "input[0].id"),
        ({"input": [{"type": "image_generation_call", "id": "f"}]}, "input[0].id"),
        ({"input": [{"type": "mcp_approval_response", "approval_request_id": "f"}]}, "input[0].approval_request_id"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
         "input[0].content[0].file_id"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "file_id": "f"}]}]},
         "input[0].output[0].file_id"),
        ({"input": [{"type": "code_interpreter_call", "id": "x", "container_id": "f"}]}, "input[0].container_id"),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["f"]}]}, "tools[0].vector_store_ids"),
        ({"tools": [{"type": "code_interpreter", "container": "f"}]}, "tools[0].container"),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["f"]}}]},
         "tools[0].container.file_ids"),
        ({"tools": [{"type": "image_generation", "input_image_mask": {"file_id": "f"}}]},
         "tools[0].input_image_mask.file_id"),
    ],
)  # fmt: skip
def test_names_of_upstream_objects_are_found(more: dict[str, Any], param: str) -> None:
    ask = responses.ask({**BASE, **more})
    assert [(ref.id, ref.param) for ref in ask.references] == [("f", param)] and ask.weight.unseen


def test_what_the_body_itself_holds_names_nothing() -> None:
    items = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"},
        {"type": "message", "id": "msg_1", "role": "assistant", "content": [
            {"type": "output_text", "text": "x", "annotations": [{"type": "file_citation", "file_id": "file-1"}]}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": '{"file_id": "x"}'},
        {"type": "function_call_output", "call_id": "c", "output": "previous_response_id"},
    ]  # fmt: skip
    tool = {
        "type": "function",
        "name": "f",
        "parameters": {"properties": {"file_id": {"type": "string"}}, "file_id": "f"},
    }
    assert not responses.ask({**BASE, "input": items, "tools": [tool]}).references


def test_weights() -> None:
    data = "A" * 4000
    content = [
        {"type": "input_text", "text": "héé"},
        {"type": "input_image", "image_url": "data:image/png;base64," + data},
        {"type": "input_image", "image_url": "https://a/b.png", "detail": "low"},
        {"type": "input_file", "file_data": data, "filename": "a.pdf"},
    ]
    ask = responses.ask({**BASE, "input": [{"role": "user", "content": content}], "instructions": "x" * 50})
    weight = ask.weight
    assert (weight.images, weight.small_images, weight.file_bytes, weight.messages) == (2, 1, 3000, 1)
    assert 55 < weight.text < 100 and ask.urls == (("https://a/b.png", "input[0].content[2].image_url"),)
    far = responses.ask(
        {**BASE, "input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://a"}]}]}
    )
    assert far.weight.unseen and far.urls


def test_tools_that_the_provider_runs_are_seen() -> None:
    ours = ("function", "custom", "apply_patch", "local_shell", "shell", "computer_use_preview")
    theirs = ("web_search", "file_search", "code_interpreter", "image_generation", "mcp", "tomorrows")
    tools = [{"type": kind, "name": "n"} for kind in (*ours, *theirs)]
    tools.append({"type": "shell", "environment": {"type": "container_auto"}})  # type: ignore[dict-item]
    asked = responses.ask({**BASE, "tools": tools, "max_tool_calls": 4}).hosted
    assert [(one.param, one.most) for one in asked] == [(f"tools[{n}]", 4) for n in range(6, 13)]


def test_what_is_sent() -> None:
    one = call(previous_response_id="resp_ours_before", cap=7, max_output_tokens=99, models=["a"])
    one.theirs["resp_ours_before"] = "resp_theirs"
    assert json.loads(responses.encode(one, leg())) == {
        "model": "up/m", "input": "hi", "previous_response_id": "resp_theirs", "max_output_tokens": 7,
    }  # fmt: skip
    assert json.loads(responses.encode(call(cap=7), leg()))["max_output_tokens"] == 7


# --- replies of the same dialect -------------------------------------------------------------------------------------

USAGE = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5,
         "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 14}  # fmt: skip
MESSAGE = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [
    {"type": "output_text", "text": "hello", "annotations": [], "logprobs": []}]}  # fmt: skip
WHOLE: dict[str, Any] = {"id": "resp_up", "object": "response", "created_at": 1, "status": "completed", "error": None,
         "model": "m-1", "output": [MESSAGE], "usage": USAGE, "previous_response_id": "resp_up0", "x": [1]}  # fmt: skip


def event(kind: str, named: bool = True, **members: Any) -> bytes:
    data = json.dumps({"type": kind, **members}).encode()
    return (f"event: {kind}\n".encode() if named else b"") + b"data: " + data + b"\n\n"


def begun(**more: Any) -> bytes:
    return event("response.created", response={**WHOLE, "status": "in_progress", "output": [], "usage": None}, **more)


DELTA = event("response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta="hello")
END = event("response.completed", response=WHOLE)


def test_a_whole_reply_gets_the_callers_names() -> None:
    meter = Meter()
    found = json.loads(responses.whole(call(previous_response_id="resp_ours0"), json.dumps(WHOLE).encode(), meter))
    assert found == {
        **WHOLE, "id": "resp_ours", "model": "lab/m", "previous_response_id": "resp_ours0", "output_text": "hello",
    }  # fmt: skip
    assert meter.usage == Usage(input=9, cached=4, output=5, reasoning=2) and meter.finish == "completed"
    assert meter.upstream_id == "resp_up" and meter.made == [("response", "resp_up"), ("item", "msg_1")]
    responses.whole(call(store=False), json.dumps(WHOLE).encode(), meter := Meter())
    assert meter.made == [], "what is not kept cannot be referred to"


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ({"error": {"message": "no", "code": "server_error"}}, "server"), ({}, "malformed"), ([], "malformed"),
        ({**WHOLE, "status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}}, "limited"),
        ({**WHOLE, "status": "failed", "error": {"code": "invalid_prompt", "message": "no"}}, "request"),
        ({**WHOLE, "output": None}, "malformed"),
    ],
)  # fmt: skip
def test_whole_replies_that_are_none(body: Any, cause: str) -> None:
    with pytest.raises(Fault) as fault:
        responses.whole(call(), json.dumps(body).encode(), Meter())
    assert fault.value.cause == cause


@pytest.mark.parametrize("named", [True, False])
def test_a_stream_passes(named: bool) -> None:
    feed = responses.feed(call(previous_response_id="resp_ours0"))
    delta = event("response.output_text.delta", named, delta="hello", item_id="msg_1", y=1.50)
    feed.push(event("response.created", named, response={**WHOLE, "output": [], "usage": None}))
    feed.push(event("keepalive", named, sequence_number=1))
    assert feed.spoke and not feed.bound and len(feed.out) == 2, "nothing is said yet"
    feed.push(delta)
    assert feed.bound and feed.out[-1] == delta
    feed.push(event("response.completed", named, response=WHOLE) + b"data: [DONE]\n\n")
    feed.end()
    assert feed.fault is None and feed.tail is not None and b"[DONE]" not in feed.tail
    (last,) = (json.loads(read(feed.tail).data or b""),)
    assert last["response"] == {**WHOLE, "id": "resp_ours", "model": "lab/m", "previous_response_id": "resp_ours0"}
    feed.measure()
    assert feed.meter.usage == Usage(input=9, cached=4, output=5, reasoning=2) and feed.meter.out_bytes == 5


def test_what_is_repeated_is_not_counted_twice() -> None:
    feed = responses.feed(call())
    feed.push(begun() + DELTA + event("response.output_text.done", text="hello") +
              event("response.content_part.done", part={"type": "output_text", "text": "hello"}))  # fmt: skip
    feed.measure()
    assert feed.meter.out_bytes == 5


def test_streams_that_fail() -> None:
    failed = event(
        "response.failed", response={**WHOLE, "status": "failed", "error": {"code": "server_error", "message": "x"}}
    )
    for body, cause in (
        (begun() + failed, "server"), (begun() + event("error", code="rate_limit_exceeded", message="x"), "limited"),
        (begun() + event("error", error={"type": "invalid_request_error", "message": "x"}), "request"),
        (begun() + b"data: [DONE]\n\n", "malformed"), (begun() + DELTA, "malformed"), (b"data: {oops}\n\n", "malformed"),
        (event("response.created", response=None), "malformed"),
    ):  # fmt: skip
        feed = responses.feed(call())
        feed.push(body)
        feed.end()
        assert feed.fault is not None and feed.fault.cause == cause and feed.tail is None
    feed = responses.feed(call())
    feed.push(begun() + DELTA + failed)
    assert feed.fault is None and feed.tail is not None, "after output it is told as it is"
    assert json.loads(read(feed.tail).data or b"")["response"]["error"]["message"] == "x"
    assert feed.meter.finish == "failed" and feed.meter.made == []


def test_an_answer_only_in_the_terminal_frame() -> None:
    feed = responses.feed(call())
    feed.push(END)
    feed.measure()
    assert feed.tail is not None and feed.meter.out_bytes == 5 and feed.meter.usage is not None


def test_a_whole_answer_to_a_streamed_question() -> None:
    feed = responses.feed(call(stream=True))
    feed.push(json.dumps({**WHOLE, "previous_response_id": None}).encode())
    feed.end()
    assert feed.fault is None and feed.tail is not None
    events = frames(b"".join([*feed.out, feed.tail]))
    lifecycle(events)
    assert [one["type"].removeprefix("response.") for one in events] == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert events[-1]["response"] == {**WHOLE, "previous_response_id": None, "id": "resp_ours", "model": "lab/m"}
    assert fold(heard(b"".join([*feed.out, feed.tail]))).choices[0].parts == (Text(text="hello"),)


def test_providers_that_leave_things_out() -> None:
    """Deltas without items, items without deltas, calls that come at once: the end tells it all."""
    item = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": '{"a":1}'}
    want = (Text(text="hello"), ToolCall(id="c", name="f", arguments='{"a":1}'))
    end = event("response.completed", response={**WHOLE, "output": [MESSAGE, item]})
    for body in (
        begun() + end, begun() + DELTA + end,
        begun() + event("response.output_item.added", output_index=1, item=item) + DELTA + end,
        begun() + DELTA + event("response.output_item.done", output_index=1, item=item) + end,
    ):  # fmt: skip
        reply = fold(heard(body))
        assert set(reply.choices[0].parts) == set(want) and reply.choices[0].finish.reason == "tool_calls"
        assert reply.usage == Usage(input=9, cached=4, output=5, reasoning=2)
    for body in (begun(), begun() + DELTA, b""):
        with pytest.raises(Fault):
            heard(body)


# --- the gate --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"model": None}, "model"), ({"input": None}, "input"), ({"input": []}, "input"), ({"input": ""}, "input"),
        ({"input": 7}, "input"), ({"input": ["x"]}, "input[0]"), ({"input": [{"role": "A B", "content": "x"}]}, "input[0].role"),
        ({"input": [{"type": 7}]}, "input[0].type"), ({"input": [{"content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": 7}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": ["x"]}]}, "input[0].content[0]"),
        ({"max_output_tokens": 0}, "max_output_tokens"), ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"tools": [{"type": "custom", "name": "x"}] * 2_049}, "tools"), ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"stream": "yes"}, "stream"), ({"background": "yes"}, "background"), ({"temperature": 3}, "temperature"),
        ({"text": "x"}, "text"), ({"include": "x"}, "include"), ({"store": 1}, "store"), ({"metadata": []}, "metadata"),
        ({"prompt": {"id": "p", "variables": "x"}}, "prompt"),
    ],
)  # fmt: skip
def test_what_the_gate_refuses(more: dict[str, Any], param: str) -> None:
    with pytest.raises(Wrong) as wrong:
        check(ResponsesSchema(), {**BASE, **more})
    assert wrong.value.param == param


def test_all_three_gates_know_the_same_fields() -> None:
    for schema in (CompactSchema(), InputTokensSchema()):
        for more in ({"max_output_tokens": {}}, {"temperature": {}}, {"prompt": []}, {"stream": "x"}):
            with pytest.raises(Wrong):
                check(schema, {**BASE, **more})


def test_variables_of_a_prompt_may_be_anything() -> None:
    call(prompt={"id": "p", "variables": {"a": {"type": {}}, "b": 1, "c": None, "d": {"type": ["x"]}}})


@pytest.mark.parametrize(
    "more",
    [
        {"background": False}, {"background": None}, {"input": None, "prompt": {"id": "p"}}, {"max_output_tokens": 1},
        {"input": [], "previous_response_id": "r"}, {"input": None, "conversation": "c"}, {"tomorrow": [1]},
        {"input": [{"type": "reasoning", "summary": []}, {"id": "x"}]}, {"tools": [{"type": "web_search"}]},
        {"text": None, "temperature": None, "tools": None, "metadata": None},
    ],
)  # fmt: skip
def test_what_the_gate_lets_through(more: dict[str, Any]) -> None:
    check(ResponsesSchema(), {**BASE, **more})
