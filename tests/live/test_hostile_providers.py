"""What no honest provider would answer: one table of hostile answers, each told whole and as a stream.

`cases()` is the table, `run(lab)` tries all of it and says what was wrong; whoever holds a gateway with a scripted
provider behind it can call both. A case is right when the caller gets an answer or an error of ours in shape, nothing of
ours leaks, nothing costs more than was held, and the next call is answered as if nothing had been.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
import requests

from tests.conftest import PROVIDER_KEY, Lab, scripted
from tests.gateway import KEY, Gateway
from tests.upstream import Script, upstream

MB = 1 << 20
HTML = {"content-type": "text/html"}
SSE = {"content-type": "text/event-stream"}
POISON = "poison-of-another-answer"
DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
WRONG = (502, 503, 504, 500)


@dataclass(frozen=True)
class Case:
    """One hostile answer. script: what is answered · stream: what the caller asks for · want: the statuses that are
    right · ends: how a stream of status 200 may end, of `done`, `error` · holds: text that a good answer must have ·
    lacks: texts that must not reach the caller."""

    name: str
    script: Script
    stream: bool
    want: tuple[int, ...]
    ends: tuple[str, ...] = ("done",)
    holds: str = ""
    lacks: tuple[str, ...] = ()


def whole(**more: Any) -> dict[str, Any]:
    """A good answer, with other members."""
    message = {"role": "assistant", "content": "hello"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": choices,
        "usage": USAGE,
        **more,
    }


def chunk(text: str | None = "hello", finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A good chunk, with other members."""
    delta = {"content": text} if text is not None else {}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more}


def data(value: Any) -> bytes:
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


FIRST, LAST = data(chunk()), data(chunk(None, "stop", usage=USAGE))
GOOD = FIRST + LAST + DONE


def raw(head: str, body: bytes = b"", ending: str = "close", *more: bytes | float) -> Script:
    """An answer byte for byte. head: its lines."""
    return Script(
        framing="raw", pieces=[head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body, *more], ending=ending
    )


