"""Tasks on the wire: begun, waited for, listed, cancelled, told of; seen by nobody else; paid for by what was made."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import openai
import pytest
import requests

from tests.conftest import scripted
from tests.gateway import Gateway
from tests.live.test_tenancy import told
from tests.tasks.test_webhooks import verified
from tests.upstream import Asked, Script, Upstream, upstream

FILM = bytes(range(256)) * 64
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(600)


class Studio:
    """A scripted provider of videos, in OpenAI's words: each is done at its second look.

    begun, looked: how often it was asked to begin, and to tell. pause: seconds that it takes to tell.
    """

    def __init__(self, provider: Upstream, pause: float = 0.0) -> None:
        self.provider = provider
        self.pause = pause
        self.begun: list[dict[str, Any]] = []
        self.looked: dict[str, int] = {}
        self.at_the_end: dict[str, Any] = {"status": "completed", "seconds": "4", "size": "1280x720"}
        self.refusal: Script | None = None
        provider.answer = self.answer

    def answer(self, asked: Asked) -> Script:
        if asked.method == "POST":
            if self.refusal is not None:
                return self.refusal
            self.begun.append(asked.json if asked.headers["content-type"] == "application/json" else {})
            return Script.json({"id": f"video_{len(self.begun)}", "object": "video", "status": "queued", "progress": 0})
        parts = asked.path.split("/")
        if parts[-1] == "content":
            return Script(200, {"content-type": "video/mp4"}, [FILM])
        looks = self.looked[parts[-1]] = self.looked.get(parts[-1], 0) + 1
        now = self.at_the_end if looks >= 2 else {"status": "in_progress", "progress": 40}
        told = Script.json({"id": parts[-1], "object": "video", **now})
        return replace(told, pieces=[self.pause, *told.pieces]) if self.pause else told


@pytest.fixture
def studio(gateway: Gateway) -> Iterator[tuple[Studio, str]]:
    """A studio, and the public name of its model, which costs a tenth of a dollar a second."""
    with scripted(gateway, "openai-compatible", free=True) as (provider, name):
        gateway.cli("channels", "disable", name)
        made = f"film-{uuid.uuid4().hex[:8]}"
        gateway.cli(
            "channels", "add", "--provider", "openai-compatible", "--name", made, "--base-url", provider.base_url,
            "--models", "*",
        )  # fmt: skip
        gateway.cli("prices", "set", f"{made}/*", "--unit", "second=0.1")
        gateway.settle_in()
        yield Studio(provider), f"{made}/film-1"
        gateway.cli("channels", "disable", made)


def test_a_video_is_made_and_paid_for_by_its_seconds(gateway: Gateway, studio: tuple[Studio, str]) -> None:
    there, model = studio
    _, key = gateway.account("2")
    begun = gateway.post("/v1/videos", {"model": model, "prompt": "A calm sea", "size": "1280x720"}, key)
    assert begun.status_code == 200, begun.text
    video = begun.json()
    assert (video["status"], video["object"], video["prompt"]) == ("queued", "video", None)
    assert begun.headers["x-generation-id"] == video["id"] and video["id"].startswith("vid_")
    assert gateway.credits(key)["held"] == Decimal("0.8"), "as long as anybody makes them where nothing is said"
    done = gateway.get(f"/v1/videos/{video['id']}?wait=30", key).json()
    assert (done["status"], done["progress"], done["seconds"]) == ("completed", 100, "4")
    answer = requests.get(done["result"]["url"], headers={"Authorization": f"Bearer {key}"}, timeout=30)
    assert answer.content == FILM and answer.headers["content-type"] == "video/mp4"
    credit = gateway.credits(key)
    assert (credit["total_usage"], credit["held"]) == (Decimal("0.4"), 0)
    receipt = gateway.get("/v1/generation", key, params={"id": video["id"]}).json()["data"]
    assert (receipt["units"], receipt["surface"], receipt["overrun"]) == ({"second": 4}, "videos", False)
    assert len(there.begun) == 1
    assert gateway.books()["ok"]


def test_both_views_take_both_ids(gateway: Gateway) -> None:
    made = gateway.post("/v1/tasks", {"type": "video", "model": "sandbox/slow-10", "prompt": "a"}).json()
    assert made["id"].startswith("task_") and made["type"] == "video"
    other = made["id"].replace("task_", "vid_")
    for path, identity, shown in (
        ("tasks", other, made["id"]),
        ("videos", made["id"], other),
        ("videos", other, other),
    ):
        found = gateway.get(f"/v1/{path}/{identity}?wait=20").json()
        assert (found["id"], found["status"]) == (shown, "completed")
        url = found["result"]["url"]
        assert f"/v1/videos/{shown}/content?index=0" in url
        assert requests.get(url, headers={"Authorization": f"Bearer {gateway.key}"}, timeout=30).status_code == 200
        receipt = gateway.get("/v1/generation", params={"id": identity}).json()["data"]
        assert receipt["id"] == made["id"]
    assert gateway.get(f"/v1/tasks/{made['id']}/content").status_code == 404


def test_several_results(gateway: Gateway) -> None:
    made = gateway.post("/v1/tasks", {"type": "video", "model": "sandbox/slow-10", "prompt": "a", "n": 2, "seconds": 1})
    done = gateway.get(f"/v1/tasks/{made.json()['id']}?wait=20").json()
    films = [
        requests.get(one["url"], headers={"Authorization": f"Bearer {gateway.key}"}, timeout=30).content
        for one in done["results"]
    ]
    assert len(films) == 2 and films[0] != films[1] and all(film[4:8] == b"ftyp" for film in films)
    receipt = gateway.get("/v1/generation", params={"id": done["id"]}).json()["data"]
    assert receipt["units"] == {"second": 2} and receipt["cost_usd"] == 0.02


@pytest.mark.parametrize("model", ["cut", "refusal"])
def test_what_fails_on_the_way_costs_nothing(gateway: Gateway, model: str) -> None:
    _, key = gateway.account("1")
    made = gateway.post("/v1/tasks", {"type": "video", "model": f"sandbox/{model}", "prompt": "a"}, key).json()
    done = gateway.get(f"/v1/tasks/{made['id']}?wait=20", key).json()
    assert done["status"] == "failed" and done["error"]["code"] in ("sandbox_failed", "moderation_blocked")
    assert "result" not in done
    credit = gateway.credits(key)
    assert (credit["total_usage"], credit["held"]) == (0, 0) and gateway.books()["ok"]


def test_what_is_refused_at_once_is_no_task(gateway: Gateway, studio: tuple[Studio, str]) -> None:
    there, model = studio
    _, key = gateway.account("1")
    there.refusal = Script.json(
        {"error": {"message": "No such size.", "type": "invalid_request_error", "param": "size"}}, 400
    )
    answer = gateway.post("/v1/videos", {"model": model, "prompt": "a", "size": "16x16"}, key)
    assert answer.status_code == 400 and answer.json()["error"]["message"] == "No such size."
    assert gateway.get("/v1/videos", key).json()["data"] == [] and gateway.credits(key)["held"] == 0


def test_who_may_have_begun_is_not_asked_again(gateway: Gateway, studio: tuple[Studio, str]) -> None:
    there, model = studio
    _, key = gateway.account("1")
    there.refusal = Script(200, {"content-type": "application/json"}, [b'{"id": "vid'], "length", "close")
    before = len(there.provider.asked)
    answer = gateway.post("/v1/videos", {"model": model, "prompt": "a"}, key)
    assert answer.status_code == 502 and len(there.provider.asked) == before + 1
    assert gateway.credits(key)["held"] == 0 and gateway.books()["ok"]


def test_a_light_purse_and_a_model_without_a_price(gateway: Gateway, studio: tuple[Studio, str]) -> None:
    there, model = studio
    _, key = gateway.account("0.5")
    answer = gateway.post("/v1/videos", {"model": model, "prompt": "a", "seconds": "8"}, key)
    assert answer.status_code == 402 and not there.begun
    assert gateway.post("/v1/videos", {"model": model, "prompt": "a", "seconds": "4"}, key).status_code == 200
    unpriced = gateway.post("/v1/videos", {"model": "openai/gpt-4o", "prompt": "a"})
    assert unpriced.status_code in (400, 404)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": "a", "model": ""}, "model"), ({"model": "sandbox/video"}, "prompt"),
        ({"model": "sandbox/video", "prompt": "a", "seconds": "-1"}, "seconds"),
        ({"model": "sandbox/video", "prompt": "a", "seconds": 1e12}, "seconds"),
        ({"model": "sandbox/video", "prompt": "a", "size": "999999x999999"}, "size"),
        ({"model": "sandbox/video", "prompt": "a", "n": 1000}, "n"),
        ({"model": "sandbox/video", "prompt": "a", "webhook": "http://10.0.0.1/"}, "webhook"),
        ({"model": "sandbox/video", "prompt": "a", "input_reference": {"image_url": "http://169.254.169.254/"}},
         "input_reference"),
    ],
)  # fmt: skip
def test_bad_input_names_its_field(gateway: Gateway, body: dict[str, Any], param: str) -> None:
    for path, more in (("/v1/videos", {}), ("/v1/tasks", {"type": "video"})):
        answer = gateway.post(path, {**body, **more})
        assert answer.status_code == 400 and answer.json()["error"]["param"] == param, answer.text


def test_a_picture_may_be_a_file_that_its_account_keeps(gateway: Gateway, studio: tuple[Studio, str]) -> None:
    """Ids that nobody here knows reach no provider, in whichever field and whether JSON or a form names them."""
    there, model = studio
    _, key = gateway.account("5")
    _, other = gateway.account("5")
    body = {"model": model, "prompt": "a", "seconds": "4"}
    mine, foreign = (
        requests.post(
            f"{gateway.base_url}/files", files={"file": ("a.png", PICTURE)}, data={"purpose": "vision"},
            headers={"Authorization": f"Bearer {whose}"}, timeout=30,
        ).json()["id"]
        for whose in (key, other)
    )  # fmt: skip
    for field in ("input_reference", "image", "last_image"):
        for named in ("file-of-the-operator", foreign):
            refused = gateway.post("/v1/videos", {**body, field: {"file_id": named}}, key)
            assert (refused.status_code, refused.json()["error"]["param"]) == (404, f"{field}.file_id"), refused.text
    local = gateway.post(
        "/v1/videos", {**body, "input_reference": "https://example.com/a.png", "image": "http://10.0.0.1/a"}, key
    )
    assert (local.status_code, local.json()["error"]["param"]) == (400, "image")
    for named, status, where in (
        ({"file_id": foreign}, 404, "reference_images[0].file_id"), ({"file_id": mine}, 400, "reference_images[0].file_id"),
        ({"url": "http://10.0.0.1/"}, 400, "reference_images[0].url"), (" HTTP://10.0.0.1/ a", 400, "reference_images[0]"),
    ):  # fmt: skip
        refused = gateway.post("/v1/videos", {**body, "reference_images": [named]}, key)
        assert (refused.status_code, refused.json()["error"]["param"]) == (status, where), refused.text

    def form(**fields: str) -> requests.Response:
        parts = {name: (None, value) for name, value in {**body, **fields}.items()}
        return requests.post(
            f"{gateway.base_url}/videos", files=parts, headers={"Authorization": f"Bearer {key}"}, timeout=30
        )

    refused = form(**{"input_reference[file_id]": foreign})
    assert (refused.status_code, refused.json()["error"]["param"]) == (404, "input_reference.file_id"), refused.text
    refused = form(**{"reference_images[0][file_id]": foreign})
    assert (refused.status_code, refused.json()["error"]["param"]) == (404, "reference_images[0][file_id]"), (
        refused.text
    )
    assert not there.begun
    url = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
    assert gateway.post("/v1/videos", {**body, "input_reference": {"file_id": mine}}, key).status_code == 200
    assert there.begun[-1]["input_reference"] == {"image_url": url}
    unknown = {"reference_images": [{"url": url}, "https://8.8.8.8/a.png"], "style": "plain", "seed": 3}
    assert gateway.post("/v1/videos", {**body, **unknown}, key).status_code == 200
    assert {name: there.begun[-1][name] for name in unknown} == unknown
    assert form(**{"input_reference[file_id]": mine}).status_code == 200
    sent = next(asked for asked in reversed(there.provider.asked) if asked.method == "POST")
    assert b'name="input_reference[image_url]"' in sent.body and url.encode() in sent.body


@pytest.mark.parametrize(
    ("what", "model"), [("suno", "sandbox/music"), ("music", "sandbox/music"), ("mj", "sandbox/image")]
)
def test_no_field_leads_a_proxy_into_a_private_network(gateway: Gateway, what: str, model: str) -> None:
    body = {"type": what, "model": model, "prompt": "http://words.of/a prompt", "audio_url": "http://10.0.0.1/a.mp3"}
    refused = gateway.post("/v1/tasks", body)
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "audio_url", refused.text


def test_what_is_not_there_yet_is_told_so(gateway: Gateway) -> None:
    made = gateway.post("/v1/videos", {"model": "sandbox/hang", "prompt": "a"}).json()
    path = f"/v1/videos/{made['id']}/content"
    early = gateway.get(path)
    assert (
        early.status_code == 409 and "nothing yet" in early.json()["error"]["message"] and early.headers["Retry-After"]
    )
    gateway.post(f"/v1/tasks/{made['id']}/cancel", {})
    over = gateway.get(path)
    assert over.status_code == 404 and "cancelled" in over.json()["error"]["message"]


def test_types(gateway: Gateway) -> None:
    answer = gateway.post("/v1/tasks", {"type": "opera", "model": "sandbox/video", "prompt": "a"})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "type"
    made = gateway.post("/v1/tasks", {"type": "music", "model": "sandbox/slow-10", "prompt": "a"}).json()
    assert "size" not in made, "a tune is seen by nobody"
    done = gateway.get(f"/v1/tasks/{made['id']}?wait=20").json()
    assert done["status"] == "completed" and "/v1/audio/task_" in done["result"]["url"] and "size" not in done
    assert gateway.get(f"/v1/videos/{made['id']}").status_code == 404, "it is no video"


@pytest.mark.parametrize(("what", "unit"), [("video", "second"), ("music", "song"), ("image", "image")])
def test_what_only_tasks_say_is_no_loss(gateway: Gateway, what: str, unit: str) -> None:
    body, strict = {"type": what, "model": "sandbox/slow-10", "prompt": "a"}, {"x-gateway-strict": "1"}
    made = gateway.post("/v1/tasks", body, headers=strict)
    assert made.status_code == 200 and "x-gateway-losses" not in made.headers, made.text
    told = {**body, "webhook": "https://1.1.1.1/hook"}
    [leg] = gateway.post("/v1/tasks", told, headers={**strict, "x-gateway-dry-run": "1"}).json()["legs"]
    assert leg["losses"] == [] and leg["price"][f"{unit}_usd"] > 0


def test_waiting_ends_when_something_is_there_or_it_has_been_long_enough(gateway: Gateway) -> None:
    made = gateway.post("/v1/tasks", {"type": "video", "model": "sandbox/hang", "prompt": "a"}).json()
    began = time.monotonic()
    waiting = gateway.get(f"/v1/tasks/{made['id']}?wait=1").json()
    assert waiting["status"] in ("queued", "in_progress") and time.monotonic() - began < 20
    assert gateway.get(f"/v1/tasks/{made['id']}?wait=soon").status_code == 400
    gateway.post(f"/v1/tasks/{made['id']}/cancel", {})


def test_cancelled_once_and_for_nothing(gateway: Gateway) -> None:
    _, key = gateway.account("1")
    made = gateway.post("/v1/tasks", {"type": "video", "model": "sandbox/hang", "prompt": "a"}, key).json()
    assert gateway.credits(key)["held"] > 0
    for _ in range(2):
        assert gateway.post(f"/v1/tasks/{made['id']}/cancel", {}, key).json()["status"] == "cancelled"
    assert gateway.credits(key)["held"] == 0 and gateway.books()["ok"]
    as_video = gateway.get(f"/v1/videos/{made['id']}", key).json()
    assert (as_video["status"], as_video["error"]["code"]) == ("failed", "cancelled")
    done = gateway.post("/v1/tasks", {"type": "video", "model": "sandbox/slow-1", "prompt": "a"}, key).json()
    gateway.get(f"/v1/tasks/{done['id']}?wait=20", key)
    assert gateway.post(f"/v1/tasks/{done['id']}/cancel", {}, key).status_code == 409


def test_events_tell_each_change_to_the_end(gateway: Gateway) -> None:
    made = gateway.post("/v1/tasks", {"type": "video", "model": "sandbox/slow-1500", "prompt": "a"}).json()
    text = gateway.get(f"/v1/tasks/{made['id']}/events").text
    shown = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    progress = [one["progress"] for one in shown]
    assert progress == sorted(progress) and len(shown) > 2
    assert shown[-1]["status"] == "completed" and "event: task.completed" in text


def test_lists_go_by_pages(gateway: Gateway) -> None:
    _, key = gateway.account("1")
    made = [
        gateway.post("/v1/tasks", {"type": kind, "model": "sandbox/slow-1", "prompt": "a"}, key).json()["id"]
        for kind in ("video", "music", "video", "video")
    ]
    first = gateway.get("/v1/tasks?limit=3", key).json()
    assert [one["id"] for one in first["data"]] == made[:0:-1] and first["has_more"] and first["last_id"] == made[1]
    rest = gateway.get(f"/v1/tasks?limit=3&after={first['last_id']}", key).json()
    assert [one["id"] for one in rest["data"]] == made[:1] and not rest["has_more"]
    videos = gateway.get("/v1/videos?order=asc&limit=2", key).json()
    assert [one["id"][4:] for one in videos["data"]] == [made[0][5:], made[2][5:]] and videos["object"] == "list"
    assert [one["id"] for one in gateway.get("/v1/tasks?type=music", key).json()["data"]] == [made[1]]
    for query in ("limit=0", "limit=101", "order=up", "type=opera"):
        assert gateway.get(f"/v1/tasks?{query}", key).status_code == 400
    unknown = gateway.get("/v1/tasks?after=task_nothing", key)
    assert unknown.status_code == 404 and unknown.json()["error"]["param"] == "after"
    client, left = openai.OpenAI(base_url=gateway.base_url, api_key=key), 3
    for video in client.videos.list(limit=1):  # a clean-up as everybody writes it
        client.videos.delete(video.id)
        left -= 1
    assert left == 0 and gateway.get("/v1/videos", key).json()["data"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/videos/{}"), ("DELETE", "/v1/videos/{}"), ("GET", "/v1/videos/{}/content"), ("GET", "/v1/tasks/{}"),
        ("DELETE", "/v1/tasks/{}"), ("POST", "/v1/tasks/{}/cancel"), ("GET", "/v1/tasks/{}/events"),
        ("GET", "/v1/tasks?after={}"), ("GET", "/v1/videos?after={}"), ("POST", "/v1/videos/{}/remix"),
    ],
)  # fmt: skip
def test_law_8_another_accounts_task_is_as_unknown_as_one_that_never_was(
    gateway: Gateway, method: str, path: str
) -> None:
    _, yours = gateway.account("1")
    _, mine = gateway.account("1")
    theirs = gateway.post("/v1/videos", {"model": "sandbox/slow-1", "prompt": "a"}, yours).json()["id"]
    gateway.get(f"/v1/videos/{theirs}?wait=20", yours)
    random = theirs[:-4] + "0000"

    def ask(identity: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {mine}"}
        data = json.dumps({"prompt": "b"}) if path.endswith("remix") else None
        return requests.request(method, gateway.url + path.format(identity), headers=headers, data=data, timeout=30)

    foreign, unknown = ask(theirs), ask(random)
    assert foreign.status_code == 404 and told(foreign, theirs) == told(unknown, random)
    for other in ("task_", "img_"):
        assert ask(other + theirs[4:]).status_code == 404
    assert gateway.get(f"/v1/videos/{theirs}", yours).json()["status"] == "completed", "and nothing happened to it"


def test_a_name_for_a_call_makes_one_task(gateway: Gateway, studio: tuple[Studio, str]) -> None:
    there, model = studio
    _, key = gateway.account("2")
    body, named = {"model": model, "prompt": "a", "seconds": "4"}, {"Idempotency-Key": uuid.uuid4().hex}
    first = gateway.post("/v1/videos", body, key, headers=named)
    again = gateway.post("/v1/videos", body, key, headers=named)
    assert again.json() == first.json() and again.headers["Idempotent-Replayed"] == "true"
    gateway.get(f"/v1/videos/{first.json()['id']}?wait=30", key)
    assert gateway.post("/v1/videos", body, key, headers=named).json()["id"] == first.json()["id"]
    assert len(there.begun) == 1
    assert gateway.post("/v1/videos", {**body, "prompt": "b"}, key, headers=named).status_code == 409


def test_a_forgotten_task_leaves_its_receipt(gateway: Gateway) -> None:
    made = gateway.post("/v1/videos", {"model": "sandbox/slow-1", "prompt": "a"}).json()
    done = gateway.get(f"/v1/videos/{made['id']}?wait=20").json()
    headers = {"Authorization": f"Bearer {gateway.key}"}
    gone = requests.delete(f"{gateway.url}/v1/videos/{made['id']}", headers=headers, timeout=30).json()
    assert gone == {"id": made["id"], "object": "video.deleted", "deleted": True}
    assert requests.get(done["result"]["url"], headers=headers, timeout=30).status_code == 404
    assert gateway.get(f"/v1/videos/{made['id']}").status_code == 404
    assert gateway.get("/v1/generation", params={"id": made["id"]}).json()["data"]["cost_usd"] == 0.04
    assert gateway.books()["ok"]


def test_nobody_keeps_the_prompt(gateway: Gateway, kind: str) -> None:
    canary = f"canary{uuid.uuid4().hex}"
    made = gateway.post(
        "/v1/tasks", {"type": "video", "model": "sandbox/slow-1", "prompt": canary, "negative_prompt": canary}
    ).json()
    gateway.get(f"/v1/tasks/{made['id']}?wait=20")
    assert canary not in gateway.log.read_text()
    if kind == "sqlite":
        data = gateway.folder / "data"
        assert not [p for p in data.rglob("*") if p.is_file() and canary.encode() in p.read_bytes()]


def test_a_webhook_tells_of_the_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    with upstream() as receiver, Gateway(tmp_path_factory.mktemp("told"), GATEWAY_FETCH_ALLOW="127.0.0.0/8") as gateway:
        answers = [Script.json({}, 500), Script.json({})]
        receiver.answer = lambda asked: answers.pop(0) if len(answers) > 1 else answers[0]
        made = gateway.post(
            "/v1/tasks",
            {"type": "video", "model": "sandbox/slow-1", "prompt": "a", "webhook": f"{receiver.url}/hook?token=s3cret"},
        ).json()
        end = time.monotonic() + 60
        while len(receiver.asked) < 2 and time.monotonic() < end:
            time.sleep(0.1)
        first, second = receiver.asked
        assert first.path == "/hook?token=s3cret" and first.headers["webhook-id"] == second.headers["webhook-id"]
        secret = gateway.get("/v1/webhooks/secret").json()["secret"]
        assert all(verified(secret, asked.headers, asked.body) for asked in (first, second))
        assert first.json["type"] == "task.completed" and first.json["data"]["id"] == made["id"]
        files = [p for p in (gateway.folder / "data").rglob("*") if p.is_file()]
        assert not [p for p in files if b"s3cret" in p.read_bytes()], "an address may hold a secret"


def priced(gateway: Gateway, kind: str, provider: Upstream, *units: str) -> str:
    """A channel of a kind, and what its models cost; its name."""
    name = f"proxy-{uuid.uuid4().hex[:8]}"
    gateway.cli(
        "channels", "add", "--provider", kind, "--name", name, "--base-url", provider.url, "--models", "*", "--key", "-",
        stdin="k-proxy-0123456789",
    )  # fmt: skip
    gateway.cli("prices", "set", f"{name}/*", *(word for unit in units for word in ("--unit", f"{unit}=0.1")))
    gateway.settle_in()
    return name


def test_midjourney_by_a_fake_of_its_proxies(gateway: Gateway) -> None:
    """Not recorded: written after docs/api.md of github.com/novicezk/midjourney-proxy."""
    looks: dict[str, int] = {}

    def answer(asked: Asked) -> Script:
        if asked.method == "POST":
            if "forbidden" in asked.body.decode():
                return Script.json({"code": 24, "description": "Banned words.", "properties": {}})
            number = f"17{len(looks) + 1:08d}"
            looks[number] = 0
            return Script.json({"code": 1, "description": "Submit success", "result": number})
        if asked.path.endswith("/fetch"):
            number = asked.path.split("/")[3]
            looks[number] += 1
            if looks[number] < 2:
                return Script.json({"id": number, "action": "IMAGINE", "status": "IN_PROGRESS", "progress": "47%"})
            url = f"{provider.url}/attachments/a_secret_prompt_{number}.png"
            return Script.json(
                {"id": number, "action": "IMAGINE", "status": "SUCCESS", "progress": "100%", "imageUrl": url}
            )
        return Script(200, {"content-type": "image/png"}, [PICTURE])

    with upstream() as provider:
        provider.answer = answer
        model = f"{priced(gateway, 'midjourney-proxy', provider, 'image')}/fast"
        _, key = gateway.account("1")
        made = gateway.post(
            "/v1/tasks",
            {"type": "mj", "model": model, "prompt": "a cat --ar 16:9", "notifyHook": "http://10.0.0.1/"},
            key,
        ).json()
        done = gateway.get(f"/v1/tasks/{made['id']}?wait=30", key).json()
        assert done["status"] == "completed", done
        assert "/v1/images/task_" in done["result"]["url"] and "secret_prompt" not in json.dumps(done)
        asked = next(asked for asked in provider.asked if asked.method == "POST")
        assert asked.path == "/mj/submit/imagine" and asked.json == {"prompt": "a cat --ar 16:9"}
        assert asked.headers["mj-api-secret"] == "k-proxy-0123456789"
        url = done["result"]["url"]
        assert requests.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=30).content == PICTURE
        again = gateway.post(
            "/v1/tasks", {"type": "mj", "model": model, "action": "upscale", "task_id": made["id"], "index": 2}, key
        )
        assert again.status_code == 200, again.text
        sent = next(asked for asked in provider.asked if asked.path == "/mj/submit/change")
        assert sent.json == {"action": "UPSCALE", "taskId": "1700000001", "index": 2}
        gateway.get(f"/v1/tasks/{again.json()['id']}?wait=30", key)
        assert gateway.credits(key)["total_usage"] == Decimal("0.2") and gateway.books()["ok"]
        _, other = gateway.account("1")
        foreign = {"type": "mj", "model": model, "action": "upscale", "task_id": made["id"], "index": 2}
        assert gateway.post("/v1/tasks", foreign, other).status_code == 404, "Law 8"
        refused = gateway.post("/v1/tasks", {"type": "mj", "model": model, "prompt": "forbidden"}, key)
        assert refused.status_code == 400 and refused.json()["error"]["message"] == "Banned words."
        for body, param in (({}, "prompt"), ({"action": "upscale"}, "task_id"), ({"action": "describe"}, "images")):
            answer_ = gateway.post("/v1/tasks", {"type": "mj", "model": model, **body}, key)
            assert answer_.status_code == 400 and answer_.json()["error"]["param"] == param


def test_suno_by_a_fake_of_its_proxies(gateway: Gateway) -> None:
    """Not recorded: written after github.com/Suno-API/Suno-API."""

    def answer(asked: Asked) -> Script:
        if asked.method == "POST":
            return Script.json({"code": "success", "message": "", "data": asked.path.rsplit("/")[-1] + "-1"})
        if asked.path.endswith(".mp3"):
            return Script(200, {"content-type": "audio/mpeg"}, [b"ID3" + bytes(500)])
        if "lyrics" in asked.path:
            data: Any = {"id": "l1", "title": "Rain", "text": "It rains.", "status": "complete"}
        else:
            data = [{"id": f"clip-{n}", "audio_url": f"{provider.url}/{n}.mp3", "status": "complete"} for n in (1, 2)]
        return Script.json(
            {"code": "success", "data": {"task_id": "x", "status": "SUCCESS", "progress": "100%", "data": data}}
        )

    with upstream() as provider:
        provider.answer = answer
        model = f"{priced(gateway, 'suno-api', provider, 'song', 'lyrics')}/chirp-v4"
        _, key = gateway.account("2")

        def make(**body: Any) -> dict[str, Any]:
            made = gateway.post("/v1/tasks", {"type": "suno", "model": model, **body}, key)
            assert made.status_code == 200, made.text
            return dict(gateway.get(f"/v1/tasks/{made.json()['id']}?wait=30", key).json())

        song = make(prompt="a song of rain", instrumental=True)
        assert [one["id"] for one in song.get("results", ())] == ["clip-1", "clip-2"], song
        first = next(asked for asked in provider.asked if asked.method == "POST")
        assert first.path == "/suno/submit/music" and first.json == {
            "gpt_description_prompt": "a song of rain", "mv": "chirp-v4", "make_instrumental": True,
        }  # fmt: skip
        assert first.headers["authorization"] == "Bearer k-proxy-0123456789"
        assert gateway.credits(key)["total_usage"] == Decimal("0.2"), "two versions, each a song"
        make(action="extend", continue_clip_id="clip-1", continue_at=30)
        lyrics = make(action="lyrics", prompt="rain")
        assert lyrics["result"] == {"title": "Rain", "text": "It rains."} and "results" not in lyrics
        assert gateway.credits(key)["total_usage"] == Decimal("0.5") and gateway.books()["ok"]
        foreign = {"type": "suno", "model": model, "action": "extend", "continue_clip_id": "clip-1"}
        assert gateway.post("/v1/tasks", foreign, gateway.account("1")[1]).status_code == 404, "Law 8"


def test_a_remix_is_begun_by_who_made_the_first(gateway: Gateway, studio: tuple[Studio, str]) -> None:
    there, model = studio
    _, key = gateway.account("5")
    first = gateway.post("/v1/videos", {"model": model, "prompt": "a", "seconds": "4"}, key).json()
    early = gateway.post(f"/v1/videos/{first['id']}/remix", {"prompt": "b"}, key)
    assert early.status_code == 409
    gateway.get(f"/v1/videos/{first['id']}?wait=30", key)
    again = gateway.post(f"/v1/videos/{first['id']}/remix", {"prompt": "at night"}, key)
    assert again.status_code == 200, again.text
    asked = there.provider.asked[-1]
    assert asked.path == "/v1/videos/video_1/remix" and asked.json == {"prompt": "at night"}
    form = requests.post(
        f"{gateway.base_url}/videos/{first['id']}/remix", files={"prompt": (None, "in rain")}, timeout=60,
        headers={"Authorization": f"Bearer {key}"},
    )  # fmt: skip
    sent = [one for one in there.provider.asked if one.method == "POST"][-1]
    assert form.status_code == 200 and b"in rain" in sent.body and b'name="model"' not in sent.body, form.text
    gateway.get(f"/v1/videos/{form.json()['id']}?wait=30", key)
    done = gateway.get(f"/v1/videos/{again.json()['id']}?wait=30", key).json()
    assert (done["status"], done["remixed_from_video_id"]) == ("completed", first["id"])
    assert gateway.credits(key)["total_usage"] == Decimal("1.2") and gateway.books()["ok"]


def test_a_remix_in_the_sandbox_is_as_long_and_as_large(gateway: Gateway) -> None:
    _, key = gateway.account("1")
    asked = {"model": "sandbox/slow-1", "prompt": "a", "seconds": "2", "size": "64x36"}
    first = gateway.post("/v1/videos", asked, key).json()
    gateway.get(f"/v1/videos/{first['id']}?wait=30", key)
    again = gateway.post(f"/v1/videos/{first['id']}/remix", {"prompt": "at night"}, key).json()
    done = gateway.get(f"/v1/videos/{again['id']}?wait=30", key).json()
    assert (done["status"], done["seconds"], done["size"]) == ("completed", "2", "64x36")
    assert done["remixed_from_video_id"] == first["id"] and gateway.get(f"/v1/videos/{done['id']}/content", key).content
    assert gateway.credits(key)["total_usage"] == Decimal("0.04") and gateway.books()["ok"]


def test_an_image_is_made_behind_its_callers_back(gateway: Gateway) -> None:
    _, key = gateway.account("1")
    body = {"type": "image", "model": "sandbox/image", "prompt": "a fox", "size": "256x256", "n": 2}
    named = {"Idempotency-Key": uuid.uuid4().hex}
    made = gateway.post("/v1/tasks", body, key, headers=named)
    assert made.status_code == 200 and made.json()["id"].startswith("task_"), made.text
    assert gateway.post("/v1/tasks", body, key, headers=named).json()["id"] == made.json()["id"]
    done = gateway.get(f"/v1/tasks/{made.json()['id']}?wait=20", key).json()
    assert done["status"] == "completed" and len(done["results"]) == 2, done
    for one in done["results"]:
        assert "/v1/images/task_" in one["url"]
        got = requests.get(one["url"], headers={"Authorization": f"Bearer {key}"}, timeout=30)
        assert got.status_code == 200 and got.headers["content-type"].startswith("image/")
    receipt = gateway.get("/v1/generation", key, params={"id": done["id"]}).json()["data"]
    assert receipt["cost_usd"] > 0 and gateway.credits(key)["held"] == 0 and gateway.books()["ok"]
    streamed = gateway.post("/v1/tasks", {**body, "n": 1, "stream": True, "partial_images": 1}, key).json()
    done = gateway.get(f"/v1/tasks/{streamed['id']}?wait=20", key).json()
    assert done["status"] == "completed" and len(done["results"]) == 1, "a task is whole anyway"
    spent = gateway.credits(key)["total_usage"]
    failed = gateway.post("/v1/tasks", {**body, "model": "sandbox/error-400"}, key).json()
    over = gateway.get(f"/v1/tasks/{failed['id']}?wait=20", key).json()
    assert (over["status"], over["error"]["code"]) == ("failed", "refused")
    slow = gateway.post("/v1/tasks", {**body, "model": "sandbox/slow-3000"}, key).json()
    assert gateway.post(f"/v1/tasks/{slow['id']}/cancel", {}, key).json()["status"] == "cancelled"
    time.sleep(4)
    assert gateway.get(f"/v1/images/{slow['id']}/content", key).status_code == 404
    assert gateway.credits(key)["total_usage"] == spent and gateway.books()["ok"]
