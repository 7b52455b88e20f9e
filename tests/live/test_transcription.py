"""Transcription and translation as clients see them, on a live gateway: forms and JSON, whole and streamed, and the
money."""

from __future__ import annotations

import base64
import io
import json
import shutil
import uuid
import wave
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from openai import OpenAI

from gateway.bodies import FormReader, Upload, boundary
from tests.conftest import PROVIDER_KEY, Lab
from tests.gateway import Gateway
from tests.live.test_speech import TEXT, receipt, speak
from tests.recorded.cassettes import interactions, script
from tests.upstream import Asked, Script, upstream


def sound(seconds: float) -> bytes:
    """A wav of so many seconds."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(2 * int(8_000 * seconds)))
    return made.getvalue()


WAV = sound(3.7)


def hear(
    gateway: Gateway, model: str = "sandbox/stt", key: str | None = None, *, file: Any = WAV, path: str = "transcriptions",
    **fields: Any,
) -> requests.Response:  # fmt: skip
    return requests.post(
        f"{gateway.base_url}/audio/{path}", data={"model": model, **fields},
        files={"file": ("speech.wav", file, "audio/wav")}, headers={"Authorization": f"Bearer {key or gateway.key}"},
        timeout=60,
    )  # fmt: skip


class _Sink(io.BytesIO):
    """Where a file's bytes go. See `bodies.Sink`."""

    def body(self) -> bytes:
        return self.getvalue()


def parts(asked: Asked) -> dict[str, list[Any]]:
    """What a provider was sent as a form."""
    mark = boundary(asked.headers["content-type"])
    assert mark is not None
    reader = FormReader(mark, _Sink)
    reader.feed(asked.body)
    reader.end()
    found: dict[str, list[Any]] = {}
    for name, value in reader.parts:
        found.setdefault(name, []).append(value)
    return found


@pytest.fixture(scope="module")
def client(sqlite_gateway: Gateway) -> OpenAI:
    return OpenAI(api_key=sqlite_gateway.key, base_url=sqlite_gateway.base_url, max_retries=0)


@pytest.fixture(scope="module")
def ears(sqlite_gateway: Gateway) -> Iterator[Lab]:
    """A scripted provider whose model `whisper` is sold by the second and all others by tokens."""
    with upstream() as provider:
        name = f"ear-{uuid.uuid4().hex[:8]}"
        sqlite_gateway.cli(
            "channels", "add", "--provider", "openai-compatible", "--name", name, "--base-url", provider.base_url,
            "--key", PROVIDER_KEY,
        )  # fmt: skip
        sqlite_gateway.cli("prices", "set", f"{name}/whisper", "--unit", "second=0.0001")
        sqlite_gateway.cli(
            "prices", "set", f"{name}/*", "--input-mtok", "2.5", "--audio-in-mtok", "6", "--output-mtok", "10"
        )
        sqlite_gateway.settle_in()
        yield Lab(sqlite_gateway, provider, name)
        sqlite_gateway.cli("channels", "disable", name)


@pytest.mark.parametrize("form", ["wav", "flac", "mp3", "opus", "aac"])
def test_the_sandbox_hears_what_it_said(client: OpenAI, sqlite_gateway: Gateway, form: str) -> None:
    if form in ("opus", "aac") and not shutil.which("ffmpeg"):
        pytest.skip(f"no ffmpeg: the sandbox speaks no {form}")
    spoken = speak(sqlite_gateway, response_format=form).content
    heard = client.audio.transcriptions.create(model="sandbox/stt", file=(f"speech.{form}", spoken))
    assert heard.text == TEXT and heard.usage is not None and heard.usage.type == "duration"
    with pytest.warns(DeprecationWarning):
        translated = client.audio.translations.create(model="sandbox/echo", file=(f"speech.{form}", spoken))
    assert translated.text == TEXT


