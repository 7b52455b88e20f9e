"""google-genai, Google's official SDK, against a live gateway: the sandbox, and a scripted Gemini provider."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.google import GeminiLab, gemini_lab
from tests.upstream import Script

genai = pytest.importorskip("google.genai", reason="google-genai is not installed")
from google.genai import errors, types  # noqa: E402

WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters_json_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
SIGNATURE = base64.b64encode(b"a signature \xff\xfe\xfb").decode()


@pytest.fixture(scope="module")
def lab(sqlite_gateway: Gateway) -> Iterator[GeminiLab]:
    yield from gemini_lab(sqlite_gateway, free=False)


def client_of(gateway: Gateway, key: str | None = None, version: str | None = None, **options: Any) -> Any:
    made = genai.Client(
        api_key=key or gateway.key,
        vertexai=False,
        http_options=types.HttpOptions(base_url=gateway.url, api_version=version, **options),
    )
    _kept.append(made)
    return made


_kept: list[Any] = []
"""A client that nobody holds closes its connections, amid an answer too."""


@pytest.fixture
def client(sqlite_gateway: Gateway) -> Any:
    return client_of(sqlite_gateway)


def chunk(*parts: dict[str, Any], finish: str | None = None, out: int = 3) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    values = {
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": out, "totalTokenCount": 9 + out},
        "modelVersion": "up-1",
        "responseId": "theirs",
    }
    return b"data: " + json.dumps(values).encode() + b"\r\n\r\n"


@pytest.mark.parametrize("version", ["v1beta", "v1", "v1alpha"])
def test_an_answer_of_the_sandbox(sqlite_gateway: Gateway, version: str) -> None:
    answer = client_of(sqlite_gateway, version=version).models.generate_content(
        model="sandbox/echo", contents="Say it again"
    )
    assert answer.text == "Say it again"
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.model_version == "sandbox/echo" and answer.response_id.startswith("gen_")
    assert answer.usage_metadata.prompt_token_count > 0 and answer.usage_metadata.candidates_token_count > 0


def test_a_stream_of_the_sandbox(client: Any) -> None:
    chunks = list(client.models.generate_content_stream(model="sandbox/echo", contents="one two three four"))
    assert len(chunks) > 2 and "".join(c.text or "" for c in chunks) == "one two three four"
    assert [bool(c.candidates[0].finish_reason) for c in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].usage_metadata.total_token_count > 0
    assert len({c.response_id for c in chunks}) == 1


def test_a_system_instruction_and_a_schema(client: Any) -> None:
    answer = client.models.generate_content(
        model="sandbox/echo",
        contents="A person, please",
        config=types.GenerateContentConfig(
            system_instruction="Answer in JSON.",
            max_output_tokens=200,
            response_mime_type="application/json",
            response_schema={"type": "OBJECT", "properties": {"name": {"type": "STRING"}}, "required": ["name"]},
        ),
    )
    assert isinstance(json.loads(answer.text)["name"], str)


def test_calls_of_functions_there_and_back(client: Any) -> None:
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[WEATHER])],
        tool_config=types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY")),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    question = types.Content(role="user", parts=[types.Part(text="The weather in Paris?")])
    answer = client.models.generate_content(model="sandbox/echo", contents=[question], config=config)
    (call,) = answer.function_calls
    assert call.name == "get_weather" and isinstance(call.args["city"], str)
    result = types.Part.from_function_response(name=call.name, response={"result": "sunny"})
    config.tool_config = None
    again = client.models.generate_content(
        model="sandbox/echo",
        contents=[question, answer.candidates[0].content, types.Content(role="user", parts=[result])],
        config=config,
    )
    assert again.text and not again.function_calls


def test_automatic_function_calling(client: Any) -> None:
    asked = []

    def get_weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return "sunny"

    answer = client.models.generate_content(
        model="sandbox/echo", contents="What is the weather in Paris?", config={"tools": [get_weather]}
    )
    assert len(asked) == 1 and answer.text


def test_a_signature_comes_back_on_its_part(lab: GeminiLab) -> None:
    """The SDK decodes a signature and encodes it again; the provider must get the same bytes on the same part."""
    parts = [{"text": "Hm.", "thought": True}, {"functionCall": {"name": "get_weather", "args": {"city": "Oslo"}}}]
    parts[1]["thoughtSignature"] = SIGNATURE
    model = lab.model(Script.sse(chunk(parts[0]), chunk(parts[1], finish="STOP")))
    chat = client_of(lab.gateway).chats.create(model=model)
    seen = [part for c in chat.send_message_stream("Weather?") for part in c.candidates[0].content.parts]
    assert [bool(part.thought) for part in seen] == [True, False]
    list(chat.send_message_stream(types.Part.from_function_response(name="get_weather", response={"result": "ok"})))
    history = [part for content in lab.asked(model)[1].json["contents"] for part in content["parts"]]
    (sealed,) = [part for part in history if "functionCall" in part or "function_call" in part]
    came = sealed.get("thoughtSignature") or sealed["thought_signature"]
    assert base64.urlsafe_b64decode(came) == base64.b64decode(SIGNATURE)


def test_silence_is_filled_with_what_the_client_skips(lab: GeminiLab) -> None:
    model = lab.model(Script.sse(chunk({"text": "a"}), 5.6, chunk({"text": "b"}, finish="STOP")))
    chunks = client_of(lab.gateway).models.generate_content_stream(model=model, contents="x")
    assert [c.text for c in chunks] == ["a", "b"]


def test_counting(lab: GeminiLab, client: Any) -> None:
    details = {"totalTokens": 31, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 31}]}
    model = lab.model(Script.json({}), count=Script.json(details))
    counted = client_of(lab.gateway).models.count_tokens(model=model, contents="How many?")
    assert counted.total_tokens == 31
    assert client.models.count_tokens(model="sandbox/echo", contents="How many tokens are these?").total_tokens > 3


def test_errors(lab: GeminiLab, client: Any) -> None:
    for model, code, status in (
        ("sandbox/error-400", 400, "INVALID_ARGUMENT"), ("sandbox/error-401", 503, "UNAVAILABLE"),
        ("sandbox/none", 404, "NOT_FOUND"), ("sandbox/error-429", 429, "RESOURCE_EXHAUSTED"),
    ):  # fmt: skip
        for stream in (False, True):
            ask = client.models.generate_content_stream if stream else client.models.generate_content
            with pytest.raises(errors.APIError) as found:
                list(ask(model=model, contents="x"))
            assert (found.value.code, found.value.status) == (code, status), (model, stream)
            assert found.value.message
    with pytest.raises(errors.ClientError) as found:
        client_of(lab.gateway, key="sk-wrong").models.generate_content(model="sandbox/echo", contents="x")
    assert (found.value.code, found.value.status) == (401, "UNAUTHENTICATED")
    _, poor = lab.gateway.account(None)
    with pytest.raises(errors.ClientError) as found:
        client_of(lab.gateway, key=poor).models.generate_content(model="sandbox/echo", contents="x")
    assert (found.value.code, found.value.status) == (402, "RESOURCE_EXHAUSTED")


def test_a_stream_that_breaks_is_an_error(lab: GeminiLab) -> None:
    broken = b'data: {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}\r\n\r\n'
    for ending in (broken, b""):
        model = lab.model(Script.sse(chunk({"text": "a"}), *([ending] if ending else [])))
        said = []
        with pytest.raises(errors.APIError) as found:
            for c in client_of(lab.gateway).models.generate_content_stream(model=model, contents="x"):
                said.append(c.text)
        assert said == ["a"] and found.value.code in (502, 503)
