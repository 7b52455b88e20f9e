"""Images and sound in an answer: kept for clients of every dialect that has words for them, and told of where lost."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from gateway.call import Meter
from gateway.dialects import bridge
from gateway.dialects.media import sound_type
from gateway.neutral.events import unfold
from gateway.neutral.features import ANSWERS, shown
from gateway.neutral.parts import Bytes, Media, Part, Seal, Text, Url
from gateway.neutral.reply import ChatReply, Choice, Finish
from gateway.neutral.request import ChatRequest, Message
from tests import made
from tests.matrix.replies import call, leg, through
from tests.shown import stream, whole

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
WAV = base64.b64encode(b"RIFF$\0\0\0WAVEfmt " + bytes(20)).decode()
SAMPLES = base64.b64encode(bytes(range(60))).decode()
IMAGE: Any = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
CALL: Any = {
    "id": "ig_1",
    "type": "image_generation_call",
    "status": "completed",
    "result": PNG,
    "output_format": "png",
}
MESSAGE: Any = {
    "id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
    "content": [{"type": "output_text", "text": "Here:", "annotations": []}],
}  # fmt: skip
ASKED: dict[str, Any] = {
    "chat": {"messages": [{"role": "user", "content": "hi"}]}, "responses": {"input": "hi"},
    "messages": {"max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    "completions": {"prompt": "hi"},
}  # fmt: skip


def chat(message: dict[str, Any]) -> Any:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": "stop"}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def chunk(delta: dict[str, Any], finish: str | None = None) -> Any:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def gemini(*parts: dict[str, Any]) -> Any:
    return {
        "candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3}, "responseId": "x",
    }  # fmt: skip


def response(*output: Any) -> Any:
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    return {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed", "output": list(output), "usage": usage}  # fmt: skip


PICTURE: Any = {"inlineData": {"mimeType": "image/png", "data": PNG}}
SOUND: Any = {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": SAMPLES}}
WHOLE: dict[tuple[str, str], tuple[Any, str]] = {
    ("chat", "image"): (chat({"content": "Here:", "images": [IMAGE]}), PNG),
    ("chat", "audio"): (chat({"audio": {"id": "audio_1", "data": WAV, "transcript": "Here:", "expires_at": 9}}), WAV),
    ("gemini", "image"): (gemini({"text": "Here:"}, PICTURE), PNG),
    ("gemini", "audio"): (gemini(SOUND), SAMPLES),
    ("responses", "image"): (response(MESSAGE, CALL), PNG),
}
"""(what a provider of a dialect answers, the medium in it)."""

STREAMED: dict[tuple[str, str], tuple[list[Any], str]] = {
    ("chat", "image"): ([chunk({"role": "assistant", "content": "Here:"}), chunk({"images": [IMAGE]}), chunk({}, "stop")], PNG),
    ("chat", "audio"): (
        [
            chunk({"role": "assistant", "audio": {"id": "audio_1", "transcript": "He"}}),
            chunk({"audio": {"data": SAMPLES[:40]}}), chunk({"audio": {"data": SAMPLES[40:], "transcript": "re:"}}),
            chunk({"audio": {"expires_at": 9}}), chunk({}, "stop"),
        ],
        SAMPLES,
    ),
    ("gemini", "image"): ([gemini({"text": "Here:"}) | {}, gemini(PICTURE)], PNG),
    ("gemini", "audio"): ([gemini(SOUND)], SAMPLES),
    ("responses", "image"): (
        [
            {"type": "response.created", "response": response() | {"status": "in_progress"}},
            {"type": "response.output_item.added", "output_index": 0, "item": {**CALL, "result": None}},
            {"type": "response.image_generation_call.partial_image", "output_index": 0, "partial_image_b64": "AAAA"},
            {"type": "response.output_item.done", "output_index": 0, "item": CALL},
            {"type": "response.completed", "response": response(CALL)},
        ],
        PNG,
    ),
}  # fmt: skip
del STREAMED["gemini", "image"][0][0]["candidates"][0]["finishReason"]
SHOWN = {"chat": {"image", "audio"}, "responses": {"image"}, "gemini": {"image", "audio"}, "messages": set[str]()}
PAIRS = [(*asked, client) for asked in WHOLE for client in SHOWN]


def expected(provider: str, kind: str, client: str, data: str) -> tuple[list[tuple[str, str]], list[str]]:
    """What the client must see, and what must be told as lost."""
    if kind in SHOWN[client] or provider == client:
        return [(kind, data)], []
    return [], [f"answer.{kind}=drop"]


@pytest.mark.parametrize(("provider", "kind", "client"), PAIRS)
def test_a_whole_answer(provider: str, kind: str, client: str) -> None:
    answer, data = WHOLE[provider, kind]
    meter = Meter()
    got = bridge.whole(call(client, ASKED[client]), leg(provider), json.dumps(answer).encode(), meter)
    assert (whole(client, json.loads(got)), meter.lost) == expected(provider, kind, client, data)
    assert meter.out_bytes >= len(data)


@pytest.mark.parametrize("as_one", [False, True], ids=["streamed", "answered whole"])
@pytest.mark.parametrize(("provider", "kind", "client"), PAIRS)
def test_a_stream(provider: str, kind: str, client: str, as_one: bool) -> None:
    frames, data = STREAMED[provider, kind]
    body = b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames)
    if provider == "chat":
        body += b"data: [DONE]\n\n"
    if as_one:
        answer, data = WHOLE[provider, kind]
        body = json.dumps(answer).encode()
    feed = through(bridge.feed(call(client, ASKED[client], stream=True), leg(provider), {}), body, random.Random(1))
    assert feed.fault is None and feed.tail is not None
    text = b"".join([*feed.out, feed.tail]).decode()
    assert (stream(client, text), feed.meter.lost) == expected(provider, kind, client, data)


def test_a_completion_says_words_only_and_tells_so() -> None:
    meter = Meter()
    answer, _ = WHOLE["gemini", "image"]
    asked = made.call("completions", "cmpl-1", b'{"model":"lab/m","prompt":"hi"}', bridge.SURFACES["completions"].ask({"model": "lab/m", "prompt": "hi"}))  # fmt: skip
    got = json.loads(bridge.whole(asked, leg("gemini"), json.dumps(answer).encode(), meter))
    assert got["choices"][0]["text"] == "Here:" and meter.lost == ["answer.image=drop"]


MEDIA = {
    "image": Media(kind="image", source=Bytes(base64=PNG), media_type="image/png"),
    "image_url": Media(kind="image", source=Url(url="https://example.com/SAMPLE.png")),
    "audio": Media(kind="audio", source=Bytes(base64=WAV), media_type="audio/wav"),
    "video": Media(kind="video", source=Bytes(base64=WAV), media_type="video/mp4"),
    "file": Media(kind="file", source=Bytes(base64=WAV), media_type="application/pdf"),
}


@pytest.mark.parametrize("name", list(bridge.SURFACES))
@pytest.mark.parametrize("kind", [one.name for one in ANSWERS])
def test_the_page_tells_what_each_dialect_shows(name: str, kind: str) -> None:
    """What `docs/translation.md` prints is what is written, whole and streamed."""
    part, surface = MEDIA[kind], bridge.SURFACES[name]
    assert shown(part) == kind
    choice = Choice(parts=(Text(text="Here:"), part), finish=Finish(reason="stop"))
    reply = ChatReply(id="x_1", model="m", created=1, choices=(choice,))
    writer = surface.writer(ASKED[name])
    mark = part.source.base64 if isinstance(part.source, Bytes) else "SAMPLE.png"
    assert (mark in json.dumps(surface.render_reply(reply, ASKED[name]))) is (kind in surface.SHOWS)
    assert (mark in b"".join(map(writer.write, unfold(reply))).decode()) is (kind in surface.SHOWS)


@pytest.mark.parametrize("name", list(bridge.NAMED))
def test_what_a_model_has_shown_is_never_lost_from_its_conversation(name: str) -> None:
    """Claude refuses an image in an assistant's turn, and others have no words for one: then the user hands it back."""
    said: tuple[Part, ...] = (Text(text="Here:"), MEDIA["image"])
    messages = (
        Message(role="user", parts=(Text(text="draw"),)), Message(role="assistant", parts=said),
        Message(role="user", parts=(Text(text="in blue"),)), Message(role="assistant", parts=(MEDIA["image"],)),
    )  # fmt: skip
    body = bridge.NAMED[name].render(ChatRequest(model="m", messages=messages), made.leg(name))
    turns = body.get("messages") or body.get("input") or body["contents"]
    holders = [turn["role"] for turn in turns for _ in range(json.dumps(turn).count(PNG))]
    assert holders == (["model", "model"] if name == "gemini" else ["user", "user"])
    if name != "gemini":
        assert json.dumps(turns[2]).index(PNG) < json.dumps(turns[2]).index("in blue")