def test_each_response_format(client: OpenAI, sqlite_gateway: Gateway) -> None:
    spoken = ("speech.wav", speak(sqlite_gateway, response_format="wav").content)

    def heard(form: Any, **more: Any) -> Any:
        return client.audio.transcriptions.create(model="sandbox/stt", file=spoken, response_format=form, **more)

    assert heard("text").strip() == TEXT
    srt, vtt = heard("srt"), heard("vtt")
    assert srt.startswith("1\n00:00:00,000 --> ") and "Is it number 5?" in srt and srt.count("-->") == 3
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> ") and vtt.count("-->") == 3
    verbose = heard("verbose_json", timestamp_granularities=["word", "segment"])
    assert verbose.text == TEXT and verbose.segments[-1].end == pytest.approx(verbose.duration, abs=0.02)
    assert [one.word for one in verbose.words] == TEXT.split() and verbose.usage.seconds >= verbose.duration
    assert all(one.start < one.end for one in verbose.words)
    speakers = heard("diarized_json").segments
    assert "".join(one.text for one in speakers) == TEXT and {one.speaker for one in speakers} == {"A"}


def test_streamed(client: OpenAI, sqlite_gateway: Gateway) -> None:
    spoken = ("speech.wav", speak(sqlite_gateway, response_format="wav").content)
    events = list(client.audio.transcriptions.create(model="sandbox/echo", file=spoken, stream=True))
    assert "".join(one.delta for one in events[:-1]) == events[-1].text == TEXT
    assert events[-1].usage.input_token_details.audio_tokens > 0


def test_json_beside_a_form(sqlite_gateway: Gateway) -> None:
    spoken = speak(sqlite_gateway, response_format="flac").content
    given = {"data": base64.b64encode(spoken).decode(), "format": "flac"}
    answer = sqlite_gateway.post("/v1/audio/transcriptions", {"model": "sandbox/stt", "input_audio": given})
    assert answer.json()["text"] == TEXT
    other = hear(sqlite_gateway, response_format="text")
    assert other.text == "I heard 3.7 seconds of sound.\n" and other.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({}, "file"), ({"file": "x"}, "file"), ({"input_audio": {}}, "input_audio.data"),
        ({"input_audio": {"data": "!", "format": "wav"}}, "input_audio.data"),
        ({"input_audio": {"data": "AAAA"}}, "input_audio.format"),
        ({"input_audio": {"data": "AAAA", "format": "wav"}}, "file"), ({"model": 5}, "model"),
        ({"input_audio": {"data": "AAAA", "format": "wav"}, "temperature": 9}, "temperature"),
        ({"input_audio": {"data": "AAAA", "format": "wav"}, "model": "sandbox/tool"}, "model"),
    ],
)  # fmt: skip
def test_wrong_bodies_name_the_field(sqlite_gateway: Gateway, wrong: dict[str, Any], param: str) -> None:
    answer = sqlite_gateway.post("/v1/audio/transcriptions", {"model": "sandbox/stt", **wrong})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_hostile_forms_are_refused_and_cost_nothing(sqlite_gateway: Gateway) -> None:
    before = sqlite_gateway.credits()
    head = b'--m\r\nContent-Disposition: form-data; name="model"\r\n\r\nsandbox/stt\r\n'
    file = b'--m\r\nContent-Disposition: form-data; name="file"; filename="../../etc/passwd"\r\n\r\n'
    kind = "multipart/form-data; boundary=m"
    for body, content_type, status in (
        (head + b"--m--\r\n", kind, 400), (head + file + WAV, kind, 400), (b"", kind, 400),
        (head + file + b"\r\n--m--\r\n", kind, 400), (head + file + WAV + b"\r\n--m--\r\n", "multipart/form-data", 415),
        (head + file + b"not a sound\r\n--m--\r\n", kind, 400), (head * 600 + b"--m--\r\n", kind, 400),
        (head + file + WAV + b"\r\n" + file + WAV + b"\r\n--m--\r\n", kind, 400),
        (head + b"--m\r\nContent-Disposition: form-data\r\n\r\nx\r\n--m--\r\n", kind, 400),
        (head + b'--m\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--m--\r\n', kind, 400),
        (head + file.replace(b"\r\n\r\n", b"\r\nX: " + b"x" * 20_000 + b"\r\n\r\n") + b"--m--\r\n", kind, 400),
    ):  # fmt: skip
        answer = sqlite_gateway.post("/v1/audio/transcriptions", body, headers={"Content-Type": content_type})
        assert (answer.status_code, answer.json()["error"]["type"]) == (status, "invalid_request_error"), body[:300]
    assert sqlite_gateway.credits() == before
    log = sqlite_gateway.log.read_text()
    assert "passwd" not in log and "Traceback" not in log


