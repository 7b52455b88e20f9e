"""Requests of all dialects, read into one plain summary. Own code: nothing of the gateway's takes part.

Texts are compared without white space, since dialects join and split them; results of tools by their values, since
some dialects wrap them; earlier thoughts are not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

Turn = tuple[str, str, Any]
"""(who, kind, value): system, user or assistant · text, image, audio, video, file, call or result."""


@dataclass
class Asked:
    """What a request asks. tools: name → (description, parameters, required ones) · choice: a mode, or names ·
    form: text, json, or the members of the schema · odd: what this reader does not know."""

    turns: list[Turn] = field(default_factory=list)
    tools: dict[str, Any] = field(default_factory=dict)
    choice: Any = "auto"
    limit: Any = None
    temperature: Any = None
    top_p: Any = None
    stop: list[str] = field(default_factory=list)
    form: Any = "text"
    effort: Any = None
    stream: bool = False
    odd: list[str] = field(default_factory=list)

    def say(self, who: str, kind: str, value: Any) -> None:
        if kind == "text":
            value = squeezed(value)
            if not value:
                return
            if self.turns and self.turns[-1][:2] == (who, "text"):
                value = self.turns.pop()[2] + value
        self.turns.append((who, kind, value))


def read(dialect: str, values: dict[str, Any]) -> Asked:
    return _READ[dialect](values)


def squeezed(text: Any) -> str:
    return "".join(str(text).split())


def leaves(value: Any) -> str:
    """All scalars in a value, in order, JSON inside of texts read too: what a tool's result says, however wrapped."""
    return "".join(_leaves(value))


def _leaves(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for inner in value.values():
                yield from _leaves(inner)
        case list():
            for inner in value:
                yield from _leaves(inner)
        case str():
            text = value.strip()
            if text[:1] in ("{", "[", '"'):
                try:
                    yield from _leaves(json.loads(text))
                    return
                except ValueError:
                    pass
            yield squeezed(value)
        case float() if value.is_integer():
            yield str(int(value))
        case _:
            yield json.dumps(value)


def _one(texts: list[Any]) -> Any:
    return texts[0] if len(texts) == 1 else texts


def arguments(value: Any) -> Any:
    if not isinstance(value, str):
        return {} if value is None else value
    try:
        return json.loads(value) if value.strip() else {}
    except ValueError:
        return value


def media(url_or_data: Any, media_type: str | None = None) -> Any:
    """The address, or (type, data) of media in the body, in the usual alphabet."""
    if media_type is not None:
        return (media_type, url_or_data.replace("-", "+").replace("_", "/").rstrip("="))
    if isinstance(url_or_data, str) and url_or_data.startswith("data:"):
        head, _, data = url_or_data[5:].partition(",")
        return (head.partition(";")[0], data.rstrip("="))
    return url_or_data


def _tool(name: str, description: Any, schema: Any) -> tuple[str, Any]:
    schema = schema if isinstance(schema, dict) else {}
    required = schema.get("required")
    return name, (squeezed(description or ""), sorted(schema.get("properties") or {}), sorted(required or ()))


def _form(schema: Any) -> Any:
    return sorted((schema or {}).get("properties") or {}) if isinstance(schema, dict) else "json"


# Chat


def _chat(values: dict[str, Any]) -> Asked:
    asked = Asked(stream=bool(values.get("stream")))
    names: dict[str, str] = {}
    for message in values.get("messages") or ():
        role, content = message.get("role"), message.get("content")
        if role in ("tool", "function"):
            name = message.get("name") if role == "function" else names.get(message.get("tool_call_id", ""), "")
            texts = [content] if isinstance(content, str) else [p.get("text") for p in content or ()]
            asked.say("user", "result", (name, leaves(_one(texts))))
            continue
        who = "system" if role in ("system", "developer") else "assistant" if role == "assistant" else "user"
        for part in content if isinstance(content, list) else [content] if content else []:
            _chat_part(asked, who, part)
        if message.get("refusal"):
            asked.say(who, "text", message["refusal"])
        for call in message.get("tool_calls") or ():
            inner = call.get("function") or call.get("custom")
            names[call.get("id", "")] = inner["name"]
            given = arguments(inner.get("arguments")) if "function" in call else {"input": inner.get("input")}
            asked.say(who, "call", (inner["name"], given))
        if message.get("function_call"):
            call = message["function_call"]
            asked.say(who, "call", (call["name"], arguments(call.get("arguments"))))
    for tool in values.get("tools") or ():
        if tool.get("type") == "function":
            function = tool["function"]
            name, rest = _tool(function["name"], function.get("description"), function.get("parameters"))
            asked.tools[name] = rest
    for function in values.get("functions") or ():
        name, rest = _tool(function["name"], function.get("description"), function.get("parameters"))
        asked.tools[name] = rest
    match values.get("tool_choice", values.get("function_call")):
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}:
            asked.choice = (mode, [tool["function"]["name"] for tool in tools])
        case {"function": {"name": name}} | {"name": name}:
            asked.choice = ("required", [name])
        case "any":
            asked.choice = "required"
        case str(mode):
            asked.choice = mode
    asked.limit = values.get("max_completion_tokens") or values.get("max_tokens")
    asked.temperature, asked.top_p = values.get("temperature"), values.get("top_p")
    stop = values.get("stop")
    asked.stop = [stop] if isinstance(stop, str) else list(stop or ())
    match values.get("response_format"):
        case {"type": "json_object"}:
            asked.form = "json"
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            asked.form = _form(schema)
    asked.effort = values.get("reasoning_effort")
    return asked


