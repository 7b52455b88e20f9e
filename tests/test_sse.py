"""sse: frames whatever the network does to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import sse
from gateway.dialects.intake import morsels

EOL = st.sampled_from(["\n", "\r\n", "\r"])
LINE = st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
NAME = st.sampled_from(["", "delta", "error"])
EVENTS = st.lists(st.tuples(NAME, st.lists(LINE, min_size=1, max_size=3)), max_size=6)


@given(EVENTS, EOL, st.data())
def test_any_chunking_gives_the_same_frames_and_bytes(
    events: list[tuple[str, list[str]]], eol: str, data: st.DataObject
) -> None:
    text = "".join(
        (f"event: {name}{eol}" if name else "") + "".join(f"data: {line}{eol}" for line in lines) + eol
        for name, lines in events
    )
    raw = text.encode()
    splitter, frames, at = sse.Splitter(), [], 0
    while at < len(raw):
        size = data.draw(st.integers(1, 9))
        frames += splitter.feed(raw[at : at + size])
        at += size
    frames.append(splitter.end())
    assert b"".join(frames) == raw
    read = [sse.read(frame) for frame in frames]
    assert [(e.name, e.data) for e in read if e.data is not None] == [
        (name or "message", "\n".join(lines).encode()) for name, lines in events if any(lines)
    ]


def test_frames_come_as_soon_as_they_are_whole() -> None:
    splitter = sse.Splitter()
    assert splitter.feed(b"data: a\n") == []
    assert splitter.feed(b"\ndata: b\r\n\r") == [b"data: a\n\n", b"data: b\r\n\r"]
    assert splitter.feed(b"\ndata: c\r\r") == [b"\n", b"data: c\r\r"]


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        (b": comment\n\n", ("message", None)), (b"data:x\n\n", ("message", b"x")),
        (b"data:  x\n\n", ("message", b" x")), (b"data\n\n", ("message", None)), (b"data: \n\n", ("message", None)), (b"id: 7\nretry: 1\n\n", ("message", None)), (b"\n", ("message", None)),
        (b"event: ping\ndata:\n\n", ("ping", None)), (b"data:\ndata: \r\n\r\n", ("message", None)),
        (b"data:\ndata: a\n\n", ("message", b"\na")), (b"event: error\ndata: {}\n\n", ("error", b"{}")), (b"data: a\r\n\r\n", ("message", b"a")),
        (b"data: a\r\ndata: b\r\n\r\n", ("message", b"a\nb")), (b"data: [DONE]", ("message", b"[DONE]")),
    ],
)  # fmt: skip
def test_read(frame: bytes, event: tuple[str, bytes | None]) -> None:
    assert tuple(sse.read(frame)) == event


def test_ids_are_taken_out() -> None:
    for frame, without in (
        (b"id: 1\nevent: a\ndata: x\n\n", b"event: a\ndata: x\n\n"), (b"data: x\r\nid:\r\n\r\n", b"data: x\r\n\r\n"),
        (b"data: x\rid: 1\r\r", b"data: x\r\r"), (b"id: 1\nid: 2\n\n", b"\n"),
        (b'data: {"valid: 1": "id: 2"}\n\n', b'data: {"valid: 1": "id: 2"}\n\n'), (b": id: 1\n\n", b": id: 1\n\n"),
    ):  # fmt: skip
        assert sse.unnumbered(frame) == without


def test_only_comments_are_silent() -> None:
    for frame in (b": a\n\n", b":\r\n: b: c\r\n\r\n", b"\n", sse.PING):
        assert sse.silent(frame), frame
    for frame in (b"data: \n\n", b": a\nevent: ping\n\n", b": a\r\nid: 1\r\n\r\n", b"retry: 1\n\n"):
        assert not sse.silent(frame), frame


@pytest.mark.parametrize("eol", [b"\n", b"\r\n", b"\r"])
def test_a_run_of_blank_lines_is_one_frame_with_what_is_before_it(eol: bytes) -> None:
    splitter = sse.Splitter()
    frames = splitter.feed(b"data: a" + eol * 30_000 + b"data: b" + eol * 2)
    assert frames == [b"data: a" + eol * 30_000, b"data: b" + eol * 2]
    assert sse.read(frames[0]).data == b"a"


@pytest.mark.parametrize("frame", [b"\n\n", b":\r\r", b"data: {}\n\n", b"data: " + b"x" * 150 + b"\n\n", b"x" * 5_000])
def test_no_morsel_holds_many_frames(frame: bytes) -> None:
    chunk = frame * ((1 << 16) // len(frame))
    pieces = list(morsels(chunk))
    assert b"".join(pieces) == chunk and len(pieces) <= 32 and list(morsels(b"")) == [b""]
    assert max(piece.count(frame) for piece in pieces) <= 1024


def test_a_frame_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_FRAME", 1000)
    splitter = sse.Splitter()
    splitter.feed(b"data: " + b"x" * 900)
    with pytest.raises(sse.Overlong):
        splitter.feed(b"x" * 200)


def test_what_is_written_is_read() -> None:
    assert sse.read(sse.write(b'{"a":1}', "delta")) == ("delta", b'{"a":1}')
    assert sse.read(sse.PING).data is None
