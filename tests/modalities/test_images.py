"""Images: what their first bytes tell, what is asked of them, and what kinds of them cost."""

from __future__ import annotations

import base64
import io
import json
from decimal import Decimal
from typing import Any

import pytest
from PIL import Image

from gateway import book
from gateway.billing import prices
from gateway.bodies import Upload
from gateway.call import Price
from gateway.modalities import images
from gateway.modalities.images.looks import UNKNOWN, look
from gateway.modalities.images.request import ask, given, nearest, parse
from gateway.neutral.parts import Bytes, Url
from gateway.neutral.reply import Usage, Variant
from tests import made


@pytest.mark.parametrize("size", [(1, 1), (300, 20), (1024, 1536), (5_000, 17)])
@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}), ("GIF", {}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("JPEG", {"comment": b"\xff" * 900}),
        ("WEBP", {}), ("WEBP", {"lossless": True}), ("WEBP", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}),
    ],
)  # fmt: skip
def test_type_and_size_are_read_off_the_first_bytes(size: tuple[int, int], form: str, options: dict[str, Any]) -> None:
    out = io.BytesIO()
    Image.new("RGB", size, (9, 80, 200)).save(out, form, **options)
    data = out.getvalue()
    assert look(data) == (f"image/{form.lower()}", *size)
    for end in range(min(len(data), 200)):
        look(data[:end])  # what is cut off crashes nobody
    assert look(b"<svg/>") == (UNKNOWN, 0, 0)


def test_whichever_way_images_are_given() -> None:
    upload = Upload("a.png", "image/png", b"1")
    values = {
        "prompt": "x", "image": [upload, "data:image/png;base64,AAAA", "https://x/y.png", "iVBORw0K", "nonsense"],
        "images": [{"image_url": "https://x/z.png"}, {"image_url": {"url": "data:,hi"}}, {"file_id": "file-1"}],
    }  # fmt: skip
    assert list(given(values)) == [
        upload, Bytes(base64="AAAA"), Url(url="https://x/y.png"), Bytes(base64="iVBORw0K"), Url(url="https://x/z.png"),
        Bytes(base64="aGk="),
    ]  # fmt: skip
    asked = ask("edits", {"model": "m", **values})
    assert asked.urls == (("https://x/y.png", "image[2]"), ("https://x/z.png", "images[0].image_url"))
    assert [(one.id, one.param) for one in asked.references] == [("file-1", "images[2].file_id")]
    assert not asked.weight.unseen and asked.weight.images >= 7


def test_sizes_become_ratios() -> None:
    for size, ratio in (
        ("1024x1024", "1:1"),
        ("1792x1024", "16:9"),
        ("1024x1536", "2:3"),
        ("auto", None),
        (None, None),
    ):
        assert parse("generations", {"prompt": "x", "size": size}).aspect == ratio
    assert parse("generations", {"prompt": "x", "size": "1024x1024", "aspect_ratio": "21:9"}).aspect == "21:9"
    assert nearest("2:3", ("1:1", "3:4", "9:16")) == "3:4" and nearest("nonsense", ("1:1",)) is None


def cost(model: str, provider: str, count: int, variant: Variant, **usage: Any) -> Decimal:
    found = book.built_in().find(model)
    assert found is not None
    offer = found.model.at(provider)
    assert offer is not None
    price = prices.from_book(found.model, offer)
    used = Usage(units={"image": count, "megapixel": 3 * count}, variant=variant, **usage)
    total, parts = prices.cost(price, used, ask("generations", {"model": model, "prompt": "x", "n": count}))
    assert sum(parts.values()) == total
    return Decimal(total) / 10**9


