"""Images in answers as official SDKs of other dialects see them, and how a loss is told, on a live gateway."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import anthropic
import pytest
from google import genai
from google.genai import types
from openai import OpenAI
from PIL import Image

from tests.conftest import Lab
from tests.dialects.test_shown import chat, chunk
from tests.live.test_images import png
from tests.live.test_streams import DONE
from tests.upstream import Script

PICTURE: Any = {
    "type": "image_url",
    "image_url": {"url": "data:image/png;base64," + base64.b64encode(png(40, 30)).decode()},
}
WHOLE = {**chat({"content": "Here:", "images": [PICTURE]}), "usage": {"prompt_tokens": 5, "completion_tokens": 9}}
FRAMES = (chunk({"role": "assistant", "content": "Here:"}), chunk({"images": [PICTURE]}), chunk({}, "stop"))


def streamed() -> Script:
    return Script.sse(*(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in FRAMES), DONE)


def seen(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.size


def losses(lab: Lab, identity: str) -> list[str]:
    found: list[str] = lab.gateway.get("/v1/generation", params={"id": identity}).json()["data"]["losses"]
    return found


def test_clients_of_gemini_and_responses_open_what_a_chat_model_drew(free_lab: Lab) -> None:
    options = types.HttpOptions(base_url=free_lab.gateway.url)
    client = genai.Client(api_key=free_lab.gateway.key, http_options=options)
    wanted = types.GenerateContentConfig(response_modalities=["TEXT", "IMAGE"])
    model = free_lab.model(Script.json(WHOLE))
    answer = client.models.generate_content(model=model, contents="draw", config=wanted)
    assert free_lab.provider.last().json["modalities"] == ["text", "image"]
    told, drawn = answer.candidates[0].content.parts  # type: ignore[index,union-attr,misc]
    assert told.text == "Here:" and drawn.inline_data is not None
    assert (drawn.inline_data.mime_type, seen(drawn.inline_data.data or b"")) == ("image/png", (40, 30))
    chunks = client.models.generate_content_stream(model=free_lab.model(streamed()), contents="draw", config=wanted)
    pieces = [part for one in chunks for part in one.candidates[0].content.parts]  # type: ignore[index,union-attr]
    assert [seen(part.inline_data.data or b"") for part in pieces if part.inline_data] == [(40, 30)]
    with OpenAI(base_url=free_lab.gateway.base_url, api_key=free_lab.gateway.key, max_retries=0) as other:
        made = other.responses.create(model=free_lab.model(Script.json(WHOLE)), input="draw")
        call = next(item for item in made.output if item.type == "image_generation_call")
        assert made.output_text == "Here:" and seen(base64.b64decode(call.result or "")) == (40, 30)
        *_, last = other.responses.create(model=free_lab.model(streamed()), input="draw", stream=True)
        assert last.type == "response.completed"
        (call,) = [item for item in last.response.output if item.type == "image_generation_call"]
        assert seen(base64.b64decode(call.result or "")) == (40, 30)


def test_a_client_that_can_be_shown_none_is_told_so(free_lab: Lab) -> None:
    with anthropic.Anthropic(base_url=free_lab.gateway.url, api_key=free_lab.gateway.key, max_retries=0) as client:
        asked: Any = {"max_tokens": 50, "messages": [{"role": "user", "content": "draw"}]}
        answer = client.messages.with_raw_response.create(model=free_lab.model(Script.json(WHOLE)), **asked)
        message = answer.parse()
        assert [block.type for block in message.content] == ["text"]
        assert answer.headers["x-gateway-losses"] == "answer.image=drop"
        assert losses(free_lab, message.id) == ["answer.image=drop"]
        with client.messages.stream(model=free_lab.model(streamed()), **asked) as stream:
            final = stream.get_final_message()
        assert [block.type for block in final.content] == ["text"] and losses(free_lab, final.id) == [
            "answer.image=drop"
        ]


@pytest.mark.parametrize("kind", ["messages_lab", "responses_lab"])
def test_who_cannot_make_images_is_not_asked_for_one(kind: str, request: pytest.FixtureRequest) -> None:
    lab: Lab = request.getfixturevalue(kind)
    before = len(lab.provider.asked)
    refused = lab.gateway.chat(lab.model(Script.json(WHOLE)), modalities=["image", "text"])
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "modalities")
    assert len(lab.provider.asked) == before
