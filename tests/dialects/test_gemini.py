"""The Gemini dialect on its own: its laws, what it must know of a request, and what it makes of odd answers."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Call, Fault, Leg, Meter, Price
from gateway.dialects import bridge, gemini, seals, shapes
from gateway.dialects.gemini import array, count, parts, reply
from gateway.dialects.gemini.reader import GeminiReader
from gateway.dialects.gemini.schema import json_schema
from gateway.errors import GatewayError
from gateway.neutral.events import Event, fold, unfold
from gateway.neutral.features import NAMES, used
from gateway.neutral.parts import (
    Bytes,
    Citation,
    FileRef,
    Logprob,
    Media,
    Opaque,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Url,
)
from gateway.neutral.reply import ChatReply, Choice, Finish, Usage
from gateway.neutral.request import ChatRequest, FunctionTool, HostedTool, Message, Output, Thinking, ToolChoice
from gateway.sse import Splitter, read
from schemas.base import Wrong, check
from schemas.gemini import CountSchema, GeminiSchema
from tests import made

HI = [{"role": "user", "parts": [{"text": "hi"}]}]


def call(cap: int | None = None, stream: bool = False, model: str = "lab/m", text: str = "", **more: Any) -> Call:
    body = text.encode() or json.dumps({"contents": HI, **more}).encode()
    ask = gemini.ask({**json.loads(body), "model": model, "stream": stream})
    return made.call("gemini", "gen_ours", body, ask, cap=cap)


def leg(model: str = "gemini-x") -> Leg:
    return made.leg("gemini", model, Price(rates={}, context=1_000_000, max_output=64_000, version=""))


def asked(*contents: Any, **more: Any) -> ChatRequest:
    return gemini.parse({"contents": list(contents) or HI, "model": "m", "stream": False, **more})


def rendered(*messages: Message, model: str = "gemini-x", **more: Any) -> dict[str, Any]:
    return gemini.render(ChatRequest(model=model, messages=messages, **more), leg(model))


def user(text: str = "hi") -> Message:
    return Message(role="user", parts=(Text(text=text),))


def chunk(*found: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(found), "role": "model"}, **more}
    return {
        "candidates": [{**candidate, **({"finishReason": finish} if finish else {})}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
        "modelVersion": "up-1",
        "responseId": "theirs",
    }


def sse(*chunks: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in chunks)


def read_stream(data: bytes) -> ChatReply:
    reader = gemini.reader()
    splitter = Splitter()
    events = [event for frame in splitter.feed(data) for event in reader.push(read(frame))]
    return fold([*events, *reader.end()])


def streamed(events: Iterator[Event]) -> bytes:
    writer = gemini.writer({})
    return b"".join(writer.write(event) for event in events)


# The law of replies

words = st.text(min_size=1, max_size=12).filter(lambda text: "\x00" not in text)
names = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
tokens = st.integers(0, 10**6)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
foreign = st.builds(Seal, origin=st.sampled_from(["messages", "responses"]), value=words)
own = st.binary(min_size=1, max_size=9).map(lambda data: Seal(origin="gemini", value=base64.b64encode(data).decode()))


@st.composite
def citations(draw: st.DrawFn, text: str) -> tuple[Citation, ...]:
    found = []
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        url, title = draw(names.map("https://{}.example".format)), draw(words)
        raw = parts.dumps({"web": {"uri": url, "title": title}})
        found.append(Citation(dialect="gemini", raw=raw, url=url, title=title, start=start, end=end))
    return tuple(found)


@st.composite
def texts(draw: st.DrawFn, chances: bool = False) -> Text:
    text = draw(words)
    logprob = st.builds(
        Logprob, token=words, logprob=st.floats(-9, 0),
        top=st.lists(st.tuples(words, st.floats(-9, 0)), max_size=2).map(tuple),
    )  # fmt: skip
    found = tuple(draw(st.lists(logprob, max_size=2))) if chances else ()
    return Text(text=text, citations=draw(citations(text)), logprobs=found)


calls = st.builds(
    ToolCall, id=names.map("call_{}".format), name=names, arguments=st.dictionaries(names, values, max_size=3).map(parts.dumps),
    seal=st.none() | own,
)  # fmt: skip
thoughts = st.builds(Reasoning, text=words, summary=st.just(True), seal=st.none() | own)
others = (
    st.builds(Reasoning, text=st.just(""), summary=st.just(True), redacted=st.just(True), seal=own)
    | st.builds(Media, kind=st.just("image"), source=st.builds(Bytes, base64=st.just("AAAA")), media_type=st.just("image/png"), seal=st.none() | own)
    | st.just(Opaque(dialect="gemini", kind="executableCode", raw=parts.dumps({"executableCode": {"language": "PYTHON", "code": "1"}})))
)  # fmt: skip


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    kinds = draw(st.lists(st.sampled_from("tcro"), min_size=1, max_size=5))
    made: list[Any] = []
    for kind in kinds:
        if kind == "t" and not (made and isinstance(made[-1], Text)):
            made.append(draw(texts(chances=not any(isinstance(part, Text) for part in made))))
        elif kind == "c":
            made.append(draw(calls))
        elif kind == "r" and not (made and isinstance(made[-1], Reasoning)):
            made.append(draw(thoughts))
        elif kind == "o":
            other = draw(others)
            if not (isinstance(other, Reasoning) and made and isinstance(made[-1], Reasoning)):
                made.append(other)
    called = any(isinstance(part, ToolCall) for part in made)
    reason = draw(st.sampled_from(["length", "filtered", "other", "tool_calls" if called else "stop"]))
    return Choice(parts=tuple(made), finish=Finish(reason=reason))


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    reasoning = draw(st.none() | tokens)
    return Usage(
        input=draw(tokens), output=draw(tokens) + (reasoning or 0), reasoning=reasoning, cached=draw(st.none() | tokens),
        audio_in=draw(st.none() | tokens), audio_out=draw(st.none() | tokens),
    )  # fmt: skip


replies = st.builds(
    ChatReply, id=st.just("gen_1"), model=st.just("lab/m"), created=st.just(0),
    choices=st.lists(choices(), min_size=1, max_size=2).map(tuple), usage=st.none() | usages(),
)  # fmt: skip


def halves(text: str) -> Iterator[str]:
    middle = len(text) // 2
    yield from (piece for piece in (text[:middle], text[middle:]) if piece)


@given(replies)
def test_a_reply_keeps_its_meaning_whole(said: ChatReply) -> None:
    assert gemini.parse_reply(json.loads(parts.dumps(gemini.render_reply(said, {})))) == said


@given(replies, st.sampled_from([halves, iter, lambda text: iter([text] if text else [])]))
def test_a_reply_keeps_its_meaning_streamed(said: ChatReply, cut: Callable[[str], Iterator[str]]) -> None:
    assert read_stream(streamed(unfold(said, cut))) == said


@given(replies)
def test_parts_that_come_at_once_go_out_in_order(said: ChatReply) -> None:
    """Chat opens several calls before it ends the first: later ones wait."""
    events = list(unfold(said))
    ends = [event for event in events if type(event).__name__ in ("PartEnd", "ChoiceEnd", "UsageSeen", "ReplyEnd")]
    mixed = [*(event for event in events if event not in ends), *ends]
    assert read_stream(streamed(iter(mixed))) == said


def test_in_a_stream_a_citation_is_found_at_its_place_among_equal_words() -> None:
    raw = parts.dumps({"web": {"uri": "https://a.example", "title": "A"}})
    cited = Citation(dialect="gemini", raw=raw, url="https://a.example", title="A", start=3, end=5)
    texts_ = (Text(text="so"), Reasoning(text="hm", summary=True), Text(text="so so so", citations=(cited,)))
    said = ChatReply(
        id="gen_1", model="lab/m", created=0, choices=(Choice(parts=texts_, finish=Finish(reason="stop")),)
    )
    assert read_stream(streamed(unfold(said))) == said


def test_arguments_may_hold_what_orjson_cannot_write() -> None:
    odd = ToolCall(id="c", name="f", arguments='{"a":1000000000000000000000000000000,"b":"\\ud800"}')
    finish = Finish(reason="tool_calls")
    said = ChatReply(id="r", model="m", created=1, choices=(Choice(parts=(odd,), finish=finish),))
    (call,) = read_stream(streamed(unfold(said))).choices[0].parts
    assert isinstance(call, ToolCall) and json.loads(call.arguments) == {"a": 1e30, "b": "?"}


@pytest.mark.parametrize("word", ["NaN", "-Infinity"])
def test_what_is_no_json_stays_text(word: str) -> None:
    text = f'{{"a": {word}}}'
    assert shapes.arguments(text) == {"arguments": text}
    assert gemini.parts.response(ToolResult(call_id="c", parts=(Text(text=text),))) == {"result": text}


@given(st.lists(foreign, min_size=1, max_size=3))
def test_seals_of_others_travel_as_base64(found: list[Seal]) -> None:
    """Google's clients decode signatures and encode them in another alphabet."""
    shown = gemini.render_reply(
        ChatReply(
            id="g", model="m", created=0,
            choices=(Choice(parts=tuple(Reasoning(text="t", summary=True, seal=one) for one in found), finish=Finish(reason="stop")),),
        ),
        {},
    )["candidates"][0]["content"]  # fmt: skip
    for part in shown["parts"]:
        data = base64.b64decode(part["thoughtSignature"], validate=True)
        part["thoughtSignature"] = base64.urlsafe_b64encode(data).decode().rstrip("=")
    one = call(contents=[*HI, shown])
    assert [part.seal for part in bridge.request(one).messages[1].parts] == found
    assert not bridge.passes(one, leg()) and bridge.passes(call(), leg())
    assert "thoughtSignature" not in bridge.encode(one, leg()).decode()


