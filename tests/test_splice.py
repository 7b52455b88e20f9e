"""splice: bytes in, the same bytes out, but for the members that were named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.splice import MAX_DEPTH, BadJson, edit, guard, scan

NAMES = st.text(max_size=6)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=8)
SPACE = st.text(alphabet=" \t\n\r", max_size=3)
DUMPS = st.sampled_from(
    [
        {"ensure_ascii": False},
        {"ensure_ascii": True},
        {"ensure_ascii": False, "separators": (",", ":")},
        {"indent": 2},
        {"separators": (" , ", " : ")},
    ]
)


@given(OBJECTS, DUMPS, SPACE, SPACE)
def test_an_edit_without_changes_changes_nothing(values: dict[str, Any], style: dict[str, Any], a: str, b: str) -> None:
    raw = (a + json.dumps(values, **style) + b).encode("utf-8", "surrogatepass")
    try:
        found = guard(raw)
    except BadJson:
        return  # a lone surrogate
    assert edit(found, {}) == raw
    assert found.values == json.loads(raw)


@given(OBJECTS, DUMPS, st.dictionaries(NAMES, st.none() | VALUES, max_size=5))
def test_an_edit_means_what_it_says(values: dict[str, Any], style: dict[str, Any], changes: dict[str, Any]) -> None:
    raw = json.dumps(values, **style).encode("utf-8", "replace")
    found = scan(raw)
    want = {name: value for name, value in json.loads(raw).items() if changes.get(name, ...) is not None}
    want |= {name: value for name, value in changes.items() if value is not None}
    texts = {name: None if value is None else json.dumps(value) for name, value in changes.items()}
    made = edit(found, texts)
    assert json.loads(made) == want
    kept = [name for name in found.values if name not in changes]
    for name in kept:
        assert found.raw(name) in made.decode(), "an untouched member keeps its bytes"


@given(st.binary(max_size=60) | st.text(alphabet='{}[]:,"\\ea1-.\n', max_size=60).map(str.encode))
def test_whatever_comes_is_read_as_json_does_or_refused(raw: bytes) -> None:
    try:
        found = guard(raw)
    except BadJson:
        return
    assert json.loads(raw) == found.values


def test_escaped_names_are_the_names_that_they_mean() -> None:
    found = guard(b'{"mod\\u0065l":"a","x":1}')
    assert edit(found, {"model": '"b"'}) == b'{"mod\\u0065l":"b","x":1}'


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":2}', b'{"x":{"a":1,"a":2}}', b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":1e999}', b'{"a":"\\udc00"}',
        b'{"\\ud800":1}', b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", b"[" * 10**6, b'{"a":[{' * 10**5,
        b'{"a":"\n"}', b"{'a':1}", b'{"a":1 "b":2}', b'{"a" 1}', b'{,}', b'{"a":tru}', b'{"a":' + b"1" * 5000 + b"}",
        b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
def test_guarded(raw: bytes) -> None:
    with pytest.raises(BadJson):
        guard(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":"\\ud83d\\ude00"}', b'{"a":"\\\\ud800"}', b'{"a":"\\u0000"}', b"{}", b' {"a":1e308} ',
        b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}", b'{"a":' + b"1" * 300 + b"}",
        ('{"a":[' + '{"b":"[[[{{{"},' * 300 + "1]}").encode(),
    ],
)  # fmt: skip
def test_harmless(raw: bytes) -> None:
    assert edit(guard(raw), {}) == raw
