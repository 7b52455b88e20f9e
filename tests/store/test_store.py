"""The media store: what is kept, for whom, how long, and what is left of what broke off; in a folder and in a bucket."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway import config, store
from gateway.providers import pool
from gateway.providers.buckets import Bucket
from gateway.store import folder
from models import account, media, plan, writer
from models.base import rows, session
from tests.store.bucket import ID, SECRET, bucket

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


def _open(data: Path, url: str | None) -> None:
    settings, wrong = config.read({"GATEWAY_DATA": str(data), **({"GATEWAY_MEDIA_URL": url} if url else {})})
    assert not wrong
    config.use(settings)
    pool.open(settings)
    store.open(settings)


@pytest.fixture(params=["folder", "bucket"])
def kept(request: pytest.FixtureRequest, db: str, tmp_path: Path) -> Iterator[Path]:
    """An open store of either kind, for two accounts; the folder of GATEWAY_DATA."""
    writer.write(lambda: plan.put("short", media_days=2))
    writer.write(account.create, "acc_1", "one", "unlimited", 1)
    writer.write(account.create, "acc_2", "two", "short", 1)
    if request.param == "folder":
        _open(tmp_path, None)
        yield tmp_path
    else:
        with bucket() as url:
            _open(tmp_path, url)
            yield tmp_path


def _files(data: Path) -> list[Path]:
    return [path for path in (data / "media").rglob("*") if path.is_file()]


def put(account_id: str = "acc_1", identity: str = "img_1", number: int = 0, data: bytes = PNG) -> store.Stored:
    return store.put(account_id, identity, number, "images", "image/png", iter((data[:7], data[7:])))


def test_what_was_put_is_read_by_its_owner(kept: Path) -> None:
    made = [put(number=number, data=PNG + bytes([number])) for number in (1, 0)]
    assert [one.number for one in store.of("acc_1", "img_1")] == [0, 1]
    assert b"".join(store.read(made[0])) == PNG + b"\1" and made[0].bytes == len(PNG) + 1
    assert b"".join(store.read(made[1], 3, 40)) == PNG[3:40]
    assert store.of("acc_2", "img_1") == [] == store.of("acc_1", "img_2")
    assert store.etag(made[0]) != store.etag(made[1])
    assert store.url(made[0]).endswith("/v1/images/img_1/content?index=1")
    assert not list((kept / "media" / "arriving").iterdir())


def test_the_plan_says_how_long(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual, short = put(), put("acc_2", "img_2")
    assert (usual.expires_at - usual.created_at) // 86_400_000 == 30
    assert (short.expires_at - short.created_at) // 86_400_000 == 2
    store.tick()
    assert all(one.removed_at is None for one in store.of("acc_2", "img_2"))
    monkeypatch.setattr(store, "now_ms", lambda: short.expires_at + 1)
    store.tick()
    assert [one.removed_at for one in store.of("acc_2", "img_2")] == [short.expires_at + 1]
    with pytest.raises(store.Lost):
        b"".join(store.read(short))
    assert b"".join(store.read(usual)) == PNG
    with session():
        assert not media.due(short.expires_at + 10**6)


def test_what_is_removed_cannot_be_read_and_is_gone(kept: Path) -> None:
    made = put()
    assert not store.forget("acc_2", "img_1") and store.of("acc_1", "img_1")[0].removed_at is None
    assert store.forget("acc_1", "img_1") and not store.forget("acc_1", "img_1")
    assert store.of("acc_1", "img_1")[0].removed_at is not None
    with pytest.raises(store.Lost):
        b"".join(store.read(made))
    assert _files(kept) == []


def test_a_second_file_of_a_number_takes_the_place_of_the_first(kept: Path) -> None:
    first, second = put(), put(data=b"other")
    assert [one.blob for one in store.of("acc_1", "img_1")] == [second.blob]
    store.tick()
    with pytest.raises(store.Lost):
        b"".join(store.read(first))
    assert b"".join(store.read(second)) == b"other"
    with session():
        assert rows("SELECT COUNT(*) FROM media") == [(1,)]


def test_what_breaks_off_leaves_nothing(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[bytes]:
        yield PNG
        raise ConnectionError

    with pytest.raises(store.Lost):
        store.put("acc_1", "img_1", 0, "images", "image/png", broken())
    with pytest.raises(store.TooLarge):
        store.put("acc_1", "img_1", 0, "images", "image/png", iter((PNG,)), most_bytes=len(PNG) - 1)
    assert store.of("acc_1", "img_1") == [] and _files(kept) == []
    at = store.now_ms()
    monkeypatch.setattr(store, "now_ms", lambda: at + media.ARRIVING_MS + 10_000)
    store.tick()
    with session():
        assert rows("SELECT COUNT(*) FROM media") == [(0,)]


def test_what_a_crash_leaves_is_swept(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before the file was in its place, and after it but before the row was whole."""
    at = store.now_ms()
    for blob in ("aa" * 16, "bb" * 16):
        writer.write(media.begin, "acc_1", "img_1", 0, "images", "image/png", "folder", blob, at)
    box = folder.Folder(kept / "media")
    box.take("aa" * 16, iter((PNG,)), 10**6)
    box.keep(box.take("bb" * 16, iter((PNG,)), 10**6))
    old = box.take("cc" * 16, iter((PNG,)), 10**6).path
    os.utime(old, (1, 1))
    assert len(_files(kept)) == 3 and store.of("acc_1", "img_1") == []
    store.tick()
    assert len(_files(kept)) == 2
    monkeypatch.setattr(store, "now_ms", lambda: at + media.ARRIVING_MS + 1)
    store.tick()
    assert _files(kept) == []
    with session():
        assert rows("SELECT COUNT(*) FROM media") == [(0,)]


def test_large_files_take_little_memory(kept: Path) -> None:
    piece = os.urandom(1 << 16)
    tracemalloc.start()
    try:
        made = store.put("acc_1", "vid_1", 0, "videos", "video/mp4", (piece for _ in range(1_024)))
        size = sum(map(len, store.read(made)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == made.bytes == 64 << 20
    assert peak < 4 << 20


def test_requests_are_signed_as_amazon_signs_them() -> None:
    auth = pytest.importorskip("botocore.auth")
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    made = Bucket(
        f"https://{ID}:{SECRET.replace('/', '%2F')}@s3.eu-central-1.amazonaws.com/media/in?region=eu-central-1"
    )
    path = "/media/in/abc"
    at = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    ours = made.sign("PUT", path, digest, {"Content-Type": "image/png"}, at)
    named = {name: value for name, value in ours.items() if name not in ("Authorization",)}
    request = AWSRequest("PUT", f"https://s3.eu-central-1.amazonaws.com{path}", headers=named, data=b"")
    signer = auth.S3SigV4Auth(Credentials(ID, SECRET), "s3", "eu-central-1")
    request.context["timestamp"] = "20261127T100000Z"
    canonical = signer.canonical_request(request)
    theirs = signer.signature(signer.string_to_sign(request, canonical), request)
    assert ours["Authorization"].rpartition("Signature=")[2] == theirs
