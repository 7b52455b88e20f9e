"""What no SDK would send: one table of hostile requests, tried over raw sockets on a live gateway.

`cases()` is the table, `run(gateway)` tries all of it and says what was wrong; whoever holds a gateway can call both.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psutil
import pytest

from tests.gateway import KEY, Gateway

CANARY = "canary-of-hostile-input"
"""Stands in whatever a request says that may not be repeated in the log."""

WAIT_S = 20
"""Longest wait for an answer: far more than one takes on a busy machine, and less than a call may hang."""

_CALL = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "hi"}]}
_CHAT = "/v1/chat/completions"
_AUTH = f"Authorization: Bearer {KEY}\r\n"


@dataclass(frozen=True)
class Case:
    """One hostile request. send: its bytes, in pieces with seconds to wait between them · want: the statuses that are
    right; 0 for a connection that is closed without a word · replies: how many answers may come on the connection ·
    ends: whether the client says by itself that nothing more comes · silent: texts that no answer may repeat."""

    name: str
    send: tuple[bytes | float, ...]
    want: tuple[int, ...]
    replies: int = 1
    ends: bool = False
    silent: tuple[str, ...] = ()


def request(
    target: str = _CHAT,
    body: Any = None,
    *,
    method: str = "POST",
    headers: str = "",
    auth: str = _AUTH,
    host: str = "Host: x\r\n",
    version: str = "HTTP/1.1",
    length: bool = True,
) -> bytes:
    """A request that asks for the connection's end after it. body: bytes as they are, or a value as JSON."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    sized = f"Content-Length: {len(data)}\r\n" if length and (data or method == "POST") else ""
    head = f"{method} {target} {version}\r\n{host}{auth}{headers}Connection: close\r\n{sized}\r\n"
    return head.encode("latin-1") + data


def asked(**more: Any) -> bytes:
    return request(body={**_CALL, **more})


def one(name: str, send: bytes, *want: int, **more: Any) -> Case:
    return Case(name, (send,), want, **more)


def cases() -> list[Case]:
    """The whole table."""
    return [*_framing(), *_heads(), *_methods(), *_paths(), *_keys(), *_bodies(), *_fields(), *_own_members()]


