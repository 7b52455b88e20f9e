"""Names and ids of callers' that a vendor would refuse, put into its letters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.call import Call
from gateway.dialects import bridge
from tests import made

_HI: dict[str, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "hi"}]},
    "responses": {"input": "hi"},
    "messages": {"max_tokens": 5000, "messages": [{"role": "user", "content": "hi"}]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
}


def call(dialect: str, **body: Any) -> Call:
    values = {"model": "lab/m", **_HI[dialect], **body}
    return made.call(
        dialect, "ours", json.dumps(values).encode(), bridge.DIALECTS[dialect].ask({**values, "stream": False})
    )


def up(one: Call, dialect: str, model: str = "m") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bridge.encode(one, made.leg(dialect, model)))
    return found


def test_long_ids_of_end_users_stay_one_users() -> None:
    """Claude Code says account, session and device in one."""
    long = "user_" + "a" * 64 + "_account__session_" + "b" * 36
    for dialect in ("chat", "responses"):
        one, again, other = (
            up(call("messages", metadata={"user_id": user}), dialect)["user"] for user in (long, long, long + "c")
        )
        assert len(one) == 64 and one == again != other
        assert up(call("messages", metadata={"user_id": "u-1"}), dialect)["user"] == "u-1"


@pytest.mark.parametrize("user", ["ann@example.com", "u" * 300, "Jörg"])
def test_claude_is_told_no_mail_addresses(user: str) -> None:
    told = up(call("chat", user=user), "messages")["metadata"]["user_id"]
    assert len(told) == 64 and told.isalnum()
    assert up(call("chat", user="0b2f_x-1"), "messages")["metadata"] == {"user_id": "0b2f_x-1"}


@pytest.mark.parametrize(("dialect", "most"), [("chat", 40), ("responses", 64), ("messages", 64)])
def test_long_ids_of_calls_are_cut_alike(dialect: str, most: int) -> None:
    """Proxies put a signature of thoughts into an id."""
    long = "call_1__thought__" + "x" * 900
    history = [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [{"functionCall": {"id": long, "name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"id": long, "name": "f", "response": {"result": "r"}}}]},
    ]
    text = json.dumps(up(call("gemini", contents=history), dialect))
    found = [piece.partition('"')[0] for piece in text.split('id": "')[1:]]
    assert len(found) == 2 and found[0] == found[1] and len(found[0]) <= most
