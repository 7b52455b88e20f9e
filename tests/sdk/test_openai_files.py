"""Files by the official OpenAI SDK: kept, listed, read, used in calls, removed; and what they cost."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Literal

import openai
import pytest
import requests
from openai import OpenAI

from tests.gateway import Gateway
from tests.sdk.test_openai_python import PIXEL

SECRET_NAME = "canary-of-a-file-name.pdf"


def client(gateway: Gateway, key: str) -> OpenAI:
    return OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0)


@pytest.fixture
def mine(gateway: Gateway) -> Iterator[OpenAI]:
    _, key = gateway.account()
    with client(gateway, key) as made:
        yield made


def test_a_file_is_kept_and_removed(mine: OpenAI) -> None:
    data = b'{"a": 1}\n' * 300_000
    made = mine.files.create(file=("lines.jsonl", data), purpose="batch")
    assert (made.object, made.bytes, made.filename, made.purpose) == ("file", len(data), "lines.jsonl", "batch")
    assert made.id.startswith("file-") and made.status == "processed"
    assert made.expires_at is not None and 29 * 86_400 < made.expires_at - time.time() <= 30 * 86_400
    assert mine.files.retrieve(made.id) == made
    assert mine.files.content(made.id).read() == data
    assert mine.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        mine.files.retrieve(made.id)
    with pytest.raises(openai.NotFoundError):
        mine.files.content(made.id)


def test_files_are_listed_in_pages(mine: OpenAI) -> None:
    made = [mine.files.create(file=(f"{n}.txt", b"x"), purpose="user_data").id for n in range(5)]
    other = mine.files.create(file=("b.jsonl", b"y"), purpose="batch").id
    assert [file.id for file in mine.files.list()] == [other, *made[::-1]]
    first = mine.files.list(purpose="user_data", limit=2, order="asc")
    assert [file.id for file in first.data] == made[:2] and first.has_more
    assert [file.id for file in first] == made  # the SDK goes on by `after`
    with pytest.raises(openai.BadRequestError) as wrong:
        mine.files.list(limit=0)
    assert wrong.value.param == "limit"


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_who_removes_what_is_listed_goes_on_behind_it(mine: OpenAI, order: Literal["asc", "desc"]) -> None:
    made = {mine.files.create(file=(f"{n}.txt", b"x"), purpose="user_data").id for n in range(5)}
    assert {file.id for file in mine.files.list(limit=2, order=order) if mine.files.delete(file.id).deleted} == made
    assert mine.files.list().data == []


def test_purposes_of_services_that_are_not_here_have_no_files(mine: OpenAI) -> None:
    mine.files.create(file=("a.jsonl", b"x"), purpose="fine-tune")
    for purpose in ("fine-tune-results", "assistants_output", "batch_output"):
        assert mine.files.list(purpose=purpose).data == []
    with pytest.raises(openai.BadRequestError) as wrong:
        mine.files.list(purpose="secrets")
    assert wrong.value.param == "purpose"


def test_it_is_there_for_its_owner_alone(gateway: Gateway, mine: OpenAI) -> None:
    made = mine.files.create(file=("a.txt", b"x"), purpose="user_data").id
    _, key = gateway.account()
    with client(gateway, key) as stranger:
        for ask in (stranger.files.retrieve, stranger.files.content, stranger.files.delete):
            with pytest.raises(openai.NotFoundError) as unknown:
                ask(made)
            assert unknown.value.param == "id"
        with pytest.raises(openai.NotFoundError):
            stranger.files.list(after=made)
        assert stranger.files.list().data == []
        with pytest.raises(openai.NotFoundError) as foreign:
            say(stranger, made)
        with pytest.raises(openai.NotFoundError) as none:
            say(stranger, "file-0123456789")
        assert foreign.value.message.replace(made, "") == none.value.message.replace("file-0123456789", "")
    assert mine.files.retrieve(made).id == made


def test_an_id_with_a_nul_is_unknown(gateway: Gateway, mine: OpenAI) -> None:
    """Postgres takes none in a text."""

    def at(method: str, path: str) -> requests.Response:
        return requests.request(
            method, gateway.url + path, headers={"Authorization": f"Bearer {mine.api_key}"}, timeout=30
        )

    nul, key = "file-\0", mine.api_key
    content = [{"type": "file", "file": {"file_id": nul}}]
    whole = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
    for answer in (
        at("GET", "/v1/files/file-%00"), at("GET", "/v1/files/file-%00/content"), at("DELETE", "/v1/files/file-%00"),
        at("GET", "/v1/files?after=file-%00"), at("GET", "/v1/batches/batch_%00"), at("GET", "/v1/tasks/task_%00"),
        at("GET", "/v1/responses/resp_%00"), at("DELETE", "/v1/responses/resp_%00"),
        at("GET", "/v1/images/img_%00"), at("GET", "/v1/videos/vid_%00/content"),
        gateway.post("/v1/batches", {"input_file_id": nul, **whole}, key),
        gateway.chat("sandbox/echo", key=key, messages=[{"role": "user", "content": content}]),
        gateway.post("/v1/responses", {"model": "sandbox/echo", "input": "x", "previous_response_id": "resp_\0"}, key),
    ):  # fmt: skip
        assert answer.status_code == 404, (answer.request.url, answer.text)


def test_what_is_no_file_is_refused_by_name(gateway: Gateway, mine: OpenAI) -> None:
    for fields, param in (
        ({"file": ("a", b"x"), "purpose": "secrets"}, "purpose"),
        ({"file": ("a", b"x"), "purpose": "batch", "expires_after": {"anchor": "created_at", "seconds": 5}},
         "expires_after.seconds"),
        ({"file": ("a", b"x"), "purpose": "batch", "expires_after": {"anchor": "now", "seconds": 3600}},
         "expires_after.anchor"),
    ):  # fmt: skip
        with pytest.raises(openai.BadRequestError) as wrong:
            mine.files.create(**fields)  # type: ignore[arg-type]
        assert wrong.value.param == param
    for form in ({"purpose": (None, "batch")}, {"purpose": (None, "batch"), "file": (None, "x")}):
        auth = {"Authorization": f"Bearer {mine.api_key}"}
        bare = requests.post(f"{gateway.base_url}/files", files=form, headers=auth, timeout=60)
        assert bare.status_code == 400 and bare.json()["error"]["param"] == "file"
        assert bare.json()["error"]["message"] == "file must be one file in a multipart form."
    assert gateway.post("/v1/files", {"file": "x", "purpose": "batch"}, mine.api_key).status_code == 415
    assert mine.files.list().data == []


def upload(gateway: Gateway, key: str, name: str, data: bytes = b"x", purpose: str = "batch") -> requests.Response:
    return requests.post(
        f"{gateway.base_url}/files", data={"purpose": purpose}, files={"file": ("a.jsonl", data)}, timeout=60,
        headers={"Authorization": f"Bearer {key}", "Idempotency-Key": name},
    )  # fmt: skip


def test_a_named_upload_is_kept_once(gateway: Gateway, mine: OpenAI) -> None:
    """However often it is sent, whatever boundary its form has."""
    named = {"Idempotency-Key": "upload-1"}
    first = mine.files.create(file=("a.jsonl", b"x"), purpose="batch", extra_headers=named)
    assert mine.files.create(file=("a.jsonl", b"x"), purpose="batch", extra_headers=named) == first
    again = upload(gateway, mine.api_key, "upload-2", b"y" * 3_000_000)
    replayed = upload(gateway, mine.api_key, "upload-2", b"y" * 3_000_000)
    assert "Idempotent-Replayed" not in again.headers and replayed.headers["Idempotent-Replayed"] == "true"
    assert replayed.content == again.content
    for data, purpose in ((b"z", "batch"), (b"y" * 3_000_000, "user_data")):
        other = upload(gateway, mine.api_key, "upload-2", data, purpose)
        assert (other.status_code, other.json()["error"]["param"]) == (409, "Idempotency-Key")
        assert other.headers["x-should-retry"] == "false"
    assert upload(gateway, mine.api_key, "two words").status_code == 400
    assert {file.id for file in mine.files.list()} == {first.id, again.json()["id"]}
    assert gateway.credits(mine.api_key)["held"] == 0


def test_of_uploads_at_once_one_is_kept(gateway: Gateway, mine: OpenAI) -> None:
    data = b"x" * 8_000_000
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(upload, gateway, mine.api_key, "at-once", data) for _ in range(8)]
        answers = [call.result() for call in calls]
    kept = {answer.json()["id"] for answer in answers if answer.status_code == 200}
    running = [answer for answer in answers if answer.status_code != 200]
    assert all(answer.status_code == 409 and answer.headers["Retry-After"] == "1" for answer in running)
    assert [file.id for file in mine.files.list()] == list(kept) and len(kept) == 1


def test_what_is_refused_leaves_its_name_free(gateway: Gateway) -> None:
    gateway.cli("plans", "set", "tiny", "--file-mb", "1")
    name, key = gateway.account()
    gateway.cli("accounts", "set", name, "--plan", "tiny")
    gateway.settle_in()
    assert upload(gateway, key, "large", b"x" * 2_000_000).status_code == 413
    gateway.cli("plans", "set", "tiny", "--file-mb", "3")
    gateway.settle_in()
    assert upload(gateway, key, "large", b"x" * 2_000_000).status_code == 200
    assert upload(gateway, key, "large", b"x" * 2_000_000).headers["Idempotent-Replayed"] == "true"


def test_it_is_kept_as_long_as_asked_and_the_plan_allows(gateway: Gateway) -> None:
    gateway.cli("plans", "set", "narrow", "--media-days", "2", "--file-mb", "1")
    name, key = gateway.account()
    gateway.cli("accounts", "set", name, "--plan", "narrow")
    gateway.settle_in()
    with client(gateway, key) as mine:
        short = mine.files.create(
            file=("a", b"x"), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600}
        )
        long = mine.files.create(file=("a", b"x" * 500_000), purpose="batch")
        assert short.expires_at is not None and 3590 <= short.expires_at - time.time() <= 3600
        assert long.expires_at is not None and 2 * 86_400 - 30 <= long.expires_at - time.time() <= 2 * 86_400
        with pytest.raises(openai.APIStatusError) as full:
            mine.files.create(file=("a", b"x" * 600_000), purpose="user_data")
        assert full.value.status_code == 413 and full.value.param == "file"
        assert len(mine.files.list().data) == 2
        mine.files.delete(long.id)
        mine.files.create(file=("a", b"x" * 600_000), purpose="user_data")


def test_a_price_for_size_and_time_is_charged_at_once(tmp_path: Path) -> None:
    with Gateway(tmp_path, GATEWAY_FILE_GB_DAY_USD="5") as gateway:
        _, key = gateway.account("0.01")
        with client(gateway, key) as mine:
            made = mine.files.create(
                file=("a", b"x" * 1_000_000), purpose="user_data",
                expires_after={"anchor": "created_at", "seconds": 86_400},
            )  # fmt: skip
            spent = Decimal("0.01") - gateway.credits(key)["balance"]
            assert Decimal("0.004999") < spent <= Decimal("0.005")
            receipt = gateway.get(f"/v1/generation?id={made.id}", key).json()["data"]
            assert receipt["surface"] == "files" and "gb_day" in receipt["units"]
            with pytest.raises(openai.APIStatusError) as poor:
                mine.files.create(file=("a", b"x" * 10_000_000), purpose="user_data")
            assert poor.value.status_code == 402
            assert upload(gateway, key, "once", b"x" * 10_000_000).status_code == 402
            left = gateway.credits(key)["balance"]
            once = [upload(gateway, key, "once", b"x" * 1_000) for _ in range(3)]
            assert [answer.headers.get("Idempotent-Replayed") for answer in once] == [None, "true", "true"]
            paid = left - gateway.credits(key)["balance"]
            receipt = gateway.get(f"/v1/generation?id={once[0].json()['id']}", key)
            assert paid == Decimal(json.loads(receipt.text, parse_float=str)["data"]["cost_usd"]) > 0
            mine.files.delete(once[0].json()["id"])
            assert [file.id for file in mine.files.list()] == [made.id]
        assert gateway.credits(key)["held"] == 0 and gateway.books()["ok"]


def say(client: OpenAI, file_id: str) -> str:
    reply = client.chat.completions.create(
        model="sandbox/echo",
        messages=[{"role": "user", "content": [
            {"type": "text", "text": "What is in it?"}, {"type": "file", "file": {"file_id": file_id}},
        ]}],
    )  # fmt: skip
    return reply.choices[0].message.content or ""


def test_names_and_bytes_are_in_no_log_and_no_database(gateway: Gateway, mine: OpenAI) -> None:
    made = mine.files.create(file=(SECRET_NAME, base64.b64decode(PIXEL)), purpose="vision")
    assert mine.files.retrieve(made.id).filename == SECRET_NAME
    assert SECRET_NAME not in gateway.log.read_text()
    for path in (gateway.folder / "data").glob("gateway.db*"):
        assert SECRET_NAME.encode() not in path.read_bytes()
