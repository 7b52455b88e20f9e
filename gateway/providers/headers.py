"""Headers travel by one allow-list each way."""

from __future__ import annotations

from collections.abc import Mapping

TO_PROVIDER = ("accept", "anthropic-version", "anthropic-beta", "openai-beta")
"""The client's headers that go upstream."""

_MOST = 64

TO_CLIENT = ("openai-processing-ms",)
"""The provider's headers that come back with a reply. Of an error its dialect keeps what tells when to retry."""


def for_client(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, headers[name]) for name in TO_CLIENT if 0 < len(headers.get(name, "")) <= _MOST]
