"""What is to be filmed, in neutral words, and how callers say it: as OpenAI's `POST /videos`, with the words that other
vendors and clients use beside (`duration`, `resolution`, `aspect_ratio`, `image`, `n`).

https://platform.openai.com/docs/api-reference/videos/create
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ...bodies import Upload
from ...call import Piece
from ...dialects import shapes
from ...dialects.inlined import WAYS
from ...dialects.media import from_data_url
from ...neutral.parts import FileRef, Media, Url

SECONDS = 8
"""How long a video is at most where nobody says. Vendors assume less or as much, and say how long it became."""

MOST_SECONDS, MOST_VIDEOS = 60, 8

_SIZE = re.compile(r"([0-9]{2,4})[xX*×]([0-9]{2,4})")
_LINES = re.compile(r"([0-9]{3,4})[pP]|([248])[kK]")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRequest:
    """What is asked for.

    seconds: how long, None if not said · size: (width, height) in pixels · lines: 720 of `720p`, where that is said ·
    ratio: `16:9` · first, last: its first and last picture · n: how many · negative: what it shall not show · seed ·
    sound: whether it shall have any · of: the video that it is made from, by its provider's id · extras: members that
    only their own vendor knows.
    """

    prompt: str = ""
    seconds: Decimal | None = None
    size: tuple[int, int] | None = None
    lines: int | None = None
    ratio: str | None = None
    first: Media | Upload | None = None
    last: Media | Upload | None = None
    n: int = 1
    negative: str | None = None
    seed: int | None = None
    sound: bool | None = None
    of: str | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)

    @property
    def height(self) -> int | None:
        """The shorter side in pixels, by which vendors name and price what they make."""
        return min(self.size) if self.size else self.lines

    @property
    def shape(self) -> str | None:
        """The ratio of its sides, where any is said."""
        if self.ratio or self.size is None:
            return self.ratio
        width, height = self.size
        return "16:9" if width > height else "9:16" if width < height else "1:1"

    @property
    def quality(self) -> str:
        """The same as prices name it: `720p`, `4k`; "" where nothing is said."""
        height = self.height
        return "" if height is None else {1440: "2k", 2160: "4k", 4320: "8k"}.get(height, f"{height}p")


OPENAIS = frozenset({"model", "prompt", "seconds", "size", "input_reference"})
"""The members that OpenAI knows."""

_KNOWN = OPENAIS | {
    "duration", "duration_seconds", "durationSeconds", "resolution", "aspect_ratio", "aspectRatio", "image",
    "image_url", "last_image", "n", "negative_prompt", "seed", "audio", "generate_audio", "video", "type",
}  # fmt: skip


def parse(values: Mapping[str, Any], own: tuple[str, ...]) -> VideoRequest:
    """A request that the gate has passed. own: members that are the gateway's."""
    seconds = next((values[name] for name in _LONG if values.get(name) is not None), None)
    resolution = shapes.text(values.get("resolution")) or ""
    size = _pair(shapes.text(values.get("size")) or "") or _pair(resolution)
    lines = _LINES.fullmatch(resolution)
    sound = values.get("generate_audio", values.get("audio"))
    return VideoRequest(
        prompt=shapes.text(values.get("prompt")) or "",
        seconds=Decimal(str(seconds)) if seconds is not None else None,
        size=size,
        lines=_height(lines) if lines else None,
        ratio=shapes.text(values.get("aspect_ratio") or values.get("aspectRatio")),
        first=_picture(values.get("input_reference") or values.get("image") or values.get("image_url")),
        last=_picture(values.get("last_image")),
        n=shapes.whole(values.get("n")) or 1,
        negative=shapes.text(values.get("negative_prompt")),
        seed=shapes.whole(values.get("seed")),
        sound=shapes.flag(sound),
        of=shapes.text(values.get("video")) or shapes.text(shapes.members(values.get("video")).get("id")),
        extras={name: value for name, value in values.items() if name not in _KNOWN and name not in own},
    )


def pictures(values: Mapping[str, Any]) -> Iterator[tuple[str, Media]]:
    """All pictures that a request names, whether they are used or not: (field, picture); files of a form are none."""
    for name in WAYS["videos"][0]:
        found = _picture(values.get(name))
        if isinstance(found, Media):
            yield name, found


_LONG = ("seconds", "duration", "duration_seconds", "durationSeconds")


def _pair(text: str) -> tuple[int, int] | None:
    found = _SIZE.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def _height(found: re.Match[str]) -> int:
    return int(found[1]) if found[1] else {"2": 1440, "4": 2160, "8": 4320}[found[2]]


def _picture(value: Any) -> Media | Upload | None:
    """A picture as it came: a file; or an address, a data URL, `{"image_url": …}`, `{"url": …}`, `{"file_id": …}`."""
    if isinstance(value, Upload):
        return value
    if isinstance(value, Mapping):
        inner = value.get("image_url") or value.get("url")
        if isinstance(inner, Mapping):
            inner = inner.get("url")
        if inner is None and isinstance(value.get("file_id"), str):
            return Media(kind="image", source=FileRef(id=value["file_id"]))
        value = inner
    if not isinstance(value, str):
        return None
    inside = from_data_url(value)
    if inside:
        return Media(kind="image", source=inside[0], media_type=inside[1])
    return Media(kind="image", source=Url(url=value))


def pieces(request: VideoRequest) -> tuple[Piece, ...]:
    """What is made: by the second, else by the video."""
    long = request.seconds if request.seconds is not None else Decimal(SECONDS)
    return (
        Piece("second", long * request.n, request.quality),
        Piece("video", Decimal(request.n), request.quality),
    )  # fmt: skip