def _chat_part(asked: Asked, who: str, part: Any) -> None:
    match part:
        case str():
            asked.say(who, "text", part)
        case {"type": "text", "text": text} | {"type": "refusal", "refusal": text}:
            asked.say(who, "text", text)
        case {"type": "image_url", "image_url": {"url": url}} | {"type": "image_url", "image_url": str(url)}:
            asked.say(who, "image", media(url))
        case {"type": "input_audio", "input_audio": {"data": data, **rest}}:
            asked.say(who, "audio", media(data, f"audio/{rest.get('format', 'wav')}"))
        case {"type": "video_url", "video_url": {"url": url}}:
            asked.say(who, "video", media(url))
        case {"type": "file", "file": {"file_data": data}}:
            asked.say(who, "file", media(data))
        case {"type": "document_url", "document_url": str(url)} | {"type": "file_url", "file_url": {"url": url}}:
            asked.say(who, "file", media(url))
        case {"type": "file", "file": {"file_id": identity}}:
            asked.say(who, "file", identity)
        case {"type": "thinking"}:
            pass
        case _:
            asked.odd.append(f"a part {json.dumps(part)[:60]}")


# Responses


def _responses(values: dict[str, Any]) -> Asked:
    asked = Asked(stream=bool(values.get("stream")))
    if values.get("instructions"):
        asked.say("system", "text", values["instructions"])
    names: dict[str, str] = {}
    given = values.get("input")
    for item in given if isinstance(given, list) else [{"role": "user", "content": given}]:
        match item.get("type", "message"):
            case "message":
                role = item.get("role")
                who = "system" if role in ("system", "developer") else "assistant" if role == "assistant" else "user"
                content = item.get("content")
                for part in content if isinstance(content, list) else [{"type": "input_text", "text": content or ""}]:
                    _responses_part(asked, who, part)
            case "function_call":
                names[item["call_id"]] = item["name"]
                asked.say("assistant", "call", (item["name"], arguments(item.get("arguments"))))
            case "custom_tool_call":
                names[item["call_id"]] = item["name"]
                asked.say("assistant", "call", (item["name"], {"input": item.get("input")}))
            case "function_call_output" | "custom_tool_call_output":
                output = item.get("output")
                texts = [output] if isinstance(output, str) else [p.get("text") for p in output or () if "text" in p]
                asked.say("user", "result", (names.get(item["call_id"], ""), leaves(_one(texts))))
                for part in output if isinstance(output, list) else ():
                    if "text" not in part:
                        _responses_part(asked, "user", part)
            case "reasoning":
                pass
            case kind:
                asked.odd.append(f"an item {kind}")
    for tool in values.get("tools") or ():
        if tool.get("type") == "function":
            name, rest = _tool(tool["name"], tool.get("description"), tool.get("parameters"))
            asked.tools[name] = rest
    match values.get("tool_choice"):
        case {"type": "allowed_tools", "mode": mode, "tools": tools}:
            asked.choice = (mode, [tool.get("name") for tool in tools])
        case {"name": name}:
            asked.choice = ("required", [name])
        case str(mode):
            asked.choice = mode
    asked.limit = values.get("max_output_tokens")
    asked.temperature, asked.top_p = values.get("temperature"), values.get("top_p")
    match (values.get("text") or {}).get("format"):
        case {"type": "json_object"}:
            asked.form = "json"
        case {"type": "json_schema", "schema": schema}:
            asked.form = _form(schema)
    asked.effort = (values.get("reasoning") or {}).get("effort")
    return asked


