"""Bedrock: addresses, bodies, signatures that are recomputed here from AWS's description, and binary streams."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit
from zlib import crc32

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from gateway import config
from gateway.call import Channel, Fault, Outbound
from gateway.providers import bedrock, pool
from gateway.providers.eventstream import Frames
from gateway.providers.registry import KINDS, spoken
from tests import made
from tests.upstream import Asked, Script, Upstream, upstream

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE_PATH = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
IDENTITY, SECRET, TOKEN = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2Vj//8="
STREAM = {"content-type": "application/vnd.amazon.eventstream"}


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    settings = config.load({})
    config.use(settings)
    pool.open(settings)
    with upstream() as made:
        made.answer = lambda asked: Script.json({"ok": True})
        yield made


def channel(provider: Upstream, secret: str) -> Channel:
    return made.channel(
        provider="bedrock", base_url=provider.url, secret=secret, dialects=KINDS["bedrock"].dialects, name="bedrock"
    )


def outbound(channel: Channel, dialect: str, model: str, path: str, body: bytes, **other: Any) -> Outbound:
    usual: dict[str, Any] = {"headers": {}, "stream": False, "account_id": "a"}
    return Outbound(channel=channel, dialect=dialect, model=model, path=path, body=body, **{**usual, **other})


def whole(wire: Any) -> bytes:
    data = b""
    while piece := wire.read():
        data += piece
    return data


def frame(payload: bytes, **headers: str) -> bytes:
    """A frame as AWS describes it; every header a text."""
    named = b""
    for name, value in headers.items():
        label = f":{name.replace('_', '-')}".encode()
        named += bytes([len(label)]) + label + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
    prelude = struct.pack(">II", 16 + len(named) + len(payload), len(named))
    data = prelude + struct.pack(">I", crc32(prelude)) + named + payload
    return data + struct.pack(">I", crc32(data))


def chunk(event: dict[str, Any]) -> bytes:
    """One event of Claude's."""
    payload = {"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abcdefgh"}
    return frame(
        json.dumps(payload).encode(), event_type="chunk", content_type="application/json", message_type="event"
    )


def test_how_a_model_is_spoken_to() -> None:
    here = made.channel(provider="bedrock", dialects=KINDS["bedrock"].dialects)
    assert spoken(here, CLAUDE) == ("messages",)
    assert spoken(here, "openai.gpt-oss-120b-1:0") == ("chat",)
    assert spoken(here, "openai.gpt-5.4") == ("responses", "chat")
    assert spoken(here, "us.amazon.nova-pro-v1:0") == ("converse",)


def test_messages_name_the_model_in_the_path_and_the_version_in_the_body(provider: Upstream) -> None:
    body = b'{"model":"x","stream":false, "max_tokens":5,"messages":[{"role":"user","content":"h\\u00e9"}]}'
    headers = {"anthropic-version": "2023-06-01", "anthropic-beta": "one, two", "accept": "text/event-stream"}
    pool.send(
        outbound(channel(provider, "ABSK-key"), "messages", CLAUDE, "/v1/messages", body, headers=headers)
    ).close()
    asked = provider.last()
    assert asked.path == f"{CLAUDE_PATH}/invoke"
    assert asked.headers["authorization"] == "Bearer ABSK-key" and asked.headers["accept"] == "*/*"
    assert asked.body.startswith(b'{"max_tokens":5,"messages":[{"role":"user","content":"h\\u00e9"}]'), "as it was"
    assert asked.json["anthropic_version"] == "bedrock-2023-05-31" and asked.json["anthropic_beta"] == ["one", "two"]
    assert asked.json.keys() == {"max_tokens", "messages", "anthropic_version", "anthropic_beta"}
    assert int(asked.headers["content-length"]) == len(asked.body)


@pytest.mark.parametrize(
    ("dialect", "model", "path", "expected"),
    [
        ("chat", "openai.gpt-oss-20b-1:0", "/chat/completions", "/openai/v1/chat/completions"),
        ("responses", "openai.gpt-5.4", "/responses", "/openai/v1/responses"),
        (
            "converse", "amazon.nova-lite-v1:0", "/model/amazon.nova-lite-v1%3A0/converse",
            "/model/amazon.nova-lite-v1%3A0/converse",
        ),
    ],
)  # fmt: skip
def test_where_other_dialects_arrive(dialect: str, model: str, path: str, expected: str, provider: Upstream) -> None:
    pool.send(outbound(channel(provider, "ABSK-key"), dialect, model, path, b'{"model":"m"}')).close()
    assert (provider.last().path, provider.last().body) == (expected, b'{"model":"m"}')


