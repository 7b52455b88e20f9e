"""Law 8 on the wire: another account's object is as unknown as one that never was, to the byte."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.conftest import Lab
from tests.upstream import Script

REPLY = {
    "id": "resp_upstream0123456789", "object": "response", "created_at": 1, "status": "completed", "model": "m",
    "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "kept", "annotations": []}]}],
    "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
}  # fmt: skip


@pytest.fixture(scope="module")
def made(responses_lab: Lab) -> tuple[str, str, str]:
    """A response that one account has made: its model, its id, and the key of another account."""
    _, yours = responses_lab.gateway.account("1")
    _, mine = responses_lab.gateway.account("1")
    model = responses_lab.model(Script.json(REPLY))
    answer = responses_lab.gateway.post("/v1/responses", {"model": model, "input": "keep", "store": True}, yours)
    assert answer.status_code == 200, answer.text
    return model, answer.json()["id"], mine


def told(answer: requests.Response, identity: str) -> tuple[int, str]:
    """What an answer says, without what differs anyway: the id that was asked for, and the request's own."""
    return answer.status_code, answer.text.replace(identity, "ID").replace(answer.headers["x-request-id"], "REQUEST")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/responses/{}"), ("DELETE", "/v1/responses/{}"), ("POST", "/v1/responses/{}/cancel"),
        ("GET", "/v1/responses/{}/input_items"), ("GET", "/v1/generation?id={}"),
    ],
)  # fmt: skip
def test_paths(responses_lab: Lab, made: tuple[str, str, str], method: str, path: str) -> None:
    _, theirs, key = made
    gateway, asked = responses_lab.gateway, len(responses_lab.provider.asked)
    random = theirs[:-4] + "0000"

    def ask(identity: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}"}
        return requests.request(method, gateway.url + path.format(identity), headers=headers, timeout=30)

    foreign, unknown = ask(theirs), ask(random)
    assert told(foreign, theirs) == told(unknown, random) and foreign.status_code == 404
    assert sorted(foreign.headers) == sorted(unknown.headers)
    upstream_id = ask("resp_upstream0123456789")
    assert told(upstream_id, "resp_upstream0123456789") == told(unknown, random), (
        "the maker's own id is no way in either"
    )
    assert len(responses_lab.provider.asked) == asked, "nobody was asked"


@pytest.mark.parametrize(
    "named",
    [
        lambda identity: {"previous_response_id": identity},
        lambda identity: {"conversation": identity},
        lambda identity: {"conversation": {"id": identity}},
        lambda identity: {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": identity}]}]},
        lambda identity: {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": identity}]}]},
        lambda identity: {"tools": [{"type": "file_search", "vector_store_ids": [identity]}]},
        lambda identity: {"tools": [{"type": "code_interpreter", "container": identity}]},
        lambda identity: {
            "tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": [identity]}}]
        },
    ],
)
def test_members_of_a_body(responses_lab: Lab, made: tuple[str, str, str], named: Any) -> None:
    model, theirs, key = made
    asked = len(responses_lab.provider.asked)
    random = theirs[:-4] + "0000"
    answers = [
        told(
            responses_lab.gateway.post("/v1/responses", {"model": model, "input": "hi", **named(identity)}, key),
            identity,
        )
        for identity in (theirs, random, "resp_upstream0123456789")
    ]
    assert answers[0] == answers[1] == answers[2] and answers[0][0] == 404, answers
    assert len(responses_lab.provider.asked) == asked, "nobody was asked"
