"""The official Anthropic SDK for Python against a live gateway with a scripted provider behind it, as its users write
it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic
from pydantic import BaseModel

from tests.conftest import Lab
from tests.upstream import Script

WEATHER: Any = {
    "name": "get_weather",
    "description": "Get the current weather for a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
def client(messages_lab: Lab) -> Iterator[Anthropic]:
    gateway = messages_lab.gateway
    with Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as made:
        yield made


def message(*content: Any, stop: str = "end_turn", **usage: int) -> dict[str, Any]:
    return {
        "id": "msg_upstream", "type": "message", "role": "assistant", "model": "claude-x", "content": list(content),
        "stop_reason": stop, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 5, **usage},
    }  # fmt: skip


def frame(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def streamed(*blocks: tuple[dict[str, Any], list[dict[str, Any]]], stop: str = "end_turn") -> list[bytes]:
    """The frames of a stream: blocks as they begin, with their deltas."""
    start = {**message(), "stop_reason": None, "usage": {"input_tokens": 9, "output_tokens": 1}}
    frames = [frame("message_start", message=start)]
    for index, (block, deltas) in enumerate(blocks):
        frames += [frame("content_block_start", index=index, content_block=block), frame("ping")]
        frames += [frame("content_block_delta", index=index, delta=delta) for delta in deltas]
        frames.append(frame("content_block_stop", index=index))
    frames.append(
        frame("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage={"output_tokens": 5})
    )
    return [*frames, frame("message_stop")]


TEXT = ({"type": "text", "text": ""}, [{"type": "text_delta", "text": "Good "}, {"type": "text_delta", "text": "day."}])
CALL = (
    {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}},
    [{"type": "input_json_delta", "partial_json": text} for text in ("", '{"city"', ': "Paris"}')],
)
THOUGHT = (
    {"type": "thinking", "thinking": "", "signature": ""},
    [{"type": "thinking_delta", "thinking": "Hm."}, {"type": "signature_delta", "signature": "sig"}],
)


def ask(client: Anthropic, model: str, content: Any = "hi", **more: Any) -> Any:
    return client.messages.create(model=model, max_tokens=100, messages=[{"role": "user", "content": content}], **more)


def test_message(client: Anthropic, messages_lab: Lab) -> None:
    model = messages_lab.model(Script.json(message({"type": "text", "text": "Good day."}, cache_read_input_tokens=4)))
    reply = ask(client, model, system="Be brief.", metadata={"user_id": "u"})
    assert reply.content[0].text == "Good day." and reply.stop_reason == "end_turn" and reply.model == model
    assert reply.id.startswith("msg_") and reply.id != "msg_upstream" and reply._request_id.startswith("req_")
    assert (reply.usage.input_tokens, reply.usage.cache_read_input_tokens, reply.usage.output_tokens) == (9, 4, 5)
    asked = messages_lab.provider.last()
    assert asked.path == "/v1/messages" and asked.headers["x-api-key"] and "authorization" not in asked.headers
    assert asked.headers["anthropic-version"] == "2026-10-21", "the client's own"
    receipt = messages_lab.gateway.get("/v1/generation", params={"id": reply.id}).json()["data"]
    assert receipt["surface"] == "messages" and receipt["upstream_id"] == "msg_upstream"
    assert receipt["tokens"] == {"input": 9, "cached_read": 4, "cache_write": 0, "output": 5, "reasoning": 0}


def test_the_older_way_to_send_a_key(messages_lab: Lab) -> None:
    model = messages_lab.model(Script.json(message()))
    gateway = messages_lab.gateway
    headers = {"x-api-key": gateway.key, "anthropic-version": "2023-06-01", "Authorization": ""}
    body = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
    assert gateway.post("/v1/messages?beta=true", body, headers=headers).status_code == 200
    assert messages_lab.provider.last().headers["anthropic-version"] == "2023-06-01"


def test_stream(client: Anthropic, messages_lab: Lab) -> None:
    model = messages_lab.model(Script.sse(*streamed(THOUGHT, TEXT)))
    kinds = [event.type for event in ask(client, model, stream=True)]
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop" and kinds.count("content_block_delta") == 4
    with client.messages.stream(model=model, max_tokens=9, messages=[{"role": "user", "content": "x"}]) as stream:
        assert "".join(stream.text_stream) == "Good day."
        final = stream.get_final_message()
    assert final.id.startswith("msg_") and final.model == model and final.usage.output_tokens == 5
    assert final.content[0].thinking == "Hm." and final.content[0].signature == "sig"


def test_a_whole_answer_to_a_streamed_question(client: Anthropic, messages_lab: Lab) -> None:
    content = [{"type": "text", "text": "Good day."}, {**CALL[0], "input": {"city": "Paris"}}]
    model = messages_lab.model(Script.json(message(*content, stop="tool_use")))
    with client.messages.stream(model=model, max_tokens=9, messages=[{"role": "user", "content": "x"}]) as stream:
        final = stream.get_final_message()
    assert final.content[0].text == "Good day." and final.content[1].input == {"city": "Paris"}
    assert final.stop_reason == "tool_use" and final.usage.input_tokens == 9


@pytest.mark.parametrize("stream", [False, True])
def test_tools_to_the_end(client: Anthropic, messages_lab: Lab, stream: bool) -> None:
    whole = Script.json(message({**CALL[0], "input": {"city": "Paris"}}, stop="tool_use"))
    model = messages_lab.model(Script.sse(*streamed(CALL, stop="tool_use")) if stream else whole)
    messages: list[Any] = [{"role": "user", "content": "Weather in Paris?"}]
    options: Any = {"model": model, "max_tokens": 100, "tools": [WEATHER], "tool_choice": {"type": "any"}}
    if stream:
        with client.messages.stream(messages=messages, **options) as events:
            first = events.get_final_message()
    else:
        first = client.messages.create(messages=messages, **options)
    call = first.content[0]
    assert first.stop_reason == "tool_use" and call.name == "get_weather" and call.input == {"city": "Paris"}
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"}]
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    second = messages_lab.model(Script.json(message({"type": "text", "text": "18 degrees."})))
    client.messages.create(messages=messages, **{**options, "model": second, "tool_choice": {"type": "auto"}})
    asked = messages_lab.provider.last().json
    assert asked["messages"][1]["content"][0]["id"] == "toolu_1" and asked["messages"][2]["content"] == results
    assert asked["tools"] == [WEATHER]


class Person(BaseModel):
    name: str
    age: int


def test_structured_output(client: Anthropic, messages_lab: Lab) -> None:
    model = messages_lab.model(Script.json(message({"type": "text", "text": '{"name": "Ada", "age": 36}'})))
    parsed = client.messages.parse(
        model=model, max_tokens=100, messages=[{"role": "user", "content": "Who?"}], output_format=Person
    )
    assert parsed.parsed_output == Person(name="Ada", age=36)
    assert messages_lab.provider.last().json["output_config"]["format"]["type"] == "json_schema"


def test_count_tokens(client: Anthropic, messages_lab: Lab) -> None:
    model = messages_lab.model(Script.json({"input_tokens": 14}))
    counted = client.messages.count_tokens(model=model, messages=[{"role": "user", "content": "x"}], tools=[WEATHER])
    assert counted.input_tokens == 14 and messages_lab.provider.last().path == "/v1/messages/count_tokens"


KINDS: list[tuple[int, str, type[anthropic.APIStatusError], int, str]] = [
    (400, "invalid_request_error", anthropic.BadRequestError, 400, "invalid_request_error"),
    (401, "authentication_error", anthropic.InternalServerError, 503, "api_error"),
    (404, "not_found_error", anthropic.NotFoundError, 404, "not_found_error"),
    (413, "request_too_large", anthropic.RequestTooLargeError, 413, "request_too_large"),
    (429, "rate_limit_error", anthropic.RateLimitError, 429, "rate_limit_error"),
    (500, "api_error", anthropic.InternalServerError, 500, "api_error"),
    (529, "overloaded_error", anthropic.OverloadedError, 529, "overloaded_error"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("sent", "kind", "raised", "told", "as_kind"), KINDS)
def test_errors_by_type(
    client: Anthropic, messages_lab: Lab, sent: int, kind: str, raised: Any, told: int, as_kind: str, stream: bool
) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "The provider's words."}, "request_id": "req_up"}
    model = messages_lab.model(Script.json(body, sent))
    with pytest.raises(raised) as caught:
        list(ask(client, model, stream=stream))
    error = caught.value
    assert error.status_code == told and error.body["error"]["type"] == as_kind
    assert error.body["request_id"] == error.request_id == error.response.headers["x-request-id"]
    assert ("provider's words" in str(error)) == (sent in (400, 404, 413))


def test_an_error_in_the_middle_of_a_stream(client: Anthropic, messages_lab: Lab) -> None:
    broken = frame("error", error={"type": "overloaded_error", "message": "No more."})
    model = messages_lab.model(Script.sse(*streamed(TEXT)[:4], broken))
    seen = []
    with pytest.raises(anthropic.APIStatusError) as caught:
        for event in ask(client, model, stream=True):
            seen.append(event.type)
    assert seen[:2] == ["message_start", "content_block_start"] and "message_stop" not in seen
    assert caught.value.body["error"]["type"] == "overloaded_error"


def test_errors_of_the_gateways_own(client: Anthropic, messages_lab: Lab) -> None:
    for model in ("nobody/none", "none"):
        with pytest.raises(anthropic.NotFoundError) as caught:
            ask(client, model)
        assert caught.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.AuthenticationError) as refused:
        ask(client.with_options(api_key="sk-wrong"), "nobody/none")
    assert refused.value.body["error"]["type"] == "authentication_error"
    with pytest.raises(anthropic.BadRequestError) as wrong:
        ask(client, "nobody/none", [{"type": "text", "text": 5}])
    assert "messages.0.content.0.text" in str(wrong.value) or "messages[0].content[0].text" in str(wrong.value)
