"""What is asked of a completion: what the gateway must know, its bytes for a leg, and its meaning as a chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...call import Ask, Call, Leg
from ...neutral.request import ChatRequest
from ...splice import edit
from .. import openai_chat
from ..openai_chat.can import FIELD as CHAT_FIELD
from ..openai_chat.request import wants_usage, with_usage
from ..passing import for_leg
from ..scale import Scale, size

OWN: tuple[str, ...] = ("models", "provider")
"""Members that are the gateway's and never go upstream."""

FIELD: Mapping[str, str] = {**CHAT_FIELD, "limit": "max_tokens", "no_output": "max_tokens"}
SHOWS: frozenset[str] = frozenset()

_DEFAULT_LIMIT = 16
"""Output tokens where a request names no limit, by OpenAI's description."""

_CHATLESS = ("prompt", "suffix", "echo", "best_of", "logprobs")
"""Members that Chat has in another form, or not at all."""


def ask(values: Mapping[str, Any]) -> Ask:
    """What the gateway must know of a request that the schema gate has passed."""
    prompts = _prompts(values["prompt"])
    scale = Scale()
    scale.messages = len(prompts)
    # a token weighs as much as the four bytes of text that estimates take for one
    scale.text = sum(size(one) if isinstance(one, str) else 4 * len(one) for one in prompts) + size(
        values.get("suffix")
    )
    scale.top(values, ("model", "prompt", "suffix", "stop", *OWN))
    return Ask(
        model=values["model"],
        stream=bool(values.get("stream")),
        n=len(prompts) * max(values.get("n") or 1, values.get("best_of") or 1),
        limit=values.get("max_tokens"),
        batch=len(prompts),
        only=_only(values, prompts),
        wants_usage=wants_usage(values),
        weight=scale.weight(),
        references=tuple(scale.references),
        urls=tuple(scale.urls),
    )


def _prompts(given: Any) -> list[Any]:
    """The prompts, each a text or token ids; the gate has seen their shape."""
    if isinstance(given, str):
        return [given]
    return [given] if given and isinstance(given[0], int) else list(given)


def _only(values: Mapping[str, Any], prompts: list[Any]) -> tuple[str, ...]:
    """Fields that mean something which no chat can be told."""
    return tuple(
        name
        for name, there in (
            ("prompt", len(prompts) > 1 or not isinstance(prompts[0], str)),
            ("suffix", bool(values.get("suffix"))),
            ("echo", values.get("echo") is True),
            ("best_of", (values.get("best_of") or 1) > 1),
            ("logprobs", values.get("logprobs") is not None and values["logprobs"] is not False),
        )
        if there
    )


def encode(call: Call, leg: Leg) -> bytes:
    """The caller's bytes for a leg that has completions: only what Law 1 names is changed."""
    changes = {**for_leg(call, leg, OWN), **with_usage(call)}
    if call.cap is not None:
        changes["max_tokens"] = str(call.cap if call.ask.limit is not None else min(call.cap, _DEFAULT_LIMIT))
    return edit(call.body, changes)


def parse(values: Mapping[str, Any]) -> ChatRequest:
    """A completion as a chat of one user message; what is in `Ask.only` was refused before."""
    prompts = _prompts(values["prompt"])
    text = prompts[0] if prompts and isinstance(prompts[0], str) else ""
    shared = {name: value for name, value in values.items() if name not in (*_CHATLESS, *OWN)}
    return openai_chat.parse({**shared, "messages": [{"role": "user", "content": text}]})
