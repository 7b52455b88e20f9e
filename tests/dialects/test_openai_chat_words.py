"""The Chat dialect between other dialects: requests and replies in neutral words, whole and in frames."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Fault, Leg, Profile
from gateway.dialects import openai_chat
from gateway.neutral.events import PartDelta, PartEnd, PartStart, ReplyEnd, UsageSeen, fold, unfold
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
)
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
)
from gateway.sse import Splitter, read, write
from tests import made

WANTS = {"stream_options": {"include_usage": True}}


def leg(limit_name: str = "max_tokens") -> Leg:
    return made.leg("chat", "m", profile=Profile(limit_name=limit_name))


def parse(*messages: Any, **more: Any) -> ChatRequest:
    return openai_chat.parse({"model": "m", "messages": list(messages), **more})


def render(*messages: Message, **more: Any) -> dict[str, Any]:
    return openai_chat.render(ChatRequest(model="m", messages=messages, **more), leg())


def said(role: str, *parts: Part, name: str | None = None) -> Message:
    return Message(role=role, parts=parts, name=name)


def frames_of(stream: bytes, size: int = 1 << 20) -> Iterator[Any]:
    """The events of a stream that comes in chunks of this size."""
    reader, splitter = openai_chat.reader(), Splitter()
    for at in range(0, len(stream), size):
        for frame in splitter.feed(stream[at : at + size]):
            yield from reader.push(read(frame))
    rest = splitter.end()
    if rest:
        yield from reader.push(read(rest))
    yield from reader.end()


def streamed(*frames: Any, done: bool = True) -> ChatReply:
    """What a reader makes of these frames."""
    return fold(frames_of(b"".join(write(json.dumps(frame).encode()) for frame in frames) + b"data: [DONE]\n\n" * done))


def chunk(delta: Any, finish: str | None = None, index: Any = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "up", "model": "m", "created": 7, "choices": [choice], **more}


def whole(message: dict[str, Any], finish: str | None = "stop", **more: Any) -> ChatReply:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return openai_chat.parse_reply({"id": "up", "model": "m", "created": 7, "choices": [choice], **more})


def parts(reply: ChatReply) -> tuple[Part, ...]:
    return reply.choices[0].parts


# The law: whole or in frames, in any chunks, a reply stays what it is.

WORD = st.text(min_size=1, max_size=8)
FOREIGN = st.builds(Seal, origin=st.sampled_from(["messages", "responses", "gemini"]), value=WORD)
SEALS = FOREIGN | st.builds(Seal, origin=st.just("chat"), value=st.text("abcXYZ019+/=", min_size=1))
THOUGHTS = st.one_of(
    st.builds(Reasoning, text=WORD, summary=st.booleans(), seal=st.none() | SEALS),
    st.builds(Reasoning, text=st.just(""), summary=st.booleans(), seal=SEALS),
    st.builds(Reasoning, text=st.just(""), redacted=st.just(True), seal=SEALS),
)
NUMBER = st.floats(-100, 0)
LOGPROBS = st.builds(
    Logprob,
    token=st.text(max_size=3),
    logprob=NUMBER,
    top=st.lists(st.tuples(st.text(max_size=3), NUMBER), max_size=2).map(tuple),
)


@st.composite
def texts(draw: st.DrawFn) -> Text:
    text = draw(WORD)
    spans = st.none() | st.integers(0, len(text) - 1).flatmap(
        lambda start: st.tuples(st.just(start), st.integers(start + 1, len(text)))
    )
    citations = [
        Citation(
            dialect="chat", raw="", url=draw(WORD), title=draw(st.none() | WORD), quote=draw(st.none() | WORD),
            start=span[0] if span else None, end=span[1] if span else None,
        )
        for span in draw(st.lists(spans, max_size=2))
    ]  # fmt: skip
    logprobs = tuple(draw(st.lists(LOGPROBS, max_size=2)))
    return Text(text=text, citations=tuple(citations), logprobs=logprobs, seal=draw(st.none() | SEALS))


CALLS = st.builds(ToolCall, id=WORD, name=WORD, arguments=st.text(), custom=st.booleans(), seal=st.none() | SEALS)
DATA = st.binary(min_size=1, max_size=6).map(lambda data: __import__("base64").b64encode(data).decode())
IMAGES = st.builds(
    Media,
    kind=st.just("image"),
    source=st.builds(Bytes, base64=DATA),
    media_type=st.sampled_from(["image/png", "image/jpeg"]),
) | st.builds(Media, kind=st.just("image"), source=st.builds(Url, url=WORD.map("https://x/".__add__)))
SOUND = st.builds(Media, kind=st.just("audio"), source=st.builds(Bytes, base64=DATA))


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    """A choice as Chat orders it: thoughts, one text, one refusal, calls, images, one sound."""
    calls = draw(st.lists(CALLS, max_size=3, unique_by=lambda call: call.id))
    found: list[Part] = [
        *draw(st.lists(THOUGHTS, max_size=3)), *draw(st.lists(texts(), max_size=1)),
        *draw(st.lists(st.builds(Refusal, text=WORD), max_size=1)), *calls, *draw(st.lists(IMAGES, max_size=2)),
        *draw(st.lists(SOUND, max_size=1)),
    ]  # fmt: skip
    reasons = ["length", "filtered", "tool_calls"] if calls else ["stop", "length", "filtered"]
    return Choice(parts=tuple(found), finish=Finish(reason=draw(st.sampled_from(reasons))))


COUNT = st.none() | st.integers(0, 99)
USAGES = st.none() | st.builds(
    Usage, input=st.integers(0, 99), output=st.integers(0, 99), cached=COUNT, cache_written=COUNT, audio_in=COUNT,
    reasoning=COUNT, audio_out=COUNT,
)  # fmt: skip
REPLIES = st.builds(
    ChatReply, id=st.just("r"), model=st.just("m"), created=st.just(1),
    choices=st.lists(choices(), min_size=1, max_size=3).map(tuple), usage=USAGES,
)  # fmt: skip


def bare(reply: ChatReply) -> ChatReply:
    """A reply without the raw form of citations."""

    def without(part: Part) -> Part:
        if isinstance(part, Text):
            return replace(part, citations=tuple(replace(one, raw="") for one in part.citations))
        return part

    return replace(reply, choices=tuple(replace(one, parts=tuple(map(without, one.parts))) for one in reply.choices))


def in_frames(reply: ChatReply, piece: int, size: int) -> ChatReply:
    out = openai_chat.writer(WANTS)
    events = unfold(reply, lambda text: (text[at : at + piece] for at in range(0, len(text), piece)))
    return fold(frames_of(b"".join(map(out.write, events)), size))


def at_once(reply: ChatReply) -> ChatReply:
    return openai_chat.parse_reply(json.loads(json.dumps(openai_chat.render_reply(reply, {}))))


@given(REPLIES, st.integers(1, 9), st.integers(1, 300))
def test_the_law(reply: ChatReply, piece: int, size: int) -> None:
    assert bare(in_frames(reply, piece, size)) == reply
    assert bare(at_once(reply)) == reply


def merged(reply: ChatReply) -> ChatReply:
    """A reply in Chat's order, with all text in one part."""
    return bare(replace(reply, choices=tuple(replace(one, parts=tuple(_merged(one.parts))) for one in reply.choices)))


