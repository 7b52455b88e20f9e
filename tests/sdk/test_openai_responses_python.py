"""The Responses API through the official OpenAI SDK, against a scripted provider behind a live gateway."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from gateway.dialects import openai_responses
from gateway.neutral.events import unfold
from gateway.neutral.parts import Reasoning, Text, ToolCall
from gateway.neutral.reply import ChatReply, Choice, Finish, Usage
from tests.conftest import PROVIDER_KEY, Lab
from tests.upstream import Asked, Script


@pytest.fixture
def client(responses_lab: Lab) -> Iterator[OpenAI]:
    gateway = responses_lab.gateway
    with OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0) as made:
        yield made


def said(*parts: Any, finish: Any = "stop", identity: str = "") -> ChatReply:
    return ChatReply(
        id=identity or f"resp_{uuid.uuid4().hex}", model="up-model", created=1_700_000_000,
        choices=(Choice(parts=parts, finish=Finish(reason=finish)),),
        usage=Usage(input=9, cached=4, output=5, reasoning=2),
    )  # fmt: skip


def whole(reply: ChatReply, **more: Any) -> Script:
    values = {**openai_responses.render_reply(reply, {}), "store": True, **more}
    del values["output_text"]
    return Script.json(values)


def streamed(reply: ChatReply) -> Script:
    writer = openai_responses.writer({})
    return Script.sse(*filter(None, (writer.write(event) for event in unfold(reply))))


def test_whole(client: OpenAI, responses_lab: Lab) -> None:
    model = responses_lab.model(whole(said(Reasoning(text="Hm.", summary=True), Text(text="Hello!"))))
    raw = client.responses.with_raw_response.create(model=model, input="Say hello", store=True)
    reply = raw.parse()
    assert reply.output_text == "Hello!" and reply.status == "completed" and reply.model == model
    assert reply.id.startswith("resp_") and reply.id == raw.headers["x-generation-id"]
    assert reply.usage and reply.usage.input_tokens_details.cached_tokens == 4
    assert json.loads(raw.text)["output_text"] == "Hello!", "as the reference shows it"
    receipt = responses_lab.gateway.get("/v1/generation", params={"id": reply.id}).json()["data"]
    assert receipt["tokens"]["cached_read"] == 4 and receipt["tokens"]["reasoning"] == 2
    assert receipt["finish_reason"] == "completed" and receipt["surface"] == "responses"
    assert receipt["upstream_id"] != reply.id


def test_stream(client: OpenAI, responses_lab: Lab) -> None:
    reply = said(Text(text="Hello, "), Text(text="world!"))
    model = responses_lab.model(streamed(reply))
    events = list(client.responses.create(model=model, input="go", stream=True))
    assert [event.type for event in events][:2] == ["response.created", "response.in_progress"]
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Hello, world!"
    last = events[-1]
    assert last.type == "response.completed" and last.response.id != reply.id and last.response.model == model
    assert last.response.output_text == "Hello, world!" and last.response.usage.output_tokens == 5
    assert [event.sequence_number for event in events] == list(range(len(events)))
    with client.responses.stream(model=responses_lab.model(streamed(reply)), input="go") as stream:
        assert stream.get_final_response().output_text == "Hello, world!"


def test_tools_to_the_end(client: OpenAI, responses_lab: Lab) -> None:
    calls = said(
        ToolCall(id="call_1", name="get_weather", arguments='{"city":"Paris"}'),
        ToolCall(id="call_2", name="note", arguments="free text", custom=True),
        finish="tool_calls",
    )
    tools: Any = [
        {"type": "function", "name": "get_weather", "parameters": {"type": "object"}, "strict": False},
        {"type": "custom", "name": "note"},
    ]
    for script in (whole(calls), streamed(calls)):
        model = responses_lab.model(script)
        asked: list[Any] = [{"role": "user", "content": "Weather in Paris?"}]
        if script.framing == "chunked":
            with client.responses.stream(model=model, input=asked, tools=tools) as stream:
                first: Any = stream.get_final_response()
        else:
            first = client.responses.create(model=model, input=asked, tools=tools)
        function, custom = first.output
        assert (function.call_id, json.loads(function.arguments)) == ("call_1", {"city": "Paris"})
        assert (custom.type, custom.call_id, custom.input) == ("custom_tool_call", "call_2", "free text")
        asked += [item.model_dump(exclude_none=True) for item in first.output]
        for item in asked[1:]:
            item.pop("parsed_arguments", None)
        asked += [
            {"type": "function_call_output", "call_id": "call_1", "output": "18 degrees"},
            {"type": "custom_tool_call_output", "call_id": "call_2", "output": "noted"},
        ]
        answer = responses_lab.model(whole(said(Text(text="It is 18 degrees."))))
        assert client.responses.create(model=answer, input=asked, tools=tools).output_text == "It is 18 degrees."
        sent = responses_lab.provider.of(answer.split("/", 1)[1])[0].json
        assert sent["input"] == asked and sent["tools"] == tools


class Answer(BaseModel):
    city: str
    degrees: int


def test_parse(client: OpenAI, responses_lab: Lab) -> None:
    model = responses_lab.model(whole(said(Text(text='{"city":"Paris","degrees":18}'))))
    reply = client.responses.parse(model=model, input="Weather?", text_format=Answer)
    assert reply.output_parsed == Answer(city="Paris", degrees=18)
    sent = responses_lab.provider.of(model.split("/", 1)[1])[0].json
    assert sent["text"]["format"]["type"] == "json_schema"


def test_errors(client: OpenAI, responses_lab: Lab, free_lab: Lab) -> None:
    error = {"error": {"message": "Bad tool.", "type": "invalid_request_error", "param": "tools", "code": "bad_tool"}}
    with pytest.raises(openai.BadRequestError, match="Bad tool") as bad:
        client.responses.create(model=responses_lab.model(Script.json(error, 400)), input="x")
    assert bad.value.param == "tools" and bad.value.body["provider_code"] == "bad_tool"  # type: ignore[index]
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="nobody/nothing", input="x")
    with pytest.raises(openai.BadRequestError, match="background") as bad:
        client.responses.create(model=free_lab.model(Script.json({})), input="x", background=True)
    assert bad.value.param == "background"
    with pytest.raises(openai.InternalServerError):
        client.responses.create(model=responses_lab.model(Script.json({"error": {"message": "x"}})), input="x")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-getgpt-wrong").responses.create(model="a/b", input="x")


def test_a_stream_that_breaks_is_raised(client: OpenAI, responses_lab: Lab) -> None:
    script = streamed(said(Text(text="Hello")))
    said_first = [piece for piece in script.pieces if isinstance(piece, bytes)][:4]
    for end, ending in (
        (b'event: error\ndata: {"type":"error","code":"server_error","message":"x"}\n\n', "keep"),
        (b"", "close"),
    ):
        model = responses_lab.model(Script.sse(*said_first, *filter(None, (end,)), ending=ending))
        with pytest.raises(openai.APIError, match="Retry") as error:
            list(client.responses.create(model=model, input="go", stream=True))
        assert error.value.body["type"] == "api_error"  # type: ignore[index]


def kept_by(lab: Lab, upstream_id: str) -> list[Asked]:
    """Make the provider answer about a response of its own, and nothing else; what it is asked."""
    asked: list[Asked] = []
    values = {**openai_responses.render_reply(said(Text(text="Hello!"), identity=upstream_id), {})}
    values |= {"previous_response_id": None}

    def answer(one: Asked) -> Script:
        path = one.path.partition("?")[0]
        if not path.startswith("/v1/responses/"):
            return lab.provider._by_model(one)
        asked.append(one)
        if path.split("/")[3] != upstream_id or len(asked) > 4:
            missing = f"Response with id '{upstream_id}' not found."
            return Script.json({"error": {"message": missing, "type": "invalid_request_error"}}, 404)
        if path.endswith("/input_items"):
            return Script.json({"object": "list", "data": [], "has_more": False, "first_id": "", "last_id": ""})
        if one.method == "DELETE":
            return Script.json({"id": upstream_id, "object": "response", "deleted": True})
        return Script.json(values)

    lab.provider.answer = answer
    return asked


def test_kept_responses_by_id(client: OpenAI, responses_lab: Lab) -> None:
    gateway, upstream_id = responses_lab.gateway, f"resp_{uuid.uuid4().hex}"
    model = responses_lab.model(whole(said(Text(text="Hello!"), identity=upstream_id)))
    mine = client.responses.create(model=model, input="Say hello").id
    asked = kept_by(responses_lab, upstream_id)
    got = client.responses.retrieve(mine, include=["message.output_text.logprobs"])
    assert (got.id, got.model, got.output_text) == (mine, model, "Hello!")
    assert client.responses.cancel(mine).id == mine
    assert client.responses.input_items.list(mine, limit=3, order="asc").data == []
    deleted = gateway.post(f"/v1/responses/{mine}", b"", headers={"X-HTTP-Method-Override": "DELETE"})
    assert deleted.status_code == 405, "methods are meant as they are"
    client.responses.delete(mine)
    assert [one.method for one in asked] == ["GET", "POST", "GET", "DELETE"]
    assert asked[0].path == f"/v1/responses/{upstream_id}?include%5B%5D=message.output_text.logprobs"
    assert asked[2].path == f"/v1/responses/{upstream_id}/input_items?limit=3&order=asc"
    assert all(one.headers["authorization"] == f"Bearer {PROVIDER_KEY}" for one in asked)
    with pytest.raises(openai.NotFoundError, match=mine) as gone:
        client.responses.retrieve(mine)
    assert upstream_id not in str(gone.value), "its maker's name for it is none of the caller's"
    with pytest.raises(openai.BadRequestError, match="stream"):
        list(client.responses.retrieve(mine, stream=True))


def test_unknown_and_foreign_ids_look_the_same(client: OpenAI, responses_lab: Lab) -> None:
    gateway, upstream_id = responses_lab.gateway, f"resp_{uuid.uuid4().hex}"
    model = responses_lab.model(whole(said(Text(text="Hello!"), identity=upstream_id)))
    mine = client.responses.create(model=model, input="Say hello").id
    unkept = client.responses.create(model=model, input="Say hello", store=False).id
    asked = kept_by(responses_lab, upstream_id)
    _, other = gateway.account("1")
    messages = set()
    for key, identity in ((other, mine), (other, "resp_none"), (gateway.key, upstream_id), (gateway.key, unkept)):
        for method, below in (("get", ""), ("get", "/input_items"), ("post", "/cancel")):
            path = f"/v1/responses/{identity}{below}"
            answer = gateway.get(path, key) if method == "get" else gateway.post(path, b"", key)
            assert answer.status_code == 404
            messages.add(answer.json()["error"]["message"].replace(identity, "ID"))
        body = {"model": model, "input": "and now?", "previous_response_id": identity}
        refused = gateway.post("/v1/responses", body, key)
        assert refused.status_code == 404 and refused.json()["error"]["param"] == "previous_response_id"
    assert len(messages) == 1 and not asked


def test_previous_response(client: OpenAI, responses_lab: Lab) -> None:
    upstream_id = f"resp_{uuid.uuid4().hex}"
    first = responses_lab.model(whole(said(Text(text="I am Bo."), identity=upstream_id)))
    mine = client.responses.create(model=first, input="Who are you?").id
    second = responses_lab.model(whole(said(Text(text="Bo, as I said.")), previous_response_id=upstream_id))
    reply = client.responses.create(model=second, input="Again?", previous_response_id=mine)
    sent = responses_lab.provider.of(second.split("/", 1)[1])[0].json
    assert sent["previous_response_id"] == upstream_id and reply.previous_response_id == mine
    responses_lab.provider.answer = lambda one: Script.json(
        {
            **openai_responses.render_reply(said(Text(text="x"), identity="resp_z"), {}),
            "previous_response_id": upstream_id,
        }
    )
    assert client.responses.retrieve(reply.id).previous_response_id == mine


@pytest.fixture(autouse=True)
def by_model(responses_lab: Lab) -> Iterator[None]:
    yield
    responses_lab.provider.answer = responses_lab.provider._by_model


def test_input_tokens(client: OpenAI, responses_lab: Lab, free_lab: Lab) -> None:
    model = responses_lab.model(Script.json({"object": "response.input_tokens", "input_tokens": 51}))
    counted = client.responses.input_tokens.with_raw_response.count(model=model, input="How many?")
    assert counted.parse().input_tokens == 51 and "x-gateway-estimated" not in counted.headers
    assert responses_lab.provider.last().path == "/v1/responses/input_tokens"
    missing = responses_lab.model(Script.json({"detail": "Not Found"}, 404))
    for unable in (missing, free_lab.model(Script.json({})), "sandbox/echo"):
        guessed = client.responses.input_tokens.with_raw_response.count(model=unable, input="x" * 400)
        assert 100 <= guessed.parse().input_tokens <= 110 and guessed.headers["x-gateway-estimated"] == "1"
    with pytest.raises(openai.NotFoundError):
        client.responses.input_tokens.count(model="nobody/nothing", input="x")


def test_compact(client: OpenAI, responses_lab: Lab, free_lab: Lab) -> None:
    values = {
        "id": "resp_c", "object": "response.compaction", "created_at": 1, "usage": {"input_tokens": 7, "output_tokens": 3},
        "output": [{"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAA"}],
    }  # fmt: skip
    model = responses_lab.model(Script.json(values))
    done = client.responses.with_raw_response.compact(model=model, input="So much said.")
    body = json.loads(done.text)
    assert body == {**values, "id": done.headers["x-generation-id"]}
    assert responses_lab.provider.last().path == "/v1/responses/compact"
    receipt = responses_lab.gateway.get("/v1/generation", params={"id": body["id"]}).json()["data"]
    assert receipt["tokens"]["input"] == 7 and receipt["surface"] == "responses.compact"
    with pytest.raises(openai.BadRequestError, match="compact"):
        client.responses.compact(model=free_lab.model(Script.json({})), input="x")
