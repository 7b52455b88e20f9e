"""ids, money, vault, clock and settings."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import clock, config, ids, money
from gateway.errors import masked
from gateway.vault import Vault, VaultError, installation_secret


def test_ids_and_keys() -> None:
    assert re.fullmatch(r"chatcmpl-[0-9a-f]{32}", ids.new("chatcmpl-"))
    assert re.fullmatch(r"sk-x-[A-Za-z0-9]{43}", ids.new_key("sk-x-"))
    assert len({ids.new("") for _ in range(1000)}) == 1000


@given(st.integers(-(10**18), 10**18))
def test_money_is_exact_both_ways(nanos: int) -> None:
    text = money.usd(nanos)
    assert "e" not in text.lower() and Decimal(text) * 10**9 == nanos
    assert money.nanos(text) == nanos


@pytest.mark.parametrize("text", ["", "x", "1e999", "NaN", "Infinity", "0.0000000001", "1,5", "10000000000000"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="no amount"):
        money.nanos(text)


def test_secrets_are_bound_to_their_row() -> None:
    vault = Vault("secret one")
    sealed = vault.seal("sk-provider", "ch_1")
    assert b"sk-provider" not in sealed and vault.open(sealed, "ch_1") == "sk-provider"
    for other, owner in ((vault, "ch_2"), (Vault("secret two"), "ch_1")):
        with pytest.raises(VaultError):
            other.open(sealed, owner)


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-abc***wxyz", "csk-abcdefghijkl", "fw_3Zabcdefghij", "tgp_v1_abcdefgh", "ghp_abcdefghijkl", "AIzaSyA-abcdefgh",
        "AKIAIOSFODNN7EXAMPLE", "ya29.a0AfH6SMBabcdef", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "0123456789abcdef",
    ],
)  # fmt: skip
def test_no_text_that_goes_further_has_a_key_in_it(key: str) -> None:
    """Whatever its maker, and whether or not it is the one that a channel has."""
    assert masked("The key 0123456789ABCDEF is wrong.", "0123456789abcdef") == "The key [masked] is wrong."
    assert masked(f"The key {key} is wrong.", "0123456789abcdef") == "The key [masked] is wrong."
    assert masked(f"GET https://a.b/c?api_key={key}&d=e") == "GET https://a.b/c?api_key=[masked]&d=e"


def test_the_installation_secret_is_made_once(tmp_path: Path) -> None:
    made = installation_secret(None, tmp_path)
    assert len(made) == 64 and installation_secret(None, tmp_path) == made
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    assert installation_secret("given", tmp_path) == "given"
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_retry_after() -> None:
    assert clock.seconds_to_wait("7") == 7 and clock.seconds_to_wait("-1") == 0
    assert clock.seconds_to_wait("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert clock.seconds_to_wait("Wed, 21 Oct 2099 07:28:00 GMT") == 86_400
    assert clock.seconds_to_wait("1e308") == clock.seconds_to_wait("inf") == 86_400
    assert clock.seconds_to_wait("soon") is clock.seconds_to_wait("nan") is clock.seconds_to_wait(None) is None


def test_defaults() -> None:
    settings = config.load({})
    assert (settings.host, settings.port, settings.max_body) == ("127.0.0.1", 8080, 64 << 20)
    assert settings.sandbox and settings.durability == "process" and settings.workers >= 2
    assert settings.public_url == "http://127.0.0.1:8080" and settings.database_url.endswith("/data/gateway.db")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"), ("PORT", "http"), ("WORKERS", "-1"), ("SANDBOX", "maybe"), ("DURABILITY", "never"),
        ("LOG", "xml"), ("MAX_BODY", "big"), ("MAX_BODY", "0"), ("CONNECT_S", "0"), ("IDLE_S", "nan"), ("PROXY", "socks4://x"),
        ("CA_FILE", "/nowhere/ca.pem"), ("FETCH_ALLOW", "10.0.0.0/99"), ("DATABASE_URL", "mysql://x"),
        ("SECRET", "short"), ("SECRET", "\udcff" * 16), ("KEY_PREFIX", "a b"), ("PUBLIC_URL", "gateway"),
        ("PUBLIC_URL", "http://x:y"), ("PROXY", "http://127.0.0.1:abc"), ("MEDIA_URL", "https://id:secret@x:y/bucket"),
        ("DATABASE_URL", "sqlite://"), ("DATABASE_URL", "sqlite:x.db"), ("DATABASE_URL", "sqlite://folder/x.db"),
        ("DATABASE_URL", "sqlite:///:memory:"), ("DATABASE_URL", "sqlite:///x.db?mode=ro"), ("CA_FILE", __file__),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_clear_line(name: str, value: str) -> None:
    with pytest.raises(config.BadSetting) as caught:
        config.load({f"GATEWAY_{name}": value})
    line = str(caught.value)
    assert line.startswith(f"GATEWAY_{name}") and " must be " in line and "\n" not in line
    assert value != "short" or "short" not in line, "a secret is not repeated"


def test_a_time_that_is_too_long_is_told_as_such() -> None:
    with pytest.raises(config.BadSetting, match="at most 86400"):
        config.load({"GATEWAY_CONNECT_S": "100000"})


def test_sizes_and_lists() -> None:
    settings = config.load({"GATEWAY_MAX_BODY": "2 MB", "GATEWAY_FETCH_ALLOW": "10.0.0.0/8, fd00::/8"})
    assert settings.max_body == 2 << 20 and len(settings.fetch_allow) == 2


def test_settings_keep_their_secrets() -> None:
    settings = config.load({"GATEWAY_SECRET": "x" * 20, "GATEWAY_DATABASE_URL": "postgresql://u:password@h/d"})
    assert "xxxx" not in repr(settings) and "password" not in repr(settings)
