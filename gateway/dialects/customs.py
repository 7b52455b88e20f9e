"""Tools that take free text, where only functions are known: they go out as functions of one text, and calls of those
come back as calls of the tools that they stand for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..neutral.events import Event, PartDelta, PartEnd, PartStart
from ..neutral.parts import Part, ToolCall, ToolResult
from ..neutral.request import ChatRequest, CustomTool, FunctionTool
from .shapes import dumps

_INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
"""What a tool of free text looks like where only functions are known."""


def as_functions(asked: ChatRequest) -> ChatRequest:
    """A request with its custom tools and their calls as functions with one text."""
    tools = tuple(
        FunctionTool(name=tool.name, description=_described(tool), schema=_INPUT)
        if isinstance(tool, CustomTool)
        else tool
        for tool in asked.tools
    )
    messages = tuple(replace(message, parts=tuple(map(_as_function, message.parts))) for message in asked.messages)
    return replace(asked, tools=tools, messages=messages)


def _described(tool: CustomTool) -> str | None:
    if tool.form is None:
        return tool.description
    return f"{tool.description or ''}\n\nThe input must have this form: {tool.form}".strip()


def _as_function(part: Part) -> Part:
    match part:
        case ToolCall(custom=True, arguments=text):
            return replace(part, custom=False, arguments=dumps({"input": text}))
        case ToolResult(custom=True):
            return replace(part, custom=False)
        case _:
            return part


class Customs:
    """The custom tools of one request. names: theirs."""

    def __init__(self, asked: ChatRequest) -> None:
        self.names = frozenset(tool.name for tool in asked.tools if isinstance(tool, CustomTool))
        self._held: dict[tuple[int, int], list[str]] = {}

    def take(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events of a reply, with calls of these tools as such again: their text comes when it is whole."""
        for event in events:
            match event:
                case PartStart(choice=choice, index=index, part=ToolCall(name=name) as part) if name in self.names:
                    self._held[choice, index] = [part.arguments]
                    yield replace(event, part=replace(part, custom=True, arguments=""))
                case PartDelta(choice=choice, index=index, text=text) if (choice, index) in self._held:
                    self._held[choice, index].append(text)
                case PartEnd(choice=choice, index=index) if (choice, index) in self._held:
                    yield PartDelta(choice=choice, index=index, text=_input("".join(self._held.pop((choice, index)))))
                    yield event
                case _:
                    yield event


def _input(arguments: str) -> str:
    """The one text in a stand-in's arguments; all of them where the model wrote something else."""
    try:
        found = json.loads(arguments)["input"]
    except (ValueError, KeyError, TypeError):
        return arguments
    return found if isinstance(found, str) else arguments
