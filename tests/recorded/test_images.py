"""Recorded images of real providers, replayed through the gateway: told as they were, and fetched from it alone."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import requests

from tests.conftest import PROVIDER_KEY, Lab, Rows
from tests.live.test_images import png
from tests.recorded.cassettes import KEPT, TOLD, Tally, interactions, misdirected
from tests.upstream import Asked, Script

PICTURE = png()


def test_recorded_images(rows: Rows, shared: Path) -> None:
    tally = Tally("recorded images")
    for name, one in interactions(shared, "openai-images", "generations", "edits"):
        tally.note(name, one, _try(rows.lab(one["row"]), one))
    tally.check(least=18)


def _script(lab: Lab, one: dict[str, Any]) -> Script:
    """The recorded answer; what it names by address is at the provider's own, as the recorded addresses are gone."""
    if one["kind"] == "sse":
        return Script.sse(*(block.encode() for block in one["payload"]))
    values = json.loads(one["payload"])
    for row in values.get("data") or ():
        if "url" in row:
            row["url"] = f"{lab.provider.url}/made.png"
    return Script(one["response"]["status"], {"content-type": "application/json"}, [json.dumps(values).encode()])


def _try(lab: Lab, one: dict[str, Any]) -> str | None:
    told = _script(lab, one)
    asked: list[Asked] = []

    def answer_(request: Asked) -> Script:
        if request.path == "/made.png":
            return Script(200, {"content-type": "image/png"}, [PICTURE])
        asked.append(request)
        return told

    lab.provider.answer = answer_
    request, upstream = one["request"], f"{one.get('model', 'dall-e-2')}"
    model = f"{lab.name}/{upstream}"
    headers = {"Authorization": f"Bearer {lab.gateway.key}"}
    if "multipart" in request:
        files = [
            (part["name"], (part["filename"], bytes(part["size"]) if part["size"] else b"x", part["content_type"]))
            for part in request["multipart"] if "filename" in part
        ]  # fmt: skip
        fields = {part["name"]: part["value"] for part in request["multipart"] if "value" in part}
        answer = requests.post(
            f"{lab.gateway.base_url}/images/{one['op']}", files=files, data={**fields, "model": model}, headers=headers,
            timeout=60,
        )  # fmt: skip
    else:
        body = {"prompt": "x", **request["json"], "model": model}
        if one["op"] == "edits" and not {"image", "images"} & set(body):
            body["images"] = [{"image_url": "data:image/png;base64," + base64.b64encode(PICTURE).decode()}]
        answer = lab.gateway.post(f"/v1/images/{one['op']}", body)
    if not asked:
        return f"refused with {answer.status_code}: {answer.text[:300]}"
    if problem := misdirected(one, asked[0], PROVIDER_KEY) or _changed(one, asked[0], upstream):
        return problem
    status = one["response"]["status"]
    if status >= 400:
        found = answer.json()["error"]["message"]
        return None if answer.status_code == {**KEPT, **TOLD}[status] and found else f"told as {answer.status_code}"
    if answer.status_code != 200:
        return f"told as {answer.status_code}: {answer.text[:300]}"
    return _streamed(lab, one, answer) if one["kind"] == "sse" else _whole(lab, one, answer, upstream)


def _changed(one: dict[str, Any], asked: Asked, upstream: str) -> str | None:
    """Whether the provider was asked for something else than was recorded."""
    request = one["request"]
    if "multipart" not in request:
        if one["row"] == "xai":
            want: dict[str, Any] = {**request["json"], "n": 1, "response_format": "b64_json"}
            return (
                None
                if {**want, **asked.json} == asked.json or asked.json["prompt"] == want["prompt"]
                else "asked for something else"
            )
        sent = {name: value for name, value in asked.json.items() if name != "images" or "images" in request["json"]}
        sent = (
            sent if "prompt" in request["json"] else {name: value for name, value in sent.items() if name != "prompt"}
        )
        return None if sent == {**request["json"], "model": upstream} else f"asked for {sorted(asked.json)}"
    for part in request["multipart"]:
        told = f'filename="{part["filename"]}"' if "filename" in part else f"\r\n\r\n{part['value']}\r\n"
        if part["name"] != "model" and told.encode() not in asked.body:
            return f"the form lost {part['name']}"
    return None if asked.headers["content-type"].startswith("multipart/form-data; boundary=") else "no form was sent"


def _whole(lab: Lab, one: dict[str, Any], answer: requests.Response, upstream: str) -> str | None:
    recorded, told = json.loads(one["payload"]), answer.json()
    for name in ("background", "output_format", "quality", "size"):
        if recorded.get(name) != told.get(name):
            return f"{name} changed"
    if "input_tokens" in (recorded.get("usage") or {}) and told["usage"] != recorded["usage"]:
        return "usage changed"
    if "cost_in_usd_ticks" in answer.text or "oaidalle" in answer.text or "x.ai" in answer.text:
        return "what is the provider's got out"
    for place, (was, row) in enumerate(zip(recorded["data"], told["data"], strict=True)):
        if row["url"] != f"{lab.gateway.url}/v1/images/{told['id']}/content?index={place}":
            return f"url is {row.get('url')}"
        kept = lab.gateway.get(row["url"].removeprefix(lab.gateway.url))
        want = base64.b64decode(was["b64_json"]) if "b64_json" in was else PICTURE
        if kept.status_code != 200 or kept.content != want:
            return f"kept as {kept.status_code}"
        if ("gpt-image" in upstream) != ("b64_json" in row) or was.get("revised_prompt") != row.get("revised_prompt"):
            return f"the row has {sorted(row)}"
    return _receipt(lab, answer, len(recorded["data"]), recorded.get("usage"))


def _streamed(lab: Lab, one: dict[str, Any], answer: requests.Response) -> str | None:
    if answer.text.strip() != "".join(one["payload"]).strip():
        return "the stream's bytes changed"
    last = json.loads([line[6:] for line in answer.text.splitlines() if line.startswith("data: ")][-1])
    kept = lab.gateway.get(f"/v1/images/{answer.headers['x-generation-id']}/content")
    if kept.content != base64.b64decode(last["b64_json"]):
        return f"kept as {kept.status_code}"
    return _receipt(lab, answer, 1, last["usage"])


def _receipt(lab: Lab, answer: requests.Response, images: int, usage: Any) -> str | None:
    receipt = lab.gateway.get(f"/v1/generation?id={answer.headers['x-generation-id']}").json()["data"]
    if receipt["units"]["image"] != images:
        return f"counted as {receipt['units']}"
    if usage and "input_tokens" in usage:
        counted = receipt["tokens"]
        made = sum(counted.get(name, 0) for name in ("output", "image_out"))
        read = sum(counted.get(name, 0) for name in ("input", "image_in"))
        if (read, made) != (usage["input_tokens"], usage["output_tokens"]):
            return f"counted as {counted}"
    return None
