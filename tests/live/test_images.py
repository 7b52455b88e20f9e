"""Images as clients see them, on live gateways: the sandbox's own, kept and fetched, the money, and other makers' words."""

from __future__ import annotations

import base64
import io
import json
from decimal import Decimal
from typing import Any

import pytest
import requests
from openai import OpenAI
from PIL import Image

from tests.conftest import Lab
from tests.gateway import Gateway
from tests.live.test_files import keep
from tests.upstream import Script


def make(gateway: Gateway, key: str | None = None, model: str = "sandbox/image", **body: Any) -> requests.Response:
    return gateway.post("/v1/images/generations", {"model": model, "prompt": "a red fox", **body}, key)


def opened(data: bytes) -> Image.Image:
    found = Image.open(io.BytesIO(data))
    found.load()
    return found


def content(gateway: Gateway, url: str, key: str | None = None) -> requests.Response:
    assert url.startswith(f"{gateway.url}/v1/images/img_")
    return gateway.get(url.removeprefix(gateway.url), key)


def png(wide: int = 64, high: int = 64, colour: tuple[int, ...] = (255, 0, 0)) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA" if len(colour) == 4 else "RGB", (wide, high), colour).save(out, "PNG")
    return out.getvalue()


def charged(gateway: Gateway, reply: requests.Response, key: str | None = None) -> tuple[Decimal, dict[str, Any]]:
    receipt = gateway.get(f"/v1/generation?id={reply.headers['x-generation-id']}", key).text
    data = json.loads(receipt, parse_float=Decimal)["data"]
    return Decimal(data["cost_usd"]), data


def test_the_sdk_makes_images_that_can_be_opened(gateway: Gateway) -> None:
    client = OpenAI(api_key=gateway.key, base_url=gateway.base_url)
    for form, name in (("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")):
        made = client.images.generate(
            model="sandbox/image", prompt="A watercolor fox", size="512x256", n=2, output_format=form  # type: ignore[arg-type]
        )  # fmt: skip
        assert made.data is not None and len(made.data) == 2
        seen = []
        for place, one in enumerate(made.data):
            assert one.b64_json is None and str(one.url).endswith(f"/content?index={place}")
            answer = content(gateway, str(one.url))
            assert answer.headers["Content-Type"] == f"image/{form}"
            picture = opened(answer.content)
            assert (picture.format, picture.size) == (name, (512, 256))
            seen.append(answer.content)
        assert seen[0] != seen[1]


def test_the_sdk_edits_and_varies(gateway: Gateway) -> None:
    client = OpenAI(api_key=gateway.key, base_url=gateway.base_url)
    edited = client.images.edit(
        model="sandbox/image", prompt="in blue", size="256x256", response_format="b64_json",
        image=[("a.png", png(colour=(255, 0, 0)), "image/png"), ("b.png", png(colour=(0, 0, 255)), "image/png")],
    )  # fmt: skip
    assert edited.data is not None and edited.data[0].url is None
    picture = opened(base64.b64decode(str(edited.data[0].b64_json))).convert("RGB")
    assert picture.getpixel((10, 10)) == (255, 0, 0) and picture.getpixel((245, 10)) == (0, 0, 255)
    varied = client.images.create_variation(model="sandbox/image", image=png(), size="256x256")
    assert varied.data is not None and opened(content(gateway, str(varied.data[0].url)).content).size == (256, 256)


def test_an_edit_as_json_with_a_mask(sqlite_gateway: Gateway) -> None:
    url = "data:image/png;base64," + base64.b64encode(png()).decode()
    mask = "data:image/png;base64," + base64.b64encode(png(colour=(0, 0, 0, 255))).decode()
    body = {
        "model": "sandbox/image", "prompt": "words", "images": [{"image_url": url}], "mask": {"image_url": mask},
        "size": "128x128", "response_format": "b64_json",
    }  # fmt: skip
    answer = sqlite_gateway.post("/v1/images/edits", body)
    picture = opened(base64.b64decode(answer.json()["data"][0]["b64_json"])).convert("RGB")
    assert picture.getcolors() == [(128 * 128, (255, 0, 0))], "what the mask keeps was changed"