def _responses_part(asked: Asked, who: str, part: Any) -> None:
    match part:
        case str():
            asked.say(who, "text", part)
        case {"type": "input_text" | "output_text" | "text", "text": text} | {"type": "refusal", "refusal": text}:
            asked.say(who, "text", text)
        case {"type": "input_image", **rest}:
            asked.say(who, "image", media(rest.get("image_url") or rest.get("file_id")))
        case {"type": "input_file", **rest}:
            asked.say(who, "file", media(rest.get("file_data") or rest.get("file_url") or rest.get("file_id")))
        case {"type": "input_audio", "input_audio": {"data": data, **rest}}:
            asked.say(who, "audio", media(data, f"audio/{rest.get('format', 'wav')}"))
        case _:
            asked.odd.append(f"a part {json.dumps(part)[:60]}")


# Messages


def _messages(values: dict[str, Any]) -> Asked:
    asked = Asked(stream=bool(values.get("stream")))
    system = values.get("system")
    for part in system if isinstance(system, list) else [{"type": "text", "text": system or ""}]:
        asked.say("system", "text", part.get("text"))
    names: dict[str, str] = {}
    for message in values.get("messages") or ():
        who, content = message["role"], message.get("content")
        for part in content if isinstance(content, list) else [{"type": "text", "text": content or ""}]:
            _messages_part(asked, names, who, part)
    for tool in values.get("tools") or ():
        if tool.get("type", "custom") == "custom":
            name, rest = _tool(tool["name"], tool.get("description"), tool.get("input_schema"))
            asked.tools[name] = rest
    match values.get("tool_choice"):
        case {"type": "tool", "name": name}:
            asked.choice = ("required", [name])
        case {"type": kind}:
            asked.choice = {"any": "required"}.get(kind, kind)
    asked.limit = values.get("max_tokens")
    asked.temperature, asked.top_p = values.get("temperature"), values.get("top_p")
    asked.stop = list(values.get("stop_sequences") or ())
    config = values.get("output_config") or {}
    form = config.get("format") or values.get("output_format")
    if form:
        asked.form = _form(form.get("schema"))
    asked.effort = config.get("effort")
    return asked


def _messages_part(asked: Asked, names: dict[str, str], who: str, part: Any) -> None:
    match part:
        case {"type": "text", "text": text}:
            asked.say(who, "text", text)
        case {"type": "image" | "document" as kind, "source": source}:
            kind = "image" if kind == "image" else "file"
            match source:
                case {"type": "base64", "data": data, "media_type": media_type}:
                    asked.say(who, kind, media(data, media_type))
                case {"type": "url", "url": url}:
                    asked.say(who, kind, url)
                case {"type": "text", "data": text}:
                    asked.say(who, kind, ("text/plain", squeezed(text)))
                case {"type": "file", "file_id": identity}:
                    asked.say(who, kind, identity)
                case {"type": "content", "content": content}:
                    for inner in content if isinstance(content, list) else [{"type": "text", "text": content}]:
                        _messages_part(asked, names, who, inner)
        case {"type": "tool_use", "id": identity, "name": name}:
            names[identity] = name
            asked.say(who, "call", (name, part.get("input") or {}))
        case {"type": "tool_result", "tool_use_id": identity}:
            content = part.get("content")
            texts = [content] if isinstance(content, str) else [p.get("text") for p in content or () if "text" in p]
            asked.say(who, "result", (names.get(identity, ""), leaves(_one(texts))))
            for inner in content if isinstance(content, list) else ():
                if "text" not in inner:
                    _messages_part(asked, names, who, inner)
        case {"type": "thinking" | "redacted_thinking"}:
            pass
        case {"type": kind}:
            asked.odd.append(f"a block {kind}")


# Gemini


_KEPT = frozenset({"args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema"})