# Requests: what the gateway knows of them, and their bytes


def test_what_is_asked_in_either_spelling() -> None:
    for config in (
        {"generationConfig": {"maxOutputTokens": 9, "candidateCount": 3, "responseModalities": ["TEXT", "AUDIO"]}},
        {"generation_config": {"max_output_tokens": 9, "candidate_count": 3, "response_modalities": ["AUDIO"]}},
    ):
        ask = call(**config).ask
        assert (ask.model, ask.limit, ask.n, ask.audio_out, ask.stream) == ("lab/m", 9, 3, True, False)
    assert call(stream=True).ask.stream


def test_hosted_tools_are_named() -> None:
    tools = [{"functionDeclarations": [{"name": "f"}]}, {"google_search": {}}, {"codeExecution": {}, "urlContext": {}}]
    ask = call(tools=tools).ask
    assert ask.hosted == (
        ("tools[1].googleSearch", "web_search", None), ("tools[2].codeExecution", "code_execution", None),
        ("tools[2].urlContext", "url_context", None),
    )  # fmt: skip
    assert ask.weight.tools == 4
    assert call(generationConfig={"responseModalities": ["TEXT", "IMAGE"]}).ask.image_out


def test_what_a_request_weighs() -> None:
    data = base64.b64encode(bytes(3_000)).decode()
    content = {
        "parts": [
            {"text": "x" * 100}, {"inlineData": {"mimeType": "image/png", "data": data}},
            {"inline_data": {"mime_type": "audio/wav", "data": data}},
            {"inlineData": {"mimeType": "application/pdf", "data": data}},
            {"functionCall": {"name": "f", "args": {"file_id": "not an object of anybody's"}}},
        ]
    }  # fmt: skip
    ask = call(contents=[content], systemInstruction={"parts": {"text": "y" * 50}}).ask
    assert ask.weight.images == 1 and ask.weight.audio_bytes == 3_000 and ask.weight.file_bytes == 3_000
    assert 150 < ask.weight.text < 300 and ask.weight.messages == 2 and ask.audio_in
    assert not ask.references and not ask.weight.unseen


