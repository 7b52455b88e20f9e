"""What a channel's provider says when it is asked, in words for its operator."""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from ..call import Channel, Fault
from ..modalities.words import UPSTREAM
from ..providers import pool
from ..providers.registry import KINDS

_MOST_READ = 1 << 20
"""What a probe reads of an answer, at most."""


class Problem(NamedTuple):
    """what: is wrong · mend: what to do."""

    what: str
    mend: str


def problem(channel: Channel, secret_env: str | None) -> Problem | None:
    """What keeps a channel from working, or None."""
    if channel.provider == "sandbox":
        return None
    if secret_env and not os.environ.get(secret_env):
        return Problem(
            f"Its key's variable {secret_env} is not set in this shell.",
            f"Set {secret_env} where the gateway starts, and here to test it.",
        )
    refused = False
    try:
        status, _, body = pool.probe(channel, KINDS[channel.provider].probe)
        if status in (404, 405):  # some servers list nothing; an empty chat is refused, but only after the key
            status, _, body = pool.probe(channel, UPSTREAM[channel.dialects[0]].path("none", False), b"{}")
            refused = status in (400, 422)
    except Fault as fault:
        detail = fault.message or {"timeout": "it does not answer in time"}.get(fault.cause, "it speaks no HTTP")
        return Problem(
            f"Its provider at {channel.base_url} cannot be reached: {detail}.",
            "Check the address and the network, or GATEWAY_PROXY and GATEWAY_CA_FILE.",
        )
    if status in (401, 403):
        return _unwelcome(channel, secret_env)
    if status in (404, 405):
        return Problem(f"There is no API at {channel.base_url}.", "Check the base URL; it usually ends in /v1.")
    if status >= 400 and not refused:
        return Problem(f"Its provider answers HTTP {status}.", "Try again later; its status page may say why.")
    page = body.lstrip().startswith(b"<")  # some refuse in plain text, but none in HTML
    if page if refused else status >= 300 or not _is_json(body):
        return Problem(
            f"{channel.base_url} answers (HTTP {status}), but not as an API.", "Is the base URL right (with /v1)?"
        )
    return None


def _unwelcome(channel: Channel, secret_env: str | None) -> Problem:
    again = f"python -m gateway channels remove {channel.name}, then channels add with --key."
    if secret_env:
        return Problem(
            f"Its key is refused by the provider; it is what {secret_env} holds in this shell.",
            f"Set {secret_env} to the right key where the gateway starts.",
        )
    if channel.secret is None:
        return Problem("It wants a key and has none.", f"Give it one: {again}")
    return Problem("Its key is refused by the provider.", f"Give it the right one: {again}")


def _is_json(body: bytes) -> bool:
    """Whether an answer is a JSON object or list; of a long one only its beginning is here."""
    if len(body) >= _MOST_READ:
        return body.lstrip()[:1] in (b"{", b"[")
    try:
        return isinstance(json.loads(body), dict | list)
    except (ValueError, RecursionError):
        return False