def _framing() -> list[Case]:
    """Where a request ends: smuggling, chunks, lengths (RFC 9112, sections 6 and 7)."""
    data = json.dumps(_CALL).encode()
    good = b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)
    hidden = request("/v1/models", method="GET")
    sized = f"Content-Length: {len(data)}\r\n"

    def framed(headers: str, body: bytes, **more: Any) -> bytes:
        return request(body=body, headers=headers, length=False, **more)

    chunked = "Transfer-Encoding: chunked\r\n"
    return [
        one("chunked", framed(chunked, good), 200),
        one("chunk extensions", framed(chunked, b"%x;a=b;c=\"d e\"\r\n%s\r\n0;x\r\n\r\n" % (len(data), data)), 200),
        one("trailers", framed(chunked, good[:-2] + b"X-A: b\r\n\r\n"), 200),
        one("a key in the trailers", framed(chunked, good[:-2] + _AUTH.encode() + b"\r\n", auth=""), 400, 401),
        one("length and chunks", framed(chunked + sized, good + hidden), 400),
        one("chunks and length", framed(sized + chunked, data + hidden), 400),
        one("two lengths", framed(sized + "Content-Length: 5\r\n", data), 400),
        one("the same length twice", framed(sized + sized, data), 400),
        one("a list of lengths", framed(f"Content-Length: {len(data)}, {len(data)}\r\n", data), 400),
        *[
            one(f"the length {length!r}", framed(f"Content-Length: {length}\r\n", data + hidden), 400, 413)
            for length in ("-1", "+5", "0x10", "1e2", "5 5", "\xb2", "1_0", "", "9" * 400, "9" * 5000)
        ],
        *[
            one(f"the coding {coding!r}", framed(f"Transfer-Encoding: {coding}\r\n", good + hidden), 400, 501)
            for coding in (
                "xchunked", "chunked, chunked", "chunked, gzip", "identity", "gzip", "chunked, identity", "\x0bchunked",
                "chunked;q=1", '"chunked"', "", "chu nked",
            )
        ],
        one("a coding before a colon with a space", framed("Transfer-Encoding : chunked\r\n", good + hidden), 400),
        one("two codings", framed(chunked + "Transfer-Encoding: x\r\n", good), 400, 501),
        one("an underscored coding", framed("Transfer_Encoding: chunked\r\n" + sized, data), 200),
        one("chunks in HTTP/1.0", framed(chunked, good, version="HTTP/1.0"), 400),
        *[
            one(f"chunks that are none {number}", framed(chunked, bad + hidden), 400, ends=True)
            for number, bad in enumerate((
                b"zz\r\n" + data, b"-5\r\nabcde\r\n0\r\n\r\n", b"0x5\r\nabcde\r\n0\r\n\r\n", b"5\r\nabcdefg\r\n0\r\n\r\n",
                b"5\nabcde\n0\n\n", b"\r\n0\r\n\r\n", b"5 \r\nabcde\r\n0\r\n\r\n", b"ffffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
                b"5;a\rb\r\nabcde\r\n0\r\n\r\n", b"5;" + b"x" * 20_000 + b"\r\nabcde\r\n0\r\n\r\n", b"5" * 20_000,
            ))
        ],
        one("trailers without end", framed(chunked, good[:-2] + b"X-A: b\r\n" * 200_000), 400, 431),
        one("less than its length", framed("Content-Length: 5000\r\n", data), 400, ends=True),
        one("nothing of its length", framed("Content-Length: 5000\r\n", b""), 400, ends=True),
        one("a chunk cut off", framed(chunked, b"ffff\r\n" + data), 400, ends=True),
        one("chunks without an end", framed(chunked, b"10000\r\n" + b" " * 65_536 + b"\r\n") , 400, ends=True),
        Case("chunks over the limit", (framed(chunked, b""), *[b"100000\r\n" + b" " * (1 << 20) + b"\r\n"] * 70), (413,)),
        one("30 kB in chunks of a byte", framed(chunked, b"".join(b"1\r\n%c\r\n" % byte for byte in data + b" " * 30_000)
            + b"0\r\n\r\n"), 200),
        one("a length over the limit", framed("Content-Length: 68000000\r\n", b"{"), 413),
        one("two requests in one write", request(body=_CALL).replace(b"Connection: close\r\n", b"") + hidden, 200, replies=2),
        one("a request behind a close", request(body=_CALL) + hidden, 200),
        one("a body on GET", request("/v1/models", hidden, method="GET"), 200),
        one("a body where nothing is", request("/v1/nothing", hidden) + hidden, 404),
        Case("much where nothing is", (framed(chunked, b"").replace(b"chat", b"nothing", 1).replace(b"Connection: close\r\n", b""),
             *[b"100000\r\n" + b" " * (1 << 20) + b"\r\n"] * 30), (404,)),
        one("a body without a length", framed("", data + hidden), 400),
        one("Expect: 100-continue", request(body=_CALL, headers="Expect: 100-continue\r\n"), 200),
        one("Expect: tea", request(body=_CALL, headers="Expect: tea\r\n"), 417),
        one("gzip", request(body=b"\x1f\x8b\x08\0" + b"\0" * 500, headers="Content-Encoding: gzip\r\n"), 415),
        *[
            one(f"the encoding {coding}", request(body=_CALL, headers=f"Content-Encoding: {coding}\r\n"), 415)
            for coding in ("br", "zstd", "deflate", "x-gzip", "GZIP", "identity, gzip", "gzip, identity", "aes128gcm")
        ],
    ]  # fmt: skip


def _heads() -> list[Case]:
    """Lines, names and values of headers; too many and too long ones."""
    models = "/v1/models"

    def get(headers: str = "", **more: Any) -> bytes:
        return request(models, method="GET", headers=headers, **more)

    return [
        one("bare LF", get().replace(b"\r\n", b"\n"), 400),
        one("one bare LF", get("X-A: b\nX-C: d\r\n"), 400),
        one("a bare CR", get("X-A: b\rX-C: d\r\n"), 400),
        one("a folded header", get("X-A: b\r\n c\r\n"), 400),
        one("a folded key", get("X-Api-Key:\r\n " + KEY + "\r\n", auth=""), 400),
        one("NUL in a value", get("X-A: b\0c\r\n"), 400),
        one("NUL in a name", get("X-A\0: b\r\n"), 400),
        one("a name with a space", get("X A: b\r\n"), 400),
        one("a space before the colon", get("X-A : b\r\n"), 400),
        one("no name", get(": b\r\n"), 400),
        one("no colon", get("nonsense\r\n"), 400),
        one("a name in latin-1", get("X-\xe4: b\r\n"), 400),
        one("a value in latin-1", get("X-A: \xe4\xff\r\n"), 200),
        one("101 headers", get("".join(f"X-{n}: a\r\n" for n in range(101))), 431),
        one("5,000 headers", get("".join(f"X-{n}: a\r\n" for n in range(5_000))), 431),
        one("a header of 9 kB", get("X-A: " + "a" * 9_000 + "\r\n"), 431),
        one("a header of 1 MB", get("X-A: " + "a" * 1_000_000 + "\r\n"), 431),
        one("a header without end", b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 3_000_000, 431),
        one("a cookie jar of 200 kB", get("".join(f"Cookie: a{n}=" + "b" * 4_000 + "\r\n" for n in range(60))), 200, 431),
        one("a line of 5 kB", request("/v1/models?" + "a" * 5_000, method="GET"), 414),
        one("a line without end", b"GET /" + b"a" * 1_000_000, 414),
        one("no host", get(host=""), 200, 400),
        one("two hosts", get("Host: y\r\n"), 400),
        *[
            one(f"the host {host!r}", get(host=f"Host: {host}\r\n"), 200, 400, silent=("evil.example",))
            for host in ("evil.example", "x:99999", "x:y", "a b", "evil.example/v1", "@evil.example", "[::1", "x,y", "",
                         "../..", "evil.example\x7f", "\xe4", "a" * 4_000, "x?evil.example#")
        ],
        one("X-Forwarded-Host", get("X-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\n"), 200,
            silent=("evil.example",)),
        one("SCRIPT_NAME", get("SCRIPT_NAME: /v1\r\n"), 200),
        one("a strange SCRIPT_NAME", get("SCRIPT_NAME: /elsewhere\r\n"), 200),
        one("PATH_INFO", request("/healthz", method="GET", auth="", headers="PATH_INFO: /v1/models\r\n"), 200),
        one("a path from a header", request(models, method="GET", auth="", headers="PATH_INFO: /healthz\r\n"), 401),
        one("X-Original-URL", request(models, method="GET", auth="",
            headers="X-Original-URL: /healthz\r\nX-Rewrite-URL: /healthz\r\n"), 401),
        one("X-HTTP-Method-Override", request("/v1/models", {}, headers="X-HTTP-Method-Override: GET\r\n"), 405),
        one("two schemes", get("X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n"), 200),
        one("Upgrade: h2c", get("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n").replace(
            b"Connection: close", b"Connection: Upgrade, HTTP2-Settings"), 200, ends=True),
        one("Upgrade: websocket", get("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a\r\n"), 200),
        one("a preflight that asks for too much", request(method="OPTIONS", auth="", headers="Origin: null\r\n"
            "Access-Control-Request-Headers: " + "x" * 7_000 + "\r\n"), 204),
        one("a preflight with a comma of lines", request(method="OPTIONS", auth="",
            headers="Access-Control-Request-Headers: a\x80\xff, b\r\n"), 204),
    ]  # fmt: skip


