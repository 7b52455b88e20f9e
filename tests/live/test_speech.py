"""Speech as clients see it, on a live gateway: the sandbox's voice, what providers send, and the money."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import time
import uuid
import wave
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from openai import OpenAI

from gateway.modalities import duration
from tests.conftest import PROVIDER_KEY, Lab
from tests.gateway import Gateway
from tests.recorded.cassettes import interactions
from tests.upstream import Asked, Script, upstream

TEXT = "Hello from the gateway. Is it number 5? Grüße!"
FORMATS = {
    "wav": "audio/wav", "pcm": "audio/pcm", "flac": "audio/flac", "mp3": "audio/mpeg", "opus": "audio/ogg",
    "aac": "audio/aac",
}  # fmt: skip
CHARACTER = Decimal("0.000015")


def speak(gateway: Gateway, model: str = "sandbox/tts", key: str | None = None, **body: Any) -> requests.Response:
    return gateway.post("/v1/audio/speech", {"model": model, "input": TEXT, "voice": "alloy", **body}, key)


def receipt(gateway: Gateway, answer: requests.Response, key: str | None = None) -> dict[str, Any]:
    """The receipt of a call, once it is written."""
    for _ in range(100):
        found = gateway.get("/v1/generation", key, params={"id": answer.headers["x-generation-id"]})
        if found.status_code == 200:
            data: dict[str, Any] = json.loads(found.text, parse_float=Decimal)["data"]
            return data
        time.sleep(0.1)
    raise AssertionError("no receipt")


@pytest.fixture(scope="module")
def voices(sqlite_gateway: Gateway) -> Iterator[Lab]:
    """A scripted provider whose model `tts` is sold by the character and all others by tokens."""
    with upstream() as provider:
        name = f"voice-{uuid.uuid4().hex[:8]}"
        sqlite_gateway.cli(
            "channels", "add", "--provider", "openai-compatible", "--name", name, "--base-url", provider.base_url,
            "--key", PROVIDER_KEY,
        )  # fmt: skip
        sqlite_gateway.cli("prices", "set", f"{name}/tts", "--unit", f"character={CHARACTER}")
        sqlite_gateway.cli("prices", "set", f"{name}/*", "--input-mtok", "0.6", "--output-mtok", "12")
        sqlite_gateway.settle_in()
        yield Lab(sqlite_gateway, provider, name)
        sqlite_gateway.cli("channels", "disable", name)


@pytest.mark.parametrize("form", list(FORMATS))
def test_the_sandbox_speaks_in_each_format(sqlite_gateway: Gateway, tmp_path: Path, form: str) -> None:
    if form in ("opus", "aac") and not shutil.which("ffmpeg"):
        refused = speak(sqlite_gateway, response_format=form)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "response_format")
        assert "wav, pcm, flac" in refused.json()["error"]["message"]
        pytest.skip(f"no ffmpeg: {form} is refused")
    client = OpenAI(api_key=sqlite_gateway.key, base_url=sqlite_gateway.base_url)
    file = tmp_path / f"speech.{form}"
    with client.audio.speech.with_streaming_response.create(
        model="sandbox/tts", voice="alloy", input=TEXT, response_format=form
    ) as answer:
        assert answer.headers["content-type"] == FORMATS[form]
        answer.stream_to_file(file)
    sound = file.read_bytes()
    if form == "pcm":
        assert len(sound) % 2 == 0 and 1 < len(sound) / 48_000 < 30
        return
    if form == "wav":
        with wave.open(io.BytesIO(sound)) as read:
            assert read.getsampwidth() == 2 and read.getnchannels() == 1
            samples = read.readframes(read.getnframes())
            assert len(samples) == 2 * read.getnframes() and len(set(samples)) > 100  # it can be heard
    if shutil.which("ffprobe") is None:
        pytest.skip(f"no ffprobe: {form} is not opened")
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "format=duration:stream=codec_name", "-of", "json", str(file)],
        check=True, capture_output=True,
    )  # fmt: skip
    seen = json.loads(told.stdout)
    codecs = {"wav": "pcm_s16le", "flac": "flac", "mp3": "mp3", "opus": "opus", "aac": "aac"}
    assert seen["streams"][0]["codec_name"] == codecs[form] and not told.stderr
    assert float(seen["format"]["duration"]) == pytest.approx(duration.of(sound) or 0, rel=0.1)


def test_speed_and_voice_are_heard(sqlite_gateway: Gateway) -> None:
    usual, fast, other = (
        speak(sqlite_gateway, response_format="pcm", **more).content for more in ({}, {"speed": 2}, {"voice": "onyx"})
    )
    assert len(fast) < 0.7 * len(usual) and other != usual


def test_events_hold_the_sound_and_its_usage(sqlite_gateway: Gateway) -> None:
    bare = speak(sqlite_gateway, response_format="wav").content
    answer = speak(sqlite_gateway, model="sandbox/echo", response_format="wav", stream_format="sse")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(frame[6:]) for frame in answer.text.split("\n\n") if frame.startswith("data: ")]
    assert b"".join(base64.b64decode(one["audio"]) for one in events[:-1]) == bare
    usage = events[-1]["usage"]
    assert events[-1]["type"] == "speech.audio.done"
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0
    told = receipt(sqlite_gateway, answer)
    assert (told["tokens"]["input"], told["tokens"]["audio_out"]) == (usage["input_tokens"], usage["output_tokens"])
    assert told["usage_source"] == "reported" and told["surface"] == "speech"


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"input": ""}, "input"), ({"input": 5}, "input"), ({"input": "x" * 4_097}, "input"), ({"speed": 9}, "speed"),
        ({"stream_format": "x"}, "stream_format"), ({"response_format": "ape"}, "response_format"),
        ({"voice": 5}, "voice"), ({"model": "sandbox/tool"}, "model"), ({"model": "sandbox/stt"}, "model"),
    ],
)  # fmt: skip
def test_wrong_bodies_name_the_field(sqlite_gateway: Gateway, wrong: dict[str, Any], param: str) -> None:
    answer = speak(sqlite_gateway, **wrong)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_money_by_the_character(gateway: Gateway) -> None:
    _, key = gateway.account("0.05")
    answer = speak(gateway, key=key, response_format="pcm")
    assert answer.status_code == 200
    told = receipt(gateway, answer, key)
    assert told["units"] == {"character": len(TEXT)} and told["cost"] == {"character": len(TEXT) * CHARACTER}
    assert (told["cost_usd"], told["usage_source"], told["overrun"]) == (len(TEXT) * CHARACTER, "reported", False)
    left = gateway.credits(key)
    assert left["held"] == 0 and left["balance"] == Decimal("0.05") - len(TEXT) * CHARACTER
    assert speak(gateway, key=key, input="x" * 4_000).status_code == 402
    for model, status in (("sandbox/error-500", 500), ("sandbox/error-429", 429), ("sandbox/none", 404)):
        assert speak(gateway, model, key, response_format="pcm").status_code == status
    assert gateway.credits(key) == left and gateway.books()["ok"]


def test_bytes_go_out_as_they_come_and_who_leaves_pays_for_what_was_said(voices: Lab) -> None:
    """The provider says two seconds of sound and falls silent; the client has them, and leaves."""
    _, key = voices.gateway.account("1")
    sound = bytes(range(256)) * 375
    headers = {"content-type": "audio/pcm"}
    voices.provider.answer = lambda asked: Script(200, headers, [sound, 30.0, b"never"], "chunked")
    for model, price in (("tts", len(TEXT) * CHARACTER), ("gpt-4o-mini-tts", None)):
        asked = {"model": f"{voices.name}/{model}", "input": TEXT, "response_format": "pcm"}
        answer = voices.gateway.post("/v1/audio/speech", asked, key, stream=True)
        came = b""
        while len(came) < len(sound) - 1:  # the last byte waits: nobody knows yet that it is not the last of all
            came += answer.raw.read1(65_536)
        assert came == sound[:-1] and answer.headers["content-type"] == "audio/pcm"
        answer.close()
        told = receipt(voices.gateway, answer, key)
        assert told["status"] == 499 and told["partial"]
        tokens = told["tokens"]
        spoken = Decimal("0.0000006") * tokens["input"] + Decimal("0.000012") * tokens.get("audio_out", 0)
        assert told["cost_usd"] == (price or spoken) > 0
        if price is None:
            assert tokens["audio_out"] == 42 and told["usage_source"] == "estimated"  # 21 a second
        assert voices.provider.last().json["model"] == model
    assert voices.gateway.credits(key)["held"] == 0 and voices.gateway.books()["ok"]


def test_who_breaks_off_is_cut_off(voices: Lab) -> None:
    """A client never takes a broken sound for a whole one, and pays for what came."""
    _, key = voices.gateway.account("1")
    voices.provider.answer = lambda asked: Script(
        200, {"content-type": "audio/pcm"}, [b"x" * 9_000], "chunked", "reset"
    )
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        speak(voices.gateway, f"{voices.name}/other", key, response_format="pcm")
    asked = {"model": f"{voices.name}/other", "input": TEXT, "response_format": "pcm"}
    answer = voices.gateway.post("/v1/audio/speech", asked, key, stream=True)
    assert answer.status_code == 200
    told = receipt(voices.gateway, answer, key)
    assert told["partial"] and told["status"] == 502 and told["cost_usd"] > 0
    assert len(told["attempts"]) == 1 and voices.gateway.credits(key)["held"] == 0


def test_until_the_first_byte_another_may_answer(voices: Lab) -> None:
    bad = [
        Script.json({"error": {"message": "down"}}, 500), Script(200, {"content-type": "audio/mpeg"}, []),
        Script(200, {"content-type": "text/html"}, [b"<html>"]),
        Script(200, {"content-type": "audio/mpeg"}, [], "chunked", "reset"),
    ]  # fmt: skip
    for script in bad:

        def answer(asked: Asked, script: Script = script) -> Script:
            return script if asked.json["model"] == "bad" else Script(200, {"content-type": "audio/mpeg"}, [b"sound"])

        voices.provider.answer = answer
        models = [f"{voices.name}/bad", f"{voices.name}/good"]
        made = speak(voices.gateway, models[0], models=models)
        assert made.status_code == 200 and made.content == b"sound" and made.headers["content-type"] == "audio/mpeg"
        assert made.headers["x-gateway-upstream-model"] == "good"
    voices.provider.answer = lambda asked: bad[0]
    failed = speak(voices.gateway, f"{voices.name}/bad")
    assert failed.status_code == 500 and failed.headers["content-type"] == "application/json"
    voices.provider.answer = lambda asked: Script.json({"error": {"message": "no such voice", "param": "voice"}}, 400)
    failed = speak(voices.gateway, f"{voices.name}/x").json()["error"]
    assert (failed["message"], failed["param"]) == ("no such voice", "voice")


EVENTS = [
    b'data: {"type":"speech.audio.delta","audio":"AAEC"}\n\n', b'data: {"type":"speech.audio.delta","audio":"AwQ="}\n\n',
    b'data: {"type":"speech.audio.done","usage":{"input_tokens":2,"output_tokens":20,"total_tokens":22}}\n\n',
]  # fmt: skip


@pytest.mark.parametrize("asked", ["audio", "sse"])
@pytest.mark.parametrize("sent", ["audio", "sse", "json"])
def test_however_it_comes_the_client_gets_what_it_asked_for(voices: Lab, asked: str, sent: str) -> None:
    sound = bytes(range(5))
    voices.provider.answer = lambda _: {
        "audio": Script(200, {"content-type": "audio/mpeg"}, [sound[:3], sound[3:]], "chunked"),
        "sse": Script.sse(*EVENTS),
        "json": Script.json({"audio_data": base64.b64encode(sound).decode()}),  # Mistral's
    }[sent]
    answer = speak(voices.gateway, f"{voices.name}/x", stream_format=asked, response_format="mp3")
    assert answer.status_code == 200
    if asked == "audio":
        assert answer.content == sound and answer.headers["content-type"] == "audio/mpeg"
    elif sent == "sse":
        assert answer.content == b"".join(EVENTS)
    else:
        events = [json.loads(frame[6:]) for frame in answer.text.split("\n\n") if frame.startswith("data: ")]
        assert b"".join(base64.b64decode(one["audio"]) for one in events[:-1]) == sound
        assert events[-1]["type"] == "speech.audio.done" and events[-1]["usage"]["output_tokens"] >= 0
    told = receipt(voices.gateway, answer)
    assert told["usage_source"] == ("reported" if sent == "sse" else "estimated")
    if sent == "sse":
        assert told["cost_usd"] == Decimal("0.0000006") * 2 + Decimal("0.000012") * 20


def test_an_answer_that_its_caller_named_is_told_again(voices: Lab) -> None:
    name = {"Idempotency-Key": uuid.uuid4().hex}
    sound = b":" + bytes(99)  # what looks like a comment is sound here
    voices.provider.answer = lambda asked: Script(200, {"content-type": "audio/flac"}, [sound[:50], sound[50:]])
    body = {"model": f"{voices.name}/x", "input": TEXT}
    first, again = (voices.gateway.post("/v1/audio/speech", body, headers=name) for _ in range(2))
    assert first.content == again.content == sound and again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["content-type"] == "audio/flac"


@pytest.fixture(scope="module")
def google(sqlite_gateway: Gateway) -> Iterator[Lab]:
    """A fake of Google's, written from its public documentation: https://ai.google.dev/gemini-api/docs/speech-generation."""
    with upstream() as provider:
        name = f"goo-{uuid.uuid4().hex[:6]}"
        sqlite_gateway.cli(
            "channels", "add", "--provider", "gemini-compatible", "--name", name, "--base-url", provider.url,
            "--key", PROVIDER_KEY,
        )  # fmt: skip
        sqlite_gateway.cli("prices", "set", f"{name}/*", "--input-mtok", "0.5", "--output-mtok", "10")
        sqlite_gateway.settle_in()
        yield Lab(sqlite_gateway, provider, name)
        sqlite_gateway.cli("channels", "disable", name)


