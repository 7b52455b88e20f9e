"""How the generator of the book knows which names mean one model."""

from __future__ import annotations

import pytest

from pricebook.names import Names

SEEDS = [
    "anthropic/claude-sonnet-4.5", "anthropic/claude-3.5-sonnet", "openai/gpt-4o", "openai/gpt-4o-2024-05-13",
    "openai/gpt-oss-120b", "google/gemini-2.5-flash", "google/gemini-pro-1.5", "deepseek/deepseek-chat",
    "deepseek/deepseek-r1", "deepseek/deepseek-v3.2", "meta-llama/llama-3.3-70b-instruct", "qwen/qwen-2.5-72b-instruct",
    "amazon/nova-lite-v1", "mistralai/mistral-large", "x-ai/grok-2-1212", "cohere/command-r-08-2024", "z-ai/glm-4.7",
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "one"),
    [
        ("anthropic", "claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4.5"),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic/claude-sonnet-4.5"),
        ("bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0", "anthropic/claude-3.5-sonnet"),
        ("vertex", "claude-sonnet-4-5@20250929", "anthropic/claude-sonnet-4.5"),
        ("openrouter", "anthropic/claude-4.5-sonnet-20250929", "anthropic/claude-sonnet-4.5"),
        ("openai", "gpt-4o-2024-08-06", "openai/gpt-4o"),
        ("openai", "gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13"),
        ("openai", "gpt-4o-mini", "openai/gpt-4o-mini"),
        ("bedrock", "openai.gpt-oss-120b-1:0", "openai/gpt-oss-120b"),
        ("google", "gemini-1.5-pro-002", "google/gemini-1.5-pro"),
        ("google", "gemini-2.5-flash-lite", "google/gemini-2.5-flash-lite"),
        ("google", "text-embedding-004", "google/text-embedding-004"),
        ("fireworks", "accounts/fireworks/models/deepseek-v3p2", "deepseek/deepseek-v3.2"),
        ("bedrock", "deepseek.v3.2", "deepseek/deepseek-v3.2"),
        ("bedrock", "deepseek.r1-v1:0", "deepseek/deepseek-r1"),
        ("together", "deepseek-ai/DeepSeek-V3", "deepseek/deepseek-chat"),
        ("bedrock", "deepseek.v3-v1:0", "deepseek/deepseek-chat-v3.1"),
        ("groq", "llama-3.3-70b-versatile", "meta-llama/llama-3.3-70b-instruct"),
        ("sambanova", "Meta-Llama-3.3-70B-Instruct", "meta-llama/llama-3.3-70b-instruct"),
        ("bedrock", "us.meta.llama3-3-70b-instruct-v1:0", "meta-llama/llama-3.3-70b-instruct"),
        ("novita", "meta-llama/llama-3.1-8b-instruct-bf16", "meta-llama/llama-3.1-8b-instruct-bf16"),
        ("together", "Qwen/Qwen2.5-72B-Instruct", "qwen/qwen-2.5-72b-instruct"),
        ("bedrock", "us.amazon.nova-lite-v1:0", "amazon/nova-lite-v1"),
        ("xai", "grok-2-1212", "x-ai/grok-2"),
        ("cohere", "command-r-08-2024", "cohere/command-r-08-2024"),
        ("cerebras", "zai-glm-4.7", "z-ai/glm-4.7"),
        ("mistral", "mistral-small-2603", "mistralai/mistral-small-2603"),
    ],
)
def test_which_model_a_provider_means(kind: str, name: str, one: str) -> None:
    assert Names(SEEDS).of(kind, name) == one
