"""Recorded answers of providers, put through the bridge for a client of every dialect, whole and streamed."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from typing import Any

from gateway import config
from gateway.call import Call, Fault, Leg, Meter, Price
from gateway.dialects import bridge
from gateway.dialects.base import Feed
from gateway.dialects.gemini.array import Elements
from gateway.errors import GatewayError
from gateway.relay import attempts
from tests import made
from tests.recorded.cassettes import KEPT, told

from . import grammar, read
from .recordings import Recording
from .schemas import Book

MODEL = "lab/m"
config.use(config.load({}))  # how long a wait may be told
_ASKED: dict[str, dict[str, Any]] = {
    "chat": {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]},
    "responses": {"model": MODEL, "input": "hi"},
    "messages": {"model": MODEL, "max_tokens": 1024, "messages": [{"role": "user", "content": "hi"}]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
}


def call(dialect: str, body: dict[str, Any], *, model: str = MODEL, stream: bool = False) -> Call:
    """A call as the door makes it. Gemini has the model and the way of answering in its path."""
    values = {**body, "model": model, "stream": stream}
    speaks = bridge.DIALECTS[dialect]
    return made.call(
        dialect, f"{speaks.id_prefix}ours", json.dumps(body).encode(), speaks.ask(values), created_ms=1_700_000_000_000
    )


_MAKERS = {"chat": "openai", "responses": "openai", "messages": "anthropic", "gemini": "google", "converse": "bedrock"}


def leg(dialect: str, model: str = "up/m", provider: str | None = None) -> Leg:
    """A leg to a provider, or to the maker of the dialect."""
    price = Price(rates={}, context=1_000_000, max_output=64_000, version="")
    return made.leg(dialect, model, price, secret="sk-secret", provider=provider or _MAKERS[dialect])


def ways(one: Recording, client: str) -> list[tuple[str, bool, bool]]:
    """(label, streamed, usage asked for) of each way in which a client may get this answer."""
    if one.status >= 300:
        return [("", one.streamed, True)]
    if one.answers_streamed:
        quiet = [("stream, no usage", True, False)] if client == "chat" else []
        return [("stream", True, True), *quiet]
    return [("whole", False, True), ("whole as stream", True, True)]


def problems(
    book: Book, one: Recording, client: str, streamed: bool, wants_usage: bool, chance: random.Random
) -> list[str]:
    """What is wrong with this answer as a client of that dialect gets it."""
    body = dict(_ASKED[client])
    if client != "gemini" and streamed:
        body["stream"] = True
    if client == "chat" and streamed and wants_usage:
        body["stream_options"] = {"include_usage": True}
    asked, taken = call(client, body, stream=streamed), leg(one.dialect, one.model, one.provider)
    if one.status >= 300:
        fault = bridge.NAMED[one.dialect].fault(one.status, one.headers, one.body)
        return _error_problems(one, asked, taken, fault)
    if one.answers_streamed:
        want = read.stream(one.dialect, one.body.decode())
    else:
        want = read.whole(one.dialect, json.loads(one.body))
    if not streamed:
        return _whole(book, one, asked, taken, want)
    return _streamed(book, one, asked, taken, want, wants_usage, chance)


def _whole(book: Book, one: Recording, asked: Call, taken: Leg, want: read.Reply) -> list[str]:
    try:
        got = bridge.whole(asked, taken, one.body, Meter())
    except Fault as fault:
        if want.error is None:
            return [f"a Fault: {fault.cause} {fault.message}"]
        return _told(asked, taken, fault, want.error)
    if want.error is not None:
        return [f"no Fault for: {want.error[:80]}"]
    values = json.loads(got)
    found = differences(want, read.whole(asked.dialect, values), one.dialect, asked)
    if asked.dialect != one.dialect:
        found += grammar.whole_problems(book, asked.dialect, values)
    return found


def _streamed(
    book: Book, one: Recording, asked: Call, taken: Leg, want: read.Reply, wants_usage: bool, chance: random.Random
) -> list[str]:
    feed = through(bridge.feed(asked, taken, {}), one.body, chance)
    text = b"".join(feed.out).decode()
    if feed.fault is not None:
        if want.error is None:
            return [f"a Fault: {feed.fault.cause} {feed.fault.message}"]
        error = attempts.verdict([attempts.Failed(taken, feed.fault)], asked.dialect)
        text += bridge.DIALECTS[asked.dialect].error_frame(error, asked.request_id, text.encode()).decode()
        found = _told(asked, taken, feed.fault, want.error)
        if asked.dialect != one.dialect:
            found += grammar.problems(book, asked.dialect, text, wants_usage=wants_usage, broken=True)
        return found
    if want.error is not None:
        return [f"no Fault for: {want.error[:80]}"]
    assert feed.tail is not None
    text += feed.tail.decode()
    known = want.usage is not None
    if not wants_usage:
        want = replace(want, usage=None)
    got = read.stream(asked.dialect, text)
    found = differences(want, got, one.dialect, asked)
    if asked.dialect == "gemini":
        array = b"".join(Elements(iter([*feed.out, feed.tail]))).decode()
        if read.stream("gemini", array) != got:
            found.append("the array says something else")
    if not wants_usage and '"usage":{' in text and asked.dialect != one.dialect:
        found.append("usage that was not asked for")
    if asked.dialect != one.dialect:
        found += grammar.problems(book, asked.dialect, text, wants_usage=wants_usage, known=known)
    return found


def through(feed: Feed, body: bytes, chance: random.Random) -> Feed:
    """A feed that was given a whole body in pieces as a network may cut it."""
    at = 0
    while at < len(body):
        size = chance.choice((1, 7, 64, 512, 4096, 65536))
        feed.push(body[at : at + size])
        at += size
    feed.end()
    return feed


def differences(want: read.Reply, got: read.Reply, source: str, asked: Call) -> list[str]:
    """How a reply differs from what the provider said, but for what the client's dialect cannot say."""
    client = asked.dialect
    found = []
    if got.error is not None:
        return [f"reads as an error: {got.error}"]
    if got.id != asked.id or got.model != asked.model:
        found.append(f"id and model are {got.id}, {got.model}")
    wanted = want.choices[:1] if client in ("responses", "messages") and client != source else want.choices
    if len(wanted) != len(got.choices):
        return [*found, f"{len(got.choices)} choices instead of {len(wanted)}"]
    for a, b in zip(wanted, got.choices, strict=True):
        found += _said_differs(a, b, source, client)
    if want.usage is not None:
        given = got.usage or {}
        if client == "messages" and client != source:  # whose counts are disjoint, so none exceeds the whole
            want.usage["cached"] = min(want.usage.get("cached", 0), want.usage.get("input", 0))
        for name in ("input", "output", "cached", "reasoning"):
            if given.get(name, 0) != want.usage.get(name, 0):
                found.append(f"usage.{name} is {given.get(name)} instead of {want.usage.get(name)}")
    return found