def bytes_of(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def told(body: Any, status: int = 200, **headers: str) -> Script:
    return Script(status, {"content-type": "application/json", **headers}, [bytes_of(body)])


def cases() -> list[Case]:
    """The whole table."""
    return [*_heads(), *_framings(), *_wholes(), *_usages(), *_streams(), *_large(), *_errors()]


def both(name: str, make: Callable[[bytes], Script], *want: int, **more: Any) -> list[Case]:
    """A case of each kind. make: the script for a good body of it."""
    good = bytes_of(whole())
    more = {"ends": ("done", "error"), **more}
    return [
        Case(f"{name}, whole", make(good), False, want, **more),
        Case(f"{name}, streamed", make(GOOD), True, want, **more),
    ]


def _heads() -> list[Case]:
    """Status lines and headers."""
    found: list[Case] = []
    for line in (
        "HTTP/1.1 0 X", "HTTP/1.1 600 X", "HTTP/1.1 999 X", "HTTP/1.1 99 X", "HTTP/1.1 -200 X", "HTTP/1.1 2000 X", "HTTP/1.1",
        "HTTP/1.1 abc X", "HTTP/9.9 200 OK", "ICY 200 OK", "HTTP/1.1 204 X", "HTTP/1.1 304 X", "200 OK", "",
        "HTTP/1.1 301 X\nLocation: http://127.0.0.1:1/", "HTTP/1.1 303 X\nLocation: /v1/x", "HTTP/1.1 308 X\nLocation: //x",
        "HTTP/1.1 101 Switching\nUpgrade: websocket", "HTTP/1.1 100 Continue", "HTTP/1.1 103 Early Hints\nLink: </x>",
        "HTTP/1.1 407 X\nProxy-Authenticate: Basic", "HTTP/1.1 300 X",
    ):  # fmt: skip
        found += both(f"the line {line!r}", lambda body, line=line: raw(line, body), *WRONG)
    for line in ("HTTP/1.1 200", "HTTP/1.0 200 OK", "HTTP/1.1 201 X", "HTTP/2.0 200 OK", "HTTP/1.1 200 \xe4\xff"):
        found += both(f"the line {line!r}", lambda body, line=line: raw(line, body), 200, 502)
    headers = {
        "1 MB of a header": "X-A: " + "a" * MB, "a header without a colon": "nonsense", "NUL in a header": "X-A: b\0c",
        "a folded header": "X-A: b\n c", "5,000 headers": "\n".join(f"X-{n}: {'a' * 20}" for n in range(5_000)),
        "two lengths": "Content-Length: 5\nContent-Length: 9", "a length below zero": "Content-Length: -1",
        "a length of 10^30": "Content-Length: " + "9" * 30, "a length that is none": "Content-Length: x",
        "length and chunks": "Content-Length: 5\nTransfer-Encoding: chunked",
        "gzip": "Content-Encoding: gzip", "br": "Content-Encoding: br", "deflate": "Content-Encoding: Deflate",
        "identity and gzip": "Content-Encoding: identity, gzip", "a coding of transfer": "Transfer-Encoding: gzip",
    }  # fmt: skip
    for name, header in headers.items():
        found += both(name, lambda body, header=header: raw(f"HTTP/1.1 200 OK\n{header}", body), *WRONG)
    fine = {
        "400 headers": "\n".join(f"X-{n}: {'a' * 20}" for n in range(400)), "a header in latin-1": "X-A: \xe4",
        "cookies": "Set-Cookie: a=" + POISON + "; Path=/\nSet-Cookie2: b", "a link": f"Link: <http://127.0.0.1:1/{POISON}>",
        "our own names": f"x-generation-id: {POISON}\nx-gateway-cost-usd: {POISON}\nx-request-id: {POISON}\nServer: {POISON}",
        "more than ours": f"Access-Control-Allow-Credentials: {POISON}\nContent-Security-Policy: {POISON}\nSet-Cookie: {POISON}",
        "another type": "Content-Type: text/html; charset=utf-7", "two types": "Content-Type: a/b\nContent-Type: c/d",
        "a refresh": f"Refresh: 0; url=http://{POISON}", "time that is none": "openai-processing-ms: " + "9" * 5_000,
    }  # fmt: skip
    for name, header in fine.items():
        found += both(name, lambda body, header=header: raw(f"HTTP/1.1 200 OK\n{header}", body), 200, ends=("done",),
                      holds="hello", lacks=(POISON,))  # fmt: skip
    hints = (
        "HTTP/1.1 103 Early Hints\nLink: </x>\n\n" * 3 + "HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nContent-Type: a/b"
    )
    found += both("early hints", lambda body: raw(hints, body), 200, ends=("done",), holds="hello")
    endless = b"HTTP/1.1 100 Continue\r\n\r\n" * 40_000
    found += both(
        "early hints without end", lambda body: Script(framing="raw", pieces=[endless] * 20, ending="close"), *WRONG
    )
    endless_header = b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * MB
    found += both(
        "a header without end",
        lambda body: Script(framing="raw", pieces=[endless_header, *[b"a" * MB] * 30], ending="close"),
        *WRONG,
    )
    return found


def _framings() -> list[Case]:
    """Where an answer ends; what is behind it belongs to nobody."""
    ok = "HTTP/1.1 200 OK\nContent-Type: a/b\n"
    chunked = ok + "Transfer-Encoding: chunked"
    another = f"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{POISON}".encode() + b" " * 70

    def framed(body: bytes) -> bytes:
        return b"%x\r\n%s\r\n" % (len(body), body)

    return [
        *both("chunks with extensions", lambda body: raw(chunked, b"%x;a=b;c\r\n%s\r\n0;z\r\n\r\n" % (len(body), body)), 200,
              ends=("done",), holds="hello"),
        *both("trailers", lambda body: raw(chunked, framed(body) + f"0\r\nSet-Cookie: {POISON}\r\n\r\n".encode()), 200,
              ends=("done",), holds="hello", lacks=(POISON,)),
        *both("a chunk cut off", lambda body: raw(chunked, framed(body)[:40]), *WRONG, 200, ends=("error",)),
        *both("a chunk cut off by reset", lambda body: raw(chunked, framed(body)[:40], "reset"), *WRONG, 200, ends=("error",)),
        *both("a chunk that is none", lambda body: raw(chunked, b"zz\r\n" + body), *WRONG),
        *both("a chunk below zero", lambda body: raw(chunked, b"-5\r\n" + body), *WRONG),
        *both("a chunk of 2^80", lambda body: raw(chunked, b"f" * 20 + b"\r\n" + body), *WRONG),
        *both("a size line without end", lambda body: raw(chunked, b"1;" + b"x" * 3 * MB), *WRONG),
        *both("trailers without end", lambda body: raw(chunked, framed(body) + b"0\r\n" + b"X-A: b\r\n" * 300_000), *WRONG, 200),
        *both("a length too long", lambda body: raw(f"{ok}Content-Length: {len(body) + 9}", body), *WRONG, 200),
        *both("a length too short", lambda body: raw(f"{ok}Content-Length: {len(body) - 9}", body), *WRONG, 200,
              ends=("done", "error")),
        *both("another answer behind it", lambda body: raw(f"{ok}Content-Length: {len(body)}", body + another, "keep"), *WRONG, 200,
              lacks=(POISON,)),
        *both("another answer behind chunks", lambda body: raw(chunked, framed(body) + b"0\r\n\r\n" + another, "keep"), *WRONG, 200,
              lacks=(POISON,)),
        *both("nothing", lambda body: raw(f"{ok}Content-Length: 0"), *WRONG),
        *both("a hang-up", lambda body: Script(framing="raw", ending="close"), *WRONG),
        *both("a reset", lambda body: Script(framing="raw", ending="reset"), *WRONG),
        *both("a stream of random bytes", lambda body: Script(framing="raw", pieces=[bytes(range(256)) * 400], ending="close"), *WRONG),
    ]  # fmt: skip


def _wholes() -> list[Case]:
    """Answers in one piece, to both questions."""
    message = {"role": "assistant", "content": "hello"}

    def choice(**more: Any) -> dict[str, Any]:
        return whole(choices=[{"index": 0, "message": message, "finish_reason": "stop", **more}])

    broken: dict[str, Any] = {
        "nothing": b"", "spaces": b" " * 1_000, "HTML": b"<html><body>hello</body></html>", "null": None, "a number": 5,
        "text": "hello", "an array": [], "an empty object": {}, "no choices": {"id": "c"}, "choices null": whole(choices=None),
        "choices {}": whole(choices={}), "no choice": whole(choices=[]), "a choice null": whole(choices=[None]),
        "a choice that is text": whole(choices=["hello"]), "half": bytes_of(whole())[:-5], "two": bytes_of(whole()) * 2,
        "bytes": b"\x80\x04\x95", "UTF-16": json.dumps(whole()).encode("utf-16"), "a BOM": b"\xef\xbb\xbf" + bytes_of(whole()),
        "latin-1": json.dumps(choice(message={"content": "hell\xf6"}), ensure_ascii=False).encode("latin-1"),
        "NaN": bytes_of(whole()).replace(b'"created": 1', b'"created": NaN'),
        "100,000 arrays": b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "Messages' words": {"id": "m", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "hello"}],
                            "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}},
        "Gemini's words": {"candidates": [{"content": {"parts": [{"text": "hello"}]}}]},
        "Responses' words": {"id": "r", "object": "response", "output": []},
        "an error": {"error": {"message": f"no, {PROVIDER_KEY}", "code": 500}}, "an error of text": {"error": PROVIDER_KEY},
        "an error in a choice": whole(choices=[{"index": 0, "error": {"message": PROVIDER_KEY}}]),
    }  # fmt: skip
    odd: dict[str, Any] = {
        "an index of 10^30": choice(index=10**30), "an index below zero": choice(index=-5), "an index of text": choice(index="a"),
        "an index of half": choice(index=0.5), "no index": whole(choices=[{"message": message, "finish_reason": "stop"}]),
        "no message": choice(message=None), "a message of text": choice(message="hello"), "content of numbers": choice(message={"content": 5}),
        "content of objects": choice(message={"content": [{"a": [{}]}, None, 5]}), "a reason of numbers": choice(finish_reason=5),
        "a long reason": choice(finish_reason="x" * 100_000), "a reason with breaks": choice(finish_reason="stop\r\nX-A: b"),
        "tool calls null": choice(message={"content": "hello", "tool_calls": [None]}), "tool calls {}": choice(message={"content": "a", "tool_calls": {}}),
        "tool calls of text": choice(message={"tool_calls": ["a", {"function": "b"}, {"function": {"name": 5, "arguments": 6}}]}),
        "an id of numbers": whole(id=5), "an id of 1 MB": whole(id="c" * MB), "an id with breaks": whole(id="c\r\nX-A: b\0"),
        "a model null": whole(model=None), "no model": {name: value for name, value in whole().items() if name != "model"},
        "half a pair": bytes_of(whole()).replace(b"hello", b"hel\\ud800lo"), "NUL": bytes_of(whole()).replace(b"hello", b"hel\\u0000lo"),
        "a name twice": b'{"choices":[],' + bytes_of(whole())[1:], "100 arrays": choice(x=json.loads("[" * 100 + "]" * 100)),
        "5,000 digits": bytes_of(whole()).replace(b'"created": 1', b'"created": 1' + b"0" * 5_000),
        "20,000 choices": whole(choices=[{"index": n, "message": message, "finish_reason": "stop"} for n in range(20_000)]),
        "__proto__": whole(__proto__={"a": 1}, constructor=1), "as HTML": whole(), "with error null": whole(error=None),
    }  # fmt: skip
    found = [Case(f"{name}, {'streamed' if stream else 'whole'}", told(body), stream, (*WRONG,), lacks=(PROVIDER_KEY,))
             for name, body in broken.items() for stream in (False, True)]  # fmt: skip
    found += [Case(f"{name}, {'streamed' if stream else 'whole'}", told(body), stream, (200, *WRONG), ends=("done", "error"))
              for name, body in odd.items() for stream in (False, True)]  # fmt: skip
    return found


