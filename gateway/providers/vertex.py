"""Google Cloud's Vertex AI: Gemini in its own words, Claude in Anthropic's, all others by OpenAI's Chat.

https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest,
https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude,
https://cloud.google.com/vertex-ai/generative-ai/docs/start/openai. A channel's base URL names project and location; its
key is the JSON of a service account, or the path of a file that holds it, for which Google gives tokens of an hour.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from gevent.lock import BoundedSemaphore

from ..bodies import joined
from ..call import Channel, Fault, Outbound, Wire
from ..splice import BadJson, edit, scan
from .odd import Exchange

INSTALL = "python -m pip install -r requirements-google.txt"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_VERSION = '"vertex-2023-10-16"'
_FIELDS = ("client_email", "private_key", "token_uri")


def prepare(outbound: Outbound) -> Outbound:
    """Gemini and Claude have addresses of their own below their publishers'; Chat names the model in the body."""
    name = outbound.model.removeprefix("models/")
    match outbound.dialect.partition(":")[0]:
        case "gemini":
            method = outbound.path.rpartition(":")[2]
            if method == "batchEmbedContents":
                raise Fault("server", status=501, message="Vertex AI embeds one content at a time.")
            changes: dict[str, str | None] = {"model": None} if method == "countTokens" else {}
            path = f"/publishers/google/models/{quote(name, safe='')}:{method}"
        case "messages" if outbound.path.endswith("/count_tokens"):
            changes = {"anthropic_version": _VERSION}
            path = "/publishers/anthropic/models/count-tokens:rawPredict"
        case "messages":
            changes = {"model": None, "anthropic_version": _VERSION}
            verb = "streamRawPredict" if outbound.stream else "rawPredict"
            path = f"/publishers/anthropic/models/{quote(name, safe='@')}:{verb}"
        case _:
            return outbound
    try:
        body = edit(scan(joined(outbound.body)), changes) if changes else outbound.body
    except BadJson as error:
        raise Fault("request", status=400) from error
    return replace(outbound, path=path, body=body)


def unwrap(wire: Wire, outbound: Outbound) -> Wire:
    return wire


def flaw(secret: str) -> str | None:
    if find_spec("google.oauth2") is None:
        return f"Vertex AI needs google-auth. Install it: {INSTALL}"
    try:
        _described(secret)
    except ValueError as problem:
        return str(problem)
    return None


def _described(secret: str) -> dict[str, Any]:
    """A service account from its JSON, or from the file that holds it. Raises ValueError."""
    try:
        text = secret if secret.lstrip().startswith("{") else Path(secret).read_text("utf-8")
        found = json.loads(text)
    except (OSError, ValueError):
        raise ValueError("It is neither the JSON of a service account nor the path of a file with one.") from None
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in _FIELDS):
        raise ValueError("It is not the JSON of a service account: that has client_email, private_key and token_uri.")
    return found


def sign(request: requests.PreparedRequest, channel: Channel, exchange: Exchange) -> None:
    """A token of the service account."""
    if not channel.secret:
        return
    account = _accounts.get(channel.secret)
    if account is None:
        account = _accounts[channel.secret] = _Account(channel.secret)
    request.headers["Authorization"] = f"Bearer {account.token(exchange)}"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What google-auth reads of an HTTP answer."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class _Account:
    """A service account and its token, renewed some minutes before it ends by whoever comes first; others wait."""

    def __init__(self, secret: str) -> None:
        problem = flaw(secret)
        if problem is not None:
            raise Fault("account", message=problem)
        from google.oauth2 import service_account

        kind: Any = service_account.Credentials
        try:
            self._credentials = kind.from_service_account_info(_described(secret), scopes=[_SCOPE])
        except ValueError:
            raise Fault("account", message="The private key of the service account cannot be read.") from None
        self._renewing = BoundedSemaphore()

    def token(self, exchange: Exchange) -> str:
        """A token that is good for some minutes. Raises Fault."""
        if not self._fresh():
            with self._renewing:
                if not self._fresh():
                    self._renew(exchange)
        return str(self._credentials.token)

    def _fresh(self) -> bool:
        from google.auth.credentials import TokenState

        return bool(self._credentials.token_state is TokenState.FRESH)

    def _renew(self, exchange: Exchange) -> None:
        from google.auth.exceptions import GoogleAuthError

        def ask(
            url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None, **_: Any
        ) -> _Answer:
            return _Answer(*exchange(method, url, headers or {}, body))

        try:
            self._credentials.refresh(ask)
        except GoogleAuthError:
            raise Fault("account", message="Google gives no token for its service account") from None


_accounts: dict[str, _Account] = {}