def test_objects_made_upstream_are_found() -> None:
    uri = "https://generativelanguage.googleapis.com/v1beta/files/abc-1"
    content = {
        "parts": [
            {"fileData": {"fileUri": uri}}, {"file_data": {"file_uri": "gs://bucket/object"}},
            {"fileData": {"fileUri": "https://example.com/a.png"}},
            {"functionResponse": {"name": "f", "response": {}, "parts": [{"fileData": {"fileUri": uri}}]}},
        ]
    }  # fmt: skip
    ask = call(
        contents=[content], cached_content="cachedContents/1",
        tools=[{"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/s"]}}],
    ).ask  # fmt: skip
    assert {(found.kind, found.id, found.param) for found in ask.references} == {
        ("cached content", "cachedContents/1", "cached_content"),
        ("file", "files/abc-1", "contents[0].parts[0].fileData.fileUri"),
        ("file", "gs://bucket/object", "contents[0].parts[1].file_data.file_uri"),
        ("file", "files/abc-1", "contents[0].parts[3].functionResponse.parts[0].fileData.fileUri"),
        ("store", "fileSearchStores/s", "tools[0].fileSearch.fileSearchStoreNames[0]"),
    }
    assert ask.urls == (("https://example.com/a.png", "contents[0].parts[2].fileData.fileUri"),)
    assert ask.weight.unseen


def test_counts_as_text_may_be_of_any_length() -> None:
    assert gemini.schema.json_schema({"minItems": "3", "maxItems": "9" * 5_000}) == {
        "minItems": 3, "maxItems": "9" * 5_000,
    }  # fmt: skip


def test_servers_of_hosted_tools_are_addresses() -> None:
    server = {"mcpServers": [{"name": "x", "streamableHttpTransport": {"url": "http://10.0.0.1/mcp"}}]}
    assert call(tools=[server]).ask.urls == (
        ("http://10.0.0.1/mcp", "tools[0].mcpServers[0].streamableHttpTransport.url"),
    )


@pytest.mark.parametrize(
    "uri",
    [
        "https://generativelanguage.googleapis.com/v1beta/files/mine/../theirs", "HTTPS://generativelanguage.googleapis.com/v1beta/files/a",
        "https://generativelanguage.googleapis.com:443/v1beta/files/a", "https://GenerativeLanguage.googleapis.com/v1beta/files/a",
        "https://generativelanguage.googleapis.com/v1beta/files/a:download?alt=media", "http://x@generativelanguage.googleapis.com/a",
        "https://generativelanguage.googleapis.com./v1beta/files/a", "https://europe-west4-aiplatform.googleapis.com/v1/a",
        "https://generativelanguage%2egoogleapis.com/v1beta/files/a", "files/a",
    ],
)  # fmt: skip
def test_files_of_our_own_account_are_named_in_one_way_only(uri: str) -> None:
    """The API reads them with our key: whatever is not spelled as an upload of the caller's is nobody's."""
    ask = call(contents=[{"parts": [{"fileData": {"fileUri": uri}}]}]).ask
    assert [(found.kind, found.id) for found in ask.references] == [("file", uri)] and not ask.urls


def test_the_body_goes_up_as_it_came() -> None:
    text = '{ "contents" : [{"parts":[{"text":"h\\u00e9"}]}] ,\n"tomorrow":1e2 }'
    assert gemini.encode(call(text=text), leg()).decode() == text
    own = '{"contents":[{"parts":[]}],"models":["a"],"provider":{}}'
    assert gemini.encode(call(text=own), leg()).decode() == '{"contents":[{"parts":[]}]}'


@pytest.mark.parametrize(
    ("sent", "want"),
    [
        ('{"contents":[1]}', '{"contents":[1],"generationConfig":{"maxOutputTokens":7}}'),
        ('{"contents":[1],"generationConfig":null}', '{"contents":[1],"generationConfig":{"maxOutputTokens":7}}'),
        (
            '{"generation_config": { "max_output_tokens": 99, "topK": 1 },"contents":[1]}',
            '{"generation_config": { "max_output_tokens": 7, "topK": 1 },"contents":[1]}',
        ),
        (
            '{"generationConfig":{"temperature":1.0},"contents":[1]}',
            '{"generationConfig":{"temperature":1.0,"maxOutputTokens":7},"contents":[1]}',
        ),
    ],
)
def test_a_forced_limit_goes_where_the_callers_was(sent: str, want: str) -> None:
    assert gemini.encode(call(7, text=sent), leg()).decode() == want


def test_members_named_like_paths_are_nobodys() -> None:
    odd = {"contents.role": 1, "a.b": 2, "generationConfig": {"x.y": 3}, "toolConfig": {"z.w": 4}}
    request = gemini.parse({"model": "m", "contents": [{"parts": [{"text": "hi"}]}], **odd})
    assert not request.extras and gemini.render(request, leg())["contents"]


def test_paths() -> None:
    assert gemini.path("gemini-2.5-pro", False) == "/v1beta/models/gemini-2.5-pro:generateContent"
    assert gemini.path("a/b:c", True) == "/v1beta/models/a/b%3Ac:streamGenerateContent?alt=sse"
    assert gemini.path("tunedModels/t", False) == "/v1beta/tunedModels/t:generateContent"


def test_counting_names_the_upstream_model() -> None:
    text = '{"generateContentRequest":{ "contents":[{"parts":[]}],"model":"models/lab/m"}}'
    one = call(text=text)
    assert one.ask.weight.messages == 1
    assert json.loads(count.encode(one, leg()))["generateContentRequest"]["model"] == "models/gemini-x"
    assert count.encode(call(), leg()) == call().body.text.encode()