USAGES: dict[str, Any] = {
    "null": None, "text": "many", "a list": [1], "a number": 5, "empty": {}, "true": True,
    **{
        f"{name} {value!r}"[:60]: {**USAGE, name: value}
        for name in ("prompt_tokens", "completion_tokens")
        for value in (-1, -(10**18), 10**18, 10**30, "5", 1.5, 1e300, None, True, [1], {"a": 1}, 2**63)
    },
    "both huge": {"prompt_tokens": 10**18, "completion_tokens": 10**18},
    "more cached than read": {**USAGE, "prompt_tokens_details": {"cached_tokens": 10**12}},
    "cached below zero": {**USAGE, "prompt_tokens_details": {"cached_tokens": -(10**12)}},
    "details of text": {**USAGE, "prompt_tokens_details": "x", "completion_tokens_details": [1]},
    "reasoning of 10^18": {**USAGE, "completion_tokens_details": {"reasoning_tokens": 10**18}},
    "reasoning below zero": {**USAGE, "completion_tokens_details": {"reasoning_tokens": -(10**18)}},
    "a cost of its own": {**USAGE, "cost": -5, "total_cost": 10**9},
    "searches of 10^18": {**USAGE, "num_search_queries": 10**18, "server_tool_use": {"web_search_requests": 10**18}},
}  # fmt: skip
"""Counts that nobody can have counted (Law 4)."""


def _usages() -> list[Case]:
    found: list[Case] = []
    for name, usage in USAGES.items():
        last = data(chunk(None, "stop", usage=usage))
        found.append(Case(f"usage {name}, whole", told(whole(usage=usage)), False, (200, *WRONG), holds="hello"))
        found.append(
            Case(f"usage {name}, streamed", Script.sse(FIRST + last + DONE), True, (200, *WRONG), ("done", "error"))
        )
    twice = bytes_of(whole()).replace(
        b'"usage": ', b'"usage": {"prompt_tokens": 1, "completion_tokens": -7}, "usage": '
    )
    return [
        *found,
        Case("usage twice, whole", told(twice), False, (200,), holds="hello"),
        Case("usage in each frame, streamed", Script.sse(data(chunk(usage=USAGE)) * 3 + LAST + LAST + DONE), True, (200,)),
        Case("usage that shrinks, streamed", Script.sse(FIRST + LAST + data(chunk(None, None, choices=[], usage={
            "prompt_tokens": 0, "completion_tokens": 0})) + DONE), True, (200,)),
        Case("usage NaN, whole", told(bytes_of(whole()).replace(b'"prompt_tokens": 9', b'"prompt_tokens": NaN')), False, WRONG),
    ]  # fmt: skip