def _said_differs(want: read.Said, got: read.Said, source: str, client: str) -> list[str]:
    found = []
    order = want.order
    refused = bool(want.refusal)
    if client in ("messages", "gemini"):  # a refusal is text there
        want, got = (replace(said, text=said.text + said.refusal, refusal="") for said in (want, got))
        order = _merged(["text" if kind == "refusal" else kind for kind in order])
        got.order = _merged(["text" if kind == "refusal" else kind for kind in got.order])
    for name in ("text", "refusal"):
        if getattr(want, name) != getattr(got, name):
            found.append(f"{name} differs: {_where(getattr(want, name), getattr(got, name))}")
    if "".join(want.reasoning.split()) != "".join(got.reasoning.split()):
        found.append(f"reasoning differs: {_where(want.reasoning, got.reasoning)}")
    if client in ("messages", "gemini") and len(want.calls) == len(
        got.calls
    ):  # where arguments are an object, what is no JSON is inside of one
        got = replace(got, calls=[_unwrapped(a, b) for a, b in zip(want.calls, got.calls, strict=True)])
    if want.calls != got.calls:
        found.append(f"calls differ: {got.calls} instead of {want.calls}"[:240])
    elif client != "chat" and order != got.order:
        found.append(f"order is {got.order} instead of {order}")
    if _finish(want, refused) != _finish(got, refused):
        found.append(f"finish is {got.finish} instead of {want.finish}")
    return found