def test_an_arn_is_one_segment_of_the_path(provider: Upstream) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-v1:0"
    pool.send(outbound(channel(provider, "ABSK-key"), "messages", arn, "/v1/messages", b"{}", stream=True)).close()
    assert provider.last().path == f"/model/{quote(arn, safe='')}/invoke-with-response-stream"


def test_tokens_are_not_counted_there(provider: Upstream) -> None:
    with pytest.raises(Fault) as caught:
        pool.send(outbound(channel(provider, "k"), "messages", CLAUDE, "/v1/messages/count_tokens", b"{}"))
    assert (caught.value.cause, caught.value.status) == ("request", 404)


# Signature Version 4, from https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html


def signature(
    method: str, path: str, query: str, headers: dict[str, str], body: bytes, region: str, service: str, secret: str
) -> tuple[str, str]:
    """(signed headers, signature) of a request whose headers are exactly those that are signed."""
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        [
            method, quote(path, safe="/-_.~"), query,
            *(f"{name}:{' '.join(headers[name].split())}" for name in sorted(headers)), "", names,
            hashlib.sha256(body).hexdigest(),
        ]
    )  # fmt: skip
    stamp = headers["x-amz-date"]
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (stamp[:8], region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return names, hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def test_our_reckoning_of_signatures_is_that_of_aws() -> None:
    """The vector `get-vanilla` of AWS's own test suite."""
    found = signature(
        "GET", "/", "", {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"}, b"", "us-east-1", "service",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    )  # fmt: skip
    assert found == ("host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")


def credentials(asked: Asked) -> dict[str, str]:
    head, _, rest = asked.headers["authorization"].partition(" ")
    assert head == "AWS4-HMAC-SHA256"
    return dict(part.split("=", 1) for part in rest.split(", "))


@pytest.mark.parametrize("token", ["", TOKEN])
def test_a_key_pair_signs_the_request_as_it_is_sent(
    token: str, provider: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    here = channel(provider, f"{IDENTITY}:{SECRET}:{token}" if token else f"{IDENTITY}:{SECRET}")
    pool.send(outbound(here, "messages", CLAUDE, "/v1/messages", b'{"model":"x","max_tokens":1}')).close()
    asked = provider.last()
    told = credentials(asked)
    assert told["Credential"].startswith(f"{IDENTITY}/") and "/eu-west-3/bedrock/aws4_request" in told["Credential"]
    assert asked.headers.get("x-amz-security-token", "") == token
    names = told["SignedHeaders"].split(";")
    assert {"host", "x-amz-date"} <= set(names) and ("x-amz-security-token" in names) == bool(token)
    signed = {name: asked.headers[name] for name in names}
    expected = signature("POST", asked.path, "", signed, asked.body, "eu-west-3", "bedrock", SECRET)
    assert (told["SignedHeaders"], told["Signature"]) == expected
    assert not {"x-api-key", "anthropic-beta"} & asked.headers.keys()


def test_a_probe_is_signed_with_its_query(provider: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert pool.probe(channel(provider, f"{IDENTITY}:{SECRET}"), KINDS["bedrock"].probe)[0] == 200
    asked = provider.last()
    told = credentials(asked)
    signed = {name: asked.headers[name] for name in told["SignedHeaders"].split(";")}
    parts = urlsplit(asked.path)
    expected = signature("GET", parts.path, parts.query, signed, b"", "us-west-2", "bedrock", SECRET)
    assert told["Signature"] == expected[1]


@pytest.mark.parametrize(
    ("base_url", "region"),
    [
        ("https://bedrock-runtime.us-east-2.amazonaws.com", "us-east-2"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://vpce-1.bedrock-runtime.ap-southeast-2.vpce.amazonaws.com", "ap-southeast-2"),
    ],
)
def test_the_region_is_the_addresss(base_url: str, region: str) -> None:
    request = requests.Request("POST", f"{base_url}/model/m/invoke", data=b"{}").prepare()
    here = made.channel(provider="bedrock", base_url=base_url, secret=f"{IDENTITY}:{SECRET}")
    bedrock.sign(request, here, pool._exchange)
    assert f"/{region}/bedrock/aws4_request" in request.headers["Authorization"]


def test_what_is_wrong_with_a_key_is_said() -> None:
    assert bedrock.flaw("ABSKQmVkcm9ja0FQSUtleQ==") is None and bedrock.flaw(f"{IDENTITY}:{SECRET}") is None
    assert "neither a Bedrock API key" in str(bedrock.flaw("me:secret"))


def test_without_botocore_the_way_to_install_it_is_said(monkeypatch: pytest.MonkeyPatch, provider: Upstream) -> None:
    monkeypatch.setattr(bedrock, "find_spec", lambda name: None)
    assert "python -m pip install -r requirements-aws.txt" in str(bedrock.flaw(f"{IDENTITY}:{SECRET}"))
    for name in ("botocore.auth", "botocore.awsrequest", "botocore.credentials"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(Fault) as caught:
        pool.probe(channel(provider, f"{IDENTITY}:{SECRET}"), "/async-invoke")
    assert caught.value.cause == "account" and "requirements-aws.txt" in caught.value.message


# streams

EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "msg_1", "content": []}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grüße\n\n✓"}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1}},
]


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def streamed(provider: Upstream, dialect: str, *pieces: bytes, ending: str = "keep") -> bytes:
    provider.answer = lambda asked: Script(200, STREAM, list(pieces), "chunked", ending)
    path = "/v1/messages" if dialect == "messages" else "/model/m/converse-stream"
    try:
        wire = pool.send(outbound(channel(provider, "k"), dialect, CLAUDE, path, b"{}", stream=True))
        assert wire.headers["content-type"] == "text/event-stream"
        return whole(wire)
    finally:
        provider.answer = lambda asked: Script.json({"ok": True})


def test_a_stream_of_claudes_is_anthropics(provider: Upstream) -> None:
    data = b"".join(map(chunk, EVENTS))
    assert streamed(provider, "messages", data[:7], data[7:150], data[150:]) == sse(*EVENTS)
    assert provider.last().headers["accept"] == "application/vnd.amazon.eventstream"


def test_a_stream_of_converse_has_its_events_under_their_names(provider: Upstream) -> None:
    data = frame(b'{"role":"assistant"}', event_type="messageStart", message_type="event")
    data += frame(b'{"message":"slow"}', exception_type="throttlingException", message_type="exception")
    assert streamed(provider, "converse", data) == (
        b'event: messageStart\ndata: {"role":"assistant"}\n\nevent: throttlingException\ndata: {"message":"slow"}\n\n'
    )


def test_an_exception_in_a_stream_is_an_error_of_the_dialects(provider: Upstream) -> None:
    data = chunk(EVENTS[0]) + frame(
        b'{"message":"Too many requests"}', exception_type="throttlingException", message_type="exception"
    )
    told = streamed(provider, "messages", data).partition(sse(EVENTS[0]))[2]
    assert json.loads(told.split(b"data: ")[1]) == {
        "type": "error", "error": {"type": "rate_limit_error", "message": "Too many requests"}
    }  # fmt: skip
    assert told.startswith(b"event: error\n")
    data = frame(b"", error_code="InternalError", error_message="it broke", message_type="error")
    told = streamed(provider, "messages", data)
    assert json.loads(told.split(b"data: ")[1])["error"] == {"type": "api_error", "message": "it broke"}
    assert streamed(provider, "converse", data) == b'event: error\ndata: {"message": "it broke"}\n\n'


@pytest.mark.parametrize("place", [2, 9, 20, -1])
def test_a_frame_that_was_changed_on_its_way_is_refused(place: int, provider: Upstream) -> None:
    data = bytearray(chunk(EVENTS[0]))
    data[place] ^= 1
    with pytest.raises(Fault) as caught:
        streamed(provider, "messages", bytes(data))
    assert caught.value.cause == "malformed"


def test_a_stream_that_ends_inside_of_a_frame_is_broken(provider: Upstream) -> None:
    with pytest.raises(Fault) as caught:
        streamed(provider, "messages", chunk(EVENTS[0])[:-3])
    assert caught.value.cause == "malformed"


@given(
    st.lists(st.tuples(st.sampled_from(["chunk", "metadata"]), st.binary(max_size=60)), min_size=1, max_size=4),
    st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=20),
)
def test_frames_come_out_as_they_went_in_however_they_are_cut(sent: list[tuple[str, bytes]], cuts: list[int]) -> None:
    data = b"".join(frame(payload, event_type=name, message_type="event") for name, payload in sent)
    frames, found, at, turn = Frames(), [], 0, 0
    while at < len(data):
        size = cuts[turn % len(cuts)]
        found += frames.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    frames.end()
    assert [(one.name, one.payload) for one in found] == sent


def test_headers_of_all_types_are_read_over() -> None:
    others = [(0, b""), (1, b""), (2, b"x"), (3, b"xx"), (4, b"x" * 4), (5, b"x" * 8), (6, b"\0\3abc"), (8, b"x" * 8),
              (9, b"x" * 16), (7, b"\0\2hi")]  # fmt: skip
    named = b"".join(b"\x02h" + str(kind).encode() + bytes([kind]) + value for kind, value in others)
    named += b"\x0b:event-type\x07\x00\x05chunk"
    prelude = struct.pack(">II", 16 + len(named), len(named))
    data = prelude + struct.pack(">I", crc32(prelude)) + named
    (found,) = Frames().feed(data + struct.pack(">I", crc32(data)))
    assert (found.kind, found.name) == ("event", "chunk")
