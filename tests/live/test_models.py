"""The list of models in three vendors' shapes, told apart as their clients do, on a live gateway."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import requests
from openai import OpenAI

from gateway.dialects.bridge import DIALECTS
from tests.gateway import Gateway

ANTHROPIC = {"anthropic-version": "2023-06-01"}


@pytest.fixture(scope="module")
def gateway(sqlite_gateway: Gateway) -> Gateway:
    sqlite_gateway.cli(
        "channels", "add", "--provider", "openai-compatible", "--name", "listed", "--free",
        "--base-url", "http://127.0.0.1:9/v1", "--models", ",".join(f"m{number:02}" for number in range(60)),
    )  # fmt: skip
    sqlite_gateway.settle_in()
    return sqlite_gateway


@pytest.fixture(scope="module")
def key(gateway: Gateway) -> str:
    """A key that may use the listed models only."""
    return gateway.account("1", models="listed/*")[1]


def ask(gateway: Gateway, path: str, headers: dict[str, str], **query: Any) -> requests.Response:
    return requests.get(gateway.url + path, headers=headers, params=query, timeout=30)


def names(first: int, last: int) -> list[str]:
    return [f"listed/m{number:02}" for number in range(first, last + 1)]


def test_as_openai_lists_them(gateway: Gateway, key: str) -> None:
    client = OpenAI(api_key=key, base_url=gateway.base_url)
    assert [model.id for model in client.models.list()] == names(0, 59)
    one = client.models.retrieve("listed/m07")
    assert (one.id, one.object, one.owned_by) == ("listed/m07", "model", "listed")


@pytest.mark.parametrize("way", ["authorization", "x-api-key", "x-goog-api-key"])
def test_as_anthropic_lists_them(gateway: Gateway, key: str, way: str) -> None:
    headers = {**ANTHROPIC, way: f"Bearer {key}" if way == "authorization" else key}

    def page(**query: Any) -> tuple[list[str], bool, str | None, str | None]:
        found = ask(gateway, "/v1/models", headers, **query).json()
        return [model["id"] for model in found["data"]], found["has_more"], found["first_id"], found["last_id"]

    assert page() == (names(0, 19), True, "listed/m00", "listed/m19")
    assert page(limit=1_000) == (names(0, 59), False, "listed/m00", "listed/m59")
    assert page(limit=20, after_id="listed/m39") == (names(40, 59), False, "listed/m40", "listed/m59")
    assert page(limit=5, before_id="listed/m10") == (names(5, 9), True, "listed/m05", "listed/m09")
    assert page(limit=5, before_id="listed/m05") == (names(0, 4), False, "listed/m00", "listed/m04")
    assert page(after_id="listed/m59") == ([], False, None, None)
    one = ask(gateway, "/v1/models/listed/m07", headers).json()
    assert (one["type"], one["id"]) == ("model", "listed/m07")
    assert one["created_at"].endswith("Z") and one["display_name"] and one["max_input_tokens"] > 0
    for wrong in ({"limit": 0}, {"limit": "x"}, {"after_id": "a", "before_id": "b"}):
        assert ask(gateway, "/v1/models", headers, **wrong).status_code == 400, wrong


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1alpha/models", "/v1/models"])
def test_as_google_lists_them(gateway: Gateway, key: str, path: str) -> None:
    headers = {"x-goog-api-key": key}
    seen: list[str] = []
    query: dict[str, Any] = {"pageSize": 25}
    for count in (25, 25, 10):
        found = ask(gateway, path, headers, **query).json()
        assert len(found["models"]) == count
        seen += [model["name"] for model in found["models"]]
        query["pageToken"] = found.get("nextPageToken")
    assert seen == [f"models/{name}" for name in names(0, 59)] and query["pageToken"] is None
    assert len(ask(gateway, path, headers).json()["models"]) == 50
    one = ask(gateway, f"{path}/listed/m07", headers).json()
    assert one["name"] == "models/listed/m07" and one["inputTokenLimit"] > 0 and one["outputTokenLimit"] > 0
    assert "generateContent" in one["supportedGenerationMethods"]
    for wrong in ({"pageSize": -1}, {"pageSize": "x"}, {"pageToken": "%%%"}, {"pageToken": "_w=="}):
        assert ask(gateway, path, headers, **wrong).status_code == 400, wrong


def test_who_asks_is_told_by_headers_and_path(gateway: Gateway, key: str) -> None:
    bearer = {"Authorization": f"Bearer {key}"}
    assert "object" in ask(gateway, "/v1/models", bearer).json()
    assert "object" in ask(gateway, "/v1/models", {"x-api-key": key}).json()
    assert "object" in ask(gateway, "/v1/models", {**bearer, "x-goog-api-key": "other"}).json()
    assert "models" in ask(gateway, "/v1beta/models", {**bearer, **ANTHROPIC}).json()


@pytest.mark.parametrize(
    ("dialect", "headers"),
    [("chat", {}), ("messages", {**ANTHROPIC}), ("gemini", {"x-goog-api-key": ""})],
)  # fmt: skip
def test_errors_in_the_same_shape(gateway: Gateway, key: str, dialect: str, headers: dict[str, str]) -> None:
    if dialect not in DIALECTS:
        pytest.skip(f"{dialect} is not spoken yet")
    for sent, path, status in (
        (key, "/v1/models/listed/none", 404), (key, "/v1/models/sandbox/echo", 403), ("sk-nobody", "/v1/models", 401),
    ):  # fmt: skip
        named = {"x-goog-api-key": sent} if dialect == "gemini" else {**headers, "x-api-key": sent}
        answer = ask(gateway, path, named)
        assert answer.status_code == status
        found = answer.json()
        match dialect:
            case "chat":
                assert found["error"]["code"] == status and found["error"]["request_id"]
            case "messages":
                assert found["type"] == "error" and found["error"]["type"] and found["error"]["message"]
            case "gemini":
                assert found["error"]["code"] == status and found["error"]["status"].isupper()


def test_official_sdks(gateway: Gateway, key: str) -> None:
    anthropic = pytest.importorskip("anthropic").Anthropic(api_key=key, base_url=gateway.url)
    assert [model.id for model in anthropic.models.list()] == names(0, 59)
    assert anthropic.models.retrieve("listed/m07").display_name
    genai = pytest.importorskip("google.genai")
    for version in ("v1", "v1beta"):
        options = genai.types.HttpOptions(base_url=gateway.url, api_version=version)
        google = genai.Client(api_key=key, http_options=options)
        assert [model.name for model in google.models.list()] == [f"models/{name}" for name in names(0, 59)]
        assert google.models.get(model="listed/m07").name == "models/listed/m07"


def test_two_keys_make_five_hundred_models(tmp_path: Path, shared: Path) -> None:
    """As an operator starts it: every name of the reference is served, with facts and its price."""
    text = "".join(path.read_text() for path in (shared / "reference").glob("*.txt"))
    named = set(re.findall(r"[\"']?model[\"']?\s*[:=]\s*[\"']([\w./-]+)[\"']", text))
    keys = {"OPENAI_API_KEY": "sk-none-0123456789", "OPENROUTER_API_KEY": "sk-none-0123456789", "XAI_API_KEY": "sk-none-01234",
            "GEMINI_API_KEY": "none-0123456789", "ANTHROPIC_API_KEY": "sk-none-0123456789"}  # fmt: skip
    with Gateway(tmp_path, workers=1, **keys) as live:
        two = {"anthropic", "google", "xai"}
        for channel in two:
            live.cli("channels", "disable", channel)
        live.settle_in()
        found = live.get("/v1/models").json()
        assert len(found["data"]) > 500 and sum(found["authors"].values()) == len(found["data"])
        assert found["authors"]["openai"] > 76 and found["authors"]["anthropic"] > 10 and len(found["authors"]) > 25
        for channel in two:
            live.cli("channels", "enable", channel)
        live.settle_in()
        rows = {row["id"]: row for row in live.get("/v1/models").json()["data"]}
        sonnet = rows["anthropic/claude-sonnet-4.5"]
        assert sonnet["pricing"]["prompt"] == "0.000003" and sonnet["pricing"]["input_cache_write"] == "0.00000375"
        assert sonnet["context_length"] >= 200_000 and sonnet["top_provider"]["max_completion_tokens"] == 64_000
        assert "image" in sonnet["architecture"]["input_modalities"] and "tools" in sonnet["supported_parameters"]
        assert {"openai/gpt-4o", "anthropic/claude-sonnet-4", "google/gemini-2.5-pro", "x-ai/grok-2"} <= rows.keys()
        for name in sorted(named):
            one = live.get(f"/v1/models/{name}").json()
            assert one.get("id") == name and "/" in one["canonical_slug"], one
        bound = live.account("1", models="gpt-4o,openai/gpt-4o-mini,none/such,o*")[1]
        seen = [row["id"] for row in live.get("/v1/models", key=bound).json()["data"]]
        assert "gpt-4o" in seen and "openai/gpt-4o-mini" in seen and "none/such" not in seen and seen == sorted(seen)
        gemini = live.get("/v1beta/models/google/gemini-2.5-pro", headers={"x-goog-api-key": live.key}).json()
        assert gemini["displayName"] == "Gemini 2.5 Pro" and "generateContent" in gemini["supportedGenerationMethods"]
        unpriced = live.chat("openai/gpt-99-unheard-of")
        assert (
            unpriced.status_code == 404 and "prices set openai/gpt-99-unheard-of" in unpriced.json()["error"]["message"]
        )