# The gate


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "contents"), ({"contents": []}, "contents"), ({"contents": "hi"}, "contents"),
        ({"contents": None}, "contents"), ({"contents": [1]}, "contents[0]"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": "hi"}]}, "contents[0].parts"),
        ({"contents": [{"role": "A B", "parts": []}]}, "contents[0].role"),
        ({"contents": [{"parts": [{"function_call": {"args": "x"}}]}]}, "contents[0].parts[0].function_call.args"),
        ({"contents": HI, "generationConfig": {"maxOutputTokens": 0}}, "generationConfig.maxOutputTokens"),
        ({"contents": HI, "generationConfig": {"maxOutputTokens": True}}, "generationConfig.maxOutputTokens"),
        ({"contents": HI, "generation_config": {"max_output_tokens": "9"}}, "generation_config.max_output_tokens"),
        ({"contents": HI, "generationConfig": {"candidateCount": 10**9}}, "generationConfig.candidateCount"),
        (
            {"contents": HI, "generationConfig": {"maxOutputTokens": 1, "max_output_tokens": 9}},
            "generationConfig.max_output_tokens",
        ),
        ({"contents": HI, "generationConfig": {}, "generation_config": {}}, "generation_config"),
        ({"contents": HI, "tools": {}}, "tools"), ({"contents": HI, "tools": [{"functionDeclarations": [{"name": 1}]}]}, "tools[0].functionDeclarations[0].name"),
        ({"contents": HI, "tools": [{"functionDeclarations": [{"name": "f"}] * 2_048}]}, "tools"),
        ({"contents": HI, "systemInstruction": "be brief"}, "systemInstruction"),
        ({"contents": HI, "cachedContent": 1}, "cachedContent"), ({"contents": HI, "safetySettings": {}}, "safetySettings"),
    ],
)  # fmt: skip
def test_the_gate_refuses(body: dict[str, Any], param: str) -> None:
    with pytest.raises(Wrong) as found:
        check(GeminiSchema(), body)
    assert found.value.param == param and found.value.message


@pytest.mark.parametrize(
    "body",
    [
        {"contents": HI}, {"contents": [{"parts": {"text": "a single object"}}]}, {"contents": {"parts": []}},
        {"contents": [{"role": None, "parts": None}], "generationConfig": None, "tools": None},
        {"contents": HI, "generationConfig": {"maxOutputTokens": None, "max_output_tokens": 5, "tomorrow": []}},
        {"contents": [{"role": "invalid_role", "parts": [{"tomorrow": 1}]}], "tomorrow": 1},
        {"contents": HI, "tools": [{"functionDeclarations": [{"name": "f"}] * 2_047}], "generationConfig": {"topK": 40.0}},
    ],
)  # fmt: skip
def test_the_gate_lets_through(body: dict[str, Any]) -> None:
    check(GeminiSchema(), body)


def test_the_gate_of_counting() -> None:
    check(CountSchema(), {"generateContentRequest": {"model": "models/m", "contents": HI}})
    check(CountSchema(), {"contents": HI})
    for body in ({}, {"generateContentRequest": {}}, {"generateContentRequest": {"contents": HI}, "contents": HI}):
        with pytest.raises(Wrong):
            check(CountSchema(), body)


# Requests in neutral words


def test_a_conversation_is_parsed() -> None:
    found = asked(
        {"parts": [{"text": "Look"}, {"inline_data": {"mime_type": "image/png", "data": "a-_b"}}]},
        {"role": "model", "parts": [{"text": "Hm", "thought": True}, {"text": "", "thought": True, "thoughtSignature": "S1=="}, {"function_call": {"name": "f", "args": {"a": 1}}, "thought_signature": "S2=="}]},
        {"role": "function", "parts": [{"functionResponse": {"name": "f", "response": {"result": "ok"}}}, {"text": "And?"}]},
        system_instruction={"parts": [{"text": "Be brief"}]},
    )  # fmt: skip
    system, look, model, result, more = found.messages
    assert (system.role, look.role, model.role, result.role, more.role) == (
        "system",
        "user",
        "assistant",
        "tool",
        "user",
    )
    assert look.parts[1] == Media(kind="image", source=Bytes(base64="a+/b"), media_type="image/png")
    thought, called = model.parts
    assert thought == Reasoning(text="Hm", summary=True, seal=Seal(origin="gemini", value="S1=="))
    assert (
        isinstance(called, ToolCall)
        and called.arguments == '{"a":1}'
        and called.seal == Seal(origin="gemini", value="S2==")
    )
    assert result.parts == (ToolResult(call_id=called.id, name="f", parts=(Text(text="ok"),)),)
    assert more.parts == (Text(text="And?"),)


def test_results_find_their_calls_by_name_and_order() -> None:
    def called(name: str, **more: Any) -> dict[str, Any]:
        return {"functionCall": {"name": name, "args": {}, **more}}

    def told(name: str, **more: Any) -> dict[str, Any]:
        return {"functionResponse": {"name": name, "response": {"result": name}, **more}}

    found = asked(
        *HI, {"role": "model", "parts": [called("f"), called("g"), called("f"), called("h", id="h1")]},
        {"role": "user", "parts": [told("g"), told("f"), told("h", id="h1"), told("f")]},
        {"role": "model", "parts": [called("f")]}, {"role": "user", "parts": [told("f"), told("x")]},
    )  # fmt: skip
    ids = [part.id for message in found.messages for part in message.parts if isinstance(part, ToolCall)]
    answered = [part.call_id for message in found.messages for part in message.parts if isinstance(part, ToolResult)]
    assert len(set(ids)) == 5 and ids[3] == "h1"
    assert answered[:5] == [ids[1], ids[0], ids[3], ids[2], ids[4]] and answered[5] not in ids
    again = asked(*HI, {"role": "model", "parts": [called("f")]})
    assert again.messages[1].parts[0].id == ids[0], "ids stay the same while the conversation grows"  # type: ignore[union-attr]
    contents = gemini.render(found, leg())["contents"]
    assert [part["functionResponse"]["name"] for part in contents[2]["parts"]] == ["f", "g", "f", "h"], "by their calls"
    assert [part["functionCall"].get("id") for part in contents[1]["parts"]] == [None, None, None, "h1"]


def test_what_a_tool_gave_back() -> None:
    for response, text, failed in (
        ({"result": "ok"}, "ok", False), ({"output": 13}, "13", False), ({"error": "no"}, "no", True),
        ({"temp": 20}, '{"temp":20}', False), ({"error": "no", "code": 1}, '{"error":"no","code":1}', False),
    ):  # fmt: skip
        told = parts.result("1", {"name": "f", "response": response}, None)
        assert (told.parts, told.is_error) == ((Text(text=text),), failed)
    for text, failed, response in (
        ("ok", False, {"result": "ok"}), ("no", True, {"error": "no"}), ('{"temp": 20}', False, {"temp": 20}),
        ("[1]", False, {"result": "[1]"}), ('{"error": 1}', False, {"result": '{"error": 1}'}), ("", False, {"result": ""}),
    ):  # fmt: skip
        assert parts.response(ToolResult(call_id="1", parts=(Text(text=text),), is_error=failed)) == response


