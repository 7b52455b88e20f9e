"""Streams as they run: at once, alive in silence, given up with their client, honest when they break."""

from __future__ import annotations

import json
import socket
import time

from tests.conftest import Lab
from tests.gateway import KEY, frames
from tests.upstream import Script

ROLE = b'data: {"id":"up-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
END = b'data: {"id":"up-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"id":"up-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}\n\n'
DONE = b"data: [DONE]\n\n"


def word(text: str) -> bytes:
    delta = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    chunk = {"id": "up-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [delta]}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


class Reader:
    """A raw HTTP client that notes when each piece of a stream came."""

    def __init__(self, lab: Lab, model: str, **more: object) -> None:
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}], **more}
        data = json.dumps(body).encode()
        self.sock = socket.create_connection(("127.0.0.1", lab.gateway.port), timeout=30)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
        self.sock.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(data) + data)
        self.text = b""
        self.began = time.monotonic()

    def until(self, mark: bytes) -> float:
        """Read until the bytes have come; seconds since the request was sent."""
        while mark not in self.text:
            data = self.sock.recv(65536)
            assert data, self.text
            self.text += data
        return time.monotonic() - self.began

    def close(self) -> None:
        self.sock.close()


def test_frames_go_out_at_once_whatever_the_framing(lab: Lab) -> None:
    for framing in ("chunked", "close"):
        script = Script.sse(ROLE, word("one"), 0.7, word("two"), 0.7, word("three"), END, USAGE, DONE, framing=framing)
        reader = Reader(lab, lab.model(script))
        reader.until(b'"one"')
        assert b"two" not in reader.text, "the first frame did not wait for the second"
        reader.until(b'"two"')
        assert b"three" not in reader.text
        reader.until(b"[DONE]")
        reader.close()


def test_silence_is_filled_with_pings(lab: Lab) -> None:
    reader = Reader(lab, lab.model(Script.sse(6.0, ROLE, word("late"), 6.0, END, USAGE, DONE)))
    assert reader.until(b": ping") < 6, "before the first frame"
    reader.until(b'"late"')
    before = reader.text.count(b": ping")
    reader.until(b"[DONE]")
    assert reader.text.count(b": ping") > before, "between frames"
    reader.close()


def test_a_client_that_leaves_is_noticed_while_the_provider_is_silent(lab: Lab) -> None:
    for pieces in ((0.0,), (ROLE, word("one"))):
        model = lab.model(Script.sse(*pieces, ending="hang"))
        reader = Reader(lab, model)
        if len(pieces) > 1:
            reader.until(b'"one"')
        else:
            time.sleep(0.5)
        left = time.monotonic()
        reader.close()
        asked = lab.provider.of(model.split("/")[1])[0]
        while asked.closed_at is None:
            assert time.monotonic() - left < 5, "the provider was not hung up on, though silent"
            time.sleep(0.005)


def test_a_client_that_leaves_a_whole_answer_costs_nothing(lab: Lab) -> None:
    model = lab.model(Script(pieces=[30.0, b"{}"]))
    _, key = lab.gateway.account("1")
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}).encode()
    sock = socket.create_connection(("127.0.0.1", lab.gateway.port))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    sock.sendall(head.encode() + body)
    time.sleep(0.5)
    assert lab.gateway.credits(key)["held"] > 0
    sock.close()
    time.sleep(0.3)
    assert lab.provider.of(model.split("/")[1])[0].closed_at is not None
    left = lab.gateway.credits(key)
    assert left["held"] == 0 and left["balance"] == 1


def test_leaving_in_the_middle_pays_for_what_came(lab: Lab) -> None:
    _, key = lab.gateway.account("1")
    model = lab.model(Script.sse(ROLE, *(word("x" * 40) for _ in range(10)), ending="hang"))
    answer = lab.gateway.chat(model, key=key, stream=True)
    identity = answer.headers["x-generation-id"]
    for line in answer.iter_lines():
        if b"x" * 40 in line:
            break
    answer.close()
    time.sleep(0.5)
    receipt = lab.gateway.get("/v1/generation", key, params={"id": identity}).json()["data"]
    assert receipt["partial"] and receipt["usage_source"] == "estimated" and receipt["status"] == 499
    assert receipt["tokens"]["output"] in range(10, 101, 10)  # whole frames of 10 tokens
    left = lab.gateway.credits(key)
    assert left["held"] == 0 and left["total_usage"] > 0


def test_usage_is_asked_for_and_kept_from_who_did_not_ask(lab: Lab) -> None:
    model = lab.model(Script.sse(ROLE, word("hi"), END, USAGE, DONE))
    answer = lab.gateway.chat(model, stream=True)
    assert all(json.loads(data)["choices"] for data in frames(answer)[:-1])
    assert lab.provider.last().json["stream_options"] == {"include_usage": True}
    receipt = lab.gateway.get("/v1/generation", params={"id": answer.headers["x-generation-id"]}).json()["data"]
    assert (receipt["tokens"]["input"], receipt["tokens"]["output"]) == (7, 3)
    assert receipt["usage_source"] == "reported" and receipt["upstream_id"] == "up-1"
    assert receipt["finish_reason"] == "stop" and receipt["first_event_ms"] is not None


def test_without_usage_the_charge_is_estimated(lab: Lab) -> None:
    answer = lab.gateway.chat(lab.model(Script.sse(ROLE, word("a" * 80), END, DONE)), stream=True)
    assert frames(answer)[-1] == "[DONE]"
    receipt = lab.gateway.get("/v1/generation", params={"id": answer.headers["x-generation-id"]}).json()["data"]
    assert receipt["usage_source"] == "estimated" and receipt["tokens"]["output"] == 20 and not receipt["partial"]