def _finish(said: read.Said, refused: bool) -> str | None:
    """Ends that only some dialects tell apart are one. A refusal in words is a stop to some and a filter to others."""
    if said.finish in ("paused", "other", "error") or (refused and said.finish == "filtered"):
        return "stop"
    return said.finish


def _unwrapped(want: tuple[str, Any], got: tuple[str, Any]) -> tuple[str, Any]:
    if isinstance(want[1], str) and isinstance(got[1], dict) and want[1] in got[1].values():
        return got[0], want[1]
    return got


def _merged(kinds: list[str]) -> list[str]:
    return [kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind]


def _where(want: str, got: str) -> str:
    at = next((i for i, (a, b) in enumerate(zip(want, got, strict=False)) if a != b), min(len(want), len(got)))
    return f"at {at} {got[at : at + 40]!r} instead of {want[at : at + 40]!r}"


# Errors

_ANTHROPIC_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 502: "api_error",
    503: "api_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip


def _error_problems(one: Recording, asked: Call, taken: Leg, fault: Fault) -> list[str]:
    error = attempts.verdict([attempts.Failed(taken, fault)], asked.dialect)
    text = one.body.decode()
    want = told(one.status, text)
    if one.status == 529 and asked.dialect == "messages":
        want = 529  # which is known only there
    found = []
    if error.status != want:
        found.append(f"{one.status} is told as {error.status} instead of {want}")
    if want in KEPT and one.body.lstrip()[:1] in (b"{", b"["):
        words = _provider_words(json.loads(text))
        if words and words[:60].split() != error.message[: len(words[:60])].split()[: len(words[:60].split())]:
            found.append(f"the provider's words are lost: {words[:60]!r} became {error.message[:60]!r}")
    if one.status == 429 and fault.retry_after is None and (one.headers.get("retry-after") or "retryDelay" in text):
        found.append("the wait is lost")
    return found + _told(asked, taken, fault, None)


def _provider_words(found: Any) -> str:
    if isinstance(found, list):
        found = found[0]
    inner = found.get("error", found) if isinstance(found, dict) else found
    words = inner.get("message") if isinstance(inner, dict) else inner
    return words if isinstance(words, str) else ""


def _told(asked: Call, taken: Leg, fault: Fault, words: str | None) -> list[str]:
    """What is wrong with the error that a client is told."""
    error = attempts.verdict([attempts.Failed(taken, fault)], asked.dialect)
    speaks = bridge.DIALECTS[asked.dialect]
    found = _envelope(asked, error, json.loads(speaks.error(error, asked.request_id)))
    frame = speaks.error_frame(error, asked.request_id).decode()
    events = list(read.frames(frame))
    if not frame.endswith(("\n\n", "\r\n\r\n")) or not events:
        return [*found, "the error frame is no frame"]
    told = read.stream(asked.dialect, frame).error
    if told != error.message:
        found.append(f"the error frame reads as {told!r}")
    if fault.cause == "malformed" and words not in (None, "broke off", "no response", "not yet answered"):
        found.append(f"an error is taken for a malformed answer: {words}")
    return found


def _envelope(asked: Call, error: GatewayError, values: dict[str, Any]) -> list[str]:
    inner = values.get("error")
    if not isinstance(inner, dict) or inner.get("message") != error.message or not error.message:
        return [f"the error has no message: {values}"]
    match asked.dialect:
        case "messages":
            good = values.get("type") == "error" and inner.get("type") == _ANTHROPIC_TYPES.get(error.status)
            good = good and values.get("request_id") == asked.request_id
        case "gemini":
            good = inner.get("code") == error.status and bool(re.fullmatch("[A-Z_]+", str(inner.get("status"))))
        case _:
            good = (inner.get("code"), inner.get("request_id")) == (error.status, asked.request_id) and "type" in inner
    return [] if good else [f"the error's envelope is wrong: {json.dumps(values)[:200]}"]