@pytest.mark.parametrize(
    ("model", "provider", "count", "variant", "usd"),
    [
        ("openai/dall-e-3", "openai", 1, Variant("hd", "1024x1792"), "0.12"),
        ("openai/dall-e-3", "openai", 2, Variant("standard", "1024x1024"), "0.08"),
        ("openai/dall-e-3", "azure", 1, Variant("standard", "1024x1792"), "0.088"),
        ("openai/dall-e-2", "openai", 3, Variant(None, "256x256"), "0.048"),
        ("openai/dall-e-2", "openai", 1, Variant(None, None), "0.02"),
        ("openai/gpt-image-1", "openai", 1, Variant("low", "1024x1536"), "0.016"),
        ("x-ai/grok-imagine-image-2.0", "xai", 1, Variant(None, "1024x1024", "1k"), "0.04"),
        ("x-ai/grok-imagine-image-2.0", "xai", 1, Variant("low", "1024x1024"), "0.04"),
        ("x-ai/grok-imagine-image-2.0", "xai", 1, Variant(None, "1024x1024"), "0.06"),
        ("google/imagen-4-ultra", "google", 2, Variant(), "0.12"),
        ("black-forest-labs/flux.2-flex", "azure", 2, Variant(), "0.30"),
    ],
)  # fmt: skip
def test_an_image_costs_what_its_kind_does(model: str, provider: str, count: int, variant: Variant, usd: str) -> None:
    assert cost(model, provider, count, variant) == Decimal(usd)


def test_tokens_are_paid_where_they_are_counted_and_sold() -> None:
    usage = {"input": 50, "image_in": 40, "output": 4_160, "image_out": 4_160}
    told = cost("openai/gpt-image-1", "openai", 1, Variant("high", "1024x1024"), **usage)
    assert told == Decimal(10 * 5 + 40 * 10 + 4_160 * 40) / 10**6
    assert cost("openai/dall-e-2", "openai", 1, Variant(None, "512x512"), **usage) == Decimal("0.018")


@pytest.mark.parametrize(
    ("model", "provider", "values", "least", "most"),
    [
        ("openai/dall-e-3", "openai", {"size": "1792x1024"}, "0.08", "0.08"),
        ("openai/dall-e-3", "openai", {}, "0.08", "0.08"), ("openai/dall-e-2", "openai", {"n": 4}, "0.08", "0.08"),
        ("openai/gpt-image-1", "openai", {"quality": "high", "size": "1536x1024"}, "0.25", "0.40"),
        ("openai/gpt-image-1", "openai", {}, "0.25", "0.40"), ("google/imagen-4", "google", {"n": 2}, "0.08", "0.08"),
        ("x-ai/grok-imagine-image-2.0", "xai", {"n": 2}, "0.12", "0.12"),
    ],
)  # fmt: skip
def test_what_is_held_is_the_dearest_that_may_come(
    model: str, provider: str, values: dict[str, Any], least: str, most: str
) -> None:
    found = book.built_in().find(model)
    assert found is not None
    offer = found.model.at(provider)
    assert offer is not None
    asked = ask("generations", {"model": model, "prompt": "x", **values})
    held = Decimal(prices.most(prices.from_book(found.model, offer), asked, asked.limit or 0)) / 10**9
    if not offer.tiers[""].usd:
        held = Decimal(prices.most(prices.from_book(found.model, offer), asked, 0)) / 10**9
    assert Decimal(least) <= held <= Decimal(most)


def test_each_image_of_a_stream_is_paid_by_its_own_size() -> None:
    body = {"model": "lab/m", "prompt": "x", "n": 2, "stream": True}
    call = made.call("images", "img_1", json.dumps(body).encode(), ask("generations", body))
    price = Price(rates={}, context=1, max_output=0, version="t", units={"megapixel": Decimal(10)})
    feed = images.feed(call, made.leg("images", "m", price), {})
    for size in ((1024, 1024), (2048, 2048)):
        out = io.BytesIO()
        Image.new("1", size).save(out, "PNG")
        event = {"type": "image_generation.completed", "b64_json": base64.b64encode(out.getvalue()).decode()}
        feed.push(b"event: image_generation.completed\ndata: " + json.dumps(event).encode() + b"\n\n")
    feed.end()
    assert feed.fault is None and feed.meter.usage is not None
    assert feed.meter.usage.units == {"image": 2, "megapixel": 5}
    assert prices.cost(price, feed.meter.usage, call.ask) == (50, {"megapixel": 50})
