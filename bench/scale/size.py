"""Prompts of 2 MB: what they cost more than small ones, and for how long they keep everybody else waiting.

Two runs for each kind of prompt. In the first one client sends it again and again, and the CPU time of a call is seen.
In the second clients ask `/healthz` two hundred times a second meanwhile, whatever became of the time before: the
longest that one waited is the longest that the event loop was held, with what the machine itself took. The same beside
small calls says how much that is.
"""

from __future__ import annotations

import base64
import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..found import Figures
from ..processes import cpu_s
from ..programs import WHOLE, load
from ..shapes import CHAT, Failed
from ..subjects import Subject

BYTES = 2_000_000
"""Of a long prompt, as it is sent."""

LOOKS = 200
"""Looks at `/healthz` a second."""

IMAGES = 4

_PROSE = (
    'He said: "The gate\'s open" — and left.\n\tWer hat’s gesehen? Niemand, außer Zoë.\n'
    'for (i = 0; i < n; i++) {\n\tprintf("%d\\n", i); /* 数を印字する */\n}\nПотом стало тихо. 🌙\n'
)
"""What people and programs write: quotes, line ends, tabs, backslashes, and letters that are sent as escapes."""


def images(subject: Subject) -> bytes:
    """Inline images, as clients send them: base64 in data URLs."""
    chance = random.Random(7)
    raw = BYTES * 3 // 4 // IMAGES
    parts: list[dict[str, Any]] = [{"type": "text", "text": "What do these show?"}]
    for _ in range(IMAGES):
        data = base64.b64encode(b"\x89PNG\r\n\x1a\n" + chance.randbytes(raw)).decode()
        parts.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}})
    return json.dumps({"model": f"{subject.namespace}bench", "messages": [{"role": "user", "content": parts}]}).encode()


def text(subject: Subject) -> bytes:
    """Text that is full of escapes: what Python's json makes of prose and code in several scripts."""
    times = BYTES // (len(json.dumps(_PROSE)) - 2)
    asked = [{"role": "user", "content": _PROSE * times}]
    return json.dumps({"model": f"{subject.namespace}bench", "messages": asked}).encode()


PROMPTS = {"small": lambda subject: subject.body(), "images": images, "text": text}


def cost(subject: Subject, prompt: bytes, seconds: float) -> Figures:
    """One client after another's answer: CPU a call, and its time."""
    before = cpu_s(subject.roots)
    seen = _good(load(subject.port, CHAT, body=prompt, headers=subject.headers, seconds=seconds, mark=WHOLE))
    used = cpu_s(subject.roots) - before
    return {"cpu_ms": used / seen["good"] * 1e3, "p50_ms": seen["total_ms"]["p50"]}


def held(subject: Subject, prompt: bytes, seconds: float) -> Figures:
    """How long `/healthz` took while such prompts came."""
    with ThreadPoolExecutor(1) as other:
        calls = other.submit(
            load, subject.port, CHAT, body=prompt, headers=subject.headers, seconds=seconds, mark=WHOLE
        )
        looks = _good(load(subject.port, "/healthz", connections=8, seconds=seconds, rate=LOOKS))
        _good(calls.result())
    return {"longest_ms": looks["total_ms"]["max"], "p99_ms": looks["total_ms"]["p99"]}


def _good(seen: dict[str, Any]) -> dict[str, Any]:
    if seen["bad"] or not seen["good"]:
        raise Failed(f"calls failed: {seen['bad']}")
    return seen
