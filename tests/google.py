"""A scripted provider that speaks Gemini: its models stand in the path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.conftest import PROVIDER_KEY, Lab, scripted
from tests.gateway import Gateway
from tests.upstream import Asked, Script

_MODEL = re.compile(r".*/models/([^:]+):(\w+)")


class GeminiLab:
    """A live gateway with a scripted Gemini provider behind it, as the channel and namespace `name`."""

    def __init__(self, lab: Lab) -> None:
        self.gateway, self.provider, self.name = lab.gateway, lab.provider, lab.name
        self._lab = lab
        self.provider.answer = self._answer

    def _answer(self, asked: Asked) -> Script:
        if asked.path == "/token":  # which Vertex AI's service accounts ask for
            return Script.json({"access_token": PROVIDER_KEY, "expires_in": 3600, "token_type": "Bearer"})
        found = _MODEL.match(asked.path)
        if found is None:
            return Script.json({"models": []})
        return self.provider.scripts.get(f"{found[1]}:{found[2]}") or self.provider.scripts[found[1]]

    def model(self, script: Script, count: Script | None = None, like: str | None = None) -> str:
        """The public name of a new model that answers by a script; count: its answer to `:countTokens` · like: see
        `Lab.model`."""
        name = self._lab.model(script, like)
        if count is not None:
            self.provider.scripts[f"{name.removeprefix(f'{self.name}/')}:countTokens"] = count
        return name

    def asked(self, model: str) -> list[Asked]:
        """What came up for a model, by its public name."""
        name = model.rpartition("/")[2]
        return [asked for asked in list(self.provider.asked) if f"/models/{name}:" in asked.path]

    def post(self, model: str, method: str, body: Any, **options: Any) -> Any:
        return self.gateway.post(f"/v1beta/models/{model}:{method}", body, **options)


def gemini_lab(gateway: Gateway, *, free: bool) -> Iterator[GeminiLab]:
    with scripted(gateway, "gemini-compatible", free=free) as (provider, name):
        yield GeminiLab(Lab(gateway, provider, name))
