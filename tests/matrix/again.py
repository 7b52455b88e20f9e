"""The next turn: a client of every dialect sends a recorded answer back with the results of its tools, and the provider
must see its own thoughts and seals again, byte for byte, and the calls before their results."""

from __future__ import annotations

import json
import random
from typing import Any

from gateway.call import Call, Fault, Leg, Meter
from gateway.dialects import bridge

from . import asked, keep, read
from .recordings import Recording
from .replies import MODEL, call, leg, through
from .schemas import Book

RESULT = "seventeen"


def sealed(one: Recording) -> bool:
    """Whether an answer holds something that only its maker may see again."""
    return one.dialect != "chat" and one.status < 300 and bool(_seals(one.dialect, _made(one)))


def _made(one: Recording) -> list[dict[str, Any]]:
    """What the provider said, in its own parts; of an answer that broke off nothing."""
    text = one.body.decode()
    if not one.answers_streamed:
        return _said(one.dialect, json.loads(text))
    return [] if read.stream(one.dialect, text).error else _said(one.dialect, keep.kept(one.dialect, text))


def problems(book: Book, one: Recording, client: str, streamed: bool, chance: random.Random) -> list[str]:
    """What is wrong with the next turn as the answer's own provider gets it."""
    question = _question(client)
    first, taken = call(client, question, stream=streamed), leg(one.dialect, one.model, one.provider)
    try:
        reply = _streamed(first, taken, one.body, chance) if streamed else _whole(first, taken, one.body)
    except Fault:
        return []
    second = call(client, _next(client, reply))
    try:
        bridge.screen(second, taken)
    except bridge.Refused as refused:
        return [f"the next turn is refused: {refused.message}"]
    body = json.loads(bridge.encode(second, taken))
    found = [problem for problem in (book.request(one.dialect, body),) if problem]
    found += asked.misplaced(one.dialect, body)
    want = _seals(one.dialect, _made(one))
    got = _seals(one.dialect, _history(one.dialect, body))
    if streamed:  # deltas may leave open to which of two texts a seal belongs
        names = {value[0] for _, kind, value in asked.read(one.dialect, body).turns if kind == "call"}
        want, got = ([(on if on in names else "", seal) for on, seal in seals] for seals in (want, got))
    if got != want:
        found.append(f"seals are {_short(got)} instead of {_short(want)}")
    turns = asked.read(one.dialect, body).turns
    names = [value[0] for _, kind, value in turns if kind == "call"]
    results = [value[0] for _, kind, value in turns if kind == "result"]
    if names != results:
        found.append(f"calls {names} have results {results}")
    said = "".join(value for who, kind, value in turns if (who, kind) == ("user", "text"))
    if turns[0][:2] != ("user", "text") or said != ("hi" if results else "higoon"):
        found.append(f"the turns are {str(turns)[:200]}")
    return found


def _whole(first: Call, taken: Leg, body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bridge.whole(first, taken, body, Meter()))
    return found


def _streamed(first: Call, taken: Leg, body: bytes, chance: random.Random) -> dict[str, Any]:
    feed = through(bridge.feed(first, taken, {}), body, chance)
    if feed.fault is not None:
        raise feed.fault
    assert feed.tail is not None
    return keep.kept(first.dialect, b"".join([*feed.out, feed.tail]).decode())


def _short(seals: list[tuple[str, str]]) -> str:
    return str([(on, seal[:16]) for on, seal in seals])


def _question(client: str) -> dict[str, Any]:
    match client:
        case "responses":
            return {
                "model": MODEL,
                "input": [{"role": "user", "content": "hi"}],
                "include": ["reasoning.encrypted_content"],
            }
        case "gemini":
            return {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
        case _:
            return {"model": MODEL, "max_tokens": 9000, "messages": [{"role": "user", "content": "hi"}]}


def _next(client: str, reply: dict[str, Any]) -> dict[str, Any]:
    """The request that follows a reply: all of it, and a result for each call, else more words of the user."""
    body = _question(client)
    match client:
        case "chat":
            message = reply["choices"][0]["message"]
            calls = message.get("tool_calls") or ()
            body["messages"] += [message]
            body["messages"] += [{"role": "tool", "tool_call_id": one["id"], "content": RESULT} for one in calls]
            body["messages"] += [] if calls else [{"role": "user", "content": "go on"}]
        case "responses":
            calls = [item for item in reply["output"] if item["type"] == "function_call"]
            body["input"] += reply["output"]
            body["input"] += [
                {"type": "function_call_output", "call_id": one["call_id"], "output": RESULT} for one in calls
            ]
            body["input"] += [] if calls else [{"role": "user", "content": "go on"}]
        case "messages":
            calls = [block for block in reply["content"] if block["type"] == "tool_use"]
            results = [{"type": "tool_result", "tool_use_id": one["id"], "content": RESULT} for one in calls]
            body["messages"] += [{"role": "assistant", "content": reply["content"]}] if reply["content"] else []
            body["messages"] += [{"role": "user", "content": results or "go on"}]
        case _:
            content = (reply.get("candidates") or [{}])[0].get("content") or {"role": "model", "parts": []}
            calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
            results = [
                {"functionResponse": {"name": one["name"], "response": {"output": RESULT}, **_id(one)}} for one in calls
            ]
            body["contents"] += [content] if content["parts"] else []
            body["contents"] += [{"role": "user", "parts": results or [{"text": "go on"}]}]
    return body


def _id(call: dict[str, Any]) -> dict[str, Any]:
    return {"id": call["id"]} if "id" in call else {}


def _said(dialect: str, reply: dict[str, Any]) -> list[dict[str, Any]]:
    match dialect:
        case "responses":
            return list(reply.get("output") or ())
        case "messages":
            return list(reply.get("content") or ())
        case "gemini":
            return list(((reply.get("candidates") or [{}])[0].get("content") or {}).get("parts") or ())
        case _:
            return []


def _history(dialect: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    match dialect:
        case "responses":
            return list(body["input"])
        case "messages":
            found = [message["content"] for message in body["messages"] if message["role"] == "assistant"]
            return [block for content in found if isinstance(content, list) for block in content]
        case "gemini":
            return [part for content in body["contents"] if content.get("role") == "model" for part in content["parts"]]
        case _:
            return []


def _seals(dialect: str, parts: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(what it is on, the seal) of each sealed part."""
    found = []
    for part in parts:
        match dialect, part:
            case "messages", {"type": "thinking", "signature": str(seal)}:
                found.append((asked.squeezed(part["thinking"]), seal))
            case "messages", {"type": "redacted_thinking", "data": str(seal)}:
                found.append(("redacted", seal))
            case "responses", {"type": "reasoning", "encrypted_content": str(seal)}:
                found.append(("reasoning", seal))
            case "gemini", {"thoughtSignature": str(seal)} if part.keys() & {"functionCall", "text", "thought"}:
                inner = part.get(
                    "functionCall"
                )  # those of hosted tools' steps and of images stay with Gemini's clients
                found.append((inner["name"] if inner else asked.squeezed(part.get("text", "")), seal))
    return found
