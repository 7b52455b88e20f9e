"""The vendors, a row each. A vendor that fits a row needs no code of its own."""

from __future__ import annotations

from dataclasses import dataclass

CHAT = "chat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One vendor.

    kind: what `channels add --provider` takes · base_url: as the vendor's own SDK takes it; None where each channel
    has its own · dialects: spoken natively, the preferred first · key_env: the usual variable of its key · keyless:
    works without a key · generic: no vendor but a wire format; a channel's name is its namespace · limit_name: how
    its Chat calls an output limit · probe: a path that costs nothing and needs the key · source: the page that these
    facts are from.
    """

    kind: str
    title: str
    base_url: str | None
    dialects: tuple[str, ...]
    key_env: str | None = None
    keyless: bool = False
    generic: bool = False
    limit_name: str = "max_tokens"
    probe: str = "/models"
    source: str = ""


PROVIDERS = (
    Provider(kind="sandbox", title="Sandbox", base_url="sandbox:", dialects=(CHAT,), keyless=True),
    Provider(
        kind="openai",
        title="OpenAI",
        base_url="https://api.openai.com/v1",
        dialects=(CHAT,),
        key_env="OPENAI_API_KEY",
        limit_name="max_completion_tokens",
        source="https://platform.openai.com/docs/api-reference",
    ),
    Provider(
        kind="openai-compatible", title="OpenAI-compatible", base_url=None, dialects=(CHAT,), keyless=True, generic=True
    ),
)
KINDS = {provider.kind: provider for provider in PROVIDERS}
