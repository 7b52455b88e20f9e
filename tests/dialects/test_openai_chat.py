"""The Chat dialect on its own: what it must know of a request, and what it makes of providers' odd answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Call, Fault, Leg, Meter, Profile
from gateway.dialects import openai_chat
from gateway.dialects.openai_chat import reply, request
from gateway.dialects.openai_chat.usage import usage as usage_of
from gateway.dialects.openai_chat.writer import ChatWriter
from gateway.neutral.events import unfold
from gateway.neutral.parts import Reasoning, Refusal, Text, ToolCall
from gateway.neutral.reply import ChatReply, Choice, Finish, Usage
from gateway.sse import read
from tests import made

BASE = {"model": "lab/m", "messages": [{"role": "user", "content": "hi"}]}


def call(cap: int | None = None, **more: Any) -> Call:
    values = {**BASE, **more}
    return made.call("chat", "chatcmpl-ours", json.dumps(values).encode(), request.ask(values), cap=cap)


def leg(limit_name: str = "max_tokens") -> Leg:
    return made.leg("chat", profile=Profile(limit_name=limit_name))


def sent(one: Call, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(request.encode(one, leg(**options)))
    return found


def test_a_forced_limit_goes_where_the_callers_was() -> None:
    assert sent(call(7, max_tokens=99))["max_tokens"] == 7
    both = sent(call(7, max_tokens=99, max_completion_tokens=50))
    assert (both["max_tokens"], both["max_completion_tokens"]) == (7, 7)
    mixed = sent(call(70, max_tokens=99, max_completion_tokens=50))
    assert (mixed["max_tokens"], mixed["max_completion_tokens"]) == (70, 50), "never raised"
    assert sent(call(7), limit_name="max_completion_tokens")["max_completion_tokens"] == 7
    assert "max_tokens" not in sent(call())


def test_the_larger_limit_is_held_for() -> None:
    """Which of the two names counts is the provider's to say: many know the older only."""
    assert request.ask({**BASE, "max_tokens": 5, "max_completion_tokens": 9}).limit == 9
    assert request.ask({**BASE, "max_tokens": 9, "max_completion_tokens": 5}).limit == 9
    assert request.ask(BASE).limit is None


def test_usage_is_asked_for_beside_other_options() -> None:
    assert sent(call(stream=True))["stream_options"] == {"include_usage": True}
    options = sent(call(stream=True, stream_options={"include_obfuscation": False, "include_usage": False}))[
        "stream_options"
    ]
    assert options == {"include_obfuscation": False, "include_usage": True}
    assert "stream_options" not in sent(call())


def test_weights() -> None:
    text = request.ask({**BASE, "messages": [{"role": "user", "content": "héé"}]}).weight
    assert text.text == len("user") + 5 and text.messages == 1
    data = "A" * 4000
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + data}},
        {"type": "image_url", "image_url": {"url": "u", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
        {"type": "file", "file": {"file_data": data}},
    ]
    weight = request.ask({**BASE, "messages": [{"role": "user", "content": parts}]}).weight
    assert (weight.images, weight.small_images, weight.audio_bytes, weight.file_bytes) == (2, 1, 3000, 3000)
    assert weight.text < 200, "media do not count as text"
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"x": "y" * 500}}}]
    assert request.ask({**BASE, "tools": tools}).weight.text > 500


def test_what_stands_in_an_images_place_weighs_as_what_it_says_it_is() -> None:
    def weighed(url: str) -> tuple[int, int]:
        part = {"type": "image_url", "image_url": {"url": url}}
        weight = request.ask({**BASE, "messages": [{"role": "user", "content": [part]}]}).weight
        return weight.audio_bytes, weight.file_bytes

    assert weighed("data:image/png;base64," + "A" * 4000) == weighed("https://a.example/b.png") == (0, 0)
    assert weighed("data:application/pdf;base64," + "A" * 4000)[1] >= 3000
    assert weighed("DATA:Text/Plain," + "a" * 4000)[1] >= 4000
    assert weighed("data:audio/wav;base64," + "A" * 4000)[0] >= 3000


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
         "messages[0].content[0].file.file_id"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file_id": "f"}]}]}, "messages[0].content[0].file_id"),
        ({"messages": [{"role": "user", "content": [{"type": "image_file", "image_file": {"file_id": "f"}}]}]},
         "messages[0].content[0].image_file.file_id"),
        ({"messages": [{"role": "assistant", "audio": {"id": "f"}}]}, "messages[0].audio.id"),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["f"]}]}, "tools[0].vector_store_ids"),
        ({"tools": [{"type": "code_interpreter", "container": {"id": "f"}}]}, "tools[0].container"),
        ({"conversation": "f"}, "conversation"),
    ],
)  # fmt: skip
def test_names_of_upstream_objects_are_found(more: dict[str, Any], param: str) -> None:
    ask = request.ask({**BASE, **more})
    assert [(ref.id, ref.param) for ref in ask.references] == [("f", param)] and ask.weight.unseen


