"""Models and prices by the command line: what an operator sees, sets and takes; and channels asked in each dialect."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway import book
from tests.commands.test_commands import failed, told, verb
from tests.upstream import Asked, Script, upstream

GPT = "openai/gpt-4o-mini"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    told(tmp_path, "channels", "add", "--provider", "openai", "--key", "sk-typed-0123456789")
    return tmp_path


def price(folder: Path, name: str = GPT) -> dict[str, Any]:
    found: dict[str, Any] = told(folder, "prices", "show", name)
    return found


def test_what_a_vendor_offers_is_listed_with_its_price(shop: Path) -> None:
    rows = {row["id"]: row for row in told(shop, "models", "list", "--search", "gpt-4o-mini")}
    assert rows[GPT]["input_mtok"] == Decimal("0.15") and rows[GPT]["channels"] == ["openai"]
    assert rows[GPT]["mode"] == "chat" and rows[GPT]["context"] == 128_000
    assert told(shop, "models", "list", "--search", "claude") == []
    assert "No such model." in verb(shop, "models", "list", "--search", "claude").stdout


def test_a_price_says_who_says_so(shop: Path) -> None:
    shown = price(shop, "gpt-4o-mini")
    assert shown["model"] == GPT and shown["version"] == book.built_in().version
    assert shown["channels"][0]["upstream_model"] == "gpt-4o-mini"
    own = next(row for row in shown["book"] if row["provider"] == "openai")
    assert own["source"].startswith("https://") and own["input"] == "0.15"
    text = verb(shop, "prices", "show", GPT).stdout
    assert "on channel openai as gpt-4o-mini: input $0.15" in text and own["source"] in text and own["date"] in text
    told(shop, "channels", "disable", "openai")
    assert "No enabled channel serves it." in verb(shop, "prices", "show", GPT).stdout


def test_margins_and_prices_of_ones_own(shop: Path) -> None:
    assert told(shop, "prices", "margin", "author:openai", "20") == {"target": "author:openai", "percent": 20}
    assert price(shop)["input_mtok"] == Decimal("0.18") and price(shop)["version"].endswith(" +20%")
    told(shop, "prices", "margin", "channel:openai", "-50")
    assert price(shop)["input_mtok"] == Decimal("0.075")
    assert told(shop, "prices", "margin") == [
        {"target": "author:openai", "percent": 20}, {"target": "channel:openai", "percent": -50},
    ]  # fmt: skip
    told(shop, "prices", "set", "gpt-4o-mini", "--input-mtok", "7", "--output-mtok", "8", "--image-out-mtok", "9",
         "--fee", "web_search=0.02")  # fmt: skip
    assert (price(shop)["input_mtok"], price(shop)["image_out_mtok"], price(shop)["web_search_usd"]) == (
        7,
        9,
        Decimal("0.02"),
    )
    shown = verb(
        shop, "prices", "set", GPT, "--input-mtok", "7", "--output-mtok", "8", "--fee", "web_search=0.02"
    ).stdout
    assert shown.startswith(f"{GPT}: $7 in, $8 out, a million tokens. $0.02 each web_search.")
    assert told(shop, "prices", "remove", GPT)["removed"]
    told(shop, "prices", "margin", "channel:openai", "0")
    assert price(shop)["input_mtok"] == Decimal("0.18")
    for words in (("author:nobody", "5"), ("channel:none", "5")):
        assert words[0].partition(":")[2] in failed(shop, "prices", "margin", *words)
    for words in (("openai", "5"), ("author:openai", "much"), ("author:openai", "-100"), ("author:openai",)):
        assert failed(shop, "prices", "margin", *words, code=2)
    assert "--fee" in failed(
        shop, "prices", "set", GPT, "--input-mtok", "1", "--output-mtok", "1", "--fee", "x", code=2
    )


def test_what_is_sold_by_the_piece(shop: Path) -> None:
    assert price(shop, "openai/tts-1")["character_usd"] == Decimal("0.000015")
    assert price(shop, "whisper-1")["channels"][0]["second_usd"] == Decimal("0.0001")
    told(shop, "prices", "set", "openai/tts-1", "--unit", "character=0.00002")
    assert price(shop, "openai/tts-1")["character_usd"] == Decimal("0.00002")
    assert "character $0.00002 each (operator-" in verb(shop, "prices", "show", "openai/tts-1").stdout
    assert "--unit" in failed(shop, "prices", "set", "openai/tts-1", code=2)
    assert "character" in failed(shop, "prices", "set", "openai/tts-1", "--unit", "word=1", code=2)


def test_a_newer_book_is_shown_before_it_is_taken(shop: Path) -> None:
    head, *rows = [json.loads(line) for line in book.FILE.read_text().splitlines()]
    kept = [row for row in rows if row["id"].startswith("openai/")]
    mini = next(row for row in kept if row["id"] == GPT)
    offer = next(offer for offer in mini["offers"] if offer["provider"] == "openai")
    offer["usd"]["input"] = "0.25"
    newer = shop / "newer.jsonl"
    newer.write_text("\n".join(json.dumps(row) for row in ({**head, "version": "2099-01-01"}, *kept)))
    shown = told(shop, "prices", "update", str(newer), "--dry-run")
    wanted = {"model": GPT, "provider": "openai", "what": "input", "old": "0.15", "new": "0.25"}
    assert wanted in shown["changes"] and shown["taken"] is False
    assert price(shop)["input_mtok"] == Decimal("0.15")
    assert f"{GPT} at openai: input $0.15 → $0.25" in verb(shop, "prices", "update", str(newer)).stdout
    assert price(shop)["input_mtok"] == Decimal("0.25") and price(shop)["version"] == "2099-01-01"
    assert told(shop, "prices", "update")["to"] == book.built_in().version
    assert price(shop)["input_mtok"] == Decimal("0.15")
    for wrong in ("", "[]", "{}", '{"version":"1"}', '{"version":"1"}\n{"id":"a/b"}'):
        newer.write_text(wrong)
        assert "make pricebook" in failed(shop, "prices", "update", str(newer))


def test_a_channel_is_asked_in_each_dialect(tmp_path: Path) -> None:
    text = {"role": "assistant", "content": "ok"}
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}

    def answer(asked: Asked) -> Script:
        if asked.method == "GET":
            return Script.json({"data": [{"id": "tiny"}, {"id": "tiny-embed"}]})
        if "embeddings" in asked.path:
            assert asked.json["model"] == "tiny-embed"
            return Script.json({"data": [{"index": 0, "embedding": [0.1]}], "usage": usage})
        if asked.path.endswith("/v1/completions"):
            return Script.json({"error": {"message": "what is sk-upstream-0123456789?"}}, 404)
        if asked.json.get("stream"):
            frame = {"choices": [{"index": 0, "delta": text, "finish_reason": "stop"}]}
            return Script.sse(f"data: {json.dumps(frame)}\n\ndata: [DONE]\n\n".encode())
        return Script.json({"choices": [{"index": 0, "message": text, "finish_reason": "stop"}], "usage": usage})

    with upstream() as provider:
        provider.answer = answer
        told(tmp_path, "channels", "add", "--provider", "openai-compatible", "--name", "lab", "--base-url",
             provider.base_url, "--key", "sk-upstream-0123456789", "--free")  # fmt: skip
        done = verb(tmp_path, "channels", "test", "lab")
        said = told(tmp_path, "channels", "test", "lab")
    assert "chat: tiny answers whole in " in done.stdout and "and counts its tokens" in done.stdout
    assert "chat: tiny answers in pieces in " in done.stdout and "does not count its tokens, so they are" in done.stdout
    assert "completions: tiny does not answer whole: HTTP 404: what is " in done.stdout
    assert "sk-upstream" not in done.stdout and "embeddings: tiny-embed answers whole" in done.stdout
    assert "--dialects chat,embeddings" in done.stdout
    assert said["ok"] is False
    assert [(one["dialect"], one["streamed"], one["wrong"] is None) for one in said["tried"]] == [
        ("chat", False, True), ("chat", True, True), ("completions", False, False), ("embeddings", False, True),
    ]  # fmt: skip


def test_the_sandbox_is_asked_too(tmp_path: Path) -> None:
    told(tmp_path, "channels", "add", "--provider", "sandbox")
    said = told(tmp_path, "channels", "test", "sandbox")
    assert said["ok"] and {one["dialect"] for one in said["tried"]} == {"chat", "responses", "messages", "gemini"}
    assert all(one["counted"] for one in said["tried"]) and len(said["tried"]) == 8
