"""What is known of models and providers, and what becomes of requests by it: through the bridge, as they go up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.call import Accent, Call, Leg, Profile
from gateway.dialects import bridge
from gateway.neutral.features import NAMES
from gateway.providers import profiles
from tests import made
from tests.matrix import recordings

TOOL_TURN: list[dict[str, Any]] = [
    {"role": "user", "content": "weather?"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_01", "name": "w", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_01", "content": "fine"}]},
]


def leg(provider: str, model: str = "m", dialect: str = "chat") -> Leg:
    return made.leg(dialect, model, provider=provider)


def call(dialect: str = "chat", strict: bool = False, **body: Any) -> Call:
    base: dict[str, Any] = {
        "chat": {"model": "lab/m", "messages": [{"role": "user", "content": "hi"}]},
        "messages": {"model": "lab/m", "max_tokens": 5000, "messages": [{"role": "user", "content": "hi"}]},
        "responses": {"model": "lab/m", "input": "hi"},
    }[dialect]
    values = {**base, **body}
    return made.call(dialect, "ours", json.dumps(values).encode(), bridge.NAMED[dialect].ask(values), strict=strict)


def up(one: Call, to: Leg) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What goes up, and what is told to be lost."""
    return json.loads(bridge.encode(one, to)), bridge.screen(one, to)


@pytest.mark.parametrize(
    "name",
    ["claude-sonnet-4-5", "anthropic/claude-sonnet-4.5", "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
     "claude-sonnet-4-5@20250929", "Claude-Sonnet-4-5"],
)  # fmt: skip
def test_a_model_is_the_same_under_every_hosts_name(name: str) -> None:
    assert profiles.of("any", name, "messages") == profiles.of("anthropic", "claude-sonnet-4-5-20250929", "messages")


@pytest.mark.parametrize(
    ("model", "like"),
    [("openai/gpt-5-mini", "gpt-5"), ("gpt-5-2025-08-07", "gpt-5"), ("my-gpt-5.1-deployment", "gpt-5.1"),
     ("gpt-4.1-mini", "gpt-4o"), ("gpt-35-turbo", "gpt-4o"), ("openai/o3-mini-high", "o3")],
)  # fmt: skip
def test_versions_are_read_out_of_names(model: str, like: str) -> None:
    assert profiles.of("azure", model, "chat") == profiles.of("azure", like, "chat")


@pytest.mark.parametrize("model", ["gpt-oss-120b", "gpt-oss-20b", "gpt-up", "turbo3", "foo1", "pro3-x", "my-model"])
def test_names_that_only_look_like_a_family_are_none(model: str) -> None:
    assert not profiles.of("vllm", model, "chat").lacks


def test_every_row_names_facts_that_there_are_and_a_page() -> None:
    known = {*Profile.__dataclass_fields__, *Accent.__dataclass_fields__} - {"accent"}
    for row in profiles.ROWS:
        assert row.facts and set(row.facts) <= known, row.what
        assert row.source.startswith("https://"), row.what
        for name in ("lacks", "lacks_thinking", "knows"):
            assert set(row.facts.get(name, ())) <= set(NAMES), row.what


def test_nobody_is_bent_in_vain() -> None:
    """A vendor's own words pass byte for byte."""
    text = b'{ "model":"lab/m", "messages" : [{"role":"user","content":"\\u00e9"}],"max_tokens":7 , "random_seed": 1}'
    one = made.call("chat", "ours", text, bridge.NAMED["chat"].ask(json.loads(text)))
    for provider in ("mistral", "groq", "deepseek", "zai", "moonshot", "openai"):
        assert bridge.encode(one, leg(provider)) == text.replace(b'"lab/m"', b'"m"')
        assert bridge.screen(one, leg(provider)) == ()