def _merged(found: Iterable[Part]) -> Iterator[Part]:
    found = list(found)
    yield from (part for part in found if isinstance(part, Reasoning))
    text: Text | None = None
    for part in (part for part in found if isinstance(part, Text)):
        if text is None:
            text = part
            continue
        by = len(text.text)
        moved = (
            replace(one, start=one.start + by, end=one.end + by)
            if one.start is not None and one.end is not None
            else one
            for one in part.citations
        )
        text = Text(
            text=text.text + part.text,
            citations=(*text.citations, *moved),
            logprobs=(*text.logprobs, *part.logprobs),
            seal=part.seal or text.seal,
        )
    if text is not None:
        yield text
    refusal = "".join(part.text for part in found if isinstance(part, Refusal))
    if refusal:
        yield Refusal(text=refusal)
    yield from (part for part in found if isinstance(part, ToolCall))
    yield from (part for part in found if isinstance(part, Media) and part.kind == "image")
    yield from [part for part in found if isinstance(part, Media) and part.kind == "audio"][-1:]


@given(REPLIES, st.integers(1, 9), st.randoms(use_true_random=False))
def test_the_law_for_parts_in_any_order(reply: ChatReply, piece: int, chance: Any) -> None:
    def mixed(one: Choice) -> Choice:
        found = list(one.parts)
        chance.shuffle(found)
        return replace(one, parts=tuple(found))

    reply = replace(reply, choices=tuple(map(mixed, reply.choices)))
    assert merged(in_frames(reply, piece, 100)) == merged(reply) == bare(at_once(reply))


def test_every_feature_has_a_verdict() -> None:
    assert set(openai_chat.CAN) == set(openai_chat.FIELD) == set(NAMES)


# Requests


@pytest.mark.parametrize(
    ("content", "want"),
    [
        ("hi", [Text(text="hi")]), ("", []), (None, []), (["a", 1, {"type": 2}], [Text(text="a")]),
        ([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}], [Text(text="a", cache="5m")]),
        ([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}], [Text(text="a", cache="1h")]),
        ([{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}], [Text(text="a", cache="5m")]),
        ([{"type": "image_url", "image_url": {"url": "https://x/a.png", "detail": "low"}}],
         [Media(kind="image", source=Url(url="https://x/a.png"), detail="low")]),
        ([{"type": "image_url", "image_url": "data:image/png;base64,AA=="}],
         [Media(kind="image", source=Bytes(base64="AA=="), media_type="image/png")]),
        ([{"type": "image_url", "image_url": {"url": "data:text/plain,a%20b"}}],
         [Media(kind="image", source=Bytes(base64="YSBi"), media_type="text/plain")]),
        ([{"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}}],
         [Media(kind="audio", source=Bytes(base64="AA=="), media_type="audio/mp3")]),
        ([{"type": "file", "file": {"file_id": "file-1"}}], [Media(kind="file", source=FileRef(id="file-1"))]),
        ([{"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}}],
         [Media(kind="file", source=Bytes(base64="AA=="), media_type="application/pdf", name="a.pdf")]),
        ([{"type": "file", "file": {"file_data": "AA=="}}], [Media(kind="file", source=Bytes(base64="AA=="))]),
        ([{"type": "file_url", "file_url": {"url": "UEsDBA=="}, "file_name": "a.docx"}],
         [Media(kind="file", source=Bytes(base64="UEsDBA=="), name="a.docx")]),
        ([{"type": "document_url", "document_url": "https://x/a"}], [Media(kind="file", source=Url(url="https://x/a"))]),
        ([{"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AA=="}}],
         [Media(kind="video", source=Bytes(base64="AA=="), media_type="video/mp4")]),
        ([{"type": "new", "x": "ä"}], [Opaque(dialect="chat", kind="new", raw='{"type":"new","x":"ä"}')]),
        ([{"type": "image_url", "image_url": 5}], [Opaque(dialect="chat", kind="image_url", raw='{"type":"image_url","image_url":5}')]),
    ],
)  # fmt: skip
def test_content(content: Any, want: list[Part]) -> None:
    assert list(parse({"role": "user", "content": content}).messages[0].parts) == want


def test_an_assistants_message() -> None:
    found = parse(
        {
            "role": "assistant", "name": "ada", "content": "text", "refusal": "no", "reasoning_content": "hm",
            "audio": {"id": "audio_1"},
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}},
                {"id": "b", "type": "custom", "custom": {"name": "g", "input": "free"}},
                {"id": "", "type": "function", "function": {"name": "h", "arguments": None},
                 "extra_content": {"google": {"thought_signature": "gw1.gemini.sig"}}},
                {"id": "c"}, 5,
            ],
        }
    )  # fmt: skip
    assert found.messages == (
        said(
            "assistant",
            Reasoning(text="hm", seal=Seal(origin="chat", value="reasoning_content")),
            Text(text="text"),
            Refusal(text="no"),
            Opaque(dialect="chat", kind="audio", raw='{"id":"audio_1"}'),
            ToolCall(id="a", name="f", arguments='{"x":1}'),
            ToolCall(id="b", name="g", arguments="free", custom=True),
            ToolCall(id="call_0_2", name="h", arguments="", seal=Seal(origin="gemini", value="sig")),
            name="ada",
        ),
    )


