"""Moderation and reranking of the sandbox: by words that a list has, and by words that are shared."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any

import gevent

from ...modalities.rerank import text_of
from .answer import tokens
from .embed import MOST_TEXT, vector

JUDGING = frozenset({"moderation", "echo", "slow", "error", "flaky", "limited", "cut"})
RANKING = frozenset({"rerank", "echo", "slow", "error", "flaky", "limited", "cut"})
_SIZE = 512
_WORDS: Mapping[str, str] = {
    "harassment": "idiot|stupid|loser|moron", "harassment/threatening": "i will hurt you|watch your back",
    "hate": "subhuman|vermin", "hate/threatening": "exterminate", "illicit": "counterfeit|heroin|steal",
    "illicit/violent": "pipe bomb|explosive", "self-harm": "self-harm|cut myself", "self-harm/intent": "kill myself",
    "self-harm/instructions": "how to hang", "sexual": "porn|nude", "sexual/minors": "child porn",
    "violence": "kill|murder|stab|shoot", "violence/graphic": "gore|dismember",
}  # fmt: skip
"""OpenAI's categories, and what falls into them here."""

_PATTERNS = {name: re.compile(rf"\b(?:{words})", re.IGNORECASE) for name, words in _WORDS.items()}


def moderate(values: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The reply. Parts are one input; an image is harmless, as nobody looks at it."""
    given = values["input"]
    inputs = [given] if isinstance(given, str) else given
    if any(isinstance(one, dict) for one in inputs):
        inputs = ["\n".join(str(one.get("text") or "") if isinstance(one, dict) else one for one in inputs)]
    results = [_judged(one) for one in inputs]
    return {"id": f"modr-sandbox{zlib.crc32(repr(inputs).encode()):08x}", "model": model, "results": results}


def _judged(text: str) -> dict[str, Any]:
    found = {name: pattern.search(text) is not None for name, pattern in _PATTERNS.items()}
    return {
        "flagged": any(found.values()),
        "categories": found,
        "category_scores": {name: 0.98 if there else 0.0001 for name, there in found.items()},
        "category_applied_input_types": {name: ["text"] for name in found},
    }


def rerank(values: Mapping[str, Any], model: str) -> tuple[dict[str, Any], None] | tuple[None, str]:
    """The reply, or why there is none."""
    texts = [text_of(one) for one in values["documents"]]
    if len(values["query"]) + sum(map(len, texts)) > MOST_TEXT:
        return None, f"The sandbox reads at most {MOST_TEXT} characters in one call. Send less."
    wanted = vector(values["query"], _SIZE)
    scores = []
    for text in texts:
        near = sum(a * b for a, b in zip(wanted, vector(text, _SIZE), strict=True))
        scores.append(round(min(1.0, max(0.0, near)), 6))
        gevent.sleep(0)
    best = sorted(range(len(texts)), key=lambda place: (-scores[place], place))[: values.get("top_n") or len(texts)]
    shown = [
        {"index": place, "relevance_score": scores[place]}
        | ({"document": {"text": texts[place]}} if values.get("return_documents") else {})
        for place in best
    ]
    took = tokens(values["query"]) * len(texts) + sum(map(tokens, texts))
    return {
        "id": f"rerank-sandbox{zlib.crc32(repr(texts).encode()):08x}",
        "model": model,
        "results": shown,
        "meta": {"billed_units": {"search_units": -(-len(texts) // 100)}},
        "usage": {"total_tokens": took},
    }, None
