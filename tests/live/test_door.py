"""The door on a live gateway: keys, permissions, limits, and what no SDK would send."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.conftest import Lab
from tests.gateway import KEY, Gateway
from tests.upstream import Script

ASK = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "hi"}]}


def test_three_header_forms(gateway: Gateway) -> None:
    for headers in ({"Authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}, {"x-goog-api-key": KEY}):
        assert requests.get(f"{gateway.url}/v1/models", headers=headers, timeout=5).status_code == 200
    both = {"Authorization": "Bearer sk-getgpt-wrong", "x-api-key": KEY}
    assert requests.get(f"{gateway.url}/v1/models", headers=both, timeout=5).status_code == 401, "the first one counts"


@pytest.mark.parametrize("key", ["", "%", "*", KEY[:-1], KEY + "x", "' OR 1=1 --", "x" * 7000, "sk-\xe9\xff", "Bearer"])
def test_wrong_keys(sqlite_gateway: Gateway, key: str) -> None:
    headers = {b"x-api-key": key.encode("latin-1")}
    answer = requests.get(f"{sqlite_gateway.url}/v1/models", headers=headers, timeout=5)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"
    assert len(key) < 10 or key not in answer.text


def test_keys_in_the_query_are_no_keys(sqlite_gateway: Gateway) -> None:
    assert requests.get(f"{sqlite_gateway.url}/v1/models?key={KEY}&api_key={KEY}", timeout=5).status_code == 401


def test_revocation_holds_in_all_workers_within_a_second(gateway: Gateway) -> None:
    name, key = gateway.account("1")
    assert gateway.chat("sandbox/echo", key=key).status_code == 200
    made = next(row for row in gateway.cli("keys", "list", "--account", name))
    gateway.cli("keys", "revoke", made["id"])
    time.sleep(1)
    with ThreadPoolExecutor(8) as threads:
        codes = set(threads.map(lambda _: gateway.get("/v1/models", key).status_code, range(40)))
    assert codes == {401}


def test_narrow_keys(gateway: Gateway) -> None:
    _, key = gateway.account("1", models="sandbox/echo,openai/*")
    assert gateway.chat("sandbox/echo", key=key).status_code == 200
    refused = gateway.chat("sandbox/reasoner", key=key)
    assert refused.status_code == 403 and refused.json()["error"]["type"] == "permission_error"
    assert [model["id"] for model in gateway.get("/v1/models", key).json()["data"]] == ["sandbox/echo"]
    assert gateway.get("/v1/models/sandbox/reasoner", key).status_code == 403


def test_a_key_with_a_limit_of_its_own(gateway: Gateway) -> None:
    ask = {"model": "sandbox/tokens-10", "max_tokens": 10, "messages": ASK["messages"]}
    cost = Decimal(gateway.post("/v1/chat/completions", ask).headers["x-gateway-cost-usd"])
    _, key = gateway.account("1", limit_usd=f"{cost * 2:f}")
    codes = [gateway.post("/v1/chat/completions", ask, key).status_code for _ in range(3)]
    assert codes == [200, 200, 402]
    assert "key" in gateway.post("/v1/chat/completions", ask, key).json()["error"]["message"]


def test_a_plan_admits_exactly_its_requests(gateway: Gateway) -> None:
    gateway.cli("plans", "set", "ten-a-minute", "--rpm", "10")
    _, key = gateway.account("1", plan="ten-a-minute")
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: gateway.chat("sandbox/echo", key=key), range(30)))
    codes = [answer.status_code for answer in answers]
    assert (codes.count(200), codes.count(429)) == (10, 20)
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 60 and "10 requests a minute" in refused.text
    assert refused.headers["x-ratelimit-limit"] == "10" and refused.headers["x-ratelimit-remaining"] == "0"
    assert 0 < int(refused.headers["x-ratelimit-reset"]) - time.time() <= 61
    assert gateway.credits(key)["held"] == 0


def test_token_windows_give_back_what_was_not_used(gateway: Gateway) -> None:
    gateway.cli("plans", "set", "tokens", "--tpm", "3000")
    _, key = gateway.account("1", plan="tokens")
    for _ in range(4):  # each reserves about 2,000 and uses a dozen
        assert gateway.chat("sandbox/echo", key=key, max_tokens=1800).status_code == 200
    refused = gateway.chat("sandbox/echo", key=key, max_tokens=5000)  # no wait would help, so an SDK should not retry
    assert refused.status_code == 429 and refused.headers["x-should-retry"] == "false"
    assert "retry-after" not in refused.headers


def test_calls_at_once(gateway: Gateway) -> None:
    gateway.cli("plans", "set", "two-at-once", "--parallel", "2")
    _, key = gateway.account("1", plan="two-at-once")
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: gateway.chat("sandbox/slow-800", key=key), range(6)))
    codes = [answer.status_code for answer in answers]
    assert (codes.count(200), codes.count(429)) == (2, 4)
    assert gateway.chat("sandbox/echo", key=key).status_code == 200


def test_every_response_says_who_and_how_much_is_left(sqlite_gateway: Gateway) -> None:
    for answer in (
        sqlite_gateway.get("/v1/models"),
        sqlite_gateway.get("/v1/credits"),
        sqlite_gateway.chat("sandbox/echo"),
    ):
        assert answer.headers["x-request-id"].startswith("req_")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        limit, left = int(answer.headers["x-ratelimit-limit"]), int(answer.headers["x-ratelimit-remaining"])
        assert 0 < left <= limit and abs(int(answer.headers["x-ratelimit-reset"]) - time.time()) < 60


def test_preflight(sqlite_gateway: Gateway) -> None:
    asked = {"Origin": "https://x.example", "Access-Control-Request-Headers": "authorization,x-stainless-os"}
    answer = requests.options(f"{sqlite_gateway.url}/v1/chat/completions", headers=asked, timeout=5)
    assert answer.status_code == 204 and answer.headers["access-control-allow-origin"] == "*"
    assert "x-stainless-os" in answer.headers["access-control-allow-headers"]


def test_unknown_paths_and_methods(sqlite_gateway: Gateway) -> None:
    for path in ("/nothing", "/v1/nothing", "/v1/chat", "/v1//models", "/%2e%2e/etc/passwd", "/"):
        answer = sqlite_gateway.get(path)
        assert answer.status_code == 404 and answer.json()["error"]["type"] == "not_found_error", path
    answer = sqlite_gateway.get("/v1/chat/completions")
    assert answer.status_code == 405 and answer.json()["error"]["type"] == "invalid_request_error"
    assert "POST" in answer.headers["allow"]


WRONG: list[tuple[Any, str]] = [
    ({"messages": ASK["messages"]}, "model"),
    ({"model": "sandbox/echo"}, "messages"),
    ({**ASK, "messages": []}, "messages"),
    ({**ASK, "messages": "hi"}, "messages"),
    ({**ASK, "messages": [1]}, "messages[0]"),
    ({**ASK, "messages": [{"role": "User!", "content": "x"}]}, "messages[0].role"),
    ({**ASK, "messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({**ASK, "messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages[0].content[0].text"),
    ({**ASK, "model": 5}, "model"),
    ({**ASK, "model": ""}, "model"),
    ({**ASK, "stream": "true"}, "stream"),
    ({**ASK, "max_tokens": 0}, "max_tokens"),
    ({**ASK, "max_tokens": -1}, "max_tokens"),
    ({**ASK, "max_tokens": 1.5}, "max_tokens"),
    ({**ASK, "max_tokens": True}, "max_tokens"),
    ({**ASK, "max_completion_tokens": "9"}, "max_completion_tokens"),
    ({**ASK, "n": 0}, "n"),
    ({**ASK, "n": 1_000_000_000}, "n"),
    ({**ASK, "temperature": 2.1}, "temperature"),
    ({**ASK, "temperature": "hot"}, "temperature"),
    ({**ASK, "top_p": -0.1}, "top_p"),
    ({**ASK, "tools": {}}, "tools"),
    ({**ASK, "tools": [{"type": "function"}]}, "tools[0].function"),
    ({**ASK, "tools": [{"type": "function", "function": {"name": "f"}}] * 2049}, "tools"),
    ({**ASK, "stop": [1]}, "stop"),
    ({**ASK, "computer_id": "c"}, "computer_id"),
    ({**ASK, "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [5]}},
      "service_tier": "priority"}, "service_tier"),
    ({**ASK, "web_search_options": {}}, "web_search_options"),
    ({**ASK, "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f-1"}}]}]},
     "messages[0].content[0].file.file_id"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "param"), WRONG, ids=[f"{number}-{param}" for number, (_, param) in enumerate(WRONG)])
def test_wrong_bodies_name_the_field(sqlite_gateway: Gateway, body: Any, param: str) -> None:
    answer = sqlite_gateway.post("/v1/chat/completions", body)
    error = answer.json()["error"]
    assert answer.status_code in (400, 404) and error["param"] == param, answer.text
    assert error["message"] and "x-gateway-channel" not in answer.headers


def test_null_is_absent(sqlite_gateway: Gateway) -> None:
    body = {**ASK, "stream": None, "max_tokens": None, "n": None, "temperature": None, "tools": None, "stop": None}
    assert sqlite_gateway.post("/v1/chat/completions", body).status_code == 200


BROKEN = [
    b"", b"{", b"[]", b'"x"', b"null", b"5", b"\xff\xfe", '{"model":"x"}'.encode("utf-16"), b'{"a":1,}', b'{"a":1}{}',
    b'{"model":"a","model":"b"}', b'{"messages":[{"role":"user","role":"x"}]}', b'{"temperature":NaN}',
    b'{"n":Infinity}', b'{"n":1e999}', b'{"n":' + b"9" * 5000 + b"}", b"[" * 100_000, b'{"a":' * 100_000,
    b'{"a":' + b"[" * 99_999 + b"]" * 99_999, b'{"model":"\\ud800"}', b'{"model":"\x00"}', b'{"a":"\\x"}', b"a=1&b=2", b"{'model':'x'}", b'{"a":01}',
    b'{"a":"' + b'\\"' * 1_000_000 + b"[" * 200, b'{"a":[' + b",".join([b"[" * 100 + b"]" * 100] * 9_000) + b"]}",
    b'{"a":[' + b"1," * 6_000_000 + b"1]}",
]  # fmt: skip


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
def test_broken_json(sqlite_gateway: Gateway, body: bytes) -> None:
    answer = sqlite_gateway.post("/v1/chat/completions", body, timeout=10)
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"


def test_many_members_are_no_problem(sqlite_gateway: Gateway) -> None:
    body = {**ASK, **{f"member{place}": place for place in range(15_000)}}
    assert sqlite_gateway.post("/v1/chat/completions", body, timeout=10).status_code == 200


def test_content_types(sqlite_gateway: Gateway) -> None:
    for content_type in ("application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8", ""):
        answer = sqlite_gateway.post("/v1/chat/completions", ASK, headers={"Content-Type": content_type})
        assert answer.status_code == 200, content_type
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    assert sqlite_gateway.post("/v1/chat/completions", ASK, headers=multipart).status_code == 415
    assert sqlite_gateway.post("/v1/chat/completions", ASK, headers={"Content-Encoding": "gzip"}).status_code == 415


def raw(gateway: Gateway, head: str, body: bytes = b"", wait: float = 10) -> bytes:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=wait) as sock:
        sock.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nx-api-key: {KEY}\r\n{head}\r\n".encode() + body)
        got = b""
        while b"\r\n\r\n" not in got or b"}" not in got:
            data = sock.recv(65536)
            if not data:
                break
            got += data
        return got


def test_bodies_over_the_limit_are_refused_on_the_header(sqlite_gateway: Gateway) -> None:
    got = raw(sqlite_gateway, f"Content-Length: {65 << 20}\r\n")
    assert got.startswith(b"HTTP/1.1 413") and b"invalid_request_error" in got


def test_chunked_bodies(sqlite_gateway: Gateway) -> None:
    data = json.dumps(ASK).encode()
    got = raw(sqlite_gateway, "Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))
    assert got.startswith(b"HTTP/1.1 200")


def test_the_gateways_own_members_stay_here(lab: Lab) -> None:
    reply = {
        "id": "a",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": {"content": "x"}}],
    }
    model = lab.model(Script.json({**reply, "usage": {"prompt_tokens": 1, "completion_tokens": 1}}))
    answer = lab.gateway.chat(model, provider={"only": [lab.name]}, models=["a", "b"], max_steps=3)
    assert not {"provider", "models", "max_steps"} & lab.provider.last().json.keys()
    assert answer.headers["x-gateway-losses"] == "max_steps=drop"


def test_headers_travel_by_the_allow_list(lab: Lab) -> None:
    script = Script.json(
        {"id": "a", "model": "m", "choices": [{"index": 0, "message": {"content": "x"}}]},
        openai_processing_ms="12", openai_organization="org-1", set_cookie="a=b", x_ratelimit_limit_requests="9",
    )  # fmt: skip
    body = {"model": lab.model(script), "messages": ASK["messages"]}
    answer = lab.gateway.post(
        "/v1/chat/completions", body, headers={"Cookie": "c=1", "X-Forwarded-For": "1.2.3.4", "OpenAI-Beta": "x=v1"}
    )
    up = lab.provider.last().headers
    assert up["authorization"] == "Bearer sk-upstream-secret-0123456789" and KEY not in str(up)
    assert up["openai-beta"] == "x=v1" and not {"cookie", "x-forwarded-for", "x-api-key"} & up.keys()
    assert answer.headers["openai-processing-ms"] == "12"
    assert not {"openai-organization", "set-cookie", "x-ratelimit-limit-requests"} & {h.lower() for h in answer.headers}


def test_a_providers_words_are_kept_without_its_secrets(lab: Lab) -> None:
    words = (
        "Bad key sk-upstream-secret-0123456789 for max_tokens, see sk-proj-abcdefghijklmnop and Bearer abcdefghij12345"
    )
    error = {"error": {"message": words, "type": "invalid_request_error", "param": "max_tokens", "code": "too_big"}}
    told = lab.gateway.chat(lab.model(Script.json(error, 400))).json()["error"]
    assert told["param"] == "max_tokens" and told["provider_code"] == "too_big" and told["code"] == 400
    assert "secret" not in told["message"] and "abcdefghij" not in told["message"] and "max_tokens" in told["message"]
    assert lab.gateway.chat(lab.model(Script.json(error, 401))).json()["error"]["code"] == 503
    hinted = lab.gateway.chat(lab.model(Script.json(error, 429, retry_after="7", x_should_retry="true")))
    assert hinted.headers["retry-after"] == "7" and hinted.headers["x-should-retry"] == "true"