def test_marks_are_drawn_on_what_is_edited(sqlite_gateway: Gateway) -> None:
    answer = requests.post(
        f"{sqlite_gateway.base_url}/images/edits", timeout=60, headers={"Authorization": f"Bearer {sqlite_gateway.key}"},
        data={"model": "sandbox/image", "prompt": "x", "size": "128x128", "response_format": "b64_json"},
        files={"image": ("a.png", png()), "markup": ("b.png", png(colour=(0, 0, 255, 255)))},
    )  # fmt: skip
    picture = opened(base64.b64decode(answer.json()["data"][0]["b64_json"])).convert("RGB")
    assert picture.getpixel((2, 2)) == (0, 0, 255)


@pytest.mark.parametrize("field", ["mask", "markup", "sketch"])
def test_what_is_named_in_any_field_is_screened(free_lab: Lab, field: str) -> None:
    gateway, provider = free_lab.gateway, free_lab.provider
    image = "data:image/png;base64," + base64.b64encode(png()).decode()
    body = {
        "model": free_lab.model(Script.json({"data": [{"b64_json": image.partition(",")[2]}]})),
        "prompt": "x",
        "image": image,
    }
    before = len(provider.asked)
    _, other = gateway.account()
    mine, foreign = (keep(gateway, png(), "a.png", key) for key in (None, other))

    def refused(value: Any, status: int, param: str) -> None:
        answer = gateway.post("/v1/images/edits", {**body, field: value})
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text

    for identity in ("file-of-the-operator", foreign):
        refused({"file_id": identity}, 404, f"{field}.file_id")
    refused({"image_url": "http://10.0.0.1/"}, 400, f"{field}.image_url")
    refused("http://10.0.0.1/", 400, field)
    form = requests.post(
        f"{gateway.base_url}/images/edits", timeout=60, headers={"Authorization": f"Bearer {gateway.key}"},
        files={"image": ("a.png", png()), f"{field}[file_id]": (None, foreign)},
        data={"model": body["model"], "prompt": "x"},
    )  # fmt: skip
    assert (form.status_code, form.json()["error"]["param"]) == (404, f"{field}[file_id]"), form.text
    if field == "sketch":
        refused({"file_id": mine}, 400, f"{field}.file_id")
    assert len(provider.asked) == before
    if field != "sketch":
        assert gateway.post("/v1/images/edits", {**body, field: {"file_id": mine}}).status_code == 200
        assert provider.last().json[field] == {"image_url": image}
    for value in (image, {"image_url": image}, {"of": "https://8.8.8.8/a.png"}):
        assert gateway.post("/v1/images/edits", {**body, field: value, "extra": {"a": 1}}).status_code == 200
        assert provider.last().json[field] == value and provider.last().json["extra"] == {"a": 1}


def test_they_are_kept_for_their_owner(gateway: Gateway) -> None:
    _, key = gateway.account()
    _, stranger = gateway.account()
    made = make(gateway, key, n=2, size="64x64").json()
    found = gateway.get(f"/v1/images/{made['id']}", key).json()
    assert (found["id"], found["object"], found["model"]) == (made["id"], "image", "sandbox/image")
    assert [one["url"] for one in found["data"]] == [one["url"] for one in made["data"]]
    for path in (f"/v1/images/{made['id']}", f"/v1/images/{made['id']}/content"):
        assert gateway.get(path, key).status_code == 200
        assert gateway.get(path, stranger).status_code == 404
    assert gateway.get("/v1/images/img_unknown", key).status_code == 404