def _methods() -> list[Case]:
    """Methods, versions, and what is no HTTP at all."""
    get = request("/v1/models", method="GET")
    return [
        *[
            one(f"the method {method}", request("/v1/models", method=method), 400, 404, 405)
            for method in ("TRACE", "PUT", "PATCH", "DELETE", "PROPFIND", "DEBUG", "PRI", "get", "G#T", "A" * 100, "GET\t")
        ],
        one("CONNECT", request("example.com:443", method="CONNECT"), 400, 404, 405),
        one("CONNECT to a path", request("/v1/models", method="CONNECT"), 400, 405),
        one("OPTIONS *", request("*", method="OPTIONS"), 400, 404),
        one("HEAD", request("/v1/models", method="HEAD"), 200),
        one("HTTP/0.9", b"GET /v1/models\r\n\r\n", 400),
        one("HTTP/1.0", request("/v1/models", method="GET", version="HTTP/1.0"), 200),
        *[
            one(f"the version {version}", request("/v1/models", method="GET", version=version), 400, 505)
            for version in ("HTTP/2.0", "HTTP/1.9999", "HTTP/9.9", "http/1.1", "HTTP/1", "ICY/1.1", "HTTP/1.1 x")
        ],
        one("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", 400, 505),
        one("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x55" * 600, 0, ends=True, replies=0),
        one("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", 400),
        one("SOCKS", b"\x05\x01\x00", 0, 400, ends=True, replies=0),
        one("the PROXY protocol", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + get, 400),
        one("random bytes", bytes(range(256)) * 40, 400),
        one("empty lines", b"\r\n" * 2_000 + get, 400),
        one("a line of spaces", b" " * 3_000 + b"\r\n\r\n", 400),
        one("nothing", b"", 0, ends=True, replies=0),
        one("half a line", b"GET /v1/mod", 0, ends=True, replies=0),
        one("half a head", b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-A", 0, ends=True, replies=0),
    ]  # fmt: skip


def _paths() -> list[Case]:
    """Paths, queries and names of models."""
    contents = {"contents": [{"parts": [{"text": "hi"}]}]}
    tricks = (
        "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc", "sandbox/../echo", "sandbox%2f..%2fecho",
        "sandbox/echo%00", "sandbox/echo%0d%0aX-A:%20b", "http://evil.example/v1", "//evil.example/x", "sandbox//echo",
        "sandbox/echo%20", "sandbox/%65cho%3f", "sandbox/e%C4%8Bho", "sandbox/echo%ff", "sandbox%5cecho", "%", "%zz",
        "sandbox/echo%2500", "sandbox/echo;a=b", "sandbox/echo%23", "sandbox/" + "a" * 3_000, "%F0%9F%92%A9",
    )  # fmt: skip
    found = [
        one(f"the model {trick[:40]!r} in a path", request(f"/v1/models/{trick}", method="GET"), 400, 404)
        for trick in tricks
    ]
    found += [
        one(f"Gemini's model {trick[:40]!r}", request(f"/v1beta/models/{trick}:generateContent", contents), 400, 404)
        for trick in tricks
    ]
    names = (
        "../../etc/passwd", "sandbox/../echo", "sandbox/echo\0", "sandbox/echo\r\nX-A: b", "http://evil.example/v1",
        "sandbox//echo", " sandbox/echo", "sandbox/echo ", "sandbox/e\u010bho", "sandbox/\u202eohce", "\ufeffsandbox/echo",
        "SANDBOX/ECHO", "sandbox/echo:free", "sandbox\\echo", "sandbox/*", "*", "%", "sandbox/ech_", "a" * 100_000,
        "' OR 1=1 --", "__proto__", "constructor", "sandbox/{echo}", "${jndi:ldap://x}", "{{7*7}}", "sandbox/" + "/" * 500,
        "\U0001f4a9", "sandbox/\u0435cho",
    )  # fmt: skip
    found += [one(f"the model {name[:40]!r} in a body", asked(model=name), 400, 404) for name in names]
    found += [
        one(f"the name {name[:30]!r} to fall back to", asked(model="sandbox/none", models=[name]), 400, 404)
        for name in names[:6]
    ]
    found += [
        one(f"the method {method!r}", request(f"/v1beta/models/sandbox/echo:{method}", contents), 400, 404, 405)
        for method in ("", "GenerateContent", "generateContent%20", "generateContent/x", "predict", "__class__",
                       "generateContent:generateContent", "generateContent%00", "countTokens%2f..")
    ]  # fmt: skip
    found += [
        one(f"the path {path[:40]!r}", request(path, method="GET"), 400, 404, 405)
        for path in (
            "/v1/../healthz/x", "/v1/models/../../x", "/%2e%2e/%2e%2e/etc/passwd", "/v1%2f%2fmodels", "/v1/models%00",
            "/v1;/models", "/v1//models", "/\\v1", "/v1/chat%0d%0aX-A:b", "/.git/config", "/.env", "/v1/models/x%0a",
            "/" + "%2e/" * 900, "/" + "a/" * 1_500, "/%ff%fe", "/%", "/console", "/metrics%00", "/v1/%c0%ae%c0%ae/",
        )
    ]  # fmt: skip
    found += [
        one(f"the target {target[:40]!r}", request(target, method="GET"), *want)
        for target, want in (
            ("http://evil.example/v1/models", (200, 400, 404)), ("https://evil.example:1/healthz", (200, 400, 404)),
            ("http://", (400, 404)), ("evil.example:443", (400, 404)), ("v1/models", (400, 404)), ("*", (400, 404)),
            ("?", (400, 404)), ("#", (400, 404)), ("/v1/models#x", (200, 400)), ("http://[::1/v1", (400, 404)),
            ("/v1/models\x00", (400,)), ("/v1/mod\xe4ls", (400,)), ("/v1/models x", (400,)), ("", (400,)),
        )
    ]  # fmt: skip
    found += [
        one("a query of 3 kB", request("/v1/models?" + "a" * 3_000, method="GET"), 200),
        one("1,000 parameters", request("/v1/models?" + "a&" * 1_000, method="GET"), 200),
        one("parameters that are none", request("/v1/models?%ff=%00&=&&&%=%zz&a[b][c]=d", method="GET"), 200),
        one("a quoted slash needs a key", request("/v1%2fmodels", method="GET", auth=""), 401),
        one("a doubled slash needs a key", request("//v1/models", method="GET", auth=""), 401),
        one("an absolute target needs a key", request("http://x/v1/models", method="GET", auth=""), 401),
        one("a public path behind a trick", request("/healthz/../v1/models", method="GET", auth=""), 404),
        one("a public path in a parameter", request("/v1/models?/healthz", method="GET", auth=""), 401),
        one("a host like a path", request("/v1/models", method="GET", auth="", host="Host: x/healthz?\r\n"), 400, 401),
        *[
            one(f"the generation {identity!r}", request(f"/v1/generation?id={identity}", method="GET"), 400, 404)
            for identity in ("%25", "*", "'%20OR%201=1--", "%00", "%ff", "a" * 3_000, "..", "", "%F0%9F%92%A9", "1%0a2")
        ],
        *[
            one(f"the response {identity!r}", request(f"/v1/responses/{identity}", method="GET"), 400, 404)
            for identity in ("%25", "*", "'%20OR%201=1--", "%00", "%ff", "a" * 3_000, "..", "%2e%2e%2fmodels", "%0d%0a")
        ],
        one("a response of two slashes", request("/v1/responses/a%2fb/input_items", method="GET"), 404),
    ]  # fmt: skip
    return found


def _keys() -> list[Case]:
    """Keys that are none. What was sent is not repeated."""
    following = KEY[:-1] + chr(ord(KEY[-1]) + 1)
    wrong = (
        "%", "*", "_" * len(KEY), KEY[:-1], KEY[:20], KEY + "x", following, KEY.upper(), KEY + "\xa0", KEY + "\x85", KEY + "," + KEY,
        f"'{KEY}'", f'"{KEY}"', "' OR '1'='1", "x' UNION SELECT id FROM api_key --", "null", "undefined", "\xe4\xf6\xfc",
        "sk-getgpt-" + "a" * 43, "a" * 7_000, "{}", "[]", "../../secret.key",
    )  # fmt: skip
    found = [
        one(f"the key {key[:24]!r} as {form}", request("/v1/models", method="GET", auth=f"{head}{key}\r\n"), 401,
            silent=(key,) if len(key) > 12 else ())
        for key in wrong
        for form, head in (("Bearer", "Authorization: Bearer "), ("x-api-key", "x-api-key: "))
    ]  # fmt: skip
    basic = "Authorization: Basic " + "dXNlcjpwYXNz"
    return found + [
        one(f"with {name}", request("/v1/models" + query, method="GET", auth=auth), 401, silent=(KEY, "dXNlcjpwYXNz"))
        for name, query, auth in (
            ("nothing", "", ""), ("Basic", "", basic + "\r\n"), ("the bare key", "", f"Authorization: {KEY}\r\n"),
            ("Token", "", f"Authorization: Token {KEY}\r\n"), ("no key", "", "Authorization: Bearer\r\n"),
            ("an empty key", "", "Authorization: Bearer  \r\n"), ("a key in the URL", f"?key={KEY}&api_key={KEY}", ""),
            ("a cookie", "", f"Cookie: key={KEY}; api_key={KEY}; session={KEY}\r\n"),
            ("a key of another name", "", f"api-key: {KEY}\r\nX-Key: {KEY}\r\n"),
            ("an underscored name", "", f"x_api_key: {KEY}\r\n"),
            ("two keys, the first wrong", "", f"Authorization: Bearer sk-getgpt-wrong\r\nx-api-key: {KEY}\r\n"),
            ("two of one name", "", f"x-api-key: sk-getgpt-wrong\r\nx-api-key: {KEY}\r\n"),
            ("two authorizations", "", f"Authorization: Bearer sk-getgpt-wrong\r\n{_AUTH}"),
            ("Google's after a wrong one", f"?key={KEY}", "x-goog-api-key: sk-getgpt-wrong\r\n"),
        )
    ] + [
        one("a key of 1 MB", request("/v1/models", method="GET", auth=f"x-api-key: {'k' * 1_000_000}\r\n"), 431),
        one("a key in the body", request(body={**_CALL, "api_key": KEY, "key": KEY}, auth=""), 401, silent=(KEY,)),
        one("the right one of two orders", request("/v1/models", method="GET", auth=_AUTH + "x-api-key: wrong\r\n"), 200),
        one("Gemini's key in its URL", request(f"/v1beta/models?key={KEY}", method="GET", auth=""), 200, silent=(KEY,)),
        one("a wrong one there", request(f"/v1beta/models?key={CANARY}", method="GET", auth=""), 401, silent=(CANARY,)),
        one("two there", request(f"/v1beta/models?key=wrong&key={KEY}", method="GET", auth=""), 401, silent=(KEY,)),
    ]  # fmt: skip


def _bodies() -> list[Case]:
    """What is no JSON, or none that two readers read alike."""
    texts: tuple[tuple[str, bytes], ...] = (
        ("nothing", b""), ("a brace", b"{"), ("an array", b"[]"), ("a string", b'"x"'), ("a number", b"5"),
        ("null", b"null"), ("true", b"true"), ("UTF-16", json.dumps(_CALL).encode("utf-16")),
        ("UTF-32", json.dumps(_CALL).encode("utf-32")), ("a byte order mark", b"\xef\xbb\xbf" + json.dumps(_CALL).encode()),
        ("latin-1", b'{"model":"\xe4"}'), ("an overlong NUL", b'{"model":"\xc0\x80"}'),
        ("a surrogate in UTF-8", b'{"model":"\xed\xa0\x80"}'), ("half a pair", b'{"model":"\\ud800"}'),
        ("half a pair in a name", b'{"\\udc00":1,"model":"x"}'), ("a pair the wrong way", b'{"model":"\\udc00\\ud800"}'),
        ("NaN", b'{"temperature":NaN}'), ("-Infinity", b'{"temperature":-Infinity}'), ("1e999", b'{"a":[1e999]}'),
        ("-1e999", b'{"a":{"b":-1e999}}'), ("100,000 digits", b'{"a":' + b"9" * 100_000 + b"}"),
        ("100,000 digits behind a point", b'{"a":1e' + b"9" * 100_000 + b"}"),
        ("100,000 arrays", b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        ("100,000 objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000), ("129 arrays", b'{"a":' + b"[" * 129 + b"]" * 129 + b"}"),
        ("a name twice", b'{"model":"a","model":"sandbox/echo","messages":[]}'),
        ("a name twice, escaped", b'{"model":"a","mode\\u006c":"sandbox/echo"}'),
        ("a name twice, deep", b'{"messages":[{"role":"user","content":[{"type":"text","type":"x"}]}]}'),
        ("two objects", b'{"model":"x"}{"model":"y"}'), ("lines of objects", b'{"a":1}\n{"b":2}'), ("a comment", b'{/*x*/"a":1}'),
        ("a comma too many", b'{"a":1,}'), ("quotes of one kind", b"{'a':1}"), ("a line break in a string", b'{"a":"b\nc"}'),
        ("NUL in a string", b'{"a":"b\0c"}'), ("NUL behind it", b'{"a":1}\0'), ("a form", b"model=x&messages=y"),
        ("XML", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
        ("a pickle", b"\x80\x04\x95."), ("5,000 names twice", b"{" + b",".join([b'"a":1'] * 5_000) + b"}"),
    )  # fmt: skip
    found = [one(f"{name} as a body of {path}", request(path, body), 400)
             for name, body in texts
             for path in (_CHAT, "/v1/messages")]  # fmt: skip
    multipart = b'--x\r\nContent-Disposition: form-data; name="file"; filename="../../x"\r\n\r\na\r\n' * 20_000
    return [
        *found,
        one("multipart", request(body=multipart, headers="Content-Type: multipart/form-data; boundary=x\r\n"), 415),
        one("multipart without a boundary", request(body=_CALL, headers="Content-Type: multipart/form-data\r\n"), 415),
        one("multipart in capitals", request(body=_CALL, headers="Content-Type: MULTIPART/Mixed; boundary=\r\n"), 415),
        one("two content types", request(body=_CALL, headers="Content-Type: a/b\r\nContent-Type: c/d\r\n"), 400),
        one("a strange content type", request(body=_CALL, headers="Content-Type: ;;=\xff; charset=utf-7\r\n"), 200),
        one("200,000 names", asked(**{f"n{n}": n for n in range(200_000)}), 400),
        one("200,000 names below", asked(metadata={f"n{n}": n for n in range(200_000)}), 200),
        one("19,000 names", asked(**{f"n{n}": n for n in range(19_000)}), 200),
        one("2,000,000 names", request(body=b"{" + b",".join(b'"%d":1' % n for n in range(2_000_000)) + b"}"), 400),
        one("2,000,000 numbers", request(body=b'{"a":[' + b"1.5e3," * 2_000_000 + b"1]}"), 400),
        one("3,000,000 strings", request(body=b'{"a":[' + b'"",' * 3_000_000 + b"1]}"), 400),
        one("5,000,000 escapes", request(body=b'{"a":"' + b'\\"' * 5_000_000 + b'","b":' + b"[" * 200), 400),
        one("2,000,000 commas of text", asked(user="1," * 2_000_000), 200),
        one("128 arrays", request(body=json.dumps({**_CALL, "metadata": None}).encode()[:-1] + b',"a":' + b"[" * 127 + b"]" * 127 + b"}"), 200),
        one("__proto__", asked(__proto__={"admin": True}, constructor={"prototype": {"admin": True}}), 200),
        one("many dots of a name", asked(**{"a.b.c": 1, "": 2, "\0": 3, "$where": "1", "a" * 100_000: 4}), 200),
        one("a string of 5 MB", asked(user="u" * 5_000_000), 200, 400),
    ]  # fmt: skip


def _fields() -> list[Case]:
    """Numbers that would cost, or would make what costs less than nothing."""
    wrong: tuple[dict[str, Any], ...] = (
        {"n": 10**9}, {"n": 0}, {"n": -1}, {"n": 1.0}, {"n": True}, {"n": "1"}, {"n": 10**30},
        *[
            {name: value}
            for name in ("max_tokens", "max_completion_tokens")
            for value in (0, -1, -(10**30), 1.5, 1e3, True, "9", [9], {"a": 9}, 10**30)
        ],
        {"max_tokens": 5, "max_completion_tokens": 10**12}, {"max_tokens": 10**12, "max_completion_tokens": 5},
        {"temperature": -1}, {"temperature": 10**40}, {"stream": 1}, {"stream": "true"}, {"messages": {}},
        {"messages": [None]}, {"messages": [[]]}, {"messages": [{}]}, {"messages": [{"role": "user\r\nx: y", "content": "a"}]},
        {"models": "x"}, {"models": ["x"] * 1_000}, {"tools": [None]}, {"stop": [1]}, {"stop": {"a": 1}},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}]},
    )  # fmt: skip
    found = [one(f"chat with {json.dumps(more)[:60]}", asked(**more), 400, 402) for more in wrong]
    others: tuple[tuple[str, dict[str, Any]], ...] = (
        ("/v1/messages", {"model": "sandbox/echo", "messages": [{"role": "user", "content": "a"}]}),
        ("/v1/responses", {"model": "sandbox/echo", "input": "a"}),
        ("/v1/completions", {"model": "sandbox/echo", "prompt": "a"}),
        ("/v1beta/models/sandbox/echo:generateContent", {"contents": [{"parts": [{"text": "a"}]}]}),
    )
    for path, body in others:
        for value in (0, -1, 1.5, True, "9", 10**30):
            said = {"generationConfig": {"maxOutputTokens": value}} if "beta" in path else {
                "max_output_tokens" if "responses" in path else "max_tokens": value}  # fmt: skip
            free = value == 0 and path in ("/v1/messages", "/v1/completions")  # fills the prompt cache, or echoes
            found.append(
                one(f"{path} with {said}", request(path, {**body, **said}), *((200, 400) if free else (400, 402)))
            )
    odd = {"role": "assistant", "content": "a", "reasoning_details": [{"type": {}}, {"type": ["reasoning.text"]}]}
    found += [
        one("thoughts of no type", asked(messages=[odd, {"role": "user", "content": "b"}]), 200),
        one("a tool of no type in a namespace", request("/v1/responses", {
            "model": "sandbox/echo", "input": "a", "tools": [{"type": "namespace", "name": "n", "tools": [{"type": {}}]}],
        }), 400),
    ]  # fmt: skip
    for value in (0, -1, 1.5, True, "2", 10**9):
        said = {"generationConfig": {"candidateCount": value}}
        found.append(one(f"Gemini with {said}", request(others[3][0], {**others[3][1], **said}), 400, 402))
    return found