def test_a_functions_own_schema_names_nothing() -> None:
    schema = {"type": "object", "properties": {"file_id": {"type": "string", "default": "f"}}, "file_id": "f"}
    assert not request.ask({**BASE, "tools": [{"type": "function", "function": {"parameters": schema}}]}).references


def test_tools_that_the_provider_runs_are_seen() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}, {"type": "web_search"}, {"type": "custom", "custom": {}}]
    assert request.ask({**BASE, "tools": tools, "web_search_options": {}}).hosted == (
        ("web_search_options", "web_search", None),
        ("tools[1]", "web_search", None),
    )


@pytest.mark.parametrize(
    ("values", "usage"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 5}, Usage(input=9, output=5)),
        ({"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1},
          "completion_tokens_details": {"reasoning_tokens": 3}},
         Usage(input=9, output=5, cached=4, audio_in=1, reasoning=3)),
        ({"prompt_tokens": 9, "completion_tokens": 5, "prompt_cache_hit_tokens": 2}, Usage(input=9, output=5, cached=2)),
        ({"prompt_tokens": -9, "completion_tokens": 5}, None), ({"prompt_tokens": "9", "completion_tokens": 5}, None),
        ({"prompt_tokens": 9.0, "completion_tokens": 5}, None), ({"completion_tokens": 5}, None),
        ({"prompt_tokens": 9, "total_tokens": 14}, Usage(input=9, output=5)), ({"prompt_tokens": 9}, None),
        ({"prompt_tokens": 9, "completion_tokens": "5", "total_tokens": 14}, None),
        ({"prompt_tokens": True, "completion_tokens": 5}, None), ([], None), (None, None), ("x", None),
    ],
)  # fmt: skip
def test_usage(values: Any, usage: Usage | None) -> None:
    assert usage_of({"usage": values}) == usage
    assert usage_of({"x_groq": {"usage": values}}) == usage, "where Groq puts it in streams"


@pytest.mark.parametrize(
    ("status", "body", "cause", "message"),
    [
        (400, b'{"error":{"message":"bad","param":"p","code":"c"}}', "request", "bad"),
        (400, b'{"detail":[{"loc":["a"],"msg":"b"}]}', "request", "a: b"),
        (422, b'{"detail":[{"loc":["a",0],"msg":"b"},{"loc":["c"],"msg":"d"}]}', "request", "a.0: b; c: d"),
        (422, b'{"detail":[{"loc":["a"]}]}', "request", '[{"loc": ["a"]}]'),
        (400, b'{"message":"plain"}', "request", "plain"), (400, b'{"error":"text"}', "request", "text"),
        (400, b'[{"error":{"message":"in a list"}}]', "request", "in a list"), (400, b"<html>", "request", ""),
        (400, b'{"error":{"message":"half \\ud83d"}}', "request", "half "), (400, b'"x\\u0000y"', "request", "x y"),
        (400, b'{"error":{"message":' + b"[" * 5000, "request", ""), (404, b"null", "request", ""),
        (401, b"{}", "account", ""), (429, b'{"error":{"code":"insufficient_quota"}}', "account", ""),
        (429, b"{}", "limited", ""), (529, b"", "limited", ""), (500, b"", "server", ""), (504, b"", "timeout", ""),
        (408, b"", "timeout", ""), (418, b"", "malformed", ""), (405, b"", "malformed", ""),
    ],
)  # fmt: skip
def test_what_a_status_means(status: int, body: bytes, cause: str, message: str) -> None:
    fault = openai_chat.fault(status, {"retry-after": "3", "x-should-retry": "false", "set-cookie": "x"}, body)
    assert (fault.cause, fault.message, fault.status, fault.retry_after) == (cause, message, status, 3)
    assert fault.headers == (("x-should-retry", "false"),)


