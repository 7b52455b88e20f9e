"""How heavy a body is: never lighter than what a model may count."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.scale import Scale, size

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("many", [[None], [[]], [{}], [[[]]], [10**40], [0.1234567890123456]])
def test_what_has_no_text_weighs_what_is_written(many: list[Any]) -> None:
    body = {"parameters": many * 1_000}
    assert size(body) * 2 > len(json.dumps(body, separators=(",", ":"))), "marks that stand together are one token"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "mcp", "server_url": "http://10.0.0.1"}, {"type": "audio_url", "audio_url": {"url": "http://10.0.0.1"}},
        {"type": "x", "inner": [{"source": {"type": "url", "url": "http://10.0.0.1"}}]}, {"image_url": "http://10.0.0.1"},
        {"type": "x", "file_url": "http://10.0.0.1"}, {"a": {"video_url": {"url": "http://10.0.0.1", "fps": 1}}},
    ],
)  # fmt: skip
def test_addresses_are_found_at_any_depth(part: Any) -> None:
    scale = Scale()
    scale.search(part, "messages[0].content[0]")
    assert [url for url, _ in scale.urls] == ["http://10.0.0.1"]
    scale.search({"type": "found", "url": "https://a.example", "text": "http://10.0.0.2"}, "x")
    assert len(scale.urls) == 1, "what is told is not what is fetched"


@given(values)
def test_no_value_weighs_less_than_its_words(value: Any) -> None:
    def words(one: Any) -> int:
        if isinstance(one, dict):
            return sum(words(name) + words(inner) for name, inner in one.items())
        if isinstance(one, list):
            return sum(map(words, one))
        return 0 if one is None else len(str(one).encode("utf-8", "surrogatepass"))

    assert size(value) >= words(value)