def test_tools_and_their_choice_are_parsed() -> None:
    function = {
        "name": "f",
        "description": "d",
        "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
    }
    given = {"name": "g", "parameters_json_schema": {"type": "object", "additionalProperties": False}}
    found = asked(
        tools=[{"function_declarations": [function, given]}, {"googleSearch": {}}],
        toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    )
    assert found.tools == (
        FunctionTool(name="f", description="d", schema={"type": "object", "properties": {"a": {"type": "string"}}}),
        FunctionTool(name="g", schema={"type": "object", "additionalProperties": False}),
        HostedTool(dialect="gemini", kind="googleSearch", raw='{"googleSearch":{}}'),
    )
    assert found.tool_choice == ToolChoice(mode="required", names=("f",))
    body = gemini.render(found, leg())
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}
    assert body["tools"][1] == {"googleSearch": {}}
    for mode, want in (("AUTO", "auto"), ("NONE", "none"), ("VALIDATED", "auto")):
        config = {"functionCallingConfig": {"mode": mode}}
        parsed = asked(tools=[{"functionDeclarations": [given]}], toolConfig=config)
        assert parsed.tool_choice.mode == want
        assert gemini.render(parsed, leg()).get("toolConfig") == (None if mode == "AUTO" else config)


def test_schemas_of_gemini_as_json_schema() -> None:
    assert json_schema(
        {
            "type": "OBJECT", "nullable": True, "property_ordering": ["a", "b"], "required": ["a"],
            "properties": {
                "a": {"type": "ARRAY", "items": {"type": "INTEGER", "format": "int32"}, "min_items": "1"},
                "snake_case": {"type": "STRING", "format": "enum", "enum": ["x"], "nullable": True},
                "c": {"anyOf": [{"type": "NUMBER"}, {"type": "TYPE_UNSPECIFIED"}]},
            },
        }
    ) == {
        "type": ["object", "null"], "required": ["a"],
        "properties": {
            "a": {"type": "array", "items": {"type": "integer", "format": "int32"}, "minItems": 1},
            "snake_case": {"type": ["string", "null"], "enum": ["x", None]},
            "c": {"anyOf": [{"type": "number"}, {}]},
        },
    }  # fmt: skip


def test_the_configuration_there_and_back() -> None:
    config = {
        "maxOutputTokens": 9, "candidateCount": 2, "stopSequences": ["a", "b"], "temperature": 1.5, "topP": 0.5, "topK": 4,
        "seed": 1, "presencePenalty": 0.1, "frequencyPenalty": 0.2, "responseLogprobs": True, "logprobs": 3,
        "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
        "thinkingConfig": {"thinkingBudget": 128, "includeThoughts": True}, "mediaResolution": "MEDIA_RESOLUTION_LOW",
    }  # fmt: skip
    found = asked(generationConfig=config, safetySettings=[{"category": "C"}], serviceTier="flex")
    assert found.output == Output(form="schema", schema={"type": "object"})
    assert found.thinking == Thinking(mode="on", budget=128, show=True)
    body = gemini.render(found, leg())
    assert body["generationConfig"] == config
    assert body["safetySettings"] == [{"category": "C"}] and body["serviceTier"] == "flex"
    assert set(found.extras["gemini"]) == {"safetySettings", "generationConfig.mediaResolution"}
    assert asked(generationConfig={"responseModalities": ["TEXT"]}, store=False).extras == {}
    assert used(found) <= set(NAMES) == set(gemini.CAN) == set(gemini.FIELD)


@pytest.mark.parametrize(
    ("config", "thinking"),
    [
        ({"thinkingBudget": 0}, Thinking(mode="off")), ({"thinking_budget": -1}, Thinking(mode="adaptive")),
        ({"thinkingLevel": "LOW"}, Thinking(effort="low")), ({"includeThoughts": False}, Thinking(show=False)),
        ({"thinkingLevel": "high", "includeThoughts": True}, Thinking(effort="high", show=True)),
    ],
)  # fmt: skip
def test_how_much_to_think(config: dict[str, Any], thinking: Thinking) -> None:
    assert asked(generation_config={"thinking_config": config}).thinking == thinking


@pytest.mark.parametrize(
    ("model", "thinking", "config"),
    [
        ("gemini-3-pro", Thinking(effort="minimal"), {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-pro", Thinking(mode="adaptive", effort="max", show=True), {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ("gemini-2.5-flash", Thinking(effort="medium"), {"thinkingBudget": 8_192}),
        ("gemini-2.5-flash", Thinking(effort="none"), {"thinkingBudget": 0}),
        ("gemini-2.5-flash", Thinking(mode="adaptive"), {"thinkingBudget": -1}),
        ("any", Thinking(mode="on", budget=2_000), {"thinkingBudget": 2_000}),
    ],
)  # fmt: skip
def test_how_much_to_think_is_said(model: str, thinking: Thinking, config: dict[str, Any]) -> None:
    assert rendered(user(), model=model, thinking=thinking)["generationConfig"]["thinkingConfig"] == config


def test_a_conversation_is_rendered() -> None:
    body = rendered(
        Message(role="system", parts=(Text(text="Be brief"),)), user("a"), user("b"),
        Message(role="assistant", parts=(Text(text="Wait"), ToolCall(id="c1", name="f", arguments='{"a":1}'), ToolCall(id="c2", name="g", arguments=""))),
        Message(role="tool", parts=(ToolResult(call_id="c2", parts=(Text(text="two"), Media(kind="image", source=Bytes(base64="AAAA"), media_type="image/png"))),)),
        Message(role="tool", parts=(ToolResult(call_id="c1", parts=(Text(text="no"),), is_error=True),)),
        Message(role="developer", parts=(Text(text="In French"),)), user("Well?"),
    )  # fmt: skip
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief"}, {"text": "In French"}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
        {
            "role": "model",
            "parts": [
                {"text": "Wait"}, {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}},
                {"functionCall": {"id": "c2", "name": "g", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "c1", "name": "f", "response": {"error": "no"}}},
                {"functionResponse": {"id": "c2", "name": "g", "response": {"result": "two"}}},
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
            ],
        },
        {"role": "user", "parts": [{"text": "Well?"}]},
    ]  # fmt: skip