def test_a_form_reaches_the_provider_as_it_came(ears: Lab) -> None:
    ears.provider.answer = lambda asked: Script.json({"text": "ok", "usage": {"type": "duration", "seconds": 4}})
    long = sound(400)  # 6.4 MB: more than is held in memory
    for path in ("transcriptions", "translations"):
        answer = hear(
            ears.gateway, f"{ears.name}/whisper", file=long, path=path, language="de", prompt="Grüße", temperature="0.5",
            **{"timestamp_granularities[]": ["word", "segment"], "models": "x"},
        )  # fmt: skip
        assert answer.status_code == 200 and answer.json()["text"] == "ok"
        asked = ears.provider.last()
        assert asked.path == f"/v1/audio/{path}" and asked.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
        sent = parts(asked)
        file = sent.pop("file")[0]
        assert isinstance(file, Upload) and (file.filename, file.media_type) == ("speech.wav", "audio/wav")
        assert file.content == long
        assert sent == {
            "model": ["whisper"], "language": ["de"], "prompt": ["Grüße"], "temperature": ["0.5"],
            "timestamp_granularities[]": ["word", "segment"],
        }  # fmt: skip


SECOND, TOKENS = Decimal("0.0001"), {"input": Decimal("2.5e-6"), "audio_in": Decimal("6e-6"), "output": Decimal("1e-5")}
COUNTED = {
    "type": "tokens", "input_tokens": 40, "output_tokens": 9, "total_tokens": 49,
    "input_token_details": {"text_tokens": 3, "audio_tokens": 37},
}  # fmt: skip
MISTRALS = {
    "prompt_audio_seconds": 3, "prompt_tokens": 3, "completion_tokens": 9,
    "prompt_tokens_details": {"audio_tokens": 37},
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "usage", "source", "cost"),
    [
        ("whisper", {"type": "duration", "seconds": 5}, "reported", 5 * SECOND),
        ("whisper", COUNTED, "reported", 4 * SECOND),  # sold by the second: the file's
        ("whisper", MISTRALS, "reported", 3 * SECOND), ("whisper", None, "estimated", 4 * SECOND),
        ("gpt", COUNTED, "reported", 3 * TOKENS["input"] + 37 * TOKENS["audio_in"] + 9 * TOKENS["output"]),
        ("gpt", MISTRALS, "reported", 3 * TOKENS["input"] + 37 * TOKENS["audio_in"] + 9 * TOKENS["output"]),
        ("gpt", None, "estimated", 40 * TOKENS["audio_in"] + 2 * TOKENS["output"]),
        ("gpt", {"type": "duration", "seconds": 6}, "estimated", 60 * TOKENS["audio_in"] + 2 * TOKENS["output"]),
    ],
)  # fmt: skip
def test_money(ears: Lab, model: str, usage: Any, source: str, cost: Decimal) -> None:
    _, key = ears.gateway.account("1")
    told = {} if usage is None else {"usage": usage}
    ears.provider.answer = lambda asked: Script.json({"text": "hello", **told})
    answer = hear(ears.gateway, f"{ears.name}/{model}", key)
    assert answer.json() == {"text": "hello", **told}
    kept = receipt(ears.gateway, answer, key)
    assert (kept["usage_source"], kept["cost_usd"], kept["overrun"]) == (source, cost, False)
    assert Decimal(answer.headers["x-gateway-cost-usd"]) == cost and kept["units"]["transcripts"] == 1
    left = ears.gateway.credits(key)
    assert left["held"] == 0 and left["balance"] == 1 - cost


def test_all_of_a_joined_file_is_paid_for(ears: Lab) -> None:
    frame = b"\xff\xf3\x84\xc4" + bytes(188)  # 24 ms
    tag = b"ID3\4\0\0\0\0\0\5hello"
    ears.provider.answer = lambda asked: Script.json({"text": "hello"})
    answer = hear(ears.gateway, f"{ears.name}/whisper", file=tag + frame * 4 + tag + frame * 2_000)
    assert receipt(ears.gateway, answer)["cost_usd"] == 49 * SECOND


