"""What recorded answers cost: our reading of their usage and our book, against genai-prices' reading of the same bytes
and its own prices (https://github.com/pydantic/genai-prices). Equal to the nano-dollar, or explained."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any, NamedTuple

import genai_prices

from gateway import book
from gateway.billing import prices
from gateway.call import Ask, Meter
from gateway.dialects import bridge
from gateway.modalities import words
from gateway.neutral.reply import Usage
from tests import made
from tests.matrix.replies import call, leg
from tests.recorded.cassettes import interactions

WORDS = {
    "openai-chat": ("chat", "chat.completions"),
    "openai-responses": ("responses", "responses"),
    "anthropic": ("messages", "messages"),
    "gemini": ("gemini", "generate_content"),
    "openai-embeddings": ("embeddings", "embeddings"),
}
"""By folder of recordings: what its calls are told in, and their kind."""

KINDS = {"moonshotai": "moonshot", "bedrock-mantle": "bedrock"}
"""Our word for a provider, where the recordings have another."""

THEIRS = {"xai": "x-ai", "moonshot": "moonshotai", "vertex": "google", "bedrock": "aws"}
"""Their word for a provider."""

FLAVORS = {
    "chat": ("chat", "default"), "responses": ("responses", "default"), "messages": ("default", "anthropic"),
    "gemini": ("default",), "embeddings": ("embeddings",),
}  # fmt: skip
"""How they call a dialect, the first that a provider has."""


_UNPRICED_RUNS = (
    "genai-prices does not read how often the provider ran its own tools; without their fees both are equal"
)
_MOVED = "the name means a newer model than when genai-prices read its price"

EXPLAINED: tuple[tuple[str, str, str, str], ...] = (
    ("deepseek", "deepseek-(chat|reasoner)", "", _MOVED),
    ("mistral", "(mistral-large|magistral-medium)-latest", "", _MOVED),
    ("perplexity", "sonar.*", "", "a request's fee is by size of its search; replies told `request_cost` of the low one"),
    ("vertex", "gemini-2.0-flash", "", "genai-prices has the Gemini API's price for Vertex too, which takes more"),
    ("azure", "grok-4-1-fast-.*", "", "Azure has no price for cached input of it; genai-prices takes xAI's"),
    ("azure", "deepseek-v4-pro", "", "Azure has a price of its own; genai-prices takes DeepSeek's"),
    ("anthropic", "claude-sonnet-4-5", "pause_turn", "genai-prices keeps the long window's rate, which has ended"),
    ("anthropic", "claude-opus-4-6", "compaction", "genai-prices leaves out what a compaction took, told in `iterations`"),
    ("google", "gemini-2.5-pro-preview-05-06", "openai-chat", "thoughts that only `total_tokens` counts"),
    ("mistral", "voxtral-small-latest", "audio", "sound that only `total_tokens` counts"),
)  # fmt: skip
"""Differences that are right on our side: provider, pattern of the model, part of the recording's name, reason."""


class Paid(NamedTuple):
    """One recorded answer. parts: of ours, by class and fee · ours, theirs: nano-dollars · read: their usage."""

    name: str
    provider: str
    model: str
    usage: Usage
    parts: dict[str, int]
    ours: int
    theirs: int
    read: Any

    @property
    def why(self) -> str | None:
        """Why the two differ; None where nobody has said."""
        runs = sum(nanos for kind, nanos in self.parts.items() if kind in self.usage.tools)
        if runs and self.ours - runs == self.theirs:
            return _UNPRICED_RUNS
        return next(
            (why for provider, model, name, why in EXPLAINED
             if provider == self.provider and re.fullmatch(model, self.model) and name in self.name), None,
        )  # fmt: skip


def _answers(shared: Path) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for folder, (dialect, op) in WORDS.items():
        for name, one in interactions(shared, folder, *_OPS):
            if one["response"]["status"] == 200 and one["origin"] != "constructed":
                yield f"{folder}/{name}", dialect, op, one


_OPS = ("chat.completions", "responses", "messages", "generateContent", "streamGenerateContent", "embeddings")