@pytest.mark.parametrize(
    ("vendor", "status", "body", "cause", "told"),
    [
        ("Mistral, a member too many", 422,
         {"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "user"],
          "msg": "Extra inputs are not permitted"}]}, "type": "invalid_request_error", "code": None},
         "request", "body.user: Extra inputs are not permitted"),
        ("Mistral, no capacity", 429,
         {"object": "error", "message": "Service tier capacity exceeded for this model.",
          "type": "service_tier_capacity_exceeded", "param": None, "code": "3505"}, "limited", "Service tier"),
        ("Mistral, a wrong key", 401, {"detail": "Unauthorized"}, "account", "Unauthorized"),
        ("Z.AI, no money", 429, {"error": {"code": "1113", "message": "Insufficient balance or no resource package."}},
         "account", "Insufficient"),
        ("Z.AI, too many at once", 429, {"error": {"code": "1302", "message": "High concurrency usage of this API"}},
         "limited", "High"),
        ("DeepSeek, no money", 402, {"error": {"message": "Insufficient Balance", "type": "unknown_error",
         "param": None, "code": "invalid_request_error"}}, "account", "Insufficient"),
        ("Moonshot, no money", 429, {"error": {"message": "You exceeded your current quota",
         "type": "exceeded_current_quota_error"}}, "account", "You exceeded"),
        ("Moonshot, overloaded", 429, {"error": {"message": "The engine is currently overloaded",
         "type": "engine_overloaded_error"}}, "limited", "The engine"),
        ("Alibaba, no money", 400, {"error": {"code": "Arrearage", "param": None, "type": "Arrearage",
         "message": "Access denied, please make sure your account is in good standing."}}, "account", "Access denied"),
        ("xAI, a wrong key (recorded)", 400, {"code": "invalid-argument", "error": "Incorrect API key provided. You can"
         " obtain an API key from https://console.x.ai."}, "account", "Incorrect"),
        ("xAI, no money", 429, {"code": "Some resource has been exhausted", "error": "Your team 16f2151a has either"
         " used all available credits or reached its monthly spending limit."}, "account", "Your team"),
        ("Groq, over the minute's tokens", 413, {"error": {"message": "Request too large for model `x` on tokens per"
         " minute (TPM): Limit 6000, Requested 9000", "type": "tokens", "code": "rate_limit_exceeded"}},
         "limited", "Request too large"),
        ("OpenRouter, no money", 402, {"error": {"message": "This request requires more credits", "code": 402}},
         "account", "This request"),
        ("OpenRouter, flagged input", 403, {"error": {"code": 403, "message": "Your input was flagged",
         "metadata": {"reasons": ["violence"], "flagged_input": "…", "provider_name": "x", "model_slug": "y"}}},
         "request", "Your input"),
        ("OpenRouter, a key without rights", 403, {"error": {"code": 403, "message": "Key limit exceeded"}},
         "account", "Key limit"),
        ("Hugging Face, no money", 402, {"error": "You have exceeded your monthly included credits"},
         "account", "You have"),
        ("Cohere, too fast", 429, {"id": "x", "message": "You are using a Trial key"}, "limited", "You are"),
        ("Cohere, a wrong member", 422, {"id": "x", "message": "unknown field: parameter 'x' is not a valid field"},
         "request", "unknown field"),
    ],
)  # fmt: skip
def test_what_vendors_say_of_our_account_of_rates_and_of_the_request(
    vendor: str, status: int, body: Any, cause: str, told: str
) -> None:
    fault = openai_chat.fault(status, {}, json.dumps(body).encode())
    assert fault.cause == cause and fault.message.startswith(told)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ({"code": 502, "message": "Provider disconnected"}, "server"), ({"code": 429, "message": "slow"}, "limited"),
        ({"code": 402, "message": "no credits"}, "account"), ({"code": "1302", "message": "too many"}, "limited"),
        ({"code": "1113", "message": "arrears"}, "account"), ({"code": 400, "message": "bad"}, "request"),
    ],
)  # fmt: skip
def test_an_error_in_a_choice_ends_a_reply(error: dict[str, Any], cause: str) -> None:
    """OpenRouter tells errors so, whole and in streams, on the top level or in the choice."""
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error", "error": error}
    for values in ({"choices": [choice]}, {"choices": [{**choice, "error": None}], "error": error}):
        data = b"data: " + json.dumps({"id": "x", "model": "m", **values}).encode() + b"\n\n"
        passed = openai_chat.feed(call(stream=True))
        passed.push(data)
        assert passed.fault is not None and passed.fault.cause == cause
        with pytest.raises(Fault) as read_as:
            list(openai_chat.reader().push(read(data)))
        assert read_as.value.cause == cause
        whole = {**values, "choices": [{**values["choices"][0], "message": {"role": "assistant", "content": ""}}]}
        for fails in (
            lambda body=whole: openai_chat.parse_reply(body),
            lambda body=whole: openai_chat.whole(call(), json.dumps(body).encode(), Meter()),
        ):
            with pytest.raises(Fault) as told:
                fails()
            assert told.value.cause == cause


