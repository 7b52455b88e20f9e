"""Callers, channels, legs and calls made up for tests: as the house makes them, with what a test cares about changed."""

from __future__ import annotations

from typing import Any

from gateway.call import Ask, Call, Caller, Channel, Leg, Profile
from gateway.providers import profiles
from gateway.splice import guard

CALLER = Caller(account_id="a", account="a", key_id="k", models=(), expires_at=None, limits=())


def channel(dialect: str = "chat", **other: Any) -> Channel:
    """A channel that speaks one dialect."""
    usual: dict[str, Any] = {
        "id": "c", "name": "lab", "provider": "p", "namespace": "lab", "base_url": "", "secret": None, "models": None,
        "dialects": (dialect,), "priority": 0, "weight": 1, "free": False,
    }  # fmt: skip
    return Channel(**{**usual, **other})


def leg(
    dialect: str = "chat", model: str = "up/m", price: Any = None, profile: Profile | None = None, **other: Any
) -> Leg:
    """A leg of one dialect, with what is known of its model; other: of its channel."""
    found = channel(dialect, **other)
    known = profile or profiles.of(found.provider, model, dialect)
    return Leg(channel=found, model=model, dialect=dialect, price=price, profile=known)


def call(dialect: str, identity: str, body: bytes, ask: Ask, **other: Any) -> Call:
    """A call as the door opens it."""
    usual: dict[str, Any] = {
        "id": identity, "request_id": "req_1", "caller": CALLER, "surface": dialect, "dialect": dialect,
        "body": guard(body), "ask": ask, "created_ms": 0, "started": 0.0, "headers": {},
    }  # fmt: skip
    return Call(**{**usual, **other})
