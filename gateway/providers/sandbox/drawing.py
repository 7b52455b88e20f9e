"""The sandbox's images: they show their prompt and their size, and what they were made from.

Drawn by Pillow, in a thread: a large one takes a tenth of a second.
"""

from __future__ import annotations

import base64
import binascii
import io
import time
import zlib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import orjson

from ...apart import apart
from ...bodies import Form, Upload, joined
from ...sse import write
from .film import BLOCK, Scene, count

DRAWING = frozenset({"image", "echo", "slow", "error", "flaky", "limited", "cut", "mid-stream-error"})
_USUAL = (1024, 1024)
_MOST_PIXELS, _MOST_SIDE = 4 << 20, 4_096
_MOST_GIVEN_PIXELS = 16 << 20
_FORMATS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP"}
_LINES = 12
_EVENTS = {"images": "image_generation", "images:edits": "image_edit", "images:variations": "image_edit"}


class Refused(Exception):
    """What the sandbox cannot draw: the field, and why."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param, self.message = param, message


def read(form: Form) -> dict[str, Any]:
    """The fields of a form, its files as they are."""
    found: dict[str, Any] = {}
    for name, value in form.parts:
        name = name.partition("[")[0]
        if name in ("image", "images"):
            found.setdefault("image", []).append(value)
        else:
            found[name] = value
    for name in ("n", "partial_images", "output_compression"):
        if name in found:
            found[name] = int(found[name])
    return found


def answer(dialect: str, values: Mapping[str, Any], stream: bool) -> tuple[str, Iterator[bytes]]:
    """The reply's type and pieces: JSON, or events. Raises Refused."""
    _need_pillow()
    form = values.get("output_format") or "png"
    wide, high = _size(values.get("size"))
    clear = values.get("background") == "transparent"
    if clear and form == "jpeg":
        raise Refused("background", "A JPEG cannot be transparent. Use png or webp.")
    n = values.get("n") or 1
    given = _given(values)
    if dialect != "images" and not given:
        raise Refused("image", "The sandbox needs the image itself: a file, or a data URL.")
    about = {
        "size": f"{wide}x{high}", "quality": values.get("quality") or "auto",
        "background": "transparent" if clear else "opaque", "output_format": form,
    }  # fmt: skip

    def drawn(place: int, rough: int = 0) -> str:
        return base64.b64encode(
            apart(
                _draw, values.get("prompt") or "", wide, high, form, clear, place if n > 1 else None, given, rough,
                values.get("output_compression"), _one(values, "mask"), _one(values, "markup"),
            )
        ).decode()  # fmt: skip

    if not stream:
        data = [{"b64_json": drawn(place)} for place in range(n)]
        body = orjson.dumps({"created": int(time.time()), **about, "data": data})
        return "application/json", iter((body,))
    return "text/event-stream; charset=utf-8", _events(
        _EVENTS[dialect], about, n, values.get("partial_images") or 0, drawn
    )


def _need_pillow() -> None:
    if find_spec("PIL") is None:
        raise Refused("model", "The sandbox draws with Pillow, which is not installed: python -m pip install pillow.")


_THUMBNAIL, _SHEET = 480, (160, 5, 20)
"""Pixels a side at most · those of a picture in a sheet, pictures beside each other, and in all."""


