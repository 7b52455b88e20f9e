"""Recorded replies of real providers against what the document says of them: what passes through must fit it too."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest

from schemas.document import begin
from tests.recorded.cassettes import interactions

COMPONENTS = begin("x", "1").to_dict()["components"]
OURS = {"id": "x", "model": "x", "output_text": ""}
"""What every reply is given on its way."""


@pytest.mark.parametrize(
    ("folder", "op", "name", "least"),
    [
        ("openai-chat", "chat.completions", "ChatCompletion", 100),
        ("openai-completions", "completions", "Completion", 5),
        ("openai-embeddings", "embeddings", "EmbeddingList", 10),
        ("openai-responses", "responses", "Response", 100),
        ("anthropic", "messages", "Message", 100),
        ("anthropic", "count_tokens", "MessageTokens", 5),
        ("gemini", "generateContent", "GenerateContentResponse", 100),
    ],
)
def test_recorded_replies_fit_the_document(shared: Path, folder: str, op: str, name: str, least: int) -> None:
    judge = jsonschema_rs.Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": COMPONENTS})
    fit = 0
    for label, one in interactions(shared, folder, op):
        if one["kind"] == "sse" or one["response"].get("status") != 200:
            continue
        payload = one["payload"]
        values = json.loads(payload) if isinstance(payload, str | bytes) else payload
        if values.get("error"):
            continue
        problems = [f"{error.instance_path} {error.message}"[:300] for error in judge.iter_errors({**values, **OURS})]
        assert not problems, label
        fit += 1
    assert fit >= least
