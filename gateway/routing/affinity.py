"""The same account and the same beginning of a prompt go to the same channel, whose provider has it in its cache.

Stateless, so that all workers and machines agree and nothing is kept: each equal channel draws a lot by a hash of
account, beginning and channel instead of by chance (rendezvous hashing), in proportion to its weight. When the best one
rests the next one serves, and it comes back with it. What is too short to be cached anywhere is left to chance.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

from ..call import Call, Channel

PREFIX = 4_096
"""Characters that must be the same: no vendor caches fewer than 1,024 tokens
(https://platform.openai.com/docs/guides/prompt-caching,
https://platform.claude.com/docs/en/build-with-claude/prompt-caching#cache-limitations)."""

_MEMBERS = (
    "system", "instructions", "systemInstruction", "system_instruction", "tools", "messages", "input", "contents",
    "prompt",
)  # fmt: skip
"""Members of a body that make a prompt, in the order in which providers put them."""


def lots(call: Call) -> Callable[[Channel], float]:
    """What draws a number from 0 to 1 for each channel."""
    key = _key(call)
    if key is None:
        return lambda _: random.random()

    def draw(channel: Channel) -> float:
        digest = hashlib.blake2b(f"{call.caller.account_id}\0{channel.id}\0{key}".encode("utf-8", "replace"))
        return int.from_bytes(digest.digest()[:7]) / 2**56

    return draw


def _key(call: Call) -> str | None:
    """The beginning of a prompt, or the caller's own name for it."""
    named = call.body.values.get("prompt_cache_key")
    if isinstance(named, str) and named:
        return named
    spans = {member.name: member for member in call.body.members}
    found = ""
    for name in _MEMBERS:
        span = spans.get(name)
        if span is not None:
            found += call.body.text[span.value : min(span.end, span.value + PREFIX - len(found))]
    return found if len(found) >= PREFIX else None
