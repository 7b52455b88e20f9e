"""How a provider learns who asks: the headers that carry a channel's key, by dialect."""

from __future__ import annotations

from ..call import Channel

ANTHROPIC_VERSION = "2023-06-01"
"""Sent where the client named none (https://platform.claude.com/docs/en/api/versioning)."""


def headers(channel: Channel, dialect: str) -> dict[str, str]:
    """The headers for a request in this dialect; without a key only what the dialect itself demands."""
    key = channel.secret
    if dialect == "messages":
        return {"anthropic-version": ANTHROPIC_VERSION, **({"x-api-key": key} if key else {})}
    if not key:
        return {}
    return {"x-goog-api-key": key} if dialect.partition(":")[0] == "gemini" else {"Authorization": f"Bearer {key}"}
