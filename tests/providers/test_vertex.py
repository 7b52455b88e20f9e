"""Vertex AI: addresses, bodies, and the tokens of a service account from a scripted endpoint."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import gevent
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway import config
from gateway.call import Channel, Fault, Outbound
from gateway.dialects import anthropic, gemini, openai_chat
from gateway.providers import pool, registry, vertex
from gateway.providers.registry import KINDS, spoken
from tests import made
from tests.upstream import Asked, Script, Upstream, upstream

PLACE = "/v1/projects/acme/locations/europe-west4"


class Cloud:
    """A scripted Google: its token endpoint gives `token-N`, everything else an empty object."""

    def __init__(self, provider: Upstream) -> None:
        self.provider = provider
        self.given = 0
        self.seconds = 3600
        self.refusal: Script | None = None
        self.delay = 0.0
        provider.answer = self.answer

    def answer(self, asked: Asked) -> Script:
        if asked.path != "/token":
            return Script.json({})
        if self.refusal is not None:
            return self.refusal
        self.given += 1
        script = Script.json(
            {"access_token": f"token-{self.given}", "expires_in": self.seconds, "token_type": "Bearer"}
        )
        script.pieces = [self.delay, *script.pieces] if self.delay else script.pieces
        return script


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    settings = config.load({})
    config.use(settings)
    pool.open(settings)
    vertex._accounts.clear()
    with upstream() as provider:
        yield Cloud(provider)


_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def account(cloud: Cloud, **other: str) -> str:
    """The JSON of a service account made for this test."""
    private = _KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return json.dumps(
        {
            "type": "service_account", "project_id": "acme", "private_key_id": "1", "private_key": private.decode(),
            "client_email": "gateway@acme.iam.gserviceaccount.com", "token_uri": f"{cloud.provider.url}/token", **other,
        }
    )  # fmt: skip


def signed(token: str) -> dict[str, Any]:
    """What a token says that is signed with our key (RFC 7515)."""
    text, _, mark = token.rpartition(".")
    parts = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (*text.split("."), mark)]
    _KEY.public_key().verify(parts[2], text.encode(), padding.PKCS1v15(), hashes.SHA256())
    found: dict[str, Any] = json.loads(parts[1])
    return found


def channel(cloud: Cloud, secret: str) -> Channel:
    return made.channel(
        provider="vertex", base_url=f"{cloud.provider.url}{PLACE}", secret=secret, dialects=KINDS["vertex"].dialects
    )


def sent(cloud: Cloud, dialect: str, model: str, path: str, body: bytes, **other: Any) -> Asked:
    usual: dict[str, Any] = {"headers": {}, "stream": False, "account_id": "a"}
    here = channel(cloud, account(cloud))
    pool.send(
        Outbound(channel=here, dialect=dialect, model=model, path=path, body=body, **{**usual, **other})
    ).close()  # fmt: skip
    return cloud.provider.last()


def test_how_a_model_is_spoken_to() -> None:
    here = made.channel(provider="vertex", dialects=KINDS["vertex"].dialects)
    assert spoken(here, "claude-sonnet-4-5@20250929") == ("messages",)
    assert spoken(here, "gemini-2.5-flash") == ("gemini",)
    assert spoken(here, "meta/llama-4-maverick-17b-128e-instruct-maas") == ("chat",)


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("", "aiplatform.googleapis.com"), ("global", "aiplatform.googleapis.com"),
        ("us-central1", "us-central1-aiplatform.googleapis.com"), ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)  # fmt: skip
def test_the_address_of_a_project(location: str, host: str) -> None:
    environ = {"GOOGLE_CLOUD_PROJECT": "acme", "GOOGLE_CLOUD_LOCATION": location}
    found = registry.filled(KINDS["vertex"].base_url or "", environ)
    assert found == f"https://{host}/v1/projects/acme/locations/{location or 'global'}"


def test_gemini_is_asked_in_its_own_words(cloud: Cloud) -> None:
    body = b'{"contents": [ {"parts":[{"text":"hi"}]} ]}'
    google = f"{PLACE}/publishers/google/models/gemini-2.5-flash"
    for stream, method in ((False, "generateContent"), (True, "streamGenerateContent?alt=sse")):
        path = gemini.path("gemini-2.5-flash", stream)
        asked = sent(cloud, "gemini", "gemini-2.5-flash", path, body, stream=stream)
        assert (asked.path, asked.body) == (f"{google}:{method}", body)
        assert asked.headers["authorization"] == "Bearer token-1"
    counted = b'{"model":"models/gemini-2.5-flash","contents":[]}'
    asked = sent(cloud, "gemini", "gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:countTokens", counted)
    assert (asked.path, asked.json) == (f"{google}:countTokens", {"contents": []})


def test_claude_is_asked_in_anthropics_words(cloud: Cloud) -> None:
    body = b'{"model":"x","max_tokens":5, "stream":true,"messages":[]}'
    model = "claude-sonnet-4-5@20250929"
    asked = sent(
        cloud, "messages", model, anthropic.path(model, True), body, stream=True, headers={"anthropic-beta": "one"}
    )
    assert asked.path == f"{PLACE}/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict"
    assert asked.body.startswith(b'{"max_tokens":5, "stream":true,"messages":[]'), "all else as it was"
    assert asked.json["anthropic_version"] == "vertex-2023-10-16" and "model" not in asked.json
    assert asked.headers["anthropic-beta"] == "one"
    asked = sent(cloud, "messages", model, anthropic.path(model, False), body)
    assert asked.path.endswith(":rawPredict")
    asked = sent(cloud, "messages", model, "/v1/messages/count_tokens", body)
    assert asked.path == f"{PLACE}/publishers/anthropic/models/count-tokens:rawPredict" and asked.json["model"] == "x"


def test_others_are_asked_by_chat(cloud: Cloud) -> None:
    body = b'{"model":"meta/llama-4"}'
    asked = sent(cloud, "chat", "meta/llama-4", openai_chat.path("meta/llama-4", False), body)
    assert (asked.path, asked.body) == (f"{PLACE}/endpoints/openapi/chat/completions", body)


def test_a_token_is_asked_for_once_and_used_until_it_ends(cloud: Cloud) -> None:
    secret = account(cloud)
    here = channel(cloud, secret)
    assert [pool.probe(here, "/cachedContents")[0] for _ in range(3)] == [200] * 3
    (asked,) = [one for one in cloud.provider.asked if one.path == "/token"]
    form = parse_qs(asked.body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    said = signed(form["assertion"][0])
    assert said["aud"] == "https://oauth2.googleapis.com/token"
    assert said["iss"] == "gateway@acme.iam.gserviceaccount.com"
    assert said["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert cloud.provider.last().path == f"{PLACE}/cachedContents"
    assert cloud.provider.last().headers["authorization"] == "Bearer token-1"


def test_a_token_is_renewed_before_it_ends(cloud: Cloud) -> None:
    cloud.seconds = 60
    here = channel(cloud, account(cloud))
    for turn in (1, 2):
        pool.probe(here, "/cachedContents")
        assert cloud.provider.last().headers["authorization"] == f"Bearer token-{turn}"


def test_many_calls_at_once_ask_for_one_token(cloud: Cloud) -> None:
    asked: list[str] = []

    def exchange(*request: Any) -> tuple[int, dict[str, str], bytes]:
        asked.append(request[1])
        gevent.sleep(0.05)
        return 200, {}, json.dumps({"access_token": "t", "expires_in": 3600}).encode()

    one = vertex._Account(account(cloud))
    greenlets = [gevent.spawn(one.token, exchange) for _ in range(20)]
    gevent.joinall(greenlets)
    assert {greenlet.value for greenlet in greenlets} == {"t"} and len(asked) == 1


def test_a_refused_account_is_our_accounts_fault(cloud: Cloud) -> None:
    cloud.refusal = Script.json({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400)
    with pytest.raises(Fault) as caught:
        pool.probe(channel(cloud, account(cloud)), "/cachedContents")
    assert caught.value.cause == "account" and "no token" in caught.value.message


def test_an_endpoint_that_is_not_there_is_unreachable(cloud: Cloud) -> None:
    secret = account(cloud, token_uri="http://127.0.0.1:1/token")
    with pytest.raises(Fault) as caught:
        pool.probe(channel(cloud, secret), "/cachedContents")
    assert caught.value.cause == "unreachable"


def test_a_key_may_be_a_path_and_what_is_none_is_said(cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    file.write_text(account(cloud))
    assert vertex.flaw(str(file)) is None and vertex.flaw(account(cloud)) is None
    assert pool.probe(channel(cloud, str(file)), "/cachedContents")[0] == 200
    assert "neither the JSON" in str(vertex.flaw(str(tmp_path / "none.json")))
    assert "client_email" in str(vertex.flaw('{"type":"authorized_user"}'))
    with pytest.raises(Fault) as caught:
        pool.probe(channel(cloud, "AIza-no-account"), "/cachedContents")
    assert caught.value.cause == "account"


def test_without_google_auth_the_way_to_install_it_is_said(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vertex, "find_spec", lambda name: None)
    assert "python -m pip install -r requirements-google.txt" in str(vertex.flaw(account(cloud)))
