"""Webhooks, verified as Standard Webhooks says (https://github.com/standard-webhooks/standard-webhooks)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import config
from gateway.tasks import seals, webhooks
from gateway.vault import Vault
from models import task
from tests.upstream import Script, Upstream, upstream


def verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """The algorithm of the specification, from its text: the secret is base64 behind `whsec_`, and what is signed is
    id, timestamp and body with a dot between them."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mark = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{mark}" in headers["webhook-signature"].split(" ")


@pytest.fixture(autouse=True)
def settings(tmp_path: Path) -> None:
    config.use(config.load({"GATEWAY_DATA": str(tmp_path), "GATEWAY_FETCH_ALLOW": "127.0.0.0/8"}))
    seals.open(Vault("a secret of the tests"))


@pytest.fixture
def receiver() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is noted of tries: (tries, next_at)."""
    found: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        webhooks.writer, "write", lambda fn, task_id, claim, tries, next_at, **_: found.append((tries, next_at))
    )
    return found


def row(url: str, **changes: Any) -> dict[str, Any]:
    return {
        **dict.fromkeys(task.COLUMNS), "id": "vid_0123", "account_id": "acc_1", "kind": "video", "model": "m",
        "status": "completed", "progress": 100, "created_at": 1_000, "done_at": 2_000, "claim": 1, "told": 0,
        "facts": json.dumps({"results": [{"content_type": "video/mp4", "bytes": 9}]}),
        "webhook": seals.seal(url, "vid_0123"), **changes,
    }  # fmt: skip


def test_it_is_signed_so_that_its_owner_can_tell(receiver: Upstream, written: list[tuple[Any, ...]]) -> None:
    receiver.answer = lambda asked: Script.json({})
    webhooks.tell(row(receiver.url + "/hook"))
    asked = receiver.last()
    assert asked.method == "POST" and written == [(1, None)]
    secret = seals.signing_secret("acc_1")
    assert verified(secret, asked.headers, asked.body)
    assert not verified(secret, asked.headers, asked.body + b" ")
    assert not verified(secret, {**asked.headers, "webhook-timestamp": "1"}, asked.body)
    assert not verified(seals.signing_secret("acc_2"), asked.headers, asked.body)
    told = asked.json
    assert told["type"] == "video.completed" and told["data"]["id"] == "vid_0123"
    assert told["data"]["result"]["url"].endswith("/v1/videos/vid_0123/content?index=0")
    assert "cookie" not in asked.headers and "authorization" not in asked.headers


def test_it_is_tried_again_under_the_same_id_until_it_is_taken(
    receiver: Upstream, written: list[tuple[Any, ...]]
) -> None:
    receiver.answer = lambda asked: Script.json({}, 503)
    for tries in range(len(webhooks.PAUSES_S) + 1):
        webhooks.tell(row(receiver.url, told=tries))
    assert [tries for tries, _ in written] == list(range(1, len(webhooks.PAUSES_S) + 2))
    moments = [at for _, at in written[:-1]]
    assert all(moments) and moments == sorted(moments) and written[-1][1] is None, "after the last nobody is told"
    assert len({asked.headers["webhook-id"] for asked in receiver.asked}) == 1
    receiver.answer = lambda asked: Script.json({}, 410)
    webhooks.tell(row(receiver.url))
    assert written[-1] == (1, None), "who is gone is not asked again"


def test_a_redirect_is_not_followed(receiver: Upstream, written: list[tuple[Any, ...]]) -> None:
    receiver.answer = lambda asked: Script(307, {"location": receiver.url + "/other"}, [])
    webhooks.tell(row(receiver.url + "/hook"))
    assert [asked.path for asked in receiver.asked] == ["/hook"] and written[0][1] is not None


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://[::1]/", "http://0.0.0.0:8080/",
        "file:///etc/passwd", "http://user:pw@example.com/", "http://localhost/", "http://2130706433/",
        "gopher://example.com/", "http://example.com:22/", "no url",
    ],
)  # fmt: skip
def test_hostile_addresses_are_refused(url: str, written: list[tuple[Any, ...]]) -> None:
    config.use(config.load({}))
    assert webhooks.check(url)
    webhooks.tell(row(url))
    assert written == [(1, None)], "one that has become such meanwhile is not told, and not tried again"
