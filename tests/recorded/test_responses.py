"""Recorded Responses traffic of real providers, replayed through the gateway: what goes up and what comes back is
compared byte for byte, but for what Law 1 names. Read in place from outside the checkout, never copied in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROVIDER_KEY, Lab, Rows
from tests.recorded.cassettes import OWN, Tally, dumps, in_pieces, interactions, misdirected, script, told, unserved
from tests.upstream import Script

ENDED = ("response.completed", "response.incomplete", "response.failed")


def named_items(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Items of the output that the recorded conversation had before, as far as the request needs them to be known."""
    found: list[dict[str, Any]] = []
    for item in request["input"] if isinstance(request.get("input"), list) else ():
        kind = item.get("type")
        if kind == "reasoning" and not item.get("encrypted_content"):
            found.append({"type": "reasoning", "id": item["id"], "summary": []})
        elif kind in ("item_reference", "image_generation_call"):
            found.append({"type": "image_generation_call", "id": item["id"]})
        elif "container_id" in item:
            found.append({"type": kind, "id": item["id"], "container_id": item["container_id"]})
    return found


def known(lab: Lab, request: dict[str, Any]) -> str | None:
    """Have the gateway make what the request refers to; our id for the recorded previous response."""
    previous, conversation = request.get("previous_response_id"), request.get("conversation")
    items = named_items(request)
    if not (previous or conversation or items):
        return None
    reply: dict[str, Any] = {"id": previous or "resp_before", "object": "response", "model": "m", "output": items}
    if conversation:
        reply["conversation"] = {"id": conversation}
    answer = lab.gateway.post("/v1/responses", {"model": lab.model(Script.json(reply)), "input": "before"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"]) if previous else None


def elsewhere(request: dict[str, Any]) -> bool:
    """Whether a request names objects that no reply makes: files, vector stores, prompts."""
    return bool(re.search(r'"(file_id|vector_store_ids)": ', json.dumps(request.get("tools")))) or bool(
        request.get("prompt") or re.search(r'"file_id": "', json.dumps(request.get("input")))
    )


def replaced(text: str, member: str, old: Any, new: Any) -> str:
    """A JSON text with the value of one member changed where it stands, by a reader of the test's own."""
    for spelled in (json.dumps(old, ensure_ascii=False), json.dumps(old)):
        text, count = re.subn(
            rf'("{member}"\s*:\s*){re.escape(spelled)}', lambda m: m[1] + json.dumps(new), text, count=1
        )
        if count:
            return text
    raise AssertionError(f"{member} is not there")


def as_the_callers(text: str, response: dict[str, Any], names: dict[str, Any]) -> str:
    for member, new in names.items():
        if member != "previous_response_id" or isinstance(response.get(member), str):
            text = replaced(text, member, response[member], new)
    return text


def check_whole(recorded: bytes, got: bytes, names: dict[str, Any]) -> str | None:
    text = recorded.decode()
    values = json.loads(text)
    if "id" not in values or "model" not in values:
        found = json.loads(got)
        return None if {**values, **found} == found else "the reply changed"
    text = as_the_callers(text, values, names)
    if "output_text" not in values:
        said = [
            part["text"]
            for item in values["output"]
            if item.get("type") == "message"
            for part in item["content"]
            if part["type"] == "output_text"
        ]
        text = text[: text.rindex("}")] + ',"output_text":' + json.dumps("".join(said), ensure_ascii=False) + "}"
    return None if got.decode() == text else "the reply's bytes changed"


def check_stream(blocks: list[str], got: str, names: dict[str, Any]) -> str | None:
    want = ""
    for block in blocks:
        data = "\n".join(re.findall(r"^data: ?(.*)$", block, re.M))
        if not data:
            want += block
            continue
        if data == "[DONE]":
            break
        values = json.loads(data)
        response = values.get("response")
        if values["type"] == "error":
            got, _, told = got.rpartition("event: error\n")
            if not json.loads(told.removeprefix("data: "))["error"]["message"]:
                return "an error in the stream was not told"
            break
        if isinstance(response, dict):
            if "model" not in response or "id" not in response:
                return None
            block = block.replace(data, as_the_callers(data, response, names))
        want += block
        if values["type"] in ENDED:
            break
    else:
        got = got.rpartition("event: error\n")[0]
    return None if got == want else "the stream changed"


def test_recorded_responses_traffic(rows: Rows, shared: Path) -> None:
    tally = Tally("recorded responses traffic")
    for place, (name, one) in enumerate(interactions(shared, "openai-responses", "responses")):
        tally.note(name, one, _try(rows.lab(one["row"]), one, place % 3))
    tally.check(least=300)
    assert rows.gateway.books()["ok"]


def _try(lab: Lab, one: dict[str, Any], style: int) -> str | None:
    request, payload = one["request"].get("json") or {}, one["payload"]
    status, stream = one["response"]["status"], one["kind"] == "sse"
    model = lab.model(script(one), one.get("model"))
    upstream_model = model.split("/", 1)[1]
    body = {**request, "model": model}
    if "prompt" not in body:
        body.setdefault("input", "A fixture: its request was not published.")
    previous = known(lab, request)
    if previous:
        body["previous_response_id"] = previous
    sent = dumps(body, style)
    answer = lab.gateway.post("/v1/responses", sent.encode())
    asked = lab.provider.of(upstream_model)
    if request.get("background") and not stream:
        theirs, begun = json.loads(payload), answer.json()
        same = answer.status_code == status and begun["status"] == theirs["status"] and begun["model"] == model
        return None if same and begun["id"] != theirs["id"] else f"{answer.status_code}: {answer.text[:200]}"
    if elsewhere(request):
        return None if answer.status_code == 404 and not asked else f"{answer.status_code} for what nobody here made"
    if not asked and "provider" in body and unserved(answer):
        return None
    if not asked and status == answer.status_code == 400:
        return None  # our own gate has seen it
    if not asked:
        return f"refused with {answer.status_code}: {answer.text[:300]}"
    if problem := misdirected(one, asked[0], PROVIDER_KEY):
        return problem
    want = sent.replace(json.dumps(model), json.dumps(upstream_model), 1)
    if previous:
        want = want.replace(json.dumps(previous), json.dumps(request["previous_response_id"]), 1)
    if not any(own in body for own in OWN):
        if asked[0].body.decode() != want:
            return "the request's bytes changed"
    elif asked[0].json != {name: value for name, value in json.loads(want).items() if name not in OWN}:
        return "the request changed"
    names = {"id": answer.headers.get("x-generation-id", ""), "model": model, "previous_response_id": previous}
    if status >= 400:
        if answer.status_code != told(status, payload.decode()):
            return f"{status} was told as {answer.status_code}"
        return None if answer.json()["error"]["message"] else "an error without a message"
    if stream:
        failed = answer.status_code != 200
        if failed:
            said = re.findall(r'"type": ?"(error|response\.failed)"', "".join(payload))
            return None if said and answer.json()["error"]["message"] else f"{answer.status_code} for a stream"
        return check_stream(payload, answer.content.decode(), names) if body.get("stream") else None
    if body.get("stream"):
        return None if b"response.completed" in answer.content else "a whole answer was not cut into frames"
    return check_whole(payload, answer.content, names)


@pytest.mark.parametrize("split", [1, 7])
def test_recorded_streams_in_odd_pieces(responses_lab: Lab, shared: Path, split: int) -> None:
    """The bytes do not depend on how the network cuts them."""
    tried = 0
    for name, one in interactions(shared, "openai-responses", "responses"):
        kind, payload = one["kind"], one["payload"]
        request = one["request"].get("json") or {}
        whole = "".join(payload) if kind == "sse" else ""
        if (
            not re.search(r'"type": ?"response\.completed"', whole)
            or not request.get("stream")
            or not request.get("input")
            or request.get("background")
            or request.get("previous_response_id")
            or named_items(request)
            or elsewhere(request)
            or request.get("conversation")
            or tried >= 8
            or len(whole) > 20_000
        ):
            continue
        raw = whole.encode()
        model = responses_lab.model(in_pieces(raw, split))
        answer = responses_lab.gateway.post("/v1/responses", {**request, "model": model})
        names = {"id": answer.headers["x-generation-id"], "model": model, "previous_response_id": None}
        assert check_stream(payload, answer.content.decode(), names) is None, name
        tried += 1
    assert tried == 8