def test_results_find_their_calls() -> None:
    call: dict[str, Any] = {"role": "assistant", "tool_calls": [
        {"id": "a", "type": "custom", "custom": {"name": "g", "input": "x"}},
        {"id": "", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "", "type": "function", "function": {"name": "f", "arguments": "{}"}},
    ]}  # fmt: skip
    results = [
        {"role": "tool", "tool_call_id": "", "content": "1", "name": "f"},
        {"role": "tool", "content": [{"type": "text", "text": "2"}]},
        {"role": "tool", "tool_call_id": "elsewhere", "content": "3"},
    ]
    found = [message.parts[0] for message in parse(call, *results).messages[1:]]
    assert found == [
        ToolResult(call_id="call_0_1", parts=(Text(text="1"),), name="f"),
        ToolResult(call_id="a", parts=(Text(text="2"),), custom=True),
        ToolResult(call_id="elsewhere", parts=(Text(text="3"),)),
    ]


def test_functions_of_old() -> None:
    found = parse(
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a":1}'}},
        {"role": "function", "name": "f", "content": "2"},
        functions=[{"name": "f", "description": "d", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
    )
    assert found.tools == (FunctionTool(name="f", description="d", schema={"type": "object"}),)
    assert found.tool_choice == ToolChoice(mode="required", names=("f",), parallel=False)
    assert found.messages[1:] == (
        said("assistant", ToolCall(id="call_1", name="f", arguments='{"a":1}')),
        said("tool", ToolResult(call_id="call_1", parts=(Text(text="2"),), name="f"), name="f"),
    )
    assert parse(functions=[{"name": "f"}], function_call="none").tool_choice.mode == "none"


def test_tools() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: X"}}
    found = parse(
        tools=[
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True},
             "cache_control": {"type": "ephemeral"}},
            {"type": "custom", "custom": {"name": "g", "description": "d", "format": grammar}},
            {"type": "custom", "custom": {"name": "h", "format": {"type": "text"}}},
            {"type": "web_search", "max_uses": 2}, {"type": "function"}, 5,
        ],
    )  # fmt: skip
    assert found.tools == (
        FunctionTool(name="f", schema={"type": "object"}, strict=True, cache="5m"),
        CustomTool(name="g", description="d", form='{"type":"grammar","syntax":"lark","definition":"start: X"}'),
        CustomTool(name="h"),
        HostedTool(dialect="chat", kind="web_search", raw='{"type":"web_search","max_uses":2}'),
        HostedTool(dialect="chat", kind="function", raw='{"type":"function"}'),
    )
    offered = render(tools=found.tools)["tools"]
    assert offered[1] == {"type": "custom", "custom": {"name": "g", "description": "d", "format": grammar}}
    assert offered[2:4] == [{"type": "custom", "custom": {"name": "h"}}, {"type": "web_search", "max_uses": 2}]
    assert not render(tools=(HostedTool(dialect="messages", kind="x", raw="{}"),)).get("tools")


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("auto", ToolChoice()), (None, ToolChoice()), ("none", ToolChoice(mode="none")),
        ("required", ToolChoice(mode="required")), ("any", ToolChoice(mode="required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice(mode="required", names=("f",))),
        ({"type": "custom", "custom": {"name": "g"}}, ToolChoice(mode="required", names=("g",))),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
            {"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "g"}}, 5]}},
         ToolChoice(names=("f", "g"))),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}, ToolChoice(mode="required")),
        ({"type": "web_search"}, ToolChoice()), (5, ToolChoice()),
    ],
)  # fmt: skip
def test_tool_choice(given: Any, want: ToolChoice) -> None:
    assert parse(tool_choice=given).tool_choice == want


def test_which_tools_are_offered_and_wanted() -> None:
    tools = (FunctionTool(name="f", schema={"type": "object"}), FunctionTool(name="h"), CustomTool(name="g"))

    def asked(**choice: Any) -> tuple[list[str], Any]:
        body = render(tools=tools, tool_choice=ToolChoice(**choice))
        return [tool[tool["type"]]["name"] for tool in body["tools"]], body.get("tool_choice")

    assert asked() == (["f", "h", "g"], None)
    assert asked(mode="required") == (["f", "h", "g"], "required")
    assert asked(mode="none") == (["f", "h", "g"], "none")
    assert asked(mode="required", names=("f",)) == (["f", "h", "g"], {"type": "function", "function": {"name": "f"}})
    assert asked(mode="required", names=("g",))[1] == {"type": "custom", "custom": {"name": "g"}}
    assert asked(names=("f", "g")) == (["f", "g"], None)
    assert asked(mode="required", names=("f", "h")) == (["f", "h"], "required")
    assert render(tools=tools, tool_choice=ToolChoice(parallel=False))["parallel_tool_calls"] is False
    assert render(tool_choice=ToolChoice(mode="required", parallel=True)) == {"model": "m", "messages": []}
    assert render(tools=tools)["tools"][1]["function"]["parameters"] == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("more", "want"),
    [
        ({"reasoning_effort": "high"}, Thinking(effort="high")),
        ({"reasoning": {"effort": "low", "exclude": True}}, Thinking(effort="low", show=False)),
        ({"reasoning": {"max_tokens": 2000}}, Thinking(mode="on", budget=2000)),
        ({"reasoning": {"enabled": True}}, Thinking(mode="adaptive")),
        ({"reasoning": {"enabled": False}}, Thinking(mode="off")),
        ({"thinking": {"type": "enabled"}, "reasoning_effort": "high"}, Thinking(mode="adaptive", effort="high")),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, Thinking(mode="on", budget=9)),
        ({"thinking": {"type": "disabled"}}, Thinking(mode="off")),
        ({"enable_thinking": False}, Thinking(mode="off")),
        ({"enable_thinking": True, "thinking_budget": 9}, Thinking(mode="on", budget=9)),
        ({"include_reasoning": True}, Thinking(show=True)), ({"reasoning": 5, "thinking": []}, Thinking()),
    ],
)  # fmt: skip
def test_thinking(more: dict[str, Any], want: Thinking) -> None:
    assert parse(**more).thinking == want and not parse(**more).extras


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [
        (Thinking(), None), (Thinking(mode="off"), "none"), (Thinking(effort="none"), "none"),
        (Thinking(effort="xhigh"), "xhigh"), (Thinking(mode="adaptive"), None), (Thinking(mode="on"), "medium"),
        (Thinking(mode="adaptive", effort="max"), "max"), (Thinking(mode="on", budget=1024), "low"),
        (Thinking(mode="on", budget=10_000), "medium"), (Thinking(mode="on", budget=32_000), "high"),
        (Thinking(mode="on", budget=32_000, effort="low"), "low"),
    ],
)  # fmt: skip
def test_effort(thinking: Thinking, effort: str | None) -> None:
    assert render(thinking=thinking).get("reasoning_effort") == effort


