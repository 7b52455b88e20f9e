"""What users of OpenAI's SDK for Python write, of any generation; prints what came of it as JSON.

Run by test_generations.py with another version first in PYTHONPATH, so nothing but the SDK is imported here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import openai
from openai import OpenAI
from pydantic import BaseModel

URL, KEY = os.environ["URL"] + "/v1", os.environ["KEY"]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
QUESTION: Any = {"role": "user", "content": "What is the weather in Paris?"}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER: Any = {"name": "get_weather", "description": "The weather of a city", "parameters": PARAMETERS}

client = OpenAI(base_url=URL, api_key=KEY, max_retries=0)


class Event(BaseModel):
    day: int


def ask(content: Any, model: str = "sandbox/echo", **more: Any) -> Any:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}], **more)


def chat() -> Any:
    reply = ask("Say hello", temperature=0.2, max_tokens=50)
    return [reply.choices[0].message.content, reply.choices[0].finish_reason, (reply._request_id or "")[:4]]


def stream() -> Any:
    chunks = list(ask("one two three", stream=True, stream_options={"include_usage": True}))
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    return ["".join(said), len(said) > 3, chunks[-1].usage.completion_tokens]


def tools() -> Any:
    offered: Any = [{"type": "function", "function": WEATHER}]
    first = client.chat.completions.create(model="sandbox/echo", messages=[QUESTION], tools=offered)
    (call,) = first.choices[0].message.tool_calls or []
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "18 degrees"}
    history: Any = [QUESTION, first.choices[0].message, result]
    final = client.chat.completions.create(model="sandbox/echo", messages=history, tools=offered)
    return [call.function.name, json.loads(call.function.arguments), final.choices[0].message.content]


def streamed_tools() -> Any:
    calls: dict[int, str] = {}
    offered: Any = [{"type": "function", "function": WEATHER}]
    for chunk in ask(QUESTION["content"], "sandbox/parallel-tools", tools=offered, stream=True):
        for delta in chunk.choices[0].delta.tool_calls or []:
            calls[delta.index] = calls.get(delta.index, "") + (delta.function.arguments or "")
    return [json.loads(calls[index]) for index in sorted(calls)]


def vision() -> Any:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    return "image/png, 70 bytes" in ask([{"type": "text", "text": "What is this?"}, image]).choices[0].message.content


def schema() -> Any:
    chats = client.chat.completions
    completions: Any = chats if hasattr(chats, "parse") else client.beta.chat.completions
    asked = [{"role": "user", "content": "on day 14"}]
    reply = completions.parse(model="sandbox/echo", messages=asked, response_format=Event)
    return reply.choices[0].message.parsed.day


def responses() -> Any:
    reply = client.responses.create(model="sandbox/echo", input="Say hello", instructions="Be brief.")
    kinds = [event.type for event in client.responses.create(model="sandbox/echo", input="one two", stream=True)]
    with client.responses.stream(model="sandbox/echo", input="one two") as events:
        final = events.get_final_response().output_text
    parsed = client.responses.parse(model="sandbox/echo", input="on day 14", text_format=Event).output_parsed
    return [reply.output_text, kinds[0], kinds[-1], final, parsed and parsed.day]


def responses_tools() -> Any:
    offered: Any = [{"type": "function", "strict": False, **WEATHER}]
    first = client.responses.create(model="sandbox/echo", input=[QUESTION], tools=offered)
    call: Any = first.output[0]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"}
    final = client.responses.create(model="sandbox/echo", input=[QUESTION, call, result], tools=offered)
    return [json.loads(call.arguments), final.output_text]


def embeddings() -> Any:
    packed = client.embeddings.create(model="sandbox/embed", input=["a cat", "a dog"], dimensions=16)
    plain = client.embeddings.create(model="sandbox/embed", input="a dog", dimensions=16, encoding_format="float")
    apart = zip(packed.data[1].embedding, plain.data[0].embedding, strict=True)
    return [len(packed.data), len(packed.data[0].embedding), all(abs(a - b) < 1e-6 for a, b in apart)]


def completions() -> Any:
    reply = client.completions.create(model="sandbox/echo", prompt="one two three", max_tokens=2)
    return [reply.choices[0].text, reply.choices[0].finish_reason]


def models() -> Any:
    return ["sandbox/echo" in [model.id for model in client.models.list()], client.models.retrieve("sandbox/echo").id]


def raised(call: Callable[[], Any]) -> list[Any]:
    try:
        reply = call()
        if not hasattr(reply, "id"):
            list(reply)
    except openai.APIError as error:
        return [type(error).__name__, getattr(error, "status_code", None)]
    return ["nothing was raised"]


def errors() -> Any:
    found = {}
    for model in (*(f"sandbox/error-{status}" for status in (400, 404, 422, 429, 500)), "nobody/none"):
        found[model] = raised(lambda model=model: ask("x", model))
        assert found[model] == raised(lambda model=model: ask("x", model, stream=True)), model
        asked: Any = {"model": model, "input": "x"}
        assert found[model] == raised(lambda asked=asked: client.responses.create(**asked)), model
    found["wrong key"] = raised(lambda: client.with_options(api_key="sk-getgpt-wrong").models.list())
    return found


def broken() -> Any:
    asked = [{"role": "user", "content": "one two three four"}]
    found = []
    for model in ("sandbox/cut", "sandbox/mid-stream-error"):
        found += raised(lambda model=model: ask(asked[0]["content"], model, stream=True))[:1]
        found += raised(lambda model=model: client.responses.create(model=model, input=asked, stream=True))[:1]
    return found


calls = (
    chat, stream, tools, streamed_tools, vision, schema, responses, responses_tools, embeddings, completions, models,
    errors, broken,
)  # fmt: skip
print(json.dumps({"version": openai.__version__, **{call.__name__: call() for call in calls}}))