def _streams() -> list[Case]:
    """Frames (https://html.spec.whatwg.org/multipage/server-sent-events.html) and what is in them."""

    def sse(*pieces: bytes | float, **more: Any) -> Script:
        return Script.sse(*pieces, **more)

    snow = data(json.dumps(chunk("hello \u2603\U0001f600"), ensure_ascii=False).encode())
    good: dict[str, Script] = {
        "CRLF": sse(GOOD.replace(b"\n", b"\r\n")), "CR": sse(GOOD.replace(b"\n", b"\r")),
        "no space behind the colon": sse(GOOD.replace(b"data: ", b"data:")), 
        "cut at each byte": sse(*[bytes([byte]) for byte in snow + LAST + DONE]), "CRLF cut at each byte": sse(
            *[bytes([byte]) for byte in GOOD.replace(b"\n", b"\r\n")]),
        "no end of the last frame": sse(GOOD[:-2]), "no usage": sse(FIRST + data(chunk(None, "stop")) + DONE),
        "comments": sse(b": hello\n\n" * 50 + GOOD), "names that are ours": sse(b"event: message\nid: 1\nretry: 1\n" + FIRST + LAST + DONE),
        "empty frames": sse(b"\n\n\n\n" + FIRST + b"\n\n\n" + LAST + DONE), "data behind [DONE]": sse(GOOD + data({"poison": POISON})),
        "data behind [DONE] in another piece": sse(GOOD, data({"poison": POISON})), "two [DONE]s": sse(GOOD + DONE),
        "hanging behind [DONE]": sse(GOOD, ending="hang"), "a BOM": sse(b"\xef\xbb\xbf" + GOOD),
        "data of two lines": sse(b'data: {"id":"c","model":"m","choices":[{"index":0,\ndata: "delta":{"content":"hello"}}]}\n\n' + LAST + DONE),
        "by length": sse(GOOD, framing="length"), "until the end": sse(GOOD, framing="close"),
        "as JSON by its type": Script(200, {"content-type": "application/json"}, [GOOD], "chunked"),
        "text that looks like frames": sse(data(chunk(f"hello\n\ndata: {POISON}\n\nevent: error\ndata: [DONE]\n\n")) + LAST + DONE),
        "a role first": sse(data(chunk(choices=[{"index": 0, "delta": {"role": "assistant"}}])) + GOOD),
        "changing names": sse(FIRST + data({**chunk("x"), "id": POISON, "model": POISON}) + LAST + DONE),
        "a finish twice": sse(FIRST + LAST + LAST + DONE),
    }  # fmt: skip
    broken: dict[str, Script] = {
        "nothing": sse(), "[DONE] only": sse(DONE), "comments only": sse(b": a\n\n" * 10), "HTML": Script(200, HTML, [b"<html>" * 50]),
        "an error first": sse(data({"error": {"message": PROVIDER_KEY, "code": 500}})), "data of text": sse(b"data: hello\n\n"),
        "an error by its name": sse(b"event: error\n" + data({"message": PROVIDER_KEY})), "null": sse(b"data: null\n\n"),
        "an array": sse(b"data: []\n\n"), "no choices": sse(data({"id": "c"})), "choices of text": sse(data(chunk(choices="x"))),
        "Messages' words": sse(b"event: message_start\n" + data({"type": "message_start", "message": {}})),
        "Gemini's words": sse(data({"candidates": [{"content": {"parts": [{"text": "hello"}]}}]})),
        "Responses' words": sse(b"event: response.created\n" + data({"type": "response.created", "response": {}})),
        "NaN": sse(b'data: {"choices":[],"a":NaN}\n\n'), "UTF-16": sse(GOOD.decode().encode("utf-16")),
        "100,000 arrays": sse(b'data: {"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n\n"), "a role only": sse(
            data(chunk(choices=[{"index": 0, "delta": {"role": "assistant"}}])) + DONE),
        "a poisoned line": sse(b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"x\n\ndata: [DONE]\n\n"}}]}\n\n'),
        "gzip": Script(200, {**SSE, "content-encoding": "gzip"}, [b"\x1f\x8b\x08\0" + b"\0" * 99]),
    }  # fmt: skip
    cut: dict[str, Script] = {
        "no finish": sse(FIRST), "a frame cut off": sse(FIRST + LAST[:20]), "a hang-up": sse(FIRST, ending="close"),
        "a reset": sse(FIRST, 0.2, ending="reset"), "an error": sse(FIRST + data({"error": {"message": PROVIDER_KEY}}) + LAST + DONE),
        "an error by its name": sse(FIRST + b"event: error\n" + data({"message": PROVIDER_KEY})),
        "an error of text": sse(FIRST + data({"error": PROVIDER_KEY})), "an error that says little": sse(FIRST + data({"error": True})),
        "an error in a choice": sse(FIRST + data(chunk(choices=[{"index": 0, "error": {"message": PROVIDER_KEY}}]))),
        "half of JSON": sse(FIRST + b'data: {"id":"c","choi\n\n' + LAST + DONE), "text": sse(FIRST + b"data: hello\n\n" + LAST + DONE),
        "latin-1": sse(FIRST + b'data: {"id":"d","model":"m","choices":[{"index":0,"delta":{"content":"\xe4"},"finish_reason":"x"}]}\n\n'),
        "NaN": sse(FIRST + data(chunk("x", "stop")).replace(b'"created": 1', b'"created": NaN') + DONE),
        "a poisoned line": sse(FIRST + b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"x\n\ndata: [DONE]\n\n"}}]}\n\n'),
        "a poisoned line by CR": sse(FIRST + b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"x\r\rdata: [DONE]\r\r"}}]}\n\n'),
    }  # fmt: skip
    odd: dict[str, Any] = {
        "an index of 10^30": [{"index": 10**30, "delta": {"content": "x"}}], "an index below zero": [{"index": -1, "delta": {"content": "x"}}],
        "an index of text": [{"index": "x", "delta": {"content": "x"}}], "a choice null": [None], "choices null": None, "a delta null": [{"index": 0, "delta": None}],
        "a delta of text": [{"index": 0, "delta": "x"}], "content of numbers": [{"index": 0, "delta": {"content": 5}}],
        "tool calls of text": [{"index": 0, "delta": {"tool_calls": ["x", None, {"index": 10**20, "function": 5}]}}],
        "audio of text": [{"index": 0, "delta": {"audio": "x"}}], "a reason of objects": [{"index": 0, "delta": {}, "finish_reason": {"a": 1}}],
        "a long reason": [{"index": 0, "delta": {}, "finish_reason": "r" * 100_000}],
        "20,000 choices": [{"index": n, "delta": {"content": "x"}} for n in range(20_000)],
    }  # fmt: skip
    return [
        *[Case(f"{name}, a good stream", script, True, (200,), ("done",), "hello", ("d: poison",) if "text that" in name else (POISON,)
               if "behind" in name else ()) for name, script in good.items()],
        Case("no [DONE] behind a finish", sse(FIRST + LAST), True, (200,), ("frame",), "hello"),
        Case("a line of HTTP within a stream", sse(FIRST + b"HTTP/1.1 200 OK\r\n\r\n" + LAST + DONE), True, (200,), ("done", "error")),
        Case("a tab behind the colon", sse(GOOD.replace(b"data: ", b"data: \t")), True, (200, *WRONG), ("done", "error")),
        *[Case(f"{name} first in a stream", script, True, WRONG, lacks=(PROVIDER_KEY,)) for name, script in broken.items()],
        *[Case(f"{name} within a stream", script, True, (200,), ("error",), "hello", (PROVIDER_KEY,)) for name, script in cut.items()],
        *[Case(f"{name} in a frame", sse(FIRST + data(chunk(choices=value)) + LAST + DONE), True, (200,), ("done", "error"))
          for name, value in odd.items()],
    ]  # fmt: skip