def test_mistrals_accent_in_a_chat_clients_own_words() -> None:
    turns = [
        {"role": "developer", "content": "be brief"}, {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [
            {"id": "call_0123456789", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "D681PevKs", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "call_0123456789", "content": "a"},
        {"role": "tool", "tool_call_id": "D681PevKs", "content": "b"},
    ]  # fmt: skip
    asked = {"messages": turns, "max_completion_tokens": 9, "seed": 4, "user": "u", "logprobs": True, "stream": True}
    body, losses = up(call(**asked), leg("mistral", "mistral-large-latest"))
    assert losses == ("user=drop", "logprobs=drop", "messages.reasoning_content=drop")
    assert (body["max_tokens"], body["random_seed"]) == (9, 4)
    assert not {"max_completion_tokens", "seed", "user", "logprobs", "stream_options"} & set(body)
    assert body["messages"][0]["role"] == "system" and "reasoning_content" not in body["messages"][2]
    first, second = (one["id"] for one in body["messages"][2]["tool_calls"])
    assert len(first) == 9 and first.isalnum() and second == "D681PevKs"
    assert [one["tool_call_id"] for one in body["messages"][3:]] == [first, second]


def test_a_forced_limit_survives_another_name_for_it() -> None:
    one = made.call(
        "chat", "ours", json.dumps({"model": "m", "messages": [], "max_completion_tokens": 90}).encode(),
        bridge.NAMED["chat"].ask({"model": "m", "messages": [], "max_completion_tokens": 90}), cap=7,
    )  # fmt: skip
    assert json.loads(bridge.encode(one, leg("mistral")))["max_tokens"] == 7


def test_who_is_strict_is_refused_what_an_accent_drops() -> None:
    with pytest.raises(bridge.Refused) as refused:
        bridge.screen(call(strict=True, user="u"), leg("mistral"))
    assert refused.value.param == "user"
    assert bridge.screen(call(strict=True, stream=True, stream_options={"include_usage": True}), leg("mistral")) == ()


def test_a_loss_is_told_by_the_clients_own_field() -> None:
    _, losses = up(call("messages", metadata={"user_id": "u"}), leg("mistral"))
    assert losses == ("metadata.user_id=drop",)


def test_what_a_family_lacks_is_dropped_in_translation_only() -> None:
    asked = {"temperature": 0.3, "top_p": 0.5}
    body, losses = up(call("messages", **asked), leg("openai", "gpt-5-mini"))
    assert not set(asked) & set(body) and losses == ("temperature=drop", "top_p=drop")
    assert body["max_completion_tokens"] == 5000
    body, losses = up(call(**asked), leg("openai", "gpt-5-mini"))
    assert body["temperature"] == 0.3 and losses == (), "OpenAI's own client hears it from OpenAI"
    body, losses = up(call("messages", temperature=1), leg("openai", "gpt-5-mini"))
    assert losses == (), "the usual value is as good as none"
    body, _ = up(call("messages", **asked), leg("openai", "gpt-5.2"))
    assert body["temperature"] == 0.3, "it does not think unless it is asked to"
    body, losses = up(
        call("messages", **asked, thinking={"type": "enabled", "budget_tokens": 2000}), leg("openai", "gpt-5.2")
    )
    assert "temperature" not in body and "temperature=drop" in losses


@pytest.mark.parametrize("dialect", ["chat", "responses"])
def test_what_would_be_missed_refuses_a_leg(dialect: str) -> None:
    with pytest.raises(bridge.Refused) as refused:
        bridge.screen(call("messages", stop_sequences=["END"]), leg("openai", "gpt-5", dialect))
    assert refused.value.param == "stop_sequences"


def test_a_temperature_above_the_highest_becomes_that() -> None:
    body, losses = up(call("responses", temperature=1.6), leg("zai", "glm-4.6"))
    assert body["temperature"] == 1 and losses == ("temperature=drop",)


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [("gpt-5", "none", "minimal"), ("gpt-5", "xhigh", "high"), ("gpt-5.2", "xhigh", "xhigh"), ("gpt-5.1", "minimal", "low"),
     ("o3", "minimal", "low"), ("o3", "medium", "medium"), ("gpt-5-pro", "low", "high"), ("gpt-oss-20b", "max", "high"),
     ("gpt-4o", "high", None), ("some-model", "minimal", "minimal")],
)  # fmt: skip
def test_efforts_become_those_that_a_model_knows(model: str, asked: str, sent: str | None) -> None:
    for dialect, field in (("chat", ("reasoning_effort",)), ("responses", ("reasoning", "effort"))):
        one = call("responses" if dialect == "chat" else "chat", **(
            {"reasoning": {"effort": asked}} if dialect == "chat" else {"reasoning_effort": asked}
        ))  # fmt: skip
        found: Any = json.loads(bridge.encode(one, leg("openai", model, dialect)))
        for name in field:
            found = (found or {}).get(name)
        assert found == sent


THINK, REST = {"thinking": {"type": "enabled", "budget_tokens": 3000}}, {"thinking": {"type": "disabled"}}


@pytest.mark.parametrize(
    ("provider", "model", "on", "off"),
    [
        ("openai", "gpt-5.1", {"reasoning_effort": "low"}, {"reasoning_effort": "none"}),
        ("openai", "gpt-4o", {}, {}),
        ("deepseek", "deepseek-v4-flash", {"thinking": {"type": "enabled"}, "reasoning_effort": "low"},
         {"thinking": {"type": "disabled"}}),
        ("zai", "glm-4.6", {"thinking": {"type": "enabled"}}, {"thinking": {"type": "disabled"}}),
        ("moonshot", "kimi-k2.5", {"thinking": {"type": "enabled"}}, {"thinking": {"type": "disabled"}}),
        ("moonshot", "kimi-k3", {"reasoning_effort": "low"}, {}),
        ("alibaba", "qwen-plus", {"enable_thinking": True, "thinking_budget": 3000}, {"enable_thinking": False}),
        ("openrouter", "anthropic/claude-sonnet-4.5", {"reasoning": {"max_tokens": 3000}},
         {"reasoning": {"effort": "none"}}),
        ("mistral", "mistral-small-latest", {"reasoning_effort": "high"}, {"reasoning_effort": "none"}),
        ("mistral", "codestral-latest", {}, {}),
        ("groq", "qwen/qwen3-32b", {"reasoning_effort": "default"}, {"reasoning_effort": "none"}),
        ("xai", "grok-4", {}, {}), ("xai", "grok-3-mini", {"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
    ],
)  # fmt: skip
def test_each_is_told_to_think_in_its_own_words(provider: str, model: str, on: Any, off: Any) -> None:
    names = ("reasoning_effort", "thinking", "enable_thinking", "thinking_budget", "reasoning")
    for asked, want in ((THINK, on), (REST, off)):
        body, _ = up(call("messages", **asked), leg(provider, model))
        assert {name: body[name] for name in names if name in body} == want
    cannot_rest = bool(bridge.screen(call("messages", **REST), leg(provider, model)))
    assert cannot_rest == (model in ("kimi-k3", "grok-4", "grok-3-mini"))
    cannot_think = bool(bridge.screen(call("messages", **THINK), leg(provider, model)))
    assert cannot_think == (model in ("gpt-4o", "codestral-latest", "grok-4"))


def test_thoughts_go_back_under_the_name_that_a_provider_takes() -> None:
    said = {"choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": None, "reasoning": "hm", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "w", "arguments": "{}"}}]}}]}  # fmt: skip
    reply = bridge.NAMED["chat"].parse_reply(said)
    told = bridge.NAMED["messages"].render_reply(reply, {})["content"]
    answer = {"type": "tool_result", "tool_use_id": told[-1]["id"], "content": "fine"}
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": told},
        {"role": "user", "content": [answer]},
    ]
    for provider, name, value in (
        ("openai-compatible", "reasoning", "hm"), ("deepseek", "reasoning_content", "hm"), ("ollama", "reasoning", "hm"),
        ("mistral", "content", [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]),
    ):  # fmt: skip
        body, _ = up(call("messages", messages=turns), leg(provider))
        assert body["messages"][1][name] == value, provider


