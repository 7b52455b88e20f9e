"""Keys: who calls, and what they may: which models, at which endpoints, from which addresses, until when.

A key is looked up by its SHA-256 (a key has 256 random bits, so a slow hash would buy nothing) and kept in memory
until the change counter moves; a revoked key is refused by every worker within a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import models.key
import models.plan
from models import change
from models.base import session

from ..call import Caller, Limits
from ..clock import now_ms
from ..errors import GatewayError

MOST_KEPT = 20_000

_kept: dict[str, Caller] = {}
_kept_at = -1

ADVICE = "Send a key as `Authorization: Bearer <key>`, `x-api-key` or `x-goog-api-key`."


def digest(key: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def identify(key: str | None) -> Caller:
    """Whose key this is. Raises GatewayError 401, and 403 for one that has expired."""
    if not key:
        raise GatewayError(401, f"No API key was sent. {ADVICE}")
    global _kept_at
    version = change.seen()
    if version != _kept_at:
        _kept.clear()
        _kept_at = version
    hashed = digest(key)
    caller = _kept.get(hashed)
    if caller is None:
        caller = _look_up(hashed)
        if version == _kept_at:  # else a change was seen while the database was asked, and this may be older
            if len(_kept) >= MOST_KEPT:
                _kept.clear()
            _kept[hashed] = caller
    if caller.expires_at is not None and caller.expires_at <= now_ms():
        raise GatewayError(403, "This API key has expired. Create a new one: python -m gateway keys create.")
    return caller


def named(key_id: str) -> Caller:
    """Whose key it is that has long been sent, and what it may now. Raises GatewayError 401, 403."""
    with session():
        found = models.key.by_id(key_id)
    caller = _caller(found)
    if caller.expires_at is not None and caller.expires_at <= now_ms():
        raise GatewayError(403, "The API key has expired.")
    return caller


def _look_up(hashed: str) -> Caller:
    with session():
        found = models.key.by_hash(hashed)
    return _caller(found)


def _caller(found: tuple[Any, ...] | None) -> Caller:
    """A key as it is stored. Raises GatewayError 401."""
    with session():
        if found is None:
            raise GatewayError(401, f"Invalid API key provided. {ADVICE}")
        (
            key_id, account_id, account, patterns, endpoints, addresses, key_plan, expires_at, revoked_at, account_plan,
            budget,
        ) = found  # fmt: skip
        if revoked_at is not None:
            raise GatewayError(401, "This API key was revoked. Create a new one: python -m gateway keys create.")
        limits = [(account_id, found) for found in _limits(account_plan)]
        if key_plan:
            limits += [(key_id, found) for found in _limits(key_plan)]
    return Caller(
        account_id=account_id,
        account=account,
        key_id=key_id,
        models=split_patterns(patterns),
        expires_at=expires_at,
        limits=tuple(limits),
        endpoints=split_patterns(endpoints),
        addresses=networks(addresses),
        budget=budget is not None,
    )


def _limits(plan_name: str) -> list[Limits]:
    """A plan: its limits of all models, and those of models of a pattern."""
    plan = models.plan.find(plan_name)
    if plan is None:
        return []
    return [
        Limits(rpm=plan.rpm, tpm=plan.tpm, rpd=plan.rpd, parallel=plan.parallel, models=split_patterns(plan.models)),
        *(
            Limits(rpm=row.rpm, tpm=row.tpm, rpd=row.rpd, parallel=row.parallel, pattern=row.pattern)
            for row in models.plan.limits_of(plan_name)
        ),
    ]


def split_patterns(text: str | None) -> tuple[str, ...]:
    """Model patterns as they are stored: separated by commas, `*` for any run of characters."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def may_use(caller: Caller, names: Iterable[str]) -> bool:
    """Whether key and plans all admit a model, by one of its names."""
    lists = [patterns for patterns in (caller.models, *(limits.models for _, limits in caller.limits)) if patterns]
    return all(any(fnmatchcase(name, pattern) for pattern in patterns for name in names) for patterns in lists)


def permit(caller: Caller, names: Sequence[str], param: str = "model") -> None:
    """Raises GatewayError 403 when the key, or a plan, does not admit the model; names: as it was written first."""
    if not may_use(caller, names):
        raise GatewayError(
            403,
            f"This API key may not use the model {names[0][:200]!r}. Use a model from GET /v1/models, or ask the"
            " operator for a key that admits it.",
            param=param,
        )


SURFACES = (
    "account", "audio", "batches", "chat", "completions", "embeddings", "files", "gemini", "images", "messages",
    "metrics", "models", "moderations", "rerank", "responses", "tasks", "videos",
)  # fmt: skip
"""What a key's endpoints may be called: families of routes. Others are patterns of paths."""


def permit_endpoint(caller: Caller, surface: str | None, path: str) -> None:
    """Raises GatewayError 403 when the key may not be used here. `/v1/models*` is meant for the list of them: Google's
    calls, which stand below it, too, are meant by a pattern with their colon, or below their own version."""
    if caller.endpoints and not any(
        fnmatchcase(path, one) and (surface != "gemini" or ":" in one or not one.startswith("/v1/"))
        if one.startswith("/")
        else one == surface
        for one in caller.endpoints
    ):
        raise GatewayError(
            403,
            f"This API key may not be used at {path[:200]!r}, only at: {', '.join(caller.endpoints)}. Use another key,"
            " or ask the operator to widen this one: python -m gateway keys set ID --endpoints …",
        )


Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]


def networks(text: str | None) -> Networks:
    """Networks as they are stored, separated by commas. Raises ValueError."""
    return tuple(ip_network(part) for part in split_patterns(text))


def permit_address(caller: Caller, client: Address | None) -> None:
    """Raises GatewayError 403 when the key may not be used from an address; None is one that cannot be read."""
    if not _within(client, caller.addresses):
        raise GatewayError(
            403,
            f"This API key may not be used from {client or 'an address that cannot be read'}. Use it where it belongs,"
            " or ask the operator to widen it: python -m gateway keys set ID --addresses …",
        )


def _within(address: Address | None, allowed: Networks) -> bool:
    return address is not None and any(address in network for network in allowed)


def client_address(peer: str, forwarded: str, trusted: Networks) -> Address | None:
    """Where a request comes from: the peer itself; or, if that is a proxy to be trusted, the last address of its
    `X-Forwarded-For` that is not, whatever stands before it. None if that cannot be read."""
    address = _address(peer)
    for hop in reversed(forwarded.split(",") if forwarded.strip() else ()):
        if not _within(address, trusted):
            break
        address = _address(hop)
    return address


def loopback(text: str) -> bool:
    """Whether an address is this machine's own name for itself."""
    address = _address(text)
    return address is not None and address.is_loopback


def _address(text: str) -> Address | None:
    """An address, with or without a port; an IPv4 address may be written as IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