def test_what_is_left_out_and_what_is_made_up() -> None:
    assert rendered(Message(role="system", parts=(Text(text="s"),)))["contents"] == [
        {"role": "user", "parts": [{"text": "s"}]}
    ]
    unsealed = Message(role="assistant", parts=(Reasoning(text="", redacted=True), Refusal(text="No."), Text(text="")))
    assert rendered(user(), unsealed)["contents"][1] == {"role": "model", "parts": [{"text": "No."}]}
    odd = Message(
        role="assistant",
        parts=(ToolCall(id="1", name="f", arguments='["no object"]'), ToolCall(id="2", name="f", arguments="{half")),
    )
    assert [part["functionCall"]["args"] for part in rendered(user(), odd)["contents"][1]["parts"]] == [
        {"arguments": ["no object"]}, {"arguments": "{half"},
    ]  # fmt: skip
    media = Message(
        role="user",
        parts=(
            Media(kind="file", source=Url(url="https://e.com/a.pdf")),
            Media(kind="file", source=FileRef(id="files/x")),
        ),
    )
    assert rendered(media)["contents"][0]["parts"] == [
        {"fileData": {"fileUri": "https://e.com/a.pdf"}}, {"fileData": {"fileUri": parts.FILES + "files/x"}},
    ]  # fmt: skip
    tools = (FunctionTool(name="f", schema={"type": "object"}), FunctionTool(name="g"))
    allowed = rendered(user(), tools=tools, tool_choice=ToolChoice(names=("g",)))
    assert allowed["tools"] == [{"functionDeclarations": [{"name": "g"}]}] and "toolConfig" not in allowed
    json_form = rendered(user(), output=Output(form="json"))
    assert json_form["generationConfig"] == {"responseMimeType": "application/json"}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["contents", "parts", "text", "role", "functionCall", "function_call", "args", "functionResponse", "response", "inlineData", "tools",
    "functionDeclarations", "name", "generationConfig", "thinkingConfig", "systemInstruction", "toolConfig", "functionCallingConfig", "thought", "thoughtSignature",
    "candidates", "content", "finishReason", "usageMetadata", "groundingMetadata", "groundingChunks", "groundingSupports", "partialArgs", "promptFeedback"]), inner, max_size=4), max_leaves=20))  # fmt: skip
def test_nothing_odd_crashes_the_readers(odd: Any) -> None:
    values = odd if isinstance(odd, dict) else {"contents": odd, "candidates": odd}
    gemini.parse({**values, "model": "m", "stream": False})
    try:
        gemini.parse_reply(values)
    except Fault:
        pass


# Replies


def test_a_whole_reply_gets_the_callers_names() -> None:
    body = b'{ "candidates":[{"content":{"parts":[{"text":"responseId"}]},"finishReason":"STOP","new":1}],\n"modelVersion":"up","responseId" : "theirs"}'
    meter = Meter()
    got = gemini.whole(call(), body, meter)
    assert got == body.replace(b'"up"', b'"lab/m"').replace(b'"theirs"', b'"gen_ours"')
    assert (meter.upstream_id, meter.finish, meter.out_bytes, meter.usage) == ("theirs", "STOP", 10, None)
    assert gemini.whole(call(), b'{"candidates":[{}]}', Meter()) == b'{"candidates":[{}]}'


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b'{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}', "server"), (b"{}", "malformed"), (b"[]", "malformed"),
        (b'{"candidates":[1]}', "malformed"), (b'{"error":{"status":"RESOURCE_EXHAUSTED"}}', "limited"), (b"no", "malformed"),
    ],
)  # fmt: skip
def test_what_is_no_reply(body: bytes, cause: str) -> None:
    with pytest.raises(Fault) as found:
        gemini.whole(call(), body, Meter())
    assert found.value.cause == cause


