"""How heavy a body is: never lighter than what a model may count."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.scale import size

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("many", [[None], [[]], [{}], [[[]]], [10**40], [0.1234567890123456]])
def test_what_has_no_text_weighs_what_is_written(many: list[Any]) -> None:
    body = {"parameters": many * 1_000}
    assert size(body) * 2 > len(json.dumps(body, separators=(",", ":"))), "marks that stand together are one token"


@given(values)
def test_no_value_weighs_less_than_its_words(value: Any) -> None:
    def words(one: Any) -> int:
        if isinstance(one, dict):
            return sum(words(name) + words(inner) for name, inner in one.items())
        if isinstance(one, list):
            return sum(map(words, one))
        return 0 if one is None else len(str(one).encode("utf-8", "surrogatepass"))

    assert size(value) >= words(value)
