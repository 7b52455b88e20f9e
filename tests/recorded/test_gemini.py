"""Recorded Gemini traffic of real providers, replayed through the gateway: what goes up and what comes back is compared
byte for byte, but for what Law 1 names. Read in place from outside the checkout, never copied in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROVIDER_KEY, Rows
from tests.gateway import Gateway
from tests.google import GeminiLab, gemini_lab
from tests.recorded.cassettes import Tally, dumps, in_pieces, interactions, misdirected, script, told
from tests.upstream import Script

NAMES_OBJECTS = re.compile(r"gs://|fileSearchStores/|cachedContents/|generativelanguage\.googleapis\.com/v1beta/files/")
"""What was made at the provider by whoever recorded it: nobody here may use it (Law 8)."""


@pytest.fixture(scope="module")
def lab(sqlite_gateway: Gateway) -> Iterator[GeminiLab]:
    yield from gemini_lab(sqlite_gateway, free=True)


def answers(shared: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The interactions, with the text of their answers."""
    for name, one in interactions(shared, "gemini", "generateContent", "streamGenerateContent"):
        text = "".join(one["payload"]) if one["kind"] == "sse" else one["payload"].decode()
        yield name, {**one, "answer": text}


def asked_for(request: dict[str, Any]) -> dict[str, Any]:
    body = dict(request)
    body.setdefault("contents", [{"parts": [{"text": "A fixture: its request was not published."}]}])
    return body


def renamed(text: str, identity: str, model: str) -> str:
    """A chunk's text with its own names replaced where they stand, by a reader of the test's own."""
    values = json.loads(text)
    for member, value in (("responseId", identity), ("modelVersion", model)):
        if member in values:
            old = re.escape(json.dumps(values[member]))
            places = list(re.finditer(rf'"{member}"\s*:\s*({old})', text))
            assert len(places) == 1
            text = text[: places[0].start(1)] + json.dumps(value) + text[places[0].end(1) :]
    return text


def chunks(text: str) -> list[str]:
    return [data for data in re.findall(r"^data: ?(.*?)\r?$", text, re.M) if data]


def as_sse(text: str) -> str:
    """What a provider that is asked for `alt=sse` makes of its array."""
    return "".join(f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in json.loads(text))


def test_recorded_gemini_traffic(rows: Rows, shared: Path) -> None:
    tally, refused = Tally("recorded Gemini traffic"), 0
    labs: dict[str, GeminiLab] = {}
    for place, (name, one) in enumerate(answers(shared)):
        if one["row"] not in labs:
            labs[one["row"]] = GeminiLab(rows.lab(one["row"]))
        lab = labs[one["row"]]
        body = asked_for(one["request"].get("json") or {})
        if NAMES_OBJECTS.search(json.dumps(body)):
            answer = lab.post(lab.model(Script.json({})), "generateContent", body)
            assert answer.status_code == 404 and answer.json()["error"]["status"] == "NOT_FOUND", name
            refused += 1
            continue
        tally.note(name, one, _try(lab, one, body, place % 3))
    print(f"{refused} name foreign objects")
    tally.check(least=240)
    assert rows.gateway.books()["ok"]


def _try(lab: GeminiLab, one: dict[str, Any], body: dict[str, Any], style: int) -> str | None:
    response, text = one["response"], one["answer"]
    status, form = response["status"], one.get("stream")
    if status < 300 and form == "array":
        text = as_sse(text)
    model = lab.model(script({**one, "kind": "whole", "payload": text.encode()}), like=one.get("model"))
    upstream_model = model.removeprefix(f"{lab.name}/")
    sent = dumps(body, style)
    method = {"sse": "streamGenerateContent?alt=sse", "array": "streamGenerateContent"}.get(form, "generateContent")
    answer = lab.post(model, method, sent.encode())
    asked = lab.asked(model)
    if not asked:
        return f"refused with {answer.status_code}: {answer.text[:300]}"
    path = re.sub(r"/models/[^:]+:", f"/models/{upstream_model}:", one["request"]["path"])
    if problem := misdirected({**one, "request": {**one["request"], "path": path}}, asked[0], PROVIDER_KEY):
        return problem
    if form and not asked[0].path.endswith("?alt=sse"):
        return f"asked at {asked[0].path}"
    want = sent.replace(json.dumps(body.get("model")), json.dumps(upstream_model)) if "model" in body else sent
    if asked[0].body.decode() != want:
        return "the request's bytes changed"
    return _came_back(answer, model, status, form, text)


def _came_back(answer: Any, model: str, status: int, form: str | None, text: str) -> str | None:
    identity = answer.headers.get("x-generation-id", "")
    if status >= 400:
        want = told(status, text)
        found = json.loads(answer.content)
        error = found[0]["error"] if form == "array" else found["error"]
        good = answer.status_code == want == error["code"] and error["message"] and error["status"]
        return None if good else f"{status} was told as {answer.status_code}: {error}"
    got = answer.content.decode()
    if form is None:
        return None if got == renamed(text, identity, model) else "the reply's bytes changed"
    if form == "array":
        if not answer.headers["content-type"].startswith("application/json"):
            return "the array is no JSON"
        want = [renamed(chunk, identity, model) for chunk in chunks(text)]
        return None if got == "[" + ",\r\n".join(want) + "]" else "the array changed"
    broken = '"error"' in chunks(text)[-1]
    if broken:
        got, _, error = got.rpartition("data: ")
        if not json.loads(error)["error"]["message"]:
            return "a broken stream was not told"
    want_text = text
    for chunk in chunks(text):
        want_text = want_text.replace(chunk, "" if '"error"' in chunk else renamed(chunk, identity, model), 1)
    return None if got == want_text.removesuffix("data: \r\n\r\n" if broken else "") else "the stream changed"


@pytest.mark.parametrize("split", [1, 7])
def test_recorded_streams_in_odd_pieces(lab: GeminiLab, shared: Path, split: int) -> None:
    """The bytes do not depend on how the network cuts them."""
    tried = 0
    for name, one in answers(shared):
        text = one["answer"]
        if one.get("stream") != "sse" or one["response"]["status"] >= 300 or len(text) > 12_000 or tried >= 8:
            continue
        if '"finishReason"' not in text:
            continue
        raw = text.encode()
        model = lab.model(in_pieces(raw, split))
        body = asked_for(one["request"].get("json") or {})
        for method, form in (("streamGenerateContent?alt=sse", "sse"), ("streamGenerateContent", "array")):
            answer = lab.post(model, method, body)
            assert _came_back(answer, model, 200, form, text) is None, name
        tried += 1
    assert tried == 8


def test_recorded_arrays_of_a_provider_without_sse(lab: GeminiLab, shared: Path) -> None:
    """A provider that answers with an array although SSE was asked for is understood."""
    tried = 0
    for name, one in answers(shared):
        if one.get("stream") == "array" and one["response"]["status"] < 300:
            model = lab.model(Script(200, pieces=[one["answer"].encode()]))
            answer = lab.post(model, "streamGenerateContent?alt=sse", asked_for(one["request"].get("json") or {}))
            identity = answer.headers["x-generation-id"]
            want = [{**chunk, "responseId": identity, "modelVersion": model} for chunk in json.loads(one["answer"])]
            assert [json.loads(chunk) for chunk in chunks(answer.text)] == want, name
            tried += 1
    assert tried > 0
