"""Forms: however they come in pieces they are read alike, what goes out is what came in, and hostile ones are refused."""

from __future__ import annotations

import os
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway import config
from gateway.api import _forms
from gateway.bodies import MOST_PARTS, BadForm, Form, FormReader, Upload, boundary, joined
from gateway.store import Spool
from schemas.base import Json, WireSchema, array, flag, number, obj, text, whole


class _Sink:
    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> None:
        self._data += data

    def body(self) -> bytes:
        return bytes(self._data)


def read(data: bytes, mark: str, *cuts: int) -> FormReader:
    reader = FormReader(mark, _Sink)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        reader.feed(data[start:end])
    reader.end()
    return reader


def made(files: object, fields: object) -> tuple[bytes, str]:
    """A form as a client of requests sends it."""
    request = requests.Request("POST", "http://x", files=files, data=fields).prepare()  # type: ignore[arg-type]
    mark = boundary(str(request.headers["Content-Type"]))
    assert mark is not None and isinstance(request.body, bytes)
    return request.body, mark


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@example([("a\\", "1"), ("b", ("c\\", b""))], [])
@given(
    st.lists(st.tuples(NAMES, st.one_of(NAMES, st.tuples(NAMES, st.binary(max_size=60)))), max_size=5),
    st.lists(st.integers(0, 900), max_size=6),
)
def test_what_goes_out_comes_in(parts: list[tuple[str, str | tuple[str, bytes]]], cuts: list[int]) -> None:
    given_ = [(name, one if isinstance(one, str) else Upload(one[0], "image/png", one[1])) for name, one in parts]
    form = Form(given_, "mark-0123456789")
    data = joined(form)
    assert len(form) == len(data) and boundary(form.content_type) == "mark-0123456789"
    found = read(data, "mark-0123456789", *cuts)
    assert [one for _, one in found.parts if isinstance(one, str)] == [one for _, one in given_ if isinstance(one, str)]
    sent = [joined(one.content) for _, one in given_ if isinstance(one, Upload)]
    assert [joined(one.content) for _, one in found.parts if isinstance(one, Upload)] == sent
    assert found.fingerprint.digest() == read(data, "mark-0123456789").fingerprint.digest()


def test_forms_of_others_are_read() -> None:
    data, mark = made(
        [("image[]", ('a "b".png', b"\r\n--x\r\n", "image/png")), ("image[]", ("b.png", b""))], {"n": "2"}
    )
    for cuts in ((), range(len(data))):
        n, first, second = read(data, mark, *cuts).parts
        assert n == ("n", "2")
        assert isinstance(first[1], Upload) and first[0] == "image[]"
        assert (joined(first[1].content), first[1].media_type) == (b"\r\n--x\r\n", "image/png")
        assert isinstance(second[1], Upload) and joined(second[1].content) == b"" and second[1].filename == "b.png"
    bare = f"preamble\r\n--{mark}  \r\nContent-Disposition: form-data; name=n\r\n\r\n1\r\n--{mark}--\r\nepilogue"
    assert read(bare.encode(), mark).parts == [("n", "1")]
    empty = f'--{mark}\r\nContent-Disposition: form-data; name="f"; filename=""\r\n\r\n\r\n--{mark}--\r\n'
    assert read(empty.encode(), mark).parts == []


@pytest.mark.parametrize(
    "said",
    [
        b"", b"no form", b"--m\r\n", b"--mx\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--m--",
        b"--m\r\n\r\n\r\n1\r\n--m--", b"--m\r\nContent-Disposition: form-data\r\n\r\n1\r\n--m--\r\n",
        b"--m\r\nContent-Disposition: form-data; name=a\r\n\r\n1", b"--m\r\nX: " + b"y" * 40_000,
        b"--m\r\nContent-Disposition: form-data; name=a\r\n\r\n\xff\r\n--m--\r\n", b"x" * 40_000,
        b"--m\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\nMQ==\r\n--m--\r\n",
        b"--m\r\nContent-Disposition: form-data; name=a\r\n\r\n" + b"x" * (5 << 20) + b"\r\n--m--\r\n",
        b"--m" + b"\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--m" * (MOST_PARTS + 1) + b"--",
    ],
)  # fmt: skip
def test_what_is_none_is_refused(said: bytes) -> None:
    with pytest.raises(BadForm):
        read(said, "m")


def test_no_header_breaks_out_of_its_line() -> None:
    form = Form([('a"\r\nX: y', Upload('b"\r\n\r\n--m', "image/png", b"1"))], "m")
    [(_, file)] = read(joined(form), "m").parts
    assert joined(form).count(b"\r\n") == 6 and isinstance(file, Upload)


def test_boundaries() -> None:
    assert boundary("multipart/form-data; charset=utf-8; boundary=abc") == "abc"
    assert boundary('multipart/form-data; boundary="a b"') == "a b"
    for said in (
        "application/json",
        "multipart/form-data",
        "multipart/mixed; boundary=a",
        "multipart/form-data; boundary=" + "x" * 71,
    ):
        assert boundary(said) is None


def test_long_files_are_not_held(tmp_path: Path) -> None:
    config.use(config.load({"GATEWAY_DATA": str(tmp_path)}))
    piece = os.urandom(1 << 16)
    tracemalloc.start()
    try:
        reader = FormReader("m", Spool)
        reader.feed(b'--m\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n')
        for _ in range(512):
            reader.feed(piece)
        reader.feed(b"\r\n--m--\r\n")
        reader.end()
        [(_, file)] = reader.parts
        assert isinstance(file, Upload)
        form = Form([("f", file)], "n")
        size = sum(map(len, form))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(file.content) == 32 << 20 and size == len(form) > 32 << 20
    assert next(iter(form.parts[0][1].content))[: 1 << 16] == piece  # type: ignore[union-attr, arg-type]
    assert peak < 4 << 20 and list(tmp_path.iterdir()) == []


class _Schema(WireSchema):
    n = whole(1, 10)
    stream = flag()
    speed = number(0, 4)
    style = text()
    image = Json(list, str, words="…")
    images = array()
    provider = obj()
    size = Json(str, int, words="…")


def test_fields_are_read_as_their_gate_wants_them() -> None:
    parts = [
        ("n", "2"), ("stream", "true"), ("speed", "1.5"), ("style", "2"), ("image", "a"), ("images", "x"),
        ("provider", '{"order": ["a"]}'), ("size", "5"), ("tags[]", "a"), ("more", "1"), ("more", "2"), ("rest[0]", "z"),
    ]  # fmt: skip
    assert _forms.values(_Schema(), parts) == {
        "n": 2, "stream": True, "speed": 1.5, "style": "2", "image": "a", "images": ["x"],
        "provider": {"order": ["a"]}, "size": "5", "tags": ["a"], "more": ["1", "2"], "rest": ["z"],
    }  # fmt: skip
    assert _forms.values(_Schema(), [("n", "two"), ("stream", "yes"), ("provider", "{")]) == {
        "n": "two", "stream": "yes", "provider": "{",
    }  # fmt: skip
