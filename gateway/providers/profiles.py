"""How models depart from the dialects that they are spoken to in: rows, the first that fits holds."""

from __future__ import annotations

from functools import cache

from ..call import Profile

_OPENAI = Profile(limit_name="max_completion_tokens")
_PLAIN = Profile()


@cache
def of(provider: str, model: str, dialect: str) -> Profile:
    """The profile of a provider's model, spoken to in a dialect."""
    return _OPENAI if provider == "openai" and dialect == "chat" else _PLAIN