def test_usage() -> None:
    found = reply.usage(
        {
            "usageMetadata": {
                "promptTokenCount": 10, "cachedContentTokenCount": 4, "candidatesTokenCount": 5, "thoughtsTokenCount": 7,
                "toolUsePromptTokenCount": 3, "totalTokenCount": 25,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}, {"modality": "AUDIO", "tokenCount": 2}],
            }
        }
    )  # fmt: skip
    assert found == Usage(input=13, cached=4, audio_in=2, output=12, reasoning=7)
    assert reply.usage({"usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}}) == Usage(input=9, output=0)
    assert reply.usage({"usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 12}}) == Usage(input=9, output=3)
    assert reply.usage({"usageMetadata": {"trafficType": "ON_DEMAND"}}) is None
    assert reply.usage({"usageMetadata": {"promptTokenCount": True}}) is None


@pytest.mark.parametrize(
    ("word", "called", "reason"),
    [
        ("STOP", False, "stop"), ("STOP", True, "tool_calls"), ("MAX_TOKENS", True, "length"), ("SAFETY", False, "filtered"),
        ("MODEL_ARMOR", False, "filtered"), ("MALFORMED_FUNCTION_CALL", False, "error"), ("TOMORROW", False, "other"),
        (1, True, "tool_calls"), (2, False, "length"), (99, False, "other"),
    ],
)  # fmt: skip
def test_reasons_to_end(word: Any, called: bool, reason: str) -> None:
    found = [{"functionCall": {"name": "f"}}] if called else [{"text": "a"}]
    finish = gemini.parse_reply(chunk(*found, finish=word)).choices[0].finish
    assert finish.reason == reason and isinstance(finish.raw, str)


def test_a_blocked_prompt_is_a_filtered_answer() -> None:
    blocked = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9},
    }
    want = (Choice(parts=(), finish=Finish(reason="filtered")),)
    assert gemini.parse_reply(blocked).choices == want == read_stream(sse(blocked)).choices
    feed = gemini.feed(call(stream=True))
    feed.push(sse(blocked))
    assert feed.tail == sse(blocked) and feed.meter.finish == "PROHIBITED_CONTENT" and feed.fault is None


def test_arguments_that_come_in_pieces() -> None:
    def piece(**more: Any) -> dict[str, Any]:
        return chunk({"functionCall": more})

    def arg(path: str, **value: Any) -> dict[str, Any]:
        return piece(partialArgs=[{"jsonPath": path, **value}], willContinue=True)

    said = read_stream(
        sse(
            piece(name="f", willContinue=True), arg("$.city", stringValue="Bos", willContinue=True), arg("$.city", stringValue="ton"),
            arg("$.list[0].n", numberValue=1), arg("$.list[1].n", boolValue=True), piece(), piece(name="g"),
            chunk({"text": ""}, finish="STOP"),
        )
    ).choices[0]  # fmt: skip
    assert [(part.name, json.loads(part.arguments)) for part in said.parts if isinstance(part, ToolCall)] == [
        ("f", {"city": "Boston", "list": [{"n": 1}, {"n": True}]}), ("g", {}),
    ]  # fmt: skip
    assert len(said.parts) == 2 and len({part.id for part in said.parts if isinstance(part, ToolCall)}) == 2


def test_signatures_stay_on_their_parts() -> None:
    seal = Seal(origin="gemini", value="S==")
    signed = {"thoughtSignature": "S=="}
    said = read_stream(
        sse(
            chunk({"text": "t", "thought": True}), chunk({"functionCall": {"name": "f"}, **signed}, {"functionCall": {"name": "f"}}),
            chunk({"text": "ab"}), chunk({"text": "cd"}), chunk({"text": "", **signed}, finish="STOP"),
        )
    ).choices[0]  # fmt: skip
    assert [(type(part).__name__, part.seal) for part in said.parts] == [
        ("Reasoning", None), ("ToolCall", seal), ("ToolCall", None), ("Text", None), ("Text", seal),
    ]  # fmt: skip
    assert said.parts[3:] == (Text(text="abcd"), Text(text="", seal=seal)), "an empty text keeps what is signed apart"
    again = rendered(user(), Message(role="assistant", parts=said.parts))["contents"][1]["parts"]
    assert again[1]["thoughtSignature"] == "S==" and "thoughtSignature" not in again[2]
    assert again[4] == {"text": "", "thoughtSignature": "S=="}
    carried = tuple(seals.gather(seals.carry(said.parts)))
    assert carried == said.parts


def test_sources_of_a_text() -> None:
    text = "é is a letter. So is ü."
    support = {
        "segment": {"startIndex": 0, "endIndex": 15, "text": "é is a letter."},
        "groundingChunkIndices": [0, 1, 7],
    }
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}, {"retrievedContext": {"title": "B", "text": "b"}}, {"web": {"uri": "https://c.example"}}],
        "groundingSupports": [support, {"segment": {"startIndex": 16, "endIndex": 24, "text": "So is ü."}, "groundingChunkIndices": [0]}],
    }  # fmt: skip
    whole = gemini.parse_reply(chunk({"text": text}, finish="STOP", groundingMetadata=grounding))
    parted = read_stream(
        sse(chunk({"text": text[:5]}), chunk({"text": text[5:]}, finish="STOP", groundingMetadata=grounding))
    )
    assert whole.choices == parted.choices
    (said,) = whole.choices[0].parts
    assert isinstance(said, Text)
    assert [(one.url, one.title, one.start, one.end) for one in said.citations] == [
        ("https://a.example", "A", 0, 14), (None, "B", 0, 14), ("https://a.example", "A", 15, 23), ("https://c.example", None, None, None),
    ]  # fmt: skip
    other = Citation(dialect="messages", raw="{}", url="https://x.example", title="X", quote="q", start=0, end=1)
    shown = gemini.render_reply(
        replace(whole, choices=(Choice(parts=(replace(said, citations=(other,)),), finish=Finish(reason="stop")),)), {}
    )
    assert shown["candidates"][0]["groundingMetadata"] == {
        "groundingChunks": [{"web": {"uri": "https://x.example", "title": "X"}}],
        "groundingSupports": [{"segment": {"partIndex": 0, "startIndex": 0, "endIndex": 2, "text": "é"}, "groundingChunkIndices": [0]}],
    }  # fmt: skip


def test_what_only_gemini_knows_is_no_call() -> None:
    found = gemini.parse_reply(
        chunk({"executableCode": {"code": "1"}}, {"codeExecutionResult": {"output": "1"}}, {"toolCall": {"id": "x"}}, {"text": "One."}, finish="STOP")
    ).choices[0]  # fmt: skip
    assert [part.kind for part in found.parts if isinstance(part, Opaque)] == [
        "executableCode",
        "codeExecutionResult",
        "toolCall",
    ]
    assert found.finish.reason == "stop"


# Streams between equal dialects


def test_the_last_frame_waits_and_empty_ones_bind_nobody() -> None:
    frames = [chunk({"text": ""}), chunk({"text": "a"}), chunk({"text": "b"}, finish="STOP")]
    feed = gemini.feed(call(stream=True))
    feed.push(sse(frames[0]))
    assert feed.spoke and not feed.bound and len(feed.out) == 1
    feed.push(sse(frames[1]))
    assert feed.bound and feed.tail is None
    feed.push(sse(frames[2]))
    assert feed.tail is not None and len(feed.out) == 2
    want = sse(*frames).replace(b'"theirs"', b'"gen_ours"').replace(b'"up-1"', b'"lab/m"')
    assert b"".join(feed.out) + feed.tail == want
    assert (feed.meter.usage, feed.meter.finish, feed.meter.final) == (Usage(input=5, output=2), "STOP", True)