def _own_members() -> list[Case]:
    """What names another place to send a call to, at any depth, is read by nobody; the sandbox answers as ever."""
    place = {"api_base": "http://127.0.0.1:1/", "base_url": "http://127.0.0.1:1/", "api_key": "sk-x", "headers": {"A": "b"},
             "extra_headers": {"Host": "evil.example"}, "extra_body": {"base_url": "http://127.0.0.1:1/"},
             "litellm_params": {"api_base": "http://127.0.0.1:1/"}, "user_config": {"model_list": []}}  # fmt: skip
    return [
        one("another place in the body", asked(**place), 200),
        one("another place, deeper", asked(metadata={"a": place}, litellm_metadata=place, provider_options=[place]), 200),
        one("another place in headers", request(body=_CALL, headers="x-api-base: http://127.0.0.1:1/\r\n"
            "api-base: http://127.0.0.1:1/\r\nx-portkey-custom-host: http://127.0.0.1:1\r\n"), 200),
    ]  # fmt: skip


_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


def exchanged(port: int, case: Case) -> bytes:
    """All that came back until the gateway closed the connection. Raises TimeoutError if it keeps it."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as sock:
        try:
            for piece in case.send:
                if isinstance(piece, float):
                    time.sleep(piece)
                else:
                    sock.sendall(piece)
            if case.ends:
                sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before all was sent
        got = b""
        while True:
            try:
                data = sock.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                return got
            got += data


def answers(got: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """The answers on one connection: status, headers, body. Raises ValueError for what is none."""
    found = []
    while got:
        head, split, rest = got.partition(b"\r\n\r\n")
        status = _STATUS.match(head)
        if status is None or not split:
            raise ValueError(f"no answer: {got[:80]!r}")
        if status[1] == b"100":
            got = rest
            continue
        lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
        headers = {name.decode().lower(): value.strip().decode("latin-1") for name, _, value in lines}
        length = int(headers.get("content-length", 0))
        if "chunked" in headers.get("transfer-encoding", ""):
            raise ValueError("a stream where none was asked for")
        found.append((int(status[1]), headers, rest[:length]))
        got = rest[length:]
    return found


def wrong(port: int, case: Case) -> str | None:
    """What is wrong with how the gateway takes a case, or None."""
    began = time.monotonic()
    try:
        got = exchanged(port, case)
        found = answers(got)
    except TimeoutError:
        return f"no end of the connection after {time.monotonic() - began:.0f} s"
    except (ValueError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    if len(found) != case.replies:
        lost = not found and case.replies == 1 and any(status in (400, 413, 414, 431) for status in case.want)
        return "no answer, only a reset" if lost else f"{len(found)} answers: {[status for status, _, _ in found]}"
    for status, headers, body in found:
        if status not in case.want:
            return f"{status} instead of {case.want}: {body[:200]!r}"
        if headers.get("x-content-type-options") != "nosniff" or not headers.get("x-request-id", "").startswith("req_"):
            return f"{status} without the headers that all have"
        if status >= 400 and not _envelope(body) and case.name != "the method HEAD":
            return f"{status} in no envelope: {body[:200]!r}"
        told = body.decode("utf-8", "replace")
        if (
            any(text in told or text in repr(headers) for text in case.silent)
            or "Traceback" in told
            or "x-a" in headers
        ):
            return f"{status} says what it should not: {told[:300]}"
    return None


def _envelope(body: bytes) -> bool:
    try:
        found = json.loads(body)
    except ValueError:
        return False
    return isinstance(found, dict) and isinstance(found.get("error"), dict) and len(found["error"]["message"]) > 10


def run(gateway: Gateway, table: Sequence[Case] | None = None) -> tuple[int, list[str]]:
    """Try the table: how many were tried, and what was wrong."""
    table = cases() if table is None else table
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda case: (case.name, wrong(gateway.port, case)), table)
        return len(table), [f"{name}: {complaint}" for name, complaint in found if complaint]


def test_what_no_sdk_would_send(sqlite_gateway: Gateway) -> None:
    workers, logged = sqlite_gateway.worker_pids(), sqlite_gateway.log.stat().st_size
    tried, complaints = run(sqlite_gateway)
    print(f"bad inputs: {tried} tried, {len(complaints)} wrong")
    assert not complaints, "\n".join(complaints)
    assert sqlite_gateway.worker_pids() == workers, "a worker died of it"
    log = sqlite_gateway.log.read_bytes()[logged:].decode("utf-8", "replace")
    assert not [said for said in ("crashed", "Traceback", CANARY, KEY, "evil.example", "etc/passwd") if said in log], (
        log
    )
    assert sqlite_gateway.books()["ok"] and sqlite_gateway.credits()["held"] == 0


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that waits for nobody."""
    with Gateway(tmp_path_factory.mktemp("gateway"), workers=1, GATEWAY_BODY_S="1", GATEWAY_WHOLE_S="2") as live:
        yield live