def test_streams_show_them_while_they_are_made(gateway: Gateway) -> None:
    client = OpenAI(api_key=gateway.key, base_url=gateway.base_url)
    events = list(
        client.images.generate(model="sandbox/image", prompt="fox", size="128x128", stream=True, partial_images=2)
    )
    assert [event.type for event in events] == [
        "image_generation.partial_image", "image_generation.partial_image", "image_generation.completed",
    ]  # fmt: skip
    assert all(opened(base64.b64decode(event.b64_json)).size == (128, 128) for event in events)
    answer = make(gateway, size="64x64", stream=True, n=2)
    said = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert [one["type"] for one in said] == ["image_generation.completed"] * 2
    kept = gateway.get(f"/v1/images/{answer.headers['x-generation-id']}").json()["data"]
    sent = [base64.b64decode(one["b64_json"]) for one in said]
    assert [content(gateway, one["url"]).content for one in kept] == sent
    assert charged(gateway, answer)[0] == Decimal("0.02")


def test_the_money(gateway: Gateway) -> None:
    _, key = gateway.account(usd="0.1")
    cost, receipt = charged(gateway, make(gateway, key, n=3, size="64x64", quality="low"), key)
    assert cost == Decimal("0.015") and receipt["units"]["image"] == 3 and receipt["usage_source"] == "reported"
    assert charged(gateway, make(gateway, key, size="64x64", quality="high"), key)[0] == Decimal("0.04")
    refused = make(gateway, key, n=10, size="64x64")
    assert refused.status_code == 402, "ten of unknown quality may cost forty cents"
    assert gateway.credits(key)["held"] == 0
    assert gateway.books()["ok"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"size": "999999x999999"}, "size"), ({"size": "big"}, "size"), ({"n": 0}, "n"), ({"n": 11}, "n"),
        ({"n": "2"}, "n"), ({"partial_images": 4}, "partial_images"), ({"response_format": "file"}, "response_format"),
        ({"output_compression": 101}, "output_compression"), ({"prompt": ""}, "prompt"), ({"size": "16384x16384"}, "size"),
        ({"background": "transparent", "output_format": "jpeg"}, "background"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(sqlite_gateway: Gateway, body: dict[str, Any], param: str) -> None:
    answer = make(sqlite_gateway, **body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("field", ["prompt", "model"])
def test_what_is_empty_is_told_so(sqlite_gateway: Gateway, field: str) -> None:
    message = make(sqlite_gateway, **{field: ""}).json()["error"]["message"]
    assert message == f"{field} must be a string that is not empty."


def test_forms_are_bounded_and_told_apart(sqlite_gateway: Gateway) -> None:
    def edit(files: Any, **fields: str) -> requests.Response:
        return requests.post(
            f"{sqlite_gateway.base_url}/images/edits", files=files, timeout=60,
            data={"model": "sandbox/image", "prompt": "x", "size": "64x64", **fields},
            headers={"Authorization": f"Bearer {sqlite_gateway.key}", **({"Idempotency-Key": fields.pop("once")} if "once" in fields else {})},
        )  # fmt: skip

    for files, fields, param in (
        ({"image": ("a.png", b"")}, {}, "image"), ({"mask": ("a.png", png())}, {}, "image"),
        ({"image": ("a.png", png())}, {"n": "two"}, "n"), ({"image": ("a.png", b"no image")}, {}, "image"),
    ):  # fmt: skip
        answer = edit(files, **fields)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert "Traceback" not in sqlite_gateway.log.read_text()
    first, again = edit({"image": ("a.png", png())}, once="k1"), edit({"image": ("a.png", png())}, once="k1")
    assert again.headers["Idempotent-Replayed"] == "true" and again.json() == first.json()
    assert edit({"image": ("a.png", png(colour=(0, 1, 0)))}, once="k1").status_code == 409


def test_the_sandbox_fails_as_its_names_say(sqlite_gateway: Gateway) -> None:
    assert make(sqlite_gateway, model="sandbox/error-429", size="64x64").status_code == 429
    assert make(sqlite_gateway, model="sandbox/slow-10", size="64x64").status_code == 200
    assert make(sqlite_gateway, model="sandbox/echo", size="64x64").status_code == 200
    assert make(sqlite_gateway, model="sandbox/cut", size="64x64").status_code == 502
    wrong = make(sqlite_gateway, model="sandbox/embed", size="64x64")
    assert wrong.status_code == 400 and "makes no images" in wrong.json()["error"]["message"]
    assert sqlite_gateway.chat("sandbox/image").status_code == 400