def _metered(dialect: str, one: dict[str, Any]) -> Usage | None:
    """The usage that the call would be settled with."""
    payload = one["payload"]
    if dialect == "embeddings":
        values = one["request"].get("json") or {"input": "hi"}
        asked = made.call("embeddings", "ours", json.dumps(values).encode(), words.NAMED["embeddings"].ask(values))
        meter = Meter()
        words.carrier(asked).whole(asked, made.leg("embeddings", "m", prices.FREE, secret="s"), payload, meter)
        return meter.usage
    asked, taken = call(dialect, {"model": "m", "messages": [], "contents": [], "input": "hi"}), leg(dialect)
    if one["kind"] != "sse":
        meter = Meter()
        bridge.whole(asked, taken, payload, meter)
        return meter.usage
    feed = bridge.feed(asked, taken, {})
    for block in payload:
        feed.push(block.encode())
    feed.end()
    return feed.meter.usage


def _told(dialect: str, one: dict[str, Any]) -> dict[str, Any]:
    """The answer as one object with its usage, as it stands at the end of a stream; of two in one the first."""
    if one["kind"] != "sse":
        values = json.loads(one["payload"])
        return values[-1] if isinstance(values, list) else values
    frames = [json.loads(data) for block in one["payload"] for data in re.findall(r"^data: ?(\{.*)$", block, re.M)]
    match dialect:
        case "responses":
            return next((f["response"] for f in frames if (f.get("response") or {}).get("usage")), {})
        case "messages":
            message = next((f["message"] for f in frames if f.get("type") == "message_start"), {})
            for frame in frames:
                if frame.get("type") == "message_delta":
                    message = {**message, "usage": {**message.get("usage", {}), **(frame.get("usage") or {})}}
            return message
        case "gemini":
            return next((f for f in reversed(frames) if f.get("usageMetadata")), {})
        case _:
            return next((f for f in reversed(frames) if f.get("usage")), {})


def _theirs(provider: str, dialect: str, model: str, told: dict[str, Any]) -> tuple[Decimal, Any] | None:
    """Dollars, and their reading; None where they have no reading or no price. Of prices by the hour the dearest."""
    known = THEIRS.get(provider, provider)
    for flavor in FLAVORS[dialect]:
        try:
            read = genai_prices.extract_usage(told, provider_id=known, api_flavor=flavor)
        except (ValueError, LookupError, AttributeError):
            continue
        tier = told.get("service_tier") or (told.get("usage") or {}).get("service_tier")
        context = {"service_tier": tier} if isinstance(tier, str) else None
        day = datetime.fromisoformat(book.built_in().version)
        try:
            return max(
                genai_prices.calc_price(
                    read.usage, model, provider_id=known, price_context=context,
                    genai_request_timestamp=day.replace(hour=hour, tzinfo=UTC),
                ).total_price
                for hour in range(0, 24, 2)
            ), read.usage  # fmt: skip
        except (ValueError, LookupError):
            return None
    return None


def _paid(shared: Path, left: Counter[str]) -> Iterator[Paid]:
    for name, dialect, _, one in _answers(shared):
        provider = KINDS.get(one["provider"], one["provider"])
        model = str(one.get("model"))
        offered = book.built_in().offer(provider, model)
        if offered is None:
            left["not in the book"] += 1
            continue
        try:
            usage = _metered(dialect, one)
        except Exception as fault:
            left[f"no answer: {type(fault).__name__}"] += 1
            continue
        if usage is None:
            left["tells no usage"] += 1
            continue
        told = _told(dialect, one)
        theirs = _theirs(provider, dialect, model, told)
        if theirs is None:
            left["not in genai-prices"] += 1
            continue
        price = prices.from_book(*offered)
        total, parts = prices.cost(price, usage, Ask(model=model))
        nanos = int((theirs[0] * 10**9).to_integral_value(ROUND_CEILING))
        yield Paid(name, provider, model, usage, parts, total, nanos, theirs[1])


def test_recorded_answers_cost_what_genai_prices_says(shared: Path) -> None:
    left: Counter[str] = Counter()
    rows = list(_paid(shared, left))
    differ = [row for row in rows if row.ours != row.theirs]
    reasons = Counter((row.provider, row.why) for row in differ if row.why)
    unexplained = [row for row in differ if row.why is None]
    print(
        f"recorded answers priced: {len(rows)}, of which {len(differ)} differ for a reason; not compared: {dict(left)}"
    )
    for (provider, why), count in reasons.most_common():
        print(f"  {count} of {provider}: {why}")
    assert len(rows) > 1200
    assert not unexplained, "\n".join(map(str, unexplained))
    unused = [row for row in EXPLAINED if not any(row[3] == why and row[0] == provider for provider, why in reasons)]
    assert not unused, f"no recording differs so any more: {unused}"
