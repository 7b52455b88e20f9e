"""Names and ids of callers' that a vendor would refuse, put into its letters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Call, Meter
from gateway.dialects import bridge, fitting
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


@given(st.text("ab_x2.e5f-: é", max_size=70), st.text("ab_x2.e5f-: é", max_size=70))
def test_what_is_made_fit_fits_and_is_unlike_all_else(one: str, other: str) -> None:
    for target in bridge.NAMED.values():
        fit = fitting.fitted(one, target.NAMES)
        assert not target.NAMES.unfit.search(fit) and len(fit) <= target.NAMES.most
        assert (fit == fitting.fitted(other, target.NAMES)) == (one == other)


DOTTED, LONG, PLAIN = "mcp.my:tool", "mcp__plugin_" + "x" * 80, "plain"


def _calls(dialect: str, name: str) -> dict[str, Any]:
    """A provider's answer that calls a tool."""
    match dialect:
        case "chat":
            call = {"id": "c1", "type": "function", "function": {"name": name, "arguments": "{}"}}
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
            return {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
        case "responses":
            item = {"type": "function_call", "id": "fc", "call_id": "c1", "name": name, "arguments": "{}"}
            return {"id": "x", "status": "completed", "output": [item]}
        case "messages":
            block = {"type": "tool_use", "id": "c1", "name": name, "input": {}}
            return {"id": "x", "type": "message", "content": [block], "stop_reason": "tool_use"}
        case "converse":
            block = {"toolUse": {"toolUseId": "c1", "name": name, "input": {}}}
            return {"output": {"message": {"role": "assistant", "content": [block]}}, "stopReason": "tool_use"}
        case _:
            return {"candidates": [{"content": {"parts": [{"functionCall": {"name": name, "args": {}}}]}}]}


@pytest.mark.parametrize("dialect", ["chat", "responses", "messages", "converse"])
@pytest.mark.parametrize("name", [DOTTED, LONG, PLAIN])
def test_tools_have_names_that_each_takes_and_are_called_by_their_own(dialect: str, name: str) -> None:
    history = [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [{"functionCall": {"name": name, "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": name, "response": {"result": "r"}}}]},
    ]
    one = call(
        "gemini",
        contents=history,
        tools=[{"functionDeclarations": [{"name": name}, {"name": "other"}]}],
        toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [name]}},
    )
    fit = fitting.fitted(name, bridge.NAMED[dialect].NAMES)
    assert (fit == name) == (name == PLAIN)
    sent = json.dumps(up(one, dialect))
    assert sent.count(f'"{fit}"') >= 3 and (fit == name or name not in sent), "offered, chosen, called before"
    answer = json.dumps(_calls(dialect, fit)).encode()
    got = json.loads(bridge.whole(one, made.leg(dialect), answer, Meter()))
    assert got["candidates"][0]["content"]["parts"][0]["functionCall"]["name"] == name
    feed = bridge.feed(one, made.leg(dialect), {})
    feed.answer(answer)  # type: ignore[attr-defined]
    assert f'"name":"{name}"'.encode() in b"".join(feed.out)


def test_google_takes_dots_but_no_name_of_128_letters() -> None:
    def names(*given: str) -> list[str]:
        tools = [{"name": name, "input_schema": {"type": "object"}} for name in given]
        [declared] = up(call("messages", tools=tools), "gemini")["tools"]
        return [function["name"] for function in declared["functionDeclarations"]]

    assert names("a-b") == ["a-b"]
    long, digit = names(LONG, "1st")
    assert len(long) <= 64 and digit.startswith("_st_")
