"""What is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .parts import Part

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


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedTool:
    """A tool that the provider runs. raw: its JSON text in its own dialect."""

    dialect: str
    kind: str
    raw: str


Tool = FunctionTool | HostedTool


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChoice:
    """Which tools must be called. names: only these, where given. parallel: more than one at once, where said."""

    mode: Literal["auto", "none", "required"] = "auto"
    names: tuple[str, ...] = ()
    parallel: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The form of the answer: text, any JSON object, or JSON that fits `schema`."""

    form: Literal["text", "json", "schema"] = "text"
    name: str | None = None
    schema: Mapping[str, Any] | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the answer is drawn. limit: most output tokens for one choice · n: choices."""

    limit: int | None = None
    n: int = 1
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One question to a model, in no vendor's words."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    output: Output = Output()
    sampling: Sampling = Sampling()
    effort: str | None = None
    stream: bool = False