def test_a_light_wallet_is_refused_before_anything_is_sent(ears: Lab) -> None:
    _, key = ears.gateway.account("0.01")
    before = len(ears.provider.asked)
    assert hear(ears.gateway, f"{ears.name}/whisper", key, file=sound(200)).status_code == 402
    assert len(ears.provider.asked) == before and ears.gateway.credits(key)["balance"] == Decimal("0.01")


STREAM = [
    b'data: {"type":"transcript.text.delta","delta":"Hel"}\n\n', b'data: {"type":"transcript.text.delta","delta":"lo"}\n\n',
    b'data: {"type":"transcript.text.done","text":"Hello","usage":' + json.dumps(COUNTED).encode() + b"}\n\n",
    b"data: [DONE]\n\n",
]  # fmt: skip


def test_streams_pass_and_who_breaks_off_is_paid_for_what_came(ears: Lab) -> None:
    ears.provider.answer = lambda asked: Script.sse(*STREAM)
    answer = hear(ears.gateway, f"{ears.name}/gpt", stream="true")
    assert answer.content == b"".join(STREAM) and parts(ears.provider.last())["stream"] == ["true"]
    cost = 3 * TOKENS["input"] + 37 * TOKENS["audio_in"] + 9 * TOKENS["output"]
    assert receipt(ears.gateway, answer)["cost_usd"] == cost
    ears.provider.answer = lambda asked: Script.sse(*STREAM[:2], ending="reset")
    answer = hear(ears.gateway, f"{ears.name}/gpt", stream="true")
    assert answer.content.startswith(b"".join(STREAM[:2])) and b'"error"' in answer.content
    kept = receipt(ears.gateway, answer)
    assert kept["partial"] and kept["cost_usd"] == 40 * TOKENS["audio_in"] + 2 * TOKENS["output"]
    ears.provider.answer = lambda asked: Script.json({"text": "Hello"})  # a model that does not stream
    events = hear(ears.gateway, f"{ears.name}/whisper", stream="true").text.split("\n\n")
    told = [json.loads(frame[6:]) for frame in events if frame]
    assert [one["type"] for one in told] == ["transcript.text.delta", "transcript.text.done"]
    assert told[0]["delta"] == told[1]["text"] == "Hello"


def test_text_and_errors(ears: Lab) -> None:
    ears.provider.answer = lambda asked: Script(200, {"content-type": "text/plain"}, [b"1\n00:00 --> x\n"])
    answer = hear(ears.gateway, f"{ears.name}/whisper", response_format="srt")
    assert answer.content == b"1\n00:00 --> x\n" and answer.headers["content-type"].startswith("text/plain")
    assert receipt(ears.gateway, answer)["cost_usd"] == 4 * SECOND
    ears.provider.answer = lambda asked: Script.json({"error": {"message": "bad file", "param": "file"}}, 400)
    error = hear(ears.gateway, f"{ears.name}/whisper").json()["error"]
    assert (error["message"], error["param"]) == ("bad file", "file")
    for body in ({"error": {"message": "x"}}, {"text": None}, {}):
        ears.provider.answer = lambda asked, body=body: Script.json(body)
        assert hear(ears.gateway, f"{ears.name}/whisper").status_code >= 500


@pytest.fixture(scope="module")
def google(sqlite_gateway: Gateway) -> Iterator[Lab]:
    """A fake of Google's, written from its public documentation: https://ai.google.dev/gemini-api/docs/audio."""
    with upstream() as provider:
        name = f"gem-{uuid.uuid4().hex[:6]}"
        sqlite_gateway.cli(
            "channels", "add", "--provider", "gemini-compatible", "--name", name, "--base-url", provider.url,
            "--key", PROVIDER_KEY,
        )  # fmt: skip
        sqlite_gateway.cli(
            "prices", "set", f"{name}/*", "--input-mtok", "2.5", "--audio-in-mtok", "6", "--output-mtok", "10"
        )
        sqlite_gateway.settle_in()
        yield Lab(sqlite_gateway, provider, name)
        sqlite_gateway.cli("channels", "disable", name)