@pytest.mark.parametrize(
    ("word", "reason"),
    [("sensitive", "filtered"), ("network_error", "error"), ("model_context_window_exceeded", "length"),
     ("insufficient_system_resource", "error"), ("eos", "stop"), ("model_length", "length")],
)  # fmt: skip
def test_vendors_own_words_for_the_end(word: str, reason: str) -> None:
    values = {"choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": word}]}
    assert openai_chat.parse_reply(values).choices[0].finish.reason == reason


def test_long_words_are_cut() -> None:
    long = json.dumps({"error": {"message": "é" * 5000, "param": "p" * 5000, "code": "c" * 5000}}).encode()
    fault = openai_chat.fault(400, {}, long)
    assert len(fault.message.encode()) <= 2048 and len(fault.param or "") <= 256 and len(fault.code or "") <= 64


@pytest.mark.parametrize(
    ("error", "cause", "status"),
    [
        ({"message": "x", "code": 429}, "limited", 429), ({"message": "x", "code": "402"}, "account", 402),
        ({"message": "x", "type": "invalid_request_error", "code": "tool_use_failed"}, "request", 400),
        ({"message": "x", "type": "server_error"}, "server", 0), ("text", "server", 0), ({"code": "²²"}, "server", 0),
    ],
)  # fmt: skip
def test_errors_inside_a_success(error: Any, cause: str, status: int) -> None:
    with pytest.raises(Fault) as caught:
        openai_chat.whole(call(), json.dumps({"error": error}).encode(), Meter())
    assert (caught.value.cause, caught.value.status) == (cause, status)


@pytest.mark.parametrize(
    ("number", "cause", "status"),
    [(1004, "account", 401), (1008, "account", 402), (1002, "limited", 429), (2013, "request", 400),
     (1000, "server", 500)],
)  # fmt: skip
def test_errors_of_minimax(number: int, cause: str, status: int) -> None:
    """Written after https://platform.minimax.io/docs/api-reference/errorcode; not recorded."""
    body = {"id": "x", "choices": None, "base_resp": {"status_code": number, "status_msg": "no"}}
    with pytest.raises(Fault) as caught:
        openai_chat.whole(call(), json.dumps(body).encode(), Meter())
    assert (caught.value.cause, caught.value.status, caught.value.message) == (cause, status, "no")
    feed = openai_chat.feed(call(stream=True))
    feed.push(b"data: " + json.dumps(body).encode() + b"\n\n")
    assert feed.fault is not None and feed.fault.cause == cause
    well = {"choices": [{"message": {"content": "hi"}}], "base_resp": {"status_code": 0, "status_msg": ""}}
    assert b"hi" in openai_chat.whole(call(), json.dumps(well).encode(), Meter())


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b'{"choices":[]}', b'{"choices":null}', b'{"choices":[1]}', b'{"choices":"x"}',
     b'{"choices":[{"message":{}}],"x":NaN}', b'{"choices":[{}]', b"<html>", b"\xff"],
)  # fmt: skip
def test_whole_answers_that_are_none(body: bytes) -> None:
    with pytest.raises(Fault) as caught:
        openai_chat.whole(call(), body, Meter())
    assert caught.value.cause == "malformed"


@pytest.mark.parametrize(
    "choice", [{"message": "x"}, {"message": None}, {"message": {"tool_calls": [1], "audio": 5}}, {"index": "z"}]
)
def test_odd_choices_pass_and_are_cut_into_frames(choice: dict[str, Any]) -> None:
    body = json.dumps({"id": "up\ud800\u0000", "choices": [{**choice, "finish_reason": {"secret": 1}}]}).encode()
    meter = Meter()
    assert json.loads(openai_chat.whole(call(), body, meter))["id"] == "chatcmpl-ours"
    assert meter.finish == "none" and meter.upstream_id == "up " and meter.usage is None
    feed = openai_chat.feed(call(stream=True))
    feed.push(body)
    feed.end()
    assert feed.fault is None and feed.tail == b"data: [DONE]\n\n" and len(feed.out) == 2


def test_data_over_several_lines_stays_one_frame() -> None:
    feed = openai_chat.feed(call(stream=True))
    feed.push(b'event: x\ndata: {"id":"a","model":"m",\ndata: "choices":[{"delta":{"content":"hi"}}]}\n\n')
    assert feed.out == [
        b'event: x\ndata: {"id":"chatcmpl-ours","model":"lab/m", "choices":[{"delta":{"content":"hi"}}]}\n\n'
    ]


