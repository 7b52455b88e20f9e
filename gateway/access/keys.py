"""Keys: who calls, and which models they may use.

A key is looked up by its SHA-256 (a key has 256 random bits, so a slow hash would buy nothing) and kept in memory
until the change counter moves; a revoked key is refused by every worker within a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

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
    """Whose key this is. Raises GatewayError 401."""
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
        raise GatewayError(401, "This API key has expired. Create a new one: python -m gateway keys create.")
    return caller


def _look_up(hashed: str) -> Caller:
    with session():
        found = models.key.by_hash(hashed)
        if found is None:
            raise GatewayError(401, f"Invalid API key provided. {ADVICE}")
        key_id, account_id, account, _, patterns, key_plan, _, expires_at, revoked_at, account_plan = found
        if revoked_at is not None:
            raise GatewayError(401, "This API key was revoked. Create a new one: python -m gateway keys create.")
        limits = [(account_id, _limits(account_plan))]
        if key_plan:
            limits.append((key_id, _limits(key_plan)))
    return Caller(
        account_id=account_id,
        account=account,
        key_id=key_id,
        models=split_patterns(patterns),
        expires_at=expires_at,
        limits=tuple(limits),
    )


def _limits(plan_name: str) -> Limits:
    plan = models.plan.find(plan_name)
    if plan is None:
        return Limits()
    return Limits(rpm=plan.rpm, tpm=plan.tpm, rpd=plan.rpd, parallel=plan.parallel, models=split_patterns(plan.models))


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
