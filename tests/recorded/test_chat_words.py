"""Recorded Chat traffic in neutral words: replies against a small reader of the test's own, requests against what is
rendered from them again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.call import Fault
from gateway.dialects import openai_chat
from gateway.neutral.events import fold, unfold
from gateway.neutral.parts import Reasoning, Text, ToolCall
from gateway.neutral.reply import ChatReply
from tests.dialects.test_openai_chat_words import frames_of, leg
from tests.recorded.cassettes import interactions

Said = dict[int, tuple[str, str, list[tuple[str, str]]]]
"""For each choice: text, thoughts, calls as (name, arguments)."""


def neutral(reply: ChatReply) -> Said:
    return {
        number: (
            "".join(part.text for part in one.parts if isinstance(part, Text)),
            "".join(part.text for part in one.parts if isinstance(part, Reasoning)),
            [(part.name, part.arguments) for part in one.parts if isinstance(part, ToolCall)],
        )
        for number, one in enumerate(reply.choices)
    }


def texts(content: Any, kind: str = "text") -> str:
    if isinstance(content, str):
        return content if kind == "text" else ""
    found = ""
    for part in content or ():
        inner = part.get(kind)
        if part["type"] == kind:
            found += inner if isinstance(inner, str) else texts(inner)
    return found


def thought(message: dict[str, Any]) -> str:
    details = message.get("reasoning_details") or []
    told = "".join(item.get("text") or item.get("summary") or "" for item in details)
    told = told or message.get("reasoning_content") or message.get("reasoning") or ""
    return told + texts(message.get("content"), "thinking")


def calls_of(message: dict[str, Any]) -> list[tuple[str, str]]:
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    calls += [message["function_call"]] if message.get("function_call") else []
    return [(call["name"], as_text(call.get("arguments"))) for call in calls]


def as_text(arguments: Any) -> str:
    return (
        arguments if isinstance(arguments, str) else json.dumps(arguments, separators=(",", ":")) if arguments else ""
    )


def joined(events: list[dict[str, Any]]) -> Said:
    """What the frames of a stream say, read plainly: calls by their index."""
    found: dict[int, dict[str, Any]] = {}
    for event in events:
        for choice in event.get("choices") or ():
            to = found.setdefault(choice.get("index", 0), {"text": "", "thought": "", "calls": {}})
            delta = choice.get("delta") or {}
            to["text"] += texts(delta.get("content"))
            to["thought"] += thought(delta)
            calls = list(delta.get("tool_calls") or ())
            if delta.get("function_call"):
                calls.append({"index": "old", "function": delta["function_call"]})
            for call in calls:
                place = call["index"] if "index" in call else call["id"]
                name, arguments = to["calls"].get(place, ("", ""))
                more = as_text(call["function"].get("arguments"))
                to["calls"][place] = (name or call["function"].get("name") or "", arguments + more)
    return {number: (to["text"], to["thought"], list(to["calls"].values())) for number, to in sorted(found.items())}


def data_of(stream: str) -> list[dict[str, Any]]:
    blocks = re.split(r"\r?\n\r?\n", stream)
    found = ["\n".join(re.findall(r"^data: ?(.*?)\r?$", block, re.M)) for block in blocks]
    return [json.loads(data) for data in found if data and data != "[DONE]"]


def usage_of(events: list[dict[str, Any]]) -> tuple[int, int] | None:
    """Input and output as told; the total minus the input where it says that output was more (thoughts, at xAI)."""
    last = None
    for event in events:
        last = event.get("usage") or (event.get("x_groq") or {}).get("usage") or last
    if last is None:
        return None
    given, taken = last["prompt_tokens"], last["completion_tokens"]
    rest = last["total_tokens"] - given - taken
    heard = (last.get("prompt_tokens_details") or {}).get("audio_tokens")
    return (given + rest, taken) if rest and rest == heard else (given, taken + rest)


def check(reply: ChatReply, said: Said, usage: tuple[int, int] | None) -> str | None:
    if neutral(reply) != said:
        return f"said {neutral(reply)} instead of {said}"
    told = (reply.usage.input, reply.usage.output) if reply.usage is not None else None
    if told != usage:
        return f"took {told} instead of {usage}"
    for number, (_, _, calls) in said.items():
        finish = reply.choices[number].finish
        if bool(calls) != (finish.reason == "tool_calls") and finish.reason not in ("length", "error", "filtered"):
            return f"ended by {finish}"
    return None


def again(reply: ChatReply) -> Iterator[ChatReply]:
    """The reply as a Chat client gets it from another dialect, whole and in frames."""
    yield openai_chat.parse_reply(openai_chat.render_reply(reply, {}))
    out = openai_chat.writer({"stream_options": {"include_usage": True}})
    yield fold(frames_of(b"".join(map(out.write, unfold(reply))), 100))


def attempt(one: dict[str, Any]) -> str | None:
    response = one["response"]
    if response["status"] >= 400:
        return None
    kind, payload = one["kind"], one["payload"]
    body: bytes = "".join(payload).encode() if kind == "sse" else payload
    if kind != "sse":
        values = json.loads(body)
        if values.get("error"):
            return None
        reply = openai_chat.parse_reply(values)
        said = {
            place: (texts(message.get("content")), thought(message), calls_of(message))
            for place, message in enumerate(choice.get("message") or {} for choice in values["choices"])
        }
        usage = usage_of([values])
    else:
        events = data_of(body.decode())
        broken = any(event.get("error") for event in events) or not (
            b"[DONE]" in body or any(c.get("finish_reason") for event in events for c in event.get("choices") or ())
        )
        try:
            reply = fold(frames_of(body, 4096))
        except Fault:
            return None if broken else "a good stream is refused"
        if broken:
            return "a broken stream is taken for whole"
        said, usage = joined(events), usage_of(events)
    problem = check(reply, said, usage)
    if problem is None:
        for other in again(reply):
            problem = problem or check(other, said, usage)
        problem = problem and f"told again: {problem}"
    return problem


def test_recorded_replies(shared: Path) -> None:
    tried, wrong = 0, []
    for name, one in interactions(shared, "openai-chat", "chat.completions"):
        problem = attempt(one)
        tried += 1
        if problem:
            wrong.append(f"{name}: {problem[:600]}")
    print(f"recorded chat replies in neutral words: {tried} tried, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong[:20])
    assert tried > 400


MEDIA = ("image_url", "input_audio", "file", "video_url", "file_url", "document_url")
SAME = (
    "model", "temperature", "top_p", "seed", "presence_penalty", "frequency_penalty", "reasoning_effort", "user",
    "metadata", "service_tier", "verbosity", "response_format", "logprobs", "top_logprobs", "parallel_tool_calls",
    "prompt_cache_key", "random_seed", "web_search_options", "prediction", "modalities", "audio", "min_p", "stream",
    "reasoning_format", "transforms",
)  # fmt: skip


def gist(body: dict[str, Any]) -> dict[str, Any]:
    """What a request means, however it is spelled: whose text, which media, calls and results in which order."""
    turns: list[Any] = []
    media: list[str] = []
    for message in body["messages"]:
        role = {"developer": "system", "function": "tool"}.get(message["role"], message["role"])
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part["type"] in MEDIA:
                media.append(part["type"].removesuffix("_url").replace("document", "file"))
        text = "".join(texts(content).split())
        calls = [(name, arguments or "{}") for name, arguments in calls_of(message)]
        if text or calls or thought(message):
            turns.append((role, text, thought(message), calls))
    tools = [tool.get("function") or tool for tool in body.get("tools") or ()] + (body.get("functions") or [])
    choice = body.get("tool_choice") or body.get("function_call") or "auto"
    stop = body.get("stop") or []
    known = [call for message in body["messages"] for call in message.get("tool_calls") or ()]
    return {
        "turns": turns,
        "media": media,
        "answers": [
            [call["id"] for call in known].index(message["tool_call_id"])
            for message in body["messages"]
            if message.get("tool_call_id")
        ],
        "tools": [(tool.get("name"), tool.get("description"), tool.get("parameters") or None) for tool in tools],
        "strict": [tool.get("strict") for tool in tools],
        "choice": "required" if choice == "any" else choice if tools else "auto",
        "limit": body.get("max_completion_tokens") or body.get("max_tokens"),
        "n": body.get("n") or 1,
        "stop": [stop] if isinstance(stop, str) else stop,
        **{
            name: body[name] for name in SAME if body.get(name) not in (None, False, {"type": "text"}, ["text"], "auto")
        },
    }


def test_recorded_requests(shared: Path) -> None:
    tried, wrong = 0, []
    for name, one in interactions(shared, "openai-chat", "chat.completions"):
        body = one["request"].get("json")
        if not body or not body.get("messages"):
            continue
        asked = openai_chat.parse(body)
        rendered = json.loads(json.dumps(openai_chat.render(asked, leg())))
        want, got = gist({**_plain(body), "model": body.get("model") or "None"}), gist(rendered)
        tried += 1
        for member in want.keys() | got.keys():
            if want.get(member) != got.get(member):
                wrong.append(f"{name}: {member} is {got.get(member)!r:.400} instead of {want.get(member)!r:.400}")
    print(f"recorded chat requests in neutral words: {tried} tried, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong[:20])
    assert tried > 400


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """A request with OpenAI's words for what others call otherwise, and a name that it demands."""
    body = json.loads(json.dumps(body))
    if body.get("enable_thinking") is False or (body.get("thinking") or {}).get("type") == "disabled":
        body["reasoning_effort"] = "none"
    if (body.get("reasoning") or {}).get("effort"):
        body["reasoning_effort"] = body["reasoning"]["effort"]
    if (body.get("response_format") or {}).get("type") == "json_schema":
        body["response_format"]["json_schema"].setdefault("name", "answer")
    return body


def test_sdk_requests_lose_nothing_unseen(shared: Path) -> None:
    """Every request that an official SDK sends is said again, or its members are in `extras`."""
    tried = 0
    for path in sorted((shared / "wire" / "sdk-requests").glob("openai-*.json")):
        for body in _bodies(json.loads(path.read_text())):
            asked = openai_chat.parse(body)
            rendered = openai_chat.render(asked, leg())
            assert gist(json.loads(json.dumps(rendered))) == gist(body), path.name
            tried += 1
    assert tried > 20


def _bodies(values: Any) -> Iterator[dict[str, Any]]:
    if isinstance(values, dict):
        if isinstance(values.get("messages"), list) and "model" in values and "max_tokens_to_sample" not in values:
            yield values
        else:
            for inner in values.values():
                yield from _bodies(inner)
    elif isinstance(values, list):
        for inner in values:
            yield from _bodies(inner)
