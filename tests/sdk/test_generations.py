"""The official SDKs for Python of this generation and older ones: the same calls, and the same comes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.sdk.packages import for_python, run


def came(gateway: Gateway, script: str, name: str, version: str | None) -> dict[str, Any]:
    """What the calls of a script brought with that version of its SDK, or with the installed one."""
    folder = for_python(f"{name}=={version}") if version else None
    found: dict[str, Any] = json.loads(run(script, gateway.url, gateway.key, folder))
    used = found.pop("version")
    assert version in (None, used), "another SDK was first in the path"
    return found


@pytest.mark.parametrize("version", [None, "2.45.0", "1.109.1"])
def test_openai(sqlite_gateway: Gateway, version: str | None) -> None:
    assert came(sqlite_gateway, "openai_calls.py", "openai", version) == {
        "chat": ["Say hello", "stop", "req_"],
        "stream": ["one two three", True, 3],
        "tools": ["get_weather", {"city": "Paris"}, "get_weather answered: 18 degrees"],
        "streamed_tools": [{"city": "Paris"}, {"city": "Paris"}],
        "vision": True,
        "schema": 14,
        "responses": ["Say hello", "response.created", "response.completed", "one two", 14],
        "responses_tools": [{"city": "Paris"}, "get_weather answered: 18 degrees"],
        "embeddings": [2, 16, True],
        "completions": ["one two", "length"],
        "models": [True, "sandbox/echo"],
        "errors": {
            "sandbox/error-400": ["BadRequestError", 400],
            "sandbox/error-404": ["NotFoundError", 404],
            "sandbox/error-422": ["UnprocessableEntityError", 422],
            "sandbox/error-429": ["RateLimitError", 429],
            "sandbox/error-500": ["InternalServerError", 500],
            "nobody/none": ["NotFoundError", 404],
            "wrong key": ["AuthenticationError", 401],
        },
        "broken": ["APIError"] * 4,
    }


@pytest.mark.parametrize("version", [None, "1.17.0"])
def test_anthropic(sqlite_gateway: Gateway, version: str | None) -> None:
    assert came(sqlite_gateway, "anthropic_calls.py", "anthropic", version) == {
        "message": ["Say hello", "end_turn", "req_", "one two", "stop_sequence", " three"],
        "stream": ["message_start", "message_stop", "one two three", 3],
        "tools": ["tool_use", "get_weather", {"city": "Paris"}, "get_weather answered: 18 degrees"],
        "streamed_tools": [{"city": "Paris"}, {"city": "Paris"}],
        "vision": True,
        "schema": 14,
        "thinking": [["thinking", "text"], "again"],
        "count": True,
        "models": [True, True, "sandbox/echo"],
        "errors": {
            "sandbox/error-400": ["BadRequestError", 400, "invalid_request_error"],
            "sandbox/error-404": ["NotFoundError", 404, "not_found_error"],
            "sandbox/error-429": ["RateLimitError", 429, "rate_limit_error"],
            "sandbox/error-500": ["InternalServerError", 500, "api_error"],
            "sandbox/error-529": ["OverloadedError", 529, "overloaded_error"],
            "nobody/none": ["NotFoundError", 404, "not_found_error"],
            "wrong key": ["AuthenticationError", 401, "authentication_error"],
        },
        "broken": ["api_error", "api_error"],
    }


@pytest.mark.parametrize("version", [None, "2.34.0", "1.75.0"])
def test_google(sqlite_gateway: Gateway, version: str | None) -> None:
    assert came(sqlite_gateway, "google_calls.py", "google-genai", version) == {
        "content": ["Say hello", "STOP", "one two", "MAX_TOKENS"],
        "stream": [True, "one two three four", 4],
        "tools": ["get_weather", {"city": "Paris"}, "get_weather answered: 18 degrees", [{"city": "Paris"}] * 2],
        "automatic": True,
        "chat": ["hello there", "and again"],
        "vision": True,
        "schema": [14, {"day": 14}],
        "thinking": [[True, False], "think"],
        "count": True,
        "embeddings": [[16, 16], True],
        "models": [True, True, "models/sandbox/echo"],
        "errors": {
            "sandbox/error-400": ["ClientError", 400, "INVALID_ARGUMENT"],
            "sandbox/error-404": ["ClientError", 404, "NOT_FOUND"],
            "sandbox/error-429": ["ClientError", 429, "RESOURCE_EXHAUSTED"],
            "sandbox/error-500": ["ServerError", 500, "INTERNAL"],
            "sandbox/error-503": ["ServerError", 503, "UNAVAILABLE"],
            "nobody/none": ["ClientError", 404, "NOT_FOUND"],
            "wrong key": ["ClientError", 401, "UNAUTHENTICATED"],
        },
        "broken": [["ServerError", 502, "UNAVAILABLE"], ["ServerError", 500, "INTERNAL"]],
    }
