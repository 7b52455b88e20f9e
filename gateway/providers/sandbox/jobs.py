"""Long work of the sandbox: videos and music that take as long as their model's name says.

What is asked for stands in the id that is given back, but for the caller's words: no process has to remember it, so it
goes on whoever is killed.
"""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import orjson

from ...clock import now_ms
from ...modalities.video.request import parse
from . import drawing, film, song

USUAL_MS = 1_000
"""How long work takes that nothing else is said of."""

SECONDS = {"videos": 4, "music": 4}
MOST_PIXELS, MOST_SECONDS, MOST_RESULTS = 1 << 21, 60, 8
_SIZE = (320, 180)
_OWN = ("models", "provider")
_PATH = re.compile(r"/(videos|music)/([A-Za-z0-9_-]{1,400})(/content)?")
_JSON = {"content-type": "application/json"}

Answer = tuple[int, Mapping[str, str], bytes]
_Work = TypeVar("_Work")


class Work(NamedTuple):
    """kind: of the model's name · number: in it · began: Unix ms · seconds, width, height, n: of the results."""

    kind: str
    number: int
    began: int
    seconds: float
    width: int
    height: int
    n: int
    seed: int

    @property
    def took_ms(self) -> int:
        return self.number if self.kind == "slow" else USUAL_MS

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        passed = now_ms() - self.began
        return min(passed / 60_000, 0.9) if self.kind == "hang" else min(1.0, passed / max(1, self.took_ms))


def begin(path: str, kind: str, number: int, values: Mapping[str, Any]) -> tuple[Answer, None] | tuple[None, str]:
    """Begin: the answer, or why there is none. What is begun from a video that is done is as long and as large."""
    family = path.split("/")[1]
    before = _PATH.fullmatch(unquote(path.removesuffix("/remix")))
    source = unpack(before[2], Work) if before else None
    if source is not None:
        values = {**values, "seconds": f"{source.seconds:g}", "size": f"{source.width}x{source.height}"}
    asked = parse(values, _OWN)
    seconds = float(asked.seconds) if asked.seconds is not None else SECONDS[family]
    width, height = asked.size or _SIZE
    if not 0 < seconds <= MOST_SECONDS:
        return None, f"The sandbox makes up to {MOST_SECONDS} seconds. Ask for less."
    if width < 16 or height < 16 or width * height > MOST_PIXELS:
        return None, f"The sandbox makes pictures from 16 x 16 to {MOST_PIXELS} pixels. Ask for another size."
    if asked.n > MOST_RESULTS:
        return None, f"The sandbox makes up to {MOST_RESULTS} at once. Ask for fewer."
    seed = asked.seed if asked.seed is not None else int.from_bytes(os.urandom(3), "big")
    work = Work(kind, number, now_ms(), seconds, width, height, asked.n, abs(seed) % (1 << 24))
    return (200, _JSON, _shown(family, pack(work), work)), None


def ask(path: str) -> Answer | None:
    """What is answered at a path; None where there is nothing. Raises Fault where a real provider would break off."""
    parts = urlsplit(path)
    found = _PATH.fullmatch(unquote(parts.path))
    work = unpack(found[2], Work) if found else None
    if found is None or work is None:
        return None
    if not found[3]:
        return 200, _JSON, _shown(found[1], found[2], work)
    asked = parse_qs(parts.query)
    index, variant = asked.get("index", ["0"])[0], asked.get("variant", ["video"])[0]
    if work.share < 1 or not index.isdecimal() or int(index) >= work.n:
        return None
    seed = work.seed + int(index)
    if found[1] == "music":
        return 200, {"content-type": "audio/wav"}, song.song(work.seconds, seed)
    scene = film.Scene(work.width, work.height, seed)
    if variant == "thumbnail":
        return 200, {"content-type": "image/webp"}, drawing.thumbnail(scene, work.seconds)
    if variant == "spritesheet":
        return 200, {"content-type": "image/jpeg"}, drawing.spritesheet(scene, work.seconds)
    return 200, {"content-type": "video/mp4"}, film.film(scene, work.seconds)


def pack(work: tuple[Any, ...]) -> str:
    """Work as an id, which is all that anybody has to know of it. It holds no word of a caller's (Law 6)."""
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(work).encode(), 9)).rstrip(b"=").decode()


def unpack(identity: str, kind: Callable[..., _Work]) -> _Work | None:
    """The work of an id; None where it is none."""
    try:
        return kind(*json.loads(zlib.decompress(base64.urlsafe_b64decode(identity + "=" * (-len(identity) % 4)))))
    except (ValueError, TypeError, zlib.error):
        return None


def _shown(family: str, packed: str, work: Work) -> bytes:
    share = work.share
    values: dict[str, Any] = {
        "id": packed, "object": family.removesuffix("s"), "created_at": work.began // 1000,
        "progress": int(share * 100),
        "status": "completed" if share >= 1 else "queued" if share < 0.1 else "in_progress",
        "seconds": f"{work.seconds:g}", "results": work.n, "error": None,
    }  # fmt: skip
    if family == "videos":
        values["size"] = f"{work.width}x{work.height}"
    if work.kind == "cut" and share >= 0.5:
        values |= {"status": "failed", "error": {"code": "sandbox_failed", "message": "The sandbox model cut fails."}}
    if work.kind == "refusal" and share >= 0.5:
        values |= {"status": "failed", "error": {"code": "moderation_blocked", "message": "The sandbox refuses."}}
    return orjson.dumps(values)
