"""The vendors, a row each. A vendor that fits a row needs no code of its own."""

from __future__ import annotations

from dataclasses import dataclass

CHAT, RESPONSES, MESSAGES, GEMINI, CONVERSE = "chat", "responses", "messages", "gemini", "converse"
COMPLETIONS, EMBEDDINGS = "completions", "embeddings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One vendor.

    kind: what `channels add --provider` takes · base_url: as the vendor's own SDK takes it; None where each channel
    has its own · dialects: spoken natively, the preferred first · key_env: the usual variable of its key · keyless:
    works without a key · generic: no vendor but a wire format; a channel's name is its namespace · author: who makes
    the models of its own, as their names begin; None for a host of others' models · probe: a path that costs nothing
    and needs the key · source: the page that these facts are from.
    """

    kind: str
    title: str
    base_url: str | None
    dialects: tuple[str, ...]
    key_env: str | None = None
    keyless: bool = False
    generic: bool = False
    author: str | None = None
    probe: str = "/models"
    source: str = ""


PROVIDERS = (
    Provider(
        kind="sandbox", title="Sandbox", base_url="sandbox:", dialects=(CHAT, RESPONSES, MESSAGES, GEMINI), keyless=True
    ),
    Provider(
        kind="openai",
        title="OpenAI",
        base_url="https://api.openai.com/v1",
        dialects=(CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS),
        key_env="OPENAI_API_KEY",
        author="openai",
        source="https://platform.openai.com/docs/api-reference",
    ),
    Provider(
        kind="anthropic",
        title="Anthropic",
        base_url="https://api.anthropic.com",
        dialects=(MESSAGES,),
        key_env="ANTHROPIC_API_KEY",
        probe="/v1/models",
        source="https://platform.claude.com/docs/en/api/overview",
    ),
    Provider(
        kind="google",
        title="Google Gemini",
        base_url="https://generativelanguage.googleapis.com",
        dialects=(GEMINI,),
        key_env="GEMINI_API_KEY",
        probe="/v1beta/models",
        source="https://ai.google.dev/api",
    ),
    Provider(
        kind="openai-compatible",
        title="OpenAI-compatible",
        base_url=None,
        dialects=(CHAT, COMPLETIONS, EMBEDDINGS),
        keyless=True,
        generic=True,
    ),
    Provider(
        kind="responses-compatible",
        title="Responses-compatible",
        base_url=None,
        dialects=(RESPONSES,),
        keyless=True,
        generic=True,
    ),
    Provider(
        kind="anthropic-compatible",
        title="Anthropic-compatible",
        base_url=None,
        dialects=(MESSAGES,),
        keyless=True,
        generic=True,
        probe="/v1/models",
    ),
    Provider(
        kind="gemini-compatible",
        title="Gemini-compatible",
        base_url=None,
        dialects=(GEMINI,),
        keyless=True,
        generic=True,
        probe="/v1beta/models",
    ),
)
KINDS = {provider.kind: provider for provider in PROVIDERS}
