"""The Converse dialect by itself: what is said to Bedrock, and what it says back whole and in a stream."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Ask, Fault, Leg
from gateway.dialects import bridge, converse
from gateway.dialects.converse import reply
from gateway.neutral.events import fold
from gateway.neutral.parts import Bytes, Media, Part, Reasoning, Refusal, Seal, Text, ToolCall, ToolResult, Url
from gateway.neutral.reply import Usage
from gateway.neutral.request import ChatRequest, FunctionTool, Message, Output, Sampling, Thinking, ToolChoice
from gateway.sse import Splitter, read
from tests import bedrock, made
from tests.bedrock import event

CLAUDE, LLAMA = "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "meta.llama3-70b-instruct-v1:0"
DATA = base64.b64encode(b"bytes").decode()


def leg(model: str = CLAUDE) -> Leg:
    return made.leg("converse", model)


def turn(role: str, *parts: Part | str) -> Message:
    return Message(role=role, parts=tuple(Text(text=one) if isinstance(one, str) else one for one in parts))


def asked(*messages: Message, **more: Any) -> ChatRequest:
    return ChatRequest(model="up", messages=messages, **more)


def sent(request: ChatRequest, model: str = CLAUDE) -> dict[str, Any]:
    """What is said to the vendor, held against its service model."""
    body: dict[str, Any] = json.loads(json.dumps(converse.render(request, leg(model))))
    assert bedrock.wrong(body) is None
    return body


def content(request: ChatRequest, place: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sent(request)["messages"][place]["content"]
    return found


# Where it is said


def test_names_of_models_are_quoted_in_the_path() -> None:
    assert converse.path(CLAUDE, False) == "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x"
    want = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.x/converse-stream"
    assert converse.path(arn, True) == want


# Requests in neutral words


def test_turns_alternate_and_begin_with_the_user() -> None:
    body = sent(asked(
        turn("system", "Be brief."), turn("assistant", "Hello."), turn("user", "a"), turn("user", "b"),
        turn("developer", "And kind."), turn("user", " \n"), turn("assistant", "c "),
    ))  # fmt: skip
    assert body["system"] == [{"text": "Be brief."}, {"text": "And kind."}]
    assert [(one["role"], [block["text"] for block in one["content"]]) for one in body["messages"]] == [
        ("user", ["."]), ("assistant", ["Hello."]), ("user", ["a", "b"]), ("assistant", ["c"]),
    ]  # fmt: skip


def test_results_stand_together_before_what_else_the_user_says() -> None:
    calls = [ToolCall(id=one, name="a_b", arguments=text) for one, text in (("c", '{"x":1}'), ("c", "no json"))]
    body = sent(asked(
        turn("user", "go"), turn("assistant", *calls), turn("user", "and"),
        turn("tool", ToolResult(call_id="c", parts=(Text(text="1"),))),
        turn("tool", ToolResult(call_id="c", parts=(), is_error=True)),
        tools=(FunctionTool(name="a_b"),),
    ))  # fmt: skip
    assert body["messages"][1]["content"] == [
        {"toolUse": {"toolUseId": "c", "name": "a_b", "input": {"x": 1}}},
        {"toolUse": {"toolUseId": "c_2", "name": "a_b", "input": {"arguments": "no json"}}},
    ]
    assert body["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": "c", "content": [{"text": "1"}]}},
        {"toolResult": {"toolUseId": "c_2", "content": [], "status": "error"}}, {"text": "and"},
    ]  # fmt: skip


def test_long_ids_fit_and_still_belong_together() -> None:
    long = "call_" + "x" * 90
    body = sent(asked(
        turn("assistant", ToolCall(id=long, name="f", arguments=""), ToolCall(id=long + "y", name="f", arguments="")),
        turn("tool", ToolResult(call_id=long + "y", parts=()), ToolResult(call_id=long, parts=())),
    ))  # fmt: skip
    first, second = (block["toolUse"]["toolUseId"] for block in body["messages"][1]["content"])
    results = [block["toolResult"]["toolUseId"] for block in body["messages"][2]["content"]]
    assert first != second and results == [second, first]


def test_only_the_vendors_own_seals_go_back() -> None:
    thoughts = (
        Reasoning(text="Hm.", seal=Seal(origin="converse", value="sig")),
        Reasoning(text="", redacted=True, seal=Seal(origin="converse", value=DATA)), Reasoning(text="bare"),
    )  # fmt: skip
    assert content(asked(turn("user", "a"), turn("assistant", *thoughts, "b")), 1) == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": DATA}}, {"text": "b"},
    ]  # fmt: skip


def file(name: str | None, kind: str | None) -> Media:
    return Media(kind="file", source=Bytes(base64=DATA), media_type=kind, name=name)


def test_documents_have_names_that_the_vendor_takes_and_a_text_beside_them() -> None:
    files = (
        file("John's report -  2024.pdf", None), file("a.b.docx", "application/octet-stream"), file(None, "text/csv"),
        file("über.txt", "text/plain"), file(None, "application/pdf"), file("notes.md", "text/markdown"),
        file("..", "application/json"), file("x" * 300, "application/pdf"),
    )  # fmt: skip
    found = content(asked(turn("user", *files)))
    assert [(block["document"]["name"], block["document"]["format"]) for block in found[:-2]] == [
        ("John s report - 2024", "pdf"), ("a b", "docx"), ("document", "csv"), ("ber", "txt"), ("document 2", "pdf"),
        ("notes", "md"), ("document 3", "txt"),
    ]  # fmt: skip
    assert found[-1] == {"text": "."}


@pytest.mark.parametrize(
    ("part", "want"),
    [
        (Media(kind="image", source=Bytes(base64="iVBORw0K"), media_type="image/jpeg"), ("image", "png")),
        (Media(kind="image", source=Bytes(base64=DATA), media_type="image/jpg"), ("image", "jpeg")),
        (Media(kind="image", source=Bytes(base64=DATA)), ("image", "png")),
        (Media(kind="audio", source=Bytes(base64=DATA), media_type="audio/mpeg"), ("audio", "mpeg")),
        (Media(kind="audio", source=Bytes(base64=DATA), media_type="audio/x-wav"), ("audio", "wav")),
        (Media(kind="audio", source=Bytes(base64=DATA)), ("audio", "wav")),
        (Media(kind="video", source=Bytes(base64=DATA), media_type="video/quicktime"), ("video", "mov")),
        (Media(kind="video", source=Bytes(base64=DATA), media_type="video/3gpp"), ("video", "three_gp")),
        (Media(kind="video", source=Bytes(base64=DATA)), ("video", "mp4")),
        (Media(kind="image", source=Url(url="s3://bucket/a.png")), ("image", "png")),
    ],
)  # fmt: skip
def test_media(part: Media, want: tuple[str, str]) -> None:
    (block,) = content(asked(turn("user", part)))
    assert block[want[0]]["format"] == want[1]


def test_sound_stands_beside_a_result() -> None:
    sound = Media(kind="audio", source=Bytes(base64=DATA), media_type="audio/wav")
    result = ToolResult(call_id="c", parts=(Text(text="heard"), sound))
    found = content(
        asked(turn("user", "a"), turn("assistant", ToolCall(id="c", name="f", arguments="")), turn("tool", result)), 2
    )
    assert [list(block) for block in found] == [["toolResult"], ["audio"]]
    assert found[0]["toolResult"]["content"] == [{"text": "heard"}]


def test_marks_for_the_cache_stand_after_what_they_mark() -> None:
    request = asked(
        turn("system", Text(text="s", cache="1h")), turn("user", Text(text="u", cache="5m"), "v"),
        tools=(FunctionTool(name="f", cache="5m"), FunctionTool(name="g")),
    )  # fmt: skip
    body = sent(request)
    point = {"cachePoint": {"type": "default"}}
    assert body["system"] == [{"text": "s"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    assert body["messages"][0]["content"] == [{"text": "u"}, point, {"text": "v"}]
    assert body["toolConfig"]["tools"][1] == point and len(body["toolConfig"]["tools"]) == 3
    assert "cachePoint" not in json.dumps(sent(request, LLAMA)) and "cache" in converse.lacks(request, leg(LLAMA))
    assert "cache" not in converse.lacks(request, leg())


def test_a_mark_within_a_result_stands_after_it() -> None:
    result = ToolResult(call_id="c", parts=(Text(text="1", cache="5m"),))
    found = content(
        asked(
            turn("user", "a"),
            turn("assistant", ToolCall(id="c", name="f", arguments="")),
            turn("tool", result),
            turn("user", "b"),
        ),
        2,
    )
    assert [next(iter(block)) for block in found] == ["toolResult", "cachePoint", "text"]


CALLED = (turn("user", "a"), turn("assistant", ToolCall(id="c", name="f", arguments="{}")), turn("tool", ToolResult(call_id="c", parts=())))  # fmt: skip
TOOLS = (FunctionTool(name="f", description=" "), FunctionTool(name="g", description="G."))


@pytest.mark.parametrize(
    ("messages", "tools", "choice", "names", "how", "told"),
    [
        (CALLED[:1], TOOLS, ToolChoice(), ["f", "g"], None, False),
        (CALLED[:1], TOOLS, ToolChoice(mode="required"), ["f", "g"], {"any": {}}, False),
        (CALLED[:1], TOOLS, ToolChoice(mode="required", names=("g",)), ["f", "g"], {"tool": {"name": "g"}}, False),
        (CALLED[:1], TOOLS, ToolChoice(mode="auto", names=("g",)), ["g"], None, False),
        (CALLED[:1], TOOLS, ToolChoice(mode="none"), None, None, False),
        (CALLED, TOOLS, ToolChoice(mode="none"), ["f", "g"], None, True),
        (CALLED, (), ToolChoice(), ["f"], None, True),
        (CALLED[:1], (), ToolChoice(), None, None, False),
    ],
)  # fmt: skip
def test_tools(messages: Any, tools: Any, choice: ToolChoice, names: Any, how: Any, told: bool) -> None:
    body = sent(asked(*messages, tools=tools, tool_choice=choice))
    config = body.get("toolConfig")
    assert (config and [tool["toolSpec"]["name"] for tool in config["tools"]]) == names
    assert (config or {}).get("toolChoice") == how and ("system" in body) == told


def test_how_the_answer_is_drawn() -> None:
    body = sent(asked(turn("user", "a"), sampling=Sampling(
        limit=9, temperature=0.5, top_p=0.9, top_k=3, stop=("END", "", "x", "y", "z", "w")
    ), tier="flex", metadata={"team": "a-1"}))  # fmt: skip
    assert body["inferenceConfig"] == {
        "maxTokens": 9, "temperature": 0.5, "stopSequences": ["END", "x", "y", "z", "w"],
    }  # fmt: skip
    assert body["additionalModelRequestFields"] == {"top_k": 3}
    assert (body["serviceTier"], body["requestMetadata"]) == ({"type": "flex"}, {"team": "a-1"})
    assert sent(asked(turn("user", "a"), sampling=Sampling(limit=0)))["inferenceConfig"] == {"maxTokens": 1}


def test_what_a_model_lacks_is_known_before() -> None:
    odd = asked(turn("user", "a"), sampling=Sampling(top_k=3), tier="scale", metadata={"x": "é"})
    assert converse.lacks(odd, leg(LLAMA)) >= {"cache", "top_k", "tier", "metadata", "effort", "tool_strict"}
    assert set(sent(odd, LLAMA)) == {"messages"}
    fine = asked(turn("user", "a"), tier="flex", metadata={"x": ""}, sampling=Sampling(top_p=0.5, temperature=1))
    assert not converse.lacks(fine, leg(LLAMA)) & {"tier", "metadata", "top_p", "temperature"}


NEWER = "anthropic.claude-opus-4-8"


@pytest.mark.parametrize(
    ("model", "thinking", "told", "effort"),
    [
        (CLAUDE, Thinking(mode="on", budget=4096), {"type": "enabled", "budget_tokens": 4096}, None),
        (CLAUDE, Thinking(effort="low", show=True), {"type": "enabled", "budget_tokens": 2048, "display": "summarized"}, None),
        (NEWER, Thinking(effort="max"), {"type": "adaptive"}, "max"),
        (NEWER, Thinking(mode="adaptive"), {"type": "adaptive"}, None),
        (CLAUDE, Thinking(mode="off"), None, None),
        (LLAMA, Thinking(mode="on", budget=4096), None, None),
    ],
)  # fmt: skip
def test_claude_is_told_to_think(model: str, thinking: Thinking, told: Any, effort: str | None) -> None:
    request = asked(turn("user", "a"), thinking=thinking, sampling=Sampling(limit=9000, temperature=0.5, top_k=3))
    body = sent(request, model)
    beside = body.get("additionalModelRequestFields", {})
    assert beside.get("thinking") == told and body.get("outputConfig", {}).get("effort") == effort
    thinks = told is not None
    assert ("temperature" in body["inferenceConfig"]) == (not thinks), "which the vendor refuses beside thinking"
    assert ("top_k" in beside) == (not thinks and model != LLAMA)
    assert ("thinking_budget" in converse.lacks(request, leg(model))) == (not thinks)


def test_a_tool_loop_without_its_thoughts_goes_on_without_thinking() -> None:
    on, thought = Thinking(mode="on", budget=4096), Reasoning(text="Hm.", seal=Seal(origin="converse", value="s"))
    first, said, result = CALLED
    ours = Message(role="assistant", parts=(thought, *said.parts))
    limit = Sampling(limit=9000)
    assert "additionalModelRequestFields" not in sent(asked(*CALLED, thinking=on, sampling=limit))
    assert "additionalModelRequestFields" in sent(asked(first, ours, result, thinking=on, sampling=limit))


def test_arguments_are_held_to_a_schema_where_the_model_can() -> None:
    request = asked(turn("user", "a"), tools=(FunctionTool(name="f", schema={"properties": {}}, strict=True),))
    (tool,) = sent(request)["toolConfig"]["tools"]
    assert tool["toolSpec"]["strict"] and tool["toolSpec"]["inputSchema"]["json"]["additionalProperties"] is False
    (tool,) = sent(request, LLAMA)["toolConfig"]["tools"]
    assert "strict" not in tool["toolSpec"]


def test_an_answer_that_fits_a_schema() -> None:
    output = Output(
        form="schema",
        name="river",
        description="A river.",
        schema={"type": "object", "properties": {"km": {"minimum": 1}}},
    )
    told = sent(asked(turn("user", "a"), output=output))["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert (told["name"], told["description"]) == ("river", "A river.")
    assert json.loads(told["schema"])["additionalProperties"] is False
    assert "JSON" in sent(asked(turn("user", "a"), output=Output(form="json")))["system"][0]["text"]


LETTERS = "aZ0 .-_é\n"

PARTS = st.one_of(
    st.builds(Text, text=st.text(LETTERS, max_size=5)), st.builds(Refusal, text=st.text(LETTERS, max_size=5)),
    st.builds(file, st.none() | st.text(LETTERS, max_size=9), st.sampled_from([None, "text/plain", "application/zip", "x"])),
    st.builds(Reasoning, text=st.text(LETTERS, max_size=3), seal=st.none() | st.just(Seal(origin="converse", value=DATA)), redacted=st.booleans()),
    st.builds(ToolCall, id=st.text(LETTERS, max_size=80), name=st.text("ab-_", min_size=1, max_size=8), arguments=st.text(LETTERS, max_size=5)),
    st.builds(ToolResult, call_id=st.text(LETTERS, max_size=80), is_error=st.booleans(),
              parts=st.lists(st.builds(Text, text=st.text(LETTERS, max_size=3), cache=st.sampled_from([None, "5m", "1h"])), max_size=2).map(tuple)),
)  # fmt: skip


@given(st.lists(st.builds(
    Message, role=st.sampled_from(["system", "developer", "user", "assistant", "tool"]), parts=st.lists(PARTS, max_size=4).map(tuple)
), max_size=5))  # fmt: skip
def test_whatever_is_said_fits_the_service_model(messages: list[Message]) -> None:
    body = sent(asked(*messages))
    roles = [one["role"] for one in body["messages"]]
    assert roles[0] == "user" and all(one != other for one, other in pairwise(roles))
    assert all(one["content"] for one in body["messages"])


# Replies in neutral words

TALE: list[dict[str, Any]] = [
    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
    {"reasoningContent": {"redactedContent": DATA}}, {"text": "Let me see."},
    {"citationsContent": {"content": [{"text": "It is "}, {"text": "so."}], "citations": [
        {"title": "T", "source": "https://x/y", "sourceContent": [{"text": "q"}], "location": {"documentChar": {"start": 1}}}]}},
    {"toolUse": {"toolUseId": "tooluse_1", "name": "a_b", "input": {"a": [1]}}},
    {"toolUse": {"toolUseId": "tooluse_2", "name": "f", "input": {}}},
    {"image": {"format": "jpeg", "source": {"bytes": DATA}}},
]  # fmt: skip


def whole(content: list[dict[str, Any]], stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    values = {
        "output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop,
        "usage": {"inputTokens": 9, "outputTokens": 7, "totalTokens": 16}, "metrics": {"latencyMs": 5}, **more,
    }  # fmt: skip
    assert bedrock.wrong(values, "ConverseResponse") is None
    return values


def heard(*frames: bytes) -> Any:
    reader = converse.reader()
    found = [one for frame in frames for piece in Splitter().feed(frame) for one in reader.push(read(piece))]
    return fold([*found, *reader.end()])


def test_a_reply_is_parsed() -> None:
    found = converse.parse_reply(whole(TALE))
    thought, dark, text, cited, called, bare, image = found.choices[0].parts
    assert thought == Reasoning(text="Hm.", seal=Seal(origin="converse", value="sig"))
    assert dark == Reasoning(text="", redacted=True, seal=Seal(origin="converse", value=DATA))
    assert text == Text(text="Let me see.")
    assert isinstance(cited, Text) and cited.text == "It is so."
    (one,) = cited.citations
    assert (one.url, one.title, one.quote, one.start, one.end) == ("https://x/y", "T", "q", 0, 9)
    assert called == ToolCall(id="tooluse_1", name="a_b", arguments='{"a":[1]}')
    assert bare == ToolCall(id="tooluse_2", name="f", arguments="{}")
    assert image == Media(kind="image", source=Bytes(base64=DATA), media_type="image/jpeg")
    assert found.choices[0].finish.reason == "tool_calls", "whatever the vendor says"
    assert found.usage == Usage(input=9, output=7)


BLOCKS = st.one_of(
    st.fixed_dictionaries({"text": st.text(LETTERS, max_size=20)}),
    st.sampled_from(TALE),
    st.fixed_dictionaries({"reasoningContent": st.fixed_dictionaries({"reasoningText": st.fixed_dictionaries(
        {"text": st.text(LETTERS, max_size=20)}, optional={"signature": st.text("ab", min_size=1, max_size=9)})})}),
    st.fixed_dictionaries({"toolUse": st.fixed_dictionaries({
        "toolUseId": st.just("t"), "name": st.just("f"), "input": st.dictionaries(st.text(LETTERS, max_size=3), st.text(LETTERS, max_size=9), max_size=2)})}),
)  # fmt: skip


@given(
    st.lists(BLOCKS, max_size=5),
    st.sampled_from(["end_turn", "tool_use", "max_tokens", "stop_sequence"]),
    st.integers(1, 7),
)
def test_a_reply_is_the_same_whole_and_streamed(content: list[dict[str, Any]], stop: str, size: int) -> None:
    values = whole(content, stop, additionalModelResponseFields={"stop_sequence": "END"})
    assert heard(*bedrock.streamed(values, size)) == converse.parse_reply(values)


@pytest.mark.parametrize(
    ("word", "reason"),
    [("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"), ("tool_use", "tool_calls"),
     ("model_context_window_exceeded", "length"), ("guardrail_intervened", "filtered"), ("content_filtered", "filtered"),
     ("malformed_model_output", "error"), ("malformed_tool_use", "error"), ("new", "other")],
)  # fmt: skip
def test_why_a_reply_ended(word: str, reason: str) -> None:
    values = {"stopReason": word, "additionalModelResponseFields": {"stop_sequence": "END"}}
    found = reply.finish(values, False)
    assert (found.reason, found.raw, found.matched) == (reason, word, "END" if word == "stop_sequence" else None)


def test_every_end_that_the_vendor_names_is_known() -> None:
    words = bedrock.shapes()["StopReason"]["enum"]
    assert "other" not in {reply.finish({"stopReason": word}, False).reason for word in words}


@pytest.mark.parametrize(
    ("values", "usage"),
    [
        ({"inputTokens": 9, "outputTokens": 5, "totalTokens": 14}, Usage(input=9, output=5)),
        ({"inputTokens": 9, "outputTokens": 5, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 50,
          "cacheDetails": [{"ttl": "1h", "inputTokens": 30}, {"ttl": "5m", "inputTokens": 20}]},
         Usage(input=159, cached=100, cache_written=50, cache_written_1h=30, output=5)),
        ({"inputTokens": 9, "outputTokens": 5, "cacheWriteInputTokens": 0, "cacheDetails": []}, Usage(input=9, cache_written=0, output=5)),
        ({"inputTokens": -9, "outputTokens": 5}, None), ({"inputTokens": True, "outputTokens": 5}, None), ({}, None), (None, None),
    ],
)  # fmt: skip
def test_usage(values: Any, usage: Usage | None) -> None:
    found = reply.usage({"usage": values, "serviceTier": {"type": "flex"}})
    assert found == usage and (found is None or found.tier == "flex")


@pytest.mark.parametrize("values", [{}, {"output": None}, {"output": {"message": {}}}, {"message": "x"}, {"output": {"message": {"content": "x"}}}])  # fmt: skip
def test_whole_answers_that_are_none(values: Any) -> None:
    with pytest.raises(Fault) as caught:
        converse.parse_reply(values)
    assert caught.value.cause == "malformed"


START = event("messageStart", role="assistant")
SAID = event("contentBlockDelta", contentBlockIndex=0, delta={"text": "hello"})
STOP = event("messageStop", stopReason="end_turn")
COUNT = event("metadata", usage={"inputTokens": 9, "outputTokens": 7, "totalTokens": 16}, metrics={"latencyMs": 5})


def test_a_stream_that_ends_without_its_usage_is_whole() -> None:
    found = heard(START, SAID, STOP)
    assert found.usage is None and found.choices[0].parts == (Text(text="hello"),), (
        "an open block ends with its message"
    )
    assert heard(START, SAID, STOP, COUNT, SAID, b"data: oops\n\n").usage == Usage(input=9, output=7)


def test_blocks_of_other_kinds_under_one_index_are_parts_of_their_own() -> None:
    thought = event("contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": {"text": "hm"}})
    assert heard(START, thought, SAID, STOP).choices[0].parts == (Reasoning(text="hm"), Text(text="hello"))


def test_a_seal_in_pieces_is_one() -> None:
    dark = [
        event("contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": {"redactedContent": one}})
        for one in ("YQ==", "Yg==")
    ]
    (part,) = heard(START, *dark, STOP).choices[0].parts
    assert part.seal == Seal(origin="converse", value="YWI=")


def test_a_whole_answer_to_a_streamed_question_is_cut_into_frames() -> None:
    question = b'{"model": "lab/m", "messages": [{"role": "user", "content": "hi"}], "stream": true}'
    feed = bridge.feed(made.call("chat", "chatcmpl_ours", question, Ask(model="lab/m", stream=True)), leg(), {})
    feed.push(json.dumps(whole([{"text": "hello"}]), indent=1).encode())
    feed.end()
    assert feed.fault is None and feed.tail == b"data: [DONE]\n\n" and b'"hello"' in b"".join(feed.out)
    assert feed.meter.usage == Usage(input=9, output=7) and feed.meter.final and feed.meter.out_bytes == 5


@pytest.mark.parametrize(
    "frames",
    [(), (START,), (START, SAID), (SAID,), (b"data: {}\n\n",), (START, b"event: messageStop\ndata: oops\n\n"),
     (START, event("contentBlockDelta", contentBlockIndex=0, delta={"toolUse": {"input": "{}"}})),
     (START, event("contentBlockStart", contentBlockIndex=0, start={"toolUse": {"name": "f"}}), STOP)],
)  # fmt: skip
def test_streams_that_are_none(frames: tuple[bytes, ...]) -> None:
    with pytest.raises(Fault) as caught:
        heard(*frames)
    assert caught.value.cause == "malformed"


ODD = st.recursive(
    st.none() | st.integers() | st.text(LETTERS, max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["text", "toolUse", "toolUseId", "name", "input", "reasoningContent", "reasoningText", "redactedContent",
                         "citation", "citationsContent", "content", "image", "source", "bytes", "location", "web"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(["contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "x"]), ODD, ODD), max_size=5))  # fmt: skip
def test_no_odd_shape_crashes(events: list[tuple[str, Any, Any]]) -> None:
    frames = [
        event(name, contentBlockIndex=index, start=value, delta=value, stopReason=value, usage=value)
        for name, index, value in events
    ]
    try:
        heard(START, *frames, STOP)
    except Fault as fault:
        assert fault.cause == "malformed"
    converse.parse_reply({"output": {"message": {"content": [value for _, _, value in events]}}, "usage": events})


# Errors


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [(400, "ValidationException", "request"), (403, "AccessDeniedException", "account"), (404, "ResourceNotFoundException", "request"),
     (403, "UnrecognizedClientException", "account"), (400, "ExpiredTokenException", "account"), (408, "ModelTimeoutException", "timeout"),
     (424, "ModelErrorException", "server"), (429, "ThrottlingException", "limited"), (429, "ModelNotReadyException", "limited"),
     (400, "ServiceQuotaExceededException", "limited"), (500, "InternalServerException", "server"), (503, "ServiceUnavailableException", "server")],
)  # fmt: skip
def test_what_a_status_means(status: int, code: str, cause: str) -> None:
    headers = {"x-amzn-errortype": f"{code}:http://internal.amazon.com/coral/com.amazon.bedrock/", "retry-after": "3"}
    fault = converse.fault(status, headers, b'{"message":"words"}')
    assert (fault.cause, fault.status, fault.message, fault.code, fault.retry_after) == (
        cause,
        status,
        "words",
        code,
        3,
    )


def test_errors_without_the_header() -> None:
    fault = converse.fault(400, {}, b'{"__type":"com.amazon.coral.service#ExpiredTokenException","Message":"words"}')
    assert (fault.cause, fault.message, fault.code) == ("account", "words", "ExpiredTokenException")
    assert converse.fault(403, {}, b'{"Message":"words"}').cause == "account"
    assert converse.fault(502, {}, b"<html>").cause == "server"


def test_every_error_that_the_vendor_names_in_a_stream_is_known() -> None:
    causes = {
        "internalServerException": "server", "modelStreamErrorException": "server", "validationException": "request",
        "throttlingException": "limited", "serviceUnavailableException": "server",
    }  # fmt: skip
    named = {name for name in bedrock.shapes()["ConverseStreamOutput"]["members"] if name.endswith("Exception")}
    assert named == causes.keys()
    for name, cause in causes.items():
        with pytest.raises(Fault) as caught:
            heard(START, SAID, event(name, message="words"))
        assert (caught.value.cause, caught.value.message) == (cause, "words")