def test_the_rest_of_a_request() -> None:
    body = {
        "max_tokens": 5, "max_completion_tokens": 9, "n": 2, "stop": ["a", "b"], "temperature": 0.5, "top_p": 0.9,
        "seed": 3, "presence_penalty": 1, "frequency_penalty": -1, "logprobs": True, "top_logprobs": 2, "top_k": 40,
        "verbosity": "low", "user": "u", "metadata": {"a": "b"}, "service_tier": "flex", "stream": True,
        "response_format": {"type": "json_schema", "json_schema": {
            "name": "x", "description": "d", "schema": {"type": "object"}, "strict": True}},
        "prediction": {"type": "content", "content": "x"}, "web_search_options": {}, "logit_bias": {"5": 1},
        "store": True, "stream_options": {"include_usage": True}, "provider": {"order": []}, "models": ["z"],
        "max_steps": 3, "audio": None, "modalities": ["text"], "safety_identifier": "s", "prompt_cache_key": "k",
    }  # fmt: skip
    found = parse({"role": "user", "content": "x"}, **body)
    assert found.sampling == Sampling(
        limit=9, n=2, stop=("a", "b"), temperature=0.5, top_p=0.9, top_k=40, seed=3, presence_penalty=1,
        frequency_penalty=-1, logprobs=True, top_logprobs=2,
    )  # fmt: skip
    assert found.output == Output(
        form="schema", name="x", description="d", schema={"type": "object"}, strict=True, verbosity="low"
    )
    assert (found.end_user, found.tier, found.metadata, found.stream) == ("s", "flex", {"a": "b"}, True)
    extras = {
        "prediction": body["prediction"],
        "web_search_options": {},
        "logit_bias": {"5": 1},
        "prompt_cache_key": "k",
    }
    assert found.extras == {"chat": extras}
    again = openai_chat.render(found, leg("max_completion_tokens"))
    left = {
        "max_tokens",
        "top_k",
        "store",
        "provider",
        "models",
        "max_steps",
        "audio",
        "modalities",
        "safety_identifier",
    }
    want = {name: value for name, value in body.items() if name not in left}
    assert again == {**want, "user": "s", "model": "m", "messages": [{"role": "user", "content": "x"}]}


def test_odd_shapes_are_left_out() -> None:
    odd = parse(
        {"role": "user", "content": 5}, 5, {"role": "assistant", "tool_calls": "x", "reasoning_details": [5, {"type": 1}]},
        tools="x", functions=5, n=True, stop=5, temperature="1", max_tokens="9", seed=1.5, metadata=[], user=5,
        response_format={"type": "grammar", "grammar": "x"}, verbosity=3, reasoning_effort=3, logprobs=1,
    )  # fmt: skip
    assert odd.messages == (said("user"), said("assistant")) and odd.sampling == Sampling()
    assert odd.extras == {"chat": {"response_format": {"type": "grammar", "grammar": "x"}}}
    assert render(extras=odd.extras)["response_format"] == {"type": "grammar", "grammar": "x"}
    assert parse().messages == () and openai_chat.parse({}).model == ""


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
        ["", "text", "function", "custom", "tool", "assistant", "x", "data:a,b", "reasoning.text", "thinking"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "text", "role", "content", "function", "custom", "name", "id", "arguments", "index",
                         "tool_calls", "image_url", "url", "file", "file_data", "reasoning_details", "reasoning",
                         "audio", "delta", "message", "finish_reason", "extra_content", "google", "thinking",
                         "thought_signature", "annotations", "logprobs", "signature", "data", "summary", "images"]),
        inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["messages", "tools", "tool_choice", "response_format", "stop", "reasoning", "thinking", "functions", "function_call"]), ANY | st.lists(ANY)))  # fmt: skip
def test_no_request_crashes_parse_or_render(values: dict[str, Any]) -> None:
    json.dumps(openai_chat.render(openai_chat.parse(values), leg()))


@given(st.lists(ANY, max_size=4))
def test_replies_are_read_or_are_a_fault(found: list[Any]) -> None:
    try:
        openai_chat.parse_reply({"id": "x", "choices": found})
    except Fault:
        pass
    reader = openai_chat.reader()
    try:
        for choice in found:
            list(reader.push(read(write(json.dumps({"id": "x", "choices": [choice]}).encode()))))
        assert list(reader.push(read(b"data: [DONE]\n\n")))[-1] == ReplyEnd()
    except Fault:
        pass