SAMPLES = bytes(range(250)) * 96


def _googles(asked: Asked) -> Script:
    data = {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": base64.b64encode(SAMPLES).decode()}
    return Script.json({
        "candidates": [{"content": {"role": "model", "parts": [{"inlineData": data}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 13, "totalTokenCount": 20},
    })  # fmt: skip


def test_google_speaks_wav_and_pcm(google: Lab) -> None:
    google.provider.answer = _googles
    model = f"{google.name}/gemini-2.5-flash-preview-tts"
    answer = speak(google.gateway, model, instructions="Say cheerfully", speed=1.5)
    assert answer.status_code == 200 and answer.headers["content-type"] == "audio/wav"
    assert set(answer.headers["x-gateway-losses"].split(", ")) == {"speed=drop", "voice=drop"}
    with wave.open(io.BytesIO(answer.content)) as read:
        assert (read.getframerate(), read.getnchannels()) == (24_000, 1)
        assert read.readframes(read.getnframes()) == SAMPLES
    asked = google.provider.last()
    assert asked.path == "/v1beta/models/gemini-2.5-flash-preview-tts:generateContent"
    assert asked.json == {
        "contents": [{"role": "user", "parts": [{"text": f"Say cheerfully:\n{TEXT}"}]}],
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
        },
    }
    assert receipt(google.gateway, answer)["cost_usd"] == Decimal("0.0000005") * 7 + Decimal("0.00001") * 13
    bare = speak(google.gateway, model, response_format="pcm", voice="Puck")
    assert bare.content == SAMPLES and bare.headers["content-type"] == "audio/pcm"
    voice = google.provider.last().json["generationConfig"]["speechConfig"]["voiceConfig"]
    assert voice == {"prebuiltVoiceConfig": {"voiceName": "Puck"}}
    events = speak(google.gateway, model, response_format="pcm", stream_format="sse").text.split("\n\n")
    told = [json.loads(frame[6:]) for frame in events if frame]
    assert b"".join(base64.b64decode(one["audio"]) for one in told[:-1]) == SAMPLES
    assert told[-1]["usage"] == {"input_tokens": 7, "output_tokens": 13, "total_tokens": 20}


def test_what_google_cannot_say_is_refused_before_anything_is_sent(google: Lab) -> None:
    before = len(google.provider.asked)
    for model, body, param in (
        ("gemini-2.5-flash-preview-tts", {"response_format": "mp3"}, "response_format"),
        ("gemini-2.5-flash", {}, "model"),
    ):
        refused = speak(google.gateway, f"{google.name}/{model}", **body)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    strict = google.gateway.post(
        "/v1/audio/speech",
        {"model": f"{google.name}/x-tts", "input": "x", "speed": 2}, headers={"x-gateway-strict": "1"},
    )  # fmt: skip
    assert (strict.status_code, strict.json()["error"]["param"]) == (400, "speed")
    assert len(google.provider.asked) == before
    for said in ({"promptFeedback": {"blockReason": "SAFETY"}}, {"candidates": [{"finishReason": "SAFETY"}]}):
        google.provider.answer = lambda asked, said=said: Script.json(said)
        blocked = speak(google.gateway, f"{google.name}/x-tts")
        assert (blocked.status_code, blocked.json()["error"]["provider_code"]) == (400, "SAFETY"), blocked.text
    google.provider.answer = lambda asked: Script.json({"candidates": [{"finishReason": "OTHER"}]})
    assert speak(google.gateway, f"{google.name}/x-tts").status_code == 502


def test_recorded_speech_passes(voices: Lab, shared: Path) -> None:
    tried = 0
    for name, one in interactions(shared, "openai-audio", "speech"):
        payload = one["payload"]
        pieces = [block.encode() for block in payload] if one["kind"] == "sse" else [payload[:99], payload[99:]]
        headers = {"content-type": one["response"]["headers"]["content-type"]}
        voices.provider.answer = lambda _, pieces=pieces, headers=headers: Script(200, headers, pieces, "chunked")
        sent = one["request"]["json"]
        answer = voices.gateway.post("/v1/audio/speech", {**sent, "model": f"{voices.name}/{sent['model']}"})
        assert answer.content == b"".join(pieces), name
        assert answer.headers["content-type"] == headers["content-type"]
        assert voices.provider.last().json == sent and voices.provider.last().path == one["request"]["path"]
        tried += 1
    print(f"recorded speech: {tried} tried")
    assert tried >= 2