def test_who_insists_gets_a_thought_beside_each_call() -> None:
    body, _ = up(call("messages", messages=TOOL_TURN), leg("deepseek"))
    assert body["messages"][1]["reasoning_content"] == ""
    body, _ = up(call("messages", messages=TOOL_TURN), leg("openai", "gpt-4o"))
    assert "reasoning_content" not in body["messages"][1]


def test_deepseeks_responses_know_no_developer() -> None:
    one = call("responses", input=[{"role": "developer", "content": "x"}, {"role": "user", "content": "y"}])
    body, losses = up(one, leg("deepseek", dialect="responses"))
    assert [item["role"] for item in body["input"]] == ["system", "user"] and losses == ()
    body, _ = up(one, leg("openai", dialect="responses"))
    assert body["input"][0]["role"] == "developer"


ACCENTED = sorted(
    {provider for row in profiles.ROWS for provider in row.providers if not row.model and "chat" in row.dialects}
)


@pytest.fixture(scope="module")
def recorded(shared: Path) -> list[tuple[str, Call]]:
    """All recorded requests of chat as calls, by their names, read once."""
    return [
        (one.name, made.call(one.dialect, "ours", json.dumps(one.body).encode(), bridge.NAMED[one.dialect].ask(values)))
        for one in recordings.requests(shared)
        if one.dialect in bridge.NAMED and one.name not in recordings.REQUESTS
        for values in [{**one.body, "model": one.model, "stream": one.stream}]
    ]


