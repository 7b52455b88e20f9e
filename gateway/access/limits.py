"""Limits: which rules apply to a call, and what a caller is told of them.

The rules are counted inside the write that places the hold (`models.window`), so all workers and machines share them
exactly. An account without limits is told the installation's ceiling: the calls that it can carry at once.
"""

from __future__ import annotations

from models.base import session
from models.window import Rule, Use, look, now

from ..call import Caller
from ..clock import now_ms
from ..errors import GatewayError

_MINUTE, _DAY = 60_000, 86_400_000

_WORDS = {
    "rpm": "{limit} requests a minute",
    "tpm": "{limit} tokens a minute",
    "rpd": "{limit} requests a day",
    "parallel": "{limit} calls at once",
}


def rules(caller: Caller, tokens: int) -> tuple[Rule, ...]:
    """The rules that a call of so many tokens must pass."""
    found: list[Rule] = []
    for scope, limits in caller.limits:
        for name, limit, amount, ms in (
            ("rpm", limits.rpm, 1, _MINUTE),
            ("rpd", limits.rpd, 1, _DAY),
            ("tpm", limits.tpm, tokens, _MINUTE),
            ("parallel", limits.parallel, 1, 0),
        ):
            if limit is not None:
                found.append(Rule(scope, name, limit, amount, ms))
    return tuple(found)


def refuse(use: Use) -> GatewayError:
    """The 429 for a rule that admits no more."""
    wait = max(1, -(-(use.resets_at - now_ms()) // 1000)) if use.rule.ms else 1
    limit = _WORDS[use.rule.name].format(limit=use.rule.limit)
    if use.rule.amount > use.rule.limit:
        advice = f"This call alone may take {use.rule.amount}: lower its output limit or shorten it."
        return GatewayError(
            429, f"The limit is {limit}. {advice}", headers=(("x-should-retry", "false"),)
        )  # no wait helps
    advice = f"Wait {wait} seconds, or ask the operator for a wider plan."
    return GatewayError(429, f"The limit of {limit} is reached. {advice}", retry_after=wait)


def standing(caller: Caller) -> tuple[Use, ...]:
    """Where the caller's rules stand, for a response that took nothing."""
    wanted = rules(caller, 0)
    if not wanted:
        return ()
    with session():
        at = now()
        return tuple(look(rule, at)[0] for rule in wanted)


def headers(uses: tuple[Use, ...], ceiling: int, running: int) -> list[tuple[str, str]]:
    """X-RateLimit-*: of the rule with the smallest share left; Reset is Unix time in seconds."""
    if uses:
        tightest = min(uses, key=lambda use: use.left / max(1, use.rule.limit))
        limit, left, reset = tightest.rule.limit, max(0, tightest.left), -(-tightest.resets_at // 1000)
    else:
        limit, left, reset = ceiling, max(0, ceiling - running), now_ms() // 1000
    return [
        ("X-RateLimit-Limit", str(limit)), ("X-RateLimit-Remaining", str(left)), ("X-RateLimit-Reset", str(reset)),
    ]  # fmt: skip
