"""Every pair of client and provider, in every situation, against the goldens beside this file."""

from __future__ import annotations

import difflib
import json

import pytest

from gateway.call import Meter
from gateway.dialects import bridge

from .pairs import Situation, golden, situations, streamed, written

_ALL = situations()
_PAIRS = [(one, client, provider) for one in _ALL for client, provider in one.pairs()]
_HINT = "If the change is meant: python -m tests.golden, and read the diff before you commit it."


def _named(value: Situation | str) -> str:
    return value.name if isinstance(value, Situation) else value


@pytest.mark.parametrize(("one", "client", "provider"), _PAIRS, ids=_named)
def test_pair(one: Situation, client: str, provider: str) -> None:
    made = golden(one, client, provider)
    path = one.folder / f"{client}__{provider}.json"
    want, got = path.read_text() if path.exists() else "", written(made) if made is not None else ""
    if want != got:
        name = f"tests/golden/{one.name}/{path.name}"
        lines = difflib.unified_diff(
            want.splitlines(keepends=True), got.splitlines(keepends=True), name, "what the code makes of it now"
        )
        pytest.fail("\n" + "".join(lines) + "\n" + _HINT, pytrace=False)
    if client == provider:
        _passes(one, client)


def _passes(one: Situation, dialect: str) -> None:
    """Same words, same bytes: but for model and id."""
    ours, taken = one.call(dialect), one.leg(dialect)
    if bridge.passes(ours, taken):
        assert bridge.screen(ours, taken) == ()
        got, want = bridge.encode(ours, taken).decode(), _upstream(one.asked(dialect), taken.model)
        if dialect == "chat" and ours.ask.stream:  # the gateway must know what the answer takes
            added = ',"stream_options":{"include_usage":true}'
            assert added in got
            got = got.replace(added, "")
        assert got == want
    body, stream = one.said(dialect, "json"), one.said(dialect, "sse")
    if body is not None:
        got = bridge.whole(ours, taken, body, Meter()).decode()
        if dialect == "responses":
            added = json.dumps(json.loads(got)["output_text"], ensure_ascii=False)
            got = got.replace(f',"output_text":{added}', "").replace(f', "output_text": {added}', "")
        assert got == _named_ours(body, ours.id)
    if stream is not None:
        feed, text = streamed(one.call(dialect, streamed=True), taken, stream)
        want = _named_ours(stream, ours.id)
        if feed.fault is None:
            assert text == want
        else:
            assert want.startswith(b"".join(feed.out).decode())


def _upstream(asked: bytes, model: str) -> str:
    return asked.decode().replace('"model": "lab/m"', f'"model": "{model}"')


def _named_ours(said: bytes, call_id: str) -> str:
    """What a provider said, under the caller's names. Inputs name every reply `theirs` and every model `m-theirs`."""
    return said.decode().replace('"theirs"', f'"{call_id}"').replace('"m-theirs"', '"lab/m"')


def test_nothing_is_left_over() -> None:
    known = {one.folder / f"{client}__{provider}.json" for one, client, provider in _PAIRS}
    found = {path for one in _ALL for path in one.folder.glob("*__*.json")}
    assert found <= known, _HINT