def test_streams_that_mean_nothing_are_502_before_they_begin(lab: Lab) -> None:
    for pieces in (
        (b"<html>busy</html>",), (b"",), (b"data: [DONE]\n\n",), (b"data: null\n\n",), (b"data: {\n\n",),
        (b"data: []\n\n",), (b'data: {"choices":null}\n\n',), (b": just a comment\n\n",), (b'{"choices":[]}',),
        (b'{"choices":[{"index":NaN}]}',),
        (b'data: {"error":{"message":"no","type":"server_error"}}\n\n',), (ROLE,), (b"x" * 100_000,),
    ):  # fmt: skip
        answer = lab.gateway.chat(lab.model(Script.sse(*pieces, framing="close")), stream=True)
        assert answer.status_code == 502, (pieces, answer.text)
        assert answer.json()["error"]["type"] == "api_error"


def test_a_stream_without_its_end_is_no_success(lab: Lab) -> None:
    for framing, ending in (("chunked", "close"), ("chunked", "reset"), ("close", "close")):
        answer = lab.gateway.chat(
            lab.model(Script.sse(ROLE, word("one"), word("two"), framing=framing, ending=ending)), stream=True
        )
        seen = frames(answer)
        assert answer.status_code == 200 and json.loads(seen[-1])["error"]["code"] == 502, seen


def test_the_end_of_the_body_ends_a_stream_that_has_finished(lab: Lab) -> None:
    """Perplexity and others send no [DONE]."""
    answer = lab.gateway.chat(lab.model(Script.sse(ROLE, word("one"), END, framing="close")), stream=True)
    seen = frames(answer)
    assert json.loads(seen[-1])["choices"][0]["finish_reason"] == "stop"


def test_a_whole_answer_to_a_streamed_question_is_cut_into_frames(lab: Lab) -> None:
    message = {"role": "assistant", "content": "Hi", "tool_calls": [{"id": "c", "type": "function", "function": {}}]}
    body = {
        "id": "up", "object": "chat.completion", "created": 1, "model": "m", "vendor": {"kept": True},
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }  # fmt: skip
    answer = lab.gateway.chat(lab.model(Script.json(body)), stream=True, stream_options={"include_usage": True})
    *chunks, done = frames(answer)
    first, last, usage = map(json.loads, chunks)
    assert done == "[DONE]" and first["object"] == "chat.completion.chunk" and first["vendor"] == {"kept": True}
    assert first["choices"][0]["delta"]["tool_calls"][0]["index"] == 0
    assert last["choices"][0]["finish_reason"] == "tool_calls" and usage["usage"]["total_tokens"] == 3
    assert {c["id"] for c in (first, last, usage)} == {answer.headers["x-generation-id"]}


def test_comments_and_unknown_fields_pass(lab: Lab) -> None:
    choice = '{"index":0,"delta":{"content":"x"},"x_new":1}'
    odd = f'data: {{"model":"m","choices":[{choice}],"id":"up-1","obfuscation":"ab"}}\n\n'.encode()
    answer = lab.gateway.chat(lab.model(Script.sse(b": PROCESSING\n\n", ROLE, odd, END, USAGE, DONE)), stream=True)
    text = answer.content.decode()
    assert text.startswith(": PROCESSING\n\n")
    assert '"x_new":1}],"id":"chatcmpl-' in text and '"obfuscation":"ab"}\n\n' in text


def test_ids_of_frames_go_no_further(lab: Lab) -> None:
    """OpenAI's clients would take a ping of ours behind them for an event without data."""
    pieces = (ROLE, word("one"), word("two"), END, DONE)
    script = Script.sse(*(b"id: %d\n" % place + one for place, one in enumerate(pieces)))
    answer = lab.gateway.chat(lab.model(script), stream=True)
    assert b"two" in answer.content and answer.content.endswith(b"data: [DONE]\n\n")
    assert all(line[:5] in (b"", b"data:") for line in answer.content.splitlines())


def test_frames_without_data_keep_a_stream_alive_and_go_no_further(lab: Lab) -> None:
    """Clients would read their empty data as JSON."""
    for empty in (b"data: \n\n", b"data:\n\n", b"event: ping\ndata:\n\n", b"retry: 1000\n\n"):
        model = lab.model(Script.sse(empty, ROLE, word("one"), empty, word("two"), END, USAGE, DONE))
        answer = lab.gateway.chat(model, stream=True)
        assert answer.status_code == 200 and answer.headers["x-gateway-attempts"] == "1", empty
        assert empty not in answer.content and all(map(json.loads, frames(answer)[:-1])), empty
        assert (
            "".join(json.loads(one)["choices"][0]["delta"].get("content", "") for one in frames(answer)[:3]) == "onetwo"
        )
        body = {"model": model, "stream": True, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        bridged = lab.gateway.post("/v1/messages", body)
        assert b"two" in bridged.content and b"message_stop" in bridged.content, empty


def test_what_a_provider_does_after_the_end_means_nothing(lab: Lab) -> None:
    for more in ((), (0.01, b"data: {broken\n\n"), (b'data: {"error":{"message":"late"}}\n\n',)):
        for ending in ("close", "reset", "keep"):
            script = Script.sse(ROLE, word("one"), END, USAGE, DONE, *more, ending=ending)
            answer = lab.gateway.chat(lab.model(script), stream=True)
            assert answer.content.endswith(b"data: [DONE]\n\n") and b"error" not in answer.content
            identity = answer.headers["x-generation-id"]
            receipt = lab.gateway.get("/v1/generation", params={"id": identity}).json()["data"]
            assert receipt["status"] == 200 and not receipt["partial"]
            assert lab.gateway.log.read_text().count(f"generation={identity}") == 1
