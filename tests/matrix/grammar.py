"""What a streamed reply of each dialect must look like, beyond what it says. Own code: nothing of the gateway's.

`problems(book, dialect, text, …)` names everything that is wrong with a stream as the gateway wrote it. A stream that
an error ended must be right as far as it went, and end in that error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from .read import frames
from .schemas import Book

Checker = Callable[[Book, str, bool, bool, bool], Iterator[str]]


def problems(
    book: Book, dialect: str, text: str, *, wants_usage: bool = True, broken: bool = False, known: bool = True
) -> list[str]:
    """wants_usage: of Chat: a usage frame was asked for · broken: the stream ends in an error frame · known: the
    provider has told its usage."""
    return list(dict.fromkeys(_CHECKS[dialect](book, text, wants_usage, broken, known)))


def whole_problems(book: Book, dialect: str, values: dict[str, Any]) -> list[str]:
    """What is wrong with a whole reply as the gateway wrote it."""
    found = [book.reply(dialect, values)]
    if dialect == "responses":
        items = [item.get("id") for item in values.get("output", ())]
        if len(set(items)) != len(items):
            found.append("two items with one id")
        text = "".join(
            part.get("text", "")
            for item in values.get("output", ())
            if item.get("type") == "message"
            for part in item["content"]
            if part["type"] == "output_text"
        )
        if "output_text" in values and values["output_text"] != text:
            found.append("output_text is not the text")
    if dialect == "messages":
        found += [f"a {block['type']} block is no object" for block in values["content"] if not isinstance(block, dict)]
        if any(block["type"] == "text" and not block["text"] for block in values["content"]):
            found.append("an empty text block")
    return [problem for problem in found if problem]


def _loaded(text: str, found: list[tuple[str | None, Any]]) -> Iterator[str]:
    if text and not text.endswith(("\n\n", "\r\n\r\n")):
        yield "the last frame has no blank line"
    for name, data in frames(text):
        try:
            found.append((name, "[DONE]" if data == "[DONE]" else json.loads(data)))
        except ValueError:
            yield f"no JSON: {data[:60]}"


def _chat(book: Book, text: str, wants_usage: bool, broken: bool, known: bool) -> Iterator[str]:
    found: list[tuple[str | None, Any]] = []
    yield from _loaded(text, found)
    if any(name for name, _ in found):
        yield "named events"
    values = [data for _, data in found]
    if broken:
        if not values or not isinstance(values[-1], dict) or "error" not in values[-1]:
            yield "the last frame is no error"
        values = values[:-1]
    elif not values or values.pop() != "[DONE]":
        yield "the last frame is not [DONE]"
    if "[DONE]" in values:
        yield "[DONE] amid the stream"
    chunks = [data for data in values if isinstance(data, dict)]
    for name in ("id", "created", "model", "object"):
        if len({json.dumps(chunk.get(name)) for chunk in chunks}) > 1:
            yield f"{name} changes"
    usages = [place for place, chunk in enumerate(chunks) if not chunk.get("choices")]
    if not broken and wants_usage and usages != ([len(chunks) - 1] if known else []):
        yield f"usage frames at {usages} of {len(chunks)}"
    if not wants_usage and any("usage" in chunk for chunk in chunks):
        yield "usage that was not asked for"
    saids: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        problem = book.frame("chat", chunk)
        if problem:
            yield problem
        if wants_usage and chunk["choices"] and chunk.get("usage", 0) is not None:
            yield "a chunk with choices lacks usage: null"
        for choice in chunk["choices"]:
            yield from _chat_choice(saids, choice)
    if not broken:
        if not saids:
            yield "no choice"
        yield from (f"choice {index} has no end" for index, said in saids.items() if not said["ended"])


def _chat_choice(saids: dict[int, dict[str, Any]], choice: dict[str, Any]) -> Iterator[str]:
    delta, index = choice["delta"], choice["index"]
    if index not in saids:
        saids[index] = {"ended": False, "calls": 0}
        if delta.get("role") != "assistant":
            yield "the first delta has no role"
    elif "role" in delta:
        yield "a second role"
    said = saids[index]
    if said["ended"]:
        yield "a delta after the end of its choice"
    for call in delta.get("tool_calls") or ():
        inner = call.get("function") or call.get("custom") or {}
        if call["index"] == said["calls"]:
            said["calls"] += 1
            if not call.get("id") or not call.get("type") or not inner.get("name"):
                yield f"the first delta of a call lacks id, type or name: {sorted(call)}"
        elif call["index"] > said["calls"]:
            yield "a call's index skips"
        elif "id" in call or "type" in call or "name" in inner:
            yield "a later delta of a call repeats its id, type or name"
    if choice["finish_reason"] is not None:
        said["ended"] = True
        if delta:
            yield "the last delta is not empty"


_MESSAGES_DELTAS = {
    "text": {"text_delta", "citations_delta"}, "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"}, "server_tool_use": {"input_json_delta"},
}  # fmt: skip


def _messages(book: Book, text: str, wants_usage: bool, broken: bool, known: bool) -> Iterator[str]:
    found: list[tuple[str | None, Any]] = []
    yield from _loaded(text, found)
    if any(name != data.get("type") for name, data in found):
        yield "an event's name is not its type"
    events = [data for _, data in found if data.get("type") != "ping"]
    if broken:
        if not events or events[-1].get("type") != "error":
            yield "the last frame is no error"
        events = events[:-1]
    elif not events or events[-1]["type"] != "message_stop":
        yield "the last frame is not message_stop"
    if not events:
        return
    kinds = [event["type"] for event in events]
    if kinds[0] != "message_start":
        yield "the first frame is not message_start"
    for kind, most in (("message_start", 1), ("message_delta", 1), ("message_stop", 1)):
        if kinds.count(kind) > most or (kinds.count(kind) < most and not broken):
            yield f"{kinds.count(kind)} {kind}"
    start = events[0].get("message", {})
    if start.get("content") != [] or start.get("stop_reason") is not None:
        yield "message_start is not empty"
    open_block: int | None = None
    kind, last, count = "", "", 0
    for event in events:
        problem = book.frame("messages", event)
        if problem:
            yield problem
        match event["type"]:
            case "content_block_start":
                if open_block is not None:
                    yield "two open blocks"
                if event["index"] != count:
                    yield "a block's index skips"
                open_block, kind, last = event["index"], event["content_block"]["type"], ""
                count += 1
                if kind == "tool_use" and event["content_block"].get("input") != {}:
                    yield "a tool_use does not start with input {}"
            case "content_block_delta":
                if event["index"] != open_block:
                    yield "a delta for no open block"
                if event["delta"]["type"] not in _MESSAGES_DELTAS.get(kind, ()):
                    yield f"a {event['delta']['type']} in a {kind} block"
                if last == "signature_delta":
                    yield "a delta after the signature"
                last = event["delta"]["type"]
            case "content_block_stop":
                if event["index"] != open_block:
                    yield "a stop of no open block"
                open_block = None
            case "message_delta":
                if open_block is not None:
                    yield "message_delta amid a block"
                if not event["delta"].get("stop_reason"):
                    yield "message_delta without stop_reason"
                if not isinstance(event["usage"].get("output_tokens"), int):
                    yield "message_delta without output_tokens"
    if open_block is not None and not broken:
        yield "a block without its stop"


def _responses(book: Book, text: str, wants_usage: bool, broken: bool, known: bool) -> Iterator[str]:
    found: list[tuple[str | None, Any]] = []
    yield from _loaded(text, found)
    if found and found[-1][1] == "[DONE]":
        yield "[DONE]"
        found.pop()
    if any(name != data.get("type") for name, data in found):
        yield "an event's name is not its type"
    events = [data for _, data in found]
    numbers = [event.get("sequence_number") for event in events]
    if broken:
        last = events[-1] if events else {}
        if last.get("type") not in ("error", "response.failed"):
            yield "the last frame is no error"
        while events and events[-1].get("type") in ("error", "response.failed"):
            events.pop()
    if not events:
        if not broken:
            yield "no events"
        return
    if numbers != list(range(len(numbers))):
        yield f"sequence numbers are not 0, 1, 2: {numbers[:5]}"
    kinds = [event["type"] for event in events]
    if kinds[:2] != ["response.created", "response.in_progress"][: len(kinds)]:
        yield f"begins with {kinds[:2]}"
    terminal = {"response.completed", "response.incomplete", "response.failed"}
    if not broken and (kinds[-1] not in terminal or len(terminal.intersection(kinds)) != 1):
        yield f"ends with {kinds[-1]}"
    for event in events:
        problem = book.frame("responses", event)
        if problem:
            yield problem
    if not events[0].get("response"):
        return
    if events[0]["response"].get("usage") is not None or events[0]["response"].get("output") != []:
        yield "response.created is not empty"
    responses = [event["response"] for event in events if event.get("response")]
    if len({(response.get("id"), response.get("model")) for response in responses}) > 1:
        yield "the response's names change"
    items = _Items()
    for event in events:
        yield from items.take(event)
    if broken:
        return
    yield from items.end()
    final = events[-1]["response"]
    if final["output"] != items.done:
        yield "the terminal response is not what was streamed"
    if known and final.get("usage") is None:
        yield "the terminal response has no usage"


class _Items:
    """The life of each item: added, its parts and deltas, done; in order of output_index, one part open at a time."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.open: dict[int, dict[str, Any]] = {}
        self.count = 0
        self.parts: dict[tuple[int, str, int], str] = {}  # open parts and texts: what their deltas made
        self.ids: set[str] = set()

    def take(self, event: dict[str, Any]) -> Iterator[str]:
        kind, index = event["type"], event.get("output_index")
        if index is None:
            return
        if kind == "response.output_item.added":
            if index != self.count:
                yield "an item's index skips"
            if event["item"]["id"] in self.ids:
                yield "two items with one id"
            self.ids.add(event["item"]["id"])
            self.count += 1
            self.open[index] = event["item"]
            yield from _fresh(event["item"])
            return
        if index not in self.open:
            yield f"{kind} for no open item"
            return
        item = self.open[index]
        if "item_id" in event and event["item_id"] != item["id"]:
            yield "an item_id is not its item's"
        if kind == "response.output_item.done":
            if any(at[0] == index for at in self.parts):
                yield "an item is done before its parts"
            if event["item"]["id"] != item["id"]:
                yield "an item is done with another id"
            while len(self.done) < index:
                yield "items are done out of order"
                self.done.append(None)
            self.done.append(event["item"])
            del self.open[index]
            return
        yield from self._part(kind.removeprefix("response."), index, event)

    def _part(self, kind: str, index: int, event: dict[str, Any]) -> Iterator[str]:
        name, _, step = kind.rpartition(".")
        place = event.get("content_index", event.get("summary_index", 0))
        if name in ("content_part", "reasoning_summary_part"):
            at = (index, name, place)
            if step == "added":
                if any(other[0] == index for other in self.parts):
                    yield "two open parts of one item"
                self.parts[at] = ""
                if event["part"].get("text") or event["part"].get("refusal"):
                    yield "a part is added with text"
            elif at not in self.parts:
                yield f"{kind} of no open part"
            else:
                made = self.parts.pop(at)
                if event["part"].get("text", event["part"].get("refusal")) != made:
                    yield f"{kind} is not what its deltas made"
            return
        whole_text = {"output_text": "text", "refusal": "refusal", "reasoning_summary_text": "text", "reasoning_text": "text",
                      "function_call_arguments": "arguments", "custom_tool_call_input": "input"}.get(name)  # fmt: skip
        if whole_text is None:
            return
        if name in ("function_call_arguments", "custom_tool_call_input"):
            at = (index, name, 0)
            self.parts.setdefault(at, "")
        else:
            at = (index, "reasoning_summary_part" if "summary" in name else "content_part", place)
        if at not in self.parts:
            yield f"{kind} outside a part"
        elif step == "delta":
            self.parts[at] += event["delta"]
        elif event.get(whole_text) != self.parts[at]:
            yield f"{kind} is not what its deltas made"
        if step == "done" and name in ("function_call_arguments", "custom_tool_call_input"):
            self.parts.pop(at, None)

    def end(self) -> Iterator[str]:
        if self.open:
            yield f"{len(self.open)} items are not done"


