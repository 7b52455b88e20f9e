"""What calls made, fetched over HTTP: its owner only, types, ranges, and what is over."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

from tests.gateway import Gateway
from tests.store.bucket import bucket

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40

_PUT = """
import sys
from gateway import config, store
from gateway.providers import pool
from models import account, base, writer
settings = config.load()
config.use(settings)
base.connect(settings.database_url)
pool.open(settings)
store.open(settings)
name, identity, kind, media_type, days = sys.argv[1:6]
if days != "0":
    writer.write(lambda: base.run("UPDATE media SET expires_at = 1, due_at = 1 WHERE id = ?", identity))
else:
    with base.session():
        account_id = account.find(name).id
    data = sys.stdin.buffer.read()
    for number in range(2):
        store.put(account_id, identity, number, kind, media_type, iter((data, bytes([number]))))
"""


def put(gateway: Gateway, account: str, data: bytes = PNG, media_type: str = "image/png", over: str = "") -> str:
    """Two files of an account, put by another process; or what was put, made a thing of the past."""
    identity = over or f"img_{uuid.uuid4().hex}"
    subprocess.run(
        [sys.executable, "-c", _PUT, account, identity, "images", media_type, "1" if over else "0"],
        input=data, env=gateway.environ, cwd=gateway.folder, check=True,
    )  # fmt: skip
    return identity


@pytest.fixture(scope="module", params=["folder", "bucket"])
def place(
    request: pytest.FixtureRequest, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that keeps media in either place."""
    if request.param == "folder":
        yield gateway
        return
    with bucket() as url, Gateway(tmp_path_factory.mktemp("gateway"), GATEWAY_MEDIA_URL=url) as live:
        yield live


def test_it_is_there_for_its_owner_alone(place: Gateway) -> None:
    name, key = place.account()
    _, stranger = place.account()
    path = f"/v1/images/{put(place, name)}/content"
    whole = place.get(f"{path}?index=1", key)
    assert (whole.status_code, whole.content) == (200, PNG + b"\1")
    assert whole.headers["Content-Type"] == "image/png" and whole.headers["Content-Length"] == str(len(PNG) + 1)
    assert (
        whole.headers["X-Content-Type-Options"] == "nosniff" and "sandbox" in whole.headers["Content-Security-Policy"]
    )
    assert "private" in whole.headers["Cache-Control"] and whole.headers["Content-Disposition"] == "inline"
    assert place.get(path, key).content == PNG + b"\0"
    foreign, unknown = place.get(path, stranger), place.get("/v1/images/img_unknown/content", key)
    assert foreign.status_code == unknown.status_code == 404
    assert place.get(path, key="wrong").status_code == 401
    for said, status in (("index=2", 404), ("index=-1", 400), ("index=x", 400), ("index=", 400)):
        answer = place.get(f"{path}?{said}", key)
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, "index"), said


def test_ranges(place: Gateway) -> None:
    name, key = place.account()
    path = f"/v1/images/{put(place, name)}/content"
    size = len(PNG) + 1
    whole = PNG + b"\0"
    for said, part in (
        ("bytes=0-0", whole[:1]), ("bytes=5-20", whole[5:21]), ("bytes=100-", whole[100:]), ("bytes=-9", whole[-9:]),
        (f"bytes=-{size * 2}", whole), (f"bytes=9-{10**17}", whole[9:]),
    ):  # fmt: skip
        answer = place.get(path, key, headers={"Range": said})
        assert (answer.status_code, answer.content) == (206, part), said
        start = size - len(part) if said != "bytes=0-0" and said != "bytes=5-20" else int(said[6:].split("-")[0])
        assert answer.headers["Content-Range"] == f"bytes {start}-{start + len(part) - 1}/{size}"
    for said in ("bytes=0-1,5-6", "items=0-1", "bytes=-", "bytes=9-3", "nonsense"):
        answer = place.get(path, key, headers={"Range": said})
        assert (answer.status_code, answer.content) == (200, whole), said
    for said in (f"bytes={size}-", "bytes=-0", "bytes=99999999-"):
        answer = place.get(path, key, headers={"Range": said})
        assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{size}"), said
    tag = place.get(path, key).headers["ETag"]
    assert place.get(path, key, headers={"Range": "bytes=0-3", "If-Range": '"another"'}).status_code == 200
    assert place.get(path, key, headers={"Range": "bytes=0-3", "If-Range": tag}).status_code == 206
    assert place.get(path, key, headers={"If-None-Match": f'"x", {tag}'}).status_code == 304


def test_head_tells_and_sends_nothing(place: Gateway) -> None:
    import requests

    name, key = place.account()
    path = f"{place.url}/v1/images/{put(place, name)}/content"
    answer = requests.head(path, headers={"Authorization": f"Bearer {key}"}, timeout=30)
    assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(len(PNG) + 1))


def test_what_a_browser_could_run_is_only_bytes(sqlite_gateway: Gateway) -> None:
    name, key = sqlite_gateway.account()
    identity = put(sqlite_gateway, name, b"<script>alert(1)</script>", "text/html")
    answer = sqlite_gateway.get(f"/v1/images/{identity}/content", key)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment"


def test_what_is_over_says_so(place: Gateway) -> None:
    name, key = place.account()
    identity = put(place, name)
    put(place, name, over=identity)
    env = {**place.environ}
    subprocess.run(
        [sys.executable, "-c", _PUT.split("name, identity")[0] + "store.tick()"], env=env, cwd=place.folder, check=True
    )
    answer = place.get(f"/v1/images/{identity}/content", key)
    assert answer.status_code == 410 and "was kept until" in answer.json()["error"]["message"]


def test_a_file_that_was_lost_is_an_error_and_no_crash(sqlite_gateway: Gateway) -> None:
    name, key = sqlite_gateway.account()
    identity = put(sqlite_gateway, name)
    for path in (sqlite_gateway.folder / "data" / "media").rglob("*"):
        if path.is_file():
            os.unlink(path)
    assert sqlite_gateway.get(f"/v1/images/{identity}/content", key).status_code == 503
