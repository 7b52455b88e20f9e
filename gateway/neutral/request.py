"""What is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .parts import Cache, Part

Role = str
"""system, developer, user, assistant or tool; any other word is kept, for the provider to refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn. Parsing never loses the order of parts; renderers merge and hoist."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionTool:
    """A function of the caller's. schema: JSON Schema of its arguments, {} where none was given."""

    name: str
    description: str | None = None
    schema: Mapping[str, Any] = field(default_factory=dict)
    strict: bool | None = None
    cache: Cache | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomTool:
    """A tool of the caller's that takes free text. form: what the text must look like (a grammar), as JSON text."""

    name: str
    description: str | None = None
    form: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedTool:
    """A tool that the provider runs. raw: its JSON text in its own dialect."""

    dialect: str
    kind: str
    raw: str


Tool = FunctionTool | CustomTool | HostedTool


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChoice:
    """Which tools must be called. names: only these, where given. parallel: more than one at once, where said."""

    mode: Literal["auto", "none", "required"] = "auto"
    names: tuple[str, ...] = ()
    parallel: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The form of the answer: text, any JSON object, or JSON that fits `schema`. verbosity: low, medium or high ·
    modalities: what it is made of (text, image, audio), where that is said and not text alone."""

    form: Literal["text", "json", "schema"] = "text"
    name: str | None = None
    description: str | None = None
    schema: Mapping[str, Any] | None = None
    strict: bool | None = None
    verbosity: str | None = None
    modalities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the answer is drawn. limit: most output tokens for one choice · n: choices · top_logprobs: alternatives to
    tell for each token, where `logprobs`."""

    limit: int | None = None
    n: int = 1
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool = False
    top_logprobs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """How much the model thinks before it answers.

    mode: off, on with `budget` tokens, or adaptive (the model decides, guided by `effort`); None: not said ·
    effort: none, minimal, low, medium, high, xhigh or max · show: whether thoughts or their summary are wanted.
    """

    mode: Literal["off", "on", "adaptive"] | None = None
    budget: int | None = None
    effort: str | None = None
    show: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One question to a model, in no vendor's words.

    end_user: the caller's own id of whom it asks for · tier: service tier · metadata: the caller's labels · extras:
    {dialect: {field: value}}, what only that dialect says: its renderer puts it back, all others lose it.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    output: Output = Output()
    sampling: Sampling = Sampling()
    thinking: Thinking = Thinking()
    stream: bool = False
    end_user: str | None = None
    tier: str | None = None
    metadata: Mapping[str, Any] | None = None
    extras: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
