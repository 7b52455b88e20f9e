"""The Messages dialect by itself: what passes, what is weighed, what is said in other words and back."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Ask, Call, Fault, Leg, Meter, Price
from gateway.dialects import anthropic, bridge, schemas, shapes
from gateway.dialects.anthropic import parts, reply
from gateway.errors import GatewayError
from gateway.neutral.events import Event, PartDelta, PartEnd, PartStart, fold, unfold
from gateway.neutral.features import NAMES, used
from gateway.neutral.parts import (
    Bytes,
    Citation,
    FileRef,
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
)
from gateway.neutral.reply import ChatReply, Choice, Finish, Usage
from gateway.neutral.request import (
    ChatRequest,
    FunctionTool,
    HostedTool,
    Message,
    Output,
    Sampling,
    Thinking,
    ToolChoice,
)
from gateway.sse import Splitter, read
from tests import made
from tests.dialects.neutral import merged

BASE: dict[str, Any] = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}


def leg(model: str = "claude-sonnet-4-5", price: Price | None = None) -> Leg:
    return made.leg("messages", model, price, free=True)


def call(body: dict[str, Any] | str = "{}", cap: int | None = None, **ask: Any) -> Call:
    text = body if isinstance(body, str) else json.dumps(body)
    return made.call("messages", "msg_ours", text.encode(), Ask(model="lab/m", **ask), cap=cap)


def asked(*messages: Message, **more: Any) -> ChatRequest:
    return ChatRequest(model="up", messages=messages, **more)


def user(*found: Part | str) -> Message:
    return Message(role="user", parts=tuple(Text(text=one) if isinstance(one, str) else one for one in found))


def assistant(*found: Part | str) -> Message:
    return Message(role="assistant", parts=tuple(Text(text=one) if isinstance(one, str) else one for one in found))


def result(call_id: str, *found: Any, **more: Any) -> Message:
    inner = tuple(Text(text=one) if isinstance(one, str) else one for one in found)
    return Message(role="tool", parts=(ToolResult(call_id=call_id, parts=inner, **more),))


def sent(request: ChatRequest, model: str = "claude-sonnet-4-5") -> dict[str, Any]:
    return anthropic.render(request, leg(model))


# What the tables say


def test_every_feature_has_a_cell() -> None:
    assert set(anthropic.CAN) == set(NAMES) == set(anthropic.FIELD)


# What is known of a request


def test_weights() -> None:
    data = "A" * 4000
    blocks = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}},
        {"type": "tool_result", "tool_use_id": "t", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}]},
    ]  # fmt: skip
    ask = anthropic.ask({**BASE, "messages": [{"role": "user", "content": blocks}]})
    assert (ask.weight.images, ask.weight.file_bytes, ask.weight.unseen) == (3, 3000, False)
    assert ask.weight.text < 200, "media do not count as text"
    assert ask.urls == (("https://x/y.png", "messages[0].content[1].source.url"),)
    assert anthropic.ask({**BASE, "system": "é" * 300}).weight.text >= 600
    text = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x" * 900}}
    assert anthropic.ask({**BASE, "messages": [{"role": "user", "content": [text]}]}).weight.text > 900
    page = {"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}}
    assert anthropic.ask({**BASE, "messages": [{"role": "user", "content": [page]}]}).weight.unseen
    tool = {"name": "f", "input_schema": {"x": "y" * 500}}
    assert anthropic.ask({**BASE, "tools": [tool]}).weight.text > 500
    memory = anthropic.ask({**BASE, "tools": [{"type": "memory_20250818", "name": "memory"}]})
    assert memory.weight.bound(1600) > 1_581, "a provider counted as much for its own definition of that tool"


def test_limit_stream_and_tier() -> None:
    ask = anthropic.ask({**BASE, "stream": True, "service_tier": "standard_only", "max_tokens": 0})
    assert (ask.limit, ask.stream, ask.tier) == (0, True, None)
    assert anthropic.ask({**BASE, "service_tier": "auto"}).tier == "auto"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}]},
         "messages[0].content[0].source.file_id"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
            {"type": "document", "source": {"type": "file", "file_id": "f"}}]}]}]},
         "messages[0].content[0].content[0].source.file_id"),
        ({"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}]},
         "messages[0].content[0].file_id"),
        ({"container": "f"}, "container"), ({"container": {"id": "f"}}, "container"),
        ({"container": {"skills": [{"type": "anthropic", "skill_id": "pptx"}, {"type": "custom", "skill_id": "f"}]}},
         "container.skills[1].skill_id"),
        ({"workspace_id": "f"}, "workspace_id"), ({"user_profile_id": "f"}, "user_profile_id"),
        ({"diagnostics": {"previous_message_id": "f"}}, "diagnostics.previous_message_id"),
    ],
)  # fmt: skip
def test_names_of_upstream_objects_are_found(more: dict[str, Any], param: str) -> None:
    ask = anthropic.ask({**BASE, **more})
    assert [(ref.id, ref.param) for ref in ask.references] == [("f", param)]


def test_what_names_nothing_upstream() -> None:
    blocks = [{"type": "tool_use", "id": "t", "name": "f", "input": {"file_id": "x", "container": "y"}}]
    body = {**BASE, "messages": [{"role": "assistant", "content": blocks}]}
    ours = {"previous_message_id": "msg_" + "0" * 32}
    schema = {"type": "object", "properties": {"file_id": {"type": "string"}}, "file_id": "f"}
    assert not anthropic.ask({**body, "tools": [{"name": "f", "input_schema": schema}]}).references
    assert not anthropic.ask({**body, "diagnostics": ours}).references


def test_tools_that_the_provider_runs_are_seen() -> None:
    tools = [
        {"name": "f", "input_schema": {}}, {"type": "custom", "name": "g"}, {"type": "bash_20250124", "name": "bash"},
        {"type": "web_search_20250305", "name": "web_search"}, {"type": "computer_toolset_20260801"},
        {"type": "text_editor_20250728", "name": "e"}, {"type": "code_execution_20250825", "name": "c"},
        {"type": "something_new", "name": "n"},
    ]  # fmt: skip
    servers = [{"type": "url", "url": "https://mcp.example/x", "name": "x"}]
    ask = anthropic.ask({**BASE, "tools": tools, "mcp_servers": servers, "speed": "fast", "inference_geo": "us"})
    assert [one.param for one in ask.hosted] == [
        "tools[3]",
        "tools[6]",
        "tools[7]",
        "mcp_servers",
        "speed",
        "inference_geo",
    ]
    assert ask.urls == (("https://mcp.example/x", "mcp_servers[0].url"),) and ask.weight.unseen
    assert not anthropic.ask({**BASE, "speed": "standard", "mcp_servers": [], "inference_geo": "global"}).hosted


# Law 1


def test_only_model_and_a_forced_limit_change() -> None:
    body = '{ "model" : "lab/m",\n "max_tokens":5000 , "models":["x"],"vendor":1.0,"messages":[{"role":"user","content":"é"}]}'
    want = body.replace('"lab/m"', '"up"')
    assert anthropic.encode(call(body), leg("up")).decode() == want.replace(' , "models":["x"]', "")
    got = anthropic.encode(call(body, cap=300), leg("up")).decode()
    assert got == want.replace(' , "models":["x"]', "").replace("5000", "300")


def test_whole_replies_keep_their_bytes() -> None:
    body = '{"model": "up", "id":"msg_01", "type":"message",\n"role":"assistant","content":[{"type":"text","text":"h\\u0069"}],'
    body += (
        '"stop_reason":"end_turn","usage":{"input_tokens":5,"cache_read_input_tokens":40,"output_tokens":2},"new":1.50}'
    )
    meter = Meter()
    got = anthropic.whole(call(), body.encode(), meter).decode()
    assert got == body.replace('"up"', '"lab/m"').replace('"msg_01"', '"msg_ours"')
    assert meter.usage == Usage(input=45, cached=40, output=2)
    assert (meter.upstream_id, meter.finish, meter.out_bytes) == ("msg_01", "end_turn", 2)


def test_what_tools_made_may_be_named_later() -> None:
    block = {"type": "bash_code_execution_tool_result", "tool_use_id": "t", "content": {
        "type": "bash_code_execution_result", "content": [{"type": "bash_code_execution_output", "file_id": "file_1"}]}}  # fmt: skip
    values = {"content": [block], "container": {"id": "container_1", "expires_at": "x"}}
    meter = Meter()
    anthropic.whole(call(), json.dumps(values).encode(), meter)
    assert sorted(meter.made) == [("container", "container_1"), ("file", "file_1")]
    feed = anthropic.feed(call())
    feed.push(START + event("content_block_start", index=0, content_block=block))
    feed.push(event("message_delta", delta={"stop_reason": "end_turn", "container": {"id": "container_2"}}, usage={}))
    assert feed.meter.made == [("file", "file_1"), ("container", "container_2")]


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b'{"content":null}', b'{"content":[1]}', b'{"content":"x"}', b"<html>", b"\xff"],
)
def test_whole_answers_that_are_none(body: bytes) -> None:
    with pytest.raises(Fault) as caught:
        anthropic.whole(call(), body, Meter())
    assert caught.value.cause == "malformed"


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def delta(index: int, **members: Any) -> bytes:
    return event("content_block_delta", index=index, delta=members)


MESSAGE = {"id": "msg_01", "type": "message", "role": "assistant", "model": "up", "content": [], "stop_reason": None}
START = event("message_start", message={**MESSAGE, "usage": {"input_tokens": 9, "output_tokens": 1}})
PING = event("ping")
TEXT = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
SAID = delta(0, type="text_delta", text="hello")
SHUT = event("content_block_stop", index=0)
END = event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 7})
STOP = event("message_stop")


def test_streams_keep_their_bytes() -> None:
    feed = anthropic.feed(call(stream=True))
    feed.push(START + PING)
    assert feed.spoke and not feed.bound, "the beginning and a ping bind nobody"
    feed.push(TEXT + SAID + PING + PING + SHUT + b": comment\n\n" + event("of_tomorrow", x=1) + END)
    assert feed.bound and feed.tail is None
    feed.push(STOP)
    assert feed.tail == STOP and feed.fault is None
    want = START.replace(b'"msg_01"', b'"msg_ours"').replace(b'"up"', b'"lab/m"')
    assert (
        b"".join(feed.out)
        == want + PING + TEXT + SAID + PING + PING + SHUT + b": comment\n\n" + event("of_tomorrow", x=1) + END
    )
    feed.measure()
    assert (feed.meter.upstream_id, feed.meter.finish, feed.meter.out_bytes) == ("msg_01", "end_turn", 5)
    assert feed.meter.usage == Usage(input=9, output=7) and feed.meter.final


def test_the_later_count_stands_and_an_early_one_is_not_final() -> None:
    usage = {"input_tokens": 9, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 0, "output_tokens": 1}
    feed = anthropic.feed(call(stream=True))
    feed.push(event("message_start", message={**MESSAGE, "usage": usage}) + TEXT + SAID)
    assert feed.meter.usage == Usage(input=12, cached=3, cache_written=0, output=1) and not feed.meter.final
    late = {"input_tokens": 900, "cache_read_input_tokens": None, "output_tokens": 70}
    feed.push(event("message_delta", delta={"stop_reason": "tool_use"}, usage=late))
    assert feed.meter.usage == Usage(input=903, cached=3, cache_written=0, output=70) and feed.meter.final


def test_a_stream_that_says_only_why_it_ended_is_whole() -> None:
    feed = anthropic.feed(call(stream=True))
    feed.push(START + event("message_delta", delta={"stop_reason": "refusal"}, usage={"output_tokens": 1}) + STOP)
    assert feed.tail == STOP and feed.meter.finish == "refusal"


@pytest.mark.parametrize(
    "body",
    [b"", START, START + PING, START + STOP, PING + STOP, START + TEXT + SAID, START + TEXT + SAID + SHUT + END, TEXT,
     START + b"event: content_block_delta\ndata: oops\n\n", START + b"data: [DONE]\n\n", event("message_start"),
     b'event: message_start\ndata: {"type":"message_start","message":[1]}\n\n', START + b"event: message_delta\ndata: {]}\n\n"],
)  # fmt: skip
def test_streams_that_are_none(body: bytes) -> None:
    feed = anthropic.feed(call(stream=True))
    feed.push(body)
    feed.end()
    assert feed.fault is not None and feed.fault.cause == "malformed" and feed.tail is None
    reader = anthropic.reader()
    with pytest.raises(Fault):
        fold([one for frame in Splitter().feed(body) if read(frame).data for one in reader.push(read(frame))])
        list(reader.end())


def test_errors_in_a_stream() -> None:
    for kind, cause, status in (
        ("overloaded_error", "limited", 529), ("rate_limit_error", "limited", 429), ("api_error", "server", 500),
        ("invalid_request_error", "request", 400), ("authentication_error", "account", 401), ("new_one", "server", 500),
    ):  # fmt: skip
        broken = event("error", error={"type": kind, "message": "No more."})
        feed = anthropic.feed(call(stream=True))
        feed.push(START + TEXT + SAID + broken)
        assert feed.fault and (feed.fault.cause, feed.fault.status) == (cause, status)
        with pytest.raises(Fault) as caught:
            list(anthropic.reader().push(read(broken)))
        assert caught.value.status == status
        with pytest.raises(Fault) as caught:
            anthropic.whole(call(), json.dumps({"type": "error", "error": {"type": kind}}).encode(), Meter())
        assert caught.value.status == status


WHOLE: dict[str, Any] = {
    **MESSAGE, "stop_reason": "tool_use", "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 7},
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"}, {"type": "redacted_thinking", "data": "dark"},
        {"type": "text", "text": "Let me see.", "citations": [{"type": "char_location", "cited_text": "q"}]},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1]}, "caller": {"type": "direct"}},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
    ],
}  # fmt: skip


def test_a_whole_answer_to_a_streamed_question_is_cut_into_frames() -> None:
    feed = anthropic.feed(call(stream=True))
    feed.push(json.dumps(WHOLE, indent=1).encode())
    feed.end()
    assert feed.fault is None and feed.tail == b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    got = anthropic.reader()
    found = fold([one for frame in [*feed.out, feed.tail] for one in got.push(read(frame))])
    assert merged(found) == merged(anthropic.parse_reply(WHOLE)) and found.id == "msg_ours" and found.model == "lab/m"


@given(st.lists(st.binary(max_size=40) | st.sampled_from([START, PING, TEXT, SAID, SHUT, END, STOP, b"data: {}\n\n"]), max_size=9))  # fmt: skip
def test_no_stream_crashes_a_feed(pieces: list[bytes]) -> None:
    feed = anthropic.feed(call(stream=True))
    for piece in pieces:
        feed.push(piece)
    feed.end()
    feed.measure()
    assert (feed.fault is None) != (feed.tail is None)


# Usage and errors


@pytest.mark.parametrize(
    ("values", "usage"),
    [
        ({"input_tokens": 9, "output_tokens": 5}, Usage(input=9, output=5)),
        ({"input_tokens": 9, "output_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 50,
          "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30},
          "output_tokens_details": {"thinking_tokens": 3}},
         Usage(input=159, cached=100, cache_written=50, cache_written_1h=30, output=5, reasoning=3)),
        ({"input_tokens": 1, "output_tokens": 5, "cache_creation": {"ephemeral_5m_input_tokens": 20}},
         Usage(input=21, cache_written=20, output=5)),
        ({"input_tokens": 9, "output_tokens": 5, "iterations": [
            {"type": "compaction", "input_tokens": 1000, "output_tokens": 50}, {"type": "message", "input_tokens": 9,
            "output_tokens": 5}]}, Usage(input=1009, output=55)),
        ({"input_tokens": -9, "output_tokens": 5}, None), ({"input_tokens": "9", "output_tokens": 5}, None),
        ({"input_tokens": True, "output_tokens": 5}, None), ({"output_tokens": 5}, None), ([], None), (None, None),
    ],
)  # fmt: skip
def test_usage(values: Any, usage: Usage | None) -> None:
    assert reply.usage(values) == usage
    if usage is not None and "iterations" not in values:
        assert reply.usage(reply.render_usage(usage)) == usage


@pytest.mark.parametrize(
    ("status", "kind", "cause"),
    [(400, "invalid_request_error", "request"), (401, "authentication_error", "account"), (402, "billing_error", "account"),
     (403, "permission_error", "account"), (404, "not_found_error", "request"), (413, "request_too_large", "request"),
     (429, "rate_limit_error", "limited"), (500, "api_error", "server"), (504, "timeout_error", "timeout"),
     (529, "overloaded_error", "limited")],
)  # fmt: skip
def test_what_a_status_means(status: int, kind: str, cause: str) -> None:
    body = json.dumps({"type": "error", "error": {"type": kind, "message": "words"}, "request_id": "req_x"}).encode()
    fault = anthropic.fault(status, {"retry-after": "3", "x-should-retry": "false"}, body)
    assert (fault.cause, fault.message, fault.code, fault.retry_after) == (cause, "words", kind, 3)
    ours = json.loads(anthropic.error(GatewayError(status, "ours"), "req_1"))
    assert ours == {"type": "error", "error": {"type": kind, "message": "ours"}, "request_id": "req_1"}
    assert anthropic.error_frame(GatewayError(status, "ours"), "r").startswith(b'event: error\ndata: {"type": "error"')


def test_an_empty_purse_of_ours_is_not_the_callers_fault() -> None:
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to go on."}}'
    assert anthropic.fault(400, {}, body).cause == "account"


@pytest.mark.parametrize(("status", "kind"), [(405, "invalid_request_error"), (503, "api_error"), (502, "api_error")])
def test_statuses_without_a_type_of_their_own(status: int, kind: str) -> None:
    assert json.loads(anthropic.error(GatewayError(status, "x"), "r"))["error"]["type"] == kind


# Replies in neutral words


def test_a_reply_is_parsed() -> None:
    found = anthropic.parse_reply(WHOLE)
    thought, dark, text, called, hosted, rest = found.choices[0].parts
    assert thought == Reasoning(text="Hm.", seal=Seal(origin="messages", value="sig"))
    assert dark == Reasoning(text="", redacted=True, seal=Seal(origin="messages", value="dark"))
    assert isinstance(text, Text) and text.citations[0].quote == "q"
    assert called == ToolCall(id="toolu_1", name="f", arguments='{"a":[1]}')
    assert isinstance(hosted, ToolCall) and hosted.ran_by == "messages"
    assert isinstance(rest, Opaque) and rest.kind == "web_search_tool_result"
    assert found.choices[0].finish == Finish(reason="tool_calls")


@pytest.mark.parametrize(
    ("word", "reason"),
    [("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"), ("tool_use", "tool_calls"),
     ("model_context_window_exceeded", "length"), ("refusal", "filtered"), ("pause_turn", "paused"), ("new", "other")],
)  # fmt: skip
def test_why_a_reply_ended(word: str, reason: str) -> None:
    values = {**MESSAGE, "stop_reason": word, "stop_sequence": "END" if word == "stop_sequence" else None}
    finish = anthropic.parse_reply(values).choices[0].finish
    assert (finish.reason, finish.raw, finish.matched) == (reason, word, values["stop_sequence"])
    again = anthropic.render_reply(anthropic.parse_reply(values), {})
    assert again["stop_sequence"] == values["stop_sequence"]
    assert again["stop_reason"] == {"new": "end_turn", "model_context_window_exceeded": "max_tokens"}.get(word, word)


def test_a_call_ends_a_turn_whatever_the_vendor_says() -> None:
    values = {**WHOLE, "stop_reason": "end_turn"}
    assert anthropic.parse_reply(values).choices[0].finish.reason == "tool_calls"
    hosted = {**WHOLE, "content": WHOLE["content"][4:], "stop_reason": "end_turn"}
    assert anthropic.parse_reply(hosted).choices[0].finish.reason == "stop", "what the provider ran calls nobody"


def test_an_explained_refusal() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "Not this."}
    values = {**MESSAGE, "stop_reason": "refusal", "stop_details": details}
    assert anthropic.parse_reply(values).choices[0].parts == (Refusal(text="Not this."),)
    out = frames_of(anthropic.parse_reply(values))
    assert out[-2]["delta"]["stop_reason"] == "refusal" and out[2]["delta"]["text"] == "Not this."
    reader = anthropic.reader()
    body = START + event("message_delta", delta={"stop_reason": "refusal", "stop_details": details}) + STOP
    found = fold([one for frame in Splitter().feed(body) for one in reader.push(read(frame))])
    assert found.choices[0].parts == (Refusal(text="Not this."),)


def frames_of(one: ChatReply | list[Event]) -> list[dict[str, Any]]:
    """What a client gets of a reply or of events."""
    writer = anthropic.writer({})
    text = b"".join(map(writer.write, unfold(one) if isinstance(one, ChatReply) else one)).decode()
    found = []
    for block in text.split("\n\n")[:-1]:
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def one_reply(*found: Part, reason: Any = "stop", usage: Usage | None = None) -> ChatReply:
    choice = Choice(parts=found, finish=Finish(reason=reason))
    return ChatReply(id="msg_abc", model="lab/m", created=1, choices=(choice,), usage=usage)


def test_a_stream_as_the_vendor_writes_it() -> None:
    found = frames_of(
        one_reply(
            Reasoning(text="Hm", seal=Seal(origin="messages", value="s")), Text(text="Hi"),
            ToolCall(id="t", name="f", arguments='{"a":1}'), reason="tool_calls",
            usage=Usage(input=20, cached=5, output=3),
        )
    )  # fmt: skip
    assert [(one["type"], one.get("index")) for one in found] == [
        ("message_start", None), ("content_block_start", 0), ("content_block_delta", 0), ("content_block_delta", 0),
        ("content_block_stop", 0), ("content_block_start", 1), ("content_block_delta", 1), ("content_block_stop", 1),
        ("content_block_start", 2), ("content_block_delta", 2), ("content_block_stop", 2), ("message_delta", None),
        ("message_stop", None),
    ]  # fmt: skip
    assert found[0]["message"] == {
        "id": "msg_abc", "type": "message", "role": "assistant", "model": "lab/m", "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": {"input_tokens": 0, "output_tokens": 0},
    }  # fmt: skip
    assert found[1]["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}
    assert found[3]["delta"] == {"type": "signature_delta", "signature": "s"}
    assert found[8]["content_block"] == {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    assert found[9]["delta"] == {"type": "input_json_delta", "partial_json": '{"a":1}'}
    assert found[11]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert found[11]["usage"] == {"input_tokens": 15, "cache_read_input_tokens": 5, "output_tokens": 3}


def test_parts_that_interleave_become_blocks_in_turn() -> None:
    whole = one_reply(
        ToolCall(id="a", name="f", arguments='{"x":1}'), ToolCall(id="b", name="g", arguments='{"y":22}'),
        Text(text="done"), reason="tool_calls",
    )  # fmt: skip
    start, *middle, choice_end, end = unfold(whole, lambda text: iter(text))
    by_part: list[list[Event]] = [[e for e in middle if getattr(e, "index", None) == index] for index in range(3)]
    mixed: list[Event] = []
    while any(by_part):
        mixed += [events.pop(0) for events in by_part if events]
    found = frames_of([start, *mixed, choice_end, end])
    indices = [one["index"] for one in found if "index" in one]
    assert indices == sorted(indices) and set(indices) == {0, 1, 2}
    reader = anthropic.reader()
    frames = b"".join(event(one.pop("type"), **one) for one in found)
    again = fold([one for frame in Splitter().feed(frames) for one in reader.push(read(frame))])
    assert merged(again) == merged(ChatReply(**{**{f: getattr(whole, f) for f in ("id", "model", "created", "choices")},
                                                "usage": Usage(input=0, output=0)}))  # fmt: skip


def test_the_first_piece_of_text_is_not_kept_waiting() -> None:
    writer = anthropic.writer({})
    writer.write(PartStart(choice=0, index=0, part=Text(text="")))
    assert b"content_block_start" in writer.write(PartDelta(choice=0, index=0, text="a"))
    writer.write(PartEnd(choice=0, index=0))
    writer.write(PartStart(choice=0, index=1, part=ToolCall(id="t", name="f", arguments="")))
    for piece in ("", '{"a"', ":1"):
        seen = writer.write(PartDelta(choice=0, index=1, text=piece))
    assert b"tool_use" in seen or b"input_json_delta" in seen


def test_foreign_seals_travel_in_carriers() -> None:
    """A seal that no block can hold stands before its part as a redacted thought, and comes back to it."""
    sealed = ToolCall(id="t", name="f", arguments='{"a":1}', seal=Seal(origin="gemini", value="SIG"))
    thought = Reasoning(text="Hm", seal=Seal(origin="responses", value="ENC"))
    one = one_reply(thought, Text(text="so"), sealed, reason="tool_calls")
    whole = anthropic.render_reply(one, {})["content"]
    assert [block["type"] for block in whole] == ["thinking", "text", "redacted_thinking", "tool_use"]
    assert whole[0]["signature"] == "gw1.responses.ENC"
    streamed = [f["content_block"]["type"] for f in frames_of(one) if f["type"] == "content_block_start"]
    assert streamed == [block["type"] for block in whole]
    back = anthropic.parse({**BASE, "messages": [{"role": "assistant", "content": whole}]}).messages[0].parts
    assert back == (thought, Text(text="so"), sealed)


def test_what_cannot_be_told_is_left_out() -> None:
    picture = Media(kind="image", source=Bytes(base64="AAAA"))
    foreign = ToolCall(id="w", name="web_search", arguments="{}", ran_by="responses")
    one = one_reply(picture, Opaque(dialect="gemini", kind="x", raw="{}"), foreign, Text(text=""), Text(text="hi"))
    assert anthropic.render_reply(one, {})["content"] == [{"type": "text", "text": "hi"}]
    assert [f["type"] for f in frames_of(one)].count("content_block_start") == 1


def test_calls_without_an_id_get_one() -> None:
    one = one_reply(ToolCall(id="", name="f", arguments="{}"), ToolCall(id="", name="f", arguments="{}"))
    whole = [block["id"] for block in anthropic.render_reply(one, {})["content"]]
    streamed = [f["content_block"]["id"] for f in frames_of(one) if f["type"] == "content_block_start"]
    assert whole == streamed == ["toolu_abc_0", "toolu_abc_1"]


def test_citations_of_others_are_told_as_pages() -> None:
    found = (
        Citation(dialect="chat", raw="{}", url="https://x", title="X"), Citation(dialect="chat", raw="{}"),
        Citation(dialect="messages", raw='{"type":"char_location","cited_text":"q"}', quote="q"),
    )  # fmt: skip
    one = one_reply(Text(text="see", citations=found))
    block = anthropic.render_reply(one, {})["content"][0]
    assert [c["type"] for c in block["citations"]] == ["web_search_result_location", "char_location"]
    assert [f["delta"]["citation"] for f in frames_of(one) if "citation" in f.get("delta", {})] == block["citations"]
    back = anthropic.parse({**BASE, "messages": [{"role": "assistant", "content": [block]}]})
    assert len(sent(back)["messages"][1]["content"][0]["citations"]) == 1, "the vendor takes only its own back"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=3)
SEALS = st.none() | st.builds(Seal, origin=st.just("messages"), value=st.text("abc=+/", min_size=1))
CITATIONS = st.builds(
    lambda kind, words: parts.citation({"type": kind, "cited_text": words}),
    st.sampled_from(["char_location"]),
    st.text(),
)
PARTS = st.one_of(
    st.builds(Text, text=st.text(), citations=st.just(())),
    st.builds(
        lambda text, found: Text(text=text, citations=parts.spanned(found, len(text))),
        st.text(min_size=1), st.lists(CITATIONS, min_size=1, max_size=2),
    ),
    st.builds(Reasoning, text=st.text(min_size=1), seal=SEALS),
    st.builds(Reasoning, text=st.just(""), seal=SEALS.filter(bool)),
    st.builds(Reasoning, text=st.just(""), redacted=st.just(True), seal=SEALS.filter(bool)),
    st.builds(
        ToolCall, id=st.text("abc_1", min_size=1, max_size=5), name=st.text("abc._", min_size=1, max_size=5),
        arguments=OBJECTS.map(shapes.dumps), ran_by=st.sampled_from([None, None, "messages"]),
    ),
    OBJECTS.map(lambda more: parts.opaque({**more, "type": "web_search_tool_result", "content": []})),
)  # fmt: skip


def _ended(found: list[Any], reason: str, matched: str | None) -> Choice:
    calls = any(isinstance(part, ToolCall) and part.ran_by is None for part in found)
    reason = "tool_calls" if calls and reason == "stop" else reason
    return Choice(parts=tuple(found), finish=Finish(reason=reason, matched=matched if reason == "stop" else None))  # type: ignore[arg-type]


COUNTS = st.integers(0, 99)
MAYBE = st.none() | COUNTS


@st.composite
def usages(draw: Any) -> Usage:
    cached, written = draw(MAYBE), draw(MAYBE)
    long = draw(st.none() | st.integers(0, written)) if written else None
    fresh, output = draw(COUNTS), draw(COUNTS)
    return Usage(
        input=fresh + (cached or 0) + (written or 0), cached=cached, cache_written=written, cache_written_1h=long,
        output=output, reasoning=draw(MAYBE),
    )  # fmt: skip


REPLIES = st.builds(
    lambda choice, usage: ChatReply(id="msg_r", model="m", created=1, choices=(choice,), usage=usage),
    st.builds(
        _ended, st.lists(PARTS, max_size=5),
        st.sampled_from(["stop", "length", "tool_calls", "filtered", "paused"]), st.none() | st.text(min_size=1),
    ),
    usages(),
)  # fmt: skip


@given(REPLIES, st.integers(1, 7))
def test_a_reply_is_the_same_whole_and_streamed(one: ChatReply, size: int) -> None:
    whole = anthropic.render_reply(one, {})
    assert merged(anthropic.parse_reply(json.loads(json.dumps(whole)))) == merged(one)

    def pieces(text: str) -> Iterator[str]:
        return (text[at : at + size] for at in range(0, len(text), size))

    writer, reader = anthropic.writer({}), anthropic.reader()
    stream = b"".join(map(writer.write, unfold(one, pieces)))
    frames = Splitter().feed(stream)
    found = fold([event for frame in frames for event in reader.push(read(frame))])
    assert not list(reader.end()) and merged(found) == merged(one)


# Requests in neutral words


def test_system_text() -> None:
    body = sent(
        asked(
            Message(role="system", parts=(Text(text="Be brief.", cache="1h"),)),
            Message(role="developer", parts=(Text(text="And kind."),)),
            user("hi"), assistant("hello"), Message(role="system", parts=(Text(text="In French now."),)), user("go on"),
        )
    )  # fmt: skip
    assert body["system"] == [
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "And kind."}, {"type": "text", "text": "In French now."},
    ]  # fmt: skip
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"]
    newer = sent(asked(user("hi"), assistant("ho"), Message(role="system", parts=(Text(text="x"),))), "claude-opus-4-8")
    assert newer["messages"][-1] == {"role": "system", "content": [{"type": "text", "text": "x"}]}


def test_all_results_of_a_turn_stand_in_one_message_before_all_else() -> None:
    calls = [ToolCall(id=f"t{n}", name="f", arguments=f'{{"n":{n}}}') for n in (1, 2)]
    picture = Media(kind="image", source=Bytes(base64="iVBORw0"))
    body = sent(
        asked(
            user("go"), assistant("Two calls.", *calls), user("Also this:"), result("t1", "one"),
            result("t2", "two", picture, is_error=True), user("Well?"),
        )
    )  # fmt: skip
    assert body["messages"][1]["content"][1:] == [
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"n": 1}},
        {"type": "tool_use", "id": "t2", "name": "f", "input": {"n": 2}},
    ]
    assert body["messages"][2] == {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
        {"type": "tool_result", "tool_use_id": "t2", "is_error": True, "content": [
            {"type": "text", "text": "two"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0"}}]},
        {"type": "text", "text": "Also this:"}, {"type": "text", "text": "Well?"},
    ]}  # fmt: skip


def test_turns_alternate_and_begin_with_the_user() -> None:
    body = sent(asked(assistant("Hello!"), user("a"), user("", "  \n", "b"), assistant("c"), assistant("d  \n")))
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user", "assistant"]
    assert [b["text"] for b in body["messages"][2]["content"]] == ["a", "b"]
    assert body["messages"][3]["content"][-1]["text"] == "d", "the vendor takes no prefill that ends in space"
    assert all(b["text"].strip() for m in body["messages"] for b in m["content"])
    assert len(sent(asked(Message(role="system", parts=(Text(text="only"),))))["messages"]) == 1


def test_ids_in_the_vendors_letters() -> None:
    calls = [ToolCall(id=name, name="f", arguments="") for name in ("a.b", "a_b", "", "x", "x")]
    body = sent(
        asked(
            user("go"), assistant(*calls), result("a.b", "1"), result("a_b", "2"), result("", "3"), result("x", "4"),
            result("x", "5"), tools=(FunctionTool(name="f"),),
        )
    )  # fmt: skip
    uses, results = body["messages"][1]["content"], body["messages"][2]["content"]
    ids = [block["id"] for block in uses]
    assert len(set(ids)) == 5 and all(set(i) <= set("abcdef0123456789_tolux") for i in ids)
    assert ids == [block["tool_use_id"] for block in results]


@pytest.mark.parametrize(
    ("text", "given"),
    [("", {}), ("  ", {}), ('{"a":1}', {"a": 1}), ("[1]", {"arguments": [1]}), ("oops{", {"arguments": "oops{"}),
     ('{"a":NaN}', {"arguments": '{"a":NaN}'}), ("[" * 9000, {"arguments": "[" * 9000})],
)  # fmt: skip
def test_arguments_become_an_object(text: str, given: dict[str, Any]) -> None:
    assert shapes.arguments(text) == given


def test_media() -> None:
    text = base64.b64encode("a,b\né".encode()).decode()
    body = sent(
        asked(
            user(
                Media(kind="image", source=Url(url="https://x/y.png")), Media(kind="image", source=FileRef(id="f")),
                Media(kind="image", source=Bytes(base64="/9j/4AA"), media_type="image/png"),
                Media(kind="file", source=Bytes(base64="JVBERi0="), name="a.pdf"),
                Media(kind="file", source=Bytes(base64=text), media_type="text/csv", cache="5m"),
                Media(kind="file", source=Url(url="https://x/a.pdf")),
            )
        )
    )  # fmt: skip
    found = body["messages"][0]["content"]
    assert [block["source"]["type"] for block in found] == ["url", "file", "base64", "base64", "text", "url"]
    assert found[2]["source"]["media_type"] == "image/jpeg", "told by the bytes"
    assert found[3] == {"type": "document", "title": "a.pdf", "source": {
        "type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}  # fmt: skip
    assert found[4]["source"] == {"type": "text", "media_type": "text/plain", "data": "a,b\né"}
    assert found[4]["cache_control"] == {"type": "ephemeral"}


def test_tools_and_choices() -> None:
    tools = (FunctionTool(name="f", description="d", strict=True, cache="5m"), FunctionTool(name="g", schema={"x": 1}))
    body = sent(asked(user("hi"), tools=tools, tool_choice=ToolChoice(parallel=False)))
    assert body["tools"] == [
        {"name": "f", "description": "d", "strict": True, "cache_control": {"type": "ephemeral"},
         "input_schema": {"type": "object", "properties": {}, "additionalProperties": False}},
        {"name": "g", "input_schema": {"type": "object", "x": 1}},
    ]  # fmt: skip
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    for choice, said in (
        (ToolChoice(), None), (ToolChoice(mode="none"), {"type": "none"}),
        (ToolChoice(mode="required", parallel=True), {"type": "any", "disable_parallel_tool_use": False}),
        (ToolChoice(mode="required", names=("g",)), {"type": "tool", "name": "g"}),
    ):  # fmt: skip
        body = sent(asked(user("hi"), tools=tools, tool_choice=choice))
        assert body.get("tool_choice") == said and len(body["tools"]) == 2
    some = sent(asked(user("hi"), tools=tools, tool_choice=ToolChoice(mode="auto", names=("g",))))
    assert [tool["name"] for tool in some["tools"]] == ["g"] and "tool_choice" not in some
    assert "tool_choice" not in sent(asked(user("hi"), tool_choice=ToolChoice(mode="required")))
    assert "strict" not in sent(asked(user("hi"), tools=tools), "claude-sonnet-4-0")["tools"][0]


def think(model: str, limit: int | None = 20_000, **more: Any) -> tuple[Any, Any]:
    thinking = more.pop("thinking")
    body = sent(
        asked(user("hi"), thinking=thinking, sampling=Sampling(limit=limit, temperature=0.5, top_k=3), **more), model
    )
    assert ("temperature" in body) == ((body.get("thinking") or {"type": "disabled"})["type"] == "disabled")
    return body.get("thinking"), body.get("output_config", {}).get("effort")


def test_thinking_of_models_with_budgets() -> None:
    model = "claude-sonnet-4-5"
    assert think(model, thinking=Thinking()) == (None, None)
    assert think(model, thinking=Thinking(effort="none")) == (None, None)
    assert think("glm-5", thinking=Thinking(mode="off")) == ({"type": "disabled"}, None)
    assert think(model, thinking=Thinking(mode="on", budget=5000)) == ({"type": "enabled", "budget_tokens": 5000}, None)
    assert think(model, thinking=Thinking(mode="on", budget=10)) == ({"type": "enabled", "budget_tokens": 1024}, None)
    for effort, budget in (("minimal", 1024), ("low", 2048), ("medium", 8192), ("high", 16384), ("max", 10_000)):
        assert think(model, thinking=Thinking(effort=effort)) == ({"type": "enabled", "budget_tokens": budget}, None)
    assert think(model, 1024, thinking=Thinking(effort="high")) == (None, None), "a budget must be below the limit"
    assert think(model, 1030, thinking=Thinking(effort="high"))[0]["budget_tokens"] == 1024
    assert think("claude-3-5-haiku-20241022", thinking=Thinking(effort="high")) == (None, None)
    shown = Thinking(mode="adaptive", show=True)
    assert think(model, thinking=shown)[0] == {"type": "enabled", "budget_tokens": 8192, "display": "summarized"}


def test_thinking_of_models_that_adapt() -> None:
    for effort, said in (("minimal", "low"), ("medium", "medium"), ("xhigh", "high"), ("max", "max")):
        assert think("claude-opus-4-6", thinking=Thinking(effort=effort)) == ({"type": "adaptive"}, said)
    budget = Thinking(mode="on", budget=9000)
    assert think("claude-sonnet-4-6", thinking=budget) == ({"type": "enabled", "budget_tokens": 9000}, None)
    body = sent(asked(user("hi"), thinking=budget, sampling=Sampling(temperature=0.5)), "claude-opus-5")
    assert body["thinking"] == {"type": "adaptive"} and body["output_config"] == {"effort": "medium"}
    assert "temperature" not in body
    off = Thinking(effort="none")
    assert sent(asked(user("x"), thinking=off), "claude-opus-5")["thinking"] == {"type": "disabled"}
    for model in ("claude-opus-4-7", "claude-fable-5-1", "claude-mythos-preview"):
        assert "thinking" not in sent(asked(user("x"), thinking=off), model)


def test_what_excludes_thinking() -> None:
    tools = (FunctionTool(name="f"),)
    forced = ToolChoice(mode="required")
    assert think("claude-sonnet-4-5", thinking=Thinking(effort="low"), tools=tools, tool_choice=forced) == (None, None)
    turns = [user("go"), assistant(ToolCall(id="t", name="f", arguments="{}")), result("t", "x")]
    body = sent(asked(*turns, tools=tools, thinking=Thinking(effort="low")))
    assert "thinking" not in body, "the vendor wants the thoughts of an open tool loop"
    thought = Reasoning(text="Hm", seal=Seal(origin="messages", value="s"))
    turns[1] = assistant(thought, *turns[1].parts)
    body = sent(asked(*turns, tools=tools, thinking=Thinking(effort="low")))
    assert body["thinking"]["type"] == "enabled"
    assert body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "Hm", "signature": "s"}


def test_thoughts_without_a_seal_stay_here() -> None:
    parts_ = (Reasoning(text="Hm"), Reasoning(text="", redacted=True), Text(text="hi"))
    assert sent(asked(user("a"), assistant(*parts_), user("b")))["messages"][1]["content"] == [
        {"type": "text", "text": "hi"}
    ]


def test_limits_and_sampling() -> None:
    price = Price(rates={"input": Decimal(1)}, context=200_000, max_output=64_000, version="x")
    assert anthropic.render(asked(user("x")), leg(price=price))["max_tokens"] == 32_000
    assert sent(asked(user("x")))["max_tokens"] == 8_192
    sampling = Sampling(limit=50, temperature=1.7, top_p=0.5, top_k=4, stop=("a", "b"), seed=1, presence_penalty=1.0)
    body = sent(asked(user("x"), sampling=sampling, end_user="u-1", tier="default", metadata={"a": "b"}, stream=True))
    assert {k: v for k, v in body.items() if k not in ("model", "messages")} == {
        "max_tokens": 50, "top_p": 0.5, "top_k": 4, "stop_sequences": ["a", "b"], "metadata": {"user_id": "u-1"},
        "service_tier": "standard_only", "stream": True,
    }  # fmt: skip
    both = Sampling(temperature=0.3, top_p=0.5)
    assert "top_p" not in sent(asked(user("x"), sampling=both)), "that family takes one of them"
    assert "top_p" in sent(asked(user("x"), sampling=both), "claude-3-5-sonnet-20240620")
    assert not {"temperature", "top_p"} & sent(asked(user("x"), sampling=both), "claude-opus-4-7").keys()


def test_forms_of_output() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
    body = sent(
        asked(user("x"), output=Output(form="schema", schema=schema), thinking=Thinking(effort="low")), "claude-opus-5"
    )
    assert body["output_config"]["effort"] == "low" and body["output_config"]["format"]["type"] == "json_schema"
    assert body["output_config"]["format"]["schema"] == {
        "type": "object", "properties": {"n": {"type": "integer", "description": '{"minimum": 3}'}}, "required": ["n"],
        "additionalProperties": False,
    }  # fmt: skip
    assert "JSON" in sent(asked(user("x"), output=Output(form="json")))["system"][-1]["text"]


def test_schemas_are_closed_at_every_depth() -> None:
    inner = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 3, "description": "An a."}}}
    given = {"$defs": {"I": inner}, "oneOf": [{"type": "array", "items": inner, "minItems": 1}, {"$ref": "#/$defs/I"}]}
    made = schemas.closed(given)
    assert made["$defs"]["I"]["additionalProperties"] is False
    assert made["anyOf"][0]["items"]["additionalProperties"] is False and made["anyOf"][0]["minItems"] == 1
    assert made["$defs"]["I"]["properties"]["a"]["description"] == 'An a. {"maxLength": 3}'
    already = {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}}
    assert schemas.closed(already) == already and schemas.closed(made) == made


def test_a_request_is_parsed() -> None:
    values = {
        **BASE, "stream": True, "temperature": 0.5, "top_k": 5, "stop_sequences": ["x"],
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "metadata": {"user_id": "u"}, "service_tier": "standard_only", "cache_control": {"type": "ephemeral"},
        "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}, "speed": "standard",
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}, "new": 1},
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "strict": True, "input_examples": [{"a": 1}]},
                  {"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "gw1.gemini.S"},
                {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": "ok", "is_error": True},
                {"type": "tool_result", "tool_use_id": "u"}, {"type": "text", "text": "so?"}]},
            {"role": "system", "content": "quirk"},
        ],
    }  # fmt: skip
    found = anthropic.parse(values)
    assert [m.role for m in found.messages] == ["system", "user", "assistant", "tool", "user", "system"]
    assert found.messages[0].parts == (Text(text="s", cache="1h"),)
    assert found.messages[2].parts == (
        Reasoning(text="Hm", seal=Seal(origin="gemini", value="S")), ToolCall(id="t", name="f", arguments='{"a":1}'),
    )  # fmt: skip
    assert found.messages[3].parts[0] == ToolResult(call_id="t", parts=(Text(text="ok"),), is_error=True)
    assert found.thinking == Thinking(mode="on", budget=2000, effort="low", show=False)
    assert found.output.form == "schema" and found.end_user == "u" and found.tier == "standard"
    assert found.tool_choice == ToolChoice(mode="required", names=("f",), parallel=False)
    assert isinstance(found.tools[1], HostedTool)
    assert found.extras == {"messages": {
        "cache_control": {"type": "ephemeral"}, "output_config": {"new": 1}, "tools.input_examples": {"f": [{"a": 1}]}}}  # fmt: skip
    assert {"mid_system", "hosted_tools_beside", "tool_result_error", "parallel_off", "cache"} <= used(found)
    again = sent(found)
    assert again["cache_control"] and again["output_config"]["new"] == 1
    assert again["tools"][0]["input_examples"] == [{"a": 1}] and again["tools"][1] == values["tools"][1]  # type: ignore[index]


def test_members_named_like_a_tools_own_are_nobodys() -> None:
    tool = {"name": "f", "input_schema": {}, "defer_loading": True}
    request = anthropic.parse({**BASE, "tools.defer_loading": 5, "tools.evil": 5, "a.b": 1, "tools": [tool]})
    assert sent(request)["tools"][0]["defer_loading"] is True


def test_documents_are_cited_or_not() -> None:
    block = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}, "title": "T",
             "context": "From 1999.", "citations": {"enabled": True}}  # fmt: skip
    found = anthropic.parse({**BASE, "messages": [{"role": "user", "content": [block]}]})
    assert found.extras["messages"] == {"documents.citations": True}, "told as lost where others answer"
    assert sent(found)["messages"][0]["content"] == [
        {"type": "text", "text": "From 1999."}, {k: v for k, v in block.items() if k != "context"},
    ]  # fmt: skip


def test_what_only_this_dialect_knows_is_said_again_as_it_was() -> None:
    blocks = [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"encrypted_content": "E"}]},
        {"type": "tool_use", "id": "c", "name": "click", "input": {}, "toolset_name": "computer"},
        {"type": "search_result", "title": "t", "source": "s", "content": [{"type": "text", "text": "x"}]},
    ]  # fmt: skip
    found = anthropic.parse(
        {**BASE, "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": blocks}]}
    )
    assert "opaque" in used(found) and sent(found)["messages"][1]["content"] == blocks


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3)
    | st.sampled_from(["text", "tool_use", "tool_result", "image", "document", "thinking", "user", "assistant"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "text", "role", "content", "source", "id", "name", "input", "tool_use_id", "data",
                         "citations", "cache_control", "signature", "url", "file_id", "usage", "stop_details", "raw"]),
        inner, max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@given(ODD, ODD, ODD, ODD)
def test_no_odd_shape_crashes_the_parsers(messages: Any, system: Any, tools: Any, config: Any) -> None:
    values = {"messages": messages, "system": system, "tools": tools, "output_config": config, "thinking": config,
              "tool_choice": tools, "metadata": config, "mcp_servers": tools, "container": config}  # fmt: skip
    found = anthropic.parse(values)
    used(found)
    json.dumps(sent(found))
    try:
        found_reply = anthropic.parse_reply({"content": messages, "usage": config, "stop_reason": system})
    except Fault:
        return
    json.dumps(anthropic.render_reply(found_reply, {}))


def test_a_body_with_another_makers_seal_is_said_again_without_it() -> None:
    """Its own provider gets all else, its own seals among it."""
    blocks = [
        {"type": "thinking", "thinking": "Hm", "signature": "own"}, {"type": "redacted_thinking", "data": "gw1.gemini.next.S"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    ]  # fmt: skip
    tool = {"type": "web_search_20250305", "name": "web_search"}
    hosted = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": [hosted, *blocks]},
             {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}]  # fmt: skip
    one = call({**BASE, "messages": turns, "tools": [tool], "context_management": {"edits": []}})
    assert not bridge.passes(one, leg()) and bridge.screen(one, leg()) == ("messages.content.thinking=drop",)
    found = json.loads(bridge.encode(one, leg("up")))
    assert found["messages"][1]["content"] == [hosted, blocks[0], blocks[2]]
    assert found["tools"] == [tool] and found["context_management"] == {"edits": []} and found["model"] == "up"
