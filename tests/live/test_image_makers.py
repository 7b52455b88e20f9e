"""Images of other makers behind OpenAI's words. Google's and xAI's answers are made from their public documentation
(https://ai.google.dev/gemini-api/docs/image-generation and /imagen, https://docs.x.ai/docs/guides/image-generations),
not recorded."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import Lab, scripted
from tests.gateway import Gateway
from tests.live.test_images import charged, content, png
from tests.upstream import Asked, Script

BLUE, RED = png(32, 18, (0, 0, 255)), png(64, 64)
FLASH, IMAGEN = "gemini-2.5-flash-image", "imagen-4.0-generate-001"


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def gemini(*images: bytes, text: str = "", finish: str = "STOP") -> Script:
    parts: list[dict[str, Any]] = [{"text": text}] if text else []
    parts += [{"inlineData": {"mimeType": "image/png", "data": encoded(one)}} for one in images]
    usage = {
        "promptTokenCount": 7, "candidatesTokenCount": 1290 * len(images), "totalTokenCount": 7 + 1290 * len(images),
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290 * len(images)}],
    }  # fmt: skip
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": finish}
    return Script.json({"candidates": [candidate], "usageMetadata": usage, "responseId": "g1", "modelVersion": FLASH})


class Maker:
    """A scripted vendor, whose models cost what the book says."""

    def __init__(self, lab: Lab) -> None:
        self.gateway, self.provider, self.name = lab.gateway, lab.provider, lab.name
        self.asked: list[Asked] = []
        self._lock = threading.Lock()

    def tells(self, *scripts: Script) -> None:
        left = list(scripts)

        def answer(asked: Asked) -> Script:
            with self._lock:
                if asked.method == "POST":
                    self.asked.append(asked)
                return left.pop(0) if len(left) > 1 else left[0]

        self.asked.clear()
        self.provider.answer = answer

    def make(self, model: str, path: str = "generations", **body: Any) -> Any:
        said = {"model": f"{self.name}/{model}", "prompt": "a fox", **body}
        return self.gateway.post(f"/v1/images/{path}", said)


def _maker(gateway: Gateway, kind: str) -> Iterator[Maker]:
    with scripted(gateway, kind, free=False) as (provider, name):
        gateway.cli("prices", "remove", f"{name}/*")
        gateway.settle_in()
        yield Maker(Lab(gateway, provider, name))


@pytest.fixture(scope="module")
def google(sqlite_gateway: Gateway) -> Iterator[Maker]:
    yield from _maker(sqlite_gateway, "google")


@pytest.fixture(scope="module")
def xai(sqlite_gateway: Gateway) -> Iterator[Maker]:
    yield from _maker(sqlite_gateway, "xai")


@pytest.fixture(scope="module")
def openai(sqlite_gateway: Gateway) -> Iterator[Maker]:
    yield from _maker(sqlite_gateway, "openai")


def test_gemini_draws(google: Maker) -> None:
    google.tells(gemini(BLUE, text="Here it is."))
    answer = google.make(FLASH, size="1536x864", quality="high")
    [asked] = google.asked
    assert asked.path == f"/v1beta/models/{FLASH}:generateContent"
    assert asked.json["contents"][0]["parts"] == [{"text": "a fox"}]
    assert asked.json["generationConfig"]["imageConfig"] == {"aspectRatio": "16:9"}
    assert asked.json["generationConfig"]["responseModalities"] == ["TEXT", "IMAGE"]
    [row] = answer.json()["data"]
    assert set(row) == {"url"} and content(google.gateway, row["url"]).content == BLUE
    assert answer.headers["x-gateway-losses"] == "quality=drop"
    assert answer.json()["usage"]["output_tokens_details"]["image_tokens"] == 1290
    cost, receipt = charged(google.gateway, answer)
    assert cost == (7 * Decimal("0.3") + 1290 * 30) / 1_000_000 and receipt["tokens"]["image_out"] == 1290


def test_several_of_gemini_are_as_many_requests_and_the_good_ones_are_paid(google: Maker) -> None:
    google.tells(gemini(BLUE), Script.json({"error": {"code": 500, "status": "INTERNAL"}}, 500), gemini(RED))
    answer = google.make(FLASH, n=3, response_format="b64_json")
    assert len(google.asked) == 3
    assert sorted(one["b64_json"] for one in answer.json()["data"]) == sorted(map(encoded, (BLUE, RED)))
    cost, receipt = charged(google.gateway, answer)
    assert cost == 2 * (7 * Decimal("0.3") + 1290 * 30) / 1_000_000 and receipt["units"]["image"] == 2


def test_gemini_edits_what_it_is_given(google: Maker) -> None:
    google.tells(gemini(RED))
    url = "data:image/png;base64," + encoded(BLUE)
    assert google.make(FLASH, "edits", images=[{"image_url": url}]).status_code == 200
    first, second = google.asked[0].json["contents"][0]["parts"]
    assert first == {"inlineData": {"mimeType": "image/png", "data": encoded(BLUE)}} and second == {"text": "a fox"}
    for field in ("mask", "markup"):
        refused = google.make(FLASH, "edits", images=[{"image_url": url}], **{field: {"image_url": url}})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, field)
    assert google.make(FLASH, "variations", image=url).status_code == 400


def test_what_gemini_refuses_is_told_and_free(google: Maker) -> None:
    before = google.gateway.credits()["total_usage"]
    google.tells(gemini(text="I cannot draw that.", finish="IMAGE_SAFETY"))
    answer = google.make(FLASH)
    assert answer.status_code == 400 and "I cannot draw that." in answer.json()["error"]["message"]
    assert answer.json()["error"]["provider_code"] == "IMAGE_SAFETY"
    assert google.gateway.credits()["total_usage"] == before
    google.tells(gemini(BLUE))
    answer = google.make("gemini-2.5-flash")
    assert answer.status_code == 400 and "makes no images" in answer.json()["error"]["message"] and not google.asked


def test_a_stream_of_who_cannot_stream(google: Maker) -> None:
    google.tells(gemini(BLUE))
    answer = google.make(FLASH, stream=True, partial_images=1)
    [event] = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert event["type"] == "image_generation.completed" and event["b64_json"] == encoded(BLUE)
    assert event["usage"]["output_tokens"] == 1290 and event["size"] == "32x18"
    kept = google.gateway.get(f"/v1/images/{answer.headers['x-generation-id']}/content")
    assert kept.content == BLUE


def test_imagen_predicts(google: Maker) -> None:
    google.tells(
        Script.json(
            {
                "predictions": [
                    {"mimeType": "image/png", "bytesBase64Encoded": encoded(BLUE)},
                    {"raiFilteredReason": "No."},
                ]
            }
        )
    )
    answer = google.make(IMAGEN, n=2, size="1024x1792")
    [asked] = google.asked
    assert asked.path == f"/v1beta/models/{IMAGEN}:predict"
    assert asked.json == {"instances": [{"prompt": "a fox"}], "parameters": {"sampleCount": 2, "aspectRatio": "9:16"}}
    assert len(answer.json()["data"]) == 1 and charged(google.gateway, answer)[0] == Decimal("0.04")
    google.tells(Script.json({"predictions": [{"raiFilteredReason": "Not that."}]}))
    refused = google.make(IMAGEN)
    assert refused.status_code == 400 and "Not that." in refused.json()["error"]["message"]


def test_xai_is_told_ratios_and_edits_in_json(xai: Maker) -> None:
    xai.tells(
        Script.json(
            {"data": [{"b64_json": encoded(BLUE), "mime_type": "image/png"}], "usage": {"cost_in_usd_ticks": 2}}
        )
    )
    answer = xai.make("grok-imagine-image", size="1536x1024", n=1, style="vivid")
    assert xai.asked[0].json["aspect_ratio"] == "3:2" and "size" not in xai.asked[0].json
    assert answer.headers["x-gateway-losses"] == "style=drop" and "cost_in_usd_ticks" not in answer.text
    assert charged(xai.gateway, answer)[0] == Decimal("0.02")
    url = "data:image/png;base64," + encoded(RED)
    assert xai.make("grok-imagine-image", "edits", images=[{"image_url": url}]).status_code == 200
    assert xai.asked[1].path == "/v1/images/edits" and xai.asked[1].json["image"] == {"url": url}


@pytest.mark.parametrize("rows", [[], [{"respect_moderation": False, "url": "", "b64_json": None}]])
def test_what_xai_forbids_is_told_and_free(xai: Maker, rows: list[Any]) -> None:
    xai.tells(Script.json({"data": rows}))
    refused = xai.make("grok-imagine-image")
    assert (refused.status_code, refused.json()["error"]["provider_code"]) == (400, "moderation_blocked")
    assert len(xai.asked) == 1
    xai.tells(Script.json({"data": [{"b64_json": encoded(BLUE)}]}))
    assert xai.make("grok-imagine-image").status_code == 200, "its channel does not rest for it"


def test_what_openai_forbids_in_a_stream_is_told(openai: Maker) -> None:
    error = {"message": "Rejected.", "type": "image_generation_user_error", "code": "moderation_blocked", "param": None}
    openai.tells(Script.sse(f"event: error\ndata: {json.dumps({'type': 'error', 'error': error})}\n\n".encode()))
    refused = openai.make("gpt-image-1", stream=True)
    assert (refused.status_code, refused.json()["error"]["provider_code"]) == (400, "moderation_blocked")
    assert "Rejected." in refused.text and len(openai.asked) == 1


def test_prices_by_quality_and_size(openai: Maker) -> None:
    openai.tells(Script.json({"created": 1, "data": [{"b64_json": encoded(png(1792, 1024))}] * 2}))
    answer = openai.make("dall-e-3", size="1792x1024", quality="hd")
    assert charged(openai.gateway, answer)[0] == Decimal("0.24")
    assert charged(openai.gateway, openai.make("dall-e-3", size="1792x1024"))[0] == Decimal("0.16")
    usage = {
        "input_tokens": 50, "output_tokens": 4160, "total_tokens": 4210,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    }  # fmt: skip
    openai.tells(Script.json({"created": 1, "data": [{"b64_json": encoded(RED)}], "usage": usage}))
    answer = openai.make("gpt-image-1", response_format="url")
    assert "response_format" not in openai.asked[0].json, "which it refuses"
    assert set(answer.json()["data"][0]) == {"url"}
    assert charged(openai.gateway, answer)[0] == Decimal(10 * 5 + 40 * 10 + 4160 * 40) / 1_000_000


def test_an_address_that_leads_nowhere_is_not_paid(openai: Maker) -> None:
    openai.tells(Script.json({"created": 1, "data": [{"url": "http://127.0.0.1:9/a.png"}, {"b64_json": encoded(RED)}]}))
    answer = openai.make("dall-e-2", size="512x512", n=2)
    assert len(answer.json()["data"]) == 1 and charged(openai.gateway, answer)[1]["units"]["image"] == 1
    openai.tells(Script.json({"created": 1, "data": [{"url": "http://169.254.169.254/latest"}]}))
    assert openai.make("dall-e-2", size="512x512").status_code == 502