def chunk(index: int, content: str | None = None, finish: str | None = None) -> bytes:
    delta = {"content": content} if content is not None else {}
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return (
        b"data: " + json.dumps({"id": "a", "model": "m", "choices": [choice]}, separators=(",", ":")).encode() + b"\n\n"
    )


def test_all_choices_must_have_ended() -> None:
    for ends, good in (((0,), False), ((0, 1), True)):
        feed = openai_chat.feed(call(stream=True, n=2))
        feed.push(b"".join([chunk(0, "a"), chunk(1, "b"), *(chunk(index, finish="stop") for index in ends)]))
        feed.end()
        assert (feed.fault is None) == good
    assert feed.meter.finish == "stop,stop"


def test_usage_before_the_end_is_not_final() -> None:
    usage = b',"usage":{"prompt_tokens":5,"completion_tokens":0}}\n\n'
    feed = openai_chat.feed(call(stream=True))
    feed.push(chunk(0, "a").replace(b"}\n\n", usage) + chunk(0, "b"))
    assert feed.meter.usage == Usage(input=5, output=0) and not feed.meter.final
    feed.push(chunk(0, finish="stop").replace(b"}\n\n", usage.replace(b":0", b":2")))
    assert feed.meter.usage == Usage(input=5, output=2) and feed.meter.final


PARTS = st.one_of(
    st.builds(Text, text=st.text()), st.builds(Reasoning, text=st.text()), st.builds(Refusal, text=st.text()),
    st.builds(ToolCall, id=st.text(max_size=5), name=st.text(max_size=5), arguments=st.text()),
)  # fmt: skip
REPLIES = st.builds(
    ChatReply,
    id=st.just("r"),
    model=st.just("m"),
    created=st.just(1),
    choices=st.lists(
        st.builds(
            lambda parts, reason: Choice(parts=tuple(parts), finish=Finish(reason=reason)),
            st.lists(PARTS, max_size=4),
            st.sampled_from(["stop", "length", "tool_calls", "filtered"]),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    usage=st.none() | st.builds(Usage, input=st.integers(0, 99), output=st.integers(0, 99)),
)


@given(REPLIES, st.integers(1, 7))
def test_what_is_streamed_is_what_is_said_whole(one: ChatReply, size: int) -> None:
    """Joined by a reader of the test's own, the frames say what the whole reply says."""
    out = ChatWriter({"stream_options": {"include_usage": True}})
    events = unfold(one, lambda text: (text[at : at + size] for at in range(0, len(text), size)))
    frames = [frame + b"\n\n" for event in events for frame in out.write(event).split(b"\n\n")[:-1]]
    assert frames[-1] == b"data: [DONE]\n\n"
    joined: dict[int, dict[str, Any]] = {}
    for frame in frames[:-1]:
        for choice in json.loads(frame[6:])["choices"]:
            to = joined.setdefault(choice["index"], {"calls": {}})
            to["finish"] = choice["finish_reason"]
            for name, value in choice["delta"].items():
                if name == "tool_calls":
                    for part in value:
                        function = to["calls"].setdefault(part["index"], {"arguments": ""})
                        function["arguments"] += part["function"].get("arguments", "")
                        function["name"] = part["function"].get("name", function.get("name"))
                elif name not in ("role", "reasoning_details") and value:
                    to[name] = to.get(name, "") + value
    for choice in reply.render(one, {})["choices"]:
        message, to = choice["message"], joined[choice["index"]]
        assert to["finish"] == choice["finish_reason"]
        for name in ("content", "reasoning_content", "refusal"):
            assert to.get(name, "") == (message.get(name) or "")
        assert [(c["name"], c["arguments"]) for c in to["calls"].values()] == [
            (c["function"]["name"], c["function"]["arguments"]) for c in message.get("tool_calls", [])
        ]


@given(st.lists(st.binary(max_size=40) | st.sampled_from([chunk(0, "x"), chunk(0, finish="stop"), b"data: [DONE]\n\n", b": c\n\n", b"data: {}\n\n"]), max_size=8))  # fmt: skip
def test_no_stream_crashes_a_feed(pieces: list[bytes]) -> None:
    feed = openai_chat.feed(call(stream=True))
    for piece in pieces:
        feed.push(piece)
    feed.end()
    feed.measure()
    assert feed.fault is not None or feed.tail is not None