def _large() -> list[Case]:
    """Answers that do not end, or should have long before."""
    part = b"a" * MB
    zeros = b"\x1f\x8b\x08\0" + b"\0" * MB
    head = bytes_of(whole())[:-1] + b',"x":"'
    role = data(chunk(choices=[{"index": 0, "delta": {"role": "assistant"}}], x="a" * 1_000))
    return [
        Case("300 MB, whole", Script(pieces=[head, *[part] * 300, b'"}']), False, WRONG),
        Case("300 MB in chunks, whole", Script(pieces=[head, *[part] * 300, b'"}'], framing="chunked"), False, WRONG),
        Case("300 MB to a streamed question", Script(pieces=[head, *[part] * 300, b'"}'], framing="chunked"), True, WRONG),
        Case("300 MB of an error", Script(400, pieces=[b'{"error":{"message":"', *[part] * 300, b'"}}']), False, (400, *WRONG)),
        Case("300 MB of gzip", Script(headers={"content-encoding": "gzip"}, pieces=[zeros] * 300), False, WRONG),
        Case("a line without end", Script.sse(FIRST, b"data: ", *[part] * 100), True, (200,), ("error",), "hello"),
        Case("a line without end, first", Script.sse(b"data: ", *[part] * 100), True, WRONG),
        Case("a comment without end", Script.sse(b": ", *[part] * 100), True, WRONG),
        Case("lines without an end of the frame", Script.sse(*[(b"data: " + b"a" * 1_000 + b"\n") * 1_000] * 40), True, WRONG),
        Case("spaces without end", Script.sse(*[b" " * MB] * 100), True, WRONG),
        Case("2 MB in chunks of a byte, whole", raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b"".join(
            b"1\r\n%c\r\n" % byte for byte in head + b"a" * 2 * MB + b'"}') + b"0\r\n\r\n"), False, (200,)),
        Case("a frame of 10 MB", Script.sse(data(chunk("hello" + "a" * 10 * MB)) + LAST + DONE), True, (200,)),
        Case("130 MB of comments", Script.sse(*[(b": " + b"c" * 1_000 + b"\n\n") * 1_000] * 130, GOOD), True, (200,), holds="hello"),
        Case("40 MB that say nothing", Script.sse(*[role * 1_000] * 40, GOOD), True, (200,), holds="hello"),
        Case("5 MB of blank lines", Script.sse(*[b"\n\n" * (MB // 2)] * 5, GOOD), True, WRONG),
        Case("2 MB of blank lines within a stream", Script.sse(FIRST, *[b"\n\n" * (MB // 2)] * 2, GOOD), True, (200,), holds="hello"),
        Case("1 MB of empty comments", Script.sse(b":\n\n" * (MB // 3), GOOD), True, (200,), holds="hello"),
        Case("1 MB of empty objects", Script.sse(*[b"data: {}\n\n" * (MB // 10)], GOOD), True, WRONG),
        Case("100,000 choices", Script.sse(*[data(chunk("x", "stop", choices=[
            {"index": n, "delta": {"content": "x"}, "finish_reason": "stop"}])) for n in range(100_000)], LAST, DONE), True, (200,), ("error",)),
        Case("20,000 frames in one piece", Script.sse(FIRST * 20_000 + LAST + DONE), True, (200,)),
    ]  # fmt: skip


def _errors() -> list[Case]:
    """Errors that quote what is ours, and times to wait that nobody can have meant."""
    words = f"Bad key {PROVIDER_KEY} of org-SECRET1234567890abcdef; Authorization: Bearer {PROVIDER_KEY}; see sk-proj-0123456789abcdef"
    error = {"error": {"message": words, "type": words, "code": words, "param": words}}
    shapes: tuple[Any, ...] = (
        error, words, {"detail": words}, {"detail": [{"loc": [words], "msg": words}]}, {"message": words}, [error],
        {"error": {"message": {"a": words}}}, {"error": words}, {"error": {"message": [words] * 2_000}}, b"<html>" + words.encode(),
        b"\xff\xfe" + words.encode(), b"", None, {"error": None}, {"error": {"message": "x" * 100_000 + words}}, b"[" * 60_000,
        {"error": {"message": "\0\x1b[31m\r\nX-A: b \ud800"}}, {"error": {"message": 5, "code": 10**30}}, {"error": {"code": -5}},
    )  # fmt: skip
    secrets = (
        PROVIDER_KEY,
        PROVIDER_KEY[3:-2],
        "org-SECRET1234567890abcdef",
        "sk-proj-0123456789abcdef",
        "\\u001b",
        "\\u0000",
    )
    found = [
        Case(f"the status {status} with {bytes_of(body)[:30]!r}", told(body, status), stream, (status, 400, 429, *WRONG), lacks=secrets)
        for status in (400, 401, 403, 404, 422, 429, 500, 418, 599)
        for body in shapes
        for stream in (False, True)
    ]  # fmt: skip
    found += [
        Case(f"Retry-After: {after[:30]!r}", told(error, 429, **{"retry-after": after}), False, (429,), lacks=secrets)
        for after in ("-5", "1e99", "NaN", "inf", "9" * 400, "x", "", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT",
                      "0", "0.0001", "86400000", "5, 6", "\xb2", "Fri, 99 Foo 2026")
    ]  # fmt: skip
    return found + [
        Case(f"{name} of an error", told(error, 429, **{name: value}), False, (429,), lacks=(POISON,))
        for name, value in (("x-should-retry", POISON), ("retry-after-ms", POISON), ("set-cookie", POISON))
    ]


def ended(text: str) -> str:
    """How a client of Chat sees a stream end: `done`, `error`, or what is wrong with it."""
    last = ""
    for frame in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
        lines = [line for line in frame.split("\n") if line and not line.startswith(":")]
        said = "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:"))
        if not lines or not said:
            continue
        if last in ("done", "error"):
            return f"more behind the end: {frame[:80]!r}"
        if said == "[DONE]":
            last = "done"
            continue
        try:
            found = json.loads(said.removeprefix("\ufeff"))
        except ValueError:
            return f"no JSON: {said[:80]!r}"
        last = "error" if found.get("error") else "frame"
    return last or "nothing"


def wrong(lab: Lab, case: Case) -> str | None:
    """What is wrong with how the gateway takes a case, or None."""
    model = lab.model(case.script)
    try:
        answer = lab.gateway.chat(model, stream=case.stream, max_tokens=100)
        text = answer.content.decode("utf-8", "replace")
    except requests.RequestException as error:
        return f"{type(error).__name__}: {str(error)[:100]}"
    finally:
        lab.provider.scripts[model.partition("/")[2]] = Script.json({}, 500)  # large ones need not be kept
    if answer.status_code not in case.want:
        return f"{answer.status_code} instead of {case.want}: {text[:150]!r}"
    told_all = text + repr(answer.headers)
    leaked = [secret for secret in (*case.lacks, KEY) if secret in told_all]
    if leaked or "set-cookie" in answer.headers or "X-A" in answer.headers or "Traceback" in text:
        return f"says what it should not: {leaked} {told_all[:200]!r}"
    if answer.status_code == 200:
        if case.stream and (end := ended(text)) not in case.ends:
            return f"the stream ends with {end}"
        if case.holds not in text:
            return f"lacks {case.holds!r}: {text[:150]!r}"
        if not case.stream and not isinstance(json.loads(text), dict):
            return f"no object: {text[:100]!r}"
    elif not isinstance(answer.json().get("error"), dict):
        return f"no envelope: {text[:150]!r}"
    return _booked(lab, answer)


def _booked(lab: Lab, answer: requests.Response) -> str | None:
    """What is wrong with what it cost. What was held is less than a cent; the window's and the model's maximum, to which
    a count is clamped, come to 24 cents (Law 4)."""
    identity = answer.headers.get("x-generation-id")
    if identity is None:
        return "no generation" if answer.status_code == 200 else None
    receipt = lab.gateway.get("/v1/generation", params={"id": identity}).json()["data"]
    cost, counted = receipt["cost_usd"], receipt["tokens"]
    if not 0 <= cost < 0.3 or any(not 0 <= count < 10**7 for count in counted.values()):
        return f"costs {cost} for {counted}"
    if cost > 0.01 and not receipt["overrun"]:
        return f"costs {cost}, and nobody is told"
    return None if answer.status_code == 200 or cost == 0 else f"an error costs {cost}"


def run(lab: Lab, table: Sequence[Case] | None = None) -> tuple[int, list[str]]:
    """Try the table: how many were tried, and what was wrong."""
    table = cases() if table is None else table
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda case: (case.name, wrong(lab, case)), table)
        return len(table), [f"{name}: {complaint}" for name, complaint in found if complaint]


class Heaviest:
    """The most memory that any worker had while this was open, above what it had before."""

    def __init__(self, gateway: Gateway) -> None:
        self._before = {pid: psutil.Process(pid).memory_info().rss for pid in gateway.worker_pids()}
        self._stop = threading.Event()
        self.most = 0

    def __enter__(self) -> Heaviest:
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            now = [psutil.Process(pid).memory_info().rss - before for pid, before in self._before.items()]
            self.most = max(self.most, *now)


def test_what_no_honest_provider_would_answer(lab: Lab) -> None:
    workers, logged = lab.gateway.worker_pids(), lab.gateway.log.stat().st_size
    large = _large()
    names = {case.name for case in large}
    tried, complaints = run(lab, [case for case in cases() if case.name not in names])
    for case in large:  # one by one: each has its own bound
        with Heaviest(lab.gateway) as heaviest:
            complaint = wrong(lab, case)
        complaints += [f"{case.name}: {complaint}"] if complaint else []
        if heaviest.most > 100 * MB:
            complaints.append(f"{case.name}: a worker took {heaviest.most / MB:.0f} MB more")
    print(f"bad answers: {tried + len(large)} tried, {len(complaints)} wrong")
    assert not complaints, "\n".join(complaints)
    assert lab.gateway.worker_pids() == workers, "a worker died of it"
    log = lab.gateway.log.read_bytes()[logged:].decode("utf-8", "replace")
    assert not [said for said in ("crashed", "read wrong", PROVIDER_KEY, KEY, POISON) if said in log], log
    assert lab.gateway.books()["ok"] and lab.gateway.credits()["held"] == 0


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab behind one worker that waits for nobody."""
    limits = {"GATEWAY_FIRST_BYTE_S": "2", "GATEWAY_IDLE_S": "2", "GATEWAY_WHOLE_S": "4", "GATEWAY_DEADLINE_S": "6"}
    with (
        Gateway(tmp_path_factory.mktemp("gateway"), workers=1, **limits) as live,
        scripted(live, "openai-compatible", free=False) as (provider, name),
    ):
        yield Lab(live, provider, name)


def slow_cases() -> list[Case]:
    """Answers that come too slowly; for a gateway with limits of seconds."""
    drip: list[bytes | float] = [piece for _ in range(100) for piece in (b" ", 0.2)]
    frames: list[bytes | float] = [piece for _ in range(100) for piece in (FIRST, 0.2)]
    comments: list[bytes | float] = [piece for _ in range(100) for piece in (b": wait\n\n", 0.2)]
    head: list[bytes | float] = [
        piece for byte in b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 80 for piece in (bytes([byte]), 0.2)
    ]
    hints: list[bytes | float] = [piece for _ in range(100) for piece in (b"HTTP/1.1 100 Continue\r\n\r\n", 0.2)]
    return [
        Case("a drip, whole", Script(pieces=drip, framing="chunked"), False, (504,)),
        Case("a drip, streamed", Script.sse(*drip), True, (200, 502, 504), ("error",)),
        Case("a drip within a frame", Script.sse(FIRST, b"data: ", *drip), True, (200,), ("error",), "hello"),
        Case("frames without end", Script.sse(*frames), True, (200,), ("error",), "hello"),
        Case("comments without end", Script.sse(*comments), True, (200, 504), ("error",)),
        Case("silence after a frame", Script.sse(FIRST, ending="hang"), True, (200,), ("error",), "hello"),
        Case("silence after the head", Script.sse(ending="hang"), True, (200, 504), ("error",)),
        Case("silence, whole", Script(framing="raw", ending="hang"), False, (504,)),
        Case("silence, streamed", Script(framing="raw", ending="hang"), True, (200, 504), ("error",)),
        Case("a head in drips, whole", Script(framing="raw", pieces=head, ending="close"), False, (502, 504)),
        Case(
            "a head in drips, streamed",
            Script(framing="raw", pieces=head, ending="close"),
            True,
            (200, 504),
            ("error",),
        ),
        Case("hints in drips", Script(framing="raw", pieces=hints, ending="close"), False, (502, 504)),
        Case("half of an error", Script(500, pieces=[b'{"error":', 30.0, b"1}"]), False, WRONG),
    ]


def test_slow_providers_are_cut(hasty: Lab) -> None:
    tried, complaints = run(hasty, slow_cases())
    print(f"slow answers: {tried} tried, {len(complaints)} wrong")
    assert not complaints, "\n".join(complaints)
    assert hasty.gateway.books()["ok"] and hasty.gateway.credits()["held"] == 0


def test_a_flood_of_frames_holds_nobody_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    """While one worker passes on a stream that never pauses, it answers others."""
    with (
        Gateway(tmp_path_factory.mktemp("gateway"), workers=1) as live,
        scripted(live, "openai-compatible", free=False) as (provider, name),
    ):
        lab = Lab(live, provider, name)
        stop = threading.Event()

        def flood() -> Iterator[bytes]:
            while not stop.is_set():
                yield FIRST * 200
            yield LAST + DONE

        model = lab.model(Script(200, SSE, flood(), "chunked"))  # type: ignore[arg-type]
        taken: list[int] = []

        def take() -> None:
            answer = live.chat(model, stream=True)
            for piece in answer.iter_content(1 << 16):
                taken.append(len(piece))

        taker = threading.Thread(target=take)
        taker.start()
        end = time.monotonic() + 30
        while sum(taken) < 2 * MB:
            assert time.monotonic() < end, "the flood does not come"
            time.sleep(0.01)
        answered, passed = [], []
        for _ in range(10):
            before = sum(taken)
            answered.append(live.get("/healthz").status_code)
            passed.append((sum(taken) - before) / MB)
            answered.append(live.chat("sandbox/echo").status_code)
        stop.set()
        taker.join(60)
        assert answered == [200] * 20 and not taker.is_alive()
        assert min(passed) < 2, f"so many MB of the flood went by while the worker said that it lives: {passed}"
        assert live.books()["ok"] and live.credits()["held"] == 0


def test_what_a_provider_says_unasked_answers_nobody(lab: Lab) -> None:
    """Bytes behind an answer are no answer to the next call, whose connection may be the same."""
    poison = json.dumps(whole(choices=[{"index": 0, "message": {"content": POISON}, "finish_reason": "stop"}])).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    good = bytes_of(whole())
    honest = lab.model(told(whole()))
    for between in ((), (0.05,)):
        pieces = [head % len(good) + good, *between, head % len(poison) + poison]
        if not between:
            pieces = [b"".join(pieces)]  # type: ignore[arg-type]
        hostile = lab.model(Script(framing="raw", pieces=pieces, ending="keep"))
        for _ in range(5):
            assert POISON not in lab.gateway.chat(hostile).text
            time.sleep(0.2)
            assert POISON not in lab.gateway.chat(honest).text


def test_a_redirect_takes_no_key_along(lab: Lab) -> None:
    with upstream() as elsewhere:
        elsewhere.answer = lambda asked: Script.json(whole())
        for status in (301, 302, 303, 307, 308):
            for place in (f"{elsewhere.base_url}/x", f"//127.0.0.1:{elsewhere.port}/x"):
                moved = Script(status, {"location": place, "set-cookie": "a=b"}, [b""])
                for stream in (False, True):
                    assert lab.gateway.chat(lab.model(moved), stream=stream).status_code == 502
        assert not elsewhere.asked
    lab.gateway.chat(lab.model(told(whole())))
    assert "cookie" not in lab.provider.last().headers, "nothing is remembered of an answer"


def test_where_a_call_goes_is_not_the_callers_to_say(lab: Lab) -> None:
    """Members and headers that elsewhere name another place, or a key, change neither."""
    with upstream() as canary:
        place = {"api_base": canary.base_url, "base_url": canary.base_url, "api_key": "sk-theirs", "headers": {"Host": "x"},
                 "extra_headers": {"Authorization": "x"}, "default_headers": {"X-Evil": "1"}}  # fmt: skip
        headers = {
            "X-Api-Base": canary.base_url, "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "evil.example", "Cookie": "a=b",
            "Proxy-Authorization": "Basic eA==", "X-Real-IP": "1.2.3.4", "Forwarded": "for=1.2.3.4", "Referer": "http://x",
            "Origin": "http://x", "X-Custom": "1", "User-Agent": "evil/1", "Host": "evil.example", "TE": "trailers",
            "Via": "1.1 x", "OpenAI-Organization": "org-x", "OpenAI-Project": "p", "x-goog-user-project": "p",
        }  # fmt: skip
        body = {"model": lab.model(told(whole())), "messages": [{"role": "user", "content": "hi", **place}], **place,
                "metadata": place, "extra_body": place, "user": "a\r\nX-Evil: 1"}  # fmt: skip
        assert lab.gateway.post("/v1/chat/completions", body, headers=headers).status_code == 200
        assert not canary.asked
    up = lab.provider.last()
    assert set(up.headers) <= {
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "content-type",
        "content-length",
        "authorization",
    }
    assert (
        up.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
        and up.headers["host"] == f"127.0.0.1:{lab.provider.port}"
    )
    assert up.path == "/v1/chat/completions" and up.headers["user-agent"].startswith("gateway/")


WORDS: dict[str, tuple[str, dict[str, Any], bytes, bytes]] = {
    "chat": (
        "/v1/chat/completions",
        {"max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]},
        b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",'
        b'"content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":%s,"completion_tokens":%s}}',
        b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"x":%s}\n\n'
        b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]}\n\n'
        b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","type":"function",'
        b'"function":{"name":"f","arguments":"{}"}}]},"finish_reason":null}]}\n\n'
        b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        b'data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":%s}}\n\n'
        b'data: [DONE]\n\n',
    ),
    "messages": (
        "/v1/messages",
        {"max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]},
        b'{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hello"}],'
        b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":%s,"output_tokens":%s}}',
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m",'
        b'"content":[],"stop_reason":null,"usage":{"input_tokens":%s,"output_tokens":1}}}\n\n'
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}\n\n'
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":%s}}\n\n'
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ),
    "responses": (
        "/v1/responses",
        {"max_output_tokens": 50, "input": "hi", "store": False},
        b'{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":[{"type":"message","id":"a",'
        b'"role":"assistant","status":"completed","content":[{"type":"output_text","text":"hello","annotations":[]}]}],'
        b'"usage":{"input_tokens":%s,"output_tokens":%s,"total_tokens":3}}',
        b'event: response.created\ndata: {"type":"response.created","response":{"id":"r","object":"response","status":"in_progress",'
        b'"model":"m","output":[],"x":%s}}\n\n'
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","item_id":"a","output_index":0,'
        b'"content_index":0,"delta":"hello"}\n\n'
        b'event: response.completed\ndata: {"type":"response.completed","response":{"id":"r","object":"response","status":"completed",'
        b'"model":"m","output":[],"usage":{"input_tokens":9,"output_tokens":%s}}}\n\n',
    ),
}  # fmt: skip
"""Of each dialect: where it is asked, a call, and a good answer, whole and streamed, with places for counts."""


@pytest.mark.parametrize("dialect", WORDS)
def test_other_words_as_hostile(dialect: str, free_lab: Lab, messages_lab: Lab, responses_lab: Lab) -> None:
    """The readers of each dialect, asked in its own words and in those of another."""
    lab = {"chat": free_lab, "messages": messages_lab, "responses": responses_lab}[dialect]
    logged = lab.gateway.log.stat().st_size
    path, ask, good, streamed = WORDS[dialect]
    other, asked_otherwise, *_ = WORDS["messages" if dialect == "chat" else "chat"]
    counts = (
        b"-1",
        b"-1000000000000000000",
        b"1000000000000000000",
        b"1" + b"0" * 30,
        b'"5"',
        b"1.5",
        b"null",
        b"[]",
        b"{}",
        b"1e300",
    )
    whole_ones = [b"", b"null", b"[]", b"5", b'"x"', b"{}", b"<html>", b'{"error":{"message":"' + PROVIDER_KEY.encode() + b'"}}',
                  b"[" * 60_000, b'{"content":' + b"[" * 60_000, bytes_of(whole()), *[good % (n, n) for n in counts]]  # fmt: skip
    lines = streamed.split(b"\n\n")
    streams = [
        *[streamed % (n, n) for n in counts],
        *[(b"\n\n".join([*lines[:at], b"event: error\ndata: " + bad, *lines[at:]])) % (b"1", b"1")
          for at in range(1, len(lines) - 1)
          for bad in (b"{", b"null", b"[]", b'{"type":"error","error":{"message":"' + PROVIDER_KEY.encode() + b'"}}', b'{"type":5}',
                      b'{"type":"message_stop"}', b'{"type":"response.completed"}', b'{"type":"response.completed","response":null}')],
        *[(b"\n\n".join(lines[:at] + lines[at + 1 :]) + b"\n\n").replace(b"%s", b"1") for at in range(len(lines))],
        *[(b"\n\n".join(lines[:at]) + b"\n\n").replace(b"%s", b"1") for at in range(len(lines))],
        *[streamed.replace(b"%s", b"1").replace(b'"index":0', b'"index":' + n).replace(b'_index":0', b'_index":' + n) for n in counts],
        streamed.replace(b"%s", b"1").replace(b'"hello"', b'{"a":[5]}'), streamed.replace(b"%s", b"1") * 2,
        streamed.replace(b"%s", b"1").replace(b'"text_delta"', b"5"), streamed.replace(b"%s", b"1").replace(b"event: ", b"event: x"),
    ]  # fmt: skip
    complaints, tried = [], 0
    for where, question in ((path, ask), (other, asked_otherwise)):
        for stream, bodies in ((False, whole_ones), (True, [*whole_ones[:11], *streams])):
            for body in bodies:
                script = Script.sse(body) if stream and b"data:" in body else Script(pieces=[body])
                answer = lab.gateway.post(where, {**question, "model": lab.model(script), "stream": stream})
                tried += 1
                fine = (
                    answer.status_code in (200, 500, 502)
                    and PROVIDER_KEY not in answer.text
                    and "Traceback" not in answer.text
                )
                if not fine:
                    complaints.append(f"{where} {stream} {body[:300]!r}: {answer.status_code} {answer.text[:200]}")
    print(f"bad answers in {dialect}: {tried} tried, {len(complaints)} wrong")
    assert not complaints, "\n".join(complaints)
    log = lab.gateway.log.read_bytes()[logged:].decode()
    assert "crashed" not in log and PROVIDER_KEY not in log
    misread = [line for line in log.splitlines() if "read wrong" in line]
    assert not misread, "\n".join(sorted({line.partition("read wrong")[2] for line in misread}))
    assert lab.gateway.books()["ok"] and lab.gateway.credits()["held"] == 0
