"""Limits: which rules apply to a call, and what a caller is told of them.

The rules are counted inside the write that places the hold (`models.window`), so all workers and machines share them
exactly. An account without windows is told the installation's ceiling: the calls that it can carry at once. A limit of
the account's own calls at once is told only to a call that it refuses: what it takes comes back with the answer.
OpenAI's and Anthropic's clients find limits of requests and tokens under their own names, too
(https://platform.openai.com/docs/guides/rate-limits, https://docs.anthropic.com/en/api/rate-limits).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from models.base import DatabaseError, session
from models.window import Rule, Use, look, now

from ..call import Caller
from ..clock import iso, now_ms
from ..errors import GatewayError

_MINUTE, _DAY = 60_000, 86_400_000

_WORDS = {
    "rpm": "{limit} requests a minute",
    "tpm": "{limit} tokens a minute",
    "rpd": "{limit} requests a day",
    "parallel": "{limit} calls at once",
}


def rules(caller: Caller, tokens: int, names: Sequence[str] = ()) -> tuple[Rule, ...]:
    """The rules that a call of so many tokens must pass. names: of the models that may answer it."""
    found: list[Rule] = []
    for scope, limits in caller.limits:
        if limits.pattern:
            if not any(fnmatchcase(name, limits.pattern) for name in names):
                continue
            scope = f"{scope} {limits.pattern}"
        for name, limit, amount, ms in (
            ("rpm", limits.rpm, 1, _MINUTE),
            ("rpd", limits.rpd, 1, _DAY),
            ("tpm", limits.tpm, tokens, _MINUTE),
            ("parallel", limits.parallel, 1, 0),
        ):
            if limit is not None:
                found.append(Rule(scope, name, limit, amount, ms))
    return tuple(found)


def most_tokens(caller: Caller, names: Sequence[str] = ()) -> int | None:
    """How many tokens the tightest of the rules admits, if any counts them. names: as in `rules`."""
    return min((rule.limit for rule in rules(caller, 0, names) if rule.name == "tpm"), default=None)


def refuse(use: Use) -> GatewayError:
    """The 429 for a rule that admits no more."""
    limit = _WORDS[use.rule.name].format(limit=use.rule.limit)
    pattern = use.rule.scope.partition(" ")[2]
    if pattern:
        limit += f" of {pattern}"
    if use.rule.amount > use.rule.limit:
        advice = f"This call alone may take {use.rule.amount}: lower its output limit or shorten it."
        if use.rule.name != "tpm":  # of requests only a batch takes several
            advice = f"This batch alone has {use.rule.amount}: send fewer lines, or ask the operator for a wider plan."
        return GatewayError(
            429, f"The limit is {limit}. {advice}", headers=(("x-should-retry", "false"),)
        )  # no wait helps
    wait = max(1, -(-(use.resets_at - use.at) // 1000))
    advice = f"Wait {wait} seconds, or ask the operator for a wider plan."
    return GatewayError(429, f"The limit of {limit} is reached. {advice}", retry_after=wait)


def standing(caller: Caller) -> tuple[Use, ...]:
    """Where the caller's windows stand, for a response that took nothing; () while the database does not say."""
    wanted = [rule for rule in rules(caller, 0) if rule.ms]
    if not wanted:
        return ()
    try:
        with session():
            return tuple(one.use for one in look(wanted, now()))
    except DatabaseError:
        return ()


def headers(uses: tuple[Use, ...], ceiling: int, running: int) -> list[tuple[str, str]]:
    """X-RateLimit-*: of the rule with the smallest share left; Reset is Unix time in seconds."""
    if uses:
        tightest = _tightest(uses)
        limit, left, reset = tightest.rule.limit, max(0, tightest.left), -(-tightest.resets_at // 1000)
    else:
        limit, left, reset = ceiling, max(0, ceiling - running), now_ms() // 1000
    return [
        ("X-RateLimit-Limit", str(limit)), ("X-RateLimit-Remaining", str(left)), ("X-RateLimit-Reset", str(reset)),
    ]  # fmt: skip


def _tightest(uses: Sequence[Use]) -> Use:
    return min(uses, key=lambda use: use.left / max(1, use.rule.limit))


KINDS = {"requests": ("rpm", "rpd"), "tokens": ("tpm",)}
"""What vendors tell limits of, and the rules that are such."""


def openai_headers(uses: tuple[Use, ...]) -> list[tuple[str, str]]:
    """`x-ratelimit-limit-requests` and so on, as OpenAI's clients know them; times are left to go, as in `6m0s`."""
    return _vendors(uses, "x-ratelimit-{what}-{kind}", lambda use: duration(use.resets_at - use.at))


def anthropic_headers(uses: tuple[Use, ...]) -> list[tuple[str, str]]:
    """`anthropic-ratelimit-requests-limit` and so on; times are RFC 3339. There are no limits of input or output."""
    return _vendors(
        uses, "anthropic-ratelimit-{kind}-{what}", lambda use: iso(-(-use.resets_at // 1000) * 1000)[:19] + "Z"
    )


def _vendors(uses: tuple[Use, ...], name: str, reset: Callable[[Use], str]) -> list[tuple[str, str]]:
    found = []
    for kind, known in KINDS.items():
        mine = [use for use in uses if use.rule.name in known]
        if mine:
            use = _tightest(mine)
            for what, value in (
                ("limit", str(use.rule.limit)), ("remaining", str(max(0, use.left))), ("reset", reset(use)),
            ):  # fmt: skip
                found.append((name.format(what=what, kind=kind), value))
    return found


def duration(ms: int) -> str:
    """A span as OpenAI writes it: `20ms`, `1s`, `6m0s`, `23h59m59s`."""
    if ms < 1000:
        return f"{max(0, ms)}ms"
    seconds = -(-ms // 1000)
    minutes, hours = seconds // 60, seconds // 3600
    return (f"{hours}h" if hours else "") + (f"{minutes % 60}m" if minutes else "") + f"{seconds % 60}s"
