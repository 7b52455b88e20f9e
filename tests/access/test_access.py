"""Where a client is, what a key may be bound to, and how limits are told."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from gateway import config
from gateway.access import keys, limits
from gateway.errors import GatewayError
from models.window import Rule, Use
from tests.made import CALLER

LOOPBACK = config.load({}).trusted_proxies


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "10.0.0.1", "203.0.113.9"),  # nobody believes a stranger
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "10.0.0.1, 203.0.113.9", "203.0.113.9"),  # the client wrote the first one
        ("127.0.0.1", "10.0.0.1, 203.0.113.9, 127.0.0.2", "203.0.113.9"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:127.0.0.1", "[2001:db8::7]:443", "2001:db8::7"),
        ("127.0.0.1", "203.0.113.9:51000", "203.0.113.9"),
        ("127.0.0.1", "10.0.0.1, unknown", None),
        ("127.0.0.1", "10.0.0.1,", None),
        ("", "10.0.0.1", None),
    ],
)  # fmt: skip
def test_the_clients_address(peer: str, forwarded: str, client: str | None) -> None:
    assert keys.client_address(peer, forwarded, LOOPBACK) == (ip_address(client) if client else None)


def test_what_trusts_everybody_takes_the_first_hop() -> None:
    everybody = keys.networks("0.0.0.0/0")
    assert str(keys.client_address("10.0.0.9", "192.0.2.1, 10.0.0.8", everybody)) == "192.0.2.1"


def test_every_surface_is_a_family_of_routes() -> None:
    from app import BLUEPRINTS
    from gateway.api import _door

    public = {endpoint.partition(".")[0] for endpoint in _door.PUBLIC}
    assert set(keys.SURFACES) == {blueprint.name for blueprint in BLUEPRINTS} - public


def test_endpoints_are_families_or_paths() -> None:
    import dataclasses

    bound = dataclasses.replace(CALLER, endpoints=("chat", "/v1/models*"))
    keys.permit_endpoint(bound, "chat", "/v1/chat/completions")
    keys.permit_endpoint(bound, "models", "/v1/models/openai/gpt-4o")
    with pytest.raises(GatewayError):
        keys.permit_endpoint(bound, "gemini", "/v1/models/gemini-2.5-pro:generateContent")
    for pattern in ("/v1/models/*:generateContent", "gemini"):
        meant = dataclasses.replace(CALLER, endpoints=(pattern,))
        keys.permit_endpoint(meant, "gemini", "/v1/models/gemini-2.5-pro:generateContent")
    for surface, path in (("responses", "/v1/responses"), ("models", "/v1beta/models"), ("account", "/v1/credits")):
        with pytest.raises(GatewayError) as refused:
            keys.permit_endpoint(bound, surface, path)
        assert refused.value.status == 403 and "chat, /v1/models*" in refused.value.message


def use(name: str, limit: int, left: int, ms: int) -> Use:
    return Use(Rule("acc", name, limit, 1, 60_000), left, 1_000_000 + ms, 1_000_000)


def test_vendors_clients_find_limits_under_their_names() -> None:
    uses = (use("rpm", 10, 9, 60_000), use("rpd", 100, 5, 86_399_000), use("tpm", 1_000, -3, 250))
    assert dict(limits.openai_headers(uses)) == {
        "x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "5",
        "x-ratelimit-reset-requests": "23h59m59s", "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "250ms",
    }  # fmt: skip
    assert dict(limits.anthropic_headers(uses[:1])) == {
        "anthropic-ratelimit-requests-limit": "10", "anthropic-ratelimit-requests-remaining": "9",
        "anthropic-ratelimit-requests-reset": "1970-01-01T00:17:40Z",
    }  # fmt: skip
    assert limits.openai_headers((use("parallel", 3, 2, 0),)) == [], "neither requests nor tokens of a span"


@pytest.mark.parametrize(("ms", "text"), [(0, "0ms"), (999, "999ms"), (1_000, "1s"), (1_001, "2s"), (360_000, "6m0s"),
                                          (3_600_000, "1h0m0s")])  # fmt: skip
def test_spans_as_openai_writes_them(ms: int, text: str) -> None:
    assert limits.duration(ms) == text