def test_messages_for_a_provider() -> None:
    image = Media(kind="image", source=Bytes(base64="/9j/AA=="), detail="low")
    body = render(
        said("system", Text(text="a"), Text(text="b", cache="5m")),
        said("developer", Text(text="c")),
        said("user", Text(text="x"), image, name="ada"),
        said("assistant", Text(text="y"), Text(text="z"), ToolCall(id="1", name="f", arguments="")),
        said("user", ToolResult(call_id="1", parts=(Text(text="r"), Text(text="s"))), Text(text="go on")),
        said("assistant", Refusal(text="no")),
        said("assistant", Reasoning(text="of another maker")),
        said("assistant"),
    )
    assert body["messages"] == [
        {"role": "system", "content": "a\n\nb"}, {"role": "system", "content": "c"},
        {"role": "user", "name": "ada", "content": [
            {"type": "text", "text": "x"},
            {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/AA==", "detail": "low"}}]},
        {"role": "assistant", "content": "yz", "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "r\ns"}, {"role": "user", "content": "go on"},
        {"role": "assistant", "refusal": "no", "content": None}, {"role": "assistant", "content": ""},
    ]  # fmt: skip


def test_a_tools_media_follow_all_results() -> None:
    image = Media(kind="image", source=Url(url="https://x/a.png"))
    calls = said("assistant", *(ToolCall(id=str(n), name="f", arguments="{}") for n in range(2)))
    results = [
        said("tool", ToolResult(call_id="0", parts=(image,), name="f")),
        said("tool", ToolResult(call_id="1", parts=(Text(text="bad"),), is_error=True)),
    ]
    seen = [
        {"type": "text", "text": "What the tool made (f):"},
        {"type": "image_url", "image_url": {"url": "https://x/a.png"}},
    ]
    one = render(calls, *results, said("user", Text(text="and?")))["messages"]
    assert [message["role"] for message in one] == ["assistant", "tool", "tool", "user"]
    assert one[2]["content"] == "Error: bad" and one[3]["content"] == [*seen, {"type": "text", "text": "and?"}]
    assert render(calls, *results)["messages"][-1] == {"role": "user", "content": seen}
    then = render(calls, *results, said("assistant", Text(text="ok")))["messages"]
    assert [message["role"] for message in then] == ["assistant", "tool", "tool", "user", "assistant"]


@pytest.mark.parametrize(
    ("media", "want"),
    [
        (Media(kind="image", source=Url(url="u"), detail="high"), {"type": "image_url", "image_url": {"url": "u", "detail": "high"}}),
        (Media(kind="audio", source=Bytes(base64="A"), media_type="audio/mpeg"),
         {"type": "input_audio", "input_audio": {"data": "A", "format": "mp3"}}),
        (Media(kind="audio", source=Bytes(base64="A")), {"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}}),
        (Media(kind="file", source=FileRef(id="f")), {"type": "file", "file": {"file_id": "f"}}),
        (Media(kind="file", source=Bytes(base64="A"), name="x.pdf"),
         {"type": "file", "file": {"filename": "x.pdf", "file_data": "data:application/pdf;base64,A"}}),
        (Media(kind="video", source=Bytes(base64="A")), {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,A"}}),
    ],
)  # fmt: skip
def test_media_for_a_provider(media: Media, want: dict[str, Any]) -> None:
    assert render(said("user", Text(text="x"), media))["messages"][0]["content"][1] == want


def test_a_text_file_is_text() -> None:
    notes = Media(kind="file", source=Bytes(base64="w6Q="), media_type="text/plain", name="a.txt")
    assert render(said("user", notes))["messages"][0]["content"] == "a.txt:\n\nä"


def test_long_ids_are_cut_alike() -> None:
    long = "call_" + "x" * 60
    call = said("assistant", ToolCall(id=long, name="f", arguments="{}"))
    body = render(call, said("tool", ToolResult(call_id=long, parts=(Text(text="r"),))))["messages"]
    assert body[0]["tool_calls"][0]["id"] == body[1]["tool_call_id"] and len(body[1]["tool_call_id"]) <= 40


def test_calls_that_a_provider_has_run_are_not_the_clients() -> None:
    ran = ToolCall(id="1", name="web_search", arguments="{}", ran_by="messages")
    result = ToolResult(call_id="1", parts=(Text(text="r"),))
    assert render(said("assistant", ran, result, Text(text="x")))["messages"] == [{"role": "assistant", "content": "x"}]
    reply = ChatReply(
        id="r",
        model="m",
        created=1,
        choices=(Choice(parts=(ran, result, Text(text="x")), finish=Finish(reason="stop")),),
    )
    message = openai_chat.render_reply(reply, {})["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "x", "refusal": None}
    assert parts(in_frames(reply, 5, 99)) == (Text(text="x"),)


# Thoughts and their seals


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_content": "hm"}, {"reasoning": "hm"}, {"reasoning_content": "hm", "reasoning": "hm"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "s", "format": "f", "index": 0}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0}]},
        {"reasoning_details": [
            {"type": "reasoning.encrypted", "data": "e", "format": "f", "id": "rs_1", "index": 0},
            {"type": "reasoning.summary", "summary": "hm", "format": "f", "index": 1}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "x"}]},
    ],
)  # fmt: skip
def test_a_chat_providers_thoughts_go_back_as_they_came(fields: dict[str, Any]) -> None:
    """From a reply to a client of any dialect, which keeps the seal, and back to the provider."""
    fields = {"content": "x", **fields}
    for reply in (whole(fields), streamed(chunk(fields), chunk({}, "stop"))):
        assert "hm" in [part.text for part in parts(reply) if isinstance(part, Reasoning)]
        assert all(part.seal and part.seal.origin == "chat" for part in parts(reply) if isinstance(part, Reasoning))
        assert render(said("assistant", *parts(reply)))["messages"] == [{"role": "assistant", **fields}]


def test_thoughts_in_pieces() -> None:
    """OpenRouter tells every piece twice, signs in a frame of its own, and sends an empty one first."""
    reply = streamed(
        chunk({"role": "assistant", "content": "", "reasoning": None, "reasoning_details": [
            {"type": "reasoning.text", "text": "", "signature": "", "format": "f", "index": 0}]}),
        chunk({"content": "", "reasoning": "a", "reasoning_details": [
            {"type": "reasoning.text", "text": "a", "format": "f", "index": 0}]}),
        chunk({"content": "", "reasoning": "b", "reasoning_details": [
            {"type": "reasoning.text", "text": "b", "format": "f", "index": 0}]}),
        chunk({"content": "", "reasoning_details": [{"type": "reasoning.text", "signature": "s", "format": "f", "index": 0}]}),
        chunk({"content": "x", "reasoning_details": []}), chunk({"content": ""}, "stop"),
    )  # fmt: skip
    value = '[{"format":"f","index":0,"signature":"s","type":"reasoning.text"}]'
    assert parts(reply) == (Reasoning(text="ab", seal=Seal(origin="chat", value=value)), Text(text="x"))


def test_a_client_may_send_details_back_as_they_came_in_pieces() -> None:
    out = openai_chat.writer({})
    thought = Reasoning(text="abc", seal=Seal(origin="messages", value="sig"))
    secret = Reasoning(text="", redacted=True, seal=Seal(origin="messages", value="enc"))
    reply = ChatReply(
        id="r", model="m", created=1, choices=(Choice(parts=(thought, secret), finish=Finish(reason="stop")),)
    )
    stream = b"".join(out.write(event) for event in unfold(reply, iter))
    kept = [
        item
        for frame in stream.split(b"\n\n")[:-2]
        for item in json.loads(frame[6:])["choices"][0]["delta"].get("reasoning_details", [])
    ]
    assert len(kept) == 5
    for message in ({"reasoning_details": kept}, {"reasoning_content": "abc", "reasoning_details": kept[3:]}):
        assert parse({"role": "assistant", "content": "x", **message}).messages[0].parts[:2] == (thought, secret)


def test_a_clients_signature_finds_the_text_that_was_kept_apart() -> None:
    detail = {"type": "reasoning.text", "signature": "gw1.messages.sig", "index": 0}
    found = parse({"role": "assistant", "content": "x", "reasoning_content": "hm", "reasoning_details": [detail]})
    assert found.messages[0].parts[0] == Reasoning(text="hm", seal=Seal(origin="messages", value="sig"))


def test_what_clients_are_told_of_thoughts() -> None:
    found = ChatReply(id="r", model="m", created=1, choices=(Choice(parts=(
        Reasoning(text="a", seal=Seal(origin="messages", value="s")),
        Reasoning(text="b", summary=True, seal=Seal(origin="responses", value="e")),
        Reasoning(text="", redacted=True, seal=Seal(origin="messages", value="r")), Text(text="x"),
    ), finish=Finish(reason="stop")),))  # fmt: skip
    message = openai_chat.render_reply(found, {})["choices"][0]["message"]
    assert message["reasoning_content"] == "ab" and message["content"] == "x"
    assert message["reasoning_details"] == [
        {"type": "reasoning.text", "text": "a", "signature": "gw1.messages.s", "index": 0},
        {"type": "reasoning.summary", "summary": "b", "index": 1},
        {"type": "reasoning.encrypted", "data": "gw1.responses.e", "index": 1},
        {"type": "reasoning.encrypted", "data": "gw1.messages.r", "index": 2},
    ]


def test_signatures_of_geminis_chat_endpoint() -> None:
    extra = {"extra_content": {"google": {"thought": True, "thought_signature": "sig"}}}
    call = {"id": "", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    mark = Seal(origin="chat", value="sig")
    for one in (
        whole({"tool_calls": [call], **extra}), whole({"tool_calls": [{**call, **extra}]}),
        streamed(chunk({"tool_calls": [{"index": 0, **call}], **extra}), chunk({}, "stop")),
        streamed(chunk({"tool_calls": [{"index": 0, **call, **extra}]}), chunk({}, "stop")),
    ):  # fmt: skip
        (found,) = parts(one)
        assert isinstance(found, ToolCall) and found.seal == mark and found.id.startswith("call_")
        assert one.choices[0].finish.reason == "tool_calls"
        sent = render(said("assistant", found))["messages"][0]["tool_calls"][0]
        assert sent["extra_content"] == {"google": {"thought_signature": "sig"}}
    assert parts(whole({"content": "x", **extra})) == (Text(text="x", seal=mark),)
    assert parts(streamed(chunk({"content": "x"}), chunk(extra), chunk({}, "stop"))) == (Text(text="x", seal=mark),)


# Replies


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"), ("eos", "stop"), (None, "stop"), ("length", "length"), ("model_length", "length"),
        ("content_filter", "filtered"), ("function_call", "tool_calls"), ("error", "error"), ("odd", "other"),
        ({"x": 1}, "stop"),
    ],
)  # fmt: skip
def test_finish(word: Any, reason: str) -> None:
    found = whole({"content": "x"}, word).choices[0].finish
    assert (found.reason, found.raw) == (reason, word if isinstance(word, str) else None)
    assert streamed(chunk({"content": "x"}), chunk({}, word)).choices[0].finish.reason == reason


def test_calls_count_whatever_the_finish_says() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    for word, reason in (("stop", "tool_calls"), ("eos", "tool_calls"), (None, "tool_calls"), ("length", "length")):
        assert whole({"tool_calls": [call]}, word).choices[0].finish.reason == reason
        assert streamed(chunk({"tool_calls": [call]}), chunk({}, word)).choices[0].finish.reason == reason


def test_a_reply_of_old_functions() -> None:
    call = {"name": "f", "arguments": "{}"}
    told = whole({"content": None, "function_call": call}, "function_call")
    pieces = streamed(
        chunk({"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{"}}), chunk({"function_call": {"arguments": "}"}}), chunk({}, "function_call"),
    )  # fmt: skip
    assert told.choices == pieces.choices and told.choices[0].finish.reason == "tool_calls"
    asked = {"functions": [{"name": "f"}]}
    choice = openai_chat.render_reply(told, asked)["choices"][0]
    assert choice["message"]["function_call"] == call and choice["finish_reason"] == "function_call"
    assert "tool_calls" not in choice["message"]
    out = openai_chat.writer(asked)
    again = fold(frames_of(b"".join(out.write(event) for event in unfold(told))))
    assert [replace(part, id="") for part in parts(again) if isinstance(part, ToolCall)] == [
        ToolCall(id="", name="f", arguments="{}")
    ]


def test_citations() -> None:
    note = {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 1, "end_index": 3}}
    cited = Citation(dialect="chat", raw=json.dumps(note, separators=(",", ":")), url="u", title="t", start=1, end=3)
    assert parts(whole({"content": "text", "annotations": [note, 5]})) == (Text(text="text", citations=(cited,)),)
    assert parts(streamed(chunk({"content": "text"}), chunk({"annotations": [note]}, "stop"))) == (
        Text(text="text", citations=(cited,)),
    )
    (text,) = parts(
        whole({"content": "x"}, search_results=[{"url": "u", "title": "t", "snippet": "q"}], citations=["u"])
    )
    assert isinstance(text, Text)
    assert [(c.url, c.title, c.quote, c.start) for c in text.citations] == [("u", "t", "q", None)]
    (text,) = parts(streamed(chunk({"content": "x"}, citations=["u"]), chunk({}, "stop", citations=["u"])))
    assert isinstance(text, Text) and [c.url for c in text.citations] == ["u"]


def test_sound_in_pieces() -> None:
    reply = streamed(
        chunk({"role": "assistant", "audio": {"id": "audio_1", "transcript": "he"}}), chunk({"audio": {"data": "AQ=="}}),
        chunk({"audio": {"transcript": "y", "data": "Ag=="}}), chunk({"audio": {"expires_at": 5}}, "stop"),
    )  # fmt: skip
    assert parts(reply) == (Text(text="hey"), Media(kind="audio", source=Bytes(base64="AQI=")))
    told = {"id": "audio_1", "data": "AQI=", "transcript": "hey", "expires_at": 5}
    assert parts(whole({"content": None, "audio": told})) == parts(reply)


def test_images() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    want = (Text(text="x"), Media(kind="image", source=Bytes(base64="AA=="), media_type="image/png"))
    assert parts(whole({"content": "x", "images": [image]})) == want
    assert parts(streamed(chunk({"content": "x"}), chunk({"images": [image]}, "stop"))) == want


def test_logprobs() -> None:
    token = {
        "token": "x",
        "logprob": -0.5,
        "bytes": [120],
        "top_logprobs": [{"token": "y", "logprob": -1, "bytes": None}],
    }
    choice = {"index": 0, "message": {"content": "x"}, "logprobs": {"content": [token, 5]}, "finish_reason": "stop"}
    want = (Text(text="x", logprobs=(Logprob(token="x", logprob=-0.5, top=(("y", -1.0),)),)),)
    assert parts(openai_chat.parse_reply({"choices": [choice]})) == want
    one = chunk({"content": "x"})
    one["choices"][0]["logprobs"] = {"content": [token]}
    assert parts(streamed(one, chunk({}, "stop"))) == want


@pytest.mark.parametrize(
    ("usage", "want"),
    [
        ({"prompt_tokens": 307, "completion_tokens": 26, "total_tokens": 560,
          "completion_tokens_details": {"reasoning_tokens": 227}}, Usage(input=307, output=253, reasoning=227)),
        ({"prompt_tokens": 9, "completion_tokens": 201, "total_tokens": 585, "prompt_tokens_details": {"audio_tokens": 375}},
         Usage(input=384, output=201, audio_in=375)),
        ({"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}, Usage(input=35, output=74, reasoning=62)),
        ({"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 99, "completion_tokens_details": {"reasoning_tokens": 1}},
         Usage(input=35, output=12, reasoning=1)),
        ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 1, "cached_tokens": 4}, Usage(input=5, output=2, cached=4)),
    ],
)  # fmt: skip
def test_usage_that_only_the_total_tells(usage: dict[str, Any], want: Usage) -> None:
    assert whole({"content": "x"}, usage=usage).usage == want


def test_usage_in_odd_frames() -> None:
    used = {"prompt_tokens": 5, "completion_tokens": 2}
    last = {"id": "up", "choices": [], "usage": used}
    for stream in (
        [chunk({"content": "x"}), chunk({}, "stop"), last], [chunk({"content": "x"}), chunk({}, "stop", usage=used)],
        [chunk({"content": "x"}), chunk({}, "stop", x_groq={"id": "q", "usage": used})],
        [chunk({"content": "x"}), chunk({}, "stop"), chunk({"content": ""}, None, usage=used)],
        [chunk({"content": "x"}, usage={"prompt_tokens": 5, "completion_tokens": 0}), chunk({}, "stop", usage=used)],
        [chunk({"content": "x"}), chunk({}, "stop"), {"usage": used}],
    ):  # fmt: skip
        assert streamed(*stream).usage == Usage(input=5, output=2)
    raw = b"".join(write(json.dumps(frame).encode()) for frame in [chunk({"content": "x"}, "stop", usage=used)])
    kinds = [type(event).__name__ for event in frames_of(raw + b"data: [DONE]\n\n")]
    assert kinds[-3:] == ["ChoiceEnd", "UsageSeen", "ReplyEnd"]


def test_azures_first_frame_and_perplexitys_last() -> None:
    filters = {"choices": [], "created": 0, "id": "", "model": "", "prompt_filter_results": [{"prompt_index": 0}]}
    reply = streamed(filters, chunk({"content": "x"}), chunk({}, "stop"))
    assert (reply.id, reply.model, reply.created) == ("up", "m", 7)
    last = chunk({"role": "assistant", "content": ""}, "stop")
    last["choices"][0]["message"] = {"content": "x"}
    assert parts(streamed(chunk({"content": "x"}), last, done=False)) == (Text(text="x"),)


def test_content_as_a_list() -> None:
    think = {"type": "thinking", "thinking": [{"type": "text", "text": "h"}]}
    reply = streamed(
        chunk({"content": [think]}), chunk({"content": [think]}), chunk({"content": [{"type": "text", "text": "a"}]}),
        chunk({"content": "b"}, "stop"),
    )  # fmt: skip
    assert parts(reply) == (Reasoning(text="hh", seal=Seal(origin="chat", value="thinking")), Text(text="ab"))


@pytest.mark.parametrize(
    "deltas",
    [
        [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}, {"index": 0, "function": {"arguments": "{"}},
         {"index": 1, "id": "b", "function": {"name": "g", "arguments": ""}}, {"index": 1, "function": {"arguments": "[]"}},
         {"index": 0, "function": {"arguments": "}"}}],
        [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
         {"index": 1, "id": "b", "function": {"name": "g", "arguments": "[]"}}],
        [{"id": "a", "function": {"name": "f", "arguments": "{}"}}, {"id": "b", "function": {"name": "g", "arguments": "[]"}}],
        [{"id": "a", "function": {"name": "f", "arguments": "{"}}, {"function": {"arguments": "}"}},
         {"id": "b", "function": {"name": "g", "arguments": "[]"}}],
        [{"index": 0, "id": "a", "function": {"name": "f", "arguments": {}}},
         {"index": 0, "id": "b", "function": {"name": "g", "arguments": []}}],
        [{"index": 0, "id": "a"}, {"index": 0, "function": {"name": "f"}}, {"index": 0, "function": {"name": "", "arguments": "{}"}},
         {"index": 3, "id": "b", "function": {"arguments": "[", "name": None}}, {"index": 3, "function": {"name": "g", "arguments": "]"}}],
    ],
)  # fmt: skip
def test_calls_in_every_shape(deltas: list[dict[str, Any]]) -> None:
    want = (ToolCall(id="a", name="f", arguments="{}"), ToolCall(id="b", name="g", arguments="[]"))
    assert parts(streamed(*(chunk({"tool_calls": [delta]}) for delta in deltas), chunk({}, "tool_calls"))) == want
    assert parts(streamed(chunk({"content": "", "tool_calls": deltas}, "tool_calls"))) == want


def test_an_empty_custom_beside_a_function_means_nothing() -> None:
    deltas = [
        {"index": 0, "id": "a", "type": "function", "custom": {}, "function": {"name": "f", "arguments": ""}},
        {"index": 0, "custom": {}, "function": {"arguments": '{"x":1}'}},
    ]
    made = streamed(*(chunk({"tool_calls": [one]}) for one in deltas), chunk({}, "tool_calls"))
    assert parts(made) == (ToolCall(id="a", name="f", arguments='{"x":1}'),)


def test_calls_without_ids_get_some() -> None:
    calls = [{"index": n, "id": "", "function": {"name": "f", "arguments": "{}"}} for n in range(2)]
    pieces = parts(streamed(chunk({"tool_calls": calls}), chunk({}, "stop")))
    assert pieces == parts(whole({"tool_calls": calls})) and len({part.id for part in pieces}) == 2  # type: ignore[union-attr]


def test_text_around_a_call_stays_in_order() -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    found = parts(
        streamed(chunk({"content": "x"}), chunk({"tool_calls": [call]}), chunk({"content": "y"}), chunk({}, "stop"))
    )
    assert found == (Text(text="x"), ToolCall(id="a", name="f", arguments="{}"), Text(text="y"))


def test_streams_that_end_early() -> None:
    assert parts(streamed(chunk({"content": "x"}), chunk({}, "stop"), done=False)) == (Text(text="x"),)
    assert streamed(chunk({"content": "x"})).choices[0].finish.reason == "stop", (
        "[DONE] is the end, with or without a reason"
    )
    for frames in (
        [chunk({"content": "x"})], [chunk({"content": "x"}, "stop"), chunk({"content": "y"}, index=1)], [],
        [{"choices": []}],
    ):  # fmt: skip
        with pytest.raises(Fault) as caught:
            streamed(*frames, done=False)
        assert caught.value.cause == "malformed"
    with pytest.raises(Fault):
        streamed()
    reader = openai_chat.reader()
    for data in (b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n', b"data: [DONE]\n\n"):
        list(reader.push(read(data)))
    assert list(reader.push(read(b"data: {}\n\n"))) == [] == list(reader.end())


@pytest.mark.parametrize(
    ("frame", "cause"),
    [
        (b'data: {"error":{"message":"m","code":429}}\n\n', "limited"),
        (b'event: error\ndata: {"error":{"message":"m","type":"invalid_request_error","code":"tool_use_failed"}}\n\n', "request"),
        (b'event: error\ndata: {"message":"m"}\n\n', "server"), (b"data: [1]\n\n", "malformed"), (b"data: x\n\n", "malformed"),
        (b'data: {"choices":5}\n\n', "malformed"),
        (b'data: {"choices":[{"delta":{},"finish_reason":"error","error":{"code":502,"message":"m"}}]}\n\n', "server"),
    ],
)  # fmt: skip
def test_errors_in_a_stream(frame: bytes, cause: str) -> None:
    with pytest.raises(Fault) as caught:
        list(frames_of(write(json.dumps(chunk({"content": "x"})).encode()) + frame))
    assert caught.value.cause == cause


@pytest.mark.parametrize(
    "values", [{}, {"choices": []}, {"choices": [5]}, {"error": "x"}, {"choices": None, "error": {}}]
)
def test_replies_that_are_none(values: dict[str, Any]) -> None:
    with pytest.raises(Fault):
        openai_chat.parse_reply(values)


# What clients get


def write_all(asked: dict[str, Any], *events: Any) -> list[dict[str, Any]]:
    out = openai_chat.writer(asked)
    stream = b"".join(map(out.write, events))
    assert stream.endswith(b"data: [DONE]\n\n")
    return [json.loads(frame[6:]) for frame in stream.split(b"\n\n")[:-2]]


ONE = ChatReply(
    id="r", model="m", created=1, usage=Usage(input=3, output=2),
    choices=(Choice(parts=(Text(text="hi"),), finish=Finish(reason="stop")),),
)  # fmt: skip


def test_usage_is_for_who_asked() -> None:
    frames = write_all(WANTS, *unfold(ONE))
    assert [frame.get("usage", "absent") for frame in frames[:-1]] == [None] * (len(frames) - 1)
    assert frames[-1]["choices"] == [] and frames[-1]["usage"] == {
        "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5
    }  # fmt: skip
    assert all("usage" not in frame and frame["choices"] for frame in write_all({}, *unfold(ONE)))
    early = [UsageSeen(usage=Usage(input=3, output=1)), *list(unfold(ONE))[1:]]
    told = write_all(WANTS, next(unfold(ONE)), *early)
    assert sum(bool(frame["usage"]) for frame in told) == 1 and told[-1]["usage"]["completion_tokens"] == 2


def test_the_shape_of_a_stream() -> None:
    frames = write_all({}, *unfold(ONE))
    assert frames[0] == {
        "id": "r", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": "", "refusal": None}, "logprobs": None,
                     "finish_reason": None}],
    }  # fmt: skip
    assert [frame["choices"][0]["delta"] for frame in frames[1:]] == [{"content": "hi"}, {}]
    assert frames[-1]["choices"][0]["finish_reason"] == "stop"
    nothing = replace(ONE, choices=(Choice(parts=(), finish=Finish(reason="filtered")),))
    assert [frame["choices"][0]["finish_reason"] for frame in write_all({}, *unfold(nothing))] == [
        None,
        "content_filter",
    ]


def test_calls_that_interleave() -> None:
    """Two calls whose arguments come in turns, as Chat's own streams may have them."""
    events = [
        *list(unfold(replace(ONE, choices=())))[:1],
        PartStart(choice=0, index=0, part=ToolCall(id="a", name="f", arguments="")),
        PartStart(choice=0, index=1, part=ToolCall(id="b", name="g", arguments="")),
        PartDelta(choice=0, index=0, text="{"), PartDelta(choice=0, index=1, text="["),
        PartDelta(choice=0, index=0, text="}"), PartDelta(choice=0, index=1, text="]"),
        PartEnd(choice=0, index=0, seal=Seal(origin="gemini", value="s")), PartEnd(choice=0, index=1),
        *list(unfold(replace(ONE, choices=(Choice(parts=(), finish=Finish(reason="tool_calls")),))))[1:],
    ]  # fmt: skip
    deltas = [frame["choices"][0]["delta"] for frame in write_all({}, *events)]
    assert deltas[0]["content"] is None
    assert deltas[1]["tool_calls"] == [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    ]
    assert [delta["tool_calls"][0]["index"] for delta in deltas[1:8]] == [0, 1, 0, 1, 0, 1, 0]
    assert deltas[7]["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "gw1.gemini.s"}}


def test_what_a_client_cannot_be_told_is_left_out() -> None:
    odd = (
        Opaque(dialect="messages", kind="x", raw="{}"), Media(kind="video", source=Url(url="u")),
        Media(kind="image", source=FileRef(id="f")), Text(text="x", citations=(Citation(dialect="messages", raw="{}", title="t"),)),
    )  # fmt: skip
    reply = replace(ONE, choices=(Choice(parts=odd, finish=Finish(reason="paused")),))
    message = openai_chat.render_reply(reply, {})["choices"][0]
    assert message["message"] == {"role": "assistant", "content": "x", "refusal": None}
    assert message["finish_reason"] == "stop"
    assert parts(in_frames(reply, 9, 99)) == (Text(text="x"),)


def test_half_characters_reach_the_client_as_something() -> None:
    reply = replace(ONE, choices=(Choice(parts=(Text(text="a\ud83d"),), finish=Finish(reason="stop")),))
    assert [frame["choices"][0]["delta"].get("content") for frame in write_all({}, *unfold(reply))][1] == "a?"