def _slow(name: str, begun: bytes, drip: bytes, pause: float, want: int) -> Case:
    return Case(name, (begun, *[piece for _ in range(40) for piece in (drip, pause)]), (want,))


SLOW = [
    _slow("a line that does not end", b"GET /v1/mod", b"", 0.1, 408),
    _slow("a head that does not end", b"GET /v1/models HTTP/1.1\r\nHost: x\r\n", b"", 0.1, 408),
    _slow("a head a byte at a time", b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-A: ", b"a", 0.1, 408),
    _slow("a head a header at a time", b"GET /v1/models HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n", 0.1, 408),
    _slow("a body that does not come", request(headers="Content-Length: 100\r\n", length=False), b"", 0.1, 408),
    _slow("a body a byte at a time", request(headers="Content-Length: 900\r\n", length=False), b" ", 0.1, 408),
    _slow("chunks that do not come", request(headers="Transfer-Encoding: chunked\r\n", length=False), b"", 0.1, 408),
    _slow("a size of a chunk a byte at a time", request(headers="Transfer-Encoding: chunked\r\n", length=False), b"0", 0.1, 408),
    _slow("a body that nobody wants",
          request("/v1/nothing", headers="Content-Length: 900\r\n", length=False).replace(b"Connection: close\r\n", b""),
          b" ", 0.1, 404),
    _slow("a body without a key", request(headers="Transfer-Encoding: chunked\r\n", length=False, auth="").replace(
          b"Connection: close\r\n", b""), b"1\r\na\r\n", 0.1, 401),
]  # fmt: skip


def test_slow_clients_are_cut(hasty: Gateway) -> None:
    tried, complaints = run(hasty, SLOW)
    print(f"slow inputs: {tried} tried, {len(complaints)} wrong")
    assert not complaints, "\n".join(complaints)
    assert "Traceback" not in hasty.log.read_text()


def test_a_quiet_connection_is_no_slow_one(hasty: Gateway) -> None:
    """The time for a head begins with its first byte."""
    ask = request("/v1/models", method="GET").replace(b"Connection: close\r\n", b"")
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=WAIT_S) as sock:
        for _ in range(2):
            time.sleep(1.5)
            sock.sendall(ask)
            assert sock.recv(12) == b"HTTP/1.1 200"
            while _more(sock):
                sock.recv(1 << 16)


def _more(sock: socket.socket) -> bool:
    """Whether anything comes within a moment."""
    sock.settimeout(0.3)
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False
    finally:
        sock.settimeout(WAIT_S)


def test_an_answer_that_nobody_takes_is_given_up(hasty: Gateway) -> None:
    """A whole answer, larger than what the machine keeps for a client that reads nothing."""
    text = "words " * 2_500_000
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.settimeout(WAIT_S)
        sock.connect(("127.0.0.1", hasty.port))
        sock.sendall(asked(messages=[{"role": "user", "content": text}]))
        assert sock.recv(12, socket.MSG_PEEK)
        here = sock.getsockname()[1]
        end = time.monotonic() + 2 * WAIT_S
        while any(
            found.raddr and found.raddr.port == here
            for pid in hasty.worker_pids()
            for found in psutil.Process(pid).net_connections()
        ):
            assert time.monotonic() < end, "the connection stays open"
            time.sleep(0.2)
    assert hasty.chat("sandbox/echo").status_code == 200
    assert "Traceback" not in hasty.log.read_text()