def _googles(text: str, **more: Any) -> dict[str, Any]:
    usage = {
        "promptTokenCount": 130, "candidatesTokenCount": 5, "totalTokenCount": 135,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12}, {"modality": "AUDIO", "tokenCount": 118}],
    }  # fmt: skip
    content = {"role": "model", "parts": [{"text": text}]}
    return {"candidates": [{"content": content, **more}], "usageMetadata": usage}


def test_google_hears(google: Lab) -> None:
    google.provider.answer = lambda asked: (
        Script.sse(*(
            b"data: " + json.dumps(_googles(text, **more)).encode() + b"\r\n\r\n"
            for text, more in (("Hel", {}), ("lo", {"finishReason": "STOP"}))
        )) if "stream" in asked.path else Script.json(_googles("Hello\n", finishReason="STOP"))
    )  # fmt: skip
    model = f"{google.name}/gemini-2.5-flash"
    answer = hear(google.gateway, model, language="de", prompt="Gateway", chunking_strategy="auto")
    assert answer.json()["text"] == "Hello" and answer.headers["x-gateway-losses"] == "chunking_strategy=drop"
    assert answer.json()["usage"] == {
        "type": "tokens", "input_tokens": 130, "output_tokens": 5, "total_tokens": 135,
        "input_token_details": {"text_tokens": 12, "audio_tokens": 118},
    }  # fmt: skip
    cost = 12 * TOKENS["input"] + 118 * TOKENS["audio_in"] + 5 * TOKENS["output"]
    assert receipt(google.gateway, answer)["cost_usd"] == cost
    asked = google.provider.last()
    assert asked.path == "/v1beta/models/gemini-2.5-flash:generateContent"
    told, heard = asked.json["contents"][0]["parts"]
    assert "word for word" in told["text"] and "de" in told["text"] and "Gateway" in told["text"]
    assert heard["inlineData"] == {"mimeType": "audio/wav", "data": base64.b64encode(WAV).decode()}
    hear(google.gateway, model, path="translations")
    assert "English" in google.provider.last().json["contents"][0]["parts"][0]["text"]
    events = hear(google.gateway, model, stream="true").text.split("\n\n")
    deltas = [json.loads(frame[6:]) for frame in events if frame]
    assert [one.get("delta") for one in deltas[:-1]] == ["Hel", "lo"] and deltas[-1]["text"] == "Hello"
    assert deltas[-1]["usage"]["input_tokens"] == 130
    google.provider.answer = lambda asked: Script.json({"promptFeedback": {"blockReason": "SAFETY"}})
    for fields in ({}, {"stream": "true"}):  # an empty text would look like silence, and be paid for
        blocked = hear(google.gateway, model, **fields)
        assert (blocked.status_code, blocked.json()["error"]["provider_code"]) == (400, "SAFETY"), blocked.text
    before = len(google.provider.asked)
    for form in ("srt", "vtt", "verbose_json", "diarized_json"):
        refused = hear(google.gateway, model, response_format=form)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "response_format")
    assert len(google.provider.asked) == before


def test_recorded_transcriptions_pass(ears: Lab, shared: Path) -> None:
    """Every recorded answer, byte for byte but for the model's name and what the gateway says of streams."""
    tried = 0
    for name, one in interactions(shared, "openai-audio", "transcriptions"):
        if "headers" in (one["response"].get("json") or {}):
            continue  # published as an envelope around the answer
        ears.provider.answer = lambda asked, one=one: script(one)
        fields = {
            part["name"]: part["value"] for part in one["request"].get("multipart", ()) if "value" in part
        } or {"model": one["model"]}  # fmt: skip
        model = f"{ears.name}/{fields.pop('model')}"
        answer = hear(ears.gateway, model, **fields)
        assert answer.status_code == 200, name
        if one["kind"] == "sse":
            assert answer.content == "".join(one["payload"]).encode(), name
        else:
            recorded = json.loads(one["payload"])
            changed = {"model": model} if "model" in recorded else {}
            assert answer.json() == {**recorded, **changed}, name
        kept = receipt(ears.gateway, answer)
        assert kept["cost_usd"] > 0 and not kept["overrun"], name
        sent = {field: values[0] for field, values in parts(ears.provider.last()).items() if field != "file"}
        assert sent == {**fields, "model": model.partition("/")[2]}, name
        tried += 1
    print(f"recorded transcriptions: {tried} tried")
    assert tried >= 8
