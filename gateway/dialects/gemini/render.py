"""Gemini requests from neutral words.

https://ai.google.dev/api/generate-content. System messages are hoisted, turns of one side are merged, and all results
of one turn stand together in one content, in the order of their calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, assert_never

from ...call import Leg, Profile
from ...neutral.parts import Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from ...neutral.request import ChatRequest, FunctionTool, HostedTool, Message, Output, Sampling, Thinking, ToolChoice
from ..borne import lacking
from ..shapes import loads
from . import parts
from .parts import NAME, own_id

_BUDGETS = {"minimal": 512, "low": 1_024, "medium": 8_192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
"""Efforts as budgets, for models that know no levels
(https://ai.google.dev/gemini-api/docs/openai#thinking)."""

_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM"}  # all above are HIGH
_UNSIGNED = "skip_thought_signature_validator"
"""Stands for the signature of a call that no Gemini has made, or whose client has lost it: newer models refuse a turn
whose first call has none (https://ai.google.dev/gemini-api/docs/thought-signatures)."""


def render(request: ChatRequest, leg: Leg) -> dict[str, Any]:
    """A request for a provider; the model and the way of answering go into the path."""
    turns = _Turns(request.messages)
    if leg.profile.signs:
        _sign(turns.contents)
    body: dict[str, Any] = {"contents": turns.contents}
    if turns.system:
        body["systemInstruction"] = {"parts": turns.system}
    tools = list(_tools(request))
    if tools:
        body["tools"] = tools
    calling = _calling(request.tool_choice)
    if calling and any(isinstance(tool, FunctionTool) for tool in request.tools):
        body["toolConfig"] = {"functionCallingConfig": calling}
    config = {
        **_sampling(request.sampling), **_output(request.output), **_thinking(request.thinking, leg.profile),
    }  # fmt: skip
    if config:
        body["generationConfig"] = config
    if request.tier not in (None, "auto", "default", "standard"):
        body["serviceTier"] = request.tier
    for path, value in request.extras.get(NAME, {}).items():
        *outer, name = path.split(".")
        at = body
        for step in outer:
            at = at.setdefault(step, {})
        at[name] = value
    return body


def lacks(request: ChatRequest, leg: Leg) -> frozenset[str]:
    """See `base.Dialect`."""
    return lacking(request, leg.profile)


def _sign(contents: Iterable[dict[str, Any]]) -> None:
    """Mark the calls without a signature, where their turn must have one: on its first call."""
    for content in contents:
        first = next((part for part in content["parts"] if "functionCall" in part), None)
        if first is not None:
            first.setdefault("thoughtSignature", _UNSIGNED)


class _Turns:
    """A conversation as Gemini's contents and the system's parts."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self.system: list[dict[str, Any]] = []
        self.contents: list[dict[str, Any]] = []
        self._calls: dict[str, tuple[int, str]] = {}  # by id: their order and names
        self._results: list[ToolResult] = []
        for message in messages:
            self._take(message)
        self._answer()
        if not self.contents and self.system:  # there must be something to answer
            self.contents, self.system = [{"role": "user", "parts": self.system}], []

    def _take(self, message: Message) -> None:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        self._results += results
        others = [part for part in message.parts if not isinstance(part, ToolResult)]
        if not others and (results or message.role == "tool"):
            return
        found = [written for part in others for written in self._part(part)]
        if message.role in ("system", "developer"):
            self.system += found
            return
        self._answer()
        if message.role == "assistant":
            if found:
                self._add("model", found)
        else:
            role = "user" if message.role == "tool" else message.role
            self._add(role, found or [{"text": ""}])

    def _add(self, role: str, found: list[dict[str, Any]]) -> None:
        last = self.contents[-1] if self.contents else None
        if last is not None and last["role"] == role and "functionResponse" not in last["parts"][0]:
            last["parts"] += found
        else:
            self.contents.append({"role": role, "parts": found})

    def _answer(self) -> None:
        """The results that came since the last turn, in one content."""
        if not self._results:
            return
        results, self._results = self._results, []
        results.sort(key=lambda part: self._calls.get(part.call_id, (len(self._calls), ""))[0])
        answered = [self._result(part) for part in results]
        shown = [inner for part in results for inner in part.parts if isinstance(inner, Media | Opaque)]
        answered += [written for inner in shown if (written := parts.written(inner)) is not None]
        self.contents.append({"role": "user", "parts": answered})

    def _result(self, part: ToolResult) -> dict[str, Any]:
        name = part.name or self._calls.get(part.call_id, (0, ""))[1]
        call_id = own_id(part.call_id)
        head = {"id": call_id} if call_id else {}
        return _sealed({"functionResponse": {**head, "name": name, "response": parts.response(part)}}, part)

    def _part(self, part: Part) -> Iterator[dict[str, Any]]:
        match part:
            case Text(text=text) | Refusal(text=text):
                if text or part.seal is not None:
                    yield _sealed({"text": text}, part)
            case Reasoning():
                if part.seal is not None or (part.text and not part.redacted):
                    yield _sealed(parts.thought(part), part)
            case ToolCall(id=call_id, ran_by=ran_by):
                if ran_by is None:
                    self._calls[call_id] = (len(self._calls), part.name)
                    yield _sealed(parts.call(part, own_id(call_id)), part)
            case Media() | Opaque():
                found = parts.written(part)
                if found is not None:
                    yield _sealed(found, part)
            case ToolResult():
                pass  # these are gathered before
            case _:
                assert_never(part)


def _sealed(found: dict[str, Any], part: Part) -> dict[str, Any]:
    return parts.signed(found, part.seal.value if part.seal is not None else None)


def _tools(request: ChatRequest) -> Iterator[dict[str, Any]]:
    choice = request.tool_choice
    # With AUTO there is no list of what may be called: only that is offered.
    only = frozenset(choice.names if choice.mode == "auto" else ())
    declared = [
        _declared(tool) for tool in request.tools if isinstance(tool, FunctionTool) and (not only or tool.name in only)
    ]
    if declared:
        yield {"functionDeclarations": declared}
    for tool in request.tools:
        if isinstance(tool, HostedTool) and tool.dialect == NAME:
            yield loads(tool.raw)


def _declared(tool: FunctionTool) -> dict[str, Any]:
    made: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        made["description"] = tool.description
    if tool.schema:
        made["parametersJsonSchema"] = dict(tool.schema)
    return made


def _calling(choice: ToolChoice) -> dict[str, Any]:
    match choice.mode:
        case "none":
            return {"mode": "NONE"}
        case "required":
            return {"mode": "ANY", **({"allowedFunctionNames": list(choice.names)} if choice.names else {})}
        case _:
            return {}


def _sampling(sampling: Sampling) -> dict[str, Any]:
    found = {
        "maxOutputTokens": sampling.limit,
        "candidateCount": sampling.n if sampling.n > 1 else None,
        "stopSequences": list(sampling.stop) or None,
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": sampling.top_k,
        "seed": sampling.seed,
        "presencePenalty": sampling.presence_penalty,
        "frequencyPenalty": sampling.frequency_penalty,
        "responseLogprobs": True if sampling.logprobs else None,
        "logprobs": sampling.top_logprobs or None if sampling.logprobs else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _output(output: Output) -> dict[str, Any]:
    made = {"responseModalities": [word.upper() for word in output.modalities]} if output.modalities else {}
    if output.form == "text":
        return made
    shape = {"responseJsonSchema": _described(output)} if output.form == "schema" and output.schema else {}
    return {**made, "responseMimeType": "application/json", **shape}


def _described(output: Output) -> Mapping[str, Any]:
    schema = dict(output.schema or {})
    if output.description is not None:
        schema.setdefault("description", output.description)
    return schema


def _thinking(thinking: Thinking, known: Profile) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if thinking.mode == "off" or thinking.effort == "none":
        if known.always and known.levels:
            config["thinkingLevel"] = "LOW"  # the least that all of them know
        else:
            config["thinkingBudget"] = known.least_budget if known.always else 0
    elif thinking.mode == "on" and thinking.budget is not None:
        config["thinkingBudget"] = thinking.budget
    elif thinking.effort is not None:
        if known.levels:
            config["thinkingLevel"] = _LEVELS.get(thinking.effort, "HIGH")
        else:
            config["thinkingBudget"] = _BUDGETS.get(thinking.effort, -1)
    elif thinking.mode is not None:
        config["thinkingBudget"] = -1
    if thinking.show is not None:
        config["includeThoughts"] = thinking.show
    return {"thinkingConfig": config} if config else {}
