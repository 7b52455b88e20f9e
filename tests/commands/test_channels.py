"""Channels: what the environment makes of the rows, and what `channels add` takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import models.channel
from gateway.commands.channels import keep_channels
from models.base import session
from tests.commands.test_commands import failed, told


def kept(monkeypatch: pytest.MonkeyPatch, **environ: str) -> dict[str, Any]:
    """The channels after a start in this environment, by name."""
    with monkeypatch.context() as scene:
        for name, value in environ.items():
            scene.setenv(name, value)
        keep_channels(False)
    with session():
        return {row.name: row for row in models.channel.everyone()}


def test_each_key_by_its_usual_name_makes_the_channel_of_its_provider(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = kept(
        monkeypatch, XAI_API_KEY="k1", GOOGLE_API_KEY="k2", MISTRAL_API_KEY="k3", HUGGINGFACE_API_KEY="k4",
        CLOUDFLARE_API_TOKEN="k5", CLOUDFLARE_ACCOUNT_ID="acc", AZURE_OPENAI_API_KEY="k6",
        AZURE_OPENAI_ENDPOINT="https://res.openai.azure.com/", GITHUB_TOKEN="none", GROQ_API_KEY="",
    )  # fmt: skip
    assert {name: (row.namespace, row.secret_env, row.base_url) for name, row in rows.items()} == {
        "xai": ("x-ai", "XAI_API_KEY", None),
        "google": ("google", "GOOGLE_API_KEY", None),
        "mistral": ("mistralai", "MISTRAL_API_KEY", None),
        "huggingface": ("huggingface", "HUGGINGFACE_API_KEY", None),
        "cloudflare": (
            "cloudflare", "CLOUDFLARE_API_TOKEN", "https://api.cloudflare.com/client/v4/accounts/acc/ai/v1",
        ),
        "azure": ("azure", "AZURE_OPENAI_API_KEY", "https://res.openai.azure.com/openai/v1"),
    }  # fmt: skip
    assert all(row.source == "env" and row.enabled and row.secret is None for row in rows.values())


def test_a_channel_of_the_environment_follows_it(
    db: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    azure = {"AZURE_OPENAI_API_KEY": "k"}
    assert "azure" not in kept(monkeypatch, **azure)
    assert "makes no channel for Azure OpenAI without AZURE_OPENAI_ENDPOINT" in capsys.readouterr().err
    assert "azure" not in kept(monkeypatch, **azure, AZURE_OPENAI_ENDPOINT="res.openai.azure.com")
    assert "must be an http or https address" in capsys.readouterr().err
    kept(monkeypatch, **azure, AZURE_OPENAI_ENDPOINT="https://one.example", GOOGLE_API_KEY="a", GEMINI_API_KEY="b")
    rows = kept(monkeypatch, **azure, AZURE_OPENAI_ENDPOINT="https://two.example", GOOGLE_API_KEY="a")
    assert rows["azure"].base_url == "https://two.example/openai/v1" and rows["google"].secret_env == "GOOGLE_API_KEY"
    rows = kept(monkeypatch, **azure)
    assert not rows["azure"].enabled and not rows["google"].enabled
    rows = kept(monkeypatch, **azure, AZURE_OPENAI_ENDPOINT="https://three.example", GEMINI_API_KEY="b")
    assert rows["azure"].enabled and rows["azure"].base_url == "https://three.example/openai/v1"
    assert rows["google"].enabled and rows["google"].secret_env == "GEMINI_API_KEY"


def test_an_account_of_ones_own_address_is_added_by_its_variables_or_its_base_url(tmp_path: Path) -> None:
    told(tmp_path, "migrate")
    add = ("channels", "add", "--provider", "cloudflare", "--key", "k-0123456789", "--models", "@cf/meta/llama-3")
    problem = failed(tmp_path, *add, code=2)
    assert "Set CLOUDFLARE_ACCOUNT_ID in this shell, or add --base-url." in problem
    row = told(tmp_path, *add, CLOUDFLARE_ACCOUNT_ID="acc")
    assert row["base_url"] == "https://api.cloudflare.com/client/v4/accounts/acc/ai/v1"
    assert row["models"] == ["@cf/meta/llama-3"] and row["namespace"] == "cloudflare"
    told(tmp_path, "routes", "set", "team/small", "cloudflare:@cf/meta/llama-3")
    row = told(tmp_path, *add, "--name", "two", "--base-url", "http://127.0.0.1:9/x/v1/")
    assert row["base_url"] == "http://127.0.0.1:9/x/v1"


def test_a_server_of_ones_own_needs_neither_key_nor_address(tmp_path: Path) -> None:
    told(tmp_path, "migrate")
    row = told(tmp_path, "channels", "add", "--provider", "llama.cpp", "--free")
    assert (row["name"], row["namespace"], row["base_url"]) == ("llama-cpp", "llama-cpp", "http://127.0.0.1:8080/v1")
    row = told(tmp_path, "channels", "add", "--provider", "ollama", "--name", "desk")
    assert (row["name"], row["namespace"]) == ("desk", "desk")


def test_clouds_make_channels_only_by_what_is_meant_for_it(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = kept(
        monkeypatch, AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="s", AWS_REGION="us-east-1",
        GOOGLE_APPLICATION_CREDENTIALS="/etc/account.json",
    )  # fmt: skip
    assert not rows, "keys that machines have for other reasons"
    rows = kept(
        monkeypatch, AWS_BEARER_TOKEN_BEDROCK="k", AWS_DEFAULT_REGION="eu-west-1",
        GOOGLE_APPLICATION_CREDENTIALS="/etc/account.json", GOOGLE_CLOUD_PROJECT="acme",
    )  # fmt: skip
    assert rows["bedrock"].base_url == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    assert rows["vertex"].base_url == "https://aiplatform.googleapis.com/v1/projects/acme/locations/global"
    assert rows["vertex"].secret_env == "GOOGLE_APPLICATION_CREDENTIALS"


def test_keys_of_the_clouds_are_looked_at_when_they_are_added(tmp_path: Path) -> None:
    told(tmp_path, "migrate")
    add = ("channels", "add", "--provider", "vertex", "--key", "-")
    file = json.dumps({"client_email": "a@b", "private_key": "-----BEGIN X-----\n", "token_uri": "https://t"}, indent=1)
    row = told(tmp_path, *add, stdin=file, GOOGLE_CLOUD_PROJECT="acme", GOOGLE_CLOUD_LOCATION="us-east5")
    assert row["base_url"] == "https://us-east5-aiplatform.googleapis.com/v1/projects/acme/locations/us-east5"
    assert row["key"] == "stored"
    problem = failed(tmp_path, *add, "--name", "two", stdin="AIzaSy\n", code=2, GOOGLE_CLOUD_PROJECT="acme")
    assert "neither the JSON of a service account nor the path" in problem
    bedrock = (
        "channels",
        "add",
        "--provider",
        "bedrock",
        "--base-url",
        "https://bedrock-runtime.us-east-1.amazonaws.com",
    )
    assert "neither a Bedrock API key nor ID:SECRET" in failed(tmp_path, *bedrock, "--key", "me:secret", code=2)
    assert told(tmp_path, *bedrock, "--key", "AKIAIOSFODNN7EXAMPLE:secret/+0123")["key"] == "stored"