def _camel(value: Any) -> Any:
    """The same with names of members in camelCase: clients mix both. Schemas, arguments and results stay."""
    if isinstance(value, list):
        return [_camel(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, inner in value.items():
        head, *rest = name.split("_")
        name = head + "".join(word.capitalize() for word in rest)
        found[name] = inner if name in _KEPT else _camel(inner)
    return found


def _gemini(values: dict[str, Any]) -> Asked:
    values = _camel(values)
    asked = Asked()
    system = values.get("systemInstruction")
    for part in _gemini_parts(system):
        asked.say("system", "text", part.get("text"))
    contents = values.get("contents")
    for content in contents if isinstance(contents, list) else [contents]:
        content = content if isinstance(content, dict) else {"parts": [{"text": content}]}
        who = "assistant" if content.get("role") == "model" else "user"
        for part in _gemini_parts(content):
            _gemini_part(asked, who, part)
    for tool in values.get("tools") or ():
        for function in tool.get("functionDeclarations") or ():
            schema = function.get("parametersJsonSchema") or function.get("parameters")
            name, rest = _tool(function["name"], function.get("description"), schema)
            asked.tools[name] = rest
    calling = (values.get("toolConfig") or {}).get("functionCallingConfig") or {}
    mode = {"ANY": "required", "NONE": "none"}.get(str(calling.get("mode", "AUTO")).upper(), "auto")
    asked.choice = (mode, calling["allowedFunctionNames"]) if calling.get("allowedFunctionNames") else mode
    config = values.get("generationConfig") or {}
    asked.limit, asked.temperature, asked.top_p = (
        config.get("maxOutputTokens"), config.get("temperature"), config.get("topP"),
    )  # fmt: skip
    asked.stop = list(config.get("stopSequences") or ())
    if config.get("responseMimeType") == "application/json":
        schema = config.get("responseJsonSchema") or config.get("responseSchema")
        asked.form = _form(schema) if schema else "json"
    return asked


def _gemini_parts(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"text": content}]
    parts = content.get("parts") if isinstance(content, dict) else content
    found = parts if isinstance(parts, list) else [parts] if parts else []
    return [{"text": part} if isinstance(part, str) else part for part in found]


def _gemini_part(asked: Asked, who: str, part: dict[str, Any]) -> None:
    if part.get("thought"):
        return
    match part:
        case {"text": text}:
            asked.say(who, "text", text)
        case {"inlineData": {"data": data, "mimeType": kind}}:
            asked.say(who, _kind(kind), media(data, kind))
        case {"fileData": {"fileUri": uri, **rest}}:
            asked.say(who, _kind(str(rest.get("mimeType") or "")), uri)
        case {"functionCall": {"name": name, **rest}}:
            asked.say(who, "call", (name, rest.get("args") or {}))
        case {"functionResponse": {"name": name, **rest}}:
            asked.say(who, "result", (name, leaves(rest.get("response"))))
            for inner in rest.get("parts") or ():
                _gemini_part(asked, who, inner)
        case {"thoughtSignature": _}:
            pass
        case _:
            asked.odd.append(f"a part {sorted(part)}")


def _kind(media_type: str) -> str:
    head = media_type.partition("/")[0]
    return head if head in ("image", "audio", "video") else "file"


# Converse


def _converse(values: dict[str, Any]) -> Asked:
    asked = Asked()
    for block in values.get("system") or ():
        if block.get("text") != "Answer without calling a tool.":
            asked.say("system", "text", block.get("text", ""))
    names: dict[str, str] = {}
    for message in values["messages"]:
        blocks = message["content"]
        if any("document" in block for block in blocks) and blocks[-1] == {"text": "."}:
            blocks = blocks[:-1]
        for block in blocks:
            _converse_block(asked, names, message["role"], block)
    config = values.get("toolConfig") or {}
    for tool in config.get("tools") or ():
        if "toolSpec" in tool:
            one = tool["toolSpec"]
            name, rest = _tool(one["name"], one.get("description"), one["inputSchema"]["json"])
            asked.tools[name] = rest
    match config.get("toolChoice"):
        case {"tool": {"name": name}}:
            asked.choice = ("required", [name])
        case {"any": _}:
            asked.choice = "required"
    inference = values.get("inferenceConfig") or {}
    asked.limit, asked.temperature, asked.top_p = (inference.get(name) for name in ("maxTokens", "temperature", "topP"))
    asked.stop = list(inference.get("stopSequences") or ())
    form = (values.get("outputConfig") or {}).get("textFormat")
    if form:
        asked.form = _form(json.loads(form["structure"]["jsonSchema"]["schema"]))
    return asked


def _converse_block(asked: Asked, names: dict[str, str], who: str, block: dict[str, Any]) -> None:
    match block:
        case {"text": text}:
            asked.say(who, "text", text)
        case {"toolUse": {"toolUseId": identity, "name": name, "input": given}}:
            names[identity] = name
            asked.say(who, "call", (name, given))
        case {"toolResult": {"toolUseId": identity, "content": content}}:
            texts = [inner["text"] for inner in content if "text" in inner]
            asked.say(who, "result", (names.get(identity, ""), leaves(_one(texts))))
            for inner in content:
                if "text" not in inner:
                    _converse_block(asked, names, who, inner)
        case {"image": one} | {"audio": one} | {"video": one} | {"document": one}:
            kind = next(iter(block)).replace("document", "file")
            media_type = "text/plain" if one["format"] in ("txt", "csv", "md", "html") else f"{kind}/{one['format']}"
            asked.say(who, kind, media(one["source"]["bytes"], media_type))
        case {"reasoningContent": _} | {"cachePoint": _}:
            pass
        case _:
            asked.odd.append(f"a block {sorted(block)}")


_READ = {"chat": _chat, "responses": _responses, "messages": _messages, "gemini": _gemini, "converse": _converse}


# Where calls and their results stand


def misplaced(dialect: str, values: dict[str, Any]) -> list[str]:
    """What a vendor would refuse about the order of calls and results, in a request where each call has a result."""
    return list(dict.fromkeys(_PLACES[dialect](values)))


def _chat_places(values: dict[str, Any]) -> Iterator[str]:
    waiting: list[str] = []
    for message in values["messages"]:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                yield "a result without its call before it"
            else:
                waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            yield "a call without its result after it"
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
        if len(set(waiting)) != len(waiting) or "" in waiting:
            yield "calls without ids of their own"
    if waiting:
        yield "a call without its result after it"


def _responses_places(values: dict[str, Any]) -> Iterator[str]:
    waiting: list[str] = []
    for item in values["input"] if isinstance(values["input"], list) else ():
        kind = item.get("type", "message")
        if kind in ("function_call", "custom_tool_call"):
            waiting.append(item["call_id"])
        elif kind in ("function_call_output", "custom_tool_call_output"):
            if item["call_id"] not in waiting:
                yield "a result without its call before it"
            else:
                waiting.remove(item["call_id"])
    if waiting:
        yield "a call without its result after it"


def _messages_places(values: dict[str, Any]) -> Iterator[str]:
    waiting: list[str] = []
    last = ""
    for message in values["messages"]:
        if message["role"] == last == "user" and not waiting:
            yield "two turns of the user's in a row"
        last = message["role"]
        content = message["content"] if isinstance(message["content"], list) else []
        kinds = [block["type"] for block in content]
        results = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
        if sorted(results) != sorted(waiting):
            yield f"results {results} after calls {waiting}"
        if results and kinds[: len(results)] != ["tool_result"] * len(results):
            yield "results after something else"
        waiting = [block["id"] for block in content if block["type"] == "tool_use"]
        if "tool_use" in kinds and set(kinds[kinds.index("tool_use") :]) != {"tool_use"}:
            yield "something after the calls"
        if any(block["type"] == "text" and not block["text"].strip() for block in content):
            yield "a text of nothing"
    if waiting:
        yield "a call without its result after it"


def _gemini_places(values: dict[str, Any]) -> Iterator[str]:
    waiting: list[str] = []
    last, answered = "", False
    for content in values["contents"]:
        if content.get("role") == last and not answered:  # what follows results may be a turn of its own
            yield f"two turns of {last} in a row"
        last = content.get("role", "")
        results = [part["functionResponse"]["name"] for part in content["parts"] if "functionResponse" in part]
        if results != waiting:
            yield f"results {results} after calls {waiting}"
        answered = len(results) == len(content["parts"]) > 0
        waiting = [part["functionCall"]["name"] for part in content["parts"] if "functionCall" in part]
        if not content["parts"]:
            yield "a turn of no parts"
    if waiting:
        yield "a call without its result after it"


def _converse_places(values: dict[str, Any]) -> Iterator[str]:
    waiting: list[str] = []
    roles = [message["role"] for message in values["messages"]]
    if roles[0] != "user" or any(one == other for one, other in pairwise(roles)):
        yield f"turns {roles}"
    for message in values["messages"]:
        kinds = [next(iter(block)) for block in message["content"]]
        results = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
        if sorted(results) != sorted(waiting):
            yield f"results {results} after calls {waiting}"
        if results and kinds[: len(results)] != ["toolResult"] * len(results):
            yield "results after something else"
        waiting = [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]
        if any(not block["text"].strip() for block in message["content"] if "text" in block):
            yield "a text of nothing"
    if waiting:
        yield "a call without its result after it"


_PLACES = {
    "chat": _chat_places, "responses": _responses_places, "messages": _messages_places, "gemini": _gemini_places,
    "converse": _converse_places,
}  # fmt: skip