def test_clients_send_back_the_images_that_they_were_shown() -> None:
    """Chat's as OpenRouter has them, beside the content, with the signature that Gemini wants to see again."""
    seal = Seal(origin="gemini", value="c2VhbA==")
    part = Media(kind="image", source=Bytes(base64=PNG), media_type="image/png", seal=seal)
    reply = ChatReply(id="x", model="m", created=1, choices=(Choice(parts=(part,), finish=Finish(reason="stop")),))
    message = bridge.DIALECTS["chat"].render_reply(reply, {})["choices"][0]["message"]
    asked = {"messages": [{"role": "user", "content": "draw"}, message, {"role": "user", "content": "in blue"}]}
    turn = bridge.request(call("chat", asked)).messages[1]
    assert turn.parts == (part,)
    sent = json.loads(bridge.encode(call("chat", asked), leg("gemini")))
    assert sent["contents"][1]["parts"] == [{**PICTURE, "thoughtSignature": "c2VhbA=="}]
    ask = call("chat", asked).ask
    assert ask.weight.images == 1 and ask.weight.text < len(PNG)


def test_what_the_answer_shall_be_made_of_is_said_where_it_can_be() -> None:
    asked = {
        "chat": {"modalities": ["image", "text"]},
        "gemini": {"generationConfig": {"responseModalities": ["IMAGE", "TEXT"]}},
    }
    for client, taken in (
        ("chat", leg("gemini")), ("gemini", leg("chat", provider="openrouter")),
        ("gemini", leg("chat", provider="openai-compatible")),
    ):  # fmt: skip
        one = call(client, {**ASKED[client], **asked[client]})
        assert bridge.screen(one, taken) == ()
        body = json.loads(bridge.encode(one, taken))
        assert {name: body.get(name) for name in asked[taken.dialect]} == asked[taken.dialect]
        for other in ("responses", "messages", "converse"):
            with pytest.raises(bridge.Refused) as refused:
                bridge.screen(one, leg(other))
            assert (
                refused.value.param == {"chat": "modalities", "gemini": "generationConfig.responseModalities"}[client]
            )
    with pytest.raises(bridge.Refused):  # of OpenAI's own Chat no images can be asked
        bridge.screen(call("gemini", {**ASKED["gemini"], **asked["gemini"]}), leg("chat"))
    spoken = call(
        "chat", {**ASKED["chat"], "modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
    )
    assert bridge.screen(spoken, leg("chat")) == ()
    with pytest.raises(bridge.Refused):  # each maker has voices of its own
        bridge.screen(spoken, leg("gemini"))
    plain = call("chat", {**ASKED["chat"], "modalities": ["text"]})
    assert bridge.screen(plain, leg("messages")) == ()
    smell = call("chat", {**ASKED["chat"], "modalities": ["text", "smell"]})
    assert bridge.screen(smell, leg("gemini")) == ("modalities=drop",)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"RIFF$\0\0\0WAVE", "audio/wav"), (b"ID3\x04", "audio/mpeg"), (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"\xff\xf3\x44\xc4", "audio/mpeg"), (b"OggS", "audio/ogg"), (b"fLaC\0", "audio/flac"),
        (b"\xff\xf1\x50\x80", "audio/aac"), (bytes(8), "audio/L16;codec=pcm;rate=24000"),
    ],
)  # fmt: skip
def test_sounds_are_known_by_their_heads(head: bytes, kind: str) -> None:
    assert sound_type(base64.b64encode(head + bytes(8)).decode()) == kind