@pytest.mark.parametrize("provider", ACCENTED)
def test_recorded_requests_in_each_providers_accent(recorded: list[tuple[str, Call]], provider: str) -> None:
    """No request of any client holds what this provider refuses when it goes there."""
    taken = leg(provider)
    accent = taken.profile.accent
    tried = 0
    for name, asked in recorded:
        try:
            bridge.screen(asked, taken)
        except bridge.Refused:
            continue
        body = json.loads(bridge.encode(asked, taken))
        assert not {*accent.unknown, *accent.needless, *(known for known, _ in accent.renamed)} & set(body), name
        ids: list[str] = []
        for message in body["messages"]:
            assert not set(accent.in_messages) & set(message), name
            assert accent.developer or message["role"] != "developer", name
            ids += [found["id"] for found in message.get("tool_calls") or ()]
            ids += [message["tool_call_id"]] if message.get("tool_call_id") else []
        if accent.call_ids:
            assert all(len(found) == accent.call_ids and found.isalnum() for found in ids), name
        tried += 1
    assert tried > 900


def test_what_claude_would_refuse_is_not_sent_to_it() -> None:
    """So a call goes to another leg, if there is one."""
    begun = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "He"}]
    for dialect in ("messages", "converse"):
        for model in ("claude-opus-4-6", "claude-opus-4-7", "claude-sonnet-5"):
            with pytest.raises(bridge.Refused) as refused:
                bridge.screen(call(messages=begun), leg("p", model, dialect))
            assert refused.value.param == "messages"
        assert bridge.screen(call(messages=begun), leg("p", "claude-haiku-4-5", dialect)) == ()
    for stop in ("\n", ["END", " \n"], [""]):
        with pytest.raises(bridge.Refused) as refused:
            bridge.screen(call(stop=stop), leg("anthropic", "claude-haiku-4-5", "messages"))
        assert refused.value.param == "stop"
    assert bridge.screen(call(stop=["\nUser:"]), leg("anthropic", "claude-haiku-4-5", "messages")) == ()
