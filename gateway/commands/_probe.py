"""What a channel's provider says when it is asked, in words for its operator."""

from __future__ import annotations

import os
from typing import NamedTuple

from ..call import Channel, Fault
from ..dialects import openai_chat
from ..providers import pool
from ..providers.registry import KINDS


class Problem(NamedTuple):
    """what: is wrong · mend: what to do."""

    what: str
    mend: str


def problem(channel: Channel, secret_env: str | None) -> Problem | None:
    """What keeps a channel from working, or None."""
    if channel.provider == "sandbox":
        return None
    if secret_env and not os.environ.get(secret_env):
        return Problem(f"Its key's variable {secret_env} is not set.", f"Set {secret_env} where the gateway starts.")
    try:
        status, _, _ = pool.probe(channel, KINDS[channel.provider].probe)
        if status in (404, 405):  # some servers list nothing; an empty chat is refused, but only after the key
            status, _, _ = pool.probe(channel, openai_chat.path("", False), b"{}")
            status = 200 if status in (400, 422) else status
    except Fault as fault:
        detail = fault.message or {"timeout": "it does not answer in time"}.get(fault.cause, "it speaks no HTTP")
        return Problem(
            f"Its provider at {channel.base_url} cannot be reached: {detail}.",
            "Check the address and the network, or GATEWAY_PROXY and GATEWAY_CA_FILE.",
        )
    if status in (401, 403):
        return Problem(
            "Its key is refused by the provider.",
            f"Give it the right one: channels remove {channel.name}, then channels add with --key.",
        )
    if status in (404, 405):
        return Problem(f"There is no API at {channel.base_url}.", "Check the base URL; it usually ends in /v1.")
    if status >= 400:
        return Problem(f"Its provider answers HTTP {status}.", "Try again later; its status page may say why.")
    return None
