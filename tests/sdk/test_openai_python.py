"""The official OpenAI SDK for Python against a live gateway, as its users write it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.gateway import Gateway

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
    )
).decode()
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather for a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city"],
        },
    },
}


@pytest.fixture
def client(sqlite_gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=sqlite_gateway.base_url, api_key=sqlite_gateway.key, max_retries=0) as made:
        yield made


def ask(client: OpenAI, content: Any, model: str = "sandbox/echo", **more: Any) -> Any:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}], **more)


def test_chat(client: OpenAI) -> None:
    reply = ask(client, "Say hello", temperature=0.2, max_tokens=50, seed=1, user="u", metadata={"a": "b"})
    assert reply.choices[0].message.content == "Say hello" and reply.choices[0].finish_reason == "stop"
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply._request_id.startswith("req_")


def test_limits_stops_and_choices(client: OpenAI) -> None:
    cut = ask(client, "one two three four five", max_tokens=3)
    assert cut.choices[0].message.content == "one two three" and cut.choices[0].finish_reason == "length"
    assert cut.usage.completion_tokens == 3
    assert ask(client, "one two three", stop=[" three"]).choices[0].message.content == "one two"
    assert ask(client, "one two three", max_completion_tokens=1).choices[0].message.content == "one"
    several = ask(client, "hi", n=3)
    assert [choice.index for choice in several.choices] == [0, 1, 2] and several.usage.completion_tokens == 3


def test_stream(client: OpenAI) -> None:
    pieces = list(ask(client, "one two three", stream=True, stream_options={"include_usage": True}))
    said = [chunk.choices[0].delta.content for chunk in pieces if chunk.choices]
    assert "".join(text for text in said if text) == "one two three" and len(said) > 3
    assert pieces[-1].usage.completion_tokens == 3
    with client.chat.completions.stream(
        model="sandbox/echo", messages=[{"role": "user", "content": "with the helper"}]
    ) as stream:
        assert stream.get_final_completion().choices[0].message.content == "with the helper"


def test_tools_to_the_end(client: OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = client.chat.completions.create(model="sandbox/echo", messages=messages, tools=[WEATHER], tool_choice="auto")
    call = first.choices[0].message.tool_calls[0]
    assert first.choices[0].finish_reason == "tool_calls" and first.choices[0].message.content is None
    assert call.function.name == "get_weather" and json.loads(call.function.arguments)["city"] == "Paris"
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "18 degrees"}]
    second = client.chat.completions.create(model="sandbox/echo", messages=messages, tools=[WEATHER])
    assert "18 degrees" in second.choices[0].message.content and not second.choices[0].message.tool_calls


@pytest.mark.parametrize("stream", [False, True])
def test_tool_choice(client: OpenAI, stream: bool) -> None:
    other: Any = {"type": "function", "function": {"name": "other", "parameters": {"type": "object", "properties": {}}}}
    named = {"type": "function", "function": {"name": "other"}}

    def called(**more: Any) -> list[tuple[str, str]]:
        reply = ask(client, more.pop("text", "hello"), tools=[WEATHER, other], stream=stream, **more)
        if not stream:
            return [(c.function.name, c.function.arguments) for c in reply.choices[0].message.tool_calls or []]
        calls: dict[int, list[str]] = {}
        for chunk in reply:
            for delta in chunk.choices[0].delta.tool_calls or []:
                name, arguments = calls.setdefault(delta.index, ["", ""])
                calls[delta.index] = [name + (delta.function.name or ""), arguments + (delta.function.arguments or "")]
        return [(name, arguments) for name, arguments in calls.values()]

    assert called() == [], "many tools, no plain wish: text"
    assert called(tool_choice="none", text="weather in Rome") == []
    assert called(tool_choice="required")[0][0] == "get_weather"
    assert called(tool_choice=named) == [("other", "{}")]
    assert called(text='please\ncall other {"x": [1, 2]}\nthanks') == [("other", '{"x": [1, 2]}')]
    assert len(called(model="sandbox/parallel-tools")) == 2
    assert len(called(model="sandbox/parallel-tools", parallel_tool_calls=False)) == 1


def test_vision_and_files(client: OpenAI) -> None:
    reply = ask(
        client,
        [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.jpg", "detail": "low"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        ],
    )
    text = reply.choices[0].message.content
    assert "What is this?" in text and "image/png, 70 bytes" in text and "cat.jpg" in text and "a.pdf" in text


class Event(BaseModel):
    name: str
    day: int
    tags: list[str]
    place: str | None


@pytest.mark.parametrize("model", ["sandbox/echo", "sandbox/json"])
def test_json(client: OpenAI, model: str) -> None:
    reply = ask(client, "Meet on the 14th", model, response_format={"type": "json_object"})
    assert isinstance(json.loads(reply.choices[0].message.content), dict)


def test_schema(client: OpenAI) -> None:
    reply = client.chat.completions.parse(
        model="sandbox/echo", messages=[{"role": "user", "content": "The Fair is on day 14"}], response_format=Event
    )
    event = reply.choices[0].message.parsed
    assert isinstance(event, Event) and event.day == 14


def test_reasoning_and_refusal(client: OpenAI) -> None:
    reply = ask(client, "think", "sandbox/reasoner", reasoning_effort="high")
    assert reply.choices[0].message.reasoning_content and reply.choices[0].message.content == "think"
    assert 0 < reply.usage.completion_tokens_details.reasoning_tokens < reply.usage.completion_tokens
    assert ask(client, "no", "sandbox/refusal").choices[0].message.refusal
    assert ask(client, "x", "sandbox/length").choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("sandbox/error-400", openai.BadRequestError), ("sandbox/error-404", openai.NotFoundError),
        ("sandbox/error-409", openai.ConflictError), ("sandbox/error-422", openai.UnprocessableEntityError),
        ("sandbox/error-429", openai.RateLimitError), ("sandbox/error-500", openai.InternalServerError),
        ("sandbox/error-503", openai.InternalServerError), ("sandbox/error-401", openai.InternalServerError),
        ("nobody/none", openai.NotFoundError),
    ],
)  # fmt: skip
def test_exceptions_by_type(client: OpenAI, model: str, error: type[openai.APIStatusError]) -> None:
    with pytest.raises(error) as caught:
        ask(client, "x", model)
    assert caught.value.request_id.startswith("req_") and isinstance(caught.value.body, dict)  # type: ignore[union-attr]


def test_wrong_key(sqlite_gateway: Gateway) -> None:
    with pytest.raises(openai.AuthenticationError):
        OpenAI(base_url=sqlite_gateway.base_url, api_key="sk-getgpt-wrong").models.list()


def test_a_broken_stream_raises(client: OpenAI) -> None:
    for model in ("sandbox/mid-stream-error", "sandbox/cut"):
        with pytest.raises(openai.APIError):
            list(ask(client, "one two three four", model, stream=True))


def test_the_sdk_retries_to_success(sqlite_gateway: Gateway) -> None:
    _, key = sqlite_gateway.account("1")
    patient = OpenAI(base_url=sqlite_gateway.base_url, api_key=key, max_retries=2)
    assert ask(patient, "again", "sandbox/error-503-once").choices[0].message.content == "again"
    assert ask(patient, "again", "sandbox/error-429-once").choices[0].message.content == "again"


def test_limited_counts_over_all_workers(sqlite_gateway: Gateway) -> None:
    _, key = sqlite_gateway.account("1")
    client = OpenAI(base_url=sqlite_gateway.base_url, api_key=key, max_retries=0)
    for _ in range(5):
        ask(client, "x", "sandbox/limited")
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, "x", "sandbox/limited")
    assert caught.value.response.headers["retry-after"] == "1"


def test_models(client: OpenAI) -> None:
    assert "sandbox/echo" in [model.id for model in client.models.list()]
    assert client.models.retrieve("sandbox/echo").id == "sandbox/echo"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("sandbox/nothing-of-the-kind")
