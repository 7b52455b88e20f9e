"""What users of Anthropic's SDK for Python write, of any generation; prints what came of it as JSON.

Run by test_generations.py with another version first in PYTHONPATH, so nothing but the SDK is imported here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import anthropic
from anthropic import Anthropic
from pydantic import BaseModel

URL, KEY = os.environ["URL"], os.environ["KEY"]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
QUESTION: Any = {"role": "user", "content": "What is the weather in Paris?"}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER: Any = {"name": "get_weather", "description": "The weather of a city", "input_schema": PARAMETERS}

client = Anthropic(base_url=URL, api_key=KEY, max_retries=0)


class Event(BaseModel):
    day: int


def asked(content: Any, model: str = "sandbox/echo", **more: Any) -> Any:
    return {"model": model, "max_tokens": 200, "messages": [{"role": "user", "content": content}], **more}


def ask(content: Any, model: str = "sandbox/echo", **more: Any) -> Any:
    return client.messages.create(**asked(content, model, **more))


def message() -> Any:
    reply = ask("Say hello", system="Be brief.")
    stopped = ask("one two three", stop_sequences=[" three"])
    return [
        reply.content[0].text, reply.stop_reason, (reply._request_id or "")[:4],
        stopped.content[0].text, stopped.stop_reason, stopped.stop_sequence,
    ]  # fmt: skip


def stream() -> Any:
    kinds = [event.type for event in ask("one two three", stream=True)]
    with client.messages.stream(**asked("one two three")) as events:
        text = "".join(events.text_stream)
        return [kinds[0], kinds[-1], text, events.get_final_message().usage.output_tokens]


def tools() -> Any:
    first = ask(QUESTION["content"], tools=[WEATHER], tool_choice={"type": "any"})
    (call,) = first.content
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"}
    history: Any = [QUESTION, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    final: Any = client.messages.create(model="sandbox/echo", max_tokens=200, messages=history, tools=[WEATHER])
    return [first.stop_reason, call.name, call.input, final.content[0].text]


def streamed_tools() -> Any:
    with client.messages.stream(**asked(QUESTION["content"], "sandbox/parallel-tools", tools=[WEATHER])) as events:
        return [block.input for block in events.get_final_message().content if block.type == "tool_use"]


def vision() -> Any:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    return "image/png, 70 bytes" in ask([image, {"type": "text", "text": "What is this?"}]).content[0].text


def schema() -> Any:
    parsed: Any = client.messages.parse(**asked("on day 14"), output_format=Event)
    return parsed.parsed_output.day


def thinking() -> Any:
    more = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}
    first = ask("think", "sandbox/reasoner", **more)
    history = [{"role": "user", "content": "think"}, {"role": "assistant", "content": first.content}]
    again: Any = {**asked("", "sandbox/reasoner", **more), "messages": [*history, {"role": "user", "content": "again"}]}
    return [[block.type for block in first.content], client.messages.create(**again).content[-1].text]


def count() -> Any:
    counted = client.messages.count_tokens(model="sandbox/echo", messages=[QUESTION], tools=[WEATHER])
    return counted.input_tokens > 3


def models() -> Any:
    page = client.models.list(limit=3)
    names = [model.id for model in page]
    return [len(names) > 3, "sandbox/echo" in names, client.models.retrieve("sandbox/echo").id]


def raised(call: Callable[[], Any]) -> list[Any]:
    try:
        reply = call()
        if not hasattr(reply, "id"):
            list(reply)
    except anthropic.APIStatusError as error:
        body: Any = error.body
        return [type(error).__name__, error.status_code, body["error"]["type"]]
    except anthropic.APIError as error:
        return [type(error).__name__]
    return ["nothing was raised"]


def errors() -> Any:
    found = {}
    for model in (*(f"sandbox/error-{status}" for status in (400, 404, 429, 500, 529)), "nobody/none"):
        found[model] = raised(lambda model=model: ask("x", model))
        assert found[model] == raised(lambda model=model: ask("x", model, stream=True)), model
    found["wrong key"] = raised(lambda: client.with_options(api_key="sk-getgpt-wrong").models.list())
    return found


def broken() -> Any:
    models = ("sandbox/cut", "sandbox/mid-stream-error")
    return [raised(lambda model=model: ask("one two three four", model, stream=True))[-1] for model in models]


calls = (message, stream, tools, streamed_tools, vision, schema, thinking, count, models, errors, broken)
print(json.dumps({"version": anthropic.__version__, **{call.__name__: call() for call in calls}}))
