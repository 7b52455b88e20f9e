"""What users of Google's SDK for Python write, of any generation; prints what came of it as JSON.

Run by test_generations.py with another version first in PYTHONPATH, so nothing but the SDK is imported here.
Annotations stay what they are: older versions read those of functions that are tools, and know no strings.
"""

import base64
import json
import os
from collections.abc import Callable
from typing import Any

from google import genai
from google.genai import errors as sdk_errors
from google.genai import types
from pydantic import BaseModel

URL, KEY = os.environ["URL"], os.environ["KEY"]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
QUESTION = types.Content(role="user", parts=[types.Part(text="What is the weather in Paris?")])
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = types.FunctionDeclaration(name="get_weather", description="The weather", parameters_json_schema=PARAMETERS)

client = genai.Client(api_key=KEY, vertexai=False, http_options=types.HttpOptions(base_url=URL))


class Event(BaseModel):
    day: int


def ask(contents: Any, model: str = "sandbox/echo", **config: Any) -> Any:
    return client.models.generate_content(model=model, contents=contents, config=types.GenerateContentConfig(**config))


def streamed(contents: Any, model: str = "sandbox/echo", **config: Any) -> list[Any]:
    made = types.GenerateContentConfig(**config)
    return list(client.models.generate_content_stream(model=model, contents=contents, config=made))


def content() -> Any:
    reply = ask("Say hello", system_instruction="Be brief.", temperature=0.2)
    cut = ask("one two three", max_output_tokens=2)
    return [reply.text, reply.candidates[0].finish_reason.name, cut.text, cut.candidates[0].finish_reason.name]


def stream() -> Any:
    chunks = streamed("one two three four")
    return [len(chunks) > 2, "".join(c.text or "" for c in chunks), chunks[-1].usage_metadata.candidates_token_count]


def tools() -> Any:
    offered: Any = {
        "tools": [types.Tool(function_declarations=[WEATHER])],
        "automatic_function_calling": types.AutomaticFunctionCallingConfig(disable=True),
    }
    mode: Any = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
    first = ask([QUESTION], tool_config=types.ToolConfig(function_calling_config=mode), **offered)
    (call,) = first.function_calls
    result = types.Part.from_function_response(name=call.name, response={"output": "18 degrees"})
    final = ask([QUESTION, first.candidates[0].content, types.Content(role="user", parts=[result])], **offered)
    parallel = streamed([QUESTION], "sandbox/parallel-tools", **offered)
    return [call.name, call.args, final.text, [call.args for c in parallel for call in c.function_calls or []]]


def automatic() -> Any:
    def get_weather(city: str) -> str:
        """The weather of a city."""
        return f"sun in {city}"

    return "sun in Paris" in ask([QUESTION], tools=[get_weather]).text


def chat() -> Any:
    talk = client.chats.create(model="sandbox/echo")
    first = talk.send_message("hello there").text
    return [first, "".join(chunk.text or "" for chunk in talk.send_message_stream("and again"))]


def vision() -> Any:
    image = types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    return "image/png, 70 bytes" in ask(["What is this?", image]).text


def schema() -> Any:
    typed = ask("on day 14", response_mime_type="application/json", response_schema=Event).parsed
    plain = ask("on day 14", response_mime_type="application/json", response_json_schema=Event.model_json_schema())
    return [typed.day, json.loads(plain.text)]


def thinking() -> Any:
    config = types.ThinkingConfig(include_thoughts=True, thinking_budget=128)
    reply = ask("think", "sandbox/reasoner", thinking_config=config)
    return [[bool(part.thought) for part in reply.candidates[0].content.parts], reply.text]


def count() -> Any:
    return (client.models.count_tokens(model="sandbox/echo", contents="How many are these?").total_tokens or 0) > 3


def embeddings() -> Any:
    config = types.EmbedContentConfig(output_dimensionality=16)
    two = client.models.embed_content(model="sandbox/embed", contents=["a cat", "a dog"], config=config).embeddings
    one = client.models.embed_content(model="sandbox/embed", contents="a dog", config=config).embeddings
    return [[len(each.values or ()) for each in two or ()], bool(two and one) and two[1].values == one[0].values]


def models() -> Any:
    names = [model.name for model in client.models.list(config={"page_size": 3})]
    return [len(names) > 3, "models/sandbox/echo" in names, client.models.get(model="sandbox/echo").name]


def raised(call: Callable[[], Any]) -> list[Any]:
    try:
        call()
    except sdk_errors.APIError as error:
        return [type(error).__name__, error.code, error.status]
    return ["nothing was raised"]


def errors() -> Any:
    found = {}
    for model in (*(f"sandbox/error-{status}" for status in (400, 404, 429, 500, 503)), "nobody/none"):
        found[model] = raised(lambda model=model: ask("x", model))
        assert found[model] == raised(lambda model=model: streamed("x", model)), model
    stranger = genai.Client(api_key="sk-wrong", vertexai=False, http_options=types.HttpOptions(base_url=URL))
    found["wrong key"] = raised(lambda: stranger.models.generate_content(model="sandbox/echo", contents="x"))
    return found


def broken() -> Any:
    models = ("sandbox/cut", "sandbox/mid-stream-error")
    return [raised(lambda model=model: streamed("one two three four", model)) for model in models]


calls = (
    content, stream, tools, automatic, chat, vision, schema, thinking, count, embeddings, models, errors, broken,
)  # fmt: skip
print(json.dumps({"version": genai.__version__, **{call.__name__: call() for call in calls}}))
