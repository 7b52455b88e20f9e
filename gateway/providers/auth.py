"""How a provider learns who asks: the headers that carry a channel's key, by its row."""

from __future__ import annotations

from ..call import Channel
from .registry import KINDS

ANTHROPIC_VERSION = "2023-06-01"
"""Sent where the client named none (https://platform.claude.com/docs/en/api/versioning)."""


def headers(channel: Channel, dialect: str) -> dict[str, str]:
    """The headers for a request in this dialect; without a key only what the dialect itself demands."""
    found = {"anthropic-version": ANTHROPIC_VERSION} if dialect == "messages" else {}
    if not channel.secret:
        return found
    match KINDS[channel.provider].auth:
        case "bearer":
            found["Authorization"] = f"Bearer {channel.secret}"
        case "x-api-key" | "x-goog-api-key" | "api-key" | "mj-api-secret" as name:
            found[name] = channel.secret
    return found