def thumbnail(scene: Scene, seconds: float) -> bytes:
    """A WebP image of a film's middle. Raises Refused."""
    _need_pillow()
    return apart(_sheet, scene, [count(seconds) // 2], _THUMBNAIL, 1, "WEBP")  # type: ignore[no-any-return]


def spritesheet(scene: Scene, seconds: float) -> bytes:
    """A JPEG image of pictures of a film beside each other. Raises Refused."""
    _need_pillow()
    side, beside, most = _SHEET
    every, shown = count(seconds), min(most, count(seconds))
    return apart(_sheet, scene, [every * place // shown for place in range(shown)], side, beside, "JPEG")  # type: ignore[no-any-return]


def _sheet(scene: Scene, numbers: list[int], side: int, beside: int, form: str) -> bytes:
    from PIL import Image

    scale = min(1.0, side / max(scene.width, scene.height))
    wide, high = max(1, round(scene.width * scale)), max(1, round(scene.height * scale))
    sheet = Image.new("RGB", (wide * min(beside, len(numbers)), high * -(-len(numbers) // beside)))
    for place, number in enumerate(numbers):
        blocks = Image.new("YCbCr", (scene.across, scene.down))
        blocks.putdata(list(scene.blocks(number)))
        shown = (0, 0, scene.width / BLOCK, scene.height / BLOCK)
        picture = blocks.convert("RGB").resize((wide, high), Image.Resampling.NEAREST, shown)
        sheet.paste(picture, (place % beside * wide, place // beside * high))
    out = io.BytesIO()
    sheet.save(out, form)
    return out.getvalue()


def _events(name: str, about: Mapping[str, Any], n: int, partial: int, drawn: Any) -> Iterator[bytes]:
    for place in range(n):
        for step in range(partial):
            values = {
                "type": f"{name}.partial_image", "b64_json": drawn(place, partial - step),
                "partial_image_index": step, "created_at": int(time.time()), **about,
            }  # fmt: skip
            yield write(orjson.dumps(values), values["type"])
        done = {"type": f"{name}.completed", "b64_json": drawn(place), "created_at": int(time.time()), **about}
        yield write(orjson.dumps(done), done["type"])


def _size(text: Any) -> tuple[int, int]:
    if text in (None, "auto"):
        return _USUAL
    wide, _, high = str(text).partition("x")
    found = int(wide), int(high)
    if found[0] * found[1] > _MOST_PIXELS or max(found) > _MOST_SIDE or min(found) < 16:
        raise Refused("size", f"The sandbox draws 16 to {_MOST_SIDE} pixels a side, at most {_MOST_PIXELS} in all.")
    return found


def _given(values: Mapping[str, Any]) -> list[bytes]:
    """The images to start from, as bytes."""
    found: list[bytes] = []
    for name in ("image", "images"):
        one = values.get(name)
        for place, given in enumerate(one if isinstance(one, list) else [] if one is None else [one]):
            found.append(_bytes(given, f"{name}[{place}]"))
    return found


def _one(values: Mapping[str, Any], name: str) -> bytes | None:
    return _bytes(values[name], name) if values.get(name) else None


def _bytes(given: Any, where: str) -> bytes:
    if isinstance(given, Upload):
        return joined(given.content)
    if isinstance(given, dict):
        given = given.get("image_url") or given.get("url") or ""
    text = str(given)
    if not text.startswith("data:"):
        raise Refused(where, f"The sandbox has no network: {where} must be a file or a data URL.")
    try:
        return base64.b64decode(text.partition(",")[2], validate=True)
    except (ValueError, binascii.Error):
        raise Refused(where, f"{where} is no base64.") from None


def _draw(
    prompt: str, wide: int, high: int, form: str, clear: bool, number: int | None, given: list[bytes], rough: int,
    compression: int | None, mask: bytes | None, markup: bytes | None,
) -> bytes:  # fmt: skip
    """One image. rough: how far from done it is. Raises Refused."""
    from PIL import Image, ImageDraw, ImageFont

    hue = zlib.crc32(prompt.encode("utf-8", "surrogatepass")) % 360
    paper = Image.new("HSV", (wide, high), (hue * 255 // 360, 90, 235)).convert("RGBA")
    if clear:
        paper = Image.new("RGBA", (wide, high), (0, 0, 0, 0))
    for place, data in enumerate(given):
        opened = _opened(data).resize((wide // len(given), high))
        paper.paste(opened, (place * (wide // len(given)), 0))
    if markup is not None:
        paper.alpha_composite(_opened(markup).resize((wide, high)))
    before = paper.copy()
    pen = ImageDraw.Draw(paper)
    font: Any = ImageFont.load_default(size=max(10, min(wide, high) // 16))
    small: Any = ImageFont.load_default(size=max(8, min(wide, high) // 32))
    ink, edge = (20, 20, 20, 255), (255, 255, 255, 255)
    lines = _wrapped(prompt, lambda text: pen.textlength(text, font=font) <= wide * 0.9)
    step = font.size * 5 // 4
    top = max(0, (high - step * len(lines)) // 2)
    for row, line in enumerate(lines):
        left = (wide - pen.textlength(line, font=font)) / 2
        pen.text((left, top + row * step), line, fill=ink, font=font, stroke_width=2, stroke_fill=edge)
    foot = f"{wide}x{high}" + (f" #{number + 1}" if number is not None else "")
    pen.text((4, high - small.size * 3 // 2), foot, fill=ink, font=small, stroke_width=1, stroke_fill=edge)
    if mask is not None:  # what is clear in it is to be edited
        kept = _opened(mask).resize((wide, high)).getchannel("A")
        paper = Image.composite(before, paper, kept)
    if rough:
        coarse = 8 * rough
        paper = paper.resize((max(1, wide // coarse), max(1, high // coarse))).resize(
            (wide, high), Image.Resampling.NEAREST
        )
    out = io.BytesIO()
    if form == "jpeg":
        paper.convert("RGB").save(out, "JPEG", quality=90 if compression is None else max(1, compression))
    elif form == "webp":
        paper.save(out, "WEBP", quality=90 if compression is None else compression, method=0)
    else:
        (paper if clear else paper.convert("RGB")).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _opened(data: bytes) -> Any:
    from PIL import Image

    try:
        opened = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
        if opened.width * opened.height > _MOST_GIVEN_PIXELS:
            raise Refused("image", f"The sandbox takes images of up to {_MOST_GIVEN_PIXELS} pixels.")
        return opened.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise Refused("image", "The sandbox cannot read the image. Send PNG, JPEG or WebP.") from None


def _wrapped(text: str, fits: Any) -> list[str]:
    """Lines that are narrow enough, and few enough."""
    lines: list[str] = [""]
    for word in text[:2_000].split():
        joined_ = f"{lines[-1]} {word}".strip()
        if fits(joined_) or not lines[-1]:
            lines[-1] = joined_
        else:
            lines.append(word)
        if len(lines) > _LINES:
            return [*lines[: _LINES - 1], "…"]
    return lines
