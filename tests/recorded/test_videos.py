"""Videos of real providers as they were recorded, and of OpenAI's specification where no recording is to be had,
replayed through the gateway: begun, looked at until they are done, collected and settled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.conftest import PROVIDER_KEY, Rows
from tests.recorded.cassettes import interactions
from tests.upstream import Asked, Script

FILM = b"\0\0\0\x18ftypmp42" + bytes(4000)


def recorded(shared: Path, provider: str) -> list[dict[str, Any]]:
    found = [one for _, one in interactions(shared, "openai-videos", "videos") if one["provider"] == provider]
    assert found, "no recording"
    return found


def replayed(one: dict[str, Any], origin: str) -> Script:
    """An answer as it was recorded, but that its film is at the scripted provider: its own host is not to be had."""
    response = one["response"]
    payload: bytes = one["payload"]
    if one["kind"] == "json":
        payload = payload.replace(b"https://vidgen.x.ai", origin.encode())
    return Script(response["status"], {"content-type": response["headers"]["content-type"]}, [payload])


def test_xai_as_recorded(rows: Rows, shared: Path) -> None:
    lab = rows.lab("xai")
    turns = recorded(shared, "xai")
    looks = [one for one in turns if one["request"]["method"] == "GET"]
    # of those that were still pending one is enough: how often it is asked is the machine's business
    looks = [looks[0], looks[-1]]

    def answer(asked: Asked) -> Script:
        if asked.method == "POST":
            return replayed(turns[0], lab.provider.url)
        if asked.path.endswith(".mp4"):
            return Script(200, {"content-type": "video/mp4"}, [FILM])
        return replayed(looks.pop(0) if len(looks) > 1 else looks[0], lab.provider.url)

    lab.provider.answer = answer
    sent = turns[0]["request"]["json"]
    begun = lab.gateway.post(
        "/v1/videos",
        {"model": f"{lab.name}/{sent['model']}", "prompt": sent["prompt"], "seconds": str(sent["duration"]),
         "resolution": sent["resolution"]},
    )  # fmt: skip
    assert begun.status_code == 200, begun.text
    asked = lab.provider.asked[0]
    assert asked.path == turns[0]["request"]["path"] and asked.json == sent
    assert asked.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    done = lab.gateway.get(f"/v1/videos/{begun.json()['id']}?wait=30").json()
    assert done["status"] == "completed" and done["seconds"] == "1", done
    assert lab.provider.asked[1].path == turns[1]["request"]["path"]
    assert lab.gateway.get(f"/v1/videos/{done['id']}/content").content == FILM
    assert lab.gateway.get(f"/v1/videos/{done['id']}/content?variant=thumbnail").status_code == 404, "it has none"
    fetched = next(asked for asked in lab.provider.asked if asked.path.endswith(".mp4"))
    assert "authorization" not in fetched.headers, "what is not below the base is fetched without the key"
    receipt = lab.gateway.get("/v1/generation", params={"id": done["id"]}).json()["data"]
    assert receipt["units"] == {} or receipt["units"]["second"] == 1
    assert receipt["upstream_id"] == json.loads(turns[0]["payload"])["request_id"]


def test_openai_as_its_specification_has_it(rows: Rows, shared: Path) -> None:
    lab = rows.lab("openai")
    turns = recorded(shared, "openai")
    by = {(one["request"]["method"], one["request"]["path"]): [] for one in turns}
    for one in turns:
        by[one["request"]["method"], one["request"]["path"]].append(one)

    def answer(asked: Asked) -> Script:
        found = by[asked.method, asked.path]
        return replayed(found.pop(0) if len(found) > 1 else found[0], lab.provider.url)

    lab.provider.answer = answer
    sent = turns[0]["request"]["json"]
    body = json.dumps({**sent, "model": f"{lab.name}/{sent['model']}"}, indent=1)
    begun = lab.gateway.post("/v1/videos", body.encode())
    assert begun.status_code == 200, begun.text
    assert lab.provider.asked[0].body.decode() == body.replace(f"{lab.name}/", ""), "the same words are the same bytes"
    assert (begun.json()["size"], begun.json()["seconds"]) == (sent["size"], sent["seconds"])
    done = lab.gateway.get(f"/v1/videos/{begun.json()['id']}?wait=30").json()
    assert done["status"] == "completed" and done["prompt"] is None, done
    content = next(one for one in turns if one["request"]["path"].endswith("/content"))
    assert lab.gateway.get(f"/v1/videos/{done['id']}/content").content == content["payload"]
    lab.provider.answer = lambda asked: Script(200, {"content-type": "image/webp"}, [asked.path.encode()])
    thumbnail = lab.gateway.get(f"/v1/videos/{done['id']}/content?variant=thumbnail")
    assert thumbnail.content.decode() == f"{content['request']['path']}?variant=thumbnail", thumbnail.text
    assert thumbnail.headers["content-type"] == "image/webp"
    lab.provider.answer = lambda asked: Script.json({"error": {"message": "sk-secret"}}, 404)
    gone = lab.gateway.get(f"/v1/videos/{done['id']}/content?variant=spritesheet")
    assert gone.status_code == 404 and "sk-secret" not in gone.text and gone.json()["error"]["param"] == "variant"
    missing = next(one for one in turns if one["response"]["status"] == 404)
    assert missing["payload"], "an unknown video is told as an error there"


def test_google_by_a_fake_of_its_public_documentation(rows: Rows) -> None:
    """Not recorded: written after https://ai.google.dev/gemini-api/docs/video and the types of google-genai."""
    lab = rows.lab("google")
    operation = "models/veo-3.1-generate-preview/operations/o7x2"
    uri = f"{lab.provider.url}/v1beta/files/f1:download?alt=media"
    looks = [
        {"name": operation},
        {"name": operation, "done": True, "response": {
            "@type": "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse",
            "generateVideoResponse": {"generatedSamples": [{"video": {"uri": uri}}]}}},
    ]  # fmt: skip

    def answer(asked: Asked) -> Script:
        if asked.method == "POST":
            return Script.json({"name": operation})
        if "/files/" in asked.path:
            return Script(200, {"content-type": "video/mp4"}, [FILM])
        return Script.json(looks.pop(0) if len(looks) > 1 else looks[0])

    lab.provider.answer, before = answer, len(lab.provider.asked)
    begun = lab.gateway.post(
        "/v1/video/generations",
        {"model": f"{lab.name}/veo-3.1-generate-preview", "prompt": "A neon city", "duration": 6, "size": "720x1280",
         "negative_prompt": "rain", "image": "data:image/png;base64,iVBORw0KGgo="},
    )  # fmt: skip
    assert begun.status_code == 200, begun.text
    asked = lab.provider.asked[before]
    assert asked.path == "/v1beta/models/veo-3.1-generate-preview:predictLongRunning"
    assert asked.headers["x-goog-api-key"] == PROVIDER_KEY
    assert asked.json == {
        "instances": [
            {"prompt": "A neon city", "image": {"bytesBase64Encoded": "iVBORw0KGgo=", "mimeType": "image/png"}}
        ],
        "parameters": {"aspectRatio": "9:16", "resolution": "720p", "durationSeconds": 6, "negativePrompt": "rain"},
    }
    done = lab.gateway.get(f"/v1/videos/{begun.json()['id']}?wait=30").json()
    assert done["status"] == "completed", done
    assert lab.provider.asked[before + 1].path == f"/v1beta/{operation}"
    fetched = next(asked for asked in lab.provider.asked[before:] if "/files/" in asked.path)
    assert fetched.path == "/v1beta/files/f1:download?alt=media" and fetched.headers["x-goog-api-key"] == PROVIDER_KEY
    assert lab.gateway.get(f"/v1/videos/{done['id']}/content").content == FILM