def _fresh(item: dict[str, Any]) -> Iterator[str]:
    """What an item says too early."""
    if item.get("content") or item.get("summary") or item.get("arguments"):
        yield f"a {item['type']} is added with its content"
    if item.get("status") not in (None, "in_progress"):
        yield f"a {item['type']} is added as {item['status']}"


def _gemini(book: Book, text: str, wants_usage: bool, broken: bool, known: bool) -> Iterator[str]:
    found: list[tuple[str | None, Any]] = []
    if text.startswith("["):
        try:
            found = [(None, data) for data in json.loads(text)]
        except ValueError:
            yield "the array is no JSON"
            return
    else:
        yield from _loaded(text, found)
    if any(name for name, _ in found):
        yield "named events"
    chunks = [data for _, data in found]
    if "[DONE]" in chunks:
        yield "[DONE]"
        return
    if broken:
        if not chunks or "error" not in chunks[-1]:
            yield "the last frame is no error"
        chunks = chunks[:-1]
    elif not chunks:
        yield "no chunk"
    ended: set[int] = set()
    for chunk in chunks:
        problem = book.frame("gemini", chunk)
        if problem:
            yield problem
        if not chunk.get("candidates") and not chunk.get("promptFeedback") and chunk is not chunks[-1]:
            yield "a chunk without candidates"
        for candidate in chunk.get("candidates") or ():
            index = candidate.get("index", 0)
            if index in ended:
                yield "a chunk after the end of its candidate"
            if candidate.get("finishReason"):
                ended.add(index)
            if "content" in candidate and candidate["content"].get("role") != "model":
                yield "a content without its role"
            for part in (candidate.get("content") or {}).get("parts") or ():
                if "functionCall" in part and not isinstance(part["functionCall"].get("args", {}), dict):
                    yield "arguments that are no object"
    for name in ("responseId", "modelVersion"):
        if len({chunk.get(name) for chunk in chunks}) > 1:
            yield f"{name} changes"
    if not broken and chunks:
        if not ended and not chunks[-1].get("promptFeedback"):
            yield "no finishReason"
        last = chunks[-1]
        if not last.get("promptFeedback") and not any(c.get("finishReason") for c in last.get("candidates") or ()):
            yield "the last chunk has no finishReason"
        if known and "usageMetadata" not in chunks[-1]:
            yield "the last chunk has no usageMetadata"


_CHECKS: dict[str, Checker] = {"chat": _chat, "messages": _messages, "responses": _responses, "gemini": _gemini}