@given(st.lists(st.integers(0, 400)))
def test_a_stream_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    data = sse(chunk({"text": "a"}), chunk({"text": "b"}, finish="STOP"))
    feed = gemini.feed(call(stream=True))
    places = sorted({0, *cuts, len(data)})
    for start, end in itertools.pairwise(places):
        feed.push(data[start:end])
    assert b"".join(feed.out) + (feed.tail or b"") == data.replace(b'"theirs"', b'"gen_ours"').replace(
        b'"up-1"', b'"lab/m"'
    )


def test_usage_after_the_end_counts() -> None:
    last = chunk({"text": "b"}, finish="STOP")
    usage = {"usageMetadata": last.pop("usageMetadata")}
    feed = gemini.feed(call(stream=True))
    feed.push(sse(chunk({"text": "a"}), last))
    assert feed.tail is None
    feed.push(sse(usage))
    assert feed.meter.final and len(feed.out) == 1
    assert feed.tail == sse(last, usage).replace(b'"theirs"', b'"gen_ours"').replace(b'"up-1"', b'"lab/m"')
    feed = gemini.feed(call(stream=True))
    feed.push(sse(last))
    feed.end()
    assert feed.tail and b"finishReason" in feed.tail and feed.meter.usage is None


def test_a_reason_to_end_before_the_answer_ends_nothing() -> None:
    """Proxies of other makers' models say `STOP` before they have said anything, some with every frame."""
    early, text, last = chunk(finish="STOP"), chunk({"text": "a"}), chunk({"text": "b"}, finish="STOP")
    feed = gemini.feed(call(stream=True))
    feed.push(sse(early, early, text))
    assert feed.tail is None and feed.fault is None
    feed.push(sse(last))
    feed.end()
    assert feed.tail is not None
    want = sse(early, early, text, last).replace(b'"theirs"', b'"gen_ours"').replace(b'"up-1"', b'"lab/m"')
    assert b"".join(feed.out) + feed.tail == want
    [choice] = read_stream(sse(early, chunk({"text": "a"}, finish="STOP"), last)).choices
    assert choice.parts == (Text(text="ab"),) and choice.finish.reason == "stop"
    quiet = gemini.feed(call(stream=True))
    quiet.push(sse(early))
    quiet.end()
    assert quiet.tail is not None and quiet.fault is None, "an answer may be empty"


def test_all_candidates_must_end() -> None:
    first, second = chunk({"text": "a"}, finish="STOP"), chunk({"text": "b"}, finish="MAX_TOKENS", index=1)
    one = call(stream=True, generationConfig={"candidateCount": 2})
    feed = gemini.feed(one)
    feed.push(sse(first))
    assert feed.tail is None
    feed.push(sse(second))
    assert feed.tail is not None and feed.meter.finish == "STOP,MAX_TOKENS"
    feed = gemini.feed(one)
    feed.push(sse(first))
    feed.end()
    assert feed.tail is not None and feed.fault is None, "a provider may give fewer than were asked for"
    feed = gemini.feed(one)
    feed.push(sse(first, chunk({"text": "b"}, index=1)))
    feed.end()
    assert feed.fault is not None and feed.fault.cause == "malformed"


def test_an_error_in_a_stream() -> None:
    feed = gemini.feed(call(stream=True))
    feed.push(
        sse(chunk({"text": "a"}), {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "slow down"}})
    )
    assert feed.fault is not None and feed.fault.cause == "limited" and len(feed.out) == 1
    with pytest.raises(Fault):
        read_stream(sse(chunk({"text": "a"})))


@given(
    st.lists(
        st.sampled_from(
            [
                b"\r\n",
                b'data: {"a":[1,\xc3\xa9]}\r\n\r\n'.replace(b"\xc3\xa9", b'"\xc3\xa9"'),
                b"data: {}\r\n\r\ndata: 1\r\n\r\n",
            ]
        )
    )
)
def test_a_stream_as_an_array(pieces: list[bytes]) -> None:
    got = list(array.Elements(iter(pieces)))
    want = b"".join(pieces).count(b"data: ")
    assert len(json.loads(b"".join(got))) == want and all(got)


# Errors


def test_errors_of_a_provider() -> None:
    def told(code: int, **inner: Any) -> Fault:
        return gemini.fault(code, {}, json.dumps([{"error": {"code": code, "message": "m", **inner}}]).encode())

    assert told(400, status="INVALID_ARGUMENT").cause == "request"
    assert told(400, details=[{"@type": "x", "reason": "API_KEY_INVALID"}]).cause == "account"
    limited = told(
        429, status="RESOURCE_EXHAUSTED", details=[{"@type": "t/google.rpc.RetryInfo", "retryDelay": "48.5s"}]
    )
    assert (limited.cause, limited.retry_after) == ("limited", 48.5)
    violated = told(400, status="INVALID_ARGUMENT", details=[{"fieldViolations": [{"field": "contents"}]}])
    assert (violated.param, violated.code) == ("contents", "INVALID_ARGUMENT")
    assert gemini.fault(502, {}, b"<html>").cause == "server"
    assert gemini.fault(404, {}, b"[1]").cause == "request"


def test_our_errors_in_googles_envelope() -> None:
    problem = GatewayError(402, "Add credits.", param="contents", provider_code="X", retry_after=2)
    inner = json.loads(gemini.error(problem, "req_9"))["error"]
    assert (inner["code"], inner["status"], inner["message"]) == (402, "RESOURCE_EXHAUSTED", "Add credits.")
    assert {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "req_9"} in inner["details"]
    frame = gemini.error_frame(problem, "req_9")
    assert frame.startswith(b'data: {"error":') and frame.endswith(b"}\r\n\r\n")
    for status in (400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 500, 502, 503, 504):
        assert json.loads(gemini.error(GatewayError(status, "m"), "r"))["error"]["status"]


def test_every_reading_of_the_reader_starts_once() -> None:
    reader = GeminiReader()
    started = [type(event).__name__ for event in reader.take(chunk({"text": "a"}, finish="STOP"))]
    assert started == ["ReplyStart", "UsageSeen", "PartStart", "PartDelta"]
    assert [type(event).__name__ for event in reader.end()] == ["PartEnd", "ChoiceEnd", "UsageSeen", "ReplyEnd"]
    assert list(reader.end()) == []
